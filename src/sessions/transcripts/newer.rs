//! Sessions of newer releases of the Node program, which keeps them in databases: not read here, and said so. Looks
//! at names only; for the start and for commands.
use crate::session_key::normalise_agent_id;
use std::path::{Path, PathBuf};

/// The databases of a newer release in a state directory with these agents.
pub fn databases(state_dir: &Path, agents: &[String]) -> Vec<PathBuf> {
    let of_agent = |id: &String| {
        state_dir.join("agents").join(normalise_agent_id(id)).join("agent").join("openclaw-agent.sqlite")
    };
    let places =
        std::iter::once(state_dir.join("state").join("openclaw.sqlite")).chain(agents.iter().map(of_agent));
    places.filter(|path| path.is_file()).collect()
}

/// One sentence about them, if there are any.
pub fn told(state_dir: &Path, agents: &[String]) -> Option<String> {
    let found = databases(state_dir, agents);
    let more = match found.len() {
        0 | 1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let path = found.last()?.display();
    Some(format!(
        "a newer OpenClaw release kept its sessions in {path}{more}, which this gateway does not read: conversations held there are not shown and do not go on here"
    ))
}
