//! The lock on the credential files of channels, against our own processes and the original program's.
//!
//! Ours is a kernel lock, which dies with its process. The original's is a directory `<file>.lock`, taken for dead after
//! 30 s; both are taken. A directory that one of ours left when it was killed is known by the note in the kernel lock and
//! is waited for by nobody. Used by the thread that owns the work, never by the state thread.
use crate::clock;
use crate::error::{Error, Result};
use crate::files::Lock;
use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// After this the original takes a lock directory for a dead process's.
const STALE_MS: u64 = 30_000;
/// How long a lock directory is waited for: its holders write a small file and are done.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at one that is held.
const PAUSE: Duration = Duration::from_millis(20);

/// The kernel lock and the lock directories that were taken under it, until dropped.
pub(super) struct Held {
    kernel: Lock,
    dirs: Vec<PathBuf>,
    /// A line for each directory that we made.
    note: String,
    /// The same of a process of ours that was killed.
    left: String,
}

impl Held {
    /// Waits for the other processes of ours that work in `dir`.
    pub fn begin(dir: &Path) -> Result<Held> {
        let path = dir.join(".lock");
        let kernel = Lock::wait(&path)?;
        let left = crate::files::read_text(&path).unwrap_or_default();
        Ok(Held { kernel, dirs: Vec::new(), note: String::new(), left })
    }

    /// Waits for the original's lock on `file`.
    pub fn take(&mut self, file: &Path) -> Result<()> {
        let mut dir = file.as_os_str().to_os_string();
        dir.push(".lock");
        let dir = PathBuf::from(dir);
        let failed = |e| Error::io(format_args!("lock {}", dir.display()), e);
        let end = Instant::now() + PATIENCE;
        loop {
            match DirBuilder::new().mode(0o700).create(&dir) {
                Ok(()) => break,
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(failed(e)),
            }
            match self.is_dead(&dir) {
                Ok(true) => std::fs::remove_dir(&dir).map_err(failed)?,
                Ok(false) if Instant::now() < end => std::thread::sleep(PAUSE),
                Ok(false) => {
                    let text = format!("another program holds the lock {}; try again", dir.display());
                    return Err(Error::unavailable(text).retry_in(Duration::from_secs(1)));
                }
                // Given back meanwhile.
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(failed(e)),
            }
        }
        self.note += &format!("{}\n", mark(&dir).map_err(failed)?);
        self.dirs.push(dir);
        // Without the note a kill costs the next one a wait.
        if let Err(e) = self.kernel.note(&self.note) {
            crate::logging::debug!(target: "gateway/channels", "the lock's note cannot be written: {e}");
        }
        Ok(())
    }

    fn is_dead(&self, dir: &Path) -> std::io::Result<bool> {
        let found = dir.symlink_metadata()?;
        if !found.is_dir() {
            return Err(std::io::Error::new(ErrorKind::InvalidInput, "it is not a directory; remove it"));
        }
        let changed = u64::try_from(found.mtime()).unwrap_or_default().saturating_mul(1000);
        let mark = mark(dir)?;
        Ok(clock::now_ms().abs_diff(changed) > STALE_MS || self.left.lines().any(|line| line == mark))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for dir in self.dirs.drain(..) {
            // One that is left is dead after 30 s, and at once for us.
            if std::fs::remove_dir(&dir).is_err() {
                return;
            }
        }
        let _ = self.kernel.note("");
    }
}

/// What tells this directory from another one of its name.
fn mark(dir: &Path) -> std::io::Result<String> {
    let found = dir.symlink_metadata()?;
    Ok(format!("{} {} {}", found.ino(), found.mtime(), found.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;
    use std::time::UNIX_EPOCH;

    #[test]
    fn the_originals_lock_is_waited_for_and_a_dead_one_is_not() {
        let dir = Dir::new();
        let (here, file) = (dir.path(""), dir.path("telegram-pairing.json"));
        let lock = dir.path("telegram-pairing.json.lock");
        std::fs::create_dir(&lock).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(150));
                std::fs::remove_dir(&lock).unwrap();
            });
            let start = Instant::now();
            let mut held = Held::begin(&here).unwrap();
            held.take(&file).unwrap();
            assert!(start.elapsed() >= Duration::from_millis(140) && lock.is_dir());
        });
        assert!(!lock.exists());

        // Left by the original long ago.
        std::fs::create_dir(&lock).unwrap();
        let old = UNIX_EPOCH + Duration::from_millis(clock::now_ms() - 40_000);
        std::fs::File::open(&lock).unwrap().set_modified(old).unwrap();
        let start = Instant::now();
        Held::begin(&here).unwrap().take(&file).unwrap();
        assert!(start.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn what_a_killed_process_of_ours_left_is_taken_at_once() {
        let dir = Dir::new();
        let (here, file) = (dir.path(""), dir.path("telegram-pairing.json"));
        let mut held = Held::begin(&here).unwrap();
        held.take(&file).unwrap();
        // As a kill leaves it: the kernel lock is gone, the directory and the note are there.
        held.dirs.clear();
        let note = held.note.clone();
        drop(held);
        std::fs::write(dir.path(".lock"), note).unwrap();
        let start = Instant::now();
        Held::begin(&here).unwrap().take(&file).unwrap();
        assert!(start.elapsed() < Duration::from_secs(1));
        assert!(!dir.path("telegram-pairing.json.lock").exists());

        std::fs::write(dir.path("telegram-pairing.json.lock"), "").unwrap();
        let error = Held::begin(&here).unwrap().take(&file).unwrap_err();
        assert!(error.message().ends_with("it is not a directory; remove it"), "{error}");
    }
}
