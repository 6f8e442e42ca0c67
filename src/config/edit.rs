//! Editing the config's text in place: one value is set, everything else stays byte for byte (R-02b).
//!
//! A small scanner finds the member in the JSON5 text; the new text is parsed again and compared with the
//! expected value tree before anything is written, so a mistake here can refuse an edit but never damage a
//! file. Runs on the caller's thread, under a lock that all writers of the file share (R-02d).
use super::members::{Member, Object, Scanner};
use crate::error::{Error, Result};
use crate::files::{self, Lock};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// One change: the value at a path of member names.
#[derive(Debug, Clone)]
pub struct Edit<'a> {
    pub path: Vec<&'a str>,
    pub value: Value,
}

impl<'a> Edit<'a> {
    /// A change at a dotted path, as `gateway.mode`.
    pub fn new(dotted: &'a str, value: impl Into<Value>) -> Edit<'a> {
        Edit { path: dotted.split('.').collect(), value: value.into() }
    }
}

/// Applies `edits` to the config file at `path`, which is created when it is missing. Nothing is written when
/// nothing changes. Says whether the file was written.
pub fn write(path: &Path, edits: &[Edit]) -> Result<bool> {
    // A config that is a symbolic link stays one.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let _lock = Lock::wait(&lock_path(&path))?;
    let old = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => "{}\n".to_string(),
        Err(e) => return Err(Error::io(format_args!("read config {}", path.display()), e)),
    };
    let mut new = old.clone();
    for edit in edits {
        new = set(&new, &edit.path, &edit.value)
            .map_err(|e| e.context(format_args!("edit config {}", path.display())))?;
    }
    if new == old {
        return Ok(false);
    }
    files::write_atomic(&path, new.as_bytes())?;
    Ok(true)
}

/// The kernel lock that writers of this config hold.
pub fn lock_path(config: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(config.file_name().unwrap_or_default());
    name.push(".lock");
    config.with_file_name(name)
}

/// `text` with `value` at `path`. The text is unchanged when the value is already there.
pub fn set(text: &str, path: &[&str], value: &Value) -> Result<String> {
    let before = parse(text)?;
    let after = changed(&before, path, value)?;
    if before == after {
        return Ok(text.to_string());
    }
    let edited = splice(text, path, value)?;
    if parse(&edited)? != after {
        let path = path.join(".");
        return Err(Error::config(format!(
            "{path} cannot be changed without touching the rest; edit the file by hand"
        )));
    }
    Ok(edited)
}

fn parse(text: &str) -> Result<Value> {
    json5::from_str(text).map_err(|e| Error::config(format!("the file is not JSON5: {e}")))
}

/// The value tree that the edit is to give.
fn changed(before: &Value, path: &[&str], value: &Value) -> Result<Value> {
    let Some((first, rest)) = path.split_first() else { return Ok(value.clone()) };
    let Value::Object(map) = before else {
        return Err(Error::config(format!(
            "{first} has no place there: the value around it is not an object"
        )));
    };
    let mut map = map.clone();
    let empty = Value::Object(Map::new());
    let inner = changed(map.get(*first).unwrap_or(&empty), rest, value)?;
    map.insert(first.to_string(), inner);
    Ok(map.into())
}

fn splice(text: &str, path: &[&str], value: &Value) -> Result<String> {
    let unreadable = || Error::config("the file's structure cannot be followed; edit it by hand");
    let scanner = Scanner::new(text);
    let mut object = scanner.root().ok_or_else(unreadable)?;
    let mut rest = path;
    while let Some((name, deeper)) = rest.split_first() {
        // JSON5 takes the last of two members of the same name.
        let Some(member) = object.members.iter().rev().find(|member| member.name == *name) else {
            return insert(text, &object, name, &nested(deeper, value)).ok_or_else(unreadable);
        };
        if deeper.is_empty() {
            return replace(text, member, value).ok_or_else(unreadable);
        }
        object = scanner.object_at(member.value.start).ok_or_else(unreadable)?;
        rest = deeper;
    }
    Err(Error::config("an edit needs a path"))
}

/// `value` inside of objects named by `path`.
fn nested(path: &[&str], value: &Value) -> Value {
    path.iter()
        .rev()
        .fold(value.clone(), |inner, name| Value::Object(Map::from_iter([(name.to_string(), inner)])))
}

fn replace(text: &str, member: &Member, value: &Value) -> Option<String> {
    let (before, after) = (text.get(..member.value.start)?, text.get(member.value.end..)?);
    Some(format!("{before}{}{after}", written(value, indent_of(text, member.name_start)?)))
}

/// Adds a member at the end of `object`, in the style of the members around it.
fn insert(text: &str, object: &Object, name: &str, value: &Value) -> Option<String> {
    let close_line = text.get(..object.close)?.rfind('\n').map_or(0, |at| at + 1);
    let closes_own_line = text.get(close_line..object.close)?.trim().is_empty() && close_line > object.open;
    let base = indent_of(text, object.close)?;
    let Some(last) = object.members.last() else {
        let inner = format!("{base}  ");
        let member = format!("{inner}{name:?}: {}", written(value, &inner));
        return Some(if closes_own_line {
            format!("{}{member}\n{}", text.get(..close_line)?, text.get(close_line..)?)
        } else {
            format!("{}\n{member}\n{base}{}", text.get(..object.close)?, text.get(object.close..)?)
        });
    };
    let name = if last.is_bare && is_identifier(name) { name.to_string() } else { format!("{name:?}") };
    if closes_own_line {
        let inner = indent_of(text, last.name_start)?;
        let comma = if last.comma.is_some() { "" } else { "," };
        let own_comma = if last.comma.is_some() { "," } else { "" };
        let member = format!("{inner}{name}: {}{own_comma}", written(value, inner));
        let (head, tail) = (text.get(..last.value.end)?, text.get(last.value.end..close_line)?);
        return Some(format!("{head}{comma}{tail}{member}\n{}", text.get(close_line..)?));
    }
    let (at, comma) = last.comma.map_or((last.value.end, ","), |comma| (comma + 1, ""));
    Some(format!("{}{comma} {name}: {value}{}", text.get(..at)?, text.get(at..)?))
}

