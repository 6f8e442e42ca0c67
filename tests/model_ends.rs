//! How answers of model servers end, well or badly, and what of it users, scripts and the log are told; and what
//! clients are told of models.
use crate::agent::turn;
use crate::harness::model::texts;
use crate::harness::*;

fn chat(delta: Value, more: Value) -> Step {
    let mut event = json!({"choices": [{"index": 0, "delta": delta}]});
    merge(&mut event["choices"][0], &more);
    Step::Raw(format!("data: {event}\n\n").into_bytes())
}

fn start(replies: Vec<Reply>, over: Value) -> (ModelServer, Gateway) {
    let server = ModelServer::start(replies);
    let mut config = server.config();
    merge(&mut config["models"]["providers"]["test"], &over);
    let gateway = Gateway::start(&Setup::config(config));
    (server, gateway)
}

fn ends_in(reason: &str) -> Reply {
    Reply::Stream(vec![
        Step::Text("Half of".into()),
        chat(json!({}), json!({"finish_reason": reason})),
        Step::Raw(b"data: [DONE]\n\n".to_vec()),
    ])
}

/// A whole HTTP answer under a label, with more headers.
fn answer(label: &str, more: &str, body: &[u8]) -> Reply {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {label}\r\n{more}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    Reply::Raw([head.as_bytes(), body].concat())
}

fn agent(gateway: &Gateway, more: &[&str]) -> std::process::Output {
    let args = [&["agent", "--session-key", "main", "--message", "hi"], more].concat();
    gateway.cli(&args)
}

