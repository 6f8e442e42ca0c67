//! The conversation as request bodies need it: calls beside their results, pictures beside their text.
//!
//! Pure. Leaves out what servers would refuse: tool calls without a result and results without a call (an
//! aborted run leaves both behind), empty turns, entries that are no messages.
use super::format::{list, text as member};
use super::provider::Provider;
use crate::json::json;
use crate::sessions::message::{self, kind_of_block, role};
use serde_json::Value;

/// Said in place of a picture that cannot be sent.
pub const NO_PICTURE: &str = "[a picture was left out: this model takes text only]";
/// The longest id every server takes.
const MAX_ID: usize = 40;

/// A step of the conversation.
pub enum Item<'a> {
    User(&'a Value),
    Assistant {
        message: &'a Value,
        /// Tool calls that were answered, each with its result.
        calls: Vec<(&'a Value, &'a Value)>,
        /// Whether the turn this belongs to still goes on.
        is_open: bool,
    },
}

/// The steps of a conversation, oldest first.
pub fn items(messages: &[Value]) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    for (n, message) in messages.iter().enumerate() {
        match role(message) {
            "user" => items.push(Item::User(message)),
            "assistant" => {
                let calls = answered(message, messages.get(n + 1..).unwrap_or_default());
                items.push(Item::Assistant { message, calls, is_open: false });
            }
            _ => {}
        }
    }
    for item in items.iter_mut().rev() {
        match item {
            // What the user says behind tool results is part of the turn, whatever is before is not.
            Item::Assistant { calls, is_open, .. } if !calls.is_empty() => *is_open = true,
            Item::Assistant { .. } => break,
            Item::User(_) => {}
        }
    }
    items
}

/// The calls of a message with their results, which stand before the model's next message.
fn answered<'a>(message: &'a Value, later: &'a [Value]) -> Vec<(&'a Value, &'a Value)> {
    let is_next = |m: &&Value| role(m) == "assistant" && !message::is_injected(m);
    let results = || later.iter().take_while(|m| !is_next(m)).filter(|m| role(m) == "toolResult");
    let result = |id: &str| results().find(|r| member(r, "toolCallId") == id);
    let calls = list(message, "content").filter(|block| kind_of_block(block) == "toolCall");
    calls.filter_map(|call| Some((call, result(member(call, "id"))?))).collect()
}

/// The text blocks of a message, or its content where that is a string.
pub fn text(message: &Value, between: &str) -> String {
    if let Some(text) = message.get("content").and_then(Value::as_str) {
        return text.to_string();
    }
    let texts = list(message, "content").filter(|b| kind_of_block(b) == "text").map(|b| member(b, "text"));
    texts.filter(|t| !t.is_empty()).collect::<Vec<_>>().join(between)
}

/// A message's text and its pictures, as far as they may be sent: type and base64 data.
pub fn parts(message: &Value, images: bool) -> (String, Vec<(&str, &str)>) {
    let mut words = text(message, "\n");
    let pictures = list(message, "content").filter(|b| kind_of_block(b) == "image");
    let pictures: Vec<_> = pictures.map(|b| (member(b, "mimeType"), member(b, "data"))).collect();
    if pictures.is_empty() || images {
        return (words, pictures);
    }
    if !words.is_empty() {
        words.push('\n');
    }
    words.push_str(NO_PICTURE);
    (words, Vec::new())
}

/// A picture as a URL that holds it.
pub fn data_url((kind, data): (&str, &str)) -> String {
    format!("data:{kind};base64,{data}")
}

/// A tool call's id as every server takes it: other programs write longer ones with other characters.
pub fn id(id: &str) -> String {
    let id = id.split('|').next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' };
    // Ids that are alike at the start differ at the end.
    let skip = id.chars().count().saturating_sub(MAX_ID);
    id.chars().skip(skip).map(plain).collect()
}