/// `value` as text whose lines after the first are indented like the place it goes to.
fn written(value: &Value, indent: &str) -> String {
    format!("{value:#}").replace('\n', &format!("\n{indent}"))
}

/// The blanks at the start of the line that holds `at`.
fn indent_of(text: &str, at: usize) -> Option<&str> {
    let line = text.get(text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1)..)?;
    line.get(..line.len() - line.trim_start_matches([' ', '\t']).len())
}

fn is_identifier(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '$');
    starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn edits_keep_everything_else() {
        let cases = [
            ("{}", "a", json!(1), "{\n  \"a\": 1\n}"),
            ("{}\n", "a.b", json!(1), "{\n  \"a\": {\n    \"b\": 1\n  }\n}\n"),
            ("{\n}\n", "a", json!(true), "{\n  \"a\": true\n}\n"),
            ("{ // note\n}\n", "a", json!(1), "{ // note\n  \"a\": 1\n}\n"),
            ("{ /* note */ }", "a", json!(1), "{ /* note */ \n  \"a\": 1\n}"),
            ("{a: 1}", "a", json!("x"), "{a: \"x\"}"),
            ("{a: 1}", "b", json!(2), "{a: 1, b: 2}"),
            ("{'a': 1,}", "b", json!(2), "{'a': 1, \"b\": 2}"),
            ("{ a: 1 /* } */ }", "b", json!({"c": [1]}), "{ a: 1, b: {\"c\":[1]} /* } */ }"),
            ("{\n  a: 1 // one\n}\n", "b", json!(2), "{\n  a: 1, // one\n  b: 2\n}\n"),
            (
                "{\n\ta: 1, // one\n}\n",
                "b",
                json!({"c": 2}),
                "{\n\ta: 1, // one\n\tb: {\n\t  \"c\": 2\n\t},\n}\n",
            ),
            (
                "{\n  // b: 3\n  a: 'b: {', \"b\": { c: 1 },\n}\n",
                "b.c",
                json!(2),
                "{\n  // b: 3\n  a: 'b: {', \"b\": { c: 2 },\n}\n",
            ),
            ("{a: 1, a: 2}", "a", json!(3), "{a: 1, a: 3}"),
            ("{a: [1, {b: 2}], c: 0x10}", "c", json!(17), "{a: [1, {b: 2}], c: 17}"),
            ("{\"a\\u0062\": {x: .5}}", "ab.x", json!(1), "{\"a\\u0062\": {x: 1}}"),
            ("{a: {}}", "a.b-c", json!(1), "{a: {\n  \"b-c\": 1\n}}"),
            ("// top\n{a: 1} // end", "a", json!(1), "// top\n{a: 1} // end"),
            ("\u{feff}{a: 'it\\'s' }", "a", json!(0), "\u{feff}{a: 0 }"),
            ("{a: -Infinity, b: 1}", "b", json!(2), "{a: -Infinity, b: 2}"),
        ];
        for (text, path, value, want) in cases {
            let path: Vec<&str> = path.split('.').collect();
            assert_eq!(set(text, &path, &value).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_edited_is_refused() {
        for (text, path) in [
            ("", "a"),
            ("[]", "a"),
            ("{a: 1}", "a.b"),
            ("{a: [1]}", "a.0"),
            ("{a:", "a"),
            ("{a: null}", "a.b"),
        ] {
            let path: Vec<&str> = path.split('.').collect();
            assert!(set(text, &path, &json!(1)).is_err(), "{text}");
        }
    }

    /// Every path of a commented file, set to several values, one after the other: only that path changes.
    #[test]
    fn any_path_of_a_file_can_be_set() {
        const FILE: &str = "// head\n{\n  gateway: { mode: 'local', port: 0x4965, auth: { token: \"a\\\"}\" }, },\n  /* mid } */\n  \"models\": {\n    'p': [1, 2, { x: 1 }], // tail {\n  },\n  e: {},\n}\n// end }\n";
        let paths = [
            "gateway",
            "gateway.mode",
            "gateway.auth.token",
            "gateway.new",
            "models.p",
            "models.q.r",
            "e.f",
            "z",
            "z.y",
        ];
        let values = [json!(null), json!("}\n//"), json!({"k": [1, {"l": "m"}]}), json!(1.5)];
        for path in paths {
            let path: Vec<&str> = path.split('.').collect();
            let mut text = FILE.to_string();
            for value in &values {
                text = set(&text, &path, value).unwrap();
                for comment in ["// head", "/* mid } */", "// end }"] {
                    assert!(text.contains(comment), "{path:?} {text}");
                }
            }
        }
    }

    #[test]
    fn a_file_is_created_and_not_rewritten_for_nothing() {
        let dir = std::env::temp_dir().join(format!("edit-{}", std::process::id()));
        let path = dir.join("c.json");
        assert!(write(&path, &[Edit::new("a.b", 1), Edit::new("c", "x")]).unwrap());
        assert_eq!(
            parse(&std::fs::read_to_string(&path).unwrap()).unwrap(),
            json!({"a": {"b": 1}, "c": "x"})
        );
        assert!(!write(&path, &[Edit::new("c", "x")]).unwrap());
        std::fs::remove_dir_all(dir).unwrap();
    }
}
