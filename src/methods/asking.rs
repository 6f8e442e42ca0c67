//! What the methods that ask for a turn have in common: their params made ready on the connection's thread.
use crate::deliveries::dedupe::params_hash;
use crate::error::{Error, Result};
use crate::json::Put;
use crate::models::provider::Thinking;
use crate::sessions::attachments::Attachments;
use serde_json::Value;

/// Bytes of one message; more than any model's window takes.
const MAX_MESSAGE: usize = 1_000_000;

/// What is done with large params on the connection's thread: their hash without the key, which must be equal for a
/// repetition to count as one, and the attachments judged and read.
pub fn prepare(mut params: Value) -> Result<Value> {
    let Some(map) = params.as_object_mut() else { return Ok(params) };
    let key = map.remove("idempotencyKey");
    let length = params.get("message").and_then(Value::as_str).map_or(0, str::len);
    if length > MAX_MESSAGE {
        let text = format!("message is {length} bytes long, at most {MAX_MESSAGE} fit; send it in parts");
        return Err(Error::invalid(text));
    }
    let hash = params_hash(&params);
    let Some(map) = params.as_object_mut() else { return Ok(params) };
    let attached = match map.remove("attachments") {
        Some(Value::Array(list)) => Attachments::read(&list)?,
        _ => Attachments::default(),
    };
    map.put("idempotencyKey", key.unwrap_or_default());
    map.put("hash", hash);
    map.put("images", attached.images);
    map.put("texts", attached.texts);
    Ok(params)
}

/// The thinking level that a request asks for.
pub fn read_thinking(level: Option<&str>) -> Result<Option<Thinking>> {
    let Some(level) = level.map(str::trim).filter(|l| !l.is_empty()) else { return Ok(None) };
    let wrong = || Error::invalid("invalid thinking level (use off|minimal|low|medium|high|xhigh)");
    Thinking::parse(level).ok_or_else(wrong).map(Some)
}
