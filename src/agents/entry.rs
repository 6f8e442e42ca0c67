//! The entry of an agent in the config's own text, in which its place is found. For `edit`.
use super::Agents;
use super::fit::not_found;
use crate::config::Config;
use crate::config::edit::Draft;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::json;
use crate::session_key::{id_of, normalise_agent_id};
use serde_json::Value;

pub const LIST: [&str; 2] = ["agents", "list"];

/// Where in the config's own text the agent's entry stands, made now if it has none.
pub fn entry_place(draft: &mut Draft, config: &Config, env: &Env, id: &str) -> Result<String> {
    if let Some(place) = places(draft, &LIST, "id", id)?.first() {
        return Ok(place.to_string());
    }
    let agents = Agents::of(config, env);
    if agents.entry(id).is_some() {
        return Err(included(id));
    }
    let default = agents.default_id();
    if id != default && config.get("agents.list").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        draft.append(&LIST, &json!({"id": default}))?;
    }
    draft.append(&LIST, &json!({"id": id}))?;
    let own = places(draft, &LIST, "id", id)?;
    own.first().map(usize::to_string).ok_or_else(|| not_found(id))
}

/// The places in a list of the items whose `member` (the item itself when that is empty) names the agent.
pub fn places(draft: &Draft, list: &[&str], member: &str, id: &str) -> Result<Vec<usize>> {
    let value = draft.value()?;
    let items = list.iter().try_fold(&value, |value, name| value.get(name)).and_then(Value::as_array);
    let names = |item: &Value| match member {
        "" => item.as_str().map(normalise_agent_id),
        "id" => id_of(item),
        member => item.get(member).and_then(Value::as_str).map(normalise_agent_id),
    };
    let found =
        items.into_iter().flatten().enumerate().filter(|(_, item)| names(item).as_deref() == Some(id));
    Ok(found.map(|(place, _)| place).collect())
}

pub fn remove_items(draft: &mut Draft, list: &[&str], places: Vec<usize>) -> Result<()> {
    // From the end, so that the places before stay right.
    places.into_iter().rev().try_for_each(|place| {
        let place = place.to_string();
        let path: Vec<&str> = list.iter().copied().chain([place.as_str()]).collect();
        draft.remove(&path)
    })
}

pub fn included(id: &str) -> Error {
    Error::invalid(format!("agent \"{id}\" stands in a file that the config includes; change it there"))
}
