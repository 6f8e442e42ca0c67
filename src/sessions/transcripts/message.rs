//! The entries that go into a transcript, without id, parent and time, which the append adds; and reading
//! messages in the same shapes. Pure values; times are epoch milliseconds.
use crate::json::{self, Put, json};
use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Token counts of one model answer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub cost: Cost,
}

/// What an answer cost, in the currency of the configured prices; 0 where no price is known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    pub input: f64,
    pub output: f64,
    pub cache_read: f64,
    pub cache_write: f64,
}

impl Usage {
    pub fn total(&self) -> u64 {
        self.input + self.output + self.cache_read + self.cache_write
    }

    /// In the transcript's shape.
    pub fn to_value(self) -> Value {
        let c = self.cost;
        json!({
            "input": self.input, "output": self.output,
            "cacheRead": self.cache_read, "cacheWrite": self.cache_write, "totalTokens": self.total(),
            "cost": {"input": amount(c.input), "output": amount(c.output), "cacheRead": amount(c.cache_read),
                "cacheWrite": amount(c.cache_write), "total": amount(c.total())},
        })
    }
}

impl Cost {
    pub fn total(&self) -> f64 {
        self.input + self.output + self.cache_read + self.cache_write
    }
}

/// Whole amounts as whole numbers, nothing as 0, as the Node gateway writes them.
fn amount(cost: f64) -> Value {
    if cost.fract() == 0.0 && cost.abs() < 1e15 { Value::from(cost as i64) } else { Value::from(cost) }
}

/// An answer of a model.
#[derive(Debug, Clone, Default)]
pub struct Assistant<'a> {
    /// Blocks made by [`text`], `thinking` and `toolCall` blocks.
    pub content: Vec<Value>,
    /// The API family, such as `openai-completions`.
    pub api: &'a str,
    pub provider: &'a str,
    pub model: &'a str,
    pub usage: Usage,
    /// `stop`, `length`, `toolUse`, `error` or `aborted`.
    pub stop_reason: &'a str,
    pub error_message: Option<&'a str>,
}

/// A text block.
pub fn text(text: &str) -> Value {
    words(text.to_string())
}

/// The same of a text that may be large.
pub fn words(text: String) -> Value {
    json::holding(json!({"type": "text"}), "text", text)
}

/// An image block; `data` is base64.
pub fn image(data: &str, mime_type: &str) -> Value {
    json!({"type": "image", "data": data, "mimeType": mime_type})
}

/// A user's message of text and image blocks; the text is already stamped ([`crate::sessions::envelope`]).
pub fn user(content: Vec<Value>, now: u64) -> Value {
    let message =
        json::holding(json!({"role": "user", "content": null, "timestamp": now}), "content", content);
    json::holding(json!({"type": "message"}), "message", message)
}

#[cfg(test)]
pub fn user_text(body: &str, now: u64) -> Value {
    user(vec![text(body)], now)
}

pub fn assistant(answer: Assistant<'_>, now: u64) -> Value {
    let mut message = json!({
        "role": "assistant", "content": null, "api": answer.api, "provider": answer.provider,
        "model": answer.model, "usage": answer.usage.to_value(), "stopReason": answer.stop_reason, "timestamp": now,
    });
    let mut entry = json!({"type": "message"});
    if let (Some(map), Some(entry)) = (message.as_object_mut(), entry.as_object_mut()) {
        // It may be long, so it is moved.
        map.put("content", answer.content);
        if let Some(error) = answer.error_message {
            map.put("errorMessage", error);
        }
        entry.put("message", message);
    }
    entry
}

/// A message the gateway itself puts in the model's mouth: `chat.inject` and replies to commands.
pub fn injected(body: &str, label: Option<&str>, now: u64) -> Value {
    let body = label.map_or_else(|| body.to_string(), |label| format!("[{label}]\n\n{body}"));
    let answer = Assistant {
        content: vec![text(&body)],
        api: "openai-responses",
        provider: "openclaw",
        model: "gateway-injected",
        stop_reason: "stop",
        ..Assistant::default()
    };
    assistant(answer, now)
}

/// The model's name of answers that a program has brought along as a conversation's past.
pub const BROUGHT: &str = "client";

/// Whether a gateway said this, not a model: [`injected`], or the Node gateway's note of what it delivered.
pub fn is_injected(message: &Value) -> bool {
    let is = |name: &str, values: &[&str]| {
        message.get(name).and_then(Value::as_str).is_some_and(|value| values.contains(&value))
    };
    role(message) == "assistant"
        && is("provider", &["openclaw"])
        && is("model", &["gateway-injected", "delivery-mirror"])
}

/// By which two texts are compared of which one is no more at hand.
pub fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

pub fn tool_result(call_id: &str, tool: &str, body: &str, is_error: bool, now: u64) -> Value {
    json!({"type": "message", "message": {
        "role": "toolResult", "toolCallId": call_id, "toolName": tool, "content": [text(body)],
        "isError": is_error, "timestamp": now,
    }})
}

