//! Issue 12, item 1: what programs written for OpenAI's API are told when something is wrong: with their request, with a
//! picture, with the model.
use crate::harness::model::texts;
use crate::harness::*;
use crate::http_openai::{
    CHAT, RESPONSES, asked, finish, owner, post, says, send, streamed, weather, with_config, with_model,
};

#[test]
fn i12_1_pictures_come_in_as_data_and_by_guarded_addresses() {
    const PNG: &str = "data:image/png;base64,iVBORw0KGgpyZXN0";
    let over = json!({"models": {"providers": {"test": {"models": [{"id": "m", "name": "M", "input": ["text", "image"]}]}}}});
    let (server, gateway) = with_config(vec![texts(&["A cat."])], over);
    let shows = |url: &str| json!([{"role": "user", "content": [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": url}}]}]);
    let (status, _, answer) = post(&gateway, CHAT, "", &json!({"model": "openclaw", "messages": shows(PNG)}));
    assert_eq!(status, 200, "{}", answer.body);
    let seen = asked(&server.requests(1)[0]);
    assert_eq!(seen[0]["content"][1]["image_url"]["url"], PNG);
    let input = json!([{"role": "user", "content": [{"type": "input_text", "text": "what?"}, {"type": "input_image", "image_url": PNG}]}]);
    assert_eq!(post(&gateway, RESPONSES, "", &json!({"model": "openclaw", "input": input})).0, 200);
    assert_eq!(asked(&server.requests(2)[1])[0]["content"][1]["image_url"]["url"], PNG);
    // SEC-30: this machine's own addresses are not asked on anybody's behalf.
    let own = format!("http://127.0.0.1:{}/cat.png", server.port);
    for (url, want) in [
        (own.as_str(), "public"),
        ("data:image/png;base64,@@@", "base64"),
        ("data:text/plain;base64,aGVsbG8=", "picture"),
        ("ftp://x/y", "http"),
    ] {
        let (status, told, _) =
            post(&gateway, CHAT, "", &json!({"model": "openclaw", "messages": shows(url)}));
        assert_eq!((status, &told["error"]["param"]), (400, &json!("messages[0].content[1]")), "{url}");
        assert!(told["error"]["message"].as_str().unwrap().contains(want), "{told}");
    }
    assert_eq!(server.count(), 2);
}

/// What never fits is told as such, with the member, so that no program sends it again; a large text is taken.
#[test]
fn i12_1_what_is_too_much_is_no_matter_of_the_moment() {
    let (server, gateway) = with_model(vec![texts(&["ok"])]);
    let words = json!([{"role": "user", "content": "hi"}]);
    let many: Vec<Value> = (0..250_000).map(|_| json!({})).collect();
    for (path, body, param) in [
        (CHAT, json!({"model": "openclaw", "messages": many}), "messages"),
        (CHAT, json!({"model": "openclaw", "messages": words, "tools": vec![0; 3_500_000]}), "tools"),
        (RESPONSES, json!({"model": "openclaw", "input": vec![0; 3_500_000]}), "input"),
    ] {
        let (status, told, answer) = post(&gateway, path, "", &body);
        assert_eq!((status, answer.header("retry-after")), (400, None), "{}", answer.body);
        assert_eq!(told["error"]["param"], param, "{told}");
        assert!(told["error"]["message"].as_str().unwrap().contains("more than 50000 values"), "{told}");
    }
    assert_eq!(server.count(), 0);
}

#[test]
fn i12_1_a_failure_is_told_by_the_status_or_ends_the_stream_with_an_error() {
    let refuses = |status: u16, text: &str| {
        Reply::Status(status, vec![], json!({"error": {"message": text}}).to_string())
    };
    for (reply, want) in [(refuses(400, "bad luck"), 502), (refuses(429, "slow down"), 429)] {
        for streams in [true, false] {
            let once = json!({"models": {"providers": {"test": {"retries": 0}}}});
            let (_server, gateway) = with_config(vec![reply.clone()], once);
            let mut body = says("hi");
            body["stream"] = json!(streams);
            let (status, told, answer) = post(&gateway, CHAT, "", &body);
            assert_eq!((status, answer.header("x-should-retry")), (want, Some("false")), "{}", answer.body);
            let error = &told["error"];
            assert!(
                error["message"].is_string() && error["type"].is_string() && error.get("param").is_some(),
                "{told}"
            );
        }
    }
    let breaks = || Reply::Stream(vec![Step::Text("Once upon".into()), Step::Cut]);
    let (_server, gateway) = with_model(vec![breaks()]);
    let pieces = streamed(&gateway, CHAT, says("hi"));
    let last = pieces.last().unwrap();
    assert!(last["error"]["message"].is_string() && last["error"]["type"] == "api_error", "{last}");
    assert!(
        pieces.iter().all(|p| *p != "[DONE]" && !p["choices"][0]["finish_reason"].is_string()),
        "{pieces:?}"
    );
    let pieces = streamed(&gateway, RESPONSES, json!({"model": "openclaw", "input": "hi"}));
    let kinds: Vec<&str> = pieces.iter().filter_map(|p| p["type"].as_str()).collect();
    assert!(
        kinds.ends_with(&["response.failed", "error"]) && !kinds.contains(&"response.completed"),
        "{kinds:?}"
    );
    assert_eq!(pieces.last(), Some(&json!("[DONE]")));
    let failed = pieces.iter().find(|p| p["type"] == "response.failed").unwrap();
    assert!(failed["response"]["error"]["message"].is_string() && failed["response"]["status"] == "failed");
}

#[test]
fn i12_1_a_bad_request_is_told_what_is_wrong_with_it_in_the_apis_shape() {
    let (server, gateway) = with_model(vec![texts(&["no"])]);
    let with = |name: &str, value: Value| {
        let mut body = says("hi");
        body[name] = value;
        body
    };
    for (body, param) in [
        (json!([]), Value::Null),
        (json!({"model": "openclaw"}), json!("messages")),
        (with("messages", json!("hi")), json!("messages")),
        (with("messages", json!([])), json!("messages")),
        (with("messages", json!([{"role": "assistant", "content": "me"}])), json!("messages")),
        (with("messages", json!([{"role": "wizard", "content": "x"}])), json!("messages[0]")),
        (with("messages", json!([{"role": "user", "content": 5}])), json!("messages[0].content")),
        (
            with("messages", json!([{"role": "user", "content": [{"type": "input_audio"}]}])),
            json!("messages[0].content[0].type"),
        ),
        (with("model", json!(5)), json!("model")),
        (with("stream", json!("yes")), json!("stream")),
        (with("temperature", json!(3)), json!("temperature")),
        (with("top_p", json!("x")), json!("top_p")),
        (with("max_tokens", json!(0)), json!("max_tokens")),
        (with("stop", json!([1])), json!("stop")),
        (with("n", json!(2)), json!("n")),
        (with("tools", json!("x")), json!("tools")),
        (with("tools", json!([{"type": "web_search"}])), json!("tools[0].type")),
        (
            with("tools", json!([{"type": "function", "function": {"name": "a b"}}])),
            json!("tools[0].function.name"),
        ),
        (with("tools", json!([weather(), weather()])), json!("tools")),
        (with("tool_choice", json!("required")), json!("tool_choice")),
        (with("response_format", json!({"type": "xml"})), json!("response_format")),
        (with("reasoning_effort", json!("much")), json!("reasoning_effort")),
    ] {
        let (status, told, answer) = post(&gateway, CHAT, "", &body);
        assert_eq!((status, &told["error"]["param"]), (400, &param), "{body} {}", answer.body);
        assert_eq!(told["error"]["type"], "invalid_request_error");
    }
    for (body, param) in [
        (json!({"input": "hi"}), "model"),
        (json!({"model": "openclaw"}), "input"),
        (json!({"model": "openclaw", "input": 5}), "input"),
        (json!({"model": "openclaw", "input": [{"type": "computer_call"}]}), "input[0].type"),
        (
            json!({"model": "openclaw", "input": "x", "previous_response_id": "resp_nosuch"}),
            "previous_response_id",
        ),
        (json!({"model": "openclaw", "input": "x", "max_output_tokens": "x"}), "max_output_tokens"),
        (json!({"model": "openclaw", "input": "x", "metadata": "mine"}), "metadata"),
    ] {
        let (status, told, answer) = post(&gateway, RESPONSES, "", &body);
        assert_eq!((status, &told["error"]["param"]), (400, &json!(param)), "{body} {}", answer.body);
    }
    let raw = |headers: &str, body: &str| {
        let answer = finish(send(&gateway, &format!("POST {CHAT}"), &format!("{}{headers}", owner()), body));
        (answer.status, serde_json::from_str::<Value>(&answer.body).unwrap()["error"]["message"].is_string())
    };
    assert_eq!(raw("", ""), (411, true));
    assert_eq!(raw("Content-Length: 1\r\n", "{"), (400, true));
    assert_eq!(raw("Content-Length: 8000001\r\n", ""), (413, true));
    assert_eq!(
        raw("Content-Length: 2\r\nContent-Type: multipart/form-data; boundary=x\r\n", "{}"),
        (415, true)
    );
    assert_eq!(raw("Content-Length: 2\r\nContent-Encoding: gzip\r\n", "{}"), (415, true));
    let wrong = finish(send(&gateway, &format!("PUT {CHAT}"), &owner(), ""));
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("POST")));
    // curl calls everything a form.
    let body = says("hi").to_string();
    let head = format!(
        "{}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
        owner(),
        body.len()
    );
    assert_eq!(server.count(), 0);
    assert_eq!(finish(send(&gateway, &format!("POST {CHAT}"), &head, &body)).status, 200);
}

/// A value of any kind.
fn any(random: &mut Random) -> Value {
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(""),
        json!("auto"),
        json!("\u{0}\u{202e}"),
        json!([]),
        json!({}),
        json!([null]),
        json!({"type": "function"}),
        json!({"type": "message"}),
        json!([[[]]]),
        json!("x".repeat(300)),
        json!({"type": "text", "text": 5}),
        json!({"url": "data:;base64,"}),
        json!([{"type": "image_url"}]),
    ];
    values[random.below(values.len())].clone()
}

/// Puts values of any kind anywhere into a body.
fn spoil(value: &mut Value, random: &mut Random) {
    match value {
        _ if random.below(6) == 0 => *value = any(random),
        Value::Object(map) => map.values_mut().for_each(|value| spoil(value, random)),
        Value::Array(list) => list.iter_mut().for_each(|value| spoil(value, random)),
        _ => {}
    }
}

#[test]
fn i12_1_whatever_is_sent_gets_an_answer_or_a_sentence() {
    let (_server, gateway) = with_model(vec![texts(&["Yes."])]);
    let mut random = Random(setting("FUZZ_SEED", 0x1212_1212));
    let call = json!({"id": "c", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}});
    let parts = json!([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgpyZXN0"}}]);
    let chat = json!({"model": "openclaw", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": parts},
        {"role": "assistant", "content": null, "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c", "content": "r"}],
        "tools": [weather()], "tool_choice": "auto", "temperature": 1, "stop": ["a"], "response_format": {"type": "text"},
        "stream_options": {"include_usage": true}, "user": "u", "max_tokens": 9});
    let item = json!({"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"});
    let responses = json!({"model": "openclaw", "instructions": "i", "input": [{"role": "user", "content": "a"}, item,
        {"type": "function_call_output", "call_id": "c", "output": "r"}, {"type": "reasoning"}], "tools": [weather()],
        "text": {"format": {"type": "json_object"}}, "reasoning": {"effort": "low"}, "previous_response_id": null});
    for n in 0..150 {
        let (path, body) = if n % 2 == 0 { (CHAT, &chat) } else { (RESPONSES, &responses) };
        let mut body = body.clone();
        spoil(&mut body, &mut random);
        let (status, told, answer) = post(&gateway, path, "", &body);
        let is_refused = matches!(status, 400 | 404 | 502)
            && told["error"]["message"].is_string()
            && told["error"].get("param").is_some();
        assert!(status == 200 || is_refused, "{body} {status} {}", answer.body);
    }
    assert_eq!(http::request(gateway.port, "GET", "/ready").status, 200);
}
