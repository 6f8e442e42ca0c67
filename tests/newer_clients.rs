//! Clients that are newer than this gateway: what they ask beyond it, and what they are strict about.
use crate::harness::*;

#[test]
fn m_3_methods_that_read_pass_over_members_that_they_do_not_know() {
    let gateway = Gateway::start(&Setup::config(json!({"logging": {"level": "debug"}})));
    let mut client = Client::operator(&gateway, 4);
    for (method, params) in [
        ("sessions.list", json!({"includeActivitySummary": true})),
        ("sessions.usage", json!({"mode": "gateway", "agentId": "main", "agentScope": "all"})),
        ("models.list", json!({"sessionKey": "main"})),
        ("agents.list", json!({"later": {"deep": [1]}})),
        ("chat.history", json!({"sessionKey": "main", "later": 1})),
        ("chat.startup", json!({"sessionKey": "main", "later": 1})),
        ("sessions.subscribe", json!({"later": 1})),
        ("config.get", json!({"later": 1})),
        ("logs.tail", json!({"later": 1})),
        ("agent.wait", json!({"runId": "none", "timeoutMs": 0, "later": 1})),
    ] {
        client.ok(method, params);
    }
    // What is known is still judged, and what changes something takes nothing that it does not understand.
    for (method, params, word) in [
        ("sessions.list", json!({"limit": "x", "later": 1}), "at /limit: must be integer"),
        ("chat.history", json!({"later": 1}), "must have required property 'sessionKey'"),
        (
            "chat.send",
            json!({"sessionKey": "main", "message": "m", "idempotencyKey": "k", "later": 1}),
            "'later'",
        ),
        ("sessions.patch", json!({"key": "main", "later": 1}), "'later'"),
        ("sessions.reset", json!({"key": "main", "later": 1}), "'later'"),
        ("config.patch", json!({"raw": "{}", "later": 1}), "'later'"),
        ("agents.create", json!({"name": "x", "workspace": "/x", "later": 1}), "'later'"),
    ] {
        let error = client.fails(method, params);
        assert!(error["message"].as_str().unwrap().contains(word), "{method}: {error}");
    }
    Client::operator(&gateway, 4).ok("models.list", json!({"provider\u{1b}": "x"}));
    let log = wait_for("two lines", || {
        Some(gateway.log()).filter(|log| log.matches("ignores members").count() == 2)
    });
    assert!(
        log.contains("sessions.list ignores members it does not know: \\\"includeActivitySummary"),
        "{log}"
    );
    assert!(!log.contains('\u{1b}'));
}

#[test]
fn m_3_a_page_is_told_which_service_searches_the_web() {
    let brave = json!({"tools": {"web": {"search": {"apiKey": "brave-key"}}}});
    for (over, kind, provider) in [
        (json!({}), "unavailable", Value::Null),
        (json!({"tools": {"web": {"search": {"enabled": false}}}}), "disabled", Value::Null),
        (brave, "managed", json!("brave")),
    ] {
        let gateway = Gateway::start(&Setup::config(over));
        let told = Client::operator(&gateway, 4).ok("webSearch.status", json!({}));
        assert_eq!((&told["route"]["kind"], &told["provider"]), (&json!(kind), &provider), "{told}");
        assert!(!told.to_string().contains("brave-key"));
        // The page reads these without asking whether they are there.
        let of = (&told["agentId"], &told["model"]["provider"], &told["model"]["id"]);
        assert_eq!(of, (&json!("main"), &json!("openclaw"), &json!("builtin")), "{told}");
        assert!(told["model"]["runtimeLabel"].is_string(), "{told}");
        assert_eq!(told["enabled"], provider.is_string(), "{told}");
    }
}

#[test]
fn m_4_the_greeting_has_what_strict_clients_require_and_nothing_else() {
    let over = json!({"agents": {"defaults": {"heartbeat": {"prompt": "look around", "every": "0m"}}}});
    let gateway = Gateway::start(&Setup::config(over));
    let names = |value: &Value| {
        let mut names: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names.join(" ")
    };
    let (mut client, hello) = Client::with(&gateway, params(4));
    let health = &hello["snapshot"]["health"];
    assert_eq!(
        health["agents"][0]["heartbeat"],
        json!({"enabled": false, "every": "disabled", "everyMs": null, "prompt": "look around", "target": "last", "ackMaxChars": 300})
    );
    assert_eq!(names(&health["agents"][0]), "agentId heartbeat isDefault sessions");
    assert_eq!(
        names(health),
        "agents channelLabels channelOrder channels defaultAgentId durationMs heartbeatSeconds ok sessions ts"
    );
    assert_eq!(names(&hello["server"]), "connId version");
    assert_eq!(names(&hello["policy"]), "maxBufferedBytes maxPayload tickIntervalMs");
    for name in names(&hello["auth"]).split(' ') {
        assert!(["deviceToken", "role", "scopes", "issuedAtMs"].contains(&name), "{name}");
    }
    for name in names(&hello["snapshot"]).split(' ') {
        let known = [
            "presence",
            "health",
            "stateVersion",
            "uptimeMs",
            "configPath",
            "stateDir",
            "authMode",
            "sessionDefaults",
        ];
        assert!(known.contains(&name), "{name}");
    }
    // Clients of protocol 3 are told as before, and `health` tells all.
    let (_old, hello) = Client::with(&gateway, params(3));
    assert!(hello["server"]["host"].is_string() && hello["auth"]["method"].is_string(), "{hello}");
    let full = client.ok("health", json!({}));
    assert!(full["pairing"].is_object() && full["runs"].is_object(), "{full}");
}
