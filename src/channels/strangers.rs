//! What all channels do about who the gate judges: who was let in already, the invitation of a stranger, words of the
//! gateway's own, and the time that stands beside a message. Called by a channel's intake.
use super::house::{House, Place};
use super::ids::Senders;
use super::pairing::{self, Asked, Pairing};
use crate::clock;
use crate::config::Config;
use crate::deliveries::Inbound;
use crate::error::Result;
use crate::json::{Put, json};
use serde_json::Value;

/// Those who were let in at this account; none where the files cannot be read.
pub fn paired(house: &dyn House) -> Senders {
    let login = house.login();
    let ids = files(house).allowed(login).unwrap_or_default();
    let ids: Vec<Value> = ids.into_iter().map(Into::into).collect();
    Senders::of(&login.platform, &ids)
}

/// A stranger gets a code, once, at this place. `label` is the channel's, `names` are what the platform says of him.
pub fn invite(
    house: &dyn House,
    inbound: &Inbound,
    label: &str,
    id: &str,
    names: &[(&str, &str)],
    to: &Place,
) -> Result<()> {
    let (login, mut notes) = (house.login(), Vec::new());
    let asked = files(house).ask(login, id, names, clock::now_ms(), &mut notes);
    notes.iter().for_each(|note| log::warn!(target: "channels", "{note}"));
    if let Asked::Code(code) = asked? {
        let whose = format!("Your {label} user id");
        let text = pairing::invitation(&house.settings().env, &login.platform, &whose, id, &code);
        say(house, inbound, "pairing", to, &text)?;
    }
    Ok(())
}

/// What who gives a command is told that he may not give there.
pub const NOT_HIS: &str = "You are not authorized to use this command.";

/// Words of the gateway's own in answer to a message, once for what they are about.
pub fn say(house: &dyn House, inbound: &Inbound, about: &str, to: &Place, text: &str) -> Result<()> {
    let mut out = json!({"text": text, "isPlain": true});
    if let (Some(map), Some(thread)) = (out.as_object_mut(), &to.thread) {
        map.put("thread", thread.as_str());
    }
    house.promise(&format!("{}/{about}", inbound.run()), &to.peer, out)
}

/// ` Sun 2026-11-29 10:04 UTC`, as `agents.defaults.envelopeTimestamp` and `envelopeTimezone` want it; empty when off.
pub fn stamp(config: &Config, ms: u64) -> String {
    let text = |key: &str| config.str(&format!("agents.defaults.{key}"));
    if text("envelopeTimestamp") == Some("off") {
        return String::new();
    }
    let zone = match text("envelopeTimezone").map(str::trim) {
        None | Some("" | "local" | "host") => None,
        Some("utc") => Some("UTC"),
        Some("user") => text("userTimezone"),
        zone => zone,
    };
    clock::show(&clock::zoned(ms, zone), " %a %Y-%m-%d %H:%M %Z")
}

fn files(house: &dyn House) -> Pairing {
    Pairing::new(&house.settings().env.state_dir)
}
