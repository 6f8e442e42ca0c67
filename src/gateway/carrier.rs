//! An account's hold on the house: the way of a channel to the state thread, as `channels::house` describes it.
//!
//! Runs on the account's threads, any number of them; each call waits until what it says is on disk.
use super::workers::Handle;
use crate::calls::{Call, Caller, Provenance, Reply, Wake};
use crate::cancel::{Cancel, Reason};
use crate::channels::board::Board;
use crate::channels::house::{Accepted, Became, House, Open, Receipt, Turn};
use crate::channels::outgoing::Outgoing;
use crate::deliveries::{Delivery, Inbound, Login, Stage, Step};
use crate::error::{Error, Result};
use crate::methods::local::{self, Waits};
use crate::protocol::frame::Scopes;
use crate::runs::origin::{Address, CHANNEL, Origin};
use crate::runs::{Ask, Deliver, Observer, Observers, Wishes};
use crate::settings::Settings;
use crate::state::carrying::{Carry, Told};
use crate::state::event::Event;
use crate::state::sessions::roster;
use crossbeam_channel::{RecvTimeoutError, bounded};
use serde_json::{Map, Value};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

pub struct Carrier {
    handle: Handle,
    login: Login,
    /// Readable when there is something to hand over.
    wake: Arc<Wake>,
    /// Readable from the moment at which the account ends by itself.
    ending: Wake,
}

impl Carrier {
    pub fn new(handle: Handle, login: Login) -> Result<Carrier> {
        Ok(Carrier { handle, login, wake: Arc::new(Wake::new()?), ending: Wake::new()? })
    }

    fn tell<T>(&self, carry: impl FnOnce(Told<T>) -> Carry) -> Result<T> {
        let (told, answer) = bounded(1);
        self.send(carry(told))?;
        loop {
            // Looked at before the queue: whoever let go had its chance to answer.
            let is_over = self.handle.house.shared.published.is_over();
            match answer.recv_timeout(crate::cancel::SLICE) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Timeout) if !is_over => {}
                Err(_) => return Err(Error::unavailable("the gateway is restarting; try again")),
            }
        }
    }

    fn send(&self, carry: Carry) -> Result<()> {
        let gone = |_| Error::unavailable("the gateway is shutting down");
        self.handle.house.shared.state.send(Event::Carry(Box::new(carry))).map_err(gone)
    }

    /// The same account as a caller of turns: one of a kind for each sender, who shares the queue with others.
    fn caller(&self, turn: &Turn) -> Arc<Caller> {
        Arc::new(Caller {
            scopes: Scopes::new(scopes(turn.provenance, turn.main.is_some())),
            mode: "channel".to_string(),
            ..local::inside(&turn.sender, turn.provenance)
        })
    }

    fn observers(&self, turn: &mut Turn, to: &Address) -> Observers {
        let mut observers = Observers::default();
        observers.add(Observer::Readers);
        let answers = turn.also.iter().chain([turn.inbound]).map(Inbound::name).collect();
        // What an earlier life said of its answer may be cut elsewhere: the second one is whole.
        let blocks = turn.blocks.filter(|_| !turn.is_again);
        let deliver = Deliver::new(&self.login.platform, to.clone(), answers);
        observers.add(Observer::Deliver(Box::new(deliver.in_blocks(blocks))));
        if let Some(stream) = turn.stream.take() {
            observers.add(Observer::Stream(stream));
        }
        observers
    }
}

/// What the owner may on a channel, and what a guest: he changes no session but one that is his alone.
fn scopes(provenance: Provenance, is_alone: bool) -> Vec<String> {
    let all = ["operator.read", "operator.write", "operator.admin"];
    let most = match provenance {
        Provenance::Owner => 3,
        _ => 1 + usize::from(is_alone),
    };
    all.iter().take(most).map(|scope| scope.to_string()).collect()
}

impl House for Carrier {
    fn login(&self) -> &Login {
        &self.login
    }

    fn settings(&self) -> &Settings {
        &self.handle.house.shared.settings
    }

    fn board(&self) -> &Board {
        &self.handle.house.shared.board
    }

    fn cancel(&self) -> &Cancel {
        &self.handle.cancel
    }

    fn bells(&self) -> Result<Vec<OwnedFd>> {
        let all =
            [self.handle.stop.as_fd(), self.ending.as_fd()].into_iter().map(|fd| fd.try_clone_to_owned());
        all.collect::<std::io::Result<_>>().map_err(|e| Error::io("wait for the end of an account", e))
    }

    fn end(&self) {
        self.handle.cancel.cancel(Reason::Shutdown);
        self.ending.ring();
    }

    fn sleep(&self, time: Duration) -> Result<bool> {
        self.handle.sleep_or(time, &[self.ending.as_fd()])
    }

    fn await_deliveries(&self, time: Duration) -> Result<bool> {
        let goes_on = self.handle.sleep_or(time, &[self.ending.as_fd(), self.wake.as_fd()])?;
        self.wake.clear();
        Ok(goes_on)
    }

