//! How far a mistake reaches: what is taken out of the configuration for it, and which turns are refused until it is
//! corrected.
//!
//! Pure; any thread. The key alone is left out, unless that would choose another model, server, secret or directory, or
//! lift a restriction: then what depends on it stays shut.
use crate::config::keys::Type;
use crate::config::{Config, Issue, legacy, lookup};
use crate::error::{Error, Result};
use crate::session_key::id_of;
use serde_json::Value;

/// How the message of a mistake ends that did not end the start.
pub const UNTIL: &str = " until this is corrected";

/// Whether a mistake ends the start: one of the file as a whole, or one below `gateway` that is not harmless.
pub fn ends_start(segments: &[String]) -> bool {
    let texts: Vec<&str> = segments.iter().map(String::as_str).collect();
    match texts.as_slice() {
        [] => true,
        ["gateway", rest @ ..] => !is_harmless(rest),
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
        ["nodes", "allowCommands", ..] => true,
        _ => false,
    }
}

/// Mistakes: null stands where a model is chosen, or above. It is no model, and taken as unset it would choose another.
pub fn emptied(whole: &Value) -> Vec<Issue> {
    let places = [
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
    paths.into_iter().filter(is_null).map(told).collect()
}

/// How many segments of an error's path name what is taken out for it. Where the start is refused that is the key itself:
/// whoever only looks still sees the rest.
pub fn length(whole: &Value, segments: &[String]) -> usize {
    let texts: Vec<&str> = segments.iter().map(String::as_str).collect();
    match texts.as_slice() {
        ["gateway", rest @ ..] if is_harmless(rest) => key(whole, segments, 1),
        ["gateway", ..] => texts.len(),
        ["channels", _, ..] => 2,
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
fn restricts(rest: &[&str]) -> bool {
    let is_manner = matches!(rest, ["web", "fetch" | "search", name, ..] if *name != "enabled");
    !is_amount(&[&["tools"], rest].concat()) && !is_manner
}

fn is_amount(path: &[&str]) -> bool {
    let kind = lookup::find(path.iter().copied()).map(|node| node.kind());
    matches!(kind, Some(Type::Int { .. } | Type::Number { .. }))
}

impl Config {
    /// The mistake for which an agent would not be what the file says, as far as its model, its directories and what
    /// it may do are concerned. Its turns are refused.
    pub fn bars(&self, agent: &str) -> Option<&Issue> {
        let is_barred = |issue: &&Issue| self.is_barred(agent, &issue.path.split('.').collect::<Vec<_>>());
        let is_lost = |issue: &&Issue| issue.is_unread() && self.loses_model(agent, &issue.path);
        self.issues().iter().find(is_barred).or_else(|| self.warnings().iter().find(is_lost))
    }

    /// Whether a key that nothing reads, at `path`, was meant to say which model the agent has, and nothing else does.
    fn loses_model(&self, agent: &str, path: &str) -> bool {
        let names: Vec<&str> = path.split('.').collect();
        let meant = legacy::place(path).map(str::to_string).or_else(|| lookup::meant(&names));
        let meant = meant.unwrap_or_else(|| path.to_string());
        let meant: Vec<&str> = meant.split('.').collect();
        let value = self.written(&names).unwrap_or(&Value::Null);
        let own = |value: &Value| value.get("model").is_some();
        // The value itself, or what it holds by name or in a list.
        let inner = |value: &Value| match value {
            Value::Object(map) => map.values().any(own),
            Value::Array(items) => items.iter().any(own),
            _ => false,
        };
        let has_own =
            || self.listed().iter().any(|entry| own(entry) && id_of(entry).as_deref() == Some(agent));
        match meant.as_slice() {
            ["agents", "list", place, "model", ..] => {
                let place = place.parse().unwrap_or(usize::MAX);
                let is_set = self.listed().get(place).is_some_and(own);
                !is_set && self.agent_at(place).as_deref() == Some(agent)
            }
            _ if self.is_set("agents.defaults.model") || has_own() => false,
            ["agents", "defaults", "model", ..] | ["agents" | "agent" | "defaults", "model"] | ["model"] => {
                true
            }
            ["agents"] | ["agents", _] => own(value) || inner(value),
            _ => false,
        }
    }

    fn is_barred(&self, agent: &str, mistake: &[&str]) -> bool {
        match mistake {
            ["agents" | "session"] | ["agents", "defaults" | "list"] | ["session", "store", ..] => true,
            ["agents", "defaults", "workspace", ..] | ["agents", "defaults", "model"] => true,
            ["agents", "defaults", "model", "primary", ..] => true,
            ["tools", rest @ ..] => restricts(rest),
            ["agents", "list", place] | ["agents", "list", place, "id" | "default", ..] => {
                place.parse().is_ok_and(|place| self.stands_in(agent, place))
            }
            ["agents", "list", place, rest @ ..] => {
                let decides = match rest {
                    ["tools", rest @ ..] => restricts(rest),
                    ["model"] | ["model", "primary", ..] => true,
                    ["workspace" | "agentDir" | "skills", ..] => true,
                    _ => false,
                };
                decides && place.parse().is_ok_and(|place| self.agent_at(place).as_deref() == Some(agent))
            }
            _ => false,
        }
    }

    fn listed(&self) -> &[Value] {
        self.get("agents.list").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn agent_at(&self, place: usize) -> Option<String> {
        self.listed().get(place).and_then(id_of)
    }

    /// Whether this is the default agent only for want of what cannot be read at `place` of the list.
    fn stands_in(&self, agent: &str, place: usize) -> bool {
        let marked = self.listed().iter().position(|agent| agent.get("default") == Some(&true.into()));
        let default = marked.unwrap_or(0);
        let is_default = self.agent_at(default).as_deref().unwrap_or("main") == agent;
        let has_lost_id = self.agent_at(place).is_none();
        let would_come_first = if has_lost_id { place == default } else { marked.is_none_or(|m| place < m) };
        is_default && would_come_first && (has_lost_id || place != default)
    }

    /// Refuses a turn of the agent while a mistake bars it.
    pub fn check_agent(&self, agent: &str) -> Result<()> {
        match self.bars(agent) {
            None => Ok(()),
            Some(issue) => Err(Error::config(format!(
                "agent {agent} is not answered for: {}",
                self.told_with_place(issue)
            ))),
        }
    }

    /// Why an agent that is not known may be one after all: the list, or an entry's name in it, cannot be read.
    pub fn lost_agent(&self, agent: &str) -> Option<Error> {
        let is_lost = |issue: &&Issue| {
            let names: Vec<&str> = issue.path.split('.').collect();
            matches!(
                names.as_slice(),
                ["agents"] | ["agents", "list"] | ["agents", "list", _] | ["agents", "list", _, "id", ..]
            )
        };
        let issue = self.issues().iter().find(is_lost)?;
        let told = self.told_with_place(issue);
        Some(Error::config(format!("agent {agent} is not known while the agents cannot be read: {told}")))
    }

    /// Refuses what would ask a model server for which a mistake has taken out its section or its keys.
    pub fn check_provider(&self, id: &str) -> Result<()> {
        let keys = |issue: &&Issue| {
            let mut names = issue.path.split('.');
            let section = (names.next(), names.next(), names.next());
            match section {
                (Some("auth"), None | Some("order" | "profiles"), None) => true,
                (Some("auth"), Some("order"), Some(name)) => name == id,
                (Some("auth"), Some("profiles"), Some(name)) => name.split(':').next() == Some(id),
                _ => false,
            }
        };
        let found = self.mistake(&format!("models.providers.{id}"));
        match found.or_else(|| self.issues().iter().find(keys)) {
            None => Ok(()),
            Some(issue) => Err(Error::config(format!("{id} is not asked: {}", self.told_with_place(issue)))),
        }
    }
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
