//! What a job must be: defaults of a new one, what a patch does to one, and what is refused, each with the member and the
//! reason. Pure; the schedule's time zone may be read.
use super::job::{self, text};
use super::legacy::normalise;
use super::schedule::{EVERY_LEAST, Schedule, Zones};
use crate::clock;
use crate::error::{Error, Result};
use crate::json::Put;
use crate::session_key;
use serde_json::{Map, Value};

/// Characters of a name that is made from the first line of what the job says.
const NAME: usize = 60;
const MAX_NAME: usize = 512;
/// Bytes of what a job says.
const MAX_WORDS: usize = 256 << 10;
const MINUTE: u64 = 60_000;
const YEAR: u64 = 365 * 24 * 60 * MINUTE;
/// How far ahead a moment may lie, years.
const AHEAD: u64 = 10;

/// What a client may say of a job.
pub const MEMBERS: [&str; 10] = [
    "name",
    "description",
    "enabled",
    "deleteAfterRun",
    "agentId",
    "schedule",
    "sessionTarget",
    "wakeMode",
    "payload",
    "delivery",
];

/// A new job from what a client sent, without id and state.
pub fn new(given: Map<String, Value>, now: u64) -> Result<Map<String, Value>> {
    let mut job = normalise(given);
    refuse_others(&job)?;
    refuse_lines(&job)?;
    job.put("createdAtMs", now);
    complete(&mut job, now);
    judge(&job, &Zones::Read)?;
    refuse_time(&job, now)?;
    Ok(job)
}

/// Checks a patch as far as it can be without its job, and brings it into shape.
pub fn patch(given: Map<String, Value>, now: u64) -> Result<Map<String, Value>> {
    let patch = normalise(given);
    refuse_others(&patch)?;
    refuse_lines(&patch)?;
    if let Some(schedule) = patch.get("schedule") {
        Schedule::of(object(schedule, "schedule")?, &Zones::Read)?;
        refuse_time(&patch, now)?;
    }
    Ok(patch)
}

/// What members that are not given are for a new job.
pub fn complete(job: &mut Map<String, Value>, now: u64) {
    let payload = |job: &Map<String, Value>, member: &str| {
        Some(text(job.get("payload")?.as_object()?, member)?.to_string())
    };
    let kind = payload(job, "kind").unwrap_or_default();
    let is_turn = kind == "agentTurn";
    job.entry("enabled").or_insert(true.into());
    job.entry("wakeMode").or_insert("now".into());
    if !job.contains_key("sessionTarget") && !kind.is_empty() {
        job.put("sessionTarget", if is_turn { "isolated" } else { "main" });
    }
    if text(job, "name").is_none_or(str::is_empty) {
        let words = payload(job, "message").or_else(|| payload(job, "text")).unwrap_or_default();
        let line: String = words
            .lines()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default()
            .trim()
            .chars()
            .filter(|c| !breaks(*c))
            .take(NAME)
            .collect();
        if !line.is_empty() {
            job.put("name", line);
        }
    }
    match job.get("agentId").map(|id| id.as_str().map(session_key::normalise_agent_id)) {
        Some(Some(id)) => job.put("agentId", id),
        Some(None) if job.get("agentId").is_some_and(Value::is_null) => drop(job.remove("agentId")),
        _ => {}
    }
    if is_turn && text(job, "sessionTarget") == Some("isolated") && !job.contains_key("delivery") {
        job.put("delivery", crate::json::json!({"mode": "announce"}));
    }
    let created = job.get("createdAtMs").and_then(Value::as_u64).unwrap_or(now);
    let Some(Value::Object(schedule)) = job.get_mut("schedule") else { return };
    match text(schedule, "kind") {
        Some("every") => drop(schedule.entry("anchorMs").or_insert(created.into())),
        Some("at") => drop(job.entry("deleteAfterRun").or_insert(true.into())),
        _ => {}
    }
}

