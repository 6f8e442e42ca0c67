//! Issue 12, sentence 2: webhooks by real HTTP, and what comes of them. Who may send one is in tests/hooks_door.rs.
use crate::harness::model::texts;
use crate::harness::telegram::Telegram;
use crate::harness::*;
use crate::telegram::{said, with_bot};

pub const HOOK: &str = "hook-token-canary-9c2e";

pub fn hooks(more: Value) -> Value {
    let mut config = json!({"hooks": {"enabled": true, "token": HOOK}});
    merge(&mut config, &json!({"hooks": more}));
    config
}

pub fn start(replies: Vec<Reply>, more: Value) -> (ModelServer, Gateway) {
    let model = ModelServer::start(replies);
    let mut config = model.config();
    merge(&mut config, &hooks(more));
    let gateway = Gateway::start(&Setup::config(config));
    (model, gateway)
}

pub fn ask(gateway: &Gateway, method: &str, path: &str, headers: &str, body: &str) -> http::Answer {
    let (port, length) = (gateway.port, body.len());
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}");
    http::raw(port, &format!("{head}Content-Length: {length}\r\n\r\n{body}"))
}

pub fn post(gateway: &Gateway, path: &str, body: Value) -> (u16, Value) {
    marked(gateway, path, body, "")
}

fn marked(gateway: &Gateway, path: &str, body: Value, headers: &str) -> (u16, Value) {
    let headers = format!("Authorization: Bearer {HOOK}\r\n{headers}");
    let answer = ask(gateway, "POST", path, &headers, &body.to_string());
    (answer.status, serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}")))
}

/// The last message of a request to the model.
pub fn last(request: &Value) -> String {
    let messages = request["body"]["messages"].as_array().unwrap();
    messages.last().unwrap()["content"].to_string()
}

#[test]
fn i12_2_a_wake_is_noted_and_looked_at_at_once_or_with_the_next_message() {
    let (model, gateway) = start(vec![texts(&["HEARTBEAT_OK"]), texts(&["second"])], json!({}));
    assert_eq!(
        post(&gateway, "/hooks/wake", json!({})),
        (400, json!({"ok": false, "error": "text required"}))
    );
    let now = post(&gateway, "/hooks/wake", json!({"text": "The oven is hot"}));
    assert_eq!(now, (200, json!({"ok": true, "mode": "now"})));
    let asked = last(&model.requests(1)[0]);
    assert!(asked.contains("System: [") && asked.contains("The oven is hot"), "{asked}");
    assert!(asked.contains("EXTERNAL_UNTRUSTED_CONTENT") && asked.contains("HEARTBEAT_OK"), "{asked}");
    let later = post(&gateway, "/hooks/wake", json!({"text": "Milk is out", "mode": "next-heartbeat"}));
    assert_eq!(later, (200, json!({"ok": true, "mode": "next-heartbeat"})));
    let mut client = Client::operator(&gateway, 4);
    client.ok("chat.send", json!({"sessionKey": "main", "message": "hello", "idempotencyKey": "k"}));
    let asked = last(&model.requests(2)[1]);
    assert!(
        asked.contains("Milk is out") && asked.contains("hello") && !asked.contains("The oven"),
        "{asked}"
    );
    assert_eq!(model.count(), 2);
}

#[test]
fn i12_2_a_repeated_wake_is_known_by_its_mark() {
    let (model, gateway) = start(vec![texts(&["HEARTBEAT_OK"]), texts(&["HEARTBEAT_OK"])], json!({}));
    for _ in 0..3 {
        let told = marked(&gateway, "/hooks/wake", json!({"text": "once"}), "Idempotency-Key: w1\r\n");
        assert_eq!(told.0, 200);
    }
    model.requests(1);
    let told = marked(&gateway, "/hooks/wake", json!({"text": "more"}), "Idempotency-Key: w2\r\n");
    assert_eq!(told.0, 200);
    let asked = last(&model.requests(2)[1]);
    assert!(asked.contains("more") && !asked.contains("once"), "{asked}");
}

