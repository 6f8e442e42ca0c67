//! `sessions_list`: the sessions that an agent may see. Runs on a tool's thread.
use crate::calls::Provenance;
use crate::error::Result;
use crate::json::{Put, json};
use crate::session_key::kind_of;
use crate::tools::{Context, Output, Tool, count, reach, usual_time};
use serde_json::{Map, Value};

/// Messages shown of each session, at most.
const MOST_MESSAGES: usize = 20;
/// Sessions listed when nothing else is asked for.
const USUAL: usize = 100;

/// What of a session's row an agent is shown.
const SHOWN: &[&str] = &[
    "channel",
    "label",
    "displayName",
    "deliveryContext",
    "updatedAt",
    "sessionId",
    "model",
    "contextTokens",
    "totalTokens",
    "thinkingLevel",
    "verboseLevel",
    "systemSent",
    "abortedLastRun",
    "sendPolicy",
    "lastChannel",
    "lastTo",
    "lastAccountId",
];

pub const TOOL: Tool = Tool {
    name: "sessions_list",
    doc: "List sessions, newest first, with filters, and with their last messages if messageLimit is above 0.",
    parameters: r#"{"type": "object", "properties": {
        "kinds": {"type": "array", "items": {"type": "string"}, "description": "Of main, group, cron, hook, node, other"},
        "limit": {"type": "number", "minimum": 1},
        "activeMinutes": {"type": "number", "minimum": 1},
        "messageLimit": {"type": "number", "minimum": 0}}}"#,
    aliases: &[("kind", "kinds"), ("max", "limit"), ("count", "limit"), ("messages", "messageLimit")],
    changes: false,
    serves: Provenance::is_own,
    time: usual_time,
    run,
};

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let mut params = json!({"includeGlobal": true});
    let limit = count(arguments, "limit").unwrap_or(USUAL).max(1);
    if let (Some(map), Some(minutes)) = (params.as_object_mut(), count(arguments, "activeMinutes")) {
        map.put("activeMinutes", minutes.max(1));
    }
    let kinds: Vec<String> = arguments
        .get("kinds")
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).map(|kind| kind.trim().to_lowercase()).collect())
        .unwrap_or_default();
    let messages = count(arguments, "messageLimit").unwrap_or(0).min(MOST_MESSAGES);
    let answer = reach::ask(context, "sessions.list", params)?;
    let mut rows = Vec::new();
    for session in answer.get("sessions").and_then(Value::as_array).into_iter().flatten() {
        let Some(key) = session.get("key").and_then(Value::as_str).filter(|key| *key != "unknown") else {
            continue;
        };
        let kind = kind(key);
        if reach::agent(context, reach::owner(context, key)).is_err()
            || !(kinds.is_empty() || kinds.iter().any(|k| k == kind))
        {
            continue;
        }
        let mut row = row(key, kind, session);
        if messages > 0 {
            let history = reach::ask(context, "chat.history", json!({"sessionKey": key, "limit": messages}));
            // A session whose transcript cannot be read is still one of the list.
            let mut last = history.map(|history| self::messages(history, false)).unwrap_or_default();
            last.drain(..last.len().saturating_sub(messages));
            row.put("messages", last);
        }
        rows.push(Value::Object(row));
        if rows.len() == limit {
            break;
        }
    }
    Ok(Output::json(&json!({"count": rows.len(), "sessions": rows})))
}

fn row(key: &str, kind: &str, session: &Value) -> Map<String, Value> {
    let mut row = Map::new();
    row.put("key", key);
    row.put("kind", kind);
    for name in SHOWN {
        if let Some(value) = session.get(name) {
            row.insert(name.to_string(), value.clone());
        }
    }
    row
}

/// What a key says about its session.
fn kind(key: &str) -> &'static str {
    let rest = key.strip_prefix("agent:").and_then(|rest| rest.split_once(':')).map_or(key, |(_, rest)| rest);
    let starts = |prefix: &str| rest.strip_prefix(prefix).is_some_and(|after| after.starts_with([':', '-']));
    match kind_of(key) {
        _ if rest == "main" || key == "global" => "main",
        "group" => "group",
        _ if starts("cron") => "cron",
        _ if starts("hook") => "hook",
        _ if starts("node") => "node",
        _ => "other",
    }
}

/// The messages of a history, with or without the tools' results.
pub fn messages(mut history: Value, with_tools: bool) -> Vec<Value> {
    let Some(Value::Array(mut messages)) = history.get_mut("messages").map(Value::take) else {
        return Vec::new();
    };
    let is_tool =
        |message: &Value| matches!(message.get("role").and_then(Value::as_str), Some("toolResult" | "tool"));
    messages.retain(|message| with_tools || !is_tool(message));
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_from_keys() {
        for (key, want) in [
            ("agent:main:main", "main"),
            ("global", "main"),
            ("agent:main:telegram:group:-5", "group"),
            ("agent:main:cron:job", "cron"),
            ("agent:main:hook:x", "hook"),
            ("agent:main:node-1", "node"),
            ("agent:main:cronies", "other"),
            ("agent:main:telegram:direct:5", "other"),
        ] {
            assert_eq!(kind(key), want, "{key}");
        }
    }

    #[test]
    fn rows_show_chosen_members_and_histories_no_tool_results() {
        let session = json!({"key": "k", "label": "l", "origin": {"secret": 1}, "totalTokens": 5});
        assert_eq!(
            Value::Object(row("k", "main", &session)),
            json!({"key": "k", "kind": "main", "label": "l", "totalTokens": 5})
        );
        let history = json!({"messages": [{"role": "user"}, {"role": "toolResult"}, {"role": "assistant"}]});
        assert_eq!(messages(history, false), [json!({"role": "user"}), json!({"role": "assistant"})]);
    }
}
