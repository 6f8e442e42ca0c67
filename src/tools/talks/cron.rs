//! `cron`: scheduled jobs by the agent's hand, for the owner only: a job acts later and on its own (SEC-42).
//!
//! Runs on a tool's thread. It asks as administrator, which the state thread lets through only for a turn that the owner
//! or an administrator asked for (`Runs::administers`).
use super::sessions_list::messages;
use super::sessions_send::words;
use crate::calls::{Provenance, Whom};
use crate::cron::shape::MEMBERS;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::tools::{Context, Output, Tool, count, reach, text, usual_time};
use serde_json::{Map, Value};

const SCOPES: &[&str] = &["operator.read", "operator.write", "operator.admin"];
/// Characters of each earlier message that a reminder takes along, and of all.
const MAX_LINE: usize = 220;
const MAX_LINES: usize = 700;
const MOST_LINES: usize = 10;
const ACTIONS: [&str; 8] = ["status", "list", "add", "update", "remove", "run", "runs", "wake"];
pub const TOOL: Tool = Tool {
    name: "cron",
    doc: "Manage scheduled jobs: reminders and recurring tasks. Actions: status; list (includeDisabled); add (job); update (jobId, \
          patch); remove, run (jobId); runs (jobId: how its runs ended); wake (text, mode: noted for the main session, looked at now or with the next heartbeat). Prefer isolated jobs; their last words go to this chat unless \
          delivery says otherwise. contextMessages (0-10) adds the last messages to a systemEvent's text.",
    parameters: r#"{"type": "object", "required": ["action"], "properties": {
        "action": {"enum": ["status", "list", "add", "update", "remove", "run", "runs", "wake"]},
        "job": {"type": "object", "properties": {
            "name": {"type": "string"},
            "schedule": {"type": "object", "description": "{kind: \"at\", at: ISO 8601 time, UTC without a zone} | {kind: \"every\", everyMs, anchorMs?} | {kind: \"cron\", expr, tz?: IANA zone}"},
            "sessionTarget": {"type": "string", "description": "isolated (agentTurn) | main (systemEvent)"},
            "payload": {"type": "object", "description": "{kind: \"agentTurn\", message, model?, thinking?, timeoutSeconds?} is a task, {kind: \"systemEvent\", text} a reminder in the main session; write so that it can be understood later without this conversation"},
            "delivery": {"type": "object", "description": "isolated only: {mode: announce | none, channel?, to?, bestEffort?}"},
            "deleteAfterRun": {"type": "boolean"},
            "enabled": {"type": "boolean"}}},
        "jobId": {"type": "string"},
        "text": {"type": "string"},
        "mode": {"enum": ["now", "next-heartbeat"]},
        "patch": {"type": "object", "description": "Members of a job that are to change"},
        "includeDisabled": {"type": "boolean"},
        "runMode": {"enum": ["due", "force"]},
        "contextMessages": {"type": "number", "minimum": 0, "maximum": 10}}}"#,
    aliases: &[
        ("id", "jobId"),
        ("job_id", "jobId"),
        ("include_disabled", "includeDisabled"),
        ("run_mode", "runMode"),
    ],
    changes: false,
    serves: Provenance::is_owners,
    time: usual_time,
    run,
};

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let action = text(arguments, "action").unwrap_or_default();
    let id =
        || text(arguments, "jobId").ok_or_else(|| Error::invalid("jobId is missing: list shows the ids"));
    let params = match action {
        "status" => json!({}),
        "list" => {
            json!({"includeDisabled": (arguments.get("includeDisabled").and_then(Value::as_bool).unwrap_or(false))})
        }
        "add" => Value::Object(job(context, arguments)?),
        "update" => {
            let patch = arguments.get("patch").filter(|patch| patch.is_object());
            json!({"id": (id()?), "patch": (patch.ok_or_else(|| Error::invalid("patch is missing: what is to change"))?)})
        }
        "run" => json!({"id": (id()?), "mode": (text(arguments, "runMode").unwrap_or("force"))}),
        "remove" | "runs" => json!({"id": (id()?)}),
        "wake" => {
            let note =
                text(arguments, "text").ok_or_else(|| Error::invalid("text is missing: what to note"))?;
            json!({"text": note, "mode": (text(arguments, "mode").unwrap_or("next-heartbeat"))})
        }
        _ => return Err(Error::invalid(format!("action must be one of {}", ACTIONS.join(", ")))),
    };
    let method = if action == "wake" { action.to_string() } else { format!("cron.{action}") };
    let whom = Whom { name: "agent", scopes: SCOPES, run: Some(&context.run) };
    let answer = (context.ask)(&whom, &method, params, &context.cancel)?;
    let about = answer.get("name").and_then(Value::as_str).unwrap_or(action).to_string();
    Ok(Output::json(&answer).about(about))
}

