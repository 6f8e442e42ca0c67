//! Which files a command reaches: it reads the system, writes its workspace and a temporary directory of its own, and
//! finds nothing else. What is hidden stays so wherever it lies.
//!
//! Made on the thread that starts the command. The means are in `sys/cage.rs` and `sys/filter.rs`.
use crate::error::Result;
use std::path::PathBuf;

/// What is around one command.
#[derive(Clone, Default)]
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
    /// Whether this system can shut a command in.
    pub fn is_possible() -> bool {
        false
    }
}
#[cfg(target_os = "linux")]
pub use system::build;
pub use system::is_possible;

#[cfg(target_os = "linux")]
mod system {
    use super::super::settings;
    use super::{PathBuf, Result, Walls};
    use crate::error::Error;
    use crate::sys::cage::{self, Cage, Rules};
    use crate::sys::filter;
    use rustix::fs::{Mode, OFlags, open};
    use std::os::fd::{AsFd, BorrowedFd};
    use std::path::Path;

    /// Programs, libraries, settings, and what the kernel tells.
    const SYSTEM: &[&str] = &[
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/opt",
        "/nix",
        "/gnu",
        "/proc",
        "/sys/devices/system/cpu",
        "/run/current-system",
        "/run/systemd/resolve",
    ];
    const SETTINGS: &str = "/etc";
    /// Levels of it in which files are looked at one by one.
    const LEVELS: u32 = 2;
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

    pub fn build(walls: &Walls) -> Result<Cage> {
        let failed = |e: std::io::Error| Error::io("make the sandbox of a command", e);
        let rules = Rules::new().map_err(failed)?;
        let filter = filter::program(walls.has_network)
            .ok_or_else(|| Error::unavailable("this machine's architecture has no sandbox here"))?;
        let real = |path: &Path| path.canonicalize().ok();
        let hidden: Vec<PathBuf> = walls.hidden.iter().filter_map(|path| real(path)).collect();
        let around = Around { rules: &rules, hidden };
        let system = SYSTEM.iter().map(PathBuf::from);
        for path in system.chain(walls.path.iter().cloned()).filter_map(|path| real(&path)) {
            around.allow(&path, READ);
        }
        let path = Path::new(SETTINGS);
        match rustix::process::geteuid().is_root() {
            true => settings::each(path, LEVELS, &mut |path, place, is_dir| {
                around.found(path, READ, || around.opened(place, is_dir, READ))
            }),
            false => around.allow(path, READ),
        }
        for path in DEVICES {
            around.add(Path::new(path), false, DEVICE);
        }
        around.add(Path::new(ZERO), false, cage::READ_FILE);
        for (named, rights) in [(&walls.read, READ), (&walls.write, WRITE)] {
            for path in named.iter().filter_map(|path| real(path)) {
                around.own(&path, rights);
            }
        }
        Ok(rules.with_filter(filter))
    }

    struct Around<'a> {
        rules: &'a Rules,
        hidden: Vec<PathBuf>,
    }

    impl Around<'_> {
        /// Allows a place without what is hidden beneath it.
        fn allow(&self, path: &Path, rights: u64) {
            if let Ok(meta) = path.symlink_metadata() {
                self.found(path, rights, || self.add(path, meta.is_dir(), rights));
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
                false => self.add(path, path.is_dir(), rights),
            }
        }

        fn children(&self, path: &Path, rights: u64) {
            for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
                let Ok(kind) = entry.file_type() else { continue };
                if !kind.is_symlink() {
                    let path = entry.path();
                    self.found(&path, rights, || self.add(&path, kind.is_dir(), rights));
                }
            }
        }

        /// What is not there, or cannot be looked at, is not reached either. What has become another kind of thing meanwhile
        /// gets the rights of a file at most.
        fn add(&self, path: &Path, is_dir: bool, rights: u64) {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            if let Ok(place) = open(path, flags, Mode::empty()) {
                self.opened(place.as_fd(), is_dir, rights);
            }
        }

        fn opened(&self, place: BorrowedFd, is_dir: bool, rights: u64) {
            let rights = if is_dir { rights } else { rights & cage::OF_FILE };
            let _ = self.rules.allow(place, rights);
        }
    }
}
