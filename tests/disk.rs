//! A workspace that is not there or cannot be written, and a disk without space: turns go on, errors name the fix.
use crate::agent::{turn, with_config};
use crate::harness::gateway::new_dir;
use crate::harness::model::texts;
use crate::harness::*;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of 2 MiB, unmounted when dropped; `None` where this user may not mount.
pub struct Small(PathBuf);

impl Small {
    pub fn mount() -> Option<Small> {
        let dir = new_dir().join("small");
        std::fs::create_dir_all(&dir).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(&dir).output();
        mounted.is_ok_and(|o| o.status.success()).then_some(Small(dir))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Fills it, but for this many bytes.
    pub fn fill_but(&self, free: usize) {
        self.fill();
        let file = std::fs::OpenOptions::new().write(true).open(self.0.join("filler")).unwrap();
        let len = file.metadata().unwrap().len();
        file.set_len(len.saturating_sub(free as u64)).unwrap();
    }

    pub fn fill(&self) {
        let path = self.0.join("filler");
        let mut file = std::fs::File::create(path).unwrap();
        while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
        while std::io::Write::write_all(&mut file, &[0; 1]).is_ok() {}
    }

    /// A gateway that has its state here; config and log lie elsewhere.
    fn gateway(&self, server: &ModelServer) -> Gateway {
        self.gateway_with(server, json!({}))
    }

    pub fn gateway_with(&self, server: &ModelServer, more: Value) -> Gateway {
        let (state, config) = (self.0.join("state"), self.0.with_file_name("openclaw.json"));
        let mut text = server.config();
        merge(
            &mut text,
            &json!({"gateway": {"mode": "local", "auth": {"mode": "token", "token": TOKEN}}, "logging": {"file": self.0.with_file_name("log")}}),
        );
        merge(&mut text, &more);
        std::fs::write(&config, text.to_string()).unwrap();
        let mut setup = Setup::default();
        for (name, path) in [("OPENCLAW_STATE_DIR", state), ("OPENCLAW_CONFIG_PATH", config)] {
            setup = setup.env(name, &path.to_string_lossy());
        }
        Gateway::start(&setup)
    }

    pub fn empty(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // A mount that stays behind is the machine's to clean up; the test has its result.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn b2_12_a_session_index_that_is_a_mount_of_its_own_is_written_in_place() {
    let dir = new_dir().join("bound");
    let (own, index) = (dir.join("own.json"), dir.join("sessions.json"));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(&index, "{}").unwrap();
    std::fs::write(&own, "{}").unwrap();
    let bound = Command::new("mount").arg("--bind").args([&own, &index]).output();
    if !bound.is_ok_and(|o| o.status.success()) {
        return println!("skipped: this user may not mount");
    }
    let _bound = Small(index.clone());
    let server = ModelServer::start(vec![texts(&["hello"])]);
    let mut config = server.config();
    merge(&mut config, &json!({"session": {"store": index}}));
    let gateway = with_config(config);
    turn(&mut Client::operator(&gateway, 4), "hi", "k1").unwrap();
    let written = || std::fs::read_to_string(&own).ok().filter(|text| text.contains("sessionId"));
    let text = wait_for("the index to be written", written);
    assert!(text.contains("agent:main:main"), "{text}");
}

#[test]
fn r_28b_a_full_disk_fails_writes_only_and_needs_no_restart() {
    let Some(small) = Small::mount() else {
        return println!("skipped: this user may not mount a small file system");
    };
    let held = Reply::Stream(vec![
        Step::Text("half ".into()),
        Step::Gate,
        Step::Text("done ".repeat(2000)),
        Step::Done,
    ]);
    let server = ModelServer::start(vec![texts(&["first"]), held, texts(&["again"])]);
    let gateway = small.gateway(&server);
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "one", "k1").unwrap();
    client.ok("chat.send", json!({"sessionKey": "main", "message": "two", "idempotencyKey": "k2"}));
    client.event_where("chat", |p| p["runId"] == "k2" && p["state"] == "delta");
    small.fill();
    assert_eq!(client.ok("health", json!({}))["ok"], true);
    let history = client.ok("chat.history", json!({"sessionKey": "main"}));
    assert!(history.to_string().contains("first"));
    let error = client.fails(
        "chat.send",
        json!({"sessionKey": "other", "message": "three ".repeat(2000), "idempotencyKey": "k3"}),
    );
    assert_eq!((&error["code"], &error["retryable"]), (&json!("UNAVAILABLE"), &json!(true)), "{error}");
    assert!(error["message"].as_str().unwrap().contains("No space left"), "{error}");
    server.release();
    let end = client.event_where("chat", |p| p["runId"] == "k2" && p["state"] != "delta");
    assert_eq!(end["state"], "error", "what could not be written is no success: {end}");
    assert!(end["errorMessage"].as_str().unwrap().contains("No space left"), "{end}");
    small.empty();
    let done = turn(&mut client, "four", "k4").unwrap();
    assert_eq!(done["result"]["payloads"][0]["text"], "again");
    let history = client.ok("chat.history", json!({"sessionKey": "main"})).to_string();
    assert!(history.contains("two") && history.contains("four"), "{history}");
}

#[test]
fn r_28b_a_full_disk_ends_neither_a_restart_nor_a_start() {
    let Some(small) = Small::mount() else {
        return println!("skipped: this user may not mount a small file system");
    };
    let server = ModelServer::start(vec![texts(&["first"]), texts(&["at last"])]);
    let mut gateway = small.gateway(&server);
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "one", "k1").unwrap();
    small.fill();
    client.ok("gateway.restart.request", json!({}));
    assert_eq!(client.until_closed().0, 1012);
    for start in ["in the process", "anew"] {
        if start == "anew" {
            gateway.stop();
            gateway.restart();
        }
        client = Client::operator(&gateway, 4);
        assert_eq!(client.ok("health", json!({}))["ok"], true, "{start}");
        let history = client.ok("chat.history", json!({"sessionKey": "main"}));
        assert!(history.to_string().contains("first"), "{start}: {history}");
        let asked = json!({"sessionKey": "main", "message": "two ".repeat(2000), "idempotencyKey": "k2"});
        let error = client.fails("chat.send", asked);
        assert_eq!((&error["code"], &error["retryable"]), (&json!("UNAVAILABLE"), &json!(true)), "{error}");
        assert!(error["message"].as_str().unwrap().ends_with("free some space"), "{error}");
    }
    small.empty();
    let done = turn(&mut client, "two", "k2").unwrap();
    assert_eq!(done["result"]["payloads"][0]["text"], "at last");
}

