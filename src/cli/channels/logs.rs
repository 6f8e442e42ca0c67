//! `openclaw channels logs`: the last lines of the gateway's log that are about a channel. From where `openclaw logs` has
//! them; following and finer choices are that command's.
use crate::channels;
use crate::cli::link::rpc;
use crate::cli::logs::line::Entry;
use crate::cli::logs::source::Source;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON};
use crate::error::{Error, Result};
use crate::json::json;
use crate::logging::quoted;
use serde_json::Value;

/// What is looked through.
const LINES: u64 = 5000;
const BYTES: u64 = 1_000_000;
/// Who writes about channels beside themselves.
const COMMON: [&str; 4] = ["channels", "gateway/channels", "gateway/deliveries", "gateway/pairing"];

pub const LOGS: Command = Command {
    name: "channels logs",
    summary: "Show the log's last lines about channels",
    about: "",
    flags: &[
        &[
            Flag::value("channel", "<channel>", "Show lines of this channel; default all"),
            Flag::value("lines", "<n>", "Show so many lines; default 200").short('n'),
            Flag::value(
                "timeout",
                "<time>",
                "Give up a call after this time, as 10s or 500 (ms); default 5s",
            ),
            JSON,
        ],
        rpc::FLAGS,
    ],
    examples: &[("openclaw channels logs --channel telegram --lines 50", "Show what the bots had to tell")],
    run,
    ..super::COMMAND
};

fn run(context: &Context, args: &Args) -> Result<()> {
    let channel =
        args.filled("channel")?.map_or_else(|| "all".to_string(), |name| name.trim().to_lowercase());
    let is_name = channel.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let is_known = channel == "all" || channels::names().any(|name| name == channel);
    if !is_known && !is_name {
        return Err(Error::usage(format!("Unknown channel: {}", quoted(&channel))));
    }
    let most = args.positive("lines")?.unwrap_or(200) as usize;
    let mut source = Source::open(context, args, BYTES)?;
    let chunk = source.read(None, LINES, &|text| context.out.warn(text))?;
    let found = chunk.lines.iter().rev().filter_map(|line| Entry::parse(line));
    let mut found: Vec<Entry> = found.filter(|entry| is_about(entry, &channel)).take(most).collect();
    found.reverse();
    if args.has("json") {
        let shown = |entry: &Entry| json!({"time": (entry.time.as_str()), "level": (entry.level.as_str()), "subsystem": (entry.subsystem.as_str()), "message": (entry.message.as_str())});
        let lines: Vec<Value> = found.iter().map(shown).collect();
        context.out.json(&json!({"file": (chunk.file), "channel": channel, "lines": lines}));
        return Ok(());
    }
    context.out.line(format!("Log file: {}", chunk.file));
    if channel != "all" {
        context.out.line(format!("Channel: {channel}"));
    }
    for Entry { time, level, subsystem, message, .. } in &found {
        context.out.line(format!("{time} {level} {subsystem} {message}"));
    }
    if found.is_empty() {
        context.out.line("No matching log lines.");
    }
    Ok(())
}

/// Whether a line is about this channel: its own, or one of what all share that names it.
fn is_about(entry: &Entry, channel: &str) -> bool {
    let subsystem = entry.subsystem.as_str();
    let is_common = COMMON.contains(&subsystem);
    let is_own = |name: &str| subsystem == name || subsystem.rsplit('/').next() == Some(name);
    match channel {
        "all" => is_common || channels::names().any(is_own) || subsystem.starts_with("channel"),
        name => is_own(name) || (is_common && entry.message.contains(name)),
    }
}
