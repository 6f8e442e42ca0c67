//! Which files a command reaches: it reads the system, writes its workspace and a temporary directory of its own, and
//! finds nothing else. What is hidden stays so wherever it lies.
//!
//! Made on the thread that starts the command, which most of its start was once: so the rules of one that has ended are kept
//! for the next, while all that they were made from is as it was (`seen.rs`). The means are in `sys/cage.rs` and
//! `sys/filter.rs`.
use crate::error::Result;
use std::path::PathBuf;

/// What is around one command.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Walls {
    /// Where programs are looked for.
    pub path: Vec<PathBuf>,
    /// What is read and what is written beside the system; the owner named it, so it may lie within what is hidden.
    pub read: Vec<PathBuf>,
    pub write: Vec<PathBuf>,
    pub hidden: Vec<PathBuf>,
    pub has_network: bool,
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub struct Made;

    /// Whether this system can shut a command in.
    pub fn is_possible() -> bool {
        false
    }

    pub fn keep(_: Made, _: &std::path::Path) {}
}
#[cfg(target_os = "linux")]
pub use system::build;
pub use system::{Made, is_possible, keep};

#[cfg(target_os = "linux")]
mod system {
    use super::super::seen::Seen;
    use super::super::settings::{self, Given};
    use super::{PathBuf, Result, Walls};
    use crate::error::Error;
    use crate::files;
    use crate::sys::cage::{self, Cage, Rules};
    use crate::sys::filter;
    use rustix::fs::{Mode, OFlags, open};
    use std::cell::RefCell;
    use std::os::fd::{AsFd, BorrowedFd};
    use std::path::Path;
    use std::sync::{Mutex, PoisonError};

    /// Programs, libraries, settings, and what the kernel tells.
    const SYSTEM: &[&str] = &[
        "/bin",
        "/sbin",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/nix",
        "/gnu",
        "/proc",
        "/sys/devices/system/cpu",
        "/run/current-system",
        "/run/systemd/resolve",
    ];
    /// Whole trees, but for a command of root's, whom no mode stops: of those as many levels are looked at file by file, and
    /// what lies deeper is reached as a whole or not at all.
    const TREES: &[(&str, u32, bool)] = &[
        ("/usr", 1, true),
        ("/usr/local", 2, true),
        ("/usr/local/etc", DEEPEST, false),
        ("/opt", 3, true),
        ("/etc", DEEPEST, false),
    ];
    const DEEPEST: u32 = 16;
    const DEVICES: &[&str] = &["/dev/null", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];
    /// Written to it would be memory that is shared and not counted.
    const ZERO: &str = "/dev/zero";

    const READ: u64 = cage::EXECUTE | cage::READ_FILE | cage::READ_DIR;
    const WRITE: u64 = READ | cage::WRITE_FILE | cage::REMOVE | cage::MAKE | cage::REFER | cage::TRUNCATE;
    const DEVICE: u64 = cage::READ_FILE | cage::WRITE_FILE | cage::IOCTL_DEV;

    /// Whether this system can shut a command in.
    pub fn is_possible() -> bool {
        cage::version() > 0 && filter::program(true).is_some()
    }

    /// Of one command after the other, each of which leaves the place of its temporary directory in them.
    const MOST_USES: u32 = 64;
    static KEPT: Mutex<Option<Made>> = Mutex::new(None);

    /// Rules, and what they were made from. Whoever has them is alone with them.
    pub struct Made {
        rules: Rules,
        walls: Walls,
        hidden: Vec<PathBuf>,
        seen: Seen,
        uses: u32,
    }

