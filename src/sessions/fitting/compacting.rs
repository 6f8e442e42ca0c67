//! Cutting a transcript's file to its newest entries: the work of `sessions.compact`. The store thread runs it.
//!
//! The model's own compaction, which loses less, is `agent/compact.rs`.
use crate::error::Result;
use crate::files::{quirks, regular};
use crate::json::Put;
use crate::parts::Parts;
use crate::sessions::lines::Backwards;
use crate::sessions::transcript::{Header, Transcript};
use crate::sessions::{line, message};
use serde::Deserialize;
use serde_json::Value;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The header line is read from this many bytes.
const HEAD: usize = 64 * 1024;

/// What became of a transcript.
#[derive(Debug, PartialEq, Eq)]
pub enum Cut {
    /// There is no file.
    Missing,
    /// It has that many entries, not more than were to be kept.
    Short {
        kept: usize,
    },
    Done {
        kept: usize,
        archived: PathBuf,
    },
}

impl Transcript {
    /// Keeps the header and the last `max` entries; more when the first of them would be the result of a tool call
    /// that is cut away. The old file stays as `<file>.bak.<time>`; at every moment one of them has the name.
    pub fn keep_last(&self, max: usize) -> Result<Cut> {
        if !self.path().exists() {
            return Ok(Cut::Missing);
        }
        let failed = |e| self.error("shorten", e);
        let file = self.open_locked().map_err(failed)?;
        let tail = Tail::find(&file, max.max(1)).map_err(failed)?;
        let Some(first) = tail.first.filter(|_| tail.is_cut) else {
            return Ok(Cut::Short { kept: tail.kept });
        };
        let header = header_line(&file).map_err(failed)?;
        let archived = self.archive_path("bak");
        keep_as(self.path(), &archived).map_err(|e| self.error("archive", e))?;
        let temp = self.path().with_extension("jsonl.cut.tmp");
        let written = regular::write(&temp).and_then(|mut out| {
            out.set_len(0)?;
            out.write_all(&header)?;
            out.write_all(&first)?;
            copy_from(&file, tail.rest, &mut out)?;
            quirks::sync(&out)
        });
        if let Err(e) = written.and_then(|()| std::fs::rename(&temp, self.path())) {
            // The write's own error counts; the transcript is as it was, and needs no second name.
            let _ = std::fs::remove_file(&temp).and_then(|()| std::fs::remove_file(&archived));
            return Err(failed(e));
        }
        self.sync_dir()?;
        Ok(Cut::Done { kept: tail.kept, archived })
    }
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

/// The part to keep.
struct Tail {
    kept: usize,
    /// Whether there are entries before it.
    is_cut: bool,
    /// Its first line, made a root.
    first: Option<Vec<u8>>,
    /// Where the lines after the first begin.
    rest: u64,
}

impl Tail {
    fn find(file: &File, max: usize) -> io::Result<Tail> {
        let mut tail = Tail { kept: 0, is_cut: false, first: None, rest: 0 };
        let mut is_complete = false;
        for found in Backwards::new(file)? {
            let found = found?;
            match line::outline::<Kind>(&found.bytes) {
                Some(entry) if entry.kind != "session" => {}
                _ => continue,
            }
            if is_complete {
                tail.is_cut = true;
                break;
            }
            tail.kept += 1;
            if tail.kept < max {
                continue;
            }
            let Some(mut entry) = line::value(&found.bytes) else { continue };
            is_complete = entry.get("message").map(message::role) != Some("toolResult");
            if let Some(members) = entry.as_object_mut() {
                members.put("parentId", Value::Null);
            }
            tail.first = Some(format!("{entry}\n").into_bytes());
            tail.rest = found.start + found.bytes.len() as u64 + u64::from(found.whole);
        }
        Ok(tail)
    }
}

/// The header with its line end; empty when the file has none.
fn header_line(file: &File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEAD];
    let read = file.read_at(&mut head, 0)?;
    head.truncate(read);
    let end = head.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
    head.truncate(end);
    Ok(if Header::parse(&head).is_some() { head } else { Vec::new() })
}

/// Gives the file a second name; on file systems without such names it is copied.
fn keep_as(path: &Path, name: &Path) -> io::Result<()> {
    std::fs::hard_link(path, name).or_else(|_| std::fs::copy(path, name).map(drop))
}

