//! One transcript: a file of JSON lines that only grows. Appending whole lines; `reading.rs` reads them.
//!
//! Called by the thread of the run or connection that needs it. An append holds the kernel lock of the file
//! itself, so two writers never interleave; readers take no lock and skip what they cannot parse.
mod lines;
use crate::clock;
use crate::error::{Error, Result};
use crate::files::behind::behind;
use crate::files::{self, quirks, regular};
use crate::json::{self, Put, json};
use crate::sessions::entry::{Entry, is_transcript_name};
use crate::sessions::lines::{Backwards, Line};
use crate::sessions::{SESSION_ID, is_session_id, line};
use lines::{Link, Parent, begins_header, cut_zeros, write_lines};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Transcript {
    path: PathBuf,
    id: String,
    cwd: PathBuf,
    key: Option<String>,
}

/// The first line, as far as it is used.
#[derive(Debug, Deserialize)]
pub(in crate::sessions) struct Header {
    #[serde(rename = "type")]
    kind: String,
    pub id: String,
    #[serde(rename = "sessionKey")]
    pub session_key: Option<String>,
}

impl Header {
    pub fn parse(line: &[u8]) -> Option<Header> {
        line::outline::<Header>(line).filter(|header| header.kind == "session")
    }
}

impl Transcript {
    /// The transcript `<session_id>.jsonl` in a sessions directory; the file need not exist.
    pub fn at(dir: &Path, session_id: &str) -> Result<Transcript> {
        if !is_session_id(session_id) {
            return Err(Error::invalid(format!("session id must be {SESSION_ID}")));
        }
        let path = dir.join(format!("{session_id}.jsonl"));
        Ok(Transcript { path, id: session_id.into(), cwd: dir.into(), key: None })
    }

    /// The transcript an index entry names: its `sessionFile` if that lies in `dir`, else by its id.
    pub fn of(dir: &Path, entry: &Entry) -> Result<Transcript> {
        let id = entry.session_id().ok_or_else(|| Error::not_found("the session has no transcript yet"))?;
        let mut transcript = Transcript::at(dir, id)?;
        if let Some(name) = entry.file_name(dir).filter(|name| is_transcript_name(name)) {
            transcript.path = dir.join(name);
        }
        Ok(transcript)
    }

    /// Says what the header line of a new file names: the workspace and the session's key, from which a lost
    /// index is rebuilt.
    pub fn created_for(mut self, key: &str, cwd: &Path) -> Transcript {
        self.key = Some(key.into());
        self.cwd = cwd.into();
        self
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn session_id(&self) -> &str {
        &self.id
    }

    /// Appends entries (made by [`crate::sessions::message`]) as one write of whole lines and waits for the disk.
    /// Gives their ids. A torn last line gets its end first, and is passed over; when the write fails nothing of it stays.
    pub fn append(&self, entries: &[Value]) -> Result<Vec<String>> {
        self.append_if(|_| Ok(entries.to_vec()))
    }

    /// The same without waiting for the disk; `sync` does that for all that was appended so.
    pub fn append_unsynced(&self, entries: &[Value]) -> Result<Vec<String>> {
        self.write(false, |_| Ok(Cow::Borrowed(entries)))
    }

    /// Waits until what was appended is on disk, and the file's name too if it is new.
    pub fn sync(&self, is_new: bool) -> Result<()> {
        let file = regular::write(&self.path).map_err(|e| self.error("open", e))?;
        quirks::sync(&file).map_err(|e| self.error("sync", e))?;
        if is_new { self.sync_dir() } else { Ok(()) }
    }

    /// The same for entries that depend on what is there; `choose` reads under the lock.
    pub(in crate::sessions) fn append_if(
        &self,
        choose: impl FnOnce(&File) -> io::Result<Vec<Value>>,
    ) -> Result<Vec<String>> {
        self.write(true, |file| choose(file).map(Cow::Owned))
    }

    fn write<'a>(
        &self,
        sync: bool,
        choose: impl FnOnce(&File) -> io::Result<Cow<'a, [Value]>>,
    ) -> Result<Vec<String>> {
        let failed = |e: io::Error| self.error("append to", e);
        if let Some(dir) = self.path.parent() {
            files::private_dir(dir)?;
        }
        let file = self.open_locked().map_err(failed)?;
        let (last, mut text) = self.end_tail(&file).map_err(failed)?;
        let end = file.metadata().map_err(failed)?.len();
        if end == 0 {
            text = self.header();
        }
        let entries = choose(&file).map_err(failed)?;
        if !entries.iter().all(Value::is_object) {
            return Err(Error::invalid("a transcript entry must be a JSON object"));
        }
        if entries.is_empty() && text.is_empty() {
            return Ok(Vec::new());
        }
        let write = || {
            let mut out = behind(&file, end);
            out.write_all(text.as_bytes())?;
            let ids = write_lines(&entries, last, &mut out)?;
            out.flush()?;
            if sync { quirks::sync(&file).map(|()| ids) } else { Ok(ids) }
        };
        let ids = write().map_err(|e| {
            // The write's own error counts; a torn line that stays gets its end by the next append.
            let _ = file.set_len(end);
            failed(e)
        })?;
        if end == 0 && sync {
            self.sync_dir()?;
        }
        Ok(ids)
    }

