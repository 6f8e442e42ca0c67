//! Checks of who may read and write the files: config, state directory, log. Only looks.
use super::{Ctx, Finding, Fix, one};
use crate::logging;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Files of the state directory that are looked at, at most.
const MAX_FILES: usize = 20_000;
/// Files that one finding names.
const MAX_NAMED: usize = 5;
/// Directories of the state directory whose files are the agents' own business.
const NOT_OURS: [&str; 2] = ["workspace", "trash"];
/// Parts of paths that programs copy to other machines.
const SYNCED: [&str; 6] = ["Dropbox", "OneDrive", "Google Drive", "iCloud", "Mobile Documents", "Nextcloud"];

/// Permission bits, of what a link points to.
fn mode(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|meta| meta.mode() & 0o777)
}

/// A finding when the mode has any of `bits` and none of `but`, which another check tells.
fn open(ctx: &Ctx, path: &Path, bits: u32, but: u32, want: u32) -> Vec<Finding> {
    let found = mode(path).filter(|mode| mode & bits != 0 && mode & but == 0).map(|mode| {
        Finding::new(format!("{} has mode {mode:03o}; {want:03o} keeps others out", ctx.env.display(path)))
            .at(path)
            .remedy(format!("chmod {want:03o} {}", ctx.env.display(path)))
            .fix(Fix::Mode(vec![path.to_path_buf()], want))
    });
    one(found)
}

pub fn config_group(ctx: &Ctx) -> Vec<Finding> {
    open(ctx, &ctx.env.config_path, 0o040, 0o026, 0o600)
}

pub fn config_world(ctx: &Ctx) -> Vec<Finding> {
    open(ctx, &ctx.env.config_path, 0o004, 0o022, 0o600)
}

pub fn config_writable(ctx: &Ctx) -> Vec<Finding> {
    open(ctx, &ctx.env.config_path, 0o022, 0, 0o600)
}

pub fn includes(ctx: &Ctx) -> Vec<Finding> {
    let files = ctx.config.files().into_iter().filter(|path| *path != ctx.env.config_path);
    files.flat_map(|path| open(ctx, &path, 0o006, 0, 0o600)).collect()
}

pub fn state_readable(ctx: &Ctx) -> Vec<Finding> {
    open(ctx, &ctx.env.state_dir, 0o055, 0o022, 0o700)
}

pub fn state_group_writable(ctx: &Ctx) -> Vec<Finding> {
    open(ctx, &ctx.env.state_dir, 0o020, 0o002, 0o700)
}

pub fn state_writable(ctx: &Ctx) -> Vec<Finding> {
    open(ctx, &ctx.env.state_dir, 0o002, 0, 0o700)
}

pub fn log(ctx: &Ctx) -> Vec<Finding> {
    logging::latest(&ctx.config, &ctx.env).map_or(Vec::new(), |path| open(ctx, &path, 0o077, 0, 0o600))
}

fn link(ctx: &Ctx, path: &Path) -> Vec<Finding> {
    let is_link = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
    one(is_link.then(|| {
        let told = format!(
            "{} is a symbolic link; the place it points to must be as private",
            ctx.env.display(path)
        );
        Finding::new(told).at(path)
    }))
}

pub fn config_link(ctx: &Ctx) -> Vec<Finding> {
    link(ctx, &ctx.env.config_path)
}

pub fn state_link(ctx: &Ctx) -> Vec<Finding> {
    link(ctx, &ctx.env.state_dir)
}

pub fn synced(ctx: &Ctx) -> Vec<Finding> {
    let is_synced = |path: &&PathBuf| {
        path.components()
            .any(|part| SYNCED.iter().any(|name| part.as_os_str().to_string_lossy().starts_with(name)))
    };
    let paths = [&ctx.env.config_path, &ctx.env.state_dir];
    one(paths.into_iter().find(is_synced).map(|path| {
        Finding::new(format!("{} is copied elsewhere, secrets included", ctx.env.display(path)))
            .at(path)
            .remedy("move it, or set OPENCLAW_STATE_DIR and OPENCLAW_CONFIG_PATH")
    }))
}

/// Everything below the state directory that others could read, were it not for the directory's own mode (R-22c).
pub fn files(ctx: &Ctx) -> Vec<Finding> {
    let (mut dirs, mut files) = (Vec::new(), Vec::new());
    let mut waiting = vec![ctx.env.state_dir.clone()];
    let mut seen = 0;
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(meta) = std::fs::symlink_metadata(&path) else { continue };
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_top = dir == ctx.env.state_dir;
            seen += 1;
            if seen > MAX_FILES || (is_top && NOT_OURS.iter().any(|own| name.starts_with(own))) {
                continue;
            }
            let is_open = meta.mode() & 0o077 != 0 && path != ctx.env.config_path;
            if meta.is_dir() {
                waiting.push(path.clone());
                dirs.extend(is_open.then_some(path));
            } else if meta.is_file() {
                files.extend(is_open.then_some(path));
            }
        }
    }
    [(files, 0o600), (dirs, 0o700)]
        .into_iter()
        .filter_map(|(paths, want)| several(ctx, paths, want))
        .collect()
}

fn several(ctx: &Ctx, paths: Vec<PathBuf>, want: u32) -> Option<Finding> {
    let first = paths.first()?.clone();
    let named: Vec<String> = paths.iter().take(MAX_NAMED).map(|path| ctx.env.display(path)).collect();
    let more = paths.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let told = format!("{}{more} should have mode {want:03o}", named.join(", "));
    Some(Finding::new(told).at(first).fix(Fix::Mode(paths, want)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;
    use crate::doctor::{run, testing::ids};
    use std::os::unix::fs::PermissionsExt;

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn r_22c_open_files_are_found_once_each_and_closed_by_the_fix() {
        let dir = Dir::new();
        dir.write("openclaw.json", "{gateway: {mode: 'local'}, logging: {file: 'off'}}");
        let env = dir.env(&[]);
        for (config, state, want) in [
            (0o600, 0o700, vec![]),
            (0o640, 0o700, vec!["fs.config.perms_group_readable"]),
            (0o644, 0o755, vec!["fs.config.perms_world_readable", "fs.state_dir.perms_readable"]),
            (0o666, 0o777, vec!["fs.config.perms_writable", "fs.state_dir.perms_world_writable"]),
            (0o600, 0o770, vec!["fs.state_dir.perms_group_writable"]),
        ] {
            chmod(&env.config_path, config);
            chmod(&env.state_dir, state);
            assert_eq!(ids(&dir, &[], "fs"), want, "{config:o} {state:o}");
        }
        std::fs::create_dir_all(env.state_dir.join("credentials")).unwrap();
        std::fs::write(env.state_dir.join("credentials/x.json"), "{}").unwrap();
        chmod(&env.state_dir.join("credentials"), 0o755);
        chmod(&env.state_dir.join("credentials/x.json"), 0o644);
        let ctx = Ctx::look(&env, false);
        let found = run(&ctx, |check| check.id.starts_with("fs."));
        assert_eq!(found.len(), 3);
        for found in &found {
            found.finding.fix.as_ref().unwrap().apply(&ctx, &mut crate::doctor::Done::default()).unwrap();
        }
        assert!(ids(&dir, &[], "fs").is_empty());
    }
}
