//! The messages a model gets to see: the newest part of a transcript's present branch that fits a budget,
//! with a compaction's summary in front and every tool call answered. Reads from the end; changes nothing.
use super::message;
use super::repair::{LOST_RESULT, is_incomplete, tool_calls};
use super::transcript::{Transcript, kind};
use crate::error::Result;
use serde_json::Value;
use std::collections::VecDeque;
use std::ops::ControlFlow;

/// The conversation for a model, at most about `budget` bytes of JSON: a summary and the newest message are
/// there whatever their size. Messages have the transcript's shape (`role`, `content` blocks).
pub fn for_model(transcript: &Transcript, budget: usize) -> Result<Vec<Value>> {
    let mut branch = Branch { budget, ..Branch::default() };
    transcript.walk_back(|entry, size| branch.visit(entry, size))?;
    let mut messages = answered(branch.messages);
    let first = messages.iter().position(|m| message::role(m) != "toolResult").unwrap_or(messages.len());
    messages.drain(..first);
    if let Some(summary) = branch.summary.filter(|s| !s.is_empty()) {
        messages.insert(0, summary_message("The conversation so far, in summary", &summary));
    }
    Ok(messages)
}

/// A walk from the last entry to the root along `parentId`. Entries of other branches are left out.
#[derive(Default)]
struct Branch {
    budget: usize,
    used: usize,
    messages: VecDeque<Value>,
    /// The entry to come next; `None` takes the one before in the file.
    parent: Option<String>,
    summary: Option<String>,
    /// The first entry that the newest compaction kept.
    first_kept: Option<String>,
}

