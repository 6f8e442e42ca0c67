//! What `openclaw agent` sends: the message, its files, and the session as the gateway writes its key.
use crate::cli::parse::Args;
use crate::cli::{attach, typed};
use crate::error::{Error, Result};
use crate::json::Put;
use crate::session_key::normalise_agent_id;
use serde_json::{Map, Value};
use std::path::Path;

/// What is sent as the `agent` method's parameters.
pub(super) fn params(args: &Args, key: &str, limit_s: u64) -> Result<Map<String, Value>> {
    let mut params = Map::new();
    params.insert("message".into(), message(args)?.into());
    params.insert("idempotencyKey".into(), key.into());
    params.insert("timeout".into(), limit_s.into());
    let members = [
        ("to", "to"),
        ("session-id", "sessionId"),
        ("session-key", "sessionKey"),
        ("agent", "agentId"),
        ("thinking", "thinking"),
        ("channel", "channel"),
        ("reply-to", "replyTo"),
        ("reply-channel", "replyChannel"),
        ("reply-account", "replyAccountId"),
    ];
    for (long, member) in members {
        if let Some(value) = args.filled(long)? {
            params.insert(member.into(), value.into());
        }
    }
    if args.has("deliver") {
        params.insert("deliver".into(), true.into());
    }
    let files = args.all("file").into_iter().map(|path| attach::read(Path::new(path), "--file"));
    let files = files.collect::<Result<Vec<_>>>()?;
    if !files.is_empty() {
        params.put("attachments", attach::all(files)?);
    }
    Ok(params)
}

/// The text, from wherever it comes.
fn message(args: &Args) -> Result<String> {
    let text = match (args.value("message"), args.filled("message-file")?) {
        (Some(_), Some(_)) => return Err(Error::usage("give the text by --message or by --message-file")),
        (None, Some(path)) => typed::file("message-file", path)?,
        (given, None) => match typed::text("message", given)? {
            Some(text) => text,
            None => args.required("message")?.to_string(),
        },
    };
    if text.trim().is_empty() {
        return Err(Error::usage("--message is empty: give it a text"));
    }
    Ok(text)
}

/// The parameters with the session as the gateway writes its key, so that no gateway keeps a second session under a
/// short name. A gateway that does not tell how it writes them gets what was typed.
pub(super) fn with_session(params: &Map<String, Value>, hello: &Value) -> Value {
    let mut params = params.clone();
    let told = |name: &str| hello.pointer("/snapshot/sessionDefaults")?.get(name)?.as_str();
    let text = |name: &str| params.get(name).and_then(Value::as_str);
    let names_one = ["to", "sessionId", "agentId"].iter().any(|member| params.contains_key(*member));
    let main = || told("mainSessionKey").unwrap_or("main").to_string();
    let key = match text("sessionKey") {
        None => (!names_one).then(main),
        Some(key) => {
            let key = key.trim().to_lowercase();
            let is_whole = key.starts_with("agent:") || key == "global" || key == "unknown" || key.is_empty();
            match (text("agentId").or(told("defaultAgentId")), told("mainKey")) {
                (None, _) => None,
                _ if is_whole => None,
                (Some(_), own) if (key == "main" || own == Some(&key)) && text("agentId").is_none() => {
                    Some(main())
                }
                (Some(agent), _) => Some(format!("agent:{}:{key}", normalise_agent_id(agent))),
            }
        }
    };
    if let Some(key) = key {
        params.insert("sessionKey".into(), key.into());
    }
    params.into()
}

/// The key of a session by its short name and its agent, as the gateway writes it; without either the main one.
pub(in crate::cli) fn named_session(name: Option<&str>, agent: Option<&str>, hello: &Value) -> String {
    let main = hello.pointer("/snapshot/sessionDefaults/mainKey").and_then(Value::as_str).unwrap_or("main");
    let mut params = Map::new();
    // An agent's main session has the name that all main sessions have.
    if let Some(name) = name.or(agent.map(|_| main)) {
        params.put("sessionKey", name);
    }
    if let Some(agent) = agent {
        params.put("agentId", agent);
    }
    let params = with_session(&params, hello);
    params.get("sessionKey").and_then(Value::as_str).unwrap_or(main).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    #[test]
    fn n_27_the_session_is_named_as_the_gateway_writes_it() {
        let defaults =
            json!({"defaultAgentId": "ops", "mainKey": "home", "mainSessionKey": "agent:ops:home"});
        let hello = json!({"snapshot": {"sessionDefaults": defaults}});
        let check = |given: Value, hello: &Value, want: Value| {
            let given = given.as_object().unwrap();
            let key = with_session(given, hello).get("sessionKey").cloned().unwrap_or_default();
            assert_eq!(key, want, "{given:?}");
        };
        check(json!({}), &hello, json!("agent:ops:home"));
        check(json!({"sessionKey": "main"}), &hello, json!("agent:ops:home"));
        check(json!({"sessionKey": " Home"}), &hello, json!("agent:ops:home"));
        check(json!({"sessionKey": "Notes"}), &hello, json!("agent:ops:notes"));
        check(json!({"sessionKey": "notes", "agentId": "x"}), &hello, json!("agent:x:notes"));
        check(json!({"sessionKey": "agent:x:notes"}), &hello, json!("agent:x:notes"));
        check(json!({"sessionKey": "global"}), &hello, json!("global"));
        check(json!({"agentId": "x"}), &hello, Value::Null);
        check(json!({"sessionId": "5"}), &hello, Value::Null);
        check(json!({}), &json!({}), json!("main"));
        check(json!({"sessionKey": "notes"}), &json!({}), json!("notes"));
    }
}
