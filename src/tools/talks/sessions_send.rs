//! `sessions_send`: a message into another session, and its answer.
//!
//! Runs on a tool's thread. It makes no sessions, and the state thread bounds how many turns one message may cause
//! (`runs/nesting.rs`). The turn it starts goes on when the wait is over; only the answer is then not heard. The
//! message says in its system text which agent sent it, so that it never passes for the owner's (SEC-34).
use crate::calls::Provenance;
use crate::error::{Error, Result};
use crate::ids;
use crate::json::json;
use crate::tools::{Context, Output, Tool, count, reach, text};
use serde_json::Value;
use std::time::Duration;

const USUAL_SECONDS: usize = 30;
const MOST_SECONDS: usize = 3600;

pub const TOOL: Tool = Tool {
    name: "sessions_send",
    doc: "Send a message into another session and wait for its answer. Name the session by sessionKey or by label. timeoutSeconds 0 sends without waiting.",
    parameters: r#"{"type": "object", "required": ["message"], "properties": {
        "sessionKey": {"type": "string", "description": "Key or id of one that sessions_list shows"},
        "label": {"type": "string", "minLength": 1, "maxLength": 64},
        "agentId": {"type": "string", "minLength": 1, "maxLength": 64, "description": "Whose session the label is of"},
        "message": {"type": "string", "minLength": 1},
        "timeoutSeconds": {"type": "number", "minimum": 0}}}"#,
    aliases: &[
        ("key", "sessionKey"),
        ("session", "sessionKey"),
        ("session_id", "sessionKey"),
        ("text", "message"),
        ("content", "message"),
        ("prompt", "message"),
        ("agent", "agentId"),
        ("timeout", "timeoutSeconds"),
    ],
    changes: false,
    serves: Provenance::is_own,
    time: |_, arguments| Duration::from_secs(seconds(arguments) as u64 + 30),
    run,
};

fn seconds(arguments: &Value) -> usize {
    count(arguments, "timeoutSeconds").unwrap_or(USUAL_SECONDS).min(MOST_SECONDS)
}

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let key = target(context, arguments)?;
    if key == context.session_key {
        return Err(Error::invalid("this is your own session, which would wait for itself: just answer"));
    }
    let id = ids::uuid()?;
    let from = format!(
        "This message comes from another session of this gateway ({} of agent {}), not from the user. Your answer goes back to it.",
        context.session_key, context.agent
    );
    let message = text(arguments, "message").unwrap_or_default();
    let params = json!({
        "message": message, "sessionKey": key, "idempotencyKey": id,
        "deliver": false, "channel": "webchat", "lane": "nested", "extraSystemPrompt": from,
    });
    let accepted = reach::ask(context, "agent", params)?;
    let run = accepted.get("runId").and_then(Value::as_str).unwrap_or(&id).to_string();
    let seconds = seconds(arguments);
    if seconds == 0 {
        let answer = json!({"runId": run, "status": "accepted", "sessionKey": key});
        return Ok(Output::json(&answer).about(key));
    }
    let ended = reach::ask(context, "agent.wait", json!({"runId": run, "timeoutMs": seconds * 1000}))?;
    let answer = match ended.get("status").and_then(Value::as_str) {
        Some("ok") => {
            let history = reach::ask(context, "chat.history", json!({"sessionKey": key, "limit": 20}))?;
            json!({"runId": run, "status": "ok", "reply": reply(&history, message), "sessionKey": key})
        }
        Some("timeout") => {
            let note = format!(
                "no answer within {seconds} s; the session works on: look with sessions_history later"
            );
            json!({"runId": run, "status": "timeout", "error": note, "sessionKey": key})
        }
        _ => {
            let why = ended.get("error").cloned().unwrap_or_else(|| "the other session's turn failed".into());
            json!({"runId": run, "status": "error", "error": why, "sessionKey": key})
        }
    };
    Ok(Output::json(&answer).about(key))
}

