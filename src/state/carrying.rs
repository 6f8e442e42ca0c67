//! Messages of platforms, on their way in and out, as the state thread knows them: it decides, the store thread writes, and
//! who asked is told when that is on disk. The threads that carry them (`gateway/carrier.rs`) ask by [`Carry`].
//!
//! A delivery is given out after the line that says so is on disk; then it is the carrier's until he says what became of
//! it. What is known of the platform (it has it, it refused it) holds whatever the disk says, and is written again.
mod bringing;
mod orphans;
mod post;
mod writing;
use super::State;
use crate::calls::Wake;
use crate::channels::house::Open;
use crate::deliveries::{Delivery, Inbound, Line, Login, Name, Stage, Step, Taken};
use crate::error::Result;
use crate::metrics::{self, Metric};
use crate::runs::{Ask, Taken as Asked};
use crate::sessions::Transcript;
use crossbeam_channel::Sender;
pub use post::Post;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Waits with room for one.
pub type Told<T> = Sender<Result<T>>;

/// What the state does when lines are on disk, or are not.
pub type Then = Box<dyn FnOnce(&mut State, Result<()>) + Send>;

/// What a carrier asks. It is answered when what it says is on disk.
pub enum Carry {
    /// He carries for this login from now on, and is woken when there is something to hand over.
    Begin {
        login: Login,
        wake: Arc<Wake>,
        told: Told<Open>,
    },
    /// Something else is asked of whoever carries for the login: he is to look.
    Wake(Login),
    /// The platform brought these; those are given back that are new.
    Bring {
        messages: Vec<Inbound>,
        told: Told<Vec<Inbound>>,
    },
    /// A turn that answers a message.
    Ask(Box<Ask>),
    /// No turn answers the message.
    PassOver {
        message: Name,
        told: Told<()>,
    },
    /// To be delivered, once.
    Promise {
        delivery: Box<Delivery>,
        told: Told<()>,
    },
    /// The next one to hand over, to none of the peers in `held`.
    Next {
        login: Login,
        held: Vec<String>,
        told: Told<Option<Delivery>>,
    },
    Became {
        id: String,
        step: Box<Step>,
        told: Told<()>,
    },
    /// The entry of a session.
    Entry {
        key: String,
        told: Told<Option<Map<String, Value>>>,
    },
    /// The transcript of a session.
    Transcript {
        key: String,
        told: Told<Option<Transcript>>,
    },
    /// Other words for the message of a run, unless its turn has begun.
    Reword {
        run: String,
        words: String,
        told: Told<bool>,
    },
    /// The sessions whose keys end so end otherwise from now on.
    MoveGroup {
        old: String,
        new: String,
        told: Told<()>,
    },
    /// A line for the session's next turn.
    Note {
        key: String,
        text: String,
    },
}

impl State {
    pub(super) fn carry(&mut self, carry: Carry) {
        match carry {
            Carry::Begin { login, wake, told } => self.begin_carrying(login, wake, &told),
            Carry::Wake(login) => self.post.wake(&login),
            Carry::Bring { messages, told } => self.bring(messages, told),
            Carry::Ask(ask) => self.ask_for(*ask),
            Carry::PassOver { message, told } => {
                let line = self.post.ledger.handled(&message);
                self.hold(line.into_iter().collect(), move |_, result| say(&told, result));
            }
            Carry::Promise { delivery, told } => self.promise(*delivery, told),
            Carry::Next { login, held, told } => self.give_out(&login, &held, told),
            Carry::Became { id, step, told } => self.became(&id, *step, told),
            Carry::Entry { key, told } => {
                let entry = self.sessions.get(&key).map(|entry| entry.as_map().clone());
                say(&told, Ok(entry));
            }
            Carry::Transcript { key, told } => {
                let found = self.sessions.get(&key).map(|entry| self.sessions.transcript(&key, &entry));
                say(&told, found.transpose());
            }
            Carry::Reword { run, words, told } => say(&told, Ok(self.runs.reword(&run, &words))),
            Carry::MoveGroup { old, new, told } => say(&told, self.move_group(&old, &new)),
            Carry::Note { key, text } => {
                let (key, text) = self.heard_at(key, text);
                self.add_note(Some(key), text);
            }
        }
    }

