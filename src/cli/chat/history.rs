//! What was said before, for Up and Ctrl-R: a file of the state directory that only its owner reads.
//!
//! A line of the file is a message as JSON text, the newest last. What begins with a blank is not kept, so that a secret
//! can be said without leaving it there. Chats at several terminals add to the file, each on its own; whoever starts
//! shortens it when it has grown to twice its size.
use crate::error::{Error, Result};
use crate::files;
use crate::json;
use crate::parts::Parts;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub const FILE: &str = "chat-history.jsonl";
const MOST: usize = 500;
/// A longer message is not kept.
const LONGEST: usize = 16 << 10;
/// Bytes that are read of a file that others may have written.
const MOST_BYTES: u64 = 4 << 20;

pub struct History {
    path: PathBuf,
    entries: Vec<String>,
    /// Which is shown; behind the last one it is what was being typed.
    at: usize,
    draft: String,
}

impl History {
    pub fn load(state_dir: &Path) -> History {
        let path = state_dir.join(FILE);
        // One that is not there, or cannot be read, holds nothing.
        let text = files::read_end(&path, MOST_BYTES).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines = text.lines().filter_map(|line| json::read_as::<String>(line, 1, 1).ok());
        let mut entries: Vec<String> = lines.filter(|entry| !entry.trim().is_empty()).collect();
        let is_long = entries.len() > 2 * MOST;
        entries.drain(..entries.len().saturating_sub(MOST));
        let history = History { path, at: entries.len(), entries, draft: String::new() };
        if is_long {
            let all: String = history.entries.iter().filter_map(|entry| line_of(entry).ok()).collect();
            // It is shortened another time.
            let _ = files::write_atomic(&history.path, all.as_bytes());
        }
        history
    }

    /// Keeps a message that was sent.
    pub fn add(&mut self, text: &str) -> Result<()> {
        let is_kept = !text.starts_with(' ') && !text.trim().is_empty() && text.len() <= LONGEST;
        let is_new = self.entries.last().is_none_or(|last| last != text);
        if is_kept && is_new {
            self.entries.push(text.to_string());
        }
        self.at = self.entries.len();
        if !is_kept || !is_new {
            return Ok(());
        }
        let failed = |e| Error::io(format_args!("write {}", self.path.display()), e);
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        file.open(&self.path).and_then(|mut file| file.write_all(line_of(text)?.as_bytes())).map_err(failed)
    }

    /// The one before, or behind, what is shown; `now` is what stands in the line.
    pub fn go(&mut self, is_down: bool, now: &str) -> Option<&str> {
        let to = if is_down { self.at.checked_add(1) } else { self.at.checked_sub(1) };
        let to = to.filter(|to| *to <= self.entries.len())?;
        if self.at == self.entries.len() {
            self.draft = now.to_string();
        }
        self.at = to;
        Some(self.entries.get(to).map_or(&self.draft, String::as_str))
    }

    /// From the beginning again.
    pub fn rewind(&mut self) {
        self.at = self.entries.len();
    }

    /// The newest before the place `before` that holds `what`, and its place.
    pub fn find(&self, what: &str, before: usize) -> Option<(usize, &str)> {
        let end = before.min(self.entries.len());
        let what = what.to_lowercase();
        let found = self.entries.head(end).iter().rposition(|entry| entry.to_lowercase().contains(&what))?;
        Some((found, self.entries.get(found)?))
    }
}

fn line_of(text: &str) -> std::io::Result<String> {
    Ok(serde_json::to_string(text)? + "\n")
}
