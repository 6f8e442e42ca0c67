//! Changes of the files below a folder, for whoever looks at its pages. Used by that connection's own thread; nothing is
//! watched while nobody looks.
//!
//! Linux tells of changes (inotify); elsewhere, and where it refuses to, the tree is looked at every second.
use rustix::event::{PollFd, PollFlags};
use std::collections::hash_map::DefaultHasher;
use std::fs::Metadata;
use std::hash::{Hash, Hasher};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Most files and folders that are looked at, and how deep.
const MOST: usize = 4000;
const DEPTH: usize = 12;
/// A page is read again when its files have been at rest for this long, or were never for the other.
const REST: Duration = Duration::from_millis(100);
const RESTLESS: Duration = Duration::from_secs(1);
/// Between two looks, and two looks at whether the page is still wanted.
const LOOK: Duration = Duration::from_secs(1);

/// What ended a wait.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    Change,
    /// The other end said something, or is gone.
    Word,
    Nothing,
}

pub struct Watch {
    root: PathBuf,
    #[cfg(target_os = "linux")]
    told: Option<told::Told>,
    /// What the tree looked like, where the system does not tell.
    seen: u64,
}

impl Watch {
    pub fn of(root: &Path) -> Watch {
        let mut watch = Watch {
            root: root.to_path_buf(),
            #[cfg(target_os = "linux")]
            told: told::Told::of(root),
            seen: 0,
        };
        if !watch.is_told() {
            watch.seen = look(root);
        }
        watch
    }

    /// Waits a moment for a change, or for a word from `other`.
    pub fn wait(&mut self, other: &impl AsFd) -> std::io::Result<Seen> {
        let seen = self.step(other, LOOK)?;
        if seen != Seen::Change {
            return Ok(seen);
        }
        let latest = Instant::now() + RESTLESS;
        while Instant::now() < latest {
            match self.step(other, REST)? {
                Seen::Change => {}
                Seen::Nothing => return Ok(Seen::Change),
                Seen::Word => return Ok(Seen::Word),
            }
        }
        Ok(Seen::Change)
    }

    fn step(&mut self, other: &impl AsFd, time: Duration) -> std::io::Result<Seen> {
        let mut fds = vec![PollFd::new(other, PollFlags::IN)];
        #[cfg(target_os = "linux")]
        fds.extend(self.told.as_ref().map(|told| PollFd::new(&told.inotify, PollFlags::IN)));
        match crate::sys::poll(&mut fds, Some(time)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        let (word, told) = (ready.next().unwrap_or_default(), ready.next().unwrap_or_default());
        drop(fds);
        Ok(match (word, told || self.is_different()) {
            (true, _) => Seen::Word,
            (_, true) => {
                self.take();
                Seen::Change
            }
            _ => Seen::Nothing,
        })
    }

    #[cfg(target_os = "linux")]
    fn is_told(&self) -> bool {
        self.told.is_some()
    }

    #[cfg(not(target_os = "linux"))]
    fn is_told(&self) -> bool {
        false
    }

    fn is_different(&mut self) -> bool {
        if self.is_told() {
            return false;
        }
        let now = look(&self.root);
        std::mem::replace(&mut self.seen, now) != now
    }

    /// Takes what was told, and watches folders that have come.
    fn take(&mut self) {
        #[cfg(target_os = "linux")]
        if self.told.as_ref().is_some_and(|told| !told.take(&self.root)) {
            // The folder itself has gone or been replaced.
            self.told = told::Told::of(&self.root);
            self.seen = look(&self.root);
        }
    }
}

/// A number that changes when a file does.
fn look(root: &Path) -> u64 {
    let mut hash = DefaultHasher::new();
    walk(root, &mut |path, found| {
        (path, found.mtime(), found.mtime_nsec(), found.size(), found.ino()).hash(&mut hash)
    });
    hash.finish()
}

/// Visits what is in a folder and those in it, following no link.
fn walk(root: &Path, visit: &mut dyn FnMut(&Path, &Metadata)) {
    let mut waiting = vec![(root.to_path_buf(), 0)];
    let mut left = MOST;
    while let Some((dir, depth)) = waiting.pop() {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(&dir)
            .into_iter()
            .flatten()
            .flatten()
            .take(left)
            .map(|entry| entry.path())
            .collect();
        entries.sort_unstable();
        left -= entries.len();
        for path in entries {
            let Ok(found) = std::fs::symlink_metadata(&path) else { continue };
            visit(&path, &found);
            if found.is_dir() && depth < DEPTH {
                waiting.push((path, depth + 1));
            }
        }
    }
}

#[cfg(target_os = "linux")]
mod told {
    use super::walk;
    use rustix::fd::OwnedFd;
    use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
    use std::mem::MaybeUninit;
    use std::path::Path;

