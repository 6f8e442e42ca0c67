//! Dialects, ends and errors that only few servers speak, and no turn may be lost by.
use super::*;
use crate::models::provider::Chunk;
use crate::models::reply::testing::{call, read, read_whole};
use serde_json::json;

fn delta(delta: Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta}]})
}

fn end(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn stream(events: &[impl std::fmt::Display]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

#[test]
fn b_f20_calls_come_in_many_ways() {
    let calls = |events: &[Value]| read(&FORMAT, &[stream(events).as_bytes()]).0.unwrap().tool_calls;
    let piece = |call: Value| delta(json!({"tool_calls": [call]}));
    let want = ("read".to_string(), json!({"p": 1}));
    for events in [
        // As it was before there could be several.
        vec![
            delta(json!({"function_call": {"name": "read", "arguments": ""}})),
            delta(json!({"function_call": {"arguments": "{\"p\":"}})),
            delta(json!({"function_call": {"arguments": "1}"}})),
        ],
        vec![delta(json!({"function_call": {"name": "read", "arguments": {"p": 1}}}))],
        // The name in pieces, repeated, and growing.
        vec![
            piece(json!({"index": 0, "id": "a", "function": {"name": "re"}})),
            piece(json!({"index": 0, "function": {"name": "ad", "arguments": "{\"p\":"}})),
            piece(json!({"index": 0, "function": {"arguments": "1}"}})),
        ],
        vec![
            piece(json!({"function": {"name": "read", "arguments": "{\"p\":"}})),
            piece(json!({"function": {"name": "read", "arguments": "1}"}})),
        ],
        vec![
            piece(json!({"index": 0, "function": {"name": "re"}})),
            piece(json!({"index": 0, "function": {"name": "read", "arguments": "{\"p\": 1}"}})),
            piece(json!({"index": 0, "function": {"name": "read", "arguments": ""}})),
        ],
        // Arguments as what they are the text of, and as such after an empty one.
        vec![piece(json!({"index": 0, "function": {"name": "read", "arguments": {"p": 1}}}))],
        vec![
            piece(json!({"index": 0, "function": {"name": "read", "arguments": {}}})),
            piece(json!({"index": 0, "function": {"arguments": "{\"p\": 1}"}})),
        ],
    ] {
        let events: Vec<Value> = events.into_iter().chain([end("tool_calls")]).collect();
        let got: Vec<_> = calls(&events).into_iter().map(|call| (call.name, call.arguments)).collect();
        assert_eq!(got, std::slice::from_ref(&want), "{events:?}");
    }
    // Several without numbers, one after the other and mixed; several under one number.
    let named = |id: &str, name: &str, arguments: &str| json!({"id": id, "function": {"name": name, "arguments": arguments}});
    let numbered = |name: &str| json!({"index": 0, "function": {"name": name, "arguments": "{}"}});
    for (events, names) in [
        (vec![piece(named("a", "x", "{}")), piece(named("b", "x", "{}"))], ["x", "x"]),
        (vec![piece(named("", "x", "{}")), piece(named("", "x", "{}"))], ["x", "x"]),
        (
            vec![
                piece(named("a", "x", "{")),
                piece(named("b", "y", "{")),
                piece(named("a", "", "}")),
                piece(named("b", "", "}")),
            ],
            ["x", "y"],
        ),
        (vec![piece(numbered("x")), piece(numbered("y"))], ["x", "y"]),
    ] {
        let events: Vec<Value> = events.into_iter().chain([end("tool_calls")]).collect();
        let got: Vec<_> = read(&FORMAT, &[stream(&events).as_bytes()]).0.unwrap().tool_calls;
        assert_eq!(got.iter().map(|call| call.name.as_str()).collect::<Vec<_>>(), names, "{events:?}");
        assert!(got.iter().all(|call| call.arguments == json!({})), "{got:?}");
    }
    let whole = json!({"choices": [{"message": {"content": null, "function_call": {"name": "read", "arguments": "{\"p\":1}"}}, "finish_reason": "function_call"}]});
    let done = read_whole(&FORMAT, &whole).0.unwrap();
    assert_eq!((done.tool_calls.len(), done.stop_reason), (1, "toolUse"));
}

#[test]
fn b_f20_text_comes_in_many_ways() {
    let parts = json!([{"type": "text", "text": "Hel"}, "l", {"type": "text", "text": {"value": "o"}}, {"type": "output_text", "text": "."},
        {"type": "thinking", "thinking": "hm"}, {"type": "reasoning", "text": "hm"}]);
    for events in [
        vec![
            json!({"choices": [{"text": "Hel", "index": 0}]}),
            json!({"choices": [{"text": "lo.", "index": 0, "finish_reason": "stop"}]}),
        ],
        vec![json!({"choices": [{"delta": null, "text": "Hello.", "finish_reason": "stop"}]})],
        vec![
            json!({"choices": [{"delta": null}]}),
            json!({"choices": [{"delta": null, "message": {"content": "Hello."}}]}),
            end("stop"),
        ],
        vec![delta(json!({"content": parts})), end("stop")],
        vec![delta(json!({"content": {"type": "text", "text": "Hello."}})), end("stop")],
    ] {
        assert_eq!(read(&FORMAT, &[stream(&events).as_bytes()]).0.unwrap().text(), "Hello.", "{events:?}");
    }
    for whole in [
        json!({"choices": [{"text": "Hello.", "finish_reason": "stop"}]}),
        json!({"choices": [{"message": {"content": parts}}]}),
    ] {
        assert_eq!(read_whole(&FORMAT, &whole).0.unwrap().text(), "Hello.");
    }
}

#[test]
fn b_f17_a_refused_answer_is_none_also_behind_words() {
    for reason in ["content_filter", "refusal", "safety", "SAFETY"] {
        for said in ["Hello", ""] {
            let events = [delta(json!({"content": said})), end(reason)];
            let error = read(&FORMAT, &[stream(&events).as_bytes()]).0.unwrap_err();
            assert!(error.message().contains("rephrase, or choose another model"), "{reason}: {error}");
            assert_eq!(error.message().contains("middle"), !said.is_empty());
        }
    }
    for reason in ["length", "max_tokens"] {
        let events = [delta(json!({"content": "Hello"})), end(reason)];
        assert_eq!(read(&FORMAT, &[stream(&events).as_bytes()]).0.unwrap().stop_reason, "length");
    }
}

#[test]
fn b_f09_a_stream_that_breaks_inside_an_event_is_a_broken_connection() {
    let said = delta(json!({"content": "Hello"})).to_string();
    let more = delta(json!({"content": "you, there"})).to_string();
    for cut in 1..more.len() {
        let half = format!("{}data: {}", stream(&[&said]), &more[..cut]);
        let error = read(&FORMAT, &[half.as_bytes()]).0.unwrap_err();
        assert!(error.message().contains("in the middle") && error.retryable(), "{cut}: {error}");
    }
}

#[test]
fn b_f09_what_strict_readers_refuse_costs_no_turn() {
    for event in [
        "{\"choices\":[{\"delta\":{\"content\":\"a\tb\nc\"},\"logprob\":NaN,\"x\":-Infinity}]}",
        "{\"choices\":[{\"delta\":{\"content\":\"a\\tb\n\nc\"},\"logprob\":Infinity}]}",
    ] {
        let whole = stream(&[event.to_string(), end("stop").to_string()]);
        let text = read(&FORMAT, &[whole.as_bytes()]).0.unwrap().text();
        assert_eq!(text.replace("\n\n", "\n"), "a\tb\nc");
    }
    let arguments = "{\"text\": \"a\nb\"}";
    let whole = json!({"choices": [{"message": {"tool_calls": [{"id": "x", "function": {"name": "w", "arguments": arguments}}]}}]});
    assert_eq!(read_whole(&FORMAT, &whole).0.unwrap().content, [call("x", "w", json!({"text": "a\nb"}))]);
}

#[test]
fn b_f17_words_that_nobody_knows_are_told_when_no_answer_comes() {
    for event in [
        r#"{"message":"canary","request_id":"x"}"#,
        r#"{"Error":{"Message":"canary"}}"#,
        r#"{"errors":["canary"]}"#,
        r#"{"status":"queued","detail":{"msg":"canary"}}"#,
        "canary",
    ] {
        let error = read(&FORMAT, &[stream(&[event, "[DONE]"]).as_bytes()]).0.unwrap_err();
        assert!(error.message().contains("canary"), "{event}: {error}");
    }
}

#[test]
fn b_f17_words_behind_half_an_answer_are_its_end() {
    let read = |events: &[String]| read(&FORMAT, &[stream(events).as_bytes()]).0;
    let text = |words: &str| delta(json!({"content": words})).to_string();
    let canary = || "canary: the worker died".to_string();
    let (stop, done) = (end("stop").to_string(), "[DONE]".to_string());
    for events in [
        vec![text("Half"), canary()],
        vec![text("Half"), canary(), done.clone()],
        vec![text("Half"), canary(), stop.clone(), done.clone()],
    ] {
        let error = read(&events).unwrap_err();
        assert!(error.message().contains("in the middle (\"canary: the worker died\")"), "{error}");
    }
    // What stands before more of the answer, behind its end, or alone as a word is no end.
    for events in [
        vec![text("Who"), canary(), text("le"), stop.clone(), done.clone()],
        vec![text("Whole"), stop.clone(), canary(), done.clone()],
        vec![text("Who"), "keep-alive".to_string(), text("le"), "ping".to_string(), done.clone()],
    ] {
        assert_eq!(read(&events).unwrap().text(), "Whole", "{events:?}");
    }
}

#[test]
fn b_f20_fields_named_twice_and_marks_in_quotes_are_known() {
    let text = delta(json!({"content": "Whole"}));
    for stream in [
        format!("data: data: {text}\n\ndata: data: [DONE]\n\n"),
        format!("data: {text}\r\n\r\ndata: \"[DONE]\"\r\n\r\n"),
        format!(": ping\n\ndata: {{}}\n\nevent: ping\ndata:\n\ndata:{text}\n\ndata:[DONE]\n\n"),
        format!("data: {{\"choices\":[]}}\n\ndata: {text}\rdata: [DONE]\r\r"),
    ] {
        assert_eq!(read(&FORMAT, &[stream.as_bytes()]).0.unwrap().text(), "Whole", "{stream}");
    }
}

#[test]
fn b_f20_calls_without_a_list_a_function_or_an_id_of_letters_are_taken() {
    for calls in [
        json!({"id": "a", "function": {"name": "read", "arguments": "{\"p\":1}"}}),
        json!([{"id": "a", "name": "read", "arguments": {"p": 1}}]),
        json!([{"id": 7, "index": "0", "function": {"name": "read", "arguments": "{\"p\":1}"}}]),
        json!([{"id": null, "index": -1, "type": null, "function": {"name": "read", "arguments": "{\"p\":1}"}}]),
    ] {
        let events = [delta(json!({"tool_calls": calls})), end("tool_calls")];
        let done = read(&FORMAT, &[stream(&events).as_bytes()]).0.unwrap();
        let call = done.tool_calls.first().unwrap();
        assert_eq!((call.name.as_str(), &call.arguments), ("read", &json!({"p": 1})), "{calls}");
        assert!(!call.id.is_empty() && done.stop_reason == "toolUse", "{calls}");
    }
}

/// T2b-6: what stands behind half an answer makes no whole of it, whatever form it has.
#[test]
fn t2b_6_half_an_answer_is_never_a_whole() {
    let half = delta(json!({"content": "half"})).to_string();
    for line in [
        r#"data: {"response":{"error":{"message":"canary"}}}"#,
        r#"data: {"data":{"error":"canary"}}"#,
        r#"data: {"result":{"error":{"message":"canary"}}}"#,
        r#"data: {"text":"canary"}"#,
        r#"data: {"output":"canary"}"#,
        r#"data: {"id":"x","reply":{"why":"canary"}}"#,
        "canary",
    ] {
        let stream = format!("data: {half}\n\n{line}\n\ndata: [DONE]\n\n");
        let error = read(&FORMAT, &[stream.as_bytes()]).0.unwrap_err();
        assert!(error.message().contains("canary"), "{line} {}", error.message());
    }
    for line in [
        r#"data: {"event":"ping"}"#,
        r#"data: {"id":"x","object":"chat.completion.chunk","model":"m","choices":[]}"#,
        r#"data: {"status":"processing"}"#,
        ": canary",
        "ping",
        "1f4",
    ] {
        let stream = format!("data: {half}\n\n{line}\n\ndata: [DONE]\n\n");
        assert_eq!(read(&FORMAT, &[stream.as_bytes()]).0.unwrap().text(), "half", "{line}");
    }
    for whole in
        [json!({"data": {"error": "canary"}}), json!({"text": "canary"}), json!({"output": "canary"})]
    {
        let error = read_whole(&FORMAT, &whole).0.unwrap_err();
        assert!(error.message().contains("canary"), "{whole} {}", error.message());
    }
}

#[test]
fn b_f09_numbers_that_are_none_cost_no_event() {
    for number in ["1e400", "NaN", "-Infinity"] {
        let events = [
            format!(
                "{{\"choices\":[{{\"delta\":{{\"content\":\"Who\"}},\"logprob\":{number}}}],\"created\":{number}}}"
            ),
            format!(
                "{{\"choices\":[{{\"delta\":{{\"content\":\"le\"}}}}],\"usage\":{{\"cost\":{number},\"completion_tokens\":2}}}}"
            ),
            end("stop").to_string(),
        ];
        let done = read(&FORMAT, &[stream(&events).as_bytes()]).0.unwrap();
        assert_eq!((done.text().as_str(), done.usage.output), ("Whole", 2), "{number}");
    }
}

#[test]
fn b_f14_what_is_said_of_tags_is_handed_on_whole() {
    for whole in [
        "Use <think> to open and </think> to close it.",
        "The <think> tag opens.",
        "It has <think></think> pairs.",
    ] {
        for size in [1, 3, 7, 100] {
            let pieces: Vec<char> = whole.chars().collect();
            let mut events: Vec<Value> = pieces
                .chunks(size)
                .map(|piece| delta(json!({"content": piece.iter().collect::<String>()})))
                .collect();
            events.push(end("stop"));
            let (done, chunks) = read(&FORMAT, &[stream(&events).as_bytes()]);
            let said =
                chunks.iter().map(|chunk| if let Chunk::Text(text) = chunk { text.as_str() } else { "" });
            assert_eq!(
                (done.unwrap().text(), said.collect::<String>()),
                (whole.to_string(), whole.to_string())
            );
        }
    }
}

#[test]
fn b_f_all_pieces_in_one_list_are_an_answer() {
    let pieces = json!([delta(json!({"content": "Hel"})), delta(json!({"content": "lo."})), end("stop")]);
    assert_eq!(read_whole(&FORMAT, &pieces).0.unwrap().text(), "Hello.");
    let whole = json!([{"choices": [{"message": {"content": "Hello."}, "finish_reason": "stop"}]}]);
    assert_eq!(read_whole(&FORMAT, &whole).0.unwrap().text(), "Hello.");
    let half = json!([delta(json!({"content": "Hel"})), delta(json!({"content": "lo"}))]);
    assert!(read_whole(&FORMAT, &half).0.is_err());
    let failed = json!([delta(json!({"content": "Hel"})), {"error": {"message": "canary"}}]);
    assert!(read_whole(&FORMAT, &failed).0.unwrap_err().message().contains("canary"));
}
