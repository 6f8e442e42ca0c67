//! What servers of chat completions do differently from each other, in answers and in what they want back.
use super::*;
use crate::models::chat::{ChatRequest, Chunk, Thinking, Usage};
use crate::models::compat::Compat;
use crate::models::provider::{Api, Provider};
use crate::models::reply::testing::{call, read, read_every_cut, read_whole, text as words, thinking};
use crate::models::reply::{Reply, testing};
use serde_json::json;

fn provider() -> Provider {
    Provider { api: Api::OpenAiCompletions, tools: true, ..Provider::builtin() }
}

fn body(p: &Provider, messages: &Value, thinking: Thinking) -> Value {
    let messages: Vec<Value> = messages.as_array().cloned().unwrap();
    openai_body::build(
        p,
        &ChatRequest {
            system: " ",
            messages: &messages,
            tools: &[],
            thinking,
            has_acted: false,
            wanted: None,
        },
    )
}

fn messages(p: &Provider, messages: Value) -> Value {
    body(p, &messages, Thinking::Off)["messages"].clone()
}

fn delta(delta: Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta}]})
}

fn end(why: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": why}]})
}

fn own(model: &str, content: Value) -> Value {
    json!({"role": "assistant", "api": "openai-completions", "provider": "openclaw", "model": model, "content": content})
}

fn result(id: &str, content: Value) -> Value {
    json!({"role": "toolResult", "toolCallId": id, "content": content})
}

fn compat(id: &str, host: &str, model: &str) -> Provider {
    Provider { compat: Compat::of(&json!({}), id, host, model), ..provider() }
}

#[test]
fn b_f04_reasoning_goes_back_in_later_turns_too() {
    let turns = json!([
        {"role": "user", "content": "q"},
        own("builtin", json!([thinking("hm", "reasoning_content"), call("c", "read", json!({}))])),
        result("c", json!([words("r")])),
        own("builtin", json!([thinking("so", "reasoning_content"), words("done")])),
        {"role": "user", "content": "next"},
        own("other", json!([call("d", "read", json!({}))])),
        result("d", json!([])),
    ]);
    let sent = messages(&provider(), turns.clone());
    assert_eq!((&sent[1]["reasoning_content"], sent[3].get("reasoning_content")), (&json!("hm"), None));
    // A server that sends it wants a call of another model to have it too, if empty.
    assert_eq!((&sent[5]["reasoning_content"], &sent[6]["content"]), (&json!(""), &json!("(no output)")));
    let foreign = json!([{"role": "user", "content": "q"}, turns[5], turns[6]]);
    assert_eq!(messages(&provider(), foreign.clone())[1].get("reasoning_content"), None);
    let deepseek = compat("deepseek", "api.deepseek.com", "deepseek-chat");
    assert_eq!(messages(&deepseek, foreign)[1]["reasoning_content"], "");
}

#[test]
fn b_f02_members_of_a_call_go_back_with_it() {
    let extra = json!({"google": {"thought_signature": "SIG-abc="}});
    let called = json!({"index": 0, "id": "function-call-1", "extra_content": extra,
        "function": {"name": "read", "arguments": "{}"}});
    let events = [delta(json!({"tool_calls": [called]})), end("tool_calls")];
    let content = read_every_cut(&FORMAT, &events).content;
    let sent = |p: &Provider, model: &str| {
        let turn = json!([{"role": "user", "content": "q"}, own(model, content.clone().into()),
            result("function-call-1", json!("r"))]);
        messages(p, turn)[1]["tool_calls"][0].clone()
    };
    assert_eq!(sent(&provider(), "builtin")["extra_content"], extra);
    assert_eq!(sent(&provider(), "other").get("extra_content"), None);
    let gemini = compat("google", "generativelanguage.googleapis.com", "gemini-3-pro");
    let foreign = sent(&gemini, "other")["extra_content"]["google"]["thought_signature"].clone();
    assert_eq!(foreign, "skip_thought_signature_validator");
}

