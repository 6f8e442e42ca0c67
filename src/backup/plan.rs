//! What goes into a backup: the places to keep, the files below them, and what is left out and why.
//!
//! Runs on the command line's thread and only looks. Links, locks, interrupted writes, logs and the trash stay out;
//! so does everything whose name is not UTF-8.
use super::tar::MAX_FILE;
use crate::agents::Agents;
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files::real;
use crate::json::json;
use crate::upkeep::edits;
use serde::Serialize;
use serde_json::Value;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// More files than this are a mistake in what is kept.
const MAX_ITEMS: usize = 1_000_000;
/// What of the state directory is not worth keeping, or is true of this machine only.
const NOT_KEPT: [&str; 3] = ["logs", "trash", "gateway/log-dir"];

#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub only_config: bool,
    pub workspaces: bool,
}

impl Options {
    /// As a manifest tells them.
    pub fn to_json(self) -> Value {
        json!({"includeWorkspace": self.workspaces, "onlyConfig": self.only_config})
    }
}

/// A place that is kept as a whole.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Root {
    /// Its name in the archive.
    pub name: String,
    pub source_path: PathBuf,
}

/// A file or directory to keep.
#[derive(Debug)]
pub struct Item {
    /// Its path in the archive.
    pub path: String,
    pub from: PathBuf,
    pub is_dir: bool,
    pub mode: u32,
    /// Whether the gateway appends lines to it, so that its end may be half a line.
    pub has_lines: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct Skipped {
    pub path: PathBuf,
    pub reason: &'static str,
}

#[derive(Debug, Default)]
pub struct Plan {
    pub roots: Vec<Root>,
    pub items: Vec<Item>,
    pub skipped: Vec<Skipped>,
    /// Directories that are left out.
    except: Vec<PathBuf>,
    workspaces: Vec<PathBuf>,
}

impl Plan {
    pub fn make(env: &Env, config: &Config, options: Options) -> Result<Plan> {
        let mut plan = Plan::default();
        let state = real(&env.state_dir);
        let file = real(&env.config_path);
        if options.only_config || !file.starts_with(&state) {
            plan.config(&file, config)?;
        }
        if options.only_config {
            plan.included(&file, config)?;
            return if plan.items.is_empty() { Err(nothing(env)) } else { Ok(plan) };
        }
        if options.workspaces && !config.is_valid() {
            return Err(Error::config(format!(
                "the workspaces are unknown because config {} is invalid; correct it (openclaw doctor) or pass --no-include-workspace",
                env.display(&env.config_path)
            )));
        }
        let agents = Agents::of(config, env);
        let ids = agents.ids();
        plan.workspaces = ids.iter().map(|id| real(&agents.workspace(id))).collect();
        plan.except = NOT_KEPT.iter().map(|name| state.join(name)).collect();
        if !options.workspaces {
            plan.except.extend(plan.workspaces.clone());
        }
        plan.root("state", &state)?;
        for id in &ids {
            plan.outside(&format!("agent/{id}"), &real(&agents.agent_dir(id)))?;
            if options.workspaces {
                plan.outside(&format!("workspace/{id}"), &real(&agents.workspace(id)))?;
            }
            plan.sessions(&format!("sessions/{id}"), &real(&agents.session_store(id)))?;
        }
        plan.included(&file, config)?;
        if plan.items.is_empty() { Err(nothing(env)) } else { Ok(plan) }
    }

    /// The config file and what it includes from below its directory.
    fn config(&mut self, file: &Path, config: &Config) -> Result<()> {
        let dir = file.parent().unwrap_or(Path::new("/"));
        let included = config.files().into_iter().map(|path| real(&path)).filter(|path| path != file);
        let files = std::iter::once(file.to_path_buf()).chain(included);
        self.picked("config", file, files.filter(|path| path.starts_with(dir)).collect())
    }

    /// What the config includes from places that no other root holds, a root for each directory.
    fn included(&mut self, file: &Path, config: &Config) -> Result<()> {
        let files = config.files().into_iter().map(|path| real(&path));
        let mut waiting: Vec<PathBuf> = files.filter(|path| path != file && !self.keeps(path)).collect();
        for number in 0.. {
            let Some(dir) = waiting.first().and_then(|path| path.parent()).map(Path::to_path_buf) else {
                break;
            };
            let (here, others) = waiting.into_iter().partition(|path| path.parent() == Some(&dir));
            waiting = others;
            self.picked(&format!("included/{number}"), &dir, here)?;
        }
        Ok(())
    }

    /// An index of sessions that `session.store` puts elsewhere, and the transcripts beside it.
    fn sessions(&mut self, name: &str, store: &Path) -> Result<()> {
        let Some(dir) = store.parent().filter(|_| !self.keeps(store)) else { return Ok(()) };
        let Ok(entries) = std::fs::read_dir(dir) else { return Ok(()) };
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|path| path == store || path.extension().is_some_and(|end| end == "jsonl"));
        // The index first, as in `root`.
        crate::order::by_key(&mut files, |path| (path != store, path.clone()));
        if files.is_empty() { Ok(()) } else { self.picked(name, dir, files) }
    }

    fn keeps(&self, path: &Path) -> bool {
        self.items.iter().any(|item| item.from == path)
    }

