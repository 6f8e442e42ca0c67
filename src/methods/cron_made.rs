//! What an agent may arrange by its tool: jobs that are due once a minute at most, and not many of them. A misled turn could
//! have turns begun for ever otherwise, and the owner pays for each. Part of `cron.add`, `.update` and `.run`, on the state
//! thread; what people and their programs ask for is not bounded here.
use crate::calls::Call;
use crate::cron::job::{self, MADE, Members};
use crate::cron::shape;
use crate::error::{Error, Result};
use crate::json::Put;
use crate::state::State;
use serde_json::Value;

/// Jobs at a time that tools have made and that are switched on.
const MOST: usize = 20;

/// Notes that a tool has made the job.
pub fn mark(call: &Call, job: &mut Members) {
    if call.caller.run.is_some() {
        job.put(MADE.0, MADE.1);
    }
}

/// Refuses a job that a tool wants so; `id` where it is there already.
pub fn bound(state: &State, call: &Call, job: &Members, id: Option<&str>) -> Result<()> {
    if call.caller.run.is_none() || job.get("enabled") == Some(&Value::Bool(false)) {
        return Ok(());
    }
    if shape::is_hasty(job) {
        return Err(Error::invalid(
            "a job that you make may be due once a minute at most: choose everyMs 60000 or more, or a cron expression without seconds",
        ));
    }
    if job::is_made(job) && state.cron.book.made(id) >= MOST {
        return Err(Error::invalid(format!(
            "{MOST} jobs that agents have made are switched on already: remove some that are not needed, or have the user add this one by openclaw cron add"
        )));
    }
    Ok(())
}

/// A job that a tool runs at once, or a heartbeat that it wants now, is paid by the message that its turn began with.
pub fn charge(state: &State, call: &Call) -> Result<()> {
    call.caller.run.as_deref().map_or(Ok(()), |run| state.runs.charge(run))
}
