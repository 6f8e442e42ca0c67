//! Heartbeats as data: which agents have one and how (`beat`), at which hours (`hours`), whether HEARTBEAT.md asks for
//! anything (`file`), what an answer means (`ack`), what becomes of it (`outcome`). `state/heartbeat.rs` runs them.
//!
//! Pure, but for `file` and the zones of `hours`, which read files and so are not for the state thread.
pub mod ack;
mod beat;
mod file;
mod hours;
mod outcome;

pub use beat::{Beat, Shows, agents};
pub use file::{Standing, standing};
pub use outcome::{Deed, Rules, event};

use crate::config::Config;
use crate::env::Env;
use crate::logging::quoted;
use crate::models::provider::BUILTIN;
use crate::slash::names::choice;
use serde_json::Value;

/// Says in the log what of the settings cannot be taken. Reads files.
pub fn tell_wrong(config: &Config, env: &Env) {
    for (key, why) in wrong(config, env) {
        log::warn!(target: "gateway/heartbeat", "{key}: {why}");
    }
}

/// What of the settings cannot be taken as it stands: the key, why, and what holds instead.
pub fn wrong(config: &Config, env: &Env) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (place, own) in beat::sections(config) {
        let mut tell = |name: &str, why: Option<String>| {
            all.extend(why.map(|why| (format!("{place}.{name}"), why)));
        };
        if let Some(hours) = own.get("activeHours") {
            hours::wrong(hours)
                .into_iter()
                .for_each(|(name, why)| tell(&format!("activeHours.{name}"), Some(why)));
        }
        tell("target", beat::wrong_target(config, own));
        tell("accountId", beat::wrong_account(config, own));
        let model = own.get("model").and_then(Value::as_str).map(str::trim).filter(|model| !model.is_empty());
        let wrong = |model: &str| {
            Some(format!("{} cannot be used: {}", quoted(model), choice(config, env, model, BUILTIN).err()?))
        };
        tell("model", model.and_then(wrong));
    }
    all
}
