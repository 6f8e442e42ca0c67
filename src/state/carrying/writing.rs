//! Lines on their way to the journal: what waits for the disk, and is tried again when it fails.
use super::Then;
use crate::deliveries::Line;
use crate::error::Result;
use crate::state::State;
use crate::state::store::{self, Job};

impl State {
    /// Writes what holds whatever the disk says; `then` is told how it went.
    pub(super) fn hold(
        &mut self,
        lines: Vec<Line>,
        then: impl FnOnce(&mut State, Result<()>) + Send + 'static,
    ) {
        let kept = lines.clone();
        self.write(
            lines,
            Box::new(move |state, result| {
                if result.is_err() {
                    state.post.keep(&kept, state.mono);
                }
                then(state, result);
            }),
        );
    }

    /// The same when nobody asks how it went.
    pub(in crate::state) fn write_for_good(&mut self, lines: Vec<Line>) {
        self.hold(lines, |_, _| {});
    }

    pub(in crate::state) fn write(&mut self, lines: Vec<Line>, then: Then) {
        if lines.is_empty() {
            return then(self, Ok(()));
        }
        if self.store.is_full() {
            return then(self, Err(store::busy()));
        }
        self.post.under_way += 1;
        // This thread alone fills the queue, so there is room.
        drop(self.store.submit(Job::Note { lines, then }));
    }

    /// The store thread has written, or could not.
    pub(in crate::state) fn noted(&mut self, result: Result<()>, then: Then) {
        self.post.under_way = self.post.under_way.saturating_sub(1);
        then(self, result);
    }

    /// Writes again what the disk did not take.
    pub(in crate::state) fn write_again(&mut self) -> Option<u64> {
        if self.post.unwritten.is_empty() {
            return None;
        }
        if self.mono >= self.post.write_at {
            let names = std::mem::take(&mut self.post.unwritten);
            let lines = names.iter().filter_map(|name| self.post.ledger.line(name)).cloned().collect();
            self.write_for_good(lines);
        }
        (!self.post.unwritten.is_empty()).then_some(self.post.write_at)
    }
}

/// When what the disk did not take is written again, milliseconds.
pub(super) const AGAIN: u64 = 5000;
