//! `exec-approvals.json`, the original's file of rules: read with forgiveness, written as it is meant to be, and what it
//! holds beside what is known here stays. One that cannot be read forbids all commands.
//!
//! Read for each command, on the thread that asks; changed under a kernel lock by one program at a time.
use super::rules::section;
use super::shape::{self, check};
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::files::{self, Lock};
use crate::ids;
use crate::json::{self, Put, json};
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Largest file that is read, bytes, and its values.
const MAX_BYTES: u64 = 1 << 20;
const MAX_VALUES: usize = 20_000;
/// Commands that an agent may have allowed for good.
const MAX_GRANTS: usize = 200;

/// Refuses a change of the first file to the second one.
pub type May = fn(&Map<String, Value>, &Map<String, Value>) -> Result<()>;

pub struct Book {
    pub file: Map<String, Value>,
    /// SHA-256 of the file, of nothing where there is none.
    pub hash: String,
    pub exists: bool,
}

pub fn path(env: &Env) -> PathBuf {
    env.state_dir.join("exec-approvals.json")
}

pub fn read(env: &Env) -> Result<Book> {
    let path = path(env);
    let bytes = match files::read_bytes(&path, MAX_BYTES) {
        Ok(bytes) => Some(bytes),
        Err(_) if files::is_missing(&path) => None,
        Err(e) => return Err(Error::io(format_args!("read {}", path.display()), e)),
    };
    let hash = ids::encode(digest(&SHA256, bytes.as_deref().unwrap_or_default()).as_ref());
    let exists = bytes.is_some();
    let file = match bytes {
        None => Map::new(),
        // What a full disk has cut to nothing may have been denials.
        Some(bytes) if bytes.trim_ascii().is_empty() => return Err(unreadable(env, "it is empty")),
        Some(bytes) => match json::read(&bytes, MAX_VALUES, 32) {
            Ok(Value::Object(file)) => file,
            Ok(_) => return Err(unreadable(env, "it is no object")),
            Err(e) => return Err(unreadable(env, &e.to_string())),
        },
    };
    match shape::mistake(&file) {
        Some(what) => Err(unreadable(env, &what)),
        None => Ok(Book { file: shaped(file), hash, exists }),
    }
}

fn unreadable(env: &Env, why: &str) -> Error {
    let path = env.display(&path(env));
    Error::config(format!("{path} cannot be read ({why}), so that no command runs: mend it, or put it aside"))
}

/// With the members that every reader looks for.
fn shaped(mut file: Map<String, Value>) -> Map<String, Value> {
    file.entry("version").or_insert_with(|| 1.into());
    for name in ["defaults", "agents"] {
        if !file.get(name).is_some_and(Value::is_object) {
            file.put(name, Map::new());
        }
    }
    file
}

/// What may be shown of it: nothing that lets a program in.
pub fn shown(mut file: Map<String, Value>) -> Map<String, Value> {
    if let Some(socket) = file.get_mut("socket").and_then(Value::as_object_mut) {
        socket.remove("token");
    }
    file
}

/// Changes the file; an error of `change` leaves it as it is.
pub fn change(env: &Env, change: impl FnOnce(&Book) -> Result<Map<String, Value>>) -> Result<Book> {
    let path = path(env);
    files::private_dir(&env.state_dir)?;
    let _lock = Lock::wait(&path.with_extension("json.lock"))?;
    let new = tidy(change(&read(env)?)?)?;
    let text = serde_json::to_string_pretty(&new).unwrap_or_default() + "\n";
    files::write_atomic(&path, text.as_bytes())?;
    read(env)
}

/// Entries of lists as objects with ids.
fn tidy(mut file: Map<String, Value>) -> Result<Map<String, Value>> {
    let agents = file.get_mut("agents").and_then(Value::as_object_mut);
    for (_, agent) in agents.into_iter().flatten() {
        let entries = agent.get_mut("allowlist").and_then(Value::as_array_mut).into_iter().flatten();
        for entry in entries {
            if let Value::String(pattern) = entry {
                *entry = json!({"pattern": (pattern.as_str())});
            }
            if let Some(map) = entry.as_object_mut().filter(|map| !map.contains_key("id")) {
                map.put("id", ids::uuid()?);
            }
        }
    }
    Ok(file)
}

/// The file of somebody who has read that with this hash, and whose change `may` be. What lets a program in stays where he
/// does not give it.
pub fn replace(env: &Env, new: Map<String, Value>, base: Option<&str>, may: May) -> Result<Book> {
    check(&new)?;
    change(env, |old| {
        let text = match base {
            _ if !old.exists => None,
            None => Some("exec approvals base hash required; re-run exec.approvals.get and retry"),
            Some(base) if base != old.hash => {
                Some("exec approvals changed since last load; re-run exec.approvals.get and retry")
            }
            Some(_) => None,
        };
        if let Some(text) = text {
            return Err(Error::new(Kind::Conflict, text));
        }
        let mut new = shaped(new);
        may(&old.file, &new)?;
        let token = old.file.get("socket").and_then(|socket| socket.get("token"));
        if let (Some(token), Some(socket)) = (token, old.file.get("socket")) {
            let mut kept = new.get("socket").cloned().unwrap_or_else(|| socket.clone());
            if let Some(map) = kept.as_object_mut() {
                map.entry("token").or_insert_with(|| token.clone());
            }
            new.put("socket", kept);
        }
        Ok(new)
    })
}

