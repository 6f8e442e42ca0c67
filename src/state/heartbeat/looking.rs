//! What is looked at before a heartbeat: the active hours and HEARTBEAT.md, by a thread of its own (`gw-beat`), and what comes
//! of it. A wake outside of the hours waits until they begin. But for that thread on the state thread.
use super::{AGAIN, EMPTY};
use crate::heartbeat::{Beat, Standing, standing};
use crate::state::State;
use crate::state::event::Event;
use crate::state::shared::Shared;
use crate::threads;
use std::sync::Arc;

const STACK: usize = 256 << 10;
/// After so long the hours are looked at again that have not begun, milliseconds: clocks may have been set, or slept.
const LOOK_AGAIN: u64 = 600_000;

/// What was found for one.
pub struct Seen {
    key: String,
    /// When its hours begin, if they have not.
    opens_in: Option<u64>,
    standing: Standing,
}

impl State {
    /// Has a thread look at hours and files. `true` when there is none now.
    pub(super) fn look_after(&mut self, due: &[String]) -> bool {
        let gone: Vec<&String> = due.iter().filter(|key| self.is_vain(key)).collect();
        gone.iter().for_each(|key| drop(self.heart.wishes.remove(*key)));
        let named = |key: &String| Some((key.clone(), self.heart.wishes.get(key)?.agent.clone()));
        let wanted: Vec<(String, String)> = due.iter().filter_map(named).collect();
        if wanted.is_empty() {
            return false;
        }
        let (shared, now) = (self.shared.clone(), self.now);
        let state = shared.state.clone();
        let died = move |what: String| {
            log::error!(target: "gateway/heartbeat", "heartbeats could not be looked after: {what}");
            // The state thread is gone only when the process ends.
            let _ = state.send(Event::Beats(Vec::new()));
        };
        let started = threads::spawn("gw-beat", STACK, move || look(&shared, wanted, now), died);
        if let Err(e) = &started {
            log::warn!(target: "gateway/heartbeat", "heartbeats wait: {e}");
            let wishes = self.heart.wishes.iter_mut().filter(|(key, _)| due.contains(key));
            wishes.for_each(|(_, wish)| wish.at = self.mono + AGAIN);
        }
        self.heart.is_looking = started.is_ok();
        started.is_err()
    }

    /// What it was for has been told meanwhile, by another turn.
    fn is_vain(&self, key: &str) -> bool {
        self.heart.wishes.get(key).is_some_and(|wish| wish.is_for_notes) && self.called(key).is_none()
    }

    pub(in crate::state) fn beats_are_seen(&mut self, seen: Vec<Seen>) {
        self.heart.is_looking = false;
        if seen.is_empty() {
            // The look itself failed.
            let due = self.heart.wishes.values_mut().filter(|wish| wish.at <= self.mono);
            due.for_each(|wish| wish.at = self.mono + AGAIN);
        }
        for Seen { key, opens_in, standing } in seen {
            // A turn that began meanwhile comes first.
            let is_off = self.heart.kept.is_off || self.turns_are_taken().is_err();
            if is_off || !self.runs.is_free(&key) {
                continue;
            }
            let Some(mut wish) = self.heart.wishes.remove(&key) else { continue };
            let is_called = self.called(&key).is_some();
            if let Some(ms) = opens_in {
                if is_called && wish.waits() {
                    wish.at = self.mono + ms;
                    self.heart.wishes.insert(key, wish);
                }
                continue;
            }
            if wish.is_for_notes && !is_called {
                continue;
            }
            if let Some(row) = self.heart.rows.get_mut(&wish.agent) {
                row.next = self.mono + row.every;
            }
            let is_set = Beat::of(&self.shared.config(), &wish.agent).is_set();
            let has_tasks = match standing {
                Standing::Tasks | Standing::Missing => true,
                Standing::Bare => is_set,
                Standing::Empty => false,
            };
            match has_tasks || is_called {
                true => (self.shared.clone().beat)(self, &key, &wish),
                false => self.skip_beat(EMPTY, None),
            }
        }
    }
}

/// On a thread of its own: reads files.
fn look(shared: &Arc<Shared>, wanted: Vec<(String, String)>, now: u64) {
    let (config, agents) = (shared.config(), shared.agents());
    let seen = wanted.into_iter().map(|(key, agent)| {
        let hours = Beat::of(&config, &agent).hours().filter(|hours| !hours.holds(&config, now));
        let opens_in = hours.map(|hours| hours.opens_in(&config, now).min(LOOK_AGAIN));
        Seen { key, opens_in, standing: standing(&agents, &agent) }
    });
    let seen = seen.collect();
    // The state thread is gone only when the process ends.
    let _ = shared.state.send(Event::Beats(seen));
}
