//! The idempotency journal on disk: one JSON line when a request is accepted, one when its result is known, so
//! that keys survive a restart (R-10a) and a run that a crash ended can be found again.
//!
//! The store thread owns it. Opening drops what is old and rewrites the file; a torn last line is normal.
use super::dedupe::{KEEP_MS, MAX_KEYS};
use super::regular;
use crate::error::{Error, Result};
use crate::files::{private_dir, write_atomic};
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
        if lines != records.len() || bytes.last().is_some_and(|b| *b != b'\n') {
            journal.rewrite(records.iter())?;
        }
        Ok((journal, records))
    }

    fn reopen(path: &Path) -> Result<Journal> {
        let opened = regular::write(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (len, file) = opened.map_err(|e| failed("open", path, e))?;
        Ok(Journal { path: path.into(), file, len })
    }

    /// Adds a record and waits for the disk; when that fails nothing of it stays.
    pub fn append(&mut self, record: &Record) -> Result<()> {
        let mut line = to_line(record)?;
        line.push(b'\n');
        if let Err(e) = self.file.write_all_at(&line, self.len).and_then(|()| self.file.sync_data()) {
            // The write's own error counts; what stays is torn and overwritten by the next append.
            let _ = self.file.set_len(self.len);
            return Err(failed("append to", &self.path, e));
        }
        self.len += line.len() as u64;
        Ok(())
    }

    /// Whether the file has grown so much that `rewrite` is due.
    pub fn is_bulky(&self) -> bool {
        self.len > BULKY
    }

    /// Replaces the file by these records.
    pub fn rewrite<'a>(&mut self, records: impl Iterator<Item = &'a Record>) -> Result<()> {
        let mut text = Vec::new();
        for record in records {
            text.append(&mut to_line(record)?);
            text.push(b'\n');
        }
        write_atomic(&self.path, &text)?;
        *self = Journal::reopen(&self.path)?;
        Ok(())
    }
}

/// The newest state of every key, oldest first, and how many lines that are not blank were read.
fn read_records(bytes: &[u8], now: u64) -> (Vec<Record>, usize) {
    let mut by_key: HashMap<(String, String), Record> = HashMap::new();
    let mut lines = 0;
    for line in bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        lines += 1;
        match serde_json::from_slice::<Record>(line) {
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
mod tests {
    use super::*;
    use crate::sessions::{Dedupe, Seen, TestDir};
    use serde_json::json;

    fn record(key: &str, ts: u64) -> Record {
        let message = Some(format!("text of {key}"));
        Record { family: "agent".into(), key: key.into(), hash: "h".into(), ts, message, ..Record::default() }
    }

    #[test]
    fn r_10a_keys_survive_a_restart_for_a_day() {
        let dir = TestDir::new();
        let path = dir.0.join("gateway/idempotency.jsonl");
        let now = 10 * KEEP_MS;
        let (mut journal, records) = Journal::open(&path, now).unwrap();
        assert!(records.is_empty());
        let mut dedupe = Dedupe::default();
        for (key, ts) in [("old", now - KEEP_MS + 1), ("done", now), ("open", now)] {
            dedupe.begin(record(key, ts));
            journal.append(&record(key, ts)).unwrap();
        }
        journal.append(&dedupe.finish("agent", "done", json!({"status": "ok"})).unwrap()).unwrap();
        let (_, records) = Journal::open(&path, now + 1).unwrap();
        let dedupe = Dedupe::from_records(records);
        assert_eq!(dedupe.len(), 2);
        assert_eq!(dedupe.check("agent", "old", "h", now + 1), Seen::New);
        assert_eq!(dedupe.check("agent", "done", "x", now + 1), Seen::Different);
        assert!(matches!(dedupe.check("agent", "done", "h", now + 1), Seen::Same(r) if r.result.is_some()));
        let Seen::Same(open) = dedupe.check("agent", "open", "h", now + 1) else { panic!("lost") };
        assert_eq!(open.message.as_deref(), Some("text of open"));
        // The old key and the text of the finished one are gone from the file.
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(!text.contains("text of done") && !text.contains("old"));
    }

    #[test]
    fn r_09c_a_journal_cut_anywhere_opens_and_goes_on() {
        let dir = TestDir::new();
        let path = dir.0.join("j.jsonl");
        let (mut journal, _) = Journal::open(&path, 1).unwrap();
        journal.append(&record("a", 1)).unwrap();
        journal.append(&record("b", 2)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for end in 0..whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            let (mut journal, before) = Journal::open(&path, 3).unwrap();
            journal.append(&record("c", 3)).unwrap();
            let (_, after) = Journal::open(&path, 3).unwrap();
            assert_eq!(after.len(), before.len() + 1, "cut at {end}");
            assert_eq!(after.last().unwrap().key, "c");
        }
    }
}
