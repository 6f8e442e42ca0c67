//! The manual's table of failures, `docs/failures.md`, against the program: what each command says and how it exits.
//!
//! R-05a, R-17a, R-20b: the texts people meet are the texts the manual explains. A row whose command is
//! `openclaw …` in backticks is run in the set-up its first cell names; all other rows are for readers only.
use crate::cli::text;
use crate::harness::gateway::{command, free_port, new_dir};
use crate::harness::*;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const TABLE: &str = include_str!("../docs/failures.md");

struct Row {
    set_up: String,
    /// What stands after `openclaw`.
    args: Vec<String>,
    /// Pieces that follow each other in one line, the first at its beginning.
    message: Vec<String>,
    exit: i32,
}

/// The rows that can be run.
fn rows() -> Vec<Row> {
    TABLE.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> =
        line.strip_prefix('|')?.split(" | ").map(|cell| cell.trim_matches([' ', '|'])).collect();
    let [set_up, command, message, exit, ..] = cells[..] else { return None };
    let args = command.strip_prefix("`openclaw ")?.strip_suffix('`')?;
    let exit = exit.parse().unwrap_or_else(|e| panic!("{line}: {e}"));
    let message = message.trim_matches('`').split('…').map(str::to_string).collect();
    Some(Row { set_up: set_up.to_string(), args: words(args), message, exit })
}

/// Splits as a shell does, single quotes only.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (i, part) in text.split('\'').enumerate() {
        match i % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_string)),
            _ => words.push(part.to_string()),
        }
    }
    words
}

/// A home that is prepared, and the gateway that runs in it, if any.
struct Place {
    dir: PathBuf,
    gateway: Option<Gateway>,
    port: u16,
    token: Option<&'static str>,
    vars: &'static [(&'static str, &'static str)],
}

impl Place {
    fn new(set_up: &str) -> Place {
        if let Some(config) = config_of(set_up) {
            return Place::quiet(Some(config));
        }
        match set_up {
            "nothing" => Place::quiet(None),
            "gateway" => Place::running(None, Some(TOKEN)),
            "wrong token" => Place::running(None, Some("another-token-0123456789")),
            "state in use" => Place::running(Some(free_port()), Some(TOKEN)),
            "no lsof" => Place::quiet(Some(good())).with(&[("PATH", "/nowhere")]),
            "port variable" => Place::quiet(Some(good())).with(&[("OPENCLAW_GATEWAY_PORT", "abc")]),
            "backup" => Place::quiet(Some(good())).with_backups(),
            _ => {
                panic!("docs/failures.md names the set-up {set_up:?}, which tests/failures.rs does not know")
            }
        }
    }

    fn quiet(config: Option<String>) -> Place {
        let dir = new_dir();
        if let Some(config) = config {
            std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
            std::fs::write(dir.join("home/.openclaw/openclaw.json"), config).unwrap();
        }
        Place { dir, gateway: None, port: free_port(), token: None, vars: &[] }
    }

    /// `port` is where the command line believes the gateway to be.
    fn running(port: Option<u16>, token: Option<&'static str>) -> Place {
        let gateway = Gateway::plain();
        let port = port.unwrap_or(gateway.port);
        Place { dir: gateway.dir.clone(), port, token, gateway: Some(gateway), vars: &[] }
    }

    /// `good.tar`, and `damaged.tar` which is cut off.
    fn with_backups(self) -> Place {
        let (code, told) =
            self.run(&["backup".into(), "create".into(), "--output".into(), "good.tar".into()]);
        assert_eq!(code, 0, "{told}");
        let whole = std::fs::read(self.dir.join("good.tar")).unwrap();
        std::fs::write(self.dir.join("damaged.tar"), &whole[..whole.len() / 2]).unwrap();
        self
    }

    fn with(mut self, vars: &'static [(&'static str, &'static str)]) -> Place {
        self.vars = vars;
        self
    }