/// The same with what programs read of it.
pub fn with_details(mut result: Value, details: Option<&Value>) -> Value {
    if let (Some(map), Some(details)) = (result.get_mut("message").and_then(Value::as_object_mut), details) {
        map.put("details", details.clone());
    }
    result
}

/// The same with pictures behind its text.
pub fn with_pictures(mut result: Value, pictures: &[Value]) -> Value {
    if let Some(content) = result.pointer_mut("/message/content").and_then(Value::as_array_mut) {
        content.extend_from_slice(pictures);
    }
    result
}

pub fn model_change(provider: &str, model_id: &str) -> Value {
    json!({"type": "model_change", "provider": provider, "modelId": model_id})
}

/// Everything before the entry `first_kept` is replaced by `summary` in the model's context.
pub fn compaction(summary: &str, first_kept: &str, tokens_before: u64) -> Value {
    json!({
        "type": "compaction", "summary": summary, "firstKeptEntryId": first_kept, "tokensBefore": tokens_before,
        "details": {"readFiles": [], "modifiedFiles": []}, "fromHook": false,
    })
}

/// Members of an entry: the chat that it was said in, and the one that a question's answer was said in.
pub const CHAT: &str = "chat";
pub const ANSWERED_IN: &str = "answeredIn";
/// Member of a question's entry: the other run that answers it, together with its own.
pub const ANSWERED_BY: &str = "answeredBy";

/// Member of a question's entry: which part of the gateway asked it, where nobody did.
pub const ASKED_BY: &str = "askedBy";

/// How a chat is named there.
pub fn chat(channel: &str, account: &str, peer: &str) -> String {
    format!("{channel}:{account}:{peer}")
}

/// Member of a session: the id that its chat had before.
pub const MOVED_FROM: &str = "movedFrom";

/// Marks an entry as made by a run, so that a recovery can see what the run had written.
pub fn of_run(mut entry: Value, run_id: &str) -> Value {
    if let Some(map) = entry.as_object_mut() {
        map.put("runId", run_id);
    }
    entry
}

/// A message with what clients know it again by that were told of it or sent it themselves: its entry, and the run that it
/// is of, which for what a user says is the key of the request; and who asked, where nobody did.
pub fn marked(message: Value, id: &str, entry: &Value) -> Value {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let name = if role(&message) == "user" { "idempotencyKey" } else { "runId" };
    with_marks(message, &[("id", Some(id)), (name, text("runId")), (ASKED_BY, text(ASKED_BY))])
}

/// The same for who only reads.
pub fn with_asker(message: Value, entry: &Value) -> Value {
    match entry.get(ASKED_BY).and_then(Value::as_str) {
        Some(by) => with_marks(message, &[(ASKED_BY, Some(by))]),
        None => message,
    }
}

fn with_marks(mut message: Value, all: &[(&str, Option<&str>)]) -> Value {
    let marks = all.iter().filter_map(|(name, text)| Some((name.to_string(), Value::from((*text)?))));
    if let Some(map) = message.as_object_mut() {
        map.put("__openclaw", marks.collect::<serde_json::Map<_, _>>());
    }
    message
}

/// The part of the gateway that asked what a message says, as it is marked.
pub fn asker(message: &Value) -> Option<&str> {
    message.get("__openclaw")?.get(ASKED_BY)?.as_str()
}

/// A block's `type`; a block without one is text.
pub fn kind_of_block(block: &Value) -> &str {
    block.get("type").and_then(Value::as_str).unwrap_or("text")
}

pub fn role(message: &Value) -> &str {
    message.get("role").and_then(Value::as_str).unwrap_or_default()
}

/// The content blocks of a message; none when its content is a plain string.
pub fn blocks(message: &Value) -> &[Value] {
    message.get("content").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What a model has said in the blocks of a message, reasoning and calls aside.
pub fn said(content: &[Value]) -> String {
    let texts = content.iter().filter(|block| kind_of_block(block) == "text");
    texts.filter_map(|block| block.get("text")?.as_str()).collect()
}

/// The same, taken out of them.
pub fn take_said(content: &mut [Value]) -> String {
    let blocks = content.iter_mut().filter(|block| kind_of_block(block) == "text");
    blocks.filter_map(|block| block.get_mut("text")).fold(String::new(), |all, text| match text.take() {
        Value::String(text) if all.is_empty() => text,
        Value::String(text) => all + &text,
        _ => all,
    })
}

/// The text of a message: its string content, or its text blocks joined by line ends.
pub fn text_of(message: &Value) -> String {
    if let Some(body) = message.get("content").and_then(Value::as_str) {
        return body.to_string();
    }
    let texts = blocks(message).iter().filter(|b| b.get("type").is_none_or(|t| t == "text"));
    texts.filter_map(|b| b.get("text")?.as_str()).collect::<Vec<_>>().join("\n")
}
