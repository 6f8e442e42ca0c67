//! Slash commands by `chat.send`: answered without the model, with effect on the session, in the sender's scopes.
use crate::harness::client::scoped;
use crate::harness::model::{last_user_text, texts};
use crate::harness::*;

const KEY: &str = "agent:main:main";

struct Chat {
    client: Client,
    next: u32,
}

impl Chat {
    fn new(gateway: &Gateway) -> Chat {
        Chat { client: Client::operator(gateway, 4), next: 0 }
    }

    /// Sends to the main session and waits for the end: the text of its final `chat` event.
    fn say(&mut self, text: &str) -> String {
        self.next += 1;
        let run = format!("say-{}", self.next);
        let params = json!({"sessionKey": "main", "message": text, "idempotencyKey": run});
        assert_eq!(self.client.ok("chat.send", params)["status"], "started", "{text}");
        let end = self.client.event_where("chat", |p| p["runId"] == run.as_str() && p["state"] != "delta");
        assert_eq!(end["state"], "final", "{text}: {end}");
        assert_eq!(end["sessionKey"], KEY, "{text}: {end}");
        end["message"]["content"][0]["text"].as_str().unwrap_or_default().to_string()
    }

    fn entry(&mut self) -> Value {
        let list = self.client.ok("sessions.list", json!({}));
        list["sessions"].as_array().unwrap().iter().find(|s| s["key"] == KEY).cloned().unwrap_or_default()
    }
}

fn start(config: Value) -> (ModelServer, Gateway) {
    let server = ModelServer::start(vec![Reply::Stream(vec![Step::Echo, Step::Done])]);
    let mut all = server.config();
    let model = |id: &str, reasons: bool| json!({"id": id, "reasoning": reasons, "contextWindow": 32_000});
    all["models"]["providers"]["test"]["models"] = json!([model("m", false), model("deep", true)]);
    merge(&mut all, &config);
    (server, Gateway::start(&Setup::config(all)))
}

#[test]
fn commands_are_answered_without_the_model() {
    let (server, gateway) = start(json!({}));
    let mut chat = Chat::new(&gateway);
    for (text, want) in [
        ("/help", "/new"),
        ("/commands", "/queue"),
        ("/status", "test/m"),
        ("/whoami", "webchat"),
        ("/id", "operator.admin"),
        ("/context", "Workspace files"),
        ("/context json", "\"sessionKey\":\"agent:main:main\""),
        ("/models", "test: 2"),
        ("/models test", "test/deep"),
        ("/model", "test/m"),
        ("/model list", "1. test/deep"),
        ("/model status", "openai-completions"),
        ("/usage cost", "session"),
        ("/bash ls", "runs no commands"),
        ("! ls", "runs no commands"),
        ("/elevated on", "tools.elevated"),
        ("/exec host=node node=x", "tools.exec.node"),
        ("/exec", "security=allowlist"),
        ("/config show", "commands.config"),
        ("/debug show", "commands.debug"),
        ("/restart", "commands.restart"),
        ("/approve 1 deny", "unknown approval id"),
        ("/activation always", "only groups"),
    ] {
        let answer = chat.say(text);
        assert!(answer.contains(want), "{text}: {answer}");
    }
    assert_eq!(server.count(), 0, "no command asks the model");
    let history = chat.client.ok("chat.history", json!({"sessionKey": "main"}));
    let messages = history["messages"].as_array().unwrap();
    assert!(messages.iter().all(|m| m["role"] == "assistant"), "the command itself is not stored: {history}");
    let last = messages.last().unwrap();
    assert_eq!((&last["provider"], &last["model"]), (&json!("openclaw"), &json!("gateway-injected")));
}

#[test]
fn anything_else_with_a_slash_goes_to_the_model() {
    let (_server, gateway) = start(json!({}));
    let mut chat = Chat::new(&gateway);
    for text in ["/unknowncmd foo", "/tmp/think high", "/stop please", "/status of the world", "!!!"] {
        assert!(chat.say(text).contains(text), "{text}");
    }
}

