//! Words that scheduled jobs and heartbeats sent: a run is told as done when the platform has them, as failed when it
//! refused them. Who takes longer is told of as he stands then, as a delivery may wait for days.
//!
//! Part of `State`, on the state thread. It sends nothing and repeats nothing; the session is told by `channels/doubt.rs`.
use super::State;
use crate::cron::outcome::End;
use crate::deliveries::Stage;
use crate::json::Put;
use crate::logging::quoted;
use serde_json::Value;
use std::collections::BTreeMap;

/// How long a run waits for its words to arrive, milliseconds.
const PATIENCE: u64 = 30_000;

/// What waits, by the run whose words they are.
#[derive(Default)]
pub struct Arrivals(BTreeMap<String, Waiting>);

struct Waiting {
    /// On the monotonic clock.
    until: u64,
    of: Of,
}

/// Whose words they are.
pub enum Of {
    Job {
        id: String,
        end: End,
    },
    /// A heartbeat, as it is told when its words arrive, and its session.
    Beat {
        key: String,
        event: Value,
    },
}

/// What became of all that a run sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// The platform has it, or nothing was sent.
    Taken,
    Refused(String),
    /// It may have arrived.
    Unknown,
    Waiting,
}

impl State {
    /// Goes on when it is known whether the run's words have arrived: now where there are none.
    pub(super) fn await_words(&mut self, run: String, of: Of) {
        match self.arrival(&run) {
            Arrival::Waiting => {
                let until = self.mono + PATIENCE;
                drop(self.arrivals.0.insert(run, Waiting { until, of }));
            }
            arrival => self.words_arrived(of, arrival),
        }
    }

    /// What is known of a run's words.
    pub(super) fn arrival(&self, run: &str) -> Arrival {
        let begin = format!("{run}/");
        let mut arrival = Arrival::Taken;
        for delivery in self.post.ledger.named(&begin) {
            match delivery.stage {
                Stage::Failed => {
                    let why = delivery.error.as_deref().unwrap_or("the platform refused it");
                    return Arrival::Refused(format!("{} ({}): {why}", delivery.platform, delivery.to));
                }
                Stage::Confirmed => {}
                Stage::Uncertain if arrival == Arrival::Taken => arrival = Arrival::Unknown,
                Stage::Uncertain => {}
                _ => arrival = Arrival::Waiting,
            }
        }
        arrival
    }

    /// Something became of a delivery.
    pub(super) fn delivery_came_on(&mut self, id: &str) {
        let Some((run, _)) = id.rsplit_once('/') else { return };
        if !self.arrivals.0.contains_key(run) && !run.starts_with("cron:") {
            return;
        }
        let arrival = self.arrival(run);
        if !self.arrivals.0.contains_key(run) {
            return self.words_came_late(run, arrival);
        }
        if arrival != Arrival::Waiting
            && let Some(waiting) = self.arrivals.0.remove(run)
        {
            self.words_arrived(waiting.of, arrival);
        }
    }

    pub(super) fn expire_arrivals(&mut self) -> Option<u64> {
        let due = self.arrivals.0.iter().filter(|(_, waiting)| waiting.until <= self.mono);
        let due: Vec<String> = due.map(|(run, _)| run.clone()).collect();
        for run in due {
            if let Some(waiting) = self.arrivals.0.remove(&run) {
                self.words_arrived(waiting.of, Arrival::Waiting);
            }
        }
        self.arrivals.0.values().map(|waiting| waiting.until).min()
    }

    fn words_arrived(&mut self, of: Of, arrival: Arrival) {
        match of {
            Of::Job { id, end } => self.end_job(&id, end, arrival),
            Of::Beat { key, event } => self.end_beat(&key, event, arrival),
        }
    }

    fn end_beat(&mut self, key: &str, mut event: Value, arrival: Arrival) {
        let why = match arrival {
            Arrival::Taken => return self.tell_beat(event),
            Arrival::Refused(why) => format!("not delivered to {why}"),
            Arrival::Unknown => "it is not known whether it has arrived".to_string(),
            Arrival::Waiting => "not delivered yet: it goes out when the channel takes it".to_string(),
        };
        log::warn!(target: "gateway/heartbeat", "what the heartbeat of {} says: {why}", quoted(key));
        let was_news = event.get("status").and_then(Value::as_str) == Some("sent");
        if let Some(told) = event.as_object_mut() {
            told.put("status", "failed");
            told.put("reason", why);
            if told.contains_key("indicatorType") {
                told.put("indicatorType", "error");
            }
        }
        // It was not heard: the same words are news.
        if was_news {
            self.sessions.update(key, self.mono, |entry| {
                entry.remove("lastHeartbeatText");
                entry.remove("lastHeartbeatSentAt");
            });
        }
        self.tell_beat(event);
    }

    /// Where a session's notes are heard: one of a job or a webhook begins anew each time, and nobody reads it.
    pub(super) fn heard_at(&self, key: String, text: String) -> (String, String) {
        let rest = key.splitn(3, ':').nth(2).unwrap_or_default();
        if !rest.starts_with("cron:") && !rest.starts_with("hook:") {
            return (key, text);
        }
        let rules = self.sessions.rules();
        let main = rules.main_of(rules.owner(&key));
        let label = self.sessions.get(&key).and_then(|entry| entry.str("label").map(str::to_string));
        (main, label.map(|label| format!("{label}: {text}")).unwrap_or(text))
    }
}
