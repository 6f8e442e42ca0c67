//! Heartbeats and wakes: which agent looks after things when, and what for. The timer is a step of the state thread's turn;
//! nothing due is no wake-up. A session that is busy is looked after when it is not: the end of its turn is a turn here.
//!
//! Active hours and HEARTBEAT.md are looked at by a thread of its own (`gw-beat`), of which there is one at a time: it reads
//! files. What a heartbeat does is asked for by `Shared::beat`. Part of `State`, on the state thread.
mod looking;

use super::State;
use crate::calls::Provenance;
use crate::heartbeat::{Beat, Deed, Shows, agents, event};
use crate::json::{Put, json};
use crate::protocol::events;
pub use looking::Seen;
use serde_json::Value;
use std::collections::BTreeMap;

/// How long wakes are gathered, milliseconds.
const GATHER: u64 = 250;
/// How long one waits for which there was no thread.
const AGAIN: u64 = 60_000;
/// Why one is skipped for which there is nothing to do.
const EMPTY: &str = "empty-heartbeat-file";

#[derive(Default)]
pub struct Heart {
    /// Those that come by themselves, by agent.
    rows: BTreeMap<String, Row>,
    /// Those that are wanted, by session.
    wishes: BTreeMap<String, Wish>,
    is_looking: bool,
    /// Counts what `health` tells of.
    pub revision: u64,
    pub kept: Kept,
}

/// What an in-process restart hands on.
#[derive(Default)]
pub struct Kept {
    pub is_off: bool,
    /// The last one as it was told.
    pub last: Option<Value>,
    /// When they are due, epoch milliseconds, by agent.
    due: BTreeMap<String, u64>,
    /// Those that wait for something.
    wishes: BTreeMap<String, Wish>,
}

struct Row {
    every: u64,
    /// On the monotonic clock.
    next: u64,
}

/// Somebody wants an agent to look after things.
#[derive(Debug, Clone)]
pub struct Wish {
    pub agent: String,
    pub reason: &'static str,
    pub whose: Provenance,
    at: u64,
    /// It is for what is noted, and for nothing else.
    is_for_notes: bool,
}

impl Wish {
    /// Whether it waits for a better moment: what came by itself does not. Then it is for what is noted, which a message may
    /// tell meanwhile.
    fn waits(&mut self) -> bool {
        self.is_for_notes = true;
        self.reason != INTERVAL
    }
}

impl State {
    /// After an in-process restart heartbeats come when they would have come.
    pub fn take_over_beats(&mut self, kept: Kept) {
        self.heart.kept = kept;
        self.heart.wishes = std::mem::take(&mut self.heart.kept.wishes);
        self.plan_beats();
    }

    pub fn leave_beats(&mut self) -> Kept {
        let mut kept = std::mem::take(&mut self.heart.kept);
        let wall = |row: &Row| self.now + row.next.saturating_sub(self.mono);
        kept.due = self.heart.rows.iter().map(|(agent, row)| (agent.clone(), wall(row))).collect();
        self.heart.wishes.retain(|_, wish| wish.waits());
        kept.wishes = std::mem::take(&mut self.heart.wishes);
        kept
    }

    /// By the configuration as it is now.
    pub fn plan_beats(&mut self) {
        let config = self.shared.config();
        let before = std::mem::take(&mut self.heart.rows);
        let due = std::mem::take(&mut self.heart.kept.due);
        for agent in agents(&self.shared.agents()) {
            let every =
                Beat::of(&config, &agent).every_ms().filter(|_| self.sessions.index(&agent).is_some());
            let Some(every) = every else { continue };
            let left = due.get(&agent).map(|due| due.saturating_sub(self.now).min(every));
            let next = match before.get(&agent) {
                Some(row) => (row.next + every).saturating_sub(row.every).max(self.mono),
                None => self.mono + left.unwrap_or(every),
            };
            self.heart.rows.insert(agent, Row { every, next });
        }
        let rhythm = |rows: &BTreeMap<String, Row>| rows.values().map(|row| row.every).min();
        let (was, is) = (rhythm(&before), rhythm(&self.heart.rows));
        match is {
            Some(ms) if was != is => {
                log::info!(target: "gateway/heartbeat", "heartbeat: started, every {} s", ms as f64 / 1000.0)
            }
            None if was.is_some() => log::info!(target: "gateway/heartbeat", "heartbeat: disabled"),
            _ => {}
        }
        // Hours may be others.
        let mono = self.mono;
        self.heart.wishes.values_mut().for_each(|wish| wish.at = wish.at.min(mono + GATHER));
        self.heart.revision += 1;
    }