fn copy_from(file: &File, mut at: u64, out: &mut File) -> io::Result<()> {
    let mut block = vec![0; 64 * 1024];
    loop {
        match file.read_at(&mut block, at)? {
            0 => return Ok(()),
            read => {
                out.write_all(block.head(read))?;
                at += read as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::{TestDir, branch, context};
    use serde_json::json;

    fn result(id: &str) -> Value {
        message::tool_result(id, "read", "x", false, 1)
    }

    fn call(id: &str) -> Value {
        let block = json!({"type": "toolCall", "id": id, "name": "read", "arguments": {}});
        json!({"type": "message", "message": {"role": "assistant", "content": [block]}})
    }

    #[test]
    fn the_last_entries_stay_below_the_header_and_the_old_file_is_kept() {
        let dir = TestDir::new();
        let t = Transcript::at(&dir.0, "a").unwrap();
        assert_eq!(t.keep_last(5).unwrap(), Cut::Missing);
        assert!(!t.path().exists());
        let users: Vec<Value> = (0..6).map(|n| message::user_text(&format!("m{n}"), n)).collect();
        t.append(&users).unwrap();
        assert_eq!(t.keep_last(6).unwrap(), Cut::Short { kept: 6 });
        let before = std::fs::read_to_string(t.path()).unwrap();
        let Cut::Done { kept: 2, archived } = t.keep_last(2).unwrap() else { panic!("not cut") };
        assert!(archived.display().to_string().contains("a.jsonl.bak.20"));
        assert_eq!(std::fs::read_to_string(&archived).unwrap(), before);
        let lines: Vec<Value> = std::fs::read_to_string(t.path())
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!((&lines[0]["type"], &lines[0]["id"]), (&json!("session"), &json!("a")));
        assert_eq!((&lines[1]["parentId"], &lines[2]["parentId"]), (&Value::Null, &lines[1]["id"]));
        assert_eq!(lines.len(), 3);
        t.append(&[message::user_text("more", 9)]).unwrap();
        let reach = branch::Reach { tokens: 1000, counted: 0, messages: 2500, images: 0 };
        let shown = context::into_messages(branch::Branch::read(&t, reach).unwrap(), 0);
        let texts: Vec<_> = shown.iter().map(message::text_of).collect();
        assert_eq!(texts, ["m4", "m5", "more"]);
        assert!(
            std::fs::read_dir(&dir.0)
                .unwrap()
                .flatten()
                .all(|f| !f.file_name().to_string_lossy().ends_with("tmp"))
        );
    }

    #[test]
    fn results_are_not_parted_from_their_call() {
        let dir = TestDir::new();
        let entries = [
            message::user_text("q", 1),
            call("a"),
            result("a"),
            result("b"),
            message::injected("done", None, 1),
        ];
        for (max, kept) in [(1, 1), (2, 4), (3, 4), (4, 4), (5, 5)] {
            let t = Transcript::at(&dir.0, &format!("t{max}")).unwrap();
            t.append(&entries).unwrap();
            let cut = t.keep_last(max).unwrap();
            let (Cut::Done { kept: got, .. } | Cut::Short { kept: got }) = cut else { panic!("missing") };
            assert_eq!(got, kept, "{max}");
        }
    }

    #[test]
    fn r_09c_a_torn_end_is_no_entry_of_its_own_afterwards() {
        let dir = TestDir::new();
        let t = Transcript::at(&dir.0, "a").unwrap();
        t.append(&[message::user_text("one", 1), message::user_text("two", 1)]).unwrap();
        let mut text = std::fs::read_to_string(t.path()).unwrap();
        text.push_str("{\"type\":\"mess");
        std::fs::write(t.path(), text).unwrap();
        assert!(matches!(t.keep_last(1).unwrap(), Cut::Done { kept: 1, .. }));
        t.append(&[message::user_text("three", 1)]).unwrap();
        let text = std::fs::read_to_string(t.path()).unwrap();
        let is_torn = |line: &&str| serde_json::from_str::<Value>(line).is_err();
        assert_eq!(text.lines().filter(is_torn).collect::<Vec<_>>(), ["{\"type\":\"mess"], "B2-9: {text}");
        assert!(text.contains("two") && text.contains("three") && !text.contains("one"));
    }
}
