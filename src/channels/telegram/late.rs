//! What waited for longer than its words are worth: it is not sent any more, and its chat is told. On a sender's thread.
use super::acts::{self, Next};
use super::api::Bot;
use super::line::Line;
use super::outcome::Outcome;
use super::refusal::Why;
use super::sending::{got_through, not_taken, refused, sent};
use super::words;
use crate::channels::accounts::Account;
use crate::channels::house::Became;
use crate::channels::markdown::Text;
use crate::channels::outgoing::Outgoing;
use crate::clock;
use crate::deliveries::Delivery;
use serde_json::Value;

/// For how many minutes a delivery has waited, if that is longer than its words are worth (`dropAfterMinutes`).
pub fn waited(account: &Account, delivery: &Delivery) -> Option<u64> {
    let most = account.get("dropAfterMinutes").and_then(Value::as_u64).unwrap_or(10);
    let waited = clock::now_ms().saturating_sub(delivery.ts) / 60_000;
    (most > 0 && waited >= most).then_some(waited)
}

/// What its chat reads instead.
pub fn notice(waited: u64) -> Text {
    words::plain(format!(
        "⚠️ What was to be said here could not be sent for {waited} minutes and was dropped: ask again if you still need it."
    ))
}

/// Its chat is told once for all that waits: the notice is tried until it is there, and stands for nothing that was to be said.
pub fn drop(line: &Line, bot: &mut Bot, delivery: &Delivery, out: &Outgoing, waited: u64) -> Became {
    let why = format!("it waited for {waited} minutes (channels.telegram.dropAfterMinutes)");
    if line.rates.has_told_late(&delivery.to) {
        return Became::Refused(why);
    }
    let mut call = match acts::next(line, delivery, out, Some(waited)) {
        Ok(Next::Call(call)) => *call,
        Err(e) if e.retryable() => return not_taken(line, delivery, e.message()),
        Ok(Next::Skip(_)) | Err(_) => return Became::Refused(why),
    };
    line.rates.spend(&delivery.to);
    match sent(line, bot, &mut call) {
        Outcome::NotSent(trouble) => return not_taken(line, delivery, &trouble.text),
        Outcome::Refused(refusal) if matches!(refusal.why, Why::RetryAfter(_) | Why::Unauthorized) => {
            return refused(line, bot, delivery, out, call, &refusal);
        }
        Outcome::Done(_) => {
            line.rates.went(&delivery.to);
            got_through(line);
        }
        // The chat takes none, or it may have come.
        Outcome::Refused(_) | Outcome::Unknown(_) => {}
    }
    line.rates.told_late(&delivery.to);
    Became::Refused(why)
}
