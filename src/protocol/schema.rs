//! The wire protocol's JSON Schemas: embedded texts, and the checks of what clients send.
//!
//! The files under `schemas/` are the source of truth. The `params` of every method and the request
//! frame are compiled into validators at build time; results and events are checked by the tests only.
//! A valid value costs no allocation. Only for an invalid one is the schema's text read again, to say
//! what is wrong. Pure data, runs on the connections' threads; it sends nothing and knows no state.
use crate::json;
use serde_json::{Map, Value};

mod compact;
mod explain;
#[cfg(test)]
pub(crate) use explain::KEYWORDS;
#[cfg(test)]
pub mod judge;
#[cfg(test)]
mod tests;

/// A method of the protocol and how its params are checked.
struct Method {
    name: &'static str,
    path: &'static str,
    text: &'static str,
    is_valid: fn(&Value) -> bool,
}

/// A compiled validator for the root of the schema at `$path`.
macro_rules! validator {
    ($path:literal) => {{
        #[jsonschema::validator(path = $path, methods = { validate = false, iter_errors = false })]
        struct Root;
        Root::is_valid
    }};
}

/// The text of the schema at `$path`, without its indentation.
macro_rules! schema {
    ($path:literal) => {{
        const TEXT: &str = include_str!(concat!("../../", $path));
        const BYTES: [u8; compact::len(TEXT)] = compact::bytes(TEXT);
        compact::text(&BYTES)
    }};
}

/// The table of methods: one file a row. A file's root refers to its own `params`.
macro_rules! methods {
    ($($name:literal $path:literal,)*) => {
        &[$(Method {
            name: $name,
            path: $path,
            text: schema!($path),
            is_valid: validator!($path),
        }),*]
    };
}

/// The table of events, which are texts only: one file a row.
macro_rules! texts {
    ($($path:literal,)*) => {
        &[$(($path, schema!($path))),*]
    };
}

static METHODS: &[Method] = methods! {
    "connect" "schemas/methods/connect.json",
    "gateway.restart.preflight" "schemas/methods/gateway.restart.preflight.json",
    "gateway.restart.request" "schemas/methods/gateway.restart.request.json",
    "health" "schemas/methods/health.json",
    "status" "schemas/methods/status.json",
    "system-presence" "schemas/methods/system-presence.json",
    "system-event" "schemas/methods/system-event.json",
    "last-heartbeat" "schemas/methods/last-heartbeat.json",
    "system.info" "schemas/methods/system.info.json",
    "logs.tail" "schemas/methods/logs.tail.json",
    "config.get" "schemas/methods/config.get.json",
    "config.schema" "schemas/methods/config.schema.json",
    "config.schema.lookup" "schemas/methods/config.schema.lookup.json",
    "config.set" "schemas/methods/config.set.json",
    "config.apply" "schemas/methods/config.apply.json",
    "config.patch" "schemas/methods/config.patch.json",
    "models.list" "schemas/methods/models.list.json",
    "agents.list" "schemas/methods/agents.list.json",
    "agents.create" "schemas/methods/agents.create.json",
    "agents.update" "schemas/methods/agents.update.json",
    "agents.delete" "schemas/methods/agents.delete.json",
    "agents.files.list" "schemas/methods/agents.files.list.json",
    "agents.files.get" "schemas/methods/agents.files.get.json",
    "agents.files.set" "schemas/methods/agents.files.set.json",
    "agent" "schemas/methods/agent.json",
    "agent.wait" "schemas/methods/agent.wait.json",
    "agent.identity.get" "schemas/methods/agent.identity.get.json",
    "chat.history" "schemas/methods/chat.history.json",
    "chat.send" "schemas/methods/chat.send.json",
    "chat.abort" "schemas/methods/chat.abort.json",
    "chat.inject" "schemas/methods/chat.inject.json",
    "chat.startup" "schemas/methods/chat.startup.json",
    "chat.metadata" "schemas/methods/chat.metadata.json",
    "sessions.list" "schemas/methods/sessions.list.json",
    "sessions.describe" "schemas/methods/sessions.describe.json",
    "sessions.subscribe" "schemas/methods/sessions.subscribe.json",
    "sessions.unsubscribe" "schemas/methods/sessions.unsubscribe.json",
    "sessions.messages.subscribe" "schemas/methods/sessions.messages.subscribe.json",
    "sessions.messages.unsubscribe" "schemas/methods/sessions.messages.unsubscribe.json",
    "sessions.observer.visibility" "schemas/methods/sessions.observer.visibility.json",
    "sessions.resolve" "schemas/methods/sessions.resolve.json",
    "sessions.preview" "schemas/methods/sessions.preview.json",
    "sessions.patch" "schemas/methods/sessions.patch.json",
    "sessions.reset" "schemas/methods/sessions.reset.json",
    "sessions.compact" "schemas/methods/sessions.compact.json",
    "sessions.delete" "schemas/methods/sessions.delete.json",
    "sessions.usage" "schemas/methods/sessions.usage.json",
    "sessions.usage.timeseries" "schemas/methods/sessions.usage.timeseries.json",
    "sessions.usage.logs" "schemas/methods/sessions.usage.logs.json",
    "usage.cost" "schemas/methods/usage.cost.json",
    "usage.status" "schemas/methods/usage.status.json",
    "exec.approval.list" "schemas/methods/exec.approval.list.json",
    "plugin.approval.list" "schemas/methods/plugin.approval.list.json",
    "openclaw.approval.list" "schemas/methods/openclaw.approval.list.json",
    "question.list" "schemas/methods/question.list.json",
    "update.status" "schemas/methods/update.status.json",
    "device.pair.list" "schemas/methods/device.pair.list.json",
    "device.pair.approve" "schemas/methods/device.pair.approve.json",
    "device.pair.reject" "schemas/methods/device.pair.reject.json",
    "device.pair.remove" "schemas/methods/device.pair.remove.json",
    "device.token.rotate" "schemas/methods/device.token.rotate.json",
    "device.token.revoke" "schemas/methods/device.token.revoke.json",
};

