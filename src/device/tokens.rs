//! The client's device tokens: `<STATE>/identity/device-auth.json`, one for each gateway and role.
//!
//! What was stored last stands where the original has its only one; those of other gateways stand beside, so that a
//! look at one gateway takes no other's token away (SEC-29). Runs on the CLI's thread, and in the gateway when it
//! rotates the token of the device it shares a state directory with. There is no function to delete a token: one that
//! the server refuses stays until the server hands out another (R-05c).
use super::{identity, secret_eq};
use crate::error::{Error, Result};
use crate::files::{self, Lock};
use crate::json::{self, Put, json};
use serde_json::{Map, Value};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A token this client was given.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredToken {
    pub token: String,
    pub scopes: Vec<String>,
    /// Which gateway handed it out, as `Target::origin` has it; empty where that was not written down.
    pub gateway: String,
}

/// The `gateway` of a token that comes from the gateway of the same state directory.
pub const HERE: &str = "local";
/// The member for the tokens of the gateways that did not hand out the last one.
const OTHERS: &str = "gateways";

/// The token stored for a device and role that this gateway may be told. With `takes_unnamed` that may be one which
/// names no gateway: one of the original's files is for the configured gateway, whichever. A missing or damaged file
/// counts as none: the server gives a new token to whoever connects with the shared one.
pub fn load(
    state_dir: &Path,
    device_id: &str,
    role: &str,
    gateway: &str,
    takes_unnamed: bool,
) -> Option<StoredToken> {
    let file = read(state_dir, device_id)?;
    let unnamed = || token_of(&file, role, "").filter(|_| takes_unnamed);
    token_of(&file, role, gateway).or_else(unnamed)
}

/// Stores a token, atomically and 0600; tokens of other roles and gateways stay. Writes nothing when nothing changes.
/// `now` is in epoch milliseconds.
pub fn store(state_dir: &Path, device_id: &str, role: &str, token: &StoredToken, now: u64) -> Result<()> {
    let _lock = Lock::wait(&identity::lock_path(state_dir))?;
    let path = path(state_dir);
    // What cannot be opened may hold tokens of other gateways: it is not replaced.
    if let Err(e) = files::read_text(&path)
        && !matches!(e.kind(), ErrorKind::NotFound | ErrorKind::InvalidData)
    {
        let (file, why) = (path.display(), files::unread(&path, &e));
        let text = format!("the device's tokens {file} cannot be read, and are left as they are: {why}");
        return Err(Error::new(crate::error::Kind::Io, text));
    }
    let mut file = read(state_dir, device_id).unwrap_or_default();
    let is_same = |old: &StoredToken| secret_eq(&old.token, &token.token);
    if token_of(&file, role, &token.gateway).is_some_and(|old| is_same(&old) && old.scopes == token.scopes) {
        return Ok(());
    }
    file.entry("version").or_insert(1.into());
    file.put("deviceId", device_id);
    let entry = json!({
        "token": token.token, "role": role, "scopes": token.scopes, "gateway": token.gateway, "updatedAtMs": now,
    });
    let mut tokens = taken(&mut file, "tokens");
    let old = tokens.insert(role.to_string(), entry);
    file.put("tokens", tokens);
    let mut others = taken(&mut file, OTHERS);
    let mut own = taken(&mut others, &token.gateway);
    own.remove(role);
    others.put(&token.gateway, own);
    if let Some((old, entry)) = old.and_then(|entry| Some((token_in(&entry)?, entry))) {
        let is_of_another = match old.gateway.as_str() {
            // It may be that of a gateway elsewhere.
            "" => token.gateway == HERE && !is_same(&old),
            gateway => gateway != token.gateway,
        };
        if is_of_another {
            let mut roles = taken(&mut others, &old.gateway);
            roles.put(role, entry);
            others.put(&old.gateway, roles);
        }
    }
    others.retain(|_, roles| roles.as_object().is_some_and(|roles| !roles.is_empty()));
    match others.is_empty() {
        true => drop(file.remove(OTHERS)),
        false => file.put(OTHERS, others),
    }
    files::write_atomic(&path, &super::pretty(&file)?)
}

/// Whether the file below this state directory is that device's: then a token that the gateway here has made is for it.
pub fn belongs_here(state_dir: &Path, device_id: &str) -> bool {
    read(state_dir, device_id).is_some()
}

/// The object that is this member, taken out of its place.
fn taken(map: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match map.get_mut(name).map(Value::take) {
        Some(Value::Object(inner)) => inner,
        _ => Map::new(),
    }
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("identity/device-auth.json")
}

/// The file's content if it is that device's; tokens of another key are of no use to anyone.
fn read(state_dir: &Path, device_id: &str) -> Option<Map<String, Value>> {
    let text = crate::files::read_text(&path(state_dir)).ok()?;
    let file = json::read_object(&text, 10_000, 16).ok()?;
    (file.get("deviceId")?.as_str()? == device_id).then_some(file)
}

/// The token for the role that names this gateway.
fn token_of(file: &Map<String, Value>, role: &str, gateway: &str) -> Option<StoredToken> {
    let last = file.get("tokens").and_then(|tokens| tokens.get(role));
    let other = file.get(OTHERS).and_then(|others| others.get(gateway)?.get(role));
    [last, other].into_iter().flatten().filter_map(token_in).find(|token| token.gateway == gateway)
}

