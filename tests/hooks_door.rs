//! Issue 12, sentence 2: who may send a webhook, with what, and which configurations are refused (SEC-14, SEC-20 to
//! SEC-23, SEC-28). What comes of one is in tests/hooks.rs.
use crate::harness::model::texts;
use crate::harness::*;
use crate::hooks::{HOOK, ask, hooks, last, post, start};
use std::io::{Read, Write};

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
        // SEC-20: the gateway's own secret opens none.
        (json!({"token": TOKEN}), "hooks.token must not match the gateway's own token"),
        (json!({"path": "/hooks/../v1"}), "hooks.path: no request has the path \"/hooks/../v1\""),
        (json!({"path": "/"}), "hooks.path may not be the whole port"),
    ] {
        let mut gateway = Gateway::spawn(&Setup::config(hooks(more)), gateway::free_port());
        let status = gateway.wait(DEADLINE);
        let error = gateway.stderr();
        assert!(status.code() == Some(78) && error.contains(want) && error.contains("Fix: "), "{error}");
    }
}

// A token that names a variable that is not set: who asks is told of the variable.
#[test]
fn i12_2_webhooks_that_are_off_for_a_missing_variable_say_so() {
    let gateway = Gateway::start(&Setup::config(hooks(json!({"token": "${HOOKS_NOPE}"}))));
    let answer = ask(&gateway, "POST", "/hooks/wake", "", r#"{"text":"x"}"#);
    let want = r#"webhooks are off: hooks.token: environment variable \"HOOKS_NOPE\" is not set"#;
    assert!(answer.status == 404 && answer.body.contains(want), "{}", answer.body);
}

// A mapping with a mistake is for no request; who asks is told which one it is, and that nothing else is off for it.
#[test]
fn i13_8_a_mapping_with_a_mistake_is_named() {
    let wrong = json!([{"id": "fine", "match": {"path": "fine"}, "action": "wake", "textTemplate": "x"},
        {"match": {"path": "broken"}, "action": "secret-word"}]);
    let (_model, gateway) = start(vec![], json!({"mappings": wrong}));
    let told = "hooks.mappings.1 has a mistake and is for no request; openclaw doctor shows it";
    let (status, body) = post(&gateway, "/hooks/broken", json!({"text": "x"}));
    let error = body["error"].as_str().unwrap();
    assert!(status == 404 && error.starts_with("no such webhook: ") && error.ends_with(told), "{error}");
    assert_eq!(post(&gateway, "/hooks/fine", json!({})).0, 200);

    let off = json!({"enabled": false, "mappings": wrong});
    let gateway = Gateway::start(&Setup::config(hooks(off)));
    let answer = ask(&gateway, "POST", "/hooks/wake", "", r#"{"text":"x"}"#);
    let want = format!("webhooks are off: set hooks.enabled and hooks.token; {told}");
    assert!(answer.status == 404 && answer.body.contains(&want), "{}", answer.body);
    assert!(!answer.body.contains("secret-word"), "{}", answer.body);
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
