//! `openclaw cron ...`: scheduled jobs of the gateway, which is asked. Here: looking, running, switching, removing;
//! `making` adds and edits, `rows` shows.
mod making;
mod rows;

use super::link::rpc;
use super::link::talk::Talk;
use super::parse::Args;
use super::{Command, Context, Flag, JSON, Positional};
use crate::error::{Error, Result};
use crate::json::json;
use crate::logging::quoted;
pub use making::{ADD, EDIT};
use serde_json::{Map, Value};

const BASE: Command = Command::of("cron", list);
const ID: &[Positional] = &[Positional::required("id")];
const CALL: &[&[Flag]] = &[&[JSON], rpc::FLAGS, rpc::TIMEOUT];
/// How long a run may take that is waited for, milliseconds.
const RUN_MS: u64 = 15 * 60 * 1000;

pub const LIST: Command = Command {
    name: "cron list",
    summary: "List scheduled jobs",
    flags: &[&[Flag::switch("all", "Show disabled jobs, too")], &[JSON], rpc::FLAGS, rpc::TIMEOUT],
    examples: &[
        ("openclaw cron list --all", "Show all jobs"),
        ("openclaw cron list --json", "The same for a script"),
    ],
    run: list,
    ..BASE
};

pub const STATUS: Command = Command {
    name: "cron status",
    summary: "Show whether jobs run and when the next is due",
    flags: CALL,
    examples: &[("openclaw cron status", "Look whether the scheduler is on")],
    run: status,
    ..BASE
};

pub const RM: Command = Command {
    name: "cron rm",
    summary: "Remove a scheduled job",
    about: "The job is named by its id, the beginning of it, or its name. The log of its runs stays.",
    positionals: ID,
    flags: CALL,
    examples: &[("openclaw cron rm 3f2a", "Remove the job whose id begins so")],
    run: remove,
    ..BASE
};

pub const ENABLE: Command = Command {
    name: "cron enable",
    summary: "Switch a scheduled job on",
    positionals: ID,
    flags: CALL,
    examples: &[("openclaw cron enable 3f2a", "Let it run again")],
    run: |context, args| switch(context, args, true),
    ..BASE
};

pub const DISABLE: Command = Command {
    name: "cron disable",
    summary: "Switch a scheduled job off",
    positionals: ID,
    flags: CALL,
    examples: &[("openclaw cron disable weather", "Let it rest; the job stays")],
    run: |context, args| switch(context, args, false),
    ..BASE
};

pub const RUN: Command = Command {
    name: "cron run",
    summary: "Run a scheduled job now and wait for its end",
    about: "Exits 1 if the run failed or was not begun.",
    positionals: ID,
    flags: &[&[Flag::switch("due", "Run it only if it is due")], &[JSON], rpc::FLAGS, rpc::TIMEOUT],
    examples: &[("openclaw cron run weather", "Try a job")],
    run,
    ..BASE
};

pub const RUNS: Command = Command {
    name: "cron runs",
    summary: "Show how runs of a job ended",
    about: "The oldest first. Without --id those of all jobs.",
    flags: &[
        &[Flag::value("id", "<id>", "Name the job"), Flag::value("limit", "<n>", "Show so many; default 50")],
        &[JSON],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[("openclaw cron runs --id weather --limit 5", "Look at the last five")],
    run: runs,
    ..BASE
};

fn list(context: &Context, args: &Args) -> Result<()> {
    let mut talk = Talk::new(context, args);
    let told = talk.call("cron.list", &json!({"includeDisabled": (args.has("all"))}))?;
    if args.has("json") {
        context.out.json(&told);
        return Ok(());
    }
    let jobs = listed(&told);
    if jobs.is_empty() {
        context.out.line("No cron jobs.");
    } else {
        let rows: Vec<_> = jobs.iter().map(rows::row).collect();
        context.out.table(&rows::HEAD, &rows);
    }
    let status = talk.call("cron.status", &json!({}))?;
    for (id, why) in wrong(&status) {
        let line = format!(
            "warning: job {} does not run: {why}; `cron edit` mends and `cron rm` removes it",
            quoted(id)
        );
        context.out.warn(&line);
    }
    warn_if_off(context, &status);
    Ok(())
}

/// Jobs that cannot run, with the reasons.
fn wrong(status: &Value) -> impl Iterator<Item = (&str, &str)> {
    let all = status.get("wrong").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|one| Some((one.get("id")?.as_str()?, one.get("error")?.as_str()?)))
}

/// Says so where no job runs by itself; whether that is so.
fn warn_if_off(context: &Context, status: &Value) -> bool {
    let is_off = status.get("enabled").and_then(Value::as_bool) == Some(false);
    if is_off {
        let text = "warning: the scheduler is off, so that no job runs by itself: set cron.enabled true";
        context.out.warn(text);
    }
    is_off
}

