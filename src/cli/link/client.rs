//! The one WebSocket client of the command line: blocking, one deadline over everything.
//!
//! Connecting, the handshakes and every read and write share the deadline, so `--timeout` bounds the wall time
//! (R-11c). It speaks frames; the bytes below are `socket.rs`'s, what goes into `connect` is `connect.rs`'s, what
//! is called is the commands'.
use crate::config::address;
use crate::error::{Cause, Error, Kind, Result};
use crate::json::{self, json};
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::time::Duration;

pub use super::socket::Deadline;
use super::socket::{Socket, is_timeout};
use super::target::Target;
use super::websocket::{Lost, WebSocket};
use crate::protocol::wire::Incoming;

/// Largest answer that is taken, as existing clients do.
const MAX_MESSAGE: usize = 25 * 1024 * 1024;
/// Most values in a frame: an index of some 20,000 sessions; they cost up to 300 MB.
const MAX_VALUES: usize = 2_000_000;

/// An open connection to a gateway, before or after `connect`.
pub struct Client {
    socket: WebSocket,
    deadline: Deadline,
    next_id: u64,
    /// The gateway has said goodbye behind the frames that `arrived` gave last.
    ended: Option<Error>,
}

impl Client {
    /// Opens the socket and upgrades it.
    pub fn open(target: &Target, deadline: Deadline) -> Result<Client> {
        let stream = Socket::open(target, deadline)?;
        let (authority, path) = address::place(target.url.whole());
        let socket = WebSocket::open(stream, authority, &path, MAX_MESSAGE)
            .map_err(|failure| not_upgraded(deadline, &failure))?;
        Ok(Client { socket, deadline, next_id: 1, ended: None })
    }

    /// The socket's two ends, unless a certificate says who is there.
    pub fn plain_ends(&mut self) -> Option<(SocketAddr, SocketAddr)> {
        self.socket.socket().plain_ends()
    }

    /// Sets what the following waits are bounded by.
    pub fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
        self.socket.socket().set_deadline(deadline);
    }

    /// Writes a request and returns its id.
    pub fn send(&mut self, method: &str, params: &Value) -> Result<String> {
        let id = self.next_id.to_string();
        self.next_id += 1;
        let frame = json!({"type": "req", "id": id, "method": method, "params": params}).to_string();
        self.socket.send(&frame).map_err(|e| self.lost(e.into()))?;
        Ok(id)
    }

    /// The next frame the gateway sends.
    pub fn next(&mut self) -> Result<Value> {
        loop {
            match self.socket.next() {
                Ok(Incoming::Text(text)) => return frame(&text),
                Ok(Incoming::Close(code, reason)) => return Err(closed(code, &reason)),
                Ok(Incoming::Ping(_) | Incoming::Pong) => {}
                Err(e) => return Err(self.lost(e)),
            }
        }
    }

    /// For `poll`: whether `arrived` has something.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The frames that have come, without waiting for more.
    pub fn arrived(&mut self) -> Result<Vec<Value>> {
        if let Some(error) = self.ended.take() {
            return Err(error);
        }
        let items = self.socket.arrived().map_err(|e| self.lost(e))?;
        let mut frames = Vec::new();
        for item in items {
            match item {
                Incoming::Text(text) => frames.push(frame(&text)?),
                Incoming::Close(code, reason) if frames.is_empty() => return Err(closed(code, &reason)),
                Incoming::Close(code, reason) => self.ended = Some(closed(code, &reason)),
                Incoming::Ping(_) | Incoming::Pong => {}
            }
        }
        Ok(frames)
    }

    /// Waits for the response to `id`, giving every event on the way to `on_event`; with `to_the_end` a first
    /// response that only says `accepted` is given to it as `accepted` and the final one is waited for.
    pub fn answer(
        &mut self,
        id: &str,
        to_the_end: bool,
        on_event: &mut dyn FnMut(&str, &Value),
    ) -> Result<Value> {
        loop {
            let frame = self.next()?;
            let payload = frame.get("payload").unwrap_or(&Value::Null);
            match frame.get("type").and_then(Value::as_str) {
                Some("event") => {
                    on_event(frame.get("event").and_then(Value::as_str).unwrap_or_default(), payload)
                }
                Some("res") if frame.get("id").and_then(Value::as_str) == Some(id) => {
                    outcome(&frame)?;
                    if to_the_end && payload.get("status").and_then(Value::as_str) == Some("accepted") {
                        on_event("accepted", payload);
                        continue;
                    }
                    return Ok(payload.clone());
                }
                _ => {}
            }
        }
    }

    /// Says goodbye; an answer to it is not waited for.
    pub fn close(mut self) {
        // The command has its answer; a gateway that is gone by now changes nothing.
        let _ = self.socket.close();
    }

    fn lost(&self, error: Lost) -> Error {
        match error {
            Lost::Io(e) if is_timeout(&e) => self.deadline.error(),
            Lost::TooLarge => {
                Error::unavailable(format!("the gateway's answer is larger than {MAX_MESSAGE} bytes"))
            }
            Lost::Io(_) | Lost::Broken => closed(1006, ""),
        }
    }
}

