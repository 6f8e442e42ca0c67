//! Edits of a config's text that depend on what it says: a merge patch, a value at a path that may not be there yet.
//!
//! Any thread. Each is done by the steps of `edit.rs`, which keep all else as it is written. Reads included files where
//! there are some, because what is written here need not be what is in force.
use crate::config::edit::Draft;
use crate::config::keys::Type;
use crate::config::{Config, include, join, lookup, parse};
use crate::error::{Error, Result};
use crate::json::json;
use crate::parts::Parts;
use serde_json::{Map, Value};

/// Every member that `patch` names.
pub fn merge(draft: &mut Draft, patch: &Map<String, Value>, old: &Config) -> Result<()> {
    draft.merge(patch)?;
    match includes(draft, &[]) {
        true => in_force(draft, old, &[], &Value::Object(patch.clone())),
        false => Ok(()),
    }
}

/// One value; missing objects and lists on the way are made.
pub fn set(draft: &mut Draft, path: &[&str], value: &Value, old: &Config) -> Result<()> {
    place(draft, path, value, old)?;
    if includes(draft, path) { in_force(draft, old, path, value) } else { Ok(()) }
}

fn place(draft: &mut Draft, path: &[&str], value: &Value, old: &Config) -> Result<()> {
    let before = draft.value()?;
    let (depth, at) = known(&before, path);
    let (exists, missing) = path.split_at_checked(depth).unwrap_or((path, &[]));
    if let (Some((first, deeper)), Value::Array(items)) = (missing.split_first(), at)
        && first.parse() == Ok(items.len())
    {
        return draft.append(exists, &nested(path.len() - deeper.len(), path, value));
    }
    if let Some(place) = missing_item(path, depth) {
        let list = path.head(place);
        if old.inner.loaded.has_includes && old.written(list).is_some() {
            return Err(foreign(&list.join(".")));
        }
        let name = path.get(place).copied().unwrap_or_default();
        let list = list.join(".");
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
        !is_first && is_list(path.head(*at))
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
        match name == "0" && is_list(path.head(at)) {
            true => Value::Array(vec![inner]),
            false => json!({ name: inner }),
        }
    })
}

/// One value; that it is not there is an error.
pub fn remove(draft: &mut Draft, path: &[&str], old: &Config) -> Result<()> {
    let before = draft.value()?;
    let has_includes = old.inner.loaded.has_includes;
    if known(&before, path).0 < path.len() {
        return Err(match old.written(path) {
            Some(_) if has_includes => foreign(&path.join(".")),
            _ => absent(path),
        });
    }
    // In a list with items of other files too, the same place holds another item.
    let is_shared = |list: &&[&str]| {
        let items = |value: &Value| value.as_array().map(Vec::len);
        let all = old.written(list).and_then(items);
        all.is_some() && items(known(&before, list).1) != all
    };
    match (0..path.len()).filter_map(|end| path.get(..end)).find(is_shared) {
        Some(list) if has_includes => Err(foreign(&list.join("."))),
        _ => draft.remove(path),
    }
}

fn absent(path: &[&str]) -> Error {
    let name = path.join(".");
    match lookup::is_covered(path) {
        true => Error::not_found(format!("Config key not set: {name}; there is nothing to remove")),
        false => lookup::unknown(&name, path),
    }
}

/// Whether another file may have a say at `path`.
fn includes(draft: &Draft, path: &[&str]) -> bool {
    draft.text().contains("$include") && !path.contains(&"$include")
}

/// Refuses an edit after which an included file still says otherwise at `path`: it may come before what is written
/// here, and lists of both are put one after the other.
fn in_force(draft: &Draft, old: &Config, path: &[&str], asked: &Value) -> Result<()> {
    let mut asked = asked.clone();
    parse::whole_numbers(&mut asked);
    let (whole, done) = include::resolve(draft.value()?, old.path(), &mut |_| {});
    let (depth, found) = known(&whole, path);
    let found = (depth == path.len()).then_some(found);
    match differs(&asked, found, &path.join("."), path.is_empty()) {
        // Where a file is missing, nothing is in force yet.
        Some(at) if done.issues.is_empty() => Err(foreign(&at)),
        _ => Ok(()),
    }
}

/// The first place where what was `found` is not what was asked for; a merge asks for nothing else of an object.
fn differs(asked: &Value, found: Option<&Value>, at: &str, merges: bool) -> Option<String> {
    let inner =
        |(name, asked, found): (&str, &Value, Option<&Value>)| differs(asked, found, &join(at, name), merges);
    match (asked, found) {
        (Value::Object(map), _) if map.contains_key("$include") => None,
        (Value::Object(map), Some(Value::Object(there))) if merges || map.len() == there.len() => {
            map.iter().map(|(name, value)| (name.as_str(), value, there.get(name))).find_map(inner)
        }
        (Value::Array(items), Some(Value::Array(there))) if items.len() == there.len() => {
            let mut pairs = items.iter().zip(there);
            pairs.find_map(|(asked, found)| inner(("", asked, Some(found)))).map(|_| at.to_string())
        }
        (Value::Null, None) => None,
        (asked, found) => (found != Some(asked)).then(|| at.to_string()),
    }
}

fn foreign(name: &str) -> Error {
    Error::invalid(format!("{name} is set by an included file; change it there"))
}
