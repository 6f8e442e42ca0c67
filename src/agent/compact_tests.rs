//! Tests of windows and compactions with a summariser that is a closure.
use super::*;
use crate::sessions::TestDir;
use serde_json::json;

const LIMITS: Limits = Limits { usable: 4000, keep: 100, part: 1000, summary: 500 };

fn user(n: usize, size: usize) -> Value {
    message::user_text(&format!("question {n} {}", "q".repeat(size)), 1)
}

fn reply(n: usize) -> Value {
    let content = vec![message::text(&format!("answer {n}"))];
    message::assistant(message::Assistant { content, stop_reason: "stop", ..Default::default() }, 1)
}

fn call(id: &str) -> Value {
    let block = json!({"type": "toolCall", "id": id, "name": "read", "arguments": {}});
    json!({"type": "message", "message": {"role": "assistant", "content": [block], "stopReason": "toolUse"}})
}

fn transcript(dir: &TestDir, entries: &[Value]) -> Transcript {
    let t = Transcript::at(&dir.0, &crate::ids::uuid().unwrap()).unwrap();
    t.append(entries).unwrap();
    t
}

fn turns(count: usize, size: usize) -> Vec<Value> {
    (0..count).flat_map(|n| [user(n, size), reply(n)]).collect()
}

fn provider(window: u64) -> Provider {
    Provider { context_window: window, ..Provider::builtin() }
}

fn texts(window: &Window) -> Vec<String> {
    window.messages.iter().map(message::text_of).collect()
}

fn see(t: &Transcript, window_tokens: u64, fixed: usize) -> Window {
    window(t, &provider(window_tokens), fixed, &Config::empty()).unwrap()
}

#[test]
fn a_compaction_keeps_the_newest_turns_word_for_word() {
    let dir = TestDir::new();
    let t = transcript(&dir, &turns(10, 60));
    let mut asked = Vec::new();
    let done = compact_with(&t, &LIMITS, Some("mind the numbers"), &mut |ask| {
        asked.push(ask.text());
        Ok("THE SUMMARY".into())
    });
    let done = done.unwrap().unwrap();
    assert_eq!(done.summary, "THE SUMMARY");
    assert!(done.tokens_after < done.tokens_before / 2, "{done:?}");
    assert!(asked.len() == 1 && asked[0].contains("question 0") && asked[0].ends_with("mind the numbers"));
    let after = see(&t, 200_000, 0);
    let shown = texts(&after);
    assert_eq!(shown[0], "[The conversation so far, in summary]\nTHE SUMMARY");
    assert!(shown[1].starts_with("question ") && shown.last().unwrap() == "answer 9");
    // What is shown word for word was not summarised, and nothing is missing between.
    let first: usize = shown[1].split(' ').nth(1).unwrap().parse().unwrap();
    assert!(
        !asked[0].contains(&format!("question {first} "))
            && asked[0].contains(&format!("answer {}", first - 1))
    );
    // The second one builds upon the first.
    t.append(&turns(10, 60)).unwrap();
    let mut previous = String::new();
    compact_with(&t, &LIMITS, None, &mut |ask| {
        previous = ask.previous.to_string();
        assert!(ask.conversation.contains("answer 9"));
        Ok("SECOND".into())
    })
    .unwrap()
    .unwrap();
    assert_eq!(previous, "THE SUMMARY");
    assert!(texts(&see(&t, 200_000, 0))[0].ends_with("SECOND"));
}

#[test]
fn a_turn_that_is_too_large_is_cut_between_calls_and_its_question_repeated() {
    let dir = TestDir::new();
    let mut entries = vec![user(0, 10)];
    for n in 0..10 {
        let id = format!("c{n}");
        entries.extend([call(&id), message::tool_result(&id, "read", &"r".repeat(300), false, 1)]);
    }
    let t = transcript(&dir, &entries);
    let done = compact_with(&t, &LIMITS, None, &mut |_| Ok("SUM".into())).unwrap().unwrap();
    assert!(done.summary.starts_with("SUM\n") && done.summary.contains("question 0"), "{}", done.summary);
    let shown = see(&t, 200_000, 0).messages;
    assert_eq!(
        (shown.len(), message::role(&shown[1]), message::role(&shown[2])),
        (3, "assistant", "toolResult")
    );
}

#[test]
fn a_failing_model_changes_nothing() {
    let dir = TestDir::new();
    let t = transcript(&dir, &turns(10, 60));
    let before = std::fs::read(t.path()).unwrap();
    let error =
        compact_with(&t, &LIMITS, None, &mut |_| Err(Error::new(Kind::Model, "no answer: try again")));
    let error = error.unwrap_err();
    assert_eq!(error.message(), "summarise the conversation, which stays as it was: no answer: try again");
    let empty = compact_with(&t, &LIMITS, None, &mut |_| Ok(" \n".into())).unwrap_err();
    assert!(empty.message().contains("/model"), "{empty}");
    let aborted = compact_with(&t, &LIMITS, None, &mut |_| Err(Error::new(Kind::Aborted, "stopped")));
    assert_eq!(aborted.unwrap_err().kind, Kind::Aborted);
    assert_eq!(std::fs::read(t.path()).unwrap(), before);
}

