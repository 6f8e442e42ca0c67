//! What the gateway says to `openclaw status`: whether it answers, and, where its files are not here, what it serves.
use super::trouble;
use crate::cli::Context;
use crate::cli::far;
use crate::cli::link::connect::connect;
use crate::cli::link::rpc;
use crate::cli::link::target::Target;
use crate::cli::parse::Args;
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::json;
use serde_json::Value;
use std::time::Instant;

/// Days that `--usage` counts.
pub const USAGE_DAYS: u64 = 30;

/// What asking the gateway gave.
#[derive(Default)]
pub struct Gateway {
    pub target: Option<Target>,
    pub latency_ms: Option<u64>,
    pub version: Option<String>,
    pub host: Option<String>,
    /// The snapshot it gave at the start.
    pub snapshot: Value,
    /// What it says of itself.
    pub summary: Option<Value>,
    /// The same, where it counts for sessions too: where its files are not here or not those it runs with.
    pub told: Option<Value>,
    pub health: Option<Value>,
    /// Its channels, where something is wrong with one, or all is asked for.
    pub channels: Option<Value>,
    pub usage: Option<Value>,
    pub cost: Option<Value>,
    pub error: Option<Error>,
}

impl Gateway {
    /// The agent that it asks when none is named.
    pub fn default_id(&self) -> String {
        let id = self.snapshot.get("defaultAgentId").and_then(Value::as_str);
        id.unwrap_or("main").to_string()
    }
}

/// Connects and says what the gateway told; only a wrong command line is an error.
pub fn ask(context: &Context, args: &Args, env: &Env, config: &Config) -> Result<Gateway> {
    let target = match Target::resolve(env, config, args) {
        Ok(target) => target,
        Err(error) => return Ok(Gateway { error: Some(error), ..Gateway::default() }),
    };
    let deadline = rpc::deadline(context, args)?;
    let started = Instant::now();
    let mut gateway = Gateway { target: Some(target.clone()), ..Gateway::default() };
    match connect(&target, &env.state_dir, &[], deadline) {
        Ok(mut session) => {
            gateway.latency_ms = Some(started.elapsed().as_millis() as u64);
            gateway.version =
                session.hello.pointer("/server/version").and_then(Value::as_str).map(str::to_string);
            let present = session.hello.pointer("/snapshot/presence").and_then(Value::as_array);
            let own = present
                .into_iter()
                .flatten()
                .find(|row| row.get("mode").is_some_and(|mode| mode == "gateway"));
            gateway.host = own.and_then(|row| row.get("host")?.as_str()).map(str::to_string);
            gateway.snapshot = session.hello.pointer("/snapshot/health").cloned().unwrap_or_default();
            let is_elsewhere = far::address(env, config, args).is_some();
            let is_asked = is_elsewhere || !config.is_valid();
            let is_all = ["json", "deep", "all"].iter().any(|flag| args.has(flag));
            let are_asked = is_all || trouble::shows(&gateway.snapshot);
            let more: [(bool, &str, Value, &mut Option<Value>); 5] = [
                (true, "status", json!({}), &mut gateway.summary),
                (are_asked, "channels.status", json!({}), &mut gateway.channels),
                (args.has("deep"), "health", json!({"probe": true}), &mut gateway.health),
                (args.has("usage"), "usage.status", json!({}), &mut gateway.usage),
                (args.has("usage"), "usage.cost", json!({"days": USAGE_DAYS}), &mut gateway.cost),
            ];
            for (_, method, params, slot) in more.into_iter().filter(|(wanted, ..)| *wanted) {
                match rpc::request(&mut session, &target, method, &params, false) {
                    Ok(answer) => *slot = Some(answer),
                    Err(error) => gateway.error = Some(error),
                }
            }
            gateway.told = gateway.summary.clone().filter(|_| is_asked);
            session.client.close();
        }
        Err(error) => gateway.error = Some(error),
    }
    Ok(gateway)
}
