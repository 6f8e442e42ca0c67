//! What a deleted agent leaves: moved to `<state>/trash/<agent>-<time>`, never removed.
//!
//! A workspace goes there only when it is the agent's alone and lies where one may be made; anything else stays, and
//! that is told. Moving is renaming, so a workspace on another disk stays too.
use super::Agents;
use super::edit::Deleted;
use super::sharing;
use crate::clock;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use crate::session_key::normalise_agent_id;
use crate::sessions::sessions_dir;
use crate::workspace;
use std::path::Path;

/// `agents` is how things were before the deletion.
pub fn discard(env: &Env, agents: &Agents, id: &str, deleted: &mut Deleted) -> Result<()> {
    let time = clock::iso(clock::now_ms()).replace(':', "-");
    let trash = env.state_dir.join("trash").join(format!("{}-{time}", normalise_agent_id(id)));
    let own = env.state_dir.join("agents").join(normalise_agent_id(id));
    let mut wanted = vec![("sessions", sessions_dir(&env.state_dir, id))];
    match agents.agent_dir(id) {
        dir if dir == own.join("agent") => wanted.push(("agent", dir)),
        dir if exists(&dir) => {
            deleted.kept.push(format!("{}: agentDir is not in its usual place", dir.display()))
        }
        _ => {}
    }
    let dir = agents.workspace(id);
    match why_kept(env, agents, id, &dir) {
        None => wanted.push(("workspace", dir)),
        Some(why) if exists(&dir) => deleted.kept.push(format!("{}: {why}", dir.display())),
        Some(_) => {}
    }
    for (name, dir) in wanted.iter().filter(|(_, dir)| exists(dir)) {
        files::private_dir(&trash)?;
        deleted.trash = Some(trash.clone());
        if let Err(e) = std::fs::rename(dir, trash.join(name)) {
            deleted.kept.push(format!("{}: {e}", dir.display()));
        }
    }
    if exists(&own)
        && let Err(e) = std::fs::remove_dir(&own)
        && e.kind() != std::io::ErrorKind::DirectoryNotEmpty
    {
        return Err(Error::io(format_args!("remove empty directory {}", own.display()), e));
    }
    Ok(())
}

/// Why the workspace must stay, if it must.
fn why_kept(env: &Env, agents: &Agents, id: &str, dir: &Path) -> Option<String> {
    if workspace::allowed(env, &dir.to_string_lossy()).is_err() {
        return Some("it does not lie in a place of its own in the user's home".to_string());
    }
    if let Some(user) = sharing::user(env, agents, id, dir) {
        return Some(format!("{user} works there"));
    }
    let is_link = std::fs::symlink_metadata(dir).is_ok_and(|meta| meta.is_symlink());
    is_link.then(|| "it is a symbolic link".to_string())
}

fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}
