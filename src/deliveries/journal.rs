//! The journal on disk, `gateway/deliveries.jsonl`: one JSON line whenever something is promised or has come further, so
//! that keys survive a restart (R-10a) and what a crash cut off can be found again.
//!
//! The store thread owns it. Lines that are written together wait for the disk once. Opening drops what is old and
//! rewrites the file; so does `compact`, which is due when the file has grown. A torn last line is normal. A file that
//! cannot be rewritten, because the disk is full, stays in use as it is (R-28b).
use super::kept::{Kept, Source};
use super::line::{Delivery, Inbound, Line, Record};
use crate::error::{Error, Result};
use crate::files::{private_dir, quirks, regular, write_atomic_by};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// From this size on, bytes, the file is rewritten without the finished and the old when it has doubled.
const BULKY: u64 = 8 << 20;

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
        let old = read_old(before);
        let has_old = old.is_some();
        let read = |e| failed("read", path, e);
        let file = journal.file.try_clone().map_err(read)?;
        let source = Source { before: old.unwrap_or_default(), file };
        let kept = Kept::of(&source, now).map_err(read)?;
        let found = kept.found(&source).map_err(read)?;
        if has_old || kept.lines.len() != kept.read || journal.is_torn {
            match journal.rewrite(&kept, &source) {
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
        Ok((journal, found))
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
        let read = |e| failed("read", &self.path, e);
        let Some(file) = regular::read(&self.path).map_err(read)? else { return Ok(()) };
        let source = Source { before: Vec::new(), file };
        let kept = Kept::of(&source, now).map_err(read)?;
        self.rewrite(&kept, &source)
    }

    fn rewrite(&mut self, kept: &Kept, source: &Source) -> Result<()> {
        let written = write_atomic_by(&self.path, |out| kept.write(source, out));
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

fn failed(doing: &str, path: &Path, e: io::Error) -> Error {
    let is_full = e.kind() == io::ErrorKind::StorageFull;
    let error = Error::io(format_args!("{doing} the journal {}", path.display()), e);
    if is_full { error.retry_in(Duration::from_secs(5)) } else { error }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
