//! `node.list`, `node.describe` and `node.rename`: nodes that are connected, and those that are paired and away. Who is here
//! is the state's; who is paired stands in files, which the caller's own thread reads.
use crate::calls::{Call, Caller};
use crate::clock;
use crate::device::pairing::Pairing;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::nodes::older::Older;
use crate::order;
use crate::params::{params, read};
use crate::protocol::frame::Payload;
use crate::state::State;
use crate::state::event::Answer;
use crate::state::nodes::Link;
use crate::state::shared::Shared;
use serde_json::{Map, Value};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Who is here, and what nodes said last of their load.
struct Here {
    state_dir: PathBuf,
    links: Vec<(String, Link)>,
    stats: BTreeMap<String, Value>,
    now: u64,
}

pub fn list(state: &mut State, _call: Call, _params: Value) -> Result<Answer> {
    let here = Here::of(state);
    Ok(Answer::Work(Box::new(move || {
        let (now, rows) = (here.now, here.rows()?);
        Ok(json!({"ts": now, "nodes": rows}).into())
    })))
}

pub fn describe(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let here = Here::of(state);
    let id = params.get("nodeId").and_then(Value::as_str).unwrap_or_default().trim().to_string();
    Ok(Answer::Work(Box::new(move || {
        let now = here.now;
        let is_meant =
            |row: &Map<String, Value>| row.get("nodeId").is_some_and(|known| *known == id.as_str());
        let row = here.rows()?.into_iter().find(is_meant);
        let row = row.ok_or_else(|| Error::not_found("unknown nodeId"))?;
        let mut told = Map::new();
        told.put("ts", now);
        told.extend(row);
        Ok(Value::Object(told).into())
    })))
}

params! {
    struct Name {
        node_id: String,
        display_name: String,
    }
}

/// Of a paired device, and of a node in the older store.
pub fn rename(shared: &Shared, caller: &Caller, params: Value) -> Result<Payload> {
    let Name { node_id, display_name } = read(params)?;
    let (id, name) = (node_id.trim(), display_name.trim());
    if name.is_empty() {
        return Err(Error::invalid("displayName required"));
    }
    let (dir, now) = (&shared.env.state_dir, clock::now_ms());
    let is_old = Older::open(dir, now)?.rename(id, name)?;
    let is_paired = paired(dir, now)?.iter().any(|device| device.get("deviceId").is_some_and(|d| d == id));
    if is_paired {
        Pairing::new(dir).rename(id, name, Some(caller.scopes.as_slice()), now)?;
    }
    match is_old || is_paired {
        true => Ok(json!({"nodeId": id, "displayName": name}).into()),
        false => Err(Error::not_found("unknown nodeId")),
    }
}

/// Devices that are paired as nodes. Reads files.
pub(super) fn paired(state_dir: &Path, now: u64) -> Result<Vec<Value>> {
    let mut devices = Pairing::new(state_dir).list(now)?.paired;
    devices.retain(is_of_node);
    Ok(devices)
}

/// Whether a device, or a request, is about the role of nodes.
pub(super) fn is_of_node(device: &Value) -> bool {
    let is_node = |role: &Value| *role == "node";
    let listed = device.get("roles").and_then(Value::as_array).into_iter().flatten();
    listed.chain(device.get("role")).any(is_node)
}

impl Here {
    fn of(state: &State) -> Here {
        let state_dir = state.shared.env.state_dir.clone();
        Here { state_dir, links: state.nodes.here(), stats: state.nodes.stats.clone(), now: state.now }
    }

    /// All nodes, those that are here first, then by name. Reads files.
    fn rows(self) -> Result<Vec<Map<String, Value>>> {
        let mut away: BTreeMap<String, Value> = BTreeMap::new();
        for device in paired(&self.state_dir, self.now)? {
            let id = device.get("deviceId").and_then(Value::as_str).unwrap_or_default().to_string();
            away.insert(id, device);
        }
        let mut rows = Vec::new();
        for (id, link) in &self.links {
            rows.push(self.present(id, link, away.remove(id)));
        }
        rows.extend(away.iter().map(|(id, device)| self.absent(id, device)));
        order::by_key(&mut rows, |row| {
            let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_lowercase);
            let is_here = row.get("connected") == Some(&Value::Bool(true));
            (Reverse(is_here), text("displayName").or(text("nodeId")))
        });
        Ok(rows)
    }

    fn present(&self, id: &str, link: &Link, device: Option<Value>) -> Map<String, Value> {
        let mut row = Map::new();
        row.put("nodeId", id);
        link.about.show(&mut row);
        // As it was renamed meanwhile.
        if let Some(name) = device.as_ref().and_then(|device| device.get("displayName")) {
            row.put("displayName", name.clone());
        }
        if let Some(remote) = &link.remote {
            row.put("remoteIp", remote.as_str());
        }
        row.put("connectedAtMs", link.since);
        self.end(row, id, link.is_paired, true)
    }

    fn absent(&self, id: &str, device: &Value) -> Map<String, Value> {
        let mut row = Map::new();
        row.put("nodeId", id);
        for name in ["displayName", "platform", "deviceFamily", "remoteIp"] {
            if let Some(value) = device.get(name) {
                row.put(name, value.clone());
            }
        }
        row.put("caps", json!([]));
        row.put("commands", json!([]));
        self.end(row, id, true, false)
    }

    fn end(
        &self,
        mut row: Map<String, Value>,
        id: &str,
        is_paired: bool,
        is_here: bool,
    ) -> Map<String, Value> {
        if let Some(stats) = self.stats.get(id) {
            row.put("hostStats", stats.clone());
        }
        row.put("paired", is_paired);
        row.put("connected", is_here);
        row
    }
}
