//! `$include`: one configuration made of several files.
//!
//! Runs on the thread that loads; reads files and nothing else. A failing include is reported at the place in
//! the configuration where it stands, so that only that section is affected.
use super::{Issue, join, parse};
use crate::files;
use serde_json::{Map, Value};
use std::path::{Component, Path, PathBuf};

const KEY: &str = "$include";
const MAX_DEPTH: usize = 10;
/// Most files that one configuration includes, each as often as it is included, and most bytes of them together.
const MAX_FILES: usize = 200;
const MAX_BYTES: usize = 16 << 20;

/// Replaces every `$include` in `value`, which was read from `file`. Failed ones leave nothing behind and are
/// told in `issues`. `read` gets each file that was looked for, with its text if it has one.
pub fn resolve(
    value: Value,
    file: &Path,
    issues: &mut Vec<Issue>,
    read: &mut dyn FnMut(&Path, Option<&str>),
) -> Value {
    let mut resolver = Resolver { files: vec![normal(file)], count: 0, bytes: 0, issues, read };
    resolver.walk(value, "")
}

struct Resolver<'a> {
    /// The files being read, outermost first.
    files: Vec<PathBuf>,
    /// How many were included so far, and their bytes.
    count: usize,
    bytes: usize,
    issues: &'a mut Vec<Issue>,
    read: &'a mut dyn FnMut(&Path, Option<&str>),
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
        let failed = self.issues.len();
        let included = match self.load_all(&wanted, at) {
            Ok(value) => value,
            Err(message) => {
                self.issues.push(Issue { path: at.to_string(), message });
                return Value::Null;
            }
        };
        if map.is_empty() {
            return included;
        }
        if !included.is_object() {
            // A file that failed inside of it is told already.
            if self.issues.len() == failed {
                let message = "Sibling keys require included content to be an object".to_string();
                self.issues.push(Issue { path: at.to_string(), message });
            }
            return Value::Null;
        }
        let siblings = Value::Object(self.members(map, at));
        merge(included, siblings)
    }

    fn load_all(&mut self, wanted: &Value, at: &str) -> Result<Value, String> {
        let not_paths = |value: &Value| {
            format!("Invalid $include value: expected string or array of strings, got {}", type_name(value))
        };
        match wanted {
            Value::String(path) => self.load(path, at),
            Value::Array(paths) => {
                let mut merged = Value::Object(Map::new());
                for path in paths {
                    let path = path.as_str().ok_or_else(|| not_paths(path))?;
                    let next = self.load(path, at)?;
                    merged = merge(merged, next);
                }
                Ok(merged)
            }
            other => Err(not_paths(other)),
        }
    }

    fn load(&mut self, written: &str, at: &str) -> Result<Value, String> {
        let here = self.files.last().and_then(|file| file.parent()).unwrap_or(Path::new("/"));
        let path = normal(&here.join(written));
        if self.files.contains(&path) {
            let chain: Vec<String> =
                self.files.iter().chain([&path]).map(|p| p.display().to_string()).collect();
            return Err(format!("Circular include detected: {}", chain.join(" -> ")));
        }
        if self.files.len() > MAX_DEPTH {
            return Err(format!("Maximum include depth ({MAX_DEPTH}) exceeded at: {written}"));
        }
        self.count += 1;
        if self.count > MAX_FILES || self.bytes > MAX_BYTES {
            return Err(format!(
                "Too many includes at {written}: at most {MAX_FILES} files with {} MB together; include each once",
                MAX_BYTES >> 20
            ));
        }
        let place = format!("{written} (resolved: {})", path.display());
        let text = files::read_text(&path);
        (self.read)(&path, text.as_deref().ok());
        let text = text.map_err(|e| {
            format!("Failed to read include file: {place}: {e}; create it or change $include")
        })?;
        self.bytes += text.len();
        let value = parse::json5(&text)
            .map_err(|e| format!("Failed to parse include file: {place}: {}{}", e.message, e.place()))?;
        self.files.push(path);
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
fn normal(path: &Path) -> PathBuf {
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
mod tests {
    use super::*;
    use crate::config::testing::Dir;
    use serde_json::json;

    fn run(dir: &Dir, value: Value) -> (Value, Vec<String>) {
        let mut issues = Vec::new();
        let value = resolve(value, &dir.path("main.json"), &mut issues, &mut |_, _| {});
        let root = dir.path("").display().to_string();
        let told = issues.iter().map(|i| format!("{}|{}", i.path, i.message.replace(&root, "D/"))).collect();
        (value, told)
    }

    #[test]
    fn files_are_merged_in_order_and_siblings_win() {
        let dir = Dir::new();
        dir.write("a.json", "{x: 1, list: [1], in: {p: 1}}");
        dir.write("b.json", "{x: 2, list: [2], in: {q: 2}}");
        dir.write("sub/c.json", "{$include: '../a.json', x: 3}");
        let check = |value: Value, want: Value| assert_eq!(run(&dir, value), (want, vec![]));
        check(json!({"$include": "a.json"}), json!({"x": 1, "list": [1], "in": {"p": 1}}));
        check(
            json!({"k": {"$include": ["./a.json", "b.json"], "x": 9}}),
            json!({"k": {"x": 9, "list": [1, 2], "in": {"p": 1, "q": 2}}}),
        );
        check(json!([{"$include": "sub/c.json"}]), json!([{"x": 3, "list": [1], "in": {"p": 1}}]));
    }

    #[test]
    fn s_l12_includes_that_multiply_have_an_end() {
        let dir = Dir::new();
        for i in 0..9 {
            let next = format!("'m{}.json'", i + 1);
            dir.write(&format!("m{i}.json"), &format!("{{$include: [{}]}}", vec![next; 12].join(", ")));
        }
        dir.write("m9.json", "{}");
        let (_, told) = run(&dir, json!({"a": {"$include": "m0.json"}}));
        assert!(
            !told.is_empty() && told.iter().all(|told| told.starts_with("a|Too many includes")),
            "{told:?}"
        );
    }

    #[test]
    fn failures_say_where_and_why() {
        let dir = Dir::new();
        dir.write("loop.json", "{k: {$include: './loop.json'}}");
        dir.write("list.json", "[1]");
        dir.write("bad.json", "{a: ");
        for i in 0..11 {
            dir.write(&format!("d{i}.json"), &format!("{{n: {{$include: 'd{}.json'}}}}", i + 1));
        }
        let check = |value: Value, want: &str| {
            let (_, told) = run(&dir, value);
            assert!(told.len() == 1 && told[0].starts_with(want), "{told:?} against {want}");
        };
        check(
            json!({"a": {"$include": 5}}),
            "a|Invalid $include value: expected string or array of strings, got number",
        );
        check(
            json!({"a": {"$include": "no.json"}}),
            "a|Failed to read include file: no.json (resolved: D/no.json)",
        );
        check(json!({"a": {"$include": "bad.json"}}), "a|Failed to parse include file: bad.json");
        check(
            json!({"a": {"$include": "list.json", "b": 1}}),
            "a|Sibling keys require included content to be an object",
        );
        check(json!({"a": {"$include": "/dev/zero"}}), "a|Failed to read include file: /dev/zero");
        // What a failure leaves behind is no second mistake.
        dir.write("nested.json", "{$include: 'no.json'}");
        check(json!({"a": {"$include": "nested.json", "b": 1}}), "a|Failed to read include file: no.json");
        check(
            json!({"$include": "loop.json"}),
            "k|Circular include detected: D/main.json -> D/loop.json -> D/loop.json",
        );
        check(
            json!({"$include": "d0.json"}),
            "n.n.n.n.n.n.n.n.n.n|Maximum include depth (10) exceeded at: d10.json",
        );
    }
}
