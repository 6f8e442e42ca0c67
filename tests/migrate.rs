//! `openclaw migrate`: coming from the Node program, with a stand-in for `systemctl` that runs this gateway.
use crate::cli::text;
use crate::harness::*;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// A home as the Node program leaves it, below its earlier name.
struct Old {
    dir: PathBuf,
}

const NODE: &str = "[Service]\nExecStart=/usr/bin/node /opt/openclaw/dist/index.js gateway --port 18789\n";

impl Old {
    fn new(config: &Value) -> Old {
        let old = Old { dir: gateway::new_dir() };
        let state = old.state();
        for (file, bytes) in [
            ("clawdbot.json", config.to_string()),
            ("agents/main/sessions/sessions.json", json!({
                "agent:main:main": {"sessionId": "a", "updatedAt": 1},
                "agent:main:work": {"sessionId": "b", "updatedAt": 1},
            }).to_string()),
            ("agents/main/agent/auth-profiles.json", json!({
                "version": 1, "profiles": {"anthropic:default": {"type": "api_key", "provider": "anthropic", "key": "k"}},
            }).to_string()),
            ("skills/notes/SKILL.md", "---\nname: notes\ndescription: keeps notes\n---\nwords\n".to_string()),
        ] {
            std::fs::create_dir_all(state.join(file).parent().unwrap()).unwrap();
            std::fs::write(state.join(file), bytes).unwrap();
        }
        std::fs::create_dir_all(old.units()).unwrap();
        std::fs::write(old.units().join("clawdbot-gateway.service"), NODE).unwrap();
        old
    }

    fn state(&self) -> PathBuf {
        self.dir.join("home/.clawdbot")
    }

    fn units(&self) -> PathBuf {
        self.dir.join("home/.config/systemd/user")
    }

    /// Starts this program for the unit of its own; `start` is what else it does for a start.
    fn stand_in(&self, start: &str) {
        let here = self.dir.display();
        let script = format!(
            "#!/bin/sh\npid=$(cat '{here}/pid' 2>/dev/null)\n\
             alive() {{ [ -n \"$pid\" ] && [ -d /proc/$pid ] && ! grep -q 'State:.Z' /proc/$pid/status; }}\n\
             case \" $* \" in *' show '*) ;; *) echo \"$*\" >> '{here}/calls';; esac\n\
             case \" $* \" in\n\
             *' disable --now openclaw-'*) alive && kill $pid; while alive; do sleep 0.05; done;;\n\
             *' restart openclaw-'*) {start}\n\
               '{}' gateway </dev/null >/dev/null 2>&1 & echo $! > '{here}/pid';;\n\
             *' show openclaw-'*) if alive; then echo ActiveState=active; echo MainPID=$pid; else echo ActiveState=inactive; fi;;\n\
             *' show '*) echo ActiveState=active;;\n\
             esac\n",
            env!("CARGO_BIN_EXE_openclaw")
        );
        std::fs::create_dir_all(self.dir.join("bin")).unwrap();
        for (name, text) in [("systemctl", script.as_str()), ("loginctl", "#!/bin/sh\nexit 0\n")] {
            std::fs::write(self.dir.join("bin").join(name), text).unwrap();
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(self.dir.join("bin").join(name), mode).unwrap();
        }
    }

    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = gateway::command(&self.dir);
        let path = format!("{}:/usr/bin:/bin", self.dir.join("bin").display());
        command.env("PATH", path).env("OPENCLAW_SERVICE_MANAGER", "systemd-user");
        command.env("OPENCLAW_SERVICE_ROOT", self.dir.join("root"));
        let output = command.args(args).output().unwrap();
        let (stdout, stderr) = text(&output);
        (output.status.code().unwrap(), stdout, stderr)
    }

    fn json(&self, args: &[&str]) -> Value {
        let (code, stdout, stderr) = self.run(&[args, &["--json"]].concat());
        assert_eq!(code, 0, "{stdout}{stderr}");
        serde_json::from_str(&stdout).unwrap()
    }

    fn calls(&self) -> Vec<String> {
        let path = self.dir.join("calls");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(path, "").unwrap();
        text.lines().map(str::to_string).collect()
    }
}

