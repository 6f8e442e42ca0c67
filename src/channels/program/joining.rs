//! Messages of a program that wait for their turn. Texts of one sender that come quickly after one another in one place are
//! one (`messages.inbound`), as on the other channels. On the account's intake thread.
//!
//! What is one follows from the messages and the times at which they came alone, which stand in the journal: after a crash
//! the same ones are one again, and their turn has the same name, which is the last one's.
use super::wire::Message;
use crate::channels::patience;
use crate::clock;
use crate::deliveries::Inbound;
use std::collections::VecDeque;
use std::time::Duration;

/// No more are one.
const MOST: usize = 12;

/// What is answered together, in the order in which it came.
pub struct Together {
    pub all: Vec<Inbound>,
    /// The gateway stopped before it was answered.
    pub is_again: bool,
    /// More may join it that came until then, by the journal's clock.
    until: Option<u64>,
}

#[derive(Default)]
pub struct Waiting(VecDeque<Together>);

impl Waiting {
    /// One more: that came just now, or that an earlier life of the account left.
    pub fn came(&mut self, inbound: Inbound, patience: u64, is_again: bool) {
        let until = (patience > 0 && is_text(&inbound)).then_some(inbound.ts + patience);
        if let Some(last) = self.0.iter_mut().rev().find(|waiting| waiting.is_of(&inbound)) {
            if until.is_some() && last.takes(&inbound) {
                last.all.push(inbound);
                (last.until, last.is_again) = (until, last.is_again || is_again);
                return;
            }
            last.until = None;
        }
        self.0.push_back(Together { all: vec![inbound], is_again, until });
    }

    /// What is to be answered next; else for how long nothing is.
    pub fn due(&mut self) -> Result<Together, Option<Duration>> {
        let now = clock::now_ms();
        let left = |waiting: &Together| waiting.until.map_or(0, |until| patience::left(until, now));
        match self.0.iter().position(|waiting| left(waiting) == 0) {
            Some(at) => self.0.remove(at).ok_or(None),
            None => Err(self.0.iter().map(left).min().map(Duration::from_millis)),
        }
    }

    /// It is not answered yet.
    pub fn back(&mut self, together: Together) {
        self.0.push_front(Together { until: None, ..together });
    }
}

impl Together {
    /// Whether it is of the same sender in the same place.
    fn is_of(&self, inbound: &Inbound) -> bool {
        fn place<'m>(message: &Message<'m>) -> (&'m str, &'m str, &'m str) {
            (message.chat, message.thread, message.sender)
        }
        let own = self.all.last().and_then(read);
        own.zip(read(inbound)).is_some_and(|(own, other)| place(&own) == place(&other))
    }

    fn takes(&self, inbound: &Inbound) -> bool {
        self.until.is_some_and(|until| inbound.ts <= until) && self.all.len() < MOST
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    fn message(id: u64, chat: &str, text: &str, ts: u64) -> Inbound {
        let message = json!({"type": "message", "id": (id.to_string()), "chat": {"kind": "group", "id": chat},
            "from": {"id": "ann"}, "text": text});
        Inbound { id: id.to_string(), ts, message: Some(message), ..Inbound::default() }
    }

    /// What is answered together, by their ids, oldest first.
    fn together(all: &[Inbound], is_again: bool) -> Vec<String> {
        let mut waiting = Waiting::default();
        all.iter().for_each(|one| waiting.came(one.clone(), 100, is_again));
        let ids = |one: Together| one.all.iter().map(|i| i.id.clone()).collect::<Vec<_>>().join("+");
        std::iter::from_fn(|| waiting.due().ok()).map(ids).collect()
    }

    #[test]
    fn i11_2_what_is_one_follows_from_the_journal_alone() {
        let all = [
            message(1, "a", "one", 1000),
            message(2, "b", "of another chat", 1010),
            message(3, "a", "two", 1100),
            message(4, "a", "too late", 1201),
            message(5, "a", "/status", 1210),
            message(6, "a", "after the command", 1220),
        ];
        for is_again in [false, true] {
            assert_eq!(together(&all, is_again), ["1+3", "2", "4", "5", "6"]);
        }
        // What was answered in between is gone from the journal.
        assert_eq!(together(&[all[0].clone(), all[2].clone(), all[3].clone()], true), ["1+3", "4"]);
    }

    #[test]
    fn i11_2_one_that_waits_holds_up_no_other_chat_and_no_clock_holds_it() {
        let now = clock::now_ms();
        let mut waiting = Waiting::default();
        waiting.came(message(1, "a", "one", now), 9_000, false);
        waiting.came(message(2, "b", "/status", now), 9_000, false);
        assert_eq!(waiting.due().ok().map(|one| one.text()), Some("/status".to_string()));
        assert!(waiting.due().is_err_and(|left| left.is_some_and(|left| left <= Duration::from_secs(9))));
        waiting.came(message(3, "c", "of tomorrow", now + 86_400_000), 100, false);
        assert_eq!(waiting.due().ok().map(|one| one.text()), Some("of tomorrow".to_string()));
    }
}
