//! Messages that come while their session is busy: every mode, and every run id has an end that can be waited for.
use crate::agent::{text_of, with_config};
use crate::harness::model::{last_user_text, texts};
use crate::harness::*;

/// A gateway whose model holds its first answer until `release`, and with these queue settings.
fn held(queue: Value, replies: Vec<Reply>) -> (ModelServer, Gateway, Client) {
    let first =
        Reply::Stream(vec![Step::Text("first ".into()), Step::Gate, Step::Text("done".into()), Step::Done]);
    let server = ModelServer::start(std::iter::once(first).chain(replies).collect());
    let mut config = server.config();
    merge(&mut config, &json!({"messages": {"queue": queue}}));
    let gateway = with_config(config);
    let mut client = Client::operator(&gateway, 4);
    send(&mut client, "one", "k1");
    client.event_where("chat", |p| p["state"] == "delta");
    (server, gateway, client)
}

fn send(client: &mut Client, text: &str, key: &str) {
    let answer =
        client.ok("chat.send", json!({"sessionKey": "main", "message": text, "idempotencyKey": key}));
    assert_eq!(answer, json!({"runId": key, "status": "started"}));
}

/// The end of a run as `agent.wait` tells it.
fn end(client: &mut Client, key: &str) -> Value {
    client.ok("agent.wait", json!({"runId": key, "timeoutMs": 10000}))
}

fn final_text(client: &mut Client, key: &str) -> String {
    let event = client.event_where("chat", |p| p["runId"] == key && p["state"] != "delta");
    assert_eq!(event["state"], "final", "{event}");
    text_of(&event["message"])
}

/// What users said, as the transcript has it, oldest first.
fn users(client: &mut Client) -> Vec<String> {
    let history = client.ok("chat.history", json!({"sessionKey": "main"}));
    let messages = history["messages"].as_array().unwrap().iter().filter(|m| m["role"] == "user");
    messages.map(text_of).collect()
}

#[test]
fn collect_answers_all_that_waited_in_one_turn() {
    let (server, _gateway, mut client) = held(json!({"debounceMs": 50}), vec![texts(&["both"])]);
    send(&mut client, "two", "k2");
    send(&mut client, "three", "k3");
    server.release();
    assert_eq!(final_text(&mut client, "k1"), "first done");
    for key in ["k2", "k3"] {
        assert_eq!(final_text(&mut client, key), "both");
        assert_eq!(end(&mut client, key)["status"], "ok");
    }
    assert_eq!(server.count(), 2, "two messages, one turn");
    let asked = server.requests(2)[1].to_string();
    assert!(
        asked.contains("two") && last_user_text(&server.requests(2)[1]["body"]).contains("three"),
        "{asked}"
    );
    assert_eq!(users(&mut client), ["one", "two", "three"], "each is in the transcript once");
}

#[test]
fn collect_waits_until_nobody_types_any_more() {
    let (server, _gateway, mut client) = held(json!({"debounceMs": 400}), vec![texts(&["all"])]);
    send(&mut client, "two", "k2");
    server.release();
    final_text(&mut client, "k1");
    let started = Instant::now();
    send(&mut client, "three", "k3");
    assert_eq!(final_text(&mut client, "k2"), "all");
    assert_eq!(final_text(&mut client, "k3"), "all");
    assert!(started.elapsed() >= Duration::from_millis(300), "{:?}", started.elapsed());
    assert_eq!(server.count(), 2);
}

#[test]
fn followup_gives_each_a_turn() {
    let queue = json!({"mode": "followup", "debounceMs": 0});
    let (server, _gateway, mut client) = held(queue, vec![texts(&["second"]), texts(&["third"])]);
    send(&mut client, "two", "k2");
    send(&mut client, "three", "k3");
    server.release();
    assert_eq!(final_text(&mut client, "k2"), "second");
    assert_eq!(final_text(&mut client, "k3"), "third");
    assert_eq!(server.count(), 3);
}

#[test]
fn steer_joins_the_turn_before_its_next_call() {
    let queue = json!({"mode": "steer"});
    let (server, _gateway, mut client) = held(queue, vec![texts(&["about both"])]);
    send(&mut client, "rather this", "k2");
    server.release();
    assert_eq!(final_text(&mut client, "k1"), "about both");
    assert_eq!(final_text(&mut client, "k2"), "about both");
    assert_eq!(end(&mut client, "k2")["status"], "ok");
    assert!(last_user_text(&server.requests(2)[1]["body"]).contains("rather this"));
    assert_eq!(users(&mut client), ["one", "rather this"]);
    let history = client.ok("chat.history", json!({"sessionKey": "main"})).to_string();
    assert!(history.contains("first done"), "what was said before stays: {history}");
}

#[test]
fn interrupt_ends_the_turn_and_keeps_what_it_said() {
    let queue = json!({"mode": "interrupt"});
    let (server, _gateway, mut client) = held(queue, vec![texts(&["newer"])]);
    send(&mut client, "no, this", "k2");
    assert_eq!(final_text(&mut client, "k2"), "newer");
    let ended = end(&mut client, "k1");
    assert_eq!(ended["status"], "error", "{ended}");
    let history = client.ok("chat.history", json!({"sessionKey": "main"})).to_string();
    assert!(history.contains("first ") && history.contains("\"stopReason\":\"aborted\""), "{history}");
    assert_eq!(server.count(), 2);
}

