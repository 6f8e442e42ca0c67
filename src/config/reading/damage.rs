//! How far a mistake reaches: what is taken out of the configuration for it.
//!
//! Pure; any thread. The key alone is left out, unless that would choose another model, server, secret or directory, or
//! lift a restriction: then what depends on it stays shut (`bars`).
use crate::config::keys::Type;
use crate::config::{Issue, join, lookup};
use serde_json::Value;

/// Whether a mistake ends the start: one of the file as a whole, or one below `gateway` that is not harmless,
/// one of a sandbox.
pub fn ends_start(segments: &[String]) -> bool {
    let texts: Vec<&str> = segments.iter().map(String::as_str).collect();
    match texts.as_slice() {
        [] => true,
        ["gateway", rest @ ..] => !is_harmless(rest),
        // Whoever wants walls of another kind would get none of them.
        ["agents", "defaults", "sandbox"] | ["agents", "defaults", "sandbox", "mode"] => true,
        ["agents", "list", _, "sandbox"] | ["agents", "list", _, "sandbox", "mode"] => true,
        _ => false,
    }
}

/// Whether a key below `gateway` can be left out: the gateway then has no other secret, address or port, and allows
/// nothing that it did not. Amounts fall back to their defaults.
fn is_harmless(rest: &[&str]) -> bool {
    match rest {
        ["limits" | "reload", ..] => true,
        // These are off, and let nobody in, unless the file says otherwise.
        ["http"] | ["http", "endpoints"] | ["http", "endpoints", _] => true,
        ["http", "endpoints", _, "enabled"] => true,
        ["http", ..] => is_amount(&[&["gateway"], rest].concat()),
        ["controlUi", name, ..] => *name != "enabled",
        ["nodes", "allowCommands", ..] | ["nodes", "pairing", "autoApproveCidrs", ..] => true,
        _ => false,
    }
}

/// Mistakes: null stands where a model, the port or what tools may do is chosen, or above. It is none, and taken as unset
/// it would choose another.
pub fn emptied(whole: &Value) -> Vec<Issue> {
    let places = [
        "gateway.port",
        "agents",
        "agents.defaults",
        "agents.defaults.model",
        "agents.defaults.model.primary",
        "agents.list",
    ];
    let mut paths: Vec<String> = places.map(str::to_string).to_vec();
    let listed = whole.pointer("/agents/list").and_then(Value::as_array).map_or(0, Vec::len);
    paths.extend((0..listed).map(|place| format!("agents.list.{place}.model")));
    let is_null =
        |path: &String| whole.pointer(&format!("/{}", path.replace('.', "/"))) == Some(&Value::Null);
    let told = |path: String| Issue::new(path, "null says nothing; write a value, or remove this key");
    let mut paths: Vec<String> = paths.into_iter().filter(is_null).collect();
    let agents = (0..listed)
        .map(|place| (format!("/agents/list/{place}/tools"), format!("agents.list.{place}.tools")));
    for (pointer, path) in [("/tools".to_string(), "tools".to_string())].into_iter().chain(agents) {
        if let Some(tools) = whole.pointer(&pointer) {
            unrestricted(tools, &mut Vec::new(), &path, &mut paths);
        }
    }
    paths.into_iter().map(told).collect()
}

/// The nulls in settings of tools, at `path`, that a restriction may have been.
fn unrestricted<'v>(value: &'v Value, names: &mut Vec<&'v str>, path: &str, found: &mut Vec<String>) {
    if value.is_null() && restricts(names) {
        found.push(path.to_string());
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        names.push(name);
        unrestricted(inner, names, &join(path, name), found);
        names.pop();
    }
}

/// How many segments of an error's path name what is taken out for it. Where the start is refused that is the key itself:
/// whoever only looks still sees the rest.
pub fn length(whole: &Value, segments: &[String]) -> usize {
    let texts: Vec<&str> = segments.iter().map(String::as_str).collect();
    match texts.as_slice() {
        ["gateway", rest @ ..] if is_harmless(rest) => key(whole, segments, 1),
        ["gateway", ..] => texts.len(),
        // Its gate keeps a group shut for which something is taken out (`channels::levels`).
        ["channels", _, "groups", _, ..] => 4,
        ["channels", _, "accounts", _, "groups", _, ..] => 6,
        ["channels", _, "accounts", _, rest @ ..] => {
            if is_manner(rest) {
                key(whole, segments, 4)
            } else {
                4
            }
        }
        ["channels", _, rest @ ..] => {
            if is_manner(rest) {
                key(whole, segments, 2)
            } else {
                2
            }
        }
        // One that is taken out is for no request.
        ["hooks", "mappings", _, ..] => 3,
        ["plugins" | "skills", "entries", _, ..] | ["auth", "profiles", _, ..] => 3,
        // What is shut by a rule or a switch of its own stays shut as a whole.
        [
            "bindings" | "broadcast" | "browser" | "canvasHost" | "discovery" | "hooks" | "plugins"
            | "skills",
            ..,
        ] => 1,
        ["commands", "ownerAllowFrom" | "useAccessGroups", ..] => 1,
        ["models", "providers", _, rest @ ..] if chooses_server(rest) => 3,
        ["models", "providers", _, "models", _, ..] => key(whole, segments, 5),
        ["tools", rest @ ..] if restricts(rest) => 1,
        ["agents", "list", _, "tools", rest @ ..] if restricts(rest) => 4,
        ["agents", "list", _, ..] => key(whole, segments, 3),
        // Who asks for these keeps people apart, or silent, while they are taken out. A bound of `maintenance` alone
        // might remove more than the two together.
        ["session", "dmScope" | "identityLinks" | "sendPolicy" | "maintenance", ..] => 2,
        _ => key(whole, segments, 1),
    }
}

