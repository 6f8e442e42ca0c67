//! The METHODS table: a row a method says its name, who may call it, whether it changes anything, on which thread it runs,
//! its handler, and what it is about. From a row come hello-ok's method list, authorisation, validation, the unknown-method
//! error, `protocol schema`, and what the command line takes for a call that changes nothing. Its first word is its schema's
//! file, which carries the method's name. Handlers are functions over validated params: they know no locks and no sockets.
pub mod agent;
mod agent_session;
pub mod agents;
pub mod agents_edit;
pub mod agents_files;
pub mod approvals;
mod asking;
mod browser;
mod channel_pairing;
pub mod channels;
pub mod chat;
pub mod chat_open;
pub mod compact;
pub mod config;
pub mod config_write;
pub mod cron;
mod cron_looking;
mod cron_made;
mod cron_named;
pub mod cron_runs;
mod destination;
pub mod device;
pub mod diagnostics;
pub mod empty;
pub mod health;
pub mod heartbeat;
pub mod hooks;
pub mod local;
mod logs;
mod models;
mod newer;
pub mod nodes;
pub mod nodes_event;
pub mod nodes_invoke;
pub mod nodes_pair;
pub mod nodes_pending;
pub mod presence;
pub mod restart;
pub mod send;
pub mod sessions;
pub mod sessions_edit;
mod sessions_search;
pub mod skills;
pub mod subagents;
pub mod subscriptions;
pub mod surface;
pub mod system;
mod turns;
pub mod usage;
mod usage_cost;
mod web_login;

use crate::calls::Caller;
use crate::error::{Error, Kind, Result};
use crate::json::REQUEST_VALUES;
use crate::metrics;
use crate::protocol::frame::{Payload, Request};
use crate::protocol::schema::{self, Schema};
use crate::state::event::Handler;
use crate::state::shared::Shared;
use serde_json::Value;

/// Who may call a method: operators by their scopes, or nodes.
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
    /// Nodes, and no operator.
    Node,
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

/// What a method is about: sessions, to which other programs may have done something; the caller's connection itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    Sessions,
    Connection,
}

pub struct Method {
    pub name: &'static str,
    pub access: Access,
    pub effect: Effect,
    pub run: Run,
    pub about: &'static [About],
    pub schema: Schema,
}

impl Method {
    /// Before its handler: looks at the indexes of sessions if it is about them.
    pub fn look(&self, shared: &Shared) {
        match (self.about.contains(&About::Sessions), self.run) {
            (false, _) => {}
            (true, Run::Here(_)) => shared.look_and_wait(),
            (true, _) => shared.look_at_indexes(),
        }
    }
}

macro_rules! methods {
    ($($path:literal $access:ident $effect:ident $thread:ident($($handler:path),+) $($about:ident)*;)+) => {
        pub static METHODS: &[Method] = &[$(Method {
            name: schema::name($path),
            access: Access::$access,
            effect: Effect::$effect,
            run: Run::$thread($($handler),+),
            about: &[$(About::$about),*],
            schema: schema::of!($path),
        }),+];
    };
}

