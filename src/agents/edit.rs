//! Making, changing and removing agents: the config's entry, the workspace, the agent's own directories.
//!
//! For the threads of connections, the store thread and the command line; whoever calls has a running gateway look at
//! the result. The config is edited in place under its lock, nothing else in it changes (R-02b). No file is removed:
//! what a deleted agent leaves goes to the trash.
use super::sharing;
use super::{Agents, trash};
use crate::agents::own;
use crate::config::Config;
use crate::config::edit::{Draft, change};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use crate::json::{Put, json};
use crate::models::provider::Provider;
use crate::session_key::id_of;
use crate::session_key::normalise_agent_id;
use crate::sessions::sessions_dir;
use crate::workspace;
use crate::workspace::beneath;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

const LIST: [&str; 2] = ["agents", "list"];
/// The agent that is there without being listed; it cannot be made or deleted.
const MAIN: &str = "main";
/// Longest text that an entry or IDENTITY.md takes, in bytes.
const MAX_TEXT: usize = 512;

/// An agent to be made. `workspace` stands as the caller wrote it.
#[derive(Debug, Default, Clone, Copy)]
pub struct New<'a> {
    pub name: &'a str,
    pub workspace: Option<&'a str>,
    pub agent_dir: Option<&'a str>,
    pub model: Option<&'a str>,
    pub emoji: Option<&'a str>,
    pub avatar: Option<&'a str>,
    /// Whether a person at the shell asks, who may choose any directory.
    pub is_at_shell: bool,
}

/// What was made.
#[derive(Debug)]
pub struct Created {
    pub id: String,
    pub workspace: PathBuf,
    pub agent_dir: PathBuf,
}

/// What of an agent is to change.
#[derive(Debug, Default, Clone, Copy)]
pub struct Update<'a> {
    pub name: Option<&'a str>,
    pub workspace: Option<&'a str>,
    pub model: Option<&'a str>,
    pub avatar: Option<&'a str>,
}

/// What deleting did.
#[derive(Debug, Default)]
pub struct Deleted {
    pub removed_bindings: usize,
    pub removed_allow: usize,
    /// Where the files are now; `None` when there were none to move.
    pub trash: Option<PathBuf>,
    /// What stayed where it is, and why.
    pub kept: Vec<String>,
}

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

/// Makes the workspace with its texts, the config's entry and the sessions directory, in this order.
pub fn create(env: &Env, config: &Config, new: &New) -> Result<Created> {
    let id = id_of_name(new.name)?;
    usable(config)?;
    let agents = Agents::of(config, env);
    let taken = || Error::invalid(format!("agent \"{id}\" already exists"));
    if agents.entry(&id).is_some() || id == agents.default_id() {
        return Err(taken());
    }
    for text in [Some(new.name), new.emoji, new.avatar].into_iter().flatten() {
        one_line(text)?;
    }
    check_model(env, config, new.model)?;
    let place = new.workspace.map_or_else(|| agents.workspace(&id), PathBuf::from);
    let may_lie = if new.is_at_shell { workspace::chosen } else { workspace::allowed };
    let workspace = may_lie(env, &place.to_string_lossy())?;
    alone(env, &agents, &id, &workspace)?;
    let agent_dir = match new.agent_dir {
        Some(text) => may_lie(env, text)?,
        None => env.state_dir.join("agents").join(&id).join("agent"),
    };
    prepare(env, config, &workspace)?;
    introduce(env, config, &workspace, new)?;
    let mut entry = json!({"id": id, "name": new.name.trim(), "workspace": workspace, "agentDir": agent_dir});
    if let (Some(map), Some(model)) = (entry.as_object_mut(), new.model) {
        map.put("model", model);
    }
    let default = agents.default_id();
    let is_first = config.get("agents.list").and_then(Value::as_array).is_none_or(Vec::is_empty);
    change(&env.config_path, |draft| {
        let listed = places(draft, &LIST, "id", &id)?;
        if !listed.is_empty() {
            return Err(taken());
        }
        // The agent that was there unlisted would be gone as soon as there is a list.
        if is_first && places(draft, &LIST, "id", &default)?.is_empty() {
            draft.append(&LIST, &json!({"id": default}))?;
        }
        draft.append(&LIST, &entry)
    })?;
    files::private_dir(&sessions_dir(&env.state_dir, &id))?;
    files::private_dir(&agent_dir)?;
    Ok(Created { id, workspace, agent_dir })
}

