//! Service files on disk: written whole and readable by all, kept as `.bak` when replaced, taken away.
use super::inspect::{self, Inspection};
use super::{Manager, Place};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Puts the file in place. What was there and differs stays beside it as `.bak`.
pub(super) fn write(env: &Env, place: &Place, text: &str, before: &Inspection) -> Result<()> {
    let denied = |error: Error| {
        let sudo = place.manager.is_system() && !rustix::process::getuid().is_root();
        if sudo { error.context("a system service needs root (use sudo)") } else { error }
    };
    let replaced = inspect::read(&place.path).filter(|old| before.installed && old != text);
    if let Some(old) = replaced {
        files::write_atomic(&backup(&place.path), old.as_bytes()).map_err(denied)?;
    }
    if let Some(dir) = place.path.parent() {
        // Without a umask others could put files of their own there.
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(dir)
            .map_err(|e| denied(Error::io(format_args!("create directory {}", env.display(dir)), e)))?;
    }
    files::write_atomic(&place.path, text.as_bytes()).map_err(denied)?;
    let script = matches!(place.manager, Manager::OpenRc | Manager::Procd);
    let mode = std::fs::Permissions::from_mode(if script { 0o755 } else { 0o644 });
    std::fs::set_permissions(&place.path, mode)
        .map_err(|e| Error::io(format_args!("set the mode of {}", place.path.display()), e))
}

/// Where a service file is kept that was replaced.
pub(super) fn backup(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".bak");
    name.into()
}

/// Takes the file away, and the link that enabled it where no manager did.
pub(super) fn remove(env: &Env, place: &Place) -> Result<()> {
    if place.manager == Manager::Launchd {
        return discard(env, &place.path);
    }
    let fail = |e| Error::io(format_args!("remove {}", place.path.display()), e);
    std::fs::remove_file(&place.path).map_err(fail)?;
    let wants = match place.manager {
        Manager::SystemdUser => "default.target.wants",
        _ => "multi-user.target.wants",
    };
    let link = place.path.parent().map(|dir| dir.join(wants).join(&place.name));
    match link.map(std::fs::remove_file) {
        Some(Err(e)) if e.kind() != std::io::ErrorKind::NotFound => Err(fail(e)),
        _ => Ok(()),
    }
}

/// To the trash where there is one, as people of that system expect.
pub(super) fn discard(env: &Env, path: &Path) -> Result<()> {
    let trash = env.home.join(".Trash");
    let moved =
        path.file_name().filter(|_| trash.is_dir()).map(|name| std::fs::rename(path, trash.join(name)));
    if matches!(moved, Some(Ok(()))) {
        return Ok(());
    }
    std::fs::remove_file(path).map_err(|e| Error::io(format_args!("remove {}", path.display()), e))
}
