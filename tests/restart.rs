//! The in-process restart: SIGUSR1 and requests, what stays (process, port, who connects), what waits, what is cut.
use crate::harness::gateway::free_port;
use crate::harness::model::texts;
use crate::harness::*;
use rustix::process::Signal;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

fn restartable() -> Value {
    json!({"commands": {"restart": true}})
}

fn with(over: Value) -> Value {
    let mut config = restartable();
    merge(&mut config, &over);
    config
}

/// The time of this generation's start as its clients are told it.
fn uptime(gateway: &Gateway) -> Duration {
    let (_, hello) = Client::with(gateway, params(4));
    Duration::from_millis(hello["snapshot"]["uptimeMs"].as_u64().unwrap())
}

fn restarts(gateway: &Gateway) -> usize {
    gateway.log().matches("\"restarting (").count() + gateway.log().matches("restarting (").count()
}

fn count(gateway: &Gateway, what: &str) -> usize {
    std::fs::read_dir(format!("/proc/{}/{what}", gateway.pid())).map_or(0, Iterator::count)
}

/// Waits until the restart that was asked for has taken place: the old connection is closed, a new one greeted.
fn over(client: &mut Client) {
    let shutdown = client.event("shutdown");
    assert_eq!(shutdown["reason"], "gateway restarting");
    assert!(shutdown["restartExpectedMs"].as_u64().is_some(), "R-14e: {shutdown}");
    assert_eq!(client.until_closed(), Closed(1012, "service restart".into()));
}

#[test]
fn r_01a_r_14d_r_14e_fifty_restarts_keep_process_port_and_everybody_who_connects() {
    let mut gateway = Gateway::start(&Setup::config(restartable()));
    let done = AtomicBool::new(false);
    let greeted = AtomicU32::new(0);
    let mut times = Vec::new();
    let mut first = (0, 0);
    std::thread::scope(|scope| {
        // Somebody connects at every instant; whoever is let in may be sent away by the next restart, but is let in.
        let (gateway, done, greeted) = (&gateway, &done, &greeted);
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                Client::with(gateway, params(3 + greeted.load(Ordering::Relaxed) % 2));
                greeted.fetch_add(1, Ordering::Relaxed);
                http::request(gateway.port, "GET", "/health");
            }
        });
        let mut client = Client::operator(gateway, 4);
        for round in 0..50 {
            let start = Instant::now();
            gateway.signal(Signal::USR1);
            over(&mut client);
            client = Client::operator(gateway, 4);
            times.push(start.elapsed());
            client.ok("health", json!({}));
            if round == 5 {
                first = (count(gateway, "task"), count(gateway, "fd"));
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    times.sort();
    println!("signal to hello-ok: median {:?}, slowest {:?}; {greeted:?} greeted", times[25], times[49]);
    assert!(greeted.load(Ordering::Relaxed) > 20);
    assert!(times[25] < Duration::from_millis(if cfg!(debug_assertions) { 400 } else { 50 }), "{times:?}");
    wait_for("the threads and descriptors of old generations to be gone", || {
        let now = (count(&gateway, "task"), count(&gateway, "fd"));
        (now.0 <= first.0 && now.1 <= first.1).then_some(())
    });
    assert_eq!(gateway.stop().0, 0);
}

#[test]
fn r_14a_a_storm_of_signals_ends_healthy_and_loses_none() {
    let gateway = Gateway::start(&Setup::config(restartable()));
    let mut last = Instant::now();
    for n in 0..1000u64 {
        gateway.signal(Signal::USR1);
        last = Instant::now();
        std::thread::sleep(Duration::from_micros(n * 7919 % 1500));
    }
    // The last signal has a restart after it.
    wait_for("a generation that began after the last signal", || {
        // Asked for first: on a busy machine the answer takes longer than the generation needed to begin.
        let uptime = uptime(&gateway);
        (uptime <= last.elapsed()).then_some(())
    });
    let settled = wait_for("the restarts to end", || {
        let before = restarts(&gateway);
        std::thread::sleep(Duration::from_millis(400));
        (restarts(&gateway) == before).then_some(before)
    });
    assert!(settled > 1, "{settled}");
    Client::operator(&gateway, 4).ok("health", json!({}));
}

#[test]
fn r_14c_a_signal_from_outside_needs_leave_and_the_log_says_so() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    gateway.signal(Signal::USR1);
    wait_for("the advice", || gateway.log().contains("commands.restart").then_some(()));
    client.ok("health", json!({}));
    // A request from inside needs none.
    client.ok("gateway.restart.request", json!({"reason": "test"}));
    over(&mut client);
    Client::operator(&gateway, 4).ok("health", json!({}));
}

