//! What the tests share: a running gateway, a client, a scripted model server, the schema check.
//!
//! Waiting is always for a condition with a deadline, never a bare sleep. Every answer and every event a
//! client receives is checked against `schemas/` on the way in.
pub mod browser;
pub mod client;
pub mod device;
pub mod gateway;
pub mod http;
pub mod many_sessions;
pub mod model;
pub mod model_rules;
pub mod model_wire;
pub mod node;
pub mod node_gateway;
pub mod random;
pub mod schemas;
pub mod screen;
pub mod telegram;
pub mod terminal;
pub mod transcript;

pub use browser::Browser;
pub use client::{Client, Closed, params};
pub use device::{Device, Version};
pub use gateway::{Gateway, Setup, TOKEN};
pub use model::{ModelServer, Reply, Step};
pub use node::Node;
pub use random::{Random, setting};
pub use serde_json::{Value, json};
pub use std::time::{Duration, Instant};
pub use transcript::is_uuid;

/// How long a test waits for anything before it fails: long, for a busy machine takes longer over everything.
pub const DEADLINE: Duration = Duration::from_secs(40);

/// Asks `ready` every few milliseconds until it answers; panics with `what` after the deadline.
pub fn wait_for<T>(what: &str, ready: impl FnMut() -> Option<T>) -> T {
    wait_within(DEADLINE, what, ready)
}

/// The same with a deadline of its own.
pub fn wait_within<T>(limit: Duration, what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Overlays `over` on `base`: objects member by member, everything else replaced.
pub fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}
