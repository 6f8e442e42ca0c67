//! Issue 12, item 1: `/v1/responses`, whose answers are items and whose streams are numbered events.
use crate::harness::model::texts;
use crate::harness::*;
use crate::http_openai::{CHAT, RESPONSES, endpoints, post, with_model};

fn asks(input: Value) -> Value {
    json!({"model": "openclaw", "input": input})
}

fn weather() -> Value {
    json!({"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}})
}

fn calls() -> Reply {
    let call = |id: &str, city: &str| Step::Call {
        id: id.into(),
        name: "get_weather".into(),
        arguments: json!({"city": city}).to_string(),
    };
    Reply::Stream(vec![call("call_1", "Rome"), call("call_2", "Oslo"), Step::Done])
}

/// Types and data of a stream's events, whose lines agree.
fn streamed(gateway: &Gateway, mut body: Value) -> Vec<Value> {
    body["stream"] = json!(true);
    let (status, _, answer) = post(gateway, RESPONSES, "", &body);
    assert_eq!(status, 200, "{}", answer.body);
    let mut events = Vec::new();
    for block in answer.body.split("\n\n").filter(|block| block.starts_with("event: ")) {
        let (name, data) = block.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name, format!("event: {}", data["type"].as_str().unwrap()));
        assert_eq!(data["sequence_number"], events.len(), "numbered without a gap");
        events.push(data);
    }
    assert!(answer.body.ends_with("data: [DONE]\n\n"), "{}", answer.body);
    events
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|e| e["type"].as_str().unwrap().trim_start_matches("response.")).collect()
}

