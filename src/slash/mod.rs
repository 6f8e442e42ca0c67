//! Slash commands as words: which there are, whether a message is one, and what it asks for inside other text.
//!
//! `table.rs` has a row for each command, `parse.rs` says whether a message is one, `directives.rs` finds settings
//! inside other text; `names`, `levels` and `queue` know the words that may follow. Pure: text and configuration in,
//! an invocation out. What a command does is done by the room `commands`.
pub mod directives;
pub mod exec;
pub mod levels;
pub mod names;
mod parse;
pub mod queue;
mod table;

pub use directives::{Directives, directives};
pub use parse::parse;
pub use table::{COMMANDS, find};

use crate::error::{Error, Kind, Result};
use crate::protocol::frame::Scopes;

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
        /// Its sender wrote it.
        is_own: bool,
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
    Approvals,
    Admin,
}

/// What the gateway does for a command; how is decided in the room `commands`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Activation,
    Approve,
    Commands,
    Compact,
    Context,
    Elevated,
    Exec,
    Help,
    Model,
    Models,
    New,
    Queue,
    Reasoning,
    Send,
    Status,
    Stop,
    Subagents,
    Think,
    Usage,
    Verbose,
    Whoami,
}

/// What a command does.
#[derive(Clone, Copy)]
pub enum Act {
    Run(Deed),
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

/// Whole messages that stop a run instead of starting one.
const STOP_WORDS: [&str; 7] = ["/stop", "stop", "esc", "abort", "wait", "exit", "interrupt"];

/// Whether the whole message stops what goes on, whatever the configuration says.
pub fn is_stop(text: &str) -> bool {
    STOP_WORDS.contains(&text.to_lowercase().as_str())
}

/// Whether the sender may give all of these commands (SEC-11).
pub fn check(at: &At, invocation: &Invocation) -> Result<()> {
    invocation.calls.iter().try_for_each(|(command, _)| authorise(&at.scopes, command))
}

/// The same for a directive of this name.
pub fn check_one(at: &At, name: &str) -> Result<()> {
    table::find(name).map_or(Ok(()), |command| authorise(&at.scopes, command))
}

impl Invocation {
    /// The text that a model is to answer in the new conversation (`/new <text>`), if there is one.
    pub fn message(&self) -> Option<&str> {
        let [(command, args)] = self.calls.as_slice() else { return None };
        let text = args.trim();
        (matches!(command.name, "new" | "reset") && !text.is_empty()).then_some(text)
    }
}

fn authorise(scopes: &Scopes, command: &Command) -> Result<()> {
    let (needed, allowed) = match command.scope {
        Scope::Read => ("operator.read", scopes.can_read()),
        Scope::Write => ("operator.write", scopes.has("operator.write")),
        Scope::Approvals => ("operator.approvals", scopes.has("operator.approvals")),
        Scope::Admin => ("operator.admin", scopes.has("operator.admin")),
    };
    if allowed {
        return Ok(());
    }
    let error = Error::new(Kind::Forbidden, format!("missing scope: {needed} (for /{})", command.name));
    Err(error.with("missingScope", needed).with("requiredScopes", vec![needed]))
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
                "approve" => "operator.approvals",
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
