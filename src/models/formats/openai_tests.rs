//! Bodies and streams of `openai-completions`.
use super::*;
use crate::models::chat::{ChatRequest, Chunk, Thinking, ToolSpec, Usage};
use crate::models::provider::{Api, Provider};
use crate::models::reply::testing::{call, read, read_every_cut, read_whole, text as words, thinking};
use serde_json::json;

fn provider() -> Provider {
    Provider { api: Api::OpenAiCompletions, tools: true, ..Provider::builtin() }
}

fn body(p: &Provider, messages: &Value, tools: &[ToolSpec], thinking: Thinking) -> Value {
    let messages: Vec<Value> = messages.as_array().cloned().unwrap();
    openai_body::build(
        p,
        &ChatRequest { system: " ", messages: &messages, tools, thinking, has_acted: false, wanted: None },
    )
}

fn messages(p: &Provider, messages: Value) -> Value {
    body(p, &messages, &[], Thinking::Off)["messages"].clone()
}

fn delta(delta: Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta}]})
}

fn end(why: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": why}]})
}

#[test]
fn transcript_messages_become_chat_messages() {
    let called = call("c1|fc_9", "read", json!({"path": "x"}));
    let transcript = json!([
        {"role": "user", "content": "plain"},
        {"role": "assistant", "content": [thinking("hm", "x"), words("a"), words("b"), called, call("orphan", "read", json!({}))]},
        {"role": "toolResult", "toolCallId": "c1|fc_9", "toolName": "read", "content": [words("file")]},
        {"role": "toolResult", "toolCallId": "nobody", "content": [words("lost")]},
        {"role": "assistant", "content": [], "stopReason": "error"},
        {"role": "bashExecution", "content": "ls"},
        {"role": "user", "content": [words("one"), words("two")]},
    ]);
    let called = json!([{"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{\"path\":\"x\"}"}}]);
    let want = json!([
        {"role": "user", "content": "plain"},
        {"role": "assistant", "content": "ab", "tool_calls": called},
        {"role": "tool", "tool_call_id": "c1", "content": "file"},
        {"role": "user", "content": "one\ntwo"},
    ]);
    assert_eq!(messages(&provider(), transcript), want);
}

#[test]
fn arguments_that_were_no_json_do_not_spoil_the_conversation() {
    let transcript = json!([
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": [call("c", "read", json!("{oops"))]},
        {"role": "toolResult", "toolCallId": "c", "content": [words("no JSON")]},
    ]);
    let sent = &messages(&provider(), transcript)[1]["tool_calls"][0]["function"]["arguments"];
    assert_eq!(sent, "{\"invalid_json\":\"{oops\"}");
}

#[test]
fn pictures_are_sent_or_named_as_left_out() {
    let image = json!({"type": "image", "data": "QUJD", "mimeType": "image/png"});
    let transcript = json!([{"role": "user", "content": [words("see"), image]}]);
    let mut p = provider();
    let content = &messages(&p, transcript.clone())[0]["content"];
    assert_eq!(content[0], words("see"));
    assert_eq!(content[1]["image_url"]["url"], "data:image/png;base64,QUJD");
    p.images = false;
    let content = messages(&p, transcript)[0]["content"].clone();
    assert!(content.as_str().is_some_and(|t| t.starts_with("see\n[a picture was left out")), "{content}");
}

#[test]
fn tools_and_effort_are_asked_for_where_the_server_takes_them() {
    let tools = [ToolSpec {
        name: "read".into(),
        description: "Reads".into(),
        parameters: r#"{"type": "object"}"#.into(),
    }];
    let hi = json!([{"role": "user", "content": "hi"}]);
    let mut p = provider();
    let plain = body(&p, &hi, &tools, Thinking::High);
    let function = json!({"name": "read", "description": "Reads", "parameters": {"type": "object"}});
    assert_eq!(plain["tools"], json!([{"type": "function", "function": function}]));
    assert_eq!(plain.get("reasoning_effort"), None);
    (p.effort, p.tools) = (true, false);
    let other = body(&p, &hi, &tools, Thinking::High);
    assert_eq!((other.get("tools"), &other["reasoning_effort"]), (None, &json!("high")));
    assert_eq!(body(&p, &hi, &tools, Thinking::Off).get("reasoning_effort"), None);
}

#[test]
fn reasoning_goes_back_to_its_model() {
    let turn = |model: &str, field: &str| {
        let content = [thinking("hm", field), call("c", "read", json!({}))];
        json!([
            {"role": "user", "content": "q"},
            {"role": "assistant", "api": "openai-completions", "provider": "openclaw", "model": model, "content": content},
            {"role": "toolResult", "toolCallId": "c", "content": [words("r")]},
        ])
    };
    let p = provider();
    assert_eq!(messages(&p, turn("builtin", "reasoning_content"))[1]["reasoning_content"], "hm");
    assert_eq!(messages(&p, turn("other", "reasoning_content"))[1].get("reasoning_content"), None);
    assert_eq!(messages(&p, turn("builtin", "tool_calls"))[1]["tool_calls"][0]["id"], "c");
}

#[test]
fn a_stream_is_read_whatever_the_cuts() {
    let events = [
        delta(json!({"role": "assistant", "content": null, "reasoning_content": "hm \u{1f914}"})),
        delta(json!({"content": "Gr\u{fc}\u{df} "})),
        delta(json!({"content": "\u{1f600}"})),
        delta(
            json!({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "read", "arguments": "{\"p\":\"\u{fc}"}}]}),
        ),
        delta(json!({"tool_calls": [{"index": 0, "function": {"arguments": "\"}"}}]})),
        end("tool_calls"),
        json!({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}}}),
    ];
    let done = read_every_cut(&FORMAT, &events);
    let want = [
        thinking("hm \u{1f914}", "reasoning_content"),
        words("Gr\u{fc}\u{df} \u{1f600}"),
        call("c1", "read", json!({"p": "\u{fc}"})),
    ];
    assert_eq!((done.content.as_slice(), done.stop_reason), (want.as_slice(), "toolUse"));
    assert_eq!(done.usage, Usage::of(7, 5, 4, 0));
}

