//! The tool loop, other models taking over, pictures: what happens between a message and its answer.
use crate::agent::{turn, with_config, with_model};
use crate::harness::model::{last_user_text, texts};
use crate::harness::*;

const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

fn call(id: &str, name: &str, arguments: Value) -> Step {
    Step::Call { id: id.into(), name: name.into(), arguments: arguments.to_string() }
}

fn calls(steps: Vec<Step>) -> Reply {
    Reply::Stream(steps.into_iter().chain([Step::Done]).collect())
}

fn history(client: &mut Client) -> Vec<Value> {
    client.ok("chat.history", json!({"sessionKey": "main"}))["messages"].as_array().unwrap().clone()
}

#[test]
fn tools_run_and_their_results_go_back_to_the_model_in_each_wire_format() {
    for api in ["openai-completions", "openai-responses", "anthropic-messages"] {
        let first = calls(vec![
            Step::Text("Looking. ".into()),
            call("c1", "read", json!({"path": "NOTES.md"})),
            call("c2", "read", json!({"path": "missing.md"})),
        ]);
        let server = ModelServer::start(vec![first, texts(&["It says seven."])]);
        let gateway = with_config(server.config_for(api));
        std::fs::create_dir_all(gateway.state_dir().join("workspace")).unwrap();
        std::fs::write(gateway.state_dir().join("workspace/NOTES.md"), "the number is 7\n").unwrap();
        let mut client = Client::operator(&gateway, 4);
        let done = turn(&mut client, "what is the number?", "k").unwrap();
        let said: Vec<&str> = done["result"]["payloads"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["text"].as_str().unwrap())
            .collect();
        assert_eq!(
            said.iter().map(|t| t.trim()).collect::<Vec<_>>(),
            ["Looking.", "It says seven."],
            "{api}"
        );
        let second = server.requests(2)[1].to_string();
        assert!(second.contains("the number is 7"), "{api}: {second}");
        let messages = history(&mut client);
        let results: Vec<&Value> = messages.iter().filter(|m| m["role"] == "toolResult").collect();
        assert_eq!(results.len(), 2, "{api}: {messages:?}");
        assert_eq!(
            (&results[0]["toolCallId"], &results[0]["isError"]),
            (&json!("c1"), &json!(false)),
            "{api}"
        );
        assert_eq!(
            (&results[1]["toolCallId"], &results[1]["isError"]),
            (&json!("c2"), &json!(true)),
            "{api}"
        );
    }
}

#[test]
fn what_a_model_gets_wrong_about_tools_is_told_to_it() {
    for (name, arguments, want) in [
        ("read", "{\"path\": null}", "path"),
        ("read", "{\"path\": ", "JSON"),
        ("no_such_tool", "{}", "no_such_tool"),
        ("read", "{\"path\": \"../../../etc/passwd\"}", "workspace"),
    ] {
        let step = Step::Call { id: "c".into(), name: name.into(), arguments: arguments.into() };
        let (server, gateway) = with_model(vec![calls(vec![step]), texts(&["sorry"])]);
        let mut client = Client::operator(&gateway, 4);
        turn(&mut client, "go", "k").unwrap();
        let result = history(&mut client).into_iter().find(|m| m["role"] == "toolResult").unwrap();
        assert_eq!(result["isError"], true, "{name} {arguments}: {result}");
        assert!(result.to_string().contains(want), "{name} {arguments}: {result}");
        assert_eq!(server.count(), 2);
    }
}

#[test]
fn a_model_that_repeats_itself_is_stopped_and_the_session_goes_on() {
    let again = || calls(vec![call("c", "agents_list", json!({}))]);
    let replies = (0..8).map(|_| again()).chain([texts(&["fine now"])]).collect();
    let (server, gateway) = with_model(replies);
    let mut client = Client::operator(&gateway, 4);
    let error = turn(&mut client, "loop", "k").unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("agents_list 8 times in a row"), "{error}");
    assert_eq!(server.count(), 8);
    assert!(server.requests(8)[7].to_string().contains("times in a row"), "the model was told before");
    assert_eq!(turn(&mut client, "again", "k2").unwrap()["result"]["payloads"][0]["text"], "fine now");
}

#[test]
fn the_rounds_of_a_turn_are_limited() {
    let step = |n: u32| calls(vec![call("c", "read", json!({"path": format!("{n}.md")}))]);
    let server = ModelServer::start((0..4).map(step).collect());
    let mut config = server.config();
    merge(&mut config, &json!({"gateway": {"limits": {"toolRounds": 3}}}));
    let gateway = with_config(config);
    let error = turn(&mut Client::operator(&gateway, 4), "go", "k").unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("gateway.limits.toolRounds"), "{error}");
    assert_eq!(server.count(), 3);
}

