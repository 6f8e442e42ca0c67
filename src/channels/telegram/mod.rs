//! Telegram: the client of its Bot API, texts as it takes them, what it sends read back, and the account's threads.
//!
//! `run` is an account's life; `poll` brings what people write, `feed` joins it and has files fetched,
//! `intake` makes turns of it, `sending` delivers. Only `api`
//! talks to Telegram, on its caller's thread; the pieces below take values and give values.
mod buttons;
mod entities;
mod format;
#[cfg(test)]
mod property_tests;
mod reactions;
mod split;
#[cfg(test)]
#[allow(dead_code, reason = "each test uses a part of it")]
mod standin;
mod standing;
#[cfg(test)]
use standin::telegram::html as strict;
mod acts;
mod api;
#[cfg(test)]
mod client_tests;
mod download;
mod drafts;
mod edits;
mod envelope;
mod feed;
mod files;
mod form;
mod hook;
mod incoming_media;
mod intake;
mod issues;
mod joining;
mod judge;
mod late;
mod line;
mod meant;
mod media;
mod media_out;
mod memory;
mod menu;
mod message;
mod migrating;
mod names;
mod offset;
mod outcome;
mod place;
mod poll;
mod presses;
mod probe;
mod rates;
mod reacted;
mod refusal;
mod run;
mod send;
mod sending;
mod signs;
mod target;
#[cfg(test)]
mod tests;
mod token;
mod typed;
mod update;
mod webhook;
mod words;

use super::ids::Ids;
use super::{Channel, Setup};
use crate::config::channels::TELEGRAM as KNOWN;

pub const CHANNEL: Channel = Channel {
    id: KNOWN.id,
    label: KNOWN.label,
    detail: "Telegram Bot",
    image: "paperplane",
    keys: &[
        "enabled",
        "botToken",
        "tokenFile",
        "apiRoot",
        "proxy",
        "network",
        "timeoutSeconds",
        "webhookUrl",
        "webhookSecret",
        "webhookPath",
        "webhookHost",
        "webhookPort",
        // The menu is told at the account's beginning.
        "commands",
        "customCommands",
    ],
    ids: Ids { label: "telegramUserId", short: "tg", are_numbers: true },
    has_topics: true,
    has_buttons: true,
    variable: Some("TELEGRAM_BOT_TOKEN"),
    how: "In Telegram, write /newbot to @BotFather; it gives a token like 123456:ABC-DEF...",
    run: run::run,
    target: target::read,
    probe: probe::probe,
    check: |secret| token::BotToken::read(secret).map(drop),
    sign_in: probe::sign_in,
    issues: issues::issues,
    setup: Some(Setup {
        what: "a Telegram bot",
        token: ("telegram-token", "Connect this Telegram bot; - reads the token from standard input"),
        file: ("telegram-token-file", "Connect the bot whose token is in this file, read at each start"),
        owner: ("telegram-owner", "Let this numeric Telegram id in from the beginning"),
        owner_is: "a number, as 123456789; names can change hands",
    }),
};
