//! Reading a transcript from its end, so that the newest part of a large one costs no more than its own size.
//!
//! Called by the thread of the run or connection that needs it. No lock is taken; what cannot be parsed is skipped.
use crate::error::Result;
use crate::files::regular;
use crate::sessions::branch::mentions;
use crate::sessions::line;
use crate::sessions::lines::Backwards;
use crate::sessions::transcript::{Transcript, kind};
use serde_json::Value;
use std::ops::ControlFlow;

/// `contains_run` looks at this much of the end, in bytes: results of tools may stand after the message.
const RUN_SCAN: usize = 32 << 20;
/// `tail` stops after this many bytes of lines; `chat.history` sends at most 6 MiB.
const TAIL_BYTES: usize = 8 << 20;

impl Transcript {
    /// Calls `each` with the parsed entries, last one first, and their size in bytes, until it breaks.
    /// A missing file has none; lines that are not JSON objects are skipped.
    pub fn walk_back(&self, mut each: impl FnMut(Value, usize) -> ControlFlow<()>) -> Result<()> {
        self.lines_back(|bytes| match line::value(bytes) {
            Some(entry) => each(entry, bytes.len()),
            None => ControlFlow::Continue(()),
        })
    }

    /// The same over lines that are not parsed.
    pub(in crate::sessions) fn lines_back(
        &self,
        mut each: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        let failed = |e| self.error("read", e);
        let Some(file) = regular::read(self.path()).map_err(failed)? else { return Ok(()) };
        for line in Backwards::new(&file).map_err(failed)? {
            if each(&line.map_err(failed)?.bytes).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// How many lines there are, empty ones left out.
    pub fn count_lines(&self) -> Result<usize> {
        let mut count = 0;
        self.lines_back(|_| {
            count += 1;
            ControlFlow::Continue(())
        })?;
        Ok(count)
    }

    /// The last entries in file order, from the one on which makes `limit` messages (compactions count).
    pub fn tail(&self, limit: usize) -> Result<Vec<Value>> {
        let mut entries = Vec::new();
        let (mut messages, mut bytes) = (0, 0);
        self.walk_back(|entry, size| {
            if messages >= limit || bytes > TAIL_BYTES {
                return ControlFlow::Break(());
            }
            bytes += size;
            if matches!(kind(&entry), "message" | "compaction") {
                messages += 1;
            }
            entries.push(entry);
            ControlFlow::Continue(())
        })?;
        entries.reverse();
        Ok(entries)
    }

    /// Whether an entry of that run, which begins with its user message, is among the last 32 MiB.
    pub fn contains_run(&self, run_id: &str) -> Result<bool> {
        let (mut found, mut scanned) = (false, 0);
        let member = format!("\"runId\":{}", Value::from(run_id));
        self.lines_back(|bytes| {
            // Only a line that seems to be one is parsed: a text may quote it.
            let entry = mentions(bytes, &member).then(|| line::value(bytes)).flatten();
            found = entry.is_some_and(|e| e.get("runId").and_then(Value::as_str) == Some(run_id));
            scanned += bytes.len();
            if found || scanned > RUN_SCAN { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(found)
    }
}