#[test]
fn b_f02_reasoning_details_go_back_as_they_came() {
    let piece = |more: Value| {
        let mut detail = json!({"type": "reasoning.text", "index": 0, "format": "x"});
        detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        delta(json!({"reasoning_details": [detail]}))
    };
    let encrypted = json!({"type": "reasoning.encrypted", "index": 1, "data": "blob"});
    let events = [
        piece(json!({"text": "h"})),
        piece(json!({"text": "m", "signature": "sig"})),
        delta(json!({"reasoning_details": [encrypted], "content": "yes"})),
        end("stop"),
    ];
    let content = read_every_cut(&FORMAT, &events).content;
    let sent =
        messages(&provider(), json!([{"role": "user", "content": "q"}, own("builtin", content.into())]));
    let whole =
        json!({"type": "reasoning.text", "index": 0, "format": "x", "text": "hm", "signature": "sig"});
    assert_eq!(sent[1]["reasoning_details"], json!([whole, encrypted]));
}

#[test]
fn b_f07_roles_take_turns() {
    let picture = json!({"type": "image", "data": "QUJD", "mimeType": "image/png"});
    let transcript = json!([
        own("builtin", json!([words("before")])),
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": [], "stopReason": "error"},
        {"role": "user", "content": [words("two"), picture]},
        own("builtin", json!([words("a")])),
        own("builtin", json!([call("c", "read", json!({}))])),
        result("c", json!([words("r")])),
        {"role": "user", "content": "three"},
        {"role": "user", "content": "four"},
    ]);
    let roles = |sent: &Value| {
        let roles = sent.as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap());
        roles.collect::<Vec<_>>().join(" ")
    };
    let sent = messages(&provider(), transcript.clone());
    assert_eq!(roles(&sent), "user assistant user assistant tool user");
    assert_eq!(sent[2]["content"][0], words("one"));
    assert_eq!((&sent[3]["content"], &sent[5]["content"]), (&json!("a"), &json!("three\n\nfour")));
    // Mistral's servers want an answer between a result and what the user says.
    let sent = messages(&compat("mistral", "api.mistral.ai", "mistral-large"), transcript);
    assert_eq!(roles(&sent), "user assistant user assistant tool assistant user");
    assert_eq!((&sent[4]["name"], sent[4]["tool_call_id"].as_str().map(str::len)), (&json!("read"), Some(9)));
    assert_eq!(sent[4]["tool_call_id"], sent[3]["tool_calls"][0]["id"]);
}

#[test]
fn b_f06_mistrals_models_are_known_behind_other_servers() {
    for (id, host, model) in [
        ("mistral", "box", "large"),
        ("openrouter", "openrouter.ai", "mistralai/devstral-2"),
        ("ollama", "127.0.0.1", "ministral-3"),
        ("vllm", "box", "Mistral-Small-24B"),
    ] {
        assert!(compat(id, host, model).compat.short_ids, "{id}/{model}");
    }
    assert!(!compat("openai", "api.openai.com", "gpt-5").compat.short_ids);
}

#[test]
fn b_f08_what_a_server_does_not_take_is_left_out() {
    let hi = json!([{"role": "user", "content": "hi"}]);
    let check = |compat: Value, member: &str, want: Value| {
        let compat = Compat::of(&compat, "box", "box", "m");
        let p = Provider { compat, reasoning: true, ..provider() };
        let sent = body(&p, &hi, Thinking::High);
        assert_eq!(sent.get(member).unwrap_or(&Value::Null), &want, "{member}");
    };
    check(json!({}), "stream_options", json!({"include_usage": true}));
    check(json!({"supportsUsageInStreaming": false}), "stream_options", json!(null));
    check(json!({}), "store", json!(null));
    check(json!({"supportsStore": true}), "store", json!(false));
    check(json!({"thinkingFormat": "zai"}), "thinking", json!({"type": "enabled"}));
    check(json!({"thinkingFormat": "qwen"}), "enable_thinking", json!(true));
    let template = json!({"thinkingFormat": "qwen-chat-template"});
    check(template, "chat_template_kwargs", json!({"enable_thinking": true}));
    check(json!({"thinkingFormat": "openrouter"}), "reasoning", json!({"effort": "high"}));
}

