//! `sessions_history`: the messages of a session that an agent may see. Runs on a tool's thread.
use crate::calls::Provenance;
use crate::error::Result;
use crate::json::{self, Put, json};
use crate::tools::sessions_list::messages;
use crate::tools::{Context, Output, Tool, count, reach, text, usual_time};
use serde_json::Value;

const MAX_BYTES: usize = 80 * 1024;
/// Bytes of one message, so that others are seen beside it.
const MAX_MESSAGE: usize = 40 * 1024;
/// Characters of one text.
const MAX_TEXT: usize = 4000;
const MOST: usize = 1000;

pub const TOOL: Tool = Tool {
    name: "sessions_history",
    doc: "Read the newest messages of a session, oldest first, without tool results unless includeTools is true.",
    parameters: r#"{"type": "object", "required": ["sessionKey"], "properties": {
        "sessionKey": {"type": "string", "description": "Key or id from sessions_list"},
        "limit": {"type": "number", "minimum": 1},
        "includeTools": {"type": "boolean"}}}"#,
    aliases: &[
        ("key", "sessionKey"),
        ("session", "sessionKey"),
        ("session_id", "sessionKey"),
        ("id", "sessionKey"),
    ],
    changes: false,
    serves: Provenance::is_own,
    time: usual_time,
    run,
};

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let key = reach::session(context, text(arguments, "sessionKey").unwrap_or_default())?;
    let mut params = json!({"sessionKey": key});
    if let (Some(map), Some(limit)) = (params.as_object_mut(), count(arguments, "limit")) {
        map.put("limit", limit.clamp(1, MOST));
    }
    let history = reach::ask(context, "chat.history", params)?;
    let with_tools = arguments.get("includeTools") == Some(&Value::Bool(true));
    let mut answer = shortened(messages(history, with_tools));
    if let Some(map) = answer.as_object_mut() {
        map.put("sessionKey", key.as_str());
    }
    Ok(Output::json(&answer).about(key))
}

/// Long texts and pictures cut, bookkeeping left out, and the oldest messages dropped until the rest fits.
fn shortened(mut messages: Vec<Value>) -> Value {
    let mut is_cut = false;
    for message in &mut messages {
        if let Some(map) = message.as_object_mut() {
            map.retain(|name, _| {
                !matches!(name.as_str(), "usage" | "cost" | "details" | "thinkingSignature")
            });
        }
        shorten(message, &mut is_cut);
    }
    let before = messages.len();
    let (mut bytes, mut kept) = (0, Vec::new());
    for mut message in messages.into_iter().rev() {
        let (mut text, is_whole) = json::bounded(&message, MAX_MESSAGE);
        if !is_whole {
            is_cut = true;
            let note = "[left out: this message is too large to show here]";
            message = json!({"role": message.get("role").unwrap_or(&Value::Null), "content": note});
            text = message.to_string();
        }
        let size = text.len();
        if bytes + size > MAX_BYTES {
            break;
        }
        bytes += size;
        kept.push(message);
    }
    kept.reverse();
    let dropped = kept.len() < before;
    json!({"messages": kept, "truncated": is_cut || dropped, "droppedMessages": dropped, "contentTruncated": is_cut, "bytes": bytes})
}

fn shorten(value: &mut Value, is_cut: &mut bool) {
    match value {
        Value::String(text) => {
            if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
                text.truncate(end);
                *text += "\n[cut here]";
                *is_cut = true;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| shorten(item, is_cut)),
        Value::Object(map) => {
            // The bytes of a picture are of no use as text.
            if map.get("type").and_then(Value::as_str) == Some("image") && map.remove("data").is_some() {
                map.put("omitted", true);
                *is_cut = true;
            }
            map.retain(|name, _| name != "thinkingSignature");
            map.values_mut().for_each(|item| shorten(item, is_cut));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::context;

    #[test]
    fn what_is_too_long_is_cut_and_said() {
        let plain = shortened(vec![json!({"role": "user", "content": "hi", "usage": {"input": 1}})]);
        assert_eq!(plain["messages"], json!([{"role": "user", "content": "hi"}]));
        assert_eq!(plain["truncated"], false);
        let picture =
            json!({"role": "user", "content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]});
        assert_eq!(
            shortened(vec![picture])["messages"][0]["content"][0],
            json!({"type": "image", "mimeType": "image/png", "omitted": true})
        );
        let long =
            shortened(vec![json!({"role": "user", "content": [{"type": "text", "text": "é".repeat(5000)}]})]);
        assert!(long["messages"][0]["content"][0]["text"].as_str().unwrap().ends_with("é\n[cut here]"));
        let many: Vec<Value> = (0..100).map(|n| json!({"n": n, "content": "x".repeat(3000)})).collect();
        let many = shortened(many);
        assert_eq!(
            (many["messages"].as_array().unwrap().last().unwrap()["n"].as_u64(), &many["droppedMessages"]),
            (Some(99), &true.into())
        );
        assert!(many["bytes"].as_u64().unwrap() <= MAX_BYTES as u64);
    }

    #[test]
    fn s_h5_what_models_wrote_costs_no_more_than_is_shown() {
        let deep = (0..100).fold(json!(["x"]), |inner, _| json!([inner]));
        let wide = Value::Array(vec![deep; 2000]);
        let call = json!({"role": "assistant", "content": [{"type": "toolCall", "arguments": wide}]});
        let shown = shortened(vec![json!({"role": "user", "content": "before"}), call]);
        assert_eq!(shown["messages"][0]["content"], "before");
        assert!(shown["messages"][1]["content"].as_str().unwrap().contains("too large"));
        let text = Output::json(&json!({"wide": "é".repeat(200_000)})).text;
        assert!(text.len() <= 100 * 1024, "{}", text.len());
    }

    #[test]
    fn another_agents_session_is_out_of_reach() {
        let (context, _dir) = context("{}");
        let error = run(&context, &json!({"sessionKey": "agent:ops:main"})).unwrap_err();
        assert!(error.message().contains("agent ops is out of reach"), "{error}");
    }
}