fn ask(client: &mut Client, key: &str, idempotency: &str) -> Result<Value, Value> {
    client.call("agent", json!({"message": "go", "sessionKey": key, "idempotencyKey": idempotency}))
}

#[test]
fn r_14b_turns_under_way_end_first_and_new_ones_are_told_to_come_back() {
    let server = ModelServer::start(vec![Reply::Stream(vec![
        Step::Text("to the end".into()),
        Step::Gate,
        Step::Done,
    ])]);
    let gateway = Gateway::start(&Setup::config(with(server.config())));
    let mut client = Client::operator(&gateway, 4);
    let id = client.ask("agent", json!({"message": "go", "sessionKey": "main", "idempotencyKey": "k1"}));
    assert_eq!(client.answer(&id).unwrap()["status"], "accepted");
    server.requests(1);
    gateway.signal(Signal::USR1);
    let status = wait_for("the drain", || {
        let restart = client.ok("status", json!({}))["restart"].clone();
        (restart["phase"] == "draining").then_some(restart)
    });
    assert_eq!((status["causes"][0].as_str(), status["runs"].as_u64()), (Some("SIGUSR1"), Some(1)));
    let refusal = ask(&mut client, "other", "k2").unwrap_err();
    assert_eq!((refusal["code"].as_str(), refusal["retryable"].as_bool()), (Some("UNAVAILABLE"), Some(true)));
    assert!(refusal["retryAfterMs"].as_u64().unwrap() > 0, "{refusal}");
    let chat = json!({"message": "go", "sessionKey": "other", "idempotencyKey": "k3"});
    assert_eq!(client.fails("chat.send", chat)["code"], "UNAVAILABLE");
    client.ok("health", json!({}));
    server.release();
    assert_eq!(client.answer(&id).unwrap()["status"], "ok");
    over(&mut client);
    let mut client = Client::operator(&gateway, 4);
    let history = client.ok("chat.history", json!({"sessionKey": "main"}));
    assert!(history.to_string().contains("to the end"), "{history}");
    let again = client.call("agent", json!({"message": "go", "sessionKey": "main", "idempotencyKey": "k1"}));
    assert_eq!(again.unwrap()["status"], "ok", "the end is remembered over the restart");
}

#[test]
fn r_14b_a_turn_that_does_not_end_is_cut_at_the_deadline() {
    let server = ModelServer::start(vec![Reply::Hang, texts(&["fresh"])]);
    let mut config = with(server.config());
    merge(&mut config, &json!({"gateway": {"limits": {"drainMs": 300}}}));
    let gateway = Gateway::start(&Setup::config(config));
    let mut client = Client::operator(&gateway, 4);
    ask(&mut client, "main", "k1").unwrap();
    server.requests(1);
    let start = Instant::now();
    gateway.signal(Signal::USR1);
    over(&mut client);
    assert!(start.elapsed() >= Duration::from_millis(300) && start.elapsed() < Duration::from_secs(5));
    let mut client = Client::operator(&gateway, 4);
    let end = client.ok("agent.wait", json!({"runId": "k1", "timeoutMs": 5000}));
    assert_eq!(end["status"], "error", "{end}");
    assert!(end["error"].as_str().unwrap().contains("send the message again"), "{end}");
    assert!(gateway.log().contains("within 300 ms (gateway.limits.drainMs): 1 cut off"), "{}", gateway.log());
    crate::agent::turn(&mut client, "and now", "k2").unwrap();
}

