//! `openclaw nodes pending|approve|reject`: who asks to be a node. Devices that do are found beside those of the older
//! pairing, by whichever of its lists a gateway shows them.
use super::rows::{self, items, text};
use crate::cli::link::rpc;
use crate::cli::link::talk::Talk;
use crate::cli::parse::Args;
use crate::cli::pick::{Choice, Kind, pick};
use crate::cli::{Command, Context, JSON, Positional};
use crate::error::{Error, Kind as What, Result};
use crate::json::json;
use serde_json::Value;

const REQUEST: Kind = Kind { name: "node's request", list: "nodes pending" };
const BASE: Command = Command {
    about: "The beginning of a request's id is enough, and the only one that waits needs none.",
    positionals: &[Positional::optional("request-id")],
    flags: &[&[JSON], rpc::FLAGS, rpc::TIMEOUT],
    ..Command::of("nodes pending", pending)
};

pub const PENDING: Command = Command {
    name: "nodes pending",
    summary: "Show who asks to be a node",
    about: "",
    positionals: &[],
    examples: &[("openclaw nodes pending", "Show the requests that wait")],
    run: pending,
    ..BASE
};

pub const APPROVE: Command = Command {
    name: "nodes approve",
    summary: "Let a node in that asks to be one",
    examples: &[("openclaw nodes approve", "Let the only one in that waits")],
    run: |context, args| decide(context, args, "approve"),
    ..BASE
};

pub const REJECT: Command = Command {
    name: "nodes reject",
    summary: "Refuse a node that asks to be one",
    examples: &[("openclaw nodes reject 3f0c2a", "Drop this request")],
    run: |context, args| decide(context, args, "reject"),
    ..BASE
};

/// All that wait, newest first.
pub(super) fn waiting(talk: &mut Talk) -> Result<Vec<Value>> {
    let older = talk.call("node.pair.list", &json!({}))?;
    let mut all: Vec<Value> = items(&older, "pending").cloned().collect();
    let devices = talk.call("device.pair.list", &json!({}))?;
    let is_node = |request: &&Value| {
        text(request, "/role") == "node" || items(request, "roles").any(|role| role == "node")
    };
    for request in items(&devices, "pending").filter(is_node) {
        let is_known = all.iter().any(|known| known.get("requestId") == request.get("requestId"));
        if !is_known {
            all.push(request.clone());
        }
    }
    let came = |request: &Value| request.get("ts").and_then(Value::as_u64).unwrap_or_default();
    crate::order::by_key(&mut all, |request| std::cmp::Reverse(came(request)));
    Ok(all)
}

pub(super) fn show(context: &Context, pending: &[Value]) {
    if pending.is_empty() {
        return;
    }
    context.out.heading("Pending");
    let rows: Vec<Vec<String>> = pending.iter().map(rows::pending).collect();
    context.out.table(&["Request", "Node", "IP", "Requested", "Repair"], &rows);
    context.out.progress(&format!("Approve with: {}", context.env.command("nodes approve <request>")));
}

fn pending(context: &Context, args: &Args) -> Result<()> {
    let all = waiting(&mut Talk::new(context, args))?;
    match (args.has("json"), all.is_empty()) {
        (true, _) => context.out.json(&json!(all)),
        (false, true) => context.out.line("No node asks to be let in."),
        (false, false) => show(context, &all),
    }
    Ok(())
}

fn decide(context: &Context, args: &Args, verb: &str) -> Result<()> {
    let named = args.positional(0).map(str::trim);
    if named == Some("") {
        return Err(Error::usage(
            "the id of the request is empty: name one, or leave it out if only one waits",
        ));
    }
    let mut talk = Talk::new(context, args);
    let all = waiting(&mut talk)?;
    if all.is_empty() {
        return Err(Error::not_found("no node asks to be let in"));
    }
    // By its id only: a stranger says himself what he is called.
    let choice = |request: &Value| Choice {
        id: text(request, "/requestId").to_string(),
        names: Vec::new(),
        about: format!("{}  {}", rows::name(request), text(request, "/platform")),
    };
    let choices: Vec<Choice> = all.iter().map(choice).collect();
    let place = pick(context, args, &REQUEST, named.unwrap_or_default(), &choices)?;
    let request = all.get(place).cloned().unwrap_or_default();
    let params = json!({"requestId": (text(&request, "/requestId"))});
    let answer = match talk.call(&format!("node.pair.{verb}"), &params) {
        // The older pairing of another gateway knows no devices.
        Err(error) if error.kind == What::Invalid && request.get("deviceId").is_some() => {
            talk.call(&format!("device.pair.{verb}"), &params)?
        }
        answer => answer?,
    };
    let done = if verb == "approve" { "Approved" } else { "Rejected" };
    match args.has("json") {
        true => context.out.json(&answer),
        false => context.out.line(format!("{done} {}", rows::name(&request))),
    }
    Ok(())
}
