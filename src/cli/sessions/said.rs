//! A conversation as text: who said what and when, tools in one line each. Pure; messages come in from the last one back.
use crate::clean::one_line;
use crate::clock;
use crate::parts::shortened;
use crate::sessions::{envelope, message, tags};
use serde_json::Value;
use std::collections::HashSet;

/// Of what a tool was called with.
const MOST_OF_CALL: usize = 60;

/// One person's or model's turn to speak.
pub struct Said {
    pub who: &'static str,
    /// The model that said it.
    pub model: String,
    /// Epoch milliseconds; 0 where nobody noted it.
    at: u64,
    pub parts: Vec<Part>,
}

pub enum Part {
    Text(String),
    /// A tool's name, what it was called with, and whether it failed.
    Tool(String, String, bool),
}

/// Reads messages from the last one back.
#[derive(Default)]
pub struct Reader {
    failed: HashSet<String>,
}

impl Reader {
    /// What a message says to people; nothing for results of tools, whose calls tell of them.
    pub fn read(&mut self, message: &Value) -> Option<Said> {
        let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
        let who = match message::role(message) {
            "user" if message::asker(message).is_some() => "Gateway",
            "user" => "You",
            "assistant" => "Agent",
            "system" => "Note",
            _ => {
                if message.get("isError") == Some(&Value::Bool(true)) {
                    self.failed.insert(text("toolCallId").to_string());
                }
                return None;
            }
        };
        let mut parts = Vec::new();
        let said = message.get("content").and_then(Value::as_str).map(str::to_string);
        let said = said.into_iter().map(Part::Text);
        let blocks = message::blocks(message).iter().filter_map(|block| self.part(block));
        for part in said.chain(blocks) {
            match (part, parts.last_mut()) {
                (Part::Text(text), _) if text.trim().is_empty() => {}
                (Part::Text(text), Some(Part::Text(before))) => *before += &format!("\n{text}"),
                (part, _) => parts.push(part),
            }
        }
        for part in &mut parts {
            if let Part::Text(text) = part {
                let said = std::mem::take(text);
                let said = if who == "You" { envelope::own_words(&said) } else { tags::shown(said) };
                *text = said.trim().to_string();
            }
        }
        parts.extend(unfinished(message).map(|why| Part::Text(format!("[{why}]"))));
        let at = message.get("timestamp").and_then(Value::as_u64).unwrap_or_default();
        let model = if message::is_injected(message) { String::new() } else { text("model").to_string() };
        (!parts.is_empty()).then_some(Said { who, model, at, parts })
    }

    fn part(&self, block: &Value) -> Option<Part> {
        let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
        match message::kind_of_block(block) {
            "text" => Some(Part::Text(text("text").to_string())),
            "image" => Some(Part::Text("[image]".to_string())),
            "toolCall" => {
                let is_failed = self.failed.contains(text("id"));
                let called = block.get("arguments").map(arguments).unwrap_or_default();
                Some(Part::Tool(text("name").to_string(), called, is_failed))
            }
            _ => None,
        }
    }
}

/// Why a message is not whole, where it is not.
pub fn unfinished(message: &Value) -> Option<String> {
    let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
    match (text("errorMessage"), text("stopReason")) {
        ("", "error") => Some("failed".to_string()),
        ("", "aborted") => Some("stopped before its end".to_string()),
        ("", "length") => Some("cut: it is as long as the model may answer".to_string()),
        ("", _) => None,
        (error, _) => Some(format!("failed: {error}")),
    }
}

/// What a call was about, in a few words: its first text, else all of it.
fn arguments(arguments: &Value) -> String {
    let map = arguments.as_object();
    let first = map.and_then(|map| map.values().find_map(Value::as_str));
    let all = || match map.is_some_and(|map| !map.is_empty()) {
        true => arguments.to_string(),
        false => String::new(),
    };
    shortened(&one_line(&first.map_or_else(all, str::to_string)), MOST_OF_CALL)
}

impl Said {
    /// `2026-11-30 10:31` in the host's zone.
    pub fn time(&self) -> String {
        match self.at {
            0 => String::new(),
            at => clock::show(&clock::zoned(at, None), "%Y-%m-%d %H:%M"),
        }
    }

    /// As Markdown, under a heading of its own.
    pub fn markdown(&self) -> String {
        let time = self.time();
        let head = [self.who, &time, &self.model].into_iter().filter(|part| !part.is_empty());
        let mut text = format!("## {}\n", head.collect::<Vec<_>>().join(" · "));
        let mut after_tool = false;
        for part in &self.parts {
            match part {
                Part::Text(said) => text += &format!("\n{said}\n"),
                Part::Tool(name, called, is_failed) => {
                    let failed = if *is_failed { " (failed)" } else { "" };
                    let lead = if after_tool { "" } else { "\n" };
                    text += format!("{lead}- `{name}` {called}").trim_end_matches(' ');
                    text += &format!("{failed}\n");
                }
            }
            after_tool = matches!(part, Part::Tool(..));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    #[test]
    fn a_conversation_reads_as_text_with_a_line_for_each_tool() {
        let mut reader = Reader::default();
        let call = |id: &str, name: &str| json!({"type": "toolCall", "id": id, "name": name, "arguments": {"n": 1, "path": "a\nb"}});
        let back = [
            json!({"role": "toolResult", "toolCallId": "2", "isError": true, "content": [{"type": "text", "text": "no"}]}),
            json!({"role": "assistant", "model": "m", "timestamp": 0, "content": [{"type": "thinking", "thinking": "hm"},
                {"type": "text", "text": "I look."}, call("1", "read"), call("2", "exec")]}),
            json!({"role": "user", "content": "hi"}),
            json!({"role": "assistant", "content": [{"type": "text", "text": " "}]}),
        ];
        let said: Vec<String> =
            back.iter().filter_map(|message| reader.read(message)).map(|said| said.markdown()).collect();
        let want = ["## Agent · m\n\nI look.\n\n- `read` a b\n- `exec` a b (failed)\n", "## You\n\nhi\n"];
        assert_eq!(said, want);
    }
}
