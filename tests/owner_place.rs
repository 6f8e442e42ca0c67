//! Issue 13, sentences 1, 2 and 6: what is the owner's goes where the owner was, whoever wrote to his main session meanwhile.
use super::harness::model::texts;
use super::harness::telegram::Telegram;
use super::harness::*;
use super::hooks::{hooks, post};
use super::telegram::{ann, said, with_bot};

/// Ann's bot, with Bob as a guest in the same session; both have written, he last.
fn with_guest(replies: &[&str], more: Value) -> (Telegram, ModelServer, Gateway) {
    let telegram = ann();
    telegram.user(1002, "Bob", "bob");
    let mut config = json!({"commands": {"ownerAllowFrom": ["1001"]},
        "channels": {"telegram": {"allowFrom": ["1001", "1002"]}}});
    merge(&mut config, &more);
    let replies = [&["to Ann", "to Bob"], replies].concat().iter().map(|text| texts(&[text])).collect();
    let (model, gateway) = with_bot(&telegram, config, replies);
    telegram.says(1001, 1001, "hi");
    said(&telegram, 1001, 1);
    telegram.says(1002, 1002, "hi");
    said(&telegram, 1002, 1);
    (telegram, model, gateway)
}

fn main_entry(client: &mut Client) -> Value {
    let list = client.ok("sessions.list", json!({}));
    list["sessions"].as_array().unwrap().iter().find(|row| row["key"] == "agent:main:main").cloned().unwrap()
}

#[test]
fn i13_6_a_guest_s_message_does_not_move_where_the_owner_was_last() {
    let (telegram, _model, gateway) =
        with_guest(&["It burns", "The cake", "News", "Hooked", "Told"], hooks(json!({})));
    let mut client = Client::operator(&gateway, 4);
    let entry = main_entry(&mut client);
    assert_eq!(
        (&entry["lastTo"], &entry["lastChannel"]),
        (&json!("telegram:1001"), &json!("telegram")),
        "{entry}"
    );
    assert_eq!(entry["deliveryContext"]["to"], "telegram:1001", "{entry}");
    client.ok("wake", json!({"mode": "now", "text": "Look"}));
    assert_eq!(said(&telegram, 1001, 2)[1], "It burns");
    let soon = || (std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64 + 100).to_string();
    client.ok("cron.add", json!({"schedule": {"kind": "at", "at": soon()}, "text": "Take the cake out"}));
    assert_eq!(said(&telegram, 1001, 3)[2], "The cake");
    client.ok("cron.add", json!({"name": "n", "schedule": {"kind": "at", "at": soon()}, "message": "Look"}));
    assert_eq!(said(&telegram, 1001, 4)[3], "News");
    assert_eq!(post(&gateway, "/hooks/agent", json!({"message": "Look"})).0, 202);
    assert_eq!(said(&telegram, 1001, 5)[4], "Hooked");
    client.ok(
        "agent",
        json!({"message": "report", "sessionKey": "main", "deliver": true, "idempotencyKey": "k"}),
    );
    assert_eq!(said(&telegram, 1001, 6)[5], "Told");
    assert_eq!(telegram.texts(1002), ["to Bob"], "nothing of it is the guest's");
}

#[test]
fn i13_6_what_is_noted_for_the_owner_is_not_used_up_by_a_guest() {
    let (telegram, model, gateway) = with_guest(&["again", "noted"], json!({}));
    let mut client = Client::operator(&gateway, 4);
    client.ok("wake", json!({"mode": "next-heartbeat", "text": "The safe is open"}));
    telegram.says(1002, 1002, "what is new?");
    said(&telegram, 1002, 2);
    telegram.says(1001, 1001, "what is new?");
    said(&telegram, 1001, 2);
    let requests = model.requests(4);
    let asked = |n: usize| requests[n]["body"]["messages"].as_array().unwrap().last().unwrap().to_string();
    assert!(!asked(2).contains("The safe is open"), "{}", asked(2));
    assert!(asked(3).contains("The safe is open"), "{}", asked(3));
}

/// A guest's own session is where the guest is; the main one stays the owner's.
#[test]
fn i13_6_a_session_of_a_guest_s_own_answers_him() {
    let per_peer = json!({"session": {"dmScope": "per-channel-peer"}});
    let (telegram, _model, gateway) = with_guest(&["for Bob", "for Ann"], per_peer);
    let mut client = Client::operator(&gateway, 4);
    assert_eq!(main_entry(&mut client)["lastTo"], "telegram:1001");
    for (session, chat, key) in [("telegram:direct:1002", 1002, "a"), ("main", 1001, "b")] {
        client.ok(
            "agent",
            json!({"message": "say", "sessionKey": session, "deliver": true, "idempotencyKey": key}),
        );
        said(&telegram, chat, 2);
    }
    assert_eq!((&telegram.texts(1002)[1], &telegram.texts(1001)[1]), (&"for Bob".into(), &"for Ann".into()));
}

/// A rule for a channel holds for whoever writes on it, from the first message, wherever the owner was.
#[test]
fn i13_6_a_send_policy_goes_by_the_channel_of_the_message() {
    let telegram = ann();
    let rule = json!({"action": "deny", "match": {"channel": "telegram"}});
    let (model, gateway) =
        with_bot(&telegram, json!({"session": {"sendPolicy": {"rules": [rule]}}}), vec![texts(&["web"])]);
    telegram.says(1001, 1001, "hi");
    telegram.wait_calls("getUpdates", 2);
    let mut client = Client::operator(&gateway, 4);
    client.ok("chat.send", json!({"sessionKey": "main", "message": "hello", "idempotencyKey": "k"}));
    assert!(model.requests(1)[0].to_string().contains("hello"));
    assert_eq!(model.count(), 1);
}
