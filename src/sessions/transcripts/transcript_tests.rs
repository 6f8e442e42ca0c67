//! Tests of transcripts: files of the Node gateway are continued, torn ones repaired, hostile names refused.
use super::*;
use crate::sessions::{TestDir, message};
use std::os::unix::fs::PermissionsExt;

/// A transcript as the Node gateway writes it.
const SAMPLE: &str = r#"{"type":"session","version":3,"id":"6f1c","timestamp":"2026-11-21T01:31:48.236Z","cwd":"/w"}
{"type":"model_change","id":"f3ca0542","parentId":null,"timestamp":"2026-11-21T01:31:48.236Z","provider":"stub","modelId":"test"}
{"type":"custom","customType":"model-snapshot","data":{"timestamp":1795224708279,"provider":"stub"},"id":"a8f90057","parentId":"f3ca0542","timestamp":"2026-11-21T01:31:48.279Z"}
{"type":"message","id":"2793793d","parentId":"a8f90057","timestamp":"2026-11-21T01:31:48.294Z","message":{"role":"user","content":[{"type":"text","text":"[Sat 2026-11-21 01:31 UTC] hä\n[message_id: k1]"}],"timestamp":1795224708294}}
{"type":"message","id":"2be38cfb","parentId":"2793793d","timestamp":"2026-11-21T01:31:53.771Z","message":{"role":"assistant","content":[{"type":"text","text":"Hello."}],"api":"openai-completions","provider":"stub","model":"test","stopReason":"stop","timestamp":1795224713771}}
"#;

