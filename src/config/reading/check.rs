//! Checks a configuration against the table: types, unknown keys, and the few rules that span keys.
//!
//! Pure; any thread. Messages name types and choices; a value is shown where no secret can stand.
use crate::config::keys::{MODEL, Type};
use crate::config::kinds::{expected, fits, hint, name_of, shown};
use crate::config::lookup::{self, Node};
use crate::config::reading::{bound, places};
use crate::config::redact::carries_secret;
use crate::config::{Issue, channels, join, legacy};
use crate::session_key::normalise_agent_id;
use serde_json::{Map, Value};

/// The longest texts, in characters.
const MOST_OF_TEXT: usize = 16_384;
const MOST_OF_PICTURE: usize = 2 << 20;

/// More mistakes are told as one, and keys that nothing reads are told up to so many.
const MOST_TOLD: usize = 1000;

/// What a check found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Values that do not fit.
    pub errors: Vec<Issue>,
    /// Keys that are not in the table, and values that do not mean what they seem to.
    pub warnings: Vec<Issue>,
    /// Keys of earlier versions.
    pub legacy: Vec<Issue>,
}

/// Checks a whole configuration. No message shows any of `secrets`.
pub fn check(config: &Value, secrets: &[String]) -> Findings {
    let mut findings = Findings::default();
    walk(config, lookup::root(), "", secrets, &mut findings);
    spanning(config, "", &mut findings.errors);
    places::check(config, &mut findings);
    accounts(config, &mut findings.errors);
    agent_ids(config, &mut findings.warnings);
    bound::lost(config, &mut findings.warnings);
    if findings.errors.len() > MOST_TOLD {
        let first = findings.errors.first().map(Issue::told).unwrap_or_default();
        let message = format!("more than {MOST_TOLD} mistakes, the first: {first}");
        findings.errors = vec![Issue::new("", message)];
    }
    findings
}

fn walk(value: &Value, node: Node, path: &str, secrets: &[String], out: &mut Findings) {
    if out.errors.len() > MOST_TOLD {
        return;
    }
    let kind = node.kind();
    if let Some(is_whole) = value.as_str().and_then(unfilled) {
        let is_secret = node.sensitive() && (is_whole || path.starts_with("models."));
        let message = "a variable is not filled in: write its name in upper case, as in ${NAME}".to_string();
        let list = if is_secret { &mut out.errors } else { &mut out.warnings };
        list.push(Issue::new(path, message));
    }
    if !fits(value, kind) {
        let is_open = !node.sensitive() && !node.has_secret_members() && !path.starts_with("gateway.auth.");
        let shown = shown(value, kind).filter(|text| is_open && !carries_secret(text, secrets));
        let got = shown.unwrap_or_else(|| name_of(value).to_string());
        let message = format!("expected {}, got {got}{}", expected(kind), hint(value, kind));
        out.errors.push(Issue::new(path, message));
        return;
    }
    if kind == Type::Any {
        return;
    }
    if let Some(most) = too_long(value, path) {
        let message = format!("a text of more than {most} characters; shorten it");
        return out.errors.push(Issue::new(path, message));
    }
    match value {
        Value::Object(map) => {
            if kind == *MODEL {
                out.errors.extend(names_no_model(map, node, path));
            }
            for (name, value) in map {
                let at = join(path, name);
                match node.child(name).filter(|child| !child.is_at("channels.*") || has_command(value)) {
                    Some(child) => walk(value, child, &at, secrets, out),
                    None => unknown(value, node, path, name, out),
                }
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                if let Some(child) = node.child(&i.to_string()) {
                    walk(item, child, &join(path, &i.to_string()), secrets, out);
                }
            }
        }
        _ => {}
    }
}

/// The bound that a text, or one of a list, passes: that of texts in requests. A picture may stand in the file itself.
fn too_long(value: &Value, path: &str) -> Option<usize> {
    let most = if path.ends_with(".avatar") { MOST_OF_PICTURE } else { MOST_OF_TEXT };
    let is_over = |value: &Value| value.as_str().is_some_and(|text| text.chars().nth(most).is_some());
    let is_one_over = |items: &Vec<Value>| items.iter().any(is_over);
    (is_over(value) || value.as_array().is_some_and(is_one_over)).then_some(most)
}

/// Whether a channel's section says which program speaks for it.
pub fn has_command(section: &Value) -> bool {
    let accounts = section.get("accounts").and_then(Value::as_object).into_iter().flatten();
    accounts.map(|(_, account)| account).chain([section]).any(|at| at.get("command").is_some())
}

