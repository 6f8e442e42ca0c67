//! What Telegram, a proxy or the gate refuses, and what is told of it: to whoever asked, in the status, in the session.
use super::harness::gateway::free_port;
use super::harness::model::texts;
use super::harness::telegram::{BOT_TOKEN, Fault, Telegram};
use super::harness::*;
use super::telegram::{ann, said, with_bot};
use super::telegram_net::proxy;

const GROUP: i64 = -1_001_234_567_890;
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
const NO_RIGHTS: Fault = Fault::Refuse(400, "Bad Request: not enough rights to send photos to the chat");

fn row(gateway: &Gateway) -> Value {
    let status = Client::operator(gateway, 4).ok("channels.status", json!({}));
    status["channelAccounts"]["telegram"][0].clone()
}

/// Exit status and all that a command said.
fn cli(gateway: &Gateway, args: &[&str]) -> (Option<i32>, String) {
    let out = gateway.cli(args);
    let text = [out.stdout, out.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    (out.status.code(), text)
}

fn team() -> Telegram {
    let telegram = ann();
    telegram.user(1002, "Bob", "bob");
    telegram.group(GROUP, "Team Chat");
    telegram
}

#[test]
fn r_46_one_401_on_a_send_holds_nothing_up_and_more_are_shown() {
    let telegram = ann();
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    telegram.fault("sendMessage", Fault::Refuse(401, "Unauthorized"));
    telegram.says(1001, 1001, "hi");
    assert_eq!(said(&telegram, 1001, 1), ["ok"]);
    telegram.always("sendMessage", Some(Fault::Refuse(401, "Unauthorized")));
    telegram.says(1001, 1001, "and now");
    let shown =
        wait_for("the refusal", || Some(row(&gateway)).filter(|row| row["lastSendError"].is_string()));
    let why = shown["lastSendError"].as_str().unwrap();
    assert!(why.contains("401") && why.contains("tried again in ") && shown["nextTryAt"].is_u64(), "{shown}");
    assert!(gateway.log().contains("tried again in "), "{}", gateway.log());
    telegram.always("sendMessage", None);
    wait_within(Duration::from_secs(20), "the answer", || (telegram.texts(1001).len() == 2).then_some(()));
    wait_for("its end", || row(&gateway)["lastSendError"].is_null().then_some(()));
    assert!(row(&gateway)["nextTryAt"].is_null());
}

#[test]
fn i11_5_without_a_token_a_send_fails_at_once() {
    let telegram = ann();
    let server = ModelServer::start(vec![texts(&["ok"])]);
    let mut config = server.config();
    let bot = json!({"apiRoot": telegram.root(), "tokenFile": "~/.openclaw/bot.token", "dmPolicy": "allowlist",
        "allowFrom": ["1001"]});
    merge(&mut config, &json!({"channels": {"telegram": bot}}));
    let gateway = Gateway::start(&Setup::config(config));
    for content in [None, Some(""), Some("nonsense-canary\n")] {
        if let Some(content) = content {
            std::fs::write(gateway.state_dir().join("bot.token"), content).unwrap();
            std::thread::sleep(Duration::from_millis(2500));
        }
        wait_for("the trouble", || row(&gateway)["lastError"].is_string().then_some(()));
        let began = Instant::now();
        let (code, text) = cli(&gateway, &["message", "send", "--target", "1001", "--message", "x"]);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert!(code != Some(0) && text.contains("cannot send now") && text.contains("oken"), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
    std::fs::write(gateway.state_dir().join("bot.token"), BOT_TOKEN).unwrap();
    wait_for("the bot", || (row(&gateway)["connected"] == true).then_some(()));
    let (code, text) = cli(&gateway, &["message", "send", "--target", "1001", "--message", "y"]);
    assert_eq!((code, telegram.texts(1001)), (Some(0), vec!["y".to_string()]), "{text}");
}

/// B.3: who hides behind a chat is known by the chat's id; he is nobody's owner.
#[test]
fn sec_33_hidden_senders_are_let_in_by_the_id_of_their_chat() {
    let telegram = team();
    let more = json!({"channels": {"telegram": {"groupAllowFrom": [GROUP.to_string(), "-1005555555555"],
        "groups": {GROUP.to_string(): {"requireMention": false}}}}});
    let (server, gateway) = with_bot(&telegram, more, vec![texts(&["ok"])]);
    let writes = |from: i64, text: &str, hidden: Value| {
        telegram.sends(from, GROUP, json!({"text": text, "sender_chat": hidden}));
    };
    telegram.says(1002, GROUP, "of a member");
    writes(136_817_688, "of another channel", json!({"id": -1006, "type": "channel", "title": "C"}));
    writes(1_087_968_824, "of an admin", json!({"id": GROUP, "type": "supergroup", "title": "Team Chat"}));
    said(&telegram, GROUP, 1);
    writes(777_000, "of the channel", json!({"id": -1_005_555_555_555_i64, "type": "channel", "title": "C"}));
    said(&telegram, GROUP, 2);
    writes(1_087_968_824, "/send off", json!({"id": GROUP, "type": "supergroup", "title": "Team Chat"}));
    assert!(said(&telegram, GROUP, 3)[2].contains("not authorized"), "{:?}", telegram.texts(GROUP));
    let asked = server.requests(2);
    let all = asked[1]["body"].to_string();
    assert!(asked.len() == 2 && !all.contains("of a member") && !all.contains("of another"), "{all}");
    let (_, doctor) = cli(&gateway, &["doctor"]);
    assert!(!doctor.contains("let nobody in"), "{doctor}");
}

#[test]
fn i11_3_a_file_that_is_refused_is_told_to_who_asked_and_to_the_session() {
    let telegram = ann();
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    let file = gateway.state_dir().join("media/x.png");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, PNG).unwrap();
    let path = file.display().to_string();
    telegram.fault("sendPhoto", NO_RIGHTS);
    let send = ["message", "send", "--target", "1001", "--media", &path, "--message", "cap", "--json"];
    let (code, text) = cli(&gateway, &send);
    let told: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let warning = told["payload"]["warning"].as_str().unwrap_or_default();
    assert!(code == Some(0) && warning.contains("not enough rights to send photos"), "{text}");
    assert_eq!(telegram.texts(1001), ["cap"]);
    assert!(gateway.log().contains("not enough rights to send photos"), "{}", gateway.log());
    // Nothing else was to be said: it failed.
    telegram.fault("sendPhoto", NO_RIGHTS);
    let (code, text) = cli(&gateway, &["message", "send", "--target", "1001", "--media", &path]);
    assert!(code != Some(0) && text.contains("not enough rights"), "{text}");
}

#[test]
fn i11_3_a_models_picture_that_is_refused_is_told_to_the_next_turn() {
    let telegram = ann();
    let replies = vec![texts(&["look at this\nMEDIA:x.png"]), texts(&["no"])];
    let server = ModelServer::start(replies);
    let mut config = server.config();
    let bot = json!({"botToken": BOT_TOKEN, "apiRoot": telegram.root(), "dmPolicy": "allowlist", "allowFrom": ["1001"]});
    merge(&mut config, &json!({"channels": {"telegram": bot}}));
    let _gateway = Gateway::start(&Setup::config(config).file("workspace/x.png", PNG));
    telegram.fault("sendPhoto", NO_RIGHTS);
    telegram.says(1001, 1001, "a picture please");
    assert_eq!(said(&telegram, 1001, 1), ["look at this"]);
    telegram.says(1001, 1001, "did it come?");
    said(&telegram, 1001, 2);
    let second = server.requests(2)[1]["body"].to_string();
    assert!(second.contains("was not delivered") && second.contains("not enough rights"), "{second}");
}

#[test]
fn r_49c_what_is_sent_to_the_old_id_of_a_group_tells_the_new_one_and_asks_once() {
    let telegram = ann();
    telegram.group(-500, "Old");
    telegram.group(-1_000_000_000_777, "Old");
    telegram.change(-500, |chat| chat.migrated_to = Some(-1_000_000_000_777));
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    let mut client = Client::operator(&gateway, 4);
    wait_for("the bot", || (row(&gateway)["connected"] == true).then_some(()));
    for (n, calls) in [("1", 2), ("2", 3)] {
        let sent = client.ok("send", json!({"to": "-500", "message": n, "idempotencyKey": n}));
        assert_eq!(sent["chatId"], "-1000000000777", "{sent}");
        assert_eq!(telegram.calls("sendMessage").len(), calls);
    }
    assert_eq!(
        client.ok("send", json!({"to": "-500", "message": "2", "idempotencyKey": "2"}))["chatId"],
        "-1000000000777"
    );
    assert_eq!(telegram.texts(-1_000_000_000_777), ["1", "2"]);
}

#[test]
fn r_42_privacy_mode_counts_no_message_and_is_forgotten_when_all_is_seen() {
    let telegram = team();
    let more = json!({"channels": {"telegram": {"groupAllowFrom": ["1001"],
        "groups": {GROUP.to_string(): {"requireMention": false}}}}});
    let (_server, gateway) = with_bot(&telegram, more, vec![texts(&["ok"])]);
    let dropped = wait_for("the row", || Some(row(&gateway)["dropped"][0].clone()).filter(Value::is_object));
    assert_eq!((&dropped["reason"], &dropped["count"]), (&json!("privacy-mode"), &json!(0)), "{dropped}");
    let (_, status) = cli(&gateway, &["channels", "status"]);
    assert!(
        status.contains("may not reach the bot: privacy-mode") && !status.contains("passed over"),
        "{status}"
    );
    telegram.says(1001, GROUP, "said to nobody");
    said(&telegram, GROUP, 1);
    assert!(row(&gateway)["dropped"].is_null(), "{}", row(&gateway));
}

#[test]
fn r_07e_a_proxy_that_fails_is_named_as_the_one() {
    let telegram = ann();
    let (open, _) = proxy(telegram.port);
    for (port, want) in [(free_port(), "refused the connection"), (open, "407")] {
        let more = json!({"channels": {"telegram": {"proxy": format!("http://ann:wr0ng@127.0.0.1:{port}")}}});
        let (_server, gateway) = with_bot(&telegram, more, vec![texts(&["ok"])]);
        let why = wait_for("the trouble", || row(&gateway)["lastError"].as_str().map(str::to_string));
        let named = format!("the proxy 127.0.0.1:{port} ");
        assert!(
            why.contains(&named) && why.contains(want) && why.contains("channels.telegram.proxy"),
            "{why}"
        );
        assert!(!why.contains("wr0ng"), "{why}");
    }
}

#[test]
fn i11_5_a_dry_run_refuses_what_the_call_refuses() {
    let telegram = ann();
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    let (code, text) = cli(
        &gateway,
        &["message", "send", "--target", "1001", "--message", "x", "--account", "nope", "--dry-run"],
    );
    assert!(code != Some(0) && text.contains("has no account"), "{text}");
    for dry in [&["--dry-run"][..], &[]] {
        let edit = ["message", "edit", "--target", "1001", "--message-id", "abc", "--message", "x"];
        let (code, text) = cli(&gateway, &[&edit, dry].concat());
        assert!(code != Some(0) && text.contains("messageId must be a number"), "{text}");
    }
    assert!(
        cli(&gateway, &["message", "send", "--target", "1001", "--message", "x", "--dry-run"]).0 == Some(0)
    );
    assert!(telegram.texts(1001).is_empty());
}

/// What changes a session that the owner has, too, is his; a guest stops what he has asked for himself.
#[test]
fn sec_34_a_guest_changes_no_session_of_the_owner() {
    let telegram = team();
    let gated = Reply::Stream(vec![Step::Gate, Step::Text("done".into()), Step::Done]);
    let rights = json!({"commands": {"ownerAllowFrom": ["1001"]}, "messages": {"queue": {"mode": "interrupt"}}, "channels": {"telegram": {"allowFrom": ["1001", "1002"]}}});
    let (server, gateway) = with_bot(&telegram, rights.clone(), vec![gated, texts(&["ok"])]);
    let mut n = 0;
    let mut bob = |text: &str| {
        n += 1;
        telegram.says(1002, 1002, text);
        said(&telegram, 1002, n).remove(n - 1)
    };
    for command in ["/new", "/compact", "/model default", "/think high"] {
        assert_eq!(bob(command), "You are not authorized to use this command.", "{command}");
    }
    assert!(bob("/status").contains("Session"), "{:?}", telegram.texts(1002));
    telegram.says(1001, 1001, "LONG work");
    server.requests(1);
    assert_eq!(bob("/stop"), "Nothing is running.");
    telegram.says(1002, 1002, "mine");
    wait_for("his turn to wait", || {
        let status = gateway.log();
        (status.contains("telegram") && telegram.pending(BOT_TOKEN) == 0).then_some(())
    });
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(bob("stop"), "⚙️ Agent was aborted.");
    server.release();
    assert_eq!(said(&telegram, 1001, 1), ["done"], "the owner's turn went on");
    assert_eq!(server.count(), 1);
    drop(gateway);
    // In a session of his own he may.
    let mut alone = rights;
    merge(&mut alone, &json!({"session": {"dmScope": "per-channel-peer"}}));
    let (_server, _gateway) = with_bot(&telegram, alone, vec![texts(&["a new one"])]);
    assert_eq!(bob("/new"), "a new one");
}