/// One whose gateway is no text is nobody's.
fn token_in(entry: &Value) -> Option<StoredToken> {
    let token = entry.get("token")?.as_str()?.to_string();
    let scopes = entry.get("scopes").and_then(Value::as_array).into_iter().flatten();
    let scopes = scopes.filter_map(|s| s.as_str().map(str::to_string)).collect();
    let gateway = entry.get("gateway").map_or(Some(""), Value::as_str)?.to_string();
    Some(StoredToken { token, scopes, gateway })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing::{StateDir, strings};

    fn token(text: &str) -> StoredToken {
        StoredToken { token: text.into(), scopes: strings(&["operator.admin"]), gateway: HERE.into() }
    }

    fn loaded(dir: &StateDir, device_id: &str, role: &str) -> Option<String> {
        load(&dir.0, device_id, role, HERE, false).map(|t| t.token)
    }

    /// SEC-29, R-05c: looking at one gateway locks nobody out of another.
    #[test]
    fn sec_29_each_gateway_keeps_its_token() {
        let dir = StateDir::new();
        let of = |text: &str, gateway: &str| StoredToken { gateway: gateway.into(), ..token(text) };
        let found = |gateway: &str| {
            load(&dir.0, "d", "operator", gateway, false).map(|t| t.token).unwrap_or_default()
        };
        for (text, gateway) in
            [("a", "wss://a"), ("b", "wss://b"), ("h", HERE), ("a2", "wss://a"), ("b", "wss://b")]
        {
            store(&dir.0, "d", "operator", &of(text, gateway), 2).unwrap();
            assert_eq!(found(gateway), text);
        }
        assert_eq!([found("wss://a"), found("wss://b"), found(HERE), found("wss://c")], ["a2", "b", "h", ""]);
        assert_eq!(read(&dir.0, "d").unwrap()["tokens"]["operator"]["token"], "a2", "the original's place");
    }

    /// SEC-29: one of the original's file is for the gateway that is configured; who looks at this host's keeps it.
    #[test]
    fn sec_29_a_token_without_a_gateway_is_for_the_configured_one() {
        let dir = StateDir::new();
        let write = |gateway: &str| {
            let text =
                format!(r#"{{"deviceId":"d","tokens":{{"operator":{{"token":"o","scopes":[]{gateway}}}}}}}"#);
            files::write_atomic(&path(&dir.0), text.as_bytes()).unwrap();
        };
        let found = |takes: bool| load(&dir.0, "d", "operator", "wss://a", takes).map(|t| t.token);
        for odd in ["null", "7", "[]", "{}", "\"local\""] {
            write(&format!(",\"gateway\":{odd}"));
            assert_eq!((found(true), found(false)), (None, None), "{odd}");
        }
        for empty in ["", ",\"gateway\":\"\""] {
            write(empty);
            assert_eq!((found(true).as_deref(), found(false)), (Some("o"), None), "{empty}");
        }
        store(&dir.0, "d", "operator", &token("h"), 2).unwrap();
        assert_eq!(found(true).as_deref(), Some("o"));
        assert_eq!(loaded(&dir, "d", "operator").as_deref(), Some("h"));
        store(&dir.0, "d", "operator", &StoredToken { gateway: "wss://a".into(), ..token("a") }, 3).unwrap();
        assert_eq!(found(true).as_deref(), Some("a"));
    }

    #[test]
    fn tokens_are_kept_by_role_and_unknown_members_stay() {
        let dir = StateDir::new();
        let node_made = r#"{"version":1,"deviceId":"d","note":1,"tokens":{"node":{"token":"n","role":"node","scopes":[],"updatedAtMs":1}}}"#;
        files::write_atomic(&path(&dir.0), node_made.as_bytes()).unwrap();
        store(&dir.0, "d", "operator", &token("o"), 2).unwrap();
        let node = load(&dir.0, "d", "node", HERE, true);
        assert_eq!(node.map(|t| t.token).as_deref(), Some("n"));
        assert_eq!(loaded(&dir, "d", "operator").as_deref(), Some("o"));
        assert_eq!(read(&dir.0, "d").unwrap()["note"], 1);
    }

    #[test]
    fn tokens_of_another_device_are_not_used() {
        let dir = StateDir::new();
        store(&dir.0, "d", "operator", &token("o"), 2).unwrap();
        assert_eq!(loaded(&dir, "e", "operator"), None);
        store(&dir.0, "e", "node", &token("n"), 3).unwrap();
        assert_eq!(loaded(&dir, "e", "operator"), None);
    }

    #[test]
    fn storing_the_same_token_again_writes_nothing() {
        let dir = StateDir::new();
        store(&dir.0, "d", "operator", &token("o"), 2).unwrap();
        store(&dir.0, "d", "operator", &token("o"), 3).unwrap();
        assert_eq!(read(&dir.0, "d").unwrap()["tokens"]["operator"]["updatedAtMs"], 2);
        store(&dir.0, "d", "operator", &token("p"), 4).unwrap();
        assert_eq!(loaded(&dir, "d", "operator").as_deref(), Some("p"));
    }

    #[test]
    fn a_damaged_file_counts_as_empty() {
        let dir = StateDir::new();
        files::write_atomic(&path(&dir.0), b"{\"deviceId\":\"d\",\"tok").unwrap();
        assert_eq!(loaded(&dir, "d", "operator"), None);
        store(&dir.0, "d", "operator", &token("o"), 2).unwrap();
        assert_eq!(loaded(&dir, "d", "operator").as_deref(), Some("o"));
    }
}
