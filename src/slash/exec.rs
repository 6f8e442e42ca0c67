//! `/exec` and `/elevated` as words, and who may raise commands. Pure.
use super::{At, check_one};
use crate::approvals::mode::{Mode, elevated};
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::parts::Parts;
use serde_json::Value;

/// What the words at the start of `line` say, and how many bytes of it they are: up to the first that says nothing.
pub fn take(line: &str) -> (Mode, usize) {
    let (mut mode, mut len) = (Mode::default(), 0);
    loop {
        let rest = line.tail(len);
        let blank = rest.len() - rest.trim_start().len();
        let Some(word) = rest.split_whitespace().next().filter(|word| mode.takes(word)) else {
            return (mode, len);
        };
        len += blank + word.len();
    }
}

/// An entry of a list of senders, or a sender's id, without what may stand before it at this channel.
pub type Bare = for<'t> fn(&str, &'t str) -> &'t str;

/// How far commands of a turn are raised where neither its message nor its session says: as the configuration has it for
/// who may raise them himself.
pub fn usual(config: &Config, at: &At, bare: Bare) -> Option<&'static str> {
    let level = config.str("agents.defaults.elevatedDefault").and_then(elevated)?;
    let may = || check_one(at, "elevated").and_then(|()| may_elevate(config, at, bare)).is_ok();
    (level != "off" && may()).then_some(level)
}

/// Whether who writes may raise commands, by `tools.elevated`: the owner, from where the configuration lets him.
pub fn may_elevate(config: &Config, at: &At, bare: Bare) -> Result<()> {
    let refused = |gate: String| {
        let text = format!("elevated commands are not open here: {gate}. Nothing was changed");
        Err(Error::new(Kind::Forbidden, text))
    };
    if config.get("tools.elevated.enabled") == Some(&Value::Bool(false)) {
        return refused("tools.elevated.enabled is false".to_string());
    }
    // Clients of the gateway itself are one channel, whatever they ask by.
    let channel = if at.channel.is_empty() { "webchat" } else { at.channel.as_str() };
    let own = bare(channel, &at.sender);
    let list = config.get_in(&["tools", "elevated", "allowFrom", channel]).and_then(Value::as_array);
    let is_listed = list.into_iter().flatten().any(|entry| {
        let entry = entry.as_str().map_or_else(|| entry.to_string(), str::to_string);
        let entry = bare(channel, &entry);
        entry == "*" || (entry == own && !own.is_empty())
    });
    match is_listed {
        true => Ok(()),
        false => refused(format!("tools.elevated.allowFrom.{channel} does not name {own}")),
    }
}
