//! Telegram: an answer in several messages while it is written, words that are for the channel and nobody's eyes, stickers,
//! and what is read of a conversation.
use super::cli::text as printed;
use super::harness::model::texts;
use super::harness::telegram::BOT_TOKEN;
use super::harness::*;
use super::telegram::{ann, said, with_bot};
use std::io::Write;
use std::process::Stdio;

fn blocks() -> Value {
    json!({"agents": {"defaults": {"blockStreamingDefault": "on",
        "blockStreamingChunk": {"minChars": 10, "maxChars": 60}, "blockStreamingCoalesce": {"idleMs": 100}}}})
}

fn text(text: &str) -> Step {
    Step::Text(text.into())
}

#[test]
fn i11_1_an_answer_is_sent_in_blocks_while_it_is_written_and_code_stays_code() {
    let telegram = ann();
    let code =
        "```rust\nlet first = 1;\nlet second = 2;\nlet third = 3;\nlet fourth = 4;\n```\n\nand the end of it";
    let reply = vec![
        text("[[reply_"),
        text("to_current]] What is to be said first.\n\nThen"),
        Step::Gate,
        text(" more:\n\n"),
        text(code),
        Step::Done,
    ];
    let (server, gateway) = with_bot(&telegram, blocks(), vec![Reply::Stream(reply)]);
    let id = telegram.says(1001, 1001, "hi");
    server.requests(1);
    // The model is still at it.
    assert_eq!(said(&telegram, 1001, 1), ["What is to be said first."]);
    server.release();
    wait_for("the rest", || telegram.texts(1001).last().filter(|text| text.ends_with("end of it")).cloned());
    let texts = telegram.texts(1001);
    assert_eq!(texts[1], "Then more:", "{texts:?}");
    let calls = telegram.calls("sendMessage");
    assert_eq!(calls[0].params["reply_parameters"]["message_id"], json!(id));
    assert!(calls[1..].iter().all(|call| call.params.get("reply_parameters").is_none()));
    let code: Vec<&str> = calls
        .iter()
        .filter_map(|call| call.params["text"].as_str())
        .filter(|t| t.contains("<pre>"))
        .collect();
    assert!(code.len() == 2 && code.iter().all(|html| html.contains("let ")), "{code:?}");
    let all = texts.join("\n");
    for word in ["first = 1", "second = 2", "third = 3", "fourth = 4", "end of it"] {
        assert_eq!(all.matches(word).count(), 1, "{word}: {all}");
    }
    let log = std::fs::read_to_string(gateway.state_dir().join("gateway/deliveries.jsonl")).unwrap();
    assert!(log.contains("/0.0\"") && log.contains("/0\""), "{log}");
}

#[test]
fn i11_1_a_turn_that_is_taken_up_again_is_answered_whole() {
    let telegram = ann();
    let half = vec![text("The first half of an answer.\n\nThe"), Step::Gate, Step::Done];
    let (server, mut gateway) = with_bot(
        &telegram,
        blocks(),
        vec![Reply::Stream(half), texts(&["The first half of another answer.\n\nAnd the second."])],
    );
    telegram.says(1001, 1001, "hi");
    server.requests(1);
    said(&telegram, 1001, 1);
    gateway.kill();
    gateway.restart();
    let texts = said(&telegram, 1001, 2);
    assert_eq!(
        texts,
        ["The first half of an answer.", "The first half of another answer.\n\nAnd the second."]
    );
    server.release();
}

#[test]
fn i11_1_the_channel_switches_blocks_off_and_by_default_there_are_none() {
    let off = json!({"channels": {"telegram": {"blockStreaming": false}}});
    for more in [json!({}), {
        let mut more = blocks();
        merge(&mut more, &off);
        more
    }] {
        let telegram = ann();
        let (_server, _gateway) =
            with_bot(&telegram, more, vec![texts(&["One paragraph of it.\n\n", "And another one."])]);
        telegram.says(1001, 1001, "hi");
        assert_eq!(said(&telegram, 1001, 1), ["One paragraph of it.\n\nAnd another one."]);
    }
}

#[test]
fn i11_2_tags_for_the_channel_are_shown_nowhere() {
    let telegram = ann();
    let reply = texts(&["[[reply", "_to_current]] he", "llo [[reply_to", ": 7]] you"]);
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![reply]);
    let mut client = Client::operator(&gateway, 3);
    client.ok("sessions.messages.subscribe", json!({"key": "main"}));
    telegram.says(1001, 1001, "hi");
    let told = client.event_where("chat", |event| event["state"] == "final");
    assert_eq!(told["message"]["content"][0]["text"], "hello you", "{told}");
    let message = client.event_where("session.message", |event| event["message"]["role"] == "assistant");
    assert_eq!(message["message"]["content"][0]["text"], "hello you");
    for frame in client.kept() {
        assert!(!frame.to_string().contains("[["), "{frame}");
    }
    let history = client.ok("chat.history", json!({"sessionKey": "main"}));
    let preview = client.ok("sessions.preview", json!({"keys": ["main"]}));
    for shown in [history, preview] {
        assert!(shown.to_string().contains("hello you") && !shown.to_string().contains("[["), "{shown}");
    }
    assert_eq!(said(&telegram, 1001, 1), ["hello you"]);
    assert_eq!(telegram.calls("sendMessage")[0].params["reply_parameters"]["message_id"], json!(7));
}

