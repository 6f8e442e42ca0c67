//! Channels as programs: whatever speaks JSON lines on its standard input and output (docs/channel-programs.md).
//!
//! `wire` is the lines, `child` the process, `run` the life of an account and its way out, `listen` what the program says,
//! `obstacle` why none can be started, `intake` what becomes of a message, with `past` (what a group said) and `keeping` (what waits until something is mended), `outward` what is to be sent, `drafts` what is being written. A program is trusted with its platform and with nothing else: what it does wrong ends
//! its account, which the supervisor starts again.
mod child;
mod drafts;
mod hands;
mod intake;
mod joining;
mod keeping;
mod listen;
mod media;
pub mod obstacle;
mod outward;
mod past;
mod run;
mod wire;

use super::Channel;
use super::accounts::Account;
use super::house::Place;
use super::ids::TEXTS;
use crate::config::OF_PROGRAMS;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::settings::Secret;
use serde_json::{Map, Value};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Names that get a row in the life of a process.
const MOST: usize = 64;

/// The row of the channel of this name.
pub fn row(id: &str) -> Option<&'static Channel> {
    static ROWS: Mutex<Vec<&'static Channel>> = Mutex::new(Vec::new());
    let mut rows = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = rows.iter().find(|row| row.id == id).copied();
    if known.is_some() || rows.len() >= MOST || !is_name(id) {
        return known;
    }
    // Kept for the life of the process: there are as many as configurations have names.
    let how = format!("Its program signs in by itself: set what it needs below channels.{id}");
    let (id, label, how) = (id.to_string().leak(), label(id).leak(), how.leak());
    let row = Channel {
        id,
        label,
        detail: "Program",
        image: "puzzlepiece",
        keys: &[],
        ids: TEXTS,
        has_topics: false,
        has_buttons: false,
        variable: None,
        how,
        run: run::run,
        target,
        probe,
        check: |_| Ok(()),
        sign_in,
        issues: |_| Vec::new(),
        setup: None,
    };
    rows.push(Box::leak(Box::new(row)));
    rows.last().copied()
}

fn target(text: &str) -> Result<Place> {
    let peer = text.trim().to_string();
    match peer.is_empty() {
        true => Err(Error::invalid("give the place to send to: the id of a person or chat")),
        false => Ok(Place { peer, ..Place::default() }),
    }
}

/// Its program says of itself what there is to say.
fn probe(_: &Account, _: &Env, _: Duration) -> Map<String, Value> {
    Map::new()
}

/// It has no token here.
fn sign_in(account: &Account, _: &Secret, _: Duration) -> Result<String> {
    Err(Error::invalid(row(account.channel).map_or("its program signs in by itself", |row| row.how)))
}

/// Whether the account's program is named, be it rightly or not, or found.
pub fn is_there(account: &Account, env: &Env) -> bool {
    !matches!(child::command(account, env), Ok(None))
}

/// Fit for the names of files and of programs.
fn is_name(id: &str) -> bool {
    let is_fit = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    id.len() <= 32 && id.bytes().all(is_fit) && id.starts_with(|c: char| c.is_ascii_lowercase())
}

fn label(id: &str) -> String {
    let known = [
        ("bluebubbles", "BlueBubbles"),
        ("googlechat", "Google Chat"),
        ("imessage", "iMessage"),
        ("irc", "IRC"),
        ("line", "LINE"),
        ("msteams", "Microsoft Teams"),
        ("whatsapp", "WhatsApp"),
    ];
    let known = known.into_iter().find(|(name, _)| *name == id).map(|(_, label)| label.to_string());
    known.unwrap_or_else(|| {
        let mut letters = id.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
    })
}

/// What an account's program is told of the configuration, and which one it is: it is started anew when that changes.
pub fn mark(account: &Account) -> Value {
    let command = account.get("command").cloned().unwrap_or_default();
    Value::Array(vec![command, own(account).into()])
}

/// What the configuration says to the program, the account's own over the channel's.
fn own(account: &Account) -> Map<String, Value> {
    let mut own = Map::new();
    for level in [account.top(), account.own()] {
        let members = level.and_then(Value::as_object).into_iter().flatten();
        let members = members.filter(|(name, _)| !OF_PROGRAMS.contains(&name.as_str()));
        own.extend(members.map(|(name, value)| (name.clone(), value.clone())));
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    #[test]
    fn a_name_gets_one_row_and_only_fit_ones_do() {
        let row = |id| super::row(id).map(|row| (row.id, row.label));
        assert_eq!(row("whatsapp"), Some(("whatsapp", "WhatsApp")));
        assert_eq!(row("my-chat"), Some(("my-chat", "My-chat")));
        assert!(std::ptr::eq(super::row("my-chat").unwrap(), super::row("my-chat").unwrap()));
        for id in ["", "../x", "A", "1a", "a.b", "modelByChannel", &"a".repeat(33)] {
            assert_eq!(row(id), None, "{id}");
        }
    }

    #[test]
    fn a_program_is_told_what_is_its_own() {
        let dir = Dir::new();
        let text = "{channels: {signal: {command: ['x'], allowFrom: ['+1'], number: 5, key: 'top', \
                    accounts: {work: {key: 'own', groups: {}}}}}}";
        let config = dir.config(text);
        let account = Account::of(&config, "signal", "work");
        assert_eq!(Value::from(own(&account)), crate::json::json!({"number": 5, "key": "own"}));
    }
}
