//! Kernel locks: `flock`s on open files, so they die with the process and a left-over file never blocks a start
//! (R-09a). Used by whichever thread owns the work; the state thread takes none.
use super::{private_dir, private_options, quirks};
use crate::error::{Error, Kind, Result};
use rustix::fs::OFlags;
use std::fs::File;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a lock is waited for: its holders write a small file and are done.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at a lock that is held.
const PAUSE: Duration = Duration::from_millis(5);

/// An exclusive kernel lock, held until dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Waits for the lock on `path`, which is created empty (0600) if missing and never removed. One that stays held
    /// is an error after five seconds.
    pub fn wait(path: &Path) -> Result<Lock> {
        Lock::wait_for(path, PATIENCE)
    }

    fn wait_for(path: &Path, patience: Duration) -> Result<Lock> {
        let file = open_lock(path)?;
        let end = Instant::now() + patience;
        while !take(&file, path)? {
            if Instant::now() >= end {
                let text = format!("another program holds the lock file {}; try again", path.display());
                return Err(Error::unavailable(text).retry_in(Duration::from_secs(1)));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(Lock { file })
    }

    /// Takes the lock, or says `None` when another process holds it.
    pub fn try_now(path: &Path) -> Result<Option<Lock>> {
        let file = open_lock(path)?;
        Ok(take(&file, path)?.then_some(Lock { file }))
    }

    /// Whether a process holds the lock on `path`. Creates nothing.
    pub fn is_held(path: &Path) -> bool {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
        let file = File::options().read(true).custom_flags(flags).open(path);
        file.is_ok_and(|file| quirks::lock(&file, path).is_ok_and(|taken| !taken))
    }

    /// Puts `text` into the locked file in place of what it holds.
    pub fn note(&self, text: &str) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.write_all_at(text.as_bytes(), 0)
    }
}

fn take(file: &File, path: &Path) -> Result<bool> {
    quirks::lock(file, path).map_err(|e| Error::io(format_args!("lock {}", path.display()), e))
}

/// Links are not followed: what they point to is not ours to write to.
fn open_lock(path: &Path) -> Result<File> {
    if let Some(dir) = path.parent() {
        private_dir(dir)?;
    }
    if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        let text = format!("lock file {} is not a regular file; remove it", path.display());
        return Err(Error::new(Kind::Io, text));
    }
    private_options()
        .read(true)
        .create(true)
        .truncate(false)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32)
        .open(path)
        .map_err(|e| Error::io(format_args!("open lock file {}", path.display()), e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_until_dropped() {
        let path = std::env::temp_dir().join(format!("lock-{}", std::process::id()));
        assert!(!Lock::is_held(&path) && !path.exists());
        let held = Lock::try_now(&path).unwrap();
        assert!(held.is_some() && Lock::is_held(&path));
        assert!(Lock::try_now(&path).unwrap().is_none());
        let late = Lock::wait_for(&path, PAUSE).unwrap_err();
        assert!(late.retryable() && late.message().contains("holds the lock file"), "{late}");
        held.as_ref().unwrap().note("12345").unwrap();
        held.as_ref().unwrap().note("67").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "67");
        drop(held);
        assert!(Lock::try_now(&path).unwrap().is_some());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_link_is_no_lock_file() {
        let target = std::env::temp_dir().join(format!("precious-{}", std::process::id()));
        let path = target.with_extension("lock");
        for there in [true, false] {
            if there {
                std::fs::write(&target, "mine").unwrap();
            }
            std::os::unix::fs::symlink(&target, &path).unwrap();
            let error = Lock::try_now(&path).unwrap_err();
            assert!(error.message().ends_with("is not a regular file; remove it"), "{error}");
            std::fs::remove_file(&path).unwrap();
            assert_eq!(std::fs::read_to_string(&target).ok().as_deref(), there.then_some("mine"));
            let _ = std::fs::remove_file(&target);
        }
    }
}