fn connected(gateway: &Gateway) -> Client {
    let mut client = Client::operator(gateway, 4);
    wait_for("a connected account", || {
        let told = client.ok("channels.status", json!({}));
        (told["channelAccounts"]["telegram"][0]["connected"] == true).then_some(())
    });
    client
}

#[test]
fn i11_3_stickers_go_out_by_their_file_id_where_they_are_switched_on() {
    let telegram = ann();
    let on = json!({"channels": {"telegram": {"actions": {"sticker": true}}}});
    let (_server, gateway) = with_bot(&telegram, on, vec![]);
    let mut client = connected(&gateway);
    let id = telegram.says(1001, 1001, "/start");
    let file = telegram.world().add_file("s.webp", b"RIFF....WEBP");
    let ask = |file: &str, key: &str| json!({"to": "1001", "action": "sticker", "fileId": file, "replyToId": id.to_string(), "idempotencyKey": key});
    let sent = client.ok("message.action", ask(&file, "k1"));
    let shown = telegram.shown(1001).into_iter().find(|m| m["sticker"].is_object()).expect("a sticker");
    assert_eq!(
        (&shown["sticker"]["file_id"], &shown["reply_to_message"]["message_id"]),
        (&json!(file), &json!(id))
    );
    assert_eq!(sent["messageId"], shown["message_id"].to_string());
    let by_command =
        gateway.cli(&["message", "sticker", "send", "--target", "1001", "--sticker-id", &file, "--json"]);
    let told: Value = serde_json::from_str(&printed(&by_command).0).unwrap();
    assert_eq!((&told["action"], &told["payload"]["ok"]), (&json!("sticker"), &json!(true)), "{told}");
    assert_eq!(telegram.shown(1001).iter().filter(|m| m["sticker"].is_object()).count(), 2);
    for (file, want) in
        [("https://x.org/a.webp", "named by its file_id"), ("CAACunknown", "wrong file identifier")]
    {
        let error = client.fails("message.action", ask(file, want));
        assert!(error["message"].as_str().unwrap().contains(want), "{error}");
    }
    let error =
        client.fails("message.action", json!({"to": "1001", "action": "sticker", "idempotencyKey": "k4"}));
    assert!(error["message"].as_str().unwrap().contains("needs fileId"), "{error}");
    let error =
        client.fails("message.action", json!({"to": "1001", "action": "delete", "idempotencyKey": "k5"}));
    assert!(error["message"].as_str().unwrap().contains("needs messageId"), "{error}");
    let telegram = ann();
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![]);
    let error = connected(&gateway).fails("message.action", ask(&file, "k6"));
    assert!(
        error["message"].as_str().unwrap().contains("Set channels.telegram.actions.sticker to true."),
        "{error}"
    );
}

fn call(id: &str, arguments: &Value) -> Reply {
    let call = Step::Call { id: id.into(), name: "message".into(), arguments: arguments.to_string() };
    Reply::Stream(vec![call, Step::Done])
}

