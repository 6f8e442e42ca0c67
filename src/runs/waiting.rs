//! `agent.wait`: who waits for the end of a run, and the memory of how runs ended.
//!
//! Part of `Runs`, on the state thread. Ends are remembered for ten minutes here and for a day in the journal.
use super::run::Ended;
use super::world::World;
use super::{Runs, Taken};
use crate::calls::{Call, Party, Pending, Question};
use crate::error::Result;
use crate::json::json;
use serde_json::Value;

/// Open `agent.wait` calls of one connection, and of all.
const MAX_WAITS: usize = 64;
const MAX_ALL_WAITS: usize = 4096;

pub(super) fn nobody() -> Pending {
    Pending::bounded(MAX_WAITS, MAX_ALL_WAITS)
}

impl Runs {
    /// Answers when the run has ended, or says `timeout`.
    pub fn wait(&mut self, world: &mut dyn World, call: Call, run: String, timeout_ms: u64) -> Result<Taken> {
        // An id may be used again on another surface: the run that is under way counts.
        if !self.is_live(&run) {
            let remembered =
                self.ended.iter().rev().find(|(id, _)| *id == run).map(|(_, ended)| ended.clone());
            if let Some(ended) = remembered.or_else(|| self.requests.ended(&run)) {
                return Ok(Taken::Now(waited(&run, &ended).into()));
            }
        }
        if timeout_ms == 0 {
            return Ok(Taken::Now(timeout(&run).into()));
        }
        let lends_its_place = call.caller.run.is_some();
        let deadline = world.mono().saturating_add(timeout_ms);
        self.waiters.ask(Question { id: run, party: Party::Gateway, deadline, call })?;
        if lends_its_place {
            self.start_runs(world);
        }
        Ok(Taken::Later)
    }

    /// Tells those whose time is up.
    pub(super) fn expire_waiters(&mut self, mono: u64) {
        for waiter in self.waiters.expire(mono) {
            waiter.call.answer(Ok(timeout(&waiter.id).into()));
        }
    }

    pub(super) fn answer_waiters(&mut self, run: &str, ended: &Ended) {
        // Nobody else may answer these.
        for waiter in self.waiters.answer(run, Party::Gateway).unwrap_or_default() {
            waiter.call.answer(Ok(waited(run, ended).into()));
        }
    }
}

fn timeout(run: &str) -> Value {
    json!({"runId": run, "status": "timeout"})
}

fn waited(run: &str, ended: &Ended) -> Value {
    match &ended.error {
        None => json!({"runId": run, "status": "ok", "startedAt": ended.started_at, "endedAt": ended.at}),
        Some(e) => {
            json!({"runId": run, "status": "error", "startedAt": ended.started_at, "endedAt": ended.at, "error": e})
        }
    }
}