#[test]
fn settings_are_kept_and_wrong_values_change_nothing() {
    let (_server, gateway) = start(json!({}));
    let mut chat = Chat::new(&gateway);
    for (text, member, want) in [
        ("/think high", "thinkingLevel", json!("high")),
        ("/t: x-high", "thinkingLevel", json!("xhigh")),
        ("/think big", "thinkingLevel", json!("xhigh")),
        ("/think", "thinkingLevel", json!("xhigh")),
        ("/verbose full", "verboseLevel", json!("full")),
        ("/v sometimes", "verboseLevel", json!("full")),
        ("/reasoning stream", "reasoningLevel", json!("stream")),
        ("/reasoning off", "reasoningLevel", Value::Null),
        ("/usage", "responseUsage", json!("tokens")),
        ("/usage", "responseUsage", json!("full")),
        ("/usage bogus", "responseUsage", json!("full")),
        ("/usage", "responseUsage", Value::Null),
    ] {
        let answer = chat.say(text);
        assert_eq!(chat.entry()[member], want, "{text}: {answer}");
    }
    assert!(chat.say("/think big").contains("minimal"), "a wrong value gives the choices");
    assert!(chat.say("/think").contains("not marked as a model that reasons"));
    // T3-4: a level that the server is not told.
    chat.say("/model test/deep");
    assert!(chat.say("/think high").contains("compat.supportsReasoningEffort"));
    chat.say("/model default");
    assert!(chat.say("/queue steer cap:3").contains("steer"));
    assert!(chat.say("/queue").contains("cap 3"));
    assert!(chat.say("/queue sideways").contains("Nothing was changed"));
    assert!(chat.say("/queue default").contains("collect"));
}

#[test]
fn a_model_is_chosen_by_name_number_or_short_name() {
    let (server, gateway) = start(json!({"agents": {"defaults": {"models": {
        "test/m": {}, "test/deep": {"alias": "Deep"}}}}}));
    let mut chat = Chat::new(&gateway);
    let used = |chat: &mut Chat, n: usize| {
        chat.say("hi");
        server.requests(n)[n - 1]["body"]["model"].clone()
    };
    assert!(chat.say("/model test/deep").contains("test/deep"));
    assert_eq!(used(&mut chat, 1), "deep");
    assert!(chat.say("/model default").contains("test/m"));
    assert_eq!(used(&mut chat, 2), "m");
    chat.say("/model 1");
    assert_eq!(used(&mut chat, 3), "deep");
    assert!(chat.say("/model test/other").contains("agents.defaults.models"));
    assert!(chat.say("/model 9").contains("2 entries"));
    assert_eq!(used(&mut chat, 4), "deep");
    chat.say("/model test/m");
    chat.say("/deep");
    assert_eq!(used(&mut chat, 5), "deep");
    // T3-1: one judgement for both ways to choose.
    let patch = |model: Value| json!({"key": "main", "model": model});
    let error = chat.client.fails("sessions.patch", patch("test/other".into()));
    assert!(
        error["message"].as_str().unwrap().contains("agents.defaults.models does not list it"),
        "{error}"
    );
    assert_eq!(used(&mut chat, 6), "deep");
    chat.client.ok("sessions.patch", patch("test/m".into()));
    assert_eq!(used(&mut chat, 7), "m");
    chat.client.ok("sessions.patch", patch("DEEP".into()));
    assert_eq!(used(&mut chat, 8), "deep");
    chat.client.ok("sessions.patch", patch(Value::Null));
    assert_eq!(used(&mut chat, 9), "m");
}