#[test]
fn a_full_queue_does_what_drop_says() {
    for (drop, third) in [("new", "refused"), ("old", "taken"), ("summarize", "taken")] {
        let queue = json!({"debounceMs": 0, "cap": 1, "drop": drop});
        let (server, _gateway, mut client) = held(queue, vec![texts(&["rest"])]);
        send(&mut client, &"long words ".repeat(40), "k2");
        let id = client
            .ask("chat.send", json!({"sessionKey": "main", "message": "three", "idempotencyKey": "k3"}));
        let answer = client.answer(&id);
        assert_eq!(if answer.is_ok() { "taken" } else { "refused" }, third, "{drop}: {answer:?}");
        if drop == "old" {
            let left_out = end(&mut client, "k2");
            assert!(left_out["error"].as_str().unwrap().contains("newer messages"), "{left_out}");
        }
        server.release();
        let last = if drop == "new" { "k2" } else { "k3" };
        assert_eq!(final_text(&mut client, last), "rest", "{drop}");
        assert_eq!(end(&mut client, last)["status"], "ok");
        let asked = server.requests(2)[1].to_string();
        assert_eq!(asked.contains("shortened: too many"), drop == "summarize", "{drop}: {asked}");
    }
}

#[test]
fn stopping_ends_every_run_of_the_session() {
    let (_server, _gateway, mut client) = held(json!({"mode": "steer"}), vec![texts(&["never"])]);
    send(&mut client, "two", "k2");
    let stopped = client.ok("chat.abort", json!({"sessionKey": "main", "runId": "k2"}));
    assert_eq!(stopped["aborted"], true, "a run that joined another is stopped with it: {stopped}");
    for key in ["k1", "k2"] {
        assert_eq!(end(&mut client, key)["status"], "error");
    }
    let life = client.event_where("agent", |p| p["runId"] == "k1" && p["data"]["phase"] == "end");
    assert_eq!(life["data"]["aborted"], true, "{life}");
}

#[test]
fn agent_requests_have_turns_of_their_own() {
    let (server, _gateway, mut client) = held(json!({"mode": "steer"}), vec![texts(&["own"])]);
    let id = client.ask("agent", json!({"sessionKey": "main", "message": "two", "idempotencyKey": "k2"}));
    assert_eq!(client.answer(&id).unwrap()["status"], "accepted");
    server.release();
    assert_eq!(client.answer(&id).unwrap()["result"]["payloads"][0]["text"], "own");
    assert_eq!(server.count(), 2);
}

#[test]
fn a_message_that_joined_a_turn_survives_a_stop() {
    let (_server, mut gateway, mut client) = held(json!({"mode": "steer"}), vec![texts(&["later"])]);
    send(&mut client, "do not forget me", "k2");
    gateway.stop();
    gateway.restart();
    let mut client = Client::operator(&gateway, 4);
    assert_eq!(users(&mut client).iter().filter(|m| *m == "do not forget me").count(), 1);
    let told = end(&mut client, "k2");
    assert!(told["error"].as_str().is_some_and(|e| e.contains("stopped before this run ended")), "{told}");
}

#[test]
fn everyone_who_waits_is_told_of_an_abort() {
    let (_server, _gateway, mut client) = held(json!({"mode": "steer"}), vec![texts(&["never"])]);
    send(&mut client, "two", "k2");
    client.ok("chat.abort", json!({"sessionKey": "main"}));
    for key in ["k1", "k2"] {
        let told = client.event_where("chat", |p| p["runId"] == key && p["state"] != "delta");
        assert_eq!(told["state"], "aborted", "{key}: {told}");
    }
}

#[test]
fn a_new_conversation_does_not_go_on_in_the_old_one() {
    let (server, _gateway, mut client) =
        held(json!({"mode": "steer", "debounceMs": 0}), vec![texts(&["new words"])]);
    send(&mut client, "/new what is the weather?", "k2");
    server.release();
    assert_eq!(final_text(&mut client, "k2"), "new words");
    assert_eq!(users(&mut client), ["what is the weather?"], "the new transcript has the new question only");
}

#[test]
fn what_an_interrupted_turn_had_not_taken_in_is_answered_next() {
    let (server, _gateway, mut client) =
        held(json!({"mode": "steer", "debounceMs": 0}), vec![texts(&["both"]), texts(&["rest"])]);
    send(&mut client, "steered", "k2");
    let urgent = json!({"sessionKey": "main", "message": "stop that", "idempotencyKey": "k3", "queueMode": "interrupt"});
    client.ok("chat.send", urgent);
    for key in ["k2", "k3"] {
        assert_eq!(end(&mut client, key)["status"], "ok", "{key}");
    }
    assert!(server.count() >= 2);
    let said = users(&mut client);
    assert!(said.contains(&"steered".to_string()) && said.contains(&"stop that".to_string()), "{said:?}");
}

#[test]
fn an_id_that_is_used_again_is_waited_for_anew() {
    let (server, _gateway, mut client) = held(json!({}), vec![texts(&["x"])]);
    server.release();
    final_text(&mut client, "k1");
    let held = server.count();
    let id = client.ask("agent", json!({"sessionKey": "other", "message": "again", "idempotencyKey": "k1"}));
    assert_eq!(client.answer(&id).unwrap()["status"], "accepted");
    let waited = end(&mut client, "k1");
    assert!(server.count() > held, "the new run was waited for: {waited}");
}
