//! `device.pair.*` and `device.token.*`: operations on the pairing store, on the connection's own thread.
//!
//! The store's lock and disk are waited for here; the state thread then tells everybody and closes connections
//! that lost their authority. What a caller grants never exceeds what it holds (SEC-07).
use crate::calls::Caller;
use crate::clock;
use crate::device::codes::LONGEST;
use crate::device::pairing::{Change, Pairing};
use crate::error::{Error, Result};
use crate::json::json;
use crate::params::{params, read};
use crate::protocol::frame::Payload;
use crate::state::event::Event;
use crate::state::shared::Shared;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

params! {
    struct Approval {
        request_id: String,
        scopes: Option<Vec<String>>,
    }
}

params! {
    struct RequestId {
        request_id: String,
    }
}

params! {
    struct Token {
        device_id: String,
        role: String,
        scopes: Option<Vec<String>>,
    }
}

params! {
    struct Name {
        device_id: String,
        display_name: String,
    }
}

params! {
    struct Code {
        life_ms: Option<u64>,
    }
}

params! {
    struct Removal {
        device_id: String,
    }
}

pub fn list(shared: &Shared, _caller: &Caller, _params: Value) -> Result<Payload> {
    let listing = store(shared).list(clock::now_ms())?;
    Ok(json!({"pending": listing.pending, "paired": listing.paired}).into())
}

pub fn approve(shared: &Shared, caller: &Caller, params: Value) -> Result<Payload> {
    let Approval { request_id, scopes } = read(params)?;
    let caller = Some(caller.scopes.as_slice());
    let change = store(shared).approve_only(&request_id, scopes.as_deref(), caller, clock::now_ms())?;
    tell(shared, change)
}

pub fn reject(shared: &Shared, caller: &Caller, params: Value) -> Result<Payload> {
    let RequestId { request_id } = read(params)?;
    let change = store(shared).reject(&request_id, Some(caller.scopes.as_slice()), clock::now_ms())?;
    tell(shared, change)
}

pub fn remove(shared: &Shared, caller: &Caller, params: Value) -> Result<Payload> {
    let Removal { device_id } = read(params)?;
    let change = store(shared).remove(&device_id, Some(caller.scopes.as_slice()), clock::now_ms())?;
    tell(shared, change)
}

pub fn rename(shared: &Shared, caller: &Caller, params: Value) -> Result<Payload> {
    let Name { device_id, display_name } = read(params)?;
    let name = display_name.trim();
    if name.is_empty() {
        return Err(Error::invalid("displayName required"));
    }
    let held = Some(caller.scopes.as_slice());
    let change = store(shared).rename(&device_id, name, held, clock::now_ms())?;
    tell(shared, change)
}

/// A code that lets one browser in, once; who makes one could let in anybody anyway.
pub fn code(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let Code { life_ms } = read(params)?;
    let life = Duration::from_millis(life_ms.unwrap_or(60_000)).min(LONGEST);
    let code = shared.codes.make(life)?;
    Ok(json!({"code": code, "expiresAtMs": clock::now_ms() + life.as_millis() as u64}).into())
}

pub fn rotate(shared: &Shared, caller: &Caller, params: Value) -> Result<Payload> {
    let Token { device_id, role, scopes } = read(params)?;
    let held = Some(caller.scopes.as_slice());
    let change = store(shared).rotate(&device_id, &role, scopes.as_deref(), held, clock::now_ms())?;
    tell(shared, change)
}

pub fn revoke(shared: &Shared, caller: &Caller, params: Value) -> Result<Payload> {
    let Token { device_id, role, .. } = read(params)?;
    let change = store(shared).revoke(&device_id, &role, Some(caller.scopes.as_slice()), clock::now_ms())?;
    tell(shared, change)
}

fn store(shared: &Shared) -> Pairing {
    Pairing::new(&shared.env.state_dir)
}

/// Has the events sent and the connections closed; gives the result as payload.
fn tell<T: Serialize>(shared: &Shared, change: Change<T>) -> Result<Payload> {
    let result = announce(shared, change);
    let payload =
        serde_json::to_value(result).map_err(|e| Error::unavailable(format!("write the answer: {e}")))?;
    Ok(payload.into())
}

/// Has the events sent and the connections closed; gives what the change gave.
pub(super) fn announce<T>(shared: &Shared, change: Change<T>) -> T {
    let Change { result, events, close } = change;
    // The state thread is gone only when the process ends; the store on disk is right in any case.
    let _ = shared.state.send(Event::Pairing { change: Change { result: (), events, close } });
    result
}