/// Allows exactly this for good, for an agent.
pub fn grant(env: &Env, agent: &str, command: &str, cwd: &str, host: &str, now: u64) -> Result<()> {
    let id = ids::uuid()?;
    let entry = json!({"id": id, "command": command, "cwd": cwd, "host": host, "addedAt": now});
    let add = |book: &Book| {
        let mut file = book.file.clone();
        let Some(section) = section(&mut file, agent) else { return Ok(file) };
        let mut grants = section.get("grants").and_then(Value::as_array).cloned().unwrap_or_default();
        if grants.len() >= MAX_GRANTS {
            grants.remove(0);
        }
        grants.push(entry);
        section.put("grants", grants);
        Ok(file)
    };
    change(env, add).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    #[test]
    fn the_originals_file_goes_on_and_what_is_not_known_here_stays() {
        let dir = Dir::new();
        let mut env = dir.env(&[]);
        env.state_dir = dir.path("state");
        dir.write(
            "state/exec-approvals.json",
            r#"{"version": 1, "socket": {"path": "/s", "token": "SECRET"}, "later": [1],
            "agents": {"main": {"allowlist": ["/usr/bin/ls"], "mood": "good"}}}"#,
        );
        grant(&env, "main", "ls | wc", "/w", "gateway", 5).unwrap();
        let book = read(&env).unwrap();
        let main = &book.file["agents"]["main"];
        assert_eq!((&main["mood"], &book.file["later"][0]), (&json!("good"), &json!(1)));
        assert_eq!(book.file["socket"]["token"], "SECRET");
        assert!(main["allowlist"][0]["pattern"] == "/usr/bin/ls" && main["allowlist"][0]["id"].is_string());
        assert_eq!(main["grants"][0]["command"], "ls | wc");
        let mode = std::fs::metadata(path(&env)).unwrap();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
        assert!(!Value::Object(shown(book.file.clone())).to_string().contains("SECRET"));

        // Set from what was read: the token stays, an older state is refused.
        let mut new = shown(book.file.clone());
        new.put("defaults", json!({"ask": "always"}));
        assert!(
            replace(&env, new.clone(), None, |_, _| Ok(()))
                .is_err_and(|e| e.message().contains("base hash required"))
        );
        assert!(
            replace(&env, new.clone(), Some("00"), |_, _| Ok(()))
                .is_err_and(|e| e.message().contains("changed since"))
        );
        let book = replace(&env, new, Some(&book.hash), |_, _| Ok(())).unwrap();
        assert_eq!(
            (&book.file["socket"]["token"], &book.file["defaults"]["ask"]),
            (&json!("SECRET"), &json!("always"))
        );
    }

    #[test]
    fn mistakes_are_told_and_forbid() {
        let dir = Dir::new();
        let mut env = dir.env(&[]);
        env.state_dir = dir.path("state");
        assert!(!read(&env).unwrap().exists);
        for (text, place) in [
            (r#"{"foo": 1}"#, "has none of version, defaults and agents"),
            ("{}", "has none of version, defaults and agents"),
            (r#"{"version": 2}"#, "version must be 1"),
            (r#"{"defaults": []}"#, "defaults must be an object"),
            (
                r#"{"agents": {"a": {"security": "some"}}}"#,
                "agents.a.security must be one of deny, allowlist, full",
            ),
            (r#"{"agents": {"a": {"allowlist": [{}]}}}"#, "agents.a.allowlist must be a list of {pattern}"),
        ] {
            let file: Map<String, Value> = serde_json::from_str(text).unwrap();
            let error = replace(&env, file, None, |_, _| Ok(())).err().unwrap();
            assert!(error.message().contains(place), "{error}");
        }
        for (text, what) in [
            ("{\"agents\": ", "no command runs"),
            ("", "it is empty"),
            (" \n", "it is empty"),
            ("[]", "it is no object"),
            (r#"{"defaults": []}"#, "defaults must be an object"),
            (r#"{"agents": []}"#, "agents must be an object"),
            (r#"{"agents": {"main": null}}"#, "agents.main must be an object"),
            (r#"{"Defaults": {"security": "deny"}}"#, "\"Defaults\" is not read; write it as defaults"),
            (
                r#"{"defaults": {"Security": "deny"}}"#,
                "defaults.\"Security\" is not read; write it as security",
            ),
            (r#"{"agents": {"a": {"ask_fallback": "deny"}}}"#, "write it as askFallback"),
        ] {
            dir.write("state/exec-approvals.json", text);
            assert!(read(&env).is_err_and(|e| e.message().contains(what)), "{text}");
        }
        dir.write(
            "state/exec-approvals.json",
            r#"{"agents": {"a": {"mood": "good"}}, "defaults": {"ask": "Off"}}"#,
        );
        assert!(read(&env).unwrap().exists);
    }
}