    /// What shuts in a command that has this temporary directory.
    pub fn build(walls: &Walls, temp: &Path) -> Result<(Cage, Made)> {
        let filter = filter::program(walls.has_network)
            .ok_or_else(|| Error::unavailable("this machine's architecture has no sandbox here"))?;
        let hidden: Vec<PathBuf> = walls.hidden.iter().filter_map(|path| path.canonicalize().ok()).collect();
        let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner).take();
        let fits = |made: &Made| made.walls == *walls && made.hidden == hidden && made.seen.holds();
        let mut made = match kept.filter(fits) {
            Some(made) => made,
            None => make(walls, hidden)?,
        };
        made.uses += 1;
        add(&made.rules, temp, true, WRITE);
        Ok((made.rules.with_filter(filter), made))
    }

    /// Keeps the rules of a command that has ended with all that it had started. Where its directory is left, the next one
    /// would find it.
    pub fn keep(made: Made, temp: &Path) {
        if made.uses < MOST_USES && files::is_missing(temp) {
            *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
        }
    }

    fn make(walls: &Walls, hidden: Vec<PathBuf>) -> Result<Made> {
        let rules = Rules::new().map_err(|e| Error::io("make the sandbox of a command", e))?;
        let around = Around { rules: &rules, hidden, seen: RefCell::default() };
        let system = SYSTEM.iter().map(PathBuf::from);
        for path in system.chain(walls.path.iter().cloned()) {
            around.led(&path, |real| around.allow(real, READ));
        }
        for (tree, levels, is_whole) in TREES {
            around.led(Path::new(tree), |real| match rustix::process::geteuid().is_root() {
                true => around.public(tree, real, *levels, *is_whole),
                false => around.allow(real, READ),
            });
        }
        for path in DEVICES {
            around.led(Path::new(path), |_| add(&rules, Path::new(path), false, DEVICE));
        }
        around.led(Path::new(ZERO), |_| add(&rules, Path::new(ZERO), false, cage::READ_FILE));
        for (named, rights) in [(&walls.read, READ), (&walls.write, WRITE)] {
            named.iter().for_each(|path| around.led(path, |real| around.own(real, rights)));
        }
        let Around { hidden, seen, .. } = around;
        Ok(Made { rules, walls: walls.clone(), hidden, seen: seen.into_inner(), uses: 0 })
    }

    struct Around<'a> {
        rules: &'a Rules,
        hidden: Vec<PathBuf>,
        seen: RefCell<Seen>,
    }

    impl Around<'_> {
        /// Does it with where a path leads to, if anything is there.
        fn led(&self, path: &Path, then: impl FnOnce(&Path)) {
            self.seen.borrow_mut().led(path);
            if let Ok(real) = path.canonicalize() {
                then(&real);
            }
        }

        /// Allows of a tree what is for everybody, and is of no other tree.
        fn public(&self, tree: &str, real: &Path, levels: u32, is_whole: bool) {
            if is_whole {
                // Programs look for their parts by name.
                self.allow(real, cage::READ_DIR);
            }
            let inner = |path: &Path| {
                TREES.iter().any(|(other, ..)| other.len() > tree.len() && path.starts_with(other))
            };
            let mut seen = Seen::default();
            settings::each(real, levels, is_whole, &mut seen, &mut |path, place, given| match given {
                _ if inner(path) => {}
                Given::File => self.found(path, READ, || opened(self.rules, place, false, READ)),
                Given::Whole => self.found(path, READ, || opened(self.rules, place, true, READ)),
                Given::Names if self.hidden.iter().any(|hidden| hidden.starts_with(path)) => {}
                Given::Names => opened(self.rules, place, true, cage::READ_DIR),
            });
            self.seen.borrow_mut().join(seen);
        }

        /// Allows a place without what is hidden beneath it.
        fn allow(&self, path: &Path, rights: u64) {
            if let Ok(meta) = path.symlink_metadata() {
                self.found(path, rights, || add(self.rules, path, meta.is_dir(), rights));
            }
        }

        fn found(&self, path: &Path, rights: u64, add: impl FnOnce()) {
            if self.hidden.iter().any(|hidden| path.starts_with(hidden)) {
                return;
            }
            match self.hidden.iter().any(|hidden| hidden.starts_with(path)) {
                true => self.children(path, rights),
                false => add(),
            }
        }

        /// What the command is there for, wherever it lies.
        fn own(&self, path: &Path, rights: u64) {
            match self.hidden.iter().any(|hidden| hidden.starts_with(path)) {
                true => self.children(path, rights),
                false => add(self.rules, path, path.is_dir(), rights),
            }
        }

        /// What comes to be there later is to be found by the next command.
        fn children(&self, path: &Path, rights: u64) {
            self.seen.borrow_mut().doubt();
            for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
                let Ok(kind) = entry.file_type() else { continue };
                if !kind.is_symlink() {
                    let path = entry.path();
                    self.found(&path, rights, || add(self.rules, &path, kind.is_dir(), rights));
                }
            }
        }
    }

    /// What is not there, or cannot be looked at, is not reached either. What has become another kind of thing meanwhile
    /// gets the rights of a file at most.
    fn add(rules: &Rules, path: &Path, is_dir: bool, rights: u64) {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if let Ok(place) = open(path, flags, Mode::empty()) {
            opened(rules, place.as_fd(), is_dir, rights);
        }
    }

    fn opened(rules: &Rules, place: BorrowedFd, is_dir: bool, rights: u64) {
        let rights = if is_dir { rights } else { rights & cage::OF_FILE };
        let _ = rules.allow(place, rights);
    }
}