/// T2, item 7: the configuration may forbid later what a session chose.
#[test]
fn b_a_choice_that_is_no_longer_listed_gives_way_to_the_agents_own_model() {
    let server = ModelServer::start(vec![texts(&["fine"])]);
    let mut config = server.config();
    merge(&mut config, &json!({"agents": {"defaults": {"models": {"test/m": {}}}}}));
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    let index = json!({KEY: {"sessionId": "0b7e4a55-0000-4000-8000-000000000001", "updatedAt": now,
        "providerOverride": "test", "modelOverride": "deep"}});
    let setup = Setup::config(config).file("agents/main/sessions/sessions.json", index.to_string());
    let gateway = Gateway::start(&setup);
    let mut chat = Chat::new(&gateway);
    chat.say("hi");
    let body = server.requests(1)[0]["body"].clone();
    assert_eq!(body["model"], "m");
    assert!(body.to_string().contains("test/deep is no longer among"), "{body}");
    assert!(chat.entry().get("modelOverride").is_none());
    assert!(chat.say("/model").contains("test/m"));
}

#[test]
fn new_and_reset_start_a_session_and_go_on() {
    let (server, gateway) = start(json!({"session": {"resetTriggers": ["clean slate"]}}));
    let mut chat = Chat::new(&gateway);
    chat.say("remember the word heron");
    chat.say("/verbose on");
    let mut id = chat.entry()["sessionId"].clone();
    for (n, (text, want)) in
        [("/new hello", "hello"), ("/reset: hello", "hello"), ("Clean SLATE hello", "hello")]
            .into_iter()
            .enumerate()
    {
        assert!(chat.say(text).contains(want), "{text}");
        let request = &server.requests(n + 2)[n + 1]["body"];
        assert!(!request["messages"].to_string().contains("heron"), "{text}: {request}");
        let entry = chat.entry();
        assert_ne!(entry["sessionId"], id, "{text}");
        assert_eq!(entry["verboseLevel"], "on", "{text}: settings stay");
        id = entry["sessionId"].clone();
    }
    assert!(chat.say("/new").contains("Greet"), "the model is asked to greet");
    let request = &server.requests(5)[4]["body"];
    assert!(!last_user_text(request).contains("/new"), "{request}");
    assert!(
        !chat.say("/new test/deep say hi").contains("test/deep"),
        "the model's name is not part of the message"
    );
    assert_eq!(server.requests(6)[5]["body"]["model"], "deep");
}

#[test]
fn directives_in_other_text_hold_for_that_message() {
    let (server, gateway) = start(json!({}));
    let mut chat = Chat::new(&gateway);
    let answer = chat.say("please /verbose full /model test/deep count `/think high`");
    assert!(answer.contains("please count `/think high`"), "{answer}");
    assert_eq!(server.requests(1)[0]["body"]["model"], "deep");
    let entry = chat.entry();
    assert_eq!((&entry["verboseLevel"], &entry["thinkingLevel"]), (&Value::Null, &Value::Null), "{entry}");
    chat.say("hi");
    assert_eq!(server.requests(2)[1]["body"]["model"], "m");
}

#[test]
fn directives_alone_change_the_session() {
    let (server, gateway) = start(json!({}));
    let mut chat = Chat::new(&gateway);
    let answer = chat.say("/think high /verbose on");
    assert!(answer.contains("high") && answer.contains("Verbose is now on"), "{answer}");
    let entry = chat.entry();
    assert_eq!((&entry["thinkingLevel"], &entry["verboseLevel"]), (&json!("high"), &json!("on")));
    assert_eq!(server.count(), 0);
}

#[test]
fn send_off_can_be_undone_from_the_chat() {
    let (server, gateway) = start(json!({}));
    let mut chat = Chat::new(&gateway);
    assert!(chat.say("/send off").contains("off"));
    let params = json!({"sessionKey": "main", "message": "hi", "idempotencyKey": "blocked"});
    assert_eq!(chat.client.fails("chat.send", params)["message"], "send blocked by session policy");
    assert!(chat.say("/send").contains("off"));
    assert!(chat.say("/send on").contains("on"));
    chat.say("hi");
    assert_eq!(server.count(), 1);
}

