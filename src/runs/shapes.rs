//! What the events of a run look like. Pure functions of the run; the text stands in them where its place is, see `SAID`.
use super::run::Run;
use crate::cancel::Reason;
use crate::json::{Put, json};
use serde_json::Value;

/// Where the text of a message stands in a `chat` event.
pub(super) const SAID: &[&str] = &["message", "content", "0", "text"];
/// Where it and what is new of it stand in the events of both kinds while it is written.
pub(super) const TEXT: &[&str] = &["data", "text"];
pub(super) const DELTA: &[&str] = &["data", "delta"];
pub(super) const DELTA_TEXT: &[&str] = &["deltaText"];

pub(super) fn agent_event(run: &Run, stream: &str, data: Value, now: u64) -> Value {
    let mut event = json!({"runId": run.new.id, "stream": stream, "data": null, "sessionKey": run.new.key, "seq": run.seq, "ts": now});
    if let Some(map) = event.as_object_mut() {
        map.put("data", data);
    }
    event
}

pub(super) fn stop_reason(run: &Run) -> &'static str {
    match run.cancel.reason() {
        Some(Reason::Stop | Reason::Interrupt) => "stop",
        Some(Reason::Timeout) => "timeout",
        Some(Reason::Shutdown) => "shutdown",
        Some(Reason::Rpc) | None => "rpc",
    }
}

/// An assistant message as `chat` events show it, with a place for the text at `SAID`.
pub(super) fn said(run: &Run, now: u64) -> Value {
    let mut message =
        json!({"role": "assistant", "content": [{"type": "text", "text": ""}], "timestamp": now});
    if let Some(map) = message.as_object_mut().filter(|_| run.is_aside()) {
        map.put("provider", "openclaw");
        map.put("model", "gateway-injected");
    }
    message
}

/// A `chat` event of a run; members of `more` that are null are left out.
pub(super) fn chat_event(run: &Run, state: &str, more: Value) -> Value {
    let mut event = json!({"runId": run.new.id, "sessionKey": run.new.key, "seq": run.seq, "state": state});
    if let (Some(event), Value::Object(more)) = (event.as_object_mut(), present(more)) {
        event.extend(more);
    }
    event
}

/// An object without the members that are null.
pub(super) fn present(mut object: Value) -> Value {
    object.as_object_mut().into_iter().for_each(|map| map.retain(|_, value| !value.is_null()));
    object
}
