//! What `doctor --fix` does, as data: shown first, then done, with a backup of what is changed.
//!
//! Runs on the command line's thread. Config changes go through `config::edit`: in the text, under the writers' lock,
//! with the old text kept as `.bak`. Nothing is removed but keys that are asked for and files `sweep` would remove.
use super::Ctx;
use crate::config::edit;
use crate::error::{Error, Result};
use crate::upkeep::litter;
use crate::{ids, service};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Bytes of a generated token; twice as many hex digits.
const TOKEN_BYTES: usize = 24;

#[derive(Debug)]
pub enum Fix {
    /// Gives these files this mode.
    Mode(Vec<PathBuf>, u32),
    Config(Vec<Change>),
    /// Bounds what is left over in the state directory.
    Sweep,
    /// Writes the service's file anew and restarts it. One that runs another program is only taken over with `--force`.
    Service {
        unit: PathBuf,
        is_foreign: bool,
    },
    /// Stops a service of an earlier product name and keeps its file as `.bak`.
    Retire(service::Other),
}

/// One change of the configuration.
#[derive(Debug, Clone)]
pub enum Change {
    Set(&'static str, Value),
    /// Sets a fresh random token.
    Token(&'static str),
    /// Puts the value of one key where another one is read.
    Move(String, String),
    /// Only with `--force`: the value is lost but for the backup.
    Remove(String),
}

impl Fix {
    /// Whether something a person wrote goes away.
    pub fn needs_force(&self) -> bool {
        match self {
            Fix::Config(changes) => changes.iter().any(|change| matches!(change, Change::Remove(_))),
            Fix::Service { is_foreign, .. } => *is_foreign,
            Fix::Mode(..) | Fix::Sweep | Fix::Retire(_) => false,
        }
    }

    /// One line for each thing it will do.
    pub fn shown(&self, ctx: &Ctx) -> Vec<String> {
        match self {
            Fix::Mode(paths, mode) => {
                paths.iter().map(|path| format!("chmod {mode:03o} {}", ctx.env.display(path))).collect()
            }
            Fix::Config(changes) => changes.iter().map(Change::shown).collect(),
            Fix::Service { unit, .. } => {
                let file = ctx.env.display(unit);
                vec![format!("write {file} anew and restart the service, backup: {file}.bak")]
            }
            Fix::Retire(other) => {
                let file = ctx.env.display(&other.path);
                vec![format!("stop and disable {}, backup: {file}.bak", other.name)]
            }
            Fix::Sweep => vec!["remove left-over files beyond their bounds, oldest first".to_string()],
        }
    }

    /// Does it; tells in `done` what was done beyond what `shown` said, and what is left.
    pub fn apply(&self, ctx: &Ctx, done: &mut Done) -> Result<()> {
        let more = match self {
            Fix::Mode(paths, mode) => {
                paths.iter().try_for_each(|path| set_mode(path, *mode))?;
                Vec::new()
            }
            Fix::Config(changes) => {
                let path = &ctx.env.config_path;
                let had = path.exists();
                let apply =
                    |draft: &mut edit::Draft| changes.iter().try_for_each(|change| change.apply(draft));
                let ((), written) = edit::change(path, apply)?;
                let backup = format!("{}.bak", ctx.env.display(path));
                match (written, had) {
                    (true, true) => vec![format!("updated {}, backup: {backup}", ctx.env.display(path))],
                    (true, false) => vec![format!("wrote {}", ctx.env.display(path))],
                    (false, _) => Vec::new(),
                }
            }
            Fix::Service { unit, .. } => {
                let report = service::act::refresh(&ctx.env)?;
                done.left = report.hints.into_iter().chain(report.warnings).collect();
                match report.result {
                    // The file is there, and that is all.
                    "written" => {
                        let file = ctx.env.display(unit);
                        let why = "the service manager cannot be reached from here";
                        done.told = vec![format!("write {file} anew, backup: {file}.bak; no restart, {why}")];
                        Vec::new()
                    }
                    _ => report.lines,
                }
            }
            Fix::Retire(other) => {
                service::retire(&ctx.env, other)?;
                Vec::new()
            }
            Fix::Sweep => litter::sweep(&litter::places(&ctx.env, &ctx.config)),
        };
        done.told.extend(more);
        Ok(())
    }
}

/// What became of a fix.
#[derive(Default)]
pub struct Done {
    /// One line for each thing that was to be done.
    pub told: Vec<String>,
    /// What a person has to do or to know yet.
    pub left: Vec<String>,
    pub error: Option<Error>,
}

/// Does all of it: first the config, in one write with one backup, then the rest. What loses something a person wrote
/// is done only with `force`. One that fails stops no other.
pub fn repair(ctx: &Ctx, fixes: Vec<&Fix>, more: Vec<Change>, force: bool) -> Vec<Done> {
    let mut changes = Vec::new();
    let mut rest = Vec::new();
    for fix in fixes.into_iter().filter(|fix| force || !fix.needs_force()) {
        match fix {
            Fix::Config(own) => changes.extend(own.iter().cloned()),
            other => rest.push(other),
        }
    }
    changes.extend(more);
    let config = Fix::Config(changes);
    let all = std::iter::once(&config).filter(|_| !config.shown(ctx).is_empty()).chain(rest);
    let done = |fix: &Fix| {
        let mut done = Done { told: fix.shown(ctx), ..Done::default() };
        done.error = fix.apply(ctx, &mut done).err();
        done
    };
    all.map(done).collect()
}

/// Not through a link: that would change somebody else's file.
fn set_mode(path: &Path, mode: u32) -> Result<()> {
    let failed = |e| Error::io(format_args!("change the mode of {}", path.display()), e);
    let meta = std::fs::symlink_metadata(path).map_err(failed)?;
    if meta.is_symlink() {
        return Ok(());
    }
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).map_err(failed)
}

impl Change {
    fn shown(&self) -> String {
        match self {
            Change::Set(path, value) => format!("set {path} = {value}"),
            Change::Token(path) => format!("set {path} to a new random token"),
            Change::Move(from, to) => format!("move {from} to {to}"),
            Change::Remove(path) => format!("remove {path}"),
        }
    }

