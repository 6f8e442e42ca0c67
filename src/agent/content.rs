//! The blocks of a complete answer in the transcript's shape.
//!
//! Pure. Thinking keeps what its server wants back; tool calls get ids that tell them apart, and arguments
//! that are no JSON object stay as they were said.
use super::draft::Block;
use super::provider::ToolCall;
use crate::json::{Put, json};
use serde_json::Value;
use std::collections::HashSet;

/// The blocks in the transcript's shape, their text, and the tool calls.
pub fn of(blocks: Vec<Block>) -> (Vec<Value>, String, Vec<ToolCall>) {
    let (mut content, mut all, mut calls) = (Vec::new(), String::new(), Vec::new());
    let mut ids = HashSet::new();
    for block in blocks {
        match block {
            Block::Thinking { text, signature, .. } if text.trim().is_empty() && signature.is_empty() => {}
            Block::Thinking { text, signature, redacted } => {
                content.push(thinking(text, signature, redacted));
            }
            Block::Text(text) => {
                all.push_str(&text);
                content.push(json!({"type": "text", "text": text}));
            }
            Block::Call { id, name, arguments, .. } => {
                // Results are matched by id, so one that is missing or used twice is replaced.
                let id = if id.is_empty() || ids.contains(&id) { new_id(calls.len()) } else { id };
                ids.insert(id.clone());
                let arguments = read_arguments(arguments);
                content.push(json!({"type": "toolCall", "id": id, "name": name, "arguments": arguments}));
                calls.push(ToolCall { id, name, arguments });
            }
        }
    }
    (content, all, calls)
}

fn thinking(text: String, signature: String, redacted: bool) -> Value {
    let mut block = json!({"type": "thinking", "thinking": text});
    if let Some(map) = block.as_object_mut() {
        if !signature.is_empty() {
            map.put("thinkingSignature", signature);
        }
        if redacted {
            map.put("redacted", true);
        }
    }
    block
}

/// An id no other call of the session has.
fn new_id(n: usize) -> String {
    // Without randomness the number keeps the calls of one answer apart.
    format!("call_{}{n}", crate::ids::hex(6).unwrap_or_default())
}

/// What is no JSON object stays the model's own words, so that it can be told about them.
fn read_arguments(text: String) -> Value {
    if text.trim().is_empty() {
        return Value::Object(Default::default());
    }
    serde_json::from_str(&text).ok().filter(Value::is_object).unwrap_or(Value::String(text))
}
