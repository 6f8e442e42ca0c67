//! Conversations under ids that clients choose, and entries of an index in which no conversation has begun.
use crate::harness::model::texts;
use crate::harness::*;

/// A turn of `agent` with these params beside the message; the id of the conversation that it was in.
fn turn_of(client: &mut Client, key: &str, params: Value) -> String {
    let mut all = json!({"message": key, "idempotencyKey": key});
    merge(&mut all, &params);
    let id = client.ask("agent", all);
    assert_eq!(client.answer(&id).unwrap()["status"], "accepted");
    let done = client.answer(&id).unwrap();
    done["result"]["meta"]["agentMeta"]["sessionId"].as_str().unwrap().to_string()
}

fn agents(server: &ModelServer) -> Setup {
    let mut config = server.config();
    merge(&mut config, &json!({"agents": {"list": [{"id": "main", "default": true}, {"id": "ops"}]}}));
    Setup::config(config)
}

fn history(client: &mut Client, key: &str) -> String {
    client.ok("chat.history", json!({"sessionKey": key})).to_string()
}

#[test]
fn m_1_an_unknown_session_id_begins_a_conversation_that_is_found_by_it() {
    let server = ModelServer::start(vec![texts(&["yes"])]);
    let mut gateway = Gateway::start(&agents(&server));
    let mut client = Client::operator(&gateway, 4);
    let missing = client.fails("sessions.resolve", json!({"sessionId": "nightly-1"}));
    assert_eq!(missing["message"], "No session found: nightly-1");
    for (key, params, id) in [
        ("k1", json!({"sessionId": "nightly-1"}), "nightly-1"),
        ("k2", json!({"sessionId": " nightly-1 "}), "nightly-1"),
        ("k3", json!({"sessionId": "nightly-1", "agentId": "ops"}), "nightly-1"),
        // What the Node program's command line makes of it.
        (
            "k4",
            json!({"sessionId": "Build.7", "sessionKey": "agent:ops:explicit:Build.7", "agentId": "ops"}),
            "Build.7",
        ),
        ("k5", json!({"sessionId": "Build.7", "agentId": "ops"}), "Build.7"),
    ] {
        assert_eq!(turn_of(&mut client, key, params), id, "{key}");
    }
    let main = turn_of(&mut client, "k6", json!({}));
    // Its session is found though the client makes another key of the id.
    let made_up = json!({"sessionId": main, "sessionKey": format!("agent:main:explicit:{main}")});
    assert_eq!(turn_of(&mut client, "k7", made_up), main);
    gateway.stop();
    gateway.restart();
    client = Client::operator(&gateway, 4);
    assert_eq!(turn_of(&mut client, "k8", json!({"sessionId": "nightly-1"})), "nightly-1");
    let resolve = |client: &mut Client, params: Value| client.ok("sessions.resolve", params)["key"].clone();
    assert_eq!(resolve(&mut client, json!({"sessionId": "Build.7"})), "agent:ops:explicit:build.7");
    let of_main = resolve(&mut client, json!({"sessionId": "nightly-1", "agentId": "main"}));
    assert_eq!(of_main, "agent:main:explicit:nightly-1");
    let texts = history(&mut client, "agent:main:explicit:nightly-1");
    for (key, is_there) in [("k1", true), ("k2", true), ("k3", false), ("k8", true)] {
        assert_eq!(texts.contains(&format!("\"{key}\"")), is_there, "{key}: {texts}");
    }
    assert!(gateway.sessions_dir().join("nightly-1.jsonl").exists());
    assert!(gateway.state_dir().join("agents/ops/sessions/nightly-1.jsonl").exists());
}

// Keys are one in whatever case, as in the original; ids name files, where case counts.
#[test]
fn m_1_ids_that_differ_by_case_alone_are_conversations_of_their_own() {
    let server = ModelServer::start(vec![texts(&["yes"])]);
    let mut gateway = Gateway::start(&agents(&server));
    let mut client = Client::operator(&gateway, 4);
    let by_node = |id: &str| json!({"sessionId": id, "sessionKey": format!("agent:main:explicit:{id}")});
    for (key, params, id) in [
        ("k1", json!({"sessionId": "night"}), "night"),
        ("k2", json!({"sessionId": "Night"}), "Night"),
        ("k3", by_node("NIGHT"), "NIGHT"),
        ("k4", by_node("night"), "night"),
        ("k5", by_node("Night"), "Night"),
        ("k6", json!({"sessionKey": "agent:main:EXPLICIT:NIGHT"}), "night"),
    ] {
        assert_eq!(turn_of(&mut client, key, params), id, "{key}");
    }
    gateway.stop();
    gateway.restart();
    client = Client::operator(&gateway, 4);
    for (key, id, wanted) in [
        ("k7", "night", ["k1", "k4", "k6", "k7"].as_slice()),
        ("k8", "Night", &["k2", "k5", "k8"]),
        ("k9", "NIGHT", &["k3", "k9"]),
    ] {
        assert_eq!(turn_of(&mut client, key, json!({"sessionId": id})), id);
        let session = client.ok("sessions.resolve", json!({"sessionId": id}))["key"].clone();
        let texts = history(&mut client, session.as_str().unwrap());
        for n in 1..=9 {
            let said = format!("k{n}");
            assert_eq!(
                texts.contains(&format!("\"{said}\"")),
                wanted.contains(&&*said),
                "{id} {said}: {texts}"
            );
        }
        assert!(gateway.sessions_dir().join(format!("{id}.jsonl")).exists());
    }
}

