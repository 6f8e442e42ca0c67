//! One agent's file of keys, as the original writes it: what it holds, and what is wrong with it.
//!
//! Read by `profiles`, on its threads; never written. A file that cannot be read is an error, for it may hold the key that
//! its owner chose; a shape in which nobody finds a key is told once, with its line, and the file goes on without it.
use crate::clock;
use crate::env::Env;
use crate::models::provider::Secret;
use crate::{files, json, logging};
use serde_json::{Map, Value};
use std::fmt;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest file read, in bytes, the most values in it and how deep they are nested.
const MAX_FILE: u64 = 1 << 20;
const MAX_VALUES: usize = 20_000;
const MAX_DEPTH: usize = 16;
/// How often, and after what time, it is opened again while descriptors are short.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(100);
/// The file of versions before there were profiles.
const OLD_BOOK: &str = "auth.json";
/// Warns, unless that was said before.
pub fn tell_once(warning: String) {
    logging::warn_once("gateway/agent", warning);
}

/// An agent's file: `auth-profiles.json`, or, where there is none, the `auth.json` of earlier versions.
pub fn of_dir(agent_dir: &Path) -> PathBuf {
    let (book, old) = (agent_dir.join("auth-profiles.json"), agent_dir.join(OLD_BOOK));
    // A link that leads nowhere is one all the same: somebody keeps the keys elsewhere.
    let is_there = |file: &Path| file.symlink_metadata().is_ok();
    if !is_there(&book) && is_there(&old) { old } else { book }
}

/// What an `auth.json` says, in the shape of its successor: a credential a provider, by the provider's name.
fn of_old(old: Map<String, Value>) -> Map<String, Value> {
    let profile = |(name, entry): (String, Value)| {
        let mut entry = if let Value::Object(entry) = entry { entry } else { return None };
        entry.entry("provider").or_insert_with(|| name.into());
        let id = format!("{}:default", entry.get("provider")?.as_str()?);
        Some((id, Value::Object(entry)))
    };
    let profiles: Map<String, Value> = old.into_iter().filter_map(profile).collect();
    Map::from_iter([("profiles".to_string(), profiles.into())])
}

/// Why a file was not read, and what to do about it.
pub struct Unread {
    why: String,
    /// It may be read in a moment: nothing is wrong with it.
    pub passes: bool,
}

impl Unread {
    fn broken(why: impl fmt::Display) -> Unread {
        Unread { why: format!("cannot be read: {why}; repair it, or move it away"), passes: false }
    }

    /// Nobody knows whether anything is wrong with what it says.
    fn shut(file: &Path, e: &Error) -> Unread {
        Unread { why: format!("cannot be read: {}", files::unread(file, e)), passes: false }
    }