methods! {
    "schemas/methods/agent.json" Write Changes Prepared(asking::prepare, agent::agent) Sessions;
    "schemas/methods/agent.identity.get.json" Read Reads Here(agents::identity_get);
    "schemas/methods/agent.wait.json" Write Reads State(agent::wait);
    "schemas/methods/agents.create.json" Admin Changes Here(agents_edit::create);
    "schemas/methods/agents.delete.json" Admin Changes State(agents_edit::delete);
    "schemas/methods/agents.files.get.json" Admin Reads Here(agents_files::get);
    "schemas/methods/agents.files.list.json" Admin Reads Here(agents_files::list);
    "schemas/methods/agents.files.set.json" Admin Changes Here(agents_files::set);
    "schemas/methods/agents.list.json" Read Reads Here(agents::list);
    "schemas/methods/agents.update.json" Admin Changes Here(agents_edit::update);
    "schemas/methods/approval.history.json" Approvals Reads State(approvals::history);
    "schemas/methods/artifacts.list.json" Read Reads State(empty::answer);
    "schemas/methods/browser.request.json" Write Changes State(browser::request);
    "schemas/methods/channels.logout.json" Admin Changes Here(channels::logout);
    "schemas/methods/channels.pairing.approve.json" Pairing Changes Here(channel_pairing::approve);
    "schemas/methods/channels.pairing.list.json" Pairing Reads Here(channel_pairing::list);
    "schemas/methods/channels.status.json" Read Reads State(channels::status);
    "schemas/methods/chat.abort.json" Write Changes State(chat::abort) Sessions;
    "schemas/methods/chat.history.json" Read Reads State(chat::history) Sessions;
    "schemas/methods/chat.inject.json" Admin Changes State(chat::inject) Sessions;
    "schemas/methods/chat.metadata.json" Read Reads Here(chat_open::metadata);
    "schemas/methods/chat.send.json" Write Changes Prepared(asking::prepare, chat::send) Sessions;
    "schemas/methods/chat.startup.json" Read Reads State(chat_open::startup) Sessions;
    "schemas/methods/clients.list.json" Read Reads State(presence::clients);
    "schemas/methods/config.apply.json" Admin Changes Here(config_write::apply);
    "schemas/methods/config.get.json" Admin Reads Here(config::get);
    "schemas/methods/config.patch.json" Admin Changes Here(config_write::patch);
    "schemas/methods/config.plan.json" Admin Reads Here(config_write::plan);
    "schemas/methods/config.schema.json" Admin Reads Here(config::schema);
    "schemas/methods/config.schema.lookup.json" Admin Reads Here(config::schema_lookup);
    "schemas/methods/config.set.json" Admin Changes Here(config_write::set);
    "schemas/methods/cron.add.json" Admin Changes Prepared(cron::prepare, cron::add);
    "schemas/methods/cron.list.json" Read Reads State(cron_looking::list);
    "schemas/methods/cron.remove.json" Admin Changes State(cron::remove);
    "schemas/methods/cron.run.json" Admin Changes State(cron::run);
    "schemas/methods/cron.runs.json" Read Reads State(cron::runs);
    "schemas/methods/cron.status.json" Read Reads State(cron_looking::status);
    "schemas/methods/cron.update.json" Admin Changes Prepared(cron::prepare_patch, cron::update);
    "schemas/methods/device.pair.approve.json" Pairing Changes Here(device::approve);
    "schemas/methods/device.pair.code.json" Admin Changes Here(device::code);
    "schemas/methods/device.pair.list.json" Pairing Reads Here(device::list);
    "schemas/methods/device.pair.reject.json" Pairing Changes Here(device::reject);
    "schemas/methods/device.pair.remove.json" Pairing Changes Here(device::remove);
    "schemas/methods/device.pair.rename.json" Pairing Changes Here(device::rename);
    "schemas/methods/device.token.revoke.json" Pairing Changes Here(device::revoke);
    "schemas/methods/device.token.rotate.json" Pairing Changes Here(device::rotate);
    "schemas/methods/diagnostics.lanes.json" Admin Reads State(diagnostics::lanes);
    "schemas/methods/doctor.memory.status.json" Read Reads State(empty::answer);
    "schemas/methods/environments.list.json" Read Reads State(empty::answer);
    "schemas/methods/exec.approval.grants.list.json" Approvals Reads Here(approvals::grants);
    "schemas/methods/exec.approval.list.json" Approvals Reads State(approvals::list);
    "schemas/methods/exec.approval.request.json" Approvals Changes State(approvals::request);
    "schemas/methods/exec.approval.resolve.json" Approvals Changes State(approvals::resolve);
    "schemas/methods/exec.approval.waitDecision.json" Approvals Reads State(approvals::wait);
    "schemas/methods/exec.approvals.get.json" Admin Reads Here(approvals::get);
    "schemas/methods/exec.approvals.node.get.json" Admin Reads State(nodes_invoke::approvals_get);
    "schemas/methods/exec.approvals.node.set.json" Admin Changes State(nodes_invoke::approvals_set);
    "schemas/methods/exec.approvals.set.json" Admin Changes Here(approvals::set);
    "schemas/methods/gateway.restart.preflight.json" Admin Reads State(restart::preflight);
    "schemas/methods/gateway.restart.request.json" Admin Changes Here(restart::request);
    "schemas/methods/health.json" Operator Reads Here(health::health) Sessions;
    "schemas/methods/last-heartbeat.json" Read Reads State(heartbeat::last);
    "schemas/methods/logs.tail.json" Read Reads Here(logs::tail);
    "schemas/methods/message.action.json" Write Changes State(send::action) Sessions;
    "schemas/methods/migrations.memory.plan.json" Admin Reads Here(newer::memory_plan);
    "schemas/methods/models.authStatus.json" Read Reads Here(models::auth_status);
    "schemas/methods/models.list.json" Read Reads Here(models::list);
    "schemas/methods/node.describe.json" Read Reads State(nodes::describe);
    "schemas/methods/node.event.json" Node Changes Prepared(nodes_event::prepare, nodes_event::event) Sessions;
    "schemas/methods/node.invoke.json" Write Changes Prepared(nodes_invoke::prepare, nodes_invoke::invoke);
    "schemas/methods/node.invoke.result.json" Node Changes Prepared(nodes_invoke::prepare_result, nodes_invoke::result);
    "schemas/methods/node.list.json" Read Reads State(nodes::list);
    "schemas/methods/node.pair.approve.json" Pairing Changes Here(nodes_pair::approve);
    "schemas/methods/node.pair.list.json" Pairing Reads Here(nodes_pair::list);
    "schemas/methods/node.pair.reject.json" Pairing Changes Here(nodes_pair::reject);
    "schemas/methods/node.pair.remove.json" Pairing Changes Here(nodes_pair::remove);
    "schemas/methods/node.pair.request.json" Pairing Changes Here(nodes_pair::request);
    "schemas/methods/node.pair.verify.json" Pairing Reads Here(nodes_pair::verify);
    "schemas/methods/node.pending.ack.json" Node Changes State(nodes_pending::ack);
    "schemas/methods/node.pending.drain.json" Node Changes State(nodes_pending::drain);
    "schemas/methods/node.pending.enqueue.json" Write Changes State(nodes_pending::enqueue);
    "schemas/methods/node.pending.pull.json" Node Reads State(nodes_pending::pull);
    "schemas/methods/node.rename.json" Pairing Changes Here(nodes::rename);
    "schemas/methods/openclaw.approval.list.json" Approvals Reads State(empty::answer);
    "schemas/methods/plugin.approval.list.json" Approvals Reads State(empty::answer);
    "schemas/methods/plugin.surface.refresh.json" Read Reads State(surface::refresh) Connection;
    "schemas/methods/plugins.catalog.browse.json" Read Reads State(empty::answer);
    "schemas/methods/plugins.list.json" Read Reads State(empty::answer);
    "schemas/methods/poll.json" Admin Changes State(send::poll);
    "schemas/methods/progressCard.get.json" Read Reads State(empty::answer);
    "schemas/methods/question.list.json" Questions Reads State(empty::answer);
    "schemas/methods/send.json" Write Changes State(send::send);
    "schemas/methods/sessions.branches.list.json" Read Reads State(empty::answer);
    "schemas/methods/sessions.compact.json" Admin Changes State(compact::compact) Sessions;
    "schemas/methods/sessions.companion.state.json" Read Reads State(empty::answer);
    "schemas/methods/sessions.delete.json" Admin Changes State(sessions_edit::delete) Sessions;
    "schemas/methods/sessions.describe.json" Read Reads State(sessions::describe) Sessions;
    "schemas/methods/sessions.list.json" Read Reads State(sessions::list) Sessions;
    "schemas/methods/sessions.messages.subscribe.json" Read Reads State(subscriptions::follow) Sessions Connection;
    "schemas/methods/sessions.messages.unsubscribe.json" Read Reads State(subscriptions::unfollow) Sessions Connection;
    "schemas/methods/sessions.observer.visibility.json" Read Reads State(empty::answer);
    "schemas/methods/sessions.patch.json" Admin Changes State(sessions_edit::patch) Sessions;
    "schemas/methods/sessions.preview.json" Read Reads State(sessions::preview) Sessions;
    "schemas/methods/sessions.reset.json" Admin Changes State(sessions_edit::reset) Sessions;
    "schemas/methods/sessions.resolve.json" Admin Reads State(sessions::resolve) Sessions;
    "schemas/methods/sessions.search.json" Read Reads State(sessions_search::search) Sessions;
    "schemas/methods/sessions.subscribe.json" Read Reads State(subscriptions::subscribe) Sessions Connection;
    "schemas/methods/sessions.unsubscribe.json" Read Reads State(subscriptions::unsubscribe) Sessions Connection;
    "schemas/methods/sessions.usage.json" Admin Reads State(usage::sessions) Sessions;
    "schemas/methods/sessions.usage.logs.json" Admin Reads State(usage::logs) Sessions;
    "schemas/methods/sessions.usage.timeseries.json" Admin Reads State(usage::timeseries) Sessions;
    "schemas/methods/set-heartbeats.json" Admin Changes State(heartbeat::set);
    "schemas/methods/skills.bins.json" Node Reads Here(skills::bins);
    "schemas/methods/skills.install.json" Admin Reads Here(skills::install);
    "schemas/methods/skills.library.list.json" Read Reads State(empty::answer);
    "schemas/methods/skills.proposals.list.json" Read Reads State(empty::answer);
    "schemas/methods/skills.search.json" Read Reads State(empty::answer);
    "schemas/methods/skills.status.json" Read Reads Here(skills::status);
    "schemas/methods/skills.update.json" Admin Changes Here(skills::update);
    "schemas/methods/status.json" Read Reads State(health::status) Sessions;
    "schemas/methods/system-event.json" Admin Changes State(presence::event);
    "schemas/methods/system-presence.json" Read Reads State(presence::list);
    "schemas/methods/system.info.json" Read Reads Here(system::info);
    "schemas/methods/talk.catalog.json" Read Reads State(empty::answer);
    "schemas/methods/tasks.list.json" Read Reads State(empty::answer);
    "schemas/methods/themes.list.json" Read Reads State(empty::answer);
    "schemas/methods/tools.github.status.json" Read Reads Here(diagnostics::github);
    "schemas/methods/update.status.json" Admin Reads State(empty::answer);
    "schemas/methods/usage.cost.json" Read Reads State(usage_cost::cost) Sessions;
    "schemas/methods/usage.status.json" Read Reads Here(usage::status);
    "schemas/methods/wake.json" Write Changes State(heartbeat::wake);
    "schemas/methods/web.login.start.json" Admin Changes State(web_login::start);
    "schemas/methods/web.login.wait.json" Admin Reads State(web_login::wait);
    "schemas/methods/webSearch.status.json" Read Reads Here(newer::web_search);
    "schemas/methods/worktrees.list.json" Read Reads State(empty::answer);
}