#[test]
fn i12_1_a_response_is_a_list_of_items_with_counts() {
    let (server, gateway) = with_model(vec![texts(&["Hi ", "Ann."])]);
    let mut body = asks(json!("I am Ann"));
    merge(
        &mut body,
        &json!({"instructions": "Be brief.", "temperature": 0.2, "max_output_tokens": 50, "metadata": {"a": "b"},
        "tool_choice": "none", "parallel_tool_calls": false,
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": true}}}),
    );
    let (status, told, answer) = post(&gateway, RESPONSES, "", &body);
    assert_eq!(status, 200, "{}", answer.body);
    assert!(told["id"].as_str().unwrap().starts_with("resp_"));
    assert_eq!(
        (&told["object"], &told["status"], &told["model"]),
        (&json!("response"), &json!("completed"), &json!("openclaw"))
    );
    let item = &told["output"][0];
    assert_eq!(
        (&item["type"], &item["role"], &item["status"]),
        (&json!("message"), &json!("assistant"), &json!("completed"))
    );
    assert_eq!(
        (&item["content"][0]["type"], &item["content"][0]["text"]),
        (&json!("output_text"), &json!("Hi Ann."))
    );
    assert_eq!((&told["metadata"], &told["instructions"]), (&json!({"a": "b"}), &json!("Be brief.")));
    assert_eq!((&told["temperature"], &told["top_p"]), (&json!(0.2), &Value::Null));
    assert_eq!((&told["tool_choice"], &told["parallel_tool_calls"]), (&json!("none"), &json!(false)));
    let usage = &told["usage"];
    assert_eq!(
        (&usage["input_tokens"], &usage["output_tokens"], &usage["total_tokens"]),
        (&json!(11), &json!(5), &json!(16))
    );
    let sent = &server.requests(1)[0]["body"];
    assert!(sent["messages"][0]["content"].as_str().unwrap().contains("Be brief."));
    assert_eq!((&sent["temperature"], &sent["max_tokens"]), (&json!(0.2), &json!(50)));
    assert_eq!(
        sent["response_format"],
        json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": true}})
    );

    // The next one goes on from it, and the one after that from that.
    let mut last = told["id"].clone();
    for n in 2..4 {
        let mut next = asks(json!(format!("question {n}")));
        next["previous_response_id"] = last.clone();
        let (status, told, answer) = post(&gateway, RESPONSES, "", &next);
        assert_eq!(status, 200, "{}", answer.body);
        assert_ne!(told["id"], last);
        assert_eq!((&told["metadata"], &told["instructions"]), (&json!({}), &Value::Null));
        last = told["id"].clone();
        let messages = server.requests(n)[n - 1]["body"]["messages"].clone();
        assert_eq!(messages.as_array().unwrap().len(), 2 * n, "{messages}");
        assert_eq!(messages[1]["content"], "I am Ann");
    }
    let other = asks(json!("who am I?"));
    post(&gateway, RESPONSES, "", &other);
    assert_eq!(
        server.requests(4)[3]["body"]["messages"].as_array().unwrap().len(),
        2,
        "a conversation of its own"
    );
}

#[test]
fn i12_1_a_stream_of_a_response_tells_items_in_order() {
    let (_server, gateway) = with_model(vec![texts(&["Hi ", "Ann."])]);
    let mut asked =
        asks(json!([{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}]));
    merge(&mut asked, &json!({"instructions": "Be brief.", "metadata": {"mine": "7"}}));
    let events = streamed(&gateway, asked);
    for whole in events.iter().filter_map(|event| event.get("response")) {
        assert_eq!((&whole["metadata"]["mine"], &whole["instructions"]), (&json!("7"), &json!("Be brief.")));
    }
    let names = kinds(&events);
    let deltas = names.iter().filter(|name| **name == "output_text.delta").count();
    assert!(deltas >= 1);
    let without: Vec<&str> = names.iter().copied().filter(|name| *name != "output_text.delta").collect();
    assert_eq!(
        without,
        [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]
    );
    let of = |name: &str| &events[names.iter().position(|n| *n == name).unwrap()];
    assert_eq!(of("created")["response"]["output"], json!([]));
    assert_eq!(of("output_item.added")["item"]["content"], json!([]), "clients put the parts in themselves");
    let id = &of("output_item.added")["item"]["id"];
    for name in ["content_part.added", "output_text.delta", "output_text.done", "content_part.done"] {
        let event = of(name);
        assert_eq!(
            (&event["item_id"], &event["output_index"], &event["content_index"]),
            (id, &json!(0), &json!(0)),
            "{name}"
        );
    }
    let said: String = events
        .iter()
        .filter(|e| e["type"] == "response.output_text.delta")
        .map(|e| e["delta"].as_str().unwrap())
        .collect();
    let done = &of("completed")["response"];
    assert_eq!((said.as_str(), &of("output_text.done")["text"]), ("Hi Ann.", &json!("Hi Ann.")));
    assert_eq!(
        (&done["status"], &done["output"][0], &done["usage"]["total_tokens"]),
        (&json!("completed"), &of("output_item.done")["item"], &json!(16))
    );
}

#[test]
fn i12_1_calls_are_items_and_their_outputs_go_on() {
    let (server, gateway) = with_model(vec![calls(), calls(), texts(&["Warm, cold."]), texts(&["Yes."])]);
    let mut body = asks(json!("Rome and Oslo?"));
    body["tools"] = json!([weather()]);
    let events = streamed(&gateway, body.clone());
    let names = kinds(&events);
    let one = [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ];
    assert_eq!(names, [&["created", "in_progress"][..], &one, &one, &["completed"]].concat());
    assert_eq!((&events[2]["item"]["arguments"], &events[6]["output_index"]), (&json!(""), &json!(1)));
    assert_eq!(events[4]["arguments"], "{\"city\":\"Rome\"}");

    let (_, told, _) = post(&gateway, RESPONSES, "", &body);
    let items = told["output"].as_array().unwrap();
    assert_eq!(
        items.iter().map(|i| i["call_id"].as_str().unwrap()).collect::<Vec<_>>(),
        ["call_1", "call_2"]
    );
    assert_eq!((&items[0]["type"], &items[0]["name"]), (&json!("function_call"), &json!("get_weather")));
    let output =
        |call: &str, text: &str| json!({"type": "function_call_output", "call_id": call, "output": text});
    // By the answer's id, results alone; the calls stand in the session.
    let mut next = asks(json!([output("call_1", "22"), output("call_2", "-3")]));
    (next["previous_response_id"], next["tools"]) = (told["id"].clone(), body["tools"].clone());
    let (status, told, answer) = post(&gateway, RESPONSES, "", &next);
    assert_eq!(
        (status, &told["output"][0]["content"][0]["text"]),
        (200, &json!("Warm, cold.")),
        "{}",
        answer.body
    );
    let seen = server.requests(3)[2]["body"]["messages"].clone();
    let results: Vec<&str> = seen
        .as_array()
        .unwrap()
        .iter()
        .filter(|m| m["role"] == "tool")
        .map(|m| m["content"].as_str().unwrap())
        .collect();
    assert_eq!(results, ["22", "-3"], "{seen}");
    // Or with all that was said, as a program does that keeps it itself.
    let mut all = vec![json!({"role": "user", "content": "Rome and Oslo?"})];
    all.extend(items.iter().cloned());
    all.extend([output("call_1", "22"), output("call_2", "-3")]);
    all.push(json!({"role": "user", "content": "Is that so?"}));
    post(&gateway, RESPONSES, "", &asks(json!(all)));
    let seen = server.requests(4)[3]["body"]["messages"].clone();
    let roles: Vec<&str> = seen.as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "tool", "user"], "{seen}");
    assert_eq!(seen[2]["tool_calls"].as_array().unwrap().len(), 2);
}