#[test]
fn tool_events_go_to_those_who_asked_and_say_as_much_as_verbose_allows() {
    let reply = || calls(vec![call("c1", "agents_list", json!({}))]);
    let replies = (0..3).flat_map(|_| [reply(), texts(&["done"])]).collect();
    let (_server, gateway) = with_model(replies);
    let mut watching = Client::named(&gateway, json!({"caps": ["tool-events"]}));
    let mut other = Client::operator(&gateway, 4);
    let is_tool = |f: &Value| f["event"] == "agent" && f["payload"]["stream"] == "tool";
    for (verbose, phases, has_result) in [("off", 0, false), ("on", 2, false), ("full", 2, true)] {
        watching.ok("sessions.patch", json!({"key": "main", "verboseLevel": verbose}));
        turn(&mut watching, "go", verbose).unwrap();
        watching.collect(Duration::from_millis(50));
        let events: Vec<Value> = watching.kept().into_iter().filter(is_tool).collect();
        assert_eq!(events.len(), phases, "{verbose}: {events:?}");
        let result = events.iter().find(|e| e["payload"]["data"]["phase"] == "result");
        assert_eq!(
            result.is_some_and(|e| e["payload"]["data"].get("result").is_some()),
            has_result,
            "{verbose}"
        );
    }
    other.collect(Duration::from_millis(50));
    assert!(!other.kept().iter().any(is_tool), "who did not start the run is not told of its tools");
}

#[test]
fn another_model_takes_over_and_says_why() {
    let refusal = Reply::Status(401, vec![], r#"{"error":{"message":"bad key"}}"#.into());
    let (broken, good) =
        (ModelServer::start(vec![refusal]), ModelServer::start(vec![texts(&["from the second"])]));
    let mut config = broken.config();
    let mut second = good.config()["models"]["providers"]["test"].clone();
    second["models"][0]["id"] = json!("m2");
    config["models"]["providers"]["second"] = second;
    config["agents"]["defaults"]["model"]["fallbacks"] = json!(["nowhere/x", "second/m2"]);
    let gateway = with_config(config);
    let mut client = Client::operator(&gateway, 4);
    let done = turn(&mut client, "hi", "k").unwrap();
    assert_eq!(done["result"]["payloads"][0]["text"], "from the second");
    let meta = &done["result"]["meta"]["agentMeta"];
    assert_eq!((&meta["provider"], &meta["model"]), (&json!("second"), &json!("m2")), "{meta}");
    assert_eq!(
        (&meta["fallback"]["from"], &meta["fallback"]["to"]),
        (&json!("test/m"), &json!("second/m2")),
        "{meta}"
    );
    let told = client.event_where("agent", |p| p["data"]["phase"] == "fallback");
    assert_eq!(
        (&told["data"]["to"], &told["data"]["reason"]),
        (&json!("nowhere/x"), &json!("auth")),
        "{told}"
    );
    assert_eq!(broken.count(), 1, "a wrong key is not tried twice");
}

#[test]
fn what_was_said_is_not_replaced_by_another_models_words() {
    let cut = Reply::Stream(vec![Step::Text("half".into()), Step::Cut]);
    let (broken, good) = (ModelServer::start(vec![cut]), ModelServer::start(vec![texts(&["other"])]));
    let mut config = broken.config();
    config["models"]["providers"]["second"] = good.config()["models"]["providers"]["test"].clone();
    config["agents"]["defaults"]["model"]["fallbacks"] = json!(["second/m"]);
    let gateway = with_config(config);
    turn(&mut Client::operator(&gateway, 4), "hi", "k").unwrap_err();
    assert_eq!(good.count(), 0);
}

#[test]
fn pictures_reach_the_model_alone_too() {
    for api in ["openai-completions", "openai-responses", "anthropic-messages"] {
        let server = ModelServer::start(vec![texts(&["a dot"])]);
        let mut config = server.config_for(api);
        config["models"]["providers"]["test"]["models"][0]["input"] = json!(["text", "image"]);
        let gateway = with_config(config);
        let mut client = Client::operator(&gateway, 3);
        let params = json!({"sessionKey": "main", "message": "", "idempotencyKey": "k",
            "attachments": [{"content": format!("data:image/png;base64,{PNG}"), "fileName": "dot.png"}]});
        client.ok("chat.send", params);
        assert_eq!(
            client.event_where("chat", |p| p["state"] == "final")["message"]["content"][0]["text"],
            "a dot"
        );
        assert!(server.requests(1)[0].to_string().contains(PNG), "{api}: the picture is in the request");
        let messages = history(&mut client);
        assert_eq!(messages[0]["content"][1]["mimeType"], "image/png", "{api}: {messages:?}");
    }
}

#[test]
fn a_model_for_pictures_takes_over_where_the_chosen_one_reads_text_only() {
    let (text, seeing) =
        (ModelServer::start(vec![texts(&["blind"])]), ModelServer::start(vec![texts(&["a dot"])]));
    let mut config = text.config();
    let mut second = seeing.config()["models"]["providers"]["test"].clone();
    second["models"][0]["input"] = json!(["text", "image"]);
    config["models"]["providers"]["eyes"] = second;
    merge(&mut config, &json!({"agents": {"defaults": {"imageModel": {"primary": "eyes/m"}}}}));
    let gateway = with_config(config);
    let mut client = Client::operator(&gateway, 4);
    let mut send = |attachments: Value, key: &str| {
        client.ok("chat.send", json!({"sessionKey": "main", "message": "what is it?", "idempotencyKey": key, "attachments": attachments}));
        let end = client.event_where("chat", |p| p["runId"] == key && p["state"] != "delta");
        end["message"]["content"][0]["text"].as_str().unwrap().to_string()
    };
    assert_eq!(send(json!([{"content": PNG}]), "k1"), "a dot");
    assert_eq!(send(json!([]), "k2"), "blind");
    assert!(
        text.requests(1)[0].to_string().contains("a picture was left out"),
        "what it cannot see it is told of"
    );
}

#[test]
fn sec_23_attachments_are_judged_before_anything_starts() {
    let (server, gateway) = with_model(vec![texts(&["read it"])]);
    let mut client = Client::operator(&gateway, 4);
    let mut send = |message: &str, attachment: Value, key: &str| {
        let id = client.ask("chat.send", json!({"sessionKey": "main", "message": message, "idempotencyKey": key, "attachments": [attachment]}));
        client.answer(&id)
    };
    let error = send("x", json!({"content": "@@", "fileName": "a.png"}), "a").unwrap_err();
    assert_eq!(
        (&error["code"], &error["message"]),
        (&json!("INVALID_REQUEST"), &json!("attachment a.png: invalid base64 content"))
    );
    let error = send("x", json!({"content": "A".repeat(6_700_000)}), "b").unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("exceeds size limit"), "{error}");
    let error = send("x", json!({"content": "UEsDBAD/", "mimeType": "application/zip"}), "c").unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("application/zip is neither"), "{error}");
    assert_eq!(server.count(), 0);
    send("sum up", json!({"content": "YSxiCjEsMgo=", "fileName": "t.csv"}), "d").unwrap();
    client.event_where("chat", |p| p["state"] == "final");
    assert!(last_user_text(&server.requests(1)[0]["body"]).contains("[file: t.csv]\na,b\n1,2"));
}

