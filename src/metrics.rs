//! What has been counted since the process began: one row a number, for `health`, `status` and whoever asks later.
//!
//! Any thread counts, without a lock and in no order (`Relaxed`); nothing in the program decides by these numbers. What
//! is known elsewhere, such as the clients that are here now, is not counted twice: `state/health.rs` puts it beside them.
use crate::json::Put;
use serde_json::{Map, Value};
use std::sync::atomic::{AtomicU64, Ordering};

/// Methods that are counted one by one. More would share the last place: a test of their table says when.
pub const METHODS: usize = 128;

macro_rules! metrics {
    ($($(#[$doc:meta])* $name:ident $text:literal;)+) => {
        #[derive(Debug, Clone, Copy)]
        pub enum Metric { $($(#[$doc])* $name),+ }

        const NAMES: &[&str] = &[$($text),+];
    };
}

metrics! {
    /// Clients that passed `connect`.
    Joined "clientsJoined";
    /// Requests that were refused or failed, of all methods and of none.
    RequestsFailed "requestsFailed";
    /// Events that a slow client did not get.
    EventsDropped "eventsDropped";
    RunsStarted "runsStarted";
    RunsEnded "runsEnded";
    /// Those of the ended ones that failed or were stopped.
    RunsFailed "runsFailed";
    /// Requests to model servers, retries included, and the time until their ends.
    ModelCalls "modelCalls";
    ModelMs "modelMs";
    /// As the model servers counted them; what came from their caches is input.
    TokensIn "tokensIn";
    TokensOut "tokensOut";
    ToolCalls "toolCalls";
    /// Messages that a platform has taken, and those that it never will.
    DeliveriesConfirmed "deliveriesConfirmed";
    DeliveriesFailed "deliveriesFailed";
    /// Times that a worker of the gateway ended without having been told to.
    WorkersFailed "workersFailed";
}

const COUNT: usize = NAMES.len();
static COUNTS: [AtomicU64; COUNT] = [const { AtomicU64::new(0) }; COUNT];
static REQUESTS: [AtomicU64; METHODS] = [const { AtomicU64::new(0) }; METHODS];

pub fn count(metric: Metric) {
    add(metric, 1);
}

pub fn add(metric: Metric, n: u64) {
    if let Some(sum) = COUNTS.get(metric as usize) {
        sum.fetch_add(n, Ordering::Relaxed);
    }
}

/// Counts a request of the method in this row of the table of methods.
pub fn request(row: usize) {
    if let Some(sum) = REQUESTS.get(row.min(METHODS - 1)) {
        sum.fetch_add(1, Ordering::Relaxed);
    }
}

/// All counts by name, and the requests by method, of those that were called; `methods` in the order of their table.
pub fn told(methods: &[&str]) -> Map<String, Value> {
    let mut told = Map::new();
    for (name, sum) in NAMES.iter().zip(&COUNTS) {
        told.put(name, sum.load(Ordering::Relaxed));
    }
    let mut requests = Map::new();
    for (name, sum) in methods.iter().zip(&REQUESTS) {
        let sum = sum.load(Ordering::Relaxed);
        if sum > 0 {
            requests.put(name, sum);
        }
    }
    told.put("requests", requests);
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_by_name_and_by_method() {
        let number =
            |told: &Map<String, Value>, name: &str| told.get(name).and_then(Value::as_u64).unwrap_or(0);
        let before = told(&["a", "b"]);
        count(Metric::WorkersFailed);
        add(Metric::WorkersFailed, 2);
        request(1);
        request(usize::MAX);
        let after = told(&["a", "b"]);
        // Other tests of this process count too.
        assert!(number(&after, "workersFailed") >= number(&before, "workersFailed") + 3);
        assert!(after["requests"]["b"].as_u64() >= Some(1));
        assert_eq!(after.len(), NAMES.len() + 1, "each name once");
    }
}
