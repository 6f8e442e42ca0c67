//! `openclaw approvals ...`: the owner's rules for commands of agents.
//!
//! Works on the file of the gateway's host, which is read for each command; no gateway is asked for rules unless `--gateway` says
//! so. Which commands wait is asked of the one that runs, if one does. `telling` says that, and what is odd.
mod telling;

use super::link::rpc;
use super::parse::Args;
use super::{Command, Context, Flag, JSON, Positional, far};
use crate::approvals::file::{self, Book};
use crate::approvals::rules::{pattern, section};
use crate::error::{Error, Result};
use crate::files;
use crate::ids;
use crate::json::{self, Put, json};
use serde_json::{Map, Value};
use std::path::Path;

pub use telling::how_to;

/// Largest file that `set` takes.
const MAX_FILE: u64 = 1 << 20;
const GATEWAY: Flag = Flag::switch("gateway", "Ask the gateway instead of reading this machine's file");
const AGENT: Flag = Flag::value("agent", "<id>", "Name the agent; * for all, which is the default");
const BASE: Command = Command::of("approvals", get);

pub const GET: Command = Command {
    name: "approvals get",
    summary: "Show which commands agents may run and which wait",
    about: "The rules are those of exec-approvals.json; the configuration (tools.exec) may be stricter. docs/exec.md tells how they are read.",
    flags: &[&[GATEWAY, JSON]],
    examples: &[("openclaw approvals get", "Show rules, listed programs and what was allowed for good")],
    run: get,
    ..BASE
};

pub const SET: Command = Command {
    name: "approvals set",
    summary: "Replace the rules by those of a file",
    about: "The file is JSON as `approvals get --json` shows it below `file`. It is checked before anything is written.",
    flags: &[&[Flag::value("file", "<path>", "Name the file with the rules"), GATEWAY, JSON]],
    examples: &[("openclaw approvals set --file rules.json", "Take these rules over")],
    run: set,
    ..BASE
};

pub const ADD: Command = Command {
    name: "approvals allowlist add",
    summary: "Let agents run a program without asking",
    about: "The program is named by its path; * stands for anything but a slash, ** for anything. Programs that run others, such as shells and interpreters, are asked for all the same.",
    positionals: &[Positional::required("pattern")],
    flags: &[&[AGENT, GATEWAY, JSON]],
    examples: &[("openclaw approvals allowlist add /usr/bin/uptime", "Let all agents run uptime")],
    run: add,
    ..BASE
};

pub const REMOVE: Command = Command {
    name: "approvals allowlist remove",
    summary: "Ask for a program again",
    positionals: &[Positional::required("pattern")],
    flags: &[&[AGENT, GATEWAY, JSON]],
    examples: &[("openclaw approvals allowlist remove /usr/bin/uptime", "Ask before uptime is run")],
    run: remove,
    ..BASE
};

fn get(context: &Context, args: &Args) -> Result<()> {
    let mut told = read(context, args)?;
    telling::add_waiting(context, args, &mut told);
    if args.has("json") {
        context.out.json(&told);
        return Ok(());
    }
    let waiting = told.get("waiting").and_then(Value::as_array);
    telling::show_waiting(context, waiting.map(Vec::as_slice).unwrap_or_default());
    let file = told.get("file").cloned().unwrap_or_default();
    let mut rows = Vec::new();
    let mut row =
        |whose: &str, what: &str, value: String| rows.push(vec![whose.to_string(), what.to_string(), value]);
    let agents = file.get("agents").and_then(Value::as_object).into_iter().flatten();
    let sections = file.get("defaults").map(|defaults| ("defaults", defaults)).into_iter();
    for (whose, section) in sections.chain(agents.map(|(id, section)| (id.as_str(), section))) {
        for name in ["security", "ask", "askFallback"] {
            section
                .get(name)
                .and_then(Value::as_str)
                .into_iter()
                .for_each(|value| row(whose, name, value.to_string()));
        }
        let list = |name: &str| section.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        list("allowlist")
            .iter()
            .filter_map(pattern)
            .for_each(|pattern| row(whose, "program", pattern.to_string()));
        for grant in list("grants") {
            let text = |name: &str| grant.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
            row(whose, "command", format!("{} (in {})", text("command"), text("cwd")));
        }
    }
    if rows.is_empty() {
        context.out.line("No rules: each command that does more than filter is asked for.");
        return Ok(());
    }
    context.out.table(&["Agent", "What", "Value"], &rows);
    Ok(())
}

