//! The jobs on their way to their file: written whole by the store thread, in the order of what happened; what the disk
//! did not take is written again.
use crate::cron::{runlog, store};
use crate::error::Result;
use crate::state::State;
use crate::state::carrying::Then;
use crate::state::event::Event;
use crate::state::store::{Job, busy};

/// When what the disk did not take is written again, milliseconds.
const AGAIN: u64 = 5000;

impl State {
    /// Writes the jobs, and a line into the log of one; `then` is told how it went. With `by_people` a copy is left beside.
    pub fn save_cron(&mut self, log: Option<(String, String)>, by_people: bool, then: Then) {
        self.cron.revision += 1;
        let Some(place) = self.cron.place.clone() else { return then(self, Ok(())) };
        if self.store.is_full() {
            self.cron.unsaved = Some(self.mono + AGAIN);
            return then(self, Err(busy()));
        }
        let (snapshot, state) = (self.cron.book.snapshot(), self.shared.state.clone());
        let is_done = |result: &Result<()>, what: &str| {
            if let Err(e) = result {
                log::error!(target: "gateway/cron", "{what}: {e}; it is tried again");
            }
        };
        let work = move || {
            let result = store::write(&place.jobs, &snapshot, by_people);
            is_done(&result, "the scheduled jobs are not on disk");
            if let Some((job, line)) = log {
                is_done(
                    &runlog::append(&place.runs, &job, &line),
                    "the log of a scheduled job's runs is not on disk",
                );
            }
            let then: Then = Box::new(move |state, result| {
                if result.is_err() {
                    state.cron.unsaved = Some(state.mono + AGAIN);
                }
                then(state, result);
            });
            // The state thread is gone only when the process ends; the file has the jobs.
            let _ = state.send(Event::Noted { result, then });
        };
        self.post.under_way += 1;
        // This thread alone fills the queue, so there is room.
        drop(self.store.submit(Job::Upkeep(Box::new(work))));
    }

    pub(super) fn save_cron_again(&mut self) -> Option<u64> {
        let at = self.cron.unsaved?;
        if self.mono < at {
            return Some(at);
        }
        self.cron.unsaved = None;
        self.save_cron(None, false, Box::new(|_, _| {}));
        self.cron.unsaved
    }
}
