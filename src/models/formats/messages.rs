//! The conversation as request bodies need it: calls beside their results, pictures beside their text.
//!
//! Pure. Leaves out what servers would refuse: tool calls without a result and results without a call (an
//! aborted run leaves both behind), empty turns, entries that are no messages.
use crate::json::json;
use crate::models::call_ids::Ids;
use crate::models::content::{self, read_object};
use crate::models::format::{list, text as member};
use crate::models::provider::Provider;
use crate::parts::{Parts, shortened};
use crate::sessions::message::{self, kind_of_block, role};
use serde_json::Value;

/// Said in place of a picture that cannot be sent.
pub const NO_PICTURE: &str = "[a picture was left out: this model takes text only]";
/// Said before an answer that nothing asked for: many servers want a user to begin.
pub const LEFT_OUT: &str = "[earlier messages are left out]";
/// How much is sent of arguments that were no JSON, in characters: the model is to see what was wrong with them.
const MAX_BROKEN: usize = 4096;

/// A step of the conversation.
pub enum Item<'a> {
    User(&'a Value),
    Assistant {
        message: &'a Value,
        /// Tool calls that were answered, each with its result.
        calls: Vec<Called<'a>>,
        /// Whether the turn this belongs to still goes on.
        is_open: bool,
    },
}

/// A tool call and its result.
pub struct Called<'a> {
    pub call: &'a Value,
    pub result: &'a Value,
    /// The id to send for both.
    pub id: String,
}

/// The steps of a conversation, oldest first, with ids that the server takes.
pub fn items<'a>(p: &Provider, messages: &'a [Value]) -> Vec<Item<'a>> {
    let (mut items, mut ids) = (Vec::new(), Ids::new(p));
    for (n, message) in messages.iter().enumerate() {
        match role(message) {
            "user" => items.push(Item::User(message)),
            "assistant" => {
                let is_own = is_own(p, message);
                let calls = answered(message, messages.tail(n + 1)).into_iter();
                let id = |call: &Value, ids: &mut Ids| ids.give(member(call, "id"), is_own);
                let calls =
                    calls.map(|(call, result)| Called { call, result, id: id(call, &mut ids) }).collect();
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

/// The text of a tool's result in formats that take no pictures there; with what is said in their place where they are not
/// sent behind it either.
pub fn words_of(result: &Value, images: bool) -> String {
    if images { text(result, "\n") } else { parts(result, false).0 }
}

/// The pictures of results, as far as they may be sent, for a message of the user's behind them.
pub fn pictures_of<'a>(calls: &'a [Called<'a>], images: bool) -> Vec<(&'a str, &'a str)> {
    let results = calls.iter().filter(|_| images).map(|called| called.result);
    results.flat_map(|result| parts(result, true).1).collect()
}

/// Said before them.
pub const PICTURES: &str = "[pictures that the tools above gave]";

/// A picture as a URL that holds it.
pub fn data_url((kind, data): (&str, &str)) -> String {
    format!("data:{kind};base64,{data}")
}

/// A tool call's arguments, an object whatever the model said: strict servers refuse all else in a conversation,
/// and with it every turn that follows.
pub fn arguments(call: &Value) -> Value {
    match call.get("arguments") {
        Some(object @ Value::Object(_)) => object.clone(),
        None | Some(Value::Null) => json!({}),
        Some(Value::String(text)) if text.trim().is_empty() => json!({}),
        Some(Value::String(text)) => read_object(text, content::MAX_VALUES)
            .unwrap_or_else(|| json!({"invalid_json": shortened(text, MAX_BROKEN)})),
        Some(other) => json!({"invalid_json": shortened(&other.to_string(), MAX_BROKEN)}),
    }
}

/// Whether this very model made the message.
pub fn is_own(p: &Provider, message: &Value) -> bool {
    member(message, "api") == p.api.name()
        && member(message, "provider") == p.id
        && member(message, "model") == p.model
}

/// The thinking blocks that this very model made, for formats that want them back.
pub fn own_thinking<'a>(p: &Provider, message: &'a Value) -> Vec<&'a Value> {
    let is_own = is_own(p, message);
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
        let shown: Vec<String> = items(&Provider::builtin(), &messages)
            .iter()
            .map(|item| match item {
                Item::User(m) => format!("user {}", text(m, "")),
                Item::Assistant { calls, is_open, .. } => {
                    format!("{} {is_open}", calls.iter().map(|c| text(c.result, "")).collect::<String>())
                }
            })
            .collect();
        assert_eq!(shown, ["user a", "one true", "user steer", "user b", "two true"]);
        let said =
            [&messages[..1], &[json!({"role": "assistant", "content": "done"})], &messages[6..]].concat();
        assert!(matches!(items(&Provider::builtin(), &said)[1], Item::Assistant { is_open: false, .. }));
        assert!(matches!(items(&Provider::builtin(), &said)[3], Item::Assistant { is_open: true, .. }));
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
        let items = items(&Provider::builtin(), &messages);
        assert!(matches!(&items[1], Item::Assistant { calls, .. } if text(calls[0].result, "") == "one"));
    }

    #[test]
    fn arguments_are_an_object_whatever_was_said() {
        let sent = |said: Value| arguments(&json!({"arguments": said}));
        assert_eq!(sent(json!({"p": 1})), json!({"p": 1}));
        assert_eq!(sent(json!("{\"p\": 1}")), json!({"p": 1}));
        for nothing in [json!(null), json!(""), json!(" \n"), json!("null")] {
            assert_eq!(sent(nothing), json!({}));
        }
        assert_eq!(arguments(&json!({})), json!({}));
        assert_eq!(sent(json!("\"{\\\"p\\\": 1}\"")), json!({"p": 1}));
        for broken in ["{\"p\": oops", "[1]", "7", "\"x\""] {
            assert_eq!(sent(json!(broken)), json!({"invalid_json": broken}));
        }
        assert_eq!(sent(json!([1])), json!({"invalid_json": "[1]"}));
    }
}
