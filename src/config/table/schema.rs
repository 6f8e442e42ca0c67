//! The payload of `config.schema`: a JSON Schema (draft-07) and hints for forms, of the whole or of one place.
//!
//! Pure; any thread. The schema is `schemas/config.json`, packed: the table of keys says it all once more, but its doc
//! lines and the code that puts them together would be larger than the packed text (`made.rs`, which the tests run).
use crate::clock;
use crate::config::keys::Key;
use crate::config::lookup::{self, Node};
use crate::json::json;
use crate::protocol;
use serde_json::{Map, Value};
use std::collections::HashMap;

const FILE: &str = "schemas/config.json";

/// `{schema, uiHints, version, generatedAt}`.
pub fn schema() -> Value {
    let mut hints = Map::new();
    let document = document();
    collect_hints(lookup::root(), &document, "", &mut hints);
    json!({
        "schema": document,
        "uiHints": hints,
        "version": crate::version::VERSION,
        "generatedAt": clock::iso(clock::now_ms()),
    })
}

/// The JSON Schema alone.
pub fn document() -> Value {
    protocol::schema::document(FILE)
}

/// What it says of these sections, without reading the others.
pub(super) fn sections<'n>(names: &[&'n str]) -> HashMap<&'n str, Value> {
    protocol::schema::sections(FILE, names)
}

/// What the schema says of a key or list item of the place that `schema` describes.
pub(super) fn below<'s>(schema: &'s Value, name: &str) -> Option<&'s Value> {
    let mut kinds = vec![schema];
    kinds.extend(schema.get("anyOf").and_then(Value::as_array).into_iter().flatten());
    let member = |kind: &&'s Value| kind.get("properties")?.get(name);
    let any = |kind: &&'s Value| {
        kind.get("additionalProperties").or(kind.get("items")).filter(|any| any.is_object())
    };
    kinds.iter().find_map(member).or_else(|| kinds.iter().find_map(any))
}

/// One place of the schema: `{path, schema, hint?, hintPath?, children}`; what the schema says of members is left
/// to their own look-up. `None` when the table has no such place.
pub fn lookup(path: &[&str]) -> Option<Value> {
    place(&document(), path, false)
}

/// The same with the type, default and choices of each child, for people. `x.*` is `x` where its keys have names.
pub fn explain(path: &[&str]) -> Option<Value> {
    let document = document();
    let above = || place(&document, path.split_last().filter(|(last, _)| **last == "*")?.1, true);
    place(&document, path, true).or_else(above)
}

pub(super) fn place(document: &Value, path: &[&str], explains: bool) -> Option<Value> {
    let node = lookup::find(path.iter().copied())?;
    let schema = path.iter().try_fold(document, |schema, name| below(schema, name))?;
    let dotted = path.join(".");
    let children: Vec<Value> =
        node.names().into_iter().filter_map(|name| child((node, schema), name, &dotted, explains)).collect();
    let mut found = json!({"path": dotted, "schema": alone(node, schema), "children": children});
    put_hint(&mut found, (node, schema), &dotted);
    Some(found)
}

/// What the schema says of a place without its members, and without the default where none holds.
fn alone(node: Node, schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(map) = schema.as_object_mut() {
        map.retain(|name, value| match name.as_str() {
            "properties" | "$schema" | "title" => false,
            "default" => node.default().is_some(),
            "items" | "additionalProperties" => value.get("properties").is_none(),
            _ => true,
        });
    }
    schema
}

fn child(parent: (Node, &Value), name: &str, path: &str, explains: bool) -> Option<Value> {
    let (node, schema) = (parent.0.child(name)?, below(parent.1, name)?);
    let path = crate::config::join(path, name);
    let kind = schema.get("type").cloned().unwrap_or_default();
    let has_children = !node.names().is_empty();
    let mut child =
        json!({"key": name, "path": path, "type": kind, "required": false, "hasChildren": has_children});
    if let Some(map) = child.as_object_mut().filter(|_| explains) {
        map.insert("schema".to_string(), alone(node, schema));
    }
    put_hint(&mut child, (node, schema), &path);
    Some(child)
}

fn put_hint(at: &mut Value, (node, schema): (Node, &Value), path: &str) {
    if let (Some(key), Some(map)) = (node.key(), at.as_object_mut()) {
        map.insert("hint".to_string(), hint(key, schema, path));
        map.insert("hintPath".to_string(), key.path.into());
    }
}

fn hint(key: &Key, schema: &Value, path: &str) -> Value {
    let help = schema.get("description").cloned().unwrap_or_default();
    let mut hint = json!({"label": label(path), "help": help});
    if let Some(map) = hint.as_object_mut().filter(|_| key.sensitive) {
        map.insert("sensitive".to_string(), true.into());
    }
    hint
}

/// A hint for every row, and for every secret that is reached by `Like`.
fn collect_hints(node: Node, schema: &Value, path: &str, hints: &mut Map<String, Value>) {
    if let Some(key) = node.key().filter(|key| key.path == path || key.sensitive) {
        hints.insert(path.to_string(), hint(key, schema, path));
    }
    for name in node.names() {
        if let (Some(child), Some(schema)) = (node.child(name), below(schema, name)) {
            collect_hints(child, schema, &crate::config::join(path, name), hints);
        }
    }
}

/// `maxBodyBytes` as `Max body bytes`.
fn label(path: &str) -> String {
    let name = path.rsplit('.').find(|name| *name != "*").unwrap_or(path);
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        match c {
            c if i == 0 => out.push(c.to_ascii_uppercase()),
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
