//! The blocks of a complete answer in the transcript's shape.
//!
//! Pure. Thinking and tool calls keep what their server wants back; calls get ids that tell them apart, and
//! arguments that are no JSON object, or too much of one, stay text.
use crate::json::{self, Put, json};
use crate::models::called::Call;
use crate::models::draft::Block;
use crate::models::halves::joined;
use crate::models::provider::ToolCall;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::HashSet;

/// The longest arguments of a call that are read, in bytes.
pub const MAX_ARGUMENTS: usize = 256 << 10;
/// The most values in the arguments of all calls of an answer, and so in those that are read again: each costs 72
/// bytes there.
pub const MAX_VALUES: usize = 10_000;
/// How deep they may be nested.
pub const MAX_DEPTH: usize = 64;

/// Arguments as an object; `None` when they are none, or larger than what is taken.
pub fn read_object(text: &str, most_values: usize) -> Option<Value> {
    let text = Some(text).filter(|text| text.len() <= MAX_ARGUMENTS)?;
    let read = |text: &str| json::read_loose(text, most_values.min(MAX_VALUES), MAX_DEPTH).ok();
    // Some servers write what is text already as text once more, and nothing as the word for it.
    let value = match read(text)? {
        Value::String(text) => read(&text)?,
        Value::Null => Value::Object(serde_json::Map::new()),
        value => value,
    };
    Some(value).filter(Value::is_object)
}

/// The blocks in the transcript's shape, and the tool calls. Steps of the server's own are kept of an answer that it paused.
pub fn of(blocks: Vec<Block>, details: Vec<Value>, is_paused: bool) -> (Vec<Value>, Vec<ToolCall>) {
    let (mut content, mut calls) = (Vec::new(), Vec::new());
    let (mut ids, mut values) = (HashSet::new(), MAX_VALUES);
    for block in blocks {
        match block {
            Block::Thinking { text, signature, .. } if text.trim().is_empty() && signature.is_empty() => {}
            Block::Thinking { text, signature, redacted } => {
                content.push(thinking(text, signature, redacted));
            }
            Block::Text(text) if text.is_empty() => {}
            Block::Server { mut block, input } if is_paused => {
                let asked = Some(input).filter(|input| !input.is_empty());
                if let Some(asked) = asked.and_then(|input| read_object(&input, values)) {
                    values = values.saturating_sub(count(&asked));
                    block.as_object_mut().into_iter().for_each(|map| map.put("input", asked.clone()));
                }
                content.push(block);
            }
            Block::Server { .. } => {}
            Block::Text(text) => {
                let mut block = json!({"type": "text"});
                if let Some(map) = block.as_object_mut() {
                    map.put("text", text);
                }
                content.push(block);
            }
            Block::Call(Call { id, name, arguments, extra, .. }) => {
                let (id, name) = (joined(&id).into_owned(), joined(&name).into_owned());
                // Results are matched by id, so one that is missing or used twice is replaced.
                let id = if id.is_empty() || ids.contains(&id) { new_id(calls.len()) } else { id };
                ids.insert(id.clone());
                let arguments = read_arguments(arguments, &mut values);
                let mut block = json!({"type": "toolCall", "id": id, "name": name, "arguments": arguments});
                if let Some(map) = block.as_object_mut().filter(|_| !extra.is_empty()) {
                    map.put("extra", whole(extra));
                }
                content.push(block);
                calls.push(ToolCall { id, name, arguments });
            }
        }
    }
    if !details.is_empty() {
        keep_details(&mut content, details);
    }
    (content, calls)
}

/// Proofs that stand beside the answer go to its first block of thinking.
fn keep_details(content: &mut Vec<Value>, details: Vec<Value>) {
    let place = content.iter().position(|block| block.get("type").is_some_and(|t| t == "thinking"));
    if place.is_none() {
        content.insert(0, thinking(String::new(), String::new(), false));
    }
    if let Some(map) = content.get_mut(place.unwrap_or(0)).and_then(Value::as_object_mut) {
        map.put("reasoningDetails", details);
    }
}

fn thinking(text: String, signature: String, redacted: bool) -> Value {
    let signature = joined(&signature).into_owned();
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

/// Members with whole characters only.
fn whole(extra: Map<String, Value>) -> Value {
    let extra = Value::Object(extra);
    let text = extra.to_string();
    match crate::models::halves::has_any(&text) {
        true => json::read(joined(&text).as_bytes(), MAX_VALUES, MAX_DEPTH).unwrap_or(extra),
        false => extra,
    }
}

/// What is no JSON object stays the model's own words, so that it can be told about them.
fn read_arguments(text: String, values: &mut usize) -> Value {
    if text.trim().is_empty() {
        return Value::Object(Default::default());
    }
    // Not copied where nothing is to be joined: it may be long.
    let joined = match joined(&text) {
        Cow::Owned(joined) => Some(joined),
        Cow::Borrowed(_) => None,
    };
    let text = joined.unwrap_or(text);
    let Some(object) = read_object(&text, *values) else { return Value::String(text) };
    *values = values.saturating_sub(count(&object));
    object
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum::<usize>(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}
