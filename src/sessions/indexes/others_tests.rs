//! Tests of two programs that write one index.
use super::*;
use crate::session_key::KeyRules;
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
    let mut index = Index::load(&path, &rules).unwrap().0;
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
        assert_eq!((&a["sendPolicy"], &a["totalTokens"], a.get("label")), (&json!("deny"), &json!(7), None));
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
    look(&snapshot, |told, _| theirs = told);
    assert_eq!(theirs.gone, ["plain", "used"], "an entry that cannot be read is not removed");
    assert_eq!(theirs.changed.iter().map(|kept| kept.key()).collect::<Vec<_>>(), ["more"]);
    // It is told once, and the next save sees it all the same.
    look(&snapshot, |_, _| panic!("told twice"));
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
    look(&index.snapshot(), |_, _| panic!("half a file"));
    assert!(!index.snapshot().file().is_changed());
    std::fs::write(&path, r#"{"plain": {"sessionId": "id", "updatedAt": 1}}"#).unwrap();
    let mut theirs = Theirs::default();
    look(&index.snapshot(), |told, _| theirs = told);
    take(&mut index, theirs);
    assert_eq!(keys(&index), ["plain"]);
}

/// S-9.1: an entry that is put right when it is read is the file's all the same: what another program does to it is taken
/// over, its removal too, also where the file is no plain JSON.
#[test]
fn s9_entries_that_were_put_right_on_reading_are_taken_over_and_stay_removed() {
    let key = "agent:main:main";
    for comment in ["", "// by hand\n"] {
        let dir = TestDir::new();
        let path = dir.0.join("sessions.json");
        std::fs::write(dir.0.join("old-topic-7.jsonl"), "x").unwrap();
        let put = |entries: Value| std::fs::write(&path, format!("{comment}{entries}")).unwrap();
        let entry = |label: &str, channel: &str| {
            json!({"sessionId": "id", "updatedAt": 1, "label": label, "lastProvider": channel,
                "sessionFile": "/home/before/agents/main/sessions/old-topic-7.jsonl"})
        };
        put(json!({key: entry("old", "telegram")}));
        let mut index = Index::load(&path, &KeyRules::default()).unwrap().0;
        let looked = |index: &Index| {
            let mut theirs = Theirs::default();
            look(&index.snapshot(), |told, _| theirs = told);
            theirs
        };
        let moved = dir.0.join("old-topic-7.jsonl").display().to_string();
        let has = |index: &Index, label: &str, channel: &str| {
            let entry = index.get(key).unwrap().open();
            assert_eq!((entry.str("label"), entry.str("lastChannel")), (Some(label), Some(channel)));
            assert_eq!((entry.str("lastProvider"), entry.str("sessionFile")), (None, Some(moved.as_str())));
        };
        // Untouched here.
        put(json!({key: entry("theirs", "signal")}));
        looked(&index).changed.into_iter().for_each(|kept| assert!(index.adopt(kept)));
        has(&index, "theirs", "signal");
        // Used here meanwhile: each member is whose it was changed by.
        let mut used = index.get(key).unwrap().open();
        used.set("totalTokens", 7);
        index.put(key, &used);
        put(json!({key: entry("again", "telegram")}));
        looked(&index).changed.into_iter().for_each(|kept| assert!(index.adopt(kept)));
        has(&index, "again", "telegram");
        assert_eq!(index.get(key).unwrap().open().get("totalTokens"), Some(&json!(7)));
        // Removed there, first one that was used here, then one that was not.
        for is_used in [true, false] {
            put(json!({key: entry("again", "telegram")}));
            let mut index = Index::load(&path, &KeyRules::default()).unwrap().0;
            if is_used {
                index.put(key, &used);
            }
            put(json!({}));
            assert_eq!(looked(&index).gone, [key], "{comment:?} {is_used}");
            assert!(index.let_go(key));
            index.snapshot().save().unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"{}\n");
        }
    }
}

/// S-9.1: what another program writes while a save is on its way is neither lost nor taken for what was saved.
#[test]
fn s9_what_is_written_during_a_save_is_compared_too() {
    let dir = TestDir::new();
    let path = dir.0.join("sessions.json");
    let mut index = Index::empty(&path);
    let mut large = Entry::new("id", 1);
    large.set("skillsSnapshot", "x".repeat(1 << 20));
    (0..8).for_each(|n| index.put(&format!("agent:main:{n}"), &large));
    index.snapshot().save().unwrap();
    for round in 0..3u64 {
        index.put("agent:main:0", &Entry::new("id", round + 5));
        let their_key = format!("agent:main:theirs-{round}");
        let mut other: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        other[&their_key] = json!({"sessionId": "t", "updatedAt": 9});
        let (made, text) = (dir.0.join("other.new"), other.to_string());
        std::fs::write(&made, text).unwrap();
        // As soon as the new file is being made beside the old one.
        let is_begun = || {
            let files = std::fs::read_dir(&dir.0).unwrap().flatten();
            files.filter(|file| file.file_name().to_string_lossy().ends_with(".tmp")).count() > 0
        };
        let theirs = std::thread::scope(|scope| {
            let save = scope.spawn(|| index.snapshot().save().unwrap());
            while !is_begun() && !save.is_finished() {}
            std::fs::rename(&made, &path).unwrap();
            save.join().unwrap()
        });
        let mut found: Vec<Arc<Kept>> = theirs.changed;
        look(&index.snapshot(), |told, _| found.extend(told.changed));
        assert!(found.iter().any(|kept| kept.key() == their_key), "round {round}");
        for kept in found {
            index.adopt(kept);
        }
        index.snapshot().save().unwrap();
        let saved: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(saved[&their_key]["sessionId"], "t", "round {round}");
    }
}

/// S-9.1: of the removals here the oldest are forgotten first, however they are called.
#[test]
fn s9_the_newest_removals_are_remembered() {
    let dir = TestDir::new();
    let path = dir.0.join("sessions.json");
    let mut index = Index::empty(&path);
    let key = |n: usize| format!("agent:main:{:03}", 999 - n);
    (0..300).for_each(|n| index.put(&key(n), &Entry::new("id", 1)));
    index.snapshot().save().unwrap();
    let before = std::fs::read(&path).unwrap();
    (0..300).for_each(|n| drop(index.remove(&key(n))));
    index.snapshot().save().unwrap();
    // The other program writes what it has in memory.
    std::fs::write(&path, before).unwrap();
    let mut back: Vec<String> = Vec::new();
    look(&index.snapshot(), |theirs, _| back = theirs.changed.iter().map(|kept| kept.key().into()).collect());
    assert_eq!(back, (0..44).map(key).collect::<Vec<_>>());
}
