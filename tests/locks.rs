//! Issue 10, item 11: the list of locks and statics in ARCHITECTURE.md is whole and true.
use crate::floors::sources;
use std::collections::BTreeSet;
use std::path::Path;

/// What stands in a line that makes a lock or a static that changes.
const LOCKS: &[&str] = &["Mutex<", "RwLock<", "Condvar,", "OnceLock<", "LazyLock<", ": Once ="];

fn has_lock(line: &str) -> bool {
    let line = line.trim_start();
    let is_code = !line.starts_with("//") && !line.starts_with("use ") && !line.starts_with("fn ");
    let is_counter = line.contains("static ") && line.contains("Atomic");
    is_code && (is_counter || LOCKS.iter().any(|lock| line.contains(lock)))
}

/// The source files with a lock or such a static outside of tests, as paths below `src/`.
fn files_with_locks(src: &Path) -> BTreeSet<String> {
    let found = sources(src).into_iter().filter(|(_, text)| text.lines().any(has_lock));
    found.map(|(name, _)| name).collect()
}

#[test]
fn the_list_of_locks_and_statics_is_whole() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let section = text.split("## Locks and statics").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let named: BTreeSet<String> =
        rows.flat_map(|cell| cell.split(", ").map(|file| file.trim_matches('`').to_string())).collect();
    let there = files_with_locks(&root.join("src"));
    let missing: Vec<&String> = there.difference(&named).collect();
    let gone: Vec<&String> = named.difference(&there).collect();
    assert!(missing.is_empty(), "have a lock or a static and are not in the list: {missing:?}");
    assert!(gone.is_empty(), "are in the list and have none: {gone:?}");
}
