//! Presence: who is here. One entry a client or beacon, merged by key, with age limit and size limit.
//!
//! INVARIANT: the entry of a live connection is never dropped by age, and it says `disconnect` only when the
//! last connection of its key is gone. The state thread owns it; `State::flush_presence` sends the event.
use crate::calls::Caller;
use crate::config::bind;
use crate::json::{self, Put, json, with};
use crate::state::admitted::Client;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Longest text kept of any member, in bytes.
const MAX_TEXT: usize = 400;
/// More than the members of an entry can hold: some 20 of them, lists of at most 32.
const MAX_VALUES: usize = 4096;
const MAX_DEPTH: usize = 8;

#[derive(Debug, Default)]
pub struct Presence {
    entries: BTreeMap<String, Entry>,
    /// The gateway's own entry.
    own: Entry,
    version: u64,
    upserted: BTreeSet<String>,
    removed: BTreeSet<String>,
    ttl_ms: u64,
    max: usize,
}

#[derive(Debug, Default)]
struct Entry {
    /// The members but `ts` as JSON text: a tree of values is five times as large, and there is one a client. Events
    /// and greetings hold all of them and take them as they are.
    text: Box<str>,
    ts: u64,
    /// Open connections with this key.
    connections: u32,
}

impl Entry {
    fn fields(&self) -> Map<String, Value> {
        json::read_object(&*self.text, MAX_VALUES, MAX_DEPTH).unwrap_or_default()
    }

    fn set_fields(&mut self, fields: Map<String, Value>) {
        self.text = Value::Object(fields).to_string().into();
    }

    /// As clients are told of it, JSON text.
    fn row(&self, ts: u64) -> String {
        with(&self.text, "ts", &ts.to_string())
    }
}

