//! `node.pair.*`: requests of nodes, listed and decided. Two kinds stand side by side: devices that ask to connect as nodes,
//! whose pairing lets them in, and requests of the older store (`nodes/older.rs`), which lets nobody in. On the thread of who
//! asks; what changed is told by the state.
use super::device;
use super::nodes::{is_of_node, paired};
use crate::calls::Caller;
use crate::clock;
use crate::device::pairing::Pairing;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::nodes::older::Older;
use crate::protocol::events;
use crate::protocol::frame::Payload;
use crate::state::event::Event;
use crate::state::shared::Shared;
use serde_json::{Map, Value};

fn named<'p>(params: &'p Value, name: &str) -> &'p str {
    params.get(name).and_then(Value::as_str).unwrap_or_default().trim()
}

fn older(shared: &Shared) -> Result<Older> {
    Older::open(&shared.env.state_dir, clock::now_ms())
}

fn tell(shared: &Shared, event: &'static events::Event, payload: Value) {
    // The state thread is gone only when the process ends.
    let _ = shared.state.send(Event::Tell { event, payload });
}

fn told_resolved(shared: &Shared, id: &str, node: &str, decision: &str) {
    let ts = clock::now_ms();
    let payload = json!({"requestId": id, "nodeId": node, "decision": decision, "ts": ts});
    tell(shared, &events::NODE_PAIR_RESOLVED, payload);
}

pub fn request(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let (request, is_new) = older(shared)?.request(&params)?;
    if is_new {
        tell(shared, &events::NODE_PAIR_REQUESTED, request.clone());
    }
    Ok(json!({"status": "pending", "request": request, "created": is_new}).into())
}

pub fn list(shared: &Shared, _caller: &Caller, _params: Value) -> Result<Payload> {
    let (dir, now) = (&shared.env.state_dir, clock::now_ms());
    let (mut pending, mut known) = older(shared)?.list();
    let devices = Pairing::new(dir).list(now)?.pending;
    pending.extend(devices.iter().filter(|request| is_of_node(request)).map(as_node));
    crate::order::by_key(&mut pending, |request| {
        std::cmp::Reverse(request.get("ts").and_then(Value::as_u64).unwrap_or_default())
    });
    known.extend(paired(dir, now)?.iter().map(as_node));
    Ok(json!({"pending": pending, "paired": known}).into())
}

/// A device or its request as a node's.
fn as_node(device: &Value) -> Value {
    const SHARED: [&str; 9] = [
        "requestId",
        "displayName",
        "platform",
        "deviceFamily",
        "remoteIp",
        "isRepair",
        "ts",
        "createdAtMs",
        "approvedAtMs",
    ];
    let mut node = Map::new();
    node.put("nodeId", device.get("deviceId").cloned().unwrap_or_default());
    for name in SHARED {
        if let Some(value) = device.get(name) {
            node.put(name, value.clone());
        }
    }
    Value::Object(node)
}

pub fn approve(shared: &Shared, caller: &Caller, params: Value) -> Result<Payload> {
    let id = named(&params, "requestId");
    if let Some(node) = older(shared)?.approve(id)? {
        told_resolved(shared, id, named(&node, "nodeId"), "approved");
        return Ok(json!({"requestId": id, "node": node}).into());
    }
    check_device(shared, id)?;
    let answer = device::approve(shared, caller, json!({"requestId": id}))?;
    let Payload::Value(answer) = answer else { return Ok(answer) };
    let node = as_node(answer.get("device").unwrap_or(&Value::Null));
    Ok(json!({"requestId": id, "node": node}).into())
}

pub fn reject(shared: &Shared, caller: &Caller, params: Value) -> Result<Payload> {
    let id = named(&params, "requestId");
    if let Some(node) = older(shared)?.reject(id)? {
        told_resolved(shared, id, &node, "rejected");
        return Ok(json!({"requestId": id, "nodeId": node}).into());
    }
    let node = check_device(shared, id)?;
    device::reject(shared, caller, json!({"requestId": id}))?;
    Ok(json!({"requestId": id, "nodeId": node}).into())
}

/// The device of a request that asks for nothing but to be a node: whatever else one asks for is decided as a device's.
fn check_device(shared: &Shared, id: &str) -> Result<String> {
    let pending = Pairing::new(&shared.env.state_dir).list(clock::now_ms())?.pending;
    let request = pending.iter().find(|request| named(request, "requestId") == id);
    let request = request.filter(|request| is_of_node(request));
    let request = request.ok_or_else(|| Error::not_found("unknown requestId"))?;
    let roles = request.get("roles").and_then(Value::as_array).into_iter().flatten();
    if roles.chain(request.get("role")).any(|role| role != "node") {
        return Err(Error::invalid(
            "the device asks to be more than a node: decide on it by device.pair.approve",
        ));
    }
    Ok(named(request, "deviceId").to_string())
}

/// A node is none any more: it goes out of both stores, and its connections are closed. A device that is more than a node
/// stays what it is besides.
pub fn remove(shared: &Shared, caller: &Caller, params: Value) -> Result<Payload> {
    let id = named(&params, "nodeId");
    let is_old = older(shared)?.remove(id)?;
    let scopes = Some(caller.scopes.as_slice());
    let change = Pairing::new(&shared.env.state_dir).remove_role(id, "node", scopes, clock::now_ms())?;
    if !is_old && !change.result {
        return Err(Error::not_found("unknown nodeId"));
    }
    device::announce(shared, change);
    Ok(json!({"nodeId": id}).into())
}

pub fn verify(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let node = older(shared)?.verify(named(&params, "nodeId"), named(&params, "token"));
    Ok(match node {
        Some(node) => json!({"ok": true, "node": node}),
        None => json!({"ok": false}),
    }
    .into())
}
