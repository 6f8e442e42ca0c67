//! Channels: the messaging platforms by which people reach the gateway. A row in [`CHANNELS`] and a folder each.
//!
//! What a channel is given of the gateway is a [`house::House`]; what all channels share (accounts, gate, mention, pairing,
//! Markdown) is a file a piece, pure where it can be. A channel's threads are its own; the house above starts and ends them.
pub mod accounts;
pub mod blocks;
pub mod board;
mod crew;
pub mod doubt;
#[cfg(test)]
pub mod echo;
pub mod gate;
mod graphemes;
pub mod house;
pub mod ids;
pub mod issues;
pub mod kept;
mod levels;
mod markdown;
pub mod mention;
pub mod outgoing;
pub mod pairing;
mod patience;
pub mod patterns;
mod program;
mod said;
mod strangers;
mod telegram;
pub mod token;
pub mod told;

use crate::config::{Config, has_command};
use crate::env::Env;
use crate::error::Result;
use crate::settings::Secret;
use accounts::Account;
use house::{House, Place};
use ids::Ids;
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
    /// The keys of an account on which its connection depends; the others are read where they are used. None: a program
    /// is told of all that the gateway itself does not read.
    pub keys: &'static [&'static str],
    /// How its people are called.
    pub ids: Ids,
    /// A thread of a group is a topic of it, in the names of sessions.
    pub has_topics: bool,
    /// A message may have buttons.
    pub has_buttons: bool,
    /// The variable that may hold the token of the account `default`. None: it signs in without a token.
    pub variable: Option<&'static str>,
    /// How an account signs in, for whoever adds one.
    pub how: &'static str,
    /// Carries for one account until it is to end, on the account's thread. `Ok` ends it for good; after an error it is
    /// started again.
    pub run: fn(Arc<dyn House>) -> Result<()>,
    /// The place that somebody names, as he types it.
    pub target: fn(&str) -> Result<Place>,
    /// Asks the platform about an account, for this long at most: `probe` and `audit` of its row.
    pub probe: fn(&Account, &Env, Duration) -> Map<String, Value>,
    /// Whether this may be one of its tokens at all; nobody is asked. The error says what helps.
    pub check: fn(&Secret) -> Result<()>,
    /// Tries a token of an account before it is written; the name that it signs in as. `Unavailable` when nobody can say.
    pub sign_in: fn(&Account, &Secret, Duration) -> Result<String>,
    /// What is wrong with an account, beside what all channels tell of, by its row of `channels.status`.
    pub issues: fn(&Map<String, Value>) -> Vec<issues::Told>,
    /// How whoever sets up the gateway is asked for an account, where he is.
    pub setup: Option<Setup>,
}

/// The words of a setup for one channel. Options: name, and what they do.
#[derive(Clone, Copy)]
pub struct Setup {
    /// What is connected.
    pub what: &'static str,
    pub token: (&'static str, &'static str),
    pub file: (&'static str, &'static str),
    /// Who is let in from the beginning, and what names him.
    pub owner: (&'static str, &'static str),
    pub owner_is: &'static str,
}

impl Channel {
    /// Spoken for by a program, which knows its places and links.
    pub fn is_program(&self) -> bool {
        self.keys.is_empty()
    }
}

/// All that are built in.
pub const CHANNELS: &[Channel] = &[
    telegram::CHANNEL,
    #[cfg(test)]
    echo::CHANNEL,
];

/// What a setup asks for: an account of the first channel.
pub const SETUP: Setup = match CHANNELS {
    [Channel { setup: Some(setup), .. }, ..] => *setup,
    _ => Setup { what: "a bot", token: ("", ""), file: ("", ""), owner: ("", ""), owner_is: "" },
};

/// One that is built in.
pub fn named(id: &str) -> Option<&'static Channel> {
    CHANNELS.iter().find(|channel| channel.id == id)
}

/// Those that the configuration switches on: built in, or spoken for by a program.
pub fn on(config: &Config) -> Vec<&'static Channel> {
    here(config).filter(|channel| is_on(config, channel.id)).collect()
}

