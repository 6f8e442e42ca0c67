//! `logs.tail`: the end of the log file, by byte cursor. Reads the file on the connection's own thread.
use crate::error::{Error, Result};
use crate::methods::read;
use crate::protocol::frame::Payload;
use crate::shared::Shared;
use crate::state::clients::Caller;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs::File;
use std::os::unix::fs::FileExt;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Params {
    cursor: Option<u64>,
    limit: Option<u64>,
    max_bytes: Option<u64>,
}

pub fn tail(_shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let Params { cursor, limit, max_bytes } = read(params)?;
    let limit = limit.unwrap_or(500).clamp(1, 5000) as usize;
    let max_bytes = max_bytes.unwrap_or(250_000).clamp(1, 1_000_000);
    let path = crate::logging::current_file().unwrap_or_default();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(_) => return Ok(
            json!({"file": path, "cursor": 0, "size": 0, "lines": [], "truncated": false, "reset": false})
                .into(),
        ),
    };
    let failed = |e| Error::io(format_args!("read log file {}", path.display()), e);
    let size = file.metadata().map_err(failed)?.len();
    let newest = size.saturating_sub(max_bytes);
    let (start, reset, truncated) = match cursor {
        None => (newest, false, newest > 0),
        Some(at) if at > size => (newest, true, newest > 0),
        Some(at) if size - at > max_bytes => (newest, true, true),
        Some(at) => (at, false, false),
    };
    let mut bytes = vec![0; (size - start) as usize];
    let got = file.read_at(&mut bytes, start).map_err(failed)?;
    bytes.truncate(got);
    let lines = lines(&file, start, &bytes, limit);
    Ok(json!({"file": path, "cursor": size, "size": size, "lines": lines, "truncated": truncated, "reset": reset}).into())
}

/// Whole lines only: a first line that began before `start` is left out.
fn lines(file: &File, start: u64, bytes: &[u8], limit: usize) -> Vec<String> {
    let mut before = [0u8];
    let mid_line =
        start > 0 && file.read_at(&mut before, start - 1).is_ok_and(|n| n == 1) && before != *b"\n";
    let text = String::from_utf8_lossy(bytes);
    let all: Vec<&str> =
        text.split('\n').skip(usize::from(mid_line)).filter(|line| !line.is_empty()).collect();
    all.iter().skip(all.len().saturating_sub(limit)).map(|line| line.to_string()).collect()
}
