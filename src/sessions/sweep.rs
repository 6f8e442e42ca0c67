//! Keeping the left-over files of a sessions directory bounded (R-28a): interrupted writes, damaged copies,
//! archived transcripts. Runs at start, as a part of `litter` once a day on the store thread, and after a damaged
//! index was copied aside; only removes, oldest first.
use crate::clock;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A kind of left-over file and how much of it may stay.
pub struct Class {
    /// What the name contains, or ends in when it starts with `*`.
    mark: &'static str,
    max_files: usize,
    max_bytes: u64,
    /// Younger files are never removed, in milliseconds.
    min_age: u64,
}

/// Time of change in epoch milliseconds, size and path of a file.
pub type LeftOver = (u64, u64, PathBuf);

impl Class {
    /// `min_age` in milliseconds.
    pub const fn new(mark: &'static str, max_files: usize, max_bytes: u64, min_age: u64) -> Class {
        Class { mark, max_files, max_bytes, min_age }
    }

    /// Which of `files` are beyond the bounds, with their sizes; the newest stay.
    pub fn beyond(&self, mut files: Vec<LeftOver>, now: u64) -> Vec<(PathBuf, u64)> {
        crate::order::by_key(&mut files, |f| std::cmp::Reverse(f.0));
        let (mut count, mut bytes) = (0, 0);
        files.retain(|(modified, size, _)| {
            count += 1;
            bytes += size;
            (count > self.max_files || bytes > self.max_bytes) && modified + self.min_age <= now
        });
        files.into_iter().map(|(_, size, path)| (path, size)).collect()
    }
}

const DAY: u64 = 24 * 60 * 60 * 1000;
/// Copies of what could not be read.
pub const CORRUPT: Class = Class::new(".corrupt.", 5, 64 << 20, 0);
const CLASSES: [Class; 5] = [
    CORRUPT,
    // Another program may just be writing one.
    Class::new("*.tmp", 0, 0, 10 * 60 * 1000),
    Class::new(".jsonl.deleted.", 200, 256 << 20, DAY),
    Class::new(".jsonl.bak.", 200, 256 << 20, DAY),
    Class::new(".jsonl.reset.", 200, 256 << 20, DAY),
];

/// Applies every bound to `dir`; gives notes for the log.
pub fn sweep(dir: &Path) -> Vec<String> {
    CLASSES.iter().flat_map(|class| sweep_class(dir, class)).collect()
}

/// What `sweep` would remove. Only looks.
pub fn excess(dir: &Path) -> Vec<(PathBuf, u64)> {
    CLASSES.iter().flat_map(|class| excess_of(dir, class)).collect()
}

/// The same for one class.
pub fn excess_of(dir: &Path, class: &Class) -> Vec<(PathBuf, u64)> {
    class.beyond(matching(dir, class), clock::now_ms())
}

pub(super) fn sweep_class(dir: &Path, class: &Class) -> Vec<String> {
    excess_of(dir, class).iter().map(|(path, _)| remove(path)).collect()
}

/// Removes a left-over file; gives a note for the log.
pub fn remove(path: &Path) -> String {
    match std::fs::remove_file(path) {
        Ok(()) => format!("removed left-over file {}", path.display()),
        Err(e) => format!("remove left-over file {}: {e}", path.display()),
    }
}

/// Every file of the class in `dir`.
pub fn matching(dir: &Path, class: &Class) -> Vec<LeftOver> {
    let matches = |name: &str| match class.mark.strip_prefix('*') {
        Some(end) => name.ends_with(end),
        None => name.contains(class.mark),
    };
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter(|file| file.file_name().to_str().is_some_and(matches))
        .filter_map(|file| {
            let meta = file.metadata().ok().filter(|meta| meta.is_file())?;
            let modified = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_millis() as u64;
            Some((modified, meta.len(), file.path()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::TestDir;
    use std::time::{Duration, SystemTime};

    #[test]
    fn r_28a_left_over_files_are_bounded_oldest_first() {
        let dir = TestDir::new();
        let file = |name: &str, age_hours: u64| {
            let path = dir.0.join(name);
            std::fs::write(&path, "x").unwrap();
            let now = SystemTime::UNIX_EPOCH + Duration::from_millis(clock::now_ms());
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(now - Duration::from_secs(age_hours * 3600)).unwrap();
        };
        for n in 0..8 {
            file(&format!("sessions.json.corrupt.{n}"), n);
        }
        for n in 0..205 {
            file(&format!("a.jsonl.deleted.{n}"), 100 + n);
        }
        for (n, class) in ["bak", "reset"].iter().enumerate() {
            (0..203).for_each(|m| file(&format!("b{n}.jsonl.{class}.{m}"), 100 + m));
            file(&format!("c{n}.jsonl.{class}.young"), 1);
        }
        file("sessions.json.1.1.tmp", 5);
        file("sessions.json.1.2.tmp", 0);
        file("a.jsonl", 5000);
        file("sessions.json", 5000);
        assert!(sweep(&dir.0.join("missing")).is_empty());
        let would = excess(&dir.0).len();
        assert_eq!(sweep(&dir.0).len(), would);
        let mut left: Vec<_> = std::fs::read_dir(&dir.0)
            .unwrap()
            .map(|f| f.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(left.iter().filter(|n| n.contains("deleted")).count(), 200);
        assert!(left.contains(&"a.jsonl.deleted.0".to_string()));
        for class in ["bak", "reset"] {
            let of_class: Vec<_> = left.iter().filter(|n| n.contains(class)).collect();
            assert_eq!(of_class.len(), 200);
            assert!(of_class.iter().any(|n| n.ends_with("young")));
        }
        left.retain(|n| !["deleted", "bak", "reset"].iter().any(|class| n.contains(class)));
        left.sort();
        let mut want = vec!["a.jsonl".to_string(), "sessions.json".into()];
        want.extend((0..5).map(|n| format!("sessions.json.corrupt.{n}")));
        want.insert(2, "sessions.json.1.2.tmp".into());
        assert_eq!(left, want);
    }
}
