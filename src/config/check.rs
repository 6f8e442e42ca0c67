//! Checks a configuration against the table: types, unknown keys, and the few rules that span keys.
//!
//! Pure; any thread. Messages name types and choices, never the value itself, which may be a secret.
use super::keys::Type;
use super::lookup::{self, Node};
use super::{Issue, join, legacy};
use serde_json::Value;

/// What a check found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Values that do not fit.
    pub errors: Vec<Issue>,
    /// Keys that are not in the table.
    pub unknown: Vec<Issue>,
    /// Keys of earlier versions.
    pub legacy: Vec<Issue>,
}

/// Checks a whole configuration.
pub fn check(config: &Value) -> Findings {
    let mut findings = Findings::default();
    walk(config, lookup::root(), "", &mut findings);
    spanning(config, "", &mut findings.errors);
    findings
}

fn walk(value: &Value, node: Node, path: &str, out: &mut Findings) {
    let kind = node.kind();
    if !fits(value, kind) {
        let message = format!("expected {}, got {}{}", expected(kind), name_of(value), hint(value, kind));
        out.errors.push(Issue { path: path.to_string(), message });
        return;
    }
    if kind == Type::Any {
        return;
    }
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let at = join(path, name);
                match node.child(name) {
                    Some(child) => walk(value, child, &at, out),
                    None => unknown(value, node, path, name, out),
                }
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                if let Some(child) = node.child(&i.to_string()) {
                    walk(item, child, &join(path, &i.to_string()), out);
                }
            }
        }
        _ => {}
    }
}

fn unknown(value: &Value, parent: Node, path: &str, name: &str, out: &mut Findings) {
    let at = join(path, name);
    let moved = legacy::explain(&at, value);
    if !moved.is_empty() {
        out.legacy.extend(moved);
        return;
    }
    let message = match lookup::nearest(path, parent, name) {
        Some(near) => format!("unknown key, not read; did you mean {near}?"),
        None => "unknown key, not read; remove it or correct its name".to_string(),
    };
    out.unknown.push(Issue { path: at, message });
}

fn fits(value: &Value, kind: Type) -> bool {
    match kind {
        Type::Any => true,
        Type::Bool => value.is_boolean(),
        Type::Int { min, max } => value.as_i64().is_some_and(|n| (min..=max).contains(&n)),
        Type::Number { min, max } => value.as_f64().is_some_and(|n| (min..=max).contains(&n)),
        Type::Text { min } => value.as_str().is_some_and(|text| text.chars().count() >= min),
        Type::Enum(choices) => value.as_str().is_some_and(|text| choices.contains(&text)),
        Type::Duration => value.as_str().is_some_and(is_duration),
        Type::Clock => value.as_str().is_some_and(is_clock),
        Type::TextList => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        Type::IdList => {
            value.as_array().is_some_and(|items| items.iter().all(|i| i.is_string() || i.is_number()))
        }
        Type::Object | Type::Map => value.is_object(),
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
        Type::TextList => "a list of texts".to_string(),
        Type::IdList => "a list of texts or numbers".to_string(),
        Type::Object | Type::Map => "an object".to_string(),
        Type::List => "a list".to_string(),
        Type::Any => "anything".to_string(),
        Type::Like(path) => lookup::find(path.split('.')).map_or(String::new(), |node| expected(node.kind())),
        Type::AnyOf(kinds) => kinds.iter().map(|kind| expected(*kind)).collect::<Vec<_>>().join(" or "),
    }
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
    let unquoted = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
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
        errors.push(Issue { path: join(path, key), message: message.to_string() });
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
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_that_do_not_fit_are_named() {
        let check = |value: Value, path: &str, message: &str| {
            let errors = check(&value).errors;
            assert_eq!(errors.len(), 1, "{value}: {errors:?}");
            assert_eq!((errors[0].path.as_str(), errors[0].message.as_str()), (path, message));
        };
        let port = "expected a whole number from 1 to 65535, got";
        check(
            json!({"gateway": {"port": "18789"}}),
            "gateway.port",
            &format!("{port} other text; take off the quotes"),
        );
        check(json!({"gateway": {"port": 70000}}), "gateway.port", &format!("{port} another number"));
        check(json!({"gateway": {"port": 1.5}}), "gateway.port", &format!("{port} a fraction"));
        check(json!({"gateway": []}), "gateway", "expected an object, got a list");
        check(json!([]), "", "expected an object, got a list");
        check(
            json!({"update": {"channel": "x"}}),
            "update.channel",
            "expected one of \"stable\", \"beta\", \"dev\", got other text",
        );
        check(
            json!({"gateway": {"auth": {"token": 1}}}),
            "gateway.auth.token",
            "expected text, got another number; put it in quotes",
        );
        check(
            json!({"tools": {"deny": "exec"}}),
            "tools.deny",
            "expected a list of texts, got other text; put it in [ ]",
        );
        check(
            json!({"agents": {"list": [{"tools": {"exec": {"host": 1}}}]}}),
            "agents.list.0.tools.exec.host",
            "expected one of \"sandbox\", \"gateway\", \"node\", got another number",
        );
        check(
            json!({"tools": {"allow": ["a"], "alsoAllow": ["b"]}}),
            "tools.alsoAllow",
            "allow and alsoAllow exclude each other; move all entries to one of them",
        );
        check(
            json!({"channels": {"whatsapp": {"accounts": {"a": {"dmPolicy": "open"}}}}}),
            "channels.whatsapp.accounts.a.dmPolicy",
            "\"open\" lets anyone write; add \"*\" to allowFrom, or choose \"pairing\"",
        );
    }

    #[test]
    fn durations_and_clocks() {
        for (text, want) in [
            ("30m", true),
            ("0m", true),
            ("1h30m", true),
            ("500ms", true),
            ("90", true),
            ("", false),
            ("x", false),
            ("5 m", false),
            ("5y", false),
        ] {
            assert_eq!(is_duration(text), want, "{text}");
        }
        for (text, want) in [
            ("08:00", true),
            ("24:00", true),
            ("24:01", false),
            ("8:00", false),
            ("0800", false),
            ("+1:00", false),
        ] {
            assert_eq!(is_clock(text), want, "{text}");
        }
    }

    #[test]
    fn unknown_keys_are_warnings_with_a_suggestion() {
        let findings = check(
            &json!({"gateway": {"prot": 1, "token": "x"}, "plugins": {"entries": {"p": {"config": {"any": 1}}}}, "channels": {"telegrm": {}}}),
        );
        assert!(findings.errors.is_empty(), "{findings:?}");
        let unknown: Vec<String> =
            findings.unknown.iter().map(|i| format!("{}: {}", i.path, i.message)).collect();
        assert_eq!(
            unknown,
            [
                "gateway.prot: unknown key, not read; did you mean gateway.port?",
                "channels.telegrm: unknown key, not read; did you mean channels.telegram?",
            ]
        );
        assert_eq!(findings.legacy.len(), 1);
    }
}
