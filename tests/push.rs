//! Events that only subscribers get: `sessions.changed` and `session.message`; and opening a chat in one call.
use crate::agent::{turn, with_model};
use crate::harness::model::texts;
use crate::harness::*;

const MAIN: &str = "agent:main:main";

/// The payloads of this event that came within a moment.
fn heard(client: &mut Client, event: &str) -> Vec<Value> {
    client.ok("health", json!({}));
    client.collect(Duration::from_millis(200));
    client.kept().into_iter().filter(|f| f["event"] == event).map(|f| f["payload"].clone()).collect()
}

#[test]
fn changes_are_told_to_subscribers_only() {
    for protocol in [3, 4] {
        let gateway = Gateway::plain();
        let mut actor = Client::operator(&gateway, 4);
        let mut other = Client::operator(&gateway, protocol);
        let mut hearer = Client::operator(&gateway, protocol);
        assert_eq!(hearer.ok("sessions.subscribe", json!({})), json!({"subscribed": true}));

        actor.ok("sessions.patch", json!({"key": "x", "label": "Mine"}));
        let made = hearer.event("sessions.changed");
        assert_eq!((&made["sessionKey"], &made["reason"]), (&json!("agent:main:x"), &json!("create")));
        assert_eq!((&made["agentId"], &made["ancestorSessions"]), (&json!("main"), &json!([])));
        let list = actor.ok("sessions.list", json!({}));
        assert_eq!(made["session"], list["sessions"][0], "the row is the list's");

        actor.ok("sessions.patch", json!({"key": "x", "label": "Yours"}));
        let changed = hearer.event("sessions.changed");
        assert_eq!((&changed["reason"], &changed["session"]["label"]), (&json!("patch"), &json!("Yours")));
        actor.ok("sessions.reset", json!({"key": "x", "reason": "new"}));
        let reset = hearer.event("sessions.changed");
        assert_eq!(reset["reason"], "new");
        assert_ne!(reset["sessionId"], made["sessionId"]);
        actor.ok("sessions.delete", json!({"key": "x"}));
        let gone = hearer.event("sessions.changed");
        assert_eq!((&gone["reason"], &gone["session"]), (&json!("delete"), &Value::Null));

        assert_eq!(heard(&mut other, "sessions.changed"), Vec::<Value>::new());
        assert_eq!(hearer.ok("sessions.unsubscribe", json!({})), json!({"subscribed": false}));
        actor.ok("sessions.patch", json!({"key": "y", "label": "Unheard"}));
        assert_eq!(heard(&mut hearer, "sessions.changed"), Vec::<Value>::new());
    }
}

#[test]
fn many_changes_become_few_events() {
    let gateway = Gateway::plain();
    let mut actor = Client::operator(&gateway, 4);
    let mut hearer = Client::operator(&gateway, 4);
    hearer.ok("sessions.subscribe", json!({}));
    for n in 0..50 {
        actor.ok("sessions.patch", json!({"key": "x", "label": format!("label {n}")}));
    }
    let last = hearer.event_where("sessions.changed", |p| p["session"]["label"] == "label 49");
    assert_eq!(last["reason"], "patch");
    let before = hearer.kept().into_iter().filter(|f| f["event"] == "sessions.changed").count();
    assert!(before <= 5, "{before} events before the last for 50 changes");
}

#[test]
fn messages_and_runs_are_told() {
    for protocol in [3, 4] {
        let (_model, gateway) = with_model(vec![texts(&["Hello"]), texts(&["Again"]), texts(&["More"])]);
        let mut actor = Client::operator(&gateway, 4);
        let mut follower = Client::operator(&gateway, protocol);
        let mut other = Client::operator(&gateway, protocol);
        let mut all = Client::operator(&gateway, protocol);
        let followed = follower.ok("sessions.messages.subscribe", json!({"key": "main"}));
        assert_eq!(followed, json!({"subscribed": true, "key": MAIN}));
        other.ok("sessions.messages.subscribe", json!({"key": "elsewhere"}));
        all.ok("sessions.subscribe", json!({}));

        turn(&mut actor, "hi there", "k1").unwrap();
        for client in [&mut follower, &mut all] {
            let user = client.event_where("session.message", |p| p["message"]["role"] == "user");
            assert_eq!((&user["sessionKey"], &user["session"]["key"]), (&json!(MAIN), &json!(MAIN)));
            assert_eq!(user["message"]["content"][0]["text"], "hi there", "as it was typed: {user}");
            assert_eq!(user["message"]["__openclaw"]["id"], user["messageId"]);
            let answer = client.event_where("session.message", |p| p["message"]["role"] == "assistant");
            assert_eq!(answer["message"]["content"][0]["text"], "Hello", "{answer}");
        }
        let idle = all.event_where("sessions.changed", |p| p["phase"] == "end");
        assert_eq!((&idle["hasActiveRun"], &idle["activeRunIds"]), (&json!(false), &json!([])));
        assert_eq!(heard(&mut other, "session.message"), Vec::<Value>::new());
        assert_eq!(heard(&mut follower, "sessions.changed"), Vec::<Value>::new());

        let left = follower.ok("sessions.messages.unsubscribe", json!({"key": MAIN}));
        assert_eq!(left, json!({"subscribed": false, "key": MAIN}));
        turn(&mut actor, "and now", "k2").unwrap();
        assert_eq!(heard(&mut follower, "session.message"), Vec::<Value>::new());
        drop(all);
        turn(&mut actor, "after one left", "k3").unwrap();
        actor.ok("health", json!({}));
    }
}