#[test]
fn i12_2_an_agent_runs_by_itself_and_the_main_session_is_told() {
    let replies = vec![texts(&["All backups are done"]), texts(&["HEARTBEAT_OK"])];
    let (model, gateway) = start(replies, json!({}));
    let mut client = Client::operator(&gateway, 4);
    let body = json!({"message": "Look after the backups", "name": "Nightly", "thinking": "low", "timeoutSeconds": 30});
    let (status, told) = post(&gateway, "/hooks/agent", body);
    let run = told["runId"].as_str().unwrap().to_string();
    assert_eq!((status, &told["ok"]), (202, &json!(true)));
    let end = client.event_where("chat", |payload| payload["runId"] == run && payload["state"] == "final");
    assert_eq!(end["sessionKey"], format!("agent:main:hook:{run}"), "a session of its own");
    let requests = model.requests(2);
    let (asked, after) = (last(&requests[0]), last(&requests[1]));
    assert!(asked.contains(&format!("Job ID: {run}")) && asked.contains("Task: Nightly"), "{asked}");
    assert!(
        asked.contains("EXTERNAL_UNTRUSTED_CONTENT") && asked.contains("Look after the backups"),
        "{asked}"
    );
    assert!(after.contains("Hook: ") && after.contains("Nightly: All backups are done"), "{after}");
    for (body, error) in [
        (json!({}), "message required"),
        (json!({"message": " "}), "message required"),
        (json!({"message": "m", "model": ""}), "model required"),
        (json!({"message": "m", "channel": "nowhere"}), "channel must be last"),
        (json!({"message": "m", "thinking": "hard"}), "use off|minimal|low|medium|high|xhigh"),
        (json!({"message": "m", "timeoutSeconds": "x"}), "timeoutSeconds must be a number of seconds"),
        (json!({"message": "m", "timeoutSeconds": -1}), "timeoutSeconds must be a number of seconds"),
        (json!({"message": "m", "channel": "last", "to": "someone"}), ""),
        (json!({"message": 7}), "message must be a text"),
        (json!({"message": "m", "name": []}), "name must be a text"),
        (json!({"message": "m", "wakeMode": true}), "wakeMode must be a text"),
        (json!({"message": "m", "deliver": "no"}), "deliver must be true or false"),
        (json!({"message": "m", "channel": 5}), "channel must be a text"),
        (json!({"message": "m", "to": 5}), "to must be a text"),
        (json!({"message": "m", "thinking": {}}), "thinking must be a text"),
        (json!({"message": "m", "timeoutSeconds": "30"}), "timeoutSeconds must be"),
        (json!({"message": "m", "model": 5}), "model required"),
    ] {
        let (status, told) = post(&gateway, "/hooks/agent", body.clone());
        let said = told["error"].as_str().unwrap();
        assert!(status == 400 && told["ok"] == json!(false) && said.contains(error), "{body}: {said}");
    }
    assert_eq!(post(&gateway, "/hooks/agent", json!("text")).0, 400, "no object is an empty one");
    for (body, error) in
        [(json!({"text": 5}), "text must be a text"), (json!({"text": "t", "mode": 1}), "mode must be")]
    {
        let (status, told) = post(&gateway, "/hooks/wake", body.clone());
        assert!(status == 400 && told["error"].as_str().unwrap().contains(error), "{body}: {told}");
    }
}

/// The session of a request goes by itself, unless it was named: its key may look like any other.
#[test]
fn i13_8_a_session_that_nobody_named_is_marked_as_one_that_goes() {
    let mapping = json!([{"match": {"path": "named"}, "action": "agent", "sessionKey": "hook:named", "messageTemplate": "m"}]);
    let (_model, gateway) = start(vec![texts(&["one"]), texts(&["two"])], json!({"mappings": mapping}));
    let mut client = Client::operator(&gateway, 4);
    for path in ["/hooks/agent", "/hooks/named"] {
        let run =
            post(&gateway, path, json!({"message": "m", "wakeMode": "next-heartbeat"})).1["runId"].clone();
        client.event_where("chat", |payload| payload["runId"] == run && payload["state"] == "final");
    }
    let index = gateway.state_dir().join("agents/main/sessions/sessions.json");
    let hooks: Vec<(String, Value)> = wait_for("both to be on disk", || {
        let index: Value = serde_json::from_str(&std::fs::read_to_string(&index).ok()?).unwrap();
        let all = index.as_object().unwrap().iter().filter(|(key, _)| key.starts_with("agent:main:hook:"));
        let all: Vec<_> = all.map(|(key, entry)| (key.clone(), entry["passing"].clone())).collect();
        (all.len() == 2).then_some(all)
    });
    for (key, mark) in &hooks {
        let want = if key.ends_with(":named") { Value::Null } else { json!("hook") };
        assert_eq!(mark, &want, "{key}");
    }
}