    fn short(e: &Error) -> Unread {
        let what = match e.kind() {
            ErrorKind::OutOfMemory => "not enough memory",
            _ => "too many open files",
        };
        Unread {
            why: format!("could not be read now: {what}; try again, or raise the limit (ulimit -n)"),
            passes: true,
        }
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// Opens it again for a moment while descriptors are short.
fn bytes_of(file: &Path) -> std::io::Result<Vec<u8>> {
    for _ in 0..TRIES {
        match files::read_bytes(file, MAX_FILE) {
            Err(e) if files::is_short(&e) => std::thread::sleep(PAUSE),
            read => return read,
        }
    }
    files::read_bytes(file, MAX_FILE)
}

/// A file's content; nothing where there is none, and why it was not read where there is one.
pub fn read(file: &Path) -> Result<Option<Map<String, Value>>, Unread> {
    let bytes = match bytes_of(file) {
        Ok(bytes) => bytes,
        Err(_) if file.is_dir() => {
            tell_once(format!("{} is a directory, no key is read there; move it away", file.display()));
            return Ok(None);
        }
        Err(e)
            if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) && !file.is_symlink() =>
        {
            return Ok(None);
        }
        Err(e) if files::is_short(&e) => return Err(Unread::short(&e)),
        Err(e) => return Err(Unread::shut(file, &e)),
    };
    let book: Map<String, Value> = json::read_as(&bytes, MAX_VALUES, MAX_DEPTH).map_err(Unread::broken)?;
    if file.ends_with(OLD_BOOK) && !book.contains_key("profiles") {
        return Ok(Some(of_old(book)));
    }
    tell_shapes(file, &book, &bytes);
    Ok(Some(book))
}

/// Warns of what is in a place where keys are, but in no shape that makes it one.
fn tell_shapes(file: &Path, book: &Map<String, Value>, bytes: &[u8]) {
    let tell = |name: &str, wrong: &str| {
        let text = String::from_utf8_lossy(bytes);
        let before = text.split_once(&Value::from(name).to_string()).map_or("", |(before, _)| before);
        let line = before.matches('\n').count() + 1;
        let name = logging::quoted(name);
        tell_once(format!("{}:{line}: {name} {wrong}", file.display()));
    };
    match book.get("profiles") {
        None | Some(Value::Null) => {}
        Some(Value::Object(profiles)) => {
            let is_lost = |entry: &Value| entry.get("provider").and_then(Value::as_str).is_none();
            profiles.iter().filter(|(_, entry)| is_lost(entry)).for_each(|(id, _)| {
                tell(id, "is of no provider, its key is not used; write \"provider\": \"<id>\" in it, or remove it")
            });
        }
        Some(_) => tell(
            "profiles",
            "is no object of profiles by name, no key in it is used; make it {\"<provider>:default\": {…}}",
        ),
    }
}

/// Which provider an entry is of.
pub fn provider(entry: &Value) -> Option<&str> {
    entry.get("provider").and_then(Value::as_str).map(str::trim)
}

/// `api_key`, `token` or `oauth`.
pub fn kind(entry: &Value) -> &str {
    let said = ["type", "mode"].iter().find_map(|name| entry.get(*name).and_then(Value::as_str));
    said.unwrap_or(if entry.get("access").is_some() {
        "oauth"
    } else if entry.get("token").is_some() {
        "token"
    } else {
        "api_key"
    })
}

/// The profile's key; nothing where it holds none, and why where it says that the key is elsewhere and it is not there.
pub fn credential(entry: &Value, env: &Env) -> Result<Option<Secret>, String> {
    let (names, reference) = match kind(entry) {
        "oauth" => (["access", "token"], "accessRef"),
        "token" => (["token", "key"], "tokenRef"),
        _ => (["key", "apiKey"], "keyRef"),
    };
    let is_there = |name: &str| entry.get(name).is_some_and(|value| !value.is_null());
    let Some(name) = names.iter().chain([&reference]).find(|name| is_there(name)).copied() else {
        return Ok(None);
    };
    let text = match entry.get(name).unwrap_or(&Value::Null) {
        Value::String(text) => match text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
            Some(variable) => of_variable(name, variable, env)?,
            None => text.clone(),
        },
        object => referred(name, object, env)?,
    };
    Ok(Some(text.trim().to_string()).filter(|text| !text.is_empty()).map(Secret::new))
}

fn of_variable(name: &str, variable: &str, env: &Env) -> Result<String, String> {
    let value = env.var(variable).filter(|value| !value.trim().is_empty());
    let shown = logging::quoted(variable);
    value
        .map(str::to_string)
        .ok_or_else(|| format!("{name} names the variable {shown}, which is not set; set it"))
}

/// A credential that stands elsewhere: in a variable or in a file.
fn referred(name: &str, reference: &Value, env: &Env) -> Result<String, String> {
    let text = |member: &str| reference.get(member).and_then(Value::as_str);
    let id = text("id").filter(|id| !id.trim().is_empty());
    let id = id.ok_or_else(|| format!("{name} has no \"id\", which names a variable or a file; write it"))?;
    match text("source").unwrap_or_default() {
        "env" => of_variable(name, id, env),
        "file" => {
            let wrong = |why: &str| format!("{name} names the file {}, which {why}", logging::quoted(id));
            let path = std::fs::canonicalize(env.expand(id));
            let path = path.map_err(|e| wrong(&format!("cannot be read: {e}; put the key there")))?;
            let bytes = files::read_start(&path, 64 << 10);
            let bytes =
                bytes.ok_or_else(|| wrong("cannot be read; make it a file that this user may read"))?;
            let key = String::from_utf8(bytes).map_err(|_| wrong("is no text; write the key there"))?;
            match key.trim().is_empty() {
                true => Err(wrong("is empty; write the key there")),
                false => Ok(key),
            }
        }
        other => {
            let other = logging::quoted(other);
            Err(format!(
                "{name} is of the source {other}, of which nothing is read; write \"env\" or \"file\" there, or the key itself"
            ))
        }
    }
}

pub fn has_expired(entry: &Value) -> bool {
    let at = entry.get("expires").and_then(Value::as_f64).filter(|at| *at > 0.0);
    at.is_some_and(|at| (at as u64) < clock::now_ms())
}
