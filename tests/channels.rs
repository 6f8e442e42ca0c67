//! The methods of the channels, over the real binary and the strict stand-in of Telegram: sending, status, signing out,
//! and what a change of the configuration starts anew.
use super::harness::model::texts;
use super::harness::telegram::{BOT_TOKEN, Telegram};
use super::harness::*;
use super::telegram::{said, with_bot};

const OTHER: &str = "2222:AAother_other_other_other_other_oth";

fn running(client: &mut Client, account: &str) -> Value {
    wait_for("a running account", || {
        let row = row(client, account);
        (row["connected"] == true).then_some(row)
    })
}

fn row(client: &mut Client, account: &str) -> Value {
    let status = client.ok("channels.status", json!({}));
    let rows = status["channelAccounts"]["telegram"].as_array().cloned().unwrap_or_default();
    rows.into_iter().find(|row| row["accountId"] == account).unwrap_or_default()
}

/// A gateway with the accounts `default` and `b`.
fn with_two(telegram: &Telegram) -> (Gateway, Client) {
    telegram.add_bot(OTHER, "other_bot");
    let text = format!(
        "{{\n  // my bots\n  channels: {{telegram: {{apiRoot: '{}', accounts: {{\n    default: {{botToken: '{BOT_TOKEN}'}}, // first\n    \
         b: {{botToken: '{OTHER}'}}}}}}}},\n  gateway: {{mode: 'local', auth: {{token: '{TOKEN}'}}}},\n}}\n",
        telegram.root()
    );
    let gateway = Gateway::start(&Setup::text(&text));
    let mut client = Client::operator(&gateway, 4);
    running(&mut client, "default");
    running(&mut client, "b");
    (gateway, client)
}

#[test]
fn send_is_answered_when_telegram_has_it_once_a_key_and_the_session_knows() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![]);
    let mut client = Client::operator(&gateway, 4);
    running(&mut client, "default");
    telegram.says(1001, 1001, "/start");
    let asked = json!({"to": "telegram:1001", "message": "dinner is **ready**", "idempotencyKey": "k1"});
    let sent = client.ok("send", asked.clone());
    assert_eq!(
        (&sent["runId"], &sent["channel"], &sent["chatId"]),
        (&json!("k1"), &json!("telegram"), &json!("1001"))
    );
    assert!(sent["messageId"].as_str().is_some_and(|id| id.parse::<i64>().is_ok()), "{sent}");
    assert_eq!(client.ok("send", asked.clone()), sent);
    let with_it = telegram.texts(1001).into_iter().filter(|text| text == "dinner is ready").count();
    assert_eq!(with_it, 1);
    let history = wait_for("the mirror", || {
        let history = client.ok("chat.history", json!({"sessionKey": "main"})).to_string();
        history.contains("dinner is **ready**").then_some(history)
    });
    assert!(history.contains("assistant"), "{history}");
    // The same key with other words is not told that it was sent.
    for more in [json!({"message": "lunch"}), json!({"mediaUrl": "https://a.example/x.png"})] {
        let mut other = asked.clone();
        merge(&mut other, &more);
        let refused = client.fails("send", other);
        assert_eq!(
            refused["message"],
            "idempotencyKey k1 was used with other params; use a new key for a new request"
        );
    }
    let other = json!({"to": "1002", "message": "x", "idempotencyKey": "k1"});
    assert!(client.fails("send", other)["message"].as_str().unwrap().contains("another place"));
}

