//! Every key of the table in one list, with what a person wants to know of it; for commands.
//!
//! Pure. What each key is for comes from the packed schema, which is read once for a whole list.
use crate::config::keys::{Key, Reload, Type};
use crate::config::kinds::expected;
use crate::config::lookup::{self, Node};
use crate::config::{Hide, join, schema};
use serde_json::Value;

/// One key, or a place whose members a user names (`*`).
pub struct Row {
    pub path: String,
    pub kind: String,
    pub default: Option<Value>,
    pub doc: String,
    pub key: &'static Key,
}

impl Row {
    /// What a change of it does to a gateway that runs: `none` (it is read where it is used), `unread`, `reload` or
    /// `restart`.
    pub fn class(&self) -> &'static str {
        match self.key.reload {
            Reload::None => "none",
            Reload::Unread => "unread",
            Reload::Hot(_) => "reload",
            Reload::Restart => "restart",
        }
    }
}

/// All keys at and below the place `under`; empty where the table has no such place.
pub fn rows(under: &[&str]) -> Vec<Row> {
    let document = schema::document();
    let schema = under.iter().try_fold(&document, |schema, name| schema::below(schema, name));
    let mut rows = Vec::new();
    if let (Some(node), Some(schema)) = (lookup::find(under.iter().copied()), schema) {
        collect((node, schema), &under.join("."), &mut rows);
    }
    rows
}

/// The same of some sections alone, which is a fraction of the work.
pub fn rows_of(sections: &[&str]) -> Vec<Row> {
    let schemas = schema::sections(sections);
    let mut rows = Vec::new();
    for name in sections {
        if let (Some(node), Some(schema)) = (lookup::find([*name]), schemas.get(name)) {
            collect((node, schema), name, &mut rows);
        }
    }
    rows
}

fn collect((node, schema): (Node, &Value), path: &str, rows: &mut Vec<Row>) {
    let names: Vec<&'static str> = node.own_names().collect();
    if let Some(key) = node.key().filter(|_| names.is_empty() && !path.is_empty()) {
        let doc = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        let kind = match key.kind {
            Type::Like(model) => format!("as {model}"),
            kind => expected(*kind),
        };
        let default = node.default().cloned();
        rows.push(Row { path: path.to_string(), kind, default, doc: doc.to_string(), key });
    }
    for name in names {
        if let (Some(child), Some(schema)) = (node.child(name), schema::below(schema, name)) {
            collect((child, schema), &join(path, name), rows);
        }
    }
}

/// The values that are written at and below a place, each with its path, secrets hidden.
pub fn written(config: &crate::config::Config, under: &[&str]) -> Vec<(Vec<String>, Value)> {
    let mut found = Vec::new();
    let at: Vec<String> = under.iter().map(|name| name.to_string()).collect();
    if let Some(value) = config.look(under, Hide::All).filter(|_| config.is_written(under)) {
        leaves(value, at, &mut found);
    }
    found
}

fn leaves(value: Value, at: Vec<String>, found: &mut Vec<(Vec<String>, Value)>) {
    let below = |name: String| at.iter().cloned().chain([name]).collect::<Vec<_>>();
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.into_iter().for_each(|(name, value)| leaves(value, below(name), found));
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let each = items.into_iter().enumerate();
            each.for_each(|(n, value)| leaves(value, below(n.to_string()), found));
        }
        value => found.push((at, value)),
    }
}
