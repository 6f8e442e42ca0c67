//! Editing the config's text in place: one value is set, added to a list or removed, everything else stays byte
//! for byte (R-02b).
//!
//! A small scanner finds the member in the JSON5 text; the new text is parsed again and compared with the
//! expected value tree before anything is written, so a mistake here can refuse an edit but never damage a
//! file. Runs on the caller's thread, under a lock that all writers of the file share (R-02d), and keeps the last
//! five texts as backups. What may be written is for `write.rs` to judge.
use crate::config::members::Scanner;
use crate::config::splices::{self, Splice};
use crate::config::{merging, parse};
use crate::error::{Error, Kind, Result};
use crate::files::{self, Lock};
use crate::parts::Parts;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

/// What happens at a path.
#[derive(Debug, Clone, Copy)]
enum Op<'v> {
    Set(&'v Value),
    /// The value becomes the last item of the list there, which is made if it is missing.
    Append(&'v Value),
    Remove,
}

/// The config's text while it is edited. A path is member names; the place of an item in its list is a name too.
#[derive(Debug)]
pub struct Draft {
    /// Shared with the configuration that it is judged as.
    text: Arc<str>,
    is_new: bool,
}

/// The text of a file that is not there yet.
const EMPTY: &str = "{}\n";

impl Draft {
    /// A text that is only tried.
    pub fn of(text: &str) -> Draft {
        Draft { text: text.into(), is_new: false }
    }

    /// What the text says, without includes, variables and defaults.
    pub fn value(&self) -> Result<Value> {
        read(&self.text)
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn shared(&self) -> Arc<str> {
        self.text.clone()
    }

    /// Whether there is no file yet.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Another text in place of the whole.
    pub fn replace(&mut self, text: &str) {
        self.text = text.into();
    }

    pub fn set(&mut self, path: &[&str], value: impl Into<Value>) -> Result<()> {
        self.apply(path, Op::Set(&value.into()))
    }

    /// Adds an item at the end of the list at `path`, which is made if it is missing.
    pub fn append(&mut self, path: &[&str], value: &Value) -> Result<()> {
        self.apply(path, Op::Append(value))
    }

    /// Takes a member or an item away; what is not there needs nothing. Comments around it stay.
    pub fn remove(&mut self, path: &[&str]) -> Result<()> {
        self.apply(path, Op::Remove)
    }

    /// Gives the member at `path` another name; its value, its place and the comments around it stay.
    pub fn rename(&mut self, path: &[&str], name: &str) -> Result<()> {
        let lost = || Error::config(format!("{} cannot be renamed; edit the file by hand", path.join(".")));
        let scanner = Scanner::new(&self.text);
        let mut object = scanner.root();
        let mut member = None;
        for part in path {
            let inside = object.take().ok_or_else(lost)?;
            let found = inside.members.into_iter().rfind(|member| member.name == *part).ok_or_else(lost)?;
            object = scanner.object_at(found.value.start);
            member = Some(found);
        }
        let member = member.ok_or_else(lost)?;
        let written = self.text.part(member.name_start..member.value.start);
        let end = member.name_start + written.split_once(':').ok_or_else(lost)?.0.trim_end().len();
        let (before, behind) = (self.text.head(member.name_start), self.text.tail(end));
        let quoted = Value::from(name).to_string();
        let renamed = [before, &quoted, behind].concat();
        read(&renamed)?;
        self.text = renamed.into();
        Ok(())
    }

    /// Merges `patch` into what the text says: what it does not name stays as it is written, null takes away. The text is
    /// read once, however many members are named.
    pub fn merge(&mut self, patch: &Map<String, Value>) -> Result<()> {
        let before = object(&self.text)?;
        if !merging::is_merged(&before, &before, patch) {
            let edited = merging::spliced(&self.text, &before, patch).ok_or_else(unreadable)?;
            let is_right = |now: &Value| merging::is_merged(now, &before, patch);
            self.text = checked(&self.text, edited, is_right, || "what it asks for".to_string())?.into();
        }
        Ok(())
    }

    fn apply(&mut self, path: &[&str], op: Op) -> Result<()> {
        self.text = edited(&self.text, path, op)?.into();
        Ok(())
    }
}

/// Applies `edits` to the config file at `path`, which is created when it is missing. Nothing is written when
/// nothing changes. Says whether the file was written.
pub fn write(path: &Path, edits: &[Edit]) -> Result<bool> {
    let set =
        |draft: &mut Draft| edits.iter().try_for_each(|edit| draft.apply(&edit.path, Op::Set(&edit.value)));
    change(path, set).map(|((), written)| written)
}

/// The same for edits that depend on what the file says: `work` sees it under the lock. When `work` fails, nothing
/// is written.
pub fn change<T>(path: &Path, work: impl FnOnce(&mut Draft) -> Result<T>) -> Result<(T, bool)> {
    let path = real_path(path)?;
    let waiting = |e: Error| e.context(format_args!("write config {}", path.display()));
    let _lock = Lock::wait(&lock_path(&path)).map_err(waiting)?;
    let mut draft = present(&path)?;
    let old = (!draft.is_new).then(|| draft.text.clone());
    let in_file = |e: Error| match e.kind {
        Kind::Config if !e.message().contains(&*path.to_string_lossy()) => {
            e.context(format_args!("edit config {}", path.display()))
        }
        _ => e,
    };
    let told = work(&mut draft).map_err(in_file)?;
    if *draft.text == *old.as_deref().unwrap_or(EMPTY) {
        return Ok((told, false));
    }
    match old {
        Some(old) => put(&path, draft.text.as_bytes(), &old)?,
        None => files::write_atomic(&path, draft.text.as_bytes())?,
    }
    Ok((told, true))
}

/// What the file says now.
pub fn present(path: &Path) -> Result<Draft> {
    match files::read_text(path) {
        Ok(text) => Ok(Draft { text: text.into(), is_new: false }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Draft { text: EMPTY.into(), is_new: true }),
        Err(e) if e.kind() == std::io::ErrorKind::InvalidData => Err(not_text(path)),
        Err(e) => Err(Error::io(format_args!("read config {}", path.display()), e)),
    }
}

/// Where a file is no UTF-8: it would be written with other bytes than its owner wrote. The gateway reads it all the same.
pub fn not_text(path: &Path) -> Error {
    let bytes = files::read_bytes(path, files::MAX_TEXT).unwrap_or_default();
    let good = match std::str::from_utf8(&bytes) {
        Ok(text) => text.len(),
        Err(e) => e.valid_up_to(),
    };
    let (before, _) = bytes.split_at(good.min(bytes.len()));
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let column = String::from_utf8_lossy(before.split_at(line_start.min(good)).1).chars().count() + 1;
    let form = if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        "it is UTF-16"
    } else {
        "it is not UTF-8"
    };
    Error::config(format!(
        "config {}:{line}:{column}: {form} there (byte {good}), so nothing was written; save the file as UTF-8, or write that character anew, and try again",
        path.display()
    ))
}

/// A config that is a symbolic link stays one.
fn real_path(path: &Path) -> Result<PathBuf> {
    match (std::fs::canonicalize(path), std::fs::read_link(path)) {
        (Ok(path), _) => Ok(path),
        (Err(_), Err(_)) => Ok(path.to_path_buf()),
        (Err(e), Ok(target)) => Err(Error::config(format!(
            "config {} is a link to {}, which cannot be found ({e}); create that file",
            path.display(),
            target.display()
        ))),
    }
}

/// Writes `text` over `old`, which becomes the newest backup; the others move on: `.bak` to `.bak.1`, ... `.bak.4` goes.
/// All are private, whatever the mode of the file was. The new one is on disk before the file is touched, and no old one
/// moves before the file is written.
fn put(path: &Path, text: &[u8], old: &str) -> Result<()> {
    let fresh = beside(path, ".bak.new");
    files::write_atomic(&fresh, old.as_bytes())?;
    if let Err(e) = files::write_over(path, |file| file.write_all(text)) {
        // It says what the file says.
        if files::read_text(path).is_ok_and(|now| now == old) {
            let _ = std::fs::remove_file(&fresh);
        }
        return Err(e);
    }
    let chain = [5, 4, 3, 2, 1].map(|n| kept(path, n));
    let moves = chain.iter().skip(1).chain([&fresh]).zip(&chain);
    for (from, to) in moves {
        match std::fs::rename(from, to) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io(
                    format_args!("{} is written, but keep backup {}", path.display(), to.display()),
                    e,
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Versions of the file that are kept.
pub const KEPT: usize = 5;

/// Where the version of `n` changes ago is kept: the last one as `.bak`, the one before as `.bak.1`.
pub fn kept(path: &Path, n: usize) -> PathBuf {
    if n > 1 { beside(path, &format!(".bak.{}", n - 1)) } else { beside(path, ".bak") }
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(suffix);
    path.with_file_name(name)
}

/// The kernel lock that writers of this config hold.
pub fn lock_path(config: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(config.file_name().unwrap_or_default());
    name.push(".lock");
    config.with_file_name(name)
}

/// `text` with `op` done at `path`. The text is unchanged when that changes no value.
fn edited(text: &str, path: &[&str], op: Op) -> Result<String> {
    let before = object(text)?;
    let mut after = changed(&before, path, op)?;
    parse::whole_numbers(&mut after);
    if before == after {
        return Ok(text.to_string());
    }
    let splices = splice(text, path, op)?;
    checked(
        text,
        splices::apply(text, splices).ok_or_else(unreadable)?,
        |now| *now == after,
        || path.join("."),
    )
}

/// What the text says, which is an object.
fn object(text: &str) -> Result<Value> {
    let value = read(text)?;
    match value.is_object() {
        true => Ok(value),
        false => Err(Error::config("the file is not an object; put { } around what it says")),
    }
}

fn unreadable() -> Error {
    Error::config("the file's structure cannot be followed; edit it by hand")
}

/// The text made of another, with that one's line ends, if it says what it is to say.
fn checked(
    text: &str,
    mut edited: String,
    is_right: impl Fn(&Value) -> bool,
    what: impl Fn() -> String,
) -> Result<String> {
    let lines = |end: &str| text.matches(end).count();
    if lines("\r\n") > 0 && lines("\r\n") == lines("\n") {
        edited = edited.replace("\r\n", "\n").replace('\n', "\r\n");
    }
    if !is_right(&read(&edited)?) {
        let what = what();
        return Err(Error::config(format!(
            "{what} cannot be changed without touching the rest; edit the file by hand"
        )));
    }
    Ok(edited)
}

fn read(text: &str) -> Result<Value> {
    let failed =
        |e: parse::Failure| Error::config(format!("the file is not JSON5: {}{}", e.message, e.place()));
    parse::json5(text).map_err(failed)
}

/// The value tree that the edit is to give.
fn changed(before: &Value, path: &[&str], op: Op) -> Result<Value> {
    let Some((first, rest)) = path.split_first() else { return at_end(before, op) };
    let takes_away = matches!(op, Op::Remove);
    let mut after = before.clone();
    let place = match &mut after {
        Value::Object(map) if takes_away && rest.is_empty() => {
            map.shift_remove(*first);
            return Ok(after);
        }
        Value::Object(map) if takes_away && !map.contains_key(*first) => return Ok(after),
        Value::Object(map) => {
            let missing = if rest.is_empty() { Value::Null } else { Value::Object(Map::new()) };
            let is_new = !map.contains_key(*first);
            let slot = map.entry(first.to_string()).or_insert(missing);
            if is_new && rest.is_empty() && matches!(op, Op::Append(_)) {
                *slot = Value::Array(Vec::new());
            }
            slot
        }
        Value::Array(items) => {
            let (place, end) = (first.parse::<usize>(), items.len());
            let missing = || match &place {
                Ok(_) => format!("the list has no item {first}; its end is [{end}]"),
                Err(_) => format!("an item of a list is named by its place, as [0], not by {first}"),
            };
            match place.clone().ok().filter(|place| *place < end) {
                Some(place) if takes_away && rest.is_empty() => {
                    items.remove(place);
                    return Ok(after);
                }
                at => at.and_then(|at| items.get_mut(at)).ok_or_else(|| Error::config(missing()))?,
            }
        }
        _ => {
            return Err(Error::config(format!(
                "{first} has no place there: the value around it is not an object"
            )));
        }
    };
    *place = changed(place, rest, op)?;
    Ok(after)
}

fn at_end(before: &Value, op: Op) -> Result<Value> {
    match (op, before) {
        (Op::Set(value), _) => Ok(value.clone()),
        (Op::Append(value), Value::Array(items)) => {
            Ok(items.iter().chain([value]).cloned().collect::<Vec<_>>().into())
        }
        (Op::Append(_), _) => {
            Err(Error::config("an item can only be added to a list; the value there is none"))
        }
        (Op::Remove, _) => Err(Error::config("an edit needs a path")),
    }
}

fn splice(text: &str, path: &[&str], op: Op) -> Result<Vec<Splice>> {
    let scanner = Scanner::new(text);
    let mut object = scanner.root().ok_or_else(unreadable)?;
    let mut rest = path;
    while let Some((name, deeper)) = rest.split_first() {
        // JSON5 takes the last of two members of the same name.
        let Some(at) = object.members.iter().rposition(|member| member.name == *name) else {
            let value = match op {
                Op::Set(value) => nested(deeper, value),
                Op::Append(value) => nested(deeper, &Value::Array(vec![value.clone()])),
                Op::Remove => return Ok(Vec::new()),
            };
            return splices::insert(text, &object, &[(*name, &value)]).ok_or_else(unreadable);
        };
        let member = object.members.get(at).ok_or_else(unreadable)?;
        if deeper.is_empty() {
            return match op {
                Op::Set(value) => splices::replace(text, member, value).map(|one| vec![one]),
                Op::Remove => splices::remove(text, &object, &[at]),
                Op::Append(value) => scanner
                    .object_at(member.value.start)
                    .and_then(|list| splices::insert(text, &list, &[("", value)])),
            }
            .ok_or_else(unreadable);
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(text: &str, path: &[&str], value: &Value) -> Result<String> {
        edited(text, path, Op::Set(value))
    }

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
            ("{\r\n  a: 1\r\n}\r\n", "b", json!([2]), "{\r\n  a: 1,\r\n  b: [\r\n    2\r\n  ]\r\n}\r\n"),
            ("{\r\n  a: 1\n}\n", "b", json!(2), "{\r\n  a: 1,\n  b: 2\n}\n"),
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
            ("{a: [1]}", "a.1"),
            ("{a: [1]}", "a.x"),
            ("{a:", "a"),
            ("{a: null}", "a.b"),
        ] {
            let path: Vec<&str> = path.split('.').collect();
            assert!(set(text, &path, &json!(1)).is_err(), "{text}");
        }
        for (text, path, want) in [
            ("[]", "0", "put { } around"),
            ("{a: [1]}", "a.9", "no item 9; its end is [1]"),
            ("{a: [1]}", "a.x", "as [0], not by x"),
        ] {
            let error = set(text, &path.split('.').collect::<Vec<_>>(), &json!(1)).unwrap_err();
            assert!(error.message().contains(want), "{error}");
        }
    }

    #[test]
    fn a_link_to_nothing_stays_a_link() {
        let dir = crate::config::testing::Dir::new();
        let path = dir.path("c.json");
        std::os::unix::fs::symlink("there.json", &path).unwrap();
        let error = write(&path, &[Edit::new("a", 1)]).unwrap_err();
        assert!(error.message().contains("is a link to there.json"), "{error}");
        assert!(path.is_symlink());
        dir.write("there.json", "{}");
        assert!(write(&path, &[Edit::new("a", 1)]).unwrap());
        assert!(path.is_symlink());
    }

    #[test]
    fn r_02b_items_are_added_and_taken_away_and_the_rest_stays() {
        const LIST: &str = "{\n  // the team\n  list: [\n    { id: 'a' }, // first\n    // about b\n    {\n      id: 'b',\n    },\n    { id: 'c' } // last\n  ],\n}\n";
        let item = json!({"id": "d"});
        let cases = [
            (
                LIST,
                "list",
                Op::Append(&item),
                LIST.replace("'c' } // last\n", "'c' }, // last\n    {\n      \"id\": \"d\"\n    }\n"),
            ),
            (LIST, "list.1", Op::Remove, LIST.replace("    {\n      id: 'b',\n    },\n", "")),
            (LIST, "list.0", Op::Remove, LIST.replace("{ id: 'a' }, // first", "// first")),
            (
                LIST,
                "list.2",
                Op::Remove,
                LIST.replace("    },\n    { id: 'c' } // last", "    }\n    // last"),
            ),
            (LIST, "list.1.id", Op::Set(&json!("x")), LIST.replace("'b'", "\"x\"")),
            (
                LIST,
                "list.1.name",
                Op::Set(&json!("x")),
                LIST.replace("id: 'b',\n", "id: 'b',\n      name: \"x\",\n"),
            ),
            (LIST, "list.0.id", Op::Remove, LIST.replace("{ id: 'a' }", "{ }")),
            (LIST, "list.0.none", Op::Remove, LIST.to_string()),
            (LIST, "none.x", Op::Remove, LIST.to_string()),
            (
                "{}",
                "a.b",
                Op::Append(&json!(1)),
                "{\n  \"a\": {\n    \"b\": [\n      1\n    ]\n  }\n}".to_string(),
            ),
            ("{a: []}", "a", Op::Append(&json!(1)), "{a: [\n  1\n]}".to_string()),
            ("{a: [1, 2]}", "a", Op::Append(&item), "{a: [1, 2, {\"id\":\"d\"}]}".to_string()),
            ("{a: [1, 2, 3,]}", "a.1", Op::Remove, "{a: [1, 3,]}".to_string()),
            ("{a: [1, 2]}", "a.1", Op::Remove, "{a: [1]}".to_string()),
            ("{a: [1]}", "a.0", Op::Remove, "{a: []}".to_string()),
            ("{a: 1, b: 2}", "b", Op::Remove, "{a: 1}".to_string()),
            ("{\n  \"a\": 1,\n  \"b\": 2\n}\n", "b", Op::Remove, "{\n  \"a\": 1\n}\n".to_string()),
            ("{a: [{\n  b: 1\n}, {\n  c: 2\n}]}", "a.0", Op::Remove, "{a: [{\n  c: 2\n}]}".to_string()),
        ];
        for (text, path, op, want) in cases {
            let path: Vec<&str> = path.split('.').collect();
            assert_eq!(edited(text, &path, op).unwrap(), want, "{path:?} {op:?} {text}");
        }
        for (text, path, op) in [("{a: 1}", "a", Op::Append(&item)), ("{a: [1]}", "a.1", Op::Remove)] {
            assert!(edited(text, &path.split('.').collect::<Vec<_>>(), op).is_err(), "{text}");
        }
    }

    #[test]
    fn a_change_that_fails_writes_nothing() {
        let dir = std::env::temp_dir().join(format!("change-{}", std::process::id()));
        let path = dir.join("c.json");
        write(&path, &[Edit::new("a", 1)]).unwrap();
        let failed = change(&path, |draft| {
            draft.set(&["a"], 2)?;
            Err::<(), _>(Error::invalid("no"))
        });
        assert_eq!(failed.unwrap_err().message(), "no");
        assert!(std::fs::read_to_string(&path).unwrap().contains('1'));
        std::fs::remove_dir_all(dir).unwrap();
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
        assert_eq!(read(&std::fs::read_to_string(&path).unwrap()).unwrap(), json!({"a": {"b": 1}, "c": "x"}));
        assert!(!write(&path, &[Edit::new("c", "x")]).unwrap());
        std::fs::remove_dir_all(dir).unwrap();
    }
}