impl Presence {
    pub fn new(ttl_ms: u64, max: usize) -> Presence {
        let mut own = Entry::default();
        own.set_fields(own_entry());
        Presence { own, version: 1, ttl_ms, max, ..Presence::default() }
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    /// A connection arrived; gives its key.
    pub fn connected(&mut self, caller: &Caller, client: &Client, now: u64) -> String {
        let device = caller.device_id.as_deref();
        let instance = device.or(client.instance_id.as_deref());
        let key = instance.map_or_else(|| format!("conn-{}", caller.conn), str::to_string);
        let key = key.trim().to_lowercase();
        let host = client.display_name.as_deref().unwrap_or(&client.id);
        let mut fields = Map::new();
        let optional = [
            ("host", Some(host)),
            ("ip", caller.remote.as_deref()),
            ("version", Some(client.version.as_str())),
            ("platform", Some(client.platform.as_str())),
            ("deviceFamily", client.device_family.as_deref()),
            ("modelIdentifier", client.model_identifier.as_deref()),
            ("mode", Some(client.mode.as_str())),
            ("deviceId", device),
            ("instanceId", instance),
            ("reason", Some("connect")),
            ("text", Some(format!("Node: {host} · mode {}", client.mode).as_str())),
        ]
        .map(|(name, value)| (name, value.map(str::to_string)));
        fields
            .extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?.into()))));
        fields.put("roles", json!([caller.role()]));
        fields.put("scopes", json!(caller.scopes.as_slice()));
        self.upsert(&key, fields, now);
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.connections += 1;
        }
        key
    }

    /// A connection ended.
    pub fn disconnected(&mut self, key: &str, now: u64) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.connections = entry.connections.saturating_sub(1);
        if entry.connections == 0 {
            let mut fields = entry.fields();
            fields.put("reason", "disconnect");
            entry.set_fields(fields);
            entry.ts = now;
            self.upserted.insert(key.to_string());
        }
    }

    /// Merges fields into an entry: new ones win, `roles` and `scopes` are united.
    pub fn upsert(&mut self, key: &str, fields: Map<String, Value>, now: u64) {
        let entry = self.entries.entry(key.to_string()).or_default();
        let mut all = entry.fields();
        for (name, value) in fields {
            let merged = match (name.as_str(), all.get(&name)) {
                ("roles" | "scopes", Some(old)) => united(old, &value),
                _ => bounded(value),
            };
            all.insert(name, merged);
        }
        entry.set_fields(all);
        entry.ts = now;
        self.upserted.insert(key.to_string());
        self.removed.remove(key);
        self.limit_size(key);
    }

    pub fn get(&self, key: &str) -> Option<Map<String, Value>> {
        self.entries.get(key).map(Entry::fields)
    }

    /// Drops entries without connection that are too old.
    pub fn expire(&mut self, now: u64) {
        let ttl = self.ttl_ms;
        let old: Vec<String> = self
            .entries
            .iter()
            .filter(|(_, e)| e.connections == 0 && now > e.ts + ttl)
            .map(|(k, _)| k.clone())
            .collect();
        for key in old {
            self.drop_entry(&key);
        }
    }

    /// When the next entry becomes too old, epoch milliseconds.
    pub fn next_expiry(&self) -> Option<u64> {
        self.entries.values().filter(|e| e.connections == 0).map(|e| e.ts + self.ttl_ms + 1).min()
    }

    pub fn is_changed(&self) -> bool {
        !self.upserted.is_empty() || !self.removed.is_empty()
    }

    /// The payload of the event that tells the changes since the last call, JSON text; raises the version.
    pub fn take_event(&mut self, now: u64) -> String {
        self.version += 1;
        let upserted = std::mem::take(&mut self.upserted);
        let upserted = upserted.iter().filter_map(|key| self.entries.get(key)).map(|e| e.row(e.ts));
        let removed = json!(std::mem::take(&mut self.removed)).to_string();
        let delta = with(&with("{}", "upserted", &array(upserted)), "removed", &removed);
        with(&with("{}", "presence", &self.list(now)), "delta", &delta)
    }

    /// All entries, newest first, the gateway's own on top: a JSON array.
    pub fn list(&self, now: u64) -> String {
        let mut rows: Vec<(u64, &String, &Entry)> =
            self.entries.iter().map(|(key, e)| (e.ts, key, e)).collect();
        crate::order::by(&mut rows, |a, b| (b.0, b.1).cmp(&(a.0, a.1)));
        array(std::iter::once(self.own.row(now)).chain(rows.into_iter().map(|(ts, _, entry)| entry.row(ts))))
    }

    fn limit_size(&mut self, keep: &str) {
        while self.entries.len() > self.max {
            // Entries without connection go first, then the oldest.
            let oldest = self
                .entries
                .iter()
                .filter(|(key, _)| *key != keep)
                .min_by_key(|(_, e)| (e.connections > 0, e.ts))
                .map(|(k, _)| k.clone());
            let Some(oldest) = oldest else { return };
            self.drop_entry(&oldest);
        }
    }

    fn drop_entry(&mut self, key: &str) {
        let Some(entry) = self.entries.remove(key) else { return };
        self.upserted.remove(key);
        // Clients know entries by `instanceId`; the key stands in for those without.
        let fields = entry.fields();
        let name = fields.get("instanceId").and_then(Value::as_str).unwrap_or(key);
        self.removed.insert(name.to_string());
    }
}

fn array(rows: impl Iterator<Item = String>) -> String {
    format!("[{}]", rows.collect::<Vec<_>>().join(","))
}

fn united(old: &Value, new: &Value) -> Value {
    let texts = |v: &Value| {
        v.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_string).collect::<Vec<_>>()
    };
    let mut all = texts(old);
    for text in texts(new) {
        if !all.contains(&text) && all.len() < 32 {
            all.push(text);
        }
    }
    json!(all)
}

fn bounded(value: Value) -> Value {
    match value {
        Value::String(text) => crate::parts::within(&text, MAX_TEXT).into(),
        Value::Array(items) => Value::Array(items.into_iter().take(32).map(bounded).collect()),
        other => other,
    }
}

