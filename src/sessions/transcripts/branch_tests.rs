//! Transcripts whose links or compactions are not as they should be: no earlier turn may be lost by that.
use super::*;
use crate::sessions::{TestDir, context};
use serde_json::json;

/// A transcript of these lines as they are.
fn written(dir: &TestDir, lines: &[Value]) -> Transcript {
    let transcript = Transcript::at(&dir.0, &crate::ids::uuid().unwrap()).unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(transcript.path(), text).unwrap();
    transcript
}

fn user(id: &str, parent: Value, text: &str) -> Value {
    json!({"type": "message", "id": id, "parentId": parent, "message": {"role": "user", "content": [{"type": "text", "text": text}]}})
}

fn shown(transcript: &Transcript) -> Vec<String> {
    let reach = Reach { tokens: 1000, counted: 0, messages: 100, images: 0 };
    let branch = Branch::read(transcript, reach).unwrap();
    context::into_messages(branch, 0).iter().map(message::text_of).collect()
}

#[test]
fn b_f11_parents_that_are_nowhere_before_hide_nothing() {
    let dir = TestDir::new();
    let head = json!({"type": "session", "version": 3, "id": "s"});
    for (first, second, third) in [
        // Itself, a loop, one that is not there, the conversation.
        (json!(null), json!("a"), json!("c")),
        (json!("b"), json!("c"), json!("b")),
        (json!("x"), json!("y"), json!("z")),
        (json!("s"), json!("s"), json!("b")),
        (json!("a"), json!("b"), json!("c")),
    ] {
        let lines =
            [head.clone(), user("a", first, "one"), user("b", second, "two"), user("c", third, "three")];
        let want: &[&str] =
            if lines[2]["parentId"] == "s" { &["two", "three"] } else { &["one", "two", "three"] };
        assert_eq!(shown(&written(&dir, &lines)), want, "{lines:?}");
    }
    // A branch that begins anew is still one.
    let lines = [head, user("a", json!(null), "one"), user("b", json!(null), "two")];
    assert_eq!(shown(&written(&dir, &lines)), ["two"]);
}

#[test]
fn b_f11_a_compaction_that_says_nothing_hides_nothing() {
    let dir = TestDir::new();
    for summary in [json!(null), json!(" "), json!(7)] {
        let compaction = json!({"type": "compaction", "id": "k", "parentId": "a", "summary": summary, "firstKeptEntryId": null});
        let lines = [user("a", json!(null), "one"), compaction, user("b", json!("k"), "two")];
        assert_eq!(shown(&written(&dir, &lines)), ["one", "two"]);
    }
}

#[test]
fn b_f11_the_first_format_names_what_stays_by_its_line() {
    let dir = TestDir::new();
    let said = |text: &str| json!({"type": "message", "message": {"role": "user", "content": text}});
    let lines = |index: usize| {
        let compaction =
            json!({"type": "compaction", "summary": "SUM", "firstKeptEntryIndex": index, "tokensBefore": 9});
        [
            json!({"type": "session", "id": "s"}),
            said("one"),
            said("two"),
            said("three"),
            compaction,
            said("four"),
        ]
    };
    for (index, kept) in [(0, 4), (1, 4), (2, 3), (3, 2), (4, 1), (99, 1)] {
        let got = shown(&written(&dir, &lines(index)));
        assert!(got[0].contains("SUM"), "{got:?}");
        assert_eq!(got[1..], ["one", "two", "three", "four"][4 - kept..], "{index}");
    }
}

#[test]
fn b_f11_one_large_message_does_not_take_the_place_of_all_others() {
    let dir = TestDir::new();
    let large = format!("{}END", "x".repeat(3 << 20));
    let call = json!({"type": "message", "id": "d", "parentId": "c", "message": {"role": "assistant", "content": [
        {"type": "toolCall", "id": "t", "name": "write", "arguments": {"path": "p", "content": large}}]}});
    let lines = [
        user("a", json!(null), "one"),
        user("b", json!("a"), &large),
        user("c", json!("b"), "three"),
        call,
        user("e", json!("d"), "four"),
    ];
    let got = shown(&written(&dir, &lines));
    assert_eq!((got[0].as_str(), got[2].as_str(), got.last().unwrap().as_str()), ("one", "three", "four"));
    assert!(
        got[1].contains("bytes left out") && got[1].ends_with("END") && got[1].len() < 2000,
        "{}",
        got[1].len()
    );
}

#[test]
fn b_f39_a_transcript_that_is_a_directory_is_told_in_one_sentence() {
    let dir = TestDir::new();
    let transcript = Transcript::at(&dir.0, "a").unwrap();
    std::fs::create_dir(transcript.path()).unwrap();
    let reach = Reach { tokens: 1000, counted: 0, messages: 100, images: 0 };
    let read = Branch::read(&transcript, reach).unwrap_err();
    let written = transcript.append(&[message::user_text("x", 1)]).unwrap_err();
    for error in [read, written] {
        assert!(error.message().contains("a.jsonl: not a regular file, move it away"), "{error}");
    }
}