#[test]
fn tool_calls_come_in_many_ways() {
    let check = |calls: &[Value], want: &[(&str, &str, Value)]| {
        let mut events: Vec<String> =
            calls.iter().map(|c| format!("data: {}\n\n", delta(json!({"tool_calls": [c]})))).collect();
        events.push(format!("data: {}\n\n", end("stop")));
        let done = read(&FORMAT, &[events.concat().as_bytes()]).0.unwrap();
        let got: Vec<_> =
            done.tool_calls.iter().map(|c| (c.id.as_str(), c.name.as_str(), c.arguments.clone())).collect();
        assert_eq!(got, want);
        assert_eq!(done.stop_reason, "toolUse");
    };
    let whole =
        |id: &str, name: &str, n: u64| json!({"id": id, "function": {"name": name, "arguments": {"n": n}}});
    let want = [("a", "read", json!({"n": 1})), ("b", "list", json!({"n": 2}))];
    check(&[whole("a", "read", 1), whole("b", "list", 2)], &want);
    let numbered = |id: &str, name: &str, n: u64| json!({"index": 0, "id": id, "function": {"name": name, "arguments": {"n": n}}});
    check(&[numbered("a", "read", 1), numbered("b", "list", 2)], &want);
    let piece = |id: &str, text: &str| json!({"id": id, "function": {"arguments": text}});
    check(&[piece("a", "{\"n\""), piece("a", ":1}")], &[("a", "", json!({"n": 1}))]);
    check(&[json!({"id": "a", "function": {"name": "read"}}), piece("", "{\"n\":1}")], &want[..1]);
    // What is no JSON object is kept as it was said.
    let broken = json!({"index": 0, "id": "a", "function": {"name": "read", "arguments": "{\"n\": oops"}});
    check(&[broken], &[("a", "read", json!("{\"n\": oops"))]);
}

#[test]
fn calls_without_or_with_the_same_id_get_their_own() {
    let calls = json!([
        {"index": 0, "id": "x", "function": {"name": "a"}},
        {"index": 1, "id": "x", "function": {"name": "b"}},
        {"index": 2, "function": {"name": "c"}},
    ]);
    let done = read_whole(&FORMAT, &json!({"choices": [{"message": {"tool_calls": calls}}]})).0.unwrap();
    let ids: std::collections::HashSet<&str> = done.tool_calls.iter().map(|c| c.id.as_str()).collect();
    assert_eq!((ids.len(), ids.contains("x"), ids.contains("")), (3, true, false));
}

#[test]
fn reasoning_has_many_names() {
    for message in [
        json!({"reasoning": "hm", "content": "yes"}),
        json!({"reasoning_text": "hm", "content": "yes"}),
        json!({"content": "<think>\nhm</think>\n\nyes"}),
        json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "yes"}]}),
    ] {
        let (done, chunks) = read_whole(&FORMAT, &json!({"choices": [{"message": message}]}));
        assert_eq!(done.unwrap().text(), "yes");
        assert_eq!(chunks, [Chunk::Reasoning("hm".into()), Chunk::Text("yes".into())]);
    }
    let events =
        [delta(json!({"content": "<think>why"})), delta(json!({"content": "</think> b < c"})), end("length")];
    let done = read_every_cut(&FORMAT, &events);
    assert_eq!((done.text().as_str(), done.stop_reason), ("b < c", "length"));
}

#[test]
fn a_filtered_answer_is_refused() {
    let filtered = json!({"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]});
    assert!(read_whole(&FORMAT, &filtered).0.unwrap_err().message().contains("declined to answer"));
    let refusal =
        json!({"choices": [{"message": {"content": null, "refusal": "I cannot"}, "finish_reason": "stop"}]});
    assert_eq!(read_whole(&FORMAT, &refusal).0.unwrap().text(), "I cannot");
}
