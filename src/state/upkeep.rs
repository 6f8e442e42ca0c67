//! What is done by the clock: old sessions, and those of single requests, leave the index once an hour; what is left over in the state directory is
//! bounded at the start and once a day; the host's time zone is read again. At a tick after which nobody asked for anything, the code that
//! ticks have brought in is let go of.
//!
//! Part of `State`, on the state thread; the store thread touches the files, after the indexes.
use super::State;
use super::store::Job;
use crate::clock;
use crate::metrics;
use crate::sessions::passing;
use crate::sessions::retention::{self, Policy};
use crate::upkeep::litter;

const HOUR: u64 = 60 * 60 * 1000;
const HOURS_A_DAY: u64 = 24;

/// When it is next due, on the monotonic clock.
pub struct Upkeep {
    next: u64,
    hours: u64,
    has_swept: bool,
    /// Requests that there had been at the last tick.
    served: u64,
}

impl Upkeep {
    pub fn starting(mono: u64) -> Upkeep {
        Upkeep { next: mono + HOUR, hours: 0, has_swept: false, served: 0 }
    }
}

impl State {
    pub(super) fn keep_up(&mut self) -> Option<u64> {
        if !std::mem::replace(&mut self.upkeep.has_swept, true) {
            self.sweep();
        }
        if self.mono < self.upkeep.next {
            return Some(self.upkeep.next);
        }
        self.upkeep.next = self.mono + HOUR;
        self.upkeep.hours += 1;
        self.in_background(Box::new(clock::read_zone));
        self.prune_sessions();
        if self.upkeep.hours.is_multiple_of(HOURS_A_DAY) {
            // If the disk is too slow for it now, it is done when the file has grown, or at the next start.
            let _ = self.store.submit(Job::Compact);
            self.sweep();
        }
        Some(self.upkeep.next)
    }

    /// After a tick. An idle gateway needs little of its program, and ticks bring twice of that in within a minute. What many
    /// who went at once have freed was given back by the first of them only.
    pub(super) fn rest(&mut self) {
        let served = metrics::served();
        if std::mem::replace(&mut self.upkeep.served, served) == served {
            self.in_background(Box::new(|| {
                crate::sys::release_memory();
                crate::sys::release_code();
            }));
        }
    }

    fn sweep(&self) {
        self.in_background(litter::sweep_work(self.shared.env.clone(), self.shared.config()));
    }

    fn prune_sessions(&mut self) {
        let policy = Policy::of(&self.shared.config());
        let agents: Vec<String> = self.sessions.agents().map(str::to_string).collect();
        for agent in agents {
            let Some(index) = self.sessions.index(&agent) else { continue };
            let is_busy = |key: &str| !self.runs.of_session(key).is_empty();
            let ended = passing::ended(index.iter(), is_busy, self.now);
            self.take_out(&ended);
            let Some(index) = self.sessions.index(&agent) else { continue };
            let is_busy = |key: &str| !self.runs.of_session(key).is_empty();
            let old = retention::decide(index.iter(), self.sessions.rules(), &policy, is_busy, self.now);
            if old.is_empty() {
                continue;
            }
            if !policy.enforces {
                log::info!(target: "gateway/sessions", "agent {agent}: {} sessions are old or too many; session.maintenance.mode \"enforce\" takes them out", old.len());
                continue;
            }
            log::info!(target: "gateway/sessions", "agent {agent}: {} old sessions leave the index, their transcripts are archived", old.len());
            self.take_out(&old);
        }
    }

    /// These leave the index; what was said in them is put aside, where it is bounded.
    pub(super) fn take_out(&mut self, keys: &[String]) {
        if keys.is_empty() {
            return;
        }
        let gone = keys.iter().filter_map(|key| {
            let entry = self.sessions.remove(key, self.mono)?;
            self.sessions.transcript(key, &entry).ok()
        });
        let transcripts = gone.collect();
        keys.iter().for_each(|key| self.session_changed(key, "delete"));
        self.sessions.save_changed(&self.store, self.mono);
        self.in_background(retention::archive_work(transcripts));
    }

    fn in_background(&self, work: Box<dyn FnOnce() + Send>) {
        if self.store.submit(Job::Upkeep(work)).is_err() {
            log::warn!(target: "gateway/store", "the disk is too slow for upkeep now; it is done at the next start");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::Entry;
    use crate::state::testing;
    use crate::tools::testing::context;

    /// Issue 12, 1: a program that keeps its conversation itself leaves nothing for ever behind.
    #[test]
    fn i12_1_what_single_requests_left_is_taken_out_by_the_hour() {
        let (context, _dir) = context("{}");
        let (mut state, _inbox) = testing::state_that_hears(context.settings.clone());
        let keys = ["agent:main:openai:1", "agent:main:openai-user:ann"];
        for key in keys {
            state.sessions.put(key, &Entry::new("s", state.now), state.mono).unwrap();
        }
        let left = |state: &State| {
            let index = state.sessions.index("main").unwrap();
            let mut left: Vec<String> = index.iter().map(|kept| kept.key().to_string()).collect();
            left.sort();
            left
        };
        state.keep_up();
        assert_eq!(left(&state), ["agent:main:openai-user:ann", "agent:main:openai:1"]);
        (state.now, state.mono) = (state.now + HOUR + 1, state.mono + HOUR + 1);
        state.keep_up();
        assert_eq!(left(&state), ["agent:main:openai-user:ann"]);
    }
}
