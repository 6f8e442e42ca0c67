//! Bodies and streams of `anthropic-messages`.
use super::*;
use crate::models::chat::{ChatRequest, Thinking, ToolSpec};
use crate::models::failure;
use crate::models::provider::Api;
use crate::models::reply::testing::{call, read, read_every_cut, read_whole, text as words, thinking};
use serde_json::json;

fn provider() -> Provider {
    let base_url = "https://api.anthropic.com".to_string();
    Provider { api: Api::AnthropicMessages, base_url, tools: true, reasoning: true, ..Provider::builtin() }
}

fn body(p: &Provider, messages: &[Value], tools: &[ToolSpec], thinking: Thinking) -> Value {
    anthropic_body::build(
        p,
        &ChatRequest { system: "be kind", messages, tools, thinking, has_acted: false, wanted: None },
    )
}

fn cached(mut block: Value) -> Value {
    block["cache_control"] = json!({"type": "ephemeral"});
    block
}

/// A turn that goes on: thinking, two calls, their results, and a word of the user meanwhile.
fn open_turn() -> Vec<Value> {
    let content = [
        thinking("hm", "sig"),
        words("a "),
        call("c1", "read", json!({"p": 1})),
        call("c2", "list", json!("{oops")),
    ];
    let hidden = json!({"type": "thinking", "thinking": "", "thinkingSignature": "blob", "redacted": true});
    let content = [&[hidden], content.as_slice()].concat();
    vec![
        json!({"role": "user", "content": [words("see"), {"type": "image", "data": "QUJD", "mimeType": "image/png"}]}),
        json!({"role": "assistant", "api": "anthropic-messages", "provider": "openclaw", "model": "builtin", "content": content}),
        json!({"role": "user", "content": "wait"}),
        json!({"role": "toolResult", "toolCallId": "c1", "content": [words("r1")]}),
        json!({"role": "toolResult", "toolCallId": "c2", "content": [words("r2")], "isError": true}),
    ]
}