    fn run(&self, args: &[String]) -> (i32, String) {
        let mut command = command(&self.dir);
        // A remote gateway is found by its URL, not by the port of this host.
        if !has_remote(&self.dir) {
            command.env("OPENCLAW_GATEWAY_PORT", self.port.to_string());
        }
        command.envs(self.vars.iter().copied());
        command.envs(self.token.map(|token| ("OPENCLAW_GATEWAY_TOKEN", token)));
        command
            .env("OPENCLAW_SERVICE_MANAGER", "systemd-user")
            .env("OPENCLAW_SERVICE_ROOT", self.dir.join("root"));
        // A start that should have been refused is ended instead of waited for.
        let child =
            command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let (done, ended) = std::sync::mpsc::channel();
        let guard = std::thread::Builder::new().spawn(move || {
            if ended.recv_timeout(DEADLINE).is_err() {
                // It may have ended in this very moment.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        });
        let guard = guard.unwrap();
        let output = child.wait_with_output().unwrap();
        // The guard may have given up already.
        let _ = done.send(());
        guard.join().unwrap();
        let (stdout, stderr) = text(&output);
        (output.status.code().unwrap_or(-1), format!("{stderr}\n{stdout}"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.gateway.is_none() {
            // Litter in the temporary directory is no failed test.
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

fn has_remote(dir: &Path) -> bool {
    let config = std::fs::read_to_string(dir.join("home/.openclaw/openclaw.json"));
    config.is_ok_and(|text| text.contains("\"remote\""))
}

fn good() -> String {
    json!({"gateway": {"mode": "local", "auth": {"token": TOKEN}}}).to_string()
}

/// The set-ups that are nothing but a config file.
fn config_of(set_up: &str) -> Option<String> {
    let gateway = |gateway: Value| Some(json!({"gateway": gateway}).to_string());
    match set_up {
        "no gateway" => Some(good()),
        "broken config" => Some("{ gateway: { mode: \"local\", port: 1879x } }".to_string()),
        "wrong value" => gateway(json!({"mode": "local", "port": "x", "auth": {"token": TOKEN}})),
        "no secret" => gateway(json!({"mode": "local"})),
        "short token" => gateway(json!({"mode": "local", "bind": "lan", "auth": {"token": "short"}})),
        "unset variable" => gateway(json!({"mode": "local", "auth": {"token": "${NO_SUCH_VARIABLE}"}})),
        "tls" => gateway(
            json!({"mode": "local", "tls": {"enabled": true, "autoGenerate": false}, "auth": {"token": TOKEN}}),
        ),
        "hooks without token" => {
            let mut config: Value = serde_json::from_str(&good()).unwrap();
            config["hooks"] = json!({"enabled": true});
            Some(config.to_string())
        }
        "custom bind" => gateway(json!({"mode": "local", "bind": "custom", "auth": {"token": TOKEN}})),
        "remote without url" => gateway(json!({"mode": "remote"})),
        "remote in the clear" => {
            gateway(json!({"mode": "remote", "remote": {"url": "ws://example.com:1", "token": TOKEN}}))
        }
        "missing include" => {
            Some("{ \"$include\": \"./none.json5\", gateway: { mode: \"local\" } }".to_string())
        }
        "model server down" => Some(
            json!({
                "gateway": {"mode": "local", "auth": {"token": TOKEN}},
                "models": {"providers": {"chat": {
                    "baseUrl": "http://127.0.0.1:9/v1", "api": "openai-completions", "retries": 0,
                    "models": [{"id": "small"}],
                }}},
                "agents": {"defaults": {"model": {"primary": "chat/small"}}},
            })
            .to_string(),
        ),
        _ => None,
    }
}

fn says(told: &str, message: &[String]) -> bool {
    told.lines().any(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("Gateway call failed: ").unwrap_or(line);
        let line = line.strip_prefix("Error: ").or(line.strip_prefix("error: ")).unwrap_or(line);
        let mut rest = line.starts_with(&message[0]).then_some(line);
        for piece in message {
            rest = rest.and_then(|rest| rest.split_once(piece.as_str())).map(|(_, rest)| rest);
        }
        rest.is_some()
    })
}

#[test]
fn r_05a_r_17a_r_20b_the_manuals_failures_are_the_programs() {
    let rows = rows();
    assert!(rows.len() >= 25, "only {} rows of docs/failures.md can be run", rows.len());
    let mut wrong = Vec::new();
    let mut place: Option<(String, Place)> = None;
    for row in rows {
        // Neighbouring rows share a set-up: none of them changes anything.
        if place.as_ref().is_none_or(|(name, _)| *name != row.set_up) {
            place = Some((row.set_up.clone(), Place::new(&row.set_up)));
        }
        let (code, told) = place.as_ref().unwrap().1.run(&row.args);
        if code != row.exit || !says(&told, &row.message) {
            let Row { set_up, args, message, exit } = &row;
            wrong
                .push(format!("{set_up}: {args:?} should exit {exit} with {message:?}, but {code}:\n{told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
