//! What a worker has in its hands that carries messages between the gateway and a platform: the one way of a channel into
//! the house. It brings what the platform says, asks for turns, is given what is to be delivered and says what became of it.
//!
//! Runs on the worker's threads, any number of them; each call waits until what it says is on disk. What may be
//! acknowledged, sent or forgotten follows from the calls alone: a message that was brought may be acknowledged; a delivery
//! that was given out may be sent, once; nothing else may.
#![cfg_attr(not(test), expect(dead_code, reason = "the first channel is its caller"))]
use super::workers::Handle;
use crate::calls::{Call, Caller, Provenance, Reply, Wake};
use crate::deliveries::{Delivery, Inbound, Login, Stage};
use crate::error::{Error, Result};
use crate::methods::local;
use crate::protocol::frame::Scopes;
use crate::runs::origin::{Address, Origin, Surface};
use crate::runs::{Ask, Deliver, Observer, Observers, Wishes};
use crate::sessions::attachments::Attachments;
use crate::state::carrying::{Carry, Open, Told};
use crate::state::event::Event;
use crate::state::shared::Shared;
use crossbeam_channel::{RecvTimeoutError, bounded};
use serde_json::Value;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

pub struct Carrier {
    shared: Arc<Shared>,
    login: Login,
    /// Readable when there is something to hand over.
    pub wake: Arc<Wake>,
}

/// A message that is to be answered by a turn, as its channel understood it.
pub struct Turn<'a> {
    pub surface: &'static Surface,
    pub inbound: &'a Inbound,
    /// Who wrote it: the owner or a guest, and what that gives.
    pub provenance: Provenance,
    pub scopes: Vec<String>,
    pub sender: String,
    /// Canonical key.
    pub session: String,
    /// Where the answer goes.
    pub to: Address,
    pub text: String,
    pub attachments: Attachments,
    pub wishes: Wishes,
    /// Further ones that follow the run, such as a stream for drafts.
    pub observers: Observers,
}

/// What became of a delivery.
pub enum Became {
    /// The platform has it, under this name.
    Confirmed(String),
    /// The platform does not have it and may be asked again: it is given out again.
    NotTaken,
    /// The platform will never take it.
    Refused,
    /// Nobody knows; it is not given out again.
    Uncertain,
}

impl Carrier {
    /// Carries for this worker's account from now on; gives what was left open.
    pub fn begin(handle: &Handle, platform: &str) -> Result<(Carrier, Open)> {
        let login = Login { platform: platform.to_string(), account: handle.part.clone() };
        let wake = Arc::new(Wake::new()?);
        let carrier = Carrier { shared: handle.house.shared.clone(), login, wake };
        let (login, wake) = (carrier.login.clone(), carrier.wake.clone());
        let open = carrier.ask(|told| Carry::Begin { login, wake, told })?;
        Ok((carrier, open))
    }

    /// The platform brought messages, each with its name there; all may be acknowledged then. Gives those that are new.
    pub fn bring(&self, messages: impl IntoIterator<Item = (String, Value)>) -> Result<Vec<Inbound>> {
        let ts = crate::clock::now_ms();
        let of = |(id, message)| {
            let Login { platform, account } = self.login.clone();
            Inbound { platform, account, id, ts, message: Some(message) }
        };
        let messages: Vec<Inbound> = messages.into_iter().map(of).collect();
        if messages.is_empty() {
            return Ok(messages);
        }
        self.ask(|told| Carry::Bring { messages, told })
    }

    /// Asks for the turn that answers a message, and waits until it is accepted. Its words come as deliveries. What is
    /// answered at once instead (`/stop`) is the channel's to say.
    pub fn turn(&self, turn: Turn) -> Result<Value> {
        let Turn { inbound, to, mut observers, .. } = turn;
        let name = inbound.name();
        observers.add(Observer::Readers);
        observers.add(Observer::Deliver(Deliver::new(&self.login.platform, to.clone(), Some(name))));
        let caller = Arc::new(Caller {
            conn: local::next_conn(),
            id: turn.sender.clone(),
            protocol: 4,
            scopes: Scopes::new(turn.scopes),
            client_id: turn.sender,
            mode: "channel".to_string(),
            method: "local",
            provenance: turn.provenance,
            ..Caller::default()
        });
        let (waiting, said) = bounded(1);
        let reply = Call { caller, id: inbound.run(), method: "channel", reply: Reply::Thread(waiting) };
        self.send(Carry::Ask(Box::new(Ask {
            origin: Origin { address: Some(Box::new(to)), ..Origin::client(turn.surface, turn.provenance) },
            id: inbound.run(),
            hash: String::new(),
            session: turn.session,
            message: turn.text,
            attachments: turn.attachments,
            wishes: turn.wishes,
            reply,
            observers,
        })))?;
        local::wait(&self.shared, &said, &|| None)
    }

    /// No turn answers the message: it is not offered again.
    pub fn pass_over(&self, inbound: &Inbound) -> Result<()> {
        let message = inbound.name();
        self.ask(|told| Carry::PassOver { message, told })
    }

    /// Something is to be delivered that no run says.
    pub fn promise(&self, id: &str, to: &str, message: Value) -> Result<()> {
        let Login { platform, account } = self.login.clone();
        let (ts, to) = (crate::clock::now_ms(), to.to_string());
        let message = Some(message);
        let delivery =
            Delivery { id: id.to_string(), platform, account, to, ts, message, ..Delivery::default() };
        self.ask(|told| Carry::Promise { delivery, told })
    }

    /// The next delivery, one at a time for each peer; it is this worker's to hand over, and to say what became of it.
    pub fn next(&self) -> Result<Option<Delivery>> {
        let login = self.login.clone();
        self.ask(|told| Carry::Next { login, told })
    }

    pub fn became(&self, delivery: &Delivery, became: Became) -> Result<()> {
        let (stage, platform_id) = match became {
            Became::Confirmed(id) => (Stage::Confirmed, Some(id)),
            Became::NotTaken => (Stage::Accepted, None),
            Became::Refused => (Stage::Failed, None),
            Became::Uncertain => (Stage::Uncertain, None),
        };
        let id = delivery.id.clone();
        self.ask(|told| Carry::Became { id, stage, platform_id, told })
    }

    /// Waits until there may be something to hand over, for `time` at most; false when the worker is to end.
    pub fn sleep(&self, handle: &Handle, time: Duration) -> Result<bool> {
        let goes_on = handle.sleep_or(time, &[self.wake.as_fd()])?;
        self.wake.clear();
        Ok(goes_on)
    }

    fn ask<T>(&self, carry: impl FnOnce(Told<T>) -> Carry) -> Result<T> {
        let (told, answer) = bounded(1);
        self.send(carry(told))?;
        loop {
            // Looked at before the queue: whoever let go had its chance to answer.
            let is_over = self.shared.published.is_over();
            match answer.recv_timeout(crate::cancel::SLICE) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Timeout) if !is_over => {}
                Err(_) => return Err(Error::unavailable("the gateway is restarting; try again")),
            }
        }
    }

    fn send(&self, carry: Carry) -> Result<()> {
        let gone = |_| Error::unavailable("the gateway is shutting down");
        self.shared.state.send(Event::Carry(Box::new(carry))).map_err(gone)
    }
}

#[cfg(test)]
#[path = "carrier_tests.rs"]
mod tests;
