//! `agent.wait`: clients that wait for the end of a run, and the memory of how runs ended.
//!
//! Part of `State`, on the state thread. Ends are remembered for ten minutes here and for a day in the journal.
use super::Ended;
use crate::calls::Call;
use crate::error::{Error, Result};
use crate::json::json;
use crate::state::State;
use crate::state::event::Answer;
use serde_json::Value;

/// Open `agent.wait` calls of one connection, and of all.
const MAX_WAITS: usize = 64;
const MAX_ALL_WAITS: usize = 4096;

/// A call that waits for a run.
pub struct Waiter {
    pub run: String,
    pub call: Call,
    pub deadline: u64,
}

impl State {
    /// Answers when the run has ended, or says `timeout`.
    pub fn wait_for_run(&mut self, call: Call, run: String, timeout_ms: u64) -> Result<Answer> {
        // An id may be used again by another family: the run that is under way counts.
        let ended = self.runs.ended.iter().rev().find(|(id, _)| *id == run && !self.runs.is_live(id));
        if let Some((_, ended)) = ended {
            return Ok(Answer::Now(waited(&run, ended).into()));
        }
        if let Some(ended) = self.ended_before(&run) {
            return Ok(Answer::Now(waited(&run, &ended).into()));
        }
        if timeout_ms == 0 {
            return Ok(Answer::Now(json!({"runId": run, "status": "timeout"}).into()));
        }
        let of_caller = |w: &&Waiter| w.call.caller.conn == call.caller.conn;
        if self.runs.waiters.iter().filter(of_caller).count() >= MAX_WAITS
            || self.runs.waiters.len() >= MAX_ALL_WAITS
        {
            return Err(Error::unavailable(
                "too many agent.wait calls are open; wait for some to be answered",
            )
            .retry_in(std::time::Duration::from_secs(1)));
        }
        let lends_its_place = call.caller.run.is_some();
        self.runs.waiters.push(Waiter { run, call, deadline: self.mono.saturating_add(timeout_ms) });
        if lends_its_place {
            self.start_runs();
        }
        Ok(Answer::Later)
    }

    /// A run that ended before this process started, or is no longer among the remembered ones.
    fn ended_before(&self, run: &str) -> Option<Ended> {
        if self.runs.is_live(run) {
            return None;
        }
        let record = self.dedupe.records().find(|r| r.key == run)?;
        let result = record.result.as_ref()?;
        let error = result.pointer("/error/message").and_then(Value::as_str).map(str::to_string);
        Some(Ended { at: record.ts, started_at: record.ts, error })
    }

    /// Tells those whose time is up.
    pub(super) fn expire_waiters(&mut self) {
        let now = self.mono;
        for waiter in self.take_waiters(|w| now >= w.deadline) {
            waiter.call.answer(Ok(json!({"runId": waiter.run, "status": "timeout"}).into()));
        }
    }

    fn take_waiters(&mut self, is_meant: impl Fn(&Waiter) -> bool) -> Vec<Waiter> {
        let (meant, others) = std::mem::take(&mut self.runs.waiters).into_iter().partition(is_meant);
        self.runs.waiters = others;
        meant
    }

    pub(super) fn answer_waiters(&mut self, run: &str, ended: &Ended) {
        for waiter in self.take_waiters(|w| w.run == run) {
            waiter.call.answer(Ok(waited(run, ended).into()));
        }
    }
}

fn waited(run: &str, ended: &Ended) -> Value {
    match &ended.error {
        None => json!({"runId": run, "status": "ok", "startedAt": ended.started_at, "endedAt": ended.at}),
        Some(e) => {
            json!({"runId": run, "status": "error", "startedAt": ended.started_at, "endedAt": ended.at, "error": e})
        }
    }
}
