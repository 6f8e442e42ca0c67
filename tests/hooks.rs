//! Issue 12, sentence 2: webhooks by real HTTP, and what comes of them (SEC-14, SEC-20 to SEC-23, SEC-28).
use crate::harness::model::texts;
use crate::harness::telegram::Telegram;
use crate::harness::*;
use crate::telegram::{said, with_bot};
use std::io::{Read, Write};

const HOOK: &str = "hook-token-canary-9c2e";

fn hooks(more: Value) -> Value {
    let mut config = json!({"hooks": {"enabled": true, "token": HOOK}});
    merge(&mut config, &json!({"hooks": more}));
    config
}

fn start(replies: Vec<Reply>, more: Value) -> (ModelServer, Gateway) {
    let model = ModelServer::start(replies);
    let mut config = model.config();
    merge(&mut config, &hooks(more));
    let gateway = Gateway::start(&Setup::config(config));
    (model, gateway)
}

fn ask(gateway: &Gateway, method: &str, path: &str, headers: &str, body: &str) -> http::Answer {
    let (port, length) = (gateway.port, body.len());
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}");
    http::raw(port, &format!("{head}Content-Length: {length}\r\n\r\n{body}"))
}

fn post(gateway: &Gateway, path: &str, body: Value) -> (u16, Value) {
    marked(gateway, path, body, "")
}

fn marked(gateway: &Gateway, path: &str, body: Value, headers: &str) -> (u16, Value) {
    let headers = format!("Authorization: Bearer {HOOK}\r\n{headers}");
    let answer = ask(gateway, "POST", path, &headers, &body.to_string());
    (answer.status, serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}")))
}

/// The last message of a request to the model.
fn last(request: &Value) -> String {
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
        (json!({"message": "m", "channel": "last", "to": "someone"}), ""),
    ] {
        let (status, told) = post(&gateway, "/hooks/agent", body.clone());
        let said = told["error"].as_str().unwrap();
        assert!(status == 400 && told["ok"] == json!(false) && said.contains(error), "{body}: {said}");
    }
    assert_eq!(post(&gateway, "/hooks/agent", json!("text")).0, 400, "no object is an empty one");
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
        Reply::Stream(vec![call("AGENTS.md"), call("notes.md"), Step::Done])
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
    assert_eq!(file("notes.md"), "hook");
    telegram.says(2002, 2002, "hi");
    said(&telegram, 2002, 1);
    assert!(!file("AGENTS.md").contains("guest") && file("notes.md") == "guest");
    telegram.says(1001, 1001, "hi");
    said(&telegram, 1001, 1);
    assert_eq!((file("AGENTS.md").as_str(), file("notes.md").as_str()), ("owner", "owner"));
}

#[test]
fn i12_2_words_go_where_the_owner_was_heard_of_last() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let replies = vec![texts(&["hello Ann"]), texts(&["The door is open"]), texts(&["HEARTBEAT_OK"])];
    let (model, gateway) = with_bot(&telegram, hooks(json!({})), replies);
    telegram.says(1001, 1001, "hi");
    assert_eq!(said(&telegram, 1001, 1), ["hello Ann"]);
    assert_eq!(post(&gateway, "/hooks/agent", json!({"message": "Look at the door"})).0, 202);
    assert_eq!(said(&telegram, 1001, 2), ["hello Ann", "The door is open"]);
    model.requests(3);
    assert_eq!(telegram.texts(1001).len(), 2, "nothing is said where nothing is to be said");
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