#[test]
fn transcript_messages_take_turns() {
    let tools = [ToolSpec {
        name: "read".into(),
        description: "Reads".into(),
        parameters: r#"{"type": "object"}"#.into(),
    }];
    let want = json!({
        "model": "builtin",
        "max_tokens": 16384,
        "stream": true,
        "system": [cached(words("be kind"))],
        "messages": [
            {"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
                words("see"),
            ]},
            {"role": "assistant", "content": [
                {"type": "redacted_thinking", "data": "blob"},
                {"type": "thinking", "thinking": "hm", "signature": "sig"},
                words("a"),
                {"type": "tool_use", "id": "c1", "name": "read", "input": {"p": 1}},
                {"type": "tool_use", "id": "c2", "name": "list", "input": {"invalid_json": "{oops"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": [words("r1")]},
                {"type": "tool_result", "tool_use_id": "c2", "content": [words("r2")], "is_error": true},
                cached(words("wait")),
            ]},
        ],
        "thinking": {"type": "enabled", "budget_tokens": 8192},
        "tools": [{"name": "read", "description": "Reads", "input_schema": {"type": "object"}}],
    });
    assert_eq!(body(&provider(), &open_turn(), &tools, Thinking::Medium), want);
}

#[test]
fn thinking_is_asked_for_only_where_it_can_be() {
    let hi = [json!({"role": "user", "content": "hi"})];
    let check = |p: &Provider, messages: &[Value], level, max: u64, budget: Option<u64>| {
        let body = body(p, messages, &[], level);
        assert_eq!(body["max_tokens"], max);
        assert_eq!(body["thinking"]["budget_tokens"].as_u64(), budget);
        assert!(budget.is_none_or(|budget| budget < max));
    };
    let mut p = provider();
    check(&p, &hi, Thinking::Off, 8192, None);
    check(&p, &hi, Thinking::XHigh, 8192 + 32_768, Some(32_768));
    p.max_tokens = Some(8000);
    check(&p, &hi, Thinking::High, 8000, Some(6000));
    p.max_tokens = Some(1000);
    check(&p, &hi, Thinking::High, 1000, None);
    p.max_tokens = None;
    // A turn that another model began cannot be thought on, nor can its thinking be shown.
    let mut other = open_turn();
    other[1]["model"] = json!("other");
    check(&p, &other, Thinking::Low, 8192, None);
    assert!(!body(&p, &other, &[], Thinking::Low).to_string().contains("blob"));
    // B-F04: the thinking of a turn that is over goes back too.
    let mut over = open_turn();
    over.extend([
        json!({"role": "assistant", "content": [words("done")]}),
        json!({"role": "user", "content": "next"}),
    ]);
    check(&p, &over, Thinking::Low, 8192 + 2048, Some(2048));
    assert!(body(&p, &over, &[], Thinking::Low).to_string().contains("blob"));
    // Servers that only speak like Anthropic's want it back whether they were asked to think or not, signed or not.
    let elsewhere = Provider { base_url: "https://api.minimax.io/anthropic".into(), ..p.clone() };
    let mut unsigned = open_turn();
    unsigned[1]["content"][0] = json!({"type": "thinking", "thinking": "hm"});
    let shown = |p: &Provider| body(p, &unsigned, &[], Thinking::Off)["messages"][1]["content"][0].clone();
    assert_eq!(shown(&elsewhere), json!({"type": "thinking", "thinking": "hm", "signature": ""}));
    assert_eq!(shown(&p)["type"], "text");
    p.reasoning = false;
    check(&p, &hi, Thinking::High, 8192, None);
}

#[test]
fn odd_conversations_are_made_to_fit() {
    // Calls need their tools named though none is offered any more; the first message is a user's.
    let mut messages = open_turn();
    messages.remove(0);
    let body = body(&provider(), &messages, &[], Thinking::Off);
    assert_eq!(body["tools"][1], json!({"name": "list", "input_schema": {"type": "object"}}));
    assert_eq!(body["tool_choice"], json!({"type": "none"}));
    assert_eq!(body["messages"][0]["role"], "user");
    assert!(!body.to_string().contains("blob"));
}

#[test]
fn path_and_key_follow_the_configuration() {
    let mut p = provider();
    for (base, want) in [
        ("https://api.example.com", "https://api.example.com/v1/messages"),
        ("https://api.example.com/v1/", "https://api.example.com/v1/messages"),
        ("https://api.example.com/x?k=/v1", "https://api.example.com/x/v1/messages?k=/v1"),
    ] {
        p.base_url = base.into();
        assert_eq!(p.url((FORMAT.path)(&p)), want);
    }
    assert_eq!((FORMAT.credential)(&p, "k"), ("x-api-key", "k".to_string()));
    p.bearer = true;
    assert_eq!((FORMAT.credential)(&p, "k"), ("authorization", "Bearer k".to_string()));
}

#[test]
fn a_stream_is_read_whatever_the_cuts() {
    let delta =
        |index: u64, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let start = |index: u64, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let events = [
        json!({"type": "message_start", "message": {"content": [], "stop_reason": null, "usage": {"input_tokens": 7, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2, "output_tokens": 1}}}),
        json!({"type": "ping"}),
        start(0, json!({"type": "redacted_thinking", "data": "blob"})),
        start(1, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(1, json!({"type": "thinking_delta", "thinking": "hm \u{1f914}"})),
        delta(1, json!({"type": "signature_delta", "signature": "sig"})),
        json!({"type": "content_block_stop", "index": 1}),
        start(2, json!({"type": "text", "text": ""})),
        delta(2, json!({"type": "text_delta", "text": "Gr\u{fc}"})),
        delta(2, json!({"type": "text_delta", "text": "\u{df}"})),
        start(3, json!({"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}})),
        delta(3, json!({"type": "input_json_delta", "partial_json": ""})),
        delta(3, json!({"type": "input_json_delta", "partial_json": "{\"p\":\"\u{fc}"})),
        delta(3, json!({"type": "input_json_delta", "partial_json": "\"}"})),
        start(4, json!({"type": "tool_use", "id": "toolu_2", "name": "list", "input": {}})),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}}),
        json!({"type": "message_stop"}),
    ];
    let done = read_every_cut(&FORMAT, &events);
    let want = [
        json!({"type": "thinking", "thinking": "", "thinkingSignature": "blob", "redacted": true}),
        thinking("hm \u{1f914}", "sig"),
        words("Gr\u{fc}\u{df}"),
        call("toolu_1", "read", json!({"p": "\u{fc}"})),
        call("toolu_2", "list", json!({})),
    ];
    assert_eq!((done.content.as_slice(), done.stop_reason), (want.as_slice(), "toolUse"));
    assert_eq!(done.usage, Usage::of(7, 5, 4, 2));
}

#[test]
fn each_end_is_known() {
    let check = |stop: &str, content: Value, want: Result<&str, &str>| {
        let whole = json!({"type": "message", "role": "assistant", "content": content, "stop_reason": stop, "usage": {"input_tokens": 1, "output_tokens": 2}});
        match (read_whole(&FORMAT, &whole).0, want) {
            (Ok(done), Ok(want)) => assert_eq!((done.stop_reason, done.usage.total), (want, 3)),
            (Err(error), Err(want)) => assert!(error.message().contains(want), "{error}"),
            (got, _) => panic!("{stop}: {got:?}"),
        }
    };
    let yes = json!([{"type": "text", "text": "yes"}]);
    for stop in ["end_turn", "stop_sequence", "pause_turn", "new_word"] {
        check(stop, yes.clone(), Ok("stop"));
    }
    let search = json!([{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}]);
    check("pause_turn", search.clone(), Ok("stop"));
    check("end_turn", search, Err("empty answer"));
    // B-F17: what was said before is shown, but it is no whole answer.
    check("refusal", yes.clone(), Err("stopped in the middle"));
    check("max_tokens", yes, Ok("length"));
    check(
        "tool_use",
        json!([{"type": "tool_use", "id": "a", "name": "b", "input": {"c": 1}}]),
        Ok("toolUse"),
    );
    check("refusal", json!([]), Err("declined to answer"));
    check(
        "max_tokens",
        json!([{"type": "thinking", "thinking": "hm", "signature": "s"}]),
        Err("raise maxTokens"),
    );
    check("end_turn", json!([]), Err("empty answer"));
}

#[test]
fn an_error_in_the_stream_is_told() {
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let error = read(&FORMAT, &[format!("event: error\ndata: {error}\n\n").as_bytes()]).0.unwrap_err();
    assert!(error.message().contains("it is overloaded") && error.retryable(), "{error}");
    assert_eq!(failure::reason(&error), "overloaded");
}

#[test]
fn only_calls_of_tools_that_are_ours_take_arguments() {
    let events = |start: Value, piece: Value| {
        [
            json!({"type": "message_start", "message": {"usage": {"input_tokens": 1}}}),
            json!({"type": "content_block_start", "index": 0, "content_block": start}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": piece}}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "Hello."}}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}),
            json!({"type": "message_stop"}),
        ]
    };
    // The server's own search is none of ours.
    let search = json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}});
    let answer = read_every_cut(&FORMAT, &events(search, json!("{\"query\": 1}")));
    assert!(answer.tool_calls.is_empty() && answer.text() == "Hello.");
    // Arguments come in pieces, or whole with the start, with both, or as an object.
    let started = |input: Value| json!({"type": "tool_use", "id": "c", "name": "read", "input": input});
    for (input, piece) in [
        (json!({}), json!("{\"p\": 1}")),
        (json!({"p": 1}), json!("")),
        (json!({"p": 1}), json!("{\"p\": 1}")),
        (json!({}), json!({"p": 1})),
    ] {
        let answer = read_every_cut(&FORMAT, &events(started(input), piece));
        assert_eq!(answer.content.first(), Some(&call("c", "read", json!({"p": 1}))));
    }
}
