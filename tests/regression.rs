//! Defects that a review found: one test each, named by what holds since then, with what went wrong before.
use crate::agent::{text_of, turn, with_model};
use crate::harness::model::texts;
use crate::harness::*;
use rustix::process::Signal;
use std::net::Shutdown;
use std::path::{Path, PathBuf};

fn gated(text: &str) -> Reply {
    Reply::Stream(vec![Step::Text(text.into()), Step::Gate, Step::Done])
}

/// Ends the connection at once, without a close frame.
fn hang_up(mut client: Client) {
    // The gateway may have been quicker.
    let _ = client.socket().get_mut().shutdown(Shutdown::Both);
}

/// A node without scopes, connected.
fn node(gateway: &Gateway) -> Client {
    let mut client = Client::open(gateway);
    let mut params = params(4);
    (params["role"], params["scopes"]) = (json!("node"), json!([]));
    (params["client"]["id"], params["client"]["mode"]) = (json!("node-host"), json!("node"));
    Device::new().attach(&mut params, &client.challenge.clone(), Version::V3);
    client.connect(params).unwrap();
    client
}

fn said(client: &mut Client, session: &str) -> Vec<String> {
    let history = client.ok("chat.history", json!({"sessionKey": session}));
    history["messages"].as_array().unwrap().iter().map(text_of).collect()
}

// The deadline overflowed and the process ended.
#[test]
fn a_timeout_beyond_all_time_is_no_timeout() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    for (n, timeout) in [18_446_744_073_709_550u64, 18_446_744_073_709_552, u64::MAX].iter().enumerate() {
        let key = format!("a{n}");
        let run = json!({"message": "hi", "sessionKey": "main", "idempotencyKey": key, "timeout": timeout});
        let id = client.ask("agent", run);
        assert_eq!(client.answer(&id).unwrap()["status"], "accepted");
        assert_eq!(client.answer(&id).unwrap()["status"], "ok", "timeout {timeout}");
        let key = format!("c{n}");
        let run = json!({"message": "hi", "sessionKey": "main", "idempotencyKey": key, "timeoutMs": timeout});
        client.ok("chat.send", run);
        let end = client.event_where("chat", |p| p["runId"] == key.as_str() && p["state"] != "delta");
        assert_eq!(end["state"], "final", "timeoutMs {timeout}");
    }
}

// Opening a pipe for reading waits for a writer: the thread that read the identity never came back.
#[test]
fn a_pipe_in_place_of_the_identity_file_freezes_nothing() {
    let gateway = Gateway::plain();
    let workspace = gateway.state_dir().join("workspace");
    std::fs::create_dir_all(&workspace).unwrap();
    let pipe = workspace.join("IDENTITY.md");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut client = Client::operator(&gateway, 4);
    assert_eq!(client.ok("agent.identity.get", json!({}))["name"], "Assistant");
    assert_eq!(turn(&mut client, "hi", "k").unwrap()["status"], "ok");
    client.ok("health", json!({}));
}

// The left-most entry of X-Forwarded-For was believed, which the client itself writes.
#[test]
fn what_a_client_writes_into_x_forwarded_for_counts_for_nothing() {
    let behind = json!({"gateway": {"trustedProxies": ["127.0.0.1"],
        "auth": {"rateLimit": {"maxAttempts": 3}}}});
    let gateway = Gateway::start(&Setup::config(behind));
    let mut client = Client::open_with(&gateway, &[("X-Forwarded-For", "127.0.0.1, 203.0.113.5")]);
    let mut asked = client::scoped(&["operator.read"]);
    Device::new().attach(&mut asked, &client.challenge.clone(), Version::V3);
    let (error, _) = client.refused(asked);
    assert!(error["message"].as_str().unwrap().starts_with("pairing required"), "{error}");
    let paired = Client::operator(&gateway, 4).ok("device.pair.list", json!({}))["paired"].clone();
    assert_eq!(paired, json!([]), "nothing was paired silently");

    let guess = |header: &str| {
        let mut wrong = params(4);
        wrong["auth"]["token"] = json!("a wrong token");
        let (error, _) = Client::open_with(&gateway, &[("X-Forwarded-For", header)]).refused(wrong);
        error["details"]["code"].as_str().unwrap().to_string()
    };
    let codes: Vec<String> = (0..4).map(|n| guess(&format!("198.51.100.{n}, 203.0.113.5"))).collect();
    assert_eq!(
        codes,
        ["AUTH_TOKEN_MISMATCH", "AUTH_TOKEN_MISMATCH", "AUTH_TOKEN_MISMATCH", "AUTH_RATE_LIMITED"]
    );
    assert_eq!(guess("203.0.113.5, 203.0.113.6"), "AUTH_TOKEN_MISMATCH", "another client is not limited");
}

