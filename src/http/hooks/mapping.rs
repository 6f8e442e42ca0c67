//! `hooks.mappings` and `hooks.presets`: which row a request is for, and without what there are no webhooks. Pure.
use crate::config::Config;
use crate::device::secret_eq;
use crate::error::{Error, Result};
use crate::http::path;
use crate::json::{Put, json};
use crate::settings::Secret;
use serde_json::Value;

/// A mapping as it is configured, or a request in its place.
pub struct Mapping(pub Value);

impl Mapping {
    /// A text that is there and not blank.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
    }
}

/// The first mapping for this path and payload: those that are configured, then those of presets. Where the first asks for
/// a program there is none: what the program would have let through is not known.
pub fn find(config: &Config, path: &str, payload: &Value) -> Option<Mapping> {
    let all = config.get("hooks.mappings").and_then(Value::as_array).into_iter().flatten().enumerate();
    // What is left of one that cannot be read would be for every request.
    let own = all.filter(|(at, _)| config.mistake(&format!("hooks.mappings.{at}")).is_none());
    let mut all = own.map(|(_, mapping)| mapping.clone()).chain(preset(config));
    let found = all.find(|mapping| fits(mapping, path, payload));
    found.filter(|mapping| mapping.get("transform").is_none_or(Value::is_null)).map(Mapping)
}

/// The mapping that a mistake at this path has taken out.
pub fn of_issue(path: &str) -> Option<usize> {
    path.strip_prefix("hooks.mappings.")?.split('.').next()?.parse().ok()
}

/// Which mappings are for no request, to be told behind something else. No word of theirs, for who asks may be a stranger.
pub fn left_out(config: &Config) -> String {
    let mut all: Vec<usize> = config.issues().iter().filter_map(|issue| of_issue(&issue.path)).collect();
    all.sort_unstable();
    all.dedup();
    match all.as_slice() {
        [] => String::new(),
        all => {
            let names: Vec<String> = all.iter().map(|at| format!("hooks.mappings.{at}")).collect();
            let (has, is) = if names.len() == 1 { ("has", "is") } else { ("have", "are") };
            format!(
                "; {} {has} a mistake and {is} for no request; openclaw doctor shows it",
                names.join(", ")
            )
        }
    }
}

fn fits(mapping: &Value, path: &str, payload: &Value) -> bool {
    let of =
        |name: &str| mapping.get("match")?.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty());
    let source = payload.get("source").and_then(Value::as_str);
    of("path").is_none_or(|wanted| wanted.trim_matches('/') == path)
        && of("source").is_none_or(|wanted| Some(wanted) == source)
}

/// New mail, as `gog gmail watch serve` and the like send it.
fn preset(config: &Config) -> Option<Value> {
    if !config.strings("hooks.presets").contains(&"gmail") {
        return None;
    }
    let mut mapping = json!({
        "id": "gmail",
        "match": {"path": "gmail"},
        "action": "agent",
        "name": "Gmail",
        "wakeMode": "now",
        "sessionKey": "hook:gmail:{{messages[0].id}}",
        "messageTemplate": "New mail from {{messages[0].from}}\nSubject: {{messages[0].subject}}\n{{messages[0].snippet}}\n{{messages[0].body}}",
    });
    let own = config.get("hooks.gmail").and_then(Value::as_object).cloned().unwrap_or_default();
    for name in ["model", "thinking", "allowUnsafeExternalContent"] {
        if let (Some(value), Some(map)) = (own.get(name), mapping.as_object_mut()) {
            map.put(name, value.clone());
        }
    }
    Some(mapping)
}

/// What would open or shut all webhooks otherwise than meant, before it is put in force. Single ones that cannot be done
/// are left out, and told as what this version does not do.
pub fn check(config: &Config) -> Result<()> {
    if !config.bool("hooks.enabled") {
        return Ok(());
    }
    if config.str("hooks.token").is_none_or(|token| token.trim().is_empty()) {
        return refused(
            "hooks.enabled requires hooks.token",
            "set hooks.token (openssl rand -hex 24 makes one)",
        );
    }
    let path = config.str("hooks.path").unwrap_or("/hooks").trim();
    if path.trim_matches('/').is_empty() {
        return refused("hooks.path may not be the whole port", "set it to a path such as /hooks");
    }
    if !is_reachable(path) {
        return refused(
            &format!("hooks.path: no request has the path {}", crate::logging::quoted(path)),
            "set it to a plain path such as /hooks, without //, .., ?, #, ; and %",
        );
    }
    Ok(())
}

/// Whether requests can name this path: slashes around it may be left out or written.
fn is_reachable(path: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = format!("/{}", path.strip_prefix('/').unwrap_or(path));
    path::plain(&path).is_some_and(|plain| plain == path)
}

/// Webhooks open with a secret of their own: their token is not the gateway's.
pub fn check_token(config: &Config, secret: Option<&Secret>) -> Result<()> {
    let token = config.str("hooks.token").filter(|_| config.bool("hooks.enabled")).map(str::trim);
    match token.zip(secret) {
        Some((token, secret)) if secret_eq(secret.reveal().trim(), token) => refused(
            "hooks.token must not match the gateway's own token or password: whoever may send a webhook could do everything",
            "set hooks.token to one of its own (openssl rand -hex 24 makes one)",
        ),
        _ => Ok(()),
    }
}

fn refused(what: &str, fix: &str) -> Result<()> {
    Err(Error::config(format!("{what}.\nFix: {fix}")))
}
