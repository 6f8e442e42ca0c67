//! A disk that hangs holds up who reads from it and nobody else: the state thread reads no file.
//!
//! What it reads is counted by the kernel, so on Linux only.
use crate::agent::with_config;
use crate::harness::model::texts;
use crate::harness::*;
use std::path::Path;

/// How often the state thread has called `read`, by whatever name.
fn reads(gateway: &Gateway) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", gateway.pid())).unwrap();
    let mut paths = tasks.map(|task| task.unwrap().path());
    let is_state = |path: &std::path::PathBuf| {
        std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "gw-state")
    };
    let text = std::fs::read_to_string(paths.find(is_state).unwrap().join("io")).unwrap();
    text.lines().find_map(|line| line.strip_prefix("syscr: ")).unwrap().trim().parse().unwrap()
}

/// One call of each kind that the state thread answers. Some are refused, which is an answer too.
const CALLS: [(&str, &str); 27] = [
    ("system-event", r#"{"text": "note"}"#),
    ("agent", r#"{"message": "x", "agentId": "main", "idempotencyKey": "a1"}"#),
    ("agent.wait", r#"{"runId": "a1", "timeoutMs": 20000}"#),
    ("agent", r#"{"message": "x", "to": "+4915", "idempotencyKey": "a2"}"#),
    ("agent.wait", r#"{"runId": "a2", "timeoutMs": 20000}"#),
    ("chat.inject", r#"{"sessionKey": "main", "message": "yo"}"#),
    ("chat.history", r#"{"sessionKey": "main"}"#),
    ("chat.startup", r#"{"sessionKey": "main"}"#),
    ("gateway.restart.preflight", "{}"),
    ("sessions.subscribe", "{}"),
    ("sessions.list", r#"{"includeDerivedTitles": true, "includeLastMessage": true}"#),
    ("sessions.describe", r#"{"key": "main"}"#),
    ("sessions.preview", r#"{"keys": ["main"]}"#),
    ("sessions.resolve", r#"{"key": "main"}"#),
    ("sessions.patch", r#"{"key": "main", "model": "openai/gpt-5"}"#),
    ("sessions.patch", r#"{"key": "x", "label": "lx"}"#),
    ("sessions.reset", r#"{"key": "x"}"#),
    ("sessions.compact", r#"{"key": "main"}"#),
    ("sessions.delete", r#"{"key": "x"}"#),
    ("sessions.usage", "{}"),
    ("sessions.usage.logs", r#"{"key": "main"}"#),
    ("sessions.usage.timeseries", r#"{"key": "main"}"#),
    ("usage.cost", "{}"),
    ("status", "{}"),
    ("system-presence", "{}"),
    ("agents.delete", r#"{"agentId": "ann"}"#),
    ("chat.abort", r#"{"sessionKey": "main"}"#),
];

const COMMANDS: [&str; 14] = [
    "/status",
    "/model",
    "/model list",
    "/think high",
    "/verbose on",
    "/usage",
    "/usage cost",
    "/context detail",
    "/help",
    "/whoami",
    "/queue",
    "/compact",
    "/new",
    "/reset",
];

#[test]
fn the_state_thread_reads_no_file() {
    let server = ModelServer::start(vec![texts(&["fine"])]);
    let mut config = server.config();
    let agents =
        json!({"defaults": {"userTimezone": "Europe/Berlin"}, "list": [{"id": "main"}, {"id": "ann"}]});
    merge(&mut config, &json!({"agents": agents}));
    let gateway = with_config(config);
    let mut client = Client::operator(&gateway, 4);
    // Opening what is not there is no `read`: with the store of pairings who looks for nodes in it is seen.
    let devices = gateway.state_dir().join("devices");
    std::fs::create_dir_all(&devices).unwrap();
    std::fs::write(devices.join("paired.json"), "{}").unwrap();
    let before = reads(&gateway);
    let check = |what: &str| assert_eq!(reads(&gateway), before, "after {what}");
    for (method, params) in CALLS {
        // Whether it is refused is no matter here.
        let _ = client.call(method, serde_json::from_str(params).unwrap());
        check(method);
    }
    for (n, command) in COMMANDS.into_iter().enumerate() {
        let key = format!("c{n}");
        client.ok("chat.send", json!({"sessionKey": "main", "message": command, "idempotencyKey": key}));
        client.ok("agent.wait", json!({"runId": key, "timeoutMs": 20_000}));
        check(command);
    }
}

fn fifo(path: &Path) {
    // What is there gives way.
    let _ = std::fs::remove_file(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
}

#[test]
fn a_file_that_never_comes_holds_up_nobody_else() {
    let server = ModelServer::start(vec![texts(&["fine"])]);
    let mut config = server.config();
    merge(&mut config, &json!({"agents": {"defaults": {"userTimezone": "Europe/Berlin"}}}));
    let zones = gateway::new_dir();
    fifo(&zones.join("Europe/Berlin"));
    let setup = Setup::config(config).env("TZDIR", zones.to_str().unwrap()).env("TZ", "UTC0");
    let gateway = Gateway::start(&setup);
    let mut client = Client::operator(&gateway, 4);
    let run = client.ok("agent", json!({"message": "x", "sessionKey": "other", "idempotencyKey": "first"}));
    assert_eq!(run["status"], "accepted");
    let sessions = client.ok("sessions.patch", json!({"key": "main", "label": "L"}));
    let id = sessions["entry"]["sessionId"].as_str().unwrap();
    for path in [format!("sessions/{id}.jsonl"), "sessions/sessions.json".to_string()] {
        fifo(&gateway.state_dir().join("agents/main").join(path));
    }
    fifo(&gateway.state_dir().join("workspace/IDENTITY.md"));
    fifo(&gateway.state_dir().join("restart-sentinel.json"));
    client.ok("system-event", json!({"text": "a note that tells its time"}));
    let mut others = Vec::new();
    for (method, params) in [
        ("chat.send", json!({"sessionKey": "main", "message": "x", "idempotencyKey": "k"})),
        ("chat.history", json!({"sessionKey": "main"})),
        ("agent.identity.get", json!({})),
        ("sessions.list", json!({"includeDerivedTitles": true, "includeLastMessage": true})),
        ("sessions.usage", json!({})),
        ("gateway.restart.preflight", json!({})),
    ] {
        let mut other = Client::operator(&gateway, 4);
        other.ask(method, params);
        others.push(other);
        // Each asks the state thread, whatever the others wait for.
        client.ok("system-presence", json!({}));
        client.ok("health", json!({}));
    }
}
