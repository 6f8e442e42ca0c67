//! What the end of a run makes of its job: its state, whether it stays, when it is due again; and the line that the log
//! and clients are told. Pure.
use super::job::{self, Members};
use super::moments::{next, next_after_failure};
use crate::error::{Error, Result};
use crate::json::{Put, json};
use serde_json::Value;

/// Characters of what a run said that are kept.
const MAX_SUMMARY: usize = 2000;
/// A job that failed so often in a row is told of; one that is done once at once.
const TOLD_AT: u64 = 3;

/// How a run ended.
pub struct End {
    pub result: Result<()>,
    /// What it said last.
    pub said: Option<String>,
    /// Whether anything was done at all.
    pub has_begun: bool,
}

impl End {
    pub fn failed(error: Error) -> End {
        End { result: Err(error), said: None, has_begun: true }
    }

    pub fn status(&self) -> &'static str {
        if self.result.is_ok() { "ok" } else { "error" }
    }

    fn error(&self) -> Option<&str> {
        self.result.as_ref().err().map(Error::message)
    }
}

/// One run of a job.
#[derive(Default)]
pub struct Run {
    /// Epoch milliseconds, and how long it took.
    pub at: u64,
    pub duration: u64,
    /// Its session, once it has one.
    pub session: Option<(String, String)>,
    /// Whether its words reach somebody, where they are to.
    pub delivery: &'static str,
    /// Who refused them, and why.
    pub refused: Option<String>,
}

/// Nobody knows yet whether the words arrived, or will.
pub const UNKNOWN: &str = "unknown";
/// They did not.
pub const REFUSED: &str = "not-delivered";

/// What is to be done with the job.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Remove,
    /// It stays, due at this moment.
    Keep(Option<u64>),
}

/// Writes the end of a run into its job.
pub fn settle(job: &mut Members, run: &Run, end: &End, now: u64) -> Next {
    let is_ok = end.result.is_ok();
    let failures = if is_ok { 0 } else { job::state(job, "consecutiveErrors").unwrap_or(0) + 1 };
    job::change_state(job, |state| {
        state.remove("runningAtMs");
        state.put("lastRunAtMs", run.at);
        state.put("lastStatus", end.status());
        state.put("lastDurationMs", run.duration);
        state.put("consecutiveErrors", failures);
        match end.error() {
            Some(error) => state.put("lastError", error),
            None => drop(state.remove("lastError")),
        }
        // As later versions of the original name them; that all went well needs no words.
        match [UNKNOWN, REFUSED].contains(&run.delivery) {
            true => state.put("lastDeliveryStatus", run.delivery),
            false => drop(state.remove("lastDeliveryStatus")),
        }
        match &run.refused {
            Some(why) => state.put("lastDeliveryError", why.as_str()),
            None => drop(state.remove("lastDeliveryError")),
        }
    });
    if !job::is_once(job) {
        return Next::Keep(match is_ok {
            true => next(job, now),
            false => next_after_failure(job, failures, now),
        });
    }
    // One whose words may yet be refused stays until they are not.
    if is_ok && is_gone_when_done(job) && run.delivery != UNKNOWN {
        return Next::Remove;
    }
    job.put("enabled", false);
    Next::Keep(None)
}

pub fn is_gone_when_done(job: &Members) -> bool {
    job.get("deleteAfterRun").and_then(Value::as_bool) == Some(true)
}

/// Whether nobody knew, when this run of the job ended, whether its words had arrived.
pub fn is_open(job: &Members, at: u64) -> bool {
    job::state(job, "lastRunAtMs") == Some(at)
        && job::inner_text(job, "state", "lastDeliveryStatus") == Some(UNKNOWN)
}

/// Whether the one who is waiting for the job's words is to know now that it fails.
pub fn is_told(job: &Members, end: &End) -> bool {
    let failures = job::state(job, "consecutiveErrors").unwrap_or(0);
    end.result.is_err() && (job::is_once(job) || failures == TOLD_AT)
}

/// What clients are told of the end, and, with `ts`, the log.
pub fn line(id: &str, run: &Run, end: &End, next: Option<u64>) -> Members {
    let mut line = Members::new();
    line.put("jobId", id);
    line.put("action", "finished");
    line.put("status", end.status());
    end.error().into_iter().for_each(|error| line.put("error", error));
    if let Some(said) = &end.said {
        line.put("summary", said.chars().take(MAX_SUMMARY).collect::<String>());
    }
    if let Some((key, id)) = &run.session {
        // A run that did not get so far has no conversation.
        if !id.is_empty() {
            line.put("sessionId", id.as_str());
        }
        line.put("sessionKey", key.as_str());
    }
    line.put("runAtMs", run.at);
    line.put("durationMs", run.duration);
    if !run.delivery.is_empty() {
        line.put("deliveryStatus", run.delivery);
    }
    run.refused.iter().for_each(|why| line.put("deliveryError", why.as_str()));
    next.into_iter().for_each(|next| line.put("nextRunAtMs", next));
    line
}

/// The same of what is no end.
pub fn event(id: &str, action: &str, run_at: Option<u64>, next: Option<u64>) -> Value {
    let mut event = json!({"jobId": id, "action": action});
    if let Some(map) = event.as_object_mut() {
        run_at.into_iter().for_each(|at| map.put("runAtMs", at));
        next.into_iter().for_each(|at| map.put("nextRunAtMs", at));
    }
    event
}
