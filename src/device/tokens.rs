//! The client's device tokens: `<STATE>/identity/device-auth.json`, one token a role.
//!
//! Runs on the CLI's thread, and in the gateway when it rotates the token of the device it shares a state
//! directory with. There is no function to delete a token: one that the server refuses stays until the server
//! hands out another (R-05c).
use super::{identity, secret_eq};
use crate::error::Result;
use crate::files::{self, Lock};
use crate::json::{self, Put, json};
use serde_json::{Map, Value};
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

impl StoredToken {
    /// Whether this gateway may be told it. One of the original's files is for the configured gateway, whichever.
    pub fn is_for(&self, gateway: &str) -> bool {
        self.gateway.is_empty() || self.gateway == gateway
    }
}

/// The token stored for a device and role. A missing or damaged file counts as none: the server gives a new
/// token to whoever connects with the shared one.
pub fn load(state_dir: &Path, device_id: &str, role: &str) -> Option<StoredToken> {
    token_in(&read(state_dir, device_id)?, role)
}

/// Stores a token, atomically and 0600; tokens of other roles stay. Writes nothing when nothing changes.
/// `now` is in epoch milliseconds.
pub fn store(state_dir: &Path, device_id: &str, role: &str, token: &StoredToken, now: u64) -> Result<()> {
    let _lock = Lock::wait(&identity::lock_path(state_dir))?;
    let mut file = read(state_dir, device_id).unwrap_or_default();
    let is_same = |old: StoredToken| {
        secret_eq(&old.token, &token.token) && old.scopes == token.scopes && old.gateway == token.gateway
    };
    if token_in(&file, role).is_some_and(is_same) {
        return Ok(());
    }
    file.entry("version").or_insert(1.into());
    file.put("deviceId", device_id);
    let entry = json!({
        "token": token.token, "role": role, "scopes": token.scopes, "gateway": token.gateway, "updatedAtMs": now,
    });
    match file.get_mut("tokens").and_then(Value::as_object_mut) {
        Some(tokens) => {
            tokens.insert(role.to_string(), entry);
        }
        None => {
            file.put("tokens", json!({role: entry}));
        }
    }
    files::write_atomic(&path(state_dir), &super::pretty(&file)?)
}

/// Whether the file below this state directory is that device's, and its token for the role none of a gateway
/// elsewhere: then a token that the gateway here has made takes its place.
pub fn belongs_here(state_dir: &Path, device_id: &str, role: &str) -> bool {
    let is_here = |file| token_in(&file, role).is_none_or(|token| token.is_for(HERE));
    read(state_dir, device_id).is_some_and(is_here)
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

fn token_in(file: &Map<String, Value>, role: &str) -> Option<StoredToken> {
    let entry = file.get("tokens")?.get(role)?;
    let token = entry.get("token")?.as_str()?.to_string();
    let scopes = entry.get("scopes").and_then(Value::as_array).into_iter().flatten();
    let scopes = scopes.filter_map(|s| s.as_str().map(str::to_string)).collect();
    let gateway = entry.get("gateway").and_then(Value::as_str).unwrap_or_default().to_string();
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
        load(&dir.0, device_id, role).map(|t| t.token)
    }

    #[test]
    fn tokens_are_kept_by_role_and_unknown_members_stay() {
        let dir = StateDir::new();
        let node_made = r#"{"version":1,"deviceId":"d","note":1,"tokens":{"node":{"token":"n","role":"node","scopes":[],"updatedAtMs":1}}}"#;
        files::write_atomic(&path(&dir.0), node_made.as_bytes()).unwrap();
        store(&dir.0, "d", "operator", &token("o"), 2).unwrap();
        assert_eq!(loaded(&dir, "d", "node").as_deref(), Some("n"));
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
