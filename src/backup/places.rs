//! Where the parts of an unpacked backup belong here, and how they get there.
//!
//! Runs on the command line's thread. A backup may come from another home: what lay below its state directory or home
//! belongs below these, and the paths in its configuration are written anew; every other path stays as it was.
use crate::config::{edit, parse};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// A part of a backup.
pub struct Place {
    /// Its name in the archive.
    pub name: String,
    /// Where it was unpacked.
    pub here: PathBuf,
    /// Where it was when the backup was made.
    pub source: PathBuf,
    /// Where it belongs now.
    pub to: PathBuf,
    /// Single files, which go beside others; else the directory as a whole.
    has_files: bool,
}

/// From where a backup was made to where it is put to use.
struct Mapping {
    moved: Vec<(PathBuf, PathBuf)>,
    /// What `~` was.
    home: PathBuf,
}

impl Mapping {
    fn of(env: &Env, state: Option<&Path>) -> Mapping {
        let Some(state) = state else { return Mapping { moved: Vec::new(), home: env.home.clone() } };
        let is_usual =
            state.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".openclaw"));
        let home = state.parent().filter(|home| is_usual && home.parent().is_some());
        let moved = home.map(|home| (home.to_path_buf(), env.home.clone()));
        Mapping {
            moved: [(state.to_path_buf(), env.state_dir.clone())].into_iter().chain(moved).collect(),
            home: home.unwrap_or(&env.home).to_path_buf(),
        }
    }

    /// What a path in the configuration has to be now, where that is another.
    fn written(&self, env: &Env, text: &str) -> Option<PathBuf> {
        let (was, is) = match text.strip_prefix("~/") {
            Some(rest) => (self.home.join(rest), env.home.join(rest)),
            None => (PathBuf::from(text), PathBuf::from(text)),
        };
        Some(self.path(&was)).filter(|new| *new != is)
    }

    fn path(&self, path: &Path) -> PathBuf {
        let below = |(from, to): &(PathBuf, PathBuf)| path.strip_prefix(from).ok().map(|rest| to.join(rest));
        self.moved
            .iter()
            .find_map(below)
            .map_or_else(|| path.to_path_buf(), |path| path.components().collect())
    }
}

/// The parts of a backup that was unpacked to `target`, and what was written anew in its configuration, a line each.
pub fn settle(env: &Env, manifest: &Map<String, Value>, target: &Path) -> Result<(Vec<Place>, Vec<String>)> {
    let roots = manifest.get("roots").and_then(Value::as_array).into_iter().flatten();
    let text =
        |root: &Value, name: &str| root.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
    let roots: Vec<(String, PathBuf)> =
        roots.map(|root| (text(root, "name"), PathBuf::from(text(root, "sourcePath")))).collect();
    let state = roots.iter().find(|(name, _)| name == "state").map(|(_, source)| source.as_path());
    let mapping = Mapping::of(env, state);
    let place = |(name, source): &(String, PathBuf)| {
        let is_config = name == "config";
        let here = match is_config {
            true => target.join(name).join(source.file_name().unwrap_or_default()),
            false => target.join(name),
        };
        let to = if is_config { env.config_path.clone() } else { mapping.path(source) };
        let has_files = name.starts_with("sessions/") || name.starts_with("included/");
        Place { name: name.clone(), here, source: source.clone(), to, has_files }
    };
    let places: Vec<Place> = roots.iter().map(place).collect();
    let config = places.iter().find(|place| place.name == "config").map(|place| place.here.clone());
    let name = env.config_path.file_name().unwrap_or_default();
    let config = config.unwrap_or_else(|| target.join("state").join(name));
    let told = if config.is_file() { rewrite(env, &mapping, &config)? } else { Vec::new() };
    Ok((places, told))
}

/// Writes the paths in a configuration that lay below the old directories as those below the new ones.
fn rewrite(env: &Env, mapping: &Mapping, config: &Path) -> Result<Vec<String>> {
    let is_same = mapping.moved.iter().all(|(from, to)| from == to);
    // Its paths are found all the same where it is no UTF-8; an edit of it is refused with the place.
    let text =
        files::read_lossy(config).map_err(|e| Error::io(format_args!("read {}", config.display()), e))?;
    if is_same || parse::json5(&text).is_err() {
        // One that cannot be read is told by whoever reads it.
        return Ok(Vec::new());
    }
    let work = |draft: &mut edit::Draft| {
        let mut found = Vec::new();
        paths(&draft.value()?, &|text| mapping.written(env, text), &mut Vec::new(), &mut found);
        let mut told = Vec::new();
        for (path, old, new) in found {
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            let new = env.display(&new);
            draft.set(&names, new.as_str())?;
            told.push(format!("{} is {new} now (was {old})", path.join(".")));
        }
        Ok(told)
    };
    Ok(edit::change(config, work)?.0)
}

