//! Issue 12, item 2: `/tools/invoke` (SEC-27) and `/api/v1/rpc`.
use crate::harness::*;
use crate::http_openai::{post, with_config};

const INVOKE: &str = "/tools/invoke";
const RPC: &str = "/api/v1/rpc";

/// What an agent will answer with is told before its first turn has written it.
#[test]
fn the_status_of_a_new_session_names_its_agents_own_model() {
    let list = json!([{"id": "main", "default": true}, {"id": "ops", "model": "stub/other"}]);
    let (_server, gateway) = with_config(vec![], json!({"agents": {"list": list}}));
    for (key, model) in [("agent:ops:main", "Model: stub/other"), ("agent:main:main", "Model: test/m")] {
        let asked = json!({"tool": "session_status", "args": {"sessionKey": key}, "sessionKey": key});
        let (status, told, _) = post(&gateway, INVOKE, "", &asked);
        let text = told["result"]["content"][0]["text"].as_str().unwrap_or_default();
        assert!(status == 200 && text.contains(model), "{key}: {told}");
    }
}

#[test]
fn i12_2_a_tool_is_invoked_without_a_model() {
    let (server, gateway) = with_config(vec![], json!({}));
    let (status, told, answer) = post(&gateway, INVOKE, "", &json!({"tool": "agents_list", "dryRun": true}));
    assert_eq!((status, &told["ok"]), (200, &json!(true)), "{}", answer.body);
    let result = &told["result"];
    assert_eq!(result["content"][0]["type"], "text");
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(result["details"], text);
    let status_of = |body: Value| post(&gateway, INVOKE, "", &body);
    let (status, told, _) =
        status_of(json!({"tool": "session_status", "args": {"sessionKey": "main"}, "sessionKey": "main"}));
    assert_eq!(status, 200, "{told}");
    let (status, told, _) = status_of(json!({}));
    assert_eq!((status, &told["error"]["message"]), (400, &json!("tools.invoke requires body.tool")));
    assert_eq!(told["error"]["type"], "invalid_request_error");
    let (status, told, _) = status_of(json!({"tool": "nosuch"}));
    assert_eq!(
        (status, &told["ok"], &told["error"]),
        (404, &json!(false), &json!({"type": "not_found", "message": "Tool not available: nosuch"}))
    );
    let (status, told, _) = status_of(json!({"tool": "sessions_history", "args": {}}));
    assert_eq!(
        (status, &told["ok"], &told["error"]["type"]),
        (400, &json!(false), &json!("tool_error")),
        "{told}"
    );
    assert_eq!(status_of(json!({"tool": "agents_list", "args": 5})).0, 400);
    for (member, value) in [("sessionKey", json!(5)), ("dryRun", json!("x")), ("action", json!([]))] {
        let (status, told, _) = status_of(json!({"tool": "session_status", member: value}));
        let why = told["error"]["message"].as_str().unwrap_or_default();
        assert!(status == 400 && why.contains(&format!("body.{member} must be")), "{status} {told}");
    }
    assert_eq!(status_of(json!({"tool": "agents_list", "sessionKey": "agent:nosuch:main"})).0, 404);
    assert_eq!(server.count(), 0);
}

/// Session and host tools are not for HTTP, whoever asks and whatever he says he is; the owner may let one in.
#[test]
fn sec_27_tools_that_reach_further_are_not_invoked() {
    let (_server, gateway) = with_config(vec![], json!({}));
    let claims = "x-openclaw-sender-is-owner: true\r\nx-openclaw-scopes: operator.admin\r\nx-openclaw-message-channel: telegram\r\n";
    for tool in [
        "sessions_send",
        "SESSIONS_SEND",
        "sessions_spawn",
        "gateway",
        "whatsapp_login",
        "exec",
        "read",
        "write",
        "edit",
        "process",
        "cron",
    ] {
        let (status, told, _) = post(&gateway, INVOKE, claims, &json!({"tool": tool}));
        assert_eq!((status, &told["error"]["type"]), (404, &json!("not_found")), "{tool}");
    }
    let config = json!({"gateway": {"tools": {"allow": ["sessions_send"], "deny": ["agents_*"]}}, "tools": {"deny": ["web_fetch"]}});
    let (_server, gateway) = with_config(vec![], config);
    assert_eq!(post(&gateway, INVOKE, "", &json!({"tool": "agents_list"})).0, 404);
    assert_eq!(
        post(&gateway, INVOKE, "", &json!({"tool": "web_fetch", "args": {"url": "http://x"}})).0,
        404,
        "the agent may not"
    );
    let (status, told, _) = post(&gateway, INVOKE, "", &json!({"tool": "sessions_send", "args": {}}));
    assert_eq!(
        (status, &told["error"]["type"]),
        (400, &json!("tool_error")),
        "let in, and asked for its arguments: {told}"
    );
}

/// What a tool tells programs beside its words reaches who calls it.
#[test]
fn i12_2_an_invoked_tool_gives_its_details() {
    let config = json!({"gateway": {"tools": {"allow": ["process"]}}, "tools": {"allow": ["process"]}});
    let (_server, gateway) = with_config(vec![], config);
    let (status, told, _) = post(&gateway, INVOKE, "", &json!({"tool": "process", "action": "list"}));
    assert_eq!(status, 200, "{told}");
    assert_eq!(told["result"]["content"][0]["text"], "No running or recent sessions.");
    assert_eq!(told["result"]["details"], json!({"status": "completed", "sessions": []}));
}

#[test]
fn i12_2_a_method_is_called_by_post_as_gateway_call_does() {
    let (_server, gateway) = with_config(vec![], json!({}));
    let (status, told, _) =
        post(&gateway, RPC, "", &json!({"id": "7", "method": "sessions.list", "params": {"limit": 1}}));
    assert_eq!((status, &told["ok"], &told["id"]), (200, &json!(true), &json!("7")));
    assert!(told["payload"]["sessions"].is_array());
    assert!(post(&gateway, RPC, "", &json!({"method": "health"})).1["payload"]["ok"].is_boolean());
    let (status, told, _) = post(
        &gateway,
        RPC,
        "",
        &json!({"method": "sessions.patch", "params": {"key": "main", "label": "x", "odd": 1}}),
    );
    assert_eq!(
        (status, &told["ok"], &told["error"]["code"]),
        (400, &json!(false), &json!("INVALID_REQUEST")),
        "{told}"
    );
    assert!(told["error"]["message"].as_str().unwrap().contains("odd"), "{told}");
    assert_eq!(post(&gateway, RPC, "", &json!({"method": "no.such"})).0, 404);
    assert_eq!(post(&gateway, RPC, "", &json!({"params": {}})).0, 400);
    assert_eq!(post(&gateway, RPC, "", &json!({"method": "health", "params": []})).0, 400);
    // What follows comes as events, which there are none of here.
    let (status, told, _) = post(&gateway, RPC, "", &json!({"method": "sessions.subscribe"}));
    assert_eq!(status, 400);
    assert!(told["error"]["message"].as_str().unwrap().contains("WebSocket"), "{told}");
    let stranger = http::raw(
        gateway.port,
        &format!("POST {RPC} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: 2\r\n\r\n{{}}", gateway.port),
    );
    assert_eq!(stranger.status, 401);
    let wrong =
        http::raw(gateway.port, &format!("GET {RPC} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", gateway.port));
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("POST")));
}
