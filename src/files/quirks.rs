//! What some file systems cannot do, and say so: wait for a directory, lock a file, keep modes. Network mounts,
//! FUSE, FAT and containers differ here; what they leave out is no failure of ours, and is told once.
//!
//! Used by whichever thread owns the file. An error of the disk itself stays an error.
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{File, Permissions};
use std::io::{Error, Result};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// How a file system says that it does not have an operation at all.
const NOT_HERE: [Errno; 4] = [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP];
/// How it says that of a directory's fsync: it may not be opened for reading, or only for that.
const NOT_FOR_DIRECTORIES: [Errno; 4] = [Errno::BADF, Errno::ACCESS, Errno::PERM, Errno::ISDIR];
/// How it says that there are no locks.
const NO_LOCKS: [Errno; 1] = [Errno::NOLCK];

/// Waits until the names in a directory are on disk, where the file system can do that.
pub fn sync_dir(dir: &Path) -> Result<()> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    unless(&[&NOT_HERE, &NOT_FOR_DIRECTORIES], File::open(dir).and_then(|dir| dir.sync_all())).map(drop)
}

/// The same for an open directory.
pub fn sync_dir_at(dir: impl AsFd) -> Result<()> {
    unless(&[&NOT_HERE, &NOT_FOR_DIRECTORIES], rustix::fs::fsync(dir).map_err(Error::from)).map(drop)
}

/// Waits until a file's content is on disk. Where the file system cannot promise that, it is told once.
pub fn sync(file: &File) -> Result<()> {
    static TOLD: AtomicBool = AtomicBool::new(false);
    if !unless(&[&NOT_HERE], file.sync_data())? && is_news(&TOLD) {
        log::warn!(target: "gateway/store", "this file system cannot say when a file is on disk: what was written last may be lost when the power fails");
    }
    Ok(())
}

/// Takes the exclusive lock of an open file without waiting; `false` when another process holds it. Without locks
/// the file is used all the same, which is told once.
pub fn lock(file: &File, path: &Path) -> Result<bool> {
    static TOLD: AtomicBool = AtomicBool::new(false);
    let result = match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => return Ok(false),
        other => other.map_err(Error::from),
    };
    if !unless(&[&NOT_HERE, &NO_LOCKS], result)? && is_news(&TOLD) {
        let dir = path.parent().unwrap_or(path).display();
        log::warn!(target: "gateway/store", "the file system of {dir} has no locks: let only one gateway use it, and no command while it runs");
    }
    Ok(true)
}

/// Keeps others from reading an open file. A file system without modes (FAT, some network mounts) has its own rules.
pub fn narrow(file: &File) -> Result<()> {
    if file.metadata()?.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    unless(&[&NOT_HERE, &[Errno::PERM, Errno::ROFS]], file.set_permissions(Permissions::from_mode(0o600)))
        .map(drop)
}

/// Whether it is to be told: once, and not before there is a log.
fn is_news(told: &AtomicBool) -> bool {
    log::max_level() != log::LevelFilter::Off && !told.swap(true, Ordering::Relaxed)
}

/// Whether it was done; `false` when the file system said by one of these errors that it cannot.
fn unless(cannot: &[&[Errno]], result: Result<()>) -> Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(e) if Errno::from_io_error(&e).is_some_and(|e| cannot.iter().any(|list| list.contains(&e))) => {
            Ok(false)
        }
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b_f34_only_what_a_file_system_cannot_do_is_forgiven() {
        let failed = |e: Errno| Err(Error::from(e));
        for e in [Errno::INVAL, Errno::NOTSUP, Errno::BADF, Errno::ACCESS] {
            assert!(!unless(&[&NOT_HERE, &NOT_FOR_DIRECTORIES], failed(e)).unwrap(), "{e}");
        }
        for e in [Errno::IO, Errno::NOSPC, Errno::NOENT] {
            assert!(unless(&[&NOT_HERE, &NOT_FOR_DIRECTORIES], failed(e)).is_err(), "{e}");
        }
        assert!(unless(&[&NOT_HERE, &NO_LOCKS], failed(Errno::ACCESS)).is_err());
        assert!(sync_dir(Path::new("/none/such")).is_err());
    }
}