/// All method names, for `hello-ok.features.methods`: exactly what works.
pub fn names() -> Vec<&'static str> {
    METHODS.iter().map(|m| m.name).collect()
}

pub fn named(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|m| m.name == name)
}

/// The file of every schema: `schemas/frames.json`, `schemas/methods/health.json`, `schemas/events/chat.json`.
pub fn schemas() -> impl Iterator<Item = &'static str> {
    let methods = std::iter::once(&schema::CONNECT).chain(METHODS.iter().map(|m| &m.schema));
    methods.map(|schema| schema.path).chain(schema::others())
}

/// The method of a request and its validated params, if this caller may call it so. Authorisation comes first, so
/// that a caller without rights learns nothing about names (a name not listed needs admin) and costs nothing.
pub fn find(caller: &Caller, request: &Request) -> Result<(&'static Method, Value)> {
    check(caller, &request.method, || request.read_params(REQUEST_VALUES))
}

/// The same for a method by name; its params are read only when the caller may call it.
pub fn check(
    caller: &Caller,
    name: &str,
    params: impl FnOnce() -> Result<Value>,
) -> Result<(&'static Method, Value)> {
    let row = METHODS.iter().position(|m| m.name == name);
    let method = row.and_then(|row| METHODS.get(row));
    row.inspect(|row| metrics::request(*row));
    authorise(caller, method.map_or(Access::Admin, |m| m.access))?;
    if name == "connect" {
        return Err(Error::invalid("connect is only valid as the first request"));
    }
    let unknown =
        || Error::new(Kind::UnknownMethod, format!("unknown method: {}", crate::parts::within(name, 200)));
    let method = method.ok_or_else(unknown)?;
    let mut params = params()?;
    match method.effect {
        Effect::Reads => fit(caller, method, &mut params)?,
        Effect::Changes => method.schema.check(&params).map_err(Error::invalid)?,
    }
    if let Run::Prepared(prepare, _) = method.run {
        params = prepare(params)?;
    }
    Ok((method, params))
}