fn read(t: &Transcript) -> Vec<Value> {
    std::fs::read_to_string(t.path())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_transcript_of_the_node_gateway_is_continued() {
    let dir = TestDir::new();
    let t = Transcript::at(&dir.0, "6f1c").unwrap();
    std::fs::write(t.path(), SAMPLE).unwrap();
    let ids = t.append(&[message::user_text("more", 2), message::injected("yes", None, 3)]).unwrap();
    let text = std::fs::read_to_string(t.path()).unwrap();
    let new: Vec<Value> =
        text.strip_prefix(SAMPLE).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(
        new[0].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["type", "id", "parentId", "timestamp", "message"]
    );
    assert_eq!((&new[0]["parentId"], &new[1]["parentId"]), (&json!("2be38cfb"), &json!(ids[0])));
    assert_eq!(new[1]["message"]["model"], "gateway-injected");
    assert!(ids.iter().all(|id| id.len() == 8));
    assert_eq!(std::fs::metadata(t.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(t.tail(3).unwrap().len(), 3);
}

#[test]
fn a_new_transcript_has_a_header_and_is_private() {
    let dir = TestDir::new();
    let sessions = dir.0.join("s");
    let t = Transcript::at(&sessions, "new").unwrap().created_for("agent:main:main", Path::new("/w"));
    assert!(t.tail(5).unwrap().is_empty());
    t.append(&[message::model_change("p", "m")]).unwrap();
    let lines = read(&t);
    assert_eq!(
        (&lines[0]["type"], &lines[0]["version"], &lines[0]["id"]),
        (&json!("session"), &json!(3), &json!("new"))
    );
    assert_eq!((&lines[0]["cwd"], &lines[1]["parentId"]), (&json!("/w"), &Value::Null));
    assert_eq!(std::fs::metadata(t.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(&sessions).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn r_09c_a_transcript_cut_anywhere_is_continued_with_whole_lines() {
    let dir = TestDir::new();
    let t = Transcript::at(&dir.0, "6f1c").unwrap();
    let ends: Vec<usize> = SAMPLE.match_indices('\n').map(|(at, _)| at).collect();
    for end in 0..=SAMPLE.len() {
        std::fs::write(t.path(), &SAMPLE.as_bytes()[..end]).unwrap();
        assert!(t.tail(100).unwrap().len() <= 5);
        t.repair().unwrap();
        t.append(&[message::user_text("more", 2)]).unwrap();
        let text = std::fs::read(t.path()).unwrap();
        let read = |line| serde_json::from_slice(line).ok();
        let lines: Vec<Value> = text.split(|byte| *byte == b'\n').filter_map(read).collect();
        // B2-9: what is torn stays, unless it is the header.
        let is_kept = text.starts_with(&SAMPLE.as_bytes()[..end]);
        assert!(is_kept || end < ends[0], "cut at {end}");
        // Every line that was whole, also one that only lacked its line end, is still there.
        let whole = ends.iter().filter(|at| **at <= end).count();
        assert_eq!(lines.len(), whole.max(1) + 1, "cut at {end}");
        assert_eq!(lines[0]["type"], "session", "cut at {end}");
        let parent = if whole > 1 { lines[whole - 1]["id"].clone() } else { Value::Null };
        assert_eq!(lines.last().unwrap()["parentId"], parent, "cut at {end}");
    }
}

#[test]
fn b2_9_a_half_line_stays_and_zeros_go() {
    let dir = TestDir::new();
    let t = Transcript::at(&dir.0, "6f1c").unwrap();
    let half = r#"{"type":"message","id":"0","message":{"role":"assistant","content":"what was sa"#;
    for (tail, kept) in [(half, half), ("{}}{", "{}}{"), ("\0\0\0", ""), ("half\0\0", "half")] {
        std::fs::write(t.path(), format!("{SAMPLE}{tail}")).unwrap();
        t.append(&[message::user_text("more", 2)]).unwrap();
        let text = std::fs::read_to_string(t.path()).unwrap();
        let rest = text.strip_prefix(&format!("{SAMPLE}{kept}")).unwrap();
        let new: Value = serde_json::from_str(rest.trim()).unwrap();
        assert_eq!(new["parentId"], "2be38cfb", "{tail:?}");
        assert_eq!(text.lines().count(), 6 + usize::from(!kept.is_empty()), "{tail:?}");
        assert_eq!(t.tail(1).unwrap()[0]["id"], new["id"]);
    }
    std::fs::write(t.path(), "\0".repeat(3 << 20)).unwrap();
    t.append(&[message::user_text("more", 2)]).unwrap();
    assert_eq!(read(&t).len(), 2);
}

#[test]
fn sec_12_names_that_leave_the_directory_are_refused() {
    let dir = TestDir::new();
    let long = "a".repeat(129);
    let names = [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "/etc/passwd",
        "%2e%2e",
        "a\\b",
        "a\0",
        "ä",
        "a b",
        ".a",
        "a.jsonl.deleted",
        "a\n",
        &long,
    ];
    for name in names {
        assert!(Transcript::at(&dir.0, name).is_err(), "{name:?}");
    }
    assert!(Transcript::at(&dir.0, &"a.b".repeat(42)).is_ok());
    let mut entry = Entry::new("id", 1);
    for file in ["/etc/passwd", "/etc/x.jsonl", "../x.jsonl", "x.jsonl"] {
        entry.set("sessionFile", file);
        assert_eq!(Transcript::of(&dir.0, &entry).unwrap().path(), dir.0.join("id.jsonl"));
    }
}

#[test]
fn sec_12_links_and_pipes_are_not_opened() {
    let dir = TestDir::new();
    let secret = dir.0.join("secret");
    std::fs::write(&secret, SAMPLE).unwrap();
    let t = Transcript::at(&dir.0, "link").unwrap();
    std::os::unix::fs::symlink(&secret, t.path()).unwrap();
    assert!(t.append(&[message::user_text("x", 1)]).is_err());
    assert!(t.tail(5).is_err());
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), SAMPLE);
    let pipe = Transcript::at(&dir.0, "pipe").unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, pipe.path(), rustix::fs::Mode::RUSR).unwrap();
    assert!(pipe.tail(5).is_err());
}

#[test]
fn r_09b_a_held_lock_is_waited_for_at_most_a_second() {
    let dir = TestDir::new();
    let t = Transcript::at(&dir.0, "a").unwrap();
    t.append(&[message::user_text("x", 1)]).unwrap();
    let held = File::open(t.path()).unwrap();
    regular::lock(&held, t.path()).unwrap();
    let started = std::time::Instant::now();
    let error = t.append(&[message::user_text("y", 1)]).unwrap_err();
    assert!(error.retryable() && started.elapsed() < Duration::from_millis(1500), "{error}");
    // Another session is not held up, and R-09a: a lock file of the Node gateway means nothing.
    std::fs::write(dir.0.join("a.jsonl.lock"), r#"{"pid":1}"#).unwrap();
    Transcript::at(&dir.0, "b").unwrap().append(&[message::user_text("z", 1)]).unwrap();
    drop(held);
    t.append(&[message::user_text("y", 1)]).unwrap();
    assert_eq!(read(&t).len(), 3);
}

#[test]
fn writers_at_the_same_time_make_one_chain() {
    let dir = TestDir::new();
    let t = Transcript::at(&dir.0, "a").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..20).for_each(|n| drop(t.append(&[message::user_text("x", n)]).unwrap())));
        }
    });
    let lines = read(&t);
    assert_eq!(lines.len(), 81);
    for pair in lines[1..].windows(2) {
        assert_eq!(pair[1]["parentId"], pair[0]["id"]);
    }
}

