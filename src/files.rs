//! How this program touches its files: private modes, atomic replacement, kernel locks (`lock`), what file
//! systems cannot do (`quirks`), and how what others filled is removed (`removal`).
//!
//! Plain functions for whichever thread owns the work; the state thread calls none that write.
pub mod behind;
mod lock;
pub mod quirks;
pub mod regular;
mod remedy;
mod removal;
mod secret;

use crate::error::{Error, Result};
pub use lock::Lock;
pub use remedy::{remedy, unread};
pub use removal::remove_tree;
use rustix::fs::OFlags;
pub use secret::{SecretFile, read_secret};
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A path without links in it, where it exists.
pub fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

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
    write_atomic_by(path, |file| file.write_all(bytes))
}

/// The same, piece by piece.
pub fn write_atomic_by(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    replace(path, write, || true)?
        .map(drop)
        .map_err(|e| Error::io(format_args!("write {}", path.display()), e))
}

/// The same, piece by piece, for a file that may be one that cannot be replaced, as one that is a mount of its own: it is
/// written in place, and what it said is put back when the writing fails. Only a crash meanwhile can mix the two.
pub fn write_over(path: &Path, write: impl Fn(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    write_over_if(path, write, || true).map(drop)
}

/// The same, if it is still `right` when all is ready. Gives what the new file looks like from outside, told before
/// anybody else can reach it, or `None`.
pub fn write_over_if(
    path: &Path,
    write: impl Fn(&mut dyn Write) -> std::io::Result<()>,
    right: impl Fn() -> bool,
) -> Result<Option<Metadata>> {
    let refused = match replace(path, &write, &right)? {
        Ok(done) => return Ok(done),
        Err(refused) => refused,
    };
    let doing = format!("write {} in place, as it cannot be replaced ({refused})", path.display());
    if !matches!(
        refused.kind(),
        ErrorKind::ResourceBusy | ErrorKind::CrossesDevices | ErrorKind::ExecutableFileBusy
    ) {
        return Err(Error::io(format_args!("write {}", path.display()), refused));
    }
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let put = |file: &mut File, write: &dyn Fn(&mut dyn Write) -> std::io::Result<()>| {
        file.rewind()?;
        write(file)?;
        let end = file.stream_position()?;
        file.set_len(end)?;
        quirks::sync(file)
    };
    if !right() {
        return Ok(None);
    }
    let opened = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path);
    opened
        .and_then(|mut file| {
            quirks::narrow(&file)?;
            let mut old = Vec::new();
            file.read_to_end(&mut old)?;
            put(&mut file, &write).inspect_err(|_| {
                // The first error is told.
                let _ = put(&mut file, &|file| file.write_all(&old));
            })?;
            file.metadata().map(Some)
        })
        .map_err(|e| Error::io(doing, e))
}

/// Puts a new file in the place of the one at `path`, if that is `right` then; inside, why it cannot be moved there.
fn replace(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    right: impl FnOnce() -> bool,
) -> Result<std::io::Result<Option<Metadata>>> {
    let dir = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    private_dir(dir)?;
    let temp = temp_path(path);
    let written = private_options().create_new(true).open(&temp).and_then(|mut file| {
        write(&mut file)?;
        quirks::sync(&file)?;
        file.metadata()
    });
    let placed = written.and_then(|made| match right() {
        true => std::fs::rename(&temp, path).map(|()| Some(made)),
        false => Ok(None),
    });
    if !matches!(placed, Ok(Some(_))) {
        // A temp file that cannot be removed is swept at start.
        let _ = std::fs::remove_file(&temp);
    }
    match placed {
        Ok(Some(made)) => {
            let synced = quirks::sync_dir(dir);
            synced.map_err(|e| Error::io(format_args!("sync directory of {}", path.display()), e))?;
            Ok(Ok(Some(made)))
        }
        // A new file is refused by its directory.
        Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            Err(Error::io(format_args!("write into directory {}", dir.display()), e))
        }
        other => Ok(other),
    }
}

