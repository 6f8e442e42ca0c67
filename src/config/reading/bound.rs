//! Bindings that name an agent which is not there: the default agent answers in its place, and nobody would notice. Pure.
use crate::config::issue::Issue;
use crate::config::lookup::closest;
use crate::session_key::{id_of, normalise_agent_id};
use serde_json::Value;

/// Warns of each.
pub fn lost(config: &Value, warnings: &mut Vec<Issue>) {
    let listed = config.pointer("/agents/list").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let is_default = |agent: &&Value| agent.get("default") == Some(&Value::Bool(true));
    let default = listed.iter().find(is_default).or(listed.first()).and_then(id_of);
    let default = default.unwrap_or_else(|| "main".to_string());
    let known: Vec<String> = listed.iter().filter_map(id_of).chain([default.clone()]).collect();
    let bindings = config.get("bindings").and_then(Value::as_array).into_iter().flatten();
    for (i, binding) in bindings.enumerate() {
        let Some(written) = binding.get("agentId").and_then(Value::as_str) else { continue };
        let id = normalise_agent_id(written);
        if known.contains(&id) {
            continue;
        }
        let message = match closest(known.iter().map(String::as_str), &id) {
            Some(near) => format!("no agent is called so, {default} answers instead; did you mean {near}?"),
            None => {
                format!("no agent is called so, {default} answers instead; there are: {}", known.join(", "))
            }
        };
        warnings.push(Issue::new(format!("bindings.{i}.agentId"), message));
    }
}
