//! The METHODS table: each method's name, who may call it, whether it changes anything, on which thread it runs,
//! and its handler.
//!
//! From a row come hello-ok's method list, authorisation, validation and the unknown-method error. The params
//! schema is `schemas/methods/<name>.json`. Handlers are functions over validated params; they do not log,
//! lock, spawn or know about sockets.
pub mod agent;
pub mod agents;
pub mod agents_edit;
pub mod agents_files;
pub mod chat;
pub mod chat_open;
pub mod compact;
pub mod config;
pub mod config_write;
pub mod device;
pub mod empty;
pub mod health;
pub mod local;
mod logs;
mod models;
pub mod presence;
pub mod restart;
pub mod sessions;
pub mod sessions_edit;
pub mod subscriptions;
pub mod system;
pub mod usage;

use crate::calls::Caller;
use crate::error::{Error, Kind, Result};
use crate::protocol::frame::{MAX_VALUES, Payload, Request};
use crate::protocol::schema;
use crate::state::event::Handler;
use crate::state::shared::Shared;
use serde_json::Value;

/// Who may call a method. Nodes may call none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Every operator, whatever its scopes.
    Operator,
    Read,
    Write,
    Pairing,
    Approvals,
    Questions,
    Admin,
}

/// On which thread a method runs.
#[derive(Clone, Copy)]
pub enum Run {
    /// On the caller's connection thread: needs no gateway state, may read files.
    Here(fn(&Shared, &Caller, Value) -> Result<Payload>),
    /// On the state thread: must not block.
    State(Handler),
    /// The same, after large params were made ready on the caller's connection thread.
    Prepared(fn(Value) -> Result<Value>, Handler),
}

/// What a method does beyond its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing, or something about the caller's own connection. Members of its params that nobody here knows are
    /// passed over: newer clients add some every month.
    Reads,
    /// Something that others see. What is not understood is refused.
    Changes,
}

pub struct Method {
    pub name: &'static str,
    pub access: Access,
    pub effect: Effect,
    pub run: Run,
}

macro_rules! methods {
    ($($name:literal $access:ident $effect:ident $thread:ident($($handler:path),+);)+) => {
        pub static METHODS: &[Method] = &[$(Method {
            name: $name,
            access: Access::$access,
            effect: Effect::$effect,
            run: Run::$thread($($handler),+),
        }),+];
    };
}

methods! {
    "agent" Write Changes Prepared(agent::prepare, agent::agent);
    "agent.identity.get" Read Reads Here(agents::identity_get);
    "agent.wait" Write Reads State(agent::wait);
    "agents.create" Admin Changes Here(agents_edit::create);
    "agents.delete" Admin Changes State(agents_edit::delete);
    "agents.files.get" Admin Reads Here(agents_files::get);
    "agents.files.list" Admin Reads Here(agents_files::list);
    "agents.files.set" Admin Changes Here(agents_files::set);
    "agents.list" Read Reads Here(agents::list);
    "agents.update" Admin Changes Here(agents_edit::update);
    "chat.abort" Write Changes State(chat::abort);
    "chat.history" Read Reads State(chat::history);
    "chat.inject" Admin Changes State(chat::inject);
    "chat.metadata" Read Reads Here(chat_open::metadata);
    "chat.send" Write Changes Prepared(agent::prepare, chat::send);
    "chat.startup" Read Reads State(chat_open::startup);
    "config.apply" Admin Changes Here(config_write::apply);
    "config.get" Admin Reads Here(config::get);
    "config.patch" Admin Changes Here(config_write::patch);
    "config.schema" Admin Reads Here(config::schema);
    "config.schema.lookup" Admin Reads Here(config::schema_lookup);
    "config.set" Admin Changes Here(config_write::set);
    "device.pair.approve" Pairing Changes Here(device::approve);
    "device.pair.list" Pairing Reads Here(device::list);
    "device.pair.reject" Pairing Changes Here(device::reject);
    "device.pair.remove" Pairing Changes Here(device::remove);
    "device.token.revoke" Pairing Changes Here(device::revoke);
    "device.token.rotate" Pairing Changes Here(device::rotate);
    "exec.approval.list" Approvals Reads State(empty::answer);
    "gateway.restart.preflight" Admin Reads State(restart::preflight);
    "gateway.restart.request" Admin Changes Here(restart::request);
    "health" Operator Reads Here(health::health);
    "last-heartbeat" Read Reads Here(health::last_heartbeat);
    "logs.tail" Read Reads Here(logs::tail);
    "models.list" Read Reads Here(models::list);
    "openclaw.approval.list" Approvals Reads State(empty::answer);
    "plugin.approval.list" Approvals Reads State(empty::answer);
    "question.list" Questions Reads State(empty::answer);
    "sessions.compact" Admin Changes State(compact::compact);
    "sessions.delete" Admin Changes State(sessions_edit::delete);
    "sessions.describe" Read Reads State(sessions::describe);
    "sessions.list" Read Reads State(sessions::list);
    "sessions.messages.subscribe" Read Reads State(subscriptions::follow);
    "sessions.messages.unsubscribe" Read Reads State(subscriptions::unfollow);
    "sessions.observer.visibility" Read Reads State(empty::answer);
    "sessions.patch" Admin Changes State(sessions_edit::patch);
    "sessions.preview" Read Reads State(sessions::preview);
    "sessions.reset" Admin Changes State(sessions_edit::reset);
    "sessions.resolve" Admin Reads State(sessions::resolve);
    "sessions.subscribe" Read Reads State(subscriptions::subscribe);
    "sessions.unsubscribe" Read Reads State(subscriptions::unsubscribe);
    "sessions.usage" Admin Reads State(usage::sessions);
    "sessions.usage.logs" Admin Reads State(usage::logs);
    "sessions.usage.timeseries" Admin Reads State(usage::timeseries);
    "status" Read Reads State(health::status);
    "system-event" Admin Changes State(presence::event);
    "system-presence" Read Reads State(presence::list);
    "system.info" Read Reads Here(system::info);
    "update.status" Admin Reads State(empty::answer);
    "usage.cost" Read Reads State(usage::cost);
    "usage.status" Read Reads Here(usage::status);
}

