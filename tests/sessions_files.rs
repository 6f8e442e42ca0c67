//! Sessions as files: they survive restarts, damage and the other program's hand.
use crate::agent::{text_of, turn};
use crate::harness::*;
use std::os::unix::fs::PermissionsExt;

const ID: &str = "0b5cbf1e-3a52-4a2e-9c57-0d2f5f8e9a10";

fn transcript(messages: &[(&str, &str)]) -> String {
    let mut text = format!(
        "{{\"type\":\"session\",\"version\":3,\"id\":\"{ID}\",\"timestamp\":\"2026-11-21T01:31:48.236Z\",\"cwd\":\"/\"}}\n"
    );
    for (n, (role, said)) in messages.iter().enumerate() {
        let entry = json!({"type": "message", "id": format!("{n:08x}"), "parentId": null, "timestamp": "2026-11-21T01:31:48.294Z",
            "message": {"role": role, "content": [{"type": "text", "text": said}], "timestamp": 1795224708294u64}});
        text.push_str(&format!("{entry}\n"));
    }
    text
}

fn index() -> String {
    json!({"agent:main:main": {"sessionId": ID, "updatedAt": 1795224708294u64, "futureField": {"kept": true}}}).to_string()
}

fn with_files(index: &str, transcript: &str) -> Gateway {
    let dir = "agents/main/sessions";
    let setup = Setup::default().file(&format!("{dir}/sessions.json"), index);
    Gateway::start(&setup.file(&format!("{dir}/{ID}.jsonl"), transcript))
}

fn said(client: &mut Client) -> Vec<String> {
    let history = client.ok("chat.history", json!({"sessionKey": "main"}));
    history["messages"].as_array().unwrap().iter().map(text_of).collect()
}

#[test]
fn a_restart_keeps_the_conversation() {
    let mut gateway = Gateway::plain();
    turn(&mut Client::operator(&gateway, 4), "remember me", "k").unwrap();
    gateway.stop();
    gateway.restart();
    assert_eq!(said(&mut Client::operator(&gateway, 3))[0], "remember me");
}

#[test]
fn sigkill_after_the_answer_loses_nothing() {
    let mut gateway = Gateway::plain();
    turn(&mut Client::operator(&gateway, 4), "remember me", "k").unwrap();
    gateway.kill();
    gateway.restart();
    assert_eq!(said(&mut Client::operator(&gateway, 3)).len(), 2);
}

#[test]
fn files_of_the_other_program_are_continued() {
    let gateway = with_files(
        &index(),
        &transcript(&[("user", "[Sat 2026-11-21 01:31 UTC] hi\n[message_id: k1]"), ("assistant", "hello")]),
    );
    let mut client = Client::operator(&gateway, 3);
    assert_eq!(said(&mut client), ["hi", "hello"], "stamps are taken off");
    turn(&mut client, "next", "k2").unwrap();
    assert_eq!(said(&mut client).len(), 4);
    let store: Value = wait_for("the index to be written", || {
        let value: Value =
            serde_json::from_slice(&std::fs::read(gateway.sessions_dir().join("sessions.json")).ok()?)
                .ok()?;
        (value["agent:main:main"]["updatedAt"].as_u64()? > 1795224708294).then_some(value)
    });
    assert_eq!(store["agent:main:main"]["sessionId"], ID);
    assert_eq!(store["agent:main:main"]["futureField"], json!({"kept": true}), "unknown fields stay");
}

#[test]
fn files_are_private_and_in_the_original_s_shape() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "x", "k").unwrap();
    let id =
        client.ok("chat.history", json!({"sessionKey": "main"}))["sessionId"].as_str().unwrap().to_string();
    let path = gateway.sessions_dir().join(format!("{id}.jsonl"));
    let text = std::fs::read_to_string(&path).unwrap();
    let entries: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(
        (&entries[0]["type"], &entries[0]["version"], &entries[0]["id"]),
        (&json!("session"), &json!(3), &json!(id))
    );
    let mut parent = Value::Null;
    for entry in &entries[1..] {
        assert_eq!(entry["parentId"], parent, "{entry}");
        assert_eq!(entry["id"].as_str().unwrap().len(), 8, "{entry}");
        parent = entry["id"].clone();
    }
    let index = gateway.sessions_dir().join("sessions.json");
    wait_for("the index", || index.exists().then_some(()));
    for (path, mode) in [(&path, 0o600), (&index, 0o600), (&gateway.sessions_dir(), 0o700)] {
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
    }
}

#[test]
fn r_09c_a_torn_last_line_stays_and_the_turn_goes_on() {
    let whole = transcript(&[("user", "kept"), ("assistant", "also kept"), ("user", "torn away")]);
    let gateway = with_files(&index(), &whole[..whole.len() - 30]);
    let mut client = Client::operator(&gateway, 4);
    assert_eq!(said(&mut client), ["kept", "also kept"]);
    turn(&mut client, "after", "k").unwrap();
    let path = gateway.sessions_dir().join(format!("{ID}.jsonl"));
    let text = std::fs::read_to_string(path).unwrap();
    // B2-9: it has an end now, and nothing else is no entry.
    let torn = text.lines().filter(|line| serde_json::from_str::<Value>(line).is_err());
    let torn: Vec<&str> = torn.collect();
    assert!(torn.len() == 1 && whole.contains(torn[0]), "{torn:?}");
    assert!(text.contains("after"));
}

