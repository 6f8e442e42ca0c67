//! Accounts in trouble, over the real binary: what waits for one that is gone, what is told of a try that comes, of a file
//! that cannot be read, of a stop in the middle.
use super::channels_cli::ok;
use super::cli::text;
use super::harness::model::texts;
use super::harness::telegram::{BOT_TOKEN, Fault, Telegram};
use super::harness::*;
use super::telegram::{said, with_bot};
use std::path::PathBuf;
use std::time::Instant;

const OTHER: &str = "2222:AAother_other_other_other_other_oth";

fn ann() -> Telegram {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    telegram
}

fn row(client: &mut Client, account: &str) -> Value {
    let told = client.ok("channels.status", json!({}));
    let rows = told["channelAccounts"]["telegram"].as_array().cloned().unwrap_or_default();
    rows.into_iter().find(|row| row["accountId"] == account).unwrap_or_default()
}

fn journal(gateway: &Gateway) -> PathBuf {
    gateway.state_dir().join("gateway/deliveries.jsonl")
}

/// R-08c, R-10c: it is told where people look, and fails when it is too old to be worth saying.
#[test]
fn r_08c_what_waits_for_an_account_that_is_gone_is_told_everywhere_and_fails() {
    let telegram = ann();
    telegram.add_bot(OTHER, "other_bot");
    let section = json!({"apiRoot": telegram.root(), "accounts": {"default": {"botToken": BOT_TOKEN}, "two": {"botToken": OTHER}}});
    let mut gateway = Gateway::start(&Setup::config(json!({"channels": {"telegram": section}})));
    let mut client = Client::operator(&gateway, 4);
    wait_for("the second bot", || (row(&mut client, "two")["connected"] == true).then_some(()));
    telegram.always("sendMessage", Some(Fault::Html(500)));
    let words = json!({"channel": "telegram", "accountId": "two", "to": "1001", "message": "x", "idempotencyKey": "k"});
    client.ask("send", words);
    telegram.wait_calls("sendMessage", 1);
    ok(&gateway.cli(&["channels", "remove", "--account", "two", "--delete"]));
    let told = wait_for("status", || {
        let told = ok(&gateway.cli(&["status"]));
        told.contains("Telegram two: failing").then_some(told)
    });
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        told.contains("it is not in the configuration; what waits goes out if it is added again"),
        "{told}"
    );
    assert!(told.contains("; 1 not sent for "), "{told}");
    assert!(ok(&gateway.cli(&["health"])).contains("Telegram two: failed - it is not in the configuration"));
    assert!(gateway.log().contains("telegram:two: something is to be said by this account, and nobody can"));
    // Eleven minutes later.
    gateway.kill();
    let text = std::fs::read_to_string(journal(&gateway)).unwrap();
    let older = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line["ts"] = (line["ts"].as_u64().unwrap() - 11 * 60_000).into();
        format!("{line}\n")
    };
    std::fs::write(journal(&gateway), text.lines().map(older).collect::<String>()).unwrap();
    gateway.restart();
    let log = wait_for("the log", || {
        Some(gateway.log()).filter(|log| log.contains("nobody carries for its account any more"))
    });
    assert!(log.contains("it waited for 11 minutes"), "{log}");
    let mut client = Client::operator(&gateway, 4);
    wait_for("no row", || row(&mut client, "two").is_null().then_some(()));
    assert!(!ok(&gateway.cli(&["status"])).contains("two"));
    let last = std::fs::read_to_string(journal(&gateway)).unwrap();
    assert!(last.lines().last().unwrap().contains("\"failed\""), "{last}");
}

/// One that is switched off with a message in its hands tells of it as another would.
#[test]
fn r_10c_what_an_account_had_in_its_hands_when_it_was_switched_off_is_told() {
    let telegram = ann();
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    let mut client = Client::operator(&gateway, 4);
    telegram.always("sendMessage", Some(Fault::HalfOpen));
    let words = json!({"channel": "telegram", "to": "1001", "message": "x", "idempotencyKey": "k"});
    let id = client.ask("send", words);
    telegram.wait_calls("sendMessage", 1);
    ok(&gateway.cli(&["channels", "remove"]));
    let told = client.answer(&id).unwrap_err();
    assert!(
        told["message"].as_str().unwrap().contains("it is not known whether this message has reached"),
        "{told}"
    );
    let log = wait_for("the log", || {
        Some(gateway.log()).filter(|log| log.contains("may have arrived, and is not sent again"))
    });
    assert_eq!(log.matches("may have arrived, and is not sent again").count(), 1, "{log}");
}

