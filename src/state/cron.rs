//! The scheduler: which job is due, that it runs once, and what becomes of it. Its timer is a step of the state thread's
//! turn; nothing due is no wake-up. A clock that jumps is seen at the next turn, by the tick at the latest.
//!
//! Before a run begins the file says so: what dies in the middle is known at the next start, and never done twice
//! without a word. What a run does is asked for by `Shared::job`. Part of `State`, on the state thread; the store
//! thread reads and writes the files.
mod saving;

use super::State;
use crate::calls::Call;
use crate::config::Stamp;
use crate::cron::Book;
use crate::cron::job::{self, Members};
use crate::cron::outcome::{self, End, Next, Run};
use crate::cron::store::{self, Place};
use crate::deliveries::Delivery;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::logging::quoted;
use crate::protocol::events;
use crate::runs::origin::Address;
use crate::settings::Settings;
use saving::{Saving, Seen};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

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

/// Whether jobs run by themselves.
pub fn is_on(settings: &Settings) -> bool {
    settings.config().bool("cron.enabled") && !settings.env.flag("OPENCLAW_SKIP_CRON")
}

impl State {
    pub(super) fn run_cron(&mut self) -> Option<u64> {
        for number in std::mem::take(&mut self.cron.interrupted) {
            self.end_interrupted(number);
        }
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
        while self.cron.running.len() < most {
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

    pub fn job_ended(&mut self, id: &str, end: End) {
        let Some(running) = self.cron.running.remove(id) else { return };
        if !end.has_begun && self.is_stopping() {
            return self.is_due_again(id, self.now);
        }
        let duration = self.mono.saturating_sub(running.mono);
        let run = Run { at: running.at, duration, session: running.session, delivery: running.delivery };
        if let Err(e) = &end.result {
            log::warn!(target: "gateway/cron", "job {} failed: {e}", quoted(id));
        }
        self.settle_job(id, &run, &end, running.to, running.waiting);
    }

    fn settle_job(&mut self, id: &str, run: &Run, end: &End, to: Option<Address>, waiting: Vec<Call>) {
        let mut due = None;
        // One that was removed meanwhile has its last line all the same.
        if let Some(number) = self.cron.book.number(id)
            && let Some(mut job) = self.cron.book.members(number)
        {
            let next = outcome::settle(&mut job, run, end, self.now);
            if outcome::is_told(&job, end) {
                self.tell_of_failure(&job, run, end, to);
            }
            match next {
                Next::Remove => drop(self.cron.book.remove(number)),
                Next::Keep(next) => {
                    self.cron.book.put(number, job, next);
                    due = self.cron.book.get(number).and_then(|kept| kept.due);
                }
            }
        }
        let mut line = outcome::line(id, run, end, due);
        self.emit(&events::CRON, &Value::Object(line.clone()));
        line.put("ts", self.now);
        let log = (id.to_string(), Value::Object(line).to_string());
        let told = move |_: &mut State, _: Result<()>| {
            waiting.iter().for_each(|call| call.answer(Ok(json!({"ok": true, "ran": true}).into())));
        };
        self.save_cron(Some(log), false, Box::new(told));
    }

    /// What was under way when an earlier process died: it may have been done, so it is not done again by itself.
    fn end_interrupted(&mut self, number: u32) {
        let Some(job) = self.cron.book.members(number) else { return };
        let id = job::text(&job, "id").unwrap_or_default().to_string();
        let at = job::state(&job, "runningAtMs").unwrap_or(self.now);
        let text = "the gateway stopped in the middle of this run: it is not known how much of it was done, and it is not \
                    done again";
        log::warn!(target: "gateway/cron", "job {}: {text}", quoted(&id));
        let run = Run { at, duration: self.now.saturating_sub(at), ..Run::default() };
        let to = (self.shared.job_place)(self, &job);
        self.settle_job(&id, &run, &End::failed(Error::unavailable(text)), to, Vec::new());
    }

    /// Whoever waits for a job's words hears that they do not come.
    fn tell_of_failure(&mut self, job: &Members, run: &Run, end: &End, to: Option<Address>) {
        let (Some(to), Err(e)) = (to, &end.result) else { return };
        let name = job::text(job, "name").unwrap_or_default();
        let failures = job::state(job, "consecutiveErrors").unwrap_or(1);
        let times = if failures > 1 { format!(" {failures} times in a row") } else { String::new() };
        let delivery = Delivery {
            id: format!("cron-failure:{}:{}", job::text(job, "id").unwrap_or_default(), run.at),
            platform: to.channel.clone(),
            account: to.account.clone(),
            to: to.peer.clone(),
            ts: self.now,
            message: Some(
                json!({"text": (format!("⚠️ The scheduled job \"{name}\" has failed{times}: {e}")), "plain": true}),
            ),
            ..Delivery::default()
        };
        self.promise(delivery, crossbeam_channel::bounded(1).0);
    }
}

#[cfg(test)]
#[path = "cron/tests.rs"]
mod tests;