/// All method names, for `hello-ok.features.methods`: exactly what works.
pub fn names() -> Vec<&'static str> {
    METHODS.iter().map(|m| m.name).collect()
}

/// The method of a request and its validated params, if this caller may call it so. Authorisation comes first, so
/// that a caller without rights learns nothing about names (a name not listed needs admin) and costs nothing.
pub fn find(caller: &Caller, request: &Request) -> Result<(&'static Method, Value)> {
    check(caller, &request.method, || request.read_params(MAX_VALUES))
}

/// The same for a method by name; its params are read only when the caller may call it.
pub fn check(
    caller: &Caller,
    name: &str,
    params: impl FnOnce() -> Result<Value>,
) -> Result<(&'static Method, Value)> {
    let method = METHODS.iter().find(|m| m.name == name);
    authorise(caller, method.map_or(Access::Admin, |m| m.access))?;
    if name == "connect" {
        return Err(Error::invalid("connect is only valid as the first request"));
    }
    let unknown = || {
        Error::new(Kind::UnknownMethod, format!("unknown method: {}", crate::protocol::close::cut(name, 200)))
    };
    let method = method.ok_or_else(unknown)?;
    let mut params = params()?;
    match method.effect {
        Effect::Reads => fit(caller, name, &mut params)?,
        Effect::Changes => schema::check_params(name, &params).map_err(Error::invalid)?,
    }
    if let Run::Prepared(prepare, _) = method.run {
        params = prepare(params)?;
    }
    Ok((method, params))
}

/// Checks the params of a method that only reads; members that it does not know are taken out.
fn fit(caller: &Caller, name: &str, params: &mut Value) -> Result<()> {
    let Err(wrong) = schema::check_params(name, params) else { return Ok(()) };
    let unknown = schema::without_unknown(name, params);
    if unknown.is_empty() {
        return Err(Error::invalid(wrong));
    }
    caller.tell_unknown(name, &unknown);
    schema::check_params(name, params).map_err(Error::invalid)
}

fn authorise(caller: &Caller, access: Access) -> Result<()> {
    if caller.is_node {
        return Err(Error::new(Kind::Forbidden, "unauthorized role: node").with("code", "WRONG_ROLE"));
    }
    let (needed, allowed) = match access {
        Access::Operator => return Ok(()),
        Access::Read => ("operator.read", caller.scopes.can_read()),
        Access::Write => ("operator.write", caller.scopes.has("operator.write")),
        Access::Pairing => ("operator.pairing", caller.scopes.has("operator.pairing")),
        Access::Approvals => ("operator.approvals", caller.scopes.has("operator.approvals")),
        Access::Questions => ("operator.questions", caller.scopes.has("operator.questions")),
        Access::Admin => ("operator.admin", caller.scopes.has("operator.admin")),
    };
    if allowed {
        return Ok(());
    }
    let error = Error::new(Kind::Forbidden, format!("missing scope: {needed}"));
    Err(error.with("missingScope", needed).with("requiredScopes", vec![needed]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_unique_and_have_schemas() {
        for pair in METHODS.windows(2) {
            assert!(pair[0].name < pair[1].name, "{} {}", pair[0].name, pair[1].name);
        }
        for method in METHODS {
            assert!(schema::text(method.name).is_some(), "{} has no schema", method.name);
        }
        for (name, _) in schema::all() {
            if let Some(method) = name.strip_prefix("methods/").filter(|m| *m != "connect") {
                assert!(METHODS.iter().any(|m| m.name == method), "schema {name} has no method");
            }
        }
    }
}