/// Checks the params of a method that only reads; members that it does not know are taken out.
fn fit(caller: &Caller, method: &Method, params: &mut Value) -> Result<()> {
    let Err(wrong) = method.schema.check(params) else { return Ok(()) };
    let unknown = method.schema.without_unknown(params);
    if unknown.is_empty() {
        return Err(Error::invalid(wrong));
    }
    caller.tell_unknown(method.name, &unknown);
    method.schema.check(params).map_err(Error::invalid)
}

fn authorise(caller: &Caller, access: Access) -> Result<()> {
    if caller.is_node != (access == Access::Node) {
        let text = format!("unauthorized role: {}", caller.role());
        return Err(Error::new(Kind::Forbidden, text).with("code", "WRONG_ROLE"));
    }
    let (needed, allowed) = match access {
        Access::Operator | Access::Node => return Ok(()),
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
    fn i10_6_there_is_a_place_to_count_each_method() {
        assert!(METHODS.len() <= metrics::METHODS, "make room in src/metrics.rs");
    }

    /// Issue 9.1: no family is forgotten.
    #[test]
    fn what_is_named_after_sessions_and_chats_looks_at_them_first() {
        for method in METHODS.iter().filter(|method| matches!(method.run, Run::State(_) | Run::Prepared(..)))
        {
            let is_named = ["sessions.", "chat."].iter().any(|family| method.name.starts_with(family));
            let looks = method.about.contains(&About::Sessions);
            assert!(!is_named || looks || empty::is_of(method.name), "{}", method.name);
            let is_bound = method.name.ends_with("subscribe") || method.name == "plugin.surface.refresh";
            assert_eq!(method.about.contains(&About::Connection), is_bound, "{}", method.name);
        }
    }

    #[test]
    fn rows_are_sorted_and_unique() {
        for pair in METHODS.windows(2) {
            assert!(pair[0].name < pair[1].name, "{} {}", pair[0].name, pair[1].name);
        }
    }
}