// Only the connection that had asked first was told the end.
#[test]
fn r_10a_a_repeated_key_gets_the_final_answer_on_its_own_connection() {
    let (server, gateway) = with_model(vec![gated("once")]);
    let (mut one, mut two) = (Client::operator(&gateway, 4), Client::operator(&gateway, 3));
    let run = json!({"message": "go", "sessionKey": "main", "idempotencyKey": "same"});
    let first = one.ask("agent", run.clone());
    let accepted = one.answer(&first).unwrap();
    server.requests(1);
    let second = two.ask("agent", run);
    assert_eq!(two.answer(&second).unwrap(), accepted);
    server.release();
    let done = one.answer(&first).unwrap();
    assert_eq!(done["result"]["payloads"][0]["text"], "once");
    assert_eq!(two.answer(&second).unwrap(), done);
    assert_eq!(server.count(), 1);
}

// The work was left to the connection's thread, which a hang-up ends.
#[test]
fn what_was_asked_is_done_though_the_client_hangs_up() {
    let gateway = Gateway::plain();
    let mut calm = Client::operator(&gateway, 4);
    for n in 0..5 {
        let session = format!("s{n}");
        let run = json!({"message": "hi", "sessionKey": session, "idempotencyKey": session});
        let id = calm.ask("agent", run);
        calm.answer(&id).unwrap();
        calm.answer(&id).unwrap();
        let mut hasty = Client::operator(&gateway, 4);
        let text = format!("injected {n}");
        hasty.ask("chat.inject", json!({"sessionKey": session, "message": text}));
        hang_up(hasty);
        wait_for("the injected message", || said(&mut calm, &session).contains(&text).then_some(()));

        let mut hasty = Client::operator(&gateway, 4);
        hasty.ask("sessions.delete", json!({"key": session}));
        hang_up(hasty);
        wait_for("the deleted transcript under its new name", || {
            let files = std::fs::read_dir(gateway.sessions_dir()).unwrap().flatten();
            let names: Vec<String> = files.map(|f| f.file_name().to_string_lossy().into_owned()).collect();
            let left = names.iter().any(|name| name.ends_with(".jsonl"));
            let renamed = names.iter().filter(|name| name.contains(".jsonl.deleted.")).count();
            (!left && renamed == n + 1).then_some(())
        });
    }
}

// Everybody was told where the session files lie, and nodes were told of the sessions.
#[test]
fn sec_26_only_administrators_see_paths_and_nodes_no_health() {
    let limits = json!({"gateway": {"limits": {"healthIntervalMs": 100}}});
    let gateway = Gateway::start(&Setup::config(limits));
    let dir = gateway.dir.to_str().unwrap();
    let (mut reader, hello) = Client::with(&gateway, client::scoped(&["operator.read"]));
    assert!(!hello["snapshot"].to_string().contains(dir), "{hello}");
    for payload in [reader.ok("health", json!({})), reader.event("health")] {
        assert!(!payload.to_string().contains(dir), "{payload}");
    }
    let mut admin = Client::operator(&gateway, 4);
    let health = admin.ok("health", json!({}));
    assert!(health["sessions"]["path"].as_str().unwrap().starts_with(dir), "{health}");

    let mut node = node(&gateway);
    // Two rounds: what the node is told of the first would be here by now.
    for _ in 0..2 {
        admin.kept();
        admin.event("health");
    }
    node.collect(Duration::from_millis(100));
    assert!(!node.kept().iter().any(|f| f["event"] == "health"), "a node is told nothing of the sessions");
}