    /// A root of single files, which lie in `source` or, if that is a file, beside it.
    fn picked(&mut self, name: &str, source: &Path, files: Vec<PathBuf>) -> Result<()> {
        let dir = if source.is_file() { source.parent().unwrap_or(source) } else { source };
        let mut is_first = true;
        for path in files {
            let Ok(meta) = std::fs::symlink_metadata(&path) else { continue };
            let file = path.strip_prefix(dir).ok().and_then(Path::to_str).map(str::to_string);
            let Some(file) = file.filter(|_| meta.is_file()) else {
                self.skip(path, "not a regular file with a UTF-8 name");
                continue;
            };
            if std::mem::take(&mut is_first) {
                self.roots.push(Root { name: name.to_string(), source_path: source.to_path_buf() });
                let path = name.to_string();
                self.items.push(Item { path, from: dir.into(), is_dir: true, mode: 0o700, has_lines: false });
            }
            self.add(format!("{name}/{file}"), path.clone(), &meta)?;
        }
        Ok(())
    }

    /// A place that no other root holds.
    fn outside(&mut self, name: &str, dir: &Path) -> Result<()> {
        let is_kept = self.roots.iter().any(|root| dir.starts_with(&root.source_path));
        if is_kept || !dir.is_dir() { Ok(()) } else { self.root(name, dir) }
    }

    fn root(&mut self, name: &str, dir: &Path) -> Result<()> {
        let Ok(meta) = std::fs::metadata(dir) else { return Ok(()) };
        self.roots.push(Root { name: name.to_string(), source_path: dir.to_path_buf() });
        self.add(name.to_string(), dir.to_path_buf(), &meta)?;
        let mut waiting = vec![(name.to_string(), dir.to_path_buf())];
        while let Some((path, dir)) = waiting.pop() {
            let failed = |e| Error::io(format_args!("read directory {}", dir.display()), e);
            let mut names = Vec::new();
            for entry in std::fs::read_dir(&dir).map_err(failed)? {
                names.push(entry.map_err(failed)?.file_name());
            }
            // The index before the transcripts, so that none it names is missing.
            crate::order::by_key(&mut names, |name| (name != "sessions.json", name.clone()));
            for name in names {
                let from = dir.join(&name);
                let Some(name) = name.to_str() else {
                    self.skip(from, "its name is not UTF-8");
                    continue;
                };
                let Ok(meta) = std::fs::symlink_metadata(&from) else { continue };
                if let Some(reason) = self.why_not(&from, name, &meta) {
                    self.skip(from, reason);
                    continue;
                }
                let path = format!("{path}/{name}");
                if meta.is_dir() {
                    waiting.push((path.clone(), from.clone()));
                }
                self.add(path, from, &meta)?;
            }
        }
        Ok(())
    }

    fn why_not(&self, from: &Path, name: &str, meta: &Metadata) -> Option<&'static str> {
        let is_ours = !self.workspaces.iter().any(|workspace| from.starts_with(workspace));
        if self.except.iter().any(|dir| dir == from) {
            Some("not asked for")
        } else if meta.is_symlink() {
            Some("a symbolic link")
        } else if !meta.is_dir() && !meta.is_file() {
            Some("not a regular file")
        } else if meta.len() > MAX_FILE && meta.is_file() {
            Some("larger than 8 GiB")
        } else if is_ours && meta.is_dir() && edits::is_name(name) {
            Some("a copy of the configuration for an editor")
        } else if is_ours && meta.is_file() && (name.ends_with(".tmp") || name.ends_with(".lock")) {
            Some("a lock or an interrupted write")
        } else {
            None
        }
    }

    fn skip(&mut self, path: PathBuf, reason: &'static str) {
        self.skipped.push(Skipped { path, reason });
    }

    fn add(&mut self, path: String, from: PathBuf, meta: &Metadata) -> Result<()> {
        if self.items.len() >= MAX_ITEMS {
            return Err(Error::invalid(format!(
                "there are more than {MAX_ITEMS} files to keep; pass --no-include-workspace"
            )));
        }
        let is_ours = !self.workspaces.iter().any(|workspace| from.starts_with(workspace));
        let has_lines = is_ours && meta.is_file() && path.ends_with(".jsonl");
        self.items.push(Item { path, from, is_dir: meta.is_dir(), mode: meta.mode() & 0o777, has_lines });
        Ok(())
    }

    /// Whether the archive at `path` would become a part of itself.
    pub fn holds(&self, path: &Path) -> bool {
        let dir = real(path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")));
        self.roots.iter().any(|root| dir.starts_with(&root.source_path))
    }

    /// Whether it holds keys of a WhatsApp link, which age (R-27b).
    pub fn has_whatsapp(&self) -> bool {
        self.items.iter().any(|item| is_whatsapp(&item.path))
    }
}

/// Whether a path in an archive belongs to the keys of a WhatsApp link.
pub fn is_whatsapp(path: &str) -> bool {
    path.starts_with("state/credentials/whatsapp/") || path == "state/credentials/creds.json"
}

fn nothing(env: &Env) -> Error {
    Error::not_found(format!(
        "nothing to back up: {} holds no configuration; check --profile and OPENCLAW_STATE_DIR",
        env.display(&env.state_dir)
    ))
}
