//! `agents.create`, `agents.update`, `agents.delete`. What they change is in force when they answer.
//!
//! Creating and updating run on the connection's thread. Deleting starts on the state thread, which alone knows
//! whether turns are running and keeps new ones out; the files are moved by the store thread, after the last save of
//! the agent's sessions and whether or not the client stays.
use crate::agents::Agents;
use crate::agents::edit::{self, New, Update};
use crate::calls::{Call, Caller};
use crate::error::{Error, Result};
use crate::json::json;
use crate::params::{params, read};
use crate::protocol::frame::Payload;
use crate::session_key::normalise_agent_id;
use crate::state::State;
use crate::state::event::Answer;
use crate::state::sessions::roster;
use crate::state::shared::Shared;
use crate::workspace::allowed_from_afar;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

params! {
    struct Create {
        name: String,
        workspace: String,
        emoji: Option<String>,
        avatar: Option<String>,
    }
}

pub fn create(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let Create { name, workspace, emoji, avatar } = read(params)?;
    let config = shared.settled_config()?;
    let named = Agents::of(&config, &shared.env).workspaces();
    let workspace = allowed_from_afar(&shared.env, &named, &workspace)?.display().to_string();
    let new = New {
        name: &name,
        workspace: Some(&workspace),
        emoji: emoji.as_deref(),
        avatar: avatar.as_deref(),
        ..New::default()
    };
    let created = edit::create(&shared.env, &config, &new)?;
    take_effect(shared, &created.id)?;
    let workspace = created.workspace;
    Ok(json!({"ok": true, "agentId": created.id, "name": name.trim(), "workspace": workspace}).into())
}

params! {
    struct Change {
        agent_id: String,
        name: Option<String>,
        workspace: Option<String>,
        model: Option<String>,
        avatar: Option<String>,
    }
}

pub fn update(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let change: Change = read(params)?;
    let id = normalise_agent_id(&change.agent_id);
    let config = shared.settled_config()?;
    let agents = Agents::of(&config, &shared.env);
    let is_other = |text: &&String| shared.env.expand(text.trim()) != agents.workspace(&id);
    if let Some(text) = change.workspace.as_ref().filter(is_other) {
        allowed_from_afar(&shared.env, &agents.workspaces(), text)?;
    }
    let update = Update {
        name: change.name.as_deref(),
        workspace: change.workspace.as_deref(),
        model: change.model.as_deref(),
        avatar: change.avatar.as_deref(),
    };
    edit::update(&shared.env, &config, &id, &update)?;
    take_effect(shared, &id)?;
    Ok(json!({"ok": true, "agentId": id}).into())
}

params! {
    struct Delete {
        agent_id: String,
        delete_files: Option<bool>,
    }
}

pub fn delete(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let Delete { agent_id, delete_files } = read(params)?;
    let id = normalise_agent_id(&agent_id);
    edit::deletable(&state.shared.config(), &state.shared.env, &id)?;
    if state.sessions.index(&id).is_none() {
        let unknown = || Error::not_found(format!("agent \"{id}\" not found"));
        return Err(state.sessions.lost(&id).unwrap_or_else(unknown));
    }
    match state.runs.of_agent(&id) {
        0 => {}
        runs => {
            let text = format!(
                "agent \"{id}\" cannot be deleted while {runs} of its turns are running or waiting; abort them or wait for their end"
            );
            return Err(Error::unavailable(text).retry_in(Duration::from_secs(1)));
        }
    }
    let (shared, name) = (state.shared.clone(), id.clone());
    let work = Box::new(move || remove(&shared, &name, delete_files.unwrap_or(true)));
    state.sessions.leave(&id, call, work, state.mono);
    Ok(Answer::Later)
}

/// The deletion itself, on the store thread.
fn remove(shared: &Arc<Shared>, id: &str, delete_files: bool) -> Result<Payload> {
    let deleted =
        shared.settled_config().and_then(|config| edit::delete(&shared.env, &config, id, delete_files));
    if deleted.is_ok() {
        shared.set_config(shared.file_config());
    }
    // Also after a failure, which leaves the agent in its place.
    roster::announce(shared)?;
    let deleted = deleted?;
    for kept in &deleted.kept {
        log::warn!(target: "gateway/agents", "agent {id} was deleted, its files stay: {kept}");
    }
    Ok(json!({
        "ok": true, "agentId": id, "removedBindings": deleted.removed_bindings,
        "removedAllow": deleted.removed_allow, "trash": deleted.trash, "kept": deleted.kept,
    })
    .into())
}

/// Has the gateway see the agent as the file describes it now.
fn take_effect(shared: &Shared, id: &str) -> Result<()> {
    // Whatever the reload mode: who called asked for it.
    shared.set_config(shared.file_config());
    let ids = roster::announce(shared)?;
    let config = shared.config();
    match ids.iter().any(|known| known == id) {
        true => Ok(()),
        false => Err(Error::config(format!(
            "agent \"{id}\" was written to {} and is not in force: look for a mistake below agents",
            config.path().display()
        ))),
    }
}
