//! A turn that goes well, by `agent` and by `chat.send`, with a model server: stream, abort, queue, keys.
//! What goes wrong stands in `runs.rs`.
use crate::harness::model::{delta, texts};
use crate::harness::*;

pub fn with_config(config: Value) -> Gateway {
    Gateway::start(&Setup::config(config))
}

pub fn with_model(replies: Vec<Reply>) -> (ModelServer, Gateway) {
    let server = ModelServer::start(replies);
    let gateway = with_config(server.config());
    (server, gateway)
}

/// Runs one `agent` turn on the main session to its end; the last answer's payload or error.
pub fn turn(client: &mut Client, message: &str, key: &str) -> Result<Value, Value> {
    let id = client.ask("agent", json!({"message": message, "sessionKey": "main", "idempotencyKey": key}));
    assert_eq!(client.answer(&id)?["status"], "accepted");
    client.answer(&id)
}

fn gated(text: &str) -> Reply {
    Reply::Stream(vec![Step::Text(text.into()), Step::Gate, Step::Done])
}

#[test]
fn an_agent_turn_streams_and_answers_twice() {
    for protocol in [3, 4] {
        let (server, gateway) = with_model(vec![texts(&["Hel", "lo ", "wörld"])]);
        let mut client = Client::operator(&gateway, protocol);
        let done = turn(&mut client, "hi", "run-1").unwrap();
        assert_eq!((&done["status"], &done["summary"]), (&json!("ok"), &json!("completed")));
        assert_eq!(done["result"]["payloads"][0]["text"], "Hello wörld");
        let meta = &done["result"]["meta"]["agentMeta"];
        assert_eq!((&meta["provider"], &meta["model"]), (&json!("test"), &json!("m")));
        assert_eq!(meta["usage"], json!({"input": 11, "output": 5, "total": 16}));

        let frames = client.kept();
        let events = |name: &str| -> Vec<&Value> {
            frames.iter().filter(|f| f["event"] == name).map(|f| &f["payload"]).collect()
        };
        let phases: Vec<&Value> = events("agent")
            .into_iter()
            .filter(|p| p["stream"] == "lifecycle")
            .map(|p| &p["data"]["phase"])
            .collect();
        assert_eq!(phases, [&json!("start"), &json!("end")]);
        let assistant: Vec<_> = events("agent").into_iter().filter(|p| p["stream"] == "assistant").collect();
        let joined: String = assistant.iter().filter_map(|p| p["data"]["delta"].as_str()).collect();
        assert_eq!(joined, "Hello wörld", "the deltas make up the text");
        assert_eq!(
            assistant.last().unwrap()["data"]["text"],
            "Hello wörld",
            "and each event carries it so far"
        );
        for (i, payload) in events("agent").iter().enumerate() {
            assert_eq!(payload["seq"], i + 1, "the run's own numbering: {payload}");
            assert_eq!(payload["sessionKey"], "agent:main:main");
        }
        let last = *events("chat").last().unwrap();
        assert_eq!(
            (&last["state"], &last["message"]["content"][0]["text"]),
            (&json!("final"), &json!("Hello wörld"))
        );
        let first = events("chat")[0];
        assert_eq!(first["state"], "delta");
        if protocol == 4 {
            assert!(first["deltaText"].is_string(), "protocol 4 requires deltaText: {first}");
        }
        let request = &server.requests(1)[0]["body"];
        assert_eq!((&request["model"], &request["stream"]), (&json!("m"), &json!(true)));
        assert!(model::last_user_text(request).ends_with("] hi"), "the message is stamped: {request}");
    }
}

#[test]
fn text_that_arrives_in_any_pieces_is_the_same_text() {
    let whole: Vec<u8> = format!("{}{}", delta("grüße 🦞 "), delta("\u{1F980}\r\n ok")).into_bytes();
    let mut steps: Vec<Step> = whole.chunks(1).map(|b| Step::Raw(b.to_vec())).collect();
    steps.insert(40, Step::Pause(Duration::from_millis(30)));
    steps.push(Step::Raw(b": a comment\r\n\r\nevent: x\ndata: {\"choices\":[]}\n\n".to_vec()));
    steps.push(Step::Done);
    let (_server, gateway) = with_model(vec![Reply::Stream(steps)]);
    let mut client = Client::operator(&gateway, 3);
    let done = turn(&mut client, "hi", "k").unwrap();
    assert_eq!(done["result"]["payloads"][0]["text"], "grüße 🦞 \u{1F980}\r\n ok");
}

#[test]
fn r_23a_the_first_token_is_forwarded_at_once() {
    let (server, gateway) = with_model(vec![gated("first")]);
    let mut client = Client::operator(&gateway, 4);
    let id = client.ask("agent", json!({"message": "hi", "sessionKey": "main", "idempotencyKey": "k"}));
    client.event_where("agent", |p| p["stream"] == "assistant");
    let got = Instant::now();
    // The strict figure is the benchmark's; this only proves that nothing waits for the end.
    let late = got.duration_since(server.sent()[0]);
    assert!(late < Duration::from_millis(200), "forwarded after {late:?}");
    server.release();
    client.answer(&id).unwrap();
    client.answer(&id).unwrap();
}

