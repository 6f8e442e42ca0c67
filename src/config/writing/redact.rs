//! Which parts of a configuration are secret, and a copy of it without them.
//!
//! The one rule for views, findings, errors and the log. Pure; any thread. Keys of the table are judged by their row;
//! keys the table does not know, and all keys below a row of type `Any`, by their name and by their place: beside secrets
//! stand slips of the pen that are secrets, as are keys that were probably meant to be one. Numbers such as `maxTokens` stay readable.
use super::secret_names::{VAGUE, is_secret_end, is_slip};
pub use super::secret_names::{is_secret_name, plain};
use crate::config::keys::Type;
use crate::config::lookup::{self, Node};
use crate::config::programs::Program;
use serde_json::Value;

/// What is shown in place of a secret; writers put the real value back where they find it.
pub const HIDDEN: &str = "__OPENCLAW_REDACTED__";

/// Shorter values are not looked for inside other texts: they would be found everywhere.
const MIN_SEARCHED: usize = 4;

/// Where others keep settings of their own, under names that only they know: all of it may be secret.
const FOREIGN: &[&str] = &["plugins.entries.*.config", "skills.entries.*.config"];

/// A place in a configuration and what is to be hidden there.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    node: Option<Node>,
    hide: Hide,
    program: Program,
}

#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
enum Hide {
    Nothing,
    /// Addresses: who knows that of a webhook may use it.
    Addresses,
    /// Texts: it may be a secret in a wrong place, or a word.
    Doubtful,
    /// Texts and numbers; the user named them, as variables are, so most of them are no secrets.
    Variables,
    /// Texts: the name only sounds like a secret.
    Texts,
    /// Texts and numbers.
    All,
}

impl Place {
    pub fn root() -> Place {
        Place { node: Some(lookup::root()), hide: Hide::Nothing, program: Program::No }
    }

    /// The place of a path; an item of a list is named by its place.
    pub fn of<'p>(path: impl IntoIterator<Item = &'p str>) -> Place {
        path.into_iter().fold(Place::root(), |place, name| place.member(name))
    }

    /// The place of the member `name`.
    pub fn member(&self, name: &str) -> Place {
        let node = self.node.and_then(|node| node.child(name));
        let hide = match node {
            Some(node) if node.sensitive() => Hide::All,
            // Whatever is asked with them, and whoever named them, keys stand in headers.
            Some(node) if FOREIGN.iter().any(|path| node.is_at(path)) => Hide::Variables,
            None if plain(name).ends_with("headers") => Hide::Variables,
            Some(_) => Hide::Nothing,
            None if is_secret_end(name) => Hide::All,
            // Credentials under whatever name: what else a profile has is in the table.
            None if self.node.is_some_and(|node| node.is_at("auth.profiles.*")) => Hide::All,
            None if self.node.is_some_and(|node| node.means_secret(name)) => Hide::All,
            None if is_secret_name(name) => Hide::Texts,
            None if name == "env" || self.program.is_told(name) => Hide::Variables,
            None if VAGUE.contains(&plain(name).as_str()) => Hide::Doubtful,
            None if self.node.is_some_and(|node| node.has_secret_members()) => Hide::Doubtful,
            None if is_slip(name) => Hide::Doubtful,
            None if ["webhook", "slack"].iter().any(|part| plain(name).contains(part)) => Hide::Addresses,
            None => Hide::Nothing,
        };
        let program = self.program.member(name, node);
        Place { node, hide: if hide > self.hide { hide } else { self.hide }, program }
    }

    /// The place of the item behind `before`: a list may be a command line, where the word after `--token` is one.
    pub fn item_after(&self, before: &str) -> Place {
        let mut item = self.item();
        if before.starts_with('-') && is_secret_end(before) {
            item.hide = Hide::All;
        }
        item
    }

    /// The place of a list's items.
    pub fn item(&self) -> Place {
        let node = self.node.and_then(|node| node.child("0"));
        Place { node, hide: self.hide, program: Program::No }.or_sensitive()
    }

    fn or_sensitive(mut self) -> Place {
        if self.node.is_some_and(|node| node.sensitive()) {
            self.hide = Hide::All;
        }
        self
    }

    pub fn hides_text(&self, text: &str) -> bool {
        match self.hide {
            Hide::Nothing => self.is_misplaced(text),
            Hide::Addresses => text.contains("://"),
            _ => true,
        }
    }

    /// A text where an object with secrets belongs, or what is no word where one may stand among the gateway's own.
    fn is_misplaced(&self, text: &str) -> bool {
        self.node.is_some_and(|node| match node.kind() {
            Type::Object | Type::Map => node.has_secret_members(),
            Type::Enum(words) => node.is_at("gateway.auth.mode") && !words.contains(&text) && !is_word(text),
            _ => false,
        })
    }

    pub fn hides_number(&self) -> bool {
        matches!(self.hide, Hide::All | Hide::Variables)
    }

    /// Whether the value may be an ordinary word: that of a name which the user chose, as variables are, or a doubtful one.
    fn may_be_word(&self) -> bool {
        matches!(self.hide, Hide::Doubtful | Hide::Variables)
            || self.node.and_then(|node| node.key()).is_some_and(|key| {
                matches!(*key.kind, Type::Text { .. })
                    && key.path.rsplit('.').nth(1).is_some_and(|p| p == "env" || p == "vars")
            })
    }
}

