//! Issue 13, sentence 2: heartbeats and wakes: when they come, what they cost, who is told, and what they leave behind.
use super::cli::{fails, json_of, out};
use super::harness::model::texts;
use super::harness::telegram::Telegram;
use super::harness::*;
use super::telegram::{ann, said, with_bot};

const TASK: &str = "# Heartbeat\n\n- look at the cellar\n";

/// Heartbeats set so, a model that answers so, and this HEARTBEAT.md.
fn start(beat: Value, file: &str, replies: Vec<Reply>, more: Value) -> (ModelServer, Gateway) {
    let model = ModelServer::start(replies);
    let mut config = model.config();
    merge(&mut config, &json!({"agents": {"defaults": {"heartbeat": beat}}}));
    merge(&mut config, &more);
    let gateway = Gateway::start(&Setup::config(config).file("workspace/HEARTBEAT.md", file));
    (model, gateway)
}

/// The same with Ann's bot, who has said hello.
fn with_ann(beat: Value, telegram: &Telegram, replies: Vec<Reply>, more: Value) -> (ModelServer, Gateway) {
    let mut config = json!({"agents": {"defaults": {"heartbeat": beat}}});
    merge(&mut config, &more);
    let replies = [vec![texts(&["hello"])], replies].concat();
    let (model, gateway) = with_bot(telegram, config, replies);
    let place = gateway.state_dir().join("workspace");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join("HEARTBEAT.md"), TASK).unwrap();
    telegram.says(1001, 1001, "hi");
    said(telegram, 1001, 1);
    (model, gateway)
}

fn wake(client: &mut Client, text: &str) {
    assert_eq!(client.ok("wake", json!({"mode": "now", "text": text})), json!({"ok": true}));
}

/// All frames that come within this time, or came.
fn seen(client: &mut Client, ms: u64) -> Vec<Value> {
    client.collect(Duration::from_millis(ms));
    client.kept()
}

fn beat(client: &mut Client) -> Value {
    client.event_where("heartbeat", |_| true)
}

fn asked(model: &ModelServer, n: usize) -> String {
    let requests = model.requests(n);
    requests[n - 1]["body"]["messages"].as_array().unwrap().last().unwrap()["content"].to_string()
}

fn tools(model: &ModelServer, n: usize) -> Vec<String> {
    let requests = model.requests(n);
    let tools = requests[n - 1]["body"]["tools"].as_array().unwrap().iter();
    tools.map(|tool| tool["function"]["name"].as_str().unwrap().to_string()).collect()
}

fn main_entry(client: &mut Client) -> Value {
    let list = client.ok("sessions.list", json!({}));
    list["sessions"].as_array().unwrap().iter().find(|row| row["key"] == "agent:main:main").cloned().unwrap()
}

