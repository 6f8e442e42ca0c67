//! Messages of a program that wait for their turn. Texts of one sender that come quickly after one another in one place are
//! one (`messages.inbound`), as on the other channels. On the account's intake thread.
use super::wire::Message;
use crate::config::Config;
use crate::deliveries::Inbound;
use serde_json::Value;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// No message waits longer for another one, and no more are one.
const LONGEST: u64 = 10_000;
const MOST: usize = 12;

/// What is answered together, in the order in which it came.
pub struct Together {
    pub all: Vec<Inbound>,
    /// The gateway stopped before it was answered.
    pub is_again: bool,
    /// More may join it until then.
    until: Option<Instant>,
}

#[derive(Default)]
pub struct Waiting(VecDeque<Together>);

/// How long a message waits for the next one.
pub fn patience(config: &Config, channel: &str) -> Duration {
    let own = config.get_in(&["messages", "inbound", "byChannel", channel]);
    let all = || config.get_in(&["messages", "inbound", "debounceMs"]);
    Duration::from_millis(own.or_else(all).and_then(Value::as_u64).unwrap_or(0).min(LONGEST))
}

impl Waiting {
    /// One that an earlier life of the account left.
    pub fn left(&mut self, inbound: Inbound) {
        self.0.push_back(Together { all: vec![inbound], is_again: true, until: None });
    }

    /// One that came just now.
    pub fn came(&mut self, inbound: Inbound, patience: Duration) {
        let until = (!patience.is_zero() && is_text(&inbound)).then(|| Instant::now() + patience);
        if let Some(last) = self.0.back_mut() {
            if until.is_some() && last.takes(&inbound) {
                last.all.push(inbound);
                last.until = until;
                return;
            }
            last.until = None;
        }
        self.0.push_back(Together { all: vec![inbound], is_again: false, until });
    }

    /// What is to be answered next; else for how long nothing is.
    pub fn due(&mut self) -> Result<Together, Option<Duration>> {
        let until = self.0.front().ok_or(None)?.until;
        match until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(left) if !left.is_zero() => Err(Some(left)),
            _ => self.0.pop_front().ok_or(None),
        }
    }

    /// It is not answered yet.
    pub fn back(&mut self, together: Together) {
        self.0.push_front(Together { until: None, ..together });
    }
}

impl Together {
    fn takes(&self, inbound: &Inbound) -> bool {
        let place = |inbound: &Inbound| {
            let message = read(inbound)?;
            Some((message.chat.to_string(), message.thread.to_string(), message.sender.to_string()))
        };
        let is_open = self.until.is_some_and(|until| Instant::now() < until) && self.all.len() < MOST;
        is_open && self.all.last().is_some_and(|last| place(last) == place(inbound))
    }

    /// All that was said.
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self.all.iter().filter_map(read).map(|message| message.text).collect();
        texts.join("\n")
    }
}

pub fn read(inbound: &Inbound) -> Option<Message<'_>> {
    Message::read(inbound.message.as_ref()?.as_object()?).ok()
}

/// Words and nothing else: a command, an edit or a file waits for nothing.
fn is_text(inbound: &Inbound) -> bool {
    read(inbound).is_some_and(|message| {
        let has_words = !message.text.is_empty() && !message.text.starts_with('/');
        has_words && message.files.is_empty() && !message.is_edit && message.reaction.is_none()
    })
}