/// The answer to a stream of these pieces of content, as they stand in JSON.
fn content(pieces: &[&[u8]]) -> String {
    let event =
        |piece: &&[u8]| [b"data: {\"choices\":[{\"delta\":{\"content\":\"", *piece, b"\"}}]}\n\n"].concat();
    let stream = pieces.iter().map(event).collect::<Vec<_>>().concat();
    read(&FORMAT, &[&stream, b"data: [DONE]\n\n"]).0.unwrap().text()
}

#[test]
fn b_f09_halves_of_characters_are_joined_across_pieces() {
    assert_eq!(content(&[b"Hi \\ud83d", b"\\ude00!"]), "Hi \u{1f600}!");
    assert_eq!(content(&[b"Hi \\ud83d", b" there"]), "Hi \u{fffd} there");
    assert_eq!(content(&[b"Hi \\ud83d"]), "Hi \u{fffd}");
    assert_eq!(content(&[b"\\ude00", b"x"]), "\u{fffd}x");
}

#[test]
fn b_f13_bytes_that_are_no_text_are_replaced() {
    assert_eq!(content(&[b"a\xF0\x9Fb"]), "a\u{fffd}b");
    assert_eq!(content(&[b"a\xF0\x9F", b"\x98\x80b"]), "a\u{1f600}b");
}

#[test]
fn b_f14_reasoning_between_tags_is_no_answer() {
    for said in [
        "Okay, let me see.\n</think>\n\nHello.",
        "<thinking>hm</thinking>Hello.",
        "<thought>hm</thought>Hello.",
        "<THINK>hm</THINK>Hello.",
        "<think>a</think><think>b</think>Hello.",
        "Hello.\n<think>hm</think>",
        "<think>a</think><final>Hello.</final>",
    ] {
        let (done, chunks) = read_whole(&FORMAT, &json!({"choices": [{"message": {"content": said}}]}));
        assert_eq!(done.unwrap().text(), "Hello.", "{said}");
        // It is told when all of it is known, so that nothing is taken back.
        assert!(!chunks.contains(&Chunk::Unsaid), "{said}");
    }
}

#[test]
fn b_f17_an_error_inside_a_stream_is_told_also_behind_words() {
    for error in [
        "data: {\"object\":\"error\",\"message\":\"canary\",\"code\":400}\n\n",
        "event: error\ndata: {\"message\":\"canary\"}\n\n",
        "event: error\ndata: canary\n\n",
        "error: {\"code\":400,\"message\":\"canary\"}\n\n",
        "data: {\"detail\":\"canary\"}\n\n",
        "data: {\"code\":1113,\"msg\":\"canary\"}\n\n",
        "data: {\"base_resp\":{\"status_code\":1004,\"status_msg\":\"canary\"}}\n\n",
        "data: [{\"error\":{\"message\":\"canary\"}}]\n\n",
        "{\"error\":{\"message\":\"canary\"}}\n",
        "data: [ERROR] canary\n\n",
    ] {
        for before in ["", "data: {\"choices\":[{\"delta\":{\"content\":\"half\"}}]}\n\n"] {
            let stream = format!("{before}{error}data: [DONE]\n\n");
            let failed = read(&FORMAT, &[stream.as_bytes()]).0.unwrap_err();
            assert!(failed.message().contains("canary"), "{error}: {failed}");
        }
    }
    let half = [delta(json!({"content": "half"})), end("network_error")];
    let stream: String = half.iter().map(|e| format!("data: {e}\n\n")).collect();
    assert!(read(&FORMAT, &[stream.as_bytes()]).0.unwrap_err().message().contains("in the middle"));
}

#[test]
fn b_f19_an_end_that_was_spoken_of_too_early_is_none() {
    let said =
        |text: &str, why: &str| json!({"choices": [{"delta": {"content": text}, "finish_reason": why}]});
    let stream = |events: &[Value]| events.iter().map(|e| format!("data: {e}\n\n")).collect::<String>();
    let events = [said("a ", "stop"), said("b ", "null"), delta(json!({"content": "c"})), end("stop")];
    let whole = stream(&events) + "data: [DONE]\n\n";
    assert_eq!(read(&FORMAT, &[whole.as_bytes()]).0.unwrap().text(), "a b c");
    let cut = read(&FORMAT, &[stream(&[said("b ", "null")]).as_bytes()]).0;
    assert!(cut.unwrap_err().message().contains("in the middle"));
}

