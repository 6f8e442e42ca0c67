//! `cron add` and `cron edit`: from options to a job or a patch of one. What is not given is left to the gateway.
use super::{ID, job_id, rows};
use crate::cli::link::rpc;
use crate::cli::link::talk::Talk;
use crate::cli::parse::{Args, millis};
use crate::cli::{Command, Context, Flag, JSON};
use crate::clock;
use crate::cron::job::text;
use crate::cron::parse_at;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::logging::quoted;
use serde_json::{Map, Value};

const WHAT: &[Flag] = &[
    Flag::value("name", "<name>", "Name the job; without it the first line of its text does"),
    Flag::value("description", "<text>", "Describe the job"),
    Flag::value("at", "<when>", "Run once: a time as 2026-12-01T08:00:00Z, or 20m from now"),
    Flag::value("every", "<time>", "Run again and again after this time, as 10m or 1d"),
    Flag::value("cron", "<expr>", "Run by a cron expression of 5 to 7 fields"),
    Flag::value("tz", "<zone>", "Read the expression in this time zone; else in this machine's"),
    Flag::value("message", "<text>", "Let the agent answer this in a session of its own"),
    Flag::value("system-event", "<text>", "Give the main session this reminder"),
    Flag::choice("session", "<which>", &["main", "isolated"], "Choose the session; else the text does"),
    Flag::choice(
        "wake",
        "<when>",
        &["now", "next-heartbeat"],
        "Let the main session see to it now or later; default now",
    ),
    Flag::value("agent", "<id>", "Let this agent do it"),
    Flag::value("model", "<model>", "Ask this model, as provider/model"),
    Flag::value("thinking", "<level>", "Let it think so hard: off|minimal|low|medium|high|xhigh"),
    Flag::value("timeout-seconds", "<n>", "Give up a run after so many seconds; default 600"),
    Flag::switch("announce", "Deliver the agent's last words; the default with --message"),
    Flag::switch("no-deliver", "Deliver nothing"),
    Flag::value(
        "channel",
        "<channel>",
        "Deliver on this channel; default last, where the owner was heard of",
    ),
    Flag::value("to", "<chat>", "Deliver to this chat"),
    Flag::switch("best-effort-deliver", "Count a run as well done whose words cannot be delivered"),
    Flag::switch("delete-after-run", "Remove the job when it ran well; the default with --at"),
    Flag::switch("keep-after-run", "Keep the job after its one run, disabled"),
];

const ADDED: &[Flag] = &[Flag::switch("disabled", "Leave it switched off"), JSON];
const EDITED: &[Flag] = &[
    Flag::switch("enable", "Switch it on"),
    Flag::switch("disable", "Switch it off"),
    Flag::switch("clear-agent", "Leave it to the default agent"),
    JSON,
];

pub const ADD: Command = Command {
    name: "cron add",
    summary: "Add a scheduled job",
    about: "Says when it runs (--at, --every or --cron) and what is done (--message or --system-event). The job is printed.",
    flags: &[WHAT, ADDED, rpc::FLAGS, rpc::TIMEOUT],
    examples: &[
        ("openclaw cron add --at 20m --system-event \"Take the cake out\"", "A reminder in 20 minutes"),
        (
            "openclaw cron add --cron \"0 8 * * 1-5\" --message \"What is the weather?\" --announce",
            "Each weekday at 8",
        ),
        ("openclaw cron add --every 1h --message \"Look at the logs\" --no-deliver", "Every hour, silently"),
    ],
    run: add,
    ..super::BASE
};

pub const EDIT: Command = Command {
    name: "cron edit",
    summary: "Change a scheduled job",
    about: "Only what is named changes. The job is named by its id, the beginning of it, or its name.",
    positionals: ID,
    flags: &[WHAT, EDITED, rpc::FLAGS, rpc::TIMEOUT],
    examples: &[("openclaw cron edit weather --cron \"0 7 * * *\"", "Run it at 7 each day")],
    run: edit,
    ..super::BASE
};

