//! `openclaw usage`: tokens and costs by day, model and surface, as bars in the terminal.
use super::gateway::usage::{money, short};
use super::link::rpc;
use super::parse::Args;
use super::{Command, Context, Flag, JSON};
use crate::clock;
use crate::env::Env;
use crate::error::Result;
use crate::json::json;
use crate::parts::shortened;
use crate::sessions::usage::{day_name, day_of};
use serde_json::Value;

pub const COMMAND: Command = Command {
    name: "usage",
    summary: "Show tokens and costs by day, model and surface",
    about: "Counts the transcripts of all agents by UTC days. A surface is the channel that a session was begun or last used on,\n\
            or what the session is for; turns of one session count for one surface, and `ended` are transcripts that no session\n\
            goes on in. Costs come from the models' configured prices.",
    positionals: &[],
    flags: &[
        &[Flag::value("days", "<days>", "Count this many days, today included; default 7"), JSON],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[
        ("openclaw usage", "Show the last week"),
        ("openclaw usage --days 30 --json", "Print the last 30 days as JSON"),
    ],
    failure: "",
    run,
};

const DEFAULT: u64 = 7;
/// More days are shown only where there is something to show.
const ALL_DAYS: u64 = 31;
/// Columns of what stands beside name and bar: the indent and both numbers.
const BESIDE: usize = 22;
/// A date, and a blank behind it.
const SHORTEST: usize = 12;

fn run(context: &Context, args: &Args) -> Result<()> {
    let days = args.positive("days")?.unwrap_or(DEFAULT);
    let report = rpc::call(context, args, "usage.cost", &json!({"days": days, "breakdown": true}))?;
    if args.has("json") {
        context.out.json(&report);
        return Ok(());
    }
    let bar = if is_utf8(&context.env) { "█" } else { "#" };
    let widths = widths(context.out.narrow());
    let total = Row::of("", report.get("totals"));
    let last = if days == 1 { "today".to_string() } else { format!("the last {days} days") };
    let cost = total.cost_text();
    context.out.heading(&format!("Usage of {last}: {} tokens{}", short(total.tokens), cost.trim_end()));
    let parts = [
        ("By day (UTC)", daily(&report, days)),
        ("By model", rows(&report, "byModel", &model)),
        ("By surface", rows(&report, "bySurface", &|row| text(row, "surface").to_string())),
    ];
    for (title, rows) in parts.iter().filter(|(_, rows)| !rows.is_empty()) {
        context.out.line("");
        context.out.heading(title);
        let most = rows.iter().map(|row| row.tokens).max().unwrap_or_default();
        rows.iter().for_each(|row| row.show(context, most, bar, widths));
    }
    let missing = report.pointer("/totals/missingCostEntries").and_then(Value::as_u64).unwrap_or_default();
    if missing > 0 && total.cost > 0.0 {
        context.out.line(format!("\n{missing} answers are of models without a price."));
    }
    if report.get("isPartial") == Some(&Value::Bool(true)) {
        context.out.warn("note: there are more transcripts than one call reads; the oldest were not counted");
    }
    Ok(())
}

struct Row {
    name: String,
    tokens: u64,
    cost: f64,
}

impl Row {
    fn of(name: &str, totals: Option<&Value>) -> Row {
        let number =
            |member: &str| totals.and_then(|totals| totals.get(member)?.as_f64()).unwrap_or_default();
        Row { name: name.to_string(), tokens: number("totalTokens") as u64, cost: number("totalCost") }
    }

    fn cost_text(&self) -> String {
        if self.cost > 0.0 { format!("  {}", money(self.cost)) } else { String::new() }
    }

    /// `widths` are the columns of the name and of the bar.
    fn show(&self, context: &Context, most: u64, bar: &str, (wide, all): (usize, usize)) {
        let name = shortened(&self.name, wide - 1);
        let filled = (self.tokens * all as u64).div_ceil(most.max(1)) as usize;
        let gap = " ".repeat(all - filled.min(all));
        let numbers = format!("{gap} {:>7}{:>10}", short(self.tokens), self.cost_text());
        let name = format!("  {name:<wide$}");
        context.out.styled(&[(0, &name), (36, &bar.repeat(filled.min(all))), (0, numbers.trim_end())]);
    }
}

/// Columns of a name and of a bar, so that both and the numbers fit a line: 28 and 30 of 80.
fn widths(columns: usize) -> (usize, usize) {
    let left = columns.saturating_sub(BESIDE);
    let name = (left * 28 / 58).max(SHORTEST);
    (name, left.saturating_sub(name))
}

/// A row for each day of a short time, of a longer one for those on which something was used.
fn daily(report: &Value, days: u64) -> Vec<Row> {
    let used = report.get("daily").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let rows = used.iter().map(|day| Row::of(text(day, "date"), Some(day)));
    if days > ALL_DAYS || used.is_empty() {
        return rows.collect();
    }
    let now = report.get("updatedAt").and_then(Value::as_u64).unwrap_or_else(clock::now_ms);
    let last = day_of(now);
    let each = (last.saturating_sub(days - 1)..=last).map(day_name);
    each.map(|name| Row::of(&name, used.iter().find(|day| text(day, "date") == name))).collect()
}

fn rows(report: &Value, member: &str, name: &dyn Fn(&Value) -> String) -> Vec<Row> {
    let all = report.get(member).and_then(Value::as_array).into_iter().flatten();
    all.map(|row| Row::of(&name(row), row.get("totals"))).collect()
}

fn model(row: &Value) -> String {
    match (text(row, "provider"), text(row, "model")) {
        ("", model) => model.to_string(),
        (provider, model) => format!("{provider}/{model}"),
    }
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Whether the locale has more than ASCII.
fn is_utf8(env: &Env) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| env.var(name)).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}
