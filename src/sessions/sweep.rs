//! Keeping the left-over files of a sessions directory bounded (R-28a): interrupted writes, damaged copies,
//! archived transcripts. Runs at start, once a day on the store thread, and after a damaged index was copied
//! aside; only removes, oldest first.
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

const DAY: u64 = 24 * 60 * 60 * 1000;
pub(super) const CORRUPT: Class = Class { mark: ".corrupt.", max_files: 5, max_bytes: 64 << 20, min_age: 0 };
const CLASSES: [Class; 5] = [
    CORRUPT,
    // Another program may just be writing one.
    Class { mark: "*.tmp", max_files: 0, max_bytes: 0, min_age: 10 * 60 * 1000 },
    Class { mark: ".jsonl.deleted.", max_files: 200, max_bytes: 256 << 20, min_age: DAY },
    Class { mark: ".jsonl.bak.", max_files: 200, max_bytes: 256 << 20, min_age: DAY },
    Class { mark: ".jsonl.reset.", max_files: 200, max_bytes: 256 << 20, min_age: DAY },
];

/// Applies every bound to `dir`; gives notes for the log.
pub fn sweep(dir: &Path) -> Vec<String> {
    CLASSES.iter().flat_map(|class| sweep_class(dir, class)).collect()
}

/// The daily round over all sessions directories, for the store thread; says in the log what it did.
pub fn sweep_work(dirs: Vec<PathBuf>) -> Box<dyn FnOnce() + Send> {
    Box::new(move || {
        for note in dirs.iter().flat_map(|dir| sweep(dir)) {
            log::info!(target: "gateway/sessions", "{note}");
        }
    })
}

pub(super) fn sweep_class(dir: &Path, class: &Class) -> Vec<String> {
    let mut files = left_over(dir, class);
    files.sort_by_key(|f| std::cmp::Reverse(f.0));
    let now = clock::now_ms();
    let (mut count, mut bytes) = (0, 0);
    let mut notes = Vec::new();
    for (modified, size, path) in files {
        count += 1;
        bytes += size;
        if (count <= class.max_files && bytes <= class.max_bytes) || modified + class.min_age > now {
            continue;
        }
        match std::fs::remove_file(&path) {
            Ok(()) => notes.push(format!("removed left-over file {}", path.display())),
            Err(e) => notes.push(format!("remove left-over file {}: {e}", path.display())),
        }
    }
    notes
}

/// Time of change in epoch milliseconds, size and path of every file of the class.
fn left_over(dir: &Path, class: &Class) -> Vec<(u64, u64, PathBuf)> {
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
        sweep_work(vec![dir.0.join("missing"), dir.0.clone()])();
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