#[test]
fn compact_is_done_by_the_model() {
    let server =
        ModelServer::start(vec![texts(&["an answer"]), texts(&["an answer"]), texts(&["the summary"])]);
    let gateway = Gateway::start(&Setup::config(server.config()));
    let mut chat = Chat::new(&gateway);
    chat.say(&"a long story ".repeat(500));
    chat.say(&"another story ".repeat(500));
    chat.say("/compact keep the names");
    assert!(server.requests(3)[2]["body"].to_string().contains("keep the names"));
}

#[test]
fn sec_11_commands_run_with_the_senders_scopes() {
    let (server, gateway) = start(json!({}));
    let send = |client: &mut Client, text: &str, key: &str| {
        client.call("chat.send", json!({"sessionKey": "main", "message": text, "idempotencyKey": key}))
    };
    let mut writer = Client::with(&gateway, scoped(&["operator.write"])).0;
    let admin_only = ["/send off", "/config show", "/debug show", "/restart", "/bash ls", "! ls", "/exec x"];
    for (n, text) in admin_only.into_iter().enumerate() {
        let run = format!("a{n}");
        // Refused at once, or as the end of what was accepted.
        let refusal = match send(&mut writer, text, &run) {
            Err(error) => error["message"].clone(),
            Ok(_) => writer.event_where("chat", |p| p["runId"] == run.as_str())["errorMessage"].clone(),
        };
        let refusal = refusal.as_str().unwrap_or_default();
        assert!(refusal.starts_with("missing scope: operator.admin"), "{text}: {refusal}");
    }
    assert_eq!(send(&mut writer, "/think high", "w").unwrap()["status"], "started");
    writer.event_where("chat", |p| p["runId"] == "w" && p["state"] == "final");
    let mut reader = Client::with(&gateway, scoped(&["operator.read"])).0;
    for (n, text) in ["/help", "/think low", "/new", "/send off"].into_iter().enumerate() {
        assert!(send(&mut reader, text, &format!("r{n}")).is_err(), "{text}");
    }
    let mut chat = Chat::new(&gateway);
    let entry = chat.entry();
    assert_eq!((&entry["thinkingLevel"], &entry["sendPolicy"]), (&json!("high"), &Value::Null), "{entry}");
    assert_eq!(server.count(), 0);
}

// N-33: what begins with a slash is a command at the command line too; all else is text.
#[test]
fn n_33_commands_are_given_at_the_command_line() {
    let server = ModelServer::start(vec![
        texts(&["hello"]),
        texts(&["greetings"]),
        Reply::Stream(vec![Step::Gate, Step::Done]),
        Reply::Stream(vec![Step::Echo, Step::Done]),
    ]);
    let gateway = Gateway::start(&Setup::config(server.config()));
    let say = |text: &str| crate::cli::out(&gateway, &["agent", "-m", text, "--no-stream"]);
    let id = || crate::cli::json_of(&gateway, &["sessions", "--json"])["sessions"][0]["sessionId"].clone();
    assert!(say("/status").contains("test/m"));
    assert!(say("/stop").contains("Nothing is running."));
    assert_eq!(server.count(), 0, "the model is not asked");
    assert!(say("hi").contains("hello"));
    let old = id();
    assert!(say("/new").contains("greetings"));
    assert!(id() != old, "a new conversation");
    crate::cli::out(&gateway, &["agent", "-m", "go on", "--no-wait"]);
    wait_for("the model to be asked", || (server.count() == 3).then_some(()));
    assert!(say("/stop").contains("Stopped."));
    assert!(say("stop").trim().ends_with("] stop"), "a word without a slash is text");
    assert!(
        !gateway.log().contains("model=/") && !gateway.log().contains("model=\\\"/"),
        "{}",
        gateway.log()
    );
    let help = crate::cli::out(&gateway, &["agent", "--help"]);
    assert!(help.contains("/stop") && help.contains("/new") && help.contains("Ctrl-C"), "{help}");
}