#[test]
fn i13_2_heartbeats_come_by_themselves_and_an_empty_file_costs_nothing() {
    let every = json!({"every": "1s"});
    let replies = vec![texts(&["**HEARTBEAT_OK**"]), texts(&["The cellar is wet"])];
    let (model, gateway) = start(every.clone(), TASK, replies, json!({}));
    let mut client = Client::operator(&gateway, 4);
    assert_eq!(client.ok("last-heartbeat", json!({})), Value::Null);
    let ok = beat(&mut client);
    let want = json!({"ts": ok["ts"], "status": "ok-token", "reason": "interval", "durationMs": ok["durationMs"],
        "silent": true, "indicatorType": "ok"});
    assert_eq!(ok, want);
    assert!(asked(&model, 1).contains("HEARTBEAT.md") && asked(&model, 1).contains("Current time: "));
    let tools = tools(&model, 1);
    let has = |name: &str| tools.iter().any(|tool| tool == name);
    assert!(has("sessions_list") && !has("exec") && !has("cron"), "the clock's: {tools:?}");
    let told = beat(&mut client);
    assert_eq!((&told["status"], &told["reason"]), (&json!("skipped"), &json!("no-target")));
    assert_eq!(told["preview"], "The cellar is wet");
    client.event_where("chat", |e| e["state"] == "final" && e["message"].to_string().contains("wet"));
    let health = client.ok("health", json!({}));
    let row = &health["agents"][0]["heartbeat"];
    assert_eq!(
        (&health["heartbeatSeconds"], &row["enabled"], &row["everyMs"]),
        (&json!(1), &json!(true), &json!(1000))
    );
    assert_eq!(client.ok("status", json!({}))["heartbeat"]["agents"][0]["every"], "1s");
    assert!(out(&gateway, &["health"]).contains("Heartbeat interval: 1s (main)"));

    // What a setup writes is no task.
    let (model, gateway) =
        start(every, include_str!("../src/workspace/HEARTBEAT.md"), vec![texts(&["Noted"])], json!({}));
    let mut client = Client::operator(&gateway, 4);
    for _ in 0..2 {
        let told = beat(&mut client);
        assert_eq!((&told["status"], &told["reason"]), (&json!("skipped"), &json!("empty-heartbeat-file")));
    }
    assert_eq!(model.count(), 0);
    // But what was noted for the next one is looked at.
    let job = json!({"schedule": {"kind": "at", "at": (now() + 300).to_string()}, "text": "Water the plants",
        "wakeMode": "next-heartbeat"});
    client.ok("cron.add", job);
    assert!(asked(&model, 1).contains("Water the plants"), "{}", asked(&model, 1));
}

fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64
}

#[test]
fn i13_2_what_it_says_is_sent_where_the_owner_was_last_once_a_day_and_an_ack_leaves_no_trace() {
    let telegram = ann();
    let words = [
        "HEARTBEAT_OK all quiet\nMEDIA: none",
        "The cellar is wet",
        "The cellar is wet",
        "The cellar is wet",
    ];
    let (model, gateway) = with_ann(
        json!({"every": "3s"}),
        &telegram,
        words.iter().map(|text| texts(&[text])).collect(),
        json!({}),
    );
    let mut client = Client::operator(&gateway, 4);
    let before = main_entry(&mut client)["updatedAt"].clone();
    assert_eq!(beat(&mut client)["status"], "ok-token");
    assert_eq!(main_entry(&mut client)["updatedAt"], before, "as if nobody had looked");
    let sent = beat(&mut client);
    let want = json!({"ts": sent["ts"], "status": "sent", "durationMs": sent["durationMs"], "preview": "The cellar is wet",
        "hasMedia": false, "channel": "telegram", "accountId": "default", "to": "telegram:1001", "indicatorType": "alert"});
    assert_eq!(sent, want);
    assert_eq!(said(&telegram, 1001, 2), ["hello", "The cellar is wet"]);
    assert!(main_entry(&mut client)["updatedAt"].as_u64() > before.as_u64());
    let again = beat(&mut client);
    assert_eq!((&again["status"], &again["reason"]), (&json!("skipped"), &json!("duplicate")));
    client.ok("set-heartbeats", json!({"enabled": false}));
    client.ok("set-heartbeats", json!({"enabled": true}));
    // What came in is answered, be it in the same words.
    wake(&mut client, "Is the cellar dry?");
    assert_eq!(beat(&mut client)["status"], "sent");
    assert_eq!(said(&telegram, 1001, 3).len(), 3);
    assert_eq!(model.count(), 5);
    let index = std::fs::read_to_string(gateway.sessions_dir().join("sessions.json")).unwrap();
    let entry = serde_json::from_str::<Value>(&index).unwrap()["agent:main:main"].clone();
    assert!(
        entry["lastHeartbeatText"] == "The cellar is wet" && entry["lastHeartbeatSentAt"].is_u64(),
        "{entry}"
    );
}

