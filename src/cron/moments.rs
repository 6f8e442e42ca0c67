//! When a job is due: at its next moment, later after failures, at once where it was missed, anew when the clock has gone
//! back. Pure.
use super::job::{self, Members};
use super::schedule::{Schedule, Zones};
use serde_json::Value;

/// Pauses after the first, second, ... failure in a row, milliseconds.
const BACKOFF: [u64; 5] = [30_000, 60_000, 300_000, 900_000, 3_600_000];

/// The next moment of a job, epoch milliseconds. What is done once and has been done has none.
pub fn next(job: &Members, now: u64) -> Option<u64> {
    let schedule = job.get("schedule")?.as_object()?;
    let schedule = Schedule::of(schedule, &Zones::Known).ok()?;
    match schedule {
        Schedule::At(at) if job::state(job, "lastRunAtMs").is_some_and(|last| last >= at) => None,
        // An expression that is one past moment never comes; a job for one moment that was missed does.
        Schedule::At(at) if !job::is_once(job) => Some(at).filter(|at| *at > now),
        schedule => following(job, &schedule, now),
    }
}

/// What the schedule gives. One that was made while the clock was ahead counts from a moment to come, and not only then.
fn following(job: &Members, schedule: &Schedule, now: u64) -> Option<u64> {
    let made = |member| job.get(member).and_then(Value::as_u64).is_some_and(|made| made > now);
    match schedule {
        Schedule::Every { ms, anchor } if *anchor > now && (made("createdAtMs") || made("updatedAtMs")) => {
            Some(anchor - (anchor - now - 1) / ms * ms)
        }
        schedule => schedule.next(now),
    }
}

/// When a job is due that was due at `due`, after the clock has gone back by `back`: no later than its schedule gives, and
/// what was done just before is not done again as its moment comes a second time.
pub fn after_step_back(job: &Members, due: u64, back: u64, now: u64) -> Option<u64> {
    let failures = job::state(job, "consecutiveErrors").filter(|failures| *failures > 0);
    let first = match failures {
        Some(failures) => next_after_failure(job, failures, now)?,
        None => next(job, now)?,
    };
    let second = next(job, first).unwrap_or(first);
    let done = job::state(job, "lastRunAtMs").filter(|done| *done >= first);
    let is_again =
        done.is_some_and(|done| first.saturating_sub(done.saturating_sub(back)) < (second - first) / 2);
    Some(due.min(if is_again { second } else { first }))
}

/// The same after a failure: not before a pause that grows with each.
pub fn next_after_failure(job: &Members, failures: u64, now: u64) -> Option<u64> {
    let step = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX).min(BACKOFF.len() - 1);
    let pause = BACKOFF.get(step).copied().unwrap_or_default();
    next(job, now).map(|next| next.max(now + pause))
}

/// What was missed while nothing ran is due now, once.
pub fn due_at_start(job: &Members, schedule: &Schedule, now: u64) -> Option<u64> {
    if matches!(schedule, Schedule::At(_)) {
        return next(job, now);
    }
    let planned = job::state(job, "nextRunAtMs").filter(|at| *at > 0);
    let waits = job::state(job, "consecutiveErrors").is_some_and(|failures| failures > 0);
    match planned {
        Some(planned) if planned <= now => Some(planned),
        Some(planned) if waits => {
            let failures = job::state(job, "consecutiveErrors").unwrap_or(1);
            Some(next_after_failure(job, failures, now).map_or(planned, |latest| planned.min(latest)))
        }
        _ => following(job, schedule, now),
    }
}
