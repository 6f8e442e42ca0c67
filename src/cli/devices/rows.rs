//! Devices and requests as rows for people.
use crate::cli::print::age;
use crate::clock;
use serde_json::Value;

/// Of device ids for people: a prefix is taken for the whole.
pub(super) const SHORT_ID: usize = 12;

pub(super) fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("?")
}

/// What a device calls itself, else what kind of client it is.
pub(super) fn name(device: &Value) -> String {
    let told = ["displayName", "clientId"].iter().filter_map(|key| device.get(key)?.as_str());
    told.into_iter().find(|text| !text.is_empty()).unwrap_or_default().to_string()
}

pub(super) fn pending_row(request: &Value) -> Vec<String> {
    let since = request.get("ts").and_then(Value::as_u64).unwrap_or_default();
    let is_repair = request.get("isRepair") == Some(&Value::Bool(true));
    let cell = |key: &str| request.get(key).and_then(Value::as_str).unwrap_or_default().to_string();
    let flags = if is_repair { "repair" } else { "" }.to_string();
    let device = cell("deviceId").chars().take(SHORT_ID).collect();
    let age = age(clock::now_ms().saturating_sub(since));
    let (role, scopes) = (cell("role"), joined(request, "scopes"));
    vec![
        cell("requestId"),
        name(request),
        cell("platform"),
        device,
        role,
        scopes,
        cell("remoteIp"),
        age,
        flags,
    ]
}

pub(super) fn paired_row(device: &Value) -> Vec<String> {
    let cell = |key: &str| device.get(key).and_then(Value::as_str).unwrap_or_default().to_string();
    let token = |token: &Value| {
        let role = token.get("role").and_then(Value::as_str).unwrap_or_default();
        let is_revoked = token.get("revokedAtMs").and_then(Value::as_u64).is_some_and(|at| at > 0);
        if is_revoked { format!("{role} (revoked)") } else { role.to_string() }
    };
    let tokens = items(device, "tokens").map(token).collect::<Vec<_>>().join(", ");
    let used = items(device, "tokens").filter_map(|token| token.get("lastUsedAtMs")?.as_u64()).max();
    let used =
        used.map_or("never".to_string(), |at| format!("{} ago", age(clock::now_ms().saturating_sub(at))));
    let (roles, scopes) = (joined(device, "roles"), joined(device, "scopes"));
    let id = cell("deviceId").chars().take(SHORT_ID).collect();
    vec![id, name(device), cell("platform"), roles, scopes, tokens, used, cell("remoteIp")]
}

pub(super) fn joined(value: &Value, key: &str) -> String {
    items(value, key).filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}
