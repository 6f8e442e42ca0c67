//! Clients coming and going: `hello-ok`, presence, and what the pairing store changed.
use crate::calls::Caller;
use crate::calls::outbox::Frame;
use crate::device::pairing::{Change, Closing, Notice};
use crate::json::{Put, json, with};
use crate::metrics::{self, Metric};
use crate::nodes::allowed::Rules;
use crate::nodes::node::Announced;
use crate::parts::within;
use crate::protocol::close::Close;
use crate::protocol::events;
use crate::protocol::frame::{self, Payload};
use crate::state::State;
use crate::state::clients::Client;
use crate::state::event::Join;
use crate::state::nodes::Link;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of a name that are kept for who asks who is here.
const MOST_NAME: usize = 128;

/// Devices whose authority was taken away lately, and when: for those who were being let in at that moment.
#[derive(Default)]
pub struct Revoked(HashMap<(String, String), Instant>);

impl Revoked {
    /// No connect takes that long.
    const KEPT: Duration = Duration::from_secs(600);
    /// Above this the old ones are forgotten.
    const MANY: usize = 64;

    fn note(&mut self, closing: &Closing, now: Instant) {
        if self.0.len() >= Self::MANY {
            self.0.retain(|_, at| now.duration_since(*at) < Self::KEPT);
        }
        self.0.insert((closing.device_id.clone(), closing.role.clone()), now);
    }

    /// Whether that happened to a device in a role after `since`.
    fn is_since(&self, device_id: Option<&str>, role: &str, since: Instant) -> bool {
        let Some(device_id) = device_id else { return false };
        self.0.get(&(device_id.to_string(), role.to_string())).is_some_and(|at| *at >= since)
    }
}

impl State {
    pub(super) fn join(&mut self, join: Join) {
        let Join { caller, admitted, request_id, place } = join;
        if self.is_handing_over() {
            // Dropping the place sends the client to the next generation.
            return;
        }
        let Some(outbox) = place.take() else { return };
        if self.is_stopping() {
            outbox.push(Frame::Close(Close::ServiceRestart));
            return;
        }
        // What took the caller's authority away while it was on its way has closed nobody: it was not in the list yet.
        let is_revoked = self.revoked.is_since(caller.device_id.as_deref(), caller.role(), admitted.since);
        if is_revoked || caller.is_outdated(self.shared.auth().generation) {
            outbox.push(Frame::Close(Close::Revoked));
            self.pairing_changed(&admitted.change);
            return;
        }
        // The CLI comes and goes with every command; it is not somebody who is present.
        let is_present = caller.mode != "cli" && caller.client_id != "cli";
        let presence = is_present.then(|| self.presence.connected(&caller, &admitted.client, self.now));
        // For the same reason it is no line of the usual log: most of that would be about it.
        let level = if is_present { log::Level::Info } else { log::Level::Debug };
        log::log!(target: "gateway/ws", level, "connect conn={} client={} mode={} role={} protocol={} auth={}",
            caller.conn, crate::logging::quoted(&caller.client_id), crate::logging::quoted(&caller.mode), caller.role(), caller.protocol, caller.method);
        metrics::count(Metric::Joined);
        let hello = self.hello(&caller, &admitted);
        let text = frame::answer(&request_id, Ok(&Payload::Text(hello.into())), caller.protocol);
        let said = &admitted.client;
        let name = said.display_name.as_deref().unwrap_or_default();
        let about = [name, &said.platform, &said.version].map(|text| within(text, MOST_NAME).into());
        if let Some(about) = admitted.node {
            self.node_came(&caller, *about);
        }
        self.clients.add(Client { caller, outbox: outbox.clone(), presence, about, since: self.now });
        // Who is greeted is counted already.
        outbox.push(Frame::Hello(text));
        self.pairing_changed(&admitted.change);
    }

    /// Closes what was let in by a secret that is no longer in force (SEC-14).
    pub(super) fn close_outdated(&self) {
        let generation = self.shared.auth().generation;
        for client in self.clients.iter().filter(|c| c.caller.is_outdated(generation)) {
            client.outbox.push(Frame::Close(Close::Revoked));
        }
    }

    fn node_came(&mut self, caller: &Caller, mut about: Announced) {
        about.restrict(&Rules::of(&self.shared.config()));
        let (conn, remote, is_paired) = (caller.conn, caller.remote.clone(), caller.device_id.is_some());
        self.nodes.enter(
            caller.node_id(),
            Link { conn, about: Arc::new(about), since: self.now, remote, is_paired },
        );
    }

    pub(super) fn leave(&mut self, conn: u64) {
        let Some(client) = self.clients.remove(conn) else { return };
        if let Some(key) = &client.presence {
            self.presence.disconnected(key, self.now);
        }
        self.forget_caller(conn);
        self.subscriptions.forget(conn);
        self.node_left(conn, client.caller.is_node.then(|| client.caller.node_id()));
        self.shared.capabilities.end(conn);
    }

