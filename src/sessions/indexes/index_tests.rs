//! Tests of the index: what a damaged file becomes, and that the rest of it survives reading and writing.
use super::*;
use crate::sessions::{TestDir, Transcript, message, sessions_dir};
use serde_json::json;

/// An index as the Node gateway writes it.
fn sample(dir: &Path) -> Value {
    json!({
        "agent:main:main": {"sessionId": "6f1c3a52-0b7e-4a55-9d2e-b2a3a5f0c001", "updatedAt": 1795225536622u64, "systemSent": true,
            "deliveryContext": {"channel": "webchat"}, "lastChannel": "webchat", "modelProvider": "stub", "model": "test",
            "contextTokens": 200000, "abortedLastRun": false, "inputTokens": 11, "outputTokens": 5, "totalTokens": 11,
            "chatType": "direct", "origin": {"provider": "webchat", "surface": "webchat", "chatType": "direct"},
            "sessionFile": dir.join("6f1c3a52-0b7e-4a55-9d2e-b2a3a5f0c001.jsonl"), "skillsSnapshot": {"prompt": "}\n  }"}},
        "agent:main:newone": {"sessionId": "id-2", "updatedAt": 5},
        "agent:main:cron:1": {"sessionId": "id-3", "updatedAt": 6},
    })
}

fn load(path: &Path) -> Index {
    Index::load(path, &KeyRules::default()).unwrap().0
}

fn keys(index: &Index) -> Vec<&str> {
    index.iter().map(|kept| kept.key()).collect()
}

#[test]
fn an_index_of_the_node_gateway_is_read_and_written_unchanged() {
    let dir = TestDir::new();
    let path = sessions_dir(&dir.0, "main").join("sessions.json");
    assert!(Index::load(&path, &KeyRules::default()).unwrap().0.iter().next().is_none());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let want = sample(path.parent().unwrap());
    std::fs::write(&path, serde_json::to_string_pretty(&want).unwrap()).unwrap();
    let (index, notes) = Index::load(&path, &KeyRules::default()).unwrap();
    assert_eq!(notes, Vec::<String>::new());
    index.save().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), serde_json::to_string_pretty(&want).unwrap());
}

#[test]
fn order_is_kept_and_snapshots_do_not_change() {
    let mut index = Index::empty(Path::new("/d/sessions.json"));
    for key in ["c", "a", "b"] {
        index.put(key, &Entry::new(key, 1));
    }
    let before = index.snapshot();
    index.put("a", &Entry::new("other", 2));
    assert!(index.remove("c").is_some() && index.remove("c").is_none());
    let times =
        |kept: &Snapshot| kept.iter().map(|kept| (kept.key().to_string(), kept.updated_at())).collect();
    let (now, then): (Vec<_>, Vec<_>) = (times(&index), times(&before));
    let named =
        |list: &[(&str, u64)]| list.iter().map(|(key, at)| (key.to_string(), *at)).collect::<Vec<_>>();
    assert_eq!((now, then), (named(&[("a", 2), ("b", 1)]), named(&[("c", 1), ("a", 1), ("b", 1)])));
    let size = |kept: &Snapshot| kept.iter().map(|kept| kept.size()).sum::<usize>();
    assert_eq!((index.bytes(), before.bytes()), (size(&index), size(&before)));
    assert_eq!((index.len(), before.len()), (2, 3));
}

#[test]
fn legacy_keys_become_canonical_and_the_newest_wins() {
    let dir = TestDir::new();
    let path = dir.0.join("sessions.json");
    let text = "{main: {sessionId: 'new', updatedAt: 9}, // comment\n 'agent:main:main': {sessionId: 'old', updatedAt: 3},}";
    std::fs::write(&path, text).unwrap();
    let index = load(&path);
    assert_eq!(keys(&index), ["agent:main:main"]);
    assert_eq!(index.get("agent:main:main").unwrap().session_id(), Some("new"));
}