#[test]
fn nothing_to_say_is_said_as_nothing() {
    let (_server, gateway) = with_model(vec![texts(&["NO_REPLY"])]);
    let mut client = Client::operator(&gateway, 4);
    client.ok("chat.send", json!({"sessionKey": "main", "message": "hm", "idempotencyKey": "k"}));
    let event = client.event_where("chat", |p| p["state"] == "final");
    assert_eq!(event.get("message"), None, "{event}");
}

#[test]
fn a_peer_finds_its_session_by_bindings_and_scope() {
    let server = ModelServer::start(vec![texts(&["hi"])]);
    let mut config = server.config();
    merge(
        &mut config,
        &json!({
            "session": {"dmScope": "per-channel-peer"},
            "agents": {"list": [{"id": "main", "default": true}, {"id": "home"}]},
            "bindings": [{"agentId": "home", "match": {"channel": "telegram"}}],
        }),
    );
    let gateway = with_config(config);
    let mut client = Client::operator(&gateway, 4);
    for (n, (params, want)) in [
        (json!({"to": "+15550001"}), "agent:main:whatsapp:direct:+15550001"),
        (json!({"to": "77", "channel": "telegram"}), "agent:home:telegram:direct:77"),
        (json!({"to": "x", "channel": "telegram", "groupId": "-100"}), "agent:home:telegram:group:-100"),
        (json!({"to": "x", "agentId": "home"}), "agent:home:main"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut ask = json!({"message": "hello", "idempotencyKey": format!("k{n}")});
        merge(&mut ask, &params);
        let id = client.ask("agent", ask);
        client.answer(&id).unwrap();
        client.answer(&id).unwrap();
        let found = client.ok("sessions.list", json!({}));
        let keys: Vec<&str> =
            found["sessions"].as_array().unwrap().iter().map(|s| s["key"].as_str().unwrap()).collect();
        assert!(keys.contains(&want), "{want}: {keys:?}");
    }
}

#[test]
fn an_agent_that_asks_another_session_needs_no_second_place() {
    let ask = call(
        "c",
        "sessions_send",
        json!({"sessionKey": "other", "message": "how are you?", "timeoutSeconds": 20}),
    );
    let server = ModelServer::start(vec![calls(vec![ask]), texts(&["fine"]), texts(&["it is fine"])]);
    let mut config = server.config();
    merge(&mut config, &json!({"agents": {"defaults": {"maxConcurrent": 1}}}));
    let gateway = with_config(config);
    let mut client = Client::operator(&gateway, 4);
    client.ok("sessions.patch", json!({"key": "other", "label": "Other"}));
    let started = Instant::now();
    let done = turn(&mut client, "ask the other one", "k").unwrap();
    assert_eq!(done["result"]["payloads"][0]["text"], "it is fine");
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "they waited for each other: {:?}",
        started.elapsed()
    );
    let result = history(&mut client).into_iter().find(|m| m["role"] == "toolResult").unwrap();
    assert!(result.to_string().contains("fine") && result["isError"] == false, "{result}");
}

