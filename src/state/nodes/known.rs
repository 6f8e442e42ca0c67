//! Requests to nodes that were made lately, by their idempotency keys: who repeats one gets the same answer, and the node is
//! not told twice. Part of `Nodes`; bounded in number, in bytes and in time.
use crate::deliveries::dedupe::used_otherwise;
use crate::error::{Error, Kind, Result};
use crate::protocol::frame::Payload;
use std::collections::VecDeque;

/// How long a request is known, milliseconds, how many are, and how many bytes of answers are kept.
const LIFE_MS: u64 = 300_000;
const MOST: usize = 256;
const MAX_BYTES: usize = 1 << 20;

struct Entry {
    key: String,
    /// Of node, command and params.
    hash: String,
    invoke: String,
    at: u64,
    answer: Option<Answer>,
}

enum Answer {
    Kept(Result<Payload>, usize),
    /// It was too large.
    Lost,
}

#[derive(Default)]
pub(super) struct Known(VecDeque<Entry>);

/// What is known of a request.
pub(super) enum Repeated {
    No,
    /// The node has not answered yet.
    Open(String),
    Answered(Result<Payload>),
}

impl Known {
    pub(super) fn look(&mut self, key: &str, hash: &str, now: u64) -> Result<Repeated> {
        self.0.retain(|entry| now < entry.at + LIFE_MS || entry.answer.is_none());
        let Some(entry) = self.0.iter().find(|entry| entry.key == key) else { return Ok(Repeated::No) };
        if entry.hash != hash {
            return Err(Error::new(Kind::Conflict, used_otherwise(key)));
        }
        Ok(match &entry.answer {
            None => Repeated::Open(entry.invoke.clone()),
            Some(Answer::Kept(answer, _)) => Repeated::Answered(answer.clone()),
            Some(Answer::Lost) => Repeated::Answered(Err(Error::unavailable(
                "the node has done this already; its answer was too large to be kept, so ask again under another idempotency key",
            ))),
        })
    }

    pub(super) fn add(&mut self, key: String, hash: String, invoke: String, now: u64) {
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(Entry { key, hash, invoke, at: now, answer: None });
    }

    /// What became of it, in so many bytes. A failure is an answer too: nobody knows what the node has done by then.
    pub(super) fn settle(&mut self, invoke: &str, answer: &Result<Payload>, bytes: usize) {
        let held: usize = self.0.iter().map(Entry::bytes).sum();
        let is_small = bytes <= MAX_BYTES / 4;
        if let Some(entry) = self.0.iter_mut().find(|entry| entry.invoke == invoke) {
            entry.answer = Some(match is_small {
                true => Answer::Kept(answer.clone(), bytes),
                false => Answer::Lost,
            });
        }
        let mut over = (held + if is_small { bytes } else { 0 }).saturating_sub(MAX_BYTES);
        for entry in self.0.iter_mut().filter(|entry| entry.invoke != invoke) {
            if over == 0 {
                break;
            }
            if entry.bytes() > 0 {
                over = over.saturating_sub(entry.bytes());
                entry.answer = Some(Answer::Lost);
            }
        }
    }
}

impl Entry {
    fn bytes(&self) -> usize {
        match &self.answer {
            Some(Answer::Kept(_, bytes)) => *bytes,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    #[test]
    fn i15_1_a_key_stands_for_one_request_and_answers_are_bounded() {
        let mut known = Known::default();
        let answered = |known: &mut Known, key: &str| match known.look(key, "h", 10) {
            Ok(Repeated::Answered(answer)) => Some(answer.is_ok()),
            _ => None,
        };
        assert!(matches!(known.look("k", "h", 0), Ok(Repeated::No)));
        known.add("k".into(), "h".into(), "i".into(), 0);
        assert!(matches!(known.look("k", "h", 0), Ok(Repeated::Open(invoke)) if invoke == "i"));
        assert!(known.look("k", "other", 0).is_err());
        let payload: Result<Payload> = Ok(json!({}).into());
        known.settle("i", &payload, 10);
        assert_eq!(answered(&mut known, "k"), Some(true));
        for n in 0..5 {
            known.add(format!("k{n}"), "h".into(), format!("i{n}"), 1);
            known.settle(&format!("i{n}"), &payload, MAX_BYTES / 4);
        }
        assert_eq!(
            answered(&mut known, "k"),
            Some(false),
            "the oldest answer made room, and is known as given"
        );
        assert_eq!(answered(&mut known, "k4"), Some(true));
        assert!(matches!(known.look("k4", "h", LIFE_MS + 1), Ok(Repeated::No)));
    }
}
