//! One request as its handler sees it, and the way to the gateway's state. Runs on the connection's own thread.
use crate::calls::Caller;
use crate::calls::budget::Work;
use crate::door::head::Head;
use crate::error::{Error, Kind, Result};
use crate::http::responder::Responder;
use crate::http::turn::Turn;
use crate::json;
use crate::methods::local::{self, Waits};
use crate::protocol::frame::{Payload, weight};
use crate::state::event::Handler;
use crate::state::shared::Shared;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Deepest nesting of a body: less than a client's frames have, for no row of the port needs more.
const MAX_DEPTH: usize = 64;

pub struct Exchange<'a> {
    pub head: &'a Head,
    /// The path as it was matched, decoded.
    pub path: &'a str,
    /// Who asks, where the secret was shown.
    pub caller: Option<Arc<Caller>>,
    pub body: Vec<u8>,
    /// Until when an answer of the gateway's state is waited for.
    pub until: Instant,
    pub shared: &'a Arc<Shared>,
    pub out: Responder<'a>,
    pub(in crate::http) turn: &'a Turn<'a>,
    /// What it costs, until it is answered.
    pub(in crate::http) work: Work,
}

impl Exchange<'_> {
    /// The body as JSON; an empty one is an empty object.
    pub fn json(&mut self) -> Result<Value> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Object(Default::default()));
        }
        let text = std::str::from_utf8(&self.body).unwrap_or_default();
        // What would never fit is no matter of the moment.
        if json::is_crowded(text) {
            let more = json::Unread::TooMany(json::REQUEST_VALUES);
            return Err(Error::invalid(format!("the body cannot be read: {more}")));
        }
        let (weight, most) = (weight(text), self.shared.limits.total_buffered as usize / 2);
        if self.body.len() + weight > most {
            let what = format!("the body has {} bytes, more than can be read at a time", self.body.len());
            return Err(Error::invalid(format!(
                "{what}: send less, or raise gateway.limits.totalBufferedBytes"
            )));
        }
        if !self.work.grow(weight, most) {
            return Err(Error::unavailable("the gateway works on too much at the moment")
                .retry_in(Duration::from_secs(1)));
        }
        json::read(&self.body, json::REQUEST_VALUES, MAX_DEPTH)
            .map_err(|e| Error::invalid(format!("the body cannot be read: {e}")))
    }

    /// Calls a method as who asks, and waits for its first answer: until the request's time is over, or the client
    /// goes. What was begun by then is not undone. `take` makes of the answer what is wanted; if it came out of files, while
    /// others wait for their turn.
    pub fn call<T>(&self, method: &str, params: Value, take: fn(Payload) -> Result<T>) -> Result<T> {
        let stopped = || self.stopped();
        Waits { shared: self.shared, caller: self.known()?, stopped: &stopped }.call(method, params, take)
    }

    /// Has the state thread do what is no method, in the same way.
    pub fn ask(&self, what: &'static str, handler: Handler, params: Value) -> Result<Value> {
        let stopped = || self.stopped();
        let waits = Waits { shared: self.shared, caller: self.known()?, stopped: &stopped };
        waits.ask(what, handler, params, local::to_value)
    }

    fn known(&self) -> Result<Arc<Caller>> {
        self.caller.clone().ok_or_else(|| Error::new(Kind::Unauthorized, "Unauthorized"))
    }

    /// Why nobody waits any more.
    fn stopped(&self) -> Option<Error> {
        let late = || Error::new(Kind::AgentTimeout, "no answer in time; it may still come about");
        self.turn.why_gone().or_else(|| (Instant::now() >= self.until).then(late))
    }
}
