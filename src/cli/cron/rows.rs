//! A job as a row of a table. Pure but for the clock.
use crate::cli::print;
use crate::clock;
use crate::cron::job::{self, Members};
use crate::parts::within;
use serde_json::Value;

pub const HEAD: [&str; 8] = ["ID", "Name", "Schedule", "Next", "Last", "Status", "Target", "Agent"];

pub fn row(job: &Members) -> Vec<String> {
    let now = clock::now_ms();
    let text = |member: &str| job::text(job, member).unwrap_or("-").to_string();
    let state = |member: &str| job::state(job, member).filter(|at| *at > 0);
    let next = state("nextRunAtMs").filter(|_| job::is_enabled(job));
    let status = match (job::is_enabled(job), state("runningAtMs")) {
        (_, Some(_)) => "running",
        (false, _) => "disabled",
        _ => job::inner_text(job, "state", "lastStatus").unwrap_or("idle"),
    };
    let agent = job::text(job, "agentId").unwrap_or("default").to_string();
    vec![
        text("id"),
        short(&text("name"), 24),
        short(&schedule(job), 40),
        next.map_or("-".into(), |at| relative(at, now)),
        state("lastRunAtMs").map_or("-".into(), |at| relative(at, now)),
        status.to_string(),
        text("sessionTarget"),
        agent,
    ]
}

/// When, in words.
pub fn schedule(job: &Members) -> String {
    let text = |member: &str| job::inner_text(job, "schedule", member).unwrap_or("-");
    match text("kind") {
        "at" if text("at").len() > 16 => format!("at {}Z", within(text("at"), 16).replace('T', " ")),
        "at" => format!("at {}", text("at")),
        "every" => {
            let ms = job::inner(job, "schedule", "everyMs").and_then(Value::as_u64).unwrap_or_default();
            format!("every {}", interval(ms))
        }
        _ => match text("tz") {
            "-" => format!("cron {}", text("expr")),
            zone => format!("cron {} @ {zone}", text("expr")),
        },
    }
}

/// An interval as it is: in the largest unit of which it is a whole number.
fn interval(ms: u64) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    let unit = units.into_iter().find(|(_, unit)| ms >= *unit && ms.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{ms}ms"), |(name, unit)| format!("{}{name}", ms / unit))
}

fn short(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 1).chain(['…']).collect(),
        false => text.to_string(),
    }
}

/// `in 20m`, `3h ago`.
pub fn relative(at: u64, now: u64) -> String {
    if at >= now { format!("in {}", print::age(at - now)) } else { format!("{} ago", print::age(now - at)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_shown_as_it_is() {
        let shown = [
            (90_000, "90s"),
            (60_000, "1m"),
            (5_400_000, "90m"),
            (7_200_000, "2h"),
            (86_400_000, "1d"),
            (1500, "1500ms"),
        ];
        for (ms, want) in shown {
            assert_eq!(interval(ms), want);
        }
    }
}
