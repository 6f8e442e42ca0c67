//! Bodies and streams of `openai-responses`.
use super::*;
use crate::models::chat::{ChatRequest, Thinking, ToolSpec};
use crate::models::failure;
use crate::models::provider::{Api, Provider};
use crate::models::reply::testing::{call, read, read_every_cut, read_whole, text as words, thinking};
use serde_json::json;

#[test]
fn transcript_messages_become_items() {
    let p = Provider {
        api: Api::OpenAiResponses,
        tools: true,
        reasoning: true,
        max_tokens: Some(9),
        ..Provider::builtin()
    };
    let kept = json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "xyz"});
    let (whole, broken) = (call("c1|fc_1", "read", json!({"p": 1})), call("c2", "read", json!("{oops")));
    let content = [thinking("hm", &kept.to_string()), words("a"), whole, broken];
    let messages = [
        json!({"role": "user", "content": [words("see"), {"type": "image", "data": "QUJD", "mimeType": "image/png"}]}),
        json!({"role": "assistant", "api": "openai-responses", "provider": "openclaw", "model": "builtin", "content": content}),
        json!({"role": "toolResult", "toolCallId": "c1|fc_1", "content": [words("r")]}),
        json!({"role": "toolResult", "toolCallId": "c2", "content": [words("no JSON")]}),
    ];
    let tools = [ToolSpec {
        name: "read".into(),
        description: "Reads".into(),
        parameters: r#"{"type": "object"}"#.into(),
    }];
    let request = ChatRequest {
        system: "be kind",
        messages: &messages,
        tools: &tools,
        thinking: Thinking::Low,
        has_acted: false,
        wanted: None,
    };
    let want = json!({
        "model": "builtin",
        "input": [
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": "data:image/png;base64,QUJD", "detail": "auto"},
            ]},
            kept,
            {"type": "message", "role": "assistant", "content": "a"},
            {"type": "function_call", "call_id": "c1", "name": "read", "arguments": "{\"p\":1}"},
            {"type": "function_call", "call_id": "c2", "name": "read", "arguments": "{\"invalid_json\":\"{oops\"}"},
            {"type": "function_call_output", "call_id": "c1", "output": "r"},
            {"type": "function_call_output", "call_id": "c2", "output": "no JSON"},
        ],
        "stream": true,
        "store": false,
        "instructions": "be kind",
        "tools": [{"type": "function", "name": "read", "description": "Reads", "parameters": {"type": "object"}, "strict": false}],
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "max_output_tokens": 9,
    });
    assert_eq!(responses_body::build(&p, &request), want);
}

fn response(status: &str, more: Value) -> Value {
    let mut response = json!({"object": "response", "status": status, "error": null,
        "usage": {"input_tokens": 11, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 5}});
    response.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    response
}

#[test]
fn a_stream_is_read_whatever_the_cuts() {
    let kept = json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "xyz"});
    let events = [
        json!({"type": "response.created", "response": {"status": "in_progress", "error": null}}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1"}}),
        json!({"type": "response.reasoning_summary_part.added", "output_index": 0}),
        json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "hm"}),
        json!({"type": "response.reasoning_summary_part.added", "output_index": 0}),
        json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "so"}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": kept}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": {"type": "message"}}),
        json!({"type": "response.output_text.delta", "output_index": 1, "delta": "Gr\u{fc}\u{df} "}),
        json!({"type": "response.output_text.delta", "output_index": 1, "delta": "\u{1f600}"}),
        json!({"type": "response.output_item.done", "output_index": 1, "item": {"type": "message", "content": [{"type": "output_text", "text": "Gr\u{fc}\u{df} \u{1f600}"}]}}),
        json!({"type": "response.output_item.added", "output_index": 2, "item": {"type": "function_call", "call_id": "c1", "name": "read", "arguments": ""}}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "{\"p\":"}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "1}"}),
        json!({"type": "response.function_call_arguments.done", "output_index": 2, "arguments": "{\"p\":1}"}),
        json!({"type": "response.output_item.done", "output_index": 2, "item": {"type": "function_call", "call_id": "c1", "name": "read", "arguments": "{\"p\":1}"}}),
        json!({"type": "response.completed", "response": response("completed", json!({}))}),
    ];
    let done = read_every_cut(&FORMAT, &events);
    let want = [
        thinking("hm\n\nso", &kept.to_string()),
        words("Gr\u{fc}\u{df} \u{1f600}"),
        call("c1", "read", json!({"p": 1})),
    ];
    assert_eq!((done.content.as_slice(), done.stop_reason), (want.as_slice(), "toolUse"));
    assert_eq!(done.usage, Usage::of(7, 5, 4, 0));
}

#[test]
fn items_may_come_whole() {
    let output = json!([
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "yes"}]},
    ]);
    let whole = response("completed", json!({"output": output}));
    let want = [json!({"type": "thinking", "thinking": "hm"}), words("yes")];
    assert_eq!(read_whole(&FORMAT, &whole).0.unwrap().content, want);
    let only_end = json!({"type": "response.completed", "response": whole});
    assert_eq!(read_every_cut(&FORMAT, &[only_end]).content, want);
    let item = json!({"type": "response.output_item.done", "item": output[1]});
    let end = json!({"type": "response.incomplete", "response": response("incomplete", json!({"incomplete_details": {"reason": "max_output_tokens"}}))});
    let done = read_every_cut(&FORMAT, &[item, end]);
    assert_eq!((done.text().as_str(), done.stop_reason), ("yes", "length"));
}

#[test]
fn failures_are_told() {
    let check = |event: Value, want: &str| {
        let error = read(&FORMAT, &[format!("data: {event}\n\n").as_bytes()]).0.unwrap_err();
        assert!(error.message().contains("the words"), "{error}");
        assert_eq!(failure::reason(&error), want);
    };
    let said = json!({"code": "rate_limit_exceeded", "message": "the words"});
    check(
        json!({"type": "response.failed", "response": response("failed", json!({"error": said}))}),
        "rate_limit",
    );
    check(
        json!({"type": "error", "code": "server_error", "message": "the words", "param": null}),
        "overloaded",
    );
    check(
        json!({"type": "error", "error": {"type": "invalid_request_error", "message": "the words"}}),
        "format",
    );
    let cut = json!({"type": "response.output_text.delta", "delta": "a"});
    let error = read(&FORMAT, &[format!("data: {cut}\n\n").as_bytes()]).0.unwrap_err();
    assert!(error.message().contains("in the middle"), "{error}");
}

/// T2b-6: the response as a whole may hold more than its pieces, or say that it is none yet.
#[test]
fn t2b_6_the_longer_text_is_taken_and_an_unfinished_response_is_none() {
    let output =
        |said: &str| json!([{"type": "message", "content": [{"type": "output_text", "text": said}]}]);
    for (whole, want) in [("half and more", "half and more"), ("half", "half"), ("ha", "half")] {
        let events = [
            json!({"type": "response.output_item.added", "item": {"type": "message"}}),
            json!({"type": "response.output_text.delta", "delta": "half"}),
            json!({"type": "response.completed", "response": {"status": "completed", "output": output(whole)}}),
        ];
        let stream: String = events.iter().map(|e| format!("data: {e}\n\n")).collect();
        assert_eq!(read(&FORMAT, &[stream.as_bytes()]).0.unwrap().text(), want);
    }
    for status in ["in_progress", "queued", "cancelled"] {
        let whole = json!({"object": "response", "status": status, "output": output("half")});
        assert!(read_whole(&FORMAT, &whole).0.is_err(), "{status}");
    }
}
