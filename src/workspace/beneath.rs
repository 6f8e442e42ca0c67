//! Files below a directory that others may name: no name leads out of it, no link is followed (SEC-13).
//!
//! For whichever thread does the work; never the state thread. Linux does the whole check in one `openat2`; where
//! that is missing the path is walked part by part without following links, so no race can slip a link in between.
use crate::counter::AtomicU64;
use crate::error::{Error, Result};
use crate::files::quirks;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::Ordering;

/// Entries of one directory that `list` looks at.
const MAX_LISTED: usize = 10_000;

/// What is known of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub size: u64,
    /// Last change in epoch milliseconds.
    pub modified_ms: u64,
    pub is_dir: bool,
}

/// The way from `dir` to what `text` names: relative, or absolute inside `dir`. Refuses `..`, `~`, NUL and anything
/// outside. Purely by name; nothing is looked at.
pub fn relative(dir: &Path, text: &str) -> Result<PathBuf> {
    let text = text.trim();
    let path = Path::new(text);
    let inside = if path.is_absolute() { path.strip_prefix(dir).ok() } else { Some(path) };
    let inside = inside.filter(|_| !text.starts_with('~') && !text.is_empty());
    inside.and_then(plain).ok_or_else(|| {
        let shown: String = text.chars().take(200).collect();
        Error::invalid(format!(
            "path {shown:?} is not inside {}: name a file below it, without \"..\" and \"~\"",
            dir.display()
        ))
    })
}

/// A regular file, open for reading; `None` when there is none of that name.
pub fn open_file(dir: &Path, relative: &Path) -> Result<Option<File>> {
    let failed = |e: Errno| failure("read", relative, e);
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match root(dir)
        .and_then(|root| open(&root, &checked("read", relative)?, flags).map_err(Into::into))
    {
        Ok(fd) => File::from(fd),
        Err(Stop::Errno(Errno::NOENT)) => return Ok(None),
        Err(Stop::Errno(e)) => return Err(failed(e)),
        Err(Stop::Refused(e)) => return Err(e),
    };
    let doing = || format!("read {}", relative.display());
    if !file.metadata().map_err(|e| Error::io(doing(), e))?.is_file() {
        return Err(Error::invalid(format!("{}: it is not a regular file, name one that is", doing())));
    }
    Ok(Some(file))
}

/// Replaces a file (mode 0600) at once, or makes it and the directories (0700) that lead there. What stands there
/// under that name must be a regular file.
pub fn write(dir: &Path, relative: &Path, bytes: &[u8]) -> Result<()> {
    let done = (|| {
        let path = checked("write", relative)?;
        let name = path.file_name().ok_or(Errno::INVAL)?;
        let parent = make_parents(root(dir)?, path.parent().unwrap_or(Path::new("")))?;
        match statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::Symlink => {
                return Err(Errno::LOOP.into());
            }
            Ok(found) if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile => {
                let text = format!("write {}: what stands there is no regular file", relative.display());
                return Err(Stop::Refused(Error::invalid(text)));
            }
            Ok(_) | Err(Errno::NOENT) => {}
            Err(e) => return Err(e.into()),
        }
        replace(&parent, name, bytes)
    })();
    done.map_err(|stop| stop.error("write", relative))
}

/// Removes a regular file.
pub fn remove(dir: &Path, relative: &Path) -> Result<()> {
    match stat(dir, relative)? {
        Some(found) if !found.is_dir => {}
        Some(_) => {
            let text = format!("remove {}: it is a directory, name a file", relative.display());
            return Err(Error::invalid(text));
        }
        None => return Err(Error::not_found(format!("there is no file {}", relative.display()))),
    }
    let done = (|| {
        let path = checked("remove", relative)?;
        let name = path.file_name().ok_or(Errno::INVAL)?;
        let parent = open_dir(&root(dir)?, path.parent().unwrap_or(Path::new("")))?;
        unlinkat(&parent, name, AtFlags::empty())?;
        // What cannot be made durable is gone all the same.
        let _ = quirks::sync_dir_at(&parent);
        Ok(())
    })();
    done.map_err(|stop: Stop| stop.error("remove", relative))
}

/// What stands there; `None` when nothing does. A link counts as a refusal, not as what it names.
pub fn stat(dir: &Path, relative: &Path) -> Result<Option<Stat>> {
    let found = (|| {
        let path = checked("look at", relative)?;
        let name = path.file_name().ok_or(Errno::INVAL)?;
        let parent = open_dir(&root(dir)?, path.parent().unwrap_or(Path::new("")))?;
        let found = statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(found.st_mode) == FileType::Symlink {
            return Err(Errno::LOOP.into());
        }
        Ok(to_stat(&found))
    })();
    match found {
        Ok(stat) => Ok(Some(stat)),
        Err(Stop::Errno(Errno::NOENT)) => Ok(None),
        Err(stop) => Err(stop.error("look at", relative)),
    }
}

