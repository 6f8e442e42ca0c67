//! Which bot may say something, and what becomes of words when none may: tokens that are taken back or changed, bots that are
//! forgotten; polls of agents; and that `status` and `health` tell what does not go out.
use super::channels_cli::{fails, ok};
use super::harness::client::scoped;
use super::harness::model::texts;
use super::harness::telegram::{BOT_TOKEN, Fault, Telegram};
use super::harness::*;
use super::telegram::{ann, said, with_bot};

const OTHER: &str = "300400:BBtestCANARYsecretCANARYtest0123456789ab";
const THIRD: &str = "500600:CCtestCANARYsecretCANARYtest0123456789ab";

fn row(gateway: &Gateway) -> Value {
    let status = Client::operator(gateway, 4).ok("channels.status", json!({}));
    status["channelAccounts"]["telegram"][0].clone()
}

fn connected(gateway: &Gateway) {
    wait_for("the bot", || (row(gateway)["connected"] == true).then_some(()));
}

fn revoke(telegram: &Telegram, is_revoked: bool) {
    telegram.world().bots.get_mut(BOT_TOKEN).unwrap().is_revoked = is_revoked;
}

/// Changes the configuration of a running gateway.
fn change(gateway: &Gateway, more: &Value) {
    let text = std::fs::read_to_string(gateway.config_path()).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    merge(&mut config, more);
    std::fs::write(gateway.config_path(), config.to_string()).unwrap();
}

/// What a person typed in his command line is told.
fn send(gateway: &Gateway, text: &str) -> std::process::Output {
    gateway.cli(&["message", "send", "--target", "1001", "--message", text])
}

#[test]
fn i11_3_an_agent_asks_a_poll_where_it_is_spoken_to() {
    let telegram = ann();
    let call = |arguments: Value| {
        let (id, name) = ("c1".to_string(), "message".to_string());
        Reply::Stream(vec![Step::Call { id, name, arguments: arguments.to_string() }, Step::Done])
    };
    let asked = json!({"action": "poll", "pollQuestion": "Lunch?", "pollOption": ["soup", "salad"], "pollMulti": true});
    let replies = vec![call(asked), texts(&["asked"])];
    let (server, gateway) = with_bot(&telegram, json!({}), replies);
    telegram.says(1001, 1001, "ask us");
    said(&telegram, 1001, 1);
    let shown = telegram.shown(1001).into_iter().find(|message| message["poll"].is_object());
    let poll = shown.unwrap_or_else(|| panic!("{}", server.requests(2)[1]))["poll"].clone();
    assert_eq!(
        (&poll["question"], &poll["allows_multiple_answers"]),
        (&json!("Lunch?"), &json!(true)),
        "{poll}"
    );
    // The method of that name stays with who administers the gateway.
    let writer = scoped(&["operator.read", "operator.write"]);
    let (mut client, _) = Client::with(&gateway, writer);
    let more = json!({"to": "1001", "question": "?", "options": ["a", "b"], "idempotencyKey": "p"});
    assert!(client.fails("poll", more.clone())["message"].as_str().unwrap().contains("missing scope"));
    let mut bad = more;
    merge(&mut bad, &json!({"action": "poll", "options": ["a", "b"], "maxSelections": 3}));
    let error = client.fails("message.action", bad);
    assert!(error["message"].as_str().unwrap().contains("there are 2 options"), "{error}");
}

