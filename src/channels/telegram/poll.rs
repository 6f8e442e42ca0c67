//! The long poll: asks for updates, has them written, and only then asks for the next ones. On the account's
//! thread; a poll that ends is followed by the next without a pause, one that fails after a pause that grows.
use super::api::Bot;
use super::line::Line;
use super::offset::Position;
use super::outcome::Outcome;
use super::refusal::{Refusal, Why};
use super::run;
use super::update::{Update, What};
use crate::cancel::{Cancel, SLICE};
use crate::deliveries::Inbound;
use crate::error::Result;
use crate::json::json;
use crossbeam_channel::{SendTimeoutError, Sender};
use std::time::Duration;

/// How long Telegram holds a poll that has nothing to tell.
const WAIT: Duration = Duration::from_secs(30);
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

pub fn run(line: &Line, bot: &mut Bot, mut position: Position, inbound: &Sender<Inbound>) -> Result<()> {
    let mut pause = FIRST;
    while !line.is_ending() {
        let failed = match bot.updates(position.next(), WAIT, line.house.cancel()) {
            Outcome::Done(updates) => match take(line, &mut position, updates, inbound) {
                Ok(()) => {
                    pause = FIRST;
                    is_well(line);
                    continue;
                }
                Err(e) => e.to_string(),
            },
            Outcome::Refused(refusal) => match about(line, bot, &refusal)? {
                Some(wait) => {
                    trouble(line, &refusal.text);
                    line.house.sleep(wait)?;
                    continue;
                }
                None => refusal.text,
            },
            Outcome::NotSent(trouble) | Outcome::Unknown(trouble) if trouble.is_cancelled => return Ok(()),
            Outcome::NotSent(trouble) | Outcome::Unknown(trouble) => trouble.text,
        };
        trouble(line, &failed);
        line.house.sleep(pause)?;
        pause = (pause * 2).min(LONGEST);
    }
    Ok(())
}

/// What a refusal asks for: a pause of its own, or `None` for one that grows.
fn about(line: &Line, bot: &mut Bot, refusal: &Refusal) -> Result<Option<Duration>> {
    Ok(match refusal.why {
        Why::Unauthorized | Why::NotFound => {
            let config = line.config();
            run::refused(&*line.house, &line.account(&config))?;
            None
        }
        Why::RetryAfter(time) => Some(time),
        Why::WebhookSet => {
            let cancel: &Cancel = line.house.cancel();
            let params = json!({"drop_pending_updates": false});
            let _ = bot.call("deleteWebhook", &params, super::api::CALL, cancel);
            Some(Duration::from_millis(100))
        }
        // The newer one has it: asked again at once, the two would end each other for ever (R-07b).
        Why::OtherPoller => Some(LONGEST),
        _ => None,
    })
}

/// Has the new ones written, then counts them as taken.
fn take(line: &Line, position: &mut Position, updates: Vec<Update>, inbound: &Sender<Inbound>) -> Result<()> {
    let mut brought = Vec::new();
    let mut ids = Vec::new();
    for update in updates {
        ids.push(update.id);
        if position.is_taken(update.id, update.date()) {
            continue;
        }
        match update.what {
            What::Skipped(kind) => {
                log::debug!(target: "telegram", "[{}] update {} is passed over: {kind}", line.name(), update.id);
            }
            _ => brought.push((format!("{}:{}", line.me.id, update.id), update.raw)),
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    let new = line.house.bring(brought)?;
    ids.into_iter().for_each(|id| position.take(id));
    // What is in the journal is not taken again, whatever this file says.
    if let Err(e) = position.save() {
        log::warn!(target: "telegram", "[{}] {e}", line.name());
    }
    if !new.is_empty() {
        line.house.board().came(line.house.login());
    }
    new.into_iter().for_each(|message| hand_on(line, inbound, message));
    Ok(())
}

/// Waits while too many wait already. What is not handed on when the account ends its next life finds in the journal.
fn hand_on(line: &Line, inbound: &Sender<Inbound>, mut message: Inbound) {
    while let Err(SendTimeoutError::Timeout(again)) = inbound.send_timeout(message, SLICE) {
        if line.is_ending() {
            return;
        }
        message = again;
    }
}

fn is_well(line: &Line) {
    let row = line.house.board().row(line.house.login());
    if !row.is_connected || row.last_error.is_some() {
        line.house.board().set(line.house.login(), |row| {
            (row.is_connected, row.last_error, row.next_try) = (true, None, None);
        });
    }
}

fn trouble(line: &Line, what: &str) {
    if line.is_ending() {
        return;
    }
    let row = line.house.board().row(line.house.login());
    if row.last_error.as_deref() != Some(what) {
        log::warn!(target: "telegram", "[{}] getUpdates: {what}", line.name());
        line.house.board().set(line.house.login(), |row| {
            (row.is_connected, row.last_error) = (false, Some(what.to_string()));
        });
    }
}
