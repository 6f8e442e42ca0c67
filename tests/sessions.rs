//! The `sessions.*` methods.
use crate::agent::turn;
use crate::harness::*;

fn keys(list: &Value) -> Vec<&str> {
    list["sessions"].as_array().unwrap().iter().map(|s| s["key"].as_str().unwrap()).collect()
}

#[test]
fn sessions_appear_with_what_they_used() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    assert_eq!(client.ok("sessions.list", json!({}))["sessions"], json!([]));
    turn(&mut client, "hello", "k").unwrap();
    let list = client.ok("sessions.list", json!({"includeDerivedTitles": true, "includeLastMessage": true}));
    let row = &list["sessions"][0];
    assert_eq!((&row["key"], &row["kind"]), (&json!("agent:main:main"), &json!("direct")));
    assert!(is_uuid(row["sessionId"].as_str().unwrap()), "{row}");
    assert!(row["derivedTitle"].as_str().unwrap().contains("hello"), "{row}");
    assert!(row["lastMessagePreview"].is_string() && row["modelProvider"].is_string(), "{row}");
    assert_eq!(list["count"], 1);
}

#[test]
fn list_filters() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    for (key, label) in [("one", "First"), ("two", "Second"), ("agent:main:three", "Third")] {
        client.ok("sessions.patch", json!({"key": key, "label": label}));
    }
    let all = client.ok("sessions.list", json!({}));
    let mut sorted = keys(&all);
    sorted.sort_unstable();
    assert_eq!(sorted, ["agent:main:one", "agent:main:three", "agent:main:two"]);
    assert_eq!(keys(&client.ok("sessions.list", json!({"label": "Second"}))), ["agent:main:two"]);
    assert_eq!(keys(&client.ok("sessions.list", json!({"search": "THIRD"}))), ["agent:main:three"]);
    assert_eq!(keys(&client.ok("sessions.list", json!({"limit": 2}))).len(), 2);
    assert_eq!(keys(&client.ok("sessions.list", json!({"activeMinutes": 5}))).len(), 3);
    assert_eq!(client.fails("sessions.list", json!({"limit": 0}))["code"], "INVALID_REQUEST");
}

#[test]
fn patch_sets_clears_and_refuses() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 3);
    let patched =
        client.ok("sessions.patch", json!({"key": "main", "thinkingLevel": "high", "verboseLevel": "on"}));
    assert_eq!(
        (&patched["entry"]["thinkingLevel"], &patched["entry"]["verboseLevel"]),
        (&json!("high"), &json!("on"))
    );
    let history = client.ok("chat.history", json!({"sessionKey": "main"}));
    assert_eq!((&history["thinkingLevel"], &history["verboseLevel"]), (&json!("high"), &json!("on")));
    let cleared = client.ok("sessions.patch", json!({"key": "main", "thinkingLevel": null}));
    assert!(cleared["entry"].get("thinkingLevel").is_none(), "{cleared}");
    for (field, value, text) in [
        ("thinkingLevel", json!("huge"), "invalid thinkingLevel"),
        ("verboseLevel", json!("loud"), "invalid verboseLevel"),
        ("reasoningLevel", json!("x"), "invalid reasoningLevel"),
        ("elevatedLevel", json!("x"), "invalid elevatedLevel"),
        ("sendPolicy", json!("x"), "invalid sessions.patch params"),
        ("nonsense", json!(1), "invalid sessions.patch params: at root: unexpected property 'nonsense'"),
    ] {
        let error = client.fails("sessions.patch", json!({"key": "main", field: value}));
        assert!(error["message"].as_str().unwrap().starts_with(text), "{field}: {error}");
    }
}

#[test]
fn a_denied_session_takes_no_messages() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    client.ok("sessions.patch", json!({"key": "quiet", "sendPolicy": "deny"}));
    let params = json!({"sessionKey": "quiet", "message": "hi", "idempotencyKey": "k"});
    assert_eq!(client.fails("chat.send", params.clone())["message"], "send blocked by session policy");
    assert_eq!(client.fails("agent", params)["message"], "send blocked by session policy");
}

