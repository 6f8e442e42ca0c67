//! `openclaw nodes run`: a command on a node, by that node's rules; where they ask, the gateway's owner is asked.
use super::invoke::tell;
use super::{NODE, naming};
use crate::cli::link::rpc;
use crate::cli::link::talk::Talk;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON, Positional};
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::json::{Put, json};
use crate::nodes::command;
use serde_json::{Map, Value};

/// How long the owner has, and the gateway beside it.
const DECISION_MS: u64 = 120_000;

pub const COMMAND: Command = Command {
    name: "nodes run",
    summary: "Run a command on a node",
    about: "By the node's rules; where they ask, somebody has to allow it within two minutes (/approve in a chat, or the control \
            page). Exits 1 when the command fails. Without --node it is the one of tools.exec.node. Behind -- everything is \
            the command's.",
    positionals: &[Positional::optional("command...")],
    flags: &[
        &[
            NODE,
            Flag::value("raw", "<text>", "Run this text by a shell"),
            Flag::value("cwd", "<path>", "Run it in this directory of the node"),
            Flag::value("env", "<name=value>", "Set a variable; may be repeated"),
            Flag::value("agent", "<id>", "Judge it by the rules for this agent; default main"),
            Flag::choice("ask", "<when>", &["off", "on-miss", "always"], "Ask the owner so; default on-miss"),
            Flag::choice(
                "security",
                "<mode>",
                &["deny", "allowlist", "full"],
                "Taken; the node's rules hold",
            )
            .quiet(),
            Flag::value("command-timeout", "<time>", "End it after this time, as 60s"),
            Flag::switch("needs-screen-recording", "Fail where the node may not record its screen"),
            Flag::value("invoke-timeout", "<time>", "Wait so long for the node; default 30s"),
            JSON,
        ],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[
        ("openclaw nodes run --node nas -- df -h", "Run df there"),
        ("openclaw nodes run --node nas --raw \"ls | wc -l\"", "Run a line of a shell"),
    ],
    ..Command::of("nodes run", run)
};

fn run(context: &Context, args: &Args) -> Result<()> {
    let raw = args.filled("raw")?;
    let words = &args.positionals;
    let shown = match (raw, words.is_empty()) {
        (Some(_), false) => return Err(Error::usage("name the command once: either --raw or its words")),
        (None, true) => return Err(Error::usage("name the command: its words behind --, or --raw")),
        (Some(raw), true) => raw.to_string(),
        (None, false) => command::quoted(words),
    };
    let mut talk = Talk::new(context, args);
    let named = match args.filled("node")? {
        Some(named) => named.to_string(),
        None => Config::inspect(&mut context.env.clone())
            .str("tools.exec.node")
            .map(str::to_string)
            .ok_or_else(|| Error::usage("name the node: --node, or tools.exec.node in the configuration"))?,
    };
    let (node, platform) = naming::find(&mut talk, &named)?;
    let command = raw.map_or_else(|| words.clone(), |raw| command::by_shell(&platform, raw));
    let mut params = params(args, &command, raw)?;
    let ask = args.value("ask").unwrap_or("on-miss");
    let first = match ask {
        "always" => None,
        _ => Some(tell(&mut talk, &node, "system.run", Value::Object(params.clone()), 30_000)),
    };
    let answer = match first {
        Some(Err(error)) if ask == "on-miss" && error.message().contains("approval required") => None,
        first => first,
    };
    let answer = match answer {
        Some(answer) => answer?,
        None => {
            let (id, decision) = allowed(&mut talk, &node, &shown, &params)?;
            params.put("runId", id);
            params.put("approved", true);
            params.put("approvalDecision", decision);
            tell(&mut talk, &node, "system.run", Value::Object(params), 30_000)?
        }
    };
    show(context, args, &answer)
}

fn params(args: &Args, command: &[String], raw: Option<&str>) -> Result<Map<String, Value>> {
    let mut env = Map::new();
    for pair in args.all("env") {
        let named = pair.split_once('=').filter(|(name, _)| !name.is_empty());
        let (name, value) =
            named.ok_or_else(|| Error::usage(format!("--env {pair:?} is not <name>=<value>")))?;
        env.put(name, value);
    }
    let mut params = Map::new();
    params.put("command", json!(command));
    raw.into_iter().for_each(|raw| params.put("rawCommand", raw));
    params.put("agentId", args.filled("agent")?.unwrap_or("main"));
    args.filled("cwd")?.into_iter().for_each(|cwd| params.put("cwd", cwd));
    args.millis("command-timeout", 1)?.into_iter().for_each(|ms| params.put("timeoutMs", ms));
    if !env.is_empty() {
        params.put("env", env);
    }
    if args.has("needs-screen-recording") {
        params.put("needsScreenRecording", true);
    }
    Ok(params)
}

/// Asks the owner about exactly this; gives the number of the request and what he said.
fn allowed(
    talk: &mut Talk,
    node: &str,
    shown: &str,
    params: &Map<String, Value>,
) -> Result<(String, String)> {
    talk.context.out.warn("waiting for approval: answer with /approve in a chat, or on the control page ...");
    let mut asked = json!({"command": shown, "host": "node", "agentId": (params.get("agentId")), "timeoutMs": DECISION_MS});
    let Some(map) = asked.as_object_mut() else { return Err(Error::unavailable("nothing to ask")) };
    params.get("cwd").into_iter().for_each(|cwd| map.put("cwd", cwd.clone()));
    let plain = asked.clone();
    if let Some(map) = asked.as_object_mut() {
        map.put("nodeId", node);
        map.put("commandArgv", params.get("command").cloned().unwrap_or_default());
        params.get("env").into_iter().for_each(|env| map.put("env", env.clone()));
    }
    let limit = DECISION_MS + 10_000;
    let answer = match talk.call_within("exec.approval.request", &asked, limit) {
        // Gateways of older releases know the text alone.
        Err(error) if error.kind == Kind::Invalid && error.message().contains("unexpected property") => {
            talk.call_within("exec.approval.request", &plain, limit)?
        }
        answer => answer?,
    };
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
    match text("decision").as_str() {
        "allow-once" | "allow-always" => Ok((text("id"), text("decision"))),
        "deny" => Err(Error::new(Kind::Forbidden, "exec denied: user denied")),
        _ => Err(Error::new(Kind::Forbidden, "exec denied: nobody allowed it in time")),
    }
}

fn show(context: &Context, args: &Args, answer: &Value) -> Result<()> {
    let empty = Value::Null;
    let payload = answer.get("payload").unwrap_or(&empty);
    if args.has("json") {
        context.out.json(answer);
    } else {
        let text = |name: &str| payload.get(name).and_then(Value::as_str).unwrap_or_default();
        context.out.text(text("stdout"));
        [text("stderr"), text("error")]
            .into_iter()
            .filter(|text| !text.is_empty())
            .for_each(|text| context.out.warn(text.trim_end()));
    }
    let code = payload.get("exitCode").and_then(Value::as_i64);
    let why = match (payload.get("success"), payload.get("timedOut"), code) {
        (Some(Value::Bool(true)), ..) => return Ok(()),
        (_, Some(Value::Bool(true)), _) => "run timed out".to_string(),
        (_, _, Some(code)) => format!("run exit {code}"),
        _ => "the command did not run to its end".to_string(),
    };
    // Its JSON is printed already.
    Err(Error::unavailable(if args.has("json") { String::new() } else { why }))
}
