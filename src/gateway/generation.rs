//! One generation of the gateway: the only file that knows its threads. Start order, stop order.
//!
//! Built on the main thread from what is on disk; ends when its state thread ends. What it leaves behind is the
//! connections that say goodbye, each for a second or two, and what `Process` keeps.
use super::judge::Verdict;
use super::supervisor::Supervisor;
use super::workers::{House, WORKERS};
use super::{Process, recover, watched};
use crate::clock;
use crate::commands;
use crate::deliveries::{Journal, Spool};
use crate::device::pairing::Pairing;
use crate::error::{Error, Kind, Result};
use crate::methods;
use crate::net::origin;
use crate::protocol::limits::Limits;
use crate::runs::Requests;
use crate::settings::Settings;
use crate::state::carrying::Post;
use crate::state::cron::Cron;
use crate::state::event::Event;
use crate::state::sentinel;
use crate::state::sessions::Sessions;
use crate::state::shared::{Published, Shared};
use crate::state::store::Store;
use crate::state::subagents::Subagents;
use crate::state::{self, Note, State, heartbeat};
use crate::threads;
use crate::tls;
use crossbeam_channel::{Receiver, Select, Sender, TryRecvError, bounded};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

/// Events on their way to the state thread; senders wait when it is full.
const INBOX: usize = 256;
const STATE_STACK: usize = 1 << 20;
/// How long the threads of a generation take to begin, generously.
const SETTLING: Duration = Duration::from_millis(150);
/// By then accounts of channels have signed in.
const SIGNED_IN: Duration = Duration::from_secs(4);

pub struct Generation {
    shared: Arc<Shared>,
    workers: Supervisor,
    /// Another configuration is in force.
    changed: Receiver<()>,
    done: Receiver<std::result::Result<Ending, String>>,
    judge: Receiver<()>,
    /// When all threads have begun, and code that only a start needs can be let go of; `None` once it was.
    settled_at: Option<Instant>,
    has_settled: bool,
}

/// How a generation ended.
pub struct Ending {
    pub is_restart: bool,
    pub left: Left,
}

/// What the next generation goes on with.
#[derive(Default)]
pub struct Left {
    /// What sessions have not been told yet.
    notes: Vec<Note>,
    beats: heartbeat::Kept,
    /// Whether this process had a generation before.
    is_later: bool,
}

impl Generation {
    pub fn start(process: &Process, verdict: Verdict, left: Left, started: Instant) -> Result<Generation> {
        let (state_tx, inbox) = bounded(INBOX);
        let shared = share(process, verdict, started, state_tx.clone())?;
        let (changed_tx, changed) = bounded(1);
        let dotenv = watched::digest_of(&shared.env.state_dir.join(".env"));
        let workers = Supervisor::start(
            WORKERS,
            House {
                started: (shared.config(), dotenv),
                shared: shared.clone(),
                judge: process.judge.clone(),
                changed: changed_tx,
            },
        );
        let (judge_tx, judge) = bounded(1);
        crate::clock::read_zone();
        let mut state = build(&shared, state_tx, judge_tx)?;
        state.system_events = left.notes;
        state.take_over_beats(left.beats);
        *state.config_invalid = shared.config().problem_at_start();
        sentinel::tell(&mut state);
        recover::tell_left(&mut state, left.is_later);
        let (asked, (done_tx, done)) = (process.asked.clone(), bounded(1));
        let died = done_tx.clone();
        let work = move || {
            let is_restart = state::run::run(&mut state, &asked, &inbox);
            // Whoever still wants to tell something must not wait for an answer: what was sent until now is let go here,
            // what is sent later its senders let go.
            state.shared.published.set_over();
            inbox.try_iter().for_each(drop);
            drop((inbox, asked));
            let left = Left {
                notes: std::mem::take(&mut state.system_events),
                beats: state.leave_beats(),
                is_later: true,
            };
            state.finish(is_restart);
            // The main thread waits for this as long as the process lives.
            let _ = done_tx.send(Ok(Ending { is_restart, left }));
        };
        threads::spawn("gw-state", STATE_STACK, work, move |what| {
            // As above.
            let _ = died.send(Err(what));
        })?;
        process.succession.serve(shared.clone());
        let settled_at = Some(Instant::now() + SETTLING);
        Ok(Generation { shared, workers, changed, done, judge, settled_at, has_settled: false })
    }

    /// Waits until the state thread wants the configuration judged (`None`) or has ended; meanwhile sees to the workers.
    pub fn next(&mut self) -> Option<Result<Ending>> {
        let failed = |what: &str| {
            Error::new(Kind::Unavailable, format!("the state thread failed: {what}; see the log"))
        };
        loop {
            self.wait();
            if self.changed.try_recv().is_ok() {
                let done = self.workers.compare();
                done.iter().for_each(|what| log::info!(target: "gateway/workers", "{what}"));
            }
            while let Ok((number, result)) = self.workers.ended.try_recv() {
                self.workers.has_ended(number, result);
            }
            match self.judge.try_recv() {
                Ok(()) => return None,
                Err(TryRecvError::Empty) if self.done.is_empty() => {}
                // Without a sender the state thread is about to end.
                Err(_) => {
                    let ending = self.done.recv().map_err(|_| failed("it ended without a word"));
                    return Some(ending.and_then(|ending| ending.map_err(|what| failed(&what))));
                }
            }
        }
    }