#[test]
fn r_09c_a_damaged_index_is_rebuilt_and_kept_aside() {
    for damaged in ["", "{", "[]", "nonsense", "{\"agent:main:main\":", "\u{0}\u{0}\u{0}"] {
        let gateway = with_files(damaged, &transcript(&[("user", "kept"), ("assistant", "yes")]));
        let mut client = Client::operator(&gateway, 4);
        let list = client.ok("sessions.list", json!({})).to_string();
        assert!(list.contains(ID), "{damaged:?}: the transcript is found again: {list}");
        let names: Vec<String> = std::fs::read_dir(gateway.sessions_dir())
            .unwrap()
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect();
        let aside = names
            .iter()
            .any(|n| n.starts_with("sessions.json.") && !n.ends_with(".tmp") && !n.ends_with(".lock"));
        assert!(aside || damaged.is_empty(), "{damaged:?}: the original is kept aside: {names:?}");
    }
}

#[test]
fn r_09a_a_left_over_lock_file_stops_nothing() {
    let setup = Setup::default()
        .file(
            "agents/main/sessions/sessions.json.lock",
            json!({"pid": std::process::id(), "startedAt": 1}).to_string(),
        )
        .file("gateway.lock", json!({"pid": std::process::id()}).to_string());
    let gateway = Gateway::start(&setup);
    let start = Instant::now();
    turn(&mut Client::operator(&gateway, 4), "x", "k").unwrap();
    assert!(start.elapsed() < Duration::from_secs(5), "waited {:?} for a dead lock", start.elapsed());
}

#[test]
fn r_01c_a_killed_gateway_is_replaced_at_once() {
    let mut gateway = Gateway::plain();
    let _client = Client::operator(&gateway, 4);
    gateway.kill();
    let start = Instant::now();
    gateway.restart();
    assert!(start.elapsed() < Duration::from_secs(1), "bound after {:?}", start.elapsed());
}

#[test]
fn a_store_of_ones_own_place_is_used() {
    let dir = crate::harness::gateway::new_dir();
    let path = dir.join("{agentId}/index.json");
    let mut gateway = Gateway::start(&Setup::config(json!({"session": {"store": path}})));
    turn(&mut Client::operator(&gateway, 4), "remember me", "k").unwrap();
    gateway.stop();
    let files: Vec<_> =
        std::fs::read_dir(dir.join("main")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(files.iter().any(|f| f == "index.json") && files.len() >= 2, "index and transcript: {files:?}");
    assert!(!gateway.sessions_dir().join("sessions.json").exists());
    gateway.restart();
    assert_eq!(said(&mut Client::operator(&gateway, 3))[0], "remember me");
    let listed = gateway.cli(&["sessions", "--json"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("agent:main:main"));
}

// B-F11, kinds E and F
#[test]
fn b_f11_an_index_that_cannot_be_opened_stays_and_its_agent_takes_no_work_until_it_can() {
    let dir = "agents/main/sessions";
    let setup = Setup::default()
        .file(&format!("{dir}/{ID}.jsonl"), &*transcript(&[("user", "hi"), ("assistant", "hello")]));
    let mut gateway = Gateway::start(&setup.file(&format!("{dir}/kept"), &*index()));
    gateway.stop();
    let index = gateway.state_dir().join(dir).join("sessions.json");
    let _ = std::fs::remove_file(&index);
    // It leads to itself, which is no damage of what it is to lead to.
    std::os::unix::fs::symlink("sessions.json", &index).unwrap();
    gateway.restart();
    let mut client = Client::operator(&gateway, 4);
    let refused = turn(&mut client, "hi", "k").unwrap_err();
    let told = refused["message"].as_str().unwrap();
    assert!(told.contains("sessions.json") && told.contains("links that lead in a circle"), "{told}");
    assert!(index.is_symlink(), "it was put aside");
    assert!(gateway.log().contains("agent main takes no work"), "{}", gateway.log());
    gateway.stop();
    std::fs::remove_file(&index).unwrap();
    std::fs::rename(index.with_file_name("kept"), &index).unwrap();
    gateway.restart();
    assert_eq!(said(&mut Client::operator(&gateway, 3)), ["hi", "hello"]);
}

// Issue 9: of an agent that left the configuration nobody hears that its index is unread.
#[test]
fn an_agent_that_left_is_unknown_though_its_index_could_not_be_read() {
    let lists = |ids: &[&str]| json!({"agents": {"list": ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>()}});
    let mut gateway = Gateway::start(&Setup::config(lists(&["main", "ada"])));
    gateway.stop();
    let dir = gateway.state_dir().join("agents/ada/sessions");
    std::fs::create_dir_all(&dir).unwrap();
    let _ = std::fs::remove_file(dir.join("sessions.json"));
    std::os::unix::fs::symlink("sessions.json", dir.join("sessions.json")).unwrap();
    gateway.restart();
    let mut client = Client::operator(&gateway, 4);
    let mut asked = |n: u32| {
        let params =
            json!({"message": "hi", "sessionKey": "agent:ada:main", "idempotencyKey": n.to_string()});
        client.fails("chat.send", params)["message"].as_str().unwrap().to_string()
    };
    assert!(asked(1).contains("sessions.json"), "{}", asked(2));
    let mut config: Value = serde_json::from_slice(&std::fs::read(gateway.config_path()).unwrap()).unwrap();
    merge(&mut config, &lists(&["main"]));
    std::fs::write(gateway.config_path(), config.to_string()).unwrap();
    let mut n = 2;
    wait_for("unknown agent id", || {
        n += 1;
        asked(n).contains("unknown agent id \"ada\"").then_some(())
    });
}
