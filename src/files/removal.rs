//! A directory is removed with all that is in it, however deep: programs that nobody trusts have filled it.
//!
//! Neither the stack nor the number of open files grows with the depth: what lies in a directory below the top is
//! brought up to it under a number and taken from there. No link is followed. For the thread that owns the directory.
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, fchmod, openat, renameat, unlinkat};
use rustix::io::{Errno, Result};
use std::ffi::CStr;
use std::path::Path;

/// What one call takes away or moves; the rest stays for the next.
const MOST: u64 = 5_000_000;

/// Removes `dir`; that there is none is well.
pub fn remove_tree(dir: &Path) -> std::io::Result<()> {
    let top = match open(CWD, dir) {
        Err(Errno::NOENT) => return Ok(()),
        opened => opened?,
    };
    let mut work = Work { top, number: 0, left: MOST, failed: None, inside: String::new() };
    while work.pass()? {}
    if work.left == 0 {
        return Err(std::io::Error::other("there is more in it than is removed at once"));
    }
    match work.failed {
        Some((place, e)) => {
            let why = std::io::Error::from(e);
            Err(std::io::Error::new(why.kind(), format!("{place} stays: {why}")))
        }
        None => Ok(unlinkat(CWD, dir, AtFlags::REMOVEDIR)?),
    }
}

struct Work {
    top: OwnedFd,
    /// The last one that a directory was brought up under.
    number: u64,
    left: u64,
    /// What stayed in the last pass, and why.
    failed: Option<(String, Errno)>,
    /// In the directory that could not be emptied.
    inside: String,
}

impl Work {
    /// Takes each entry of the top; whether another look is worth it.
    fn pass(&mut self) -> Result<bool> {
        let before = self.left;
        self.failed = None;
        let mut entries = Dir::read_from(&self.top)?;
        while let Some(entry) = entries.read().filter(|_| self.left > 0) {
            let entry = entry?;
            let name = entry.file_name();
            if is_child(name)
                && let Err(e) = remove(&self.top, name).or_else(|e| as_file(e, self.empty(name)))
            {
                let inside = std::mem::take(&mut self.inside);
                self.failed = Some((format!("{}{inside}", name.to_string_lossy()), e));
            } else if is_child(name) {
                self.left = self.left.saturating_sub(1);
            }
        }
        Ok(self.left > 0 && self.left < before)
    }

    /// A directory in the top: its files go, its directories come up.
    fn empty(&mut self, name: &CStr) -> Result<()> {
        let dir = open(&self.top, name)?;
        let mut entries = Dir::read_from(&dir)?;
        while let Some(entry) = entries.read().filter(|_| self.left > 0) {
            let entry = entry?;
            let child = entry.file_name();
            if is_child(child) {
                let removed = remove(&dir, child).or_else(|e| as_file(e, self.bring_up(&dir, child)));
                removed.inspect_err(|_| self.inside = format!("/{}", child.to_string_lossy()))?;
                self.left = self.left.saturating_sub(1);
            }
        }
        remove(&self.top, name)
    }

    fn bring_up(&mut self, dir: &OwnedFd, child: &CStr) -> Result<()> {
        // To move a directory it must be writable.
        drop(open(dir, child)?);
        loop {
            self.number += 1;
            match renameat(dir, child, &self.top, format!("removing-{}", self.number)) {
                // Another has that name.
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) if self.number < MOST => {}
                done => return done,
            }
        }
    }
}

fn is_child(name: &CStr) -> bool {
    ![&b"."[..], b".."].contains(&name.to_bytes())
}

/// A file, a link or an empty directory.
fn remove(dir: &OwnedFd, name: &CStr) -> Result<()> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Err(e @ (Errno::ISDIR | Errno::PERM)) => as_file(e, unlinkat(dir, name, AtFlags::REMOVEDIR)),
        done => done,
    }
}

/// What became of something that could not be removed as a file for `e` and was then taken for a directory.
fn as_file(e: Errno, taken: Result<()>) -> Result<()> {
    match taken {
        Err(Errno::NOTDIR | Errno::LOOP) => Err(e),
        taken => taken,
    }
}

/// A directory, which is made readable and writable where it is not.
fn open<P: rustix::path::Arg + Copy>(at: impl AsFd, name: P) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = match openat(&at, name, flags, Mode::empty()) {
        Err(Errno::ACCESS) => {
            unlock(&at, name)?;
            openat(&at, name, flags, Mode::empty())
        }
        opened => opened,
    }?;
    // Where it fails the removal says so.
    let _ = fchmod(&opened, Mode::RWXU);
    Ok(opened)
}

#[cfg(target_os = "linux")]
fn unlock(at: impl AsFd, name: impl rustix::path::Arg) -> Result<()> {
    use std::os::fd::AsRawFd;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = openat(at, name, flags, Mode::empty())?;
    rustix::fs::chmod(format!("/proc/self/fd/{}", found.as_raw_fd()), Mode::RWXU)
}

#[cfg(not(target_os = "linux"))]
fn unlock(at: impl AsFd, name: impl rustix::path::Arg) -> Result<()> {
    rustix::fs::chmodat(at, name, Mode::RWXU, AtFlags::SYMLINK_NOFOLLOW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;
    use rustix::fs::mkdirat;
    use std::os::unix::fs::symlink;

    /// Directories in directories, with a file in each.
    fn dig(root: &Path, levels: usize) {
        std::fs::create_dir_all(root).unwrap();
        let mut at = open(CWD, root).unwrap();
        for _ in 0..levels {
            mkdirat(&at, "a", Mode::RWXU).unwrap();
            openat(&at, "f", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
            at = open(&at, "a").unwrap();
        }
    }

    #[test]
    fn i13_4_what_is_deep_is_removed_on_a_small_stack() {
        let dir = Dir::new();
        let (root, other) = (dir.path("x"), dir.path("other"));
        dig(&root, 3000);
        dig(&root.join("second"), 3000);
        dir.write("other/kept", "x");
        symlink(&other, root.join("link")).unwrap();
        symlink(&other, root.join("second/link")).unwrap();
        std::fs::create_dir_all(root.join("removing-1/full")).unwrap();
        std::fs::write(root.join("removing-2"), "x").unwrap();
        std::fs::set_permissions(root.join("second"), std::os::unix::fs::PermissionsExt::from_mode(0o0))
            .unwrap();
        let path = root.clone();
        let removed = std::thread::Builder::new().stack_size(64 << 10).spawn(move || remove_tree(&path));
        removed.unwrap().join().unwrap().unwrap();
        assert!(!root.exists() && other.join("kept").exists());
        remove_tree(&root).unwrap();
        // A link in its place is not followed.
        symlink(&other, &root).unwrap();
        assert!(remove_tree(&root).is_err());
        assert!(other.join("kept").exists());
    }
}