#[test]
fn i13_2_targets_accounts_and_what_channels_show() {
    let cases = [
        (json!({"target": "none"}), json!({}), "It burns", "skipped", "target-none", None),
        (json!({"accountId": "nobody"}), json!({}), "It burns", "skipped", "unknown-account", None),
        (
            json!({"target": "telegram", "to": "1002"}),
            json!({}),
            "It burns",
            "sent",
            "",
            Some((1002, "It burns")),
        ),
        (
            json!({}),
            json!({"showOk": true}),
            "HEARTBEAT_OK",
            "ok-token",
            "wake",
            Some((1001, "HEARTBEAT_OK")),
        ),
        (json!({}), json!({"showAlerts": false}), "It burns", "skipped", "alerts-disabled", None),
        (
            json!({}),
            json!({"showAlerts": false, "useIndicator": false}),
            "",
            "skipped",
            "alerts-disabled",
            None,
        ),
    ];
    for (set, shown, answer, status, reason, want) in cases {
        let telegram = ann();
        telegram.user(1002, "Bob", "bob");
        let more = json!({"channels": {"telegram": {"heartbeat": shown}}});
        let replies = vec![texts(&[answer])];
        let (model, gateway) = with_ann(set.clone(), &telegram, replies, more);
        let mut client = Client::operator(&gateway, 4);
        wake(&mut client, "Look");
        let told = beat(&mut client);
        assert_eq!(
            (&told["status"], told["reason"].as_str().unwrap_or_default()),
            (&json!(status), reason),
            "{told}"
        );
        let expected = usize::from(!answer.is_empty()) + 1;
        assert_eq!(model.count(), expected, "{set} {shown}");
        match want {
            Some((chat, text)) => {
                let seen = said(&telegram, chat, if chat == 1001 { 2 } else { 1 });
                assert_eq!(seen.last().map(String::as_str), Some(text), "{set}");
            }
            None => assert_eq!(telegram.texts(1001).len(), 1, "{set} {shown}"),
        }
        assert_eq!(client.ok("last-heartbeat", json!({})), told);
    }
}