#[test]
fn the_end_of_a_large_transcript_is_read_fast() {
    let dir = TestDir::new();
    let t = Transcript::at(&dir.0, "a").unwrap();
    let entries: Vec<_> =
        (0..10_000).map(|n| message::user_text(&format!("{n} {}", "x".repeat(1000)), n)).collect();
    t.append(&entries).unwrap();
    let started = std::time::Instant::now();
    let tail = t.tail(200).unwrap();
    // 10 ms is meant for a release build; a debug build parses about ten times slower.
    let limit = if cfg!(debug_assertions) { 100 } else { 10 };
    assert!(started.elapsed() < Duration::from_millis(limit), "{:?}", started.elapsed());
    assert_eq!((tail.len(), &tail[0]["message"]["timestamp"]), (200, &json!(9800)));
}

#[test]
fn runs_are_found_and_files_archived() {
    let dir = TestDir::new();
    let t = Transcript::at(&dir.0, "a").unwrap();
    assert!(!t.contains_run("r1").unwrap());
    assert_eq!(t.archive("deleted").unwrap(), None);
    t.append(&[message::of_run(message::user_text("x", 1), "r1"), message::injected("y", None, 1)]).unwrap();
    assert!(t.contains_run("r1").unwrap() && !t.contains_run("r2").unwrap());
    // The longest ids, which take twice as much where they are escaped.
    let text = "x".repeat(2000);
    for (n, long) in ["a", "\u{e9}", "\""].map(|c| c.repeat(512 / c.len())).iter().enumerate() {
        assert!(!t.contains_run(long).unwrap());
        t.append(&[message::of_run(message::user_text(&text, 1), long)]).unwrap();
        assert!(t.contains_run(long).unwrap(), "{n}");
    }
    let target = t.archive("deleted").unwrap().unwrap();
    assert!(
        target.display().to_string().contains("a.jsonl.deleted.20") && target.exists() && !t.path().exists()
    );
}

#[test]
fn b_f09_numbers_that_are_none_cost_no_line() {
    let dir = TestDir::new();
    let t = Transcript::at(&dir.0, "6f1c").unwrap();
    for number in ["1e400", "NaN", "-Infinity"] {
        // The last line lacks its end, and is no torn one.
        let text = SAMPLE.replace("1795224713771", number).replace("1795224708294", number);
        std::fs::write(t.path(), text.trim_end()).unwrap();
        t.append(&[message::user_text("more", 2)]).unwrap();
        let lines = t.tail(10).unwrap();
        assert_eq!(lines.len(), 6, "{number}");
        assert_eq!(lines[4]["message"]["content"][0]["text"], "Hello.", "{number}");
        assert_eq!(lines[5]["parentId"], "2be38cfb", "{number}");
    }
}