// Each piece repeated the whole text so far: hundreds of megabytes for one answer, and the reader was closed.
#[test]
fn a_long_answer_costs_a_reading_client_little_and_arrives_whole() {
    let pieces: Vec<String> = (0..300).map(|n| format!("{n:04} {}\n", "lorem ipsum ".repeat(85))).collect();
    let whole = pieces.concat();
    let steps = pieces.iter().flat_map(|p| [Step::Text(p.clone()), Step::Pause(Duration::from_millis(3))]);
    let (_server, gateway) = with_model(vec![Reply::Stream(steps.chain([Step::Done]).collect())]);
    for protocol in [3, 4] {
        let mut client = Client::operator(&gateway, protocol);
        let done = turn(&mut client, "tell me a lot", &format!("k{protocol}")).unwrap();
        assert!(done["result"]["payloads"][0]["text"] == whole.as_str(), "the answer holds the whole text");
        let frames = client.kept();
        let of = |name: &str, fits: fn(&Value) -> bool| -> Vec<&Value> {
            let named = frames.iter().filter(|f| f["event"] == name).map(|f| &f["payload"]);
            named.filter(|p| fits(p)).collect()
        };
        let assistant = of("agent", |p| p["stream"] == "assistant");
        let bytes: usize = assistant.iter().map(|p| p.to_string().len()).sum();
        assert!(bytes < 20 << 20, "{} agent events of {bytes} bytes", assistant.len());
        assert!(assistant.len() > 1, "it still comes bit by bit");
        let told: String = assistant.iter().filter_map(|p| p["data"]["delta"].as_str()).collect();
        assert!(told == whole, "the deltas make up the text");
        assert!(assistant.last().unwrap()["data"]["text"] == whole.as_str(), "the last event holds it whole");
        let mut told = String::new();
        for delta in of("chat", |p| p["state"] == "delta") {
            told.push_str(delta["deltaText"].as_str().unwrap());
            assert!(text_of(&delta["message"]) == told, "a delta's message is the deltas so far");
        }
        assert!(!told.is_empty() && whole.starts_with(&told), "the chat deltas are a beginning of the text");
        let last = of("chat", |p| p["state"] == "final");
        assert!(last.len() == 1 && text_of(&last[0]["message"]) == whole, "the final holds the whole text");
    }
}

// Runs that waited for their turn were lost with their messages when the gateway stopped.
#[test]
fn accepted_runs_survive_a_stop_as_failed_ones_with_their_messages() {
    let (server, mut gateway) = with_model(vec![Reply::Hang]);
    let mut client = Client::operator(&gateway, 4);
    let run = |n: usize| json!({"message": format!("question {n}"), "sessionKey": "main", "idempotencyKey": format!("k{n}")});
    for n in 0..3 {
        let id = client.ask("agent", run(n));
        assert_eq!(client.answer(&id).unwrap()["status"], "accepted");
    }
    server.requests(1);
    assert_eq!(gateway.stop().0, 0);
    for _ in 0..2 {
        gateway.restart();
        let mut client = Client::operator(&gateway, 4);
        let texts = said(&mut client, "main");
        for n in 0..3 {
            let question = format!("question {n}");
            assert_eq!(texts.iter().filter(|t| **t == question).count(), 1, "{question} in {texts:?}");
            let wait = client.ok("agent.wait", json!({"runId": format!("k{n}"), "timeoutMs": 1000}));
            assert_eq!(wait["status"], "error", "{wait}");
            let id = client.ask("agent", run(n));
            let again = client.res(&id);
            assert_eq!(
                (&again["ok"], &again["payload"]["status"]),
                (&json!(false), &json!("error")),
                "{again}"
            );
        }
        gateway.stop();
    }
    assert_eq!(server.count(), 1, "nothing is asked of the model again");
}

