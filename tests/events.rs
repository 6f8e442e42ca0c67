//! Events: numbering, presence, ticks, health, shutdown, and clients that do not read.
use crate::harness::*;
use rustix::process::Signal;

#[test]
fn presence_tells_who_came_and_who_left() {
    for protocol in [3, 4] {
        let gateway = Gateway::plain();
        let mut watcher = Client::operator(&gateway, protocol);
        let mut guest =
            Client::named(&gateway, json!({"client": {"displayName": "Guest", "instanceId": "guest-1"}}));
        let is_guest = |e: &Value| e["instanceId"] == "guest-1";
        let find = |list: &Value| list.as_array().unwrap().iter().find(|e| is_guest(e)).cloned();

        let came = watcher
            .event_where("presence", |p| p["delta"]["upserted"].as_array().unwrap().iter().any(is_guest));
        assert_eq!(find(&came["presence"]).unwrap()["reason"], "connect", "the full list beside the delta");
        assert_eq!(find(&came["delta"]["upserted"]).unwrap()["host"], "Guest");
        guest.close(1000, "");
        let left = watcher.event_where("presence", |p| {
            find(&p["delta"]["upserted"]).is_some_and(|e| e["reason"] == "disconnect")
                || p["delta"]["removed"].as_array().is_some_and(|r| !r.is_empty())
        });
        assert!(find(&left["presence"]).is_none_or(|e| e["reason"] == "disconnect"));
    }
}

#[test]
fn presence_carries_the_state_version() {
    let gateway = Gateway::plain();
    let (mut watcher, hello) = Client::with(&gateway, params(3));
    let before = hello["snapshot"]["stateVersion"]["presence"].as_u64().unwrap();
    watcher.ok("system-event", json!({"text": "hello", "instanceId": "mac-1"}));
    let frame = watcher.find("presence", |f| {
        f["event"] == "presence" && f["payload"]["presence"].to_string().contains("mac-1")
    });
    assert!(frame["stateVersion"]["presence"].as_u64().unwrap() > before, "{frame}");
    assert!(frame["seq"].is_u64(), "{frame}");
}

#[test]
fn command_line_clients_leave_no_presence() {
    let gateway = Gateway::plain();
    let mut watcher = Client::operator(&gateway, 4);
    let cli = json!({"client": {"id": "cli", "mode": "cli", "instanceId": "cli-1"}});
    let (_cli, _) = (Client::named(&gateway, cli), ());
    assert!(!watcher.ok("system-presence", json!({})).to_string().contains("cli-1"));
}

#[test]
fn two_connections_of_one_client_count_once() {
    let gateway = Gateway::plain();
    let mut watcher = Client::operator(&gateway, 4);
    let over = json!({"client": {"instanceId": "twin"}});
    let (_one, mut two) = (Client::named(&gateway, over.clone()), Client::named(&gateway, over));
    two.close(1000, "");
    two.until_closed();
    watcher.collect(Duration::from_millis(200));
    let list = watcher.ok("system-presence", json!({}));
    let rows: Vec<&Value> = list.as_array().unwrap().iter().filter(|e| e["instanceId"] == "twin").collect();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_ne!(rows[0]["reason"], "disconnect", "the other connection is still up");
}

#[test]
fn ticks_come_at_the_promised_interval() {
    let limits = json!({"gateway": {"limits": {"tickIntervalMs": 200}}});
    let gateway = Gateway::start(&Setup::config(limits));
    let (mut client, hello) = Client::with(&gateway, params(3));
    assert_eq!(hello["policy"]["tickIntervalMs"], 200);
    client.event("tick");
    let start = Instant::now();
    for _ in 0..3 {
        assert!(client.event("tick")["ts"].is_u64());
    }
    let took = start.elapsed().as_millis();
    assert!((300..2000).contains(&took), "three ticks of 200 ms took {took} ms");
}

#[test]
fn connects_and_health_calls_make_no_work_for_others() {
    let gateway = Gateway::plain();
    let mut watcher = Client::operator(&gateway, 4);
    for n in 0..30 {
        Client::operator(&gateway, 3 + n % 2).ok("health", json!({"probe": true}));
    }
    watcher.collect(Duration::from_millis(300));
    let health = watcher.kept().iter().filter(|f| f["event"] == "health").count();
    assert!(health <= 5, "{health} health events for 30 connects and calls: refreshes must coalesce");
}

#[test]
fn r_01e_sigterm_says_goodbye_and_ends_well() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut gateway = Gateway::plain();
        let mut clients: Vec<Client> = [3, 4].iter().map(|p| Client::operator(&gateway, *p)).collect();
        let start = Instant::now();
        gateway.signal(signal);
        for client in &mut clients {
            let payload = client.event("shutdown");
            assert!(payload["reason"].as_str().is_some_and(|r| !r.is_empty()), "{payload}");
            assert!(payload.get("restartExpectedMs").is_none(), "absent when unknown: {payload}");
            assert_eq!(client.until_closed(), Closed(1012, "service restart".into()));
        }
        assert_eq!(gateway.wait(DEADLINE).code(), Some(0));
        assert!(start.elapsed() < Duration::from_secs(5), "took {:?}", start.elapsed());
    }
}

