//! `skills.status`, `skills.bins`, `skills.update`, `skills.install`: skills as pages show and switch them, and as nodes ask
//! for the programs they name. All on the caller's connection thread. Nothing is installed.
use super::config_write;
use crate::agents::Agents;
use crate::calls::Caller;
use crate::config::Hide;
use crate::config::write::{Base, Change};
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::params::{params, read};
use crate::protocol::frame::Payload;
use crate::session_key::normalise_agent_id;
use crate::skills;
use crate::state::shared::Shared;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

pub fn status(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let agents = shared.agents();
    let named = params.get("agentId").and_then(Value::as_str).map(normalise_agent_id);
    let id = named.unwrap_or_else(|| agents.default_id());
    if !agents.ids().contains(&id) {
        return Err(Error::invalid(format!("unknown agent id \"{id}\"; agents.list names those there are")));
    }
    Ok(skills::report(&agents, &id).into())
}

/// Of the skills of all agents that are switched on.
pub fn bins(shared: &Shared, _caller: &Caller, _params: Value) -> Result<Payload> {
    let agents = shared.agents();
    let of = |id: String| {
        let on = skills::find(&agents, &id).skills.into_iter().filter(|skill| skill.is_on(agents.config()));
        on.flat_map(|skill| skills::programs(&skill)).collect::<Vec<String>>()
    };
    let bins: BTreeSet<String> = agents.ids().into_iter().flat_map(of).collect();
    Ok(json!({"bins": bins}).into())
}

params! {
    struct Update {
        skill_key: String,
        enabled: Option<bool>,
        api_key: Option<String>,
        env: Option<BTreeMap<String, Value>>,
    }
}

/// Writes `skills.entries.<key>`; it is in force when this answers. Secrets are not told back (SEC-25).
pub fn update(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let Update { skill_key, enabled, api_key, env } = read(params)?;
    let key = skill_key.trim();
    if key.is_empty() || key.contains(char::is_control) {
        return Err(Error::invalid("skillKey must be a word: skills.status names those there are"));
    }
    let mut entry = Map::new();
    if let Some(enabled) = enabled {
        entry.put("enabled", enabled);
    }
    if let Some(secret) = api_key {
        entry.put("apiKey", kept(&secret));
    }
    if let Some(env) = env {
        let mut variables = Map::new();
        for (name, value) in env {
            variables.put(variable(&name)?, kept(value.as_str().unwrap_or_default()));
        }
        entry.put("env", variables);
    }
    shared.settled_config()?;
    let patch = json!({"skills": {"entries": {key: entry}}}).to_string();
    let written = config_write::put(shared, Change::Merge(&patch), Base::Present, false)?;
    if written.written {
        // Whatever the reload mode: who called asked for it.
        shared.set_config(shared.file_config());
    }
    let now = written.config.look(&["skills", "entries", key], Hide::All).unwrap_or_else(|| json!({}));
    Ok(json!({"ok": true, "skillKey": key, "config": now}).into())
}

/// An empty text takes the member away.
fn kept(text: &str) -> Value {
    match text.trim() {
        "" => Value::Null,
        text => text.into(),
    }
}

fn variable(name: &str) -> Result<&str> {
    let name = name.trim();
    let is_fit = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match !name.is_empty() && name.chars().all(is_fit) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        true => Ok(name),
        false => Err(Error::invalid(format!(
            "env: {:?} is no name of a variable: letters, digits and _",
            crate::parts::within(name, 100)
        ))),
    }
}

/// Says how to do it by hand.
pub fn install(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let name = params.get("name").and_then(Value::as_str).unwrap_or_default();
    let agents: Agents = shared.agents();
    let agent = agents.default_id();
    let found = skills::find(&agents, &agent).skills;
    let skill = found.into_iter().find(|skill| skill.name == name || skill.key == name);
    let missing = |skill: &skills::Skill| skills::all_missing(skill, &agents, &agent);
    let todo = skill.map(|skill| skills::by_hand(&skill, agents.env(), &missing(&skill)));
    let todo = todo.unwrap_or_default().join("; ");
    Err(Error::unavailable(match todo.as_str() {
        "" => "this gateway installs no skills: put the skill's folder with its SKILL.md into the workspace's skills/ or the state directory's skills/".to_string(),
        todo => format!("this gateway installs nothing for skills: {todo}"),
    }))
}