/// A tool call's arguments, an object whatever the model said: strict servers refuse all else in a conversation,
/// and with it every turn that follows.
pub fn arguments(call: &Value) -> Value {
    match call.get("arguments") {
        Some(object @ Value::Object(_)) => object.clone(),
        None | Some(Value::Null) => json!({}),
        Some(Value::String(text)) if text.trim().is_empty() => json!({}),
        Some(Value::String(text)) => {
            let parsed = serde_json::from_str(text).ok().filter(Value::is_object);
            parsed.unwrap_or_else(|| json!({"invalid_json": text}))
        }
        Some(other) => json!({"invalid_json": other.to_string()}),
    }
}

/// The thinking blocks that this very model made, for formats that want them back.
pub fn own_thinking<'a>(p: &Provider, message: &'a Value) -> Vec<&'a Value> {
    let is_own = member(message, "api") == p.api.name()
        && member(message, "provider") == p.id
        && member(message, "model") == p.model;
    let blocks = message::blocks(message).iter();
    blocks.filter(|b| is_own && kind_of_block(b) == "thinking").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn calls_stand_beside_their_results() {
        let call = |id: &str| json!({"type": "toolCall", "id": id, "name": "read", "arguments": {}});
        let result = |id: &str, text: &str| json!({"role": "toolResult", "toolCallId": id, "content": text});
        // The same id in two turns, a result without a call, a call without a result, a message between.
        let messages = [
            json!({"role": "user", "content": "a"}),
            json!({"role": "assistant", "content": [call("c1"), call("lost")]}),
            json!({"role": "user", "content": "steer"}),
            result("c1", "one"),
            result("nobody", "x"),
            json!({"role": "bashExecution", "content": "ls"}),
            json!({"role": "user", "content": "b"}),
            json!({"role": "assistant", "content": [call("c1")]}),
            result("c1", "two"),
        ];
        let shown: Vec<String> = items(&messages)
            .iter()
            .map(|item| match item {
                Item::User(m) => format!("user {}", text(m, "")),
                Item::Assistant { calls, is_open, .. } => {
                    format!("{} {is_open}", calls.iter().map(|c| text(c.1, "")).collect::<String>())
                }
            })
            .collect();
        assert_eq!(shown, ["user a", "one true", "user steer", "user b", "two true"]);
        let said =
            [&messages[..1], &[json!({"role": "assistant", "content": "done"})], &messages[6..]].concat();
        assert!(matches!(items(&said)[1], Item::Assistant { is_open: false, .. }));
        assert!(matches!(items(&said)[3], Item::Assistant { is_open: true, .. }));
    }

    #[test]
    fn what_the_gateway_said_hides_no_result() {
        let call = json!({"type": "toolCall", "id": "c1", "name": "read", "arguments": {}});
        let mut injected = message::injected("status", None, 1);
        let messages = [
            json!({"role": "user", "content": "a"}),
            json!({"role": "assistant", "content": [call]}),
            injected["message"].take(),
            json!({"role": "toolResult", "toolCallId": "c1", "content": "one"}),
        ];
        let items = items(&messages);
        assert!(matches!(&items[1], Item::Assistant { calls, .. } if text(calls[0].1, "") == "one"));
    }

    #[test]
    fn arguments_are_an_object_whatever_was_said() {
        let sent = |said: Value| arguments(&json!({"arguments": said}));
        assert_eq!(sent(json!({"p": 1})), json!({"p": 1}));
        assert_eq!(sent(json!("{\"p\": 1}")), json!({"p": 1}));
        for nothing in [json!(null), json!(""), json!(" \n")] {
            assert_eq!(sent(nothing), json!({}));
        }
        assert_eq!(arguments(&json!({})), json!({}));
        for broken in ["{\"p\": oops", "[1]", "7", "\"x\""] {
            assert_eq!(sent(json!(broken)), json!({"invalid_json": broken}));
        }
        assert_eq!(sent(json!([1])), json!({"invalid_json": "[1]"}));
    }

    #[test]
    fn ids_fit_every_server() {
        assert_eq!(id("call_1|fc_2"), "call_1");
        assert_eq!(id("a.b:ü"), "a_b__");
        let long = format!("{}end", "x".repeat(60));
        assert!(id(&long).len() == 40 && id(&long).ends_with("end"));
    }
}