#[test]
fn a_message_that_no_window_takes_is_refused() {
    let (server, gateway) = with_model(vec![texts(&["never"])]);
    let mut client = Client::operator(&gateway, 4);
    let error = client.fails(
        "chat.send",
        json!({"sessionKey": "main", "message": "x ".repeat(600_000), "idempotencyKey": "k"}),
    );
    assert!(error["message"].as_str().unwrap().contains("at most 1000000 fit"), "{error}");
    assert_eq!(server.count(), 0);
}

/// A turn that has said something or used a tool may end without another word.
#[test]
fn t1_2_an_empty_stop_behind_text_or_a_tool_ends_the_turn_well_in_each_wire_format() {
    for api in ["openai-completions", "openai-responses", "anthropic-messages"] {
        let write = || call("c1", "write", json!({"path": "a.md", "content": "x"}));
        let empty = || Reply::Stream(vec![Step::Done]);
        let silent = Reply::Stream(vec![Step::Think("All is done.".into()), Step::Done]);
        let replies = vec![
            calls(vec![Step::Text("I write it down.".into()), write()]),
            empty(),
            calls(vec![write()]),
            empty(),
            calls(vec![Step::Text("Once more.".into()), write()]),
            silent,
            texts(&["fine"]),
            empty(),
        ];
        let server = ModelServer::start(replies);
        let gateway = with_config(server.config_for(api));
        let mut client = Client::operator(&gateway, 4);
        for (key, want) in [("k1", Some("I write it down.")), ("k2", None), ("k3", Some("Once more."))] {
            let done = turn(&mut client, "write", key).unwrap_or_else(|e| panic!("{api} {key}: {e}"));
            let texts: Vec<&str> = done["result"]["payloads"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|payload| payload["text"].as_str())
                .collect();
            assert_eq!(texts, want.into_iter().collect::<Vec<_>>(), "{api} {key}: {done}");
            let end = client.event_where("chat", |p| p["runId"] == key && p["state"] == "final");
            assert_eq!(end["message"]["content"][0]["text"].as_str(), want, "{api} {key}: {end}");
        }
        assert_eq!(turn(&mut client, "and now?", "k4").unwrap()["result"]["payloads"][0]["text"], "fine");
        let error = turn(&mut client, "hello", "k5").unwrap_err();
        assert!(error["message"].as_str().unwrap().contains("empty answer"), "{api}: {error}");
        assert_eq!(server.count(), 8, "{api}: no tool ran twice, and nothing was asked again");
    }
}

/// An answer in these pieces, far enough apart that each would be told by itself.
fn slowly(pieces: &[&str]) -> Reply {
    let step = |piece: &&str| [Step::Text(piece.to_string()), Step::Pause(Duration::from_millis(250))];
    Reply::Stream(pieces.iter().flat_map(step).chain([Step::Done]).collect())
}