/// A setting for a model that says something else than which. One agent's may be empty: it then has that of all.
fn names_no_model(map: &Map<String, Value>, node: Node, path: &str) -> Option<Issue> {
    let says_nothing = map.is_empty() && node.is_optional();
    if says_nothing || ["primary", "fallbacks"].iter().any(|key| map.contains_key(*key)) {
        return None;
    }
    let message = match map.keys().next() {
        Some(key) => {
            format!("names no model, \"{key}\" is not read; write it as {{primary: \"provider/model\"}}")
        }
        None => "names no model; write it as {primary: \"provider/model\"}, or remove the key".to_string(),
    };
    Some(Issue::new(path, message))
}

/// What the warnings about keys that nothing reads have in common.
pub const UNREAD: &str = ", not read; ";

fn unknown(value: &Value, parent: Node, path: &str, name: &str, out: &mut Findings) {
    if out.warnings.len() >= MOST_TOLD {
        return;
    }
    let at = join(path, name);
    let moved = legacy::explain(&at, value);
    if !moved.is_empty() {
        out.legacy.extend(moved);
        return;
    }
    let message = match lookup::nearest(path, parent, name) {
        Some(near) => format!("unknown key{UNREAD}did you mean {near}?"),
        None => format!("unknown key{UNREAD}remove it or correct its name"),
    };
    out.warnings.push(Issue::new(at, message));
}

/// R-06d: whether the text has a `${name}` that is not filled in because of its small letters; `true` when it is nothing
/// else.
fn unfilled(text: &str) -> Option<bool> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let names = text.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
    let is_name = |name: &&str| {
        name.chars().all(fits)
            && name.contains(|c: char| c.is_ascii_lowercase())
            && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    let name = names.into_iter().find(is_name)?;
    Some(name.len() + 3 == text.trim().len())
}

/// Ids that are read as others than written, and those of two agents.
fn agent_ids(config: &Value, warnings: &mut Vec<Issue>) {
    let agents = config.pointer("/agents/list").and_then(Value::as_array).into_iter().flatten();
    let mut seen = Vec::new();
    for (i, agent) in agents.enumerate() {
        let Some(written) = agent.get("id").and_then(Value::as_str) else { continue };
        let id = normalise_agent_id(written);
        let message = match () {
            () if seen.contains(&id) => {
                Some(format!("another agent is \"{id}\" too, this one is not read; give it an id of its own"))
            }
            () if written.to_lowercase() != id => Some(format!("read as \"{id}\"; write it so")),
            () => None,
        };
        warnings.extend(message.map(|message| Issue::new(format!("agents.list.{i}.id"), message)));
        seen.push(id);
    }
}

/// Accounts of channels whose sections are not checked otherwise. One that cannot be read is not one with the channel's keys.
fn accounts(config: &Value, errors: &mut Vec<Issue>) {
    let channels = config.get("channels").and_then(Value::as_object).into_iter().flatten();
    for (id, section) in channels {
        let is_open = lookup::find(["channels", id.as_str()]).is_none_or(|node| node.kind() == Type::Any);
        let Some(all) = section.get("accounts").filter(|_| is_open) else { continue };
        let place = join(&join("channels", id), "accounts");
        let mut wrong = |at: String, value: &Value| {
            errors.push(Issue::new(at, format!("expected an object, got {}", name_of(value))));
        };
        match all {
            Value::Object(all) => all
                .iter()
                .filter(|(_, account)| !account.is_object())
                .for_each(|(name, account)| wrong(join(&place, name), account)),
            other => wrong(place, other),
        }
    }
}

/// Rules between keys of one object, wherever it stands.
fn spanning(value: &Value, path: &str, errors: &mut Vec<Issue>) {
    let mut fail = |key: &str, message: &str| {
        errors.push(Issue::new(join(path, key), message));
    };
    match value {
        Value::Object(map) => {
            let filled =
                |key: &str| map.get(key).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
            if filled("allow") && filled("alsoAllow") {
                fail("alsoAllow", "allow and alsoAllow exclude each other; move all entries to one of them");
            }
            let open = map.get("dmPolicy").and_then(Value::as_str) == Some("open");
            let anyone =
                map.get("allowFrom").and_then(Value::as_array).is_some_and(|l| l.contains(&"*".into()));
            if open && !anyone {
                fail("dmPolicy", "\"open\" lets anyone write; add \"*\" to allowFrom, or choose \"pairing\"");
            }
            if let Some((key, why)) = channels::fault(path, map) {
                fail(key, why);
            }
            for (name, value) in map {
                // Settings of plugins follow rules of their own.
                if !(path.starts_with("plugins.") && name == "config") {
                    spanning(value, &join(path, name), errors);
                }
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                spanning(item, &join(path, &i.to_string()), errors);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
