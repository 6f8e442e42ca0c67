//! The present branch of a transcript: the entries a model may see, from the newest one back along `parentId` to
//! where the newest compaction begins, to the root, or to the budget. Runs on the run's thread; changes nothing.
//!
//! Only what is used is kept in memory. Lines of other branches are searched for one id and not parsed. An entry whose
//! parent is not before it in the file (itself, a later one, none that is there) follows the line before it.
use crate::error::Result;
use crate::logging::warn_once;
use crate::parts::first;
use crate::sessions::line::{Line, Usage, to_message};
use crate::sessions::repair::is_incomplete;
use crate::sessions::transcript::Transcript;
use crate::sessions::{estimate, message, shorten};
use serde_json::Value;
use std::ops::ControlFlow;

/// How much is searched for a compaction when the budget ended before one was found, in bytes.
const SUMMARY_SCAN: usize = 1 << 20;

/// How often a parent that is nowhere before its entry is put up with; each costs another look through the file.
const MAX_GAPS: usize = 16;

/// An older message is cut to this part of what is read, so that it does not take the place of all others.
const SHARE: u64 = 4;

/// An id is looked for in this much of both ends of a line beside its own length, in bytes.
const EDGE: usize = 256;

/// How far back to read.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    /// Estimated tokens to read; the newest message, with its tool call, is there whatever its size. Messages before
    /// the newest question are cut where they alone would take much of it.
    pub tokens: u64,
    /// When the server's own count shows that all takes at most this, twice as many estimated tokens are read.
    pub counted: u64,
    /// Messages to read at most, which bounds the time that many short ones take.
    pub messages: usize,
    /// Bytes of images to keep; in place of older ones stands a note.
    pub images: usize,
}

/// One message and what is known of it.
#[derive(Debug, Clone)]
pub struct Item {
    pub id: String,
    /// Lines from the end of the file on.
    pub at: usize,
    pub message: Value,
    pub tokens: u64,
}

#[derive(Debug, Default)]
pub struct Branch {
    /// Oldest first.
    pub items: Vec<Item>,
    /// The newest compaction's summary.
    pub summary: Option<String>,
    /// False when older messages were left unread.
    pub is_whole: bool,
    /// Estimate of all items, in tokens.
    pub tokens: u64,
    /// Estimate of the items that are newer than the summary.
    pub since_summary: u64,
    /// Tokens of all that was sent for the newest answer, by the server's count, and an estimate of what came after.
    pub counted: Option<u64>,
}

impl Branch {
    pub fn read(transcript: &Transcript, reach: Reach) -> Result<Branch> {
        let mut walk = Walk {
            transcript,
            at: 0,
            linked_at: 0,
            reach,
            branch: Branch { is_whole: true, ..Branch::default() },
            parent: None,
            first_kept: None,
            first_line: None,
            searched: None,
            has_call: false,
            has_question: false,
            has_strange: false,
        };
        for _ in 0..MAX_GAPS {
            let done = walk.linked_at;
            let mut is_over = false;
            walk.at = 0;
            transcript.lines_back(|bytes| {
                walk.at += 1;
                let flow = if walk.at > done { walk.line(bytes) } else { ControlFlow::Continue(()) };
                is_over = flow.is_break();
                flow
            })?;
            if is_over || walk.searched.is_some() || walk.parent.take().is_none() {
                break;
            }
        }
        if walk.has_strange {
            let path = transcript.path().display();
            warn_once(
                "gateway/sessions",
                format!(
                    "transcript {path} holds lines that are no entries, they are passed over; to have them read, put each object into one line of its own"
                ),
            );
        }
        let mut branch = walk.branch;
        branch.items.reverse();
        Ok(branch)
    }
}

struct Walk<'a> {
    transcript: &'a Transcript,
    /// Lines seen, from the end of the file on, and how many when the present parent was named.
    at: usize,
    linked_at: usize,
    reach: Reach,
    /// Its items are newest first until the end.
    branch: Branch,
    /// The id of the entry to come next; `None` takes the line before in the file.
    parent: Option<String>,
    /// The first entry that the newest compaction kept.
    first_kept: Option<String>,
    /// The same as lines from the end of the file on.
    first_line: Option<usize>,
    /// Bytes searched for a compaction since the budget ended.
    searched: Option<usize>,
    /// Whether an item is there that is not a tool result, so that the newest ones are whole.
    has_call: bool,
    /// Whether a user's message is there. What the gateway said after the newest one waits for the next one: a
    /// request must not end in it.
    has_question: bool,
    /// Whether a line is there that is no entry.
    has_strange: bool,
}