#[test]
fn r_09c_an_index_cut_anywhere_loads_with_what_can_be_known() {
    let dir = TestDir::new();
    let path = dir.0.join("sessions.json");
    let transcript = |id: &str, key: Option<&str>| {
        let t = Transcript::at(&dir.0, id).unwrap();
        let t = key.map_or(t.clone(), |key| t.created_for(key, Path::new("/w")));
        t.append(&[message::user_text("x", 1)]).unwrap();
    };
    transcript("6f1c3a52-0b7e-4a55-9d2e-b2a3a5f0c001", Some("main"));
    transcript("id-2", Some("agent:main:newone"));
    transcript("stray", None);
    let text = serde_json::to_string_pretty(&json!({
        "agent:main:main": {"sessionId": "6f1c3a52-0b7e-4a55-9d2e-b2a3a5f0c001", "updatedAt": 9, "x": "}\n  }"},
        "agent:main:newone": {"sessionId": "id-2", "updatedAt": 5},
    }))
    .unwrap();
    for end in 0..text.len() {
        std::fs::write(&path, &text[..end]).unwrap();
        let (index, notes) = Index::load(&path, &KeyRules::default()).unwrap();
        assert!(!notes.is_empty(), "cut at {end}");
        for key in ["agent:main:main", "agent:main:newone", "agent:main:recovered:stray"] {
            assert!(index.get(key).is_some(), "cut at {end}: {:?}", keys(&index));
        }
        let main = index.get("agent:main:main").unwrap();
        assert_eq!(main.session_id(), Some("6f1c3a52-0b7e-4a55-9d2e-b2a3a5f0c001"), "cut at {end}");
        // What was rebuilt is on disk, and loads without any notes.
        let (again, notes) = Index::load(&path, &KeyRules::default()).unwrap();
        assert_eq!((keys(&again), notes.len()), (keys(&index), 0), "cut at {end}");
    }
    let aside = std::fs::read_dir(&dir.0)
        .unwrap()
        .filter(|f| f.as_ref().unwrap().file_name().to_string_lossy().contains(".corrupt."));
    assert!((1..=5).contains(&aside.count()));
}