/// Regular files and directories in a directory, by name; `""` is `dir` itself. Links and devices are left out, and
/// so are names that are not UTF-8. Empty when there is no such directory.
pub fn list(dir: &Path, relative: &Path) -> Result<Vec<(String, Stat)>> {
    let listed = (|| {
        let path = if relative.as_os_str().is_empty() { PathBuf::new() } else { checked("list", relative)? };
        let fd = open_dir(&root(dir)?, &path)?;
        let mut found = Vec::new();
        for entry in Dir::read_from(&fd)?.take(MAX_LISTED) {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name == "." || name == ".." {
                continue;
            }
            // One that vanished meanwhile is no failure.
            let Ok(stat) = statat(&fd, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            if matches!(FileType::from_raw_mode(stat.st_mode), FileType::RegularFile | FileType::Directory) {
                found.push((name.to_string(), to_stat(&stat)));
            }
        }
        crate::order::by(&mut found, |a, b| a.0.cmp(&b.0));
        Ok(found)
    })();
    match listed {
        Err(Stop::Errno(Errno::NOENT)) => Ok(Vec::new()),
        listed => listed.map_err(|stop| stop.error("list", relative)),
    }
}

/// Why a step was not taken.
enum Stop {
    Errno(Errno),
    Refused(Error),
}

impl From<Errno> for Stop {
    fn from(e: Errno) -> Stop {
        Stop::Errno(e)
    }
}

impl Stop {
    fn error(self, doing: &str, path: &Path) -> Error {
        match self {
            Stop::Errno(e) => failure(doing, path, e),
            Stop::Refused(e) => e,
        }
    }
}

fn failure(doing: &str, path: &Path, e: Errno) -> Error {
    let shown = path.display();
    match e {
        Errno::LOOP | Errno::XDEV | Errno::NOTDIR => Error::invalid(format!(
            "{doing} {shown}: the path leads through a link or something that is no directory; name a plain path"
        )),
        Errno::NOENT => Error::not_found(format!("{doing} {shown}: there is no such directory")),
        Errno::ISDIR => Error::invalid(format!("{doing} {shown}: it is a directory, name a file in it")),
        e => Error::io(format_args!("{doing} {shown}"), e.into()),
    }
}

/// The path of plain names only, `.` left out; `None` for any other, and for one that names nothing.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) if !name.as_encoded_bytes().contains(&0) => plain.push(name),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (!plain.as_os_str().is_empty()).then_some(plain)
}

fn checked(doing: &str, path: &Path) -> std::result::Result<PathBuf, Stop> {
    plain(path).ok_or_else(|| {
        Stop::Refused(Error::invalid(format!(
            "{doing} {:?}: it must be a path below its directory",
            path.display().to_string()
        )))
    })
}

const DIR_FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The directory itself, which its owner may well have made a link.
fn root(dir: &Path) -> std::result::Result<OwnedFd, Stop> {
    Ok(rustix::fs::open(dir, DIR_FLAGS, Mode::empty())?)
}

fn open_dir(root: &OwnedFd, path: &Path) -> std::result::Result<OwnedFd, Stop> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    Ok(open(root, path, DIR_FLAGS)?)
}

/// Opens an existing path of plain names below `root`.
fn open(root: &OwnedFd, path: &Path, flags: OFlags) -> std::result::Result<OwnedFd, Errno> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{ResolveFlags, openat2};
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            // Old kernels lack it, and some sandboxes forbid it.
            Err(Errno::NOSYS | Errno::PERM) => {}
            opened => return opened,
        }
    }
    walk(root, path, flags)
}

/// The same without `openat2`.
fn walk(root: &OwnedFd, path: &Path, flags: OFlags) -> std::result::Result<OwnedFd, Errno> {
    let leaf = path.file_name().unwrap_or(OsStr::new("."));
    let mut held: Option<OwnedFd> = None;
    for part in path.parent().into_iter().flat_map(Path::components) {
        let at = held.as_ref().unwrap_or(root);
        held = Some(openat(at, part.as_os_str(), DIR_FLAGS | OFlags::NOFOLLOW, Mode::empty())?);
    }
    let at = held.as_ref().unwrap_or(root);
    openat(at, leaf, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// Opens the directory at `path`, making what is missing.
fn make_parents(root: OwnedFd, path: &Path) -> std::result::Result<OwnedFd, Stop> {
    let mut at = root;
    for part in path.components() {
        match mkdirat(&at, part.as_os_str(), Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(e.into()),
        }
        at = openat(&at, part.as_os_str(), DIR_FLAGS | OFlags::NOFOLLOW, Mode::empty())?;
    }
    Ok(at)
}

/// Temp file beside it, fsync, rename, fsync of the directory.
fn replace(parent: &OwnedFd, name: &OsStr, bytes: &[u8]) -> std::result::Result<(), Stop> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let temp = format!(".openclaw-{}-{number}.tmp", std::process::id());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = openat(parent, &temp, flags, Mode::RUSR | Mode::WUSR)?;
    let mut file = File::from(fd);
    let written = file.write_all(bytes).and_then(|()| quirks::sync(&file));
    let written = written.map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO));
    if let Err(e) = written.and_then(|()| renameat(parent, &temp, parent, name)) {
        // The write already failed with `e`; nothing better can be done about the temp file.
        let _ = unlinkat(parent, &temp, AtFlags::empty());
        return Err(e.into());
    }
    Ok(quirks::sync_dir_at(parent).map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?)
}

