//! The journal on disk: what survives, files that are torn, old or cannot be rewritten, and its bounds.
use super::*;
use crate::deliveries::dedupe::KEEP_MS;
use crate::deliveries::kept::MOST_OVER;
use crate::deliveries::line::Stage;
use crate::deliveries::{Dedupe, Seen};
use crate::sessions::TestDir;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

fn record(key: &str, ts: u64) -> Record {
    let message = Some(format!("text of {key}"));
    Record { family: "agent".into(), key: key.into(), hash: "h".into(), ts, message, ..Record::default() }
}

fn run(key: &str, ts: u64) -> Line {
    Line::Run(record(key, ts))
}

fn inbound(id: &str, ts: u64) -> Inbound {
    let message = Some(json!({"text": id}));
    Inbound { platform: "telegram".into(), account: "a".into(), id: id.into(), ts, message }
}

fn delivery(id: &str, ts: u64, stage: Stage) -> Delivery {
    Delivery { id: id.into(), to: "peer".into(), ts, stage, ..Delivery::default() }
}

fn at(path: &Path, now: u64) -> (Journal, Vec<Record>) {
    let (journal, found) = Journal::open_at(path, &path.with_file_name("none"), now).unwrap();
    (journal, found.runs)
}

#[test]
fn r_10a_keys_survive_a_restart_for_a_day() {
    let dir = TestDir::new();
    let now = 10 * KEEP_MS;
    let (mut journal, found) = Journal::open(&dir.0, now).unwrap();
    assert!(found.runs.is_empty());
    let mut dedupe = Dedupe::default();
    for (key, ts) in [("old", now - KEEP_MS + 1), ("done", now), ("open", now)] {
        dedupe.begin(record(key, ts));
        journal.append(&run(key, ts)).unwrap();
    }
    let done = dedupe.finish("agent", "done", json!({"status": "ok"})).unwrap();
    journal.append(&Line::Run(done)).unwrap();
    let dedupe = Dedupe::from_records(Journal::open(&dir.0, now + 1).unwrap().1.runs);
    assert_eq!(dedupe.len(), 2);
    assert_eq!(dedupe.check("agent", "old", "h", now + 1), Seen::New);
    assert_eq!(dedupe.check("agent", "done", "x", now + 1), Seen::Different);
    assert!(matches!(dedupe.check("agent", "done", "h", now + 1), Seen::Same(r) if r.result.is_some()));
    let Seen::Same(open) = dedupe.check("agent", "open", "h", now + 1) else { panic!("lost") };
    assert_eq!(open.message(), Some("text of open"));
    // The old key and the text of the finished one are gone from the file.
    let path = dir.0.join("gateway/deliveries.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert!(!text.contains("text of done") && !text.contains("old"));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn all_kinds_survive_and_the_newest_line_of_each_counts() {
    let dir = TestDir::new();
    let (mut journal, _) = Journal::open(&dir.0, 5).unwrap();
    let handled = Inbound { message: None, ..inbound("1", 1) };
    let confirmed = Delivery { platform_id: Some("p".into()), ..delivery("d", 2, Stage::Confirmed) };
    let lines = [
        Line::Inbound(inbound("1", 1)),
        Line::Inbound(inbound("2", 2)),
        Line::Delivery(delivery("d", 2, Stage::Accepted)),
        Line::Delivery(delivery("e", 3, Stage::Handed)),
        run("1", 1),
        Line::Inbound(handled.clone()),
        Line::Delivery(confirmed.clone()),
    ];
    journal.append_all(lines.iter()).unwrap();
    let (_, found) = Journal::open(&dir.0, 6).unwrap();
    assert_eq!(found.runs, [record("1", 1)]);
    assert_eq!(found.inbound, [handled, inbound("2", 2)]);
    assert_eq!(found.deliveries, [confirmed, delivery("e", 3, Stage::Handed)]);
    // What is over goes after a day, what is open after a week.
    let (_, found) = Journal::open(&dir.0, 5 + KEEP_MS).unwrap();
    assert_eq!((found.runs.len(), found.inbound.len(), found.deliveries.len()), (0, 1, 1));
    let (_, found) = Journal::open(&dir.0, 5 + 7 * KEEP_MS).unwrap();
    assert_eq!((found.inbound.len(), found.deliveries.len()), (0, 0));
}

#[test]
fn what_an_earlier_release_left_is_carried_over() {
    let dir = TestDir::new();
    std::fs::create_dir_all(dir.0.join("gateway")).unwrap();
    let old = dir.0.join("gateway/idempotency.jsonl");
    let line = |key: &str| serde_json::to_string(&record(key, 7)).unwrap();
    std::fs::write(&old, format!("{}\n{}\n{{\"family\":\"to", line("a"), line("b"))).unwrap();
    let (mut journal, found) = Journal::open(&dir.0, 8).unwrap();
    assert_eq!(found.runs, [record("a", 7), record("b", 7)]);
    assert!(!old.exists());
    let done = Record { result: Some(json!({"ok": true}).into()), message: None, ..record("a", 7) };
    journal.append(&Line::Run(done.clone())).unwrap();
    // A stop came before the old file was removed: what was written since counts.
    std::fs::write(&old, line("a")).unwrap();
    let (_, found) = Journal::open(&dir.0, 9).unwrap();
    assert_eq!(found.runs, [record("b", 7), done]);
}

#[test]
fn it_is_bounded_and_keeps_what_is_open() {
    let dir = TestDir::new();
    let (mut journal, _) = Journal::open(&dir.0, 5).unwrap();
    let text = "x".repeat(64 << 10);
    let big = |n: u64| Record {
        message: None,
        result: Some(json!({"ok": true, "payload": text}).into()),
        ..record(&n.to_string(), n)
    };
    let mut sizes = Vec::new();
    journal.append(&run("open", 0)).unwrap();
    for n in 1..400 {
        journal.append_all([Line::Run(big(n)), Line::Run(big(n))].iter()).unwrap();
        if journal.is_bulky() {
            journal.compact(6).unwrap();
        }
        sizes.push(journal.len);
    }
    let most = 2 * MOST_OVER + BULKY;
    assert!(sizes.iter().all(|size| *size < most), "{:?}", sizes.iter().max());
    let (journal, found) = Journal::open(&dir.0, 7).unwrap();
    assert!(journal.len <= MOST_OVER + (1 << 20));
    let keys: Vec<&str> = found.runs.iter().map(|r| r.key.as_str()).collect();
    assert_eq!(
        (keys.first(), keys.last()),
        (Some(&"open"), Some(&"399")),
        "the newest stay, and what is open"
    );
}

#[test]
fn r_28b_a_journal_that_cannot_be_rewritten_stays_in_use() {
    let dir = TestDir::new();
    // So long a name that no temporary file can be made beside it.
    let path = dir.0.join("j".repeat(250));
    let now = 10 * KEEP_MS;
    let (mut journal, _) = at(&path, now);
    for (key, ts) in [("old", 1), ("a", now), ("b", now)] {
        journal.append(&run(key, ts)).unwrap();
    }
    let whole = std::fs::read(&path).unwrap();
    for cut in 0..3 {
        // Whole lines, a last line without its end, and a torn one.
        std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let (mut journal, before) = at(&path, now);
        assert_eq!(before.len(), if cut == 2 { 1 } else { 2 });
        assert!(journal.compact(now).is_err());
        for key in ["c", "d"] {
            journal.append(&run(key, now + 1)).unwrap();
        }
        let (_, after) = at(&path, now);
        assert_eq!(after.len(), before.len() + 2, "{cut}");
        assert!(after.starts_with(&before));
    }
}

#[test]
fn r_09c_a_journal_cut_anywhere_opens_and_goes_on() {
    let dir = TestDir::new();
    let path = dir.0.join("j.jsonl");
    let (mut journal, _) = at(&path, 1);
    journal.append(&run("a", 1)).unwrap();
    journal.append(&Line::Inbound(inbound("b", 2))).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for end in 0..whole.len() {
        std::fs::write(&path, &whole[..end]).unwrap();
        let (mut journal, before) = at(&path, 3);
        journal.append(&run("c", 3)).unwrap();
        let (_, after) = at(&path, 3);
        assert_eq!(after.len(), before.len() + 1, "cut at {end}");
        assert_eq!(after.last().unwrap().key, "c");
    }
}
