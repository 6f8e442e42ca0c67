//! `openclaw sessions ...`: conversations on disk, listed, read and changed.
//!
//! Whatever only reads, reads the files of this machine itself, without a gateway and without changing anything; a gateway
//! elsewhere is asked. What changes a session is the gateway's to do (`verbs.rs`).
pub mod export;
mod naming;
pub mod row;
pub mod said;
pub mod search;
pub mod show;
pub mod stores;
pub mod verbs;
use super::link::rpc;
use super::parse::Args;
use super::{Command, Context, Flag, JSON, far};
use crate::clock;
use crate::error::{Error, Result};
use crate::json::json;
pub use row::{Row, show};
use serde_json::Value;
use std::path::{Path, PathBuf};
pub use stores::read;
use stores::{Found, here, remote};

pub const COMMAND: Command = Command {
    name: "sessions",
    summary: "List the sessions on disk",
    about: "Reads the session stores of this machine; only a gateway elsewhere is asked.\n\
            Tokens are those that the last prompt took, of the model's window.",
    positionals: &[],
    flags: &[FLAGS, rpc::FLAGS],
    examples: &[
        ("openclaw sessions", "List the sessions of all agents, newest first"),
        ("openclaw sessions --active 60 --json", "Print those of the last hour as JSON"),
        ("openclaw sessions --agent main", "List those of one agent"),
    ],
    failure: "",
    run,
};

pub const LIST: Command = Command {
    name: "sessions list",
    examples: &[("openclaw sessions list", "List the sessions of all agents, newest first")],
    ..COMMAND
};

const AGENT: Flag = Flag::value("agent", "<id>", "Look at this agent's sessions only");

const ALL_AGENTS: Flag =
    Flag::switch("all-agents", "Look at the sessions of all agents, which is the default");

const FLAGS: &[Flag] = &[
    AGENT,
    ALL_AGENTS,
    Flag::value("store", "<path>", "Read this store file"),
    Flag::value("active", "<time>", "List only sessions used in this last time: 90 (minutes), 2h, 3d"),
    JSON,
];

fn run(context: &Context, args: &Args) -> Result<()> {
    let active = args.millis("active", 60_000)?;
    if active == Some(0) {
        return Err(Error::usage("--active must be a time such as 90 (minutes), 2h or 3d, and not none"));
    }
    if args.has("all-agents") && args.value("agent").is_some() {
        return Err(Error::usage("--all-agents and --agent exclude each other"));
    }
    let (config, env) = far::load(context, args)?;
    let now = clock::now_ms();
    // Scripts get the paths as they are.
    let joined = |stores: &[PathBuf], shown: &dyn Fn(&Path) -> String| {
        stores.iter().map(|store| shown(store)).collect::<Vec<_>>().join(", ")
    };
    let elsewhere = match args.value("store") {
        Some(_) => None,
        None => far::or_here(context, &env, &config, args),
    };
    let (path, mut rows, unread) = match elsewhere {
        Some(address) => {
            let rows = remote(context, args, &address)?;
            (address, rows, Vec::new())
        }
        None => {
            let Found { stores, rows, unread } = here(&env, &config, args)?;
            let as_is = |path: &Path| path.display().to_string();
            let for_people = |path: &Path| env.display(path);
            let shown: &dyn Fn(&Path) -> String = if args.has("json") { &as_is } else { &for_people };
            (joined(&stores, shown), rows, unread)
        }
    };
    rows.retain(|row| active.is_none_or(|active| now.saturating_sub(row.updated_at) <= active));
    if args.has("json") {
        let list: Vec<Value> = rows.iter().map(|row| row.to_json(now)).collect();
        context
            .out
            .json(&json!({"path": path, "count": rows.len(), "activeMinutes": active.map(|active| active / 60_000), "sessions": list}));
        return whole(unread);
    }
    context.out.line(format!("Session store: {path}"));
    context.out.line(format!("Sessions listed: {}", rows.len()));
    if rows.is_empty() {
        context.out.line("No sessions found.");
    } else {
        show(context, &rows.iter().collect::<Vec<_>>(), now);
    }
    whole(unread)
}

/// The end of a list; fails where sessions are missing in it.
fn whole(unread: Vec<Error>) -> Result<()> {
    unread.into_iter().next().map_or(Ok(()), Err)
}