#[test]
fn send_that_nobody_would_carry_fails_at_once_with_what_helps() {
    let telegram = Telegram::start();
    let (_server, gateway) = with_bot(
        &telegram,
        json!({"channels": {"telegram": {"accounts": {"default": {}, "off": {"enabled": false}}}}}),
        vec![],
    );
    let mut client = Client::operator(&gateway, 4);
    running(&mut client, "default");
    for (over, code, text) in [
        (json!({"channel": "bogus"}), "INVALID_REQUEST", "unsupported channel: \"bogus\""),
        (json!({"channel": "webchat"}), "INVALID_REQUEST", "unsupported channel"),
        (json!({"to": "ann"}), "INVALID_REQUEST", "Unknown target \"ann\" for Telegram"),
        (json!({"accountId": "nope"}), "INVALID_REQUEST", "it has default, off"),
        (json!({"accountId": "off"}), "UNAVAILABLE", "set channels.telegram.accounts.off.enabled to true"),
        (json!({"message": " "}), "INVALID_REQUEST", "message required"),
    ] {
        let mut params = json!({"to": "1001", "message": "x", "idempotencyKey": "k"});
        merge(&mut params, &over);
        let error = client.fails("send", params);
        assert!(error["message"].as_str().unwrap().contains(text), "{over}: {error}");
        assert_eq!(error["code"], code, "{over}: {error}");
    }
    let mut writer = Client::named(&gateway, json!({"scopes": ["operator.write"]}));
    let file = json!({"to": "1001", "message": "x", "mediaUrl": "/etc/passwd", "idempotencyKey": "f"});
    assert!(writer.fails("send", file)["message"].as_str().unwrap().contains("operator.admin"));
    let poll = json!({"to": "1001", "question": "?", "options": ["a", "b"], "idempotencyKey": "p"});
    assert!(writer.fails("poll", poll)["message"].as_str().unwrap().contains("missing scope"));

    let none = Gateway::plain();
    let mut client = Client::operator(&none, 4);
    let error = client.fails("send", json!({"to": "1001", "message": "x", "idempotencyKey": "k"}));
    assert!(error["message"].as_str().unwrap().contains("no configured channels"), "{error}");
    assert_eq!(client.ok("channels.status", json!({}))["channelOrder"], json!([]));
}

#[test]
fn r_46_a_token_that_telegram_does_not_know_is_told_at_once() {
    let telegram = Telegram::start();
    let over = json!({"channels": {"telegram": {"botToken": OTHER}}});
    let (_server, gateway) = with_bot(&telegram, over, vec![]);
    let mut client = Client::operator(&gateway, 4);
    let row =
        wait_for("the refusal", || Some(row(&mut client, "default")).filter(|row| row["nextTryAt"].is_u64()));
    assert!(row["lastError"].as_str().unwrap().contains("does not know this bot token"), "{row}");
    let error = client.fails("send", json!({"to": "1001", "message": "x", "idempotencyKey": "k"}));
    assert!(error["message"].as_str().unwrap().contains("channels.telegram.botToken"), "{error}");
    let probed = client.ok("channels.status", json!({"probe": true}));
    let probe = &probed["channelAccounts"]["telegram"][0]["probe"];
    assert_eq!((&probe["ok"], &probe["status"]), (&json!(false), &json!(401)), "{probe}");
    assert!(!probed.to_string().contains("AAother"), "{probed}");
}

#[test]
fn health_status_and_channels_status_tell_of_the_accounts() {
    let telegram = Telegram::start();
    telegram.group(-100_200, "Team");
    let groups = json!({"channels": {"telegram": {"groups": {"-100200": {"requireMention": false}, "team": {"requireMention": false}}}}});
    let (_server, gateway) = with_bot(&telegram, groups, vec![]);
    let mut client = Client::operator(&gateway, 4);
    let row = running(&mut client, "default");
    assert_eq!(
        (&row["mode"], &row["tokenSource"], &row["allowUnmentionedGroups"]),
        (&json!("polling"), &json!("config"), &json!(true))
    );
    assert_eq!((&row["deliveriesWaiting"], &row["deliveriesUncertain"]), (&json!(0), &json!(0)));
    let probed = client.ok("channels.status", json!({"probe": true, "timeoutMs": 5000}));
    let row = &probed["channelAccounts"]["telegram"][0];
    assert_eq!(row["probe"]["ok"], true, "{row}");
    assert_eq!(row["probe"]["webhook"]["url"], "", "{row}");
    assert!(row["probe"]["bot"]["username"].is_string() && row["lastProbeAt"].is_u64(), "{row}");
    assert_eq!(
        (&row["audit"]["checkedGroups"], &row["audit"]["unresolvedGroups"]),
        (&json!(1), &json!(1)),
        "{row}"
    );
    let status = client.ok("status", json!({}));
    assert_eq!(status["channelSummary"], json!(["Telegram: configured", "  - default (token:config)"]));
    let health = wait_for("health", || {
        Some(client.ok("health", json!({}))).filter(|h| h["channels"]["telegram"]["running"] == true)
    });
    assert_eq!(
        (&health["channelOrder"], &health["channelLabels"]),
        (&json!(["telegram"]), &json!({"telegram": "Telegram"}))
    );
    assert_eq!(health["channels"]["telegram"]["accounts"]["default"]["configured"], true);
    assert_eq!(telegram.calls("getWebhookInfo").len(), 1, "nobody asks unless told to");
}

