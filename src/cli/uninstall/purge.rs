//! What of a profile may be removed from the disk, and what stays.
//!
//! Goes: the state directory, the configuration, workspaces in their default places. Stays: whatever belongs to another
//! profile, the program, the home, what a link leads to, and workspaces that somebody has put into a place of their own,
//! which may hold more than an agent's files.
use crate::agents::Agents;
use crate::config::{Config, ports};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::{files, gateway};
use std::path::{Path, PathBuf};

/// What is removed, each path with all that is below it, and what stays, with the reason.
#[derive(Default)]
pub struct Plan {
    pub goes: Vec<PathBuf>,
    pub stays: Vec<(PathBuf, String)>,
}

/// What must not go.
#[derive(Clone)]
struct Kept {
    /// Its real path.
    path: PathBuf,
    why: String,
    /// Workspaces of other profiles may lie in it.
    is_state: bool,
}

impl Plan {
    /// Without `purges` everything stays.
    pub fn of(env: &Env, config: &Config, purges: bool) -> Plan {
        let mut plan = Plan::default();
        let (usual, chosen): (Vec<PathBuf>, Vec<PathBuf>) =
            Agents::of(config, env).workspaces().into_iter().partition(|dir| is_usual(env, dir));
        let kept = kept(env, &usual);
        let state = [&env.state_dir, &env.config_path].map(|path| (path, kept.clone()));
        let usual = usual.iter().map(|dir| {
            let holds = |kept: &Kept| kept.is_state && dir.starts_with(&kept.path);
            (dir, kept.iter().filter(|kept| !holds(kept)).cloned().collect())
        });
        for (path, kept) in state.into_iter().chain(usual) {
            match purges {
                true => plan.top(env, path, &kept),
                false => plan.stay(path, "removed by --purge"),
            }
        }
        for dir in chosen.into_iter().chain(config.files()) {
            if !plan.is_covered(&dir) {
                plan.stay(&dir, "in a place of your own");
            }
        }
        if let Ok(program) = std::env::current_exe() {
            plan.stay(&program, "the program");
        }
        plan
    }

    /// A directory or file as it was named: not through a link, and nothing that holds more than a profile.
    fn top(&mut self, env: &Env, path: &Path, kept: &[Kept]) {
        let is_state = path == env.state_dir;
        // What lies in the state directory goes or stays with it.
        if std::fs::symlink_metadata(path).is_err() || !is_state && path.starts_with(&env.state_dir) {
            return;
        }
        let own = path.ancestors().take_while(|part| *part == path || part.starts_with(&env.home));
        let is_linked = own.filter(|part| *part != env.home).any(Path::is_symlink);
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let is_known = || name.starts_with(b".openclaw") || path.join("gateway/gateway.lock").exists();
        let why = match () {
            () if is_linked => "a link; what it leads to may be somebody else's",
            () if files::real(&env.home).starts_with(files::real(path)) => "your home directory is in it",
            () if is_state && !is_known() => "no gateway has run in it",
            () => return self.part(path, kept),
        };
        self.stay(path, why);
    }

    /// All of it, or the parts that nobody else has.
    fn part(&mut self, path: &Path, kept: &[Kept]) {
        let real = files::real(path);
        if let Some(kept) = kept.iter().find(|kept| real.starts_with(&kept.path)) {
            return self.stay(path, &kept.why);
        }
        if !kept.iter().any(|kept| kept.path.starts_with(&real)) {
            // Agents may share a workspace, and one may lie in another's.
            if !self.is_covered(path) {
                self.goes.push(path.to_path_buf());
            }
            return;
        }
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        let mut entries: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        crate::order::sort(&mut entries);
        for entry in entries {
            match entry.is_symlink() {
                true => self.goes.push(entry),
                false => self.part(&entry, kept),
            }
        }
    }

    fn stay(&mut self, path: &Path, why: &str) {
        if path.exists() && !self.stays.iter().any(|(known, _)| path.starts_with(known)) {
            self.stays.push((path.to_path_buf(), why.to_string()));
        }
    }

    fn is_covered(&self, path: &Path) -> bool {
        self.goes.iter().any(|gone| path.starts_with(gone))
    }

    /// Removes it. The lock keeps a gateway from starting upon half a state directory.
    pub fn carry_out(&self, env: &Env) -> Result<()> {
        if self.goes.is_empty() {
            return Ok(());
        }
        let _lock = if env.state_dir.is_dir() { Some(gateway::lock_state(env)?) } else { None };
        let mut failed = None;
        for path in &self.goes {
            let is_dir = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
            let removed = if is_dir { files::remove_tree(path) } else { std::fs::remove_file(path) };
            match removed {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    let told = Error::io(format_args!("remove {}", env.display(path)), e);
                    failed.get_or_insert(told.ending("; everything else is removed"));
                }
                _ => {}
            }
        }
        // Where something stays in it, it stays as well.
        let _ = std::fs::remove_dir(&env.state_dir);
        failed.map_or(Ok(()), Err)
    }
}

/// Whether a workspace lies where one is made when nobody says where.
fn is_usual(env: &Env, dir: &Path) -> bool {
    let usual = env.default_workspace();
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_named = name(dir) == name(&usual) || name(dir).starts_with(&format!("{}-", name(&usual)));
    dir.starts_with(&env.state_dir) || (dir.parent() == usual.parent() && is_named)
}

/// What another profile has, workspaces of profiles that are not known, and the program.
fn kept(env: &Env, own: &[PathBuf]) -> Vec<Kept> {
    let keep = |path: &Path, why: &str, is_state| Kept { path: files::real(path), why: why.into(), is_state };
    let mut kept: Vec<Kept> =
        std::env::current_exe().iter().map(|program| keep(program, "the program", false)).collect();
    for (name, mut other) in ports::homes(env) {
        let why = format!("of profile {name}");
        let config = Config::inspect(&mut other);
        kept.push(keep(&other.state_dir, &why, true));
        kept.push(keep(&other.config_path, &why, false));
        kept.extend(Agents::of(&config, &other).workspaces().iter().map(|dir| keep(dir, &why, false)));
    }
    for entry in std::fs::read_dir(&env.state_dir).into_iter().flatten().flatten() {
        let is_workspace = entry.file_name().as_encoded_bytes().starts_with(b"workspace-");
        if is_workspace && !own.contains(&entry.path()) {
            kept.push(keep(&entry.path(), "no workspace of this profile", false));
        }
    }
    kept
}