/// Changes members of an agent's entry. An agent that is there without being listed gets an entry.
pub fn update(env: &Env, config: &Config, id: &str, update: &Update) -> Result<()> {
    usable(config)?;
    let agents = Agents::of(config, env);
    check_model(env, config, update.model)?;
    let workspace = update.workspace.map(|text| workspace::allowed(env, text)).transpose()?;
    if !agents.ids().iter().any(|known| known == id) {
        return Err(not_found(id));
    }
    if let Some(dir) = &workspace {
        alone(env, &agents, id, dir)?;
        prepare(env, config, dir)?;
    }
    let mut members = Map::new();
    if let Some(name) = update.name {
        members.put("name", one_line(name)?);
    }
    if let Some(dir) = workspace {
        members.put("workspace", dir.to_string_lossy());
    }
    let own_model = agents.entry(id).and_then(|entry| entry.get("model"));
    if let Some(model) = update.model {
        // Fallbacks beside it stay.
        let model = match own_model.and_then(Value::as_object) {
            Some(old) => {
                let mut new = old.clone();
                new.put("primary", model.trim());
                Value::Object(new)
            }
            None => model.trim().into(),
        };
        members.put("model", model);
    }
    set_members(env, config, id, members)?;
    match update.avatar {
        Some(avatar) => {
            set_identity(env, config, id, &Map::from_iter([("avatar".into(), avatar.into())])).map(drop)
        }
        None => Ok(()),
    }
}

/// Sets members of an agent's `identity`: `name`, `theme`, `emoji`, `avatar`.
pub fn set_identity(env: &Env, config: &Config, id: &str, members: &Map<String, Value>) -> Result<bool> {
    usable(config)?;
    for text in members.values().filter_map(Value::as_str) {
        one_line(text)?;
    }
    if !Agents::of(config, env).ids().iter().any(|known| known == id) {
        return Err(not_found(id));
    }
    change(&env.config_path, |draft| {
        let place = entry_place(draft, config, env, id)?;
        for (name, value) in members {
            draft.set(&["agents", "list", &place, "identity", name], value.clone())?;
        }
        Ok(())
    })
    .map(|((), written)| written)
}

fn set_members(env: &Env, config: &Config, id: &str, members: Map<String, Value>) -> Result<()> {
    change(&env.config_path, |draft| {
        let place = entry_place(draft, config, env, id)?;
        for (name, value) in members {
            draft.set(&["agents", "list", &place, &name], value)?;
        }
        Ok(())
    })
    .map(drop)
}

/// Takes the agent out of the config, and its files to the trash when `delete_files`. No turn of it may be running.
pub fn delete(env: &Env, config: &Config, id: &str, delete_files: bool) -> Result<Deleted> {
    deletable(config, env, id)?;
    let agents = Agents::of(config, env);
    let (mut deleted, _) = change(&env.config_path, |draft| {
        let own = places(draft, &LIST, "id", id)?;
        if own.is_empty() {
            return Err(included(id));
        }
        remove_items(draft, &LIST, own)?;
        let bindings = places(draft, &["bindings"], "agentId", id)?;
        let allow = places(draft, &["tools", "agentToAgent", "allow"], "", id)?;
        let counts = (bindings.len(), allow.len());
        remove_items(draft, &["bindings"], bindings)?;
        remove_items(draft, &["tools", "agentToAgent", "allow"], allow)?;
        Ok(Deleted { removed_bindings: counts.0, removed_allow: counts.1, ..Deleted::default() })
    })?;
    if delete_files {
        trash::discard(env, &agents, id, &mut deleted)?;
    }
    Ok(deleted)
}

/// Whether `delete` would begin; pure.
pub fn deletable(config: &Config, env: &Env, id: &str) -> Result<()> {
    if id == MAIN {
        return Err(Error::invalid("\"main\" cannot be deleted"));
    }
    usable(config)?;
    match Agents::of(config, env).entry(id) {
        Some(_) => Ok(()),
        None => Err(not_found(id)),
    }
}

/// Workspace and texts, as far as they are missing.
fn prepare(env: &Env, config: &Config, dir: &Path) -> Result<()> {
    workspace::make(env, dir)?;
    if !config.bool("agents.defaults.skipBootstrap") {
        workspace::fill(dir)?;
    }
    Ok(())
}