/// SEC-34: of what a sender wrote nothing stands outside of an envelope, in any request to the model that comes of it.
#[test]
fn sec_34_nothing_that_a_sender_wrote_stands_outside_of_an_envelope() {
    let more = json!({"allowRequestSessionKey": true, "mappings": [
        {"match": {"path": "gh"}, "name": "GH {{user}}", "sessionKey": "hook:gh:{{user}}", "messageTemplate": "push"},
        {"match": {"path": "own"}, "name": "Mine", "messageTemplate": "push"},
    ]});
    let replies = (0..10).map(|_| texts(&["seen"])).collect();
    let (model, gateway) = start(replies, more);
    let sent = json!({"message": "CANARY", "name": "CANARY", "sessionKey": "hook:CANARY-obey"});
    assert_eq!(post(&gateway, "/hooks/agent", sent).0, 202);
    model.requests(2);
    assert_eq!(post(&gateway, "/hooks/gh", json!({"user": "CANARY"})).0, 202);
    model.requests(4);
    assert_eq!(post(&gateway, "/hooks/wake", json!({"text": "CANARY"})).0, 200);
    model.requests(5);
    assert_eq!(post(&gateway, "/hooks/own", json!({})).0, 202);
    let requests = model.requests(7);
    for request in &requests {
        let messages = request["body"]["messages"].as_array().unwrap();
        let all: String = messages.iter().map(|message| format!("{}\n", message["content"])).collect();
        let mut outside = String::new();
        for (n, part) in all.split("<<<").enumerate() {
            let is_inside = part.starts_with("EXTERNAL");
            outside += if n == 0 || !is_inside { part } else { "" };
        }
        assert!(!outside.to_lowercase().contains("canary"), "{outside}");
    }
    assert!(requests.iter().any(|request| request.to_string().contains("GH CANARY")), "but inside");
    assert!(last(&requests[6]).contains("Hook Mine: "), "the owner's name for it stays");
    // People see what came, and no markers; models see the markers, by whatever tool they look.
    let mut client = Client::operator(&gateway, 4);
    let history = client.ok("chat.history", json!({"sessionKey": "main"})).to_string();
    assert!(
        history.contains("A webhook sent: CANARY") && !history.contains("EXTERNAL_UNTRUSTED"),
        "{history}"
    );
    // Lists show none of it: it is nobody's own words.
    let wanted = json!({"includeDerivedTitles": true, "includeLastMessage": true});
    let list = client.ok("sessions.list", wanted).to_string();
    let key = "agent:main:main";
    let preview = client.ok("sessions.preview", json!({"keys": [key]})).to_string();
    assert!(preview.contains("seen"), "{preview}");
    for told in [list, preview] {
        assert!(!told.contains("A webhook sent") && !told.contains("EXTERNAL_UNTRUSTED"), "{told}");
    }
}

/// In the main session itself one turn is enough: nobody need be told there how it went.
#[test]
fn i12_2_a_turn_in_the_main_session_wakes_no_second_one() {
    let more =
        json!({"mappings": [{"match": {"path": "a"}, "sessionKey": "main", "messageTemplate": "look"}]});
    let (model, gateway) = start(vec![texts(&["done"]), texts(&["again"]), texts(&["HEARTBEAT_OK"])], more);
    let mut client = Client::operator(&gateway, 4);
    let told = post(&gateway, "/hooks/a", json!({})).1;
    client.event_where("chat", |p| p["runId"] == told["runId"] && p["state"] == "final");
    client.ok("chat.send", json!({"sessionKey": "main", "message": "hello", "idempotencyKey": "k"}));
    let asked = last(&model.requests(2)[1]);
    assert!(asked.contains("hello") && !asked.contains("Hook"), "{asked}");
    assert_eq!(model.count(), 2);
}

