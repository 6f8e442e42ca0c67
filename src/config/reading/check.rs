//! Checks a configuration against the table: types, unknown keys, and the few rules that span keys.
//!
//! Pure; any thread. Messages name types and choices; a value is shown where no secret can stand.
use crate::config::fingerprint::fingerprint;
use crate::config::keys::{MODEL, Type};
use crate::config::lookup::{self, Node};
use crate::config::redact::carries_secret;
use crate::config::{Issue, join, legacy};
use crate::json;
use crate::session_key::normalise_agent_id;
use serde_json::{Map, Value};

/// Longer values are not shown, in bytes.
const MAX_SHOWN: usize = 40;

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
    agent_ids(config, &mut findings.warnings);
    findings
}

fn walk(value: &Value, node: Node, path: &str, secrets: &[String], out: &mut Findings) {
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
    match value {
        Value::Object(map) => {
            if kind == *MODEL {
                out.errors.extend(names_no_model(map, node, path));
            }
            for (name, value) in map {
                let at = join(path, name);
                match node.child(name) {
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

/// Whether a value is of this type.
pub fn fits(value: &Value, kind: Type) -> bool {
    match kind {
        Type::Any => true,
        Type::Bool => value.is_boolean(),
        Type::Int { min, max } => value.as_i64().is_some_and(|n| (min..=max).contains(&n)),
        Type::Number { min, max } => value.as_f64().is_some_and(|n| (min..=max).contains(&n)),
        Type::Text { min } => value.as_str().is_some_and(|text| text.chars().count() >= min),
        Type::Enum(choices) => value.as_str().is_some_and(|text| choices.contains(&text)),
        Type::Duration => value.as_str().is_some_and(is_duration),
        Type::Clock => value.as_str().is_some_and(is_clock),
        Type::Fingerprint => {
            value.as_str().is_some_and(|text| text.trim().is_empty() || fingerprint(text).is_some())
        }
        Type::TextList => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        Type::IdList => {
            value.as_array().is_some_and(|items| items.iter().all(|i| i.is_string() || i.is_number()))
        }
        Type::Object | Type::Map | Type::Limits => value.is_object(),
        Type::List => value.is_array(),
        Type::Like(path) => lookup::find(path.split('.')).is_none_or(|node| fits(value, node.kind())),
        Type::AnyOf(kinds) => kinds.iter().any(|kind| fits(value, *kind)),
    }
}

/// `30m`, `1h30m`, `500ms`, `90`.
fn is_duration(text: &str) -> bool {
    let mut rest = text.trim();
    let mut parts = 0;
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = rest.strip_suffix(unit).unwrap_or_default();
        let after = unit.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let name = unit.strip_suffix(after).unwrap_or_default();
        let bare = name.is_empty() && parts == 0 && after.is_empty();
        if number.parse::<f64>().is_err() || !(bare || ["ms", "s", "m", "h", "d"].contains(&name)) {
            return false;
        }
        (rest, parts) = (after, parts + 1);
    }
    parts > 0
}

/// `00:00` to `24:00`.
fn is_clock(text: &str) -> bool {
    let Some((hours, minutes)) = text.split_once(':').filter(|(h, m)| h.len() == 2 && m.len() == 2) else {
        return false;
    };
    let number =
        |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u32>().ok()).flatten();
    number(hours).zip(number(minutes)).is_some_and(|(h, m)| (h < 24 && m < 60) || (h == 24 && m == 0))
}

/// What a value of this type is, in words.
pub fn expected(kind: Type) -> String {
    match kind {
        Type::Bool => "true or false".to_string(),
        Type::Int { min, max: i64::MAX } => format!("a whole number of at least {min}"),
        Type::Int { min, max } => format!("a whole number from {min} to {max}"),
        Type::Number { min, .. } if min == f64::MIN => "a number".to_string(),
        Type::Number { min, .. } if min == f64::MIN_POSITIVE => "a number above 0".to_string(),
        Type::Number { min, max } => format!("a number from {min} to {max}"),
        Type::Text { min: 0 } => "text".to_string(),
        Type::Text { .. } => "text that is not empty".to_string(),
        Type::Enum(choices) => {
            let quoted: Vec<String> = choices.iter().map(|choice| format!("\"{choice}\"")).collect();
            format!("one of {}", quoted.join(", "))
        }
        Type::Duration => "a duration such as \"30m\"".to_string(),
        Type::Clock => "a time of day such as \"08:00\"".to_string(),
        Type::Fingerprint => "the 64 hexadecimal digits of a SHA-256 fingerprint".to_string(),
        Type::TextList => "a list of texts".to_string(),
        Type::IdList => "a list of texts or numbers".to_string(),
        Type::Object | Type::Map | Type::Limits => "an object".to_string(),
        Type::List => "a list".to_string(),
        Type::Any => "anything".to_string(),
        Type::Like(path) => lookup::find(path.split('.')).map_or(String::new(), |node| expected(node.kind())),
        Type::AnyOf(kinds) => kinds.iter().map(|kind| expected(*kind)).collect::<Vec<_>>().join(" or "),
    }
}

/// The value, where its type leaves no room for a secret or a long text.
fn shown(value: &Value, kind: Type) -> Option<String> {
    let is_plain = matches!(
        kind,
        Type::Bool | Type::Int { .. } | Type::Number { .. } | Type::Enum(_) | Type::Duration | Type::Clock
    );
    let is_scalar = matches!(value, Value::Bool(_) | Value::Number(_) | Value::String(_));
    Some(value.to_string()).filter(|text| is_plain && is_scalar && text.len() <= MAX_SHOWN)
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "another number",
        Value::String(text) if text.is_empty() => "empty text",
        Value::String(_) => "other text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The fix, where it is plain.
fn hint(value: &Value, kind: Type) -> &'static str {
    let unquoted = value.as_str().and_then(|text| json::read(text, 100, 8).ok());
    match kind {
        Type::Text { .. } if value.is_number() => "; put it in quotes",
        Type::TextList if value.is_string() => "; put it in [ ]",
        _ if unquoted.is_some_and(|value| fits(&value, kind)) => "; take off the quotes",
        _ => "",
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
            if path.starts_with("channels.telegram")
                && map.contains_key("webhookUrl")
                && !map.contains_key("webhookSecret")
            {
                fail("webhookUrl", "a webhook needs webhookSecret beside it");
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
