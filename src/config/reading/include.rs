//! `$include`: one configuration made of several files.
//!
//! Runs on the thread that loads; reads files and nothing else. A failing include is reported at the place in
//! the configuration where it stands, so that only that section is affected.
use crate::config::sources::{Blame, Source};
use crate::config::{Issue, join, parse};
use crate::files;
use serde_json::{Map, Value};
use std::path::{Component, Path, PathBuf};

const KEY: &str = "$include";
const MAX_DEPTH: usize = 10;
/// Most files that one configuration includes, each as often as it is included, and most bytes of them together.
const MAX_FILES: usize = 200;
const MAX_BYTES: usize = 1 << 20;
/// Failures that are told: each is looked for in all that was read, and who mends these hears of the others.
const MAX_TOLD: usize = 20;

/// What was read, and what failed.
#[derive(Default)]
pub struct Included {
    pub issues: Vec<(Issue, Blame)>,
    /// The files that were looked for, also those that are missing.
    pub paths: Vec<PathBuf>,
    pub texts: Vec<Source<'static>>,
}

/// Replaces every `$include` in `value`, which was read from `file`. Failed ones leave nothing behind. `read` is given
/// the text of each file that was looked for, if it has one.
pub fn resolve(value: Value, file: &Path, read: &mut dyn FnMut(Option<&str>)) -> (Value, Included) {
    let files = vec![(normal(file), String::new())];
    let mut resolver = Resolver { files, count: 0, bytes: 0, values: 0, done: Included::default(), read };
    let value = resolver.walk(value, "");
    (value, resolver.done)
}

/// Why an include failed; the name of the include in its file is enough to blame, unless more is known.
struct Fault {
    message: String,
    blame: Option<Blame>,
}

impl From<String> for Fault {
    fn from(message: String) -> Fault {
        Fault { message, blame: None }
    }
}

struct Resolver<'a> {
    /// The files being read, outermost first, each with the place where it is included.
    files: Vec<(PathBuf, String)>,
    /// How many were included so far, their bytes and values.
    count: usize,
    bytes: usize,
    values: usize,
    done: Included,
    read: &'a mut dyn FnMut(Option<&str>),
}

