//! Tests of what a model gets to see: written cases, and random transcripts with branches, tool calls,
//! compactions and torn lines, for which the rules that models insist on must always hold.
use super::*;
use crate::sessions::branch::Reach;
use crate::sessions::{TestDir, Transcript};
use serde_json::json;

fn call(id: &str) -> Value {
    let block = json!({"type": "toolCall", "id": id, "name": "read", "arguments": {}});
    json!({"type": "message", "message": {"role": "assistant", "content": [block]}})
}

/// An answer of a model.
fn said(text: &str) -> Value {
    let content = vec![message::text(text)];
    message::assistant(message::Assistant { content, stop_reason: "stop", ..Default::default() }, 1)
}

fn answer(text: &str, total: u64) -> Value {
    let mut entry = said(text);
    entry["message"]["usage"] = json!({"input": total, "output": 0, "cacheRead": 0, "cacheWrite": 0});
    entry
}

fn messages(transcript: &Transcript, tokens: u64) -> Vec<Value> {
    let branch =
        Branch::read(transcript, Reach { tokens, counted: 0, messages: 2500, images: 1 << 20 }).unwrap();
    let start = newest(&branch, tokens);
    into_messages(branch, start)
}

fn shown(transcript: &Transcript, tokens: u64) -> Vec<String> {
    let short = |m: &Value| match message::role(m) {
        "toolResult" => format!("result {}", m["toolCallId"].as_str().unwrap()),
        "assistant" if !tool_calls(m).is_empty() => format!("call {}", tool_calls(m)[0].0),
        role => format!("{role} {}", message::text_of(m)),
    };
    messages(transcript, tokens).iter().map(short).collect()
}

fn transcript(dir: &TestDir, entries: &[Value]) -> Transcript {
    let t = Transcript::at(&dir.0, &crate::ids::uuid().unwrap()).unwrap();
    t.append(entries).unwrap();
    t
}

#[test]
fn whole_turns_are_kept_and_calls_answered() {
    let dir = TestDir::new();
    assert!(shown(&transcript(&dir, &[]), 1000).is_empty());
    let result = |id: &str| message::tool_result(id, "read", "r", false, 1);
    let t = transcript(
        &dir,
        &[
            message::user_text("one", 1),
            call("c1"),
            result("c1"),
            result("zz"),
            call("c2"),
            message::user_text("two", 1),
            said("ok"),
        ],
    );
    let all = ["user one", "call c1", "result c1", "call c2", "result c2", "user two", "assistant ok"];
    assert_eq!(shown(&t, 100_000), all);
    for tokens in 10..30 {
        assert_eq!(shown(&t, tokens), ["user two", "assistant ok"], "{tokens}");
    }
    // Less than the newest turn: its newest part, behind a note, so that a user's message is the first.
    let small = shown(&t, 1);
    assert!(small.len() == 2 && small[0].contains("left out") && small[1] == "assistant ok", "{small:?}");
    let open = transcript(&dir, &[message::user_text("q", 1), call("c"), result("c")]);
    assert_eq!(shown(&open, 1)[1..], ["call c", "result c"]);
}

#[test]
fn a_compaction_stands_for_what_it_replaced_even_beyond_the_budget() {
    let dir = TestDir::new();
    let t = transcript(&dir, &[message::user_text("old", 1), message::user_text("kept", 1)]);
    let kept = t.tail(1).unwrap()[0]["id"].as_str().unwrap().to_string();
    t.append(&[message::compaction("SUM", &kept, 5), message::user_text("new", 1)]).unwrap();
    let summary = "user [The conversation so far, in summary]\nSUM";
    assert_eq!(shown(&t, 100_000), [summary, "user kept", "user new"]);
    assert_eq!(shown(&t, 1), [summary, "user new"]);
}

#[test]
fn other_branches_and_broken_answers_are_left_out() {
    let dir = TestDir::new();
    let line = |id: &str, parent: Value, text: &str| {
        let mut entry = message::user_text(text, 1);
        entry["id"] = id.into();
        entry["parentId"] = parent;
        entry.to_string()
    };
    let mut legacy: Value = serde_json::from_str(&line("e4", Value::Null, "d")).unwrap();
    legacy.as_object_mut().unwrap().remove("parentId");
    let lines = [
        line("e1", Value::Null, "a"),
        line("e2", "e1".into(), "lost branch that names e1 and e3"),
        line("e3", "e1".into(), "c"),
        legacy.to_string(),
    ];
    let t = transcript(&dir, &[]);
    std::fs::write(t.path(), format!("{}\n", lines.join("\n"))).unwrap();
    assert_eq!(shown(&t, 100_000), ["user a", "user c", "user d"]);
    let failed = message::Assistant { stop_reason: "error", error_message: Some("x"), ..Default::default() };
    t.append(&[message::assistant(failed, 1)]).unwrap();
    assert_eq!(shown(&t, 100_000), ["user a", "user c", "user d"]);
}

