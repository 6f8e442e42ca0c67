//! `openclaw health` and `openclaw gateway health`: the gateway's health snapshot.
use super::trouble;
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::print::age;
use crate::cli::{Command, Context, Flag, JSON, far};
use crate::config::{Config, Issue, remedy};
use crate::doctor::unsupported;
use crate::error::Result;
use crate::json::json;
use serde_json::Value;
use std::time::Instant;

pub const COMMAND: Command = Command {
    name: "health",
    summary: "Show the health of the running gateway",
    about: "For machines: exits 1 when the gateway does not answer. `openclaw status` is for people.",
    positionals: &[],
    flags: &[FLAGS, rpc::FLAGS, rpc::TIMEOUT],
    examples: &[
        ("openclaw health", "Show channels, agents and sessions"),
        ("openclaw health --json --timeout 2000", "Check from a script, within two seconds"),
    ],
    failure: "",
    run,
};

pub const GATEWAY: Command = Command {
    name: "gateway health",
    summary: "Check that the gateway answers, and how fast",
    about: "The same question as `openclaw health`, without agents and sessions.",
    positionals: &[],
    flags: &[&[JSON], rpc::FLAGS, rpc::TIMEOUT],
    examples: &[("openclaw gateway health", "Print OK and the time the answer took")],
    failure: "",
    run: run_gateway,
};

const FLAGS: &[Flag] =
    &[Flag::switch("verbose", "Probe the channels, show the connection and the newest sessions"), JSON];

fn run(context: &Context, args: &Args) -> Result<()> {
    let verbose = args.has("verbose");
    let params = if verbose { json!({"probe": true}) } else { json!({}) };
    let (started, health) = (Instant::now(), rpc::call(context, args, "health", &params)?);
    let took = started.elapsed().as_millis();
    if args.has("json") {
        context.out.json(&health);
        return Ok(());
    }
    if verbose {
        let target = rpc::target_to_read(context, args)?;
        context.out.line("Gateway connection:");
        let bind = target.bind.iter().map(|bind| format!("Bind: {bind}"));
        let known = [
            format!("Gateway target: {}", target.url),
            format!("Source: {}", target.source),
            format!("Config: {}", target.config),
        ];
        let answered = [format!("Answered in {took}ms")];
        for line in known.into_iter().chain(bind).chain(answered) {
            context.out.line(format!("  {line}"));
        }
    }
    let recent = if verbose { recent(&health) } else { Vec::new() };
    let rest = fix(context, args, &health).into_iter().chain(recent).chain(not_here(context, args));
    for line in lines(&health).into_iter().chain(rest) {
        context.out.line(context.env.display_all(&line));
    }
    Ok(())
}

/// What the configuration of this machine's gateway asks for and this version does not do (N-2).
fn not_here(context: &Context, args: &Args) -> Option<String> {
    let mut env = context.env.clone();
    let config = Config::inspect(&mut env);
    if far::address(&env, &config, args).is_some() {
        return None;
    }
    let (all, doctor) = (unsupported::line(&config, &env)?, env.command("doctor --only unsupported"));
    Some(format!("Not here: {all}: not in this version; {doctor} says more"))
}

/// The snapshot as people read it.
pub fn lines(health: &Value) -> Vec<String> {
    let rest = agents(health).into_iter().chain(pairing(health));
    channels(health).into_iter().chain(rest).chain(config(health)).collect()
}

fn run_gateway(context: &Context, args: &Args) -> Result<()> {
    let started = Instant::now();
    let health = rpc::call(context, args, "health", &json!({}))?;
    if args.has("json") {
        context.out.json(&health);
        return Ok(());
    }
    context.out.heading("Gateway Health");
    context.out.line(format!("OK ({}ms)", started.elapsed().as_millis()));
    let rest = pairing(&health).into_iter().chain(config(&health)).chain(fix(context, args, &health));
    let rest = rest.chain(not_here(context, args));
    for line in channels(&health).into_iter().chain(rest) {
        context.out.line(context.env.display_all(&line));
    }
    Ok(())
}

/// Devices that wait to be let in, with the command that does it.
fn pairing(health: &Value) -> Vec<String> {
    let pending = health.pointer("/pairing/pending").and_then(Value::as_array).into_iter().flatten();
    let commands = pending.filter_map(|request| request.get("approve").and_then(Value::as_str));
    commands.map(|command| format!("Pairing request waits: {command}")).collect()
}

/// The mistake for which the file on disk is not in force.
fn config(health: &Value) -> Option<String> {
    let problem = health.get("configInvalid")?;
    let text = |key: &str| problem.get(key).and_then(Value::as_str).unwrap_or_default();
    let path = Some(text("path")).filter(|path| !path.is_empty()).unwrap_or(text("file"));
    let is = |how: &str| problem.get(how) == Some(&Value::Bool(true));
    let instead = match (is("atStart"), is("partly")) {
        (true, _) => "the gateway has started without what it concerns",
        (_, true) => "only what it concerns is not in force",
        _ => "the last good one is in force",
    };
    Some(format!("Config invalid: {path}: {}; {instead}", text("message")))
}

/// What mends it, where the file is this machine's.
fn fix(context: &Context, args: &Args, health: &Value) -> Option<String> {
    let problem = health.get("configInvalid")?;
    let mut env = context.env.clone();
    let config = Config::inspect(&mut env);
    let is_here = far::address(&env, &config, args).is_none();
    is_here.then(|| format!("Fix: {}", remedy(&env, &Issue::of(problem))))
}

