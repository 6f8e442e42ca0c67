//! The journal on disk, `gateway/deliveries.jsonl`: one JSON line whenever something is promised or has come further, so
//! that keys survive a restart (R-10a) and what a crash cut off can be found again.
//!
//! The store thread owns it. Lines that are written together wait for the disk once. Opening drops what is old and
//! rewrites the file; so does `compact`, which is due when the file has grown. A torn last line is normal. A file that
//! cannot be rewritten, because the disk is full, stays in use as it is (R-28b).
use super::dedupe::MAX_KEYS;
use super::line::{Delivery, Inbound, Line, Name, Record};
use crate::error::{Error, Result};
use crate::files::{private_dir, quirks, regular, write_atomic};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// From this size on, bytes, the file is rewritten without the finished and the old when it has doubled.
const BULKY: u64 = 8 << 20;
/// Bytes that are kept of what is over, the newest first.
const MOST_OVER: usize = 16 << 20;

/// The newest state of everything that still counts, oldest first.
#[derive(Debug, Default)]
pub struct Found {
    pub runs: Vec<Record>,
    pub inbound: Vec<Inbound>,
    pub deliveries: Vec<Delivery>,
}

#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    len: u64,
    /// Its length when it was last rewritten.
    compact_len: u64,
    /// The last line lacks its end, which the next one brings along.
    is_torn: bool,
}

impl Journal {
    /// Opens or creates the journal of a state directory. Lines that cannot be read are skipped. What an earlier release
    /// left in `gateway/idempotency.jsonl` is carried over. `now` in epoch milliseconds.
    pub fn open(state_dir: &Path, now: u64) -> Result<(Journal, Found)> {
        let dir = state_dir.join("gateway");
        private_dir(&dir)?;
        Journal::open_at(&dir.join("deliveries.jsonl"), &dir.join("idempotency.jsonl"), now)
    }

    fn open_at(path: &Path, before: &Path, now: u64) -> Result<(Journal, Found)> {
        let mut journal = Journal::reopen(path)?;
        // First the older ones, which the newer replace: a stop may have come before the old file was removed.
        let mut bytes = read_old(before);
        let has_old = bytes.is_some();
        let bytes = bytes.get_or_insert_default();
        journal.file.read_to_end(bytes).map_err(|e| failed("read", path, e))?;
        let kept = Kept::of(bytes, now);
        if has_old || kept.lines.len() != kept.read || journal.is_torn {
            match journal.rewrite(&kept.text(bytes)) {
                Ok(()) if has_old => {
                    // Read once more at the next start if it stays, which changes nothing.
                    let _ = std::fs::remove_file(before);
                }
                Ok(()) => {}
                Err(e) => {
                    log::error!(target: "gateway/store", "{e}; the gateway goes on with the file as it is")
                }
            }
        }
        Ok((journal, kept.found(bytes)))
    }

    fn reopen(path: &Path) -> Result<Journal> {
        let opened = regular::write(path).and_then(|file| {
            let (len, mut last) = (file.metadata()?.len(), [b'\n']);
            if len > 0 {
                file.read_exact_at(&mut last, len - 1)?;
            }
            Ok(Journal { path: path.into(), file, len, compact_len: len, is_torn: last != [b'\n'] })
        });
        opened.map_err(|e| failed("open", path, e))
    }

    pub fn append(&mut self, line: &Line) -> Result<()> {
        self.append_all([line].into_iter())
    }

