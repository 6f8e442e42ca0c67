//! What `approvals` tells beside the rules: the commands that wait for a word, and what is odd about a program that is listed.
use crate::agents::Agents;
use crate::approvals::judge;
use crate::clean::one_line;
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::{Context, far, print};
use crate::clock;
use crate::error::{Kind, Result};
use crate::json::{Put, json};
use crate::parts::within;
use serde_json::Value;

/// The commands that wait, as the gateway lists them; none where no gateway runs, for they wait in its memory.
pub fn waiting(context: &Context, args: &Args) -> Result<Vec<Value>> {
    match rpc::call(context, args, "exec.approval.list", &json!({})) {
        Ok(Value::Array(list)) => Ok(list),
        Ok(_) => Ok(Vec::new()),
        Err(e) if e.kind == Kind::Unreachable => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

/// The same in `told`, for scripts.
pub fn add_waiting(context: &Context, args: &Args, told: &mut Value) {
    let waiting = waiting(context, args).unwrap_or_else(|e| unknown(context, &e.to_string()));
    if let Some(map) = told.as_object_mut() {
        map.put("waiting", waiting);
    }
}

fn unknown(context: &Context, why: &str) -> Vec<Value> {
    context.out.warn(&format!("warning: which commands wait is not known: {why}"));
    Vec::new()
}

/// The same as a table, and how to answer.
pub fn show_waiting(context: &Context, waiting: &[Value]) {
    let now = clock::now_ms();
    let rows: Vec<Vec<String>> = waiting
        .iter()
        .map(|one| {
            let text = |pointer: &str| one.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let expires = one.get("expiresAtMs").and_then(Value::as_u64).unwrap_or_default();
            let left = print::age(expires.saturating_sub(now));
            let cells = [within(text("/id"), 8), text("/request/agentId"), &left, text("/request/command")];
            cells.map(one_line).to_vec()
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    context.out.heading("Waiting for approval:");
    context.out.table(&["ID", "Agent", "Left", "Command"], &rows);
    context.out.line(how_to("<ID>"));
    context.out.line("");
}

/// How a command is allowed from a shell.
pub fn how_to(id: &str) -> String {
    format!("Answer: openclaw agent --message \"/approve {id} allow-once\" (or allow-always, deny)")
}

/// What makes an entry of a list say less than it seems to.
pub fn doubts(context: &Context, args: &Args, pattern: &str) -> Vec<String> {
    let mut doubts = Vec::new();
    let name = pattern.rsplit('/').next().unwrap_or_default();
    if judge::is_launcher(name) {
        doubts
            .push(format!("{name} runs or writes whatever it is told, so that it is asked for all the same"));
    }
    // What lies on a gateway elsewhere is not known here.
    if args.has("gateway") {
        return doubts;
    }
    let is_one = !pattern.contains(['*', '?']) && !pattern.starts_with('~');
    if is_one && !std::path::Path::new(pattern).is_file() {
        doubts.push(format!("{pattern} is no program of this machine"));
    }
    let agent = args.value("agent").map(str::trim).filter(|agent| *agent != "*");
    if let (Some(agent), Ok((config, env))) = (agent, far::load(context, args)) {
        let ids = Agents::of(&config, &env).ids();
        if !ids.iter().any(|id| id == agent) {
            doubts.push(format!("there is no agent {agent}; the agents are {}", ids.join(", ")));
        }
    }
    doubts
}