impl Drop for Old {
    fn drop(&mut self) {
        let pid = std::fs::read_to_string(self.dir.join("pid")).unwrap_or_default();
        if let Some(pid) = pid.trim().parse().ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn config() -> Value {
    json!({
        "gateway": {"mode": "local", "port": gateway::free_port(), "auth": {"token": TOKEN}},
        "channels": {"telegram": {"enabled": true, "botToken": "1:a"}, "discord": {"token": "x"}},
        "plugins": {"entries": {"telegram": {"enabled": true}, "memory-core": {"enabled": true}}},
        "browser": {"enabled": true},
    })
}

#[test]
fn i14_10_a_look_tells_what_there_is_and_changes_nothing() {
    let old = Old::new(&config());
    old.stand_in("");
    let told = old.json(&["migrate"]);
    schemas::check_output("migrate", &told);
    let counts = json!({"sessions": 2, "channels": 1, "cronJobs": 0, "skills": 1, "authProfiles": 1});
    assert_eq!(told["carriesOver"], counts, "{told}");
    let unsupported: Vec<&str> =
        told["unsupported"].as_array().unwrap().iter().map(|row| row["feature"].as_str().unwrap()).collect();
    assert_eq!(unsupported, ["channels"], "{told}");
    assert_eq!(told["services"][0]["name"], "clawdbot-gateway.service");
    assert_eq!((&told["stateDir"], &told["refusal"]), (&json!(old.state()), &Value::Null));
    let (_, text, _) = old.run(&["migrate"]);
    assert!(text.contains("2 sessions, 1 channel, 0 cron jobs, 1 skill, 1 auth profile"), "{text}");
    assert!(text.contains("Would stop and disable clawdbot-gateway.service"), "{text}");
    assert!(old.calls().is_empty(), "nothing is run");
    assert!(old.units().join("clawdbot-gateway.service").exists());
}

#[test]
fn i14_10_the_service_is_taken_over() {
    let old = Old::new(&config());
    old.stand_in("");
    let done = old.json(&["migrate", "--apply"]);
    schemas::check_output("migrate", &done);
    assert_eq!(
        old.calls(),
        [
            "--user disable --now clawdbot-gateway.service",
            "--user daemon-reload",
            "--user reset-failed clawdbot-gateway.service",
            "--user daemon-reload",
            "--user enable openclaw-gateway.service",
            "--user restart openclaw-gateway.service",
        ]
    );
    let aside = old.units().join("clawdbot-gateway.service.before-migrate");
    assert_eq!(std::fs::read_to_string(&aside).unwrap(), NODE);
    assert!(old.units().join("openclaw-gateway.service").exists());
    assert!(old.run(&["gateway", "healthcheck", "--ready"]).1.starts_with("OK"));
    let back = done["goBack"].to_string();
    assert!(
        back.contains("clawdbot-gateway.service.before-migrate") && back.contains("gateway uninstall"),
        "{back}"
    );
}

#[test]
fn i14_10_what_cannot_run_leaves_the_old_service_in_place() {
    let mut wrong = config();
    wrong["gateway"]["bind"] = json!("nowhere");
    let old = Old::new(&wrong);
    old.stand_in("");
    let (code, _, stderr) = old.run(&["migrate", "--apply"]);
    assert!(code != 0 && stderr.contains("nothing was changed"), "{stderr}");
    assert!(old.calls().is_empty() && old.units().join("clawdbot-gateway.service").exists());

    std::fs::write(old.state().join("clawdbot.json"), config().to_string()).unwrap();
    old.stand_in("echo 'Job failed' >&2; exit 4;");
    let (code, _, stderr) = old.run(&["migrate", "--apply"]);
    assert!(code != 0 && stderr.contains("the old service is back"), "{stderr}");
    assert_eq!(std::fs::read_to_string(old.units().join("clawdbot-gateway.service")).unwrap(), NODE);
    assert!(!old.units().join("openclaw-gateway.service").exists(), "{stderr}");
    assert_eq!(old.calls().last().unwrap(), "--user restart clawdbot-gateway.service");
}

/// Each key of ours that the original would not start with is named, and its removal.
#[test]
fn i14_10_keys_that_the_original_refuses_are_named_on_request() {
    let mut with = config();
    with["gateway"]["limits"] = json!({"toolRounds": 9});
    with["models"] = json!({"providers": {"box": {
        "baseUrl": "http://127.0.0.1:1/v1", "retries": 1, "models": [{"id": "m", "compat": {"supportsTools": true}}],
    }}});
    with["nonsense"] = json!(1);
    let old = Old::new(&with);
    old.stand_in("");
    let (_, text, stderr) = old.run(&["doctor", "--only", "compat"]);
    for key in [
        "gateway.limits",
        "models.providers.box.retries",
        "models.providers.box.models.0.compat.supportsTools",
        "nonsense",
    ] {
        assert!(text.contains(&format!("config unset {key}")), "{key}: {text}{stderr}");
    }
    assert!(!old.run(&["doctor"]).1.contains("compat.keys"));
}

/// Started by hand, it has no service; it has the port all the same, and a look says so.
#[test]
fn i14_10_a_node_program_that_runs_by_hand_is_told_of_by_a_look() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut config = config();
    config["gateway"]["port"] = json!(port);
    let old = Old::new(&config);
    old.stand_in("");
    std::fs::remove_file(old.units().join("clawdbot-gateway.service")).unwrap();
    let want = format!("port {port} belongs to pid {}", std::process::id());
    let (code, text, _) = old.run(&["migrate"]);
    assert!(
        code == 0 && text.contains(&format!("In the way: {want}")) && text.contains("stop that first"),
        "{text}"
    );
    assert!(old.json(&["migrate"])["refusal"].as_str().unwrap().starts_with(&want));
    let (code, _, stderr) = old.run(&["migrate", "--apply"]);
    assert!(code != 0 && stderr.contains(&format!("nothing was changed: {want}")), "{stderr}");
    assert!(std::fs::read_dir(old.units()).unwrap().next().is_none(), "no service was written");
}

/// What cannot be read is not counted as if it were not there.
#[test]
fn i14_f17_files_that_cannot_be_read_are_told() {
    let old = Old::new(&config());
    let state = old.state();
    std::fs::write(state.join("agents/main/sessions/sessions.json"), "garb").unwrap();
    std::fs::write(state.join("agents/main/agent/auth-profiles.json"), "{\"profiles\": {").unwrap();
    std::fs::create_dir_all(state.join("cron")).unwrap();
    std::fs::write(state.join("cron/jobs.json"), "{\"version\": 1, \"jobs\": [").unwrap();
    std::fs::create_dir_all(state.join("devices/paired.json")).unwrap();
    let told = old.json(&["migrate"]);
    schemas::check_output("migrate", &told);
    let unreadable = told["unreadable"].to_string();
    let (_, text, _) = old.run(&["migrate"]);
    for file in ["sessions.json", "auth-profiles.json", "jobs.json", "paired.json"] {
        assert!(unreadable.contains(file), "{file}: {told:#}");
        let is_told =
            |line: &str| line.starts_with("Not counted, cannot be read: ~/.clawdbot/") && line.contains(file);
        assert!(text.lines().any(is_told), "{file}: {text}");
    }
    assert_eq!(told["unreadable"].as_array().unwrap().len(), 4, "{told:#}");
}
