//! Telegram's webhook: who may post, what is answered when, and a port that is not there.
use super::harness::gateway::free_port;
use super::harness::http::raw;
use super::harness::model::texts;
use super::harness::telegram::{BOT_TOKEN, Telegram};
use super::harness::*;
use super::telegram::{ann, said, with_bot};
use std::net::TcpListener;

pub const SECRET: &str = "a-secret-CANARY";

fn hooked(telegram: &Telegram, port: u16, replies: Vec<Reply>) -> (ModelServer, Gateway) {
    let hook = json!({"channels": {"telegram": {
        "webhookUrl": "https://example.org/hook", "webhookSecret": SECRET, "webhookPath": "/hook", "webhookPort": port}}});
    with_bot(telegram, hook, replies)
}

pub fn start(replies: Vec<Reply>) -> (Telegram, u16, ModelServer, Gateway) {
    let (telegram, port) = (ann(), free_port());
    let (server, gateway) = hooked(&telegram, port, replies);
    wait_for("the webhook to be set", || telegram.world().bots[BOT_TOKEN].webhook.clone());
    (telegram, port, server, gateway)
}

pub fn post(port: u16, path: &str, headers: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let answer = raw(
        port,
        &format!("POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n{body}"),
    );
    (answer.status, answer.body)
}

#[test]
fn sec_32_only_who_knows_the_secret_is_read() {
    let (_telegram, port, server, gateway) = start(vec![texts(&["ok"])]);
    let update = json!({"update_id": 5, "message": {"message_id": 1, "date": 1, "text": "hi",
        "chat": {"id": 1001, "type": "private"}, "from": {"id": 1001, "is_bot": false, "first_name": "Ann"}}})
    .to_string();
    let right = format!("X-Telegram-Bot-Api-Secret-Token: {SECRET}\r\n");
    assert_eq!(post(port, "/hook", "", &update), (401, "secret token is wrong".into()));
    assert_eq!(post(port, "/hook", "X-Telegram-Bot-Api-Secret-Token: a-secret-CANARX\r\n", &update).0, 401);
    assert_eq!(post(port, "/hook", &format!("{right}{right}"), &update).0, 400, "twice");
    // The secret is looked at before the body is there.
    let head = "POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n";
    assert_eq!(raw(port, head).status, 401);
    assert_eq!(post(port, "/hook?x=1", &right, &update).0, 404);
    assert_eq!(post(port, "/other", &right, &update).0, 404);
    assert_eq!(raw(port, "GET /hook HTTP/1.1\r\nHost: x\r\n\r\n").status, 405);
    assert_eq!(raw(port, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").body, "ok");
    assert_eq!(raw(port, &format!("POST /hook HTTP/1.1\r\nHost: x\r\n{right}\r\n")).status, 411);
    assert_eq!(
        raw(port, &format!("POST /hook HTTP/1.1\r\nHost: x\r\n{right}Content-Length: 99999999\r\n\r\n"))
            .status,
        413
    );
    for body in ["nonsense", "[]", "{}", "{\"update_id\":\"x\"}"] {
        assert_eq!(post(port, "/hook", &right, body).0, 400, "{body}");
    }
    assert_eq!(server.count(), 0);
    assert!(gateway.log().contains("wrong secret token") && !gateway.log().contains("CANARY"));
    assert_eq!(post(port, "/hook", &right, &update).0, 200);
    server.requests(1);
}

#[test]
fn r_45_an_update_is_taken_within_a_second_whatever_the_turn_does_and_once() {
    let (telegram, port, server, mut gateway) =
        start(vec![Reply::Stream(vec![Step::Gate, Step::Text("at last".into()), Step::Done])]);
    telegram.says(1001, 1001, "hi");
    let update = telegram.world().bots[BOT_TOKEN].queue.front().cloned().unwrap().1.to_string();
    let since = Instant::now();
    assert_eq!(telegram.post_updates(BOT_TOKEN, port), [200]);
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    server.requests(1);
    let right = format!("X-Telegram-Bot-Api-Secret-Token: {SECRET}\r\n");
    assert_eq!(post(port, "/hook", &right, &update).0, 200, "a repetition");
    server.release();
    assert_eq!(said(&telegram, 1001, 1), ["at last"]);
    gateway.kill();
    gateway.restart();
    wait_for("the listener", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    assert_eq!(post(port, "/hook", &right, &update).0, 200, "after a crash too");
    telegram.says(1001, 1001, "and?");
    server.release();
    assert_eq!(telegram.post_updates(BOT_TOKEN, port), [200]);
    said(&telegram, 1001, 2);
    assert_eq!(server.count(), 2);
    assert!(telegram.calls("getUpdates").is_empty());
}

#[test]
fn r_46_a_port_that_is_taken_ends_nothing_and_is_tried_again() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let (server, gateway) = hooked(&telegram, port, vec![texts(&["ok"])]);
    wait_for("the log", || gateway.log().contains("cannot listen").then_some(()));
    Client::operator(&gateway, 4).ok("health", json!({}));
    drop(taken);
    wait_for("the webhook to be set", || telegram.world().bots[BOT_TOKEN].webhook.clone());
    telegram.says(1001, 1001, "hi");
    assert_eq!(telegram.post_updates(BOT_TOKEN, port), [200]);
    said(&telegram, 1001, 1);
    assert_eq!(server.count(), 1);
    // Back to polling: nobody has to delete it.
    let path = gateway.config_path();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"webhookUrl\"", "\"name\"")).unwrap();
    telegram.says(1001, 1001, "by polling");
    said(&telegram, 1001, 2);
}

/// More bodies that never come than there are places hold an update up for seconds, not for as long as a request may take.
#[test]
fn sec_32_bodies_that_do_not_come_hold_nothing_up_for_long() {
    use std::io::Write;
    let (telegram, port, _server, _gateway) = start(vec![texts(&["ok"])]);
    let head = format!(
        "POST /hook HTTP/1.1\r\nHost: x\r\nX-Telegram-Bot-Api-Secret-Token: {SECRET}\r\nContent-Length: 100\r\n\r\n"
    );
    let hung: Vec<_> = (0..40)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let began = Instant::now();
    telegram.says(1001, 1001, "hi");
    assert_eq!(telegram.post_updates(BOT_TOKEN, port), [200]);
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    said(&telegram, 1001, 1);
    drop(hung);
}
