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
    let state = small.0.join("state");
    let config = small.0.with_file_name("openclaw.json");
    let mut text = server.config();
    merge(
        &mut text,
        &json!({"gateway": {"mode": "local", "auth": {"mode": "token", "token": TOKEN}}, "logging": {"file": small.0.with_file_name("log")}}),
    );
    std::fs::write(&config, text.to_string()).unwrap();
    let env = |name: &str, path: &Path| (name.to_string(), path.to_string_lossy().into_owned());
    let mut setup = Setup::default();
    for (name, value) in [env("OPENCLAW_STATE_DIR", &state), env("OPENCLAW_CONFIG_PATH", &config)] {
        setup = setup.env(&name, &value);
    }
    let gateway = Gateway::start(&setup);
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
        assert_eq!(result["isError"], true, "{workspace}: {result}");
    }
}