#[test]
fn r_14b_a_deferred_restart_is_listed_and_fires_once() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let start = Instant::now();
    for _ in 0..5 {
        client.ok("gateway.restart.request", json!({"delayMs": 500}));
    }
    let restart = client.ok("status", json!({}))["restart"].clone();
    assert_eq!((restart["pending"].as_bool(), restart["phase"].as_str()), (Some(true), Some("deferred")));
    assert!(restart["dueInMs"].as_u64().unwrap() <= 500);
    assert_eq!(client.ok("gateway.restart.preflight", json!({}))["restart"]["phase"], "deferred");
    over(&mut client);
    assert!(start.elapsed() >= Duration::from_millis(500));
    let mut client = Client::operator(&gateway, 4);
    client.collect(Duration::from_millis(700));
    assert!(client.kept().iter().all(|f| f["event"] != "shutdown"), "one restart answers all requests");
}

#[test]
fn the_session_that_asked_is_told() {
    let server = ModelServer::start(vec![texts(&["hi"]), texts(&["hi"])]);
    let gateway = Gateway::start(&Setup::config(server.config()));
    let mut client = Client::operator(&gateway, 4);
    let asked = client.ok(
        "gateway.restart.request",
        json!({"sessionKey": "agent:main:work", "note": "back soon", "reason": "why"}),
    );
    let path = asked["sentinel"]["path"].as_str().unwrap().to_string();
    over(&mut client);
    let mut client = Client::operator(&gateway, 4);
    assert!(!std::path::Path::new(&path).exists(), "read and removed");
    let notes = client.ok("status", json!({}))["queuedSystemEvents"].to_string();
    assert!(notes.contains("GatewayRestart:") && notes.contains("back soon"), "{notes}");
    // It survives another restart, and only that session is told.
    client.ok("gateway.restart.request", json!({}));
    over(&mut client);
    let mut client = Client::operator(&gateway, 4);
    for (key, n) in [("agent:main:main", 1), ("agent:main:work", 2)] {
        let id = client.ask("agent", json!({"message": "hello", "sessionKey": key, "idempotencyKey": key}));
        client.answer(&id).unwrap();
        client.answer(&id).unwrap();
        let question =
            crate::harness::model_wire::last_user_text(&server.requests(n).last().unwrap()["body"]);
        assert_eq!(question.contains("back soon"), key == "agent:main:work", "{question}");
    }
}

#[test]
fn every_session_that_asked_is_told() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    for (key, note) in [("agent:main:one", "first note"), ("agent:main:two", "second note")] {
        client.ok("gateway.restart.request", json!({"sessionKey": key, "note": note, "delayMs": 300}));
    }
    over(&mut client);
    let mut client = Client::operator(&gateway, 4);
    let notes = client.ok("status", json!({}))["queuedSystemEvents"].to_string();
    assert!(notes.contains("first note") && notes.contains("second note"), "{notes}");
}

#[test]
fn a_refused_restart_is_told_at_once_and_never_again() {
    let gateway = Gateway::start(&Setup::config(with(json!({"gateway": {"reload": {"mode": "off"}}}))));
    let mut client = Client::operator(&gateway, 4);
    let good = std::fs::read_to_string(gateway.config_path()).unwrap();
    let request = |delay: u64| json!({"sessionKey": "main", "note": "OLDNOTE", "delayMs": delay});
    let asked = client.ok("gateway.restart.request", request(400));
    std::fs::write(gateway.config_path(), "{").unwrap();
    let preflight = client.ok("gateway.restart.preflight", json!({}));
    assert_eq!((&preflight["safe"], preflight["configInvalid"].is_object()), (&json!(false), true));
    let refused = |client: &mut Client| client.ok("status", json!({}))["restart"]["refused"].is_string();
    wait_for("the refusal", || refused(&mut client).then_some(()));
    let notes = client.ok("status", json!({}))["queuedSystemEvents"].to_string();
    assert!(notes.contains("OLDNOTE") && notes.contains("refused"), "{notes}");
    let sentinel = asked["sentinel"]["path"].as_str().unwrap();
    wait_for("the note to be gone", || (!std::path::Path::new(sentinel).exists()).then_some(()));
    let refusal = client.fails("gateway.restart.request", request(0));
    assert!(refusal["message"].as_str().unwrap().starts_with("not restarted: "), "{refusal}");
    assert!(!std::path::Path::new(sentinel).exists());
    std::fs::write(gateway.config_path(), good).unwrap();
    assert_eq!(client.ok("gateway.restart.preflight", json!({}))["safe"], true);
    wait_for("the refusal to be forgotten", || (!refused(&mut client)).then_some(()));
    client.ok("gateway.restart.request", json!({}));
    over(&mut client);
}

