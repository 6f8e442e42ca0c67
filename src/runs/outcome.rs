//! What is said at the end of a run: the outcome that those who wait get and the journal keeps, tokens and costs, the words
//! of a failure. Pure functions.
use super::run::{Footer, NewRun, Run};
use crate::agent::finished::Finished;
use crate::error::{Error, Kind, Result};
use crate::json::{Put, json};
use crate::models::failure;
use crate::models::provider::{ToolCall, Usage};
use crate::protocol::pieces::Shared;
use crate::sessions::tags;
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;

/// The line below an answer that `/usage` asked for; it is told, not written down.
pub(super) fn footer(wanted: Footer, finished: &Finished) -> String {
    let usage = &finished.usage;
    let tokens = format!(
        "\n\nUsage: {} in / {} out",
        usage.input + usage.cache_read + usage.cache_write,
        usage.output
    );
    match wanted {
        Footer::Off => String::new(),
        Footer::Full if finished.cost > 0.0 => format!("{tokens} · cost {:.4}", finished.cost),
        Footer::Tokens | Footer::Full => tokens,
    }
}

/// The word by which an answer says that there is nothing to say.
const SILENT: &str = "NO_REPLY";

/// Whether an answer says that there is nothing to say.
pub(super) fn is_silent(text: &str) -> bool {
    matches!(text.trim(), "" | SILENT)
}

/// Whether one that is being written may come to that: nothing of it is told before.
pub(super) fn may_be_silent(text: &str) -> bool {
    SILENT.starts_with(text.trim())
}

/// Counts of cache and reasoning only where there was some.
pub(super) fn usage(usage: &Usage) -> Value {
    let mut counts = json!({"input": usage.input, "output": usage.output, "total": usage.total});
    let rest =
        [("cacheRead", usage.cache_read), ("cacheWrite", usage.cache_write), ("reasoning", usage.reasoning)];
    if let Some(map) = counts.as_object_mut() {
        map.extend(rest.into_iter().filter(|(_, n)| *n > 0).map(|(name, n)| (name.to_string(), n.into())));
    }
    counts
}

/// What a repetition is told, `{ok, payload, error?}` as JSON text.
pub(super) struct Kept {
    pub text: Arc<String>,
    payload: Range<usize>,
}

impl Kept {
    pub fn of(result: &Result<()>, outcome: &Value, had_no_effect: bool) -> Kept {
        let mut text = format!("{{\"ok\":{},\"payload\":", result.is_ok()).into_bytes();
        let start = text.len();
        // Into memory nothing fails.
        let _ = serde_json::to_writer(&mut text, outcome);
        let payload = start..text.len();
        if let Err(e) = result {
            text.extend(format!(",\"error\":{}", stored_error(e, had_no_effect)).into_bytes());
        }
        text.push(b'}');
        text.shrink_to_fit();
        // All of it was text.
        Kept { text: Arc::new(String::from_utf8(text).unwrap_or_default()), payload }
    }

    pub fn payload(&self) -> Shared {
        Shared::part(self.text.clone(), self.payload.clone())
    }
}

/// `retryable` frees the key, so it stays only where nothing can happen twice.
fn stored_error(e: &Error, had_no_effect: bool) -> Value {
    let mut error = e.to_wire(4);
    if let Some(map) = error.as_object_mut().filter(|_| e.retryable() && !had_no_effect) {
        map.remove("retryable");
        map.remove("retryAfterMs");
        map.put("message", format!("{e}; send it again with a new idempotency key"));
    }
    error
}

/// The last answer to the request, and what the journal keeps.
pub(super) fn outcome(
    run: &Run,
    result: &Result<()>,
    finished: Option<&Finished>,
    texts: Vec<String>,
    duration_ms: u64,
) -> Value {
    let id = &run.new.id;
    match (result, run.new.origin.surface.tells_outcome(), finished) {
        (Err(e), _, _) => json!({"runId": id, "status": "error", "summary": e.message()}),
        (Ok(()), true, Some(f)) => {
            let mut agent_meta = json!({"sessionId": run.session_id, "provider": f.provider, "model": f.model, "usage": usage(&f.usage)});
            if let (Some(map), Some(fallback)) = (agent_meta.as_object_mut(), &f.fallback) {
                let told = json!({"from": fallback.from, "to": fallback.to, "reason": fallback.reason, "error": fallback.error});
                map.put("fallback", told);
            }
            let mut meta = json!({"durationMs": duration_ms, "aborted": false, "stopReason": f.stop_reason, "agentMeta": agent_meta});
            if let (Some(map), false) = (meta.as_object_mut(), f.calls.is_empty()) {
                map.put("pendingToolCalls", f.calls.iter().map(call).collect::<Vec<Value>>());
            }
            let said = texts.into_iter().filter(|text| !is_silent(text));
            let payloads: Vec<Value> =
                said.map(|text| json!({"text": (tags::shown(text)), "mediaUrl": null})).collect();
            let mut outcome = json!({"runId": id, "status": "ok", "summary": "completed", "result": {"payloads": null, "meta": meta}});
            if let Some(place) = outcome.pointer_mut("/result/payloads") {
                *place = Value::Array(payloads);
            }
            outcome
        }
        (Ok(()), _, _) => json!({"runId": id, "status": "ok"}),
    }
}

/// A call that is left to the program which asked.
fn call(call: &ToolCall) -> Value {
    json!({"id": call.id, "name": call.name, "arguments": call.arguments})
}

pub(super) fn timed_out(new: &NewRun) -> Error {
    let seconds = new.timeout_ms as f64 / 1000.0;
    Error::new(
        Kind::AgentTimeout,
        format!(
            "the agent did not finish within {seconds} s; raise --timeout or agents.defaults.timeoutSeconds"
        ),
    )
}

pub(super) fn error_kind(e: &Error) -> &'static str {
    match failure::reason(e) {
        "timeout" => "timeout",
        "rate_limit" | "overloaded" => "rate_limit",
        "context_length" => "context_length",
        _ if e.kind == Kind::AgentTimeout => "timeout",
        _ => "unknown",
    }
}
