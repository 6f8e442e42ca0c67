//! What another program has written into an index since this one read or wrote it, so that saving loses neither's work.
//!
//! Asked by the thread that saves, before it replaces the file, and by threads that ask for sessions or a turn
//! (`state::looking`). Of an entry that was changed here since the last save each member is taken from who changed it,
//! ours first; any other is taken as the file has it, and what the other has removed is gone here too. All is handed to
//! the state thread. A file that cannot be read is left to its writer for a moment; then it is copied aside and replaced.
use crate::config::Stamp;
use crate::sessions::entry::Entry;
use crate::sessions::index::{Index, Snapshot};
use crate::sessions::kept::Kept;
use crate::sessions::rebuild;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often, and after which pause, a file that cannot be read is read again before it counts as damaged: a program
/// that writes in place is in the middle of it.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// The file as it was when it was read or written last, and when it was looked at last; shared by an index and its
/// snapshots.
#[derive(Debug, Default)]
pub struct Seen {
    stamps: Mutex<(Stamp, Stamp)>,
    /// Held while the file is compared or replaced.
    turn: Mutex<()>,
}

impl Seen {
    pub fn of(path: &Path) -> Seen {
        let stamp = Stamp::of(path);
        Seen { stamps: Mutex::new((stamp, stamp)), turn: Mutex::default() }
    }

    pub fn set(&self, stamp: Stamp) {
        *self.stamps() = (stamp, stamp);
    }

    pub fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is(&self, stamp: Stamp) -> bool {
        self.stamps().0 == stamp
    }

    fn stamps(&self) -> MutexGuard<'_, (Stamp, Stamp)> {
        self.stamps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file of an index, by which a change is seen without the index.
#[derive(Debug, Clone)]
pub struct IndexFile {
    pub(in crate::sessions) path: Arc<Path>,
    pub(in crate::sessions) seen: Arc<Seen>,
}

impl IndexFile {
    /// The state of the file, if nobody here has seen it; one that is not there tells nothing.
    fn news(&self) -> Option<Stamp> {
        let now = Stamp::of(&self.path);
        let seen = *self.seen.stamps();
        (now != Stamp::default() && now != seen.0 && now != seen.1).then_some(now)
    }

    pub fn is_changed(&self) -> bool {
        self.news().is_some()
    }
}

/// What another program did.
#[derive(Debug, Default)]
pub struct Theirs {
    /// The entries to be taken over from the file.
    pub changed: Vec<Arc<Kept>>,
    /// The keys of those that it removed.
    pub gone: Vec<String>,
}

impl Theirs {
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.gone.is_empty()
    }
}

/// Looks at the file, if nobody has since it changed, and tells what is to be taken over. Who asks meanwhile waits until
/// it is told. What cannot be read now may be half written; it is looked at again when it has changed.
pub fn look(ours: &Snapshot, tell: impl FnOnce(Theirs)) {
    let file = ours.file();
    let _turn = file.seen.turn();
    let Some(now) = file.news() else { return };
    if let Some(theirs) = Index::look(ours.path(), ours.rules()) {
        tell(difference(ours, &theirs));
    }
    file.seen.stamps().1 = now;
}

/// What is to be taken over before the file is replaced.
pub fn written(ours: &Snapshot) -> Theirs {
    let path = ours.path();
    let now = Stamp::of(path);
    if ours.seen().is(now) || now == Stamp::default() {
        return Theirs::default();
    }
    let read = |n| {
        if n > 0 {
            std::thread::sleep(PAUSE);
        }
        Index::look(path, ours.rules())
    };
    let Some(theirs) = (0..TRIES).find_map(read) else {
        let mut notes = vec![format!("session index {} was damaged by another program", path.display())];
        rebuild::keep_aside(path, &mut notes);
        notes.iter().for_each(|note| log::warn!(target: "gateway/sessions", "{note}"));
        return Theirs::default();
    };
    difference(ours, &theirs)
}

fn difference(ours: &Snapshot, (theirs, unusable): &(Index, Vec<String>)) -> Theirs {
    let own: HashMap<&str, &Arc<Kept>> = ours.iter().map(|kept| (kept.key(), kept)).collect();
    let taken = |kept: &Arc<Kept>| match own.get(kept.key()) {
        Some(own) if own.text() == kept.text() => None,
        Some(own) if own.is_saved() => (own.open() != kept.open()).then(|| kept.clone()),
        Some(own) => merged(own, kept),
        None => (!ours.has_removed(kept)).then(|| kept.clone()),
    };
    let changed: Vec<Arc<Kept>> = theirs.iter().filter_map(taken).collect();
    let is_gone =
        |own: &&Arc<Kept>| theirs.get(own.key()).is_none() && !unusable.iter().any(|key| key == own.key());
    let gone = ours.iter().filter(is_gone).filter(|own| goes(own)).map(|own| own.key().to_string()).collect();
    let theirs = Theirs { changed, gone };
    if !theirs.is_empty() {
        log::info!(target: "gateway/sessions", "another program wrote {} sessions in {} and removed {}; they are taken over", theirs.changed.len(), ours.path().display(), theirs.gone.len());
    }
    theirs
}

