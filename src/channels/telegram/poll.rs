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
use crate::clock;
use crate::deliveries::Inbound;
use crate::error::Result;
use crate::json::json;
use crate::logging::{quoted, warn_once};
use crossbeam_channel::{SendTimeoutError, Sender};
use std::collections::HashMap;
use std::time::Duration;

/// How long Telegram holds a poll that has nothing to tell.
const WAIT: Duration = Duration::from_secs(30);
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// After a newer poller took over, at first and at most.
const OTHER: Duration = Duration::from_secs(5);
const OTHERS: Duration = Duration::from_secs(60);

pub fn run(line: &Line, bot: &mut Bot, mut position: Position, inbound: &Sender<News>) -> Result<()> {
    let (mut pause, mut fight) = (FIRST, OTHER);
    while !line.is_ending() {
        // After trouble the first answer comes at once, so that it is seen when the trouble is over.
        let is_well = line.house.board().row(line.house.login()).is_connected;
        let wait = if is_well { wait(line) } else { Duration::ZERO };
        let failed = match bot.updates(position.next(), wait, line.house.cancel()) {
            Outcome::Done(updates) => match store(line, &mut position, updates) {
                Ok(new) => {
                    new.into_iter().for_each(|message| hand_on(line, inbound, message));
                    keep(line, &mut position);
                    pause = FIRST;
                    // A short poll may come between two of another poller.
                    if is_well {
                        fight = OTHER;
                    }
                    self::is_well(line);
                    continue;
                }
                Err(e) => e.to_string(),
            },
            Outcome::Refused(refusal) => match about(line, bot, &refusal, &mut fight)? {
                Some(wait) => {
                    trouble(line, &refusal.text, wait);
                    line.house.sleep(wait)?;
                    continue;
                }
                None => refusal.text,
            },
            Outcome::NotSent(trouble) | Outcome::Unknown(trouble) if trouble.is_cancelled => return Ok(()),
            Outcome::NotSent(trouble) | Outcome::Unknown(trouble) => trouble.text,
        };
        trouble(line, &failed, pause);
        line.house.sleep(pause)?;
        pause = (pause * 2).min(LONGEST);
    }
    Ok(())
}

/// How long a poll is held, as the account has it.
fn wait(line: &Line) -> Duration {
    let config = line.config();
    let seconds = line.account(&config).get("timeoutSeconds").and_then(serde_json::Value::as_u64);
    WAIT.min(Duration::from_secs(seconds.unwrap_or(u64::MAX).max(1)))
}

/// What a refusal asks for: a pause of its own, or `None` for one that grows.
fn about(line: &Line, bot: &mut Bot, refusal: &Refusal, fight: &mut Duration) -> Result<Option<Duration>> {
    Ok(match refusal.why {
        Why::Unauthorized | Why::NotFound => {
            line.rates.is_unknown();
            let config = line.config();
            run::refused(&*line.house, &line.account(&config), bot.token())?;
            Some(Duration::ZERO)
        }
        Why::RetryAfter(time) => Some(time),
        Why::WebhookSet => {
            let cancel: &Cancel = line.house.cancel();
            let params = json!({"drop_pending_updates": false});
            match bot.call("deleteWebhook", &params, super::api::CALL, cancel) {
                Outcome::Done(_) => Some(Duration::from_millis(100)),
                // It is deleted with the next try.
                _ => None,
            }
        }
        // The newer one has it: asked again at once, the two would end each other for ever (R-07b).
        Why::OtherPoller => {
            let chance = u32::from(crate::ids::random::<1>()?.first().copied().unwrap_or_default());
            let wait = *fight + *fight * chance / 512;
            *fight = (*fight * 2).min(OTHERS);
            Some(wait)
        }
        _ => None,
    })
}

/// An update as it was read, and its message in the journal.
pub type News = (What, Inbound);

/// Has the new ones written, then counts them as taken.
pub fn store(line: &Line, position: &mut Position, updates: Vec<Update>) -> Result<Vec<News>> {
    let (mut brought, mut read) = (Vec::new(), HashMap::new());
    let mut ids = Vec::new();
    for update in updates {
        ids.push(update.id);
        if position.is_taken(update.id, update.date()) {
            continue;
        }
        match update.what {
            What::Skipped(kind) => {
                // Of what comes by a business account or inline nothing is written to the bot itself.
                let kind = quoted(&kind);
                warn_once(
                    "channels/telegram",
                    format!("[{}] updates of the kind {kind} are passed over", line.name()),
                );
            }
            what => {
                let name = format!("{}:{}", line.id, update.id);
                read.insert(name.clone(), what);
                brought.push((name, update.raw));
            }
        }
    }
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let new = line.house.bring(brought)?;
    ids.into_iter().for_each(|id| position.take(id));
    if !new.is_empty() {
        line.house.board().came(line.house.login());
    }
    Ok(new.into_iter().filter_map(|inbound| Some((read.remove(&inbound.id)?, inbound))).collect())
}

/// Writes how far was taken, after what was taken is on its way: no answer waits for this disk. What is in the journal is not
/// taken again, whatever this file says.
pub fn keep(line: &Line, position: &mut Position) {
    if let Err(e) = position.save() {
        log::warn!(target: "channels/telegram", "[{}] {e}", line.name());
    }
}

/// Waits while too many wait already. What is not handed on when the account ends its next life finds in the journal.
pub fn hand_on(line: &Line, inbound: &Sender<News>, mut message: News) {
    while let Err(SendTimeoutError::Timeout(again)) = inbound.send_timeout(message, SLICE) {
        if line.is_ending() {
            return;
        }
        message = again;
    }
}

pub fn is_well(line: &Line) {
    let row = line.house.board().row(line.house.login());
    if !row.is_connected || row.last_error.is_some() {
        line.rates.is_believed();
        line.house.board().set(line.house.login(), |row| {
            (row.is_connected, row.last_error, row.next_try) = (true, None, None);
        });
    }
}

/// Shows what is the matter, and when it is tried again.
pub fn trouble(line: &Line, what: &str, pause: Duration) {
    if !line.is_ending() {
        run::told(&*line.house, what);
        let next = clock::now_ms() + pause.as_millis() as u64;
        line.house.board().tries(line.house.login(), Some(next).filter(|_| !pause.is_zero()));
    }
}
