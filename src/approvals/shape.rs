//! What `exec-approvals.json` must be, for who reads it and, more strictly, for who writes it. Pure.
use super::rules::pattern;
use crate::error::{Error, Result};
use crate::logging::quoted;
use serde_json::{Map, Value};

const TOP: [&str; 3] = ["version", "defaults", "agents"];
const SECTION: [&str; 6] = ["security", "ask", "askFallback", "autoAllowSkills", "allowlist", "grants"];

/// What of a file would be passed over that may have been meant to forbid: a section that is none, a name that is written in
/// another way.
pub fn mistake(file: &Map<String, Value>) -> Option<String> {
    let sections =
        ["defaults", "agents"].into_iter().filter_map(|name| Some((name.to_string(), file.get(name)?)));
    let agents = file.get("agents").and_then(Value::as_object).into_iter().flatten();
    let agents = agents.map(|(id, agent)| (format!("agents.{id}"), agent));
    misspelt("", file, &TOP).or_else(|| {
        sections.chain(agents).find_map(|(place, section)| match section.as_object() {
            None => Some(format!("{place} must be an object")),
            Some(_) if place == "agents" => None,
            Some(section) => misspelt(&format!("{place}."), section, &SECTION),
        })
    })
}

fn misspelt(place: &str, section: &Map<String, Value>, names: &[&str]) -> Option<String> {
    let plain = |name: &str| name.to_ascii_lowercase().replace(['_', '-', ' '], "");
    section.keys().find_map(|key| {
        let meant = names.iter().find(|name| plain(name) == plain(key) && *name != key)?;
        Some(format!("{place}{} is not read; write it as {meant}", quoted(key)))
    })
}

/// What is written is what it is meant to be: a mistake would forbid, or be passed over by the original.
pub fn check(file: &Map<String, Value>) -> Result<()> {
    let fail = |place: &str, what: &str| Err(Error::invalid(format!("exec approvals: {place} {what}")));
    if !["version", "defaults", "agents"].iter().any(|name| file.contains_key(*name)) {
        return fail(
            "the file",
            "has none of version, defaults and agents: nothing was changed; `openclaw approvals get --json` shows what it looks like",
        );
    }
    if file.get("version").is_some_and(|version| version != 1) {
        return fail("version", "must be 1");
    }
    let empty = Map::new();
    let object = |name: &str| match file.get(name) {
        None => Ok(&empty),
        Some(value) => value
            .as_object()
            .ok_or_else(|| Error::invalid(format!("exec approvals: {name} must be an object"))),
    };
    let defaults = object("defaults")?;
    let agents = object("agents")?.iter().map(|(id, agent)| (format!("agents.{id}"), agent.as_object()));
    let sections = std::iter::once(("defaults".to_string(), Some(defaults))).chain(agents);
    for (place, section) in sections {
        let Some(section) = section else { return fail(&place, "must be an object") };
        for (name, choices) in [
            ("security", ["deny", "allowlist", "full"]),
            ("ask", ["off", "on-miss", "always"]),
            ("askFallback", ["deny", "allowlist", "full"]),
        ] {
            let is_known = |value: &Value| value.as_str().is_some_and(|text| choices.contains(&text));
            if section.get(name).is_some_and(|value| !is_known(value)) {
                return fail(&format!("{place}.{name}"), &format!("must be one of {}", choices.join(", ")));
            }
        }
        if section.get("autoAllowSkills").is_some_and(|value| !value.is_boolean()) {
            return fail(&format!("{place}.autoAllowSkills"), "must be true or false");
        }
        let list = section.get("allowlist");
        let entries = list.and_then(Value::as_array);
        if list.is_some()
            && !entries.is_some_and(|entries| entries.iter().all(|entry| pattern(entry).is_some()))
        {
            return fail(&format!("{place}.allowlist"), "must be a list of {pattern}");
        }
    }
    Ok(())
}
