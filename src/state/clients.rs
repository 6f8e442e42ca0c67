//! The connected clients: who they are, and sending them events.
use crate::calls::outbox::{Frame, Outbox, Pushed};
use crate::net::auth::Admitted;
use crate::net::peer::Peer;
use crate::protocol::close::Close;
use crate::protocol::events::Event;
use crate::protocol::frame::Scopes;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A connection after its `connect`, as handlers see it. Never changes, but for what the log was told.
#[derive(Debug, Default)]
pub struct Caller {
    pub conn: u64,
    /// The connection's name on the wire, a UUID.
    pub id: String,
    pub protocol: u32,
    pub is_node: bool,
    pub scopes: Scopes,
    pub client_id: String,
    pub mode: String,
    pub device_id: Option<String>,
    /// Where the client is, unless it is on this host.
    pub remote: Option<String>,
    pub caps: Vec<String>,
    /// How it proved itself, and which secret was in force then.
    pub method: &'static str,
    pub generation: u64,
    /// The run whose tool this is.
    pub run: Option<String>,
    /// It was told of as a client that knows more than this gateway.
    pub is_told_of: AtomicBool,
}

impl Caller {
    pub fn new(conn: u64, id: String, admitted: &Admitted, peer: &Peer) -> Caller {
        Caller {
            conn,
            id,
            protocol: admitted.protocol,
            is_node: admitted.role == "node",
            scopes: admitted.scopes.clone(),
            client_id: admitted.client.id.clone(),
            mode: admitted.client.mode.clone(),
            device_id: admitted.device_id.clone(),
            remote: (!peer.is_local && !peer.client.is_loopback()).then(|| peer.client.to_string()),
            caps: admitted.caps.clone(),
            method: admitted.method,
            generation: admitted.generation,
            run: None,
            is_told_of: AtomicBool::new(false),
        }
    }

    /// Notes in the log, once a client, that its params hold members which nobody here knows.
    pub fn tell_unknown(&self, method: &str, members: &[String]) {
        if self.is_told_of.swap(true, Ordering::Relaxed) {
            return;
        }
        let names: Vec<String> =
            members.iter().take(8).map(|name| crate::logging::quoted(name).to_string()).collect();
        log::debug!(
            target: "gateway/ws", "conn={} client={}: {method} ignores members it does not know: {}",
            self.conn, crate::logging::quoted(&self.client_id), names.join(", ")
        );
    }

    /// Whether it was let in by a shared secret that is no longer in force.
    pub fn is_outdated(&self, generation: u64) -> bool {
        matches!(self.method, "token" | "password") && self.generation != generation
    }

    pub fn role(&self) -> &'static str {
        if self.is_node { "node" } else { "operator" }
    }
}

pub struct Client {
    pub caller: Arc<Caller>,
    pub outbox: Arc<Outbox>,
    /// Its key in the presence list, if it has an entry.
    pub presence: Option<String>,
}

#[derive(Default)]
pub struct Clients {
    map: HashMap<u64, Client>,
}

impl Clients {
    pub fn add(&mut self, client: Client) {
        self.map.insert(client.caller.conn, client);
    }

    pub fn remove(&mut self, conn: u64) -> Option<Client> {
        self.map.remove(&conn)
    }

    pub fn get(&self, conn: u64) -> Option<&Client> {
        self.map.get(&conn)
    }

    pub fn len(&self) -> usize {
        self.map.len()
    }

    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.map.values()
    }

    /// Sends an event, serialised once, to everybody it is for.
    pub fn broadcast(&self, event: &'static Event, body: Arc<str>) {
        for client in self.map.values().filter(|c| event.is_for(c.caller.is_node, &c.caller.scopes)) {
            if client.outbox.push_event(event.name, body.clone(), event.backlog) == Pushed::Overflow {
                log::warn!(target: "gateway/ws", "slow consumer conn={}: closed", client.caller.conn);
            }
        }
    }

    /// Sends an event to one connection, if it may have it.
    pub fn send(&self, conn: u64, event: &'static Event, body: Arc<str>) {
        if let Some(client) = self.map.get(&conn)
            && client.outbox.push_event(event.name, body, event.backlog) == Pushed::Overflow
        {
            log::warn!(target: "gateway/ws", "slow consumer conn={conn}: closed");
        }
    }

    /// Closes the connections of a device in a role (all roles if empty).
    pub fn close_device(&self, device_id: &str, role: &str) {
        let is_meant = |c: &&Client| {
            c.caller.device_id.as_deref() == Some(device_id) && (role.is_empty() || c.caller.role() == role)
        };
        for client in self.map.values().filter(is_meant) {
            client.outbox.push(Frame::Close(Close::Revoked));
        }
    }

    pub fn close_all(&self, why: &Close) {
        for client in self.map.values() {
            client.outbox.push(Frame::Close(why.clone()));
        }
    }
}