impl Branch {
    fn visit(&mut self, mut entry: Value, size: usize) -> ControlFlow<()> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_string);
        let Some(id) = text("id").filter(|_| kind(&entry) != "session") else {
            return ControlFlow::Continue(());
        };
        if self.parent.as_ref().is_some_and(|parent| *parent != id) {
            return ControlFlow::Continue(());
        }
        self.parent = text("parentId");
        let is_root = entry.get("parentId").is_some_and(Value::is_null);
        if kind(&entry) == "compaction" && self.summary.is_none() {
            self.summary = text("summary").or_else(|| Some(String::new()));
            self.first_kept = text("firstKeptEntryId");
        } else if let Some(message) = to_message(&mut entry) {
            if !self.messages.is_empty() && self.used + size > self.budget {
                return ControlFlow::Break(());
            }
            self.used += size;
            self.messages.push_front(message);
        }
        let is_end =
            is_root || (self.summary.is_some() && self.first_kept.as_ref().is_none_or(|kept| *kept == id));
        if is_end { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// What an entry says to the model, if anything.
fn to_message(entry: &mut Value) -> Option<Value> {
    match kind(entry) {
        "message" => {
            let message = entry.get_mut("message").map(Value::take)?;
            matches!(message::role(&message), "user" | "assistant" | "toolResult").then_some(message)
        }
        "custom_message" => {
            Some(serde_json::json!({"role": "user", "content": entry.get_mut("content")?.take()}))
        }
        "branch_summary" => Some(summary_message(
            "Another line of this conversation, in summary",
            entry.get("summary")?.as_str()?,
        )),
        _ => None,
    }
}

fn summary_message(what: &str, summary: &str) -> Value {
    serde_json::json!({"role": "user", "content": [message::text(&format!("[{what}]\n{summary}"))]})
}

/// The messages with every tool call answered right after it and no result without its call; answers that
/// broke off or say nothing are left out.
fn answered(messages: VecDeque<Value>) -> Vec<Value> {
    let mut out = Vec::with_capacity(messages.len());
    let mut open: Vec<(String, String)> = Vec::new();
    for message in messages {
        match message::role(&message) {
            "toolResult" => {
                let id = message.get("toolCallId").and_then(Value::as_str).unwrap_or_default();
                if let Some(at) = open.iter().position(|(call, _)| call == id) {
                    open.remove(at);
                    out.push(message);
                }
            }
            "assistant" if is_incomplete(&message) || is_blank(&message) => {}
            _ => {
                close(&mut open, &mut out);
                open = tool_calls(&message);
                out.push(message);
            }
        }
    }
    close(&mut open, &mut out);
    out
}

fn close(open: &mut Vec<(String, String)>, out: &mut Vec<Value>) {
    for (id, name) in open.drain(..) {
        let mut entry = message::tool_result(&id, &name, LOST_RESULT, true, 0);
        out.extend(entry.get_mut("message").map(Value::take));
    }
}

fn is_blank(message: &Value) -> bool {
    message::blocks(message).is_empty() && message::text_of(message).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::TestDir;
    use serde_json::json;

    fn call(id: &str) -> Value {
        let block = json!({"type": "toolCall", "id": id, "name": "read", "arguments": {}});
        json!({"type": "message", "message": {"role": "assistant", "content": [block]}})
    }

    fn shown(transcript: &Transcript, budget: usize) -> Vec<String> {
        let short = |m: &Value| match message::role(m) {
            "toolResult" => format!("result {}", m["toolCallId"].as_str().unwrap()),
            "assistant" if !tool_calls(m).is_empty() => format!("call {}", tool_calls(m)[0].0),
            role => format!("{role} {}", message::text_of(m)),
        };
        for_model(transcript, budget).unwrap().iter().map(short).collect()
    }

    #[test]
    fn the_newest_messages_fit_the_budget_and_calls_are_answered() {
        let dir = TestDir::new();
        let t = Transcript::at(&dir.0, "a").unwrap();
        assert!(shown(&t, 1000).is_empty());
        t.append(&[
            message::user_text("one", 1),
            call("c1"),
            message::tool_result("c1", "read", "r", false, 1),
        ])
        .unwrap();
        t.append(&[
            message::tool_result("zz", "read", "orphan", false, 1),
            call("c2"),
            message::user_text("two", 1),
        ])
        .unwrap();
        t.append(&[message::injected("ok", None, 1)]).unwrap();
        let all = ["user one", "call c1", "result c1", "call c2", "result c2", "user two", "assistant ok"];
        assert_eq!(shown(&t, 100_000), all);
        // Budgets of every size: never a result in front, always the newest message.
        for budget in 0..2500 {
            let got = shown(&t, budget);
            assert!(!got[0].starts_with("result"), "{budget}: {got:?}");
            assert_eq!(got.last().unwrap(), "assistant ok");
        }
    }

    #[test]
    fn a_compaction_stands_for_what_it_replaced() {
        let dir = TestDir::new();
        let t = Transcript::at(&dir.0, "a").unwrap();
        let ids = t.append(&[message::user_text("old", 1), message::user_text("kept", 1)]).unwrap();
        t.append(&[message::compaction("SUM", &ids[1], 5), message::user_text("new", 1)]).unwrap();
        let want = ["user [The conversation so far, in summary]\nSUM", "user kept", "user new"];
        assert_eq!(shown(&t, 100_000), want);
    }

    #[test]
    fn other_branches_and_broken_answers_are_left_out() {
        let dir = TestDir::new();
        let line = |id: &str, parent: Value, text: &str| {
            let mut entry = message::user_text(text, 1);
            entry["id"] = id.into();
            entry["parentId"] = parent;
            entry.to_string()
        };
        let mut legacy: Value = serde_json::from_str(&line("e4", Value::Null, "d")).unwrap();
        legacy.as_object_mut().unwrap().remove("parentId");
        let lines = [
            line("e1", Value::Null, "a"),
            line("e2", "e1".into(), "lost branch"),
            line("e3", "e1".into(), "c"),
            legacy.to_string(),
        ];
        let t = Transcript::at(&dir.0, "a").unwrap();
        std::fs::write(t.path(), format!("{}\n", lines.join("\n"))).unwrap();
        assert_eq!(shown(&t, 100_000), ["user a", "user c", "user d"]);
        let failed =
            message::Assistant { stop_reason: "error", error_message: Some("x"), ..Default::default() };
        t.append(&[message::assistant(failed, 1)]).unwrap();
        assert_eq!(shown(&t, 100_000), ["user a", "user c", "user d"]);
    }
}
