//! Issue 12, item 2 and bad input: a refusal has the shape that clients of its path know, whoever refuses, in plain words.
use crate::harness::http::{Answer, raw};
use crate::harness::*;
use crate::http_openai::with_config;

/// A request of whoever shows this much.
fn ask(gateway: &Gateway, line: &str, more: &str, body: &str) -> (Answer, Value) {
    let text = format!(
        "{line} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nContent-Length: {}\r\n{more}\r\n{body}",
        gateway.port,
        body.len()
    );
    let answer = raw(gateway.port, &text);
    let told = serde_json::from_str(&answer.body).unwrap_or_default();
    (answer, told)
}

#[test]
fn i12_2_every_refusal_has_the_shape_of_its_path() {
    let (_server, gateway) = with_config(vec![], json!({}));
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let wrong = "Authorization: Bearer nope\r\n";
    let foreign = format!("{bearer}Origin: http://evil.example\r\n");
    for (line, more, status) in [
        ("POST /v1/chat/completions", "", 401),
        ("POST /v1/responses", wrong, 401),
        ("GET /v1/chat/completions", &*bearer, 405),
        ("POST /v1/models", &*bearer, 405),
        ("GET /v1/nosuch", &*bearer, 404),
        ("POST /v1/chat/completions", &*foreign, 403),
    ] {
        let body = if line.starts_with("GET") { "" } else { "{}" };
        let (answer, told) = ask(&gateway, line, more, body);
        assert_eq!(answer.status, status, "{line}: {}", answer.body);
        let error = told["error"].as_object().unwrap_or_else(|| panic!("{line}: {}", answer.body));
        let names: Vec<&str> = error.keys().map(String::as_str).collect();
        assert!(
            ["message", "type", "param", "code"].iter().all(|name| names.contains(name)),
            "{line}: {told}"
        );
        if status == 401 {
            assert_eq!(error["code"], "invalid_api_key", "{told}");
        }
    }
    // Nothing of the body is read to know that it is too large.
    let large = format!(
        "POST /v1/responses HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nContent-Length: 9000000\r\n{bearer}\r\n",
        gateway.port
    );
    let answer = raw(gateway.port, &large);
    assert!(answer.status == 413 && answer.body.contains("\"param\":null"), "{}", answer.body);
    for path in ["/tools/invoke", "/api/v1/rpc"] {
        for (line, more, body) in [
            (format!("POST {path}"), &*bearer, "{}"),
            (format!("POST {path}"), &*bearer, "{a: 1}"),
            (format!("POST {path}"), "", "{}"),
            (format!("PUT {path}"), &*bearer, "{}"),
        ] {
            let (answer, told) = ask(&gateway, &line, more, body);
            assert!(answer.status >= 400 && told["ok"] == json!(false), "{line}: {}", answer.body);
        }
    }
}

#[test]
fn i12_what_is_wrong_with_a_body_is_told_in_plain_words() {
    let (_server, gateway) = with_config(vec![], json!({}));
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    for path in ["/v1/chat/completions", "/tools/invoke", "/api/v1/rpc"] {
        let (answer, told) = ask(&gateway, &format!("POST {path}"), &bearer, "{model: 1}");
        let words = told["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(answer.status, 400);
        assert_eq!(
            words,
            "the body cannot be read: line 1, column 2: the name of a member must stand in double quotes"
        );
    }
}

#[test]
fn i12_2_what_is_off_says_so_below_its_path() {
    let (_server, gateway) = with_config(vec![], json!({"gateway": {"controlUi": {"enabled": false}}}));
    let (answer, told) = ask(&gateway, "POST /hooks/wake", "", "{}");
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("set hooks.enabled and hooks.token"), "{told}");
    let (answer, _) = ask(&gateway, "GET /", "", "");
    assert!(answer.status == 404 && !answer.body.contains("control page"), "{}", answer.body);
    let told = gateway.cli(&["dashboard", "--no-open"]);
    let words = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(
        !told.status.success() && words.contains("Fix: openclaw config set gateway.controlUi.enabled true"),
        "{words}"
    );
}

/// A program that keeps its conversations itself fills no list with them; who looks for them finds them.
#[test]
fn i12_1_requests_without_a_session_are_listed_to_who_searches_only() {
    let (_server, gateway) = with_config(vec![model::texts(&["Yes."])], json!({}));
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let body = json!({"model": "openclaw", "messages": [{"role": "user", "content": "x"}]}).to_string();
    assert_eq!(ask(&gateway, "POST /v1/chat/completions", &bearer, &body).0.status, 200);
    let mut client = Client::operator(&gateway, 4);
    let listed = client.ok("sessions.list", json!({}));
    assert_eq!(listed["sessions"], json!([]), "{listed}");
    let found = client.ok("sessions.list", json!({"search": "openai"}));
    assert!(found["sessions"][0]["key"].as_str().unwrap().starts_with("agent:main:openai:"), "{found}");
}
