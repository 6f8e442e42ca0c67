//! Paths that `read`, `write` and `edit` take: below the agent's workspace, and never the gateway's own files.
//!
//! Runs on a tool's thread. `beneath` keeps names inside; here the gateway's state is kept out for workspaces that
//! contain it (a home directory) or lie within it (SEC-42: no agent writes config, pairing or credentials).
use super::Context;
use crate::beneath;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Directories of the state directory that are no workspaces, even when one was put above or into them.
const RESERVED: &[&str] = &[
    "agents",
    "credentials",
    "cron",
    "device-auth",
    "devices",
    "hooks",
    "identity",
    "logs",
    "nodes",
    "pairing",
    "plugins",
    "extensions",
    "settings",
    "telegram",
];

/// The way from the workspace to the file that `path` names.
pub fn relative(context: &Context, path: &str) -> Result<PathBuf> {
    let env = &context.shared.env;
    let path = path.trim().trim_start_matches('@');
    // A workspace that is itself a link may be named by either end.
    let real = std::fs::canonicalize(&context.workspace).unwrap_or_else(|_| context.workspace.clone());
    let relative = beneath::relative(&context.workspace, path)
        .or_else(|e| beneath::relative(&real, path).map_err(|_| e))?;
    let target = real.join(&relative);
    let canonical = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let is_config = [&env.config_path, &context.config.path().to_path_buf()]
        .iter()
        .any(|config| target == canonical(config) || target == **config);
    if is_config || is_state(&target, &real, &canonical(&env.state_dir)) {
        return Err(Error::invalid(format!(
            "{} belongs to the gateway, not to the workspace: use the tools meant for it, or ask the owner",
            relative.display()
        )));
    }
    Ok(relative)
}

/// Whether `target`, a path in `workspace`, is one of the gateway's own.
fn is_state(target: &Path, workspace: &Path, state: &Path) -> bool {
    let Ok(rest) = target.strip_prefix(state) else { return false };
    let first =
        rest.components().next().map(|c| c.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
    let is_within = workspace != state && workspace.starts_with(state);
    let is_workspace = first.starts_with("workspace") && rest.components().nth(1).is_some();
    !(is_workspace || (is_within && !RESERVED.contains(&first.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::context;

    #[test]
    fn sec_42_the_gateways_own_files_are_out_of_reach() {
        let state = Path::new("/h/.openclaw");
        for (workspace, target, is_own) in [
            ("/h/.openclaw/workspace", "AGENTS.md", false),
            ("/h/.openclaw/mine", "notes/a.md", false),
            ("/h/.openclaw/agents/main", "sessions/sessions.json", true),
            ("/h/.openclaw", "openclaw.json", true),
            ("/h/.openclaw", ".env", true),
            ("/h/.openclaw", "workspace/a.md", false),
            ("/h", ".openclaw/openclaw.json", true),
            ("/h", ".openclaw/devices/paired.json", true),
            ("/h", ".openclaw/workspace-b/a.md", false),
            ("/h", "notes.md", false),
            ("/srv/w", "a.md", false),
        ] {
            let workspace = Path::new(workspace);
            assert_eq!(is_state(&workspace.join(target), workspace, state), is_own, "{workspace:?} {target}");
        }
        let (mut context, dir) = context("{}");
        context.workspace = dir.path("");
        for path in ["openclaw.json", "agents/main/x", "identity/device.json"] {
            assert!(relative(&context, path).is_err(), "{path}");
        }
    }

    #[test]
    fn sec_13_names_inside_the_workspace_pass() {
        let (context, dir) = context("{}");
        let inside = dir.path("ws/a.md").display().to_string();
        for (path, passes) in [
            ("a.md", true),
            ("@a.md", true),
            (inside.as_str(), true),
            ("../openclaw.json", false),
            ("~/a", false),
            ("/etc/x", false),
        ] {
            assert_eq!(relative(&context, path).is_ok(), passes, "{path}");
        }
    }
}
