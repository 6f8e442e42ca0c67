//! The scheduler: which job is due, that it runs once, and what becomes of it. Its timer is a step of the state thread's
//! turn; nothing due is no wake-up. A clock that jumps is seen at the next turn, by the tick at the latest.
//!
//! Before a run begins the file says so: what dies in the middle is known at the next start, and never done twice
//! without a word. What a run does is asked for by `Shared::job`. Part of `State`, on the state thread; the store
//! thread reads and writes the files.
mod ending;
mod saving;
mod setting;

use super::State;
use crate::calls::Call;
use crate::config::Stamp;
use crate::cron::Book;
use crate::cron::job;
use crate::cron::outcome;
use crate::cron::store::{self, Place};
use crate::error::Result;
use crate::json::Put;
use crate::logging::quoted;
use crate::protocol::events;
use crate::runs::origin::Address;
use crate::settings::Settings;
use saving::{Saving, Seen};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How the names of runs begin.
const RUN: &str = "cron:";
/// How long a job waits whose run could not be noted down, milliseconds.
const AGAIN: u64 = 30_000;

#[derive(Default)]
pub struct Cron {
    pub book: Book,
    /// Counts what has changed, for clients.
    pub revision: u64,
    pub place: Option<Place>,
    /// By job.
    running: BTreeMap<String, Running>,
    /// Jobs that an earlier process left in the middle of a run.
    interrupted: Vec<u32>,
    saving: Saving,
    clock: setting::Clock,
}

/// A job under way.
#[derive(Default)]
struct Running {
    at: u64,
    mono: u64,
    session: Option<(String, String)>,
    /// Where its words go.
    to: Option<Address>,
    delivery: &'static str,
    /// How long it took: its words are on their way.
    took: Option<u64>,
    /// Who asked for this run and waits for its end.
    waiting: Vec<Call>,
}

impl Cron {
    /// Reads the jobs and the time zones that they name; for the start.
    pub fn load(settings: &Settings, now: u64) -> Cron {
        let place = Place::of(&settings.config(), &settings.env);
        let stamp = Stamp::of(&place.jobs);
        let (book, interrupted) = Book::load(store::read(&place.jobs), now);
        if let Some(why) = &book.broken {
            log::error!(target: "gateway/cron", "{why}");
        }
        for (id, why) in book.wrong() {
            log::warn!(target: "gateway/cron", "job {} does not run: {why}; its entry is kept as it is", quoted(id));
        }
        let seen = Seen { stamp, jobs: Arc::new(book.snapshot()) };
        // What reading a file of many took goes back.
        if book.len() > 0 {
            crate::sys::release_memory();
        }
        Cron { book, interrupted, place: Some(place), saving: Saving::of(seen), ..Cron::default() }
    }

    /// The name of a job's run that is under way: what it sends is known by it, also after a restart.
    pub fn run_of(&self, id: &str) -> String {
        run_name(id, self.running.get(id).map_or(0, |running| running.at))
    }

    pub fn is_running(&self, id: &str) -> bool {
        self.running.contains_key(id)
    }

    /// The run of a job has this session, and its words go there.
    pub fn is_under_way(
        &mut self,
        id: &str,
        key: &str,
        session: &str,
        to: Option<Address>,
        delivery: &'static str,
    ) {
        if let Some(running) = self.running.get_mut(id) {
            running.session = Some((key.to_string(), session.to_string()));
            (running.to, running.delivery) = (to, delivery);
        }
    }
}

fn run_name(id: &str, at: u64) -> String {
    format!("{RUN}{id}:{at}")
}

/// Whether jobs run by themselves.
pub fn is_on(settings: &Settings) -> bool {
    settings.config().bool("cron.enabled") && !settings.env.flag("OPENCLAW_SKIP_CRON")
}

impl State {
    pub(super) fn run_cron(&mut self) -> Option<u64> {
        for number in std::mem::take(&mut self.cron.interrupted) {
            self.end_interrupted(number);
        }
        self.heed_the_clock();
        let again = self.save_cron_again();
        self.start_due_jobs().into_iter().chain(again).min()
    }

    fn start_due_jobs(&mut self) -> Option<u64> {
        self.cron.book.first()?;
        if self.turns_are_taken().is_err() || !is_on(&self.shared) {
            return None;
        }
        let most = self.shared.config().u64("cron.maxConcurrentRuns").unwrap_or(1).clamp(1, 64) as usize;
        // The end of a run is a turn of this thread.
        let are_busy = |cron: &Cron| cron.running.values().filter(|running| running.took.is_none()).count();
        while are_busy(&self.cron) < most {
            let (due, number) = self.cron.book.first()?;
            if due > self.now {
                return Some(self.mono + (due - self.now));
            }
            self.begin_job(number, None);
        }
        None
    }

    /// Notes down that a job is under way; when that is on disk it is.
    pub fn begin_job(&mut self, number: u32, call: Option<Call>) {
        self.cron.book.hold(number);
        let Some(mut job) = self.cron.book.members(number) else { return };
        let (id, at) = (job::text(&job, "id").unwrap_or_default().to_string(), self.now);
        job::change_state(&mut job, |state| state.put("runningAtMs", at));
        self.cron.book.put(number, job, None);
        let running =
            Running { at, mono: self.mono, waiting: call.into_iter().collect(), ..Running::default() };
        self.cron.running.insert(id.clone(), running);
        self.save_cron(None, false, Box::new(move |state, result| state.job_is_noted(&id, result)));
    }

    fn job_is_noted(&mut self, id: &str, result: Result<()>) {
        let Err(e) = result else {
            let at = self.cron.running.get(id).map(|running| running.at);
            self.emit(&events::CRON, &outcome::event(id, "started", at, None));
            return (self.shared.clone().job)(self, id);
        };
        log::error!(target: "gateway/cron", "job {} does not run now: {e}", quoted(id));
        let waiting = self.cron.running.remove(id).map(|running| running.waiting).unwrap_or_default();
        waiting.iter().for_each(|call| call.answer(Err(e.clone())));
        self.is_due_again(id, self.now + AGAIN);
    }

    /// As if the run had not been begun.
    fn is_due_again(&mut self, id: &str, at: u64) {
        let Some(number) = self.cron.book.number(id) else { return };
        let Some(mut job) = self.cron.book.members(number) else { return };
        job::change_state(&mut job, |state| drop(state.remove("runningAtMs")));
        self.cron.book.put(number, job, Some(at));
        self.save_cron(None, false, Box::new(|_, _| {}));
    }
}

#[cfg(test)]
#[path = "cron/tests.rs"]
mod tests;
