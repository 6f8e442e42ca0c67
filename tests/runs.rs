//! Runs that fail: a failed model call is an error on every surface, never an empty success.
use crate::agent::{turn, with_model};
use crate::harness::model::texts;
use crate::harness::*;

/// The error must show in the answer, in both events, in `agent.wait` and in the history.
fn check_failure(name: &str, reply: Reply) -> Value {
    let (_server, gateway) = with_model(vec![reply]);
    let mut client = Client::operator(&gateway, 4);
    let start = Instant::now();
    let id = client.ask("agent", json!({"message": "hi", "sessionKey": "main", "idempotencyKey": "k"}));
    client.answer(&id).unwrap();
    let res = client.res(&id);
    assert!(start.elapsed() < Duration::from_secs(16), "{name}: reported after {:?}", start.elapsed());
    assert_eq!((&res["ok"], &res["payload"]["status"]), (&json!(false), &json!("error")), "{name}");
    assert_eq!(res["payload"]["runId"], "k", "{name}");
    let error = res["error"].clone();
    assert_eq!(error["code"], "UNAVAILABLE", "{name}: {error}");
    let life = client.event_where("agent", |p| p["stream"] == "lifecycle" && p["data"]["phase"] != "start");
    assert_eq!(life["data"]["phase"], "error", "{name}");
    assert!(life["data"]["error"].is_string(), "{name}: {life}");
    let chat = client.event_where("chat", |p| p["state"] != "delta");
    assert_eq!(chat["state"], "error", "{name}");
    assert!(chat["errorMessage"].as_str().is_some_and(|t| !t.is_empty()), "{name}: {chat}");
    let wait = client.ok("agent.wait", json!({"runId": "k", "timeoutMs": 0}));
    assert_eq!(wait["status"], "error", "{name}: {wait}");
    let history = client.ok("chat.history", json!({"sessionKey": "main"})).to_string();
    assert!(history.contains("\"stopReason\":\"error\""), "{name}: {history}");
    // R-10a: the message is in the transcript, so a repetition says that it takes a new key.
    let again = client.fails("agent", json!({"message": "hi", "sessionKey": "main", "idempotencyKey": "k"}));
    assert_eq!(
        (&again["retryable"], &again["retryAfterMs"]),
        (&Value::Null, &Value::Null),
        "{name}: {again}"
    );
    let advice = if error["retryable"] == true { "; send it again with a new idempotency key" } else { "" };
    assert_eq!(again["message"], format!("{}{advice}", error["message"].as_str().unwrap()), "{name}");
    error
}

