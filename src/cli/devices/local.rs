//! The device commands on the state files themselves, for a gateway that is down or cannot be asked.
//!
//! The owner of the files may do everything, so no caller scopes apply. A running gateway reads the same
//! files under the same lock; connections it already has stay until they next authenticate.
use crate::device::identity::Identity;
use crate::device::pairing::Pairing;
use crate::device::tokens::{self, StoredToken};
use crate::error::{Error, Result};
use crate::json::json;
use serde_json::Value;
use std::path::Path;

/// Does what the RPC method of that name (or `clear`) does.
pub fn apply(state_dir: &Path, method: &str, params: &Value, now: u64) -> Result<Value> {
    let pairing = Pairing::new(state_dir);
    let text = |key: &str| params.get(key).and_then(Value::as_str).unwrap_or_default();
    match method {
        "device.pair.list" => {
            let listing = pairing.list(now)?;
            Ok(json!({"pending": listing.pending, "paired": listing.paired}))
        }
        "device.pair.approve" => Ok(pairing
            .approve_only(text("requestId"), strings(params.get("scopes")).as_deref(), None, now)?
            .result),
        "device.pair.reject" => Ok(pairing.reject(text("requestId"), None, now)?.result),
        "device.pair.rename" => Ok(pairing.rename(text("deviceId"), text("displayName"), None, now)?.result),
        "device.token.rotate" => {
            let scopes = strings(params.get("scopes"));
            let change = pairing.rotate(text("deviceId"), text("role"), scopes.as_deref(), None, now)?;
            as_json(&change.result)
        }
        "device.token.revoke" => as_json(&pairing.revoke(text("deviceId"), text("role"), None, now)?.result),
        "clear" => {
            let with_pending = params.get("pending") == Some(&Value::Bool(true));
            Ok(json!({"ok": true, "devices": pairing.clear(with_pending, None, now)?.result}))
        }
        other => Err(Error::invalid(format!("{other} cannot be done on the state files"))),
    }
}

/// Keeps the new token of `gateway` when a rotated device is this host's own client. The gateway does the same where it
/// shares the state directory; then nothing changes here.
pub fn keep_own(state_dir: &Path, gateway: &str, rotated: &Value, now: u64) -> Result<()> {
    let text = |key: &str| rotated.get(key).and_then(Value::as_str);
    let (Some(device), Some(role), Some(token)) = (text("deviceId"), text("role"), text("token")) else {
        return Ok(());
    };
    if Identity::load_or_create(state_dir, now)?.device_id != device {
        return Ok(());
    }
    let scopes = strings(rotated.get("scopes")).unwrap_or_default();
    let stored = StoredToken { token: token.to_string(), scopes, gateway: gateway.to_string() };
    tokens::store(state_dir, device, role, &stored, now)
}

fn strings(value: Option<&Value>) -> Option<Vec<String>> {
    Some(value?.as_array()?.iter().filter_map(|item| item.as_str().map(str::to_string)).collect())
}

fn as_json(value: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|e| Error::unavailable(format!("write the answer as JSON: {e}")))
}