#[test]
fn r_01e_sigterm_ends_a_running_turn_and_a_stuck_client() {
    let server = ModelServer::start(vec![Reply::Stream(vec![Step::Text("begun".into()), Step::Gate])]);
    let mut gateway = Gateway::start(&Setup::config(server.config()));
    let mut caller = Client::operator(&gateway, 4);
    let mut stuck = Client::operator(&gateway, 3);
    for _ in 0..300 {
        stuck.try_send(
            &json!({"type": "req", "id": "x", "method": "config.schema"}),
            Duration::from_millis(20),
        );
    }
    let id = caller.ask("agent", json!({"message": "go", "sessionKey": "main", "idempotencyKey": "i"}));
    assert_eq!(caller.answer(&id).unwrap()["status"], "accepted");
    caller.event_where("agent", |p| p["stream"] == "assistant");
    let (code, took) = gateway.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(5), "took {took:?}");
    assert_eq!(caller.until_closed().0, 1012);
    gateway.restart();
    let mut after = Client::operator(&gateway, 4);
    let history = after.ok("chat.history", json!({"sessionKey": "main"}));
    assert_eq!(history["messages"][0]["content"][0]["text"], "go", "the turn was recorded");
}

#[test]
fn r_21b_a_client_that_does_not_read_is_closed_and_nobody_else_notices() {
    let gateway = Gateway::plain();
    let mut calm = Client::operator(&gateway, 4);
    let id = calm.ask("agent", json!({"message": "go", "sessionKey": "main", "idempotencyKey": "i"}));
    calm.answer(&id).unwrap();
    calm.answer(&id).expect("the session exists from here on");
    let mut slow = Client::operator(&gateway, 3);
    slow.expects_loss = true;
    // A final is never dropped: far more of them than any socket buffer holds.
    let big = "x".repeat(400 << 10);
    for _ in 0..40 {
        let start = Instant::now();
        calm.ok("chat.inject", json!({"sessionKey": "main", "message": big}));
        calm.ok("health", json!({}));
        assert!(start.elapsed() < Duration::from_secs(1), "the calm client waited {:?}", start.elapsed());
    }
    assert_eq!(slow.until_closed(), Closed(1008, "slow consumer".into()));
}

#[test]
fn a_client_that_asks_and_never_reads_costs_little() {
    let gateway = Gateway::plain();
    let mut pump = Client::operator(&gateway, 3);
    let mut calm = Client::operator(&gateway, 3);
    let before = gateway.resident_kib();
    for _ in 0..3000 {
        if !pump.try_send(
            &json!({"type": "req", "id": "p", "method": "config.schema"}),
            Duration::from_millis(50),
        ) {
            break;
        }
    }
    let start = Instant::now();
    calm.ok("health", json!({}));
    assert!(start.elapsed() < Duration::from_millis(500), "health took {:?}", start.elapsed());
    let grown = gateway.resident_kib().saturating_sub(before);
    assert!(grown < 16 << 10, "grew by {grown} KiB for one client");
}

/// Issue 10: a waiting client's socket is written by whoever has something small for it, all else by its own thread.
#[test]
fn i10_events_small_and_large_come_in_order_and_without_a_gap() {
    let gateway = Gateway::plain();
    let mut writer = Client::operator(&gateway, 4);
    let id = writer.ask("agent", json!({"message": "go", "sessionKey": "main", "idempotencyKey": "i"}));
    writer.answer(&id).unwrap();
    writer.answer(&id).expect("the session exists from here on");
    // One reads what comes as it comes and asks in between, the other reads nothing until all of it is there.
    let (mut busy, mut late) = (Client::operator(&gateway, 4), Client::operator(&gateway, 4));
    let sizes = [10, 5_000, 60_000, 20, 7_900, 8_300, 300_000, 1];
    let texts: Vec<String> = (0..40).map(|n| format!("{n} {}", "x".repeat(sizes[n % sizes.len()]))).collect();
    for (n, text) in texts.iter().enumerate() {
        writer.ok("chat.inject", json!({"sessionKey": "main", "message": text}));
        if n % 3 == 0 {
            busy.ok("sessions.list", json!({}));
        }
    }
    for client in [&mut busy, &mut late] {
        let (mut seq, mut told) = (None, Vec::new());
        while told.len() < texts.len() {
            let frame = client.frame().unwrap();
            let Some(next) = frame["seq"].as_u64() else { continue };
            assert!(seq.is_none_or(|seq| next == seq + 1), "{next} after {seq:?}");
            seq = Some(next);
            let text = frame["payload"]["message"]["content"][0]["text"].as_str();
            told.extend(text.filter(|text| text.contains(" x")).map(str::to_string));
        }
        assert!(told == texts, "in another order");
    }
}