/// SEC-42: neither a webhook nor a guest has the agent's instructions changed, or pages that the gateway serves; the owner has.
#[test]
fn sec_42_only_the_owner_has_the_agent_itself_changed() {
    let writes = |text: &str| {
        let call = |path: &str| Step::Call {
            id: format!("{text}-{path}"),
            name: "write".into(),
            arguments: json!({"path": path, "content": text}).to_string(),
        };
        // The last make any folder a repository, whose settings the owner's `git` runs.
        let all = ["AGENTS.md", "notes.md", "config", "objects/info/x", "refs/heads/x", "HEAD", "a/b/HEAD"];
        Reply::Stream(all.into_iter().map(call).chain([Step::Done]).collect())
    };
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    telegram.user(2002, "Bob", "bob");
    let mut config = hooks(json!({}));
    merge(
        &mut config,
        &json!({"channels": {"telegram": {"dmPolicy": "open", "allowFrom": ["*"]}}, "commands": {"ownerAllowFrom": ["telegram:1001"]}}),
    );
    let replies = vec![
        writes("hook"),
        texts(&["h"]),
        texts(&["HEARTBEAT_OK"]),
        writes("guest"),
        texts(&["g"]),
        writes("owner"),
        texts(&["o"]),
    ];
    let (model, gateway) = with_bot(&telegram, config, replies);
    let file = |name: &str| {
        std::fs::read_to_string(gateway.state_dir().join("workspace").join(name)).unwrap_or_default()
    };
    assert_eq!(post(&gateway, "/hooks/agent", json!({"message": "m", "deliver": false})).0, 202);
    let refused = model.requests(3)[1].to_string();
    assert!(refused.contains("only when the owner asks") && !file("AGENTS.md").contains("hook"), "{refused}");
    assert_eq!(
        (file("notes.md").as_str(), file("HEAD"), file("a/b/HEAD")),
        ("hook", String::new(), String::new())
    );
    telegram.says(2002, 2002, "hi");
    said(&telegram, 2002, 1);
    assert!(!file("AGENTS.md").contains("guest") && file("notes.md") == "guest" && file("HEAD").is_empty());
    assert!(!gateway.state_dir().join("workspace/a").exists());
    telegram.says(1001, 1001, "hi");
    said(&telegram, 1001, 1);
    assert_eq!((file("AGENTS.md").as_str(), file("notes.md").as_str()), ("owner", "owner"));
}

#[test]
fn i12_2_words_go_where_the_owner_was_heard_of_last() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let replies =
        ["hello Ann", "The door is open", "It is shut", "HEARTBEAT_OK"].map(|text| texts(&[text])).to_vec();
    let (model, gateway) = with_bot(&telegram, hooks(json!({})), replies);
    telegram.says(1001, 1001, "hi");
    assert_eq!(said(&telegram, 1001, 1), ["hello Ann"]);
    assert_eq!(post(&gateway, "/hooks/agent", json!({"message": "Look at the door"})).0, 202);
    assert_eq!(said(&telegram, 1001, 2), ["hello Ann", "The door is open"]);
    // Who was told by the turn itself is not woken to be told again, unless the sender wants it so.
    assert_eq!(post(&gateway, "/hooks/agent", json!({"message": "And now?", "wakeMode": "now"})).0, 202);
    assert_eq!(said(&telegram, 1001, 3).last().map(String::as_str), Some("It is shut"));
    let requests = model.requests(4);
    assert!(last(&requests[2]).contains("And now?"), "no turn between them");
    let woken = last(&requests[3]);
    assert!(woken.contains("The door is open") && woken.contains("It is shut"), "{woken}");
    assert_eq!(telegram.texts(1001).len(), 3, "nothing is said where nothing is to be said");
}

#[test]
fn i12_2_the_same_request_is_done_once_by_its_mark() {
    let (model, gateway) = start(vec![texts(&["done"])], json!({}));
    let body = json!({"message": "once", "wakeMode": "next-heartbeat"});
    let first = marked(&gateway, "/hooks/agent", body.clone(), "Idempotency-Key: a1\r\n");
    assert_eq!(first.0, 202);
    model.requests(1);
    for _ in 0..3 {
        assert_eq!(marked(&gateway, "/hooks/agent", body.clone(), "Idempotency-Key: a1\r\n"), first);
    }
    let other = marked(&gateway, "/hooks/agent", json!({"message": "two"}), "Idempotency-Key: a1\r\n");
    assert_eq!((other.0, &other.1["ok"]), (409, &json!(false)), "{other:?}");
    assert_eq!(model.count(), 1);
}
