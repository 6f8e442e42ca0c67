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
    use super::{PathBuf, Result, Walls};
    use crate::error::Error;
    use crate::sys::cage::{self, Cage, Rules};
    use crate::sys::filter;
    use rustix::fs::{Mode, OFlags, open};
    use std::os::fd::AsFd;
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
            around.allow(&path, READ, 0);
        }
        // Root could read there what is for root only.
        let is_root = rustix::process::geteuid().is_root();
        around.allow(Path::new(SETTINGS), READ, if is_root { 2 } else { 0 });
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
        /// Allows a place without what is hidden beneath it. In the first `public` levels only what everybody may read is.
        fn allow(&self, path: &Path, rights: u64, public: u32) {
            if let Ok(meta) = path.symlink_metadata() {
                self.found(path, meta.is_dir(), rights, public);
            }
        }

        fn found(&self, path: &Path, is_dir: bool, rights: u64, public: u32) {
            if self.hidden.iter().any(|hidden| path.starts_with(hidden)) {
                return;
            }
            let is_apart = public > 0 && is_dir;
            if is_apart || self.hidden.iter().any(|hidden| hidden.starts_with(path)) {
                self.children(path, rights, public);
            } else {
                self.add(path, is_dir, rights);
            }
        }

        /// What the command is there for, wherever it lies.
        fn own(&self, path: &Path, rights: u64) {
            match self.hidden.iter().any(|hidden| hidden.starts_with(path)) {
                true => self.children(path, rights, 0),
                false => self.add(path, path.is_dir(), rights),
            }
        }

        /// For root these are hundreds, for each command: no more is asked of one than its mode, and that only where it counts.
        fn children(&self, path: &Path, rights: u64, public: u32) {
            use std::os::unix::fs::MetadataExt;
            for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
                let Ok(kind) = entry.file_type() else { continue };
                let needed = if kind.is_dir() { 0o5 } else { 0o4 };
                let is_public = || entry.metadata().is_ok_and(|meta| meta.mode() & needed == needed);
                if !kind.is_symlink() && (public == 0 || is_public()) {
                    self.found(&entry.path(), kind.is_dir(), rights, public.saturating_sub(1));
                }
            }
        }

        /// What is not there, or cannot be looked at, is not reached either. What has become another kind of thing meanwhile
        /// gets the rights of a file at most.
        fn add(&self, path: &Path, is_dir: bool, rights: u64) {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let Ok(place) = open(path, flags, Mode::empty()) else { return };
            let rights = if is_dir { rights } else { rights & cage::OF_FILE };
            let _ = self.rules.allow(place.as_fd(), rights);
        }
    }
}
