//! Which files something was made from, so that it is used once more only while they are the same: of each place its file,
//! kind and mode, of a directory that was listed the moment at which it changed too. On the thread that starts a command.
use crate::clock;
use rustix::fs::{AtFlags, CWD, Stat, statat};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A directory that changed later than so long ago, seconds, may change once more without another moment of change.
const SETTLED: i64 = 2;

/// When a file was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    seconds: i64,
    nanos: i64,
}

impl Moment {
    // Their types differ between architectures.
    #[allow(clippy::unnecessary_cast, reason = "see above")]
    pub fn of(stat: &Stat) -> Moment {
        Moment { seconds: stat.st_ctime as i64, nanos: stat.st_ctime_nsec as i64 }
    }

    /// Whether another change would have another moment.
    pub fn is_settled(self) -> bool {
        self.seconds + SETTLED < (clock::now_ms() / 1000) as i64
    }
}

#[derive(PartialEq, Eq)]
struct File {
    device: u64,
    inode: u64,
    mode: u32,
    listed: Option<Moment>,
}

impl File {
    #[allow(clippy::unnecessary_cast, reason = "as above")]
    fn of(stat: &Stat, is_listed: bool) -> File {
        File {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            mode: stat.st_mode as u32,
            listed: is_listed.then(|| Moment::of(stat)),
        }
    }
}

/// All of them.
#[derive(Default)]
pub struct Seen {
    places: Vec<(CString, AtFlags, Option<File>)>,
    /// What cannot be told again makes all of it worthless.
    is_unsure: bool,
}

impl Seen {
    /// What was found at a place that is no link.
    pub fn found(&mut self, path: &Path, stat: &Stat) {
        self.add(path, AtFlags::SYMLINK_NOFOLLOW, Some(File::of(stat, false)));
    }

    /// A directory whose names were read.
    pub fn listed(&mut self, path: &Path, stat: &Stat) {
        self.is_unsure |= !Moment::of(stat).is_settled();
        self.add(path, AtFlags::SYMLINK_NOFOLLOW, Some(File::of(stat, true)));
    }

    /// What is where a path leads to, if anything is.
    pub fn led(&mut self, path: &Path) {
        let stat = statat(CWD, path, AtFlags::empty()).ok();
        self.add(path, AtFlags::empty(), stat.map(|stat| File::of(&stat, false)));
    }

    pub fn doubt(&mut self) {
        self.is_unsure = true;
    }

    pub fn join(&mut self, other: Seen) {
        self.is_unsure |= other.is_unsure;
        self.places.extend(other.places);
    }

    fn add(&mut self, path: &Path, flags: AtFlags, file: Option<File>) {
        match CString::new(path.as_os_str().as_bytes()) {
            Ok(path) => self.places.push((path, flags, file)),
            Err(_) => self.is_unsure = true,
        }
    }

    /// Whether all is as it was.
    pub fn holds(&self) -> bool {
        let is_same = |(path, flags, then): &(CString, AtFlags, Option<File>)| {
            let now = statat(CWD, path.as_c_str(), *flags).ok();
            let is_listed = then.as_ref().is_some_and(|then| then.listed.is_some());
            now.map(|stat| File::of(&stat, is_listed)) == *then
        };
        !self.is_unsure && self.places.iter().all(is_same)
    }
}
