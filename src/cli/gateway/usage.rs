//! `openclaw gateway usage-cost`: tokens and costs of the last days, by the gateway's `usage.cost`.
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON};
use crate::error::Result;
use crate::json::json;
use serde_json::Value;

pub const COMMAND: Command = Command {
    name: "gateway usage-cost",
    summary: "Show tokens and costs of the last days",
    about: "Counts all agents' sessions. Costs come from the models' configured prices (models.providers.*.models.*.cost).",
    positionals: &[],
    flags: &[FLAGS, rpc::FLAGS, rpc::TIMEOUT],
    examples: &[
        ("openclaw gateway usage-cost", "Show the last 30 days"),
        ("openclaw gateway usage-cost --days 7 --json", "Print the last week by day as JSON"),
    ],
    failure: "Gateway usage cost failed: ",
    run,
};

const FLAGS: &[Flag] = &[
    Flag::value("days", "<days>", "Count this many days, today included; default 30"),
    Flag::switch("expect-final", "Accepted for scripts; the answer is always the final one"),
    JSON,
];

/// Days that are counted when nobody says how many.
const DEFAULT_DAYS: u64 = 30;

fn run(context: &Context, args: &Args) -> Result<()> {
    let days = args.positive("days")?.unwrap_or(DEFAULT_DAYS);
    let report = rpc::call(context, args, "usage.cost", &json!({"days": days}))?;
    if args.has("json") {
        context.out.json(&report);
    } else {
        lines(&report, days).iter().for_each(|line| context.out.line(line));
    }
    Ok(())
}

/// A heading, the sum, what is missing in it, and the newest day.
pub fn lines(report: &Value, days: u64) -> Vec<String> {
    let totals = report.get("totals").unwrap_or(&Value::Null);
    let mut lines = vec![
        format!("Usage cost ({days} {})", if days == 1 { "day" } else { "days" }),
        format!("Total: {}", sum(totals)),
    ];
    let missing = totals.get("missingCostEntries").and_then(Value::as_u64).unwrap_or(0);
    if missing > 0 {
        lines.push(format!("Missing entries: {missing}"));
    }
    if report.get("isPartial").and_then(Value::as_bool) == Some(true) {
        lines.push("Not everything was counted: there are more transcripts than one call reads".to_string());
    }
    if let Some(last) = report.get("daily").and_then(Value::as_array).and_then(|days| days.last()) {
        let date = last.get("date").and_then(Value::as_str).unwrap_or_default();
        lines.push(format!("Latest day: {date} · {}", sum(last)));
    }
    lines
}

/// `$0.0123 · 1.2k tokens`
fn sum(of: &Value) -> String {
    let cost = of.get("totalCost").and_then(Value::as_f64).unwrap_or(0.0);
    let tokens = of.get("totalTokens").and_then(Value::as_f64).unwrap_or(0.0);
    format!("{} · {} tokens", money(cost), short(tokens as u64))
}

/// `$1.20`, `$0.0012`
pub fn money(cost: f64) -> String {
    if cost >= 0.01 { format!("${cost:.2}") } else { format!("${cost:.4}") }
}

/// `950`, `1.2k`, `64k`, `1.5m`
pub fn short(tokens: u64) -> String {
    match tokens {
        0..1000 => tokens.to_string(),
        1000..10_000 => format!("{:.1}k", tokens as f64 / 1e3),
        10_000..1_000_000 => format!("{}k", tokens / 1000),
        _ => format!("{:.1}m", tokens as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_and_the_latest_day() {
        let day = json!({"date": "2026-11-20", "totalCost": 0.002, "totalTokens": 15});
        let report = json!({"totals": {"totalCost": 1.5, "totalTokens": 64_321, "missingCostEntries": 2}, "daily": [day]});
        let want = [
            "Usage cost (7 days)",
            "Total: $1.50 · 64k tokens",
            "Missing entries: 2",
            "Latest day: 2026-11-20 · $0.0020 · 15 tokens",
        ];
        assert_eq!(lines(&report, 7), want);
        assert_eq!(lines(&json!({}), 1)[1], "Total: $0.0000 · 0 tokens");
    }
}