fn own_entry() -> Map<String, Value> {
    let uname = rustix::system::uname();
    let host = uname.nodename().to_string_lossy().into_owned();
    let ip = bind::lan_address().map_or_else(|| host.clone(), |ip| ip.to_string());
    let version = crate::version::VERSION;
    let (platform, family) = match std::env::consts::OS {
        "macos" => (format!("macos {}", uname.release().to_string_lossy()), "Mac"),
        os => (format!("{os} {}", uname.release().to_string_lossy()), "Linux"),
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let text = format!("Gateway: {host} ({ip}) · app {version} · mode gateway · reason self");
    let entry = json!({"host": host, "ip": ip, "version": version, "platform": platform, "deviceFamily": family,
        "modelIdentifier": arch, "mode": "gateway", "reason": "self", "text": text});
    match entry {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::frame::Scopes;

    fn client(instance: &str) -> Client {
        Client {
            id: "test".into(),
            mode: "ui".into(),
            instance_id: Some(instance.into()),
            ..Client::default()
        }
    }

    fn take_event(presence: &mut Presence, now: u64) -> Value {
        serde_json::from_str(&presence.take_event(now)).unwrap()
    }

    fn connect(presence: &mut Presence, instance: &str, scopes: &[&str], now: u64) -> String {
        let scopes = Scopes::new(scopes.iter().map(|s| s.to_string()).collect());
        let caller = Caller { conn: 1, scopes, ..Caller::default() };
        presence.connected(&caller, &client(instance), now)
    }

    #[test]
    fn live_connections_never_age_and_a_shared_key_stays_until_the_last_leaves() {
        let mut presence = Presence::new(1000, 10);
        let key = connect(&mut presence, "A", &["operator.read"], 0);
        connect(&mut presence, "a", &["operator.write"], 5);
        presence.expire(100_000);
        assert_eq!(presence.get(&key).unwrap()["scopes"], json!(["operator.read", "operator.write"]));
        presence.disconnected(&key, 10);
        assert_eq!(presence.get(&key).unwrap()["reason"], "connect");
        presence.disconnected(&key, 20);
        assert_eq!(presence.get(&key).unwrap()["reason"], "disconnect");
        presence.expire(1020);
        assert!(presence.get(&key).is_some());
        presence.take_event(0);
        presence.expire(1021);
        assert_eq!(take_event(&mut presence, 0)["delta"]["removed"], json!(["a"]));
    }

    #[test]
    fn the_size_limit_drops_the_oldest_without_connection() {
        let mut presence = Presence::new(1000, 2);
        let live = connect(&mut presence, "live", &[], 0);
        presence.upsert("note", Map::new(), 1);
        presence.upsert("note2", Map::new(), 2);
        assert!(
            presence.get(&live).is_some()
                && presence.get("note").is_none()
                && presence.get("note2").is_some()
        );
    }

    #[test]
    fn each_event_raises_the_version_and_holds_list_and_delta() {
        let mut presence = Presence::new(1000, 10);
        connect(&mut presence, "x", &[], 7);
        let event = take_event(&mut presence, 9);
        assert_eq!(presence.version(), 2);
        assert_eq!(event["presence"].as_array().unwrap().len(), 2);
        assert_eq!(event["delta"]["upserted"][0]["instanceId"], "x");
        assert!(!presence.is_changed());
    }

    /// Issue 10: what clients are told are the texts that are kept; they are the same as those of a tree of values.
    #[test]
    fn rows_are_kept_texts_and_read_as_before() {
        let mut presence = Presence::new(1000, 10);
        connect(&mut presence, "Quote\" \u{e9}", &["operator.read"], 7);
        presence.upsert("empty", Map::new(), 8);
        let list: Value = serde_json::from_str(&presence.list(9)).unwrap();
        let rows = list.as_array().unwrap();
        assert_eq!((rows.len(), &rows[0]["reason"], &rows[0]["ts"]), (3, &json!("self"), &json!(9)));
        assert_eq!(rows[1], json!({"ts": 8}));
        assert_eq!((&rows[2]["instanceId"], &rows[2]["ts"]), (&json!("Quote\" \u{e9}"), &json!(7)));
        assert_eq!(
            rows[2].to_string(),
            Value::Object(presence.get("quote\" \u{e9}").unwrap()).to_string().replace('}', ",\"ts\":7}")
        );
        let event = take_event(&mut presence, 9);
        assert_eq!(event["presence"], list);
        assert_eq!(event["delta"], json!({"upserted": [rows[1], rows[2]], "removed": []}));
    }
}
