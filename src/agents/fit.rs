//! What of an agent cannot be, told before anything is changed: names, texts, models, workspaces. For `edit`; pure.
use super::{Agents, sharing};
use crate::config::{Config, Issue};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::models::provider::Provider;
use crate::session_key::normalise_agent_id;
use std::path::Path;

/// The agent that is there without being listed; it cannot be made or deleted.
pub const MAIN: &str = "main";
/// Longest text that an entry or IDENTITY.md takes, in bytes.
const MAX_TEXT: usize = 512;

/// The id that a name gives: as everywhere, but a name without any usable character is refused.
pub fn id_of_name(name: &str) -> Result<String> {
    let usable = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.chars().any(usable) {
        return Err(Error::invalid("the name gives no agent id: use at least one letter a-z or digit"));
    }
    match normalise_agent_id(name) {
        id if id == MAIN => Err(Error::invalid("\"main\" is reserved")),
        id => Ok(id),
    }
}

/// Refuses a workspace in which somebody else works: deleting one of the two would take the other's texts.
pub fn alone(env: &Env, agents: &Agents, id: &str, dir: &Path) -> Result<()> {
    match sharing::user(env, agents, id, dir) {
        None => Ok(()),
        Some(user) => Err(Error::invalid(format!(
            "workspace {} is that of {user}, or one lies in the other; name another directory (--workspace)",
            env.display(dir)
        ))),
    }
}

/// A mistake by which the config's agents are not those that the file names; one in a setting of theirs is none.
pub fn mistake(config: &Config) -> Option<&Issue> {
    config.issues().iter().find(|issue| {
        let of_list = issue.path.strip_prefix("agents.list");
        // The list, an entry, or what an entry is found by.
        let names =
            |rest: &str| rest.matches('.').count() < 2 || rest.ends_with(".id") || rest.ends_with(".default");
        issue.path.is_empty() || issue.path == "agents" || of_list.is_some_and(names)
    })
}

/// Refuses while the config's agents are not what the file says.
pub fn usable(config: &Config) -> Result<()> {
    match mistake(config) {
        None => Ok(()),
        Some(issue) => Err(issue.blame(Error::config(format!(
            "the agents cannot be changed while the config has a mistake: {}; correct it first",
            issue.placed()
        )))),
    }
}

pub fn check_model(env: &Env, config: &Config, model: Option<&str>) -> Result<()> {
    match model {
        Some(model) => {
            Provider::resolve(config, env, model).map(drop).map_err(|e| Error::invalid(e.message()))
        }
        None => Ok(()),
    }
}

/// The text without blanks around it, if it is one line of moderate length.
pub fn one_line(text: &str) -> Result<&str> {
    let text = text.trim();
    // Pictures may be data URIs, which are long.
    let is_short = text.len() <= MAX_TEXT || text.starts_with("data:");
    match is_short && !text.chars().any(char::is_control) {
        true => Ok(text),
        false => Err(Error::invalid(format!(
            "name, emoji and avatar must each be one line of at most {MAX_TEXT} bytes"
        ))),
    }
}

pub fn not_found(id: &str) -> Error {
    Error::not_found(format!("agent \"{id}\" not found"))
}
