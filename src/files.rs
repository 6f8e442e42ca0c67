//! How this program touches its files: private modes, atomic replacement, kernel locks.
//!
//! Plain functions for whichever thread owns the work; the state thread calls none that write. Locks are
//! `flock`s on open files, so they die with the process and a left-over file never blocks a start (R-09a).
use crate::error::{Error, Result};
use rustix::fs::{FlockOperation, OFlags, flock};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Creates a directory and its parents with mode 0700; one that exists keeps its mode.
pub fn private_dir(dir: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|e| Error::io(format_args!("create directory {}", dir.display()), e))
}

/// Replaces `path` by `bytes`: temp file (0600) beside it, fsync, rename, fsync of the directory. After a
/// crash at any point the old or the new content is there, never a mixture (R-02c).
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let doing = |what: &str| format!("{what} {}", path.display());
    let dir = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    private_dir(dir)?;
    let temp = temp_path(path);
    let written = private_options().create_new(true).open(&temp).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if let Err(e) = written.and_then(|()| std::fs::rename(&temp, path)) {
        // The write already failed with `e`; a temp file that cannot be removed either is swept at start.
        let _ = std::fs::remove_file(&temp);
        return Err(Error::io(doing("write"), e));
    }
    File::open(dir).and_then(|d| d.sync_all()).map_err(|e| Error::io(doing("sync directory of"), e))
}

/// The first `max` bytes of a regular file; `None` when there is none to read. Links are not followed (SEC-13), and
/// a pipe or device blocks nobody.
pub fn read_start(path: &Path, max: u64) -> Option<Vec<u8>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(max).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Options that create files with mode 0600.
pub fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

/// An exclusive kernel lock, held until dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock on `path`, which is created empty (0600) if missing and never removed.
    pub fn wait(path: &Path) -> Result<Lock> {
        let file = open_lock(path)?;
        flock(&file, FlockOperation::LockExclusive)
            .map_err(|e| Error::io(format_args!("lock {}", path.display()), e.into()))?;
        Ok(Lock { _file: file })
    }

    /// Takes the lock, or says `None` when another process holds it.
    pub fn try_now(path: &Path) -> Result<Option<Lock>> {
        let file = open_lock(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(Error::io(format_args!("lock {}", path.display()), e.into())),
        }
    }
}

fn open_lock(path: &Path) -> Result<File> {
    if let Some(dir) = path.parent() {
        private_dir(dir)?;
    }
    private_options()
        .read(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|e| Error::io(format_args!("open lock file {}", path.display()), e))
}

/// A name beside `path` that no other writer uses at the same time.
fn temp_path(path: &Path) -> PathBuf {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.{}.tmp", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_litter() {
        let dir = std::env::temp_dir().join(format!("files-{}", std::process::id()));
        let path = dir.join("a/b.json");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // A directory in the way makes the rename fail.
        let taken = dir.join("a/taken");
        std::fs::create_dir(&taken).unwrap();
        assert!(write_atomic(&taken, b"x").is_err());
        assert_eq!(std::fs::read_dir(dir.join("a")).unwrap().count(), 2);
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_lock_is_held_until_dropped() {
        let path = std::env::temp_dir().join(format!("lock-{}", std::process::id()));
        let held = Lock::try_now(&path).unwrap();
        assert!(held.is_some());
        assert!(Lock::try_now(&path).unwrap().is_none());
        drop(held);
        assert!(Lock::try_now(&path).unwrap().is_some());
        std::fs::remove_file(path).unwrap();
    }
}
