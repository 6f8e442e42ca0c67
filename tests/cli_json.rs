//! What every command prints with `--json` is what `schemas/cli` says and `openclaw help json` prints: all of them are run.
use crate::devices::remote_request;
use crate::harness::model::texts;
use crate::harness::telegram::Telegram;
use crate::harness::*;
use crate::telegram::{ann, said, with_bot};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

/// Commands without a run here, with the reason.
const NOT_RUN: &[(&str, &str)] = &[
    ("channels login", "a program that links is needed: program_login.rs holds it against its schema"),
    ("conformance", "conformance.rs holds it against its schema, and some releases are without"),
];

/// Commands that print no JSON, with the reason. All others do.
const WITHOUT: &[(&str, &str)] = &[
    ("chat", "a conversation at a terminal"),
    ("config edit", "an editor at a terminal"),
    ("configure", "questions at a terminal; onboard --non-interactive takes the same as options"),
    ("gateway", "runs until it is stopped, and writes a log"),
    ("gateway run", "the same by another name"),
    ("node run", "runs until it is stopped, and writes a log"),
];

/// Runs commands and keeps which were run.
pub struct Story {
    dir: std::path::PathBuf,
    vars: Vec<(String, String)>,
    commands: Vec<String>,
    seen: BTreeSet<String>,
    /// No gateway runs, so that some fail; they print the same.
    is_lost: bool,
}

impl Story {
    fn new(dir: &Path) -> Story {
        let list = gateway::command(dir).args(["help", "json"]).output().unwrap();
        let list = String::from_utf8(list.stdout).unwrap();
        let names =
            list.split("\n\n").nth(1).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let commands: Vec<String> = names.split(", ").map(str::to_string).collect();
        assert!(commands.len() > 100, "{list}");
        Story { dir: dir.to_path_buf(), vars: Vec::new(), commands, seen: BTreeSet::new(), is_lost: false }
    }

    fn output(&self, args: &[&str]) -> Output {
        let vars = self.vars.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        gateway::command(&self.dir).args(args).arg("--json").envs(vars).output().unwrap()
    }

    /// Runs one, holds what it printed against its schema and gives it back.
    pub fn run(&mut self, args: &[&str]) -> Value {
        let line = args.join(" ");
        let fits = |command: &&String| line == **command || line.starts_with(&format!("{command} "));
        let name = self.commands.iter().filter(fits).max_by_key(|command| command.len()).unwrap().clone();
        let output = self.output(args);
        let text = String::from_utf8_lossy(&output.stdout).to_string();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let values: Vec<Value> = match serde_json::from_str(&text) {
            Ok(value) => vec![value],
            // What can be followed is a line each.
            Err(e) => {
                let values: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
                let values = values.unwrap_or_else(|_| panic!("{line}: {e}: {text} {stderr}"));
                assert!(!values.is_empty(), "{line}: {stderr}");
                values
            }
        };
        assert!(output.status.success() || self.is_lost, "{line}: {text} {stderr}");
        let schema = schema_of(&self.dir, &name);
        for value in &values {
            let errors: Vec<String> =
                schema.iter_errors(value).map(|e| format!("{e} at {}", e.instance_path())).collect();
            assert!(errors.is_empty(), "{line}: {errors:#?} in {value:#}");
        }
        self.seen.insert(name);
        values.into_iter().next().unwrap_or_default()
    }
}

/// Nothing is to be had of a browser without a gateway, and that is said as JSON too. What they print with one tests/browsing/ holds.
fn browsing(story: &mut Story) {
    let one = [
        "close",
        "console",
        "cookies",
        "errors",
        "pdf",
        "profiles",
        "requests",
        "reset-profile",
        "screenshot",
    ];
    let one = one.iter().chain(&["snapshot", "start", "status", "stop", "tabs"]).map(|name| vec![*name]);
    let with = [
        "click e1",
        "dialog accept",
        "download e1",
        "drag e1 e2",
        "evaluate 1",
        "fill []",
        "focus x",
        "highlight e1",
        "hover e1",
        "navigate http://x",
        "open http://x",
        "press a",
        "resize 1 1",
        "scrollintoview e1",
        "select e1 a",
        "type e1 a",
        "upload e1 a",
        "wait --text a",
    ];
    for words in one.chain(with.iter().map(|line| line.split(' ').collect())) {
        story.run(&[&["browser"], words.as_slice()].concat());
    }
}

