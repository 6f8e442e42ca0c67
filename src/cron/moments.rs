//! When a job is due: at its next moment, later after failures, at once where it was missed. Pure.
use super::job::{self, Members};
use super::schedule::{Schedule, Zones};

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
        schedule => schedule.next(now),
    }
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
        Some(planned) if planned <= now || waits => Some(planned),
        _ => schedule.next(now),
    }
}
