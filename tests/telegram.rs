//! Telegram against the strict stand-in of its Bot API: a person writes, a turn answers.
use super::harness::model::texts;
use super::harness::telegram::{BOT_TOKEN, Telegram};
use super::harness::*;

/// A stand-in of the Bot API with somebody who writes: Ann, 1001.
pub fn ann() -> Telegram {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    telegram
}

/// A gateway with one bot, and a model that gives these answers.
pub fn with_bot(telegram: &Telegram, more: Value, replies: Vec<Reply>) -> (ModelServer, Gateway) {
    with_bot_in(telegram, more, replies, Vec::new())
}

/// The same, started by a program (`Setup::under`).
pub fn with_bot_in(
    telegram: &Telegram,
    more: Value,
    replies: Vec<Reply>,
    under: Vec<String>,
) -> (ModelServer, Gateway) {
    let server = ModelServer::start(replies);
    let config = with_telegram(telegram, &server, more);
    let gateway = Gateway::start(&Setup { under, ..Setup::config(config) });
    (server, gateway)
}

/// The configuration of these, with `more`.
pub fn with_telegram(telegram: &Telegram, server: &ModelServer, more: Value) -> Value {
    let mut config = server.config();
    merge(
        &mut config,
        &json!({"channels": {"telegram": {
        "botToken": BOT_TOKEN, "apiRoot": telegram.root(), "dmPolicy": "allowlist", "allowFrom": ["1001"]}}}),
    );
    merge(&mut config, &more);
    config
}

/// The bot's texts in a chat, when there are so many.
pub fn said(telegram: &Telegram, chat: i64, n: usize) -> Vec<String> {
    wait_for("the bot's words", || Some(telegram.texts(chat)).filter(|texts| texts.len() >= n))
}

#[test]
fn a_message_is_answered_and_a_stranger_is_not() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    telegram.user(1002, "Bob", "bob");
    let (server, _gateway) = with_bot(&telegram, json!({}), vec![texts(&["hello ", "**Ann**"])]);
    telegram.says(1002, 1002, "let me in");
    telegram.says(1001, 1001, "hi");
    let texts = said(&telegram, 1001, 1);
    assert_eq!(texts.last().map(String::as_str), Some("hello Ann"), "{texts:?}");
    assert_eq!(server.count(), 1);
}
