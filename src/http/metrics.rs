//! The counters and gauges of `metrics.rs` and of the state, as Prometheus reads them. Runs on the connection's own thread.
//!
//! A row a number; nothing is measured for it that is not counted anyway. The one label is the method's name, of which
//! there are as many as the table of methods has.
use crate::calls::Call;
use crate::error::Result;
use crate::http::Exchange;
use crate::state::event::Answer;
use crate::state::{State, health};
use crate::tls::Port;
use serde_json::{Map, Value};

const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

enum Kind {
    Counter,
    Gauge,
    /// The same told in seconds, kept in milliseconds.
    CounterMs,
    GaugeMs,
}
use Kind::{Counter, CounterMs, Gauge, GaugeMs};

/// As it is called inside, and outside without `openclaw_`.
const ROWS: &[(&str, &str, Kind, &str)] = &[
    ("clientsJoined", "clients_joined_total", Counter, "Clients that passed connect."),
    ("requestsFailed", "requests_failed_total", Counter, "Requests that were refused or failed."),
    ("eventsDropped", "events_dropped_total", Counter, "Events that a slow client did not get."),
    ("runsStarted", "runs_started_total", Counter, "Turns of agents that began."),
    ("runsEnded", "runs_ended_total", Counter, "Turns that ended."),
    ("runsFailed", "runs_failed_total", Counter, "Turns that failed or were stopped."),
    ("modelCalls", "model_calls_total", Counter, "Requests to model servers, retries included."),
    ("modelMs", "model_seconds_total", CounterMs, "Time that these took."),
    ("tokensIn", "tokens_in_total", Counter, "Tokens that models read."),
    ("tokensOut", "tokens_out_total", Counter, "Tokens that models wrote."),
    ("toolCalls", "tool_calls_total", Counter, "Calls of tools."),
    ("deliveriesConfirmed", "deliveries_confirmed_total", Counter, "Messages that a platform has taken."),
    ("deliveriesFailed", "deliveries_failed_total", Counter, "Messages that no platform will take."),
    ("workersFailed", "workers_failed_total", Counter, "Parts of the gateway that ended untold."),
    ("clients", "clients", Gauge, "Clients that are connected."),
    ("bytesArriving", "arriving_bytes", Gauge, "Of messages that have begun to arrive."),
    ("bytesInWork", "in_work_bytes", Gauge, "Of requests that are worked on."),
    ("bytesUnsent", "unsent_bytes", Gauge, "Of frames that clients have not taken yet."),
    ("eventsWaiting", "events_waiting", Gauge, "Events that wait for the state thread."),
    ("storeWaiting", "store_waiting", Gauge, "Writes that wait for the disk."),
    ("deliveriesWaiting", "deliveries_waiting", Gauge, "Messages that wait for their platform."),
    ("deliveriesOldestMs", "deliveries_oldest_seconds", GaugeMs, "Age of the oldest of these."),
    (
        "deliveriesUncertain",
        "deliveries_uncertain",
        Gauge,
        "Messages of which nobody knows whether they arrived.",
    ),
    ("threads", "threads", Gauge, "Threads that run."),
    ("threadsMost", "threads_most", Gauge, "The most that ever ran at a time."),
];

fn numbers(state: &mut State, _: Call, _: Value) -> Result<Answer> {
    Ok(Answer::Now(health::metrics(state).into()))
}

pub fn serve(exchange: Exchange) -> Result<()> {
    let told = exchange.ask("metrics", numbers, Value::Null)?;
    let none = Map::new();
    let numbers = told.as_object().unwrap_or(&none);
    let mut text = Text(String::with_capacity(8 << 10));
    text.one(
        "build_info",
        "gauge",
        "The version that runs.",
        &format!("{{version=\"{}\"}} 1", crate::version::VERSION),
    );
    let uptime = exchange.shared.started.elapsed().as_millis() as u64;
    text.one("uptime_seconds", "gauge", "Since the gateway began.", &seconds(uptime));
    for (inside, name, kind, help) in ROWS {
        let Some(number) = numbers.get(*inside).and_then(Value::as_u64) else { continue };
        let (kind, value) = match kind {
            Counter => ("counter", format!(" {number}")),
            Gauge => ("gauge", format!(" {number}")),
            CounterMs => ("counter", seconds(number)),
            GaugeMs => ("gauge", seconds(number)),
        };
        text.one(name, kind, help, &value);
    }
    if let Some(requests) = numbers.get("requests").and_then(Value::as_object).filter(|all| !all.is_empty()) {
        text.head("requests_total", "counter", "Requests, by method.");
        for (method, number) in requests {
            text.0 += &format!("openclaw_requests_total{{method=\"{method}\"}} {number}\n");
        }
    }
    if let Some(until) = exchange.shared.tls.as_ref().map(Port::pair).and_then(|pair| pair.facts.until) {
        text.one(
            "tls_not_after_seconds",
            "gauge",
            "Until when the certificate is good, in Unix time.",
            &seconds(until),
        );
    }
    exchange.out.bytes(200, TYPE, text.0.as_bytes())
}

struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.0 += &format!("# HELP openclaw_{name} {help}\n# TYPE openclaw_{name} {kind}\n");
    }

    /// A family of one sample; `value` is what stands behind its name.
    fn one(&mut self, name: &str, kind: &str, help: &str, value: &str) {
        self.head(name, kind, help);
        self.0 += &format!("openclaw_{name}{value}\n");
    }
}

fn seconds(ms: u64) -> String {
    format!(" {}.{:03}", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::{ROWS, health};
    use crate::state::testing::{shared, state};
    use crate::tools::testing::context;

    /// Issue 10.6: and no row is of a number that nobody counts or measures.
    #[test]
    fn i12_2_every_number_has_a_row_and_every_row_a_number() {
        let (context, _dir) = context("{}");
        let (state, _events) = state(shared(context.settings));
        let told = health::metrics(&state);
        let mut names: Vec<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
        names.retain(|name| *name != "requests");
        let mut rows: Vec<&str> = ROWS.iter().map(|row| row.0).collect();
        names.sort_unstable();
        rows.sort_unstable();
        assert_eq!(names, rows);
    }
}
