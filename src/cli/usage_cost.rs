//! `openclaw gateway usage-cost`: what the models cost, summed up from the transcripts by the gateway.
use super::parse::Args;
use super::{Command, Context, Flag, JSON, rpc};
use crate::error::Result;
use serde_json::{Value, json};

pub const COMMAND: Command = Command {
    name: "gateway usage-cost",
    summary: "Show what the models used and cost",
    about: "",
    positionals: &[],
    flags: &[FLAGS, rpc::FLAGS, rpc::TIMEOUT],
    examples: &[
        ("openclaw gateway usage-cost", "Sum up the last 30 days"),
        ("openclaw gateway usage-cost --days 7 --json", "Print the last week as JSON"),
    ],
    failure: "Gateway usage cost failed: ",
    run,
};

const FLAGS: &[Flag] = &[Flag::value("days", "<days>", "Count this many days; default 30"), JSON];

const DEFAULT_DAYS: u64 = 30;

fn run(context: &Context, args: &Args) -> Result<()> {
    let days = args.number("days")?.unwrap_or(DEFAULT_DAYS).max(1);
    let cost = rpc::call(context, args, "usage.cost", &json!({"days": days}))?;
    if args.has("json") {
        context.out.json(&cost);
        return Ok(());
    }
    context.out.line(context.out.bold(&format!("Usage cost ({days} days)")));
    lines(&cost).iter().for_each(|line| context.out.line(super::print::clean(line)));
    Ok(())
}

/// The sum, what is missing in it, and the newest day.
pub fn lines(cost: &Value) -> Vec<String> {
    let number = |pointer: &str| cost.pointer(pointer).and_then(Value::as_f64).unwrap_or_default();
    let mut lines = vec![format!(
        "Total: ${:.4} · {} tokens",
        number("/totals/totalCost"),
        number("/totals/totalTokens")
    )];
    let missing = number("/totals/missingCostEntries");
    if missing > 0.0 {
        lines.push(format!("Missing entries: {missing}"));
    }
    if let Some(day) = cost.get("daily").and_then(Value::as_array).and_then(|days| days.last()) {
        let of = |key: &str| day.get(key).and_then(Value::as_f64).unwrap_or_default();
        let date = day.get("date").and_then(Value::as_str).unwrap_or_default();
        lines.push(format!("Latest day: {date} · ${:.4} · {} tokens", of("totalCost"), of("totalTokens")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_in_words() {
        let check = |cost: Value, want: &[&str]| assert_eq!(lines(&cost), want);
        check(
            json!({"totals": {"totalCost": 0, "totalTokens": 0}, "daily": []}),
            &["Total: $0.0000 · 0 tokens"],
        );
        check(
            json!({"totals": {"totalCost": 1.5, "totalTokens": 7, "missingCostEntries": 2},
                "daily": [{"date": "2026-11-20"}, {"date": "2026-11-21", "totalCost": 1, "totalTokens": 3}]}),
            &[
                "Total: $1.5000 · 7 tokens",
                "Missing entries: 2",
                "Latest day: 2026-11-21 · $1.0000 · 3 tokens",
            ],
        );
    }
}
