//! One line of a transcript as the model's context needs it: its links, and its message without the rest. Pure.
use crate::json::{self, DEEPEST, Put, REQUEST_VALUES, json};
use crate::parts::Parts;
use crate::sessions::message;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// A line without the zero bytes that a crash left where it begins.
pub fn after_zeros(bytes: &[u8]) -> &[u8] {
    bytes.tail(bytes.iter().take_while(|byte| **byte == 0).count())
}

/// A line as an object; `None` when it is none or more than a reader takes. It stays in the file. In the oldest files
/// a line is the bare message.
pub fn value(bytes: &[u8]) -> Option<Value> {
    match json::read_loose(after_zeros(bytes), REQUEST_VALUES, DEEPEST) {
        Ok(Value::Object(members)) if members.contains_key("type") || !members.contains_key("role") => {
            Some(Value::Object(members))
        }
        Ok(message @ Value::Object(_)) => Some(json!({"type": "message", "message": message})),
        _ => None,
    }
}

/// A line's outline, a type without values in it: of a line of any size, since the rest is passed over.
pub fn outline<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    json::loosely(after_zeros(bytes), |bytes| json::read_as(bytes, usize::MAX, DEEPEST)).ok()
}

/// The members of a line that are used.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default, deserialize_with = "text")]
    pub id: Option<String>,
    /// Absent in old files, null for the root.
    #[serde(default, deserialize_with = "present")]
    pub parent_id: Option<Option<String>>,
    pub message: Option<Message>,
    pub content: Option<Value>,
    #[serde(default, deserialize_with = "text")]
    pub summary: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub first_kept_entry_id: Option<String>,
    /// The same in the first format, whose entries have no ids: the line's number in the file.
    #[serde(default, deserialize_with = "number")]
    pub first_kept_entry_index: Option<u64>,
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let read =
        |bytes: &[u8]| json::loosely(bytes, |bytes| json::read_as(bytes, REQUEST_VALUES, DEEPEST)).ok();
    // Of a member that stands there twice the last counts, as everywhere in JSON.
    let once = || Some(json::read_loose(after_zeros(bytes), REQUEST_VALUES, DEEPEST).ok()?.to_string());
    read(after_zeros(bytes)).or_else(|| read(once()?.as_bytes()))
}

impl Line {
    pub fn read(bytes: &[u8]) -> Option<Line> {
        let mut line: Line = read(bytes)?;
        if line.kind.is_empty() {
            line.message = read(bytes).filter(|message: &Message| !message.role.is_empty());
            line.kind = "message".to_string();
        }
        Some(line)
    }
}

/// A message without what no model is told, which is half of a short one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    #[serde(default)]
    role: String,
    content: Option<Value>,
    api: Option<Value>,
    provider: Option<Value>,
    model: Option<Value>,
    stop_reason: Option<Value>,
    tool_call_id: Option<Value>,
    tool_name: Option<Value>,
    is_error: Option<Value>,
    usage: Option<Value>,
}

#[derive(Default)]
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
    /// What is no number counts as nothing.
    fn of(usage: Option<Value>) -> Usage {
        let number = |name: &str| usage.as_ref().and_then(|u| u.get(name)?.as_f64()).unwrap_or_default();
        Usage {
            input: number("input"),
            output: number("output"),
            cache_read: number("cacheRead"),
            cache_write: number("cacheWrite"),
        }
    }

    /// What the server counted for an answer: all that was sent and the answer itself. Without the input the sum
    /// says nothing about the conversation; not all servers count.
    pub fn total(&self) -> Option<u64> {
        let sent = self.input + self.cache_read + self.cache_write;
        (sent > 0.0).then_some((sent + self.output) as u64)
    }
}

fn present<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<Option<String>>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Null => Some(None),
        Value::String(id) => Some(Some(id)),
        _ => None,
    })
}

/// A text; what is none counts as absent.
pub fn text<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<String>, D::Error> {
    Option::<Value>::deserialize(from).map(|value| value.and_then(|value| value.as_str().map(str::to_string)))
}

/// A whole number; what is none counts as absent.
fn number<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<u64>, D::Error> {
    Option::<Value>::deserialize(from).map(|value| value.and_then(|value| value.as_u64()))
}

/// What an entry says to the model, if anything, and what the server counted.
pub fn to_message(line: Line) -> Option<(Value, Usage)> {
    let message = match line.kind.as_str() {
        "message" => {
            let mut message = line.message?;
            let usage = Usage::of(message.usage.take());
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

#[cfg(test)]
mod tests {
    use super::*;

    /// T2b-7: the original appends behind the zero bytes that a crash left.
    #[test]
    fn t2b_7_zero_bytes_before_a_line_cost_no_message() {
        let line = b"\0\0\0\0{\"type\":\"message\",\"id\":\"a\",\"message\":{\"role\":\"user\",\"content\":\"canary\"}}";
        assert_eq!(value(line).unwrap()["message"]["content"], "canary");
        assert_eq!(to_message(Line::read(line).unwrap()).unwrap().0["content"], "canary");
        assert_eq!(outline::<Line>(line).unwrap().id.as_deref(), Some("a"));
        // T2b-11
        let twice = br#"{"type":"message","id":"a","id":"b","message":{"role":"user","content":"x","content":"canary"}}"#;
        assert_eq!(Line::read(twice).unwrap().id.as_deref(), Some("b"));
        assert_eq!(to_message(Line::read(twice).unwrap()).unwrap().0["content"], "canary");
        assert!(value(b"\0\0\0").is_none() && Line::read(b"\0").is_none());
    }
}
