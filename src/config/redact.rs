//! Which parts of a configuration are secret, and a copy of it without them.
//!
//! Pure; any thread. Keys of the table are judged by their row; keys the table does not know, and all keys
//! below a row of type `Any`, by their name. Numbers such as `maxTokens` stay readable.
use super::keys::Type;
use super::lookup::{self, Node};
use serde_json::Value;

/// What is shown in place of a secret; writers put the real value back where they find it.
pub const HIDDEN: &str = "__OPENCLAW_REDACTED__";

/// Shorter values are not looked for inside other texts: they would be found everywhere.
const MIN_SEARCHED: usize = 4;

/// Parts of names of secrets, lower case, without separators.
const NAMES: &[&str] = &[
    "token",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "apikey",
    "accesskey",
    "privatekey",
    "signingkey",
    "authorization",
    "cookie",
    "credential",
];

/// Whether a key or variable of this name probably holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    let plain = plain(name);
    NAMES.iter().any(|part| plain.contains(part))
}

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// A place in a configuration and what is to be hidden there.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    node: Option<Node>,
    hide: Hide,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Hide {
    Nothing,
    /// Texts: the name only sounds like a secret.
    Texts,
    /// Texts and numbers.
    All,
}

impl Place {
    pub fn root() -> Place {
        Place { node: Some(lookup::root()), hide: Hide::Nothing }
    }

    /// The place of the member `name`.
    pub fn member(&self, name: &str) -> Place {
        let node = self.node.and_then(|node| node.child(name));
        let hide = match node {
            _ if self.hide != Hide::Nothing => self.hide,
            Some(node) if node.sensitive() => Hide::All,
            Some(_) => Hide::Nothing,
            // `botToken: 12345` is a secret without quotes, `maxTokens: 4096` is none.
            None if NAMES.iter().any(|part| plain(name).ends_with(part)) => Hide::All,
            None if is_secret_name(name) => Hide::Texts,
            None => Hide::Nothing,
        };
        Place { node, hide }
    }

    /// The place of a list's items.
    pub fn item(&self) -> Place {
        Place { node: self.node.and_then(|node| node.child("0")), hide: self.hide }.or_sensitive()
    }

    fn or_sensitive(mut self) -> Place {
        if self.node.is_some_and(|node| node.sensitive()) {
            self.hide = Hide::All;
        }
        self
    }

    pub fn hides_text(&self) -> bool {
        self.hide != Hide::Nothing
    }

    pub fn hides_number(&self) -> bool {
        self.hide == Hide::All
    }

    /// Whether the members below are named by the user, as variables are.
    fn is_env(&self) -> bool {
        self.node.and_then(|node| node.key()).is_some_and(|key| {
            matches!(*key.kind, Type::Text { .. })
                && key.path.rsplit('.').nth(1).is_some_and(|p| p == "env" || p == "vars")
        })
    }
}

/// Whether a text carries a secret inside an address (`user:pass@host`, `?token=`, `/bot123:abc/`), or any of
/// the known secrets.
pub fn carries_secret(text: &str, secrets: &[String]) -> bool {
    if secrets.iter().any(|secret| secret.len() >= MIN_SEARCHED && text.contains(secret.as_str())) {
        return true;
    }
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let named = |pair: &str| {
        pair.split_once('=').is_some_and(|(name, _)| is_secret_name(name) || plain(name) == "key")
    };
    let bot = rest.split('/').any(|part| part.strip_prefix("bot").is_some_and(|id| id.contains(':')));
    authority.contains('@') || query.split('&').any(named) || bot
}

/// A copy with every secret replaced. `secrets` are values known to be secret wherever they stand.
pub fn redact(value: &Value, secrets: &[String]) -> Value {
    at(value, Place::root(), secrets)
}

/// The same for a value that stands at `path`.
pub fn redact_at(value: &Value, path: &[&str], secrets: &[String]) -> Value {
    at(value, path.iter().fold(Place::root(), |place, name| place.member(name)), secrets)
}

