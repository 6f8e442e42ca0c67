//! How this program touches its files: private modes, atomic replacement, kernel locks.
//!
//! Plain functions for whichever thread owns the work; the state thread calls none that write. Locks are
//! `flock`s on open files, so they die with the process and a left-over file never blocks a start (R-09a).
use crate::error::{Error, Kind, Result};
use rustix::fs::{FlockOperation, OFlags, flock};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a lock is waited for: its holders write a small file and are done.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at a lock that is held.
const PAUSE: Duration = Duration::from_millis(5);

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
    let dir = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let doing = |what: &str| format!("{what} {}", path.display());
    private_dir(dir)?;
    let temp = temp_path(path);
    let written = private_options().create_new(true).open(&temp).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if let Err(e) = written.and_then(|()| std::fs::rename(&temp, path)) {
        // The write already failed with `e`; a temp file that cannot be removed either is swept at start.
        let _ = std::fs::remove_file(&temp);
        // A new file is refused by its directory.
        let doing = match e.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                format!("write into directory {}", dir.display())
            }
            _ => doing("write"),
        };
        return Err(Error::io(doing, e));
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

/// Largest text that is read whole.
const MAX_TEXT: u64 = 16 << 20;

/// The text of a regular file of at most 16 MiB. Links are followed; a pipe or device is refused and blocks nobody.
pub fn read_text(path: &Path) -> std::io::Result<String> {
    String::from_utf8(read_bytes(path)?).map_err(|e| std::io::Error::new(std::io::ErrorKind::InvalidData, e))
}

/// The same, whatever bytes they are.
pub fn read_bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_TEXT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_TEXT {
        return Err(std::io::Error::other("larger than 16 MiB"));
    }
    Ok(bytes)
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

    /// Puts `text` into the locked file in place of what it holds.
    pub fn note(&self, text: &str) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.write_all_at(text.as_bytes(), 0)
    }
}

fn take(file: &File, path: &Path) -> Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(e) => Err(Error::io(format_args!("lock {}", path.display()), e.into())),
    }
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
    fn only_a_regular_file_of_bounded_size_is_text() {
        let dir = std::env::temp_dir().join(format!("texts-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (file, pipe, big) = (dir.join("file"), dir.join("pipe"), dir.join("big"));
        std::fs::write(&file, "x").unwrap();
        std::os::unix::fs::symlink(&file, dir.join("link")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        File::create(&big).unwrap().set_len(MAX_TEXT + 1).unwrap();
        assert_eq!(read_text(&dir.join("link")).unwrap(), "x");
        for (path, why) in
            [(&pipe, "regular"), (&dir, "regular"), (&"/dev/zero".into(), "regular"), (&big, "16 MiB")]
        {
            let told = read_text(path).unwrap_err().to_string();
            assert!(told.contains(why), "{told}");
        }
        assert_eq!(read_text(&dir.join("none")).unwrap_err().kind(), std::io::ErrorKind::NotFound);
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_lock_is_held_until_dropped() {
        let path = std::env::temp_dir().join(format!("lock-{}", std::process::id()));
        let held = Lock::try_now(&path).unwrap();
        assert!(held.is_some());
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