    pub struct Told {
        pub inotify: OwnedFd,
    }

    impl Told {
        /// `None` where the system refuses to tell.
        pub fn of(root: &Path) -> Option<Told> {
            let inotify = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
            let told = Told { inotify };
            told.watch(root).then_some(told)
        }

        /// Watches the folder and those in it. Those that are watched stay so.
        fn watch(&self, root: &Path) -> bool {
            let flags = WatchFlags::CLOSE_WRITE
                | WatchFlags::CREATE
                | WatchFlags::DELETE
                | WatchFlags::MOVED_TO
                | WatchFlags::MOVED_FROM
                | WatchFlags::MOVE_SELF
                | WatchFlags::DELETE_SELF;
            let add = |dir: &Path, more: WatchFlags| add_watch(&self.inotify, dir, flags | more).is_ok();
            let mut all = add(root, WatchFlags::ONLYDIR);
            walk(root, &mut |path, found| {
                // One that is gone already shows in the folder around it.
                all &= !found.is_dir()
                    || add(path, WatchFlags::ONLYDIR | WatchFlags::DONT_FOLLOW)
                    || !path.exists();
            });
            all
        }

        /// Takes what was told; `false` when the root itself is not watched any more, or not all of it.
        pub fn take(&self, root: &Path) -> bool {
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut events = Reader::new(&self.inotify, &mut buffer);
            let (mut is_whole, mut has_folders) = (true, false);
            while let Ok(event) = events.next() {
                let flags = event.events();
                is_whole &= !flags
                    .intersects(ReadFlags::QUEUE_OVERFLOW | ReadFlags::MOVE_SELF | ReadFlags::DELETE_SELF);
                has_folders |= flags.contains(ReadFlags::ISDIR);
            }
            is_whole && (!has_folders || self.watch(root))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;
    use std::os::unix::net::UnixStream;

    fn seen(watch: &mut Watch) -> Seen {
        let (quiet, _other) = UnixStream::pair().unwrap();
        watch.wait(&quiet).unwrap()
    }

    #[test]
    fn i12_3_changes_below_a_folder_are_seen_told_of_or_not() {
        for is_told in [true, false] {
            let dir = Dir::new();
            dir.write("c/index.html", "1");
            let root = dir.path("c");
            let mut watch = Watch::of(&root);
            #[cfg(target_os = "linux")]
            if !is_told {
                watch.told = None;
                watch.seen = look(&root);
            }
            assert_eq!(seen(&mut watch), Seen::Nothing);
            for change in ["c/index.html", "c/new/deep/a.css", "c/new/deep/a.css"] {
                dir.write(change, &format!("{change} {:?}", Instant::now()));
                assert_eq!(seen(&mut watch), Seen::Change, "{change} told: {is_told}");
            }
            std::fs::remove_dir_all(&root).unwrap();
            assert_eq!(seen(&mut watch), Seen::Change, "gone, told: {is_told}");
            dir.write("c/index.html", "2");
            assert_eq!(seen(&mut watch), Seen::Change, "there again, told: {is_told}");
        }
        let mut nowhere = Watch::of(Path::new("/nonexistent/canvas"));
        assert_eq!(seen(&mut nowhere), Seen::Nothing);
        let (other, end) = UnixStream::pair().unwrap();
        drop(end);
        assert_eq!(nowhere.wait(&other).unwrap(), Seen::Word);
    }
}