#[test]
fn r_09c_what_is_before_a_damaged_line_is_not_lost() {
    let dir = TestDir::new();
    let t = transcript(&dir, &["a", "b", "c"].map(|text| message::user_text(text, 1)));
    let text = std::fs::read_to_string(t.path()).unwrap();
    let line = text.lines().nth(2).unwrap();
    std::fs::write(t.path(), text.replace(line, &line[..line.len() - 9])).unwrap();
    assert_eq!(shown(&t, 1000), ["user a", "user c"]);
}

#[test]
fn the_servers_count_is_taken_up_to_the_newest_summary() {
    let dir = TestDir::new();
    let t = transcript(&dir, &[message::user_text("q", 1), answer("a", 500), message::user_text("more", 1)]);
    let read = |t: &Transcript, tokens| {
        Branch::read(t, Reach { tokens, counted: 1000, messages: 2500, images: 0 }).unwrap()
    };
    assert_eq!(read(&t, 100).counted, Some(500 + estimate::of_message(&json!({"content": "more"}))));
    // What the server counted as fitting is read though the estimate says otherwise.
    assert_eq!((read(&t, 12).items.len(), read(&t, 6).items.len()), (3, 2));
    let ids: Vec<_> = t.tail(3).unwrap().iter().map(|e| e["id"].as_str().unwrap().to_string()).collect();
    t.append(&[message::compaction("S", &ids[0], 5), message::user_text("new", 1)]).unwrap();
    let branch = read(&t, 100);
    assert_eq!((branch.counted, branch.items.len(), branch.since_summary), (None, 4, 5));
}

#[test]
fn the_number_of_messages_is_bounded() {
    let dir = TestDir::new();
    let t = transcript(&dir, &["a", "b", "c"].map(|text| message::user_text(text, 1)));
    let reach = Reach { tokens: 1000, counted: 0, messages: 2, images: 0 };
    let branch = Branch::read(&t, reach).unwrap();
    assert_eq!((branch.items.len(), branch.is_whole), (2, false));
}

