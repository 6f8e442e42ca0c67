//! Calls from inside the process: an agent's tools ask the gateway by the same methods, checks and scopes as
//! clients on the wire do, so that there is one way to list sessions or to start a turn.
//!
//! Runs on the thread that calls, which waits; never on the state thread. Has no events and no connection.
use crate::calls::outbox::{Drain, Frame, Outbox};
use crate::cancel::{Cancel, SLICE};
use crate::error::{Error, Kind, Result};
use crate::json;
use crate::methods::{self, Run};
use crate::protocol::frame::{Payload, Scopes};
use crate::shared::Shared;
use crate::state::clients::Caller;
use crate::state::event::{Call, Event};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Connection numbers of local callers count down from the top, where no connection gets.
static NEXT: AtomicU64 = AtomicU64::new(u64::MAX);
/// Bytes that answers to one local caller may take.
const MAX: usize = 32 << 20;
/// Most values in it, and the deepest nesting: transcripts of models' making are told here too.
const MAX_VALUES: usize = 200_000;
const MAX_DEPTH: usize = 127;

/// A caller inside the process.
pub struct Local {
    shared: Arc<Shared>,
    caller: Arc<Caller>,
}

impl Local {
    /// `name` stands where a client's id does; `scopes` bound what it may call.
    /// `run` is the turn on whose behalf it calls.
    pub fn new(shared: Arc<Shared>, name: &str, scopes: &[&str], run: Option<&str>) -> Local {
        let caller = Caller {
            conn: NEXT.fetch_sub(1, Ordering::Relaxed),
            id: name.to_string(),
            protocol: 4,
            scopes: Scopes::new(scopes.iter().map(|s| s.to_string()).collect()),
            client_id: name.to_string(),
            mode: "backend".to_string(),
            method: "local",
            run: run.map(str::to_string),
            ..Caller::default()
        };
        Local { shared, caller: Arc::new(caller) }
    }

    /// The first answer to a method call. `Kind::Aborted` when `cancel` came first; other failures are the
    /// method's own.
    pub fn call(&self, method: &str, params: Value, cancel: &Cancel) -> Result<Value> {
        let (method, params) = methods::check(&self.caller, method, || Ok(params))?;
        let handler = match method.run {
            Run::Here(handler) => return to_value(handler(&self.shared, &self.caller, params)?),
            Run::State(handler) | Run::Prepared(_, handler) => handler,
        };
        let drain = Outbox::open(MAX, Arc::default(), MAX, "local")?;
        let (caller, outbox) = (self.caller.clone(), drain.outbox.clone());
        let call = Call { caller, id: "local".to_string(), method: method.name, outbox };
        let gone = |_| Error::unavailable("the gateway is shutting down");
        self.shared.state.send(Event::Local { call, handler, params }).map_err(gone)?;
        wait(&self.shared, &drain, cancel)
    }
}

fn wait(shared: &Shared, drain: &Drain, cancel: &Cancel) -> Result<Value> {
    let slice = Timespec { tv_sec: 0, tv_nsec: SLICE.as_nanos() as _ };
    loop {
        // Looked at before the queue: whoever let go had its chance to answer.
        let is_abandoned = Arc::strong_count(&drain.outbox) == 1 || shared.published.is_over();
        match drain.pop().0 {
            Some(Frame::Answer(text)) => return read(&text),
            Some(Frame::Work { work, .. }) => return to_value(work()?),
            Some(Frame::Close(_)) => return Err(Error::unavailable("the answer is too large to take in")),
            Some(Frame::Event { .. } | Frame::Hello(_) | Frame::Moved) => continue,
            None if is_abandoned => return Err(Error::unavailable("the gateway is restarting; try again")),
            None => {}
        }
        if cancel.reason().is_some() {
            return Err(cancel.error());
        }
        match poll(&mut [PollFd::new(drain, PollFlags::IN)], Some(&slice)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => drain.clear_wake(),
            Err(e) => return Err(Error::io("wait for the gateway's answer", e.into())),
        }
    }
}

/// The payload of an answer frame, or its error.
fn read(frame: &str) -> Result<Value> {
    let broken = |e: json::Unread| Error::unavailable(format!("read the gateway's own answer: {e}"));
    let mut frame = json::read(frame, MAX_VALUES, MAX_DEPTH).map_err(broken)?;
    if frame.get("ok") == Some(&Value::Bool(true)) {
        return Ok(frame.get_mut("payload").map(Value::take).unwrap_or_default());
    }
    let error = frame.get("error").unwrap_or(&Value::Null);
    let text = error.get("message").and_then(Value::as_str).unwrap_or("the gateway refused");
    let kind = if error.get("code").and_then(Value::as_str) == Some("UNAVAILABLE") {
        Kind::Unavailable
    } else {
        Kind::Invalid
    };
    let error_out = Error::new(kind, text);
    Err(match error.get("retryAfterMs").and_then(Value::as_u64) {
        Some(ms) => error_out.retry_in(Duration::from_millis(ms)),
        None => error_out,
    })
}

/// A payload as a value; texts are parsed.
pub fn to_value(payload: Payload) -> Result<Value> {
    match payload {
        Payload::Value(value) => Ok(value),
        Payload::Text(text) => json::read(&text[..], MAX_VALUES, MAX_DEPTH)
            .map_err(|e| Error::unavailable(format!("read the gateway's own answer: {e}"))),
    }
}
