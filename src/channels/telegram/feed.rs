//! The account's intake thread: what the poll or the webhook had written, on its way to `intake`. It joins what is one,
//! has files fetched, and keeps the order of each chat: what comes behind a message that still waits, waits too, unless it
//! is a command. Other chats do not wait for it.
//!
//! One thread with its timers; files are fetched on threads of their own, a bounded number at a time (`incoming_media`).
use super::api::Bot;
use super::incoming_media::Fetchers;
use super::intake;
use super::joining::{Joined, Joining};
use super::judge;
use super::line::Line;
use super::message::Message;
use super::poll::News;
use super::presses::Presses;
use super::run;
use super::standing;
use super::update::{Update, What};
use crate::channels::{kept, patience};
use crate::clock;
use crate::deliveries::Inbound;
use crate::error::{Error, Result};
use crossbeam_channel::{Receiver, select};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a message waits whose session takes no more.
const FULL: Duration = Duration::from_millis(500);
/// Nothing waits here; the account's end wakes it.
const LOOK: Duration = Duration::from_secs(60);
/// Messages that wait here; while they are more nothing is taken from the poll.
const MOST: usize = 1024;

/// Chat and topic.
type Lane = (i64, Option<i64>);

struct Feed<'a> {
    line: &'a Arc<Line>,
    presses: Presses,
    joining: Joining,
    lanes: HashMap<Lane, Waiting>,
    fetchers: Fetchers,
    /// Until Telegram was asked who the bot is.
    is_met: Option<Receiver<()>>,
}

/// What waits in a chat, and for what.
struct Waiting {
    queue: VecDeque<Joined>,
    /// `None`: until files are there.
    until: Option<Instant>,
}

impl Default for Waiting {
    fn default() -> Waiting {
        Waiting { queue: VecDeque::new(), until: Some(Instant::now()) }
    }
}

fn lane(joined: &Joined) -> Lane {
    (joined.message.chat.id, joined.message.topic)
}

pub fn run(
    line: &Arc<Line>,
    speaker: Bot,
    open: Vec<Inbound>,
    inbound: &Receiver<News>,
    is_met: Receiver<()>,
) -> Result<()> {
    let (joining, lanes) = Default::default();
    let mut feed = Feed {
        line,
        fetchers: Fetchers::new(&speaker)?,
        presses: Presses::new(line, speaker),
        joining,
        lanes,
        is_met: Some(is_met),
    };
    let result = feed.run(open, inbound);
    feed.fetchers.end();
    result
}