/// Whether a text is one short word, as a mode or a slip of the pen for one: nobody's secret.
fn is_word(text: &str) -> bool {
    text.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-' || byte == b'_')
}

/// Whether a text carries a secret inside an address (`user:pass@host`, `?token=`, `/bot123:abc/`, a webhook's path) or
/// an option (`--token=x`), or any of the known secrets.
pub fn carries_secret(text: &str, secrets: &[String]) -> bool {
    if secrets.iter().any(|secret| secret.len() >= MIN_SEARCHED && text.contains(secret.as_str())) {
        return true;
    }
    let option = text.split_once('=').filter(|(name, _)| name.starts_with('-'));
    if option.is_some_and(|(name, _)| is_secret_end(name)) || text.contains("Bearer ") {
        return true;
    }
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let named = |pair: &str| {
        pair.split_once('=').is_some_and(|(name, _)| is_secret_name(name) || plain(name) == "key")
    };
    let bot = rest.split('/').any(|part| part.strip_prefix("bot").is_some_and(|id| id.contains(':')));
    let webhook = authority.starts_with("hooks.") || rest.contains("/webhooks/");
    // A password may hold a slash, and then it is what stands where ports are numbers.
    let is_no_port = |(_, port): (&str, &str)| !port.bytes().all(|b| b.is_ascii_digit());
    let path = rest.split(['?', '#']).next().unwrap_or(rest);
    let is_user = path.contains('@') && authority.split_once(':').is_some_and(is_no_port);
    authority.contains('@') || is_user || query.split('&').any(named) || bot || webhook
}

/// A copy with every secret replaced. `secrets` are values known to be secret wherever they stand.
pub fn redact(value: &Value, secrets: &[String]) -> Value {
    at(value, Place::root(), secrets)
}

/// The same for a value that stands at `path`.
pub fn redact_at(value: &Value, path: &[&str], secrets: &[String]) -> Value {
    at(value, place_of(path), secrets)
}

/// The same for who asked for this path: a text is shown, unless it is an address with a secret in it.
pub fn redact_inner(value: &Value, path: &[&str], secrets: &[String]) -> Value {
    let is_shown = |text: &String| place_of(path).hides_text(text) || !text.contains("://");
    match value {
        Value::String(text) if is_shown(text) => value.clone(),
        Value::Number(_) => value.clone(),
        _ => redact_at(value, path, secrets),
    }
}

fn place_of(path: &[&str]) -> Place {
    Place::of(path.iter().copied())
}

fn at(value: &Value, place: Place, secrets: &[String]) -> Value {
    match value {
        Value::String(text) if text.is_empty() => value.clone(),
        Value::String(text) if place.hides_text(text) || carries_secret(text, secrets) => HIDDEN.into(),
        Value::Number(_) if place.hides_number() => HIDDEN.into(),
        Value::Array(items) => placed(items, place).map(|(item, place)| at(item, place, secrets)).collect(),
        Value::Object(map) => {
            map.iter().map(|(name, value)| (name.clone(), at(value, place.member(name), secrets))).collect()
        }
        other => other.clone(),
    }
}

