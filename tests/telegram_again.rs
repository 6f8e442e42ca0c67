//! Turns that a killed gateway takes up again: what stands in the transcript is neither written nor asked for twice, and what
//! was answered is said once.
use super::harness::model::texts;
use super::harness::telegram::Telegram;
use super::harness::*;
use super::telegram::{ann, said, with_bot};

/// How often a word stands in what the model was asked with.
fn count(request: &Value, word: &str) -> usize {
    request["body"]["messages"].to_string().matches(word).count()
}

/// Role and text of all that clients see of the main session.
fn history(gateway: &Gateway) -> Vec<(String, String)> {
    let history = Client::operator(gateway, 4).ok("chat.history", json!({"sessionKey": "main"}));
    let all = history["messages"].as_array().unwrap().iter();
    all.map(|m| (m["role"].as_str().unwrap().to_string(), m["content"].to_string())).collect()
}

/// The bot has these words, and gets no more of them.
fn only(telegram: &Telegram, want: &[&str]) {
    said(telegram, 1001, want.len());
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(telegram.texts(1001), want);
}

#[test]
fn r_07d_r_43_a_turn_for_several_messages_that_was_killed_is_answered_once() {
    let telegram = ann();
    let first = Reply::Stream(vec![Step::Gate, Step::Text("one".into()), Step::Done]);
    let more = json!({"messages": {"queue": {"debounceMs": 0}}});
    let (server, mut gateway) = with_bot(&telegram, more, vec![first, Reply::Hang, texts(&["both"])]);
    telegram.says(1001, 1001, "ONE");
    server.requests(1);
    for text in ["TWO", "THREE"] {
        telegram.says(1001, 1001, text);
        std::thread::sleep(Duration::from_millis(700));
    }
    server.release();
    let killed = &server.requests(2)[1];
    assert_eq!((count(killed, "TWO"), count(killed, "THREE")), (1, 1), "{killed}");
    // The first answer has arrived, and the journal knows it.
    said(&telegram, 1001, 1);
    std::thread::sleep(Duration::from_millis(300));
    gateway.kill();
    gateway.restart();
    only(&telegram, &["one", "both"]);
    let all = server.requests(3);
    assert_eq!((all.len(), count(&all[2], "TWO"), count(&all[2], "THREE")), (3, 1, 1), "{}", all[2]);
    let history = history(&gateway);
    let roles: Vec<&str> = history.iter().map(|(role, _)| role.as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "user", "user", "assistant"], "{history:?}");
}

/// Killed when the answer was in the transcript, and the journal did not have the end yet.
#[test]
fn r_07d_an_answer_that_was_written_is_said_and_not_asked_for_again() {
    let telegram = ann();
    let (server, mut gateway) = with_bot(&telegram, json!({}), vec![texts(&["forty-two"])]);
    telegram.says(1001, 1001, "HOW many");
    said(&telegram, 1001, 1);
    std::thread::sleep(Duration::from_millis(300));
    gateway.kill();
    let journal = gateway.state_dir().join("gateway/deliveries.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    let is_before_the_end = |line: &&str| {
        let line: Value = serde_json::from_str(line).unwrap();
        match line["kind"].as_str().unwrap_or_default() {
            "inbound" => !line["message"].is_null(),
            "delivery" => false,
            _ => line["result"].is_null(),
        }
    };
    let kept: String = text.lines().filter(is_before_the_end).map(|line| format!("{line}\n")).collect();
    assert!(kept.contains("\"inbound\"") && kept.lines().count() < text.lines().count(), "{text}");
    std::fs::write(&journal, kept).unwrap();
    gateway.restart();
    only(&telegram, &["forty-two", "forty-two"]);
    assert_eq!((server.count(), history(&gateway).len()), (1, 2), "{:?}", history(&gateway));
}

#[test]
fn r_07d_a_turn_that_was_killed_after_a_tool_goes_on_behind_its_result() {
    let telegram = ann();
    let (id, name, arguments) = ("c1".into(), "read".into(), "{\"path\": \"AGENTS.md\"}".into());
    let call = vec![Step::Text("let me see".into()), Step::Call { id, name, arguments }, Step::Done];
    let replies = vec![Reply::Stream(call), Reply::Hang, texts(&["it says much"])];
    let (server, mut gateway) = with_bot(&telegram, json!({}), replies);
    telegram.says(1001, 1001, "LOOK there");
    server.requests(2);
    said(&telegram, 1001, 1);
    gateway.kill();
    gateway.restart();
    only(&telegram, &["let me see", "it says much"]);
    let all = server.requests(3);
    assert_eq!((all.len(), count(&all[2], "LOOK"), count(&all[2], "\"tool\"")), (3, 1, 1), "{}", all[2]);
}
