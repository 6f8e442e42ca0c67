//! `openclaw system ...`: wakes an agent, switches heartbeats, shows who is here. The gateway is asked.
use super::link::rpc;
use super::parse::Args;
use super::{Command, Context, Flag, JSON};
use crate::error::{Error, Result};
use crate::json::json;
use serde_json::Value;

const BASE: Command = Command::of("system event", event);
const CALL: &[&[Flag]] = &[&[JSON], rpc::FLAGS, rpc::TIMEOUT];

pub const EVENT: Command = Command {
    summary: "Note something for the agent, and have it look",
    about: "The text is told to the agent of the main session: at once in a heartbeat (now), or with the next one or the \
            next message, whichever comes first.",
    flags: &[
        &[
            Flag::value("text", "<text>", "Note this"),
            Flag::choice(
                "mode",
                "<mode>",
                &["now", "next-heartbeat"],
                "Say when the agent looks; default next-heartbeat",
            ),
            JSON,
        ],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[(
        "openclaw system event --text \"The backup is done\" --mode now",
        "Have the agent look at once",
    )],
    ..BASE
};

pub const LAST: Command = Command {
    name: "system heartbeat last",
    summary: "Show the last heartbeat, as JSON",
    flags: CALL,
    examples: &[("openclaw system heartbeat last", "Show what became of it")],
    run: |context, args| show(context, args, "last-heartbeat", &json!({})),
    ..BASE
};

pub const ENABLE: Command = Command {
    name: "system heartbeat enable",
    summary: "Let heartbeats come again",
    flags: CALL,
    examples: &[("openclaw system heartbeat enable", "Switch them on")],
    run: |context, args| show(context, args, "set-heartbeats", &json!({"enabled": true})),
    ..BASE
};

pub const DISABLE: Command = Command {
    name: "system heartbeat disable",
    summary: "Let no heartbeat come until the gateway starts anew",
    flags: CALL,
    examples: &[("openclaw system heartbeat disable", "Switch them off for now")],
    run: |context, args| show(context, args, "set-heartbeats", &json!({"enabled": false})),
    ..BASE
};

pub const PRESENCE: Command = Command {
    name: "system presence",
    summary: "Show who is connected, as JSON",
    flags: CALL,
    examples: &[("openclaw system presence", "List clients and devices")],
    run: |context, args| show(context, args, "system-presence", &json!({})),
    ..BASE
};

fn event(context: &Context, args: &Args) -> Result<()> {
    let mode = args.value("mode").unwrap_or("next-heartbeat");
    let text = args.required("text")?;
    let answer = rpc::call(context, args, "wake", &json!({"text": text, "mode": mode}))?;
    if answer.get("ok") != Some(&Value::Bool(true)) {
        return Err(Error::usage("--text is empty: say what is to be noted"));
    }
    match args.has("json") {
        true => context.out.json(&answer),
        false => context.out.line("ok"),
    }
    Ok(())
}

fn show(context: &Context, args: &Args, method: &str, params: &Value) -> Result<()> {
    context.out.json(&rpc::call(context, args, method, params)?);
    Ok(())
}