impl Resolver<'_> {
    fn walk(&mut self, value: Value, at: &str) -> Value {
        match value {
            Value::Object(map) if map.contains_key(KEY) => self.include(map, at),
            Value::Object(map) => Value::Object(self.members(map, at)),
            Value::Array(items) => {
                let items = items.into_iter().enumerate();
                Value::Array(items.map(|(i, item)| self.walk(item, &join(at, &i.to_string()))).collect())
            }
            other => other,
        }
    }

    fn members(&mut self, map: Map<String, Value>, at: &str) -> Map<String, Value> {
        map.into_iter()
            .map(|(key, value)| {
                let at = join(at, &key);
                (key, self.walk(value, &at))
            })
            .collect()
    }

    fn include(&mut self, mut map: Map<String, Value>, at: &str) -> Value {
        let wanted = map.shift_remove(KEY).unwrap_or_default();
        let failed = self.done.issues.len();
        let included = match self.load_all(&wanted, at) {
            Ok(value) => value,
            Err(fault) => {
                self.fail(at, fault);
                return Value::Null;
            }
        };
        if map.is_empty() {
            return included;
        }
        if !included.is_object() {
            // A file that failed inside of it is told already.
            if self.done.issues.len() == failed {
                let message = "Sibling keys require included content to be an object".to_string();
                self.fail(at, message.into());
            }
            return Value::Null;
        }
        let siblings = Value::Object(self.members(map, at));
        merge(included, siblings)
    }

    fn fail(&mut self, at: &str, fault: Fault) {
        if self.done.issues.len() >= MAX_TOLD {
            return;
        }
        let blame = fault.blame.unwrap_or_else(|| self.include_at(at, KEY));
        self.done.issues.push((Issue::new(at, fault.message), blame));
    }

    /// The include at a place of the configuration, as its file knows it.
    fn include_at(&self, at: &str, key: &str) -> Blame {
        let (file, base) = self.files.last().cloned().unwrap_or_default();
        let inside = at.strip_prefix(base.as_str()).unwrap_or(at);
        Blame::Key(file, join(inside.strip_prefix('.').unwrap_or(inside), key))
    }

    fn load_all(&mut self, wanted: &Value, at: &str) -> Result<Value, Fault> {
        let not_paths = |value: &Value| {
            let got = type_name(value);
            Fault::from(format!("Invalid $include value: expected string or array of strings, got {got}"))
        };
        match wanted {
            Value::String(path) => self.load(path, at),
            Value::Array(paths) => {
                let mut merged = Value::Object(Map::new());
                for (i, path) in paths.iter().enumerate() {
                    let next = match path.as_str() {
                        Some(path) => self.load(path, at),
                        None => Err(not_paths(path)),
                    };
                    let item = self.include_at(at, &join(KEY, &i.to_string()));
                    let next = next.map_err(|fault| Fault { blame: fault.blame.or(Some(item)), ..fault })?;
                    merged = merge(merged, next);
                }
                Ok(merged)
            }
            other => Err(not_paths(other)),
        }
    }

    fn load(&mut self, written: &str, at: &str) -> Result<Value, Fault> {
        let here = self.files.last().and_then(|(file, _)| file.parent()).unwrap_or(Path::new("/"));
        let path = normal(&here.join(written));
        let open = self.files.iter().map(|(file, _)| file);
        if open.clone().any(|file| *file == path) {
            let chain: Vec<String> = open.chain([&path]).map(|p| p.display().to_string()).collect();
            return Err(format!("Circular include detected: {}", chain.join(" -> ")).into());
        }
        if self.files.len() > MAX_DEPTH {
            return Err(format!("Maximum include depth ({MAX_DEPTH}) exceeded at: {written}").into());
        }
        self.count += 1;
        if self.count > MAX_FILES || self.bytes > MAX_BYTES {
            return Err(format!(
                "Too many includes at {written}: at most {MAX_FILES} files with {} MB together; include each once",
                MAX_BYTES >> 20
            )
            .into());
        }
        let place = format!("{written} (resolved: {})", path.display());
        let text = files::read_lossy(&path);
        (self.read)(text.as_deref().ok());
        self.done.paths.push(path.clone());
        let text = text.map_err(|e| {
            format!("Failed to read include file: {place}: {e}; create it or change $include")
        })?;
        self.bytes += text.len();
        self.values += parse::most_values(&text);
        if self.values > parse::MAX_VALUES {
            return Err(format!(
                "Too many includes at {written}: at most {} values together; keep lists of data in files of the workspace",
                parse::MAX_VALUES
            )
            .into());
        }
        let parsed = parse::json5(&text);
        let seen = match &parsed {
            Err(failure) if parse::is_over(&text) => parse::seen(&text, failure).to_string(),
            _ => text,
        };
        self.done.texts.push(Source::new(&path, seen, parsed.as_ref().err()).included_at(at));
        let value = parsed.map_err(|e| Fault {
            message: format!("Failed to parse include file: {place}: {}{}", e.message, e.place()),
            blame: Some(Blame::At(path.clone(), e.offset)),
        })?;
        self.files.push((path, at.to_string()));
        let value = self.walk(value, at);
        self.files.pop();
        Ok(value)
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// `over` laid over `base`: objects recurse, lists are put one after the other, anything else is replaced.
fn merge(base: Value, over: Value) -> Value {
    match (base, over) {
        (Value::Object(mut base), Value::Object(over)) => {
            for (key, value) in over {
                let merged = match base.get_mut(&key) {
                    Some(old) => merge(old.take(), value),
                    None => value,
                };
                base.insert(key, merged);
            }
            Value::Object(base)
        }
        (Value::Array(mut base), Value::Array(over)) => {
            base.extend(over);
            Value::Array(base)
        }
        (_, over) => over,
    }
}

/// The path without `.` and `..`, by its text alone.
pub fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

#[cfg(test)]
#[path = "include_tests.rs"]
mod tests;