fn paths(
    value: &Value,
    moved: &dyn Fn(&str) -> Option<PathBuf>,
    at: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, String, PathBuf)>,
) {
    let mut inner = |name: String, value: &Value| {
        at.push(name);
        paths(value, moved, at, found);
        at.pop();
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| inner(name.clone(), value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, value)| inner(n.to_string(), value)),
        Value::String(text) => {
            found.extend(moved(text).map(|new| (at.clone(), text.clone(), new)));
        }
        _ => {}
    }
}

impl Place {
    /// The command lines that put it in its place; what is there is kept beside it.
    pub fn lines(&self, env: &Env) -> Vec<String> {
        let (here, to) = (env.pasted(&self.here), env.pasted(&self.to));
        let parent = if self.has_files { Some(self.to.as_path()) } else { self.to.parent() };
        let make = parent.filter(|dir| !dir.exists()).map(|dir| format!("mkdir -p {}", env.pasted(dir)));
        if self.has_files {
            return make.into_iter().chain([format!("cp -p {here}/* {to}/")]).collect();
        }
        let aside = self.to.exists().then(|| format!("mv {to} {}", env.pasted(&aside(&self.to))));
        make.into_iter().chain(aside).chain([format!("mv {here} {to}")]).collect()
    }

    /// Does it, and writes what was moved to the end of `done`. What was in its place is kept beside it.
    fn put(&self, done: &mut Vec<Swap>) -> Result<()> {
        if !self.has_files {
            done.push(Swap::make(&self.here, &self.to)?);
            return Ok(());
        }
        let failed = |e| Error::io(format_args!("read directory {}", self.here.display()), e);
        for entry in std::fs::read_dir(&self.here).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            done.push(Swap::make(&entry.path(), &self.to.join(entry.file_name()))?);
        }
        Ok(())
    }
}

/// Puts all of them in their places, or none.
pub fn put(places: &[Place]) -> Result<Vec<Swap>> {
    let mut done = Vec::new();
    for place in places {
        if let Err(e) = place.put(&mut done) {
            undo(&done)?;
            return Err(e.context(format_args!("put {} in its place", place.name)));
        }
    }
    Ok(done)
}

/// Everything back to where it was.
pub fn undo(done: &[Swap]) -> Result<()> {
    let back = |swap: &Swap| {
        moved(&swap.to, &swap.from)?;
        swap.old.as_ref().map_or(Ok(()), |old| moved(old, &swap.to))
    };
    done.iter().rev().try_for_each(back)
}

/// Something that was put in its place.
pub struct Swap {
    from: PathBuf,
    to: PathBuf,
    /// Where that is now which was there before.
    pub old: Option<PathBuf>,
}

impl Swap {
    fn make(from: &Path, to: &Path) -> Result<Swap> {
        if let Some(dir) = to.parent() {
            files::private_dir(dir)?;
        }
        let old = std::fs::symlink_metadata(to).is_ok().then(|| aside(to));
        if let Some(old) = &old {
            moved(to, old)?;
        }
        let done = moved(from, to);
        if let (Err(_), Some(old)) = (&done, &old) {
            // Nothing came in its place.
            moved(old, to)?;
        }
        done.map(|()| Swap { from: from.to_path_buf(), to: to.to_path_buf(), old })
    }
}

fn moved(from: &Path, to: &Path) -> Result<()> {
    let doing = || format!("move {} to {}", from.display(), to.display());
    std::fs::rename(from, to).map_err(|e| Error::io(doing(), e))
}

/// A free name beside a path for what is there.
fn aside(path: &Path) -> PathBuf {
    let name = |n: usize| {
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(".before-restore");
        if n > 1 {
            name.push(format!("-{n}"));
        }
        path.with_file_name(name)
    };
    (1..1000).map(name).find(|path| std::fs::symlink_metadata(path).is_err()).unwrap_or_else(|| name(1000))
}
