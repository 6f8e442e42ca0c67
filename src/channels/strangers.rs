//! What all channels do about who the gate judges: who was let in already, the invitation of a stranger, words of the
//! gateway's own, and the time that stands beside a message. Called by a channel's intake.
use super::accounts::Account;
use super::gate::{self, Asking, Chat, Dropped, Reason, Verdict};
use super::house::{House, Place};
use super::ids::Senders;
use super::pairing::{self, Asked, Pairing};
use crate::clock;
use crate::config::Config;
use crate::deliveries::Inbound;
use crate::error::{Error, Kind as Failure, Result};
use crate::json::{Put, json};
use serde_json::Value;

/// The gate's verdict, with those who were let in at this account. An error where nobody can say who they are and it would be
/// for them to be let in: what is said waits until that is mended.
pub fn judge(house: &dyn House, account: &Account, asking: &Asking) -> Result<Verdict> {
    let login = house.login();
    let (ids, unread) = match files(house).allowed(login) {
        Ok(ids) => (ids, None),
        Err(e) => (Vec::new(), Some(e)),
    };
    show_unread(house, unread.as_ref());
    let ids: Vec<Value> = ids.into_iter().map(Into::into).collect();
    let verdict = gate::judge(account, asking, &Senders::of(&login.platform, &ids));
    let is_unlisted =
        matches!(&verdict, Verdict::Pair | Verdict::Drop(Dropped { reason: Reason::NotAllowed, .. }));
    match unread {
        Some(e) if is_unlisted && asking.chat == Chat::Direct => {
            Err(Error::new(Failure::Io, e.message().to_string()))
        }
        _ => Ok(verdict),
    }
}

/// The file of who was let in cannot be read: told once in the log, and shown until it can.
fn show_unread(house: &dyn House, e: Option<&Error>) {
    const NAME: &str = "pairingProblem";
    let (board, login) = (house.board(), house.login());
    let shown = board.row(login).more.get(NAME).and_then(Value::as_str).map(str::to_string);
    let text = e.map(|e| format!("who was let in is not known, and waits: {}", e.message()));
    if shown == text {
        return;
    }
    if let Some(text) = &text {
        log::error!(target: "channels", "{login}: {text}");
    }
    board.set(login, |row| match text {
        Some(text) => row.more.put(NAME, text),
        None => drop(row.more.remove(NAME)),
    });
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
