//! Messages of a platform that cannot be answered while something is wrong here: whoever wrote one is told, and answered
//! when it is mended.
use super::channel_programs::{Platform, config};
use super::harness::model::texts;
use super::harness::*;
use super::telegram::{ann, said, with_bot};

const TOLD: &str = "There is no answer at the moment";

/// Writes the bindings into the running gateway's file.
fn bind(gateway: &Gateway, bindings: &Value) {
    let text = std::fs::read_to_string(gateway.config_path()).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config["bindings"] = bindings.clone();
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
