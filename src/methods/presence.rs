//! `system-presence`, `clients.list` and `system-event`: who is here, and notes from clients about themselves.
use crate::calls::Call;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::protocol::frame::Payload;
use crate::state::State;
use crate::state::clients::Client;
use crate::state::event::Answer;
use serde_json::{Map, Value};

const TEXTS: [&str; 10] = [
    "deviceId",
    "instanceId",
    "host",
    "ip",
    "mode",
    "version",
    "platform",
    "deviceFamily",
    "modelIdentifier",
    "reason",
];
const LISTS: [&str; 3] = ["roles", "scopes", "tags"];
/// Longest note kept, in bytes.
const MAX_TEXT: usize = 2000;

/// The list itself, not wrapped.
pub fn list(state: &mut State, _call: Call, _params: Value) -> Result<Answer> {
    state.presence.expire(state.now);
    Ok(Answer::Now(Payload::Text(state.presence.list(state.now).into())))
}

/// The connections there are, commands of a command line too, the newest first, with what they moved.
pub fn clients(state: &mut State, call: Call, _params: Value) -> Result<Answer> {
    let mut all: Vec<_> = state.clients.iter().collect();
    crate::order::by_key(&mut all, |client| std::cmp::Reverse((client.since, client.caller.conn)));
    let row = |client: &&Client| {
        let (caller, [name, platform, version]) = (&client.caller, &client.about);
        let (received, written, heard) = client.outbox.moved();
        let some = |text: &str| Some(text.to_string()).filter(|text| !text.is_empty());
        json!({
            "connId": caller.id, "isSelf": caller.conn == call.caller.conn, "clientId": caller.client_id,
            "name": some(name), "deviceId": caller.device_id, "mode": caller.mode, "role": caller.role(),
            "scopes": caller.scopes.as_slice(), "platform": some(platform), "version": some(version),
            "ip": caller.remote, "protocol": caller.protocol, "connectedAtMs": client.since,
            "lastSeenAtMs": heard, "bytesIn": received, "bytesOut": written,
        })
    };
    let rows: Vec<Value> = all.iter().map(row).collect();
    Ok(Answer::Now(json!({"ts": state.now, "clients": rows}).into()))
}

/// Posts a presence line or a note. Members of the wrong type are ignored, as clients expect.
pub fn event(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let text = params.get("text").and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
    let text =
        crate::parts::within(text.ok_or_else(|| Error::invalid("text required"))?, MAX_TEXT).to_string();
    let mut fields = parse_line(&text).unwrap_or_default();
    fields.extend(given(&params));
    fields.put("text", text.as_str());
    let key = key_of(&fields, &text);
    let before = state.presence.get(&key).unwrap_or_default();
    if let Some(note) = note(&text, &before, &fields) {
        state.add_system_event(note);
    }
    state.presence.upsert(&key, fields, state.now);
    state.presence_urgent = true;
    Ok(Answer::Now(json!({"ok": true}).into()))
}

fn given(params: &Value) -> Map<String, Value> {
    let text = |name: &str| {
        params.get(name).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty()).map(Value::from)
    };
    let list = |name: &str| {
        let items =
            params.get(name)?.as_array()?.iter().filter(|i| i.is_string()).cloned().collect::<Vec<_>>();
        Some(Value::from(items))
    };
    let number = params.get("lastInputSeconds").filter(|n| n.is_number()).cloned();
    let texts = TEXTS.into_iter().filter_map(|name| Some((name, text(name)?)));
    let lists = LISTS.into_iter().filter_map(|name| Some((name, list(name)?)));
    texts
        .chain(lists)
        .chain(number.map(|n| ("lastInputSeconds", n)))
        .map(|(name, value)| (name.to_string(), value))
        .collect()
}

/// `Node: HOST (IP) · app VERSION · last input Ns ago · mode MODE · reason REASON`
fn parse_line(text: &str) -> Option<Map<String, Value>> {
    let rest = text.get(..5).filter(|p| p.eq_ignore_ascii_case("node:")).and_then(|_| text.get(5..))?;
    let mut fields = Map::new();
    for (n, part) in rest.split('\u{b7}').map(str::trim).enumerate() {
        let lower = part.to_lowercase();
        let after = |prefix: &str| {
            lower.strip_prefix(prefix).and_then(|r| part.get(part.len() - r.len()..)).map(str::trim)
        };
        if n == 0 {
            let (host, ip) = part.split_once('(').map_or((part, None), |(h, ip)| (h, ip.split(')').next()));
            put(&mut fields, "host", Some(host.trim()));
            put(&mut fields, "ip", ip.map(str::trim));
        } else if let Some(seconds) = after("last input ")
            .and_then(|r| r.split(['s', 'S']).next())
            .and_then(|s| s.trim().parse::<u64>().ok())
        {
            fields.put("lastInputSeconds", seconds);
        } else {
            put(&mut fields, "version", after("app "));
            put(&mut fields, "mode", after("mode "));
            put(&mut fields, "reason", after("reason "));
        }
    }
    Some(fields)
}

fn put(fields: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    if let Some(value) = value.filter(|v| !v.is_empty()) {
        fields.insert(name.to_string(), value.into());
    }
}

fn key_of(fields: &Map<String, Value>, text: &str) -> String {
    let named = ["deviceId", "instanceId", "host", "ip"].iter().find_map(|name| fields.get(*name)?.as_str());
    named.map_or_else(|| text.chars().take(64).collect::<String>(), str::to_string).trim().to_lowercase()
}

/// What the main session is told: a plain note whole, a presence line only when something in it is new.
fn note(text: &str, before: &Map<String, Value>, now: &Map<String, Value>) -> Option<String> {
    if parse_line(text).is_none() {
        return Some(text.to_string());
    }
    let value = |map: &Map<String, Value>, name: &str| {
        map.get(name).and_then(Value::as_str).unwrap_or_default().to_string()
    };
    let is_new = |name: &str| now.contains_key(name) && value(before, name) != value(now, name);
    let reason = value(now, "reason").to_lowercase();
    let routine = reason.starts_with("periodic") || reason.starts_with("heartbeat");
    let changed = ["host", "ip", "version", "mode"].into_iter().any(is_new) || (is_new("reason") && !routine);
    changed.then(|| text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presence_lines_are_read() {
        let line = "Node: Peter-Mac (10.0.0.5) · app 2.1 · last input 12s ago · mode local · reason launch";
        let fields = Value::Object(parse_line(line).unwrap());
        let want = json!({"host": "Peter-Mac", "ip": "10.0.0.5", "version": "2.1", "lastInputSeconds": 12, "mode": "local", "reason": "launch"});
        assert_eq!(fields, want);
        assert!(parse_line("hello").is_none() && parse_line("né").is_none());
    }

    #[test]
    fn a_repeated_line_is_no_news() {
        let line = "Node: a · app 1 · mode x · reason periodic";
        let fields = parse_line(line).unwrap();
        assert!(note(line, &Map::new(), &fields).is_some());
        assert!(note(line, &fields, &fields).is_none());
        assert_eq!(note("plain", &fields, &fields).as_deref(), Some("plain"));
    }
}