#[test]
fn reset_starts_a_new_transcript_and_keeps_the_settings() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    client.ok("sessions.patch", json!({"key": "main", "thinkingLevel": "low", "label": "mine"}));
    turn(&mut client, "hello", "k").unwrap();
    let before = client.ok("chat.history", json!({"sessionKey": "main"}));
    let reset = client.ok("sessions.reset", json!({"key": "main"}));
    assert_ne!(reset["entry"]["sessionId"], before["sessionId"]);
    assert_eq!((&reset["entry"]["thinkingLevel"], &reset["entry"]["label"]), (&json!("low"), &json!("mine")));
    let after = client.ok("chat.history", json!({"sessionKey": "main"}));
    assert_eq!(after["messages"], json!([]));
    let old = gateway.sessions_dir().join(format!("{}.jsonl", before["sessionId"].as_str().unwrap()));
    assert!(old.exists(), "the old transcript stays");
}

#[test]
fn delete_keeps_the_transcript_aside() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let params = json!({"message": "x", "sessionKey": "temp", "idempotencyKey": "k"});
    let id = client.ask("agent", params);
    client.answer(&id).unwrap();
    client.answer(&id).unwrap();
    let deleted = client.ok("sessions.delete", json!({"key": "temp"}));
    assert_eq!((&deleted["key"], &deleted["deleted"]), (&json!("agent:main:temp"), &json!(true)));
    let archived = deleted["archived"][0].as_str().unwrap();
    assert!(archived.contains(".jsonl.deleted."), "{archived}");
    assert!(std::path::Path::new(archived).exists());
    assert_eq!(client.ok("sessions.delete", json!({"key": "temp"}))["deleted"], false);
    assert_eq!(client.ok("sessions.list", json!({}))["sessions"], json!([]));
}

#[test]
fn preview_shows_the_last_lines() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 3);
    turn(&mut client, "a question", "k").unwrap();
    let preview = client.ok("sessions.preview", json!({"keys": ["main", "none"], "maxChars": 20}));
    let items = preview["previews"][0]["items"].as_array().unwrap();
    assert_eq!((&items[0]["role"], &items[1]["role"]), (&json!("user"), &json!("assistant")));
    assert_eq!(items[0]["text"], "a question");
    let cut = items[1]["text"].as_str().unwrap();
    assert!(cut.ends_with("...") && cut.chars().count() <= 24, "{cut:?}");
    assert_eq!(preview["previews"][1], json!({"key": "none", "status": "missing", "items": []}));
}

#[test]
fn sec_12_names_never_lead_out_of_the_folder() {
    let gateway = Gateway::plain();
    let outside = gateway.dir.join("home/canary.jsonl");
    std::fs::write(
        &outside,
        "{\"type\":\"message\",\"message\":{\"role\":\"user\",\"content\":\"CANARY\"}}\n",
    )
    .unwrap();
    let mut client = Client::operator(&gateway, 4);
    let long = "a".repeat(5000);
    let absolute = outside.to_str().unwrap().trim_end_matches(".jsonl").to_string();
    let names = [
        "../../../../canary",
        "..",
        ".",
        "/etc/passwd",
        &absolute,
        "%2e%2e%2fcanary",
        "a/b",
        "a\\b",
        "a\u{0}b",
        &long,
        "ünï",
        "../sessions",
        "agent:main:../../x",
        "agent:../../x:main",
        "~",
        "con",
        "-rf",
    ];
    for (n, name) in names.iter().enumerate() {
        for (method, params) in [
            ("chat.history", json!({"sessionKey": name})),
            ("sessions.preview", json!({"keys": [name]})),
            ("sessions.patch", json!({"key": name, "label": format!("l{n}")})),
            ("agent", json!({"message": "x", "sessionId": name, "idempotencyKey": format!("a{n}")})),
            ("agent", json!({"message": "x", "sessionKey": name, "idempotencyKey": format!("b{n}")})),
            ("sessions.delete", json!({"key": name})),
        ] {
            let text = format!("{:?}", client.call(method, params));
            assert!(!text.contains("CANARY"), "{method} {name:?} read a file outside: {text}");
        }
    }
    client.ok("health", json!({}));
    let home: Vec<_> =
        std::fs::read_dir(gateway.dir.join("home")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(home.len(), 2, "nothing was written outside the state directory: {home:?}");
    let agents: Vec<_> = std::fs::read_dir(gateway.state_dir().join("agents")).unwrap().flatten().collect();
    assert!(agents.iter().all(|e| !e.file_name().to_string_lossy().contains("..")), "{agents:?}");
}
