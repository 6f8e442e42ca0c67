//! Messages of a program that cannot be answered until something is mended (`channels::kept`). On the account's intake
//! thread; others of the account do not wait for them.
use super::intake::done;
use super::joining::{Together, read};
use super::run::Line;
use crate::agents::routing::PeerKind;
use crate::channels::accounts::Account;
use crate::channels::house::Place;
use crate::channels::{kept, strangers};
use crate::error::{Error, Result};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Each with the moment at which it is tried again.
#[derive(Default)]
pub struct Kept(VecDeque<(Instant, Together)>);

impl Kept {
    /// Keeps one that failed so, again or for the first time; the oldest goes where there are too many.
    pub fn keep(&mut self, line: &Line, together: Together, is_again: bool, e: &Error) -> Result<()> {
        if !is_again {
            log::error!(target: "channels", "{}: message {} waits until this is mended: {e}", line.house.login(), ids(&together));
            tell(line, &together)?;
        }
        self.0.push_back((Instant::now() + kept::PAUSE, together));
        let surplus = if self.0.len() > kept::MOST { self.0.pop_front() } else { None };
        surplus.map_or(Ok(()), |(_, oldest)| lost(line, &oldest, e))
    }

    /// The next one that is to be tried again.
    pub fn due(&mut self) -> Option<Together> {
        let is_due = self.0.front().is_some_and(|(at, _)| *at <= Instant::now());
        if is_due { self.0.pop_front().map(|(_, together)| together) } else { None }
    }

    /// How long nothing is to be done, where without these it would be `left`.
    pub fn patience(&self, left: Option<Duration>) -> Option<Duration> {
        let own = self.0.front().map(|(at, _)| at.saturating_duration_since(Instant::now()));
        own.into_iter().chain(left).min()
    }
}

fn ids(together: &Together) -> String {
    together.all.iter().map(|message| message.id.as_str()).collect::<Vec<_>>().join(", ")
}

pub fn lost(line: &Line, together: &Together, e: &Error) -> Result<()> {
    log::error!(target: "channels", "{}: message {} is passed over: {e}", line.house.login(), ids(together));
    done(line, together)
}

/// In a group nobody knows yet whether it means the bot.
fn tell(line: &Line, together: &Together) -> Result<()> {
    let config = line.house.settings().config();
    let account = Account::of(&config, line.channel, &line.house.login().account);
    let Some(inbound) = together.all.last() else { return Ok(()) };
    match read(inbound).filter(|message| message.kind == PeerKind::Direct) {
        Some(message) if account.str("errors") != Some("none") => {
            let to = Place { peer: message.chat.to_string(), ..Place::default() };
            strangers::say(&*line.house, inbound, "waits", &to, kept::TOLD)
        }
        _ => Ok(()),
    }
}
