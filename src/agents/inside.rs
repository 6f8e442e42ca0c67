//! Paths in an agent's workspace that a model names: below it, and never the gateway's own files.
//!
//! For the threads of tools and channels. `beneath` keeps names inside; here the gateway's state is kept out for
//! workspaces that contain it (a home directory) or lie within it (SEC-42: no agent reads or writes config, pairing or
//! credentials).
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::workspace::{beneath, reserved};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The way from `workspace` to the file that `path` names.
pub fn relative(config: &Config, env: &Env, workspace: &Path, path: &str) -> Result<PathBuf> {
    let path = path.trim().trim_start_matches('@');
    // A workspace that is itself a link may be named by either end.
    let real = crate::files::real(workspace);
    let relative =
        beneath::relative(workspace, path).or_else(|e| beneath::relative(&real, path).map_err(|_| e))?;
    let target = real.join(&relative);
    let is_config = [&env.config_path, config.path()].iter().any(|config| is_same(&target, config));
    if is_config || is_state(&target, &real, &env.state_dir) {
        return Err(Error::invalid(format!(
            "{} belongs to the gateway, not to the workspace: use the tools meant for it, or ask the owner",
            relative.display()
        )));
    }
    Ok(relative)
}

/// Whether `target`, a path in `workspace`, is one of the gateway's own. Directories are compared as the system knows
/// them, for a name can be spelt in several ways where case does not count.
fn is_state(target: &Path, workspace: &Path, state: &Path) -> bool {
    let Some(top) = target.ancestors().find(|above| is_same(above, state)) else { return false };
    let rest = target.strip_prefix(top).unwrap_or(Path::new(""));
    let first = rest.iter().next().unwrap_or_default();
    let is_reserved = reserved()
        .any(|name| first.eq_ignore_ascii_case(name) || is_same(&top.join(first), &state.join(name)));
    let is_within = workspace != top && workspace.starts_with(top);
    let is_workspace = first.as_encoded_bytes().starts_with(b"workspace") && rest.iter().nth(1).is_some();
    is_reserved || !(is_workspace || is_within)
}

/// Whether two paths lead to the same place; of what does not exist yet, whether it would be the same entry of the
/// same directory.
fn is_same(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let names = || one.file_name().zip(other.file_name()).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b));
    let parents = || one.parent().and_then(id).is_some_and(|dir| other.parent().and_then(id) == Some(dir));
    one == other || id(one).is_some_and(|found| id(other) == Some(found)) || (names() && parents())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    /// Rows of a workspace, a target in it, and whether that belongs to the gateway.
    fn check(dir: &Dir, state: &Path, rows: &[(&str, &str, bool)]) {
        for (workspace, target, is_own) in rows {
            let workspace = dir.path(workspace);
            assert_eq!(
                is_state(&workspace.join(target), &workspace, state),
                *is_own,
                "{workspace:?} {target}"
            );
        }
    }

    #[test]
    fn sec_42_the_gateways_own_files_are_out_of_reach() {
        let dir = Dir::new();
        let state = dir.path("h/.openclaw");
        std::fs::create_dir_all(state.join("agents/main")).unwrap();
        let rows = [
            ("h/.openclaw/workspace", "AGENTS.md", false),
            ("h/.openclaw/mine", "notes/a.md", false),
            ("h/.openclaw/agents/main", "sessions/sessions.json", true),
            ("h/.openclaw", "openclaw.json", true),
            ("h/.openclaw", ".env", true),
            ("h/.openclaw", "workspace/a.md", false),
            ("h", ".openclaw/openclaw.json", true),
            ("h", ".openclaw/devices/paired.json", true),
            ("h", ".openclaw/workspace-b/a.md", false),
            ("h", "notes.md", false),
            ("srv/w", "a.md", false),
        ];
        check(&dir, &state, &rows);
    }

    /// Where case does not count a directory has several names; a link is another way to have them.
    #[test]
    fn sec_42_other_names_of_the_same_directory_do_not_help() {
        use std::os::unix::fs::symlink;
        let dir = Dir::new();
        let state = dir.path("h/.openclaw");
        std::fs::create_dir_all(state.join("devices")).unwrap();
        symlink(&state, dir.path("h/.OpenClaw")).unwrap();
        symlink(state.join("devices"), state.join("Dev")).unwrap();
        let rows = [
            ("h", ".OpenClaw/openclaw.json", true),
            ("h", ".OpenClaw/devices/paired.json", true),
            ("h", ".OpenClaw/workspace/a.md", false),
            ("h/.openclaw/Dev", "paired.json", true),
            ("h/.OpenClaw/Devices", "paired.json", true),
            ("h/.openclaw/CREDENTIALS", "a.json", true),
        ];
        check(&dir, &state, &rows);
    }
}
