//! Telegram's long poll when things go wrong: nothing is lost, nothing comes twice, and the account comes up by itself.
use super::disk::Small;
use super::harness::model::texts;
use super::harness::telegram::{BOT_TOKEN, Fault, Telegram};
use super::harness::*;
use super::telegram::{ann, said, with_bot};

const OTHER: &str = "terminated by other getUpdates request; make sure that only one bot instance is running";

/// Waits until Ann has so many answers, and gives how often the model was asked.
fn answered(telegram: &Telegram, server: &ModelServer, n: usize) -> usize {
    said(telegram, 1001, n);
    server.count()
}

#[test]
fn r_07b_a_newer_poller_is_left_alone_and_the_poll_is_taken_up_later() {
    let telegram = ann();
    telegram.fault("getUpdates", Fault::Refuse(409, OTHER));
    let (server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    telegram.says(1001, 1001, "hi");
    let first = telegram.wait_calls("getUpdates", 1)[0].at;
    wait_for("the log", || gateway.log().contains("other getUpdates").then_some(()));
    let second = telegram.wait_calls("getUpdates", 2)[1].at;
    let pause = second.duration_since(first);
    assert!((Duration::from_secs(4)..Duration::from_secs(9)).contains(&pause), "{pause:?}");
    assert_eq!(answered(&telegram, &server, 1), 1);
}

#[test]
fn r_45_a_webhook_that_is_set_is_deleted_once() {
    let telegram = ann();
    let hook = json!({"url": "https://x", "secret_token": "s", "max_connections": 1});
    telegram.world().bots.get_mut(BOT_TOKEN).unwrap().webhook = Some(hook);
    let (server, _gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    telegram.says(1001, 1001, "hi");
    assert_eq!(answered(&telegram, &server, 1), 1);
    assert_eq!(telegram.calls("deleteWebhook").len(), 1);
}

#[test]
fn r_07c_a_half_open_poll_is_replaced() {
    let telegram = ann();
    telegram.fault("getUpdates", Fault::HalfOpen);
    let short = json!({"channels": {"telegram": {"timeoutSeconds": 1}}});
    let (server, _gateway) = with_bot(&telegram, short, vec![texts(&["ok"])]);
    telegram.says(1001, 1001, "hi");
    wait_within(Duration::from_secs(30), "a poll in its place", || (server.count() == 1).then_some(()));
    assert_eq!(answered(&telegram, &server, 1), 1);
}

#[test]
fn r_07d_whatever_becomes_of_a_poll_each_message_is_answered_once() {
    let telegram = ann();
    let (server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    let mut client = Client::operator(&gateway, 4);
    let faults = [
        Fault::Html(502),
        Fault::Cut,
        Fault::Flood(1),
        Fault::Body("{\"ok\":tr"),
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::Refuse(500, "Internal Server Error"),
    ];
    let mut slowest = Duration::ZERO;
    for (n, fault) in faults.into_iter().enumerate() {
        telegram.fault("getUpdates", fault);
        telegram.says(1001, 1001, "hi");
        let deadline = Instant::now() + DEADLINE;
        while telegram.texts(1001).len() <= n {
            let since = Instant::now();
            client.ok("health", json!({}));
            slowest = slowest.max(since.elapsed());
            assert!(Instant::now() < deadline, "no answer after fault {n}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    assert_eq!((server.count(), telegram.texts(1001).len()), (7, 7));
    // 50 ms where nothing else runs; here all tests do.
    assert!(slowest < Duration::from_millis(500), "health took {slowest:?}");
}

#[test]
fn r_32_updates_that_come_twice_or_backwards_are_answered_once() {
    let telegram = ann();
    telegram.fault("getUpdates", Fault::Twice);
    telegram.fault("getUpdates", Fault::Backwards);
    let queue = json!({"messages": {"queue": {"mode": "followup"}}});
    telegram.says(1001, 1001, "alpha");
    let (server, _gateway) = with_bot(&telegram, queue, vec![texts(&["ok"])]);
    said(&telegram, 1001, 1);
    const WORDS: [&str; 4] = ["alpha", "bravo", "charlie", "delta"];
    for word in &WORDS[1..] {
        telegram.says(1001, 1001, word);
    }
    let told = || server.requests(1).last().unwrap()["body"]["messages"].to_string();
    wait_for("all of them", || WORDS.iter().all(|word| told().contains(word)).then_some(()));
    said(&telegram, 1001, 2);
    assert_eq!(WORDS.map(|word| told().matches(word).count()), [1; 4], "{}", told());
}

#[test]
fn r_33_another_bots_position_is_set_aside_and_the_originals_is_followed() {
    let telegram = ann();
    let place = "telegram/update-offset-default.json";
    let config = |server: &ModelServer| {
        let mut config = server.config();
        let bot = json!({"botToken": BOT_TOKEN, "apiRoot": telegram.root(), "dmPolicy": "allowlist", "allowFrom": ["1001"]});
        merge(&mut config, &json!({"channels": {"telegram": bot}}));
        config
    };
    let server = ModelServer::start(vec![texts(&["ok"])]);
    let other = r#"{"version":2,"lastUpdateId":999999999999,"botId":"777"}"#;
    let gateway = Gateway::start(&Setup::config(config(&server)).file(place, other));
    telegram.says(1001, 1001, "to the new bot");
    assert_eq!(answered(&telegram, &server, 1), 1);
    let text = std::fs::read_to_string(gateway.state_dir().join(place)).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    let last = telegram.world().bots[BOT_TOKEN].last_update;
    assert_eq!(
        (&value["version"], &value["lastUpdateId"]),
        (&json!(1), &json!(last)),
        "the original goes on from here"
    );
    drop(gateway);

    // What the original has handled is not handled again.
    telegram.says(1001, 1001, "handled by the original");
    let handled = format!("{{\n  \"version\": 1,\n  \"lastUpdateId\": {}\n}}\n", last + 1);
    let _gateway = Gateway::start(&Setup::config(config(&server)).file(place, handled));
    telegram.says(1001, 1001, "new");
    assert_eq!(answered(&telegram, &server, 2), 2);
}

#[test]
fn r_46_without_a_network_at_the_start_the_account_comes_up_by_itself() {
    let telegram = ann();
    telegram.deaf(true);
    let (server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    wait_for("the log", || gateway.log().contains("getMe").then_some(()));
    telegram.says(1001, 1001, "hi");
    telegram.deaf(false);
    assert_eq!(answered(&telegram, &server, 1), 1);
}

#[test]
fn r_46_a_token_that_was_revoked_is_shown_and_a_new_one_is_taken_at_once() {
    let telegram = ann();
    let (server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    telegram.wait_calls("getUpdates", 1);
    telegram.world().bots.get_mut(BOT_TOKEN).unwrap().is_revoked = true;
    telegram.says(1001, 1001, "unheard");
    wait_for("the log", || gateway.log().contains("does not know this bot token").then_some(()));
    let new = "100200:AAanotherCANARYsecretCANARY0123456789abc";
    telegram.add_bot(new, "test_bot");
    let path = gateway.config_path();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(BOT_TOKEN, new)).unwrap();
    telegram.says(1001, 1001, "hi");
    assert_eq!(answered(&telegram, &server, 1), 1);
    assert!(!gateway.log().contains("CANARY"), "SEC-25");
}

#[test]
fn r_07d_a_full_disk_moves_no_offset() {
    let Some(small) = Small::mount() else { return };
    let telegram = ann();
    let server = ModelServer::start(vec![texts(&["ok"])]);
    let bot = json!({"botToken": BOT_TOKEN, "apiRoot": telegram.root(), "dmPolicy": "allowlist", "allowFrom": ["1001"]});
    let _gateway = small.gateway_with(&server, json!({"channels": {"telegram": bot}}));
    telegram.wait_calls("getUpdates", 1);
    small.fill();
    telegram.says(1001, 1001, &"x".repeat(3000));
    let log = small.path().with_file_name("log");
    let says = || std::fs::read_to_string(&log).unwrap_or_default().contains("[default] ");
    wait_for("the log", || says().then_some(()));
    assert_eq!((telegram.pending(BOT_TOKEN), server.count()), (1, 0), "it is not confirmed");
    small.empty();
    assert_eq!(answered(&telegram, &server, 1), 1);
}
