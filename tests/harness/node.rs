//! A node as the apps and node hosts are: it connects in that role, is told what to do, and says what came of it.
use super::{Client, Device, Gateway, Value, Version, json, merge, params};

pub struct Node {
    pub client: Client,
    pub id: String,
    pub hello: Value,
}

/// The connect params of a node that can do these things.
pub fn says(protocol: u32, platform: &str, commands: &[&str]) -> Value {
    let mut said = params(protocol);
    let client = json!({"id": "node-host", "mode": "node", "platform": platform, "displayName": "Stand In", "version": "7"});
    let more = json!({"role": "node", "scopes": [], "client": client, "caps": ["system", "canvas"], "commands": commands,
        "permissions": {"screen": true}, "pathEnv": "/usr/bin:/bin"});
    merge(&mut said, &more);
    said
}

impl Node {
    /// One of this protocol on a platform, connected.
    pub fn new(gateway: &Gateway, protocol: u32, platform: &str, commands: &[&str]) -> Node {
        Node::of(gateway, &Device::new(), says(protocol, platform, commands)).unwrap()
    }

    /// The same on a device of its own; the refusal if it is not let in.
    pub fn of(gateway: &Gateway, device: &Device, said: Value) -> Result<Node, Value> {
        Node::from(Client::open(gateway), device, said)
    }

    /// The same on a connection that is open.
    pub fn from(mut client: Client, device: &Device, mut said: Value) -> Result<Node, Value> {
        let version = if said["maxProtocol"] == 3 { Version::V2 } else { Version::V3 };
        device.attach(&mut said, &client.challenge.clone(), version);
        let hello = client.connect(said)?;
        Ok(Node { client, id: device.id(), hello })
    }

    /// What it is told to do next.
    pub fn told(&mut self) -> Value {
        self.client.event("node.invoke.request")
    }

    /// Its answer to what it was told.
    pub fn answer(&mut self, told: &Value, said: Value) -> Value {
        let mut result = json!({"id": told["id"], "nodeId": self.id, "ok": true});
        merge(&mut result, &said);
        self.client.ok("node.invoke.result", result)
    }

    pub fn event(&mut self, name: &str, payload: Value) -> Value {
        self.client.ok("node.event", json!({"event": name, "payloadJSON": payload.to_string()}))
    }
}
