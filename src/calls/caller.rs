//! Who asks: what `connect` said and proved, and what it was granted. Plain data, never changed afterwards.
use crate::protocol::frame::Scopes;
use std::sync::atomic::{AtomicBool, Ordering};

/// On whose authority something is asked. Set where the asking comes in, never read out of what was said (SEC-34).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Provenance {
    /// A client with a role and scopes of its own.
    #[default]
    Operator,
    /// The owner, by a channel.
    Owner,
    /// Somebody else, by a channel.
    Guest,
    /// A paired device that does things for the gateway.
    Node,
    Hook,
    Cron,
    /// A turn of an agent, by its tools.
    Agent,
}

impl Provenance {
    const ALL: [(Provenance, &'static str); 7] = [
        (Provenance::Operator, "operator"),
        (Provenance::Owner, "owner"),
        (Provenance::Guest, "guest"),
        (Provenance::Node, "node"),
        (Provenance::Hook, "hook"),
        (Provenance::Cron, "cron"),
        (Provenance::Agent, "agent"),
    ];

    pub fn name(self) -> &'static str {
        Provenance::ALL.iter().find(|(provenance, _)| *provenance == self).map_or("guest", |(_, name)| name)
    }

    /// The one of this name, else the least.
    pub fn named(name: &str) -> Provenance {
        Provenance::ALL
            .iter()
            .find(|(_, known)| *known == name)
            .map_or(Provenance::Guest, |(provenance, _)| *provenance)
    }

    pub fn is_any(self) -> bool {
        true
    }

    /// Whether it is the owner's word, or of what he set up himself.
    pub fn is_own(self) -> bool {
        !matches!(self, Provenance::Guest | Provenance::Hook)
    }

    /// Whether the owner asks himself: only for him is arranged what acts later and on its own.
    pub fn is_owners(self) -> bool {
        matches!(self, Provenance::Operator | Provenance::Owner)
    }

    /// Whether somebody wrote it himself: only such words are commands.
    pub fn is_person(self) -> bool {
        matches!(self, Provenance::Operator | Provenance::Owner | Provenance::Guest)
    }
}

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
    /// Where the gateway is for it: scheme, host and port.
    pub at: String,
    /// How it proved itself, and which secret was in force then.
    pub method: &'static str,
    pub generation: u64,
    /// The run whose tool this is.
    pub run: Option<String>,
    pub provenance: Provenance,
    /// It was told of as a client that knows more than this gateway.
    pub is_told_of: AtomicBool,
}

impl Caller {
    /// Notes in the log, once a client, that its params hold members which nobody here knows.
    pub fn tell_unknown(&self, method: &str, members: &[String]) {
        if self.is_told_of.swap(true, Ordering::Relaxed) {
            return;
        }
        let names: Vec<String> =
            members.iter().take(8).map(|name| crate::logging::quoted(name).to_string()).collect();
        crate::logging::debug!(
            target: "gateway/ws", "conn={} client={}: {method} ignores members it does not know: {}",
            super::call::shown(self.conn), crate::logging::quoted(&self.client_id), names.join(", ")
        );
    }

    /// Whether it was let in by a shared secret that is no longer in force, or by a code of that time.
    pub fn is_outdated(&self, generation: u64) -> bool {
        matches!(self.method, "token" | "password" | "code") && self.generation != generation
    }

    /// As a node: its device, or what it calls itself where it has shown none.
    pub fn node_id(&self) -> &str {
        self.device_id.as_deref().unwrap_or(&self.client_id)
    }

    /// Whose requests and answers count together: a device's, an address's, or those of a part of this process.
    pub fn owner(&self) -> &str {
        self.device_id.as_ref().or(self.remote.as_ref()).unwrap_or(&self.client_id)
    }

    pub fn role(&self) -> &'static str {
        if self.is_node { "node" } else { "operator" }
    }
}
