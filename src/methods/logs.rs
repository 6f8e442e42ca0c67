//! `logs.tail`: the end of the log file, by byte cursor. Reads the file on the connection's own thread.
use crate::calls::Caller;
use crate::error::Result;
use crate::json::json;
use crate::logging::tail::{self, Span};
use crate::params::{params, read};
use crate::protocol::frame::Payload;
use crate::state::shared::Shared;
use serde_json::Value;

params! {
    struct Params {
        cursor: Option<u64>,
        limit: Option<u64>,
        max_bytes: Option<u64>,
    }
}

pub fn tail(_shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let Params { cursor, limit, max_bytes } = read(params)?;
    let limit = limit.unwrap_or(500).clamp(1, 5000) as usize;
    let max_bytes = max_bytes.unwrap_or(250_000).clamp(1, 1_000_000);
    let path = crate::logging::current_file().unwrap_or_default();
    let tail = tail::read(&path, Span { cursor, limit, max_bytes })?;
    Ok(json!({
        "file": path, "cursor": tail.cursor, "size": tail.size, "lines": tail.lines,
        "truncated": tail.truncated, "reset": tail.reset,
    })
    .into())
}