/// The first `max` bytes of a regular file; `None` when there is none to read. Links are not followed (SEC-13), and
/// a pipe or device blocks nobody.
pub fn read_start(path: &Path, max: u64) -> Option<Vec<u8>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let known = file.metadata().ok()?;
    if !known.is_file() {
        return None;
    }
    let mut bytes = room(known.len().min(max));
    file.take(max).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Where so many bytes are read to: with a place more, in which the end is seen, one read takes all and a second one finds it.
fn room(bytes: u64) -> Vec<u8> {
    Vec::with_capacity(bytes as usize + 1)
}

/// Largest text that is read whole.
pub const MAX_TEXT: u64 = 16 << 20;

/// The text of a regular file of at most 16 MiB. Links are followed; a pipe or device is refused and blocks nobody.
pub fn read_text(path: &Path) -> std::io::Result<String> {
    String::from_utf8(read_bytes(path, MAX_TEXT)?)
        .map_err(|_| std::io::Error::new(ErrorKind::InvalidData, "stream did not contain valid UTF-8"))
}

/// The same, with U+FFFD for bytes that are no UTF-8, as long as the text is not in another form altogether.
pub fn read_lossy(path: &Path) -> std::io::Result<String> {
    let bytes = match String::from_utf8(read_bytes(path, MAX_TEXT)?) {
        Ok(text) => return Ok(text),
        Err(e) => e.into_bytes(),
    };
    match bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        true => Err(std::io::Error::new(ErrorKind::InvalidData, "it is UTF-16; save it as UTF-8")),
        false => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// Whether there is certainly nothing. What cannot be looked at may be there.
pub fn is_missing(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false))
}

/// The bytes of a regular file of at most `max`. Links are followed; a pipe or device is refused and blocks nobody.
pub fn read_bytes(path: &Path, max: u64) -> std::io::Result<Vec<u8>> {
    let too_large = || std::io::Error::other(format!("larger than {} MiB", max >> 20));
    let file = open_regular(path)?;
    let length = file.metadata()?.len();
    if length > max {
        return Err(too_large());
    }
    let mut bytes = room(length);
    file.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max { Err(too_large()) } else { Ok(bytes) }
}

/// Opens a regular file for reading; anything else is refused, and blocks nobody. Links are followed.
pub fn open_regular(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(std::io::Error::new(ErrorKind::InvalidInput, "not a regular file; move it away")),
    }
}

/// Whether a file could not be opened for what is short in this moment: descriptors or memory.
pub fn is_short(e: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let short = [Errno::MFILE, Errno::NFILE, Errno::NOMEM];
    short.iter().any(|errno| e.raw_os_error() == Some(errno.raw_os_error()))
}

/// The last bytes of a regular file, at most so many.
pub fn read_end(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let mut file = open_regular(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(most)))?;
    let mut end = Vec::new();
    file.take(most).read_to_end(&mut end)?;
    Ok(end)
}

/// Options that create files with mode 0600.
pub fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

/// A name beside `path` that no other writer uses at the same time.
fn temp_path(path: &Path) -> PathBuf {
    use crate::counter::AtomicU64;
    use std::sync::atomic::Ordering;
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
    fn a_file_is_replaced_only_if_that_is_still_right_when_all_is_ready() {
        use std::os::unix::fs::MetadataExt;
        let dir = std::env::temp_dir().join(format!("over-{}", std::process::id()));
        let path = dir.join("file");
        write_atomic(&path, b"one").unwrap();
        let put =
            |right: &dyn Fn() -> bool| write_over_if(&path, |file| file.write_all(b"two"), right).unwrap();
        let ready = || std::fs::read_dir(&dir).unwrap().count();
        let refused = put(&|| {
            assert_eq!(ready(), 2, "asked when the new one is ready");
            false
        });
        assert!(refused.is_none() && ready() == 1 && std::fs::read(&path).unwrap() == b"one");
        let made = put(&|| true).unwrap();
        let now = std::fs::metadata(&path).unwrap();
        assert_eq!((made.ino(), made.len(), made.mtime_nsec()), (now.ino(), 3, now.mtime_nsec()));
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
}
