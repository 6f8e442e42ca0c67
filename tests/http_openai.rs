//! Issue 12, item 1: programs written for OpenAI's API, over HTTP as they speak it. What the answers must hold is what
//! both official SDKs were seen to need (tests/sdk/ runs the SDKs themselves).
use crate::harness::model::{read_chunked, texts};
use crate::harness::*;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;

pub const CHAT: &str = "/v1/chat/completions";
pub const RESPONSES: &str = "/v1/responses";

/// A gateway with both endpoints on, in front of this model.
pub fn with_model(replies: Vec<Reply>) -> (ModelServer, Gateway) {
    with_config(replies, json!({}))
}

pub fn with_config(replies: Vec<Reply>, over: Value) -> (ModelServer, Gateway) {
    let server = ModelServer::start(replies);
    let mut config = server.config();
    merge(&mut config, &endpoints(true));
    merge(&mut config, &over);
    let gateway = Gateway::start(&Setup::config(config));
    (server, gateway)
}

pub fn endpoints(on: bool) -> Value {
    json!({"gateway": {"http": {"endpoints": {"chatCompletions": {"enabled": on}, "responses": {"enabled": on}}}}})
}

/// Sends a head and a body on a connection of their own.
pub fn send(gateway: &Gateway, request: &str, headers: &str, body: &str) -> TcpStream {
    let mut stream = http::tcp(gateway.port);
    let host = format!("Host: 127.0.0.1:{}\r\nConnection: close", gateway.port);
    write!(stream, "{request} HTTP/1.1\r\n{host}\r\n{headers}\r\n{body}").unwrap();
    stream
}

pub fn owner() -> String {
    format!("Authorization: Bearer {TOKEN}\r\n")
}

/// A POST of JSON by the owner, with more headers.
pub fn begin(gateway: &Gateway, path: &str, headers: &str, body: &Value) -> TcpStream {
    let body = body.to_string();
    let head =
        format!("{}Content-Type: application/json\r\nContent-Length: {}\r\n{headers}", owner(), body.len());
    send(gateway, &format!("POST {path}"), &head, &body)
}

/// All that comes until the connection ends; chunks are put together, and must be whole.
pub fn finish(mut stream: TcpStream) -> http::Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut answer = http::Answer { status, head, body: String::new() };
    let body = match answer.header("transfer-encoding") {
        Some("chunked") => {
            assert!(bytes.ends_with(b"\r\n0\r\n\r\n"), "the last chunk: {}", String::from_utf8_lossy(&bytes));
            read_chunked(&mut BufReader::new(&bytes[at..])).unwrap()
        }
        _ => bytes[at..].to_vec(),
    };
    answer.body = String::from_utf8(body).unwrap();
    answer
}

pub fn post(gateway: &Gateway, path: &str, headers: &str, body: &Value) -> (u16, Value, http::Answer) {
    let answer = finish(begin(gateway, path, headers, body));
    let told = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    (answer.status, told, answer)
}

fn get(gateway: &Gateway, path: &str) -> (u16, Value) {
    let answer = finish(send(gateway, &format!("GET {path}"), &owner(), ""));
    (answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::Null))
}

/// The data of a stream's events; its end mark is a text.
fn events(answer: &http::Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.header("content-type").unwrap().starts_with("text/event-stream"), "{}", answer.head);
    let data = answer.body.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| json!(data))).collect()
}

pub fn streamed(gateway: &Gateway, path: &str, mut body: Value) -> Vec<Value> {
    body["stream"] = json!(true);
    events(&post(gateway, path, "", &body).2)
}

pub fn says(text: &str) -> Value {
    json!({"model": "openclaw", "messages": [{"role": "user", "content": text}]})
}

fn calls() -> Reply {
    let arguments = r#"{"city":"Rome"}"#.to_string();
    let call = Step::Call { id: "call_7".into(), name: "get_weather".into(), arguments };
    Reply::Stream(vec![Step::Text("Let me see.".into()), call, Step::Done])
}