/// Items with their places.
fn placed(items: &[Value], list: Place) -> impl Iterator<Item = (&Value, Place)> {
    let mut before = "";
    items.iter().map(move |item| {
        let place = list.item_after(before);
        before = item.as_str().unwrap_or_default();
        (item, place)
    })
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
    let least = if place.may_be_word() { 8 } else { MIN_SEARCHED };
    match value {
        Value::String(text) if place.hides_text(text) && text.len() >= least => found.push(text.clone()),
        Value::Array(items) => placed(items, place).for_each(|(item, place)| gather(item, place, found)),
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
        // S-L5: what plugins and skills keep, whatever they call it; headers, wherever they stand; short names of secrets.
        check(
            json!({"plugins": {"entries": {"p": {"enabled": true, "config": {"sk": "x", "pin": 1234, "webhookUrl": "https://h/x", "a": [{"key": "x", "l": ["x"]}], "on": true}}}}}),
            json!({"plugins": {"entries": {"p": {"enabled": true, "config": {"sk": HIDDEN, "pin": HIDDEN, "webhookUrl": HIDDEN, "a": [{"key": HIDDEN, "l": [HIDDEN]}], "on": true}}}}}),
        );
        check(
            json!({"skills": {"entries": {"s": {"config": {"pw": "x"}, "enabled": true}}}, "mcp": {"servers": {"a": {"url": "u", "headers": {"X-K": "x"}}}}}),
            json!({"skills": {"entries": {"s": {"config": {"pw": HIDDEN}, "enabled": true}}}, "mcp": {"servers": {"a": {"url": "u", "headers": {"X-K": HIDDEN}}}}}),
        );
        check(
            json!({"agents": {"defaults": {"memorySearch": {"remote": {"headers": {"A": "x"}}}}}, "diagnostics": {"otel": {"headers": {"A": "x"}, "extraHeaders": ["A: x"]}}}),
            json!({"agents": {"defaults": {"memorySearch": {"remote": {"headers": {"A": HIDDEN}}}}}, "diagnostics": {"otel": {"headers": {"A": HIDDEN}, "extraHeaders": [HIDDEN]}}}),
        );
        check(
            json!({"x": {"sig": "x", "pk": "x", "basicAuth": "x", "oauth": {"a": "x", "on": true}, "signal": "s", "pinned": "p"}}),
            json!({"x": {"sig": HIDDEN, "pk": HIDDEN, "basicAuth": HIDDEN, "oauth": {"a": HIDDEN, "on": true}, "signal": "s", "pinned": "p"}}),
        );
        // S-L5: of a channel by a program all is hidden that is the program's, under whatever name, of its accounts too.
        check(
            json!({"channels": {"chat": {"command": ["p", "-v"], "pin": 1234, "pk": "x", "sig": {"a": ["x"]}, "oauth": true, "name": "n",
                "accounts": {"pin": {"session": "x", "groups": {"g": {"requireMention": true, "a": "shown"}}}}}}}),
            json!({"channels": {"chat": {"command": ["p", "-v"], "pin": HIDDEN, "pk": HIDDEN, "sig": {"a": [HIDDEN]}, "oauth": true, "name": "n",
                "accounts": {"pin": {"session": HIDDEN, "groups": {"g": {"requireMention": true, "a": "shown"}}}}}}}),
        );
        check(
            json!({"channels": {"signal": {"basicAuth": "x", "signing": "x"}, "defaults": {"sk": "x"}}}),
            json!({"channels": {"signal": {"basicAuth": HIDDEN, "signing": HIDDEN}, "defaults": {"sk": "x"}}}),
        );
        check(
            json!({"auth": {"profiles": {"a": {"key": "x", "provider": "p"}}}, "tools": {"web": {"search": {"grok": {"key": "x"}}}}}),
            json!({"auth": {"profiles": {"a": {"key": HIDDEN, "provider": "p"}}}, "tools": {"web": {"search": {"grok": {"key": HIDDEN}}}}}),
        );
        check(
            json!({"auth": {"profiles": {"a": {"access": "x", "refresh": "y", "id_t": 5, "mode": "oauth", "email": "e"}}}}),
            json!({"auth": {"profiles": {"a": {"access": HIDDEN, "refresh": HIDDEN, "id_t": HIDDEN, "mode": "oauth", "email": "e"}}}}),
        );
        check(
            json!({"x": {"encryptKey": "x", "code": "x", "serviceAccount": "x", "pass": "x", "SMTP_PASS": "x", "compass": "c", "exitCode": "c"}}),
            json!({"x": {"encryptKey": HIDDEN, "code": HIDDEN, "serviceAccount": HIDDEN, "pass": HIDDEN, "SMTP_PASS": HIDDEN, "compass": "c", "exitCode": "c"}}),
        );
        check(json!({"gateway": {"auth": "x"}}), json!({"gateway": {"auth": HIDDEN}}));
        check(
            json!({"gateway": {"auth": {"mode": "X7", "tokn": "x"}, "remote": "x", "mode": "x"}}),
            json!({"gateway": {"auth": {"mode": HIDDEN, "tokn": HIDDEN}, "remote": HIDDEN, "mode": "x"}}),
        );
        // N-11: slips of the pen, beside secrets and at places that nothing is known of.
        check(
            json!({"gateway": {"auth": {"tokn": 12345678, "pasword": "x", "ports": 5}}, "gatway": {"x": {"tokn": "x", "modes": "y"}}}),
            json!({"gateway": {"auth": {"tokn": HIDDEN, "pasword": HIDDEN, "ports": 5}}, "gatway": {"x": {"tokn": HIDDEN, "modes": "y"}}}),
        );
        check(
            json!({"plugins": {"entries": {"p": {"config": {"botTokn": "x", "db_pasword": "x", "apiKye": "x", "broken": 1}}}}}),
            json!({"plugins": {"entries": {"p": {"config": {"botTokn": HIDDEN, "db_pasword": HIDDEN, "apiKye": HIDDEN, "broken": HIDDEN}}}}}),
        );
        check(
            json!({"gateway": {"auth": {"mode": "token"}}, "models": {"providers": {"p": "x"}}}),
            json!({"gateway": {"auth": {"mode": "token"}}, "models": {"providers": {"p": HIDDEN}}}),
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
        check(
            json!({"mcp": {"args": ["--token", "x", "--max-tokens", "5", "--api-key=k", "-v"], "env": {"K": "v", "N": 1}}}),
            json!({"mcp": {"args": ["--token", HIDDEN, "--max-tokens", "5", HIDDEN, "-v"], "env": {"K": HIDDEN, "N": HIDDEN}}}),
        );
        check(
            json!({"x": {"bearer": "x", "dbPwd": 5, "GITHUB_PAT": "x", "jwt": "x", "path": "p", "compat": "c", "COMPAT": "c"}}),
            json!({"x": {"bearer": HIDDEN, "dbPwd": HIDDEN, "GITHUB_PAT": HIDDEN, "jwt": HIDDEN, "path": "p", "compat": "c", "COMPAT": "c"}}),
        );
        check(
            json!({"x": {"slack": {"url": "https://h/T/B", "channel": "c"}, "webhookUrl": "https://h/x"}}),
            json!({"x": {"slack": {"url": HIDDEN, "channel": "c"}, "webhookUrl": HIDDEN}}),
        );
    }

    #[test]
    fn sec_25_an_own_path_shows_its_secret_and_no_other() {
        for (path, value, is_shown) in [
            ("models.providers.p.baseUrl", "https://u:p@h", false),
            ("models.providers.p.baseUrl", "https://h/${X}-canary-1", false),
            ("models.providers.p.baseUrl", "https://h/v1", true),
            ("models.providers.p.apiKey", "https://u:p@h", true),
            ("agents.defaults.model.primary", "canary-1", true),
        ] {
            let path: Vec<&str> = path.split('.').collect();
            let shown = redact_inner(&value.into(), &path, &["canary-1".to_string()]);
            assert_eq!(shown == value, is_shown, "{path:?} {shown}");
        }
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
            ("https://hooks.slack.com/services/T/B/X", true),
            ("https://discord.com/api/webhooks/1/x", true),
            ("Authorization: Bearer x", true),
            ("say canary-1 twice", true),
        ] {
            assert_eq!(carries_secret(text, &["canary-1".to_string(), "x".to_string()]), want, "{text}");
        }
    }

    #[test]
    fn collected_secrets_are_long_enough_to_search_for() {
        let value = json!({"gateway": {"auth": {"token": "abcdef", "password": "x"}}, "env": {"L": "info", "K": "0123456789"}, "x": {"env": {"L": "info"}, "args": ["--token", "word"]}});
        assert_eq!(collect(&value), ["0123456789", "abcdef", "word"]);
    }
}
