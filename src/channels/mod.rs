//! Channels: the messaging platforms by which people reach the gateway. A row in [`CHANNELS`] and a folder each.
//!
//! What a channel is given of the gateway is a [`house::House`]; what all channels share (accounts, gate, mention, pairing,
//! Markdown) is a file a piece, pure where it can be. A channel's threads are its own; the house above starts and ends them.
#![allow(dead_code, reason = "wired piece by piece")]
pub mod accounts;
pub mod board;
mod crew;
mod doubt;
pub mod gate;
mod graphemes;
pub mod house;
pub mod ids;
pub mod issues;
mod levels;
mod markdown;
pub mod mention;
pub mod outgoing;
pub mod pairing;
mod patterns;
mod said;
mod telegram;
pub mod token;
pub mod told;

use crate::config::Config;
use crate::env::Env;
use crate::error::Result;
use crate::settings::Secret;
use accounts::Account;
use house::{House, Place};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// A messaging platform.
pub struct Channel {
    /// Its key below `channels` of the configuration, and its name on the wire.
    pub id: &'static str,
    pub label: &'static str,
    pub detail: &'static str,
    /// The name of its picture in the apps of the original.
    pub image: &'static str,
    /// The keys of an account on which its connection depends; the others are read where they are used.
    pub keys: &'static [&'static str],
    /// Carries for one account until it is to end, on the account's thread. `Ok` ends it for good; after an error it is
    /// started again.
    pub run: fn(Arc<dyn House>) -> Result<()>,
    /// The place that somebody names, as he types it.
    pub target: fn(&str) -> Result<Place>,
    /// Asks the platform about an account, for this long at most: `probe` and `audit` of its row.
    pub probe: fn(&Account, &Env, Duration) -> Map<String, Value>,
    /// Tries a token of an account before it is written; the name that it signs in as. `Unavailable` when nobody can say.
    pub sign_in: fn(&Account, &Secret, Duration) -> Result<String>,
}

/// All of them.
pub const CHANNELS: &[Channel] = &[telegram::CHANNEL];

pub fn named(id: &str) -> Option<&'static Channel> {
    CHANNELS.iter().find(|channel| channel.id == id)
}

/// Whether the configuration speaks of the channel and does not switch it off.
pub fn is_on(config: &Config, channel: &str) -> bool {
    let is = |at: Option<&Value>, on: bool| at.and_then(|at| at.get("enabled")) == Some(&Value::Bool(on));
    let section = config.whole().get("channels").and_then(|all| all.get(channel));
    let plugin = config.whole().get("plugins").and_then(|all| all.get("entries")?.get(channel));
    !is(section, false) && !is(plugin, false) && (section.is_some() || is(plugin, true))
}

/// The channels that the configuration knows.
pub fn names() -> impl Iterator<Item = &'static str> {
    let name = |path: &'static str| path.strip_prefix("channels.").filter(|name| !name.contains('.'));
    crate::config::keys::all().filter_map(move |key| name(key.path))
}

/// What lists call a sender's id.
pub fn id_label(channel: &str) -> &'static str {
    if channel == "telegram" { "telegramUserId" } else { "userId" }
}