#[test]
fn nothing_to_compact_is_said() {
    let dir = TestDir::new();
    let none =
        |entries: &[Value]| compact_with(&transcript(&dir, entries), &LIMITS, None, &mut |_| panic!("asked"));
    assert_eq!(none(&[]).unwrap(), None);
    assert_eq!(none(&[user(0, 9000)]).unwrap(), None);
    assert_eq!(none(&[call("c"), message::tool_result("c", "read", "x", false, 1)]).unwrap(), None);
    // A short conversation is compacted when it is asked for: the turn before the newest.
    let t = transcript(&dir, &turns(2, 0));
    compact_with(&t, &LIMITS, None, &mut |_| Ok("S".into())).unwrap().unwrap();
    assert_eq!(texts(&see(&t, 200_000, 0))[1..], ["question 1 ", "answer 1"]);
}

#[test]
fn a_long_conversation_is_summarised_in_parts_and_bounded() {
    let dir = TestDir::new();
    let limits = Limits { part: 300, ..LIMITS };
    let run = |count: usize| {
        let t = transcript(&dir, &turns(count, 200));
        let (mut parts, mut first) = (0, String::new());
        compact_with(&t, &limits, None, &mut |ask| {
            if parts == 0 {
                first = ask.previous.to_string();
            } else {
                assert!(ask.previous.contains(&format!("S{parts}")));
            }
            assert!(ask.conversation.len() <= 900);
            parts += 1;
            Ok(format!("S{parts}"))
        })
        .unwrap()
        .unwrap();
        (parts, first)
    };
    let (few, first) = run(10);
    assert!((2..=MAX_PARTS).contains(&few) && first.is_empty());
    let (most, first) = run(300);
    assert!(most <= MAX_PARTS && first.contains("missing"), "{most} {first}");
}

#[test]
fn what_fits_is_sent_whole_and_the_servers_count_wins() {
    let dir = TestDir::new();
    let t = transcript(&dir, &turns(20, 300));
    let all = see(&t, 200_000, 3000);
    assert!(all.messages.len() == 40 && !all.is_full && all.tokens > 1000 + 20 * 100, "{}", all.tokens);
    // Estimated at some 2,300 tokens: too much for a window of 2,000.
    let small = see(&t, 2000, 0);
    assert!(small.is_full && small.messages.len() < 40 && small.tokens <= 1500);
    assert!(small.messages.len().is_multiple_of(2) && message::role(&small.messages[0]) == "user");
    // The server says it was only 1,200, so it fits; or 9,000, so that less is sent.
    let counted = |total: u64| {
        let mut answer = reply(99);
        answer["message"]["usage"] = json!({"input": total, "output": 1, "cacheRead": 0, "cacheWrite": 0});
        let mut entries = turns(20, 300);
        entries.push(answer);
        see(&transcript(&dir, &entries), 2000, 0)
    };
    let fits = counted(1200);
    assert!(!fits.is_full && fits.messages.len() == 41 && fits.tokens == 1201);
    assert!(counted(9000).messages.len() < small.messages.len() / 2);
}

#[test]
fn a_window_full_of_instructions_asks_for_no_compaction_after_one() {
    let dir = TestDir::new();
    let t = transcript(&dir, &turns(30, 300));
    assert!(see(&t, 4000, 9000).is_full);
    let done = compact(&t, &provider(4000), &Config::empty(), None, &Cancel::new()).unwrap().unwrap();
    assert!(done.summary.contains("extract"));
    let after = see(&t, 4000, 9000);
    assert!(!after.is_full, "{} messages, {} tokens", after.messages.len(), after.tokens);
    assert_eq!(texts(&after).last().unwrap(), "answer 29");
}

#[test]
fn n_6_a_window_full_of_instructions_still_holds_what_was_said() {
    let dir = TestDir::new();
    let fixed = 3 * 4300;
    for window in [4096, 6000] {
        let short = see(&transcript(&dir, &turns(4, 20)), window, fixed);
        assert!(short.messages.len() == 8 && !short.is_full && !short.is_cut, "{window}: {short:?}");
        // The server's own count changes nothing about it, and a longer conversation is compacted.
        for counted in [3000, 3300, 4000] {
            let mut entries = turns(4, 20);
            entries[7]["message"]["usage"] =
                json!({"input": counted, "output": 9, "cacheRead": 0, "cacheWrite": 0});
            let told = see(&transcript(&dir, &entries), window, fixed);
            assert_eq!(told.messages.len(), 8, "{window} {counted}");
        }
        let long = see(&transcript(&dir, &turns(20, 300)), window, fixed);
        assert!(long.is_full && long.is_cut && long.messages.len() > 4, "{window}: {long:?}");
        let why = crowded(&provider(window), fixed, &Config::empty()).unwrap();
        assert!(why.contains(&format!("about 4300 of the {window} tokens of openclaw/builtin")), "{why}");
    }
    assert!(crowded(&provider(16_000), fixed, &Config::empty()).is_none());
}