static FRAMES: &str = schema!("schemas/frames.json");
static IS_REQUEST: fn(&Value) -> bool = validator!("schemas/frames.json");

static EVENTS: &[(&str, &str)] = texts! {
    "schemas/events/connect.challenge.json",
    "schemas/events/agent.json",
    "schemas/events/chat.json",
    "schemas/events/sessions.changed.json",
    "schemas/events/session.message.json",
    "schemas/events/config.changed.json",
    "schemas/events/presence.json",
    "schemas/events/tick.json",
    "schemas/events/shutdown.json",
    "schemas/events/health.json",
    "schemas/events/device.pair.requested.json",
    "schemas/events/device.pair.resolved.json",
};

/// Checks a method's params; null counts as `{}`. The error is the complete text for the client:
/// `invalid <method> params: <part>; <part>`.
pub fn check_params(method: &str, params: &Value) -> Result<(), String> {
    let Some(row) = find(method) else {
        return Err(format!("unknown method: {method}"));
    };
    if params.is_null() {
        let empty = Value::Object(Map::new());
        return check(row.is_valid, row.text, &empty, || format!("invalid {method} params"));
    }
    check(row.is_valid, row.text, params, || format!("invalid {method} params"))
}

/// Takes out of a method's params the members that its schema does not have; gives their names.
pub fn without_unknown(method: &str, params: &mut Value) -> Vec<String> {
    let (Some(row), Some(members)) = (find(method), params.as_object_mut()) else { return Vec::new() };
    let root = json::read(row.text, 100_000, 64).unwrap_or_default();
    let known = root.pointer("/params/properties").and_then(Value::as_object);
    let mut unknown = Vec::new();
    members.retain(|name, _| {
        let is_known = known.is_some_and(|known| known.contains_key(name));
        if !is_known {
            unknown.push(name.clone());
        }
        is_known
    });
    unknown
}

/// Checks that a frame is a request frame; its params are not looked at. The error is the complete
/// text for the client: `invalid request frame: <part>; <part>`.
pub fn check_request(frame: &Value) -> Result<(), String> {
    check(IS_REQUEST, FRAMES, frame, || "invalid request frame".to_string())
}

/// What keeps a value from fitting a schema that is no method's, such as a tool's; empty when it fits. Knows the
/// keywords of `KEYWORDS` only.
pub fn misfits(schema: &str, value: &Value) -> Vec<String> {
    explain::misfits(schema, value)
}

/// The schema text of a method, params and result; `None` if there is no such method.
#[cfg(test)]
pub fn text(method: &str) -> Option<&'static str> {
    find(method).map(|row| row.text)
}

/// Every schema: its name (`frames`, `methods/health`, `events/chat`: the file's path under `schemas/`
/// without `.json`) and its text.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    let methods = METHODS.iter().map(|row| (row.path, row.text));
    let files = std::iter::once(("schemas/frames.json", FRAMES)).chain(methods).chain(EVENTS.iter().copied());
    files.map(|(path, text)| {
        let name = path.strip_prefix("schemas/").unwrap_or(path);
        (name.strip_suffix(".json").unwrap_or(name), text)
    })
}

fn find(method: &str) -> Option<&'static Method> {
    METHODS.iter().find(|row| row.name == method)
}

fn check(
    is_valid: fn(&Value) -> bool,
    schema: &str,
    value: &Value,
    subject: impl Fn() -> String,
) -> Result<(), String> {
    if is_valid(value) {
        return Ok(());
    }
    Err(format!("{}: {}", subject(), explain::explain(schema, value).join("; ")))
}