/// The model would be asked without anything new to answer.
#[test]
fn i12_1_a_call_has_one_output_and_comes_before_it() {
    let fails = Reply::Status(400, vec![], json!({"error": {"message": "out of paint"}}).to_string());
    let (server, gateway) = with_model(vec![calls(), fails, texts(&["Warm."]), texts(&["no"])]);
    let mut body = asks(json!("Rome and Oslo?"));
    body["tools"] = json!([weather()]);
    let (_, told, _) = post(&gateway, RESPONSES, "", &body);
    let put =
        |call: &str, text: &str| json!({"type": "function_call_output", "call_id": call, "output": text});
    let output = |call: &str| put(call, "22");
    let next = |items: Value| {
        let mut next = asks(items);
        next["previous_response_id"] = told["id"].clone();
        next
    };
    let refused = |path: &str, body: Value, param: &str, why: &str| {
        let (status, told, answer) = post(&gateway, path, "", &body);
        assert_eq!((status, &told["error"]["param"]), (400, &json!(param)), "{}", answer.body);
        assert!(told["error"]["message"].as_str().unwrap().contains(why), "{told}");
    };
    let twice = next(json!([output("call_1"), output("call_2"), output("call_1")]));
    refused(RESPONSES, twice, "input[2].call_id", "two outputs");
    let both = next(json!([output("call_1"), output("call_2")]));
    // A turn that failed may be asked for again with the same outputs.
    assert_ne!(post(&gateway, RESPONSES, "", &both).0, 200);
    let (status, told, _) = post(&gateway, RESPONSES, "", &both);
    assert_eq!((status, &told["output"][0]["content"][0]["text"]), (200, &json!("Warm.")), "{told}");
    let other = next(json!([output("call_1"), put("call_2", "23")]));
    refused(RESPONSES, other, "input[1].call_id", "has another output already");
    let call =
        json!({"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}});
    let early = json!({"model": "openclaw", "messages": [
        {"role": "user", "content": "Rome?"},
        {"role": "tool", "tool_call_id": "c1", "content": "22"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "user", "content": "And?"},
    ]});
    refused(CHAT, early, "messages[1].tool_call_id", "send the call before its output");
    assert_eq!(server.count(), 3, "no model was asked for what was refused");
}

#[test]
fn i12_1_results_that_never_come_leave_a_conversation_that_models_take() {
    let (server, gateway) = with_model(vec![calls(), texts(&["As you like."])]);
    let mut body = asks(json!("Rome?"));
    (body["tools"], body["user"]) = (json!([weather()]), json!("ann"));
    post(&gateway, RESPONSES, "", &body);
    body["input"] = json!("Never mind.");
    let (status, _, answer) = post(&gateway, RESPONSES, "", &body);
    assert_eq!(status, 200, "{}", answer.body);
    let seen = server.requests(2)[1]["body"]["messages"].clone();
    let roles: Vec<&str> = seen.as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "tool", "user"], "{seen}");
}

#[test]
fn i12_1_an_answer_at_its_longest_length_is_incomplete() {
    let piece = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        Step::Raw(
            format!(
                "data: {}\n\n",
                json!({"id": "c", "object": "chat.completion.chunk", "choices": [choice]})
            )
            .into(),
        )
    };
    let cut = vec![
        piece(json!({"content": "Once upon a"}), Value::Null),
        piece(json!({}), json!("length")),
        Step::Raw(b"data: [DONE]\n\n".to_vec()),
    ];
    let (_server, gateway) = with_model(vec![Reply::Stream(cut)]);
    let (_, told, _) = post(&gateway, RESPONSES, "", &asks(json!("a tale")));
    assert_eq!(
        (&told["status"], &told["incomplete_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
    let events = streamed(&gateway, asks(json!("a tale")));
    assert_eq!(kinds(&events).last(), Some(&"incomplete"));
    let (_, told, _) =
        post(&gateway, CHAT, "", &json!({"messages": [{"role": "user", "content": "a tale"}]}));
    assert_eq!(told["choices"][0]["finish_reason"], "length");
}

#[test]
fn i12_1_every_wire_format_carries_tools_wishes_and_results() {
    for (api, length) in [
        ("openai-completions", "max_tokens"),
        ("openai-responses", "max_output_tokens"),
        ("anthropic-messages", "max_tokens"),
    ] {
        let server = ModelServer::start(vec![calls(), texts(&["Warm."])]);
        let mut config = server.config_for(api);
        merge(&mut config, &endpoints(true));
        let gateway = Gateway::start(&Setup::config(config));
        let mut body = asks(json!("Rome?"));
        merge(
            &mut body,
            &json!({"tools": [weather()], "temperature": 0.5, "max_output_tokens": 99, "tool_choice": "required"}),
        );
        let (status, told, answer) = post(&gateway, RESPONSES, "", &body);
        assert_eq!(
            (status, told["output"].as_array().map(Vec::len)),
            (200, Some(2)),
            "{api} {}",
            answer.body
        );
        let sent = &server.requests(1)[0]["body"];
        assert_eq!((&sent["temperature"], &sent[length]), (&json!(0.5), &json!(99)), "{api}");
        assert!(
            sent["tools"].to_string().contains("get_weather") && sent.get("tool_choice").is_some(),
            "{api} {sent}"
        );
        let output = |call: &str| json!({"type": "function_call_output", "call_id": call, "output": format!("of {call}")});
        let next = json!({"model": "openclaw", "input": [output("call_1"), output("call_2")], "previous_response_id": told["id"]});
        let (status, told, answer) = post(&gateway, RESPONSES, "", &next);
        assert_eq!(
            (status, &told["output"][0]["content"][0]["text"]),
            (200, &json!("Warm.")),
            "{api} {}",
            answer.body
        );
        let seen = server.requests(2)[1]["body"].to_string();
        assert!(seen.contains("of call_1") && seen.contains("of call_2"), "{api} {seen}");
    }
}
