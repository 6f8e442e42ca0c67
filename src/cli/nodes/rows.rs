//! Nodes and requests as rows for people. Pure but for the clock.
use crate::cli::print::age;
use crate::clock;
use crate::parts::within;
use serde_json::Value;

/// Of ids in tables.
const SHORT_ID: usize = 12;

pub(super) fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn name(node: &Value) -> &str {
    ["/displayName", "/clientId", "/nodeId"]
        .iter()
        .map(|at| text(node, at))
        .find(|name| !name.is_empty())
        .unwrap_or("?")
}

fn id(node: &Value) -> String {
    within(text(node, "/nodeId"), SHORT_ID).to_string()
}

/// When it was connected last, as far as the gateway tells.
pub(super) fn last(node: &Value) -> Option<u64> {
    let at = |name: &str| node.get(name).and_then(Value::as_u64);
    ["connectedAtMs", "lastConnectedAtMs", "lastSeenAtMs"].into_iter().filter_map(at).max()
}

fn ago(at: u64) -> String {
    format!("{} ago", age(clock::now_ms().saturating_sub(at)))
}

pub(super) fn state(node: &Value) -> String {
    let is = |name: &str| node.get(name) == Some(&Value::Bool(true));
    let paired = if is("paired") { "paired" } else { "not paired" };
    let since = last(node).map(|at| format!(" ({})", ago(at))).unwrap_or_default();
    format!("{paired} · {}{since}", if is("connected") { "connected" } else { "away" })
}

pub(super) fn status(node: &Value) -> Vec<String> {
    let detail = [text(node, "/platform"), text(node, "/version")];
    let detail = detail.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let caps = items(node, "caps").filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
    vec![name(node).to_string(), id(node), text(node, "/remoteIp").to_string(), detail, state(node), caps]
}

pub(super) fn paired(node: &Value) -> Vec<String> {
    let last = last(node).map_or("unknown".to_string(), ago);
    vec![name(node).to_string(), text(node, "/nodeId").to_string(), text(node, "/remoteIp").to_string(), last]
}

pub(super) fn pending(request: &Value) -> Vec<String> {
    let since = request.get("ts").and_then(Value::as_u64).map(ago).unwrap_or_default();
    let repair = if request.get("isRepair") == Some(&Value::Bool(true)) { "yes" } else { "" };
    let request_id = text(request, "/requestId").to_string();
    vec![
        request_id,
        name(request).to_string(),
        text(request, "/remoteIp").to_string(),
        since,
        repair.to_string(),
    ]
}