#[test]
fn b_f17_an_answer_that_a_filter_ends_is_an_error() {
    for reason in ["content_filter", "refusal", "safety"] {
        let (_server, gateway) = start(vec![ends_in(reason)], json!({"retries": 0}));
        let mut client = Client::operator(&gateway, 4);
        let error = turn(&mut client, "hi", "k1").unwrap_err();
        assert!(error["message"].as_str().unwrap().contains("did not allow: rephrase"), "{reason}: {error}");
        let history = client.ok("chat.history", json!({"sessionKey": "main"}));
        let last = history["messages"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(
            (&last["stopReason"], &last["content"][0]["text"]),
            (&json!("error"), &json!("Half of")),
            "{last}"
        );
        let out = agent(&gateway, &[]);
        assert!(
            !out.status.success() && String::from_utf8_lossy(&out.stderr).contains("did not allow: rephrase"),
            "{out:?}"
        );
    }
}

#[test]
fn b_f22_an_answer_that_was_cut_at_its_length_says_so() {
    for reason in ["length", "max_tokens"] {
        let (_server, gateway) = start(vec![ends_in(reason)], json!({}));
        let mut client = Client::operator(&gateway, 4);
        let done = turn(&mut client, "hi", "k1").unwrap();
        assert_eq!(done["result"]["meta"]["stopReason"], "length", "{done}");
        let told = client.event_where("chat", |p| p["state"] == "final");
        assert_eq!(told["stopReason"], "length", "{told}");
        let out = agent(&gateway, &["--json"]);
        let told: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(told["result"]["meta"]["stopReason"], "length");
        let out = agent(&gateway, &[]);
        let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert_eq!((stdout.trim(), stderr.contains("was cut at the length")), ("Half of", true), "{out:?}");
    }
}

#[test]
fn b_f19_an_end_with_its_counts_is_waited_for_no_longer() {
    let usage = json!({"prompt_tokens": 3, "completion_tokens": 2});
    let said = || chat(json!({"content": "Hello."}), json!({}));
    let end = json!({"finish_reason": "stop"});
    let with_counts = Step::Raw(
        format!("data: {}\n\n", json!({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": usage}))
            .into_bytes(),
    );
    let counts = Step::Raw(format!("data: {}\n\n", json!({"choices": [], "usage": usage})).into_bytes());
    let ping = || [Step::Raw(b": ping\n\n".to_vec()), Step::Pause(Duration::from_millis(400))];
    for (name, steps) in [
        ("beside", vec![said(), with_counts, Step::Gate]),
        ("behind", vec![said(), chat(json!({}), end.clone()), counts.clone(), Step::Gate]),
        (
            "alive",
            [said(), chat(json!({}), end), counts].into_iter().chain((0..60).flat_map(|_| ping())).collect(),
        ),
    ] {
        let (_server, gateway) = start(vec![Reply::Stream(steps)], json!({}));
        let mut client = Client::operator(&gateway, 4);
        let started = std::time::Instant::now();
        let done = turn(&mut client, "hi", "k1").unwrap();
        assert_eq!(done["result"]["payloads"][0]["text"], "Hello.", "{name}");
        assert_eq!(done["result"]["meta"]["agentMeta"]["usage"]["total"], 5, "{name}");
        assert!(started.elapsed() < Duration::from_secs(8), "{name}: {:?}", started.elapsed());
    }
}

#[test]
fn b_f17_errors_of_every_form_keep_the_servers_words() {
    let error = r#"{"error":{"message":"canary","code":400}}"#;
    // {"error":{"message":"canary","code":400}}, compressed.
    let gzip = [
        31u8, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 74, 45, 42, 202, 47, 82, 178, 170, 86, 202, 77, 45, 46,
        78, 76, 79, 85, 178, 82, 74, 78, 204, 75, 44, 170, 84, 210, 81, 74, 206, 79, 1, 242, 77, 12, 12, 106,
        107, 1, 142, 187, 128, 181, 41, 0, 0, 0,
    ];
    let page = "<!DOCTYPE html><html><head><title>Oops</title><style>p{}</style></head><body><h1>canary</h1></body></html>";
    let replies = vec![
        answer("text/plain", "", b"canary"),
        answer("text/plain", "", b"Rate limit exceeded: canary"),
        answer("text/event-stream", "", b"upstream canary"),
        answer("text/html", "", page.as_bytes()),
        answer("text/event-stream", "", page.as_bytes()),
        answer("application/json", "Content-Encoding: gzip\r\n", &gzip),
        answer("application/x-ndjson", "", format!("{{\"status\":\"loading\"}}\n{error}\n").as_bytes()),
        answer("application/x-ndjson", "", format!("{error}\n[DONE]\n").as_bytes()),
        answer("application/json", "", br#"{"Error":{"Code":"X","Message":"canary"}}"#),
        answer("application/json", "", br#"{"errors":[{"code":7,"title":"canary"}]}"#),
        answer("application/json", "", br#"{"errors":["canary"]}"#),
        answer("application/json", "", br#"{"message":"canary"}"#),
        answer("application/json", "", br#"{"message":"canary","documentation_url":"x"}"#),
        answer("application/json", "", b"{'error': 'canary'}"),
        answer(
            "application/json",
            "",
            br#"{"statusCode":500,"message":"canary","error":"Internal Server Error"}"#,
        ),
        Reply::Stream(vec![
            Step::Text("Half of".into()),
            Step::Raw(b"data: canary: the worker died\n\n".to_vec()),
            Step::Done,
        ]),
        Reply::Stream(vec![Step::Raw(b"data: {\"message\":\"canary\",\"id\":7}\n\n".to_vec()), Step::Done]),
    ];
    let n = replies.len();
    let (_server, gateway) = start(replies, json!({"retries": 0}));
    let mut client = Client::operator(&gateway, 4);
    for n in 0..n {
        let error = turn(&mut client, "hi", &format!("k{n}")).expect_err("an answer");
        assert!(error["message"].as_str().unwrap().contains("canary"), "{n}: {error}");
    }
}

#[test]
fn b_f17_what_is_compressed_in_a_way_that_is_not_read_is_told_as_that() {
    let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x29, 0, 0];
    let failed = b"HTTP/1.1 500 No\r\nContent-Encoding: br\r\nContent-Length: 3\r\nConnection: close\r\n\r\n\x0b\x01\x80";
    let replies = vec![
        answer("text/event-stream", "Content-Encoding: br\r\n", b"\x0b\x02\x80abc\x03"),
        answer("application/json", "Content-Encoding: zstd\r\n", &zstd),
        answer("application/json", "", &zstd),
        Reply::Raw(failed.to_vec()),
    ];
    let (_server, gateway) = start(replies, json!({"retries": 0}));
    let mut client = Client::operator(&gateway, 4);
    for (n, coding) in ["br", "zstd", "zstd", "br"].into_iter().enumerate() {
        let error = turn(&mut client, "hi", &format!("k{n}")).unwrap_err();
        let said = error["message"].as_str().unwrap();
        assert!(said.contains(&format!("{coding:?}, which nobody asked for")), "{n}: {said}");
        assert!(n == 3 || said.contains("turn compression off"), "{n}: {said}");
    }
}

#[test]
fn a_message_that_no_window_holds_is_told_with_its_sizes() {
    let small = json!({"models": [{"id": "m", "name": "M", "contextWindow": 2000}]});
    let (server, gateway) = start((0..3).map(|_| texts(&["short"])).collect(), small);
    let mut client = Client::operator(&gateway, 4);
    let error = turn(&mut client, &"many words of nothing ".repeat(1500), "k1").unwrap_err();
    let said = error["message"].as_str().unwrap();
    assert!(said.contains("takes about 110") && said.contains("known to take 2000"), "{said}");
    assert!(said.contains("contextWindow of the model in models.providers.test.models"), "{said}");
    assert_eq!(server.count(), 0);
    // The conversation goes on without it.
    assert_eq!(turn(&mut client, "hi", "k2").unwrap()["result"]["payloads"][0]["text"], "short");
}

#[test]
fn b_f09_a_stream_that_breaks_inside_an_event_is_a_broken_connection() {
    let half = |text: &str| {
        Step::Raw(format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}").into_bytes())
    };
    let end = [Step::Raw(Vec::new())];
    let spoken = Reply::Stream([Step::Text("Half".into()), half("of it")].into_iter().chain(end).collect());
    let silent = Reply::Stream(vec![half("H")]);
    let cut = Reply::Stream(vec![Step::Text("Half".into()), half("of it"), Step::Cut]);
    let (server, gateway) = start(vec![spoken, cut, silent, texts(&["whole"])], json!({}));
    let mut client = Client::operator(&gateway, 4);
    for key in ["k1", "k2"] {
        let error = turn(&mut client, "hi", key).unwrap_err();
        assert!(error["message"].as_str().unwrap().contains("in the middle"), "{error}");
    }
    assert_eq!(server.count(), 2);
    // Before the first word it is asked again.
    assert_eq!(turn(&mut client, "hi", "k3").unwrap()["result"]["payloads"][0]["text"], "whole");
}

#[test]
fn b_f01_profiles_that_come_later_are_seen_and_windows_are_the_models_own() {
    let far = json!({"baseUrl": "https://far.example/v1", "models": [{"id": "m", "name": "M", "contextWindow": 32000}]});
    let config = json!({"models": {"providers": {"far": far}}, "agents": {"defaults": {"model": {"primary": "far/m"}}}});
    let gateway = Gateway::start(&Setup::config(config));
    let mut client = Client::operator(&gateway, 4);
    let mut available = || {
        let list = client.ok("models.list", json!({"includeDetails": true}));
        list["models"].as_array().unwrap().iter().find(|model| model["id"] == "m").unwrap()["available"]
            .clone()
    };
    assert_eq!(available(), json!(false));
    let dir = gateway.state_dir().join("agents/main/agent");
    std::fs::create_dir_all(&dir).unwrap();
    let book = json!({"version": 1, "profiles": {"far:default": {"type": "api_key", "provider": "far", "key": "sk-profile-1"}}});
    std::fs::write(dir.join("auth-profiles.json"), book.to_string()).unwrap();
    assert_eq!(available(), json!(true));
    let status = client.ok("status", json!({}));
    assert_eq!(status["sessions"]["defaults"]["contextTokens"], 32000, "{status}");
}

// B-F14: a closing tag may be broken before its end.
#[test]
fn b_f14_a_tag_that_ends_in_another_line_ends_reasoning() {
    for close in ["</think\n>", "</think >", "</think\r\n >"] {
        let (_server, gateway) = start(vec![texts(&["<think>\na\n", close, "Hello."])], json!({}));
        let output = agent(&gateway, &[]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "Hello.\n", "{close:?}");
    }
    let (_server, gateway) = start(vec![texts(&["a <think\n about it>b"])], json!({}));
    assert_eq!(String::from_utf8_lossy(&agent(&gateway, &[]).stdout), "a <think\n about it>b\n");
}