    /// Switches all of them off or on until the end of the process. What is noted stays noted, and is looked at then.
    pub fn switch_beats(&mut self, is_on: bool) {
        let was_off = std::mem::replace(&mut self.heart.kept.is_off, !is_on);
        self.heart.revision += 1;
        self.heart.wishes.retain(|_, wish| wish.waits());
        if is_on && was_off {
            self.heart.rows.values_mut().for_each(|row| row.next = self.mono + row.every);
        }
    }

    /// Notes something that a webhook brought, and has the session's agent look at it at once.
    pub fn wake_session(&mut self, key: &str, text: String, reason: &'static str) {
        self.add_call(Some(key.to_string()), text, Provenance::Hook);
        let Ok(agent) = self.sessions.owner(key).map(str::to_string) else { return };
        let at = self.mono + GATHER;
        self.wish(key.to_string(), Wish { agent, reason, whose: Provenance::Hook, at, is_for_notes: true });
    }

    /// Has all agents that have a heartbeat, and the default one, look after things now.
    pub fn wake_all(&mut self, reason: &'static str) {
        let (rules, config) = (self.sessions.rules().clone(), self.shared.config());
        let at = self.mono + GATHER;
        let own = agents(&self.shared.agents()).into_iter();
        let own = own.map(|agent| (Beat::of(&config, &agent).session(&rules, &agent), agent));
        let main = (rules.main(), rules.default_agent.clone());
        for (key, agent) in own.chain([main]).collect::<BTreeMap<_, _>>() {
            self.wish(key, Wish { agent, reason, whose: Provenance::Cron, at, is_for_notes: false });
        }
    }

    /// Several are one; what it may do is the least that any of them may.
    fn wish(&mut self, key: String, wish: Wish) {
        if self.sessions.index(&wish.agent).is_none() {
            return;
        }
        let Some(known) = self.heart.wishes.get_mut(&key) else {
            drop(self.heart.wishes.insert(key, wish));
            return;
        };
        known.is_for_notes &= wish.is_for_notes;
        known.at = known.at.min(wish.at);
        if known.reason == INTERVAL {
            known.reason = wish.reason;
        }
        if wish.whose == Provenance::Hook {
            known.whose = wish.whose;
        }
    }

    pub(super) fn beat(&mut self) -> Option<u64> {
        if self.heart.kept.is_off || self.turns_are_taken().is_err() {
            return None;
        }
        self.wish_for_due();
        let wanted = self.heart.wishes.iter().filter(|(key, _)| self.runs.is_free(key));
        let due: Vec<String> =
            wanted.clone().filter(|(_, wish)| wish.at <= self.mono).map(|(key, _)| key.clone()).collect();
        let next = wanted.map(|(_, wish)| wish.at).filter(|at| *at > self.mono);
        let next = next.chain(self.heart.rows.values().map(|row| row.next)).min();
        if due.is_empty() || self.heart.is_looking {
            return next;
        }
        self.look_after(&due).then_some(self.mono + AGAIN).into_iter().chain(next).min()
    }

    fn wish_for_due(&mut self) {
        let (mono, mut due) = (self.mono, Vec::new());
        for (agent, row) in self.heart.rows.iter_mut().filter(|(_, row)| row.next <= mono) {
            row.next = mono + row.every;
            due.push(agent.clone());
        }
        for agent in due {
            let beat = Beat::of(&self.shared.config(), &agent);
            let key = beat.session(self.sessions.rules(), &agent);
            self.wish(
                key,
                Wish { agent, reason: INTERVAL, whose: Provenance::Cron, at: mono, is_for_notes: false },
            );
        }
    }

    /// One that asks no model; `place` is where its words would have gone.
    pub fn skip_beat(&mut self, why: &str, place: Option<[&str; 3]>) {
        let deed = Deed { status: "skipped", ..Deed::default() };
        let shows = Shows { ok: false, alerts: true, indicator: true };
        self.tell_beat(event(&deed, shows, why, self.now, 0, place));
    }

    pub fn tell_beat(&mut self, told: Value) {
        self.emit(&events::HEARTBEAT, &told);
        self.heart.kept.last = Some(told);
    }

    /// How often an agent looks after things, for `health` and `status`.
    pub fn rhythm(&self, agent: &str) -> Value {
        let config = self.shared.config();
        let every = self.heart.rows.get(agent).map(|row| row.every);
        let mut told = json!({"enabled": (every.is_some() && !self.heart.kept.is_off), "every": "disabled", "everyMs": every});
        if let Some(map) = told.as_object_mut().filter(|_| every.is_some()) {
            map.put("every", Beat::of(&config, agent).every());
        }
        told
    }
}

/// Why one comes by itself.
const INTERVAL: &str = "interval";

#[cfg(test)]
#[path = "heartbeat_tests.rs"]
mod tests;
