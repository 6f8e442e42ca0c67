//! `openclaw nodes ...`: the nodes of a gateway: who is here, who asks to be, and what they are told to do.
//!
//! All of it is asked of the gateway. `naming` says which node is meant, `rows` shows nodes, `pairing` lets them in,
//! `invoke` tells one to do something, `canvas`, `media` and `run` what in particular.
pub mod canvas;
pub mod invoke;
pub mod media;
mod naming;
pub mod pairing;
mod rows;
pub mod run;

use super::link::rpc;
use super::link::talk::Talk;
use super::parse::Args;
use super::{Command, Context, Flag, JSON};
use crate::clock;
use crate::error::{Error, Result};
use crate::json::json;
use rows::{items, text};
use serde_json::Value;

pub(super) const NODE: Flag =
    Flag::value("node", "<node>", "Name the node: its id, its name, its address or a part of one");
const WHICH: &[Flag] = &[
    Flag::switch("connected", "Show only nodes that are connected"),
    Flag::value("last-connected", "<time>", "Show only nodes that were connected within this time, as 24h"),
    JSON,
];

const BASE: Command = Command { flags: &[WHICH, rpc::FLAGS, rpc::TIMEOUT], ..Command::of("nodes", status) };

pub const STATUS: Command = Command {
    name: "nodes status",
    summary: "Show the nodes and whether they are connected",
    examples: &[("openclaw nodes status --connected", "Show those that are here")],
    run: status,
    ..BASE
};

pub const LIST: Command = Command {
    name: "nodes list",
    summary: "List the nodes and those that ask to be one",
    examples: &[("openclaw nodes list", "Show who is a node and who asks to be")],
    run: list,
    ..BASE
};

pub const DESCRIBE: Command = Command {
    name: "nodes describe",
    summary: "Show one node and what it can be told to do",
    flags: &[&[NODE, JSON], rpc::FLAGS, rpc::TIMEOUT],
    examples: &[("openclaw nodes describe --node kitchen", "Show its commands")],
    run: describe,
    ..BASE
};

pub const RENAME: Command = Command {
    name: "nodes rename",
    summary: "Give a node another name",
    flags: &[&[NODE, Flag::value("name", "<name>", "The new name"), JSON], rpc::FLAGS, rpc::TIMEOUT],
    examples: &[("openclaw nodes rename --node 4be1 --name Kitchen", "Call it so from now on")],
    run: rename,
    ..BASE
};

fn status(context: &Context, args: &Args) -> Result<()> {
    let mut all = Talk::new(context, args).call("node.list", &json!({}))?;
    let known = items(&all, "nodes").count();
    keep(args, &mut all)?;
    if args.has("json") {
        context.out.json(&all);
        return Ok(());
    }
    let nodes: Vec<&Value> = items(&all, "nodes").collect();
    let count = |name: &str| nodes.iter().filter(|node| node.get(name) == Some(&Value::Bool(true))).count();
    let of = if known == nodes.len() { String::new() } else { format!(" (of {known})") };
    let (paired, connected) = (count("paired"), count("connected"));
    context.out.line(format!("Known: {}{of} · Paired: {paired} · Connected: {connected}", nodes.len()));
    if nodes.is_empty() {
        return Ok(());
    }
    let rows: Vec<Vec<String>> = nodes.into_iter().map(rows::status).collect();
    context.out.table(&["Node", "ID", "IP", "Detail", "Status", "Caps"], &rows);
    Ok(())
}

/// Leaves the nodes that the options mean.
fn keep(args: &Args, all: &mut Value) -> Result<()> {
    let within = args.millis("last-connected", 1)?;
    let (since, is_connected) = (within.map(|ms| clock::now_ms().saturating_sub(ms)), args.has("connected"));
    if let Some(Value::Array(nodes)) = all.get_mut("nodes") {
        nodes.retain(|node| {
            let is_here = node.get("connected") == Some(&Value::Bool(true));
            let is_late = since.is_some_and(|since| !is_here && rows::last(node).is_none_or(|at| at < since));
            (is_here || !is_connected) && !is_late
        });
    }
    Ok(())
}

fn list(context: &Context, args: &Args) -> Result<()> {
    let mut talk = Talk::new(context, args);
    let pending = pairing::waiting(&mut talk)?;
    let mut all = talk.call("node.list", &json!({}))?;
    keep(args, &mut all)?;
    let paired: Vec<Value> =
        items(&all, "nodes").filter(|node| node.get("paired") == Some(&Value::Bool(true))).cloned().collect();
    if args.has("json") {
        context.out.json(&json!({"pending": pending, "paired": paired}));
        return Ok(());
    }
    context.out.line(format!("Pending: {} · Paired: {}", pending.len(), paired.len()));
    pairing::show(context, &pending);
    if !paired.is_empty() {
        context.out.heading("Paired");
        let rows: Vec<Vec<String>> = paired.iter().map(rows::paired).collect();
        context.out.table(&["Node", "Id", "IP", "Last Connect"], &rows);
    }
    Ok(())
}

fn describe(context: &Context, args: &Args) -> Result<()> {
    let mut talk = Talk::new(context, args);
    let id = naming::node(&mut talk)?;
    let node = talk.call("node.describe", &json!({"nodeId": id}))?;
    if args.has("json") {
        context.out.json(&node);
        return Ok(());
    }
    for (name, pointer) in [
        ("Node", "/displayName"),
        ("Id", "/nodeId"),
        ("Platform", "/platform"),
        ("Version", "/version"),
        ("Core", "/coreVersion"),
        ("App", "/uiVersion"),
        ("Device", "/deviceFamily"),
        ("Model", "/modelIdentifier"),
        ("IP", "/remoteIp"),
        ("PATH", "/pathEnv"),
    ] {
        if let Some(value) = node.pointer(pointer).and_then(Value::as_str).filter(|value| !value.is_empty()) {
            context.out.field(name, value);
        }
    }
    context.out.field("Status", &rows::state(&node));
    let joined = |name: &str| items(&node, name).filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
    let (caps, commands) = (joined("caps"), joined("commands"));
    context.out.field("Caps", if caps.is_empty() { "none" } else { &caps });
    context.out.field("Commands", if commands.is_empty() { "none reported" } else { &commands });
    Ok(())
}

fn rename(context: &Context, args: &Args) -> Result<()> {
    let name = args.required("name")?.trim();
    if name.is_empty() {
        return Err(Error::usage("the new name is empty"));
    }
    let mut talk = Talk::new(context, args);
    let id = naming::node(&mut talk)?;
    let answer = talk.call("node.rename", &json!({"nodeId": id, "displayName": name}))?;
    match args.has("json") {
        true => context.out.json(&answer),
        false => context.out.line(format!(
            "node rename ok: {} -> {}",
            text(&answer, "/nodeId"),
            text(&answer, "/displayName")
        )),
    }
    Ok(())
}
