//! Services of earlier names: those of this product are taken away, those of its predecessors set aside on request.
//!
//! Runs on the command line's thread.
use super::act::{attempt, run};
use super::{Action, Manager, Other, Place, launchd, put};
use crate::env::Env;
use crate::error::{Error, Result};

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
    let manager = if other.is_agent() { Manager::Launchd } else { Manager::SystemdUser };
    let place = Place { manager, name: other.name.clone(), path: other.path.clone() };
    for step in place.steps(Action::Disable, true) {
        // An agent that is not loaded cannot be unloaded.
        if other.is_agent() { run(env, &step)? } else { attempt(env, &step)? }
    }
    std::fs::rename(&other.path, put::backup(&other.path))
        .map_err(|e| Error::io(format_args!("set {} aside", env.display(&other.path)), e))?;
    // The file is gone; what is missed here the manager finds out by itself.
    place.steps(Action::Forget, false).iter().for_each(|step| drop(run(env, step)));
    Ok(())
}