/// The references of a schema.
fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Of the commands in the manual, which is made from the table of commands.
#[test]
fn i14_every_command_that_is_no_conversation_has_json_and_a_schema() {
    let dir = gateway::new_dir();
    let story = Story::new(&dir);
    let page = gateway::command(&dir).arg("__man").output().unwrap().stdout;
    let page = String::from_utf8(page).unwrap().replace("\\-", "-");
    let mut bare = Vec::new();
    let mut count = 0;
    for usage in page.lines().filter_map(|line| line.strip_prefix(".SS openclaw ")) {
        let name: Vec<&str> =
            usage.split(' ').take_while(|word| !word.starts_with(['[', '<', '-'])).collect();
        let name = name.join(" ");
        count += 1;
        if !story.commands.contains(&name) {
            bare.push(name);
        }
    }
    assert!(count > 180, "{count}");
    bare.sort();
    let known: Vec<&str> = WITHOUT.iter().map(|(name, _)| *name).collect();
    assert_eq!(bare, known);
    std::fs::remove_dir_all(dir).unwrap();
}

/// Validators find other documents each in a way of its own, so there is nothing else to find.
#[test]
fn i14_f15_every_printed_schema_stands_alone() {
    let dir = gateway::new_dir();
    let story = Story::new(&dir);
    let mut count = 0;
    for command in &story.commands {
        let output = gateway::command(&dir).args(["help", "json"]).args(command.split(' ')).output().unwrap();
        let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut found = Vec::new();
        references(&schema, &mut found);
        for reference in found {
            let part = reference.strip_prefix('#').unwrap_or_else(|| panic!("{command}: {reference}"));
            assert!(schema.pointer(part).is_some_and(Value::is_object), "{command}: {reference}");
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
    std::fs::remove_dir_all(dir).unwrap();
}

/// The schema that the program itself prints.
fn schema_of(dir: &Path, command: &str) -> jsonschema::Validator {
    let output = gateway::command(dir).args(["help", "json"]).args(command.split(' ')).output().unwrap();
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{command}: {e}"));
    jsonschema::validator_for(&schema).unwrap_or_else(|e| panic!("{command}: {e}"))
}

#[test]
fn i14_every_command_prints_what_its_schema_says() {
    let telegram = ann();
    let replies = (0..4).map(|_| texts(&["hello"])).collect();
    let config = json!({"channels": {"telegram": {"actions": {"sticker": true}}},
        "gateway": {"nodes": {"allowCommands": ["camera.snap", "camera.clip", "screen.record"]}}});
    let (_server, mut gateway) = with_bot(&telegram, config, replies);
    let dir = gateway.dir.clone();
    let skill = dir.join("home/.openclaw/workspace/skills/weather");
    std::fs::create_dir_all(&skill).unwrap();
    std::fs::write(skill.join("SKILL.md"), "---\nname: weather\ndescription: Tells it\n---\nLook.").unwrap();
    let mut story = Story::new(&dir);
    story.vars = vec![("OPENCLAW_GATEWAY_PORT".into(), gateway.port.to_string())];
    talk(&mut story, &telegram);
    settings(&mut story);
    automation(&mut story);
    crate::nodes_cli::tell(&mut story, &gateway);
    devices(&mut story, &gateway);
    keeping(&mut story);
    gateway_and_service(&mut story);
    gateway.stop();
    story.is_lost = true;
    without(&mut story);
    browsing(&mut story);
    // Nor is anything set up.
    story.dir = gateway::new_dir();
    without(&mut story);
    std::fs::remove_dir_all(&story.dir).unwrap();
    let missed: Vec<&String> = story
        .commands
        .iter()
        .filter(|name| !story.seen.contains(*name) && NOT_RUN.iter().all(|(known, _)| known != name))
        .collect();
    assert!(missed.is_empty(), "{missed:?}");
}

fn talk(story: &mut Story, telegram: &Telegram) {
    story.run(&["sessions"]);
    story.run(&["agent", "--message", "hi", "--session-key", "one"]);
    // One that was never answered has no model and no counts.
    story.run(&["gateway", "call", "sessions.patch", "--params", "{key: 'bare', label: 'bare'}"]);
    wait_for("its row", || {
        let told = story.run(&["sessions"]);
        let rows = told["sessions"].as_array().unwrap();
        (rows.len() > 1 && rows.iter().any(|row| row.get("model").is_none())).then_some(())
    });
    telegram.says(1001, 1001, "hello there");
    said(telegram, 1001, 1);
    let_in(story, telegram);
    for args in [
        &["sessions"][..],
        &["sessions", "list"],
        &["sessions", "show", "one"],
        &["sessions", "export", "one"],
        &["sessions", "search", "hello"],
        &["sessions", "compact", "one"],
        &["sessions", "abort", "one"],
        &["sessions", "reset", "one"],
        &["sessions", "delete", "one", "--yes"],
        &["message", "send", "--target", "1001", "--message", "a"],
        &["message", "send", "--target", "1001", "--message", "a", "--dry-run"],
        &["message", "edit", "--target", "1001", "--message-id", "2", "--message", "b"],
        &["message", "react", "--target", "1001", "--message-id", "2", "--emoji", "👍"],
        &["message", "delete", "--target", "1001", "--message-id", "2"],
        &[
            "message",
            "poll",
            "--target",
            "1001",
            "--poll-question",
            "q",
            "--poll-option",
            "a",
            "--poll-option",
            "b",
        ],
        &["message", "read", "--target", "1001"],
        &["message", "sticker", "send", "--target", "1001", "--sticker-id", "CAACAgIAAxk", "--dry-run"],
        &["channels"],
        &["channels", "list"],
        &["channels", "status"],
        &["channels", "status", "--probe"],
        &["channels", "logs"],
        &["pairing", "list", "telegram"],
        &["agents"],
        &["agents", "list"],
        &["agents", "add", "helper"],
        &["agents", "list"],
        &["agents", "set-identity", "--agent", "helper", "--name", "Help"],
        &["agents", "delete", "helper", "--force"],
        &["skills"],
        &["skills", "list"],
        &["skills", "check"],
        &["skills", "info", "weather"],
        &["usage"],
        &["gateway", "discover", "--timeout", "200"],
        &["gateway", "usage-cost"],
        &["clients"],
        &["who"],
    ] {
        story.run(args);
    }
}

fn settings(story: &mut Story) {
    let file = story.dir.join("home/.openclaw/openclaw.json");
    let copy = story.dir.join("copy.json");
    std::fs::copy(&file, &copy).unwrap();
    let copy = copy.to_str().unwrap();
    for args in [
        &["config", "file"][..],
        &["config", "get", "gateway.port"],
        &["config", "get", "gateway"],
        &["config", "set", "ui.assistant.name", "Otto"],
        &["config", "set", "ui.assistant.name", "Otto"],
        &["config", "diff", copy],
        &["config", "list"],
        &["config", "list", "--defaults", "gateway.port"],
        &["config", "schema", "gateway.port"],
        &["config", "validate"],
        &["config", "unset", "ui.assistant.name"],
        &["config", "rollback"],
        &["config", "rollback", "--dry-run"],
        &["models"],
        &["models", "status"],
        &["models", "list"],
        &["models", "scan", "--timeout", "10ms"],
        &["models", "test"],
        &["models", "aliases"],
        &["models", "aliases", "add", "fast", "test/m"],
        &["models", "aliases", "list"],
        &["models", "aliases", "remove", "fast"],
        &["models", "fallbacks"],
        &["models", "fallbacks", "add", "test/other"],
        &["models", "fallbacks", "list"],
        &["models", "fallbacks", "remove", "test/other"],
        &["models", "fallbacks", "clear"],
        &["models", "set", "test/m"],
        &["approvals", "get"],
        &["channels", "add", "--account", "work", "--token", telegram::BOT_TOKEN, "--no-probe"],
        &["channels", "logout", "--account", "work"],
        &["channels", "remove", "--account", "work", "--delete"],
        &["completion", "bash"],
        &["protocol", "schema", "health"],
        &["protocol", "schema", "--list"],
        &["doctor"],
        &["security", "audit"],
        &["profiles"],
        &["profiles", "list"],
    ] {
        story.run(args);
    }
    let rules = story.dir.join("rules.json");
    std::fs::write(&rules, r#"{"version":1,"defaults":{"security":"allowlist"}}"#).unwrap();
    story.run(&["approvals", "set", "--file", rules.to_str().unwrap()]);
    story.run(&["approvals", "get"]);
    for verb in ["add", "add", "remove"] {
        let told = story.run(&["approvals", "allowlist", verb, "/usr/bin/uptime"]);
        assert_eq!(told["file"].to_string().contains("/usr/bin/uptime"), verb == "add", "{verb}: {told}");
    }
}

/// Strangers as the original wrote them down: one is told that he is in, one is not.
fn let_in(story: &mut Story, telegram: &Telegram) {
    telegram.user(1002, "Bob", "bob");
    let at = jiff::Timestamp::now().to_string();
    let request = |id: &str, code: &str| json!({"id": id, "code": code, "createdAt": at, "lastSeenAt": at});
    let requests = [request("1002", "Z86UMBHV"), request("1003", "Z86UMBHW")];
    let file = story.dir.join("home/.openclaw/credentials/telegram-pairing.json");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, json!({"version": 1, "requests": requests}).to_string()).unwrap();
    let told = story.run(&["pairing", "approve", "telegram", "z86umbhv", "--notify"]);
    assert_eq!(told, json!({"channel": "telegram", "account": "default", "id": "1002", "notified": true}));
    let told = story.run(&["pairing", "approve", "telegram", "z86umbhw"]);
    assert_eq!(told["notified"], false, "{told}");
}

fn automation(story: &mut Story) {
    story.run(&["cron", "list"]);
    let job =
        story.run(&["cron", "add", "--name", "n", "--every", "1h", "--message", "look", "--no-deliver"]);
    let id = job["id"].as_str().unwrap_or_default().to_string();
    for args in [
        &["cron", "add", "--name", "m", "--cron", "0 8 * * *", "--system-event", "wake"][..],
        &["cron", "list"],
        &["cron", "status"],
        &["cron", "edit", &id, "--name", "other"],
        &["cron", "disable", &id],
        &["cron", "enable", &id],
        &["cron", "run", &id],
        &["cron", "runs", "--id", &id],
        &["cron", "rm", &id],
        &["system", "event", "--text", "x"],
        &["system", "heartbeat", "last"],
        &["system", "heartbeat", "disable"],
        &["system", "heartbeat", "enable"],
        &["system", "presence"],
    ] {
        story.run(args);
    }
}

fn devices(story: &mut Story, gateway: &Gateway) {
    story.run(&["devices", "list"]);
    for _ in 0..3 {
        remote_request(gateway, &Device::new(), &["operator.read"]);
    }
    let listed = story.run(&["devices", "list"]);
    let of = |value: &Value, list: &str, n: usize, name: &str| {
        value[list][n][name].as_str().unwrap_or_default().to_string()
    };
    story.run(&["devices", "approve", &of(&listed, "pending", 0, "requestId")]);
    story.run(&["devices", "reject", &of(&listed, "pending", 1, "requestId")]);
    let listed = story.run(&["devices", "list"]);
    let paired = of(&listed, "paired", 0, "deviceId");
    story.run(&["devices", "rename", &paired, "Tablet"]);
    story.run(&["devices", "rotate", "--device", &paired]);
    story.run(&["devices", "revoke", "--device", &paired]);
    story.run(&["devices", "clear", "--yes", "--pending"]);
}

fn keeping(story: &mut Story) {
    let (archive, target) = (story.dir.join("kept.tar"), story.dir.join("restored"));
    let (archive, target) = (archive.to_str().unwrap(), target.to_str().unwrap());
    let report = story.dir.join("report.tar");
    for args in [
        &["backup", "create", "--output", archive, "--dry-run"][..],
        &["backup", "create", "--output", archive, "--verify"],
        &["backup", "verify", archive],
        &["backup", "restore", archive, "--target", target],
        &["gateway", "diagnostics", "export", "--output", report.to_str().unwrap()],
    ] {
        story.run(args);
    }
}

fn gateway_and_service(story: &mut Story) {
    for args in [
        &["health"][..],
        &["gateway", "health"],
        &["gateway", "status"],
        &["daemon", "status"],
        &["gateway", "status", "--no-probe"],
        &["gateway", "probe"],
        &["gateway", "healthcheck"],
        &["gateway", "call", "health"],
        &["gateway", "call", "--list"],
        &["status"],
        &["status", "--deep"],
        &["dashboard", "--no-open"],
        &["system", "presence"],
        &["logs", "--limit", "50"],
    ] {
        story.run(args);
    }
    // A home of its own, with a service manager that does as it is told.
    let dir = gateway::new_dir();
    std::fs::create_dir_all(dir.join("bin")).unwrap();
    for name in ["systemctl", "loginctl"] {
        let path = dir.join("bin").join(name);
        std::fs::write(
            &path,
            "#!/bin/sh\ncase \"$*\" in *show*) printf 'ActiveState=active\\nMainPID=1\\n';; esac\n",
        )
        .unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let whole = std::mem::replace(&mut story.dir, dir.clone());
    let path = format!("{}:/usr/bin:/bin", dir.join("bin").display());
    story.vars = vec![("PATH".into(), path), ("OPENCLAW_SERVICE_MANAGER".into(), "systemd".into())];
    for args in [
        &["setup"][..],
        &["setup"],
        &["setup", "--non-interactive", "--accept-risk"],
        &["onboard", "--non-interactive", "--accept-risk", "--skip-health", "--no-install-daemon"],
        &["gateway", "install"],
        &["daemon", "install"],
        &["gateway", "start"],
        &["daemon", "start"],
        &["gateway", "restart"],
        &["daemon", "restart"],
        &["gateway", "stop"],
        &["daemon", "stop"],
        &["node", "install", "--host", "gw.lan"],
        &["node", "start"],
        &["node", "restart"],
        &["node", "stop"],
        &["node", "status"],
        &["node", "uninstall"],
        &["migrate"],
        &["uninstall", "--dry-run"],
        &["gateway", "uninstall"],
        &["daemon", "uninstall"],
    ] {
        story.run(args);
    }
    story.dir = whole;
    std::fs::remove_dir_all(dir).unwrap();
}

/// What is shown without a gateway too.
fn without(story: &mut Story) {
    story.vars.clear();
    for args in [
        &["status"][..],
        &["status", "--all"],
        &["gateway", "status"],
        &["gateway", "probe"],
        &["sessions"],
        &["agents"],
        &["models"],
        &["models", "list"],
        &["models", "aliases"],
        &["models", "fallbacks"],
        &["skills"],
        &["skills", "check"],
        &["channels"],
        &["approvals", "get"],
        &["config", "file"],
        &["config", "list"],
        &["config", "validate"],
        &["devices", "list"],
        &["doctor"],
        &["security", "audit"],
        &["profiles"],
        &["uninstall", "--dry-run"],
    ] {
        story.run(args);
    }
}