#[test]
fn images_cost_a_fixed_sum_and_old_ones_give_way() {
    let dir = TestDir::new();
    let image = || message::user(vec![message::image(&"x".repeat(1000), "image/png")], 1);
    let t = transcript(&dir, &[image(), image(), image()]);
    let branch =
        Branch::read(&t, Reach { tokens: 10_000, counted: 0, messages: 2500, images: 2500 }).unwrap();
    let kinds: Vec<_> =
        branch.items.iter().map(|i| i.message["content"][0]["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["text", "image", "image"]);
    assert_eq!(branch.items[2].tokens, 1604);
}

#[test]
fn results_that_fill_the_window_alone_are_shortened() {
    let dir = TestDir::new();
    let huge = message::tool_result("c", "read", &"y".repeat(90_000), false, 1);
    let t = transcript(&dir, &[message::user_text("q", 1), call("c"), huge]);
    let mut branch = Branch::read(&t, Reach { tokens: 3000, counted: 0, messages: 2500, images: 0 }).unwrap();
    let start = newest(&branch, 3000);
    shorten_results(&mut branch, start, 3000);
    let messages = into_messages(branch, start);
    let tokens: u64 = messages.iter().map(estimate::of_message).sum();
    assert!(tokens < 3200, "{tokens}");
    assert!(message::text_of(messages.last().unwrap()).contains("bytes left out"));
}

#[test]
fn r_09d_what_the_gateway_says_meanwhile_waits_for_the_next_question() {
    let dir = TestDir::new();
    let aside = |text: &str| message::injected(text, None, 1);
    let result = message::tool_result("c", "read", "r", false, 1);
    let t = transcript(&dir, &[message::user_text("q", 1), aside("1"), call("c"), aside("2"), result]);
    let turn = ["user q", "call c", "result c"];
    assert_eq!(shown(&t, 100_000), turn);
    // A request never ends in it, and it takes no room from the newest group.
    t.append(&[aside("3")]).unwrap();
    assert_eq!(shown(&t, 100_000), turn);
    assert_eq!(shown(&t, 1)[1..], turn[1..]);
    t.append(&[said("done"), aside("4"), message::user_text("next", 1), aside("5")]).unwrap();
    let asides = ["assistant 1", "assistant 2", "assistant 3", "assistant 4"];
    let all = [&turn[..], &["assistant done"], &asides, &["user next"]].concat();
    assert_eq!(shown(&t, 100_000), all);
}

/// A small generator with a seed, so that a failing case can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// A transcript as crashes, both programs and people may leave it. Gives the text of the newest message.
fn random_transcript(random: &mut Random, t: &Transcript) -> String {
    let mut newest = String::new();
    let mut ids: Vec<String> = Vec::new();
    for n in 0..3 + random.below(40) {
        let body = format!("text {n} {}", "z".repeat(random.below(300) as usize));
        let id = |random: &mut Random| format!("c{}", random.below(3));
        let entry = match random.below(14) {
            0..=2 => message::user_text(&body, n),
            3 => said(&body),
            4 | 12 | 13 => message::injected(&body, None, n),
            5 | 6 => call(&id(random)),
            7 | 8 => message::tool_result(&id(random), "read", &body, false, n),
            9 if !ids.is_empty() => {
                let kept = ids[random.below(ids.len() as u64) as usize].clone();
                message::compaction("SUM", &kept, 1)
            }
            10 => json!({"type": "custom", "customType": "x", "data": {"id": "c1"}}),
            _ => {
                json!({"type": "message", "message": {"role": "assistant", "content": [], "stopReason": "aborted"}})
            }
        };
        ids.extend(t.append(&[entry]).unwrap());
        match random.below(20) {
            // A line of another branch, or one whose parent is not there.
            0 => {
                let parent = &ids[random.below(ids.len() as u64) as usize];
                let line = json!({"type": "custom", "id": format!("b{n}"), "parentId": parent});
                write(t, &format!("{line}\n"));
            }
            1 => write(t, "{\"type\":\"message\",\"id\":\"torn\n"),
            2 => write(t, "{\"type\":\"message\",\"id\":\"to"),
            _ => {}
        }
    }
    // What the gateway says after the newest question waits for the next one.
    let entry = message::user_text("the newest question", 1);
    newest.push_str(&message::text_of(&entry["message"]));
    t.append(&[entry]).unwrap();
    for n in 0..random.below(3) {
        t.append(&[message::injected("a reply to a command", None, n)]).unwrap();
    }
    newest
}

fn write(t: &Transcript, text: &str) {
    use std::io::Write;
    std::fs::OpenOptions::new().append(true).open(t.path()).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn r_09d_every_context_of_a_random_transcript_is_one_that_models_accept() {
    let dir = TestDir::new();
    for seed in 1..150u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let t = Transcript::at(&dir.0, &format!("s{seed}")).unwrap();
        let newest = random_transcript(&mut random, &t);
        for tokens in [1, 40, 200, 700, 100_000] {
            let messages = messages(&t, tokens);
            let case = format!("seed {seed}, {tokens} tokens");
            assert_eq!(message::role(&messages[0]), "user", "{case}");
            assert_eq!(message::text_of(messages.last().unwrap()), newest, "{case}");
            let sum: u64 = messages.iter().map(estimate::of_message).sum();
            // The newest question, a summary and results made for open calls are beyond the budget.
            assert!(sum <= tokens + 60 + 30 * messages.len() as u64, "{case}: {sum}");
            let mut open: Vec<String> = Vec::new();
            for message in &messages {
                if message::role(message) == "toolResult" {
                    let id = message["toolCallId"].as_str().unwrap();
                    let at = open.iter().position(|call| call == id);
                    open.remove(at.unwrap_or_else(|| panic!("{case}: a result without its call")));
                } else {
                    assert!(open.is_empty(), "{case}: a call without its result");
                    open = tool_calls(message).into_iter().map(|(id, _)| id).collect();
                }
            }
            assert!(open.is_empty(), "{case}");
            let is_late = |pair: &[Value]| {
                message::is_injected(&pair[0]) && !message::is_injected(&pair[1]) && !starts(&pair[1])
            };
            assert!(!messages.windows(2).any(is_late), "{case}: an answer interrupted by the gateway");
        }
        assert_eq!(without_injected(&t, false), without_injected(&t, true), "seed {seed}");
    }
}

fn starts(message: &Value) -> bool {
    message::role(message) == "user"
}

/// What a model would be shown but for what the gateway said, which is taken out before or afterwards.
fn without_injected(t: &Transcript, before: bool) -> Vec<Value> {
    let reach = Reach { tokens: 100_000, counted: 0, messages: 2500, images: 0 };
    let mut branch = Branch::read(t, reach).unwrap();
    if before {
        branch.items.retain(|item| !message::is_injected(&item.message));
    }
    let mut messages = into_messages(branch, 0);
    messages
        .retain(|m| !message::is_injected(m) && !message::text_of(m).starts_with("[A note of the gateway]"));
    messages
}

#[test]
fn b_kind_d_lines_of_older_versions_and_values_of_other_kinds_are_read() {
    let dir = TestDir::new();
    let old = [
        r#"{"type":"session","id":"old","timestamp":"2025-06-01T00:00:00.000Z","cwd":"/w"}"#,
        r#"{"type":"message","timestamp":"2025-06-01T00:00:01.000Z","message":{"role":"user","content":[{"type":"text","text":"one"}],"timestamp":1.0}}"#,
        r#"{"role":"assistant","content":[{"type":"text","text":"two \ud83d"}],"usage":{"input":null,"output":"x"}}"#,
        r#"{"type":"message","id":7,"parentId":3,"message":{"role":"user","content":[{"type":"text","text":"three"}]}}"#,
        r#"{"type":"message","message":{"content":"nobody"}}"#,
    ];
    std::fs::write(dir.0.join("old.jsonl"), old.join("\n") + "\n").unwrap();
    let t = Transcript::at(&dir.0, "old").unwrap();
    let all = ["user one", "assistant two \u{fffd}", "user three"];
    assert_eq!(shown(&t, 100_000), all);
    // What is written after entries without ids follows them.
    t.append(&[said("four"), message::user_text("five", 1)]).unwrap();
    assert_eq!(shown(&t, 100_000), [&all[..], &["assistant four", "user five"]].concat());
    assert_eq!(t.tail(10).unwrap().len(), 7, "the header too");
}