// Params were read into memory before it was known whether the caller may call anything.
#[test]
fn large_params_of_a_node_cost_no_memory() {
    let gateway = Gateway::plain();
    let mut node = node(&gateway);
    let frame = |id: &str, method: &str, params: &str| {
        format!(r#"{{"type":"req","id":"{id}","method":"{method}","params":{params}}}"#)
    };
    let before = gateway.resident_kib();
    for n in 0..5 {
        let (id, element) = (format!("n{n}"), if n % 2 == 0 { "0" } else { "{\"a\":0}" });
        node.send_text(&frame(
            &id,
            "agent",
            &format!("[{}{element}]", format!("{element},").repeat(199_999)),
        ));
        assert_eq!(node.answer(&id).unwrap_err()["message"], "unauthorized role: node");
    }
    let grown = gateway.peak_kib().saturating_sub(before);
    assert!(grown < 30 << 10, "grew by {grown} KiB at its peak");

    let mut admin = Client::operator(&gateway, 4);
    let many = format!("[{}0]", "0,".repeat(99_999));
    let params = format!(r#"{{"message":"hi","idempotencyKey":"k","attachments":{many}}}"#);
    admin.send_text(&frame("many", "agent", &params));
    let error = admin.answer("many").unwrap_err();
    assert_eq!(error["code"], "INVALID_REQUEST");
    assert!(error["message"].as_str().unwrap().contains("50000"), "names the limit: {error}");
}

// Slowness was counted from the last byte written; a pause with nothing to write is not slowness.
#[test]
fn idle_time_does_not_count_as_being_slow() {
    let gateway = Gateway::start(&Setup::config(json!({"gateway": {"limits": {"stallMs": 500}}})));
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "hi", "k").unwrap();
    for _ in 0..4 {
        client.ok("chat.inject", json!({"sessionKey": "main", "message": "x".repeat(400 << 10)}));
    }
    let mut idle = Client::operator(&gateway, 4);
    said(&mut idle, "main");
    idle.collect(Duration::from_millis(1500));
    let ids: Vec<String> = (0..8).map(|_| idle.ask("chat.history", json!({"sessionKey": "main"}))).collect();
    // Long enough for the socket to fill, not long enough to be slow.
    std::thread::sleep(Duration::from_millis(150));
    for id in ids {
        idle.answer(&id).unwrap();
    }
    idle.ok("health", json!({}));
}

// The socket was just dropped.
#[test]
fn a_stop_says_goodbye_to_those_who_have_not_connected_yet() {
    let mut gateway = Gateway::plain();
    let mut early = Client::open(&gateway);
    gateway.signal(Signal::TERM);
    let Closed(code, reason) = early.until_closed();
    assert!([1012, 1008].contains(&code) && !reason.is_empty(), "closed with {code} {reason:?}");
    assert_eq!(gateway.wait(DEADLINE).code(), Some(0));
}

// A closed terminal killed the gateway in the middle of everything.
#[test]
fn sighup_ends_the_gateway_like_sigterm() {
    let mut gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    gateway.signal(Signal::HUP);
    assert!(client.event("shutdown")["reason"].as_str().is_some_and(|r| !r.is_empty()));
    assert_eq!(client.until_closed(), Closed(1012, "service restart".into()));
    assert_eq!(gateway.wait(DEADLINE).code(), Some(0));
}

// Models were those of the start until a restart.
#[test]
fn a_model_chosen_in_the_file_is_the_next_run_s() {
    let (server, gateway) = with_model(vec![texts(&["fine"])]);
    let mut client = Client::operator(&gateway, 4);
    let good = std::fs::read_to_string(gateway.config_path()).unwrap();
    turn(&mut client, "one", "k1").unwrap();
    std::fs::write(gateway.config_path(), "{ \"agents\": broken").unwrap();
    turn(&mut client, "two", "k2").expect("a broken file leaves what is in force");
    let mut config: Value = serde_json::from_str(&good).unwrap();
    config["models"]["providers"]["test"]["models"] =
        json!([{"id": "m", "name": "M"}, {"id": "m2", "name": "M 2"}]);
    config["agents"]["defaults"]["model"]["primary"] = json!("test/m2");
    std::fs::write(gateway.config_path(), config.to_string()).unwrap();
    turn(&mut client, "three", "k3").unwrap();
    let asked: Vec<Value> = server.requests(3).iter().map(|r| r["body"]["model"].clone()).collect();
    assert_eq!(asked, [json!("m"), json!("m"), json!("m2")]);
}

// A rotated secret stayed valid until the next restart.
#[test]
fn sec_14_a_secret_changed_in_the_file_holds_within_a_second() {
    // Switching the reloading off is no wish to keep a secret that was taken back.
    for mode in ["hybrid", "off"] {
        let gateway = Gateway::start(&Setup::config(json!({"gateway": {"reload": {"mode": mode}}})));
        let mut old = Client::operator(&gateway, 4);
        let file = std::fs::read_to_string(gateway.config_path()).unwrap();
        assert!(file.contains(TOKEN), "{file}");
        let start = Instant::now();
        std::fs::write(gateway.config_path(), file.replace(TOKEN, "another-secret-0123456789")).unwrap();
        let Closed(code, reason) = old.until_closed_within(Duration::from_secs(5));
        assert_eq!(code, 1008);
        assert!(reason.contains("credentials"), "{reason}");
        assert!(start.elapsed() < Duration::from_secs(2), "took {:?}", start.elapsed());
        let (error, _) = Client::open(&gateway).refused(params(4));
        assert_eq!(error["details"]["code"], "AUTH_TOKEN_MISMATCH");
        let mut params = params(4);
        params["auth"]["token"] = json!("another-secret-0123456789");
        Client::with(&gateway, params).0.ok("health", json!({}));
    }
}

// A secret that is taken out of its wrapper can be compared or logged; these files have a reason to.
#[test]
fn sec_20_secrets_are_unwrapped_in_few_places_and_never_compared_plainly() {
    const ALLOWED: [&str; 17] = [
        "models/ask.rs",                    // the provider's header
        "agents/profiles_tests.rs",         // tests
        "models/choosing/window.rs",        // the header of a question about the model
        "models/provider.rs",               // what kind of sign-in it is
        "models/choosing/key_file.rs",      // whether the key fits a header
        "models/choosing/resolve_tests.rs", // tests
        "channels/token.rs",                // secret_eq
        "channels/telegram/token.rs",       // the address of a call, and what is taken out of texts
        "cli/channels/add.rs",              // it goes into the config, for the gateway
        "cli/node/browser.rs",              // the header of a question to this machine's browser service
        "cli/onboard/apply.rs",             // what the shell has goes into the config, for the service
        "doctor/access.rs",                 // its length
        "gateway/judge.rs",                 // its length
        "http/access.rs",                   // secret_eq
        "http/hooks/mapping.rs",            // secret_eq
        "net/auth.rs",                      // secret_eq
        "settings/mod.rs",                  // secret_eq, and what the log must hide
    ];
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in rust_files(&src) {
        let name = path.strip_prefix(&src).unwrap().to_str().unwrap();
        for (at, line) in std::fs::read_to_string(&path).unwrap().lines().enumerate() {
            if line.contains(".reveal()") {
                assert!(ALLOWED.contains(&name), "src/{name}:{} unwraps a secret", at + 1);
                let plain = line.contains("==") || line.contains("!=");
                assert!(!plain, "src/{name}:{} compares a secret with other than secret_eq", at + 1);
            }
        }
    }
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let files = paths.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|e| e == "rs")).collect()
}

// A `.env` of a checked-out project must not steer the gateway that is started in it.
#[test]
fn sec_41_the_env_file_is_read_in_the_state_directory_only() {
    let open = json!({"gateway": {"mode": "local", "auth": {"mode": "token"}}}).to_string();
    let of = |token: &str| format!("OPENCLAW_GATEWAY_TOKEN={token}\n");
    let here = Setup::text(&open).file("../../.env", of("the-token-of-the-working-directory"));
    let mut gateway = Gateway::spawn(&here, gateway::free_port());
    assert!(gateway.dir.join(".env").is_file(), "it lies where the gateway is started");
    assert_eq!(gateway.wait(Duration::from_secs(5)).code(), Some(78), "no secret: {}", gateway.stderr());

    let gateway = Gateway::start(&here.file(".env", of(TOKEN)));
    Client::open(&gateway).connect(params(4)).expect("the token of the state directory");
}