/// Whether of something that is taken out the name stays: a channel or an account of which nothing is in force is shut
/// and told of, and nobody else stands in for it.
pub fn stays_known(section: &[String]) -> bool {
    let names: Vec<&str> = section.iter().map(String::as_str).collect();
    matches!(names.as_slice(), ["channels", _] | ["channels", _, "accounts", _])
}

/// Whether a key of a channel or account only says how it speaks: not as whom, with whom, by which server and address, nor
/// what may be done there.
fn is_manner(rest: &[&str]) -> bool {
    const MANNERS: [&str; 26] = [
        "ackReaction",
        "blockStreaming",
        "blockStreamingCoalesce",
        "chunkMode",
        "commands",
        "customCommands",
        "debounceMs",
        "dmHistoryLimit",
        "dms",
        "draftChunk",
        "dropAfterMinutes",
        "heartbeat",
        "historyLimit",
        "linkPreview",
        "markdown",
        "mediaMaxMb",
        "messagePrefix",
        "name",
        "reactionLevel",
        "replyToMode",
        "responsePrefix",
        "retry",
        "sendReadReceipts",
        "streamMode",
        "textChunkLimit",
        "timeoutSeconds",
    ];
    rest.first().is_some_and(|name| MANNERS.contains(name))
}

/// The key, or the list that it stands in: a list with a gap is another list. Lists above `base` have items that stand
/// for themselves.
fn key(whole: &Value, segments: &[String], base: usize) -> usize {
    let is_list = |depth: &usize| {
        let inside = segments.iter().take(*depth).try_fold(whole, |value, name| match value {
            Value::Array(items) => items.get(name.parse::<usize>().ok()?),
            value => value.get(name),
        });
        inside.is_some_and(Value::is_array)
    };
    (base..segments.len()).find(is_list).unwrap_or(segments.len())
}

/// Whether a key of a model server says which server is asked, how, and with which secret.
fn chooses_server(rest: &[&str]) -> bool {
    matches!(
        rest,
        [] | ["baseUrl" | "api" | "apiKey" | "apiKeyFile" | "auth" | "authHeader" | "headers", ..]
            | ["models", _, "api" | "headers", ..]
    )
}

/// Whether a key below `tools` forbids something, or could. An amount does not.
pub fn restricts(rest: &[&str]) -> bool {
    let is_manner = matches!(rest, ["web", "fetch" | "search", name, ..] if *name != "enabled");
    !is_amount(&[&["tools"], rest].concat()) && !is_manner
}

fn is_amount(path: &[&str]) -> bool {
    let kind = lookup::find(path.iter().copied()).map(|node| node.kind());
    matches!(kind, Some(Type::Int { .. } | Type::Number { .. }))
}

/// A dotted path as the keys it goes through; a key may itself hold dots (`my.host`, `gpt-4.1`).
pub fn segments(value: &Value, path: &str) -> Vec<String> {
    if path.is_empty() {
        return Vec::new();
    }
    let rest_after = |key: &str| match path.strip_prefix(key) {
        Some("") => Some(""),
        Some(rest) => rest.strip_prefix('.'),
        None => None,
    };
    if let Value::Array(items) = value {
        let (place, rest) = path.split_once('.').unwrap_or((path, ""));
        let item = place.parse().ok().and_then(|place: usize| items.get(place)).unwrap_or(&Value::Null);
        return [vec![place.to_string()], segments(item, rest)].concat();
    }
    let members = value.as_object().into_iter().flatten();
    let longest =
        members.filter_map(|(key, v)| Some((key, v, rest_after(key)?))).max_by_key(|(key, ..)| key.len());
    match longest {
        Some((key, value, rest)) => [vec![key.clone()], segments(value, rest)].concat(),
        None => path.split('.').map(str::to_string).collect(),
    }
}

#[cfg(test)]
#[path = "damage_tests.rs"]
mod tests;