/// Whether words can be sent to a channel of this name, or to the `last` one; why not.
pub fn check_named(config: &Config, given: &str) -> std::result::Result<(), String> {
    let on = on(config);
    let names: Vec<&str> = ["last"].into_iter().chain(on.iter().map(|channel| channel.id)).collect();
    if names.contains(&given) {
        return Ok(());
    }
    let must = format!("channel must be {}", names.join("|"));
    Err(match of(config, given) {
        Some(channel) => {
            format!("{must}: {} is not configured; openclaw channels add --channel {0}", channel.id)
        }
        None => must,
    })
}

/// All that this gateway has or is to have: those that are built in, and the programs that the configuration names.
pub fn here(config: &Config) -> impl Iterator<Item = &'static Channel> {
    CHANNELS.iter().chain(programs(config))
}

/// The channel of this name, as the configuration has it.
pub fn of(config: &Config, id: &str) -> Option<&'static Channel> {
    named(id).or_else(|| programs(config).find(|channel| channel.id == id))
}

/// Whether there is such a channel, here or in the original program: built in, known by name, or spoken for by a program.
pub fn is_known(config: &Config, id: &str) -> bool {
    names().any(|name| name == id) || of(config, id).is_some()
}

/// The channels whose strangers may wait: all that are known or switched on, and those that there are files of.
pub fn paired(config: &Config, pairing: &pairing::Pairing) -> Vec<String> {
    let mut all: Vec<String> = names().map(str::to_string).collect();
    let ids = on(config).into_iter().map(|channel| channel.id.to_string());
    let more: Vec<String> = ids.filter(|id| !all.contains(id)).collect();
    all.extend(more);
    pairing.add_others(&mut all);
    all
}

/// Sections whose channel is not built in: of a name that is known, or that name their program.
fn programs(config: &Config) -> impl Iterator<Item = &'static Channel> {
    let all = config.whole().get("channels").and_then(Value::as_object).into_iter().flatten();
    let is_one = |id: &str, section: &Value| {
        let is_known = names().any(|name| name == id) || has_command(section);
        section.is_object() && named(id).is_none() && is_known
    };
    all.filter(move |(id, section)| is_one(id, section)).filter_map(|(id, _)| program::row(id))
}

/// What an account's connection depends on: it is started anew when that changes.
pub fn mark(channel: &Channel, account: &accounts::Account) -> Value {
    match channel.keys {
        [] => program::mark(account),
        keys => {
            let own = keys.iter().map(|key| account.get(key).cloned().unwrap_or_default());
            own.chain(account.config.get("commands.native").cloned()).collect()
        }
    }
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
    let name = |path: &'static str| path.strip_prefix("channels.").filter(|name| !name.contains(['.', '*']));
    crate::config::keys::all().filter_map(move |key| name(key.path))
}

/// Why the program of an account cannot be started, where one is to speak for it, and what helps. Looks at files.
pub fn obstacle(channel: &Channel, account: &Account, env: &Env) -> Option<issues::Told> {
    channel.is_program().then(|| program::obstacle::of(account, env))?
}

/// Whether somebody speaks for the channel here: the gateway itself, or a program that is named or found, as the start of
/// its accounts asks. Looks at files.
pub fn is_spoken_for(config: &Config, env: &Env, id: &str) -> bool {
    let Some(channel) = of(config, id) else { return false };
    let has_program = |id: String| program::is_there(&Account::of(config, channel.id, &id), env);
    !channel.is_program() || accounts::ids(config, channel.id).into_iter().any(has_program)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::channels::KNOWN;

    /// Issue 10, "How to add": a row here and its folder, a row of `config/channels` and its file.
    #[test]
    fn i10_each_channel_whose_keys_are_checked_has_its_row_here() {
        for known in KNOWN {
            let channel = named(known.id).unwrap_or_else(|| panic!("{}: a row in CHANNELS", known.id));
            assert_eq!(channel.label, known.label);
            let section = format!("channels.{}", known.id);
            let is_below = |path: &str| {
                path.strip_prefix(&section).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            for key in known.keys {
                assert!(is_below(key.path), "{} is not of {section}", key.path);
            }
            for key in channel.keys {
                assert!(
                    known.keys.iter().any(|row| row.path.starts_with(&format!("{section}.{key}"))),
                    "{section}.{key}"
                );
            }
        }
    }
}
