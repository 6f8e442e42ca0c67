//! `cron.*`: scheduled jobs are listed, made, changed, removed, run by hand; how their runs ended. Answered when the change
//! is on disk.
//!
//! What a client sends is brought into shape on its own thread (`prepare`), where time zones may be read.
use super::turns::authorise;
use super::{cron_made as made, cron_named as named};
use crate::calls::Call;
use crate::clock;
use crate::cron::job::Members;
use crate::cron::{self as jobs, Kept, book, outcome, runlog, shape};
use crate::error::{Error, Kind, Result};
use crate::ids;
use crate::json::{Put, json};
use crate::logging::quoted;
use crate::params::{params, read};
use crate::protocol::events;
use crate::protocol::frame::Payload;
use crate::state::State;
use crate::state::event::Answer;
use serde_json::{Map, Value};

/// Runs that are told of when nothing else is asked for, and at most.
const USUAL_RUNS: u64 = 200;
const MAX_RUNS: u64 = 5000;
/// A moment that has passed so lately is still done, milliseconds.
const LATE: u64 = 60_000;

/// On the caller's thread.
pub fn prepare(params: Value) -> Result<Value> {
    let Value::Object(given) = params else {
        return Err(Error::invalid("invalid cron.add params: not an object"));
    };
    shape::new(given, clock::now_ms()).map(Value::Object)
}

pub fn add(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    authorise(state, &call, "cron")?;
    usable(state)?;
    let Value::Object(given) = params else {
        return Err(Error::invalid("invalid cron.add params: not an object"));
    };
    // The caller's thread looked at the clock too, maybe a moment later: an interval begins then.
    let begun = given.get("createdAtMs").and_then(Value::as_u64).unwrap_or_default();
    let (id, now) = (ids::uuid()?, state.now.max(begun));
    named::know_agent(state, &given)?;
    named::know(state, &given, &given)?;
    let mut job = Map::new();
    job.put("id", id.as_str());
    for name in ["agentId", "name", "description", "enabled", "deleteAfterRun"] {
        given.get(name).into_iter().for_each(|value| job.put(name, value.clone()));
    }
    let made = given.get("createdAtMs").cloned().unwrap_or(now.into());
    job.put("createdAtMs", made.clone());
    job.put("updatedAtMs", made);
    job.extend(given.into_iter().filter(|(name, _)| !job.contains_key(name)).collect::<Members>());
    made::mark(&call, &mut job);
    made::bound(state, &call, &job, None)?;
    let number = state.cron.book.add(job, now)?;
    let own = id.clone();
    let undo = move |state: &mut State| state.cron.book.restore(&own, None);
    Ok(saved(state, call, number, &id, "added", undo))
}

/// Answers with the job when it is on disk; as if nothing had been asked when it cannot be.
fn saved(
    state: &mut State,
    call: Call,
    number: u32,
    id: &str,
    action: &'static str,
    undo: impl FnOnce(&mut State) + Send + 'static,
) -> Answer {
    let kept = state.cron.book.get(number);
    let (text, due) = kept.map_or(("{}".to_string(), None), |kept| (kept.text.text(), kept.due()));
    let id = id.to_string();
    let then = move |state: &mut State, result: Result<()>| {
        if let Err(e) = result {
            undo(state);
            return call.answer(Err(e));
        }
        state.emit(&events::CRON, &outcome::event(&id, action, None, due));
        call.answer(Ok(Payload::Text(text.into())));
    };
    state.save_cron(None, true, Box::new(then));
    Answer::Later
}

params! {
    struct Named {
        id: Option<String>,
        job_id: Option<String>,
        patch: Value,
        mode: Option<String>,
        scope: Option<String>,
        limit: Option<u64>,
        offset: u64,
    }
}

impl Named {
    /// The job that is meant: named by one of two members.
    fn id(&self) -> Result<&str> {
        match (self.id.as_deref().map(str::trim), self.job_id.as_deref().map(str::trim)) {
            (Some(id), None) | (None, Some(id)) if !id.is_empty() => Ok(id),
            (Some(_), Some(_)) => Err(Error::invalid("the job is named twice: give id or jobId, not both")),
            _ => Err(Error::invalid("the job is not named: give its id")),
        }
    }

    fn number(&self, state: &State) -> Result<u32> {
        usable(state)?;
        let id = self.id()?;
        let number = state.cron.book.number(id);
        number.ok_or_else(|| Error::not_found(format!("unknown cron job id: {}", quoted(id))))
    }

    fn job(&self, state: &State) -> Result<(u32, Members)> {
        let number = self.number(state)?;
        match state.cron.book.members(number) {
            Some(job) => Ok((number, job)),
            None => Err(self.broken(state, number)),
        }
    }

    /// Why a job cannot run, and what helps.
    fn broken(&self, state: &State, number: u32) -> Error {
        let why = state.cron.book.get(number).and_then(Kept::wrong).unwrap_or("it cannot be read");
        let id = quoted(self.id.as_deref().or(self.job_id.as_deref()).unwrap_or_default());
        let text = format!(
            "job {id} does not run: {why}; mend it by openclaw cron edit, or remove it by openclaw cron rm"
        );
        Error::invalid(text)
    }
}

