//! Which agents and sessions a tool may reach, and how it asks the gateway about them.
//!
//! Runs on a tool's thread. Another agent's sessions are out of reach unless `tools.agentToAgent` is switched on and
//! its list names both. The gateway is asked as a client that may read and write, never as administrator (SEC-42).
use crate::calls::Whom;
use crate::error::{Error, Result};
use crate::json::json;
use crate::session_key::{KeyRules, agent_of};
use crate::tools::Context;
use crate::tools::matches;
use serde_json::Value;

/// What agents may do by themselves.
const SCOPES: &[&str] = &["operator.read", "operator.write"];

/// A call of a gateway method for this turn.
pub fn ask(context: &Context, method: &str, params: Value) -> Result<Value> {
    let whom = Whom { name: "agent", scopes: SCOPES, run: Some(&context.run) };
    (context.ask)(&whom, method, params, &context.cancel)
}

/// The canonical key of the session that `raw` (a key or a session id) names, if it may be reached.
pub fn session(context: &Context, raw: &str) -> Result<String> {
    let key = match is_uuid(raw) {
        true => with_id(context, raw.trim())?,
        false => rules(context).canonical(raw)?,
    };
    agent(context, owner(context, &key))?;
    Ok(key)
}

/// The same for a session that is there: an agent's main one, or one that was spoken in. `raw` may be an id of any
/// shape.
pub fn existing(context: &Context, raw: &str) -> Result<String> {
    let key = session(context, raw)?;
    if key == rules(context).main_of(owner(context, &key)) {
        return Ok(key);
    }
    let found = ask(context, "sessions.describe", json!({"key": key}))?;
    if found.get("session").is_some_and(Value::is_object) {
        return Ok(key);
    }
    let missing =
        || Error::invalid(format!("there is no session {raw:?}: sessions_list shows those there are"));
    let key = with_id(context, raw.trim()).map_err(|_| missing())?;
    agent(context, owner(context, &key))?;
    Ok(key)
}

fn with_id(context: &Context, id: &str) -> Result<String> {
    let found = ask(context, "sessions.list", json!({"search": id, "includeGlobal": true}))?;
    let rows = found.get("sessions").and_then(Value::as_array).into_iter().flatten();
    let is_it = |row: &&Value| row.get("sessionId").and_then(Value::as_str) == Some(id);
    let key = rows.clone().find(is_it).and_then(|row| row.get("key")).and_then(Value::as_str);
    key.map(str::to_string).ok_or_else(|| {
        Error::invalid(format!("there is no session with the id {id}: sessions_list shows those there are"))
    })
}

/// The agent a key belongs to; what belongs to none is the agent's own.
pub fn owner<'k>(context: &'k Context, key: &'k str) -> &'k str {
    if key.starts_with("agent:") { agent_of(key) } else { &context.agent }
}

/// Refuses an agent that may not be reached.
pub fn agent(context: &Context, other: &str) -> Result<()> {
    if other == context.agent {
        return Ok(());
    }
    // A rule that cannot be read may have been the one that forbids.
    let is_barred = context.config.is_disabled("tools") || context.config.bars(&context.agent).is_some();
    if is_barred || !context.config.bool("tools.agentToAgent.enabled") {
        return Err(Error::invalid(format!(
            "agent {other} is out of reach: agents may not reach each other unless the owner sets tools.agentToAgent.enabled"
        )));
    }
    let allow = context.config.strings("tools.agentToAgent.allow");
    let is_listed =
        |id: &str| allow.is_empty() || allow.iter().any(|name| matches(&name.trim().to_lowercase(), id));
    if is_listed(&context.agent) && is_listed(other) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "agent {other} is out of reach: tools.agentToAgent.allow must name both {other} and {}",
        context.agent
    )))
}

/// A key that names no agent is one of this agent's.
fn rules(context: &Context) -> KeyRules {
    let global = context.config.str("session.scope") == Some("global");
    KeyRules { default_agent: context.agent.clone(), main_key: "main".to_string(), global }
}

fn is_uuid(text: &str) -> bool {
    let text = text.trim();
    let fits = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::context;

    #[test]
    fn other_agents_are_reached_only_when_both_are_allowed() {
        for (config, reaches) in [
            ("{}", false),
            ("{tools: {agentToAgent: {allow: ['*']}}}", false),
            ("{tools: {agentToAgent: {enabled: true}}}", true),
            ("{tools: {agentToAgent: {enabled: true, allow: ['ma*', 'OPS']}}}", true),
            ("{tools: {agentToAgent: {enabled: true, allow: ['ops']}}}", false),
            ("{tools: {deny: {}, agentToAgent: {enabled: true}}}", false),
        ] {
            let (context, _dir) = context(config);
            assert_eq!(session(&context, "agent:ops:main").is_ok(), reaches, "{config}");
            assert_eq!(session(&context, "Main").unwrap(), "agent:main:main");
            assert_eq!(session(&context, "agent:main:x").unwrap(), "agent:main:x");
        }
        assert!(is_uuid("0aa3bc1e-0000-4000-8000-00000000000f") && !is_uuid("main"));
    }

    #[test]
    fn sec_42_agents_are_no_administrators() {
        let (context, _dir) = context("{}");
        for method in
            ["sessions.delete", "sessions.patch", "sessions.reset", "device.pair.approve", "config.get"]
        {
            let error = ask(&context, method, json!({"key": "main", "requestId": "x"})).unwrap_err();
            assert_eq!(error.kind, crate::error::Kind::Forbidden, "{method}: {error}");
        }
    }
}