/// The job that is wanted, with what this conversation says of it: whose it is, and where its words go.
fn job(context: &Context, arguments: &Value) -> Result<Map<String, Value>> {
    let given = arguments.get("job").and_then(Value::as_object).filter(|job| !job.is_empty());
    let flat = || {
        // What may stand beside `job` instead of in it.
        let names = MEMBERS.iter().chain(&["message", "text"]);
        let named = names.filter_map(|name| Some((name.to_string(), arguments.get(*name)?.clone())));
        named.collect::<Map<String, Value>>()
    };
    let mut job = given.cloned().unwrap_or_else(flat);
    if job.is_empty() {
        return Err(Error::invalid("job is missing: {schedule, payload}"));
    }
    if !job.contains_key("agentId") {
        job.put("agentId", context.agent.as_str());
    }
    let payload = job.get("payload").and_then(Value::as_object);
    let is_event = job.contains_key("text") || payload.is_some_and(|payload| payload.contains_key("text"));
    if is_event {
        remember(context, arguments, &mut job);
    } else {
        deliver_here(context, &mut job);
    }
    Ok(job)
}

/// A turn whose words are to go nowhere in particular tells them in the chat in which it was asked for.
fn deliver_here(context: &Context, job: &mut Map<String, Value>) {
    let Some((login, place)) = &context.place else { return };
    let mut delivery = match job.get("delivery") {
        Some(Value::Object(delivery)) => delivery.clone(),
        Some(_) => return,
        None => Map::new(),
    };
    let is_said = |name: &str| {
        delivery.get(name).and_then(Value::as_str).is_some_and(|text| !matches!(text.trim(), "" | "last"))
    };
    let is_off = delivery.get("mode").is_some_and(|mode| mode == "none");
    if is_off || is_said("channel") || is_said("to") {
        return;
    }
    let topic = place.thread.as_ref().map_or(String::new(), |thread| format!(":topic:{thread}"));
    delivery.put("mode", "announce");
    delivery.put("channel", login.platform.as_str());
    delivery.put("to", format!("{}{topic}", place.peer));
    job.put("delivery", delivery);
}

/// Adds what was said last, so that a reminder can be understood later.
fn remember(context: &Context, arguments: &Value, job: &mut Map<String, Value>) {
    let wanted = count(arguments, "contextMessages").unwrap_or(0).min(MOST_LINES);
    if wanted == 0 {
        return;
    }
    // Calls of tools are messages without words.
    let limit = wanted * 3 + 10;
    let params = json!({"sessionKey": (context.session_key.as_str()), "limit": limit});
    // A reminder without it is one all the same.
    let history = reach::ask(context, "chat.history", params);
    let said = history.map(|history| messages(history, false)).unwrap_or_default();
    let line = |message: &Value| {
        let who = if message.get("role").is_some_and(|role| role == "user") { "User" } else { "Assistant" };
        let words = words(message);
        let words: Vec<&str> = words.split_whitespace().collect();
        let words: String = words.join(" ").chars().take(MAX_LINE).collect();
        (!words.is_empty()).then(|| format!("\n- {who}: {words}"))
    };
    let mut lines: Vec<String> = said.iter().rev().filter_map(line).take(wanted).collect();
    lines.reverse();
    while lines.iter().map(String::len).sum::<usize>() > MAX_LINES {
        lines.remove(0);
    }
    let lines = lines.concat();
    let place = match job.get_mut("payload") {
        Some(Value::Object(payload)) => payload.get_mut("text"),
        _ => job.get_mut("text"),
    };
    if let (Some(Value::String(text)), false) = (place, lines.is_empty()) {
        *text += &format!("\n\nRecent context:{lines}");
    }
}