#[test]
fn chat_send_answers_once_and_the_rest_are_events() {
    let (server, gateway) = with_model(vec![gated("working on it")]);
    let mut client = Client::operator(&gateway, 3);
    let params = json!({"sessionKey": "main", "message": "go", "idempotencyKey": "c1"});
    assert_eq!(client.ok("chat.send", params.clone()), json!({"runId": "c1", "status": "started"}));
    client.event_where("chat", |p| p["state"] == "delta");
    assert_eq!(client.ok("chat.send", params.clone())["status"], "in_flight");
    server.release();
    let last = client.event_where("chat", |p| p["state"] == "final");
    assert_eq!(last["message"]["content"][0]["text"], "working on it");
    assert_eq!(last["sessionKey"], "agent:main:main", "always the canonical key");
    assert_eq!(client.ok("chat.send", params)["status"], "ok");
    assert_eq!(server.count(), 1, "one key, one model call");
}

#[test]
fn history_holds_what_was_said_and_hides_the_stamp() {
    let (_server, gateway) = with_model(vec![Reply::Stream(vec![Step::Echo, Step::Done])]);
    let mut client = Client::operator(&gateway, 4);
    for n in 0..3 {
        turn(&mut client, &format!("message {n}"), &format!("k{n}")).unwrap();
    }
    let history = client.ok("chat.history", json!({"sessionKey": "main"}));
    let said: Vec<String> = history["messages"].as_array().unwrap().iter().map(text_of).collect();
    assert_eq!(said.len(), 6);
    assert_eq!(
        (said[0].as_str(), said[4].as_str()),
        ("message 0", "message 2"),
        "user texts come back as sent"
    );
    assert!(said[5].ends_with("message 2"));
    let assistant = &history["messages"][5];
    assert_eq!((&assistant["provider"], &assistant["stopReason"]), (&json!("test"), &json!("stop")));
    assert_eq!(assistant["usage"]["totalTokens"], 16);
    let last = client.ok("chat.history", json!({"sessionKey": "agent:main:main", "limit": 2}));
    assert_eq!(last["messages"].as_array().unwrap().len(), 2);
    assert_eq!(last["sessionKey"], "agent:main:main", "the key is echoed as sent");
}

pub fn text_of(message: &Value) -> String {
    message["content"][0]["text"].as_str().unwrap_or_default().to_string()
}

#[test]
fn the_model_sees_the_conversation() {
    let (server, gateway) = with_model(vec![texts(&["answer one"]), texts(&["answer two"])]);
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "question one", "k1").unwrap();
    turn(&mut client, "question two", "k2").unwrap();
    let second = server.requests(2)[1]["body"]["messages"].to_string();
    for part in ["question one", "answer one", "question two"] {
        assert!(second.contains(part), "{part} in {second}");
    }
    let head = server.requests(1)[0]["head"].as_str().unwrap().to_string();
    assert!(head.contains("Bearer sk-test-key-0123456789"), "the provider's key is sent");
}

#[test]
fn an_abort_ends_the_run_with_one_event() {
    let (server, gateway) = with_model(vec![gated("half an ans")]);
    let mut client = Client::operator(&gateway, 4);
    client.ok("chat.send", json!({"sessionKey": "main", "message": "go", "idempotencyKey": "a1"}));
    client.event_where("chat", |p| p["state"] == "delta");
    let wrong = client.fails("chat.abort", json!({"sessionKey": "other", "runId": "a1"}));
    assert_eq!(wrong["message"], "runId does not match sessionKey");
    let done = client.ok("chat.abort", json!({"sessionKey": "agent:main:main", "runId": "a1"}));
    assert_eq!(done, json!({"ok": true, "aborted": true, "runIds": ["a1"]}));
    let event = client.event_where("chat", |p| p["state"] == "aborted");
    assert_eq!((&event["runId"], &event["stopReason"]), (&json!("a1"), &json!("rpc")));
    server.release();
    client.collect(Duration::from_millis(300));
    let late = client.kept();
    assert!(!late.iter().any(|f| f["payload"]["state"] == "final"), "nothing after an abort: {late:?}");
    let again = client.ok("chat.abort", json!({"sessionKey": "main"}));
    assert_eq!(again, json!({"ok": true, "aborted": false, "runIds": []}));
}

#[test]
fn stop_words_abort_without_asking_the_model() {
    let (server, gateway) = with_model(vec![gated("talking")]);
    let mut client = Client::operator(&gateway, 3);
    client.ok("chat.send", json!({"sessionKey": "main", "message": "go", "idempotencyKey": "s1"}));
    client.event_where("chat", |p| p["state"] == "delta");
    let stop =
        client.ok("chat.send", json!({"sessionKey": "main", "message": " STOP ", "idempotencyKey": "s2"}));
    assert_eq!(stop, json!({"ok": true, "aborted": true, "runIds": ["s1"]}));
    assert_eq!(client.event_where("chat", |p| p["state"] == "aborted")["stopReason"], "stop");
    assert_eq!(server.count(), 1);
}

