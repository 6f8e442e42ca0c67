//! `openclaw sessions reset|delete|abort|compact`: what changes a session. The gateway does it, by its methods.
use super::AGENT;
use super::naming::find;
use super::show::{KEY, NAMING};
use crate::cli::link::rpc;
use crate::cli::onboard::ask::Asker;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON};
use crate::error::{Error, Kind, Result};
use crate::json::{Put, json};
use serde_json::Value;

const BASE: Command = Command {
    about: NAMING,
    positionals: KEY,
    flags: &[&[AGENT, JSON], rpc::FLAGS, rpc::TIMEOUT],
    ..Command::of("sessions reset", reset)
};

pub const RESET: Command = Command {
    name: "sessions reset",
    summary: "Begin a conversation anew",
    examples: &[("openclaw sessions reset main", "Let the main session forget what was said")],
    ..BASE
};

pub const DELETE: Command = Command {
    name: "sessions delete",
    summary: "Delete a session; its transcript is put aside",
    flags: &[
        &[
            AGENT,
            Flag::switch("yes", "Do it without asking back"),
            Flag::switch("keep-transcript", "Leave the transcript where it is"),
            JSON,
        ],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[("openclaw sessions delete notes --yes", "Delete the session with notes in its key")],
    run: delete,
    ..BASE
};

pub const ABORT: Command = Command {
    name: "sessions abort",
    summary: "Stop what runs and waits in a session",
    examples: &[("openclaw sessions abort main", "Stop the turn of the main session")],
    run: abort,
    ..BASE
};

pub const COMPACT: Command = Command {
    name: "sessions compact",
    summary: "Cut a transcript to its newest lines; the whole is kept aside",
    flags: &[
        &[AGENT, Flag::value("keep", "<n>", "Keep the last so many lines; default 400"), JSON],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[("openclaw sessions compact main --keep 100", "Go on with the last 100 lines")],
    run: compact,
    ..BASE
};

fn reset(context: &Context, args: &Args) -> Result<()> {
    let key = find(context, args)?.row.key;
    let answer = rpc::call(context, args, "sessions.reset", &json!({"key": key}))?;
    told(context, args, &answer, &format!("{key} begins anew"))
}

fn delete(context: &Context, args: &Args) -> Result<()> {
    let key = find(context, args)?.row.key;
    if !args.has("yes") {
        let without = format!("repeat it with --yes to delete {key}");
        let mut asker = Asker::terminal(context.out, &without)?;
        if args.has("json") || !asker.yes(&format!("Delete {key}?"), false)? {
            return Err(Error::new(Kind::Aborted, "nothing was deleted"));
        }
    }
    let mut params = json!({"key": key});
    if let (Some(map), true) = (params.as_object_mut(), args.has("keep-transcript")) {
        map.put("deleteTranscript", false);
    }
    let answer = rpc::call(context, args, "sessions.delete", &params)?;
    let archived = answer.pointer("/archived/0").and_then(Value::as_str);
    let archived = archived.map_or(String::new(), |path| format!("; its transcript is {path}"));
    told(context, args, &answer, &format!("Deleted {key}{}", context.env.display_all(&archived)))
}

fn abort(context: &Context, args: &Args) -> Result<()> {
    let key = find(context, args)?.row.key;
    let answer = rpc::call(context, args, "chat.abort", &json!({"sessionKey": key}))?;
    let runs = answer.get("runIds").and_then(Value::as_array).map_or(0, Vec::len);
    let line = match (answer.get("aborted") == Some(&Value::Bool(true)), runs) {
        (false, _) => format!("Nothing runs in {key}"),
        (true, 1) => format!("Stopped a turn of {key}"),
        (true, runs) => format!("Stopped {runs} turns of {key}"),
    };
    told(context, args, &answer, &line)
}

fn compact(context: &Context, args: &Args) -> Result<()> {
    let keep = args.positive("keep")?;
    let key = find(context, args)?.row.key;
    let mut params = json!({"key": key});
    if let (Some(map), Some(keep)) = (params.as_object_mut(), keep) {
        map.put("maxLines", keep);
    }
    let answer = rpc::call(context, args, "sessions.compact", &params)?;
    let kept = answer.get("kept").and_then(Value::as_u64).unwrap_or_default();
    let archived = answer.get("archived").and_then(Value::as_str).unwrap_or_default();
    let line = match answer.get("compacted") == Some(&Value::Bool(true)) {
        true => format!("{key} goes on with its last {kept} lines; the whole is {archived}"),
        false => format!("{key} is short enough: nothing was cut"),
    };
    told(context, args, &answer, &context.env.display_all(&line))
}

fn told(context: &Context, args: &Args, answer: &Value, line: &str) -> Result<()> {
    if args.has("json") {
        context.out.json(answer);
    } else {
        context.out.line(line);
    }
    Ok(())
}
