//! What is told of an answer.
use crate::clean::one_line;
use crate::cli::approvals::how_to;
use crate::parts::within;
use serde_json::Value;

/// Which model answered instead of the chosen one, and why.
pub(super) fn fallback_note(payload: &Value) -> Option<String> {
    let fallback = payload.pointer("/result/meta/agentMeta/fallback")?;
    let text = |name: &str| fallback.get(name).and_then(Value::as_str);
    let why = text("error").map_or(String::new(), |error| format!(": {error}"));
    let (from, to) = (text("from")?, text("to")?);
    Some(format!("note: {to} answered, since {from} failed ({}){why}", text("reason").unwrap_or("unknown")))
}

/// The texts of a final payload in order, with the media lines existing scripts read.
pub(super) fn answer(payload: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for part in payload.pointer("/result/payloads").and_then(Value::as_array).into_iter().flatten() {
        let text = |key: &str| part.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        lines.extend(text("text").map(str::to_string));
        let more =
            part.get("mediaUrls").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        lines.extend(text("mediaUrl").into_iter().chain(more).map(|url| format!("MEDIA:{url}")));
    }
    if lines.is_empty() {
        lines.push("No reply from agent.".to_string());
    }
    lines
}

/// Whether the model used up its tokens before it had said all.
pub(super) fn is_cut(payload: &Value) -> bool {
    payload.pointer("/result/meta/stopReason").is_some_and(|why| why == "length")
}

/// A command of the run waits for the owner's word.
pub(super) fn waits(event: &Value) -> String {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let time = |name: &str| event.get(name).and_then(Value::as_u64).unwrap_or_default();
    let seconds = time("expiresAtMs").saturating_sub(time("createdAtMs")) / 1000;
    let id = within(text("/id"), 8);
    let command = one_line(text("/request/command"));
    format!("note: a command waits {seconds} s for approval (id {id}): {command}\n{}", how_to(id))
}