#[test]
fn i11_4_what_was_said_is_read_by_the_command_and_by_the_tool() {
    let telegram = ann();
    telegram.user(1002, "Bob", "bob");
    let replies = vec![
        texts(&["[[reply_to_current]] hello Ann"]),
        call("c1", &json!({"action": "read", "limit": 3})),
        texts(&["I have read it"]),
        texts(&["hello Bob"]),
        texts(&["for Ann"]),
    ];
    let everybody = json!({"channels": {"telegram": {"allowFrom": ["1001", "1002"]}}});
    let (server, gateway) = with_bot(&telegram, everybody, replies);
    let _client = connected(&gateway);
    let nothing = gateway.cli(&["message", "read", "--target", "1001"]);
    assert_eq!(
        (nothing.status.code(), printed(&nothing).0.as_str()),
        (Some(0), ""),
        "{:?}",
        printed(&nothing)
    );
    telegram.says(1001, 1001, "hi there");
    said(&telegram, 1001, 1);
    telegram.says(1001, 1001, "what did I say");
    said(&telegram, 1001, 2);
    let asked = server.requests(3)[2].to_string();
    assert!(asked.contains("messages of a chat") && asked.contains("EXTERNAL_UNTRUSTED_CONTENT"), "{asked}");
    let shown = printed(&gateway.cli(&["message", "read", "--target", "1001"])).0;
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].ends_with(" chat: hi there") && lines[1].ends_with(" agent: hello Ann"), "{shown}");
    let told =
        printed(&gateway.cli(&["message", "read", "--target", "telegram:1001", "--limit", "1", "--json"])).0;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (&told["action"], &told["payload"]["sessionKey"]),
        (&json!("read"), &json!("agent:main:main"))
    );
    let messages = told["payload"]["messages"].as_array().unwrap();
    assert_eq!((messages.len(), &messages[0]["text"]), (1, &json!("I have read it")), "{told}");
    // Others in the same conversation, and clients of the gateway, are not in the chat.
    telegram.says(1002, 1002, "Bob here");
    said(&telegram, 1002, 1);
    let mut client = connected(&gateway);
    client.ok(
        "agent",
        json!({"message": "from a client", "sessionKey": "main", "idempotencyKey": "r1", "deliver": true, "to": "1001", "channel": "telegram"}),
    );
    said(&telegram, 1001, 3);
    client.ok(
        "send",
        json!({"to": "1001", "message": "from the shell", "channel": "telegram", "idempotencyKey": "r2"}),
    );
    let read = wait_for("what was sent", || {
        let read = printed(&gateway.cli(&["message", "read", "--target", "1001"])).0;
        read.contains("agent: from the shell").then_some(read)
    });
    assert!(read.contains("agent: for Ann") && !read.contains("from a client"), "{read}");
    assert!(!read.contains("Bob") && read.contains("chat: what did I say"), "{read}");
    let unknown = gateway.cli(&["message", "read", "--target", "@somebody"]);
    assert!(!unknown.status.success() && printed(&unknown).1.contains("give the chat's number"));
}

#[test]
fn i11_4_the_log_of_the_channels() {
    let telegram = ann();
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![]);
    let _client = connected(&gateway);
    let shown = wait_for("lines about the bot", || {
        let shown = printed(&gateway.cli(&["channels", "logs", "--channel", "telegram"])).0;
        shown.contains("@test_bot").then_some(shown)
    });
    assert!(shown.starts_with("Log file: ") && shown.contains("\nChannel: telegram\n"), "{shown}");
    let told = printed(&gateway.cli(&["channels", "logs", "--lines", "2", "--json"])).0;
    let told: Value = serde_json::from_str(&told).unwrap();
    let lines = told["lines"].as_array().unwrap();
    assert!(
        told["channel"] == "all" && (1..=2).contains(&lines.len()) && lines[0]["message"].is_string(),
        "{told}"
    );
    let none = printed(&gateway.cli(&["channels", "logs", "--channel", "signal"])).0;
    assert!(none.ends_with("No matching log lines.\n"), "{none}");
}