#[test]
fn runs_of_one_session_wait_for_each_other() {
    let (server, gateway) = with_model(vec![gated("one"), texts(&["two"]), texts(&["three"])]);
    let mut client = Client::operator(&gateway, 4);
    let ids: Vec<String> = ["q1", "q2"]
        .iter()
        .map(|k| client.ask("agent", json!({"message": k, "sessionKey": "main", "idempotencyKey": k})))
        .collect();
    for id in &ids {
        assert_eq!(client.answer(id).unwrap()["status"], "accepted", "queued runs are accepted too");
    }
    server.requests(1);
    let other = client.ask("agent", json!({"message": "x", "sessionKey": "other", "idempotencyKey": "q3"}));
    client.answer(&other).unwrap();
    client.answer(&other).expect("another session does not wait");
    assert_eq!(server.count(), 2, "the second run of main has not started");
    server.release();
    client.answer(&ids[0]).unwrap();
    client.answer(&ids[1]).unwrap();
    let history = client.ok("chat.history", json!({"sessionKey": "main"}));
    let said: Vec<String> = history["messages"].as_array().unwrap().iter().map(text_of).collect();
    assert_eq!((said[0].as_str(), said[2].as_str()), ("q1", "q2"), "in the order asked");
}

#[test]
fn r_10a_one_key_is_one_run() {
    let (server, mut gateway) = with_model(vec![gated("once")]);
    let mut client = Client::operator(&gateway, 4);
    let params = json!({"message": "go", "sessionKey": "main", "idempotencyKey": "same"});
    let first = client.ask("agent", params.clone());
    client.answer(&first).unwrap();
    server.requests(1);
    let again = client.ask("agent", params.clone());
    assert_eq!(client.answer(&again).unwrap()["status"], "accepted", "while running: the first answer");
    server.release();
    let done = client.answer(&first).unwrap();
    assert_eq!(client.ok("agent", params.clone()), done, "afterwards: the result");
    let mut other = params.clone();
    other["message"] = json!("something else");
    let error = client.fails("agent", other.clone());
    assert_eq!(error["code"], "INVALID_REQUEST");
    assert_eq!(server.count(), 1);

    gateway.stop();
    gateway.restart();
    let mut client = Client::operator(&gateway, 4);
    let replay = client.ok("agent", params);
    assert_eq!((&replay["runId"], &replay["status"]), (&json!("same"), &json!("ok")), "also after a restart");
    assert_eq!(client.fails("agent", other)["code"], "INVALID_REQUEST");
    assert_eq!(server.count(), 1);
}

#[test]
fn agent_wait_waits() {
    let (server, gateway) = with_model(vec![gated("x")]);
    let mut client = Client::operator(&gateway, 4);
    let run = client.ask("agent", json!({"message": "go", "sessionKey": "main", "idempotencyKey": "w"}));
    client.answer(&run).unwrap();
    let early = client.ok("agent.wait", json!({"runId": "w", "timeoutMs": 50}));
    assert_eq!(early, json!({"runId": "w", "status": "timeout"}));
    let wait = client.ask("agent.wait", json!({"runId": "w", "timeoutMs": 10000}));
    server.release();
    assert_eq!(client.answer(&wait).unwrap()["status"], "ok");
}

#[test]
fn the_built_in_model_answers_without_any_configuration() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let done = turn(&mut client, "is anybody there", "k").unwrap();
    let text = done["result"]["payloads"][0]["text"].as_str().unwrap();
    assert!(text.contains("is anybody there"), "it says what it received: {text}");
    assert!(text.contains("openclaw models"), "and how to add a real model: {text}");
}

#[test]
fn the_workspace_s_texts_reach_the_model_and_an_edit_counts_at_once() {
    let (server, gateway) = with_model(vec![texts(&["one"]), texts(&["two"])]);
    let workspace = gateway.state_dir().join("workspace");
    std::fs::create_dir_all(&workspace).unwrap();
    std::fs::write(workspace.join("AGENTS.md"), "Answer like a lighthouse keeper.").unwrap();
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "hi", "k1").unwrap();
    std::fs::write(workspace.join("AGENTS.md"), "x".repeat(30_000)).unwrap();
    turn(&mut client, "hi again", "k2").unwrap();
    let system = |request: &Value| request["body"]["messages"][0]["content"].as_str().unwrap().to_string();
    let requests = server.requests(2);
    assert!(system(&requests[0]).contains("lighthouse keeper"), "{}", system(&requests[0]));
    let second = system(&requests[1]);
    assert!(!second.contains("lighthouse") && second.contains("[cut here"), "{} characters", second.len());
}
