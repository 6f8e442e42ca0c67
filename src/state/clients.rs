//! The connected clients: who they are, and sending them events.
use crate::calls::Caller;
use crate::calls::outbox::{Frame, Outbox, Pushed};
use crate::metrics::{self, Metric};
use crate::protocol::close::Close;
use crate::protocol::events::Event;
use crate::protocol::pieces::Pieces;
use std::collections::HashMap;
use std::sync::Arc;

pub struct Client {
    pub caller: Arc<Caller>,
    pub outbox: Arc<Outbox>,
    /// Its key in the presence list, if it has an entry.
    pub presence: Option<String>,
    /// What it calls itself, its platform and its version.
    pub about: [Box<str>; 3],
    /// When it came, epoch milliseconds.
    pub since: u64,
}

#[derive(Default)]
pub struct Clients {
    map: HashMap<u64, Client>,
}

impl Clients {
    pub fn add(&mut self, client: Client) {
        self.map.insert(client.caller.conn, client);
        metrics::set(Metric::Clients, self.map.len());
    }

    pub fn remove(&mut self, conn: u64) -> Option<Client> {
        let client = self.map.remove(&conn);
        metrics::set(Metric::Clients, self.map.len());
        client
    }

    pub fn get(&self, conn: u64) -> Option<&Client> {
        self.map.get(&conn)
    }

    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.map.values()
    }

    /// Sends an event, whose frame all have in common, to everybody it is for.
    pub fn emit(&self, event: &'static Event, body: Arc<Pieces>) {
        crate::logging::debug!(target: "gateway/ws", "event {} clients={}", event.name, self.map.len());
        for client in self.map.values().filter(|c| event.is_for(c.caller.is_node, &c.caller.scopes)) {
            if client.outbox.push_event(event.name, body.clone(), event.backlog) == Pushed::Overflow {
                log::warn!(target: "gateway/ws", "slow consumer conn={}: closed", client.caller.conn);
            }
        }
    }

    /// Sends an event to one connection, if it may have it.
    pub fn send(&self, conn: u64, event: &'static Event, body: Arc<Pieces>) {
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