fn status(code: u16, headers: Vec<(&'static str, &'static str)>) -> Reply {
    Reply::Status(code, headers, r#"{"error":{"message":"the stub says no","type":"x"}}"#.into())
}

#[test]
fn a_refusal_by_the_server_is_told() {
    let error = check_failure("400", status(400, vec![]));
    assert!(error["message"].as_str().unwrap().contains("the stub says no"), "{error}");
    assert_ne!(error["retryable"], true, "the same request would fail again: {error}");
}

#[test]
fn a_wrong_key_is_told_without_showing_it() {
    let error = check_failure("401", status(401, vec![])).to_string();
    assert!(!error.contains("sk-test-key-0123456789"), "{error}");
}

#[test]
fn a_busy_server_is_retryable() {
    let error = check_failure("429", status(429, vec![("Retry-After", "60")]));
    assert_eq!(error["retryable"], true, "{error}");
    assert!(error["retryAfterMs"].as_u64().is_some_and(|ms| (50_000..=60_000).contains(&ms)), "{error}");
}

#[test]
fn a_broken_server_is_told() {
    check_failure("500", status(500, vec![]));
}

#[test]
fn a_stream_that_is_cut_is_told() {
    check_failure("cut", Reply::Stream(vec![Step::Text("half".into()), Step::Cut]));
}

#[test]
fn a_connection_that_is_dropped_is_told() {
    check_failure("drop", Reply::Drop);
}

#[test]
fn nonsense_is_told() {
    check_failure("nonsense", Reply::Stream(vec![Step::Raw(b"data: {not json\n\n".to_vec()), Step::Done]));
    let html = Reply::Status(200, vec![], "<html>a login page</html>".into());
    check_failure("html", html);
}

#[test]
fn an_empty_answer_is_told() {
    check_failure("empty", Reply::Stream(vec![Step::Raw(b"data: [DONE]\n\n".to_vec())]));
}

#[test]
fn nobody_listening_is_told() {
    let server = ModelServer::start(vec![Reply::Drop]);
    let mut config = server.config();
    let free = gateway::free_port();
    config["models"]["providers"]["test"]["baseUrl"] = json!(format!("http://127.0.0.1:{free}/v1"));
    let gateway = Gateway::start(&Setup::config(config));
    let mut client = Client::operator(&gateway, 4);
    let error = turn(&mut client, "hi", "k").unwrap_err();
    assert_eq!(error["code"], "UNAVAILABLE");
    assert!(error["message"].as_str().unwrap().contains(&free.to_string()), "names where: {error}");
}

#[test]
fn a_passing_failure_is_retried() {
    let (server, gateway) = with_model(vec![status(503, vec![]), texts(&["second try"])]);
    let mut client = Client::operator(&gateway, 4);
    let done = turn(&mut client, "hi", "k").unwrap();
    assert_eq!(done["result"]["payloads"][0]["text"], "second try");
    assert_eq!(server.count(), 2);
}

#[test]
fn a_run_past_its_deadline_is_agent_timeout() {
    for protocol in [3, 4] {
        let (_server, gateway) = with_model(vec![Reply::Hang]);
        let mut client = Client::operator(&gateway, protocol);
        let params = json!({"message": "hi", "sessionKey": "main", "idempotencyKey": "k", "timeout": 1});
        let id = client.ask("agent", params);
        client.answer(&id).unwrap();
        let start = Instant::now();
        let error = client.answer(&id).unwrap_err();
        assert_eq!(error["code"], "AGENT_TIMEOUT", "{error}");
        assert!(start.elapsed() < Duration::from_secs(5), "after {:?}", start.elapsed());
    }
}

#[test]
fn a_failed_key_is_remembered_as_failed() {
    let (server, gateway) = with_model(vec![status(400, vec![]), texts(&["fine"])]);
    let mut client = Client::operator(&gateway, 4);
    let first = turn(&mut client, "hi", "k").unwrap_err();
    let params = json!({"message": "hi", "sessionKey": "main", "idempotencyKey": "k"});
    assert_eq!(client.fails("agent", params)["message"], first["message"]);
    assert_eq!(server.count(), 1);
    assert_eq!(turn(&mut client, "hi", "k2").unwrap()["status"], "ok", "the session goes on");
}

#[test]
fn sessions_run_side_by_side_up_to_the_cap() {
    let gate = Reply::Stream(vec![Step::Text("x".into()), Step::Gate, Step::Done]);
    let server = ModelServer::start(vec![gate]);
    let mut config = server.config();
    config["agents"]["defaults"]["maxConcurrent"] = json!(2);
    let gateway = Gateway::start(&Setup::config(config));
    let mut client = Client::operator(&gateway, 4);
    let ids: Vec<String> = (0..4)
        .map(|n| {
            client.ask(
                "agent",
                json!({"message": "x", "sessionKey": format!("s{n}"), "idempotencyKey": format!("k{n}")}),
            )
        })
        .collect();
    for id in &ids {
        assert_eq!(client.answer(id).unwrap()["status"], "accepted");
    }
    server.requests(2);
    client.collect(Duration::from_millis(200));
    assert_eq!(server.count(), 2, "two at a time");
    (0..4).for_each(|_| server.release());
    for id in &ids {
        assert_eq!(client.answer(id).unwrap()["status"], "ok");
    }
}

/// Issue 12: how many may run at a time counts at once, and no connection is closed for it.
#[test]
fn a_higher_cap_starts_what_waits() {
    let gate = Reply::Stream(vec![Step::Text("x".into()), Step::Gate, Step::Done]);
    let server = ModelServer::start(vec![gate]);
    let mut config = server.config();
    config["agents"]["defaults"]["maxConcurrent"] = json!(1);
    let gateway = Gateway::start(&Setup::config(config));
    let mut client = Client::operator(&gateway, 4);
    let ids = ["a", "b"]
        .map(|key| client.ask("agent", json!({"message": "x", "sessionKey": key, "idempotencyKey": key})));
    for id in &ids {
        assert_eq!(client.answer(id).unwrap()["status"], "accepted");
    }
    server.requests(1);
    let told = gateway.cli(&["config", "set", "agents.defaults.maxConcurrent", "2"]);
    assert!(told.status.success(), "{told:?}");
    server.requests(2);
    (0..2).for_each(|_| server.release());
    for id in &ids {
        assert_eq!(client.answer(id).unwrap()["status"], "ok");
    }
}

#[test]
fn r_03a_health_is_quick_while_models_stream_and_hang() {
    let drip =
        |n: usize| (0..n).flat_map(|_| [Step::Text("word ".into()), Step::Pause(Duration::from_millis(5))]);
    let reply = Reply::Stream(drip(200).chain([Step::Done]).collect());
    let (_server, gateway) = with_model(vec![Reply::Hang, reply]);
    let mut client = Client::operator(&gateway, 3);
    for n in 0..4 {
        let params =
            json!({"message": "x", "sessionKey": format!("s{n}"), "idempotencyKey": format!("k{n}")});
        client.ok("agent", params);
    }
    let mut calm = Client::operator(&gateway, 4);
    let mut slowest = Duration::ZERO;
    for _ in 0..100 {
        let start = Instant::now();
        calm.ok("health", json!({}));
        slowest = slowest.max(start.elapsed());
    }
    assert!(slowest < Duration::from_millis(500), "a health call took {slowest:?}");
}
