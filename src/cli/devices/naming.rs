//! Which request and which device a command means.
use super::{WHOLE_ID, ask};
use crate::cli::Context;
use crate::cli::devices::rows::{items, joined, name, text};
use crate::cli::parse::Args;
use crate::cli::pick::{Choice, Kind, pick};
use crate::error::{Error, Result};
use crate::json::json;
use serde_json::{Map, Value};

const REQUEST: Kind = Kind { name: "pairing request", list: "devices list" };
const DEVICE: Kind = Kind { name: "paired device", list: "devices list" };

/// The request that was named, by its id or the beginning of it, or else the only one that waits.
pub(super) fn request(context: &Context, args: &Args) -> Result<Map<String, Value>> {
    let named = args.positional(0).map(str::trim);
    if named == Some("") {
        return Err(Error::usage(
            "the id of the request is empty: name one, or leave it out if only one waits",
        ));
    }
    if named.is_some() && args.has("latest") {
        return Err(Error::usage("--latest names a request already: leave the id out"));
    }
    let named = named.unwrap_or_default();
    let id = if named.len() < WHOLE_ID { waiting(context, args, named)? } else { named.to_string() };
    Ok(Map::from_iter([("requestId".to_string(), id.into())]))
}

pub(super) fn waiting(context: &Context, args: &Args, named: &str) -> Result<String> {
    let all = ask(context, args, "device.pair.list", &json!({}))?;
    let mut all: Vec<&Value> = items(&all, "pending").collect();
    if all.is_empty() {
        return Err(Error::not_found("no pairing request waits"));
    }
    let came = |request: &&Value| request.get("ts").and_then(Value::as_u64).unwrap_or_default();
    if let Some(last) = all.iter().max_by_key(|request| came(request)).filter(|_| args.has("latest")) {
        return Ok(text(last, "/requestId").to_string());
    }
    crate::order::by_key(&mut all, |request| std::cmp::Reverse(came(request)));
    // By its id only: a stranger says himself what he is called.
    let choice = |request: &&Value| Choice {
        id: text(request, "/requestId").to_string(),
        names: Vec::new(),
        about: format!("{}  {}", name(request), platform(request)),
    };
    let choices: Vec<Choice> = all.iter().map(choice).collect();
    let place = pick(context, args, &REQUEST, named, &choices)?;
    Ok(all.get(place).map_or_else(String::new, |request| text(request, "/requestId").to_string()))
}

/// The paired device that was named, by its id, its name or a part of them.
pub(super) fn device(context: &Context, args: &Args, named: &str) -> Result<Value> {
    let all = ask(context, args, "device.pair.list", &json!({}))?;
    let all: Vec<&Value> = items(&all, "paired").collect();
    let choice = |device: &&Value| Choice {
        id: text(device, "/deviceId").to_string(),
        names: vec![name(device)],
        about: format!("{}  {}", name(device), platform(device)),
    };
    let place = pick(context, args, &DEVICE, named, &all.iter().map(choice).collect::<Vec<_>>())?;
    Ok(all.get(place).map_or(Value::Null, |device| (*device).clone()))
}

fn platform(device: &Value) -> &str {
    device.get("platform").and_then(Value::as_str).unwrap_or_default()
}

/// The token that was named, its device by its id or the beginning of it. `has` tells whether such a device can have one
/// of that role.
pub(super) fn token(context: &Context, args: &Args, has: fn(&Value, &str) -> bool) -> Result<Value> {
    let named = args.filled("device")?.map_or_else(|| args.required("device"), Ok)?.trim();
    let role = args.value("role").unwrap_or("operator");
    let device = &device(context, args, named)?;
    if !has(device, role) {
        let roles = joined(device, "roles");
        return Err(Error::not_found(format!(
            "device '{named}' has no token of the role '{role}': its roles are {roles}"
        )));
    }
    Ok(json!({"deviceId": text(device, "/deviceId"), "role": role}))
}

/// Whether the device has a token of the role.
pub(super) fn has_token(device: &Value, role: &str) -> bool {
    items(device, "tokens").any(|token| text(token, "/role") == role)
}

/// Whether the device is approved for the role, or was.
pub(super) fn has_role(device: &Value, role: &str) -> bool {
    has_token(device, role) || items(device, "roles").any(|known| known == role)
}
