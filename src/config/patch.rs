//! Edits of a config's text that depend on what it says: a merge patch, a value at a path that may not be there yet.
//!
//! Pure; any thread. Each is done by the steps of `edit.rs`, which keep all else as it is written.
use super::edit::Draft;
use super::keys::Type;
use super::{Config, lookup};
use crate::error::{Error, Result};
use crate::json::json;
use serde_json::{Map, Value};

/// Member by member, so that everything the patch does not name stays as it is written.
pub fn merge<'p>(
    draft: &mut Draft,
    path: &mut Vec<&'p str>,
    before: &Value,
    patch: &'p Map<String, Value>,
) -> Result<()> {
    for (name, value) in patch {
        path.push(name);
        match (before.get(name), value) {
            (None, Value::Null) => {}
            (Some(_), Value::Null) => draft.remove(path)?,
            (Some(old @ Value::Object(_)), Value::Object(inner)) => merge(draft, path, old, inner)?,
            (Some(old), value) if old == value => {}
            (_, value) => draft.set(path, without_nulls(value.clone()))?,
        }
        path.pop();
    }
    Ok(())
}

/// Where there is nothing to merge with, a null in an object takes nothing away and is not written.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        other => other,
    }
}

/// One value; missing objects and lists on the way are made.
pub fn set(draft: &mut Draft, path: &[&str], value: &Value, old: &Config) -> Result<()> {
    let before = draft.value()?;
    let (depth, at) = known(&before, path);
    let (exists, missing) = path.split_at_checked(depth).unwrap_or((path, &[]));
    if let (Some((first, deeper)), Value::Array(items)) = (missing.split_first(), at)
        && first.parse() == Ok(items.len())
    {
        return draft.append(exists, &nested(path.len() - deeper.len(), path, value));
    }
    foreign(old, &before, path, false)?;
    if let Some(place) = missing_item(path, depth) {
        let list = path.get(..place).unwrap_or_default().join(".");
        let name = path.get(place).copied().unwrap_or_default();
        return Err(Error::invalid(format!("{list} has no item {name}: it is empty; the first item is 0")));
    }
    match missing.split_first() {
        None => draft.set(path, value.clone()),
        Some((first, _)) => {
            let at: Vec<&str> = exists.iter().chain([first]).copied().collect();
            draft.set(&at, nested(at.len(), path, value))
        }
    }
}

/// Where the path, beyond its first `depth` names, asks a list that is not there for another item than the first.
fn missing_item(path: &[&str], depth: usize) -> Option<usize> {
    (depth + 1..path.len()).find(|at| {
        let is_first = path.get(*at).is_none_or(|name| *name == "0");
        !is_first && is_list(path.get(..*at).unwrap_or_default())
    })
}

/// Whether the table says that a list stands there.
fn is_list(path: &[&str]) -> bool {
    let kind = lookup::find(path.iter().copied()).map(|node| node.kind());
    matches!(kind, Some(Type::List | Type::TextList | Type::IdList))
}

/// How many names of the path lead to something, and what the last of them leads to.
fn known<'v>(value: &'v Value, path: &[&str]) -> (usize, &'v Value) {
    let mut here = value;
    for (depth, name) in path.iter().enumerate() {
        let next = match here {
            Value::Array(items) => name.parse::<usize>().ok().and_then(|place| items.get(place)),
            other => other.get(name),
        };
        match next {
            Some(next) => here = next,
            None => return (depth, here),
        }
    }
    (path.len(), here)
}

/// `value` below the first `depth` names of `path`: in lists where the table says so, else in objects.
fn nested(depth: usize, path: &[&str], value: &Value) -> Value {
    (depth..path.len()).rev().fold(value.clone(), |inner, at| {
        let name = path.get(at).copied().unwrap_or_default();
        match name == "0" && is_list(path.get(..at).unwrap_or_default()) {
            true => Value::Array(vec![inner]),
            false => json!({ name: inner }),
        }
    })
}

/// One value; that it is not there is an error.
pub fn remove(draft: &mut Draft, path: &[&str], old: &Config) -> Result<()> {
    let before = draft.value()?;
    if known(&before, path).0 == path.len() {
        return draft.remove(path);
    }
    foreign(old, &before, path, true)?;
    Err(Error::not_found(format!("Config path not found: {}", path.join("."))))
}

/// What only an included file sets cannot be taken away from here, and a list there would be added to.
fn foreign(old: &Config, before: &Value, path: &[&str], takes_away: bool) -> Result<()> {
    let is_here = known(before, path).0 == path.len();
    let in_force = old.written(path);
    let is_foreign = old.inner.loaded.has_includes && !is_here && in_force.is_some();
    if is_foreign && (takes_away || in_force.is_some_and(Value::is_array)) {
        let name = path.join(".");
        return Err(Error::invalid(format!("{name} is set by an included file; change it there")));
    }
    Ok(())
}
