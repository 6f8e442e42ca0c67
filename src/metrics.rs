//! What the gateway counts and measures: one row a number, for `health`, `status` and `/metrics`.
//!
//! Any thread counts, without a lock and in no order (`Relaxed`); nothing in the program decides by these numbers. Who
//! changes what a gauge tells sets it; what is known elsewhere at any moment is set when somebody asks (`state/health.rs`).
use crate::clock;
use crate::counter::AtomicU64;
use std::sync::atomic::Ordering;

/// Methods that are counted one by one. More would share the last place: a test of their table says when.
pub const METHODS: usize = 160;

/// What a number is, and its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Since the process began.
    Counter,
    /// The same of milliseconds, told in seconds where units are the base ones.
    CounterMs,
    /// At this moment.
    Gauge,
    /// Kept as a moment, 0 for none; told as the time since then, in units as `CounterMs`.
    Since,
}
use Kind::{Counter, CounterMs, Gauge, Since};

pub struct Row {
    /// As `health` and `status` have it.
    pub name: &'static str,
    /// As Prometheus has it, behind `openclaw_`.
    pub outside: &'static str,
    pub kind: Kind,
    pub help: &'static str,
}

macro_rules! metrics {
    ($($metric:ident $kind:ident $name:literal $outside:literal $help:literal;)+) => {
        #[derive(Debug, Clone, Copy)]
        pub enum Metric { $($metric),+ }

        const ROWS: &[Row] = &[$(Row { name: $name, outside: $outside, kind: $kind, help: $help }),+];
    };
}

metrics! {
    Joined Counter "clientsJoined" "clients_joined_total" "Clients that passed connect.";
    RequestsFailed Counter "requestsFailed" "requests_failed_total" "Requests that were refused or failed.";
    EventsDropped Counter "eventsDropped" "events_dropped_total" "Events that a slow client did not get.";
    RunsStarted Counter "runsStarted" "runs_started_total" "Turns of agents that began.";
    RunsEnded Counter "runsEnded" "runs_ended_total" "Turns that ended.";
    RunsFailed Counter "runsFailed" "runs_failed_total" "Turns that failed; a stopped one did not.";
    RunsStopped Counter "runsStopped" "runs_stopped_total" "Turns that were stopped before their end.";
    ModelCalls Counter "modelCalls" "model_calls_total" "Requests to model servers, retries included.";
    ModelMs CounterMs "modelMs" "model_seconds_total" "Time that these took.";
    TokensIn Counter "tokensIn" "tokens_in_total" "Tokens that models read, from their caches too.";
    TokensOut Counter "tokensOut" "tokens_out_total" "Tokens that models wrote.";
    ToolCalls Counter "toolCalls" "tool_calls_total" "Calls of tools.";
    DeliveriesConfirmed Counter "deliveriesConfirmed" "deliveries_confirmed_total" "Messages that a platform has taken.";
    DeliveriesFailed Counter "deliveriesFailed" "deliveries_failed_total" "Messages that no platform will take.";
    WorkersFailed Counter "workersFailed" "workers_failed_total" "Parts of the gateway that ended untold.";
    Clients Gauge "clients" "clients" "Clients that are connected.";
    BytesArriving Gauge "bytesArriving" "arriving_bytes" "Of messages that have begun to arrive.";
    BytesInWork Gauge "bytesInWork" "in_work_bytes" "Of requests that are worked on.";
    BytesUnsent Gauge "bytesUnsent" "unsent_bytes" "Of frames that clients have not taken yet.";
    EventsWaiting Gauge "eventsWaiting" "events_waiting" "Events that wait for the state thread.";
    StoreWaiting Gauge "storeWaiting" "store_waiting" "Writes that wait for the disk.";
    DeliveriesWaiting Gauge "deliveriesWaiting" "deliveries_waiting" "Messages that wait for their platform.";
    DeliveriesOldest Since "deliveriesOldestMs" "deliveries_oldest_seconds" "Age of the oldest of these.";
    DeliveriesUncertain Gauge "deliveriesUncertain" "deliveries_uncertain" "Messages of which nobody knows whether they arrived.";
    Threads Gauge "threads" "threads" "Threads that run.";
    ThreadsMost Gauge "threadsMost" "threads_most" "The most that ever ran at a time.";
}

static NUMBERS: [AtomicU64; ROWS.len()] = [const { AtomicU64::new(0) }; ROWS.len()];
static REQUESTS: [AtomicU64; METHODS] = [const { AtomicU64::new(0) }; METHODS];

pub fn count(metric: Metric) {
    add(metric, 1);
}

pub fn add(metric: Metric, n: u64) {
    if let Some(sum) = NUMBERS.get(metric as usize) {
        sum.fetch_add(n, Ordering::Relaxed);
    }
}

pub fn set(metric: Metric, n: usize) {
    if let Some(number) = NUMBERS.get(metric as usize) {
        number.store(n as u64, Ordering::Relaxed);
    }
}

/// Counts a request of the method in this row of the table of methods.
pub fn request(row: usize) {
    if let Some(sum) = REQUESTS.get(row.min(METHODS - 1)) {
        sum.fetch_add(1, Ordering::Relaxed);
    }
}

/// All numbers, each with its row.
pub fn all() -> impl Iterator<Item = (&'static Row, u64)> {
    let now = clock::now_ms();
    ROWS.iter().zip(&NUMBERS).map(move |(row, number)| match (row.kind, number.load(Ordering::Relaxed)) {
        (Since, since) if since > 0 => (row, now.saturating_sub(since)),
        (_, number) => (row, number),
    })
}

/// The requests by method, of those that were called; `methods` in the order of their table.
pub fn requests<'m>(methods: &'m [&'static str]) -> impl Iterator<Item = (&'static str, u64)> + 'm {
    let each = methods.iter().zip(&REQUESTS).map(|(name, sum)| (*name, sum.load(Ordering::Relaxed)));
    each.filter(|(_, sum)| *sum > 0)
}

/// All requests by WebSocket so far.
pub fn served() -> u64 {
    REQUESTS.iter().map(|sum| sum.load(Ordering::Relaxed)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_by_name_and_by_method() {
        let number = || all().find(|(row, _)| row.name == "workersFailed").unwrap().1;
        let before = number();
        count(Metric::WorkersFailed);
        add(Metric::WorkersFailed, 2);
        request(1);
        request(usize::MAX);
        // Other tests of this process count too.
        assert!(number() >= before + 3);
        assert!(requests(&["a", "b"]).any(|(name, sum)| name == "b" && sum >= 1));
        let mut names: Vec<&str> = ROWS.iter().flat_map(|row| [row.name, row.outside]).collect();
        names.sort_unstable();
        names.dedup();
        assert!(names.len() >= 2 * ROWS.len() - 2, "each name once; `clients` and `threads` are both");
    }

    #[test]
    fn a_moment_is_told_as_the_time_since_then() {
        let age = || all().find(|(row, _)| row.kind == Since).unwrap().1;
        set(Metric::DeliveriesOldest, clock::now_ms() as usize - 5000);
        assert!((5000..60_000).contains(&age()));
    }
}