    fn became(&mut self, id: &str, step: Step, told: Told<()>) {
        let stage = step.stage;
        if let (Stage::Accepted, Some(why)) = (stage, &step.error) {
            return self.not_now(id, why, told);
        }
        let mirrored = if stage == Stage::Confirmed { self.mirrored(id) } else { None };
        let line = self.post.ledger.go(&Delivery::named(id), step);
        match (&line, stage) {
            (Some(_), Stage::Confirmed) => metrics::count(Metric::DeliveriesConfirmed),
            (Some(_), Stage::Failed) => metrics::count(Metric::DeliveriesFailed),
            _ => {}
        }
        if let Some(mirrored) = mirrored.filter(|_| line.is_some()) {
            self.mirror(mirrored);
        }
        let id = id.to_string();
        self.hold(line.into_iter().collect(), move |state, result| {
            state.answer_delivery(&id);
            state.post.wake_for_next(&id);
            say(&told, result);
        });
    }

    /// Nothing of this delivery's account can go out now: whoever waits for one of its deliveries is told and keeps nothing
    /// here; the others stay.
    fn not_now(&mut self, id: &str, why: &str, told: Told<()>) {
        let back = self.post.ledger.advance(&Delivery::named(id), Stage::Accepted);
        let login = match self.post.ledger.line(&Delivery::named(id)) {
            Some(Line::Delivery(delivery)) => delivery.login(),
            _ => return say(&told, Ok(())),
        };
        let open = self.post.ledger.deliveries(Stage::Accepted).into_iter().filter(|d| d.is_of(&login));
        let is_awaited = |d: &&Delivery| self.post.waiters.is_asked(&d.id, &|_| true);
        let awaited: Vec<String> = open.filter(is_awaited).map(|d| d.id.clone()).collect();
        let step = || Step { stage: Stage::Failed, error: Some(why.to_string()), ..Step::default() };
        let failed: Vec<Line> =
            awaited.iter().filter_map(|id| self.post.ledger.go(&Delivery::named(id), step())).collect();
        failed.iter().for_each(|_| metrics::count(Metric::DeliveriesFailed));
        self.hold(back.into_iter().chain(failed).collect(), move |state, result| {
            awaited.iter().for_each(|id| state.answer_delivery(id));
            say(&told, result);
        });
    }

    /// What an earlier carrier of the login had in his hands is uncertain: only he knew what became of it.
    fn begin_carrying(&mut self, login: Login, wake: Arc<Wake>, told: &Told<Open>) {
        self.abandon(&login);
        let ledger = &self.post.ledger;
        let inbound = ledger.unhandled().into_iter().filter(|message| message.is_of(&login));
        let uncertain = ledger.deliveries(Stage::Uncertain).into_iter().filter(|d| d.is_of(&login));
        let open = Open { inbound: inbound.cloned().collect(), uncertain: uncertain.cloned().collect() };
        self.post.wakes.insert(login, wake);
        say(told, Ok(open));
    }

    fn ask_for(&mut self, ask: Ask) {
        let reply = ask.reply.clone();
        match self.ask(ask) {
            Ok(Asked::Later) => {}
            Ok(Asked::Now(payload)) => reply.answer(Ok(payload)),
            Err(e) => reply.answer(Err(e)),
        }
    }

    /// Somebody other than a run has something to say on a platform.
    pub fn promise(&mut self, delivery: Delivery, told: Told<()>) {
        let (login, line) = (delivery.login(), Line::Delivery(delivery));
        let name = line.name();
        let line = match self.post.ledger.take(line).and_then(Taken::fresh) {
            Ok(line) => line,
            Err(e) => return say(&told, Err(e)),
        };
        self.write(
            line.into_iter().collect(),
            Box::new(move |state, result| {
                state.post.ledger.written(&name, result.is_ok());
                state.post.wake(&login);
                say(&told, result);
            }),
        );
    }

    fn give_out(&mut self, login: &Login, held: &[String], told: Told<Option<Delivery>>) {
        let next = if self.is_stopping() { None } else { self.post.ledger.next(login, held) };
        let Some(delivery) = next else { return say(&told, Ok(None)) };
        let line = self.post.ledger.advance(&Delivery::named(&delivery.id), Stage::Handed);
        self.write(
            line.into_iter().collect(),
            Box::new(move |state, result| {
                let is_refused = result.is_err();
                let is_lost = told.try_send(result.map(|()| Some(delivery.clone()))).is_err();
                if is_refused || is_lost {
                    // It did not leave this machine.
                    let line = state.post.ledger.advance(&Delivery::named(&delivery.id), Stage::Accepted);
                    state.write_for_good(line.into_iter().collect());
                }
            }),
        );
    }
}

/// Who does not wait any more asks again.
fn say<T>(told: &Told<T>, result: Result<T>) {
    drop(told.try_send(result));
}