    /// Nobody waits for what this one asked: neither a connection that is gone, nor a thread that gave up.
    pub(super) fn forget_caller(&mut self, conn: u64) {
        self.runs.forget_caller(conn);
        self.approvals.forget_caller(conn);
        // Only the gateway answers these, so none comes back.
        self.post.waiters.leave(conn);
        self.forget_invokes(conn);
    }

    /// Tells those who may know, and closes connections that lost their authority.
    pub(super) fn pairing_changed(&mut self, change: &Change<()>) {
        for notice in &change.events {
            self.note_request(notice);
            if let Some(row) = events::EVENTS.iter().find(|row| row.name == notice.event) {
                self.emit(row, &notice.payload);
            }
        }
        for closing in &change.close {
            self.revoked.note(closing, Instant::now());
            self.clients.close_device(&closing.device_id, &closing.role);
        }
    }

    /// Keeps the list of requests that wait (R-05e).
    fn note_request(&mut self, notice: &Notice) {
        let Some(id) = notice.payload.get("requestId").and_then(Value::as_str) else { return };
        if notice.event == events::PAIR_REQUESTED.name {
            self.pairing.insert(id.to_string(), self.now);
        } else {
            self.pairing.remove(id);
        }
    }

    fn hello(&self, caller: &Caller, admitted: &crate::state::admitted::Admitted) -> String {
        let limits = &self.shared.limits;
        let is_admin = !caller.is_node && caller.scopes.has("operator.admin");
        let mut auth = json!({"role": caller.role(), "scopes": caller.scopes.as_slice()});
        if is_lenient(caller)
            && let Some(map) = auth.as_object_mut()
        {
            map.put("method", caller.method);
        }
        if let (Some(map), Some(token)) = (auth.as_object_mut(), &admitted.device_token) {
            map.put("deviceToken", token.device_token.as_str());
            map.put("issuedAtMs", token.issued_at);
        }
        let mut hello = json!({
            "type": "hello-ok",
            "protocol": caller.protocol,
            "server": self.server(caller),
            "features": {"methods": self.shared.method_names, "events": events::names()},
            "auth": auth,
            "policy": {
                "maxPayload": limits.max_payload(caller.protocol),
                "maxBufferedBytes": limits.max_buffered(caller.protocol),
                "tickIntervalMs": limits.tick_ms,
            },
        });
        // For those on version 4 the address has another name.
        if caller.is_node
            && let (Some(map), Some((url, _))) = (hello.as_object_mut(), self.canvas_url(caller))
        {
            match caller.protocol {
                4.. => map.put("pluginSurfaceUrls", json!({"canvas": url})),
                _ => map.put("canvasHostUrl", url),
            }
        }
        with(&hello.to_string(), "snapshot", &self.snapshot(is_admin, caller.is_node))
    }

    /// Where a connection finds the canvas, and until when; the pages are below. `None` when it is off.
    pub fn canvas_url(&self, caller: &Caller) -> Option<(String, u64)> {
        let config = self.shared.config();
        if !crate::config::canvas::is_on(&config, &self.shared.env) {
            return None;
        }
        // Without the system's randomness there is none.
        let (capability, until) = self.shared.capabilities.of(caller.conn).ok()?;
        Some((format!("{}/__openclaw__/cap/{capability}", caller.at), until))
    }

    fn server(&self, caller: &Caller) -> Value {
        let mut server = json!({"version": crate::version::VERSION, "connId": caller.id});
        if is_lenient(caller)
            && let Some(map) = server.as_object_mut()
        {
            map.put("host", rustix::system::uname().nodename().to_string_lossy().into_owned());
        }
        server
    }

    /// Paths are told to administrators only (SEC-26); nodes are not told who else is here.
    fn snapshot(&self, is_admin: bool, is_node: bool) -> String {
        let (presence_version, health_version) = self.versions();
        let rules = self.sessions.rules();
        let mut snapshot = Map::new();
        let mut put = |name: &str, value: Value| snapshot.insert(name.to_string(), value);
        put(
            "health",
            match (is_node, is_admin) {
                (true, _) => json!({}),
                (_, true) => super::health::for_greeting(self.health.clone()),
                (_, false) => super::health::for_greeting(super::health::without_paths(&self.health)),
            },
        );
        put("stateVersion", json!({"presence": presence_version, "health": health_version}));
        put("uptimeMs", json!(self.shared.started.elapsed().as_millis() as u64));
        if is_admin {
            put("configPath", json!(self.shared.config().path()));
            put("stateDir", json!(self.shared.env.state_dir));
            put("authMode", json!(self.shared.auth().mode.name()));
        }
        let scope = if rules.global { "global" } else { "per-sender" };
        put(
            "sessionDefaults",
            json!({"defaultAgentId": rules.default_agent, "mainKey": rules.main_key, "mainSessionKey": rules.main(), "scope": scope}),
        );
        let presence = if is_node { "[]".to_string() } else { self.presence.list(self.now) };
        with(&Value::Object(snapshot).to_string(), "presence", &presence)
    }
}

/// Clients of protocol 4 refuse a greeting with members that their schema does not have.
fn is_lenient(caller: &Caller) -> bool {
    caller.protocol < 4
}
