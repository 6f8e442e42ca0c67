//! Slash commands: what the gateway answers itself instead of asking a model.
//!
//! `table.rs` has a row for each command, `parse.rs` says whether a message is one, `directives.rs` finds settings
//! inside other text. Handlers run on the state thread, with the scopes of the sender's connection (SEC-11), and
//! read no files: what needs files is handed back as `Reply::Work`. Nothing here sends anything to clients.
mod about;
mod context;
pub mod directives;
pub mod levels;
pub mod model;
mod parse;
pub mod queue;
mod session;
mod table;
mod usage;

pub use directives::{Directives, directives};
pub use parse::parse;
pub use table::COMMANDS;

use crate::error::{Error, Kind, Result};
use crate::ids;
use crate::protocol::frame::Scopes;
use crate::sessions::{Entry, patch};
use crate::state::State;
use serde_json::{Map, Value};

/// For whom and where a command runs.
#[derive(Debug, Clone)]
pub struct At {
    /// Canonical session key.
    pub key: String,
    /// Of the sender's connection.
    pub scopes: Scopes,
    /// The sender's id: a client's name, a channel's user.
    pub sender: String,
    /// Such as `webchat`.
    pub channel: String,
}

/// What becomes of a message that was a command.
pub enum Reply {
    Text(String),
    /// The text is made on another thread, because files are read for it.
    Work(Box<dyn FnOnce() -> Result<String> + Send>),
    /// The model answers this message instead; the session was reset already.
    Turn {
        message: String,
    },
    /// The conversation is to be replaced by a summary, made with these instructions.
    Compact {
        instructions: Option<String>,
    },
    /// The session's runs are to be stopped.
    Stop,
}

/// Who may give a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Read,
    Write,
    Admin,
}

/// What a command does.
#[derive(Clone, Copy)]
pub enum Act {
    Run(fn(&mut State, &At, &str) -> Result<Reply>),
    /// Says that it is not there, or switched off, and what to do instead.
    Say(&'static str),
}

/// One row of `COMMANDS`.
pub struct Command {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    /// What may follow the name; empty for a command that stands alone.
    pub args: &'static str,
    /// One line of help; empty for commands that help does not list.
    pub doc: &'static str,
    pub scope: Scope,
    pub act: Act,
    /// Whether it is also a directive: a setting for one message when that message has other text.
    pub is_directive: bool,
}

/// The commands of one message with what follows their names: usually one, several when the message is made of
/// directives only.
#[derive(Clone)]
pub struct Invocation {
    pub calls: Vec<(&'static Command, String)>,
}

/// Whether the sender may give all of these commands (SEC-11).
pub fn check(at: &At, invocation: &Invocation) -> Result<()> {
    invocation.calls.iter().try_for_each(|(command, _)| authorise(&at.scopes, command))
}

impl Invocation {
    /// The text that a model is to answer in the new conversation (`/new <text>`), if there is one.
    pub fn message(&self) -> Option<&str> {
        let [(command, args)] = self.calls.as_slice() else { return None };
        let text = args.trim();
        (matches!(command.name, "new" | "reset") && !text.is_empty()).then_some(text)
    }
}

/// Does what the message asks for. Nothing is done when a scope is missing for any part of it.
pub fn run(state: &mut State, at: &At, invocation: &Invocation) -> Result<Reply> {
    check(at, invocation)?;
    let mut replies = Vec::new();
    for (command, args) in &invocation.calls {
        replies.push(match command.act {
            Act::Run(handler) => handler(state, at, args)?,
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

fn authorise(scopes: &Scopes, command: &Command) -> Result<()> {
    let (needed, allowed) = match command.scope {
        Scope::Read => ("operator.read", scopes.can_read()),
        Scope::Write => ("operator.write", scopes.has("operator.write")),
        Scope::Admin => ("operator.admin", scopes.has("operator.admin")),
    };
    if allowed {
        return Ok(());
    }
    let error = Error::new(Kind::Forbidden, format!("missing scope: {needed} (for /{})", command.name));
    Err(error.with("missingScope", needed).with("requiredScopes", vec![needed]))
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
    state.health_stale = true;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// SEC-11: each command against each scope.
    #[test]
    fn sec_11_every_command_against_every_scope() {
        let read = ["commands", "context", "help", "models", "status", "whoami"];
        let write = [
            "activation",
            "compact",
            "model",
            "new",
            "queue",
            "reasoning",
            "reset",
            "skill",
            "stop",
            "subagents",
            "think",
            "tts",
            "usage",
            "verbose",
        ];
        for command in COMMANDS {
            let needed = match command.name {
                name if read.contains(&name) => "operator.read",
                name if write.contains(&name) => "operator.write",
                _ => "operator.admin",
            };
            for scope in [
                "operator.read",
                "operator.write",
                "operator.admin",
                "operator.approvals",
                "operator.pairing",
                "Operator.Admin",
                "",
            ] {
                let allowed = scope == needed
                    || scope == "operator.admin"
                    || (needed == "operator.read" && scope == "operator.write");
                let result = authorise(&Scopes::new(vec![scope.to_string()]), command);
                assert_eq!(result.is_ok(), allowed, "/{} with {scope:?}", command.name);
                if let Err(e) = result {
                    assert_eq!((e.kind, e.message().contains(needed)), (Kind::Forbidden, true), "{e}");
                }
            }
            assert!(authorise(&Scopes::default(), command).is_err(), "/{} without scopes", command.name);
        }
    }
}