#[test]
fn subscribing_can_bring_the_list_and_is_bounded() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    client.ok("sessions.patch", json!({"key": "x", "label": "Mine"}));
    let answer = client.ok("sessions.subscribe", json!({"limit": 1, "ownerFirst": true}));
    assert_eq!((&answer["subscribed"], &answer["list"]["limitApplied"]), (&json!(true), &json!(1)));
    assert_eq!(answer["list"]["sessions"][0]["key"], "agent:main:x");
    // M-3: what nobody here knows is passed over; what is known is judged.
    assert_eq!(client.ok("sessions.subscribe", json!({"nonsense": 1})), json!({"subscribed": true}));
    let refused = client.fails("sessions.subscribe", json!({"limit": 0, "nonsense": 1}));
    assert!(refused["message"].as_str().unwrap().contains("at /limit"), "{refused}");
    for n in 0..64 {
        client.ok("sessions.messages.subscribe", json!({"key": format!("k{n}")}));
    }
    let refused = client.fails("sessions.messages.subscribe", json!({"key": "one-more"}));
    assert!(refused["message"].as_str().unwrap().contains("unsubscribe from one first"), "{refused}");

    let (mut reader, _) = Client::with(&gateway, client::scoped(&["operator.read"]));
    reader.fails("sessions.messages.subscribe", json!({"key": "main", "includeApprovals": true}));
    reader.ok("sessions.messages.subscribe", json!({"key": "main"}));
    let replay = client.ok("sessions.messages.subscribe", json!({"key": "k1", "includeApprovals": true}));
    assert_eq!((&replay["approvalReplay"]["approvals"]), (&json!([])));
}

#[test]
fn a_chat_opens_with_one_call() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let new = client.ok("chat.startup", json!({"sessionKey": "main", "limit": 80, "maxBytes": 262_144}));
    assert_eq!((&new["messages"], &new["sessionInfo"]["key"]), (&json!([]), &json!(MAIN)));
    turn(&mut client, "hello", "k1").unwrap();
    turn(&mut client, "hello again", "k2").unwrap();
    let open = client.ok("chat.startup", json!({"sessionKey": MAIN, "limit": 80, "maxBytes": 262_144}));
    // With ids, by which a page knows what it was told of by events.
    let history = client.ok("chat.history", json!({"sessionKey": MAIN, "maxBytes": 262_144}));
    assert!(history["messages"][0]["__openclaw"]["id"].is_string(), "{history}");
    assert_eq!((&open["messages"], &open["sessionId"]), (&history["messages"], &history["sessionId"]));
    let described = client.ok("sessions.describe", json!({"key": "main"}));
    assert_eq!(open["sessionInfo"], described["session"]);
    assert_eq!(open["agentsList"], client.ok("agents.list", json!({})));
    assert_eq!(open["metadata"], client.ok("chat.metadata", json!({})));
    assert_eq!(open["metadata"]["models"], client.ok("models.list", json!({}))["models"]);
    let short = client.ok("chat.startup", json!({"sessionKey": MAIN, "maxBytes": 1}));
    assert_eq!(short["messages"].as_array().unwrap().len(), 1);
    assert_eq!(
        client.ok("chat.startup", json!({"sessionKey": MAIN, "cursor": "old"})),
        json!({"kind": "reset"})
    );
    client.fails("chat.startup", json!({"sessionKey": "agent:nobody:main"}));
}

#[test]
fn sessions_are_described_and_found_or_not() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    client.ok("sessions.patch", json!({"key": "x", "label": "Mine"}));
    let described = client.ok("sessions.describe", json!({"key": "x", "agentId": "main"}));
    assert_eq!(described["session"], client.ok("sessions.list", json!({"limit": 1}))["sessions"][0]);
    assert_eq!(client.ok("sessions.describe", json!({"key": "none"})), json!({"session": null}));
    let refused = client.fails("sessions.describe", json!({"key": "agent:main:x", "agentId": "work"}));
    assert!(refused["message"].as_str().unwrap().contains("leave agentId out"), "{refused}");
    assert_eq!(
        client.ok("sessions.resolve", json!({"key": "none", "allowMissing": true})),
        json!({"ok": false})
    );
    for method in ["sessions.reset", "sessions.delete"] {
        let refused = client.fails(method, json!({"key": "x", "expectedSessionId": "another"}));
        assert_eq!(refused["details"]["reason"], "session-changed", "{method}");
    }
    let id = described["session"]["sessionId"].clone();
    client.ok("sessions.delete", json!({"key": "x", "expectedSessionId": id}));
}
