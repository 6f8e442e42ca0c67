//! What another program has written into an index since this one read or wrote it, so that saving loses neither's work.
//!
//! Asked before the file is replaced, by the thread that saves. Of an entry that was changed here since the last
//! save each member is taken from who changed it, ours first; any other is taken as the file has it. Both are handed to
//! the state thread. What the other has removed
//! stays. A file that cannot be read is copied aside first.
use crate::config::Stamp;
use crate::sessions::entry::Entry;
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
    let Some(theirs) = Index::look(path, ours.rules()) else {
        let mut notes = vec![format!("session index {} was damaged by another program", path.display())];
        rebuild::keep_aside(path, &mut notes);
        notes.iter().for_each(|note| log::warn!(target: "gateway/sessions", "{note}"));
        return Vec::new();
    };
    let own: HashMap<&str, &Arc<Kept>> = ours.iter().map(|kept| (kept.key(), kept)).collect();
    let taken = |kept: &Arc<Kept>| match own.get(kept.key()) {
        Some(own) if own.text() == kept.text() => None,
        Some(own) if own.is_saved() => (own.open() != kept.open()).then(|| kept.clone()),
        Some(own) => merged(own, kept),
        None => (!ours.has_removed(kept)).then(|| kept.clone()),
    };
    let wanted: Vec<Arc<Kept>> = theirs.iter().filter_map(taken).collect();
    if !wanted.is_empty() {
        log::info!(target: "gateway/sessions", "{} sessions in {} were written by another program; they are taken over", wanted.len(), path.display());
    }
    wanted
}

/// What ours and theirs make together of what the file had before both; `None` where that is ours. A conversation that
/// they began anew is theirs as a whole, unless we did too.
pub fn merged(own: &Kept, theirs: &Arc<Kept>) -> Option<Arc<Kept>> {
    let (base, ours, other) = (own.base(), own.open(), theirs.open());
    if other == base || other == ours {
        return None;
    }
    let is_new = |entry: &Entry| entry.session_id() != base.session_id();
    match (is_new(&ours), is_new(&other)) {
        (false, true) => return Some(theirs.clone()),
        (true, true) if ours.session_id() != other.session_id() => {
            let key = crate::logging::quoted(own.key());
            log::warn!(target: "gateway/sessions", "session {key} was begun anew by another program too; its conversation stays in its file, and this one goes on");
        }
        _ => {}
    }
    let mut all = other.as_map().clone();
    let changed = ours.as_map().iter().filter(|(name, value)| base.get(name) != Some(*value));
    all.extend(changed.map(|(name, value)| (name.clone(), value.clone())));
    all.retain(|name, _| ours.get(name).is_some() || base.get(name).is_none());
    let merged = Entry::from_map(all);
    match merged == other {
        true => Some(theirs.clone()),
        false => (merged != ours).then(|| Arc::new(Kept::of(own.key(), &merged).after(theirs))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::TestDir;
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

    /// T2b-4
    #[test]
    fn t2b_4_members_that_each_changed_are_kept_from_both() {
        let (dir, rules) = (TestDir::new(), crate::session_key::KeyRules::default());
        let path = dir.0.join("sessions.json");
        let read = || serde_json::from_slice::<Value>(&std::fs::read(&path).unwrap()).unwrap();
        let key = |name: &str| format!("agent:main:{name}");
        let start: Vec<(String, Value)> = ["main", "a", "b", "c"]
            .iter()
            .map(|name| (key(name), json!({"sessionId": "id", "updatedAt": 1, "label": name})))
            .collect();
        std::fs::write(&path, Value::Object(start.into_iter().collect()).to_string()).unwrap();
        let mut index = Index::load(&path, &rules).0;
        let mut other = read();
        // In use on both sides; begun anew there; removed here under its older name; new on both sides.
        other[key("a")]["sendPolicy"] = json!("deny");
        other[key("a")].as_object_mut().unwrap().remove("label");
        other[key("b")] = json!({"sessionId": "id-new", "updatedAt": 9});
        let c = other.as_object_mut().unwrap().remove(&key("c")).unwrap();
        other["c"] = c;
        other[key("new")] = json!({"sessionId": "theirs", "updatedAt": 9, "sendPolicy": "deny"});
        let mut used = |name: &str, id: &str| {
            let mut entry = index.get(&key(name)).map(|kept| kept.open()).unwrap_or_default().begun(id, 5);
            entry.set("totalTokens", 7);
            index.put(&key(name), &entry);
            index.put(&key(name), &entry);
        };
        ["main", "a", "b"].iter().for_each(|name| used(name, "id"));
        used("new", "ours");
        index.remove(&key("c"));
        std::fs::write(&path, other.to_string()).unwrap();
        let check = |saved: &Value| {
            let a = &saved[key("a")];
            assert_eq!(
                (&a["sendPolicy"], &a["totalTokens"], a.get("label")),
                (&json!("deny"), &json!(7), None)
            );
            assert_eq!(saved[key("b")], json!({"sessionId": "id-new", "updatedAt": 9}));
            assert_eq!(
                (&saved[key("main")]["totalTokens"], &saved[key("main")]["label"]),
                (&json!(7), &json!("main"))
            );
            let new = &saved[key("new")];
            assert_eq!((&new["sessionId"], &new["sendPolicy"]), (&json!("ours"), &json!("deny")));
            assert_eq!(saved.as_object().unwrap().len(), 4, "what was removed stays so: {saved}");
        };
        let taken = index.snapshot().save().unwrap();
        assert_eq!(taken.len(), 3, "main was not changed by them");
        check(&read());
        taken.into_iter().for_each(|kept| assert!(index.adopt(kept)));
        std::fs::remove_file(&path).unwrap();
        index.snapshot().save().unwrap();
        check(&read());
    }
}
