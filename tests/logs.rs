//! Logs: format, what never appears in them, and how large they get.
use crate::agent::turn;
use crate::harness::model::texts;
use crate::harness::*;
use std::os::unix::fs::PermissionsExt;

#[test]
fn the_file_has_the_original_s_lines() {
    let gateway = Gateway::plain();
    Client::operator(&gateway, 4).call("no.such", json!({})).unwrap_err();
    let log =
        wait_for("a line about the failed call", || Some(gateway.log()).filter(|l| l.contains("no.such")));
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line}"));
        assert!(
            entry["_meta"]["logLevelName"].is_string() && entry["time"].as_str().unwrap().ends_with('Z'),
            "{line}"
        );
        let name: Value = serde_json::from_str(entry["0"].as_str().unwrap()).unwrap();
        assert!(name["subsystem"].is_string(), "{line}");
    }
    let mode = std::fs::metadata(gateway.dir.join("gateway.log")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(gateway.stdout().contains(&format!("ws://127.0.0.1:{}", gateway.port)), "{}", gateway.stdout());
}

#[test]
fn logs_tail_follows_by_cursor() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 3);
    let first = client.ok("logs.tail", json!({}));
    assert_eq!((&first["reset"], &first["file"]), (&json!(false), &json!(gateway.dir.join("gateway.log"))));
    assert!(!first["lines"].as_array().unwrap().is_empty());
    client.call("no.such.method", json!({})).unwrap_err();
    let cursor = &first["cursor"];
    let next = wait_for("the new line", || {
        let tail = client.ok("logs.tail", json!({"cursor": cursor}));
        tail["lines"].to_string().contains("no.such.method").then_some(tail)
    });
    assert!(next["cursor"].as_u64() > cursor.as_u64());
    let far = client.ok("logs.tail", json!({"cursor": 1u64 << 40}));
    assert_eq!(far["reset"], true);
    let one = client.ok("logs.tail", json!({"limit": 1}));
    assert_eq!(one["lines"].as_array().unwrap().len(), 1);
}

#[test]
fn r_22b_secrets_appear_nowhere() {
    let canaries = [
        "canary-api-key-77aa77aa77aa",
        "canary-bot-token-88bb88bb88bb",
        "canary-password-99cc99cc99cc",
        TOKEN,
    ];
    let server = ModelServer::start(vec![
        texts(&["fine"]),
        Reply::Status(401, vec![], format!(r#"{{"error":{{"message":"bad key {}"}}}}"#, canaries[0])),
    ]);
    let mut config = server.config();
    config["models"]["providers"]["test"]["apiKey"] = json!(canaries[0]);
    config["channels"] =
        json!({"telegram": {"enabled": false, "botToken": format!("123456:{}", canaries[1])}});
    config["gateway"] = json!({"auth": {"password": canaries[2]}});
    let mut gateway = Gateway::start(&Setup::config(config).arg("--verbose"));
    let (mut client, hello) = Client::with(&gateway, params(4));
    let mut seen = vec![("hello-ok", hello.to_string())];
    turn(&mut client, "hi", "k1").unwrap();
    seen.push(("failed turn", turn(&mut client, "hi", "k2").unwrap_err().to_string()));
    let mut wrong = params(4);
    wrong["auth"] = json!({"token": format!("{}x", canaries[3])});
    seen.push(("refusal", Client::open(&gateway).refused(wrong).0.to_string()));
    for method in [
        "health",
        "status",
        "config.get",
        "models.list",
        "agents.list",
        "sessions.list",
        "system.info",
        "system-presence",
    ] {
        seen.push((method, client.ok(method, json!({})).to_string()));
    }
    for name in ["history", "log lines"] {
        let method = if name == "history" { "chat.history" } else { "logs.tail" };
        let params = if name == "history" { json!({"sessionKey": "main"}) } else { json!({}) };
        seen.push((name, client.ok(method, params).to_string()));
    }
    let events: Vec<String> = client.kept().iter().map(Value::to_string).collect();
    seen.push(("events", events.join("\n")));
    for args in [
        &["status"][..],
        &["status", "--json"],
        &["health"],
        &["models", "list"],
        &["devices", "list", "--json"],
    ] {
        let (stdout, stderr) = crate::cli::text(&gateway.cli(args));
        seen.push(("a command", stdout + &stderr));
    }
    gateway.stop();
    seen.extend([("log", gateway.log()), ("stdout", gateway.stdout()), ("stderr", gateway.stderr())]);
    for (name, text) in seen {
        for canary in canaries {
            assert!(!text.contains(canary), "{canary} in {name}: {text}");
        }
    }
}

#[test]
fn messages_are_not_logged() {
    let mut gateway = Gateway::start(&Setup::default().arg("--verbose"));
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "a-private-thought", "k").unwrap();
    gateway.stop();
    let all = gateway.log() + &gateway.stdout() + &gateway.stderr();
    assert!(!all.contains("a-private-thought"), "{all}");
    assert!(all.contains("agent"), "but the call is: {all}");
}

#[test]
fn r_13a_the_log_has_a_cap_and_never_goes_silent() {
    let logging = json!({"logging": {"maxFileBytes": 65536, "level": "trace"}});
    let gateway = Gateway::start(&Setup::config(logging).arg("--verbose"));
    let mut client = Client::operator(&gateway, 4);
    for n in 0..1500 {
        client.call(&format!("no.such.method.number.{n}"), json!({})).unwrap_err();
    }
    // A line may be left out while the writer is behind, so the last one is said until it is there.
    let mut n = 0;
    wait_for("the newest line in the newest file", || {
        n += 1;
        client.call(&format!("the.very.last.one.{n}"), json!({})).unwrap_err();
        gateway.log().contains("the.very.last.one").then_some(())
    });
    let bytes: u64 = std::fs::read_dir(&gateway.dir)
        .unwrap()
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().contains("log"))
        .map(|e| e.metadata().unwrap().len())
        .sum();
    assert!((1000..=2 * 65536 + 2048).contains(&bytes), "{bytes} bytes of log");
}