impl Feed<'_> {
    fn run(&mut self, open: Vec<Inbound>, inbound: &Receiver<News>) -> Result<()> {
        for inbound in open {
            if let Some(why) = standing::of_another(self.line, &inbound.id) {
                log::error!(target: "channels/telegram", "[{}] message {}: {why}", self.line.name(), inbound.id);
                self.line.house.pass_over(&inbound)?;
                continue;
            }
            match inbound.message.as_ref().and_then(Update::parts) {
                Some((_, what)) => self.take((what, inbound), true)?,
                None => self.line.house.pass_over(&inbound)?,
            }
        }
        let never = crossbeam_channel::never();
        while !self.line.is_ending() {
            let time = self.patience();
            let is_full = self.lanes.values().map(|lane| lane.queue.len()).sum::<usize>() >= MOST;
            let (inbound, time) = if is_full { (&never, time.min(FULL)) } else { (inbound, time) };
            select! {
                recv(inbound) -> message => match message {
                    Ok(message) => self.take(message, false)?,
                    Err(_) => return Ok(()),
                },
                recv(self.fetchers.fetched) -> joined => if let Ok(joined) = joined {
                    self.fetchers.go_on(self.line);
                    self.fetched(joined)?;
                },
                default(time) => {}
            }
            for joined in self.joining.due(clock::now_ms()) {
                self.place(joined)?;
            }
            self.go_on()?;
        }
        Ok(())
    }

    /// How long nothing has to be done.
    fn patience(&self) -> Duration {
        let joining = self.joining.left(clock::now_ms()).map(Duration::from_millis);
        let now = Instant::now();
        let waiting = self.lanes.values().filter_map(|lane| Some(lane.until?.saturating_duration_since(now)));
        waiting.chain(joining).min().unwrap_or(LOOK).min(LOOK)
    }

    fn take(&mut self, (what, inbound): News, is_again: bool) -> Result<()> {
        if let Some(is_met) = self.is_met.take() {
            // Nothing is ever sent there.
            let _ = is_met.recv_timeout(run::MEET);
        }
        match what {
            What::Message(message) if is_said(&message) => {
                let patience = patience::of(&self.line.config(), "telegram");
                for joined in self.joining.add(Joined::alone(inbound, *message, is_again), patience) {
                    self.place(joined)?;
                }
                Ok(())
            }
            What::Edited(edited) if self.edit(&inbound, &edited) => Ok(()),
            what => match intake::handle(self.line, &mut self.presses, &inbound, what, is_again) {
                Err(e) => {
                    self.lost(&inbound.id, &e);
                    self.line.house.pass_over(&inbound)
                }
                Ok(Some(joined)) => self.place(joined),
                Ok(None) => Ok(()),
            },
        }
    }

    /// What is said before it was answered is answered as it reads now.
    fn edit(&mut self, inbound: &Inbound, edited: &Message) -> bool {
        let mut waiting = self.lanes.values_mut().flat_map(|lane| lane.queue.iter_mut());
        self.joining.edit(inbound, edited) || waiting.any(|joined| joined.edit(inbound, edited))
    }

    /// Answers it, or puts it behind what waits in its chat.
    fn place(&mut self, joined: Joined) -> Result<()> {
        match self.lanes.get_mut(&lane(&joined)) {
            Some(waiting) if !joined.is_command() => {
                waiting.queue.push_back(joined);
                Ok(())
            }
            _ => self.start(joined),
        }
    }

    fn start(&mut self, mut joined: Joined) -> Result<()> {
        joined.name_what_came();
        // Nothing is fetched for whom nothing is answered.
        if joined.wants_files() && intake::is_admitted(self.line, &joined.message) {
            self.lanes.entry(lane(&joined)).or_default().until = None;
            self.fetchers.fetch(self.line, joined);
            return Ok(());
        }
        self.answer(joined)
    }

    fn answer(&mut self, joined: Joined) -> Result<()> {
        match intake::answer(self.line, &joined) {
            Err(e) if e.retryable() => {
                let waiting = self.lanes.entry(lane(&joined)).or_default();
                // While files are awaited there, it waits for them too.
                waiting.until = waiting.until.map(|_| Instant::now() + FULL);
                waiting.queue.push_front(joined);
                Ok(())
            }
            Err(e) if kept::waits(&e, joined.inbound.first()) => self.keep(joined, &e),
            Err(e) => {
                self.lost(&joined.run(), &e);
                joined.pass_over(self.line)
            }
            Ok(()) => Ok(()),
        }
    }

    /// It is tried again, for something has to be mended first. In a group nobody knows yet whether it means the bot.
    fn keep(&mut self, mut joined: Joined, e: &Error) -> Result<()> {
        // The next life finds it in the journal.
        if self.line.is_ending() {
            return Ok(());
        }
        if !joined.is_kept {
            log::error!(target: "channels/telegram", "[{}] {} waits until this is mended: {e}", self.line.name(), joined.run());
            joined.is_kept = true;
            let config = self.line.config();
            let is_told =
                joined.message.chat.is_direct() && self.line.account(&config).str("errors") != Some("none");
            if let (Some(first), true) = (joined.inbound.first(), is_told) {
                judge::say(self.line, first, "waits", &joined.message, kept::TOLD)?;
            }
        }
        let waiting = self.lanes.entry(lane(&joined)).or_default();
        waiting.until = waiting.until.map(|_| Instant::now() + kept::PAUSE);
        waiting.queue.push_front(joined);
        let surplus = waiting.queue.len().saturating_sub(kept::MOST);
        let surplus: Vec<Joined> = waiting.queue.drain(..surplus).collect();
        for joined in surplus {
            self.lost(&joined.run(), e);
            joined.pass_over(self.line)?;
        }
        Ok(())
    }

    fn fetched(&mut self, joined: Joined) -> Result<()> {
        if let Some(waiting) = self.lanes.get_mut(&lane(&joined)) {
            waiting.until = Some(Instant::now());
        }
        if joined.is_void() { joined.pass_over(self.line) } else { self.answer(joined) }
    }

    /// Answers what has waited long enough, in its order.
    fn go_on(&mut self) -> Result<()> {
        let now = Instant::now();
        loop {
            let due =
                self.lanes.iter_mut().find(|(_, waiting)| waiting.until.is_some_and(|until| until <= now));
            let Some((lane, waiting)) = due else { return Ok(()) };
            let lane = *lane;
            match waiting.queue.pop_front() {
                Some(joined) => self.start(joined)?,
                None => drop(self.lanes.remove(&lane)),
            }
        }
    }

    fn lost(&self, what: &str, e: &Error) {
        log::error!(target: "channels/telegram", "[{}] {what} is passed over: {e}", self.line.name());
    }
}

/// Somebody says it to the bot: it may be joined with what he says next.
fn is_said(message: &Message) -> bool {
    message.service.is_none() && !message.is_business
}
