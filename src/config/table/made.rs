//! Makes `schemas/config.json` from the table of keys: part of the tests, which keep the two equal. Pure.
use crate::config::keys::{Key, Type};
use crate::config::lookup::{self, Node};
use crate::config::schema;
use crate::json::json;
use serde_json::{Map, Value};

fn document() -> Value {
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
        out.insert("description".to_string(), key.doc.trim().trim_end_matches('.').into());
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
        Type::IdList => {
            json!({"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "number"}]}})
        }
        Type::Object | Type::Limits => object(node, node.child("*").map_or(Value::Bool(false), of_node)),
        Type::Map => object(node, node.child("*").map_or(json!({}), of_node)),
        Type::List => json!({"type": "array", "items": node.child("*").map_or(json!({}), of_node)}),
        // All that is not checked are sections. Forms show what has a type.
        Type::Any if node.is_at("channels.*") => json!({}),
        Type::Any => json!({"type": "object", "additionalProperties": {}}),
        Type::Like(path) => match lookup::find(path.split('.')) {
            Some(model) => of_type(node, model.kind()),
            None => json!({}),
        },
        Type::AnyOf(kinds) => any_of(kinds.iter().map(|kind| of_type(node, *kind)).collect()),
    }
}

/// One of several kinds. Where a list or object is among them they are one schema with several types, the largest first:
/// forms of the original cannot show a choice between such.
fn any_of(kinds: Vec<Value>) -> Value {
    let is_large = |kind: &&Value| kind["type"] == "object" || kind["type"] == "array";
    let (large, plain): (Vec<&Value>, Vec<&Value>) = kinds.iter().partition(is_large);
    if large.is_empty() {
        return json!({"anyOf": kinds});
    }
    let mut all = Map::new();
    let mut types = Vec::new();
    for kind in large.into_iter().chain(plain) {
        let members = kind.as_object().cloned().unwrap_or_default();
        types.extend(members.get("type").cloned());
        all.extend(members);
    }
    all.insert("type".to_string(), types.into());
    Value::Object(all)
}

fn object(node: Node, others: Value) -> Value {
    let names = node.names().into_iter().filter(|name| *name != "*");
    let members: Map<String, Value> =
        names.filter_map(|name| Some((name.to_string(), of_node(node.child(name)?)))).collect();
    json!({"type": "object", "properties": members, "additionalProperties": others})
}

#[test]
fn the_schema_file_is_the_generated_schema() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/config.json");
    let want = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::fs::read_to_string(path).unwrap_or_default() != want {
        std::fs::write(path, want).unwrap();
        panic!("schemas/config.json did not match the table of keys and was rewritten; run the test again");
    }
}

/// Each place is shown from the file as it would be from the table.
#[test]
fn a_place_of_the_file_is_a_place_of_the_table() {
    let file = schema::document();
    let mut waiting = vec![(lookup::root(), Vec::new())];
    while let Some((node, path)) = waiting.pop() {
        let shown = schema::place(&file, &path, true).unwrap_or_else(|| panic!("{path:?}"));
        assert_eq!(shown["schema"], read(alone(of_node(node))), "{path:?}");
        for child in shown["children"].as_array().unwrap() {
            let name = child["key"].as_str().unwrap();
            let node = node.child(name).unwrap();
            assert_eq!(child["schema"], read(alone(of_node(node))), "{path:?} {name}");
            assert_eq!(child["type"], of_node(node)["type"], "{path:?} {name}");
        }
        let names = node.names();
        assert_eq!(shown["children"].as_array().unwrap().len(), names.len(), "{path:?}");
        for name in names {
            let below = path.iter().copied().chain([name]).collect();
            waiting.push((node.child(name).unwrap(), below));
        }
    }
}

/// Without what belongs to members.
fn alone(mut schema: Value) -> Value {
    schema.as_object_mut().unwrap().retain(|name, value| match name.as_str() {
        "properties" => false,
        "items" | "additionalProperties" => value.get("properties").is_none(),
        _ => true,
    });
    schema
}

/// As the program has it, which reads `0.0` as `0`.
fn read(value: Value) -> Value {
    crate::json::read(value.to_string(), 10_000, 64).unwrap()
}
