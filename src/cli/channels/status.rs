//! `openclaw channels status`: how the accounts are, as the gateway knows it; without a gateway, what the configuration
//! says.
use super::row::line;
use crate::agents::Agents;
use crate::channels;
use crate::channels::issues::issues;
use crate::channels::told::Teller;
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON};
use crate::config::Config;
use crate::error::{Kind, Result};
use crate::json::json;
use serde_json::{Map, Value};

/// For the platforms, where `--timeout` does not say, milliseconds.
const PROBE_MS: u64 = 10_000;

pub const STATUS: Command = Command {
    name: "channels status",
    summary: "Show how the channels and their accounts are",
    about: "With --probe each platform is asked whether the account's token is good.\n\
            Without a gateway it shows what the configuration says.",
    flags: &[&[Flag::switch("probe", "Ask the platforms too"), JSON], rpc::TIMEOUT, rpc::FLAGS],
    examples: &[
        ("openclaw channels status", "Show what runs, and what was passed over"),
        ("openclaw channels status --probe", "Try the tokens and look for the bot in its groups"),
    ],
    run: status,
    ..super::COMMAND
};

fn status(context: &Context, args: &Args) -> Result<()> {
    let time = args.millis("timeout", 1)?.unwrap_or(PROBE_MS);
    let params = json!({"probe": (args.has("probe")), "timeoutMs": (time.saturating_sub(500))});
    let told = match rpc::call(context, args, "channels.status", &params) {
        Err(e) if e.kind == Kind::Unreachable && args.value("url").is_none() => {
            context.out.warn(&context.env.display_all(e.message()));
            return config_only(context, args);
        }
        told => told?,
    };
    if args.has("json") {
        context.out.json(&told);
        return Ok(());
    }
    context.out.line("Gateway reachable.");
    let mut warnings = Vec::new();
    for (label, id, row) in rows(&told) {
        context.out.line(line(label, row));
        let account = row.get("accountId").and_then(Value::as_str).unwrap_or_default();
        warnings.extend(issues(channels::named(id), row).into_iter().map(|(what, fix)| {
            let fix = if fix.is_empty() { String::new() } else { format!(" ({fix})") };
            format!("- {id} {account}: {what}{fix}")
        }));
    }
    if rows(&told).next().is_none() {
        context.out.line("- no channel is on");
        context.out.progress(&format!("Add one with: {}", context.env.command("channels add")));
    }
    if !warnings.is_empty() {
        context.out.line("");
        context.out.heading("Warnings:");
        warnings.iter().for_each(|warning| context.out.line(warning));
        context.out.line(format!("- Run: {}", context.env.command("doctor")));
    }
    Ok(())
}

/// Label, id and row of each account.
fn rows(told: &Value) -> impl Iterator<Item = (&str, &str, &Map<String, Value>)> {
    let all = told.get("channelAccounts").and_then(Value::as_object).into_iter().flatten();
    all.flat_map(move |(id, rows)| {
        let label = told.get("channelLabels").and_then(|labels| labels.get(id)?.as_str()).unwrap_or(id);
        let rows = rows.as_array().into_iter().flatten().filter_map(Value::as_object);
        rows.map(move |row| (label, id.as_str(), row))
    })
}

fn config_only(context: &Context, args: &Args) -> Result<()> {
    let mut env = context.env.clone();
    let config = Config::inspect(&mut env);
    let default = Agents::of(&config, &env).default_id();
    let teller = Teller { config: &config, env: &env, board: None, default_agent: &default };
    let rows: Vec<_> = teller.channels().map(|channel| (channel, teller.accounts(channel))).collect();
    if args.has("json") {
        context.out.json(&teller.status(&rows, crate::clock::now_ms()));
        return Ok(());
    }
    context.out.line("Gateway not reachable; showing config-only status.");
    context.out.line(format!("Config: {}", env.display(&env.config_path)));
    context.out.line(format!("Mode: {}", config.str("gateway.mode").unwrap_or("unset")));
    for (channel, rows) in &rows {
        rows.iter().for_each(|row| context.out.line(line(channel.label, row)));
    }
    Ok(())
}
