//! The request body of `openai-completions`: transcript messages in, chat messages out.
//!
//! Pure. Leaves out what the server would refuse: thinking blocks, empty assistant turns, tool calls
//! without a result and results without a call (both are left behind by an aborted run).
use super::provider::{ChatRequest, Provider};
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// Builds the body.
pub fn build(p: &Provider, request: &ChatRequest) -> Value {
    let mut messages = Vec::new();
    if !request.system.trim().is_empty() {
        messages.push(json!({"role": "system", "content": request.system}));
    }
    let ids = Ids::of(request.messages);
    messages.extend(request.messages.iter().filter_map(|m| message(p, m, &ids)));
    let mut body = json!({
        "model": p.model,
        "messages": messages,
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    if let (Some(max), Some(map)) = (p.max_tokens, body.as_object_mut()) {
        map.insert(p.max_tokens_field.to_string(), max.into());
    }
    body
}

/// The tool call ids that have both a call and a result.
struct Ids<'a>(HashSet<&'a str>);

impl<'a> Ids<'a> {
    fn of(messages: &'a [Value]) -> Ids<'a> {
        let called: HashSet<&str> =
            messages.iter().filter(|m| role(m) == "assistant").flat_map(blocks).filter_map(call_id).collect();
        let answered = messages.iter().filter(|m| role(m) == "toolResult").map(|m| text_of(m, "toolCallId"));
        Ids(answered.filter(|id| called.contains(id)).collect())
    }
}

fn call_id(block: &Value) -> Option<&str> {
    (text_of(block, "type") == "toolCall").then(|| text_of(block, "id"))
}

fn role(message: &Value) -> &str {
    text_of(message, "role")
}

fn text_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn blocks(message: &Value) -> impl Iterator<Item = &Value> {
    message.get("content").and_then(Value::as_array).into_iter().flatten()
}

fn message(p: &Provider, message: &Value, ids: &Ids) -> Option<Value> {
    match role(message) {
        "user" => Some(json!({"role": "user", "content": user_content(p, message)?})),
        "assistant" => assistant(message, ids),
        "toolResult" => {
            let id = text_of(message, "toolCallId");
            ids.0
                .contains(id)
                .then(|| json!({"role": "tool", "tool_call_id": id, "content": text(message, "\n")}))
        }
        _ => None,
    }
}

/// A plain string where it can be one, since many local servers take nothing else.
fn user_content(p: &Provider, message: &Value) -> Option<Value> {
    let images: Vec<&Value> = blocks(message).filter(|b| text_of(b, "type") == "image").collect();
    let mut words = text(message, "\n");
    if !images.is_empty() && !p.images {
        words.push_str("\n[a picture was left out: this model takes text only]");
    }
    if images.is_empty() || !p.images {
        return (!words.is_empty()).then(|| words.into());
    }
    let mut parts = Vec::new();
    if !words.is_empty() {
        parts.push(json!({"type": "text", "text": words}));
    }
    parts.extend(images.into_iter().map(|image| {
        let url = format!("data:{};base64,{}", text_of(image, "mimeType"), text_of(image, "data"));
        json!({"type": "image_url", "image_url": {"url": url}})
    }));
    Some(Value::Array(parts))
}

fn assistant(message: &Value, ids: &Ids) -> Option<Value> {
    let words = text(message, "");
    let calls: Vec<Value> = blocks(message).filter(|b| call_id(b).is_some_and(|id| ids.0.contains(id))).map(|call| {
        let arguments = call.get("arguments").map_or_else(|| "{}".to_string(), |a| match a {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        json!({"id": text_of(call, "id"), "type": "function", "function": {"name": text_of(call, "name"), "arguments": arguments}})
    }).collect();
    if words.is_empty() && calls.is_empty() {
        return None;
    }
    let mut map = Map::new();
    map.insert("role".into(), "assistant".into());
    map.insert("content".into(), if words.is_empty() { Value::Null } else { words.into() });
    if !calls.is_empty() {
        map.insert("tool_calls".into(), calls.into());
    }
    Some(Value::Object(map))
}

/// The text blocks of a message, or its content where that is a string.
pub fn text(message: &Value, between: &str) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        _ => {
            let texts = blocks(message).filter(|b| text_of(b, "type") == "text").map(|b| text_of(b, "text"));
            texts.filter(|t| !t.is_empty()).collect::<Vec<_>>().join(between)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::provider::Thinking;

    fn messages(p: &Provider, messages: Value) -> Value {
        let messages: Vec<Value> = messages.as_array().cloned().unwrap();
        build(p, &ChatRequest { system: " ", messages: &messages, tools: &[], thinking: Thinking::Off })["messages"].clone()
    }

    #[test]
    fn transcript_messages_become_chat_messages() {
        let p = Provider::builtin();
        let text = |t: &str| json!({"type": "text", "text": t});
        let call =
            |id: &str| json!({"type": "toolCall", "id": id, "name": "read", "arguments": {"path": "x"}});
        let transcript = json!([
            {"role": "user", "content": "plain"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, text("a"), text("b"), call("c1"), call("orphan")]},
            {"role": "toolResult", "toolCallId": "c1", "toolName": "read", "content": [text("file")]},
            {"role": "toolResult", "toolCallId": "nobody", "content": [text("lost")]},
            {"role": "assistant", "content": [], "stopReason": "error"},
            {"role": "bashExecution", "content": "ls"},
            {"role": "user", "content": [text("one"), text("two")]},
        ]);
        let called = json!([{"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{\"path\":\"x\"}"}}]);
        let want = json!([
            {"role": "user", "content": "plain"},
            {"role": "assistant", "content": "ab", "tool_calls": called},
            {"role": "tool", "tool_call_id": "c1", "content": "file"},
            {"role": "user", "content": "one\ntwo"},
        ]);
        assert_eq!(messages(&p, transcript), want);
    }

    #[test]
    fn pictures_are_sent_or_named_as_left_out() {
        let image = json!({"type": "image", "data": "QUJD", "mimeType": "image/png"});
        let transcript = json!([{"role": "user", "content": [{"type": "text", "text": "see"}, image]}]);
        let mut p = Provider::builtin();
        let content = &messages(&p, transcript.clone())[0]["content"];
        assert_eq!(content[0], json!({"type": "text", "text": "see"}));
        assert_eq!(content[1]["image_url"]["url"], "data:image/png;base64,QUJD");
        p.images = false;
        let content = messages(&p, transcript)[0]["content"].clone();
        assert!(content.as_str().is_some_and(|t| t.starts_with("see\n[a picture was left out")), "{content}");
    }
}