fn set(context: &Context, args: &Args) -> Result<()> {
    let path =
        args.value("file").ok_or_else(|| Error::usage("Name the file with the rules: --file <path>"))?;
    let bytes = files::read_bytes(Path::new(path), MAX_FILE)
        .map_err(|e| Error::io(format_args!("read {path}"), e))?;
    let new = match json::read(&bytes, 20_000, 32) {
        Ok(Value::Object(new)) => new,
        Ok(_) => return Err(Error::invalid(format!("{path} is no JSON object"))),
        Err(e) => return Err(Error::invalid(format!("{path} is no JSON: {e}"))),
    };
    // What `get --json` has shown may be given back whole.
    let new = match new.get("file") {
        Some(Value::Object(inner)) => inner.clone(),
        _ => new,
    };
    let base = read(context, args)?;
    let told = write(context, args, new, base.get("hash").and_then(Value::as_str))?;
    match args.has("json") {
        true => context.out.json(&told),
        false => context.out.line("The rules are in force from the next command on."),
    }
    Ok(())
}

fn add(context: &Context, args: &Args) -> Result<()> {
    let wanted = wanted(args)?;
    if !wanted.contains('/') {
        return Err(Error::usage(format!(
            "{wanted} is no path: name the program by where it lies, as /usr/bin/{wanted}"
        )));
    }
    let id = ids::uuid()?;
    let (told, is_new) =
        change(context, args, |entries| match entries.iter().any(|entry| pattern(entry) == Some(wanted)) {
            true => false,
            false => {
                entries.push(json!({"id": id, "pattern": wanted}));
                true
            }
        })?;
    match (args.has("json"), is_new) {
        (true, _) => context.out.json(&told),
        (false, true) => context.out.line(format!("Added {wanted}.")),
        (false, false) => context.out.line(format!("{wanted} is listed already.")),
    }
    for doubt in telling::doubts(context, args, wanted) {
        context.out.warn(&format!("warning: {doubt}"));
    }
    Ok(())
}

fn remove(context: &Context, args: &Args) -> Result<()> {
    let wanted = wanted(args)?;
    let (told, is_gone) = change(context, args, |entries| {
        let before = entries.len();
        entries.retain(|entry| pattern(entry) != Some(wanted));
        entries.len() < before
    })?;
    match (is_gone, args.has("json")) {
        (true, true) => context.out.json(&told),
        (true, false) => context.out.line(format!("Removed {wanted}.")),
        (false, _) => {
            return Err(Error::not_found(format!(
                "{wanted} is not listed for this agent; `approvals get` shows what is"
            )));
        }
    }
    Ok(())
}

fn wanted(args: &Args) -> Result<&str> {
    let wanted = args.positional(0).map(str::trim).filter(|pattern| !pattern.is_empty());
    wanted.ok_or_else(|| Error::usage("Name the program by its path"))
}

/// Changes an agent's list; `false` of `change` leaves the file as it is. The rules that are in force after it, and whether
/// they are new.
fn change(
    context: &Context,
    args: &Args,
    change: impl FnOnce(&mut Vec<Value>) -> bool,
) -> Result<(Value, bool)> {
    let told = read(context, args)?;
    let mut file = told.get("file").and_then(Value::as_object).cloned().unwrap_or_default();
    let Some(section) = section(&mut file, args.value("agent").unwrap_or("*")) else {
        return Ok((told, false));
    };
    let mut entries = section.get("allowlist").and_then(Value::as_array).cloned().unwrap_or_default();
    if !change(&mut entries) {
        return Ok((told, false));
    }
    section.put("allowlist", entries);
    Ok((write(context, args, file, told.get("hash").and_then(Value::as_str))?, true))
}

fn read(context: &Context, args: &Args) -> Result<Value> {
    match is_far(context, args)? {
        true => rpc::call(context, args, "exec.approvals.get", &json!({})),
        false => Ok(told(context, file::read(&context.env)?)),
    }
}

fn write(context: &Context, args: &Args, new: Map<String, Value>, base: Option<&str>) -> Result<Value> {
    match is_far(context, args)? {
        true => rpc::call(
            context,
            args,
            "exec.approvals.set",
            &json!({"file": (Value::Object(new)), "baseHash": base}),
        ),
        false => Ok(told(context, file::replace(&context.env, new, base, |_, _| Ok(()))?)),
    }
}

fn told(context: &Context, book: Book) -> Value {
    let path = file::path(&context.env).to_string_lossy().into_owned();
    json!({"path": path, "exists": book.exists, "hash": book.hash, "file": (Value::Object(file::shown(book.file)))})
}

fn is_far(context: &Context, args: &Args) -> Result<bool> {
    if args.has("gateway") {
        return Ok(true);
    }
    match far::look(context, args) {
        Some(address) => Err(far::refusal(
            &context.env,
            &address,
            "the rules for its commands are kept there; --gateway asks it",
            Some("exec.approvals.get"),
        )),
        None => Ok(false),
    }
}
