//! Closing a turn that a crash left open: a tool call without a result gets a synthetic error result on disk
//! (R-09d), because models refuse a conversation in which a call is never answered.
use crate::clock;
use crate::error::Result;
use crate::sessions::lines::Backwards;
use crate::sessions::transcript::Transcript;
use crate::sessions::{line, message};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::ops::ControlFlow;

/// What the model is told about a call whose result was lost.
pub const LOST_RESULT: &str = "no result: this tool call was not finished when the conversation went on";

/// The last turn is looked for in this much of the end, in bytes. A call before that is answered in memory only.
const SCAN: usize = 8 << 20;

impl Transcript {
    /// Answers the open tool calls of the last turn; gives the ids of the lines written. Calls further up,
    /// before a user's message, cannot be answered in place any more; [`crate::sessions::context`] does it in memory.
    pub fn repair(&self) -> Result<Vec<String>> {
        if !self.path().exists() {
            return Ok(Vec::new());
        }
        self.append_if(|file| {
            let now = clock::now_ms();
            let open = open_calls(file)?;
            Ok(open.iter().map(|(id, name)| message::tool_result(id, name, LOST_RESULT, true, now)).collect())
        })
    }
}

/// A call that was made.
pub struct Made<'i> {
    pub id: &'i str,
    /// The digest of its result, if it has one and an answer came after that: one that broke off is none, so that it can be
    /// asked for again.
    pub over: Option<u64>,
}

impl Transcript {
    /// Which of these ids are those of calls that were made. They are looked for in the same much of the end.
    pub fn calls_among<'i>(&self, ids: &[&'i str]) -> Result<Vec<Made<'i>>> {
        let ids: HashSet<&str> = ids.iter().copied().collect();
        let (mut found, mut over, mut scanned, mut goes_on) = (Vec::<Made>::new(), HashMap::new(), 0, false);
        self.walk_back(|entry, size| {
            scanned += size;
            let Some(message) = entry.get("message") else { return ControlFlow::Continue(()) };
            for (id, _) in tool_calls(message) {
                if let Some(id) = ids.get(id.as_str()).filter(|id| found.iter().all(|made| made.id != **id)) {
                    found.push(Made { id, over: over.get(id).copied() });
                }
            }
            match message::role(message) {
                "toolResult" if goes_on => {
                    let id = message.get("toolCallId").and_then(Value::as_str);
                    let known = id.and_then(|id| ids.get(id));
                    over.extend(known.map(|id| (*id, message::digest(&message::text_of(message)))));
                }
                "assistant" => goes_on |= !message::is_injected(message) && !is_incomplete(message),
                _ => {}
            }
            match found.len() == ids.len() || scanned > SCAN {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        Ok(found)
    }
}

fn open_calls(file: &File) -> io::Result<Vec<(String, String)>> {
    let mut answered = Vec::new();
    let mut scanned = 0;
    for found in Backwards::new(file)? {
        let bytes = found?.bytes;
        scanned += bytes.len();
        if scanned > SCAN {
            break;
        }
        let Some(mut entry) = line::value(&bytes) else { continue };
        let Some(message) = entry.get_mut("message").map(Value::take) else { continue };
        match message::role(&message) {
            "toolResult" => {
                answered.extend(message.get("toolCallId").and_then(Value::as_str).map(String::from))
            }
            "assistant" if message::is_injected(&message) => {}
            "assistant" if is_incomplete(&message) => return Ok(Vec::new()),
            "assistant" => {
                let mut calls = tool_calls(&message);
                calls.retain(|(id, _)| !answered.contains(id));
                return Ok(calls);
            }
            "user" => return Ok(Vec::new()),
            _ => {}
        }
    }
    Ok(Vec::new())
}

/// Whether an assistant message broke off; it is then not shown to the model, and neither are its calls.
pub(in crate::sessions) fn is_incomplete(message: &Value) -> bool {
    matches!(message.get("stopReason").and_then(Value::as_str), Some("error" | "aborted"))
}

/// Id and name of every tool call in a message.
pub(in crate::sessions) fn tool_calls(message: &Value) -> Vec<(String, String)> {
    let text =
        |block: &Value, name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
    message::blocks(message)
        .iter()
        .filter(|block| text(block, "type") == "toolCall")
        .map(|block| (text(block, "id"), text(block, "name")))
        .filter(|(id, _)| !id.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::TestDir;
    use serde_json::json;

    fn call(ids: &[&str], stop: &str) -> Value {
        let content: Vec<_> = ids
            .iter()
            .map(|id| json!({"type": "toolCall", "id": id, "name": "read", "arguments": {}}))
            .collect();
        json!({"type": "message", "message": {"role": "assistant", "content": content, "stopReason": stop}})
    }

    #[test]
    fn r_09d_open_calls_are_answered_on_disk_once() {
        let dir = TestDir::new();
        let check = |name: &str, entries: &[Value], want: &[&str]| {
            let transcript = Transcript::at(&dir.0, name).unwrap();
            transcript.append(entries).unwrap();
            let ids = transcript.repair().unwrap();
            let tail = transcript.tail(100).unwrap();
            let new: Vec<_> = tail.iter().filter(|e| ids.iter().any(|id| e["id"] == **id)).collect();
            let calls: Vec<_> = new.iter().map(|e| e["message"]["toolCallId"].as_str().unwrap()).collect();
            assert_eq!(calls, want, "{name}");
            for entry in new {
                assert_eq!(
                    (&entry["message"]["isError"], &entry["message"]["toolName"]),
                    (&json!(true), &json!("read"))
                );
            }
            assert_eq!(transcript.repair().unwrap(), Vec::<String>::new(), "{name} again");
        };
        let user = message::user_text("go", 1);
        let result = message::tool_result("a", "read", "x", false, 1);
        check("none", &[user.clone(), message::injected("hi", None, 1)], &[]);
        check("open", &[user.clone(), call(&["a"], "toolUse")], &["a"]);
        check("half", &[user.clone(), call(&["a", "b"], "toolUse"), result.clone()], &["b"]);
        check("done", &[user.clone(), call(&["a"], "toolUse"), result], &[]);
        check("error", &[user.clone(), call(&["a"], "error")], &[]);
        check("aside", &[user.clone(), call(&["a"], "toolUse"), message::injected("hi", None, 1)], &["a"]);
        check("past", &[call(&["a"], "toolUse"), user], &[]);
        assert!(Transcript::at(&dir.0, "missing").unwrap().repair().unwrap().is_empty());
        assert!(!dir.0.join("missing.jsonl").exists());
    }
}
