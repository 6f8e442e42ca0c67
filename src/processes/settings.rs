//! What everybody may read of a tree of the system's, for a gateway that is root: its commands are root as well, who could
//! read there what is for root only.
//!
//! Names are remembered, as to read directories costs more than all else: of a directory that has not changed for a while,
//! by the moment at which it did. What they are of is opened and judged by its own mode for each command, so that what
//! became private is not reached; what a list misses is not either. What was looked at is noted, so that the same is not done
//! twice (`cage.rs`). A static, for it is the system's and no generation's; locked for one look.
use super::seen::{Moment, Seen};
use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat};
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Directories whose names are remembered.
const MOST: usize = 2048;

type Names = Arc<[CString]>;

static KNOWN: Mutex<BTreeMap<PathBuf, (Place, Names)>> = Mutex::new(BTreeMap::new());

/// Which directory, and when it was changed.
type Place = (u64, u64, Moment);

/// What is given of a place.
pub enum Given {
    File,
    /// A directory with all in it, unseen.
    Whole,
    /// The names in a directory, and in those in it: all are for everybody.
    Names,
}

type Found<'a> = &'a mut dyn FnMut(&Path, BorrowedFd, Given);

/// Gives what everybody may read in `levels` levels of directories below this one, and those of the last level as a whole or
/// not at all.
pub fn each(path: &Path, levels: u32, is_whole: bool, seen: &mut Seen, found: Found) {
    if let Ok(place) = opened(CWD, path) {
        walk(&place, path, (levels, is_whole), seen, found);
    }
}

/// Whether all directories in it are for everybody.
fn walk(dir: &OwnedFd, path: &Path, (levels, is_whole): (u32, bool), seen: &mut Seen, found: Found) -> bool {
    let Ok(stat) = fstat(dir) else { return false };
    seen.listed(path, &stat);
    let mut is_open = true;
    for name in names(path, &stat).iter() {
        let Ok(place) = opened(dir.as_fd(), &**name) else { continue };
        let Ok(stat) = fstat(&place) else { continue };
        let path = path.join(OsStr::from_bytes(name.to_bytes()));
        seen.found(&path, &stat);
        let kind = FileType::from_raw_mode(stat.st_mode);
        let needed = if kind.is_dir() { Mode::ROTH | Mode::XOTH } else { Mode::ROTH };
        if kind.is_symlink() {
            continue;
        }
        match (Mode::from_raw_mode(stat.st_mode).contains(needed), kind.is_dir()) {
            (false, is_dir) => is_open &= !is_dir,
            (true, false) => found(&path, place.as_fd(), Given::File),
            (true, true) if levels > 1 => is_open &= walk(&place, &path, (levels - 1, is_whole), seen, found),
            (true, true) if is_whole => found(&path, place.as_fd(), Given::Whole),
            (true, true) => is_open = false,
        }
    }
    if is_open && !is_whole {
        found(path, dir.as_fd(), Given::Names);
    }
    is_open
}

fn opened(at: BorrowedFd, name: impl rustix::path::Arg) -> rustix::io::Result<OwnedFd> {
    openat(at, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// The names in a directory: those that are remembered, or as they are now.
fn names(path: &Path, stat: &Stat) -> Names {
    // Their types differ between architectures.
    #[allow(clippy::unnecessary_cast, reason = "see above")]
    let place = (stat.st_dev as u64, stat.st_ino as u64, Moment::of(stat));
    let lock = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, names)) = lock().get(path).filter(|(then, _)| *then == place) {
        return names.clone();
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    // Links lead to what has a name of its own, and are most of all names there.
    let names = entries.filter(|entry| !entry.file_type().is_ok_and(|kind| kind.is_symlink()));
    let names: Names = names.filter_map(|entry| CString::new(entry.file_name().into_vec()).ok()).collect();
    let mut known = lock();
    if known.len() >= MOST {
        known.clear();
    }
    match place.2.is_settled() {
        true => known.insert(path.to_path_buf(), (place, names.clone())),
        false => known.remove(path),
    };
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn found(dir: &Path) -> String {
        let mut all = Vec::new();
        each(dir, 2, true, &mut Seen::default(), &mut |path, _, _| {
            all.push(path.strip_prefix(dir).unwrap().display().to_string())
        });
        all.sort();
        all.join(" ")
    }

    #[test]
    fn i13_4_what_became_private_is_not_given_though_its_name_is_remembered() {
        let dir = std::env::temp_dir().join(format!("openclaw-settings-{}", std::process::id()));
        fs::create_dir_all(dir.join("app/deep")).unwrap();
        for (name, bits) in [("hosts", 0o644), ("shadow", 0o600), ("app/conf", 0o644), ("app/key", 0o640)] {
            fs::write(dir.join(name), "x").unwrap();
            mode(&dir.join(name), bits);
        }
        std::os::unix::fs::symlink("shadow", dir.join("link")).unwrap();
        [dir.join("app"), dir.join("app/deep")].iter().for_each(|dir| mode(dir, 0o755));
        assert_eq!(found(&dir), "app/conf app/deep hosts", "as it changed just now it is read anew");
        assert!(!KNOWN.lock().unwrap().contains_key(&dir));
        std::thread::sleep(std::time::Duration::from_secs(4));
        for _ in 0..2 {
            assert_eq!(found(&dir), "app/conf app/deep hosts");
            assert!(KNOWN.lock().unwrap().contains_key(&dir.join("app")));
        }
        let mut seen = Seen::default();
        each(&dir, 2, true, &mut seen, &mut |_, _, _| {});
        assert!(seen.holds());
        // Modes of files change nothing about their directory.
        mode(&dir.join("hosts"), 0o600);
        assert!(!seen.holds(), "nor is what was made of them used again");
        mode(&dir.join("shadow"), 0o644);
        assert_eq!(found(&dir), "app/conf app/deep shadow");
        fs::rename(dir.join("app/key"), dir.join("app/conf")).unwrap();
        fs::write(dir.join("app/new"), "x").unwrap();
        mode(&dir.join("app/new"), 0o644);
        assert_eq!(found(&dir), "app/deep app/new shadow", "another file in its place, and a new one");
        mode(&dir.join("app"), 0o700);
        assert_eq!(found(&dir), "shadow");
        fs::remove_dir_all(&dir).unwrap();
    }
}