// Issue 9: the word for nothing is no words on any stream; what only begins like it is told whole.
#[test]
fn what_may_be_the_word_for_nothing_is_held_back_while_it_is_written() {
    let silent = || slowly(&["NO", "_RE", "PLY", "\n"]);
    let spoken = || slowly(&["NO", "_R", "oom left."]);
    let server = ModelServer::start(vec![
        silent(),
        spoken(),
        silent(),
        spoken(),
        silent(),
        spoken(),
        slowly(&["\nNO"]),
    ]);
    let mut config = server.config();
    merge(&mut config, &crate::http_openai::endpoints(true));
    let gateway = with_config(config);
    let mut client = Client::operator(&gateway, 4);
    let told = |client: &mut Client, key: &str| {
        turn(client, "hi", key).unwrap();
        client.event_where("chat", |p| p["state"] == "final");
        let texts = |frame: &Value| match frame["event"].as_str() {
            Some("agent") => frame["payload"]["data"]["text"].as_str().map(str::to_string),
            Some("chat") => frame["payload"]["deltaText"].as_str().map(str::to_string),
            _ => None,
        };
        client.kept().iter().filter_map(texts).collect::<Vec<String>>()
    };
    assert_eq!(told(&mut client, "k1"), Vec::<String>::new());
    let words = told(&mut client, "k2");
    assert!(!words.is_empty() && words.iter().all(|text| text.starts_with("NO_Room")), "{words:?}");
    let cli = || crate::cli::text(&gateway.cli(&["agent", "--stream", "--message", "hi"])).0;
    assert_eq!((cli().trim(), cli().trim()), ("No reply from agent.", "NO_Room left."));
    let body = json!({"model": "openclaw", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let post = || crate::http_openai::post(&gateway, crate::http_openai::CHAT, "", &body).2.body;
    let (nothing, something) = (post(), post());
    assert!(!nothing.contains("NO") && !nothing.contains("PLY") && nothing.contains("[DONE]"), "{nothing}");
    assert!(something.contains("\"NO_Room left.\"") || something.contains("\"NO_R"), "{something}");
    assert!(post().contains("NO\""), "what ends like its beginning is said at the end");
}

/// An answer of Messages with these blocks, each in one piece, and the reason for its end.
fn blocks(blocks: &[Value], why: &str) -> Reply {
    let mut events = vec![json!({"type": "message_start", "message": {"usage": {"input_tokens": 3}}})];
    for (n, block) in blocks.iter().enumerate() {
        let (mut start, mut piece) = (block.clone(), Value::Null);
        if block["type"] == "server_tool_use" {
            piece = json!({"type": "input_json_delta", "partial_json": block["input"].to_string()});
            start["input"] = json!({});
        }
        events.push(json!({"type": "content_block_start", "index": n, "content_block": start}));
        if !piece.is_null() {
            events.push(json!({"type": "content_block_delta", "index": n, "delta": piece}));
        }
        events.push(json!({"type": "content_block_stop", "index": n}));
    }
    events
        .push(json!({"type": "message_delta", "delta": {"stop_reason": why}, "usage": {"output_tokens": 2}}));
    events.push(json!({"type": "message_stop"}));
    Reply::Stream(events.iter().map(|event| Step::Raw(format!("data: {event}\n\n").into_bytes())).collect())
}

// Issue 9: a server that works with tools of its own pauses; it gets its answer back as it was, and goes on.
#[test]
fn an_answer_that_its_server_paused_goes_on() {
    let words = |text: &str| json!({"type": "text", "text": text});
    let search =
        json!({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}});
    let found = json!({"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"encrypted_content": "e"}]});
    let paused = [words("Looking."), search, found, words("So far.")];
    let server = ModelServer::start(vec![
        blocks(&paused, "pause_turn"),
        blocks(&[words("It is seven.")], "end_turn"),
        texts(&["Later."]),
        blocks(&paused[..2], "pause_turn"),
    ]);
    let mut config = server.config_for("anthropic-messages");
    merge(&mut config, &json!({"gateway": {"limits": {"toolRounds": 3}}}));
    let gateway = with_config(config);
    let mut client = Client::operator(&gateway, 4);
    let done = turn(&mut client, "what is it?", "k1").unwrap();
    let said = done["result"]["payloads"].to_string();
    assert!(said.contains("Looking.So far.") && said.contains("It is seven."), "{said}");
    let sent = server.requests(2)[1]["body"]["messages"].as_array().unwrap().clone();
    assert_eq!(sent.last().unwrap(), &json!({"role": "assistant", "content": paused}));
    // Once it has gone on, the steps are over.
    turn(&mut client, "and now?", "k2").unwrap();
    let body = server.requests(3)[2]["body"].to_string();
    assert!(!body.contains("web_search") && body.contains("It is seven."), "{body}");
    let error = turn(&mut client, "again", "k3").unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("3 times without an answer"), "{error}");
    assert_eq!(server.count(), 6);
}
