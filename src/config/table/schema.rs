//! The payload of `config.schema`: a JSON Schema (draft-07) and hints for forms, both made from the table.
//!
//! Pure; any thread. `schemas/config.json` is this schema; a test keeps the two equal.
use crate::clock;
use crate::config::keys::{Key, Type};
use crate::config::lookup::{self, Node};
use crate::json::json;
use serde_json::{Map, Value};

/// `{schema, uiHints, version, generatedAt}`.
pub fn schema() -> Value {
    let mut hints = Map::new();
    collect_hints(lookup::root(), "", &mut hints);
    json!({
        "schema": document(),
        "uiHints": hints,
        "version": crate::version::VERSION,
        "generatedAt": clock::iso(clock::now_ms()),
    })
}

/// The JSON Schema alone.
pub fn document() -> Value {
    let mut out = Map::new();
    out.insert("$schema".to_string(), "http://json-schema.org/draft-07/schema#".into());
    out.insert("title".to_string(), "OpenClawConfig".into());
    if let Value::Object(root) = of_node(lookup::root()) {
        out.extend(root);
    }
    Value::Object(out)
}

fn of_node(node: Node) -> Value {
    let mut out = Map::new();
    if let Some(key) = node.key() {
        out.insert("description".to_string(), key.doc().into());
    }
    if let Value::Object(kind) = of_type(node, node.kind()) {
        out.extend(kind);
    }
    if let Some(default) = node.default() {
        out.insert("default".to_string(), default.clone());
    }
    if let Some(unit) = node.key().and_then(unit) {
        out.insert("unit".to_string(), unit.into());
    }
    Value::Object(out)
}

/// What a number counts, as the key's name says; nothing where it is a plain count.
fn unit(key: &Key) -> Option<&'static str> {
    const UNITS: [(&str, &str); 10] = [
        ("Ms", "milliseconds"),
        ("Bytes", "bytes"),
        ("Payload", "bytes"),
        ("Seconds", "seconds"),
        ("Sec", "seconds"),
        ("Minutes", "minutes"),
        ("Hours", "hours"),
        ("Mb", "megabytes"),
        ("Chars", "characters"),
        ("Tokens", "tokens"),
    ];
    let name = key.path.strip_suffix(".*").unwrap_or(key.path).rsplit('.').next()?;
    // A limit may be that of one version of the protocol.
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let named = || UNITS.iter().find(|(end, _)| name.ends_with(end)).map(|(_, unit)| *unit);
    match key.kind {
        Type::Duration => Some("30s, 5m, 1h30m; a bare number counts minutes"),
        Type::Int { .. } | Type::Number { .. } => named(),
        _ => None,
    }
}

