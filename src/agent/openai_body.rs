//! The request body of `openai-completions`: transcript messages in, chat messages out.
//!
//! Pure. Content is a plain string where it can be one, since many local servers take nothing else.
use super::format::text as member;
use super::messages::{Item, arguments, data_url, id, items, own_thinking, parts, text};
use super::openai::REASONING;
use super::provider::{ChatRequest, Provider, Thinking};
use crate::json::{Put, json};
use serde_json::{Map, Value};

/// Builds the body.
pub fn build(p: &Provider, request: &ChatRequest) -> Value {
    let mut messages = Vec::new();
    if !request.system.trim().is_empty() {
        messages.push(json!({"role": "system", "content": request.system}));
    }
    for item in items(request.messages) {
        match item {
            Item::User(message) => {
                messages.extend(user(p, message).map(|content| json!({"role": "user", "content": content})));
            }
            Item::Assistant { message, calls, is_open } => {
                messages.extend(assistant(p, message, &calls, is_open));
                messages.extend(calls.iter().map(|(call, result)| tool(call, result)));
            }
        }
    }
    let mut body = json!({
        "model": p.model,
        "messages": messages,
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    if let Some(map) = body.as_object_mut() {
        options(p, request, map);
    }
    body
}

fn options(p: &Provider, request: &ChatRequest, map: &mut Map<String, Value>) {
    if p.tools && !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            json!({"type": "function", "function": {
                "name": tool.name, "description": tool.description, "parameters": tool.parameters,
            }})
        });
        map.put("tools", tools.collect::<Value>());
    }
    if p.effort && request.thinking != Thinking::Off {
        map.put("reasoning_effort", request.thinking.name());
    }
    if let Some(max) = p.max_tokens {
        map.insert(p.max_tokens_field.to_string(), max.into());
    }
}

fn user(p: &Provider, message: &Value) -> Option<Value> {
    let (words, pictures) = parts(message, p.images);
    if pictures.is_empty() {
        return (!words.is_empty()).then(|| words.into());
    }
    let words = (!words.is_empty()).then(|| json!({"type": "text", "text": words}));
    let pictures =
        pictures.into_iter().map(|p| json!({"type": "image_url", "image_url": {"url": data_url(p)}}));
    Some(words.into_iter().chain(pictures).collect())
}

/// A tool's answer is text only.
fn tool(call: &Value, result: &Value) -> Value {
    let words = parts(result, false).0;
    json!({"role": "tool", "tool_call_id": id(member(call, "id")), "content": words})
}

fn assistant(p: &Provider, message: &Value, calls: &[(&Value, &Value)], is_open: bool) -> Option<Value> {
    let words = text(message, "");
    if words.is_empty() && calls.is_empty() {
        return None;
    }
    let mut map = Map::new();
    map.put("role", "assistant");
    map.put("content", if words.is_empty() { Value::Null } else { words.into() });
    // Within a turn some servers want the reasoning back under the name they sent it by.
    let thinking = if is_open && !calls.is_empty() { own_thinking(p, message) } else { Vec::new() };
    let field = thinking.first().map(|block| member(block, "thinkingSignature")).unwrap_or_default();
    if REASONING.contains(&field) {
        let thoughts: Vec<&str> = thinking.iter().map(|block| member(block, "thinking")).collect();
        map.insert(field.to_string(), thoughts.join("\n").into());
    }
    if !calls.is_empty() {
        let calls = calls.iter().map(|(call, _)| {
            let function = json!({"name": member(call, "name"), "arguments": arguments(call).to_string()});
            json!({"id": id(member(call, "id")), "type": "function", "function": function})
        });
        map.put("tool_calls", calls.collect::<Value>());
    }
    Some(Value::Object(map))
}
