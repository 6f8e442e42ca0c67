//! Making, changing and removing agents: the config's entry, the workspace, the agent's own directories.
//!
//! For the threads of connections, the store thread and the command line; whoever calls has a running gateway look at
//! the result. The config is edited in place under its lock, nothing else in it changes (R-02b). No file is removed:
//! what a deleted agent leaves goes to the trash.
use super::entry::{LIST, entry_place, included, places, remove_items};
pub use super::fit::id_of_name;
use super::fit::{MAIN, alone, check_model, not_found, one_line, usable};
use super::{Agents, trash};
use crate::agents::own;
use crate::config::Config;
use crate::config::edit::change;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use crate::json::{Put, json};
use crate::sessions::sessions_dir;
use crate::workspace;
use crate::workspace::beneath;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

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
    workspace::check_unused(env, &workspace)?;
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
