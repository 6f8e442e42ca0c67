//! The idempotency journal on disk: one JSON line when a request is accepted, one when its result is known, so
//! that keys survive a restart (R-10a) and a run that a crash ended can be found again.
//!
//! The store thread owns it. Opening drops what is old and rewrites the file; a torn last line is normal. A file that
//! cannot be rewritten, because the disk is full, stays in use as it is (R-28b).
use super::dedupe::{KEEP_MS, MAX_KEYS};
use super::line::{MAX_DEPTH, MAX_VALUES};
use super::regular;
use crate::error::{Error, Result};
use crate::files::{private_dir, quirks, write_atomic};
use crate::json;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Larger than this the file should be rewritten without the finished and the old, in bytes.
const BULKY: u64 = 32 << 20;

/// An accepted request. A later line of the same family and key adds the result.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Record {
    /// `agent`, `chat`, `send` or `poll`.
    pub family: String,
    /// The idempotency key, which is the run's id too.
    pub key: String,
    /// [`super::dedupe::params_hash`] of the parameters.
    pub hash: String,
    /// When it was accepted, in epoch milliseconds.
    pub ts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_key: Option<String>,
    /// The session's transcript id when it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The accepted text, until there is a result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What was answered; `None` while the request is in flight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

impl Record {
    pub fn is_expired(&self, now: u64) -> bool {
        self.ts.saturating_add(KEEP_MS) <= now
    }

    /// It ended in a failure that is stored as retryable: nothing of it is in a transcript, it may be done again.
    pub(super) fn had_no_effect(&self) -> bool {
        let retryable = self.result.as_ref().and_then(|result| result.pointer("/error/retryable"));
        retryable == Some(&Value::Bool(true))
    }

    /// About how much memory its texts take, in bytes.
    pub(super) fn size(&self) -> usize {
        let texts = [self.key.len(), self.message.as_ref().map_or(0, String::len)];
        256 + texts.iter().sum::<usize>() + self.result.as_ref().map_or(0, value_size)
    }
}

/// Message texts and results are private, so they stay out of debug output.
impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Record { family, key, ts, .. } = self;
        write!(f, "Record({family}:{key} at {ts}, finished: {})", self.result.is_some())
    }
}

#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    len: u64,
    /// The last line lacks its end, which the next one brings along.
    is_torn: bool,
}

impl Journal {
    /// Opens or creates the journal and gives its records younger than a day, oldest first, at most 10,000.
    /// Lines that cannot be read are skipped. `now` in epoch milliseconds.
    pub fn open(path: &Path, now: u64) -> Result<(Journal, Vec<Record>)> {
        if let Some(dir) = path.parent() {
            private_dir(dir)?;
        }
        let mut journal = Journal::reopen(path)?;
        let mut bytes = Vec::new();
        journal.file.read_to_end(&mut bytes).map_err(|e| failed("read", path, e))?;
        let (records, lines) = read_records(&bytes, now);
        if (lines != records.len() || journal.is_torn)
            && let Err(e) = journal.rewrite(records.iter())
        {
            log::error!(target: "gateway/store", "{e}; the gateway goes on with the file as it is");
        }
        Ok((journal, records))
    }

    fn reopen(path: &Path) -> Result<Journal> {
        let opened = regular::write(path).and_then(|file| {
            let (len, mut last) = (file.metadata()?.len(), [b'\n']);
            if len > 0 {
                file.read_exact_at(&mut last, len - 1)?;
            }
            Ok(Journal { path: path.into(), file, len, is_torn: last != [b'\n'] })
        });
        opened.map_err(|e| failed("open", path, e))
    }

    /// Adds a record and waits for the disk; when that fails nothing of it stays.
    pub fn append(&mut self, record: &Record) -> Result<()> {
        let mut line = to_line(record)?;
        line.push(b'\n');
        if self.is_torn {
            line.insert(0, b'\n');
        }
        if let Err(e) = self.file.write_all_at(&line, self.len).and_then(|()| quirks::sync(&self.file)) {
            // The write's own error counts; what stays is torn and overwritten by the next append.
            let _ = self.file.set_len(self.len);
            return Err(failed("append to", &self.path, e));
        }
        self.len += line.len() as u64;
        self.is_torn = false;
        Ok(())
    }

    /// Whether the file has grown so much that `rewrite` is due.
    pub fn is_bulky(&self) -> bool {
        self.len > BULKY
    }

    /// Replaces the file by these records; when that fails it goes on with what is there.
    pub fn rewrite<'a>(&mut self, records: impl Iterator<Item = &'a Record>) -> Result<()> {
        let mut text = Vec::new();
        for record in records {
            text.append(&mut to_line(record)?);
            text.push(b'\n');
        }
        let written = write_atomic(&self.path, &text);
        *self = Journal::reopen(&self.path)?;
        written
    }
}

/// The newest state of every key, oldest first, and how many lines that are not blank were read.
fn read_records(bytes: &[u8], now: u64) -> (Vec<Record>, usize) {
    let mut by_key: HashMap<(String, String), Record> = HashMap::new();
    let mut lines = 0;
    for line in bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        lines += 1;
        match json::read_as::<Record>(line, MAX_VALUES, MAX_DEPTH) {
            Ok(record) if !record.key.is_empty() && !record.is_expired(now) => {
                by_key.insert((record.family.clone(), record.key.clone()), record);
            }
            _ => {}
        }
    }
    let mut records: Vec<Record> = by_key.into_values().collect();
    crate::order::by(&mut records, |a, b| (a.ts, &a.family, &a.key).cmp(&(b.ts, &b.family, &b.key)));
    records.drain(..records.len().saturating_sub(MAX_KEYS));
    (records, lines)
}

fn to_line(record: &Record) -> Result<Vec<u8>> {
    serde_json::to_vec(record).map_err(|e| Error::unavailable(format!("write idempotency record: {e}")))
}

fn value_size(value: &Value) -> usize {
    match value {
        Value::String(text) => 32 + text.len(),
        Value::Array(items) => 32 + items.iter().map(value_size).sum::<usize>(),
        Value::Object(map) => {
            64 + map.iter().map(|(name, value)| 40 + name.len() + value_size(value)).sum::<usize>()
        }
        _ => 32,
    }
}

fn failed(doing: &str, path: &Path, e: io::Error) -> Error {
    let is_full = e.kind() == io::ErrorKind::StorageFull;
    let error = Error::io(format_args!("{doing} idempotency journal {}", path.display()), e);
    if is_full { error.retry_in(Duration::from_secs(5)) } else { error }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