fn add(context: &Context, args: &Args) -> Result<()> {
    let mut job = members(args)?;
    if let Some(Value::Object(schedule)) = job.get_mut("schedule") {
        complete(context, schedule, &Map::new())?;
    }
    if !job.contains_key("schedule") {
        return Err(Error::usage("say when: --at, --every or --cron"));
    }
    if !job.contains_key("payload") {
        return Err(Error::usage(
            "say what: --message (a turn of its own) or --system-event (a reminder in the main session)",
        ));
    }
    if args.has("system-event") && job.contains_key("delivery") && !args.has("no-deliver") {
        return Err(Error::usage(
            "--system-event tells the main session, whose answer goes where that session's answers go: leave out --to, --channel, --announce and --best-effort-deliver, or say it by --message, which delivers to a chat",
        ));
    }
    job.put("enabled", !args.has("disabled"));
    let mut talk = Talk::new(context, args);
    let job = talk.call("cron.add", &Value::Object(job))?;
    show(&mut talk, &job)
}

fn edit(context: &Context, args: &Args) -> Result<()> {
    let mut patch = members(args)?;
    match (args.has("enable"), args.has("disable")) {
        (true, true) => return Err(Error::usage("--enable and --disable: choose one")),
        (false, false) => {}
        (enable, _) => patch.put("enabled", enable),
    }
    if args.has("clear-agent") {
        patch.put("agentId", Value::Null);
    }
    if patch.is_empty() {
        return Err(Error::usage("nothing to change was named; openclaw cron edit --help shows what can be"));
    }
    let mut talk = Talk::new(context, args);
    let id = job_id(&mut talk, args.positional(0).unwrap_or_default())?;
    if let Some(Value::Object(schedule)) = patch.get_mut("schedule") {
        complete(context, schedule, &of_old(&mut talk, &id, schedule)?)?;
    }
    let job = talk.call("cron.update", &json!({"id": id, "patch": patch}))?;
    show(&mut talk, &job)
}

/// Prints a job, and beside it when it is due.
pub fn show(talk: &mut Talk, job: &Value) -> Result<()> {
    let (context, args) = (talk.context, talk.args);
    context.out.json(job);
    if args.has("json") {
        return Ok(());
    }
    let due = job.pointer("/state/nextRunAtMs").and_then(Value::as_u64);
    if let Some(due) = due {
        context.out.progress(&format!("Due {} ({}).", rows::relative(due, clock::now_ms()), clock::iso(due)));
    }
    let status = talk.call("cron.status", &json!({}))?;
    if !super::warn_if_off(context, &status)
        && due.is_none()
        && job.get("enabled").and_then(Value::as_bool) == Some(true)
    {
        context.out.warn("warning: by its schedule the job is never due");
    }
    Ok(())
}

fn members(args: &Args) -> Result<Map<String, Value>> {
    let mut job = Map::new();
    for (long, member) in [
        ("name", "name"),
        ("description", "description"),
        ("agent", "agentId"),
        ("session", "sessionTarget"),
        ("wake", "wakeMode"),
    ] {
        if let Some(text) = args.filled(long)? {
            job.put(member, text.trim());
        }
    }
    schedule(args)?.into_iter().for_each(|schedule| job.put("schedule", schedule));
    let payload = payload(args)?;
    if !payload.is_empty() {
        job.put("payload", payload);
    }
    let delivery = delivery(args)?;
    if !delivery.is_empty() {
        job.put("delivery", delivery);
    }
    match (args.has("delete-after-run"), args.has("keep-after-run")) {
        (true, true) => Err(Error::usage("--delete-after-run and --keep-after-run: choose one")),
        (false, false) => Ok(job),
        (deletes, _) => {
            job.put("deleteAfterRun", deletes);
            Ok(job)
        }
    }
}

/// The schedule of the job that is there, when one half of it is to stay: the expression or its zone.
fn of_old(talk: &mut Talk, id: &str, new: &Map<String, Value>) -> Result<Map<String, Value>> {
    if text(new, "kind") != Some("cron") || (new.contains_key("expr") && new.contains_key("tz")) {
        return Ok(Map::new());
    }
    let old = super::all(talk)?.into_iter().find(|job| text(job, "id") == Some(id));
    let old = old.and_then(|mut job| job.remove("schedule"));
    Ok(old.and_then(|old| old.as_object().cloned()).unwrap_or_default())
}