    /// Opens the file and takes its lock. While that was waited for, the file may have been replaced by a shorter
    /// one ([`crate::sessions::compacting`]); then the new one is taken.
    pub(in crate::sessions) fn open_locked(&self) -> io::Result<File> {
        loop {
            let file = regular::write(&self.path)?;
            regular::lock(&file, &self.path)?;
            let held = file.metadata()?;
            match std::fs::symlink_metadata(&self.path) {
                Ok(there) if (there.dev(), there.ino()) != (held.dev(), held.ino()) => {}
                _ => return Ok(file),
            }
        }
    }

    /// The last entry, and what must be written before the next line: an end for a last line without one. A torn
    /// line stays, as it may hold the only copy of what was said; only a torn header is cut.
    fn end_tail(&self, file: &File) -> io::Result<(Parent, String)> {
        cut_zeros(file)?;
        let (mut before, mut is_last) = (String::new(), true);
        for found in Backwards::new(file)? {
            let Line { start, bytes, size, whole } = found?;
            let read = line::after_zeros(&bytes);
            let is_object = json::is_whole(read) && read.trim_ascii_start().starts_with(b"{");
            if !whole && !is_object && start == 0 && begins_header(&bytes) {
                file.set_len(0)?;
                break;
            }
            if !whole {
                before.push('\n');
            }
            if std::mem::take(&mut is_last) && !is_object {
                log::warn!(target: "gateway/store",
                    "the last line of transcript {}, {size} bytes, is no entry (torn?); it stays there and is passed over",
                    self.path.display());
            }
            if let Some(link) = line::outline::<Link>(&bytes).filter(|link| link.kind != "session") {
                return Ok((link.id.map_or(Parent::Before, Parent::Entry), before));
            }
        }
        Ok((Parent::Root, before))
    }

    fn header(&self) -> String {
        let mut header = json!({
            "type": "session", "version": 3, "id": self.id,
            "timestamp": clock::iso(clock::now_ms()), "cwd": self.cwd.to_string_lossy(),
        });
        if let (Some(map), Some(key)) = (header.as_object_mut(), &self.key) {
            map.put("sessionKey", key.as_str());
        }
        format!("{header}\n")
    }

    pub(in crate::sessions) fn sync_dir(&self) -> Result<()> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        quirks::sync_dir(dir).map_err(|e| self.error("sync the directory of", e))
    }

    /// Renames the file to `<file>.<why>.<time>` (`why` is `deleted`); `None` when there is no file.
    pub fn archive(&self, why: &str) -> Result<Option<PathBuf>> {
        let target = self.archive_path(why);
        match std::fs::rename(&self.path, &target) {
            Ok(()) => Ok(Some(target)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.error("archive", e)),
        }
    }

    /// `<file>.<why>.<time>`, beside the file.
    pub(in crate::sessions) fn archive_path(&self, why: &str) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{why}.{}", clock::iso(clock::now_ms()).replace(':', "-")));
        self.path.with_file_name(name)
    }

    pub(in crate::sessions) fn error(&self, doing: &str, e: io::Error) -> Error {
        let passes = matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::WouldBlock);
        let error = Error::io(format_args!("{doing} transcript {}", self.path.display()), e);
        if passes { error.retry_in(Duration::from_secs(5)) } else { error }
    }
}

/// An entry's `type`, or nothing.
pub(in crate::sessions) fn kind(entry: &Value) -> &str {
    entry.get("type").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
#[path = "transcript_tests.rs"]
mod tests;