#[test]
fn r_13c_repeats_are_counted_not_written() {
    let gateway = Gateway::plain();
    let tcp =
        || Client::upgrade(http::tcp(gateway.port), gateway.port, "/", &[("Origin", "https://evil.example")]);
    for _ in 0..1000 {
        assert!(tcp().is_err());
    }
    let lines = gateway.log().lines().count();
    assert!(lines < 100, "{lines} lines for 1000 identical refusals");
}

// S-L13: what somebody else has put in the log's place does not have the gateway, or who reads the log, wait for him.
#[test]
fn s_l13_a_pipe_in_the_place_of_the_log_holds_nobody_up() {
    use rustix::fs::{CWD, Mode, mkfifoat};
    let dir = gateway::new_dir();
    let pipe = dir.join("oc.log");
    mkfifoat(CWD, &pipe, Mode::from_raw_mode(0o622)).unwrap();
    let config = json!({"logging": {"file": &pipe}});
    let mut gateway = Gateway::start(&Setup::config(config));
    turn(&mut Client::operator(&gateway, 4), "hello", "k").unwrap();
    let told = gateway.stdout() + &gateway.stderr();
    let want = format!("no log file: open log file {}: not a regular file; move it away", pipe.display());
    assert!(told.contains(&want), "{told}");
    let (code, took) = gateway.stop();
    assert!(code == 0 && took < Duration::from_secs(5), "{code} {took:?}");
    for follow in [&["logs"][..], &["logs", "--follow"]] {
        let done = gateway.cli(follow);
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success() && told.contains("not a regular file; move it away"), "{told}");
    }
    std::fs::remove_dir_all(dir).unwrap();
    // A device is none of that, and is not moved away when much was written to it.
    let config = json!({"logging": {"file": "/dev/null", "maxFileBytes": 4096}});
    let gateway = Gateway::start(&Setup::config(config));
    let mut client = Client::operator(&gateway, 4);
    (0..50).for_each(|n| drop(client.call(&format!("no.such.{n}"), json!({})).unwrap_err()));
    assert!(std::path::Path::new("/dev/null").exists() && !std::path::Path::new("/dev/null.1").exists());
    assert!(!(gateway.stdout() + &gateway.stderr()).contains("no log file"));
}

#[test]
fn r_13d_a_log_that_cannot_be_written_stops_nothing() {
    let gateway = Gateway::start(&Setup::config(json!({"logging": {"file": "/proc/nowhere/gateway.log"}})));
    turn(&mut Client::operator(&gateway, 4), "hello", "k").unwrap();
}