    /// Until there is something to do.
    fn wait(&mut self) {
        let due = [self.workers.turn(), self.settled_at].into_iter().flatten().min();
        let mut select = Select::new();
        select.recv(&self.done);
        select.recv(&self.judge);
        select.recv(&self.changed);
        select.recv(&self.workers.ended);
        match due {
            // The time being up is a reason to look, like any other.
            Some(due) => drop(select.ready_deadline(due)),
            None => drop(select.ready()),
        }
        if self.settled_at.is_some_and(|at| at <= Instant::now()) {
            let again = !std::mem::replace(&mut self.has_settled, true);
            self.settled_at = again.then(|| Instant::now() + SIGNED_IN);
            crate::sys::release_code();
        }
    }

    pub fn judged(&self, verdict: Result<()>) {
        // A state thread that is gone needs no verdict.
        let _ = self.shared.state.send(Event::Judged(verdict));
    }

    /// After the state thread: ends what is left of it. Workers that asked it something were let go by it.
    pub fn end(self) {
        self.workers.stop();
    }
}

/// What all threads of a generation share.
fn share(process: &Process, verdict: Verdict, started: Instant, state: Sender<Event>) -> Result<Arc<Shared>> {
    let Verdict { config, env, auth, .. } = verdict;
    let tls = tls::Place::of(&config, &env).map(tls::Port::open).transpose()?;
    crate::agents::profiles::look(&config, &env);
    Ok(Arc::new(Shared {
        settings: Arc::new(Settings {
            limits: Limits::of(|key| config.u64(key)),
            auth: RwLock::new(auth),
            started,
            own_names: origin::own_names(),
            refusal: {
                let judge = process.judge.clone();
                Box::new(move |config, env| {
                    let judged = judge.judge(config.clone(), env.clone());
                    judged.and_then(|verdict| judge.admit(&verdict)).err()
                })
            },
            env,
            config: RwLock::new(config),
        }),
        door: process.door.clone(),
        budget: process.budget.clone(),
        succession: process.succession.clone(),
        state,
        problem: {
            let judge = process.judge.clone();
            Box::new(move || judge.problem())
        },
        objections: {
            let judge = process.judge.clone();
            Box::new(move |config, env| judge.objections(config, env))
        },
        published: Published::default(),
        tls,
        board: Default::default(),
        codes: Default::default(),
        capabilities: Default::default(),
        remembered: Default::default(),
        ask: methods::local::ask,
        command: commands::run,
        beat: methods::heartbeat::begin,
        job: methods::cron_runs::begin,
        job_place: methods::cron_runs::place,
        announce: methods::subagents::announce,
        send_child: methods::subagents::send,
        method_names: methods::names(),
    }))
}

/// The state as it is on disk, and its store thread.
fn build(shared: &Arc<Shared>, state_tx: Sender<Event>, judge: Sender<()>) -> Result<State> {
    let (now, dir) = (clock::now_ms(), &shared.env.state_dir);
    let (mut journal, found) = Journal::open(dir, now)?;
    let mut sessions = Sessions::load(shared.clone());
    let spool = Spool::of(dir);
    let subagents = Subagents::load(&shared.settings, &found.runs, now);
    let inbound = found.inbound.iter().filter(|message| message.message.is_some()).map(|m| m.run());
    let again = inbound.chain(subagents.announcements()).collect();
    let records = recover::settle(found.runs, &again, &mut sessions, &mut journal, &spool);
    let ledger = recover::resume(found.inbound, found.deliveries, &mut journal);
    spool.sweep(records.iter().filter(|r| r.result.is_none()).map(|r| (r.family.as_str(), r.key.as_str())));
    let store = Store::start(journal, spool, state_tx)?;
    let requests = Requests::of(records);
    let mut state = State::new(shared.clone(), store, sessions, requests, judge, now);
    state.post = Post::of(ledger);
    state.cron = Cron::load(&shared.settings, now);
    crate::heartbeat::tell_wrong(&shared.config(), &shared.env);
    state.subagents = subagents;
    state.recall_today();
    for request in Pairing::new(dir).list(now).map(|l| l.pending).unwrap_or_default() {
        if let Some(id) = request.get("requestId").and_then(|id| id.as_str()) {
            state.pairing.insert(id.to_string(), now);
        }
    }
    if !state.pairing.is_empty() {
        let (count, list) = (state.pairing.len(), shared.env.command("devices list"));
        log::info!(target: "gateway", "{count} pairing request(s) wait: {list}");
    }
    Ok(state)
}

impl State {
    /// The last act: everything that changed goes to disk. A next generation must find the files at rest.
    fn finish(mut self, is_restart: bool) {
        self.sessions.finish(&self.store);
        self.finish_today();
        self.store.finish(is_restart);
    }
}
