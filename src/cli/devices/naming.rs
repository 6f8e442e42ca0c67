//! Which request and which device a command means.
use super::{WHOLE_ID, ask};
use crate::cli::Context;
use crate::cli::devices::rows::{items, joined, name, text};
use crate::cli::parse::Args;
use crate::error::{Error, Result};
use crate::json::json;
use serde_json::{Map, Value};

/// The request that was named, by its id or the beginning of it, or else the only one that waits.
pub(super) fn request(context: &Context, args: &Args) -> Result<Map<String, Value>> {
    let named = args.positional(0).map(str::trim);
    if named == Some("") {
        return Err(Error::usage(
            "the id of the request is empty: name one, or leave it out if only one waits",
        ));
    }
    let named = named.unwrap_or_default();
    let id = if named.len() < WHOLE_ID { waiting(context, args, named)? } else { named.to_string() };
    Ok(Map::from_iter([("requestId".to_string(), id.into())]))
}

pub(super) fn waiting(context: &Context, args: &Args, named: &str) -> Result<String> {
    let all = ask(context, args, "device.pair.list", &json!({}))?;
    let all = all.get("pending").and_then(Value::as_array).cloned().unwrap_or_default();
    let fits = |request: &&Value| text(request, "/requestId").starts_with(named);
    let fitting: Vec<&Value> = all.iter().filter(fits).collect();
    if let [only] = fitting.as_slice() {
        return Ok(text(only, "/requestId").to_string());
    }
    let look = context.env.command("devices list");
    Err(match (all.len(), fitting.len()) {
        (0, _) => Error::not_found("no pairing request waits"),
        (_, 0) => Error::not_found(format!("no pairing request begins with '{named}': see `{look}`")),
        (_, many) => {
            let each = fitting
                .iter()
                .map(|request| format!("\n  {}  {}", text(request, "/requestId"), name(request)));
            let each: String = each.collect();
            Error::usage(format!("{many} pairing requests fit; name one by the beginning of its id:{each}"))
        }
    })
}

/// The token that was named, its device by its id or the beginning of it. `has` tells whether such a device can have one
/// of that role.
pub(super) fn token(context: &Context, args: &Args, has: fn(&Value, &str) -> bool) -> Result<Value> {
    let named = args.filled("device")?.map_or_else(|| args.required("device"), Ok)?.trim();
    let role = args.value("role").unwrap_or("operator");
    let all = ask(context, args, "device.pair.list", &json!({}))?;
    let fits = |device: &&Value| text(device, "/deviceId").starts_with(named);
    let fitting: Vec<&Value> = items(&all, "paired").filter(fits).collect();
    let [device] = fitting.as_slice() else {
        let look = context.env.command("devices list");
        let each =
            fitting.iter().map(|device| format!("\n  {}  {}", text(device, "/deviceId"), name(device)));
        return Err(match fitting.len() {
            0 => Error::not_found(format!("no paired device begins with '{named}': see `{look}`")),
            many => Error::usage(format!(
                "{many} devices fit; name one by the beginning of its id:{}",
                each.collect::<String>()
            )),
        });
    };
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
