//! `openclaw sessions show`: a conversation to be read at a terminal, the last messages of it.
use super::AGENT;
use super::naming::{Found, find};
use super::said::{Part, Reader, Said};
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON, Positional};
use crate::error::Result;
use crate::json::json;
use serde_json::Value;
use std::ops::ControlFlow;

pub const COMMAND: Command = Command {
    name: "sessions show",
    summary: "Show a conversation",
    about: NAMING,
    positionals: KEY,
    flags: &[
        &[AGENT, Flag::value("limit", "<n>", "Show the last so many messages; default 50"), JSON],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[
        ("openclaw sessions show main", "Show what was last said in the main session"),
        ("openclaw sessions show tele --limit 5", "Show the last five of the session with tele in its key"),
    ],
    failure: "",
    run,
};

/// How a session is named.
pub(super) const NAMING: &str =
    "A session is named by its key, its label or a part of them; where several fit, a terminal is asked.";
pub(super) const KEY: &[Positional] = &[Positional::optional("session")];
const DEFAULT: usize = 50;

fn run(context: &Context, args: &Args) -> Result<()> {
    let limit = args.positive("limit")?.map_or(DEFAULT, |limit| limit as usize);
    let found = find(context, args)?;
    if args.has("json") {
        context.out.json(&document(context, args, &found, Some(limit))?);
        return Ok(());
    }
    let (mut reader, mut said) = (Reader::default(), Vec::new());
    found.back(context, args, Some(limit), |message| {
        said.extend(reader.read(&message));
        if said.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    let label = found.row.text("label");
    let label = if label.is_empty() { label } else { format!(" · {label}") };
    context.out.heading(&format!("{}{label}", found.row.key));
    if said.is_empty() {
        context.out.line("Nothing was said yet.");
    }
    said.iter().rev().for_each(|said| show(context, said));
    Ok(())
}

/// The session with its messages, for scripts: with `limit` the last so many, results of tools not counted.
pub(super) fn document(context: &Context, args: &Args, found: &Found, limit: Option<usize>) -> Result<Value> {
    let (mut count, mut messages) = (0, Vec::new());
    let is_cut = found.back(context, args, limit, |message| {
        count +=
            usize::from(!matches!(message.get("role").and_then(Value::as_str), Some("toolResult" | "tool")));
        messages.push(message);
        if limit.is_none_or(|limit| count < limit) {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    messages.reverse();
    let row = &found.row;
    let told = |name: &str| Some(row.text(name)).filter(|text| !text.is_empty());
    Ok(json!({
        "key": row.key, "sessionId": told("sessionId"), "label": told("label"), "updatedAt": row.updated_at,
        "truncated": is_cut, "messages": messages,
    }))
}

/// One who speaks: a line for who and when, below it what was said.
fn show(context: &Context, said: &Said) {
    let out = &context.out;
    out.line("");
    out.heading(format!("{}  {}  {}", said.who, said.time(), said.model).trim_end());
    let mut is_code = false;
    for part in &said.parts {
        match part {
            Part::Tool(name, called, is_failed) => {
                let mark = if *is_failed { "✗" } else { "·" };
                out.painted(if *is_failed { 33 } else { 2 }, &format!("  {mark} {name} {called}"));
            }
            Part::Text(text) => {
                for line in text.lines() {
                    let is_fence = line.trim_start().starts_with("```");
                    is_code ^= is_fence;
                    let style = match (is_code || is_fence, line.starts_with('#')) {
                        (true, _) => 36,
                        (false, true) => 1,
                        (false, false) => 0,
                    };
                    out.painted(style, &format!("  {line}"));
                }
            }
        }
    }
}
