//! Messages of a platform that cannot be answered while something is wrong here: whoever wrote one is told, and answered
//! when it is mended.
use super::channel_programs::{Platform, config};
use super::harness::model::texts;
use super::harness::*;
use super::telegram::{ann, said, with_bot};

const TOLD: &str = "There is no answer at the moment";

/// Writes the bindings into the running gateway's file.
fn bind(gateway: &Gateway, bindings: &Value) {
    set(gateway, "bindings", bindings);
}

fn set(gateway: &Gateway, key: &str, value: &Value) {
    let text = std::fs::read_to_string(gateway.config_path()).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config[key] = value.clone();
    std::fs::write(gateway.config_path(), config.to_string()).unwrap();
}

#[test]
fn b_f25_a_message_of_telegram_waits_until_a_mistake_is_mended_and_its_sender_is_told() {
    let telegram = ann();
    let (server, mut gateway) = with_bot(&telegram, json!({"bindings": [7]}), vec![texts(&["here you are"])]);
    telegram.says(1001, 1001, "one");
    let first = said(&telegram, 1001, 1);
    assert!(first[0].contains(TOLD) && !first[0].contains("/home"), "{first:?}");
    assert!(gateway.log().contains("waits until this is mended"), "{}", gateway.log());
    assert_eq!(server.count(), 0);
    // A restart forgets nothing, and says nothing twice.
    gateway.stop();
    gateway.restart();
    bind(&gateway, &json!([]));
    let all = said(&telegram, 1001, 2);
    assert_eq!(all[1..], ["here you are"], "{all:?}");
    let asked = server.requests(1)[0]["body"].to_string();
    assert!(asked.contains("one"), "{asked}");
}

/// The rules of sessions say whether a message is taken at all: while they cannot be read, it waits like others.
#[test]
fn b_f25_a_message_waits_while_the_section_of_sessions_is_damaged() {
    let telegram = ann();
    let (server, gateway) = with_bot(&telegram, json!({"session": 7}), vec![texts(&["here you are"])]);
    telegram.says(1001, 1001, "one");
    let first = said(&telegram, 1001, 1);
    assert!(first[0].contains(TOLD), "{first:?}");
    assert_eq!(server.count(), 0);
    set(&gateway, "session", &json!({}));
    let all = said(&telegram, 1001, 2);
    assert_eq!(all[1..], ["here you are"], "{all:?}");
}

/// Issue 11: what was written to an account that is gone does not stay open for a week.
#[test]
fn i11_a_message_to_an_account_that_is_gone_is_given_up_when_it_is_old() {
    let telegram = ann();
    let (_server, mut gateway) = with_bot(&telegram, json!({"bindings": [7]}), vec![]);
    telegram.says(1001, 1001, "one");
    said(&telegram, 1001, 1);
    gateway.kill();
    set(&gateway, "channels", &json!({}));
    let journal = gateway.state_dir().join("gateway/deliveries.jsonl");
    let older = |minutes: u64| {
        let text = std::fs::read_to_string(&journal).unwrap();
        let older = |line: &str| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            line["ts"] = (line["ts"].as_u64().unwrap() - minutes * 60_000).into();
            format!("{line}\n")
        };
        std::fs::write(&journal, text.lines().map(older).collect::<String>()).unwrap();
    };
    const GIVEN_UP: &str = "is not answered any more: its account is gone";
    older(50);
    gateway.restart();
    wait_for("what is open", || gateway.log().contains("1 messages to answer").then_some(()));
    assert!(!gateway.log().contains(GIVEN_UP));
    gateway.kill();
    older(20);
    gateway.restart();
    wait_for("the log", || gateway.log().contains(GIVEN_UP).then_some(()));
    gateway.stop();
    let count = gateway.log().matches("messages to answer").count();
    gateway.restart();
    assert_eq!(gateway.log().matches("messages to answer").count(), count, "{}", gateway.log());
}

#[test]
fn b_f25_a_message_of_a_program_waits_too() {
    let platform = Platform::new();
    let server = ModelServer::start(vec![texts(&["here you are"])]);
    let mut config = config(&server, json!({"echo": platform.section()}));
    config["bindings"] = json!([7]);
    let gateway = Gateway::start(&Setup::config(config));
    platform.says("ann", 1, "one");
    let heard = wait_for("a word", || Some(platform.heard()).filter(|heard| heard.contains_key("ann")));
    assert!(heard["ann"][0].contains(TOLD), "{heard:?}");
    bind(&gateway, &json!([]));
    let heard =
        wait_for("the answer", || Some(platform.heard()["ann"].clone()).filter(|heard| heard.len() == 2));
    assert_eq!(heard[1], "here you are");
}

/// A journal of 24 MB, of which one line counts, is read and rewritten line by line: it is never in memory as a whole.
#[test]
fn i11_a_long_journal_is_rewritten_without_being_held() {
    let mut gateway = Gateway::start(&Setup::config(json!({})));
    gateway.stop();
    let path = gateway.state_dir().join("gateway/deliveries.jsonl");
    let peak = |gateway: &mut Gateway| {
        gateway.restart();
        drop(Client::operator(gateway, 4));
        let peak = gateway.peak_kib();
        gateway.stop();
        peak
    };
    let before = peak(&mut gateway);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    let line = |n: u64| {
        let run = json!({"kind": "run", "family": "agent", "key": "k", "hash": "h", "ts": (now - 10_000 + n), "message": ("x".repeat(8000))});
        format!("{run}\n")
    };
    std::fs::write(&path, (0..3000).map(line).collect::<String>()).unwrap();
    let grown = peak(&mut gateway).saturating_sub(before);
    assert!(std::fs::metadata(&path).unwrap().len() < 20_000, "it was rewritten");
    assert!(std::fs::read_to_string(&path).unwrap().contains("\"k\""));
    assert!(grown < 6 << 10, "{grown} KiB more at most");
}
