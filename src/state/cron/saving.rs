//! The jobs on their way to their file: written whole by the store thread, one save at a time, in the order of what happened;
//! changes meanwhile go with the next. What the disk did not take is written again. What another program wrote there since is
//! seen before it would be written over, and put together with what is here (`cron::merge`).
use crate::config::Stamp;
use crate::cron::store::{Place, Snapshot};
use crate::cron::{Book, merge, runlog, store};
use crate::error::Result;
use crate::state::State;
use crate::state::carrying::Then;
use crate::state::event::Event;
use crate::state::store::{Job, busy};
use std::sync::Arc;

/// When what the disk did not take is written again, milliseconds.
const AGAIN: u64 = 5000;
/// Lines for logs that wait for a disk that did not take them; the newest are kept.
const MOST_LINES: usize = 1000;

/// The file as it was when this process wrote or read it last.
#[derive(Clone, Default)]
pub struct Seen {
    pub stamp: Stamp,
    pub jobs: Arc<Snapshot>,
}

/// Somebody who waits until the jobs are on disk.
struct Waiting {
    /// A line for the log of one job.
    log: Option<(String, String)>,
    by_people: bool,
    then: Then,
}

#[derive(Default)]
pub struct Saving {
    seen: Seen,
    is_under_way: bool,
    waiting: Vec<Waiting>,
    /// Jobs, and lines of their logs that the disk did not take.
    lines: Vec<(String, String)>,
    /// The file has not the last changes; it is written again then (monotonic clock).
    again: Option<u64>,
}

impl Saving {
    pub fn of(seen: Seen) -> Saving {
        Saving { seen, ..Saving::default() }
    }
}

/// What became of a save.
enum Outcome {
    Written(Seen),
    /// Somebody else has written: these are the jobs now.
    Merged(Book, Seen),
}

impl State {
    /// Writes the jobs, and a line into the log of one; `then` is told how it went. With `by_people` a copy is left beside.
    pub fn save_cron(&mut self, log: Option<(String, String)>, by_people: bool, then: Then) {
        self.cron.revision += 1;
        if self.cron.place.is_none() {
            return then(self, Ok(()));
        }
        if self.store.is_full() {
            self.lines_are_left(log.into_iter().collect());
            self.cron.saving.again = Some(self.mono + AGAIN);
            return then(self, Err(busy()));
        }
        self.post.under_way += 1;
        self.cron.saving.waiting.push(Waiting { log, by_people, then });
        self.begin_cron_save();
    }

    fn begin_cron_save(&mut self) {
        let saving = &mut self.cron.saving;
        let Some(place) = self.cron.place.clone().filter(|_| !saving.is_under_way) else { return };
        if saving.waiting.is_empty() {
            return;
        }
        if self.store.is_full() {
            saving.again = Some(self.mono + AGAIN);
            return;
        }
        saving.is_under_way = true;
        let (mut waiting, lines) = (std::mem::take(&mut saving.waiting), std::mem::take(&mut saving.lines));
        let (seen, state) = (saving.seen.clone(), self.shared.state.clone());
        let (snapshot, revision, now) = (Arc::new(self.cron.book.snapshot()), self.cron.revision, self.now);
        let work = move || {
            let by_people = waiting.iter().any(|one| one.by_people);
            let new = waiting.iter_mut().filter_map(|one| one.log.take());
            let mut lines: Vec<_> = lines.into_iter().chain(new).collect();
            let outcome = save(&place, snapshot, &seen, by_people, now);
            told(&outcome, "the scheduled jobs are not on disk");
            lines.retain(|(job, line)| {
                let appended = runlog::append(&place.runs, job, line);
                told(&appended, "the log of a scheduled job's runs is not on disk");
                appended.is_err()
            });
            let then: Then = Box::new(move |state, _| {
                state.lines_are_left(lines);
                state.cron_is_saved(outcome, revision, waiting);
            });
            // The state thread is gone only when the process ends; the file has the jobs.
            let _ = state.send(Event::Noted { result: Ok(()), then });
        };
        self.post.under_way += 1;
        // This thread alone fills the queue, so there is room.
        drop(self.store.submit(Job::Upkeep(Box::new(work))));
    }

    fn lines_are_left(&mut self, new: Vec<(String, String)>) {
        let lines = &mut self.cron.saving.lines;
        lines.extend(new);
        lines.drain(..lines.len().saturating_sub(MOST_LINES));
        if !lines.is_empty() {
            self.cron.saving.again = Some(self.mono + AGAIN);
        }
    }

    fn cron_is_saved(&mut self, outcome: Result<Outcome>, revision: u64, waiting: Vec<Waiting>) {
        self.cron.saving.is_under_way = false;
        let result = match outcome {
            Ok(Outcome::Merged(book, seen)) => {
                // What has changed here meanwhile is put together with it, too, by the next one.
                if self.cron.revision == revision {
                    self.take_over_jobs(book, seen);
                }
                self.cron.saving.waiting.splice(0..0, waiting);
                return self.begin_cron_save();
            }
            Ok(Outcome::Written(seen)) => {
                self.cron.saving.seen = seen;
                Ok(())
            }
            Err(e) => {
                self.cron.saving.again = Some(self.mono + AGAIN);
                Err(e)
            }
        };
        for one in waiting {
            self.post.under_way = self.post.under_way.saturating_sub(1);
            (one.then)(self, result.clone());
        }
        self.begin_cron_save();
    }

    /// The jobs as somebody else has changed them; what runs goes on.
    fn take_over_jobs(&mut self, book: Book, seen: Seen) {
        log::info!(target: "gateway/cron", "another program has changed the scheduled jobs: they are taken over");
        for (id, why) in book.wrong() {
            log::warn!(target: "gateway/cron", "job {} does not run: {why}; its entry is kept as it is", crate::logging::quoted(id));
        }
        (self.cron.book, self.cron.saving.seen) = (book, seen);
        for id in self.cron.running.keys() {
            if let Some(number) = self.cron.book.number(id) {
                self.cron.book.hold(number);
            }
        }
    }

    pub(super) fn save_cron_again(&mut self) -> Option<u64> {
        let at = self.cron.saving.again?;
        if self.mono < at {
            return Some(at);
        }
        self.cron.saving.again = None;
        self.save_cron(None, false, Box::new(|_, _| {}));
        self.cron.saving.again
    }
}

/// On the store thread.
fn save(place: &Place, ours: Arc<Snapshot>, seen: &Seen, by_people: bool, now: u64) -> Result<Outcome> {
    let mut stamp = Stamp::of(&place.jobs);
    while stamp == seen.stamp || stamp == Stamp::default() {
        // What somebody writes between is seen by its stamp, before ours is in its place or after.
        let is_same = || Stamp::of(&place.jobs) == stamp;
        if let Some(stamp) = store::write(&place.jobs, &ours, by_people, is_same)? {
            return Ok(Outcome::Written(Seen { stamp, jobs: ours }));
        }
        stamp = Stamp::of(&place.jobs);
    }
    let found = store::read(&place.jobs)?;
    let book = merge::merged(&seen.jobs, &ours, found, now);
    let jobs = Arc::new(book.snapshot());
    Ok(Outcome::Merged(book, Seen { stamp, jobs }))
}

fn told<T>(result: &Result<T>, what: &str) {
    if let Err(e) = result {
        log::error!(target: "gateway/cron", "{what}: {e}; it is tried again");
    }
}
