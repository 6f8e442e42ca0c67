//! `agents.list`, `agent.identity.get`, `models.list`: what the configuration says about agents and models.
use crate::agent::provider::BUILTIN;
use crate::error::{Error, Result};
use crate::protocol::frame::Payload;
use crate::sessions::key;
use crate::shared::Shared;
use crate::state::clients::Caller;
use serde_json::{Map, Value, json};

pub fn list(shared: &Shared, _caller: &Caller, _params: Value) -> Result<Payload> {
    let agents = shared.agents();
    let rules = agents.key_rules();
    let rows: Vec<Value> = agents.ids().iter().map(|id| agents.row(id)).collect();
    let scope = if rules.global { "global" } else { "per-sender" };
    Ok(json!({"defaultId": rules.default_agent, "mainKey": rules.main_key, "scope": scope, "agents": rows})
        .into())
}

/// An unknown agent is not an error: it has the default name.
pub fn identity_get(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let agents = shared.agents();
    let text = |name: &str| params.get(name).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
    let named = text("agentId").map(key::normalise_agent_id);
    let of_session = match text("sessionKey") {
        Some(raw) => Some(key::agent_of(&agents.key_rules().canonical(raw)?).to_string()),
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

/// The models that the configuration lists, and the built-in one when it lists none.
pub fn models(shared: &Shared, _caller: &Caller, _params: Value) -> Result<Payload> {
    let config = shared.config();
    let providers = config.get("models.providers").and_then(Value::as_object);
    let mut rows: Vec<Value> =
        providers.into_iter().flatten().flat_map(|(id, provider)| provider_rows(id, provider)).collect();
    if rows.is_empty() {
        let (provider, id) = BUILTIN.split_once('/').unwrap_or((BUILTIN, ""));
        rows.push(json!({"id": id, "name": "Built-in", "provider": provider, "contextWindow": 200_000, "reasoning": false, "input": ["text"]}));
    }
    let sort_key = |row: &Value| {
        ["provider", "name"].map(|k| row.get(k).and_then(Value::as_str).unwrap_or_default().to_lowercase())
    };
    rows.sort_by_key(sort_key);
    Ok(json!({"models": rows}).into())
}

fn provider_rows(provider: &str, section: &Value) -> Vec<Value> {
    let models = section.get("models").and_then(Value::as_array).into_iter().flatten();
    models
        .filter_map(|model| {
            let id = model.get("id")?.as_str()?;
            let mut row = Map::new();
            row.insert("id".into(), id.into());
            row.insert("name".into(), model.get("name").cloned().unwrap_or_else(|| id.into()));
            row.insert("provider".into(), provider.into());
            row.insert("contextWindow".into(), model.get("contextWindow").cloned().unwrap_or(200_000.into()));
            row.insert("reasoning".into(), model.get("reasoning").cloned().unwrap_or(false.into()));
            row.insert("input".into(), model.get("input").cloned().unwrap_or_else(|| json!(["text"])));
            Some(Value::Object(row))
        })
        .collect()
}