#[test]
fn r_10a_a_message_that_the_disk_refused_is_taken_under_its_key_once_there_is_space() {
    let Some(small) = Small::mount() else {
        return println!("skipped: this user may not mount a small file system");
    };
    // So long an answer that the next message has no room in the transcript's last page, but in the journal's.
    let server = ModelServer::start(vec![texts(&["x".repeat(2500).as_str()]), texts(&["answered"])]);
    let mut gateway = small.gateway(&server);
    let mut client = Client::operator(&gateway, 4);
    let send = |client: &mut Client, message: &str, key: &str| {
        client.call("chat.send", json!({"sessionKey": "main", "message": message, "idempotencyKey": key}))
    };
    let end = |client: &mut Client, key: &str| {
        client.event_where("chat", |p| p["runId"] == key && p["state"] != "delta")
    };
    send(&mut client, "one", "k1").unwrap();
    assert_eq!(end(&mut client, "k1")["state"], "final");
    small.fill();
    let message = "w".repeat(2500);
    assert_eq!(send(&mut client, &message, "k2").unwrap()["status"], "started");
    let error = end(&mut client, "k2");
    assert!(error["errorMessage"].as_str().unwrap_or_default().contains("No space left"), "{error}");
    small.empty();
    assert_eq!(send(&mut client, "other", "k2").unwrap_err()["code"], "INVALID_REQUEST");
    assert_eq!(send(&mut client, &message, "k2").unwrap()["status"], "started");
    assert_eq!(end(&mut client, "k2")["state"], "final");
    let history = client.ok("chat.history", json!({"sessionKey": "main"})).to_string();
    assert_eq!(history.matches(&message).count(), 1);
    gateway.stop();
    gateway.restart();
    let again = send(&mut Client::operator(&gateway, 4), &message, "k2");
    assert_eq!(again.unwrap()["status"], "ok", "done once, whatever happened before");
}

#[test]
fn a_workspace_that_is_missing_or_read_only_stops_no_turn() {
    let write = Step::Call {
        id: "c".into(),
        name: "write".into(),
        arguments: json!({"path": "a.md", "content": "x"}).to_string(),
    };
    for workspace in ["missing", "file"] {
        let server =
            ModelServer::start(vec![Reply::Stream(vec![write.clone(), Step::Done]), texts(&["so be it"])]);
        let dir = new_dir();
        let path = dir.join(workspace);
        if workspace == "file" {
            std::fs::write(&path, "no directory").unwrap();
        }
        let mut config = server.config();
        merge(&mut config, &json!({"agents": {"defaults": {"workspace": path}}}));
        let gateway = with_config(config);
        let mut client = Client::operator(&gateway, 4);
        let done = turn(&mut client, "write it down", "k").unwrap();
        assert_eq!(done["result"]["payloads"][0]["text"], "so be it", "{workspace}");
        let asked = server.requests(1)[0]["body"].to_string();
        assert!(asked.contains("the workspace cannot be read"), "{workspace}: the model is told: {asked}");
        let history = client.ok("chat.history", json!({"sessionKey": "main"}));
        let result =
            history["messages"].as_array().unwrap().iter().find(|m| m["role"] == "toolResult").unwrap();
        // One that is missing is made by the first write.
        assert_eq!(result["isError"], workspace == "file", "{workspace}: {result}");
    }
}