#[test]
fn m_1_an_id_that_cannot_be_a_file_is_refused_in_words() {
    let server = ModelServer::start(vec![texts(&["yes"])]);
    let gateway = Gateway::start(&agents(&server));
    let mut client = Client::operator(&gateway, 4);
    for id in ["../x", "a b", ".x", "a/b", "x.jsonl.bak", "\u{e9}", &"x".repeat(129)] {
        let error = client.fails("agent", json!({"message": "m", "idempotencyKey": id, "sessionId": id}));
        assert_eq!(error["code"], "INVALID_REQUEST");
        let text = error["message"].as_str().unwrap();
        assert!(text.starts_with("invalid agent params: sessionId must be 1 to 128 letters"), "{id}: {text}");
    }
    let longest = "y".repeat(128);
    assert_eq!(turn_of(&mut client, "k", json!({"sessionId": longest})), longest);
}

#[test]
fn m_1_chat_begins_under_the_id_it_names_and_goes_on_with_the_keys() {
    let server = ModelServer::start(vec![texts(&["yes"])]);
    let gateway = Gateway::start(&agents(&server));
    let mut client = Client::operator(&gateway, 4);
    for (key, id) in [("c1", "tab-1"), ("c2", "tab-2"), ("c3", "../no")] {
        let params =
            json!({"sessionKey": "agent:ops:web", "sessionId": id, "message": key, "idempotencyKey": key});
        client.ok("chat.send", params);
        client.event_where("chat", |p| p["runId"] == key && p["state"] == "final");
    }
    let history = client.ok("chat.history", json!({"sessionKey": "agent:ops:web"}));
    assert_eq!(history["sessionId"], "tab-1");
    assert_eq!(history["messages"].as_array().unwrap().len(), 6);
}

#[test]
fn m_2_b_f39_an_entry_without_a_conversation_begins_one() {
    let server = ModelServer::start(vec![texts(&["yes"])]);
    for entry in [
        json!(7),
        json!(null),
        json!([]),
        json!({"sessionId": 7, "lastChannel": "x", "displayName": "telegram"}),
        json!({"sessionId": "", "lastChannel": "x", "displayName": "telegram"}),
        json!({"sessionId": null, "updatedAt": 1_700_000_000_000_u64, "lastChannel": "x", "displayName": "telegram"}),
        json!({"updatedAt": 1_700_000_000_000_u64, "lastChannel": "x", "displayName": "telegram"}),
    ] {
        let noted = entry.is_object();
        let index = json!({"agent:main:main": entry.clone(), "agent:main:other": {"sessionId": "kept", "label": "L"}});
        let setup = agents(&server).file("agents/main/sessions/sessions.json", index.to_string());
        let gateway = Gateway::start(&setup);
        let mut client = Client::operator(&gateway, 4);
        assert_eq!(
            client.ok("chat.history", json!({"sessionKey": "main"}))["messages"],
            json!([]),
            "{entry}"
        );
        assert!(client.ok("chat.startup", json!({"sessionKey": "main"}))["messages"] == json!([]), "{entry}");
        let id = turn_of(&mut client, "k1", json!({"sessionKey": "main"}));
        assert_eq!(turn_of(&mut client, "k2", json!({"sessionKey": "main"})), id, "{entry}");
        client.ok("chat.send", json!({"sessionKey": "main", "message": "k3", "idempotencyKey": "k3"}));
        client.event_where("chat", |p| p["runId"] == "k3" && p["state"] == "final");
        let list = client.ok("sessions.list", json!({})).to_string();
        assert_eq!(list.contains("telegram"), noted, "what is noted stays: {entry}: {list}");
        assert!(list.contains("\"kept\"") && list.contains("\"L\""), "{entry}: {list}");
    }
}

#[test]
fn b_f45_sessions_of_a_newer_release_are_said_not_to_be_read() {
    let server = ModelServer::start(vec![texts(&["yes"])]);
    for (place, agent) in
        [("state/openclaw.sqlite", "main"), ("agents/ops/agent/openclaw-agent.sqlite", "ops")]
    {
        let gateway = Gateway::start(&agents(&server).file(place, "SQLite format 3\0"));
        let log = wait_for("the warning", || {
            Some(gateway.log()).filter(|log| log.contains("a newer OpenClaw release"))
        });
        assert!(
            log.contains(place) && log.matches("a newer OpenClaw release").count() == 1,
            "{agent}: {log}"
        );
        let doctor = String::from_utf8_lossy(&gateway.cli(&["doctor"]).stdout).into_owned();
        assert!(
            doctor.contains("sessions.newer_release") || doctor.contains("a newer OpenClaw release"),
            "{doctor}"
        );
        let status = String::from_utf8_lossy(&gateway.cli(&["status"]).stdout).into_owned();
        assert!(status.contains("those of a newer release are not read"), "{status}");
    }
    let gateway = Gateway::start(&agents(&server));
    assert!(!gateway.log().contains("newer OpenClaw"));
}
