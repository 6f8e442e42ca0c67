//! The journal on disk: keys that survive, files that are torn or cannot be rewritten.
use super::*;
use crate::sessions::{Dedupe, Seen, TestDir};
use serde_json::json;

fn record(key: &str, ts: u64) -> Record {
    let message = Some(format!("text of {key}"));
    Record { family: "agent".into(), key: key.into(), hash: "h".into(), ts, message, ..Record::default() }
}

#[test]
fn r_10a_keys_survive_a_restart_for_a_day() {
    let dir = TestDir::new();
    let path = dir.0.join("gateway/idempotency.jsonl");
    let now = 10 * KEEP_MS;
    let (mut journal, records) = Journal::open(&path, now).unwrap();
    assert!(records.is_empty());
    let mut dedupe = Dedupe::default();
    for (key, ts) in [("old", now - KEEP_MS + 1), ("done", now), ("open", now)] {
        dedupe.begin(record(key, ts));
        journal.append(&record(key, ts)).unwrap();
    }
    journal.append(&dedupe.finish("agent", "done", json!({"status": "ok"})).unwrap()).unwrap();
    let (_, records) = Journal::open(&path, now + 1).unwrap();
    let dedupe = Dedupe::from_records(records);
    assert_eq!(dedupe.len(), 2);
    assert_eq!(dedupe.check("agent", "old", "h", now + 1), Seen::New);
    assert_eq!(dedupe.check("agent", "done", "x", now + 1), Seen::Different);
    assert!(matches!(dedupe.check("agent", "done", "h", now + 1), Seen::Same(r) if r.result.is_some()));
    let Seen::Same(open) = dedupe.check("agent", "open", "h", now + 1) else { panic!("lost") };
    assert_eq!(open.message.as_deref(), Some("text of open"));
    // The old key and the text of the finished one are gone from the file.
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert!(!text.contains("text of done") && !text.contains("old"));
}

#[test]
fn r_28b_a_journal_that_cannot_be_rewritten_stays_in_use() {
    let dir = TestDir::new();
    // So long a name that no temporary file can be made beside it.
    let path = dir.0.join("j".repeat(250));
    let now = 10 * KEEP_MS;
    let (mut journal, _) = Journal::open(&path, now).unwrap();
    for (key, ts) in [("old", 1), ("a", now), ("b", now)] {
        journal.append(&record(key, ts)).unwrap();
    }
    let whole = std::fs::read(&path).unwrap();
    for cut in 0..3 {
        // Whole lines, a last line without its end, and a torn one.
        std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let (mut journal, before) = Journal::open(&path, now).unwrap();
        assert_eq!(before.len(), if cut == 2 { 1 } else { 2 });
        assert!(journal.rewrite(before.iter()).is_err());
        for key in ["c", "d"] {
            journal.append(&record(key, now + 1)).unwrap();
        }
        let (_, after) = Journal::open(&path, now).unwrap();
        assert_eq!(after.len(), before.len() + 2, "{cut}");
        assert!(after.starts_with(&before));
    }
}

#[test]
fn r_09c_a_journal_cut_anywhere_opens_and_goes_on() {
    let dir = TestDir::new();
    let path = dir.0.join("j.jsonl");
    let (mut journal, _) = Journal::open(&path, 1).unwrap();
    journal.append(&record("a", 1)).unwrap();
    journal.append(&record("b", 2)).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for end in 0..whole.len() {
        std::fs::write(&path, &whole[..end]).unwrap();
        let (mut journal, before) = Journal::open(&path, 3).unwrap();
        journal.append(&record("c", 3)).unwrap();
        let (_, after) = Journal::open(&path, 3).unwrap();
        assert_eq!(after.len(), before.len() + 1, "cut at {end}");
        assert_eq!(after.last().unwrap().key, "c");
    }
}
