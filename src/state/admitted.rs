//! A connection that was let in: what it said of itself and proved, and what it was granted. Made on the connection's
//! thread, taken by the state thread. Plain data.
use crate::calls::{Caller, Provenance};
use crate::device::pairing::{Change, Paired};
use crate::nodes::node::Announced;
use crate::params::params;
use crate::protocol::frame::Scopes;
use std::time::Instant;

params! {
    #[derive(Debug, Clone, Default)]
    pub struct Client {
        pub id: String,
        pub display_name: Option<String>,
        pub version: String,
        pub platform: String,
        pub device_family: Option<String>,
        pub model_identifier: Option<String>,
        pub mode: String,
        pub instance_id: Option<String>,
    }
}

/// A connection that may go on, with what it was granted.
/// No `Debug`: it holds the device token.
pub struct Admitted {
    pub protocol: u32,
    pub role: String,
    pub scopes: Scopes,
    pub client: Client,
    pub caps: Vec<String>,
    /// What a node says of itself beside.
    pub node: Option<Box<Announced>>,
    pub device_id: Option<String>,
    pub device_token: Option<Paired>,
    /// How it proved itself: `token`, `password`, `device-token` or `tailscale`.
    pub method: &'static str,
    /// Which secret was in force when it did.
    pub generation: u64,
    /// What the pairing store changed, to be announced.
    pub change: Change<()>,
    /// When the decision began: what was revoked since then, it may not have known.
    pub since: Instant,
}

impl Admitted {
    /// The connection as handlers see it.
    pub fn caller(&self, conn: u64, id: String, remote: Option<String>) -> Caller {
        let is_node = self.role == "node";
        Caller {
            conn,
            id,
            protocol: self.protocol,
            is_node,
            scopes: self.scopes.clone(),
            client_id: self.client.id.clone(),
            mode: self.client.mode.clone(),
            device_id: self.device_id.clone(),
            remote,
            caps: self.caps.clone(),
            method: self.method,
            generation: self.generation,
            provenance: if is_node { Provenance::Node } else { Provenance::Operator },
            ..Caller::default()
        }
    }
}