/// One line for each channel by its default account, in the gateway's order, and one for each other account in trouble.
fn channels(health: &Value) -> Vec<String> {
    let order =
        health.get("channelOrder").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let line = |id: &str| {
        let label = health.pointer(&format!("/channelLabels/{id}")).and_then(Value::as_str).unwrap_or(id);
        let state = health.pointer(&format!("/channels/{id}")).map_or("unknown".to_string(), channel);
        let accounts = health
            .pointer(&format!("/channels/{id}/accounts"))
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        let is_other =
            |name: &str| health.pointer(&format!("/channels/{id}/accountId")).is_some_and(|own| own != name);
        let others = accounts.filter(|(name, row)| is_other(name) && trouble::is_in(row));
        let others = others.map(|(name, row)| format!("{label} {name}: {}", channel(row)));
        [format!("{label}: {state}")].into_iter().chain(others).collect::<Vec<_>>()
    };
    order.flat_map(line).collect()
}

fn channel(state: &Value) -> String {
    let is = |key: &str| state.get(key).and_then(Value::as_bool);
    let probe = state.get("probe").unwrap_or(&Value::Null);
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => "unknown".to_string(),
    };
    let unsent = state.get("lastSendError").and_then(Value::as_str);
    let failing = trouble::failing(state).filter(|_| probe.is_null());
    match (is("linked"), is("configured"), probe.get("ok").and_then(Value::as_bool)) {
        _ if failing.is_some() => format!("failed - {}", failing.unwrap_or_default()),
        (Some(false), _, _) => "not linked".to_string(),
        (Some(true), _, _) => match state.get("authAgeMs").and_then(Value::as_u64) {
            Some(ms) => format!("linked (auth age {})", age(ms)),
            None => "linked".to_string(),
        },
        (None, Some(false), _) => "not configured".to_string(),
        (None, _, Some(false)) => {
            format!("failed ({}) - {}", text(probe.get("status")), text(probe.get("error")))
        }
        (None, _, Some(true)) => {
            let bot =
                probe.pointer("/bot/username").and_then(Value::as_str).map(|name| format!(" (@{name})"));
            let took = probe.get("elapsedMs").and_then(Value::as_u64).map(|ms| format!(" ({ms}ms)"));
            format!("ok{}{}", bot.unwrap_or_default(), took.unwrap_or_default())
        }
        (None, Some(true), None) => match unsent {
            Some(why) => format!("configured, not sent: {why}"),
            None => "configured".to_string(),
        },
        (None, None, None) => "unknown".to_string(),
    }
}

/// The agents, their heartbeat and their sessions.
fn agents(health: &Value) -> Vec<String> {
    let list = || health.get("agents").and_then(Value::as_array).into_iter().flatten();
    let text =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_string();
    let named = |agent: &Value| {
        let mark = if agent.get("isDefault") == Some(&Value::Bool(true)) { " (default)" } else { "" };
        format!("{}{mark}", text(agent, "agentId"))
    };
    let heartbeat = |agent: &Value| {
        let beat = agent.get("heartbeat").unwrap_or(&Value::Null);
        let enabled = beat.get("enabled") == Some(&Value::Bool(true));
        let every = if enabled { text(beat, "every") } else { "disabled".into() };
        format!("{every} ({})", text(agent, "agentId"))
    };
    let mut lines = vec![
        format!("Agents: {}", list().map(named).collect::<Vec<_>>().join(", ")),
        format!("Heartbeat interval: {}", list().map(heartbeat).collect::<Vec<_>>().join(", ")),
    ];
    for agent in list() {
        let sessions = agent.get("sessions").unwrap_or(&Value::Null);
        let count = sessions.get("count").and_then(Value::as_u64).unwrap_or_default();
        if agent.get("error").is_some() {
            let id = text(agent, "agentId");
            lines.push(format!(
                "Session store ({id}): not usable, {id} takes no work: {}",
                text(agent, "error")
            ));
            continue;
        }
        lines.push(format!(
            "Session store ({}): {} ({count} entries)",
            text(agent, "agentId"),
            text(sessions, "path")
        ));
    }
    lines
}

/// The newest sessions of all agents.
fn recent(health: &Value) -> Vec<String> {
    let agents = health.get("agents").and_then(Value::as_array).into_iter().flatten();
    let all = agents.filter_map(|agent| agent.pointer("/sessions/recent")?.as_array()).flatten();
    let line = |session: &Value| {
        let ms = session.get("age").and_then(Value::as_u64).unwrap_or_default();
        Some(format!("- {} ({} ago)", session.get("key")?.as_str()?, age(ms)))
    };
    all.filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_in_words() {
        let cases = [
            (json!({"linked": false}), "not linked"),
            (json!({"linked": true, "authAgeMs": 300_000}), "linked (auth age 5m)"),
            (json!({"configured": false}), "not configured"),
            (
                json!({"configured": true, "probe": {"ok": false, "status": null, "error": "fetch failed"}}),
                "failed (unknown) - fetch failed",
            ),
            (
                json!({"configured": true, "probe": {"ok": true, "elapsedMs": 12, "bot": {"username": "b"}}}),
                "ok (@b) (12ms)",
            ),
            (json!({"configured": true}), "configured"),
            (json!({}), "unknown"),
        ];
        for (state, want) in cases {
            assert_eq!(channel(&state), want, "{state}");
        }
    }
}
