//! What other programs and people do to the files of a gateway while it runs, and what is said of it.
use crate::agent::with_config;
use crate::harness::gateway::free_port;
use crate::harness::model::texts;
use crate::harness::*;
use serde_json::Map;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Output;

/// A whole turn in a session.
fn say(client: &mut Client, session: &str, text: &str, key: &str) {
    let id = client.ask("agent", json!({"message": text, "sessionKey": session, "idempotencyKey": key}));
    assert_eq!(client.answer(&id).unwrap()["status"], "accepted");
    client.answer(&id).unwrap();
}

fn index_of(gateway: &Gateway) -> Map<String, Value> {
    let bytes = std::fs::read(gateway.sessions_dir().join("sessions.json")).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Replaces the index as a careful program does, once it has all of these sessions.
fn rewrite(gateway: &Gateway, there: &[&str], change: impl FnOnce(&mut Map<String, Value>)) {
    // And when nothing more is on its way to it, so that neither replaces what the other has just written.
    let mut index = wait_for("the index to be written", || {
        let index = index_of(gateway);
        std::thread::sleep(Duration::from_millis(300));
        let is_still = index == index_of(gateway) && there.iter().all(|key| index.contains_key(*key));
        is_still.then_some(index)
    });
    change(&mut index);
    let (path, new) = (gateway.sessions_dir().join("sessions.json"), gateway.dir.join("new"));
    std::fs::write(&new, Value::Object(index).to_string()).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// The sessions that are listed, each with its label.
fn listed(client: &mut Client) -> Vec<(String, Value)> {
    let list = client.ok("sessions.list", json!({}));
    let mut all: Vec<_> = list["sessions"].as_array().unwrap().iter().collect();
    all.sort_by_key(|row| row["key"].as_str().unwrap().to_string());
    all.iter().map(|row| (row["key"].as_str().unwrap().to_string(), row["label"].clone())).collect()
}

const MAIN: &str = "agent:main:main";
const GONE: &str = "agent:main:gone";
const THEIRS: &str = "agent:main:theirs";

// Issue 9: what another program changed, added and removed is seen by the next question, and stays so.
#[test]
fn s_9_1_an_index_that_another_program_edits_is_seen_by_who_asks_next() {
    let mut gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    client.ok("sessions.subscribe", json!({}));
    say(&mut client, MAIN, "hello", "k1");
    say(&mut client, GONE, "hello", "k2");
    rewrite(&gateway, &[MAIN, GONE], |index| {
        index.shift_remove(GONE);
        index[MAIN]["label"] = json!("theirs");
        index.insert(THEIRS.into(), json!({"sessionId": "of-theirs", "updatedAt": 7}));
    });
    let want = [(MAIN.to_string(), json!("theirs")), (THEIRS.to_string(), Value::Null)];
    assert_eq!(listed(&mut client), want);
    client.event_where("sessions.changed", |p| p["reason"] == "delete" && p["sessionKey"] == GONE);
    // Its next conversation is another one, and the next save brings nothing back.
    say(&mut client, MAIN, "again", "k3");
    let saved = wait_for("the next save", || {
        let index = index_of(&gateway);
        (index[MAIN]["updatedAt"].as_u64() > Some(0) && index[MAIN].get("totalTokens").is_some())
            .then_some(index)
    });
    assert_eq!(saved[MAIN]["label"], "theirs");
    assert!(!saved.contains_key(GONE) && saved.contains_key(THEIRS), "{saved:?}");
    assert_eq!(client.ok("chat.history", json!({"sessionKey": GONE}))["messages"], json!([]));
    let log = gateway.log();
    assert!(!log.contains("damaged"), "{log}");
    gateway.stop();
    gateway.restart();
    assert_eq!(listed(&mut Client::operator(&gateway, 4)), want);
}

#[test]
fn s_9_1_the_turn_that_waited_begins_with_what_another_program_did_meanwhile() {
    let gated = Reply::Stream(vec![Step::Text("one".into()), Step::Gate, Step::Done]);
    let server = ModelServer::start(vec![gated, texts(&["two"])]);
    let mut config = server.config();
    merge(&mut config, &json!({"messages": {"queue": {"mode": "followup", "debounceMs": 0}}}));
    let gateway = with_config(config);
    let mut client = Client::operator(&gateway, 4);
    for (n, text) in ["first words", "second words"].iter().enumerate() {
        let params = json!({"sessionKey": MAIN, "message": text, "idempotencyKey": format!("k{n}")});
        client.ok("chat.send", params);
    }
    server.requests(1);
    rewrite(&gateway, &[MAIN], |index| index.clear());
    server.release();
    let asked = server.requests(2)[1].to_string();
    assert!(asked.contains("second words") && !asked.contains("first words"), "{asked}");
}

#[test]
fn s_9_1_a_rule_that_another_program_sets_holds_for_the_next_message() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    say(&mut client, MAIN, "hello", "k1");
    rewrite(&gateway, &[MAIN], |index| index[MAIN]["sendPolicy"] = json!("deny"));
    let params = json!({"message": "x", "sessionKey": MAIN, "idempotencyKey": "k2"});
    let refused = client.fails("agent", params);
    assert!(refused["message"].as_str().unwrap().contains("send"), "{refused}");
    // A program in the middle of writing is not taken for damage.
    std::fs::write(gateway.sessions_dir().join("sessions.json"), "{\"agent:main:main\": {").unwrap();
    assert_eq!(listed(&mut client).len(), 1);
    assert!(!gateway.log().contains("damaged"));
}

fn said(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), text.into_owned())
}

