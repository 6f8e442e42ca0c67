//! One line of a transcript as the model's context needs it: its links, and its message without the rest. Pure.
use super::message;
use crate::json::{self, Put, json};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Most values in a line of a transcript that is read, which cost up to 15 MB: as many as a request may bring.
pub const MAX_VALUES: usize = 50_000;
/// Deepest nesting in a line that is read: as deep as the parser goes.
pub const MAX_DEPTH: usize = 127;

/// A line as a value; `None` when it is no JSON or more than a reader takes. It stays in the file.
pub fn value(bytes: &[u8]) -> Option<Value> {
    json::read(bytes, MAX_VALUES, MAX_DEPTH).ok()
}

/// A line's outline, a type without values in it: of a line of any size, since the rest is passed over.
pub fn outline<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    json::read_as(bytes, usize::MAX, MAX_DEPTH).ok()
}

impl Line {
    pub fn read(bytes: &[u8]) -> Option<Line> {
        json::read_as(bytes, MAX_VALUES, MAX_DEPTH).ok()
    }
}

/// The members of a line that are used.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    #[serde(rename = "type", default)]
    pub kind: String,
    pub id: Option<String>,
    /// Absent in old files, null for the root.
    #[serde(default, deserialize_with = "present")]
    pub parent_id: Option<Option<String>>,
    pub message: Option<Message>,
    pub content: Option<Value>,
    pub summary: Option<String>,
    pub first_kept_entry_id: Option<String>,
}

/// A message without what no model is told, which is half of a short one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    role: String,
    content: Option<Value>,
    api: Option<Value>,
    provider: Option<Value>,
    model: Option<Value>,
    stop_reason: Option<Value>,
    tool_call_id: Option<Value>,
    tool_name: Option<Value>,
    is_error: Option<Value>,
    usage: Option<Usage>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct Usage {
    input: f64,
    output: f64,
    cache_read: f64,
    cache_write: f64,
}

impl Message {
    fn into_value(self) -> Value {
        let members = [
            ("content", self.content),
            ("api", self.api),
            ("provider", self.provider),
            ("model", self.model),
            ("stopReason", self.stop_reason),
            ("toolCallId", self.tool_call_id),
            ("toolName", self.tool_name),
            ("isError", self.is_error),
        ];
        let mut map = Map::with_capacity(members.len() + 1);
        map.put("role", self.role);
        let present = members.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?)));
        map.extend(present);
        Value::Object(map)
    }
}

impl Usage {
    /// What the server counted for an answer: all that was sent and the answer itself. Without the input the sum
    /// says nothing about the conversation; not all servers count.
    pub fn total(&self) -> Option<u64> {
        let sent = self.input + self.cache_read + self.cache_write;
        (sent > 0.0).then_some((sent + self.output) as u64)
    }
}

fn present<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// What an entry says to the model, if anything, and what the server counted.
pub fn to_message(line: Line) -> Option<(Value, Usage)> {
    let message = match line.kind.as_str() {
        "message" => {
            let mut message = line.message?;
            let usage = message.usage.take().unwrap_or_default();
            let is_known = matches!(message.role.as_str(), "user" | "assistant" | "toolResult");
            return is_known.then(|| (message.into_value(), usage));
        }
        "custom_message" => json!({"role": "user", "content": line.content?}),
        "branch_summary" => summary_message("Another line of this conversation, in summary", &line.summary?),
        _ => return None,
    };
    Some((message, Usage::default()))
}

/// A summary as the model is shown it.
pub fn summary_message(what: &str, summary: &str) -> Value {
    json!({"role": "user", "content": [message::text(&format!("[{what}]\n{summary}"))]})
}
