//! Reading transcripts for usage reports: line by line from the start, so that memory does not grow with their
//! length, and no further than a budget of bytes. Runs on the connection's thread.
use crate::clock;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::files::regular;
use crate::sessions::usage::{Cost, Tokens};
use crate::sessions::{entry, line, message};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A longer line, in bytes, is passed over.
const MAX_LINE: usize = 16 << 20;

/// How much one request may still read.
pub struct Budget {
    left: u64,
    pub is_spent: bool,
}

impl Budget {
    pub fn new(bytes: u64) -> Budget {
        Budget { left: bytes, is_spent: false }
    }
}

/// A transcript's file.
#[derive(Debug, Clone)]
pub struct File {
    pub path: PathBuf,
    pub name: String,
    /// Time of the last change, epoch milliseconds.
    pub modified: u64,
}

/// The transcripts of a sessions directory, also those that no session names any more; not those kept aside
/// under `.deleted.`, `.bak.` and the like.
pub fn transcripts(dir: &Path) -> Vec<File> {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let file = |found: std::fs::DirEntry| {
        let name = found.file_name().into_string().ok().filter(|name| entry::is_transcript_name(name))?;
        let meta = found.metadata().ok().filter(|meta| meta.is_file())?;
        let modified = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_millis() as u64;
        Some(File { path: found.path(), name, modified })
    };
    files.filter_map(file).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    User,
    Assistant,
    Tool,
}

/// What one message means for a report.
#[derive(Debug)]
pub struct Message<'a> {
    /// Epoch milliseconds.
    pub at: Option<u64>,
    pub role: Role,
    pub usage: Option<(Tokens, Option<Cost>)>,
    pub provider: Option<&'a str>,
    pub model: Option<&'a str>,
    /// Names of the tools it calls.
    pub tools: Vec<&'a str>,
    pub tool_results: u64,
    pub errors: u64,
    /// How long the model took, where the transcript says it, milliseconds.
    pub took: Option<u64>,
}

