//! Issue 12: what programs are told that ask for something odd by HTTP: results of calls that nobody made, keys that were
//! used otherwise, bodies that are no JSON; and what they are told of the model's counts.
use crate::harness::model::texts;
use crate::harness::*;
use crate::hooks::{HOOK, ask, start};
use crate::http_openai::{CHAT, RESPONSES, post, says, weather, with_model};

const RPC: &str = "/api/v1/rpc";

fn output(call: &str) -> Value {
    json!({"type": "function_call_output", "call_id": call, "output": "22 degrees"})
}

fn calls() -> Reply {
    let arguments = json!({"city": "Rome"}).to_string();
    Reply::Stream(vec![Step::Call { id: "call_1".into(), name: "get_weather".into(), arguments }, Step::Done])
}

#[test]
fn i12_1_a_result_of_a_call_that_nobody_made_is_refused_by_its_place() {
    let (server, gateway) = with_model(vec![calls(), texts(&["22."]), texts(&["22 again."])]);
    let tools = json!([{"type": "function", "name": "get_weather", "parameters": {"type": "object"}}]);
    let wrong = |path: &str, body: &Value, param: &str| {
        let (status, told, answer) = post(&gateway, path, "", body);
        assert_eq!((status, &told["error"]["param"]), (400, &json!(param)), "{}", answer.body);
        assert!(
            told["error"]["message"].as_str().unwrap().contains("no call in this conversation"),
            "{told}"
        );
    };
    wrong(RESPONSES, &json!({"model": "openclaw", "input": [output("call_9")]}), "input[0].call_id");
    let body = json!({"model": "openclaw", "messages": [{"role": "user", "content": "hi"},
        {"role": "tool", "tool_call_id": "call_9", "content": "x"}]});
    wrong(CHAT, &body, "messages[1].tool_call_id");
    assert_eq!(server.count(), 0, "the model is not asked");
    let body = json!({"model": "openclaw", "input": "weather?", "tools": tools});
    let (status, first, _) = post(&gateway, RESPONSES, "", &body);
    assert_eq!((status, &first["output"][0]["call_id"]), (200, &json!("call_1")), "{first}");
    let goes_on = |call: &str| json!({"model": "openclaw", "previous_response_id": first["id"], "tools": tools, "input": [output(call)]});
    wrong(RESPONSES, &goes_on("call_zzz"), "input[0].call_id");
    assert_eq!(server.count(), 1);
    // A request whose answer was lost may be sent again.
    for want in ["22.", "22 again."] {
        let (status, told, _) = post(&gateway, RESPONSES, "", &goes_on("call_1"));
        assert_eq!((status, &told["output"][0]["content"][0]["text"]), (200, &json!(want)), "{told}");
    }
    assert!(server.requests(2)[1].to_string().contains("22 degrees"));
}