/// The job with a patch: `null` takes an optional member away; payload and delivery keep what is not named.
pub fn patched(job: &Map<String, Value>, patch: Map<String, Value>, now: u64) -> Result<Map<String, Value>> {
    let mut new = job.clone();
    for (name, value) in patch {
        let merges = name == "delivery" || (name == "payload" && is_of_kind(new.get(&name), &value));
        match (new.get_mut(&name), value) {
            (_, Value::Null) => drop(new.remove(&name)),
            (Some(Value::Object(old)), Value::Object(more)) if merges => {
                for (name, value) in more {
                    match value.is_null() {
                        true => drop(old.remove(&name)),
                        false => old.put(&name, value),
                    }
                }
            }
            (Some(Value::Object(old)), Value::Object(mut more)) if name == "schedule" => {
                // An interval that is changed goes on counting from where it did.
                if let Some(anchor) = old.get("anchorMs").filter(|_| text(&more, "kind") == Some("every")) {
                    more.entry("anchorMs").or_insert(anchor.clone());
                }
                new.put("schedule", more);
            }
            (_, value) => new.put(&name, value),
        }
    }
    if job::is_isolated(job) && !job::is_isolated(&new) {
        new.remove("delivery");
    }
    complete(&mut new, now);
    new.put("updatedAtMs", now);
    judge(&new, &Zones::Known)?;
    Ok(new)
}

/// Whether a job may be due more often than once a minute.
pub fn is_hasty(job: &Map<String, Value>) -> bool {
    let schedule = job.get("schedule").and_then(Value::as_object);
    schedule.and_then(|it| Schedule::of(it, &Zones::Known).ok()).is_some_and(|it| it.is_hasty())
}

fn is_of_kind(old: Option<&Value>, new: &Value) -> bool {
    let kind = |value: &Value| value.get("kind").cloned();
    kind(new).is_none() || old.and_then(kind) == kind(new)
}

/// Whether a job can be run, and its schedule.
pub fn judge(job: &Map<String, Value>, zones: &Zones) -> Result<Schedule> {
    let wrong = |what: String| Error::invalid(format!("invalid cron job: {what}"));
    let name = text(job, "name").filter(|name| !name.is_empty() && name.len() <= MAX_NAME);
    name.ok_or_else(|| wrong(format!("name must be a text of 1 to {MAX_NAME} bytes")))?;
    for (member, fits) in [
        ("description", Value::is_string as fn(&Value) -> bool),
        ("agentId", Value::is_string),
        ("enabled", Value::is_boolean),
        ("deleteAfterRun", Value::is_boolean),
    ] {
        if job.get(member).is_some_and(|value| !fits(value)) {
            return Err(wrong(format!("{member} is of another type")));
        }
    }
    one_of(job, "sessionTarget", &["main", "isolated"])?;
    one_of(job, "wakeMode", &["now", "next-heartbeat"])?;
    let schedule = job.get("schedule").ok_or_else(|| wrong("schedule is missing".into()))?;
    let schedule = Schedule::of(object(schedule, "schedule")?, zones)?;
    let payload = object(job.get("payload").ok_or_else(|| wrong("payload is missing".into()))?, "payload")?;
    let (kind, target) =
        (text(payload, "kind").unwrap_or_default(), text(job, "sessionTarget").unwrap_or_default());
    let words = match kind {
        "systemEvent" => "text",
        "agentTurn" => "message",
        _ => return Err(wrong("payload.kind must be systemEvent or agentTurn".into())),
    };
    let said = text(payload, words).filter(|said| !said.trim().is_empty() && said.len() <= MAX_WORDS);
    said.ok_or_else(|| wrong(format!("payload.{words} must be a text of 1 to {MAX_WORDS} bytes")))?;
    match (target, kind) {
        ("main", "agentTurn") => Err(Error::invalid("main cron jobs require payload.kind=\"systemEvent\"")),
        ("isolated", "systemEvent") => {
            Err(Error::invalid("isolated cron jobs require payload.kind=\"agentTurn\""))
        }
        _ => judge_turn(payload, job),
    }?;
    Ok(schedule)
}