#[test]
fn r_46_a_token_that_was_taken_back_fails_a_send_at_once_and_nothing_is_kept() {
    let telegram = ann();
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    connected(&gateway);
    revoke(&telegram, true);
    for text in ["first", "second"] {
        let began = Instant::now();
        let error = fails(&send(&gateway, text));
        assert!(error.contains("does not know this bot token") && !error.contains("is kept"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    assert!(telegram.calls("sendMessage").len() <= 1, "no more is sent");
    assert_eq!(row(&gateway)["deliveriesWaiting"], 0);
    let log = gateway.log();
    assert_eq!(log.matches("tried again in 5 minutes").count(), 1, "{log}");
    std::thread::sleep(Duration::from_secs(2));
    revoke(&telegram, false);
    change(&gateway, &json!({"channels": {"telegram": {"timeoutSeconds": 29}}}));
    connected(&gateway);
    ok(&send(&gateway, "third"));
    assert_eq!(telegram.texts(1001), ["third"]);
}

#[test]
fn r_46_an_answer_is_kept_while_telegram_does_not_know_the_token_and_shown_in_the_status() {
    let telegram = ann();
    let gated = Reply::Stream(vec![Step::Gate, Step::Text("the answer".into()), Step::Done]);
    let (server, gateway) = with_bot(&telegram, json!({}), vec![gated]);
    telegram.says(1001, 1001, "hi");
    server.requests(1);
    let quiet = ok(&gateway.cli(&["status"]));
    assert!(
        !quiet.contains("failing") && quiet.lines().count() == 3 && quiet.contains(" · Telegram"),
        "{quiet}"
    );
    revoke(&telegram, true);
    server.release();
    telegram.wait_calls("sendMessage", 1);
    let failing = wait_for("its trouble", || {
        let text = ok(&gateway.cli(&["status"]));
        text.contains("failing for").then_some(text)
    });
    let flat = failing.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("Telegram default: failing for") && flat.contains("next try in"),
        "since when, why and when again: {failing}"
    );
    let told: Value = serde_json::from_str(&ok(&gateway.cli(&["status", "--json"]))).unwrap();
    let account = &told["channelAccounts"]["telegram"][0];
    assert_eq!((&account["connected"], &account["deliveriesWaiting"]), (&json!(false), &json!(1)), "{told}");
    assert!(account["deliveriesOldestAt"].is_u64() && account["failingSince"].is_u64(), "{account}");
    assert!(ok(&gateway.cli(&["health"])).contains("Telegram: failed - "));
    revoke(&telegram, false);
    change(&gateway, &json!({"channels": {"telegram": {"timeoutSeconds": 29}}}));
    assert_eq!(said(&telegram, 1001, 1), ["the answer"]);
    wait_for("a quiet status", || (!ok(&gateway.cli(&["status"])).contains("failing")).then_some(()));
}

#[test]
fn r_08c_what_does_not_go_out_and_what_is_not_known_is_told_by_status_and_health() {
    let telegram = ann();
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    connected(&gateway);
    telegram.fault("sendMessage", Fault::Html(504));
    let unknown = fails(&send(&gateway, "perhaps"));
    assert!(
        unknown.contains("not known") && unknown.contains("504") && !unknown.contains("ended"),
        "{unknown}"
    );
    telegram.fault("sendMessage", Fault::DropAfter);
    assert!(fails(&send(&gateway, "perhaps")).contains("closed the connection"));
    telegram.always("sendMessage", Some(Fault::Refuse(500, "Internal Server Error")));
    telegram.says(1001, 1001, "hi");
    telegram.wait_calls("sendMessage", 3);
    wait_for("the trouble", || row(&gateway)["lastSendError"].is_string().then_some(()));
    let text = ok(&gateway.cli(&["status"]));
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("1 not sent for ") && flat.contains("500"), "{text}");
    assert!(flat.contains("2 sent of which it is not known whether they arrived"), "{text}");
    assert!(ok(&gateway.cli(&["health"])).contains("Telegram: configured, not sent: "));
    assert!(ok(&gateway.cli(&["channels", "status"])).contains("1 waiting for "));
}

#[test]
fn r_41_an_answer_leaves_by_no_other_bot_than_the_one_that_got_the_message() {
    let telegram = ann();
    let gated = Reply::Stream(vec![Step::Gate, Step::Text("of the first".into()), Step::Done]);
    let (server, gateway) = with_bot(&telegram, json!({}), vec![gated, texts(&["of the other"])]);
    telegram.always("sendMessage", Some(Fault::Refuse(500, "Internal Server Error")));
    telegram.says(1001, 1001, "hi");
    server.requests(1);
    server.release();
    telegram.wait_calls("sendMessage", 1);
    telegram.add_bot(OTHER, "other_bot");
    change(&gateway, &json!({"channels": {"telegram": {"botToken": OTHER}}}));
    wait_for("the other bot", || (row(&gateway)["bot"]["username"] == "other_bot").then_some(()));
    telegram.always("sendMessage", None);
    let log = wait_for("what is told", || {
        Some(gateway.log()).filter(|log| log.contains("it came by the bot 100200"))
    });
    assert!(log.contains("is not sent: what it answers is another bot's"), "{log}");
    assert_eq!(telegram.texts(1001), Vec::<String>::new());
    telegram.says(1001, 1001, "and you?");
    wait_for("its own answer", || telegram.texts(1001).contains(&"of the other".to_string()).then_some(()));
    let second = server.requests(2).last().unwrap()["body"].to_string();
    assert!(second.contains("was not delivered"), "{second}");
}

#[test]
fn r_41_a_bot_that_is_forgotten_has_let_nobody_into_the_next_one() {
    let telegram = ann();
    telegram.add_bot(OTHER, "other_bot");
    telegram.add_bot(THIRD, "third_bot");
    let server = ModelServer::start(vec![texts(&["ok"])]);
    let mut config = server.config();
    let bots = json!({"default": {"botToken": BOT_TOKEN}, "work": {"botToken": OTHER}});
    merge(
        &mut config,
        &json!({"channels": {"telegram": {"apiRoot": telegram.root(), "dmPolicy": "pairing", "accounts": bots}}}),
    );
    let file = r#"{"version":1,"allowFrom":["1001"]}"#;
    let at = "credentials/telegram-work-allowFrom.json";
    let gateway = Gateway::start(&Setup::config(config).file(at, file));
    Client::operator(&gateway, 4);
    ok(&gateway.cli(&["channels", "remove", "--account", "work", "--delete"]));
    assert!(!gateway.state_dir().join(at).exists());
    let added = ok(&gateway.cli(&["channels", "add", "--account", "work", "--token", THIRD]));
    assert!(added.contains("Who is let in first is its owner"), "{added}");
    wait_for("the new bot", || (!telegram.world().bots[THIRD].allowed.is_empty()).then_some(()));
    telegram.says(1001, 1001, "hello");
    let code = wait_for("the new bot's words", || {
        telegram.shown(1001).into_iter().find(|message| message["from"]["username"] == "third_bot")
    });
    assert!(code["text"].as_str().unwrap().contains("Pairing code: "), "{code}");
    assert_eq!(server.count(), 0);
    // Whom `default` let in goes with it, and stays with the other, which went by that; `channels add` tells both.
    std::fs::write(gateway.state_dir().join("credentials/telegram-allowFrom.json"), file).unwrap();
    ok(&gateway.cli(&["channels", "remove", "--account", "default", "--delete"]));
    assert!(!gateway.state_dir().join("credentials/telegram-allowFrom.json").exists());
    let added = ok(&gateway.cli(&["channels", "add", "--account", "work", "--token", OTHER]));
    assert!(added.contains("let in before (1001)"), "{added}");
    let added = ok(&gateway.cli(&["channels", "add", "--account", "default", "--token", BOT_TOKEN]));
    assert!(added.contains("Who is let in first is its owner"), "{added}");
}

#[test]
fn r_40_the_menu_follows_the_configuration_of_a_running_gateway() {
    let telegram = ann();
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    telegram.wait_calls("setMyCommands", 1);
    let own = json!([{"command": "weather", "description": "Of today"}, {"command": "bad name", "description": "x"}]);
    change(&gateway, &json!({"channels": {"telegram": {"customCommands": own}}}));
    let calls = telegram.wait_calls("setMyCommands", 2);
    assert!(calls[1].params["commands"].to_string().contains("weather"), "{:?}", calls[1]);
    wait_for("what is left out", || gateway.log().contains("left out of the menu").then_some(()));
    change(&gateway, &json!({"commands": {"native": false}}));
    telegram.wait_calls("deleteMyCommands", 1);
}

#[test]
fn r_39_a_button_that_is_pressed_gets_no_reaction() {
    let telegram = ann();
    let all = json!({"messages": {"ackReaction": "👍", "ackReactionScope": "all"},
        "channels": {"telegram": {"capabilities": {"inlineButtons": "all"}}}});
    let (_server, _gateway) = with_bot(&telegram, all, vec![texts(&["ok"])]);
    telegram.says(1001, 1001, "hi");
    said(&telegram, 1001, 1);
    let id = telegram.shown(1001).last().unwrap()["message_id"].as_i64().unwrap();
    telegram.presses(1001, 1001, id, "obey");
    said(&telegram, 1001, 2);
    assert_eq!(telegram.calls("setMessageReaction").len(), 1);
}

#[test]
fn r_33_a_number_that_is_another_bots_keeps_no_message_out() {
    let telegram = ann();
    let server = ModelServer::start(vec![texts(&["ok"])]);
    let mut config = server.config();
    let bot = json!({"botToken": BOT_TOKEN, "apiRoot": telegram.root(), "dmPolicy": "allowlist", "allowFrom": ["1001"]});
    merge(&mut config, &json!({"channels": {"telegram": bot}}));
    let file = r#"{"version":1,"lastUpdateId":999999999}"#;
    let setup = Setup::config(config).file("telegram/update-offset-default.json", file);
    let gateway = Gateway::start(&setup);
    telegram.says(1001, 1001, "hi");
    assert_eq!(said(&telegram, 1001, 1), ["ok"]);
    assert!(gateway.log().contains("is another bot's"), "{}", gateway.log());
}
