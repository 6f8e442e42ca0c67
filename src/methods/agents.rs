//! `agents.list`, `agent.identity.get`: what the configuration says about agents.
use crate::calls::Caller;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::protocol::frame::Payload;
use crate::session_key;
use crate::state::shared::Shared;
use serde_json::Value;

pub fn list(shared: &Shared, _caller: &Caller, _params: Value) -> Result<Payload> {
    let agents = shared.agents();
    let rules = agents.key_rules();
    let row = |id: &String| {
        let mut row = agents.row(id);
        if let Some(map) = row.as_object_mut() {
            // A page that finds none asks for one to be chosen.
            map.put("model", json!({"primary": agents.answering(id), "fallbacks": agents.fallbacks(id)}));
        }
        row
    };
    let rows: Vec<Value> = agents.ids().iter().map(row).collect();
    let scope = if rules.global { "global" } else { "per-sender" };
    Ok(json!({"defaultId": rules.default_agent, "mainKey": rules.main_key, "scope": scope, "agents": rows})
        .into())
}

/// An unknown agent is not an error: it has the default name.
pub fn identity_get(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let agents = shared.agents();
    let text = |name: &str| params.get(name).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
    let named = text("agentId").map(session_key::normalise_agent_id);
    let of_session = match text("sessionKey") {
        Some(raw) => Some(session_key::agent_of(&agents.key_rules().canonical(raw)?).to_string()),
        None => None,
    };
    if let (Some(agent), Some(session)) = (&named, &of_session)
        && agent != session
    {
        let text = format!(
            "invalid agent.identity.get params: agent \"{agent}\" does not match session key agent \"{session}\""
        );
        return Err(Error::invalid(text));
    }
    let id = named.or(of_session).unwrap_or_else(|| agents.default_id());
    Ok(agents.identity(&id).into())
}