/// Whether an entry goes when another program has removed it: it stood in the file, and no conversation has begun
/// anew in it since.
pub fn goes(own: &Kept) -> bool {
    own.is_saved() || (own.has_base() && own.base().session_id() == own.session_id())
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
        let taken = index.snapshot().save().unwrap().changed;
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

    /// S-9.1: what is changed while a save is on its way knows what that save has written.
    #[test]
    fn an_entry_that_changes_during_a_save_goes_with_its_removal_all_the_same() {
        let dir = TestDir::new();
        let path = dir.0.join("sessions.json");
        let mut index = Index::empty(&path);
        index.put("a", &Entry::new("id", 1));
        let on_its_way = index.snapshot();
        let mut changed = Entry::new("id", 2);
        changed.set("label", "ours");
        index.put("a", &changed);
        on_its_way.save().unwrap();
        drop(on_its_way);
        std::fs::write(&path, "{}").unwrap();
        let theirs = index.snapshot().save().unwrap();
        assert_eq!(theirs.gone, ["a"]);
        assert_eq!(std::fs::read(&path).unwrap(), b"{}\n");
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
        let taken = index.snapshot().save().unwrap().changed;
        assert_eq!(taken.len(), 3, "main was not changed by them");
        check(&read());
        taken.into_iter().for_each(|kept| assert!(index.adopt(kept)));
        std::fs::remove_file(&path).unwrap();
        index.snapshot().save().unwrap();
        check(&read());
    }

    /// S-9.1
    #[test]
    fn what_another_program_removed_stays_removed_and_what_began_here_meanwhile_stays() {
        let dir = TestDir::new();
        let path = dir.0.join("sessions.json");
        let entry = |id: &str| Entry::new(id, 1);
        let mut index = Index::empty(&path);
        ["plain", "used", "anew", "odd"].iter().for_each(|key| index.put(key, &entry("id")));
        index.snapshot().save().unwrap();
        let other = json!({"odd": 7, "more": {"sessionId": "m", "updatedAt": 2}}).to_string();
        std::fs::write(&path, &other).unwrap();
        let mut used = entry("id");
        used.set("label", "used here");
        index.put("used", &used);
        index.put("anew", &entry("id-2"));
        index.put("begun", &entry("id-3"));
        let snapshot = index.snapshot();
        assert!(snapshot.file().is_changed());
        let mut theirs = Theirs::default();
        look(&snapshot, |told| theirs = told);
        assert_eq!(theirs.gone, ["plain", "used"], "an entry that cannot be read is not removed");
        assert_eq!(theirs.changed.iter().map(|kept| kept.key()).collect::<Vec<_>>(), ["more"]);
        // It is told once, and the next save sees it all the same.
        look(&snapshot, |_| panic!("told twice"));
        assert!(!snapshot.file().is_changed());
        drop(snapshot);
        let keys = |index: &Index| index.iter().map(|kept| kept.key().to_string()).collect::<Vec<_>>();
        let take = |index: &mut Index, theirs: Theirs| {
            for key in &theirs.gone {
                index.let_go(key);
            }
            for kept in theirs.changed {
                index.adopt(kept);
            }
        };
        let theirs_too = index.snapshot().save().unwrap();
        take(&mut index, theirs);
        take(&mut index, theirs_too);
        assert_eq!(keys(&index), ["anew", "odd", "begun", "more"]);
        assert!(index.snapshot().save().unwrap().is_empty());
        let saved: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(saved.as_object().unwrap().keys().collect::<Vec<_>>(), ["anew", "odd", "begun", "more"]);
        // Half a file tells nothing and costs one look; who removed one may put it back.
        std::fs::write(&path, "{\"anew\": {").unwrap();
        look(&index.snapshot(), |_| panic!("half a file"));
        assert!(!index.snapshot().file().is_changed());
        std::fs::write(&path, r#"{"plain": {"sessionId": "id", "updatedAt": 1}}"#).unwrap();
        let mut theirs = Theirs::default();
        look(&index.snapshot(), |told| theirs = told);
        take(&mut index, theirs);
        assert_eq!(keys(&index), ["plain"]);
    }
}
