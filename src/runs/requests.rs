//! Which requests were accepted and how they ended: the one place where runs and the idempotency journal meet.
//!
//! Owned by `Runs`, on the state thread. The same records stand in the journal on disk, from which it is filled at
//! the start; what is to be written goes out by `World`.
use super::origin::Surface;
use super::run::{Ended, NewRun};
use super::world::World;
use crate::deliveries::dedupe::used_otherwise;
use crate::deliveries::{Dedupe, Known, Line, Record, Seen};
use crate::error::{Error, Kind, Result};
use serde_json::Value;
use std::sync::Arc;

pub struct Requests(Dedupe);

impl Requests {
    /// With the records that the journal holds, oldest first.
    pub fn of(records: Vec<Record>) -> Requests {
        Requests(Dedupe::from_records(records))
    }

    /// The record of the same request, if it was made before. A key that was used for another one is refused.
    pub(super) fn seen(&self, surface: &Surface, id: &str, hash: &str, now: u64) -> Result<Option<&Known>> {
        match self.0.check(surface.journal, id, hash, now) {
            Seen::New => Ok(None),
            Seen::Same(known) => Ok(Some(known)),
            Seen::Different => Err(Error::new(Kind::Conflict, used_otherwise(id))),
        }
    }

    /// Keeps the acceptance of a run of this conversation.
    pub(super) fn begin(&mut self, world: &dyn World, new: &NewRun, session_id: Option<&str>) -> Result<()> {
        let mut record = Record {
            family: new.origin.surface.journal.to_string(),
            key: new.id.clone(),
            hash: new.hash.clone(),
            ts: world.now(),
            session_key: Some(new.key.clone()),
            session_id: session_id.map(str::to_string),
            message: None,
            result: None,
        };
        self.0.begin(record.clone());
        record.message = new.own_words();
        world.keep(record, new.images.clone()).inspect_err(|_| self.forget(new))
    }

    /// As if it had never been accepted.
    pub(super) fn forget(&mut self, new: &NewRun) {
        self.0.cancel(new.origin.surface.journal, &new.id);
    }

    /// Keeps the end of a run, and `lines` in one piece with it; `stored` is what a repetition is told.
    pub(super) fn end(&mut self, world: &mut dyn World, new: &NewRun, stored: Arc<String>, lines: Vec<Line>) {
        let Some(record) = self.0.finish(new.origin.surface.journal, &new.id, stored) else {
            return world.note(lines);
        };
        if !world.keep_end(record, lines) {
            let id = crate::logging::quoted(&new.id);
            log::warn!(target: "gateway/store", "the result of run {id} is not journalled: the disk is too slow");
        }
    }

    /// How a run ended that is no longer remembered here, or ended before this process started.
    pub(super) fn ended(&self, run: &str) -> Option<Ended> {
        let record = self.0.with_key(run)?;
        let result = record.result.as_ref()?.read();
        let error = result.pointer("/error/message").and_then(Value::as_str).map(str::to_string);
        Some(Ended { at: record.ts, started_at: record.ts, error })
    }

    /// Forgets what is older than a day.
    pub fn expire(&mut self, now: u64) {
        self.0.expire(now);
    }
}