fn listed(told: &Value) -> Vec<Map<String, Value>> {
    let jobs = told.get("jobs").and_then(Value::as_array).into_iter().flatten();
    jobs.filter_map(Value::as_object).cloned().collect()
}

fn status(context: &Context, args: &Args) -> Result<()> {
    let told = rpc::call(context, args, "cron.status", &json!({}))?;
    context.out.json(&told);
    Ok(())
}

/// All jobs, and what there is of broken ones.
fn all(talk: &mut Talk) -> Result<Vec<Map<String, Value>>> {
    let told = talk.call("cron.list", &json!({"includeDisabled": true}))?;
    let status = talk.call("cron.status", &json!({}))?;
    let wrong = status.get("wrong").and_then(Value::as_array).into_iter().flatten();
    let mut jobs = listed(&told);
    jobs.extend(wrong.filter_map(Value::as_object).cloned());
    Ok(jobs)
}

/// The id of the job that is meant.
fn job_id(talk: &mut Talk, named: &str) -> Result<String> {
    let named = named.trim();
    if named.len() == 36 {
        return Ok(named.to_string());
    }
    let jobs = all(talk)?;
    let text = |job: &Map<String, Value>, member: &str| {
        job.get(member).and_then(Value::as_str).unwrap_or_default().to_string()
    };
    let is_meant = |job: &&Map<String, Value>| text(job, "id") == named || text(job, "name") == named;
    let begins = |job: &&Map<String, Value>| !named.is_empty() && text(job, "id").starts_with(named);
    let mut found: Vec<_> = jobs.iter().filter(is_meant).collect();
    if found.is_empty() {
        found = jobs.iter().filter(begins).collect();
    }
    match found.as_slice() {
        [one] => Ok(text(one, "id")),
        [] => Err(Error::not_found(format!(
            "no job has the id or name {}; openclaw cron list --all shows them",
            quoted(named)
        ))),
        more => {
            let ids: Vec<String> = more.iter().map(|job| text(job, "id")).collect();
            Err(Error::usage(format!("{} names {} jobs: {}", quoted(named), ids.len(), ids.join(", "))))
        }
    }
}

fn remove(context: &Context, args: &Args) -> Result<()> {
    let mut talk = Talk::new(context, args);
    let id = job_id(&mut talk, args.positional(0).unwrap_or_default())?;
    let told = talk.call("cron.remove", &json!({"id": (id.as_str())}))?;
    let is_removed = told.get("removed").and_then(Value::as_bool) == Some(true);
    if !is_removed {
        return Err(Error::not_found(format!("no job has the id {}", quoted(&id))));
    }
    match args.has("json") {
        true => context.out.json(&told),
        false => context.out.line(format!("Removed {id}.")),
    }
    Ok(())
}

fn switch(context: &Context, args: &Args, is_on: bool) -> Result<()> {
    let mut talk = Talk::new(context, args);
    let id = job_id(&mut talk, args.positional(0).unwrap_or_default())?;
    let job = talk.call("cron.update", &json!({"id": id, "patch": {"enabled": is_on}}))?;
    making::show(&mut talk, &job)
}

fn run(context: &Context, args: &Args) -> Result<()> {
    let mut talk = Talk::new(context, args);
    let id = job_id(&mut talk, args.positional(0).unwrap_or_default())?;
    let mode = if args.has("due") { "due" } else { "force" };
    let told = talk.call_within("cron.run", &json!({"id": (id.as_str()), "mode": mode}), RUN_MS)?;
    if told.get("ran").and_then(Value::as_bool) != Some(true) {
        let why = match told.get("reason").and_then(Value::as_str).unwrap_or_default() {
            "not-due" => "it is not due; without --due it runs at once",
            "already-running" => "it runs already; openclaw cron runs shows how that ended",
            other => other,
        };
        return Err(Error::unavailable(format!("the job was not run: {why}")).with("report", told));
    }
    let last = talk.call_within("cron.runs", &json!({"id": id, "limit": 1}), RUN_MS)?;
    let entry = last.pointer("/entries/0").unwrap_or(&Value::Null);
    let of_entry = |member: &str| entry.get(member).and_then(Value::as_str).unwrap_or_default();
    if of_entry("status") == "error" {
        let failed = Error::unavailable(format!("the run failed: {}", of_entry("error")));
        return Err(failed.with("report", json!({"ok": false, "ran": true, "entry": entry})));
    }
    context.out.json(if args.has("json") || entry.is_null() { &told } else { entry });
    Ok(())
}

fn runs(context: &Context, args: &Args) -> Result<()> {
    let limit = args.positive("limit")?.unwrap_or(50);
    let mut talk = Talk::new(context, args);
    let params = match args.filled("id")? {
        Some(id) => json!({"id": (job_id(&mut talk, id)?), "limit": limit}),
        None => json!({"scope": "all", "limit": limit}),
    };
    let told = talk.call("cron.runs", &params)?;
    context.out.json(&told);
    Ok(())
}
