//! Slash commands: what the gateway answers itself instead of asking a model.
//!
//! Which there are and what they are called says the room `slash`. Handlers run on the state thread, with the scopes
//! of the sender's connection (SEC-11), and read no files: what needs files is handed back as `Reply::Work`. Nothing
//! here sends anything to clients.
mod about;
mod approve;
mod context;
mod exec;
mod levels;
mod model;
mod queue;
mod session;
mod subagents;
mod usage;

use crate::error::{Error, Result};
use crate::ids;
use crate::sessions::{Entry, patch};
use crate::slash::{Act, At, Deed, Invocation, Reply, check};
use crate::state::State;
use serde_json::{Map, Value};

/// Does what the message asks for. Nothing is done when a scope is missing for any part of it.
pub fn run(state: &mut State, at: &At, invocation: &Invocation) -> Result<Reply> {
    check(at, invocation)?;
    let mut replies = Vec::new();
    for (command, args) in &invocation.calls {
        replies.push(match command.act {
            Act::Run(deed) => handler(deed)(state, at, args)?,
            Act::Say(text) => Reply::Text(format!("/{}: {text}", command.name)),
        });
    }
    if replies.len() == 1
        && let Some(reply) = replies.pop()
    {
        return Ok(reply);
    }
    let texts = replies.into_iter().filter_map(|reply| match reply {
        Reply::Text(text) => Some(text),
        // Directives, of which alone there can be several, answer with text.
        _ => None,
    });
    Ok(Reply::Text(texts.collect::<Vec<_>>().join("\n")))
}

fn handler(deed: Deed) -> fn(&mut State, &At, &str) -> Result<Reply> {
    match deed {
        Deed::Activation => session::activation,
        Deed::Approve => approve::approve,
        Deed::Commands => about::commands,
        Deed::Compact => session::compact,
        Deed::Context => context::context,
        Deed::Elevated => exec::elevated,
        Deed::Exec => exec::exec,
        Deed::Help => about::help,
        Deed::Model => model::model,
        Deed::Models => model::models,
        Deed::New => session::new,
        Deed::Queue => queue::queue,
        Deed::Reasoning => levels::reasoning,
        Deed::Send => session::send,
        Deed::Status => about::status,
        Deed::Stop => session::stop,
        Deed::Subagents => subagents::subagents,
        Deed::Think => levels::think,
        Deed::Usage => usage::usage,
        Deed::Verbose => levels::verbose,
        Deed::Whoami => about::whoami,
    }
}

/// Sets a member of the session by the rules of `sessions.patch`; the session is made if it is new.
fn set_member(state: &mut State, at: &At, name: &str, value: impl Into<Value>) -> Result<()> {
    state.sessions.ensure(&at.key, state.now, state.mono)?;
    let agent = state.sessions.owner(&at.key)?;
    let index = state.sessions.index(agent).ok_or_else(|| Error::not_found("unknown agent"))?;
    let change = Map::from_iter([(name.to_string(), value.into())]);
    let entry = patch::apply(index, &at.key, &change, &ids::uuid()?, state.now)?;
    put(state, at, entry, "patch")
}

/// Keeps the changed entry and tells who subscribed to changes; `reason` is theirs to read.
fn put(state: &mut State, at: &At, entry: Entry, reason: &'static str) -> Result<()> {
    state.sessions.put(&at.key, &entry, state.mono)?;
    state.session_changed(&at.key, reason);
    Ok(())
}

/// The session's entry; an empty one stands for a session that is new.
fn entry(state: &State, at: &At) -> Entry {
    state.sessions.get(&at.key).unwrap_or_default()
}

/// An answer to a value that does not fit: nothing was changed.
fn wrong(name: &str, value: &str, choices: &str) -> Reply {
    let value: String = value.chars().filter(|c| !c.is_control()).take(40).collect();
    Reply::Text(format!("/{name}: {value:?} is not one of {choices}. Nothing was changed."))
}