#[test]
fn i11_5_sec_13_the_tool_sends_files_of_the_media_root_and_no_others() {
    let telegram = ann();
    let port = gateway::free_port();
    let model = json!({"baseUrl": format!("http://127.0.0.1:{port}/v1"), "apiKey": "sk-test-key-0123456789",
        "api": "openai-completions", "models": [{"id": "m", "name": "Test model"}]});
    let (_none, gateway) = with_bot(&telegram, json!({"models": {"providers": {"test": model}}}), vec![]);
    let root = gateway.state_dir().join("media/inbound");
    std::fs::create_dir_all(&root).unwrap();
    std::fs::write(root.join("a.png"), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").unwrap();
    let path = |name: &str| root.join(name).to_string_lossy().into_owned();
    let files = [path("a.png"), path("../../openclaw.json"), "/etc/passwd".to_string()];
    let send = |media: &String| call("c1", &json!({"action": "send", "message": "see", "media": media}));
    let replies = files.iter().flat_map(|media| [send(media), texts(&["done"])]).collect();
    let server = ModelServer::start_at(port, None, replies);
    let _client = connected(&gateway);
    let answers = || telegram.texts(1001).iter().filter(|text| *text == "done").count();
    for n in 1..=files.len() {
        telegram.says(1001, 1001, "send it");
        wait_for("the answer", || (answers() == n).then_some(()));
    }
    let shown = telegram.shown(1001);
    assert_eq!(shown.iter().filter(|m| m["photo"].is_array()).count(), 1, "{shown:?}");
    assert!(shown.iter().all(|m| m["document"].is_null()));
    assert!(server.requests(6)[5].to_string().contains("names a file of the gateway's host"));
}

/// A.8: a direct chat with a session of its own moves the last route of the main session, too.
#[test]
fn i11_10_direct_chats_move_the_last_route_of_the_main_session() {
    let telegram = ann();
    let more = json!({"session": {"dmScope": "per-channel-peer"}});
    let (_server, gateway) = with_bot(&telegram, more, vec![texts(&["ok"])]);
    let mut client = connected(&gateway);
    telegram.says(1001, 1001, "hi");
    said(&telegram, 1001, 1);
    let sent = client.ok(
        "agent",
        json!({"message": "report", "sessionKey": "main", "deliver": true, "idempotencyKey": "k1"}),
    );
    assert_eq!(sent["status"], "accepted", "{sent}");
    said(&telegram, 1001, 2);
    let list = client.ok("sessions.list", json!({}));
    let keys: Vec<&str> =
        list["sessions"].as_array().unwrap().iter().filter_map(|row| row["key"].as_str()).collect();
    assert!(
        keys.contains(&"agent:main:main") && keys.contains(&"agent:main:telegram:direct:1001")
            || keys.len() == 2,
        "{keys:?}"
    );
}

#[test]
fn i11_10_doctor_tells_of_patterns_that_are_not_understood() {
    let telegram = ann();
    let more = json!({"messages": {"groupChat": {"mentionPatterns": ["good", "(?=x)bad"]}}});
    let (_server, gateway) = with_bot(&telegram, more, vec![]);
    let told = printed(&gateway.cli(&["doctor", "--non-interactive"])).0;
    assert!(told.contains("(?=x)bad") && !told.contains("\"good\""), "{told}");
}

/// Business accounts and inline queries are no messages to the bot: passed over, and told of once.
#[test]
fn i11_11_what_is_not_written_to_the_bot_is_passed_over_and_told_once() {
    let telegram = ann();
    let message = json!({"message_id": 5, "date": 1, "chat": {"id": 1001, "type": "private"},
        "from": {"id": 1001, "is_bot": false, "first_name": "Ann"}, "business_connection_id": "b", "text": "hi"});
    for _ in 0..3 {
        telegram.update("business_message", message.clone());
        telegram.update("inline_query", json!({"id": "1", "query": "x"}));
    }
    // The first poll says which kinds are wanted from then on; what waits already comes all the same.
    let (server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    telegram.says(1001, 1001, "hi");
    said(&telegram, 1001, 1);
    assert_eq!(server.count(), 1);
    for kind in ["business_message", "inline_query"] {
        wait_for("the log", || gateway.log().contains(kind).then_some(()));
        assert_eq!(
            gateway.log().matches(&format!("{kind}\\\" are passed over")).count().max(1),
            1,
            "{}",
            gateway.log()
        );
    }
}

#[test]
fn i11_7_onboarding_takes_a_bot_by_options_and_shows_no_token() {
    let telegram = ann();
    let dir = gateway::new_dir();
    std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
    let path = dir.join("home/.openclaw/openclaw.json");
    let start = json!({"channels": {"telegram": {"apiRoot": telegram.root()}}}).to_string();
    let run = |args: &[&str], input: &str| {
        std::fs::write(&path, &start).unwrap();
        let mut command = gateway::command(&dir);
        command.args(["onboard", "--non-interactive", "--accept-risk", "--skip-health"]).args(args);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Whoever does not read it is gone already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let (shown, told) = printed(&output);
        assert!(!shown.contains(BOT_TOKEN) && !told.contains(BOT_TOKEN), "{shown}{told}");
        (output.status.success(), shown + &told, std::fs::read_to_string(&path).unwrap())
    };
    let (is_good, shown, config) =
        run(&["--telegram-token", "-", "--telegram-owner", "1001"], &format!("{BOT_TOKEN}\n"));
    assert!(
        is_good && shown.contains("@test_bot") && config.contains(BOT_TOKEN) && config.contains("\"1001\""),
        "{shown} {config}"
    );
    let file = dir.join("bot.token");
    std::fs::write(&file, BOT_TOKEN).unwrap();
    let (is_good, shown, config) = run(&["--telegram-token-file", file.to_str().unwrap()], "");
    assert!(
        is_good && shown.contains("pairing approve telegram") && config.contains("tokenFile"),
        "{shown} {config}"
    );
    assert!(!config.contains(BOT_TOKEN));
    for (args, want) in [
        (&["--telegram-token", "5555:AAunknown_unknown_unknown_unknown"][..], "does not know"),
        (&["--telegram-owner", "1001"], "needs --telegram-token"),
        (&["--telegram-token", "-", "--telegram-owner", "@ann"], "names can change hands"),
        (
            &["--telegram-token", "-", "--mode", "remote", "--remote-url", "ws://127.0.0.1:1"],
            "needs --mode local",
        ),
    ] {
        let (is_good, shown, config) = run(args, BOT_TOKEN);
        assert!(!is_good && shown.contains(want) && config == start, "{args:?}: {shown}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}