/// What a response brings.
pub fn outcome(frame: &Value) -> Result<&Value> {
    let payload = frame.get("payload").unwrap_or(&Value::Null);
    match frame.get("ok") {
        Some(Value::Bool(true)) => Ok(payload),
        _ => Err(refusal(frame.get("error").unwrap_or(&Value::Null), payload)),
    }
}

fn frame(text: &str) -> Result<Value> {
    json::read(text, MAX_VALUES, json::DEEPEST)
        .map_err(|e| Error::unavailable(format!("the gateway sent a frame that cannot be read: {e}")))
}

/// Whether the error means that the gateway went away or stayed silent, rather than that it answered.
pub fn is_lost(error: &Error) -> bool {
    matches!(error.cause(), Some(Cause::Closed(_) | Cause::Silent(_)))
}

fn not_upgraded(deadline: Deadline, failure: &io::Error) -> Error {
    if is_timeout(failure) {
        return deadline.error();
    }
    Error::new(Kind::Unreachable, format!("what listens there does not answer like a gateway: {failure}"))
}

fn closed(code: u16, reason: &str) -> Error {
    let hint = match code {
        1000 => " normal closure",
        1006 => " abnormal closure (no close frame)",
        1012 => " service restart",
        1013 => " try again later",
        _ => "",
    };
    let text = if reason.is_empty() { "no close reason" } else { reason };
    let kind = match () {
        _ if reason.starts_with("unauthorized") => Kind::Unauthorized,
        _ if reason.starts_with("pairing required") => Kind::NotPaired,
        _ => Kind::Unreachable,
    };
    Error::new(kind, format!("gateway closed ({code}{hint}): {text}"))
        .because(Cause::Closed(code))
        .with("close", code)
}

/// The gateway's error object as an error of ours; its code, text and details survive.
fn refusal(error: &Value, payload: &Value) -> Error {
    let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
    let message =
        if text("message").is_empty() { "the gateway refused without a reason" } else { text("message") };
    let detail = error.pointer("/details/code").and_then(Value::as_str).unwrap_or_default();
    let kind = match (text("code"), detail) {
        ("NOT_PAIRED", _) => Kind::NotPaired,
        ("NOT_LINKED", _) => Kind::NotLinked,
        ("AGENT_TIMEOUT", _) => Kind::AgentTimeout,
        ("FORBIDDEN", _) => Kind::Forbidden,
        (_, "AUTH_RATE_LIMITED") => Kind::RateLimited,
        (_, code) if code.starts_with("AUTH_") => Kind::Unauthorized,
        _ if message.starts_with("unauthorized: ") => Kind::Unauthorized,
        ("UNAVAILABLE", _) => Kind::Unavailable,
        _ => Kind::Invalid,
    };
    let mut own = Error::new(kind, message);
    for (key, value) in error.get("details").and_then(Value::as_object).into_iter().flatten() {
        own = own.with(key, value.clone());
    }
    if let Some(run) = payload.get("runId") {
        own = own.with("runId", run.clone());
    }
    match (error.get("retryable"), error.get("retryAfterMs").and_then(Value::as_u64)) {
        (_, Some(ms)) => own.retry_in(Duration::from_millis(ms)),
        (Some(Value::Bool(true)), None) => own.retry_in(Duration::from_millis(500)),
        _ => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// Issue 10, item 11: what another gateway writes into the details of its refusal is no cause of ours.
    #[test]
    fn a_refusal_is_an_answer_whatever_its_details_hold() {
        let details = json!({"code": "X", "close": 1006, "timeoutMs": 5});
        let refused =
            refusal(&json!({"code": "INVALID_REQUEST", "message": "no", "details": details}), &Value::Null);
        assert!(!is_lost(&refused) && refused.details().unwrap().contains_key("close"));
        assert!(is_lost(&closed(1006, "")) && is_lost(&Deadline::after(Instant::now(), 5).error()));
    }
}