/// On the caller's thread.
pub fn prepare_patch(mut params: Value) -> Result<Value> {
    if let Some(Value::Object(patch)) = params.get_mut("patch").map(Value::take) {
        let patch = shape::patch(patch, clock::now_ms())?;
        params.as_object_mut().into_iter().for_each(|map| map.put("patch", patch.clone()));
    }
    Ok(params)
}

pub fn update(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    authorise(state, &call, "cron")?;
    let mut asked: Named = read(params)?;
    let number = asked.number(state)?;
    let (old, is_broken) = match state.cron.book.members(number) {
        Some(job) => (job, false),
        None => (state.cron.book.broken(number).ok_or_else(|| asked.broken(state, number))?, true),
    };
    let Value::Object(patch) = asked.patch.take() else {
        return Err(Error::invalid("patch must be an object"));
    };
    let id = asked.id()?.to_string();
    let moves = is_broken || ["schedule", "enabled"].iter().any(|name| patch.contains_key(*name));
    let says_other = ["payload", "sessionTarget"].iter().any(|name| patch.contains_key(*name));
    let now = state.now;
    named::know(state, &patch, &old)?;
    named::know_agent(state, &patch)?;
    let patched = shape::patched(&old, patch, now).and_then(|job| book::fits(&job).map(|()| job));
    // What was not named is wrong still.
    let job = patched.map_err(|e| if is_broken { e.context("the job is still broken") } else { e })?;
    let due = match moves {
        // What has passed is not made up for by switching a job on.
        true => jobs::next(&job, now).filter(|due| due.saturating_add(LATE) > now),
        false => state.cron.book.get(number).and_then(Kept::due),
    };
    // So for what begins another turn than before.
    if moves || says_other {
        made::bound(state, &call, &job, Some(&id))?;
    }
    let is_running = state.cron.is_running(&id);
    let before = state.cron.book.remove(number);
    state.cron.book.put(number, job, due.filter(|_| !is_running));
    let own = id.clone();
    let undo = move |state: &mut State| state.cron.book.restore(&own, before);
    Ok(saved(state, call, number, &id, "updated", undo))
}

pub fn remove(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    authorise(state, &call, "cron")?;
    let asked: Named = read(params)?;
    usable(state)?;
    let id = asked.id()?.to_string();
    let Some(number) = state.cron.book.number(&id) else {
        return Ok(Answer::Now(json!({"ok": true, "removed": false}).into()));
    };
    let before = state.cron.book.remove(number);
    let then = move |state: &mut State, result: Result<()>| match result {
        Err(e) => {
            state.cron.book.restore(&id, before);
            call.answer(Err(e));
        }
        Ok(()) => {
            state.emit(&events::CRON, &outcome::event(&id, "removed", None, None));
            call.answer(Ok(json!({"ok": true, "removed": true}).into()));
        }
    };
    state.save_cron(None, true, Box::new(then));
    Ok(Answer::Later)
}

/// Answers when the run has ended.
pub fn run(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    authorise(state, &call, "cron")?;
    let asked: Named = read(params)?;
    let (number, _) = asked.job(state)?;
    let due = state.cron.book.get(number).and_then(Kept::due);
    let not = |reason: &str| Ok(Answer::Now(json!({"ok": true, "ran": false, "reason": reason}).into()));
    if state.cron.is_running(asked.id()?) {
        return not("already-running");
    }
    if asked.mode.as_deref() == Some("due") && due.is_none_or(|due| due > state.now) {
        return not("not-due");
    }
    made::charge(state, &call)?;
    // A turn does not wait for another that may wait for it.
    let is_a_turn_s = call.caller.run.is_some();
    state.begin_job(number, Some(call.clone()).filter(|_| !is_a_turn_s));
    Ok(if is_a_turn_s { Answer::Now(json!({"ok": true, "ran": true}).into()) } else { Answer::Later })
}

pub fn runs(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let asked: Named = read(params)?;
    let job = match asked.scope.as_deref() {
        Some("all") if asked.id.is_none() && asked.job_id.is_none() => None,
        _ => Some(asked.id()?.to_string()),
    };
    let limit = asked.limit.unwrap_or(USUAL_RUNS).clamp(1, MAX_RUNS);
    let dir = state.cron.place.as_ref().map(|place| place.runs.clone()).unwrap_or_default();
    let offset = usize::try_from(asked.offset).unwrap_or(usize::MAX);
    Ok(Answer::Work(Box::new(move || {
        let most = limit as usize;
        let (mut entries, total) =
            runlog::read(&dir, job.as_deref(), offset.saturating_add(most).saturating_add(1));
        // The newest are counted from the end.
        entries.truncate(entries.len().saturating_sub(offset));
        let has_more = entries.len() > most;
        entries.drain(..entries.len().saturating_sub(most));
        let next = has_more.then_some(offset + most);
        Ok(json!({"entries": entries, "total": total, "offset": offset, "limit": limit, "hasMore": has_more, "nextOffset": next}).into())
    })))
}

pub(super) fn usable(state: &State) -> Result<()> {
    match &state.cron.book.broken {
        Some(why) => Err(Error::new(Kind::Unavailable, why.clone())),
        None => Ok(()),
    }
}