fn at(value: &Value, place: Place, secrets: &[String]) -> Value {
    match value {
        Value::String(text) if text.is_empty() => value.clone(),
        Value::String(text) if place.hides_text() || carries_secret(text, secrets) => HIDDEN.into(),
        Value::Number(_) if place.hides_number() => HIDDEN.into(),
        Value::Array(items) => items.iter().map(|item| at(item, place.item(), secrets)).collect(),
        Value::Object(map) => {
            map.iter().map(|(name, value)| (name.clone(), at(value, place.member(name), secrets))).collect()
        }
        other => other.clone(),
    }
}

/// Every secret value, for those who must keep them out of logs; very short ones are left out, because text
/// without them would be unreadable.
pub fn collect(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    gather(value, Place::root(), &mut found);
    crate::order::sort(&mut found);
    found.dedup();
    found
}

fn gather(value: &Value, place: Place, found: &mut Vec<String>) {
    // A variable may hold anything, `info` or `true` too.
    let least = if place.is_env() { 8 } else { MIN_SEARCHED };
    match value {
        Value::String(text) if place.hides_text() && text.len() >= least => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| gather(item, place.item(), found)),
        Value::Object(map) => map.iter().for_each(|(name, value)| gather(value, place.member(name), found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sec_25_rows_and_names_decide_what_is_hidden() {
        let check = |value: Value, want: Value| assert_eq!(redact(&value, &[]), want, "{value}");
        check(json!({"gateway": {"auth": {"token": "x"}}}), json!({"gateway": {"auth": {"token": HIDDEN}}}));
        check(
            json!({"gateway": {"auth": {"token": 12345}}}),
            json!({"gateway": {"auth": {"token": HIDDEN}}}),
        );
        check(
            json!({"models": {"providers": {"token-house": {"headers": {"X-Any": "v"}, "models": [{"maxTokens": 4096}]}}}}),
            json!({"models": {"providers": {"token-house": {"headers": {"X-Any": HIDDEN}, "models": [{"maxTokens": 4096}]}}}}),
        );
        check(
            json!({"channels": {"telegram": {"tokenFile": "/f", "accounts": {"a": {"botToken": "1:x"}}}}}),
            json!({"channels": {"telegram": {"tokenFile": "/f", "accounts": {"a": {"botToken": HIDDEN}}}}}),
        );
        check(
            json!({"plugins": {"entries": {"p": {"config": {"api_key": "x", "maxTokens": 5, "creds": {"password": [1, "x"]}}}}}}),
            json!({"plugins": {"entries": {"p": {"config": {"api_key": HIDDEN, "maxTokens": 5, "creds": {"password": [HIDDEN, HIDDEN]}}}}}}),
        );
        check(json!({"telegram": {"botToken": "x"}}), json!({"telegram": {"botToken": HIDDEN}}));
        check(
            json!({"env": {"PAT": "x", "vars": {"Y": "z"}}}),
            json!({"env": {"PAT": HIDDEN, "vars": {"Y": HIDDEN}}}),
        );
        check(
            json!({"agents": {"defaults": {"contextTokens": 9}}}),
            json!({"agents": {"defaults": {"contextTokens": 9}}}),
        );
    }

    #[test]
    fn secrets_inside_other_texts_are_found() {
        for (text, want) in [
            ("http://127.0.0.1:8080/v1", false),
            ("http://user:pw@host/v1", true),
            ("https://h/v1?api_key=1", true),
            ("https://h/v1?keyword=1", false),
            ("https://api.telegram.org/bot12:abc/getMe", true),
            ("me@example.org", false),
            ("say canary-1 twice", true),
        ] {
            assert_eq!(carries_secret(text, &["canary-1".to_string(), "x".to_string()]), want, "{text}");
        }
    }

    #[test]
    fn collected_secrets_are_long_enough_to_search_for() {
        let value = json!({"gateway": {"auth": {"token": "abcdef", "password": "x"}}, "env": {"L": "info", "K": "0123456789"}});
        assert_eq!(collect(&value), ["0123456789", "abcdef"]);
    }
}
