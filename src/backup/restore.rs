//! Unpacking a backup into a directory of its own.
//!
//! Runs on the command line's thread. The archive is checked whole before anything is written; then it is unpacked
//! beside the target and moved there in one step, so a target is complete or not there. Files get mode 0600, or 0700
//! when they were executable, directories 0700, whatever the archive says (R-22c).
use super::archive::{self, Contents};
use super::tar::Entry;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::{files, ids};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Unpacks `archive` to `target`, which must be missing or empty.
pub fn restore(env: &Env, archive: &Path, target: &Path) -> Result<Contents> {
    let target = free_place(env, target)?;
    let contents = archive::verify(archive)?;
    let parent = target.parent().unwrap_or(Path::new("/"));
    only_ours(parent)?;
    files::private_dir(parent)?;
    enough_space(parent, contents.bytes)?;
    let staging = fresh(parent, &target)?;
    let unpacked = unpack(archive, &staging).and_then(|()| {
        std::fs::rename(&staging, &target)
            .map_err(|e| Error::io(format_args!("move what was unpacked to {}", target.display()), e))
    });
    if let Err(e) = unpacked {
        // What was half unpacked is of no use; when it cannot be removed its name says what it is.
        let _ = std::fs::remove_dir_all(&staging);
        return Err(e);
    }
    Ok(contents)
}

/// A new directory beside the target, this user's alone: one that somebody made before is never taken over.
fn fresh(parent: &Path, target: &Path) -> Result<PathBuf> {
    let mut name = std::ffi::OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(format!(".restoring-{}", ids::hex(8)?));
    let staging = parent.join(name);
    let made = std::fs::DirBuilder::new().mode(0o700).create(&staging);
    made.map_err(|e| Error::io(format_args!("make {}", staging.display()), e))?;
    Ok(staging)
}

/// Refuses a place where somebody else may exchange what lies in it, or one of the directories above: what is unpacked
/// would go where he likes. What is missing of it will be this user's alone.
fn only_ours(parent: &Path) -> Result<()> {
    let there = parent.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    let real = std::fs::canonicalize(there)
        .map_err(|e| Error::io(format_args!("look at {}", there.display()), e))?;
    let own = rustix::process::geteuid().as_raw();
    for dir in real.ancestors() {
        let meta =
            std::fs::metadata(dir).map_err(|e| Error::io(format_args!("look at {}", dir.display()), e))?;
        // Whose is `/` has everything; where other names hold inside of a container it is nobody's.
        let is_foreign = meta.uid() != own && meta.uid() != 0 && dir.parent().is_some();
        // Where each user has a group of his own it has his number.
        let is_own_group = meta.gid() == meta.uid();
        let writers = if is_own_group { 0o002 } else { 0o022 };
        let is_open = meta.mode() & writers != 0 && meta.mode() & 0o1000 == 0;
        if is_foreign || is_open {
            let dir = dir.display();
            return Err(Error::invalid(format!(
                "others may exchange what lies in {dir}: choose a --target in a directory of your own, which only you may write"
            )));
        }
    }
    Ok(())
}

/// The target as an absolute path, if something may be put there.
fn free_place(env: &Env, target: &Path) -> Result<PathBuf> {
    let failed = |e| Error::io(format_args!("look at {}", target.display()), e);
    let target = std::path::absolute(target).map_err(failed)?;
    if target.components().any(|part| part == std::path::Component::ParentDir) || target.file_name().is_none()
    {
        return Err(Error::invalid("--target must name a directory without ..; write its full path"));
    }
    let is_empty = match std::fs::symlink_metadata(&target) {
        Ok(meta) if meta.is_dir() => std::fs::read_dir(&target).map_err(failed)?.next().is_none(),
        Ok(_) => false,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => true,
        Err(e) => return Err(failed(e)),
    };
    if !is_empty {
        return Err(Error::invalid(format!(
            "{} is not an empty directory; choose another --target, nothing is ever written over",
            target.display()
        )));
    }
    let live = files::real(&env.state_dir);
    let within =
        target.ancestors().map(files::real).any(|place| place == live && place != files::real(&target));
    if within {
        return Err(Error::invalid(format!(
            "{} lies in the state directory in use; choose a --target outside of it",
            target.display()
        )));
    }
    Ok(target)
}

fn enough_space(dir: &Path, bytes: u64) -> Result<()> {
    let Ok(disk) = rustix::fs::statvfs(dir) else { return Ok(()) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= bytes {
        return Ok(());
    }
    Err(Error::new(
        crate::error::Kind::Io,
        format!(
            "unpack to {}: {bytes} bytes are needed and {free} are free; make room or choose another --target",
            dir.display()
        ),
    ))
}

fn unpack(archive: &Path, staging: &Path) -> Result<()> {
    archive::walk(archive, &mut |entry, content| place(staging, entry, content)).map(drop)
}

fn place(staging: &Path, entry: &Entry, content: &mut dyn Read) -> Result<()> {
    let path = staging.join(&entry.path);
    if entry.is_dir {
        return files::private_dir(&path);
    }
    if let Some(dir) = path.parent() {
        files::private_dir(dir)?;
    }
    let failed = |e| Error::io(format_args!("unpack {}", path.display()), e);
    let mode = if entry.mode & 0o100 != 0 { 0o700 } else { 0o600 };
    let mut file = files::private_options().create_new(true).mode(mode).open(&path).map_err(failed)?;
    std::io::copy(content, &mut file).map_err(failed)?;
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(entry.modified);
    file.set_modified(modified).and_then(|()| file.sync_all()).map_err(failed)
}
