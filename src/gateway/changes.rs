//! Changes of a few files, seen through their directories, so that a rename over a file, a new directory in the place
//! of an old one and a file that appears later are seen too.
//!
//! Used by the watcher's thread alone. Linux tells of changes (inotify); elsewhere, and where it refuses to, the files
//! are looked at every second. So is one that is a mount of its own (`docker -v file`): it changes elsewhere, and its
//! directory hears nothing.
use crate::config::Stamp;
use crate::error::{Error, Result};
use crate::threads;
use rustix::event::{PollFd, PollFlags};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(1);

/// Of the thread that closes.
const STACK: usize = 64 << 10;

/// What ended a wait.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    Change,
    /// The time is up.
    Nothing,
    /// The watcher is to end.
    Stop,
}

pub struct Changes {
    files: Vec<PathBuf>,
    source: Source,
    /// Readable or closed when the watcher is to end.
    stop: UnixStream,
}

impl Changes {
    pub fn of(files: Vec<PathBuf>, stop: UnixStream) -> Changes {
        let source = Source::of(&files);
        Changes { files, source, stop }
    }

    /// Looks where the files are now: directories may have come, gone or been replaced since.
    pub fn renew(&mut self, files: Vec<PathBuf>) {
        self.source = Source::of(&files);
        self.files = files;
    }

    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Blocks until one of the files may have changed, at most `time`.
    pub fn wait(&mut self, time: Option<Duration>) -> Result<Seen> {
        let until = time.map(|time| Instant::now() + time);
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(Seen::Nothing);
            }
            if self.is_stopped(left)? {
                return Ok(Seen::Stop);
            }
            if self.source.has_changed(&self.files)? {
                return Ok(Seen::Change);
            }
        }
    }

    /// Waits for the source or the stop; whether it is the stop.
    fn is_stopped(&self, left: Option<Duration>) -> Result<bool> {
        let left = [left, self.source.rest()].into_iter().flatten().min();
        let mut fds = [PollFd::new(&self.stop, PollFlags::IN), self.source.poll_fd(&self.stop)];
        match crate::sys::poll(&mut fds, left) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {
                let [stop, _] = &fds;
                Ok(!stop.revents().is_empty())
            }
            Err(e) => Err(Error::io("wait for changes of the configuration", e.into())),
        }
    }
}

/// The kernel takes some ten milliseconds to close an inotify descriptor, for which a restart need not wait.
impl Drop for Changes {
    fn drop(&mut self) {
        let source = std::mem::replace(&mut self.source, Source::Looking(Vec::new()));
        // Without a thread it is closed here and now.
        let _ = threads::bare("gw-unwatch", STACK, move || drop(source));
    }
}

/// The directories in which a change of `file` shows: its own and the one around it, as written and as links lead
/// there; of those that do not exist the nearest that does. With the name to look for.
#[cfg(target_os = "linux")]
fn places(file: &Path) -> Vec<(PathBuf, std::ffi::OsString)> {
    let real = std::fs::canonicalize(file).ok().filter(|real| real != file);
    let mut places = Vec::new();
    for path in std::iter::once(file.to_path_buf()).chain(real) {
        let mut existing = 0;
        for (dir, inside) in path.ancestors().skip(1).zip(path.ancestors()) {
            let Some(name) = inside.file_name() else { continue };
            if dir.is_dir() {
                places.push((dir.to_path_buf(), name.to_os_string()));
                existing += 1;
            }
            if existing == 2 {
                break;
            }
        }
    }
    places
}

/// How changes are seen.
enum Source {
    #[cfg(target_os = "linux")]
    Told(Told),
    Looking(Vec<Stamp>),
}

impl Source {
    /// Where the system refuses to tell, for want of descriptors or watches, the files are looked at.
    fn of(files: &[PathBuf]) -> Source {
        #[cfg(target_os = "linux")]
        match files.iter().find(|file| is_mount(file)) {
            Some(file) => {
                crate::logging::debug!(target: "gateway/reload", "{} is a mount of its own: it is looked at every second", file.display())
            }
            None => match Told::of(files) {
                Ok(told) => return Source::Told(told),
                Err(e) => {
                    use std::sync::atomic::{AtomicBool, Ordering};
                    static SAID: AtomicBool = AtomicBool::new(false);
                    if !SAID.swap(true, Ordering::Relaxed) {
                        log::warn!(target: "gateway/reload", "the system does not tell of changes of the configuration ({e}): its files are looked at every second");
                    }
                }
            },
        }
        Source::Looking(stamps(files))
    }

    /// The longest time between two looks.
    fn rest(&self) -> Option<Duration> {
        matches!(self, Source::Looking(_)).then_some(LOOK)
    }

