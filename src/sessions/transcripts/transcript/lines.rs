//! Lines of a transcript: their chain, and what a crash leaves behind them.
use crate::json::Put;
use crate::sessions::line;
use crate::{clock, ids};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

/// Cuts the zeros that a power failure leaves at the end of a file.
pub(super) fn cut_zeros(file: &File) -> io::Result<()> {
    let mut end = file.metadata()?.len();
    let mut last = [0];
    if end == 0 || file.read_at(&mut last, end - 1)? != 1 || last != [0] {
        return Ok(());
    }
    let mut block = vec![0; 1 << 20];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        block.truncate((end - start) as usize);
        file.read_exact_at(&mut block, start)?;
        end = start;
        if let Some(at) = block.iter().rposition(|byte| *byte != 0) {
            end += at as u64 + 1;
            break;
        }
    }
    file.set_len(end)
}

/// Whether a line is the beginning of a header, in which nothing was said.
pub(super) fn begins_header(line: &[u8]) -> bool {
    const HEADER: &[u8] = b"{\"type\":\"session\"";
    !line.is_empty() && (line.starts_with(HEADER) || HEADER.starts_with(line))
}

/// Writes each entry, an object, as a line with its id, parent and time; gives the ids.
pub(super) fn write_lines(
    entries: &[Value],
    mut parent: Parent,
    out: &mut dyn Write,
) -> io::Result<Vec<String>> {
    let now = clock::iso(clock::now_ms());
    let mut ids = Vec::with_capacity(entries.len());
    for members in entries.iter().filter_map(Value::as_object) {
        let id = ids::hex(4).map_err(|e| io::Error::other(e.to_string()))?;
        let mut line = Map::new();
        line.put("type", members.get("type").cloned().unwrap_or_default());
        line.put("id", id.clone());
        match std::mem::replace(&mut parent, Parent::Entry(id.clone())) {
            Parent::Root => line.put("parentId", Value::Null),
            Parent::Before => {}
            Parent::Entry(parent) => line.put("parentId", parent),
        }
        line.put("timestamp", now.clone());
        let own = Value::Object(line.clone()).to_string();
        out.write_all(own.strip_suffix('}').unwrap_or(&own).as_bytes())?;
        for (name, value) in members.iter().filter(|(name, _)| !line.contains_key(*name)) {
            // Straight into the file: a value may be long.
            write!(out, ",{}:{value}", Value::from(name.as_str()))?;
        }
        out.write_all(b"}\n")?;
        ids.push(id);
    }
    Ok(ids)
}

/// What links a line into the chain.
#[derive(Deserialize)]
pub(super) struct Link {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "line::text")]
    pub(super) id: Option<String>,
}

/// What the next entry comes after.
pub(super) enum Parent {
    /// Nothing: it is the first.
    Root,
    /// The line before it, which has no id: the first format had none.
    Before,
    Entry(String),
}