#[test]
fn a_stop_during_a_drain_stops() {
    let server = ModelServer::start(vec![Reply::Hang]);
    let mut gateway = Gateway::start(&Setup::config(with(server.config())));
    let mut client = Client::operator(&gateway, 4);
    ask(&mut client, "main", "k1").unwrap();
    server.requests(1);
    gateway.signal(Signal::USR1);
    wait_for("the drain", || {
        (client.ok("status", json!({}))["restart"]["phase"] == "draining").then_some(())
    });
    let (code, time) = gateway.stop();
    assert_eq!(code, 0);
    assert!(time < Duration::from_secs(5), "R-01e: {time:?}");
    assert_eq!(client.until_closed().0, 1012);
}

#[test]
fn stops_in_any_instant_of_a_restart_are_honoured() {
    for delay in [0, 1, 3, 6, 10, 15, 25, 40] {
        let mut gateway = Gateway::start(&Setup::config(restartable()));
        gateway.signal(Signal::USR1);
        std::thread::sleep(Duration::from_millis(delay));
        let (code, time) = gateway.stop();
        assert_eq!(code, 0, "after {delay} ms: {}", gateway.stderr());
        assert!(time < Duration::from_secs(5), "{delay}: {time:?}");
    }
}

fn write(gateway: &Gateway, config: &Value) {
    let text = serde_json::to_string_pretty(config).unwrap();
    std::fs::write(gateway.config_path(), text).unwrap();
}

#[test]
fn a_changed_port_moves_and_a_taken_one_does_not() {
    let (first, second) = (free_port(), free_port());
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().port();
    let config = |port: u16| {
        json!({
            "gateway": {"mode": "local", "port": port, "auth": {"token": TOKEN}},
            "canvasHost": {"enabled": false}, "logging": {"file": "/dev/null"},
        })
    };
    let setup =
        Setup { config_text: Some(config(first).to_string()), port_in_config: true, ..Setup::default() };
    let mut gateway = Gateway::spawn(&setup, first);
    wait_for("the gateway", || std::net::TcpStream::connect(("127.0.0.1", first)).ok());
    let mut client = Client::operator(&gateway, 4);
    write(&gateway, &config(second));
    over(&mut client);
    gateway.port = second;
    let mut client = wait_for("the new port", || {
        std::net::TcpStream::connect(("127.0.0.1", second)).ok().map(|_| Client::operator(&gateway, 4))
    });
    wait_for("the old port to be free", || std::net::TcpListener::bind(("127.0.0.1", first)).ok());
    // Nobody is cut for a port that cannot be had, and the reason is told.
    write(&gateway, &config(taken));
    let told = |client: &mut Client| client.ok("health", json!({}))["configInvalid"]["message"].clone();
    let why = wait_for("the reason", || told(&mut client).as_str().map(str::to_string));
    assert!(why.contains(&format!("port {taken} is already in use")), "{why}");
    assert!(!gateway.stdout().contains("listens where it did before"), "{}", gateway.stdout());
    let ports = std::fs::read_to_string(gateway.state_dir().join("gateway/ports.json")).unwrap();
    assert!(ports.contains(&second.to_string()) && !ports.contains(&taken.to_string()), "{ports}");
    // A secret that was taken back with the same edit opens nothing any more (SEC-14).
    let renewed = config(taken).to_string().replace(TOKEN, "another-secret-0123456789");
    std::fs::write(gateway.config_path(), renewed).unwrap();
    assert_eq!(client.until_closed().0, 1008);
    // Free again: the next change finds out.
    drop(held);
    std::fs::write(gateway.config_path(), format!("{}\n", config(taken))).unwrap();
    gateway.port = taken;
    wait_for("the port that is free now", || std::net::TcpStream::connect(("127.0.0.1", taken)).ok());
    assert_eq!(gateway.stop().0, 0);
}