#[test]
fn i13_2_reasoning_goes_with_it_where_that_is_wanted_and_a_failure_is_told() {
    let telegram = ann();
    let thinks = Reply::Stream(vec![
        Step::Think("Water runs down".into()),
        Step::Text("It is wet".into()),
        Step::Done,
    ]);
    let wrong = Reply::Status(400, vec![], r#"{"error":{"message":"no such model"}}"#.into());
    let (_model, gateway) =
        with_ann(json!({"includeReasoning": true}), &telegram, vec![thinks, wrong], json!({}));
    let mut client = Client::operator(&gateway, 4);
    wake(&mut client, "Look");
    assert_eq!(beat(&mut client)["status"], "sent");
    assert_eq!(said(&telegram, 1001, 3)[1..], ["Reasoning:\nWater runs down", "It is wet"]);
    wake(&mut client, "Look again");
    let failed = beat(&mut client);
    assert_eq!((&failed["status"], &failed["indicatorType"]), (&json!("failed"), &json!("error")));
    assert!(failed["reason"].as_str().unwrap().contains("no such model"), "{failed}");
    assert_eq!(telegram.texts(1001).len(), 3);
}

#[test]
fn i13_2_wakes_are_gathered_wait_for_a_busy_session_and_rest_while_heartbeats_are_off() {
    let slow = Reply::Stream(vec![Step::Text("one".into()), Step::Gate, Step::Done]);
    let (model, gateway) = start(json!({}), "", vec![slow, texts(&["HEARTBEAT_OK"])], json!({}));
    let mut client = Client::operator(&gateway, 4);
    assert_eq!(client.ok("wake", json!({"mode": "now", "text": " "})), json!({"ok": false}));
    for params in [
        json!({"mode": "soon", "text": "t"}),
        json!({"mode": "now"}),
        json!({"mode": "now", "text": "t", "x": 1}),
    ] {
        assert_eq!(client.fails("wake", params)["code"], "INVALID_REQUEST");
    }
    let told = client.fails("set-heartbeats", json!({"enabled": "yes"}));
    assert_eq!(told["message"], "invalid set-heartbeats params: enabled (boolean) required");
    client.ok("chat.send", json!({"sessionKey": "main", "message": "hello", "idempotencyKey": "k"}));
    model.requests(1);
    ["first", "second", "third"].iter().for_each(|text| wake(&mut client, text));
    client.collect(Duration::from_millis(700));
    assert_eq!(model.count(), 1, "not while the session is busy");
    model.release();
    let noted = asked(&model, 2);
    assert!(["first", "second", "third"].iter().all(|text| noted.contains(&format!("] {text}"))), "{noted}");
    assert_eq!(beat(&mut client)["status"], "ok-token");
    // No `chat` of it for those who read along, as it has nothing to tell.
    let seen = seen(&mut client, 500);
    assert!(
        !seen.iter().any(|f| f["event"] == "chat" && f["payload"]["runId"].to_string().contains("heartbeat")),
        "{seen:?}"
    );
    assert_eq!(model.count(), 2);

    assert_eq!(client.ok("set-heartbeats", json!({"enabled": false})), json!({"ok": true, "enabled": false}));
    wake(&mut client, "for later");
    client.collect(Duration::from_millis(600));
    assert_eq!(model.count(), 2);
    let status = client.ok("status", json!({}));
    assert_eq!(status["queuedSystemEvents"], json!(["for later"]));
    assert_eq!(status["heartbeat"]["agents"][0]["enabled"], json!(false));
    assert!(out(&gateway, &["health"]).contains("Heartbeat interval: disabled (main)"));
    // An in-process restart forgets neither.
    client.ok("gateway.restart.request", json!({"reason": "test"}));
    client.event("shutdown");
    let mut client = Client::operator(&gateway, 4);
    let status = client.ok("status", json!({}));
    assert_eq!(status["queuedSystemEvents"], json!(["for later"]));
    assert_eq!(status["heartbeat"]["agents"][0]["enabled"], json!(false));
    assert_eq!(client.ok("last-heartbeat", json!({}))["status"], "ok-token");
    client.ok("set-heartbeats", json!({"enabled": true}));
    assert!(asked(&model, 3).contains("for later"), "a wake that waited is looked at then");
    assert_eq!(beat(&mut client)["reason"], "wake");
}

/// By the clock of UTC an hour that is now, or one that is not.
fn hours(is_now: bool) -> Value {
    let hour = now() / 3_600_000 % 24;
    let at = |hour: u64| format!("{:02}:00", hour % 24);
    let from = if is_now { hour + 23 } else { hour + 10 };
    json!({"start": at(from), "end": at(from + 4), "timezone": "UTC"})
}

#[test]
fn i13_2_nothing_comes_outside_of_the_active_hours_and_a_change_holds_at_once() {
    let (model, gateway) = start(
        json!({"every": "1s", "activeHours": hours(false)}),
        TASK,
        vec![texts(&["HEARTBEAT_OK"])],
        json!({}),
    );
    let mut client = Client::operator(&gateway, 4);
    wake(&mut client, "in the night");
    let seen = seen(&mut client, 2500);
    assert!(!seen.iter().any(|frame| frame["event"] == "heartbeat"), "{seen:?}");
    assert_eq!(model.count(), 0);
    let hash = client.ok("config.get", json!({}))["hash"].clone();
    let raw = json!({"agents": {"defaults": {"heartbeat": {"activeHours": hours(true)}}}}).to_string();
    client.ok("config.patch", json!({"raw": raw, "baseHash": hash}));
    assert!(asked(&model, 1).contains("in the night"), "what waited is told");
}

/// Without an interval that would come by: the wake itself waits for the hours.
#[test]
fn i13_2_a_wake_outside_of_the_active_hours_is_looked_at_when_they_are_there() {
    let night = json!({"every": "0m", "activeHours": hours(false)});
    let (model, gateway) = start(night, TASK, vec![texts(&["HEARTBEAT_OK"])], json!({}));
    let mut client = Client::operator(&gateway, 4);
    wake(&mut client, "in the night");
    client.collect(Duration::from_millis(700));
    assert_eq!(model.count(), 0);
    let hash = client.ok("config.get", json!({}))["hash"].clone();
    let raw = json!({"agents": {"defaults": {"heartbeat": {"activeHours": hours(true)}}}}).to_string();
    client.ok("config.patch", json!({"raw": raw, "baseHash": hash}));
    assert!(asked(&model, 1).contains("in the night"), "{}", asked(&model, 1));
    assert_eq!(beat(&mut client)["reason"], "wake");
}

/// A model that says nothing has nothing to tell, and a word that only begins like the token is a word.
#[test]
fn i13_2_an_empty_answer_is_none_and_a_longer_word_is_no_token() {
    let telegram = ann();
    let replies = vec![Reply::Stream(vec![Step::Done]), texts(&["HEARTBEAT_OKAY then"])];
    let once = json!({"models": {"providers": {"test": {"retries": 0}}}});
    let (_model, gateway) = with_ann(json!({}), &telegram, replies, once);
    let mut client = Client::operator(&gateway, 4);
    wake(&mut client, "Look");
    let told = beat(&mut client);
    assert_eq!((&told["status"], &told["indicatorType"]), (&json!("ok-empty"), &json!("ok")), "{told}");
    wake(&mut client, "Look again");
    assert_eq!(beat(&mut client)["status"], "sent");
    assert_eq!(said(&telegram, 1001, 2)[1], "HEARTBEAT_OKAY then");
}

#[test]
fn i13_2_each_agent_has_its_own_and_only_those_with_a_section() {
    let list = json!({"agents": {"list": [{"id": "main", "default": true},
        {"id": "ops", "heartbeat": {"every": "1s", "prompt": "Look at the racks", "session": "watch"}}]}});
    let (model, gateway) = start(json!({"every": "1s"}), TASK, vec![texts(&["HEARTBEAT_OK"])], list);
    let mut client = Client::operator(&gateway, 4);
    beat(&mut client);
    beat(&mut client);
    assert!(asked(&model, 1).contains("Look at the racks"), "{}", asked(&model, 1));
    let sessions = client.ok("sessions.list", json!({})).to_string();
    assert!(sessions.contains("agent:ops:watch") && !sessions.contains("agent:main:main"), "{sessions}");
    let health = client.ok("health", json!({}));
    let row = |agent: &str| {
        health["agents"].as_array().unwrap().iter().find(|row| row["agentId"] == agent).unwrap()["heartbeat"]
            .clone()
    };
    assert_eq!((&row("main")["every"], &row("main")["everyMs"]), (&json!("disabled"), &Value::Null));
    assert_eq!((&row("ops")["every"], &row("ops")["enabled"]), (&json!("1s"), &json!(true)));
    assert_eq!(health["heartbeatSeconds"], json!(0), "the default agent has none");
}

/// SEC-34: what a webhook wakes is done on a webhook's authority, also where the clock comes along.
#[test]
fn sec_34_a_heartbeat_for_a_webhook_has_no_more_than_a_webhook() {
    let more = crate::hooks::hooks(json!({}));
    let (model, gateway) = start(json!({"every": "2s"}), TASK, vec![texts(&["HEARTBEAT_OK"])], more);
    let later = json!({"text": "The oven is hot", "mode": "next-heartbeat"});
    assert_eq!(crate::hooks::post(&gateway, "/hooks/wake", later).0, 200);
    let mut client = Client::operator(&gateway, 4);
    assert_eq!(beat(&mut client)["reason"], "interval");
    let asked = asked(&model, 1);
    assert!(asked.contains("The oven is hot") && asked.contains("EXTERNAL_UNTRUSTED_CONTENT"), "{asked}");
    let tools = tools(&model, 1);
    for kept in ["exec", "process", "cron", "sessions_list", "sessions_send"] {
        assert!(!tools.iter().any(|tool| tool == kept), "{kept}: {tools:?}");
    }
    assert!(self::tools(&model, 2).iter().any(|tool| tool == "sessions_list"), "the next is the clock's own");
}

/// What was only told before is looked at all the same when somebody wants it to be.
#[test]
fn i13_2_words_that_were_noted_already_still_call() {
    let empty = include_str!("../src/workspace/HEARTBEAT.md");
    let (model, gateway) = start(json!({"every": "1h"}), empty, vec![texts(&["HEARTBEAT_OK"])], json!({}));
    let mut client = Client::operator(&gateway, 4);
    client.ok("system-event", json!({"text": "The pump is loud"}));
    wake(&mut client, "The pump is loud");
    assert_eq!(beat(&mut client)["status"], "ok-token");
    let asked = asked(&model, 1);
    assert_eq!(asked.matches("The pump is loud").count(), 1, "{asked}");
}

#[test]
fn i13_2_one_that_was_killed_is_not_done_again() {
    let (model, mut gateway) = start(json!({"every": "1s"}), TASK, vec![Reply::Hang], json!({}));
    model.requests(1);
    let path = gateway.config_path();
    gateway.kill();
    let text = std::fs::read_to_string(&path).unwrap().replace("\"1s\"", "\"1h\"");
    std::fs::write(&path, text).unwrap();
    gateway.restart();
    let mut client = Client::operator(&gateway, 4);
    let seen = seen(&mut client, 1500);
    assert!(!seen.iter().any(|frame| frame["event"] == "heartbeat"), "{seen:?}");
    assert_eq!(model.count(), 1);
    let history = client.ok("chat.history", json!({"sessionKey": "main"})).to_string();
    assert_eq!(history.matches("HEARTBEAT.md").count(), 1, "its question stands there once: {history}");
}

#[test]
fn i13_2_the_command_line_has_the_original_s_commands() {
    let (model, gateway) = start(json!({}), TASK, vec![texts(&["HEARTBEAT_OK"])], json!({}));
    assert_eq!(out(&gateway, &["system", "heartbeat", "last"]).trim(), "null");
    assert_eq!(out(&gateway, &["system", "event", "--text", "The backup is done"]).trim(), "ok");
    assert_eq!(model.count(), 0);
    let told = json_of(&gateway, &["system", "event", "--text", "Look", "--mode", "now", "--json"]);
    assert_eq!(told, json!({"ok": true}));
    let asked = asked(&model, 1);
    assert!(asked.contains("The backup is done") && asked.contains("] Look"), "{asked}");
    wait_for("the heartbeat", || {
        Some(json_of(&gateway, &["system", "heartbeat", "last"])).filter(|last| last["status"] == "ok-token")
    });
    assert_eq!(json_of(&gateway, &["system", "heartbeat", "disable"]), json!({"ok": true, "enabled": false}));
    assert_eq!(json_of(&gateway, &["system", "heartbeat", "enable"]), json!({"ok": true, "enabled": true}));
    assert!(json_of(&gateway, &["system", "presence"]).is_array());
    for (args, status, why) in [
        (&["system", "event"][..], 1, "--text"),
        (&["system", "event", "--text", " "], 1, "--text is empty"),
        (&["system", "event", "--text", "x", "--mode", "soon"], 1, "--mode"),
    ] {
        let (code, told) = fails(&gateway, args);
        assert!(code == status && told.contains(why), "{args:?}: {told}");
    }
}

#[test]
fn i13_2_settings_that_are_wrong_are_named() {
    for (set, key) in [
        (json!({"every": "often"}), "agents.defaults.heartbeat.every: expected a duration such as \"30m\""),
        (
            json!({"activeHours": {"start": "8 o'clock", "end": "20:00"}}),
            "agents.defaults.heartbeat.activeHours.start: expected a time of day",
        ),
        (json!({"ackMaxChars": -1}), "agents.defaults.heartbeat.ackMaxChars: expected a whole number"),
    ] {
        let (_model, gateway) = start(json!({}), TASK, vec![texts(&["x"])], json!({}));
        let mut config: Value =
            serde_json::from_str(&std::fs::read_to_string(gateway.config_path()).unwrap()).unwrap();
        merge(&mut config, &json!({"agents": {"defaults": {"heartbeat": set}}}));
        std::fs::write(gateway.config_path(), config.to_string()).unwrap();
        let output = gateway.cli(&["config", "validate"]);
        let (shown, told) = super::cli::text(&output);
        assert!((shown.clone() + &told).contains(key), "{shown}{told}");
    }
    let beat = json!({"target": "pigeon", "activeHours": {"start": "08:00", "end": "20:00", "timezone": "Mars/Base"}});
    let (_model, gateway) = start(beat, TASK, vec![texts(&["x"])], json!({}));
    // The thread that tells it begins when the gateway listens.
    for told in ["agents.defaults.heartbeat.target: ", "agents.defaults.heartbeat.activeHours.timezone: "] {
        wait_for(told, || gateway.log().contains(told).then_some(()));
    }
}

/// Issue 12.1: lists, previews, searches and exports show what the user wrote, not what the gateway asked or noted.
#[test]
fn i12_1_prompts_of_the_gateway_are_no_words_of_the_user_anywhere() {
    let replies = vec![texts(&["All is well."]), texts(&["Hello."])];
    let (_model, gateway) = start(json!({"every": "1h"}), TASK, replies, json!({}));
    let mut client = Client::operator(&gateway, 4);
    wake(&mut client, "The oven is hot");
    beat(&mut client);
    client.ok("wake", json!({"mode": "next-heartbeat", "text": "The cellar is dry"}));
    client.ok("chat.send", json!({"sessionKey": "main", "message": "hello there", "idempotencyKey": "k1"}));
    client.event_where("chat", |event| event["state"] == "final" && event["runId"] == "k1");
    let list = client.ok("sessions.list", json!({"includeDerivedTitles": true, "includeLastMessage": true}));
    assert_eq!(list["sessions"][0]["derivedTitle"], "hello there", "{list}");
    let preview = client.ok("sessions.preview", json!({"keys": ["main"]}))["previews"][0]["items"].clone();
    let users: Vec<&Value> =
        preview.as_array().unwrap().iter().filter(|item| item["role"] == "user").collect();
    assert_eq!(users, [&json!({"role": "user", "text": "hello there"})], "{preview}");
    for (words, hits) in [("oven", 0), ("cellar", 0), ("hello there", 1)] {
        let found = client.ok("sessions.search", json!({"query": words}));
        let found = found["results"].as_array().unwrap().len();
        assert_eq!(found, hits, "{words}");
    }
    let history =
        client.ok("chat.history", json!({"sessionKey": "main", "maxBytes": 100000}))["messages"].clone();
    assert_eq!(history[0]["__openclaw"]["askedBy"], "heartbeat", "{history}");
    let asked = |entry: &Value| entry["role"] == "user" && entry["__openclaw"].get("askedBy").is_none();
    assert_eq!(history.as_array().unwrap().iter().filter(|entry| asked(entry)).count(), 1, "{history}");
    let export = out(&gateway, &["sessions", "export", "main"]);
    assert!(export.contains("## Gateway · ") && export.contains("## You · "), "{export}");
    let own = export.split("## You · ").nth(1).unwrap();
    assert!(own.contains("hello there") && !own.contains("cellar"), "{export}");
}

/// Whoever asks Anthropic by subscription has heartbeats every hour, unless he says otherwise.
#[test]
fn i13_2_heartbeats_of_a_subscription_come_every_hour() {
    let me = json!({"provider": "Anthropic", "mode": "oauth"});
    let both = json!({"profiles": {"a:me": me, "a:key": {"provider": "anthropic", "mode": "api_key"}}});
    let mut first = both.clone();
    first["order"] = json!({"anthropic": ["gone", "a:me", "a:key"]});
    let alone = json!({"profiles": {"a:me": me, "o": {"provider": "openai", "mode": "api_key"}}});
    let said = json!({"agents": {"defaults": {"heartbeat": {"every": "10m"}}}});
    for (auth, more, want) in [
        (json!({}), json!({}), "30m"),
        (both, json!({}), "30m"),
        (first.clone(), json!({}), "1h"),
        (alone, json!({}), "1h"),
        (first, said, "10m"),
    ] {
        let mut config = json!({"auth": auth});
        merge(&mut config, &more);
        let gateway = Gateway::start(&Setup::config(config));
        let told = Client::operator(&gateway, 4).ok("status", json!({}));
        assert_eq!(told["heartbeat"]["agents"][0]["every"], want, "{auth}");
    }
}