/// The canonical key of the session that is meant.
fn target(context: &Context, arguments: &Value) -> Result<String> {
    match (text(arguments, "sessionKey"), text(arguments, "label")) {
        (Some(_), Some(_)) => Err(Error::invalid("give either sessionKey or label, not both")),
        (None, None) => Err(Error::invalid("name the session: give sessionKey or label")),
        (Some(raw), None) => reach::existing(context, raw),
        (None, Some(label)) => {
            let agent = text(arguments, "agentId").map_or(context.agent.clone(), |id| id.to_lowercase());
            reach::agent(context, &agent)?;
            let found = reach::ask(context, "sessions.list", json!({"label": label, "agentId": agent}))?;
            let key = found.pointer("/sessions/0/key").and_then(Value::as_str);
            let missing = || {
                Error::invalid(format!(
                    "no session of agent {agent} has the label {label:?}: sessions_list shows them"
                ))
            };
            key.map(str::to_string).ok_or_else(missing)
        }
    }
}

/// The text of the model's last answer that says something after the message that was sent; in all of the history when that stands
/// further back. What the gateway itself put in, such as a command's answer, is nobody's answer to it.
fn reply(history: &Value, sent: &str) -> String {
    let messages = history.get("messages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let is =
        |message: &Value, name: &str, value: &str| message.get(name).and_then(Value::as_str) == Some(value);
    let is_sent = |message: &Value| is(message, "role", "user") && words(message).contains(sent);
    let is_answer =
        |message: &&Value| is(message, "role", "assistant") && !is(message, "model", "gateway-injected");
    let after = messages.rsplit(is_sent).next().unwrap_or_default();
    let mut said = after.iter().rev().filter(is_answer).map(words);
    said.find(|words| !words.trim().is_empty()).unwrap_or_default()
}

/// What a message says, a paragraph each text.
pub(super) fn words(message: &Value) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(blocks)) => {
            let texts: Vec<&str> = blocks.iter().filter_map(|block| block.get("text")?.as_str()).collect();
            texts.join("\n\n")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::context;

    #[test]
    fn the_target_is_one_session_in_reach_and_never_the_own_one() {
        let (context, _dir) = context("{}");
        let check = |arguments: Value, want: &str| {
            let error = run(&context, &arguments).unwrap_err();
            assert!(error.message().contains(want), "{arguments}: {error}");
        };
        check(json!({"message": "m"}), "name the session");
        check(json!({"message": "m", "sessionKey": "x", "label": "y"}), "not both");
        check(json!({"message": "m", "sessionKey": "main"}), "your own session");
        check(json!({"message": "m", "sessionKey": "Agent:Main:MAIN"}), "your own session");
        check(json!({"message": "m", "sessionKey": "agent:ops:main"}), "out of reach");
        check(json!({"message": "m", "label": "y", "agentId": "ops"}), "out of reach");
    }

    #[test]
    fn time_follows_the_arguments_and_the_last_answer_is_the_reply() {
        let (context, _dir) = context("{}");
        for (arguments, want) in [
            (json!({}), 60),
            (json!({"timeoutSeconds": 0}), 30),
            (json!({"timeoutSeconds": 600}), 630),
            (json!({"timeoutSeconds": 1e9}), 3630),
        ] {
            assert_eq!((TOOL.time)(&context, &arguments).as_secs(), want, "{arguments}");
        }
        let history = json!({"messages": [
            {"role": "assistant", "content": "old"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "t"}, {"type": "text", "text": "new"}]},
            {"role": "toolResult", "content": []}]});
        assert_eq!(reply(&history, "ask"), "new");
        assert_eq!(reply(&json!({"messages": []}), "ask"), "");
    }

    #[test]
    fn the_reply_is_the_models_and_comes_after_the_message() {
        let said = |role: &str, text: &str, model: &str| json!({"role": role, "content": [{"type": "text", "text": text}], "provider": "p", "model": model});
        let answer = json!({"role": "assistant", "content": "done", "model": "m"});
        let silent = json!({"role": "assistant", "content": [], "model": "m"});
        let command = said("assistant", "usage: 5", "gateway-injected");
        let ask = said("user", "two asked:\nask me\nand more", "");
        let old = said("assistant", "old", "m");
        for (messages, want) in [
            (vec![&ask, &answer, &command], "done"),
            (vec![&ask, &answer, &silent], "done"),
            (vec![&old, &ask, &command], ""),
            (vec![&ask, &old, &ask, &answer], "done"),
            (vec![&old, &answer], "done"),
        ] {
            assert_eq!(reply(&json!({"messages": messages}), "ask me"), want, "{messages:?}");
        }
    }
}
