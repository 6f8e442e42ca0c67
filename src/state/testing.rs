//! What threads share, without the threads, and a state that no thread owns. Tests only.
use crate::deliveries::{Journal, Spool};
use crate::door::Door;
use crate::runs::Requests;
use crate::settings::Settings;
use crate::state::State;
use crate::state::event::Event;
use crate::state::sessions::Sessions;
use crate::state::shared::{Published, Shared};
use crate::state::store::Store;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;

/// A generation without threads: nobody is at the other end of the state thread's channel.
pub fn shared(settings: Arc<Settings>) -> Arc<Shared> {
    shared_telling(settings, crossbeam_channel::bounded(1).0)
}

fn shared_telling(settings: Arc<Settings>, state: Sender<Event>) -> Arc<Shared> {
    Arc::new(Shared {
        problem: Box::new(|| None),
        objections: Box::new(|_, _| Vec::new()),
        settings,
        door: Door::new(),
        budget: Arc::default(),
        succession: Arc::default(),
        state,
        published: Published::default(),
        tls: None,
        board: Default::default(),
        codes: Default::default(),
        capabilities: Default::default(),
        remembered: Default::default(),
        ask: crate::methods::local::ask,
        command: crate::commands::run,
        beat: crate::methods::heartbeat::begin,
        job: crate::methods::cron_runs::begin,
        job_place: crate::methods::cron_runs::place,
        announce: crate::methods::subagents::announce,
        send_child: crate::methods::subagents::send,
        method_names: Vec::new(),
    })
}

/// A state with its store thread, and what that tells. Time is moved by setting `now` and `mono`.
pub fn state(shared: Arc<Shared>) -> (State, Receiver<Event>) {
    let (tx, inbox) = bounded(16);
    (of(shared, tx), inbox)
}

/// The same that hears its own parts, too.
pub fn state_that_hears(settings: Arc<Settings>) -> (State, Receiver<Event>) {
    let (tx, inbox) = bounded(16);
    (of(shared_telling(settings, tx.clone()), tx), inbox)
}

fn of(shared: Arc<Shared>, tx: Sender<Event>) -> State {
    let dir = &shared.env.state_dir;
    let (journal, _) = Journal::open(dir, 0).unwrap();
    let store = Store::start(journal, Spool::of(dir), tx).unwrap();
    let sessions = Sessions::load(shared.clone());
    State::new(shared, store, sessions, Requests::of(Vec::new()), bounded(1).0, 1 << 40)
}
