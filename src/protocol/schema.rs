//! The wire protocol's JSON Schemas: packed texts, and the checks of what clients send.
//!
//! The files under `schemas/` are the source of truth. The `params` of every method and the request
//! frame are compiled into validators at build time; results and events are checked by the tests only. A method's
//! schema stands in its row of the table of methods, made by `of!`.
//! A text in params is short unless its schema says how long it may be. A valid value without a long one costs no
//! allocation; else the schema's text is read again, to say what is wrong. Pure data, runs on the connections' threads; it sends nothing and knows no state.
use crate::json;
use crate::protocol::events::EVENTS;
use serde_json::{Map, Value};
use std::collections::HashMap;

mod explain;
#[cfg(test)]
pub(crate) use explain::KEYWORDS;
#[cfg(test)]
pub mod judge;
mod pack;
#[cfg(test)]
mod tests;

/// Characters of a text in params whose schema has no `maxLength`: more than any name, address or path needs. What may be
/// longer says so, so that no identifier can be made into a burden for the memory.
pub const MAX_TEXT: usize = 16_384;

/// The schema of a method, one file under `schemas/methods/`, and how its params are checked. A file's root refers to its
/// own `params`.
pub struct Schema {
    /// The file, from the root of the project on.
    pub path: &'static str,
    pub is_valid: fn(&Value) -> bool,
}

/// A compiled validator for the root of the schema at `$path`.
macro_rules! validator {
    ($path:literal) => {{
        #[jsonschema::validator(path = $path, methods = { validate = false, iter_errors = false })]
        struct Root;
        Root::is_valid
    }};
}

/// The `Schema` of the method whose file is at `$path`.
macro_rules! of {
    ($path:literal) => {
        $crate::protocol::schema::Schema {
            path: $path,
            is_valid: $crate::protocol::schema::validator!($path),
        }
    };
}

pub(crate) use {of, validator};

/// The first request of a connection, which is no row of the table of methods.
pub static CONNECT: Schema = of!("schemas/methods/connect.json");

const FRAMES: &str = "schemas/frames.json";
static IS_REQUEST: fn(&Value) -> bool = validator!("schemas/frames.json");

impl Schema {
    /// Checks a method's params; null counts as `{}`. The error is the complete text for the client:
    /// `invalid <method> params: <part>; <part>`.
    pub fn check(&self, params: &Value) -> Result<(), String> {
        let empty = Value::Object(Map::new());
        let params = if params.is_null() { &empty } else { params };
        let is_valid = (self.is_valid)(params);
        if is_valid && !has_long_text(params) {
            return Ok(());
        }
        let parts = explain::explain(&pack::text(self.path), params, MAX_TEXT);
        match parts.is_empty() {
            true if is_valid => Ok(()),
            _ => Err(format!("invalid {} params: {}", name(self.path), said(parts))),
        }
    }

    /// Takes out of a method's params the members that its schema does not have; gives their names.
    pub fn without_unknown(&self, params: &mut Value) -> Vec<String> {
        let Some(members) = params.as_object_mut() else { return Vec::new() };
        let root = read(&pack::text(self.path));
        let known = root.pointer("/params/properties").and_then(Value::as_object);
        let mut unknown = Vec::new();
        members.retain(|name, _| {
            let is_known = known.is_some_and(|known| known.contains_key(name));
            if !is_known {
                unknown.push(name.clone());
            }
            is_known
        });
        unknown
    }
}

/// The method that the schema at `path` is for: `schemas/methods/<name>.json`.
pub const fn name(path: &'static str) -> &'static str {
    let (_, file) = path.split_at("schemas/methods/".len());
    file.split_at(file.len() - ".json".len()).0
}

/// Checks that a frame is a request frame; its params are not looked at. The error is the complete
/// text for the client: `invalid request frame: <part>; <part>`.
pub fn check_request(frame: &Value) -> Result<(), String> {
    if IS_REQUEST(frame) {
        return Ok(());
    }
    Err(format!("invalid request frame: {}", said(explain::explain(&pack::text(FRAMES), frame, usize::MAX))))
}

/// What keeps a value from fitting a schema that is no method's, such as a tool's; empty when it fits. Knows the
/// keywords of `KEYWORDS` only.
pub fn misfits(schema: &str, value: &Value) -> Vec<String> {
    explain::explain(schema, value, usize::MAX)
}

/// The files of schemas that are no method's: those of frames and of events, which are never checked here.
pub fn others() -> impl Iterator<Item = &'static str> {
    let mut files: Vec<&str> = EVENTS.iter().map(|event| event.schema).collect();
    // Rows of one name stand together.
    files.dedup();
    std::iter::once(FRAMES).chain(files)
}

/// The schemas at these paths.
pub fn documents<'p>(paths: impl Iterator<Item = &'p str>) -> impl Iterator<Item = (&'p str, Value)> {
    texts(paths, read)
}

/// The same as they lie in the program: on one line each, without spaces.
pub fn originals<'p>(paths: impl Iterator<Item = &'p str>) -> impl Iterator<Item = (&'p str, String)> {
    texts(paths, str::to_string)
}

/// The one at this path, without the others.
pub fn document(path: &str) -> Value {
    read(&pack::text(path))
}

/// What the schema at this path says of these members of an object; the rest of it is not read.
pub fn sections<'n>(path: &str, names: &[&'n str]) -> HashMap<&'n str, Value> {
    let text = pack::text(path);
    let below = |text: &str, name: &str| {
        let found = json::members(text, &[name]).ok().flatten();
        found.and_then(|found| found.texts.first().copied().flatten()).map(str::to_string)
    };
    let all = below(&text, "properties").unwrap_or_default();
    names.iter().filter_map(|name| Some((*name, read(&below(&all, name)?)))).collect()
}

/// What the schemas at these paths say of themselves. The rest of them is not read.
pub fn descriptions<'p>(paths: impl Iterator<Item = &'p str>) -> impl Iterator<Item = (&'p str, String)> {
    texts(paths, |text| {
        let found = json::members(text, &["description"]).ok().flatten();
        let text = found.and_then(|found| found.texts.first().copied().flatten()).unwrap_or("null");
        read(text).as_str().unwrap_or_default().to_string()
    })
}

fn texts<'p, T: Default>(
    paths: impl Iterator<Item = &'p str>,
    read: impl Fn(&str) -> T,
) -> impl Iterator<Item = (&'p str, T)> {
    let pack = pack::whole();
    let found: HashMap<&str, &str> = pack::lines(&pack).collect();
    let read = |path| (path, found.get(path).map(|text| read(text)).unwrap_or_default());
    paths.map(read).collect::<Vec<_>>().into_iter()
}

/// One of our own texts, the largest of some thousand values.
fn read(text: &str) -> Value {
    json::read(text, 100_000, 64).unwrap_or_default()
}

/// What is wrong with a value that a validator has refused.
fn said(parts: Vec<String>) -> String {
    if parts.is_empty() { "must match the schema".to_string() } else { parts.join("; ") }
}

fn has_long_text(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() > MAX_TEXT,
        Value::Array(items) => items.iter().any(has_long_text),
        Value::Object(map) => map.values().any(has_long_text),
        _ => false,
    }
}
