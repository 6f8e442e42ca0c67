//! Services of earlier names: those of this product are taken away, those of its predecessors set aside on request.
//!
//! Runs on the command line's thread.
use super::act::{attempt, run};
use super::{Action, Manager, Other, Place, launchd, put};
use crate::env::Env;
use crate::error::{Error, Result};
use std::path::Path;

/// Agents of an earlier release under the same profile.
pub(super) fn clean_legacy(env: &Env) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for label in launchd::legacy_labels(env) {
        let path = env.home.join(format!("Library/LaunchAgents/{label}.plist"));
        if path.exists() {
            // Not loaded is as good as unloaded.
            let _ = run(env, &launchd::bootout(&label));
            put::discard(env, &path)?;
            lines.push(format!("Removed legacy LaunchAgent: {}", path.display()));
        }
    }
    Ok(lines)
}

/// Stops a user's service and takes it out of its manager; its file stays beside as `.bak`. With a manager that
/// does not answer nothing is done.
pub fn retire(env: &Env, other: &Other) -> Result<()> {
    retire_to(env, other, &put::backup(&other.path))
}

/// The same, with its file kept as `aside`.
pub fn retire_to(env: &Env, other: &Other, aside: &Path) -> Result<()> {
    let place = of_user(other);
    for step in place.steps(Action::Disable, true) {
        // An agent that is not loaded cannot be unloaded.
        if other.is_agent() { run(env, &step)? } else { attempt(env, &step)? }
    }
    std::fs::rename(&other.path, aside)
        .map_err(|e| Error::io(format_args!("set {} aside", env.display(&other.path)), e))?;
    // The file is gone; what is missed here the manager finds out by itself.
    place.steps(Action::Forget, false).iter().for_each(|step| drop(run(env, step)));
    Ok(())
}

/// Undoes it: the file is in its place again, and the service runs.
pub fn bring_back(env: &Env, other: &Other, aside: &Path) -> Result<()> {
    std::fs::rename(aside, &other.path)
        .map_err(|e| Error::io(format_args!("put {} back", env.display(&other.path)), e))?;
    of_user(other).steps(Action::Enable, false).iter().try_for_each(|step| run(env, step))
}

fn of_user(other: &Other) -> Place {
    let manager = if other.is_agent() { Manager::Launchd } else { Manager::SystemdUser };
    Place { role: super::Role::Gateway, manager, name: other.name.clone(), path: other.path.clone() }
}