fn of_type(node: Node, kind: Type) -> Value {
    match kind {
        Type::Bool => json!({"type": "boolean"}),
        Type::Int { min, max: i64::MAX } => json!({"type": "integer", "minimum": min}),
        Type::Int { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Type::Number { min, .. } if min == f64::MIN => json!({"type": "number"}),
        Type::Number { min, .. } if min == f64::MIN_POSITIVE => {
            json!({"type": "number", "exclusiveMinimum": 0})
        }
        Type::Number { min, max } => json!({"type": "number", "minimum": min, "maximum": max}),
        Type::Text { min: 0 } => json!({"type": "string"}),
        Type::Text { min } => json!({"type": "string", "minLength": min}),
        Type::Enum(choices) => json!({"type": "string", "enum": choices}),
        Type::Duration | Type::Clock | Type::Fingerprint => json!({"type": "string"}),
        Type::TextList => json!({"type": "array", "items": {"type": "string"}}),
        Type::IdList => json!({"type": "array", "items": {"type": ["string", "number"]}}),
        Type::Object | Type::Limits => object(node, Value::Bool(false)),
        Type::Map => object(node, node.child("*").map_or(json!({}), of_node)),
        Type::List => json!({"type": "array", "items": node.child("*").map_or(json!({}), of_node)}),
        Type::Any => json!({}),
        Type::Like(path) => match lookup::find(path.split('.')) {
            Some(model) => of_type(node, model.kind()),
            None => json!({}),
        },
        Type::AnyOf(kinds) => {
            json!({"anyOf": kinds.iter().map(|kind| of_type(node, *kind)).collect::<Vec<_>>()})
        }
    }
}

fn object(node: Node, others: Value) -> Value {
    let names = node.names().into_iter().filter(|name| *name != "*");
    let members: Map<String, Value> =
        names.filter_map(|name| Some((name.to_string(), of_node(node.child(name)?)))).collect();
    json!({"type": "object", "properties": members, "additionalProperties": others})
}

/// One place of the schema: `{path, schema, hint?, hintPath?, children}`; what the schema says of members is left
/// to their own look-up. `None` when the table has no such place.
pub fn lookup(path: &[&str]) -> Option<Value> {
    place(path, false)
}

/// The same with the type, default and choices of each child, for people. `x.*` is `x` where its keys have names.
pub fn explain(path: &[&str]) -> Option<Value> {
    let above = || place(path.split_last().filter(|(last, _)| **last == "*")?.1, true);
    place(path, true).or_else(above)
}

fn place(path: &[&str], explains: bool) -> Option<Value> {
    let node = lookup::find(path.iter().copied())?;
    let dotted = path.join(".");
    let children: Vec<Value> =
        node.names().into_iter().filter_map(|name| child(node, name, &dotted, explains)).collect();
    let mut found = json!({"path": dotted, "schema": alone(node), "children": children});
    put_hint(&mut found, node, &dotted);
    Some(found)
}

/// What the schema says of a place without its members.
fn alone(node: Node) -> Value {
    let mut schema = of_node(node);
    if let Some(map) = schema.as_object_mut() {
        map.retain(|name, value| match name.as_str() {
            "properties" => false,
            "items" | "additionalProperties" => value.get("properties").is_none(),
            _ => true,
        });
    }
    schema
}

fn child(parent: Node, name: &str, path: &str, explains: bool) -> Option<Value> {
    let node = parent.child(name)?;
    let path = crate::config::join(path, name);
    let kind = of_type(node, node.kind()).get("type").cloned().unwrap_or_default();
    let has_children = !node.names().is_empty();
    let mut child =
        json!({"key": name, "path": path, "type": kind, "required": false, "hasChildren": has_children});
    if let Some(map) = child.as_object_mut().filter(|_| explains) {
        map.insert("schema".to_string(), alone(node));
    }
    put_hint(&mut child, node, &path);
    Some(child)
}

fn put_hint(at: &mut Value, node: Node, path: &str) {
    if let (Some(key), Some(map)) = (node.key(), at.as_object_mut()) {
        map.insert("hint".to_string(), hint(key, path));
        map.insert("hintPath".to_string(), key.path.into());
    }
}

fn hint(key: &Key, path: &str) -> Value {
    let mut hint = json!({"label": label(path), "help": key.doc()});
    if let Some(map) = hint.as_object_mut().filter(|_| key.sensitive) {
        map.insert("sensitive".to_string(), true.into());
    }
    hint
}

/// A hint for every row, and for every secret that is reached by `Like`.
fn collect_hints(node: Node, path: &str, hints: &mut Map<String, Value>) {
    if let Some(key) = node.key().filter(|key| key.path == path || key.sensitive) {
        hints.insert(path.to_string(), hint(key, path));
    }
    for name in node.names() {
        if let Some(child) = node.child(name) {
            collect_hints(child, &crate::config::join(path, name), hints);
        }
    }
}

/// `maxBodyBytes` as `Max body bytes`.
fn label(path: &str) -> String {
    let name = path.rsplit('.').find(|name| *name != "*").unwrap_or(path);
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        match c {
            c if i == 0 => out.extend(c.to_uppercase()),
            c if c.is_ascii_uppercase() => out.extend([' ', c.to_ascii_lowercase()]),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_file_is_the_generated_schema() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/config.json");
        let want = serde_json::to_string_pretty(&document()).unwrap() + "\n";
        if std::fs::read_to_string(path).unwrap_or_default() != want {
            std::fs::write(path, want).unwrap();
            panic!(
                "schemas/config.json did not match the table of keys and was rewritten; run the test again"
            );
        }
    }

    #[test]
    fn rows_become_schema_and_hints() {
        let all = schema();
        let at = |pointer: &str| {
            all.pointer(&format!("/schema/properties/{pointer}")).cloned().unwrap_or_default()
        };
        assert_eq!(at("gateway/properties/port/maximum"), 65535);
        assert_eq!(at("gateway/properties/port/default"), 18789);
        assert_eq!(at("models/properties/providers/additionalProperties/properties/baseUrl/minLength"), 1);
        let account = at("channels/properties/telegram/properties/accounts/additionalProperties/properties");
        assert_eq!(account["botToken"]["type"], "string");
        assert!(account.get("accounts").is_none() && account["dmPolicy"].get("default").is_none());
        let hint = |path: &str| all["uiHints"][path].clone();
        assert_eq!(hint("gateway.auth.token")["sensitive"], true);
        assert_eq!(hint("channels.telegram.accounts.*.botToken")["sensitive"], true);
        assert_eq!(hint("gateway.http.endpoints.responses.maxBodyBytes")["label"], "Max body bytes");
    }

    #[test]
    fn one_place_is_looked_up_with_what_is_below_it() {
        let port = lookup(&["gateway", "port"]).unwrap();
        assert_eq!((&port["schema"]["type"], &port["schema"]["default"]), (&json!("integer"), &json!(18789)));
        assert_eq!(port["children"], json!([]));
        let auth = lookup(&["gateway", "auth"]).unwrap();
        assert!(auth["schema"].get("properties").is_none());
        let token = auth["children"].as_array().unwrap().iter().find(|c| c["key"] == "token").unwrap();
        assert_eq!(token["path"], "gateway.auth.token");
        assert_eq!(token["hint"]["sensitive"], true);
        let item = lookup(&["agents", "list", "0"]).unwrap();
        assert_eq!(item["path"], "agents.list.0");
        assert!(lookup(&["models", "providers", "my.host", "baseUrl"]).is_some());
        assert!(lookup(&["nope"]).is_none());
    }
}