impl<'a> Message<'a> {
    /// `None` for entries that are no message of a user, model or tool.
    pub fn of(entry: &'a Value, config: &Config) -> Option<Message<'a>> {
        let message = entry.get("message").filter(|message| message.is_object())?;
        let role = match message.get("role")?.as_str()? {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "toolResult" | "tool" => Role::Tool,
            _ => return None,
        };
        let member = |name: &str| message.get(name).or_else(|| entry.get(name));
        let text = |name: &str| member(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (provider, model) = (text("provider"), text("model"));
        // What a program brought along was answered elsewhere, what the gateway says by itself by no model.
        let is_brought = provider == Some("openclaw") && model == Some(message::BROUGHT);
        let is_asked = !is_brought && !message::is_injected(message);
        let tokens = member("usage").filter(|_| is_asked).and_then(|usage| Some((usage, Tokens::of(usage)?)));
        let usage = tokens.filter(|_| role != Role::Tool).map(|(usage, tokens)| {
            let by_price =
                || Cost::by_price(config, provider.unwrap_or_default(), model.unwrap_or_default(), &tokens);
            (tokens, Cost::of(usage).or_else(by_price))
        });
        let mut found = Message {
            at: time(entry),
            role,
            usage,
            provider,
            model,
            tools: Vec::new(),
            tool_results: 0,
            errors: u64::from(matches!(text("stopReason"), Some("error" | "aborted" | "timeout"))),
            took: member("durationMs").and_then(Value::as_f64).map(|ms| ms.max(0.0) as u64),
        };
        found.look_at_tools(message);
        Some(found)
    }

    fn look_at_tools(&mut self, message: &'a Value) {
        if self.role == Role::Tool {
            self.tool_results += 1;
            self.errors += u64::from(message.get("isError") == Some(&Value::Bool(true)));
            return;
        }
        for block in message.get("content").and_then(Value::as_array).into_iter().flatten() {
            match block.get("type").and_then(Value::as_str).unwrap_or_default() {
                "toolCall" | "toolcall" | "tool_use" | "tool_call" => {
                    self.tools.push(block.get("name").and_then(Value::as_str).unwrap_or("unknown"));
                }
                "tool_result" | "tool_result_error" => {
                    self.tool_results += 1;
                    self.errors += u64::from(block.get("is_error") == Some(&Value::Bool(true)));
                }
                _ => {}
            }
        }
    }
}

/// When an entry was written, else when its message says it was made; epoch milliseconds.
pub fn time(entry: &Value) -> Option<u64> {
    let written = entry.get("timestamp").and_then(Value::as_str).and_then(clock::parse_iso);
    written.or_else(|| entry.get("message")?.get("timestamp")?.as_f64().map(|ms| ms.max(0.0) as u64))
}

/// Calls `each` with the messages of a transcript in file order, as far as the budget goes. What is not JSON is
/// passed over; a missing file has no messages.
pub fn scan(path: &Path, config: &Config, budget: &mut Budget, each: &mut dyn FnMut(Message)) -> Result<()> {
    let failed = |e| Error::io(format_args!("read transcript {}", path.display()), e);
    let Some(file) = regular::read(path).map_err(failed)? else { return Ok(()) };
    lines(BufReader::with_capacity(64 << 10, file), budget, |bytes| {
        if let Some(entry) = line::value(bytes)
            && let Some(message) = Message::of(&entry, config)
        {
            each(message);
        }
    })
    .map_err(failed)
}

fn lines(mut file: impl BufRead, budget: &mut Budget, mut each: impl FnMut(&[u8])) -> std::io::Result<()> {
    let mut line = Vec::new();
    loop {
        if budget.left == 0 {
            budget.is_spent = !file.fill_buf()?.is_empty() || budget.is_spent;
            return Ok(());
        }
        line.clear();
        let most = budget.left.min(MAX_LINE as u64);
        let size = file.by_ref().take(most).read_until(b'\n', &mut line)? as u64;
        if size == 0 {
            return Ok(());
        }
        budget.left -= size;
        let is_cut = line.last() != Some(&b'\n') && size == most;
        match is_cut {
            true => skip_line(&mut file, budget)?,
            false => each(&line),
        }
        line.shrink_to(1 << 20);
    }
}

/// Reads on to the line's end, keeping nothing.
fn skip_line(file: &mut impl BufRead, budget: &mut Budget) -> std::io::Result<()> {
    while budget.left > 0 {
        let buffer = file.fill_buf()?;
        let end = buffer.iter().position(|b| *b == b'\n');
        let size = end.map_or(buffer.len(), |end| end + 1);
        file.consume(size);
        budget.left = budget.left.saturating_sub(size as u64);
        if end.is_some() || size == 0 {
            return Ok(());
        }
    }
    budget.is_spent = true;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::TestDir;
    use serde_json::json;

    fn read(text: &[u8], budget: &mut Budget) -> Vec<usize> {
        let mut sizes = Vec::new();
        lines(BufReader::with_capacity(16, text), budget, |line| sizes.push(line.trim_ascii_end().len()))
            .unwrap();
        sizes
    }

    #[test]
    fn lines_come_in_order_and_the_budget_holds() {
        let check = |text: &[u8], bytes: u64, want: &[usize], is_spent: bool| {
            let mut budget = Budget::new(bytes);
            assert_eq!(read(text, &mut budget), want);
            assert_eq!(budget.is_spent, is_spent, "{bytes}");
        };
        check(b"a\nbb\nccc", 100, &[1, 2, 3], false);
        check(b"a\nbb\n", 5, &[1, 2], false);
        check(b"a\nbb\nccc\n", 5, &[1, 2], true);
        check(b"a\nbb\nccc\n", 7, &[1, 2], true);
        check(b"", 0, &[], false);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let mut text = b"a\n".to_vec();
        text.resize(MAX_LINE + 100, b'x');
        text.extend_from_slice(b"\nbb\n");
        assert_eq!(read(&text, &mut Budget::new(1 << 30)), [1, 2]);
    }

    type Read = (Role, Option<u64>, Vec<&'static str>, u64, u64);

    #[test]
    fn messages_are_read_as_reports_need_them() {
        let config = Config::empty();
        let check = |entry: Value, want: Option<Read>| {
            let got = Message::of(&entry, &config);
            let got = got.map(|m| {
                (
                    m.role,
                    m.at,
                    m.tools.iter().map(|t| t.to_string()).collect::<Vec<_>>(),
                    m.tool_results,
                    m.errors,
                )
            });
            let want = want.map(|(r, at, tools, results, errors)| {
                (r, at, tools.iter().map(|t| t.to_string()).collect(), results, errors)
            });
            assert_eq!(got, want, "{entry}");
        };
        check(json!({"type": "session"}), None);
        check(json!({"message": {"role": "system"}}), None);
        check(json!({"message": "x"}), None);
        let calls = json!([{"type": "toolCall", "name": "read"}, {"type": "toolCall", "name": "read"}, {"type": "text"}]);
        check(
            json!({"timestamp": "1970-01-01T00:00:01.000Z", "message": {"role": "assistant", "content": calls, "stopReason": "toolUse"}}),
            Some((Role::Assistant, Some(1000), vec!["read", "read"], 0, 0)),
        );
        check(
            json!({"timestamp": "nonsense", "message": {"role": "toolResult", "isError": true, "timestamp": 7}}),
            Some((Role::Tool, Some(7), vec![], 1, 1)),
        );
        check(
            json!({"message": {"role": "assistant", "stopReason": "aborted"}}),
            Some((Role::Assistant, None, vec![], 0, 1)),
        );
        check(
            json!({"message": {"role": "user", "content": "text"}}),
            Some((Role::User, None, vec![], 0, 0)),
        );
        let entry = json!({"message": {"role": "assistant", "provider": "p", "model": "m", "durationMs": 5, "usage": {"input": 1}}});
        let message = Message::of(&entry, &config).unwrap();
        assert_eq!((message.provider, message.took), (Some("p"), Some(5)));
        assert!(message.usage.is_some_and(|(tokens, cost)| tokens.total == 1 && cost.is_none()));
    }

    #[test]
    fn only_regular_transcripts_are_found_and_damage_is_passed_over() {
        let dir = TestDir::new();
        let write = |name: &str, text: &str| std::fs::write(dir.0.join(name), text).unwrap();
        write(
            "a.jsonl",
            "{\"message\":{\"role\":\"user\"}}\nnot json\n\u{0}\n{\"message\":{\"role\":\"assistant\"}}\n{\"message\":{\"ro",
        );
        write("a.jsonl.deleted.2026", "{}");
        write("a.jsonl.reset.2026", "{}");
        write("sessions.json", "{}");
        std::fs::create_dir(dir.0.join("d.jsonl")).unwrap();
        std::os::unix::fs::symlink(dir.0.join("a.jsonl"), dir.0.join("link.jsonl")).unwrap();
        let found = transcripts(&dir.0);
        assert_eq!(found.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["a.jsonl"]);
        let mut roles = Vec::new();
        let mut budget = Budget::new(1000);
        scan(&found[0].path, &Config::empty(), &mut budget, &mut |m| roles.push(m.role)).unwrap();
        assert_eq!(roles, [Role::User, Role::Assistant]);
        scan(&dir.0.join("none.jsonl"), &Config::empty(), &mut budget, &mut |_| panic!()).unwrap();
        assert!(transcripts(&dir.0.join("none")).is_empty());
    }
}
