//! `openclaw chat`: a conversation at the terminal, with a line to type in below it.
//!
//! One thread waits for keys and the gateway at once (`chatting.rs`). What is said comes as events and becomes rows
//! (`talk.rs`, `said.rs`, `markdown.rs`, `tools.rs`, `row.rs`), which `screen.rs` shows above the line that is being typed
//! (`keys.rs`, `typing.rs`, `line.rs`, `history.rs`, `complete.rs`, `named.rs`, `view.rs`); `way.rs` keeps the connection, `terminal.rs` the terminal's mode.
//! Slash commands are the gateway's but for a few (`acts.rs`).
mod acts;
mod chatting;
mod complete;
mod heard;
mod history;
mod keys;
mod line;
mod markdown;
mod named;
mod row;
mod said;
mod screen;
mod talk;
mod terminal;
mod tools;
mod typing;
mod view;
mod way;

use super::agent::named_session;
use super::link::client::Deadline;
use super::link::connect::Session;
use super::link::rpc;
use super::link::target::Target;
use super::parse::Args;
use super::waiting::Waiting;
use super::{Command, Context, Flag};
use crate::error::{Error, Result};
use crate::json::json;
use chatting::Chat;
use serde_json::Value;
use std::io::{IsTerminal, stdin, stdout};
use std::sync::Arc;
use std::time::Instant;
use terminal::{Signals, Terminal};

pub const COMMAND: Command = Command {
    name: "chat",
    summary: "Talk with the agent at the terminal",
    about: "Without --session or --agent it is the main session, the one that other surfaces go on with.\n\
            Tab completes commands (/help lists them), Up and Ctrl-R find what was said before, Alt-Enter or a \\ at the\n\
            end begins a new line. A picture is sent by its path, a file as @path. Ctrl-C stops the turn, Ctrl-D ends\n\
            the chat; a turn goes on at the gateway then. What is said while a turn goes on joins it or waits, as\n\
            /queue says. A line that begins with a blank is not kept in the history.",
    positionals: &[],
    flags: &[FLAGS, rpc::FLAGS],
    examples: &[
        ("openclaw chat", "Go on in the main session"),
        ("openclaw chat --session notes --agent work", "Talk with another agent, in a session of its own"),
        ("openclaw chat --url wss://home.example --token <token>", "Talk with a gateway elsewhere"),
    ],
    failure: "",
    run,
};

const FLAGS: &[Flag] = &[
    Flag::value("session", "<key>", "Use this session"),
    Flag::value("agent", "<id>", "Use this agent's main session, or with --session one of its sessions"),
    Flag::value("timeout", "<time>", "Give up connecting after this time, as 5s; default 10s"),
];

const CONNECT_MS: u64 = 10_000;

fn run(context: &Context, args: &Args) -> Result<()> {
    converse(context, args, args.filled("session")?)
}

/// Whether somebody sits at a terminal.
pub fn is_possible() -> bool {
    stdin().is_terminal() && stdout().is_terminal()
}

/// Refuses a session whose agent the gateway does not have, where it was named.
fn check_agent(opened: &mut Session, target: &Target, key: &str) -> Result<()> {
    let Some((agent, _)) = key.strip_prefix("agent:").and_then(|rest| rest.split_once(':')) else {
        return Ok(());
    };
    opened.client.set_deadline(Deadline::after(Instant::now(), CONNECT_MS));
    let told = rpc::request(opened, target, "agents.list", &json!({}), false);
    opened.client.set_deadline(Deadline::after(Instant::now(), 0));
    // Other gateways may not tell; what is wrong is told by each message then.
    let Ok(told) = told else { return Ok(()) };
    let all: Vec<&str> = told
        .get("agents")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|row| row.get("id")?.as_str())
        .collect();
    if all.is_empty() || all.contains(&agent) {
        return Ok(());
    }
    Err(Error::invalid(format!("unknown agent id {agent:?}; there are: {}", all.join(", "))))
}

/// A chat in the session of that name, until its end.
pub fn converse(context: &Context, args: &Args, session: Option<&str>) -> Result<()> {
    if !is_possible() {
        let text = "chat needs a terminal for what is typed and what is shown; from a script: \
                    openclaw agent --message <text>, or - for standard input";
        return Err(Error::usage(text));
    }
    let (target, _) = rpc::target(context, args)?;
    let deadline = Deadline::after(context.started, args.millis("timeout", 1)?.unwrap_or(CONNECT_MS));
    let (opened, key) = {
        let _waiting = Waiting::begin(context.out, &format!("asking the gateway at {}", target.url));
        let mut opened = way::open(&target, &context.env.state_dir, deadline)?;
        let key = named_session(session, args.filled("agent")?, &opened.hello);
        check_agent(&mut opened, &target, &key)?;
        (opened, key)
    };
    let signals = Signals::watch()?;
    let (env, args) = (context.env.clone(), args.clone());
    let again: way::Again = Arc::new(move || rpc::target_now(&env, &args));
    let way = way::Way::new(target, again, context.env.state_dir.clone(), opened, &signals)?;
    let is_plain = context.env.var("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
    let terminal = Terminal::enter(is_plain)?;
    let mut chat = Chat::new(context, way, key, is_plain);
    let ended = chat.converse(terminal, signals);
    if chat.is_answering() {
        context.out.warn("The turn goes on at the gateway; `openclaw chat` shows its answer later.");
    }
    // Only now is the terminal as it was.
    if let Some(signal) = ended? {
        terminal::end_by(signal);
    }
    Ok(())
}