/// Fills in what was not said of a cron expression: from the job that is there, of a new one this machine's zone.
fn complete(context: &Context, new: &mut Map<String, Value>, old: &Map<String, Value>) -> Result<()> {
    if text(new, "kind") != Some("cron") {
        return Ok(());
    }
    let was_cron = text(old, "kind") == Some("cron");
    if !new.contains_key("expr") {
        let expr = old.get("expr").filter(|_| was_cron);
        new.put("expr", expr.ok_or_else(|| Error::usage("--tz goes with --cron"))?.clone());
    }
    if new.contains_key("tz") {
        return Ok(());
    }
    let here = if was_cron { None } else { clock::host_zone_name() };
    if let Some(here) = &here {
        context.out.warn(&format!("Time zone: {here}, this machine's; --tz names another."));
    }
    if let Some(zone) = here.map(Value::from).or_else(|| old.get("tz").filter(|_| was_cron).cloned()) {
        new.put("tz", zone);
    }
    Ok(())
}

/// `20m`, `1.5h`; a number alone has no unit.
fn interval(text: &str) -> Option<u64> {
    millis(text, 0).filter(|ms| (1..1_000_000_000_000_000).contains(ms))
}

/// What was said of it; of a cron expression or its zone maybe only one.
fn schedule(args: &Args) -> Result<Option<Value>> {
    let given = [args.filled("at")?, args.filled("every")?, args.filled("cron")?];
    if given.iter().flatten().count() > 1 {
        return Err(Error::usage("--at, --every and --cron: choose one"));
    }
    let zone = args.filled("tz")?;
    if zone.is_some() && given.iter().take(2).any(Option::is_some) {
        return Err(Error::usage("--tz goes with --cron"));
    }
    Ok(Some(match given {
        [Some(at), ..] => {
            let of_now = || interval(at.trim().trim_start_matches('+')).map(|ms| clock::now_ms() + ms);
            let at = parse_at(at).or_else(of_now).ok_or_else(|| {
                Error::usage(format!(
                    "--at {}: use a time as 2026-12-01T08:00:00Z (UTC without a zone), or 20m",
                    quoted(at)
                ))
            })?;
            json!({"kind": "at", "at": (clock::iso(at))})
        }
        [_, Some(every), _] => {
            let ms = interval(every);
            let ms = ms.ok_or_else(|| {
                Error::usage(format!("--every {}: use a time as 10m, 1.5h or 1d", quoted(every)))
            })?;
            json!({"kind": "every", "everyMs": ms})
        }
        [.., expr] => {
            let said: Map<String, Value> = [("kind", Some("cron")), ("expr", expr), ("tz", zone)]
                .into_iter()
                .filter_map(|(name, text)| Some((name.to_string(), text?.into())))
                .collect();
            return Ok((said.len() > 1).then_some(said.into()));
        }
    }))
}

fn payload(args: &Args) -> Result<Map<String, Value>> {
    let mut payload = Map::new();
    match (args.filled("message")?, args.filled("system-event")?) {
        (Some(_), Some(_)) => return Err(Error::usage("--message and --system-event: choose one")),
        (Some(message), None) => payload.put("message", message),
        (None, Some(text)) => payload.put("text", text),
        (None, None) => {}
    }
    for long in ["model", "thinking"] {
        if let Some(text) = args.filled(long)? {
            payload.put(long, text.trim());
        }
    }
    if let Some(seconds) = args.positive("timeout-seconds")? {
        payload.put("timeoutSeconds", seconds);
    }
    if !payload.is_empty() {
        payload.put("kind", if payload.contains_key("text") { "systemEvent" } else { "agentTurn" });
    }
    Ok(payload)
}

fn delivery(args: &Args) -> Result<Map<String, Value>> {
    let mut delivery = Map::new();
    for long in ["channel", "to"] {
        if let Some(text) = args.filled(long)? {
            delivery.put(long, text.trim());
        }
    }
    if args.has("best-effort-deliver") {
        delivery.put("bestEffort", true);
    }
    match (args.has("announce"), args.has("no-deliver")) {
        (true, true) => return Err(Error::usage("--announce and --no-deliver: choose one")),
        (_, true) => delivery.put("mode", "none"),
        (is_asked, _) if is_asked || !delivery.is_empty() => delivery.put("mode", "announce"),
        _ => {}
    }
    Ok(delivery)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_units() {
        let known =
            [("20m", 1_200_000), ("1.5h", 5_400_000), ("500ms", 500), ("2D", 172_800_000), ("30s", 30_000)];
        assert!(known.iter().all(|(text, ms)| interval(text) == Some(*ms)));
        assert!(["", "m", "20", "20x", "-5m", "0s", "1e9d"].iter().all(|text| interval(text).is_none()));
    }
}