fn judge_turn(payload: &Map<String, Value>, job: &Map<String, Value>) -> Result<()> {
    let wrong = |what: &str| Error::invalid(format!("invalid cron job: {what}"));
    for member in ["model", "thinking"] {
        if payload.get(member).is_some_and(|value| value.as_str().is_none_or(|text| text.trim().is_empty())) {
            return Err(wrong(&format!("payload.{member} must be a text that is not empty")));
        }
    }
    if payload.get("timeoutSeconds").is_some_and(|value| value.as_u64().is_none_or(|seconds| seconds == 0)) {
        return Err(wrong("payload.timeoutSeconds must be a whole number above 0"));
    }
    let Some(delivery) = job.get("delivery") else { return Ok(()) };
    let delivery = object(delivery, "delivery")?;
    one_of(delivery, "mode", &["none", "announce"])?;
    if !job::is_isolated(job) {
        return match text(delivery, "mode") {
            Some("none") => Ok(()),
            _ => Err(Error::invalid("cron delivery config is only supported for sessionTarget=\"isolated\"")),
        };
    }
    for member in ["channel", "to"] {
        if delivery.get(member).is_some_and(|value| !value.is_string()) {
            return Err(wrong(&format!("delivery.{member} must be a text")));
        }
    }
    Ok(())
}

fn one_of(map: &Map<String, Value>, member: &str, words: &[&str]) -> Result<()> {
    match text(map, member).is_some_and(|word| words.contains(&word)) {
        true => Ok(()),
        false => Err(Error::invalid(format!("invalid cron job: {member} must be {}", words.join(" or ")))),
    }
}

fn object<'v>(value: &'v Value, member: &str) -> Result<&'v Map<String, Value>> {
    value.as_object().ok_or_else(|| Error::invalid(format!("invalid cron job: {member} must be an object")))
}

fn refuse_others(map: &Map<String, Value>) -> Result<()> {
    match map.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        None => Ok(()),
        Some(other) => {
            let other = crate::logging::quoted(other);
            Err(Error::invalid(format!(
                "invalid cron job: it has no member {other}; its members are {}",
                MEMBERS.join(", ")
            )))
        }
    }
}

/// Names stand in lines that models read: one with a line end would forge the next. What an older file holds is cleaned
/// where it is shown (`job::name`).
fn refuse_lines(map: &Map<String, Value>) -> Result<()> {
    match ["name", "description"]
        .iter()
        .find(|member| text(map, member).is_some_and(|it| it.contains(breaks)))
    {
        None => Ok(()),
        Some(member) => Err(Error::invalid(format!(
            "invalid cron job: {member} holds a line end or another control character; write it in one line"
        ))),
    }
}

fn breaks(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// An interval must be longer than a slip of the pen; a moment must lie ahead, but not too far: a year that is a slip of
/// the pen would never come, nor does a 30 February.
fn refuse_time(job: &Map<String, Value>, now: u64) -> Result<()> {
    let schedule = job.get("schedule").and_then(Value::as_object);
    let every =
        schedule.filter(|s| text(s, "kind") == Some("every")).and_then(|s| s.get("everyMs")?.as_u64());
    if let Some(ms) = every.filter(|ms| *ms < EVERY_LEAST) {
        let text = format!("schedule.everyMs {ms} is too short: an interval has at least {EVERY_LEAST} ms");
        return Err(Error::invalid(text));
    }
    if let Some(schedule) = schedule.filter(|s| text(s, "kind") == Some("cron"))
        && Schedule::of(schedule, &Zones::Read)?.next(now).is_none()
    {
        let expr = crate::logging::quoted(text(schedule, "expr").unwrap_or_default());
        return Err(Error::invalid(format!(
            "schedule.expr {expr} never comes: no day to come has its day of the month, month, weekday and year"
        )));
    }
    let Some(at) =
        schedule.filter(|s| text(s, "kind") == Some("at")).and_then(|s| super::parse_at(text(s, "at")?))
    else {
        return Ok(());
    };
    let ago = now.saturating_sub(at) / MINUTE;
    if ago >= 1 {
        let text = format!(
            "schedule.at is in the past: {} ({ago} minutes ago). Current time: {}",
            clock::iso(at),
            clock::iso(now)
        );
        return Err(Error::invalid(text));
    }
    let years = at.saturating_sub(now) / YEAR;
    if years >= AHEAD {
        let text = format!(
            "schedule.at is too far in the future: {} ({years} years ahead). Maximum allowed: {AHEAD} years",
            clock::iso(at)
        );
        return Err(Error::invalid(text));
    }
    Ok(())
}