#[test]
fn b_f20_pieces_with_new_ids_are_one_call() {
    let piece = |id: &str, function: Value| {
        delta(json!({"tool_calls": [{"index": 0, "id": id, "function": function}]}))
    };
    for again in [json!({"arguments": "{\"p\":"}), json!({"name": "read", "arguments": "{\"p\":"})] {
        let events = [
            piece("call_1", json!({"name": "read"})),
            piece("call_2", again),
            piece("call_3", json!({"arguments": "1}"})),
            end("tool_calls"),
        ];
        assert_eq!(read_every_cut(&FORMAT, &events).content, [call("call_1", "read", json!({"p": 1}))]);
    }
}

#[test]
fn b_f22_reasoning_without_an_answer_is_told_as_such_and_kept() {
    let message = json!({
        "choices": [{"message": {"reasoning_content": "hm", "content": "\n"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 30, "completion_tokens": 9},
    });
    let (p, mut chunks) = (Provider::builtin(), Vec::new());
    let mut on = |chunk| chunks.push(chunk);
    let error = testing::fail(&mut Reply::new(&p, &FORMAT, &mut on), &message);
    assert!(error.message().contains("reasoning only"), "{error}");
    let Some(Chunk::Kept(kept)) = chunks.last() else { panic!("{chunks:?}") };
    assert_eq!(
        (kept.content.clone(), kept.usage),
        (vec![thinking("hm", "reasoning_content")], Usage::of(30, 9, 0, 0))
    );
}

#[test]
fn b_f23_counts_behind_the_end_mark_are_taken() {
    let said = json!({"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]});
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 5.0}});
    let stream = format!("data: {said}\n\ndata: [DONE]\n\ndata: {usage}\n\n");
    assert_eq!(read(&FORMAT, &[stream.as_bytes()]).0.unwrap().usage.total, 16);
}

#[test]
fn kind_b_events_that_nobody_knows_are_skipped() {
    let known = json!({"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]});
    let odd = "data: ping\n\ndata: {\"type\":\"ping\"}\n\nevent: new\ndata: {\"x\":[1]}\n\ndata: 7\n\n";
    let stream = format!("{odd}data: {known}\ndata: {known}\n\ndata: [done]\n\n");
    assert_eq!(read(&FORMAT, &[stream.as_bytes()]).0.unwrap().text(), "xx");
}

#[test]
fn s_m2_arguments_and_events_are_bounded_before_they_are_values() {
    let called = |arguments: &str| {
        let call = json!({"id": "x", "function": {"name": "a", "arguments": arguments}});
        let whole = read_whole(&FORMAT, &json!({"choices": [{"message": {"tool_calls": [call]}}]})).0;
        whole.unwrap().tool_calls[0].arguments.clone()
    };
    let many = format!("{{\"a\":[{}0]}}", "0,".repeat(11_000));
    assert_eq!(called(&many), json!(many));
    assert!(called(&format!("{{\"a\":\"{}\"}}", "x".repeat(300 << 10))).is_string());
    let fails = |json: Value| read_whole(&FORMAT, &json).0.unwrap_err().message().to_string();
    let many = json!({"choices": [{"message": {"content": "x"}}], "more": vec![0; 30_000]});
    assert!(fails(many).contains("more than 20000 values"));
    let much = json!({"choices": [{"message": {"content": "x".repeat(3 << 20)}}]});
    assert!(fails(much).contains("longer than is accepted"));
}

#[test]
fn of_several_choices_one_is_read() {
    let second = json!({"choices": [{"index": 1, "delta": {"content": "Other."}}]});
    let ended = json!({"choices": [{"index": 1, "delta": {}, "finish_reason": "length"}]});
    let answer = read_every_cut(&FORMAT, &[delta(json!({"content": "Hello."})), second, ended, end("stop")]);
    assert_eq!((answer.text().as_str(), answer.stop_reason), ("Hello.", "stop"));
}