#[test]
fn logging_out_takes_the_token_and_ends_that_account_alone() {
    let telegram = Telegram::start();
    let (gateway, mut client) = with_two(&telegram);
    let before = row(&mut client, "default");
    let told = client.ok("channels.logout", json!({"channel": "telegram", "accountId": "b"}));
    assert_eq!(
        (&told["cleared"], &told["loggedOut"], &told["accountId"]),
        (&json!(true), &json!(true), &json!("b"))
    );
    let text = std::fs::read_to_string(gateway.config_path()).unwrap();
    assert!(text.contains("// my bots") && text.contains(BOT_TOKEN) && !text.contains(OTHER), "{text}");
    let (default, b) = (row(&mut client, "default"), row(&mut client, "b"));
    assert_eq!((&b["running"], &b["configured"]), (&json!(false), &json!(false)), "{b}");
    assert_eq!((&default["lastStartAt"], &default["running"]), (&before["lastStartAt"], &json!(true)));
    for (params, text) in [
        (json!({"channel": "slack"}), "invalid channels.logout channel"),
        (json!({"channel": "telegram", "accountId": "zz"}), "has no account"),
    ] {
        let error = client.fails("channels.logout", params);
        assert!(error["message"].as_str().unwrap().contains(text), "{error}");
    }
}

#[test]
fn r_46_only_the_account_that_changed_starts_anew() {
    let telegram = Telegram::start();
    let (gateway, mut client) = with_two(&telegram);
    let began = |client: &mut Client, id: &str| row(client, id)["lastStartAt"].clone();
    let (first, second) = (began(&mut client, "default"), began(&mut client, "b"));
    let set = |path: &str, value: &str| {
        let done = gateway.cli(&["config", "set", path, value, "--json"]);
        assert!(done.status.success(), "{path}: {}", String::from_utf8_lossy(&done.stderr));
    };
    set("channels.telegram.accounts.b.allowFrom", "[\"1001\"]");
    let third = "3333:AAthird_third_third_third_third_thi";
    telegram.add_bot(third, "third_bot");
    set("channels.telegram.accounts.b.botToken", &format!("\"{third}\""));
    wait_for("the other bot", || (row(&mut client, "b")["bot"]["username"] == "third_bot").then_some(()));
    assert_ne!(began(&mut client, "b"), second);
    assert_eq!(began(&mut client, "default"), first, "nothing of it changed");
    let second = began(&mut client, "b");
    set("channels.telegram.accounts.b.allowFrom", "[\"1001\", \"1002\"]");
    set("channels.telegram.accounts.default.enabled", "false");
    wait_for("the end", || (row(&mut client, "default")["running"] == false).then_some(()));
    assert_eq!(began(&mut client, "b"), second, "who may write is looked up each time");
    set("channels.telegram.enabled", "false");
    wait_for("no channel", || {
        (client.ok("channels.status", json!({}))["channelOrder"] == json!([])).then_some(())
    });
    let gone = client
        .fails("send", json!({"to": "1", "message": "x", "channel": "telegram", "idempotencyKey": "k"}));
    assert!(gone["message"].as_str().unwrap().contains("unsupported channel"), "{gone}");
}

#[test]
fn agent_delivers_its_words_to_the_place_that_is_named() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["the report is **done**"])]);
    let mut client = Client::operator(&gateway, 4);
    running(&mut client, "default");
    let nowhere = json!({"message": "go", "sessionKey": "other", "deliver": true, "idempotencyKey": "n"});
    assert!(client.fails("agent", nowhere)["message"].as_str().unwrap().contains("replyTo"));
    let id = client.ask(
        "agent",
        json!({"message": "go", "sessionKey": "other", "deliver": true, "replyChannel": "telegram", "replyTo": "1001", "idempotencyKey": "d"}),
    );
    client.answer(&id).unwrap();
    let last = client.answer(&id).unwrap();
    assert_eq!(last["result"]["payloads"][0]["text"], "the report is **done**", "{last}");
    assert_eq!(said(&telegram, 1001, 1), ["the report is done"]);
}

#[test]
fn agent_delivers_its_words_where_the_session_was_last() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["hello"]), texts(&["later"])]);
    let mut client = Client::operator(&gateway, 4);
    running(&mut client, "default");
    telegram.says(1001, 1001, "hi");
    said(&telegram, 1001, 1);
    let id = client
        .ask("agent", json!({"message": "go", "deliver": true, "channel": "last", "idempotencyKey": "l"}));
    client.answer(&id).unwrap();
    client.answer(&id).unwrap();
    assert_eq!(said(&telegram, 1001, 2), ["hello", "later"]);
}