pub fn weather() -> Value {
    json!({"type": "function", "function": {"name": "get_weather", "description": "The weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}})
}

/// Messages that a request at the model server held, without the system's.
pub fn asked(request: &Value) -> Vec<Value> {
    let messages = request["body"]["messages"].as_array().unwrap();
    messages.iter().filter(|m| m["role"] != "system").cloned().collect()
}

#[test]
fn i12_1_endpoints_are_off_until_they_are_switched_on_and_for_the_owner_only() {
    let gateway = Gateway::plain();
    for (method, path, key) in [
        ("POST", CHAT, "chatCompletions"),
        ("POST", RESPONSES, "responses"),
        ("GET", "/v1/models", "chatCompletions"),
    ] {
        let stranger = finish(send(&gateway, &format!("{method} {path}"), "Content-Length: 2\r\n", "{}"));
        assert!(matches!(stranger.status, 401 | 413), "{path} {}", stranger.status);
        let body = if method == "POST" { "{}" } else { "" };
        let head = format!("{}Content-Length: {}\r\n", owner(), body.len());
        let off = finish(send(&gateway, &format!("{method} {path}"), &head, body));
        assert_eq!(off.status, 404, "{path}");
        assert!(off.body.contains(&format!("gateway.http.endpoints.{key}.enabled")), "{}", off.body);
    }
}

#[test]
fn i12_1_models_are_the_agents_whichever_way_their_slash_is_written() {
    let (_server, gateway) =
        with_config(vec![], json!({"agents": {"list": [{"id": "main", "default": true}, {"id": "ops"}]}}));
    let (status, list) = get(&gateway, "/v1/models");
    let names: Vec<&str> =
        list["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert_eq!((status, &list["object"]), (200, &json!("list")));
    assert_eq!(names, ["openclaw", "openclaw/default", "openclaw/main", "openclaw/ops"]);
    for path in ["openclaw/ops", "openclaw%2Fops", "openclaw%2fops"] {
        let (status, model) = get(&gateway, &format!("/v1/models/{path}"));
        assert_eq!(
            (status, &model["id"], &model["object"]),
            (200, &json!("openclaw/ops"), &json!("model")),
            "{path}"
        );
    }
    let (status, told) = get(&gateway, "/v1/models/gpt-5");
    assert_eq!(
        (status, &told["error"]["code"], &told["error"]["param"]),
        (404, &json!("model_not_found"), &json!("model"))
    );
    // SEC-28: the slash of a name is no way to another path.
    for path in [
        "/v1%2Fmodels",
        "/v1/models/..%2Fmodels",
        "/v1/models%2Fopenclaw",
        "/v1/models/%2e%2e%2fhealth",
        "/v1/models/a%5cb",
    ] {
        assert_eq!(get(&gateway, path).0, 404, "{path}");
    }
    assert_eq!(get(&gateway, CHAT).0, 405);
}

#[test]
fn i12_1_a_chat_completion_holds_what_the_model_said_and_counted() {
    let (server, gateway) = with_model(vec![texts(&["Hel", "lo."])]);
    let body = json!({
        "model": "openclaw:main", "messages": [
            {"role": "system", "content": "Speak like a pirate."}, {"role": "user", "content": "one"},
            {"role": "assistant", "content": "Aye."}, {"role": "user", "content": [{"type": "text", "text": "two"}]}],
        "temperature": 0.5, "top_p": 0.9, "max_completion_tokens": 77, "stop": ["END"], "seed": 4,
        "presence_penalty": 0.1, "response_format": {"type": "json_object"}, "n": 1, "store": true, "unknown": {"a": 1},
    });
    let (status, told, answer) = post(&gateway, CHAT, "", &body);
    assert_eq!(status, 200, "{}", answer.body);
    assert!(
        told["id"].as_str().unwrap().starts_with("chatcmpl_")
            && told["created"].as_u64() > Some(1_700_000_000)
    );
    assert_eq!((&told["object"], &told["model"]), (&json!("chat.completion"), &json!("openclaw:main")));
    let choice = &told["choices"][0];
    assert_eq!((&choice["index"], &choice["finish_reason"]), (&json!(0), &json!("stop")));
    assert_eq!(
        (&choice["message"]["role"], &choice["message"]["content"]),
        (&json!("assistant"), &json!("Hello."))
    );
    let usage = &told["usage"];
    assert_eq!(
        (&usage["prompt_tokens"], &usage["completion_tokens"], &usage["total_tokens"]),
        (&json!(11), &json!(5), &json!(16))
    );
    let request = &server.requests(1)[0];
    let sent = &request["body"];
    for name in ["temperature", "top_p", "stop", "seed", "presence_penalty", "response_format"] {
        assert_eq!(sent[name], body[name], "{name}");
    }
    assert_eq!(
        (&sent["max_tokens"], &sent["store"], &sent["unknown"]),
        (&json!(77), &Value::Null, &Value::Null)
    );
    assert!(sent["messages"][0]["content"].as_str().unwrap().contains("Speak like a pirate."));
    // What was said before stands there as it was said, and nothing is put around the question.
    assert_eq!(
        asked(request),
        [
            json!({"role": "user", "content": "one"}),
            json!({"role": "assistant", "content": "Aye."}),
            json!({"role": "user", "content": "two"}),
        ]
    );
}

#[test]
fn i12_1_a_chat_stream_has_role_deltas_finish_and_counts_if_they_are_asked_for() {
    let (_server, gateway) = with_model(vec![texts(&["Hel", "lo."])]);
    let mut body = says("hi");
    let pieces = streamed(&gateway, CHAT, body.clone());
    assert_eq!(pieces.last(), Some(&json!("[DONE]")));
    let pieces = &pieces[..pieces.len() - 1];
    assert!(pieces.iter().all(|p| p["object"] == "chat.completion.chunk"
        && p["id"] == pieces[0]["id"]
        && p["choices"][0]["index"] == 0));
    assert_eq!(pieces[0]["choices"][0]["delta"]["role"], "assistant");
    let said: String = pieces.iter().filter_map(|p| p["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, "Hello.");
    let reasons: Vec<&Value> = pieces.iter().map(|p| &p["choices"][0]["finish_reason"]).collect();
    assert!(
        reasons[..reasons.len() - 1].iter().all(|r| r.is_null()) && reasons[reasons.len() - 1] == "stop",
        "{reasons:?}"
    );
    assert!(pieces.iter().all(|p| p.get("usage").is_none()));

    body["stream_options"] = json!({"include_usage": true});
    let pieces = streamed(&gateway, CHAT, body);
    let counted = &pieces[pieces.len() - 2];
    assert_eq!((&counted["choices"], &counted["usage"]["total_tokens"]), (&json!([]), &json!(16)));
}

#[test]
fn i12_1_a_programs_tools_reach_the_model_and_their_calls_come_back() {
    let (server, gateway) = with_model(vec![calls(), calls(), texts(&["Sunny."])]);
    let mut body = says("How is Rome?");
    body["tools"] = json!([weather()]);
    let (_, told, answer) = post(&gateway, CHAT, "", &body);
    let choice = &told["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls", "{}", answer.body);
    let want = json!([{"id": "call_7", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\":\"Rome\"}"}}]);
    assert_eq!(
        (&choice["message"]["content"], &choice["message"]["tool_calls"]),
        (&json!("Let me see."), &want)
    );
    let offered = server.requests(1)[0]["body"]["tools"].clone();
    let mine =
        offered.as_array().unwrap().iter().find(|tool| tool["function"]["name"] == "get_weather").unwrap();
    assert_eq!(mine["function"]["parameters"], weather()["function"]["parameters"]);
    assert!(offered.to_string().contains("web_fetch"), "beside the agent's own");

    let pieces = streamed(&gateway, CHAT, body.clone());
    let call = pieces.iter().find_map(|p| p["choices"][0]["delta"].get("tool_calls")).unwrap();
    assert_eq!(
        (&call[0]["index"], &call[0]["type"], &call[0]["id"]),
        (&json!(0), &json!("function"), &json!("call_7"))
    );
    assert_eq!(pieces[pieces.len() - 2]["choices"][0]["finish_reason"], "tool_calls");

    // The program has called it and goes on, with the conversation as it knows it.
    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(choice["message"].clone());
    messages.push(json!({"role": "tool", "tool_call_id": "call_7", "content": "22 degrees"}));
    let (_, told, _) = post(&gateway, CHAT, "", &body);
    assert_eq!(told["choices"][0]["message"]["content"], "Sunny.");
    let seen = asked(&server.requests(3)[2]);
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert_eq!(seen[1]["tool_calls"][0]["function"], want[0]["function"]);
    assert_eq!(
        (&seen[2]["role"], &seen[2]["content"], &seen[2]["tool_call_id"]),
        (&json!("tool"), &json!("22 degrees"), &seen[1]["tool_calls"][0]["id"])
    );
}

#[test]
fn i12_1_a_choice_of_tools_is_the_models_and_must_be_met() {
    let (server, gateway) = with_model(vec![calls(), texts(&["No."])]);
    let mut body = says("How is Rome?");
    body["tools"] = json!([weather()]);
    body["tool_choice"] = json!({"type": "function", "function": {"name": "get_weather"}});
    let (status, told, _) = post(&gateway, CHAT, "", &body);
    assert_eq!((status, &told["choices"][0]["finish_reason"]), (200, &json!("tool_calls")));
    let sent = &server.requests(1)[0]["body"];
    assert_eq!((sent["tools"].as_array().unwrap().len(), &sent["tool_choice"]), (1, &body["tool_choice"]));
    body["tool_choice"] = json!("required");
    let (status, told, answer) = post(&gateway, CHAT, "", &body);
    assert_eq!((status, answer.header("x-should-retry")), (502, Some("false")));
    assert_eq!(told["error"]["message"], "tool_choice=required was not satisfied by the agent response");
    body["tool_choice"] = json!("none");
    post(&gateway, CHAT, "", &body);
    assert!(!server.requests(3)[2]["body"]["tools"].to_string().contains("get_weather"));
}

#[test]
fn i12_1_user_and_headers_name_the_session_and_the_agent() {
    let (server, gateway) =
        with_config(vec![texts(&["Yes."])], json!({"agents": {"list": [{"id": "main"}, {"id": "ops"}]}}));
    let mut body = says("first");
    body["user"] = json!("Ann");
    post(&gateway, CHAT, "", &body);
    // The session remembers, so what the program repeats of it does not count.
    body["messages"] = json!([{"role": "user", "content": "first"}, {"role": "assistant", "content": "Yes."}, {"role": "user", "content": "second"}]);
    post(&gateway, CHAT, "", &body);
    let seen = asked(&server.requests(2)[1]);
    let said: Vec<&str> = seen.iter().map(|m| m["content"].as_str().unwrap()).collect();
    assert_eq!(said, ["first", "Yes.", "second"]);

    let named = "x-openclaw-session-key: kitchen\r\nx-openclaw-agent-id: ops\r\n";
    assert_eq!(post(&gateway, CHAT, named, &says("third")).0, 200);
    let mut client = Client::operator(&gateway, 4);
    let keys = client.ok("sessions.list", json!({}))["sessions"].to_string();
    for key in ["agent:main:openai-user:ann", "agent:ops:kitchen"] {
        assert!(keys.contains(key), "{key} in {keys}");
    }
    for (model, agent) in [
        ("openclaw/ops", "ops"),
        ("agent:ops", "ops"),
        ("openclaw:OPS", "ops"),
        ("openclaw", "main"),
        ("", "main"),
        ("openclaw/default", "main"),
    ] {
        let mut body = says("x");
        (body["model"], body["user"]) = (json!(model), json!(format!("u-{}", model.len())));
        assert_eq!(post(&gateway, CHAT, "", &body).0, 200, "{model}");
        let keys = client.ok("sessions.list", json!({}))["sessions"].to_string();
        assert!(keys.contains(&format!("agent:{agent}:openai-user:u-{}", model.len())), "{model} in {keys}");
    }
    for model in ["gpt-5", "openclaw/nosuch", "agent:", "openclawx"] {
        let mut body = says("x");
        body["model"] = json!(model);
        let (status, told, _) = post(&gateway, CHAT, "", &body);
        assert_eq!(
            (status, &told["error"]["code"], &told["error"]["param"]),
            (404, &json!("model_not_found"), &json!("model")),
            "{model}"
        );
    }
    for key in ["cron:x", "agent:main:subagent:y", "hook:z"] {
        let (status, told, _) =
            post(&gateway, CHAT, &format!("x-openclaw-session-key: {key}\r\n"), &says("x"));
        assert_eq!(status, 400, "{key}");
        assert!(told["error"]["message"].as_str().unwrap().contains("reserved"), "{told}");
    }
    let (status, _, _) = post(
        &gateway,
        CHAT,
        "x-openclaw-session-key: agent:ops:k\r\nx-openclaw-agent-id: main\r\n",
        &says("x"),
    );
    assert_eq!(status, 400, "a session of another agent");
}

#[test]
fn i12_1_who_goes_stops_the_turn() {
    let hangs = || Reply::Stream(vec![Step::Text("Once ".into()), Step::Gate, Step::Done]);
    for (path, body) in [(CHAT, says("hi")), (RESPONSES, json!({"model": "openclaw", "input": "hi"}))] {
        for streams in [true, false] {
            let (server, gateway) = with_model(vec![hangs()]);
            let mut body = body.clone();
            body["stream"] = json!(streams);
            let stream = begin(&gateway, path, "", &body);
            server.requests(1);
            let mut client = Client::operator(&gateway, 4);
            drop(stream);
            wait_for("the turn to end", || {
                let counted = client.ok("status", json!({}))["metrics"].clone();
                (counted["runsEnded"] == 1 && counted["runsStarted"] == 1).then_some(())
            });
        }
    }
}

#[test]
fn i12_1_an_endpoint_is_switched_on_at_once() {
    let gateway = Gateway::plain();
    assert_eq!(post(&gateway, CHAT, "", &json!({})).0, 404);
    let path = gateway.config_path();
    let mut config: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    merge(&mut config, &endpoints(true));
    std::fs::write(&path, config.to_string()).unwrap();
    // The empty request is judged.
    wait_for("the endpoint", || (post(&gateway, CHAT, "", &json!({})).0 == 400).then_some(()));
}

/// Nobody takes half an answer for a whole one because the gateway stopped.
#[test]
fn i12_1_a_stop_ends_a_stream_as_a_failure() {
    let (server, mut gateway) =
        with_model(vec![Reply::Stream(vec![Step::Text("Once ".into()), Step::Gate, Step::Done])]);
    let mut body = says("hi");
    body["stream"] = json!(true);
    let mut stream = begin(&gateway, CHAT, "", &body);
    server.requests(1);
    let (mut seen, mut piece) = (String::new(), [0; 512]);
    while !seen.contains("Once ") {
        let n = stream.read(&mut piece).unwrap();
        seen += &String::from_utf8_lossy(&piece[..n]);
    }
    let (status, _) = gateway.stop();
    // A reset is an end too.
    let _ = stream.read_to_string(&mut seen);
    assert!(seen.contains("\"error\":") || !seen.ends_with("\r\n0\r\n\r\n"), "{seen}");
    assert!(!seen.contains("[DONE]") && !seen.contains("\"stop\""), "{seen}");
    assert_eq!(status, 0);
}

#[test]
fn i12_1_a_header_names_a_model_that_is_permitted_for_one_turn() {
    let models = json!([{"id": "m", "name": "M"}, {"id": "m2", "name": "M2"}, {"id": "m3", "name": "M3"}]);
    let over = json!({"models": {"providers": {"test": {"models": models}}},
        "agents": {"defaults": {"models": {"test/m": {}, "test/m2": {}}}}});
    let (server, gateway) = with_config(vec![texts(&["Yes."])], over);
    let mut body = says("hi");
    body["user"] = json!("u");
    assert_eq!(post(&gateway, CHAT, "x-openclaw-model: test/m2\r\n", &body).0, 200);
    assert_eq!(post(&gateway, CHAT, "", &body).0, 200);
    let (status, told, _) = post(&gateway, CHAT, "x-openclaw-model: test/m3\r\n", &body);
    assert_eq!((status, &told["error"]["param"]), (400, &json!("x-openclaw-model")), "{told}");
    let asked: Vec<Value> =
        server.requests(2).iter().map(|request| request["body"]["model"].clone()).collect();
    assert_eq!(asked, ["m2", "m"]);
}
