//! The private copies that `config edit` works upon: a directory of the state directory each, with a lock in it that its
//! command holds. Whose lock nobody holds was left by a command that was killed, and is swept.
use crate::clock;
use crate::error::Result;
use crate::files::Lock;
use crate::{files, ids};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

const PREFIX: &str = "edit-";
const LOCK: &str = ".lock";
/// Time enough to take the lock of a new one.
const YOUNG: u64 = 60 * 1000;

/// Whether a name of the state directory is that of a copy.
pub fn is_name(name: &str) -> bool {
    let digits = name.strip_prefix(PREFIX).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A new one, and its lock.
pub fn make(state_dir: &Path) -> Result<(PathBuf, Option<Lock>)> {
    let dir = state_dir.join(format!("{PREFIX}{}", ids::hex(8)?));
    files::private_dir(&dir)?;
    let lock = Lock::try_now(&dir.join(LOCK))?;
    Ok((dir, lock))
}

/// Those that nobody works upon. Only looks.
pub fn left(state_dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(state_dir).into_iter().flatten().flatten();
    let is_left = |entry: &std::fs::DirEntry| {
        let changed = entry.metadata().and_then(|meta| meta.modified()).ok();
        let changed = changed.and_then(|changed| changed.duration_since(UNIX_EPOCH).ok());
        let is_old = changed.is_some_and(|changed| changed.as_millis() as u64 + YOUNG <= clock::now_ms());
        is_name(&entry.file_name().to_string_lossy())
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
            && is_old
            && !Lock::is_held(&entry.path().join(LOCK))
    };
    entries.filter(is_left).map(|entry| entry.path()).collect()
}