// SEC-20: one token opens them, by header only, and the gateway's own does not.
#[test]
fn sec_20_the_token_comes_by_header_and_no_other_opens_a_webhook() {
    let (_model, gateway) = start(vec![], json!({}));
    let wake = |path: &str, headers: &str| {
        let answer = ask(&gateway, "POST", path, headers, r#"{"text":"x","mode":"next-heartbeat"}"#);
        (answer.status, answer.body)
    };
    for headers in [format!("Authorization: bearer {HOOK}\r\n"), format!("X-OpenClaw-Token: {HOOK}\r\n")] {
        assert_eq!(wake("/hooks/wake", &headers).0, 200, "{headers}");
    }
    let (status, text) = wake(&format!("/hooks/wake?token={HOOK}"), &format!("X-OpenClaw-Token: {HOOK}\r\n"));
    assert!(status == 400 && text.contains("query parameters are not allowed"), "{text}");
    for headers in [
        String::new(),
        format!("Authorization: Bearer {TOKEN}\r\n"),
        format!("Authorization: Bearer {}\r\n", &HOOK[..HOOK.len() - 1]),
        format!("X-OpenClaw-Token: {HOOK}x\r\n"),
        format!("Authorization: Basic {HOOK}\r\n"),
    ] {
        let (status, text) = wake("/hooks/wake", &headers);
        assert!(
            status == 401 && text.starts_with(r#"{"ok":false,"error":"Unauthorized"#),
            "{headers} {text}"
        );
    }
    // A webhook's token opens nothing else.
    let metrics = ask(&gateway, "GET", "/metrics", &format!("Authorization: Bearer {HOOK}\r\n"), "");
    assert_eq!(metrics.status, 401);
    assert!(!gateway.log().contains(HOOK));
}

// SEC-21: what is no webhook's request at all uses up nobody's attempts.
#[test]
fn sec_21_a_storm_of_gets_locks_no_webhook_out() {
    let (_model, gateway) = start(vec![], json!({}));
    let wrong = "Authorization: Bearer wrong\r\n";
    for n in 0..40 {
        let answer = ask(&gateway, "GET", "/hooks/wake", wrong, "");
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{n}");
    }
    let since = Instant::now();
    assert_eq!(ask(&gateway, "POST", "/hooks/wake", wrong, "{}").status, 401, "none was counted");
    assert!(since.elapsed() < Duration::from_millis(800), "{:?}", since.elapsed());
    // Too many that are counted: the right one is heard all the same.
    for _ in 0..12 {
        assert!(matches!(ask(&gateway, "POST", "/hooks/wake", wrong, "{}").status, 401 | 429));
    }
    assert_eq!(post(&gateway, "/hooks/wake", json!({"text": "t", "mode": "next-heartbeat"})).0, 200);
}

// SEC-22: neither a request nor a template chooses a session or an agent that the owner did not mean.
#[test]
fn sec_22_sessions_and_agents_are_the_owners_to_choose() {
    let mapping = json!({"match": {"path": "gh"}, "messageTemplate": "by {{user}}", "sessionKey": "{{key}}"});
    let (model, gateway) = start(vec![texts(&["ok"])], json!({"mappings": [mapping]}));
    for body in [
        json!({"message": "m", "sessionKey": "main"}),
        json!({"message": "m", "sessionKey": "hook:x"}),
        json!({"message": "m", "agentId": " "}),
        json!({"message": "m", "agentId": "nobody"}),
    ] {
        let (status, told) = post(&gateway, "/hooks/agent", body.clone());
        assert!(status == 400 && told["error"].is_string(), "{body} {told}");
    }
    for key in ["main", "agent:main:main", "agent:other:hook:x", ""] {
        let (status, told) = post(&gateway, "/hooks/gh", json!({"user": "ann", "key": key}));
        assert_eq!(status, 400, "{key} {told}");
    }
    let (status, told) = post(&gateway, "/hooks/gh", json!({"user": "ann", "key": "hook:gh:ann"}));
    assert_eq!(status, 202, "{told}");
    assert!(last(&model.requests(1)[0]).contains("by ann"));
    let sessions = Client::operator(&gateway, 4).ok("sessions.list", json!({}));
    assert!(sessions.to_string().contains("agent:main:hook:gh:ann"), "{sessions}");
}

// SEC-23: bodies are bounded, in bytes and in time, before they are read as anything.
#[test]
fn sec_23_bodies_are_bounded_and_broken_ones_refused() {
    let (_model, gateway) = start(vec![], json!({"maxBodyBytes": 1000}));
    let auth = format!("Authorization: Bearer {HOOK}\r\n");
    let large = json!({"text": "x".repeat(2000)}).to_string();
    let answer = ask(&gateway, "POST", "/hooks/wake", &auth, &large);
    assert!(answer.status == 413 && answer.body.contains(r#""ok":false"#), "{answer:?}");
    for body in ["{", "{\"text\": \"x\"", "\u{0}", "\u{1f}\u{8b}\u{8}", &"[".repeat(900)] {
        let answer = ask(&gateway, "POST", "/hooks/wake", &auth, body);
        assert!(answer.status == 400 && answer.body.contains(r#""ok":false"#), "{body:?} {answer:?}");
    }
    let port = gateway.port;
    let head = format!("POST /hooks/wake HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{auth}");
    // Two readers could see two requests here: nobody is told anything but that.
    let hidden = "POST /hooks/wake HTTP/1.1\r\nHost: x\r\n\r\n";
    for framing in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: 3, 3\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
    ] {
        let mut stream = http::tcp(port);
        stream.write_all(format!("{head}{framing}\r\n0\r\n\r\n{hidden}").as_bytes()).unwrap();
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{framing}: {text}");
        assert!(text.starts_with("HTTP/1.1 400 ") || text.starts_with("HTTP/1.1 501 "), "{framing}: {text}");
    }
    // Whole by chunks is whole.
    let body = r#"{"text":"x","mode":"next-heartbeat"}"#;
    let chunked = format!(
        "{head}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    assert_eq!(http::raw(port, &chunked).status, 200);
}

// SEC-14 for webhooks, and all else of `hooks` that changes while the gateway runs.
#[test]
fn sec_14_a_changed_section_holds_from_the_next_request_on() {
    let (_model, gateway) = start(vec![], json!({}));
    let write = |hooks: Value| {
        let text = std::fs::read_to_string(gateway.config_path()).unwrap();
        let mut config: Value = serde_json::from_str(&text).unwrap();
        config["hooks"] = hooks;
        std::fs::write(gateway.config_path(), config.to_string()).unwrap();
    };
    let wake = |path: &str, token: &str| {
        let headers = format!("Authorization: Bearer {token}\r\n");
        ask(&gateway, "POST", path, &headers, r#"{"text":"x","mode":"next-heartbeat"}"#).status
    };
    assert_eq!(wake("/hooks/wake", HOOK), 200);
    write(json!({"enabled": true, "token": "another-token-77", "path": "/in"}));
    wait_for("the new token", || (wake("/in/wake", "another-token-77") == 200).then_some(()));
    assert_eq!((wake("/in/wake", HOOK), wake("/hooks/wake", "another-token-77")), (401, 404));
    // What cannot be done is not put in force.
    write(json!({"enabled": true, "token": "third-token-1234", "path": "/"}));
    wait_for("the refusal", || gateway.log().contains("hooks.path may not be the whole port").then_some(()));
    assert_eq!((wake("/in/wake", "another-token-77"), wake("/hooks/wake", "third-token-1234")), (200, 404));
    write(json!({"enabled": false, "token": "another-token-77", "path": "/in"}));
    wait_for("no more webhooks", || (wake("/in/wake", "another-token-77") == 404).then_some(()));
}

#[test]
fn i12_2_what_cannot_be_done_stops_the_start() {
    for (more, want) in [
        (json!({"token": ""}), "hooks.enabled requires hooks.token"),
        (json!({"path": "/"}), "hooks.path may not be the whole port"),
    ] {
        let mut gateway = Gateway::spawn(&Setup::config(hooks(more)), gateway::free_port());
        let status = gateway.wait(DEADLINE);
        let error = gateway.stderr();
        assert!(status.code() == Some(78) && error.contains(want) && error.contains("Fix: "), "{error}");
    }
}

// SEC-28: 50,000 spellings of protected paths: none is answered to whoever shows nothing.
#[test]
fn sec_28_no_spelling_of_a_protected_path_opens_it() {
    let (_model, gateway) = start(vec![], json!({}));
    let mut random = Random(setting("FUZZ_SEED", 0x5ec28));
    let paths = ["/hooks/wake", "/hooks/agent", "/metrics", "/api/diagnostics/prometheus", "/hooks"];
    let pieces = [
        "%2e",
        "%2E%2e",
        "%2f",
        "%5c",
        "%00",
        "//",
        ";",
        "..",
        ".",
        "/",
        "\\",
        "%",
        "%zz",
        "?",
        "#",
        "%2568",
        "/../",
        "/./",
        "%c0%af",
        "\u{ff0f}",
        "A",
        "wake",
        "%09",
        "+",
        "&",
        "=",
        "~",
        "@",
        "hooks",
        "/hooks/wake",
    ];
    let mut sent = 0;
    while sent < 50_000 {
        let mut stream = http::tcp(gateway.port);
        let batch: String = (0..250)
            .map(|_| {
                let mut path = paths[random.below(paths.len())].to_string();
                for _ in 0..1 + random.below(3) {
                    // Behind the first letter: the root is a page.
                    let mut at = 2 + random.below(path.len() - 1);
                    while !path.is_char_boundary(at) {
                        at -= 1;
                    }
                    path.insert_str(at, pieces[random.below(pieces.len())]);
                }
                let path: String = path
                    .chars()
                    .map(|c| if random.below(8) == 0 { c.to_ascii_uppercase() } else { c })
                    .collect();
                let method = if random.below(2) == 0 { "GET" } else { "POST" };
                format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n")
            })
            .collect();
        let _ = stream.write_all(batch.as_bytes());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        let text = String::from_utf8_lossy(&text);
        let statuses: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")).collect();
        assert!(!statuses.is_empty());
        for status in &statuses {
            assert!(["400", "401", "404", "405"].contains(&&status[..3]), "{status}");
        }
        // What is no head at all ends its connection; the rest of its batch does not count.
        sent += statuses.len();
    }
}
