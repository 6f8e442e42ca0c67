//! Webhook mode: Telegram posts what people write, instead of being asked. The account's thread has it written in
//! the order in which it came, and says so to who holds the connection (`hook`); only then Telegram forgets it.
use super::api::{Bot, CALL};
use super::hook::{Hook, Posted};
use super::line::Line;
use super::offset::Position;
use super::outcome::Outcome;
use super::refusal::Why;
use super::update::KINDS;
use super::{poll, run};
use crate::channels::accounts::Account;
use crate::channels::crew::Crew;
use crate::error::{Error, Result};
use crate::json::json;
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use std::sync::Arc;
use std::time::Duration;

const STACK: usize = 256 << 10;
const LOOK: Duration = Duration::from_millis(500);
/// Updates that wait to be written; what is more comes again.
const WAITING: usize = 64;
/// Connections that Telegram holds at a time.
const CONNECTIONS: u32 = 8;

/// What Telegram is told.
#[derive(Clone)]
pub struct Address {
    url: String,
    secret: String,
}

/// The listener, where the account has a webhook.
pub fn open(account: &Account) -> Result<Option<(Hook, Address)>> {
    let Some(url) = account.str("webhookUrl").map(str::trim).filter(|url| !url.is_empty()) else {
        return Ok(None);
    };
    let secret = account.str("webhookSecret").map(str::trim).unwrap_or_default();
    if secret.is_empty() {
        let place = account.place("webhookSecret");
        return Err(Error::config(format!("a webhook needs a secret: set {place}, or take webhookUrl away")));
    }
    let path = account.str("webhookPath").unwrap_or("/telegram-webhook");
    let path = format!("/{}", path.trim_start_matches('/'));
    let port = account.get("webhookPort").and_then(serde_json::Value::as_u64);
    let port = u16::try_from(port.unwrap_or(8787)).unwrap_or(0);
    let hook = Hook::open(account.str("webhookHost").unwrap_or("127.0.0.1"), port, &path, secret)?;
    Ok(Some((hook, Address { url: url.to_string(), secret: secret.to_string() })))
}

/// Tells Telegram where to post, until it has taken that.
pub fn set(line: &Line, bot: &mut Bot, to: &Address) -> Result<()> {
    let params = json!({"url": to.url.as_str(), "secret_token": to.secret.as_str(), "max_connections": CONNECTIONS,
        "allowed_updates": KINDS, "drop_pending_updates": false});
    let mut pause = Duration::from_secs(1);
    while !line.is_ending() {
        let (text, wait) = match bot.call("setWebhook", &params, CALL, line.house.cancel()) {
            Outcome::Done(_) => {
                poll::is_well(line);
                return Ok(());
            }
            Outcome::Refused(refusal) => match refusal.why {
                Why::Unauthorized | Why::NotFound => {
                    line.rates.is_unknown();
                    let config = line.config();
                    run::refused(&*line.house, &line.account(&config), bot.token())?;
                    continue;
                }
                Why::RetryAfter(time) => (refusal.text, time),
                _ => (refusal.text, pause),
            },
            Outcome::NotSent(trouble) | Outcome::Unknown(trouble) => (trouble.text, pause),
        };
        poll::trouble(line, &text.replace(&to.secret, "***"), wait);
        line.house.sleep(wait)?;
        pause = (pause * 2).min(Duration::from_secs(300));
    }
    Ok(())
}

pub fn run(
    line: &Arc<Line>,
    crew: &mut Crew,
    hook: Hook,
    mut position: Position,
    inbound: &Sender<poll::News>,
) -> Result<()> {
    let (posts, posted) = bounded::<Posted>(WAITING);
    let house = line.house.clone();
    crew.spawn("gw-tg-hook", STACK, move || hook.serve(&house, posts))?;
    while !line.is_ending() {
        let first = match posted.recv_timeout(LOOK) {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let all = [first].into_iter().chain(posted.try_iter());
        let (updates, waiting): (Vec<_>, Vec<_>) = all.take(WAITING).unzip();
        let stored = poll::store(line, &mut position, updates);
        // Who has gone meanwhile sends it again, which is known then.
        for told in waiting {
            let _ = told.try_send(stored.is_ok());
        }
        match stored {
            Ok(new) => {
                poll::is_well(line);
                new.into_iter().for_each(|message| poll::hand_on(line, inbound, message));
                poll::keep(line, &mut position);
            }
            Err(e) => poll::trouble(line, &e.to_string(), Duration::ZERO),
        }
    }
    Ok(())
}