fn to_stat(found: &rustix::fs::Stat) -> Stat {
    let ms = found.st_mtime.saturating_mul(1000).saturating_add(found.st_mtime_nsec as i64 / 1_000_000);
    Stat {
        size: u64::try_from(found.st_size).unwrap_or(0),
        modified_ms: u64::try_from(ms).unwrap_or(0),
        is_dir: FileType::from_raw_mode(found.st_mode) == FileType::Directory,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::{PermissionsExt, symlink};

    struct Temp(PathBuf);

    impl Drop for Temp {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn temp() -> Temp {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("beneath-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(dir.join("in")).unwrap();
        std::fs::write(dir.join("secret"), "s").unwrap();
        Temp(dir)
    }

    fn read(dir: &Path, relative: &Path, max: u64) -> Result<Option<Vec<u8>>> {
        let Some(file) = open_file(dir, relative)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(max).read_to_end(&mut bytes).unwrap();
        Ok(Some(bytes))
    }

    #[test]
    fn names_lead_inside_or_nowhere() {
        let dir = Path::new("/w/s");
        for (text, want) in [
            ("a.md", Some("a.md")),
            ("./a/b.md ", Some("a/b.md")),
            ("/w/s/a.md", Some("a.md")),
            ("/w/s", None),
            ("/w/sx/a", None),
            ("/etc/passwd", None),
            ("../s/a", None),
            ("a/../../b", None),
            ("/w/s/../x", None),
            ("~/a", None),
            ("~root", None),
            ("a\0b", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(relative(dir, text).ok().as_deref(), want.map(Path::new), "{text:?}");
        }
    }

    #[test]
    fn files_are_written_read_and_listed() {
        let temp = temp();
        let dir = temp.0.join("in");
        let path = Path::new("a/b/c.md");
        assert_eq!(read(&dir, path, 9).unwrap(), None);
        assert_eq!(stat(&dir, path).unwrap(), None);
        write(&dir, path, b"one").unwrap();
        write(&dir, path, b"second").unwrap();
        assert_eq!(read(&dir, path, 3).unwrap().unwrap(), b"sec");
        assert_eq!(stat(&dir, path).unwrap().unwrap().size, 6);
        let mode = |path: &str| std::fs::metadata(dir.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("a"), mode("a/b"), mode("a/b/c.md")), (0o700, 0o700, 0o600));
        let names =
            |path: &str| list(&dir, Path::new(path)).unwrap().into_iter().map(|f| f.0).collect::<Vec<_>>();
        assert_eq!(
            (names(""), names("a/b"), names("none").len()),
            (vec!["a".into()], vec!["c.md".to_string()], 0)
        );
        assert!(read(&dir, Path::new("a"), 9).is_err() && write(&dir, Path::new("a"), b"").is_err());
        assert!(write(&dir, Path::new("a/b/c.md/d"), b"").is_err());
        assert!(read(&temp.0.join("gone"), path, 9).unwrap().is_none());
    }

    #[test]
    fn sec_13_links_pipes_and_climbing_are_refused() {
        let temp = temp();
        let dir = temp.0.join("in");
        symlink(&temp.0, dir.join("up")).unwrap();
        symlink(temp.0.join("secret"), dir.join("leaf")).unwrap();
        symlink(temp.0.join("missing"), dir.join("dangling")).unwrap();
        symlink("/proc/self/cwd", dir.join("magic")).unwrap();
        let fifo = dir.join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
        for name in
            ["up/secret", "leaf", "dangling", "magic/x", "fifo", "../secret", "/etc/passwd", "", "a\0b"]
        {
            let path = Path::new(name);
            assert!(read(&dir, path, 9).is_err(), "read {name:?}");
            assert!(write(&dir, path, b"x").is_err(), "write {name:?}");
        }
        let fd = rustix::fs::open(&dir, DIR_FLAGS, Mode::empty()).unwrap();
        for name in ["up/secret", "leaf", "dangling", "magic/x"] {
            assert!(walk(&fd, Path::new(name), OFlags::RDONLY).is_err(), "walk {name:?}");
        }
        assert!(stat(&dir, Path::new("leaf")).is_err());
        assert!(!temp.0.join("missing").exists());
        assert_eq!(std::fs::read(temp.0.join("secret")).unwrap(), b"s");
        assert!(list(&dir, Path::new("")).unwrap().is_empty());
        assert!(list(&dir, Path::new("up")).is_err());
    }
}