#[test]
fn r_09c_no_content_stops_the_start() {
    let dir = TestDir::new();
    let path = dir.0.join("sessions.json");
    Transcript::at(&dir.0, "only").unwrap().append(&[message::user_text("x", 1)]).unwrap();
    let deep = "[".repeat(200_000);
    let contents: [&[u8]; 8] =
        [b"", b"null", b"[]", b"\0\0\0", b"{\"a\":", b"\xff\xfe", b"{\"a\": Infinity", deep.as_bytes()];
    for content in contents {
        std::fs::write(&path, content).unwrap();
        let index = load(&path);
        assert_eq!(keys(&index), ["agent:main:main"], "{:?}", content.get(..8));
        assert_eq!(index.get("agent:main:main").unwrap().session_id(), Some("only"));
    }
    std::fs::write(&path, r#"{"agent:main:x": 5, "agent:main:y": {"sessionId": "../../up"}}"#).unwrap();
    let (index, notes) = Index::load(&path, &KeyRules::default()).unwrap();
    assert_eq!(index.get("agent:main:y").unwrap().session_id(), None);
    assert_eq!(keys(&index), ["agent:main:y"], "nobody knows whose the transcript is");
    assert!(notes.iter().any(|n| n.contains("2 unusable")), "{notes:?}");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(keys(&load(&path)), ["agent:main:main"]);
}

#[test]
fn b2_10_an_unusable_entry_costs_its_settings_and_not_its_conversation() {
    let key = "agent:main:main";
    for (entry, label) in [
        (json!(7), None),
        (json!({"sessionId": 7, "label": "L"}), Some("L")),
        (json!({"sessionId": "a\0b", "label": "L"}), Some("L")),
        (json!({"sessionId": [], "sessionFile": "conv.jsonl"}), None),
    ] {
        for header in [Some(key), None] {
            let dir = TestDir::new();
            let path = dir.0.join("sessions.json");
            let t = Transcript::at(&dir.0, "conv").unwrap();
            let t = if let Some(key) = header { t.created_for(key, &dir.0) } else { t };
            t.append(&[message::user_text("x", 1)]).unwrap();
            let text = json!({key: entry, "agent:main:b": {"sessionId": "id-b"}}).to_string();
            std::fs::write(&path, &text).unwrap();
            let (index, notes) = Index::load(&path, &KeyRules::default()).unwrap();
            let kept = index.get(key).unwrap();
            assert_eq!((kept.session_id(), kept.label()), (Some("conv"), label), "{text}");
            assert_eq!(index.len(), 2);
            assert!(notes.iter().any(|n| n.contains("kept the damaged")), "{notes:?}");
            let (again, notes) = Index::load(&path, &KeyRules::default()).unwrap();
            assert_eq!((again.len(), notes), (2, Vec::new()), "it is saved");
        }
    }
}

/// T2b-5: where the index can be read, a transcript that belongs to none of its lost entries makes no session.
#[test]
fn t2b_5_an_unusable_entry_brings_back_its_own_conversation_alone() {
    for (text, want) in [
        (r#"{"agent:main:main": {"sessionId": "id-m"}, "agent:main:x": 7}"#, &["agent:main:main"][..]),
        (r#"{"agent:main:telegram:group:-5": null}"#, &[]),
        (r#"{"agent:main:own": null, "agent:main:x": 7}"#, &["agent:main:own"]),
    ] {
        let dir = TestDir::new();
        let path = dir.0.join("sessions.json");
        for n in 0..9 {
            let t = Transcript::at(&dir.0, &format!("old-{n}")).unwrap();
            t.append(&[message::user_text("x", 1)]).unwrap();
        }
        let own = Transcript::at(&dir.0, "own").unwrap().created_for("agent:main:own", &dir.0);
        own.append(&[message::user_text("x", 1)]).unwrap();
        std::fs::write(&path, text).unwrap();
        let (index, notes) = Index::load(&path, &KeyRules::default()).unwrap();
        assert_eq!(keys(&index), want, "{text}");
        assert!(notes.iter().any(|n| n.contains(" transcripts in ") && n.contains("unlisted")), "{notes:?}");
        assert!(dir.0.join("old-0.jsonl").exists());
    }
}

#[test]
fn two_names_of_one_session_become_one_without_a_word_of_damage() {
    let dir = TestDir::new();
    let path = sessions_dir(&dir.0, "main").join("sessions.json");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    // The Node gateway keeps a session under the name it was addressed by and under its canonical one.
    let both = json!({"main": {"sessionId": "id-1", "updatedAt": 5}, "agent:main:main": {"sessionId": "id-1", "updatedAt": 6}});
    std::fs::write(&path, both.to_string()).unwrap();
    let (index, notes) = Index::load(&path, &KeyRules::default()).unwrap();
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(keys(&index), ["agent:main:main"]);
    assert_eq!(index.get("agent:main:main").unwrap().updated_at(), 6);
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing was kept aside");
}

#[test]
fn b_f11_one_entry_that_cannot_be_read_costs_no_other() {
    let dir = TestDir::new();
    let path = dir.0.join("sessions.json");
    let good = |n: usize| json!({"sessionId": format!("id-{n}"), "label": format!("L{n}"), "updatedAt": n});
    let whole = json!({"agent:main:a": good(1), "agent:main:b": {"sessionId": "id-b", "subject": "@"}, "agent:main:c": good(3)});
    // What stands for the subject, and whether that entry is read with all that it has.
    for (bad, is_read) in [
        ("\"cat \\ud83d\"", true),
        ("\"cat \\ude00 \\ud83d\\ud83d\"", true),
        ("7.0", true),
        ("NaN", true),
        ("undefined", true),
        ("\"cut", false),
        ("{\"a\": }", false),
        ("[1, 2", false),
        ("\\", false),
    ] {
        for text in [serde_json::to_string_pretty(&whole).unwrap(), whole.to_string()] {
            let is_pretty = text.contains('\n');
            let text = text.replace("\"@\"", bad);
            std::fs::write(&path, &text).unwrap();
            let (index, notes) = Index::load(&path, &KeyRules::default()).unwrap();
            if !is_pretty && !is_read {
                // On one line an open bracket takes the rest along.
                assert_eq!(index.get("agent:main:a").unwrap().label(), Some("L1"), "{text}");
                continue;
            }
            assert_eq!(keys(&index), ["agent:main:a", "agent:main:b", "agent:main:c"], "{text}");
            for (key, label) in [("agent:main:a", "L1"), ("agent:main:c", "L3")] {
                assert_eq!(index.get(key).unwrap().label(), Some(label), "{text}");
            }
            let entry = index.get("agent:main:b").unwrap().open();
            assert_eq!(
                (entry.session_id(), entry.get("subject").is_some()),
                (Some("id-b"), is_read),
                "{text}"
            );
            assert_eq!(notes.iter().any(|n| n.contains("1 of them without")), !is_read, "{text}: {notes:?}");
        }
    }
    let mut bytes = serde_json::to_string_pretty(&whole).unwrap().replace('@', "cat \u{1}").into_bytes();
    bytes.iter_mut().filter(|b| **b == 1).for_each(|b| *b = 0xF0);
    std::fs::write(&path, [b"\xEF\xBB\xBF".as_slice(), &bytes].concat()).unwrap();
    let (index, notes) = Index::load(&path, &KeyRules::default()).unwrap();
    assert_eq!((index.len(), notes.len()), (3, 0), "a BOM and bytes that are no UTF-8: {notes:?}");
    assert_eq!(index.get("agent:main:b").unwrap().open().str("subject"), Some("cat \u{fffd}"));
}

#[test]
fn s_l13_what_is_no_file_is_moved_aside_and_blocks_nobody() {
    let dir = TestDir::new();
    let path = dir.0.join("sessions.json");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
    let (index, notes) = Index::load(&path, &KeyRules::default()).unwrap();
    assert_eq!(index.len(), 0);
    assert!(notes.iter().any(|n| n.contains("not a regular file")), "{notes:?}");
    index.save().unwrap();
    assert!(path.is_file());
}

#[test]
fn b_f09_the_last_of_two_entries_with_one_key_counts() {
    let dir = TestDir::new();
    let path = dir.0.join("sessions.json");
    let text = r#"{"agent:main:a": {"sessionId": "old", "updatedAt": 9}, "agent:main:b": {"sessionId": "b", "updatedAt": 1},
        "agent:main:a": {"sessionId": "new", "updatedAt": 2}}"#;
    std::fs::write(&path, text).unwrap();
    let index = load(&path);
    assert_eq!(keys(&index), ["agent:main:a", "agent:main:b"]);
    assert_eq!(index.get("agent:main:a").unwrap().session_id(), Some("new"));
}

#[test]
fn b_f09_numbers_that_are_none_cost_no_entry_and_no_member() {
    let dir = TestDir::new();
    let path = dir.0.join("sessions.json");
    for number in ["1e400", "-1e400", "NaN", "Infinity", "-Infinity"] {
        let text = format!(
            r#"{{"agent:main:a": {{"sessionId": "a", "updatedAt": {number}, "label": "A", "x": [{number}, 7]}},
            "agent:main:b": {{"sessionId": "b", "updatedAt": 5, "totalTokens": {number}, "y": "NaN"}}}}"#
        );
        std::fs::write(&path, text).unwrap();
        let index = load(&path);
        assert_eq!(keys(&index), ["agent:main:a", "agent:main:b"], "{number}");
        let (a, b) = (index.get("agent:main:a").unwrap(), index.get("agent:main:b").unwrap());
        assert_eq!(
            (a.session_id(), a.label(), b.session_id(), b.updated_at()),
            (Some("a"), Some("A"), Some("b"), 5)
        );
        assert_eq!(a.open().get("x"), Some(&json!([null, 7])), "{number}");
        assert_eq!(b.open().str("y"), Some("NaN"));
        // It is written so that others can read it.
        index.save().unwrap();
        let written = std::fs::read_to_string(&path).unwrap();
        assert!(!["NaN,", "Infinity"].iter().any(|word| written.contains(word)), "{written}");
    }
}