#[test]
fn i12_1_who_goes_on_without_a_result_is_not_told_of_a_stop() {
    let (server, gateway) = with_model(vec![calls(), texts(&["Never mind."])]);
    let mut body = says("weather?");
    merge(&mut body, &json!({"user": "ann", "tools": [weather()]}));
    assert_eq!(post(&gateway, CHAT, "", &body).0, 200);
    body["messages"] = json!([{"role": "user", "content": "forget it"}]);
    assert_eq!(post(&gateway, CHAT, "", &body).0, 200);
    let seen = server.requests(2)[1].to_string();
    assert!(seen.contains("was not finished when the conversation went on"), "{seen}");
    assert!(!seen.contains("the gateway stopped"), "{seen}");
    // Of what a program brings along no model was asked here.
    let history = json!({"model": "openclaw", "messages": [{"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]});
    assert_eq!(post(&gateway, CHAT, "", &history).0, 200);
    let mut client = Client::operator(&gateway, 4);
    // Nor of what the gateway says itself.
    let status = json!({"sessionKey": "main", "message": "/status", "idempotencyKey": "s1"});
    client.ok("chat.send", status);
    client.event_where("chat", |e| e["state"] == "final");
    let usage = client.ok("sessions.usage", json!({}));
    let models = usage["aggregates"]["byModel"].as_array().unwrap();
    assert_eq!(models.iter().map(|m| m["model"].as_str().unwrap()).collect::<Vec<_>>(), ["m"], "{models:?}");
}

#[test]
fn i12_1_odd_members_are_named_and_reserved_sessions_are_so_in_capitals_too() {
    let (server, gateway) = with_model(vec![texts(&["no"])]);
    let with = |name: &str, value: Value| {
        let mut body = says("hi");
        body[name] = value;
        body
    };
    for (path, headers, body, param) in [
        (CHAT, "", with("x", json!(vec![0; 60_000])), Value::Null),
        (
            CHAT,
            "",
            with("response_format", json!({"type": "json_schema"})),
            json!("response_format.json_schema"),
        ),
        (
            RESPONSES,
            "",
            json!({"model": "openclaw", "input": "hi", "text": {"format": {"type": "json_schema", "name": "n"}}}),
            json!("text.format.schema"),
        ),
        (
            CHAT,
            "",
            with("response_format", json!({"type": "json_schema", "json_schema": {}})),
            json!("response_format.json_schema.name"),
        ),
        (
            CHAT,
            "",
            with(
                "response_format",
                json!({"type": "json_schema", "json_schema": {"name": "n", "schema": "no"}}),
            ),
            json!("response_format.json_schema.schema"),
        ),
        (
            RESPONSES,
            "",
            json!({"model": "openclaw", "input": "hi", "text": {"format": {"type": "json_schema", "schema": {}}}}),
            json!("text.format.name"),
        ),
        (CHAT, "x-openclaw-session-key: AGENT:main:Hook:zz\r\n", says("hi"), json!("x-openclaw-session-key")),
    ] {
        let (status, told, answer) = post(&gateway, path, headers, &body);
        assert_eq!((status, &told["error"]["param"]), (400, &param), "{}", answer.body);
    }
    assert_eq!(server.count(), 0);
    let params = json!({"method": "plugin.surface.refresh", "params": {"surface": "canvas"}});
    let (status, told, _) = post(&gateway, RPC, "", &params);
    assert!(
        status == 400 && told["error"]["message"].as_str().unwrap().contains("over the WebSocket"),
        "{told}"
    );
}

#[test]
fn i12_1_tokens_of_reasoning_are_counted_as_the_models_server_does() {
    let chunk = |data: Value| Step::Raw(format!("data: {data}\n\n").into_bytes());
    let thinks = Reply::Stream(vec![
        Step::Text("Yes.".into()),
        chunk(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})),
        chunk(
            json!({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16,
            "completion_tokens_details": {"reasoning_tokens": 3}}}),
        ),
        Step::Raw(b"data: [DONE]\n\n".to_vec()),
    ]);
    let (_server, gateway) = with_model(vec![thinks]);
    let (_, told, _) = post(&gateway, CHAT, "", &says("hi"));
    assert_eq!(told["usage"]["completion_tokens_details"]["reasoning_tokens"], 3, "{told}");
    let (_, told, _) = post(&gateway, RESPONSES, "", &json!({"model": "openclaw", "input": "hi"}));
    assert_eq!(told["usage"]["output_tokens_details"]["reasoning_tokens"], 3, "{told}");
}

#[test]
fn i12_2_a_wake_under_a_key_that_was_used_otherwise_is_refused() {
    let (model, gateway) = start(vec![texts(&["HEARTBEAT_OK"])], json!({}));
    let wake = |text: &str, more: &str| {
        let headers = format!("Authorization: Bearer {HOOK}\r\nIdempotency-Key: w1\r\n{more}");
        let answer = ask(&gateway, "POST", "/hooks/wake", &headers, &json!({"text": text}).to_string());
        (answer.status, answer.body)
    };
    assert_eq!(wake("once", "").0, 200);
    assert_eq!(wake("once", "").0, 200);
    let (status, told) = wake("twice", "");
    assert!(status == 409 && told.contains("w1 was used with other params"), "{told}");
    for kind in
        ["Content-Type: text/xml\r\n", "Content-Encoding: gzip\r\n", "Content-Type: multipart/form-data\r\n"]
    {
        assert_eq!(wake("once", kind).0, 415, "{kind}");
    }
    let port = gateway.port;
    let bare = format!(
        "POST /hooks/wake HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nAuthorization: Bearer {HOOK}\r\n\r\n"
    );
    let answer = http::raw(port, &bare);
    assert!(answer.status == 411 && answer.body.starts_with("{\"ok\":false"), "{answer:?}");
    assert_eq!(model.requests(1).len(), 1);
}