    fn poll_fd<'a>(&'a self, stop: &'a UnixStream) -> PollFd<'a> {
        match self {
            #[cfg(target_os = "linux")]
            Source::Told(told) => PollFd::new(&told.inotify, PollFlags::IN),
            Source::Looking(_) => PollFd::new(stop, PollFlags::IN),
        }
    }

    fn has_changed(&mut self, files: &[PathBuf]) -> Result<bool> {
        match self {
            #[cfg(target_os = "linux")]
            Source::Told(told) => told.has_changed(),
            Source::Looking(seen) => {
                let now = stamps(files);
                Ok(std::mem::replace(seen, now) != *seen)
            }
        }
    }
}

/// Whether a file is where something is mounted; kernels before 5.8 do not say it.
#[cfg(target_os = "linux")]
fn is_mount(file: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    statx(CWD, file, AtFlags::empty(), StatxFlags::TYPE)
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    files.iter().map(|file| Stamp::of(file)).collect()
}

#[cfg(target_os = "linux")]
struct Told {
    inotify: std::os::fd::OwnedFd,
    /// Watch descriptors with the names that count in their directories.
    names: Vec<(i32, std::ffi::OsString)>,
}

#[cfg(target_os = "linux")]
impl Told {
    fn of(files: &[PathBuf]) -> std::io::Result<Told> {
        use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
        use rustix::io::Errno;
        let inotify = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        // What is watched twice for two names is told what either needs.
        let names_only = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::MASK_ADD;
        let all = names_only | WatchFlags::CLOSE_WRITE | WatchFlags::MODIFY;
        let mut names = Vec::new();
        for (dir, name) in files.iter().flat_map(|file| places(file)) {
            // A directory on the way to the file comes and goes; what is written beside it, such as all of a home, is nothing.
            let flags = if dir.join(&name).is_dir() { names_only } else { all };
            match add_watch(&inotify, &dir, flags) {
                Ok(watch) => names.push((watch, name)),
                // A directory that goes away in this moment shows in the one around it.
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                // The one around the file's own may be somebody else's.
                Err(Errno::ACCESS) if dir.join(&name).is_dir() => {}
                Err(e) => return Err(e.into()),
            }
        }
        match names.is_empty() {
            true => Err(std::io::Error::other("no directory can be watched")),
            false => Ok(Told { inotify, names }),
        }
    }

    fn has_changed(&mut self) -> Result<bool> {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = rustix::fs::inotify::Reader::new(&self.inotify, &mut buffer);
        let mut is_ours = false;
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| name.to_bytes());
                    let is_meant = |(watch, wanted): &(i32, std::ffi::OsString)| {
                        *watch == event.wd() && name == Some(wanted.as_encoded_bytes())
                    };
                    // Without a watch there were too many events to tell: look.
                    is_ours |= event.wd() < 0 || self.names.iter().any(is_meant);
                }
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(is_ours),
                Err(e) => return Err(Error::io("watch the configuration for changes", e.into())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    #[test]
    fn changes_of_every_kind_are_seen_and_others_are_not() {
        let dir = Dir::new();
        dir.write("conf/a.json", "{}");
        let (_stop, stopped) = UnixStream::pair().unwrap();
        let file = dir.path("conf/a.json");
        let mut changes = Changes::of(vec![file.clone()], stopped);
        let seen = |changes: &mut Changes| {
            let seen =
                changes.wait(Some(Duration::from_millis(if cfg!(target_os = "linux") { 60 } else { 1500 })));
            changes.renew(vec![file.clone()]);
            seen.unwrap() == Seen::Change
        };
        assert!(!seen(&mut changes));
        dir.write("conf/other.json", "{}");
        assert!(!seen(&mut changes), "another file");
        dir.write("conf/a.json", "{x: 1}");
        assert!(seen(&mut changes), "written");
        dir.write("conf/new.json", "{y: 2}");
        std::fs::rename(dir.path("conf/new.json"), dir.path("conf/a.json")).unwrap();
        assert!(seen(&mut changes), "renamed over");
        std::fs::rename(dir.path("conf"), dir.path("old")).unwrap();
        assert!(seen(&mut changes), "directory gone");
        dir.write("conf/a.json", "{z: 3}");
        assert!(seen(&mut changes), "directory new");
        std::fs::remove_file(dir.path("conf/a.json")).unwrap();
        assert!(seen(&mut changes), "removed");
        dir.write("conf/a.json", "{z: 3}");
        assert!(seen(&mut changes), "there again");
    }

    #[test]
    fn a_stop_ends_the_wait() {
        let (stop, stopped) = UnixStream::pair().unwrap();
        let dir = Dir::new();
        dir.write("a.json", "{}");
        let mut changes = Changes::of(vec![dir.path("a.json")], stopped);
        drop(stop);
        assert_eq!(changes.wait(None).unwrap(), Seen::Stop);
    }
}