    /// Adds lines and waits for the disk, once; when that fails nothing of them stays.
    pub fn append_all<'a>(&mut self, lines: impl Iterator<Item = &'a Line>) -> Result<()> {
        let mut text = if self.is_torn { b"\n".to_vec() } else { Vec::new() };
        for line in lines {
            line.write(&mut text)?;
        }
        if let Err(e) = self.file.write_all_at(&text, self.len).and_then(|()| quirks::sync(&self.file)) {
            // The write's own error counts; what stays is torn and overwritten by the next append.
            let _ = self.file.set_len(self.len);
            return Err(failed("append to", &self.path, e));
        }
        self.len += text.len() as u64;
        self.is_torn = false;
        Ok(())
    }

    /// Whether the file has grown so much that `compact` is due.
    pub fn is_bulky(&self) -> bool {
        self.len > BULKY.max(self.compact_len * 2)
    }

    /// Drops what is replaced or old; when that fails it goes on with what is there.
    pub fn compact(&mut self, now: u64) -> Result<()> {
        let mut bytes = Vec::new();
        let read = regular::read(&self.path)
            .and_then(|file| file.map_or(Ok(0), |mut file| file.read_to_end(&mut bytes)));
        read.map_err(|e| failed("read", &self.path, e))?;
        let kept = Kept::of(&bytes, now);
        self.rewrite(&kept.text(&bytes))
    }

    fn rewrite(&mut self, text: &[u8]) -> Result<()> {
        let written = write_atomic(&self.path, text);
        *self = Journal::reopen(&self.path)?;
        written
    }
}

/// The file of earlier releases, with an end to its last line.
fn read_old(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    // One that cannot be read holds up no start: at the worst a request is done twice.
    regular::read(path).ok()??.read_to_end(&mut bytes).ok()?;
    bytes.push(b'\n');
    Some(bytes)
}

/// Which lines of a text still count, without a copy of them.
struct Kept {
    lines: Vec<Range<usize>>,
    /// Lines that are not blank.
    read: usize,
}

struct Place {
    at: Range<usize>,
    ts: u64,
    is_open: bool,
}

impl Kept {
    /// The newest line of every name that is not too old, at most 10,000 of a kind, and of what is over no more than a
    /// bound of bytes; oldest first.
    fn of(text: &[u8], now: u64) -> Kept {
        let mut by_name: HashMap<Name, Place> = HashMap::new();
        let (mut read, mut start) = (0, 0);
        for line in text.split(|byte| *byte == b'\n') {
            let at = start..start + line.len();
            start = at.end + 1;
            if line.is_empty() {
                continue;
            }
            read += 1;
            if let Some(line) = Line::read(line).filter(|line| !line.is_expired(now)) {
                by_name.insert(line.name(), Place { at, ts: line.ts(), is_open: line.is_open() });
            }
        }
        let mut places: Vec<(&'static str, Place)> =
            by_name.into_iter().map(|((kind, ..), place)| (kind, place)).collect();
        crate::order::by(&mut places, |(_, a), (_, b)| (b.ts, b.at.start).cmp(&(a.ts, a.at.start)));
        let (mut counts, mut bytes) = (HashMap::new(), 0);
        places.retain(|(kind, place)| {
            let count = counts.entry(*kind).or_insert(0);
            *count += 1;
            bytes += if place.is_open { 0 } else { place.at.len() };
            place.is_open || (*count <= MAX_KEYS && bytes <= MOST_OVER)
        });
        Kept { lines: places.into_iter().rev().map(|(_, place)| place.at).collect(), read }
    }

    fn lines<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.lines.iter().filter_map(|at| text.get(at.clone()))
    }

    fn text(&self, text: &[u8]) -> Vec<u8> {
        let mut kept = Vec::with_capacity(self.lines.iter().map(|at| at.len() + 1).sum());
        for line in self.lines(text) {
            kept.extend_from_slice(line);
            kept.push(b'\n');
        }
        kept
    }

    fn found(&self, text: &[u8]) -> Found {
        let mut found = Found::default();
        for line in self.lines(text).filter_map(Line::read) {
            match line {
                Line::Run(record) => found.runs.push(record),
                Line::Inbound(inbound) => found.inbound.push(inbound),
                Line::Delivery(delivery) => found.deliveries.push(delivery),
            }
        }
        found
    }
}

fn failed(doing: &str, path: &Path, e: io::Error) -> Error {
    let is_full = e.kind() == io::ErrorKind::StorageFull;
    let error = Error::io(format_args!("{doing} the journal {}", path.display()), e);
    if is_full { error.retry_in(Duration::from_secs(5)) } else { error }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