    fn begin(&self) -> Result<Open> {
        let (login, wake) = (self.login.clone(), self.wake.clone());
        self.tell(|told| Carry::Begin { login, wake, told })
    }

    fn bring(&self, messages: Vec<(String, Value)>) -> Result<Vec<Inbound>> {
        let ts = crate::clock::now_ms();
        let of = |(id, message)| {
            let Login { platform, account } = self.login.clone();
            Inbound { platform, account, id, ts, message: Some(message) }
        };
        let messages: Vec<Inbound> = messages.into_iter().map(of).collect();
        if messages.is_empty() {
            return Ok(messages);
        }
        self.tell(|told| Carry::Bring { messages, told })
    }

    fn turn(&self, mut turn: Turn) -> Result<Accepted> {
        // Its agent may have had an index that could not be read, which somebody has mended.
        roster::regain(&self.handle.house.shared);
        let Login { platform: channel, account } = self.login.clone();
        let place = std::mem::take(&mut turn.to);
        let to =
            Address { channel, account, peer: place.peer, thread: place.thread, reply_to: place.reply_to };
        let (caller, observers) = (self.caller(&turn), self.observers(&mut turn, &to));
        let (waiting, said) = bounded(1);
        let (asks, reply) = (caller.clone(), Reply::Thread(waiting));
        let reply = Call { caller, id: turn.inbound.run(), method: "channel", reply };
        let wishes = Wishes {
            extra_system: turn.extra_system,
            is_again: turn.is_again,
            ages_by: Some(self.login.platform.clone()),
            envelope: turn.envelope,
            entry: turn.entry,
            main: turn.main,
            ..Wishes::default()
        };
        self.send(Carry::Ask(Box::new(Ask {
            origin: Origin { address: Some(Box::new(to)), ..Origin::client(&CHANNEL, turn.provenance) },
            id: turn.inbound.run(),
            hash: String::new(),
            session: turn.session,
            message: turn.text,
            attachments: turn.attachments,
            wishes,
            reply,
            observers,
        })))?;
        let waits = Waits { shared: &self.handle.house.shared, caller: asks, stopped: &|| None };
        let answer = waits.hear(&said, local::to_value)?;
        Ok(match answer.get("status").and_then(Value::as_str) {
            Some("started" | "in_flight") => Accepted::Run,
            _ => Accepted::Now(answer),
        })
    }

    fn pass_over(&self, inbound: &Inbound) -> Result<()> {
        let message = inbound.name();
        self.tell(|told| Carry::PassOver { message, told })
    }

    fn promise(&self, id: &str, to: &str, message: Value) -> Result<()> {
        let Login { platform, account } = self.login.clone();
        let (id, to, ts) = (id.to_string(), to.to_string(), crate::clock::now_ms());
        let delivery =
            Delivery { id, platform, account, to, ts, message: Some(message), ..Delivery::default() };
        let delivery = Box::new(delivery);
        self.tell(|told| Carry::Promise { delivery, told })
    }

    fn next(&self, held: &[String]) -> Result<Option<Delivery>> {
        let (login, held) = (self.login.clone(), held.to_vec());
        self.tell(|told| Carry::Next { login, held, told })
    }

    fn became(&self, delivery: &Delivery, became: Became) -> Result<()> {
        let at = |stage| Step { stage, ..Step::default() };
        let step = Box::new(match became {
            Became::Confirmed(Receipt { id, moved_to, lacks }) => {
                Step { platform_id: Some(id), moved_to, error: lacks, ..at(Stage::Confirmed) }
            }
            Became::Partly(rest) => Step { rest: Some(rest), ..at(Stage::Accepted) },
            Became::NotTaken => at(Stage::Accepted),
            Became::Refused(why) => Step { error: Some(why), ..at(Stage::Failed) },
            Became::NotNow(why) => Step { error: Some(why), ..at(Stage::Accepted) },
            Became::Left => return Ok(()),
            Became::Uncertain(why) => {
                let told = |message| Outgoing::of(message).with(&[("isTold", true.into())]);
                let rest = delivery.message.as_ref().map(told);
                Step { rest, error: Some(why), ..at(Stage::Uncertain) }
            }
        });
        let id = delivery.id.clone();
        self.tell(|told| Carry::Became { id, step, told })
    }

    fn session(&self, key: &str) -> Result<Option<Map<String, Value>>> {
        roster::regain(&self.handle.house.shared); // As in `turn`.
        let key = key.to_string();
        self.tell(|told| Carry::Entry { key, told })
    }

    fn reword(&self, run: &str, words: String) -> Result<bool> {
        let run = run.to_string();
        self.tell(|told| Carry::Reword { run, words, told })
    }

    fn move_group(&self, old: &str, new: &str) -> Result<()> {
        let of = |id: &str| format!(":{}:group:{id}", self.login.platform);
        let (old, new) = (of(old), of(new));
        self.tell(|told| Carry::MoveGroup { old, new, told })
    }

    fn note(&self, key: &str, text: String) -> Result<()> {
        self.send(Carry::Note { key: key.to_string(), text })
    }
}

#[cfg(test)]
#[path = "carrier_tests.rs"]
mod tests;