#[test]
fn the_port_of_the_command_line_is_stronger_than_a_changed_file() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let mut config: Value =
        serde_json::from_str(&std::fs::read_to_string(gateway.config_path()).unwrap()).unwrap();
    merge(&mut config, &json!({"gateway": {"port": free_port()}}));
    write(&gateway, &config);
    let told = "no effect while --port or OPENCLAW_GATEWAY_PORT names the port";
    wait_for("the change", || gateway.log().contains(told).then_some(()));
    std::thread::sleep(Duration::from_millis(100));
    client.ok("health", json!({}));
    assert_eq!(restarts(&gateway), 0);
}

#[test]
fn what_cannot_be_started_is_not_restarted() {
    let gateway = Gateway::start(&Setup::config(with(json!({"gateway": {"reload": {"mode": "off"}}}))));
    let mut client = Client::operator(&gateway, 4);
    let good = std::fs::read_to_string(gateway.config_path()).unwrap();
    for (bad, names) in [
        ("{".to_string(), "openclaw.json"),
        (good.replace("\"local\"", "\"remote\""), "gateway.mode"),
        (good.replace(TOKEN, ""), "token"),
        (good.replace("\"off\"", "\"off\"}, \"bind\": \"custom\", \"remote\": {"), "customBindHost"),
    ] {
        std::fs::write(gateway.config_path(), &bad).unwrap();
        gateway.signal(Signal::USR1);
        let refused = wait_for("the refusal", || {
            let status = client.ok("status", json!({}));
            status["restart"]["refused"].as_str().filter(|why| why.contains(names)).map(str::to_string)
        });
        wait_for(&refused, || gateway.log().contains("not restarted").then_some(()));
    }
    std::fs::write(gateway.config_path(), good).unwrap();
    gateway.signal(Signal::USR1);
    over(&mut client);
    Client::operator(&gateway, 4).ok("health", json!({}));
}

#[test]
fn a_changed_bind_on_the_same_port_moves() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let outside = || std::net::TcpStream::connect(("127.0.0.2", gateway.port)).is_ok();
    assert!(!outside());
    let config: Value =
        serde_json::from_str(&std::fs::read_to_string(gateway.config_path()).unwrap()).unwrap();
    for (bind, is_open) in [("lan", true), ("loopback", false)] {
        let mut config = config.clone();
        merge(&mut config, &json!({"gateway": {"bind": bind}}));
        write(&gateway, &config);
        over(&mut client);
        client = wait_for("the gateway", || {
            std::net::TcpStream::connect(("127.0.0.1", gateway.port))
                .ok()
                .map(|_| Client::operator(&gateway, 4))
        });
        assert_eq!(outside(), is_open, "{bind}");
    }
}

// N-5: nothing would start it again, so that nothing is forced.
#[test]
fn n_5_a_restart_without_a_service_is_refused_at_once_and_once_while_nothing_would_start() {
    let gateway = Gateway::plain();
    std::fs::write(gateway.config_path(), "{gateway: {mode: 'local' port: 1}}").unwrap();
    for vars in [&[][..], &[("OPENCLAW_GATEWAY_TOKEN", TOKEN)]] {
        let output = gateway.cli_env(&["gateway", "restart", "--force"], vars);
        let (_, told) = crate::cli::text(&output);
        assert_eq!(output.status.code(), Some(78), "{told}");
        assert!(
            told.contains("no gateway would start now") && told.contains("--force is for a service"),
            "{told}"
        );
        assert_eq!(told.matches("expected comma").count(), 1, "{told}");
    }
}