/// Says in IDENTITY.md how the new agent is called, whatever else the file said, unless it says just that.
fn introduce(env: &Env, config: &Config, dir: &Path, new: &New) -> Result<()> {
    const NAME: &str = "IDENTITY.md";
    let told = super::read_identity(config, env, dir, NAME);
    let wanted = [("Name", Some(new.name)), ("Emoji", new.emoji), ("Avatar", new.avatar)];
    let lines: String = wanted
        .iter()
        .filter_map(|(title, text)| {
            let text = text.map(str::trim).filter(|text| !text.is_empty())?;
            let before = told.iter().find(|(name, _)| name.eq_ignore_ascii_case(title));
            (before.is_none_or(|(_, old)| old != text)).then(|| format!("- {title}: {text}\n"))
        })
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    const MAX: u64 = 1 << 20;
    // Without the template (`skipBootstrap`) the file begins here.
    let old = own::read(config, env, dir, Path::new(NAME), MAX)?.unwrap_or_default();
    let text = format!("{}\n{lines}", String::from_utf8_lossy(&old).trim_end());
    beneath::write(dir, Path::new(NAME), text.trim_start_matches('\n').as_bytes())
}

/// Where in the config's own text the agent's entry stands, made now if it has none.
fn entry_place(draft: &mut Draft, config: &Config, env: &Env, id: &str) -> Result<String> {
    if let Some(place) = places(draft, &LIST, "id", id)?.first() {
        return Ok(place.to_string());
    }
    let agents = Agents::of(config, env);
    if agents.entry(id).is_some() {
        return Err(included(id));
    }
    let default = agents.default_id();
    if id != default && config.get("agents.list").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        draft.append(&LIST, &json!({"id": default}))?;
    }
    draft.append(&LIST, &json!({"id": id}))?;
    let own = places(draft, &LIST, "id", id)?;
    own.first().map(usize::to_string).ok_or_else(|| not_found(id))
}

/// The places in a list of the items whose `member` (the item itself when that is empty) names the agent.
fn places(draft: &Draft, list: &[&str], member: &str, id: &str) -> Result<Vec<usize>> {
    let value = draft.value()?;
    let items = list.iter().try_fold(&value, |value, name| value.get(name)).and_then(Value::as_array);
    let names = |item: &Value| match member {
        "" => item.as_str().map(normalise_agent_id),
        "id" => id_of(item),
        member => item.get(member).and_then(Value::as_str).map(normalise_agent_id),
    };
    let found =
        items.into_iter().flatten().enumerate().filter(|(_, item)| names(item).as_deref() == Some(id));
    Ok(found.map(|(place, _)| place).collect())
}

fn remove_items(draft: &mut Draft, list: &[&str], places: Vec<usize>) -> Result<()> {
    // From the end, so that the places before stay right.
    places.into_iter().rev().try_for_each(|place| {
        let place = place.to_string();
        let path: Vec<&str> = list.iter().copied().chain([place.as_str()]).collect();
        draft.remove(&path)
    })
}

/// Refuses a workspace in which somebody else works: deleting one of the two would take the other's texts.
fn alone(env: &Env, agents: &Agents, id: &str, dir: &Path) -> Result<()> {
    match sharing::user(env, agents, id, dir) {
        None => Ok(()),
        Some(user) => Err(Error::invalid(format!(
            "workspace {} is that of {user}, or one lies in the other; name another directory (--workspace)",
            env.display(dir)
        ))),
    }
}

/// Refuses while the config's agents are not what the file says.
fn usable(config: &Config) -> Result<()> {
    match config.issues().iter().find(|issue| issue.path.is_empty() || issue.path.starts_with("agents")) {
        None => Ok(()),
        Some(issue) => Err(issue.blame(Error::config(format!(
            "the agents cannot be changed while the config has a mistake: {}; correct it first",
            issue.placed()
        )))),
    }
}

fn check_model(env: &Env, config: &Config, model: Option<&str>) -> Result<()> {
    match model {
        Some(model) => {
            Provider::resolve(config, env, model).map(drop).map_err(|e| Error::invalid(e.message()))
        }
        None => Ok(()),
    }
}

/// The text without blanks around it, if it is one line of moderate length.
fn one_line(text: &str) -> Result<&str> {
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

fn not_found(id: &str) -> Error {
    Error::not_found(format!("agent \"{id}\" not found"))
}

fn included(id: &str) -> Error {
    Error::invalid(format!("agent \"{id}\" stands in a file that the config includes; change it there"))
}
