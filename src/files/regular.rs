//! Opening files of the state directory that must be regular files: no symbolic link is followed and no pipe
//! can block a reader (SEC-12, SEC-13). Also the bounded wait for a file's kernel lock (R-09a, R-09b).
use super::quirks;
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// No one waits longer than this for another process that holds a file's lock.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// Opens for reading; `None` when nothing is there.
pub fn read(path: &Path) -> Result<Option<File>> {
    match checked(OpenOptions::new().read(true), path) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Opens for reading and writing, created empty with mode 0600 if missing; wider modes are narrowed (R-22c).
pub fn write(path: &Path) -> Result<File> {
    let file = checked(OpenOptions::new().read(true).write(true).create(true).mode(0o600), path)?;
    quirks::narrow(&file)?;
    Ok(file)
}

/// Takes the exclusive lock of an open file; it ends with the file.
pub fn lock(file: &File, path: &Path) -> Result<()> {
    let started = Instant::now();
    while !quirks::lock(file, path)? {
        if started.elapsed() >= LOCK_WAIT {
            return Err(Error::new(ErrorKind::WouldBlock, "another process holds its lock, try again"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn checked(options: &mut OpenOptions, path: &Path) -> Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let no_file = || Error::new(ErrorKind::InvalidInput, "not a regular file, move it away");
    match options.custom_flags(flags.bits().cast_signed()).open(path) {
        Ok(file) if file.metadata()?.is_file() => Ok(file),
        Ok(_) => Err(no_file()),
        Err(e) if e.kind() == ErrorKind::IsADirectory => Err(no_file()),
        Err(_) if path.is_symlink() => Err(Error::new(
            ErrorKind::InvalidInput,
            "a link, which is not followed; put the file itself in its place",
        )),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A transcript that is a link is told as that, with what to do, and its target stays as it is.
    #[test]
    fn links_pipes_and_folders_are_told_as_what_they_are() {
        let dir = std::env::temp_dir().join(format!("regular-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("target"), "kept").unwrap();
        std::os::unix::fs::symlink("target", dir.join("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", dir.join("dangling")).unwrap();
        let link = "a link, which is not followed; put the file itself in its place";
        for (name, want) in [("link", link), ("dangling", link), (".", "not a regular file, move it away")] {
            let told = [read(&dir.join(name)).unwrap_err(), write(&dir.join(name)).unwrap_err()];
            told.iter().for_each(|e| assert_eq!(e.to_string(), want, "{name}"));
        }
        assert!(read(&dir.join("none")).unwrap().is_none() && !dir.join("nowhere").exists());
        assert_eq!(std::fs::read_to_string(dir.join("target")).unwrap(), "kept");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