/// Who waits for a send is answered before the connection ends; what is not known is told once, at the next start.
#[test]
fn r_08b_a_stop_in_the_middle_of_a_send_is_told_once_and_to_who_waits() {
    let telegram = ann();
    let (_server, mut gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    let mut client = Client::operator(&gateway, 4);
    telegram.always("sendMessage", Some(Fault::HalfOpen));
    let words = json!({"channel": "telegram", "to": "1001", "message": "x", "idempotencyKey": "k"});
    let id = client.ask("send", words.clone());
    telegram.wait_calls("sendMessage", 1);
    gateway.signal(rustix::process::Signal::TERM);
    let told = client.answer(&id).unwrap_err();
    assert_eq!((&told["code"], &told["retryable"]), (&json!("UNAVAILABLE"), &json!(true)), "{told}");
    gateway.wait(DEADLINE);
    telegram.always("sendMessage", None);
    gateway.restart();
    let mut client = Client::operator(&gateway, 4);
    let log = wait_for("the log", || {
        Some(gateway.log()).filter(|log| log.contains("may have arrived, and is not sent again"))
    });
    assert_eq!(log.matches("may have arrived, and is not sent again").count(), 1, "{log}");
    assert!(log.contains("the gateway stopped after it was handed over"), "{log}");
    let told = client.call("send", words).unwrap_err();
    assert!(told["message"].as_str().unwrap().contains("it is not known"), "{told}");
}

/// Nobody is taken for a stranger because a file is broken: he is told so, the owner with the file, and answered later.
#[test]
fn r_42_a_file_of_who_was_let_in_that_cannot_be_read_is_told_and_locks_nobody_out() {
    let telegram = ann();
    let server = ModelServer::start(vec![texts(&["hello"])]);
    let mut config = server.config();
    merge(
        &mut config,
        &json!({"channels": {"telegram": {"botToken": BOT_TOKEN, "apiRoot": telegram.root()}}}),
    );
    let name = "credentials/telegram-allowFrom.json";
    let gateway = Gateway::start(&Setup::config(config).file(name, "{\"allowFrom\": "));
    let doctor = text(&gateway.cli(&["doctor", "--only", "channels"])).0;
    assert!(doctor.contains("channels.pairing") && doctor.contains("telegram-allowFrom.json"), "{doctor}");
    telegram.says(1001, 1001, "hi");
    let told = said(&telegram, 1001, 1);
    assert!(told[0].contains("There is no answer at the moment"), "{told:?}");
    assert!(gateway.log().contains("who was let in is not known, and waits: read "), "{}", gateway.log());
    for command in [&["channels", "status"][..], &["status"]] {
        let told = ok(&gateway.cli(command)).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            told.contains("who was let in is not known") && told.contains("correct it or move it away"),
            "{told}"
        );
    }
    std::fs::write(gateway.state_dir().join(name), "{\"version\": 1, \"allowFrom\": [\"1001\"]}").unwrap();
    let told = wait_within(Duration::from_secs(20), "the answer", || {
        Some(telegram.texts(1001)).filter(|texts| texts.len() >= 2)
    });
    assert_eq!(told[1], "hello");
    assert!(!ok(&gateway.cli(&["channels", "status"])).contains("who was let in"));
}

/// whoever waits for another try sees when it comes.
#[test]
fn r_46_the_next_try_is_told_of_a_taken_port_and_of_a_server_that_fails() {
    let telegram = ann();
    telegram.always("getUpdates", Some(Fault::Html(502)));
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    let mut client = Client::operator(&gateway, 4);
    let comes = |row: &Value| row["nextTryAt"].is_u64() && row["lastError"].is_string();
    wait_for("the next poll", || comes(&row(&mut client, "default")).then_some(()));
    telegram.always("getUpdates", None);
    wait_for("none", || row(&mut client, "default")["nextTryAt"].is_null().then_some(()));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let path = |key: &str| format!("channels.telegram.{key}");
    for (key, value) in [("webhookSecret", "abc-def".to_string()), ("webhookPort", port.to_string())] {
        ok(&gateway.cli(&["config", "set", &path(key), &value]));
    }
    ok(&gateway.cli(&["config", "set", &path("webhookUrl"), "https://bot.example.org/telegram-webhook"]));
    let told = wait_for("the next listener", || Some(row(&mut client, "default")).filter(comes));
    assert!(told["lastError"].as_str().unwrap().contains("the webhook cannot listen"), "{told}");
    wait_for("status", || ok(&gateway.cli(&["status"])).contains("next try in ").then_some(()));
}

#[test]
fn r_07a_a_bot_whose_name_is_not_told_is_asked_for_messages_at_once() {
    let telegram = ann();
    telegram.always("getMe", Some(Fault::HalfOpen));
    let begun = Instant::now();
    let (_server, _gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    telegram.wait_calls("getUpdates", 1);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    telegram.says(1001, 1001, "hi");
    assert_eq!(said(&telegram, 1001, 1), ["ok"]);
}

/// `doctor` is told of a program that does not stay also where no command was given before.
#[test]
fn i11_the_doctor_of_a_fresh_state_tells_of_a_program_that_dies() {
    let program = json!({"command": ["/bin/sh", "-c", "exit 3"]});
    let gateway = Gateway::start(&Setup::config(json!({"channels": {"mychat": program}})));
    let told = wait_for("the doctor", || {
        let told = text(&gateway.cli(&["doctor", "--only", "channels"])).0;
        told.contains("channels.program").then_some(told)
    });
    assert!(told.contains("Mychat account default: the program ended"), "{told}");
    assert!(!gateway.state_dir().join("identity").exists());
    let mut client = Client::operator(&gateway, 4);
    let told = client.ok("channels.status", json!({}))["channelAccounts"]["mychat"][0].clone();
    assert!(told["nextTryAt"].is_u64(), "{told}");
}