impl Walk<'_> {
    fn line(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        if let Some(searched) = &mut self.searched {
            *searched += bytes.len();
            let is_over = *searched > SUMMARY_SCAN;
            return if self.search(bytes) || is_over {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            };
        }
        // A line that is too long to be read may be the one.
        if !bytes.is_empty() && self.parent.as_ref().is_some_and(|parent| !mentions(bytes, parent)) {
            return ControlFlow::Continue(());
        }
        let Some(line) = Line::read(bytes) else {
            // A damaged line that names the id is the one; what was before it in the file goes on.
            self.parent = None;
            self.has_strange = true;
            return ControlFlow::Continue(());
        };
        // Entries of the first format have no ids: each follows the one before it in the file.
        let is_next = self.parent.is_none() || self.parent == line.id;
        match (line.kind == "session", is_next) {
            // Some name the conversation as the parent of its first entry.
            (true, true) if self.parent.is_some() => ControlFlow::Break(()),
            (false, true) => self.entry(line),
            _ => ControlFlow::Continue(()),
        }
    }

    fn entry(&mut self, mut line: Line) -> ControlFlow<()> {
        let is_root = line.parent_id == Some(None);
        let id = line.id.take().unwrap_or_default();
        self.parent = line.parent_id.take().flatten().filter(|parent| *parent != id);
        self.linked_at = self.at;
        let is_summary = line.kind == "compaction" && has_summary(&line);
        if is_summary && self.branch.summary.is_none() {
            self.summary(line);
        } else if let Some((message, usage)) = to_message(line)
            && self.push(&id, message, usage).is_break()
        {
            self.branch.is_whole = false;
            if self.branch.summary.is_some() {
                return ControlFlow::Break(());
            }
            self.searched = Some(0);
            return ControlFlow::Continue(());
        }
        let is_first = match self.first_line {
            Some(line) => self.at >= line,
            None => self.first_kept.as_ref().is_none_or(|kept| *kept == id),
        };
        let kept_all = self.branch.summary.is_some() && is_first;
        if is_root || kept_all { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn summary(&mut self, line: Line) {
        self.branch.since_summary = self.branch.tokens;
        self.branch.summary = Some(line.summary.unwrap_or_default());
        self.first_kept = line.first_kept_entry_id.filter(|id| !id.is_empty());
        if self.first_kept.is_none()
            && let Some(index) = line.first_kept_entry_index
        {
            // Counted from the start of the file, which this walk has not seen.
            let lines = self.transcript.count_lines().unwrap_or(0);
            self.first_line = Some(lines.saturating_sub(usize::try_from(index).unwrap_or(usize::MAX)));
        }
    }

    fn push(&mut self, id: &str, mut message: Value, usage: Usage) -> ControlFlow<()> {
        if !self.has_question && message::is_injected(&message) {
            return ControlFlow::Continue(());
        }
        self.limit_images(&mut message);
        let mut tokens = estimate::of_message(&message);
        if self.has_question && tokens > self.reach.tokens / SHARE {
            shorten::message(&mut message, self.reach.tokens / SHARE);
            tokens = estimate::of_message(&message);
        }
        if self.branch.counted.is_none()
            && self.branch.summary.is_none()
            && let Some(counted) = usage.total()
            && !is_incomplete(&message)
        {
            let counted = counted + self.branch.tokens;
            self.branch.counted = Some(counted);
            if counted <= self.reach.counted {
                self.reach.tokens = self.reach.tokens.saturating_mul(2);
            }
        }
        let is_over = self.branch.tokens + tokens > self.reach.tokens;
        if self.has_call && (is_over || self.branch.items.len() >= self.reach.messages) {
            return ControlFlow::Break(());
        }
        self.has_call |= message::role(&message) != "toolResult";
        self.has_question |= message::role(&message) == "user";
        self.branch.tokens += tokens;
        if self.branch.summary.is_none() {
            self.branch.since_summary = self.branch.tokens;
        }
        self.branch.items.push(Item { id: id.into(), at: self.at, message, tokens });
        ControlFlow::Continue(())
    }

    /// Puts a note in the place of each image for which there is no room.
    fn limit_images(&mut self, message: &mut Value) {
        let Some(blocks) = message.get_mut("content").and_then(Value::as_array_mut) else { return };
        for block in blocks.iter_mut().filter(|b| b.get("type").is_some_and(|t| t == "image")) {
            let size = block.get("data").and_then(Value::as_str).map_or(0, str::len);
            match self.reach.images.checked_sub(size) {
                Some(left) => self.reach.images = left,
                None => *block = message::text("[an image, left out here]"),
            }
        }
    }

    /// Whether the line is a compaction; its summary is taken. Its branch cannot be known without reading all.
    fn search(&mut self, bytes: &[u8]) -> bool {
        // Both programs write the type first.
        let is_one = bytes.starts_with(b"{\"type\":\"compaction\"");
        let found = is_one.then(|| Line::read(bytes)).flatten();
        let found = found.filter(|line| line.kind == "compaction" && has_summary(line));
        if let Some(line) = found {
            self.branch.summary = Some(line.summary.unwrap_or_default());
            return true;
        }
        false
    }
}

/// A compaction that says nothing stands in the place of nothing.
fn has_summary(line: &Line) -> bool {
    line.summary.as_ref().is_some_and(|summary| !summary.trim().is_empty())
}

/// Whether a line holds a text near its start or its end, where both programs put ids. Lines can be megabytes long.
pub(in crate::sessions) fn mentions(bytes: &[u8], text: &str) -> bool {
    let edge = EDGE + text.len();
    let (head, tail) = (first(bytes, edge), bytes.get(bytes.len().saturating_sub(edge)..));
    let Some((first, rest)) = text.as_bytes().split_first() else { return true };
    // The size-optimised build makes the library's search many times slower than this.
    let holds = |part: &[u8]| {
        let starts = |(at, byte): (usize, &u8)| {
            byte == first && part.get(at + 1..).is_some_and(|after| after.starts_with(rest))
        };
        part.iter().enumerate().any(starts)
    };
    holds(head) || tail.is_some_and(holds)
}

#[cfg(test)]
#[path = "branch_tests.rs"]
mod tests;
