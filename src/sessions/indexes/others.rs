//! What another program has written into an index since this one read or wrote it, so that saving loses neither's work.
//!
//! Asked before the file is replaced, by the thread that saves. An entry that was changed here since the last save goes
//! before the other's; any other is taken as the file has it, and handed to the state thread. What the other has removed
//! stays. A file that cannot be read is copied aside first.
use crate::config::Stamp;
use crate::sessions::index::{Index, Snapshot};
use crate::sessions::kept::Kept;
use crate::sessions::rebuild;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The file as it was when it was read or written last; shared by an index and its snapshots.
#[derive(Debug, Default)]
pub struct Seen(Mutex<Stamp>);

impl Seen {
    pub fn of(path: &Path) -> Seen {
        Seen(Mutex::new(Stamp::of(path)))
    }

    pub fn set(&self, stamp: Stamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = stamp;
    }

    fn is(&self, stamp: Stamp) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) == stamp
    }
}

/// The entries to be taken over from the file.
pub fn written(ours: &Snapshot) -> Vec<Arc<Kept>> {
    let path = ours.path();
    let now = Stamp::of(path);
    if ours.seen().is(now) || now == Stamp::default() {
        return Vec::new();
    }
    let Some(theirs) = Index::look(path) else {
        let mut notes = vec![format!("session index {} was damaged by another program", path.display())];
        rebuild::keep_aside(path, &mut notes);
        notes.iter().for_each(|note| log::warn!(target: "gateway/sessions", "{note}"));
        return Vec::new();
    };
    let own: HashMap<&str, &Arc<Kept>> = ours.iter().map(|kept| (kept.key(), kept)).collect();
    let is_wanted = |kept: &&Arc<Kept>| match own.get(kept.key()) {
        Some(own) if own.text() == kept.text() || own.open() == kept.open() => false,
        Some(own) => own.is_saved() || told_lost(kept.key()),
        None => !ours.has_removed(kept),
    };
    let wanted: Vec<Arc<Kept>> = theirs.iter().filter(is_wanted).cloned().collect();
    if !wanted.is_empty() {
        log::info!(target: "gateway/sessions", "{} sessions in {} were written by another program; they are taken over", wanted.len(), path.display());
    }
    wanted
}

/// Says that the other's change of a session is not taken.
pub fn told_lost(key: &str) -> bool {
    let key = crate::logging::quoted(key);
    log::warn!(target: "gateway/sessions", "session {key} was changed by another program too; its change is overwritten");
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::{Entry, TestDir};
    use serde_json::{Value, json};

    /// T2-13
    #[test]
    fn b_what_another_program_writes_meanwhile_is_kept_and_so_is_ours() {
        let dir = TestDir::new();
        let path = dir.0.join("sessions.json");
        let read = || serde_json::from_slice::<Value>(&std::fs::read(&path).unwrap()).unwrap();
        let label = |label: &str| {
            let mut entry = Entry::new("id", 1);
            entry.set("label", label);
            entry
        };
        let mut index = Index::empty(&path);
        ["a", "b", "c", "d"].iter().for_each(|key| index.put(key, &label("old")));
        assert!(index.snapshot().save().unwrap().is_empty());
        let mut other = read();
        other["a"]["label"] = json!("theirs");
        other["b"]["label"] = json!("theirs");
        other["new"] = json!({"sessionId": "x", "updatedAt": 2});
        std::fs::write(&path, other.to_string()).unwrap();
        index.put("b", &label("ours"));
        index.put("mine", &label("ours"));
        index.remove("d");
        let taken = index.snapshot().save().unwrap();
        let mut names: Vec<&str> = taken.iter().map(|kept| kept.key()).collect();
        names.sort_unstable();
        assert_eq!(names, ["a", "new"]);
        let saved = read();
        let of = |key: &str| saved[key]["label"].as_str().map(str::to_string);
        assert_eq!(
            (of("a"), of("b"), of("mine")),
            (Some("theirs".into()), Some("ours".into()), Some("ours".into()))
        );
        assert!(saved.get("d").is_none() && saved["new"]["sessionId"] == "x");
        taken.into_iter().for_each(|kept| assert!(index.adopt(kept)));
        assert!(index.snapshot().save().unwrap().is_empty());
        assert_eq!(read(), saved);
        // One that cannot be read is copied.
        std::fs::write(&path, "{\"a\": {").unwrap();
        index.snapshot().save().unwrap();
        assert_eq!(read(), saved);
        let files = std::fs::read_dir(&dir.0).unwrap().flatten();
        assert_eq!(files.filter(|file| std::fs::read(file.path()).unwrap() == b"{\"a\": {").count(), 1);
    }
}