// Issue 9: a configuration that is not UTF-8 is not edited into other bytes, and the place is named.
#[test]
fn b_f41_no_command_edits_a_configuration_that_is_not_utf_8() {
    let gateway = Gateway::plain();
    let path = gateway.config_path();
    let mut bytes = std::fs::read(&path).unwrap();
    while bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    bytes.extend_from_slice(b"\n// caf\xe9 \n");
    std::fs::write(&path, &bytes).unwrap();
    let workspace = gateway.dir.join("home/ops");
    let at = bytes.iter().position(|byte| *byte == 0xe9).unwrap();
    let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    let place = format!("openclaw.json:{line}:7: it is not UTF-8 there (byte {at})");
    for args in [
        &["config", "set", "logging.level", "debug"][..],
        &["config", "unset", "gateway.auth.token"],
        &["models", "set", "openclaw/builtin"],
        &["models", "aliases", "add", "fast", "openclaw/builtin"],
        &["agents", "add", "ops", "--non-interactive", "--workspace", workspace.to_str().unwrap()],
    ] {
        let (code, told) = said(&gateway.cli(args));
        assert!(code != 0 && told.contains(&place), "{args:?}: {code} {told}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{args:?}");
    }
    let (code, told) = said(&gateway.cli(&["config", "validate"]));
    assert!(code == 0 && told.contains("read as \u{fffd}"), "the gateway reads it: {code} {told}");
}

// Issue 9: N-16, who has the port is said at once, and what is taken back is not waited for.
#[test]
fn n_16_a_taken_port_is_told_at_once_and_taking_it_back_too() {
    let own = free_port();
    let config = json!({"gateway": {"mode": "local", "port": own, "auth": {"token": TOKEN}}, "canvasHost": {"enabled": false}});
    let setup = Setup { config_text: Some(config.to_string()), port_in_config: true, ..Setup::default() };
    let gateway = Gateway::spawn(&setup, own);
    wait_for("the gateway", || TcpStream::connect(("127.0.0.1", own)).ok());
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, pid) = (other.local_addr().unwrap().port(), gateway.pid());
    let set = |port: u16| {
        let since = Instant::now();
        let (code, told) = said(&gateway.cli_env(&["config", "set", "gateway.port", &port.to_string()], &[]));
        assert_eq!(code, 0, "{told}");
        (told, since.elapsed())
    };
    let (told, time) = set(port);
    let who = format!("port {port} belongs to ");
    assert!(told.contains(&who) && told.contains("goes on as it is"), "{told}");
    assert!(time < Duration::from_secs(4), "{time:?}");
    let (told, time) = set(own);
    assert!(!told.contains("not applied") && !told.contains("no effect"), "{told}");
    assert!(time < Duration::from_secs(4), "{time:?}");
    assert_eq!(gateway.pid(), pid);
    Client::operator(&gateway, 4).ok("health", json!({}));
}

// Issue 9: N-5, whatever is wrong with the configuration, a restart is refused with 78 and nothing happens.
#[test]
fn n_5_a_restart_by_an_unusable_configuration_is_refused_with_78() {
    let gateway = Gateway::plain();
    let (path, good) = (gateway.config_path(), std::fs::read(gateway.config_path()).unwrap());
    let restart =
        || said(&gateway.cli_env(&["gateway", "restart"], &[("OPENCLAW_SERVICE_MANAGER", "systemd-user")]));
    for bad in [
        "{\n  gateway: {mode: 'local'\n",
        "[]",
        "{gateway: {mode: 'local', port: 'x'}}",
        "{gateway: {mode: 'local', auth: {mode: 'token'}}}",
        "{gateway: {mode: 'local', auth: {token: 'some-long-token-000'}, bind: 'custom'}}",
        "{gateway: {auth: {token: 'some-long-token-000'}}}",
        "{gateway: {mode: 'remote'}}",
        "{$include: './none.json', gateway: {mode: 'local'}}",
    ] {
        std::fs::write(&path, bad).unwrap();
        let (code, told) = restart();
        assert_eq!(code, 78, "{bad}: {told}");
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let (code, told) = restart();
    assert_eq!(code, 78, "a directory: {told}");
    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, good).unwrap();
    wait_for("it goes on as before", || gateway.cli(&["health"]).status.success().then_some(()));
}

// Issue 9: names of proxies, which the original lets through.
#[test]
fn s_l14_a_proxy_that_is_named_refuses_no_start() {
    let gateway =
        Gateway::start(&Setup::config(json!({"gateway": {"trustedProxies": ["localhost", "traefik"]}})));
    let (_, told) = said(&gateway.cli(&["doctor", "--non-interactive"]));
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for what in ["trustedProxies", "read as 127.0.0.0/8 and ::1", "a name is not looked up"] {
        assert!(told.contains(what), "{what}: {told}");
        wait_for("the line in the log", || gateway.log().contains(what).then_some(()));
    }
}

// N-12: a section that was disabled at the start is not told of as mended when nothing was touched.
#[test]
fn n_12_nothing_is_said_to_be_mended_that_was_not() {
    let gateway = Gateway::start(&Setup::config(json!({"tools": {"allow": 7}})));
    wait_for("the mistake to be told", || gateway.log().contains("tools.allow").then_some(()));
    std::thread::sleep(Duration::from_millis(1500));
    assert!(!gateway.log().contains("can be used again"), "{}", gateway.log());
    let path: &Path = &gateway.config_path();
    let mended = std::fs::read_to_string(path)
        .unwrap()
        .replace("\"allow\":7", "\"allow\":[]")
        .replace("\"allow\": 7", "\"allow\": []");
    std::fs::write(path, mended).unwrap();
    wait_for("the mended file", || gateway.log().contains("changed").then_some(()));
}