    fn apply(&self, draft: &mut edit::Draft) -> Result<()> {
        let split = |path: &str| path.split('.').map(str::to_string).collect::<Vec<_>>();
        match self {
            Change::Set(path, value) => draft.set(&path.split('.').collect::<Vec<_>>(), value.clone()),
            Change::Token(path) => draft.set(&path.split('.').collect::<Vec<_>>(), ids::hex(TOKEN_BYTES)?),
            Change::Remove(path) => draft.remove(&parts(&split(path))),
            Change::Move(from, to) => {
                let (from, to) = (split(from), split(to));
                let whole = draft.value()?;
                let find =
                    |path: &[String]| path.iter().try_fold(&whole, |value, name| value.get(name)).cloned();
                // What is written at the new place is newer than the old key.
                if let (Some(value), None) = (find(&from), find(&to)) {
                    draft.set(&parts(&to), value)?;
                }
                draft.remove(&parts(&from))
            }
        }
    }
}

fn parts(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    #[test]
    fn r_02b_a_fixed_config_keeps_its_comments_and_a_backup() {
        let dir = Dir::new();
        let old = "{\n  // mine\n  telegram: { botToken: 'x' }, // old\n  odd: 1,\n}\n";
        dir.write("openclaw.json", old);
        let ctx = Ctx::look(&dir.env(&[]), false);
        let fix = Fix::Config(vec![
            Change::Move("telegram".into(), "channels.telegram".into()),
            Change::Set("gateway.mode", "local".into()),
            Change::Token("gateway.auth.token"),
        ]);
        assert!(!fix.needs_force() && Fix::Config(vec![Change::Remove("odd".into())]).needs_force());
        assert_eq!(fix.shown(&ctx)[0], "move telegram to channels.telegram");
        let mut done = Done::default();
        fix.apply(&ctx, &mut done).unwrap();
        let told = done.told;
        assert!(told[0].contains(".bak"), "{told:?}");
        let text = std::fs::read_to_string(&ctx.env.config_path).unwrap();
        assert!(text.contains("// mine") && text.contains("odd: 1"), "{text}");
        let config = crate::config::Config::inspect(&mut dir.env(&[]));
        assert_eq!(config.str("channels.telegram.botToken"), Some("x"));
        assert_eq!(config.str("gateway.auth.token").unwrap().len(), 48);
        assert!(
            !told
                .iter()
                .chain(&fix.shown(&ctx))
                .any(|l| l.contains(config.str("gateway.auth.token").unwrap()))
        );
    }
}
