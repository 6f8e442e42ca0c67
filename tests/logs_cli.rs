//! `openclaw logs`: what is shown, with the gateway up, down, restarted, and with the file rotated under it.
use crate::cli::{fails, out, text};
use crate::harness::*;
use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

/// A following command and what it has said so far.
struct Follower {
    child: Child,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
}

impl Follower {
    fn start(gateway: &Gateway, args: &[&str]) -> Follower {
        let mut command = gateway::command(&gateway.dir);
        command.args(["logs", "--follow", "--interval", "50"]).args(args);
        command.env("OPENCLAW_GATEWAY_PORT", gateway.port.to_string()).env("OPENCLAW_GATEWAY_TOKEN", TOKEN);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        Follower { child, stdout, stderr }
    }

    fn said(&self) -> String {
        self.stdout.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remarked(&self) -> String {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn until(&self, what: &str) {
        wait_for(&format!("{what:?} on stdout"), || self.said().contains(what).then_some(()));
    }

    fn until_remark(&self, what: &str) {
        wait_for(&format!("{what:?} on stderr"), || self.remarked().contains(what).then_some(()));
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- logs said\n{}\n--- and remarked\n{}", self.said(), self.remarked());
        }
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(mut from: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let into = text.clone();
    std::thread::Builder::new()
        .spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(n) = from.read(&mut piece) {
                if n == 0 {
                    return;
                }
                into.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..n]));
            }
        })
        .unwrap();
    text
}

/// Makes the gateway log a line with this text.
fn provoke(gateway: &Gateway, what: &str) {
    Client::operator(gateway, 4).call(what, json!({})).unwrap_err();
}

#[test]
fn the_log_in_its_shapes() {
    let gateway = Gateway::plain();
    provoke(&gateway, "no.such.one");
    wait_for("the line in the file", || gateway.log().contains("no.such.one").then_some(()));
    let plain = out(&gateway, &["logs"]);
    let file = gateway.dir.join("gateway.log");
    assert!(plain.starts_with(&format!("Log file: {}\n", file.display())), "{plain}");
    let line = plain.lines().find(|line| line.contains("no.such.one")).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    assert!(words[0].ends_with('Z') && words[0].contains('T'), "{line}");
    assert!(["info", "warn", "debug"].contains(&words[1]) && words[2].starts_with("gateway"), "{line}");
    assert_eq!(out(&gateway, &["logs", "--limit", "1"]).lines().count(), 2);
    let local = out(&gateway, &["logs", "--local-time", "-n", "1"]);
    assert!(local.contains("+00:00 "), "the test's zone is UTC: {local}");

    let json = out(&gateway, &["logs", "--json"]);
    let entries: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&entries[0]["type"], &entries[0]["file"]), (&json!("meta"), &json!(file)));
    let found = entries.iter().find(|entry| entry["raw"].to_string().contains("no.such.one")).unwrap();
    assert_eq!(found["type"], "log");
    assert!(!found["message"].as_str().unwrap().contains("subsystem"), "{found}");
    for name in ["time", "level", "subsystem"] {
        assert!(found[name].as_str().is_some_and(|text| !text.is_empty()), "{name} in {found}");
    }
    assert!(!text(&gateway.cli(&["logs", "--limit", "0", "--max-bytes", "400"])).1.contains("--max-bytes"));
    let cut = gateway.cli(&["logs", "--max-bytes", "400"]);
    assert!(text(&cut).1.contains("Log tail truncated (increase --max-bytes)."), "{cut:?}");
    fails(&gateway, &["logs", "--utc", "--local-time"]);
}

#[test]
fn with_the_gateway_down_the_file_is_read_and_that_is_said() {
    let mut gateway = Gateway::plain();
    provoke(&gateway, "no.such.two");
    gateway.stop();
    let output = gateway.cli(&["logs"]);
    let (stdout, stderr) = text(&output);
    assert!(output.status.success(), "{stderr}");
    assert!(stdout.contains("no.such.two") && stdout.contains("stopped"), "{stdout}");
    assert!(stderr.contains("not reachable") && stderr.contains("Reading the log file"), "{stderr}");
    // Another gateway's log is not this file.
    let port = gateway.port.to_string();
    let elsewhere = fails(&gateway, &["logs", "--url", &format!("ws://127.0.0.1:{port}"), "--token", "x"]);
    assert!(elsewhere.1.contains("not reachable") && elsewhere.0 == 1, "{elsewhere:?}");
    std::fs::remove_file(gateway.dir.join("gateway.log")).unwrap();
    assert!(fails(&gateway, &["logs"]).1.contains("not reachable"));
}

#[test]
fn a_wrong_secret_does_not_hide_the_log_of_this_host() {
    let gateway = Gateway::plain();
    let port = gateway.port.to_string();
    let vars = [("OPENCLAW_GATEWAY_PORT", port.as_str()), ("OPENCLAW_GATEWAY_TOKEN", "wrong-canary-token")];
    let output = gateway.cli_env(&["logs"], &vars);
    let (stdout, stderr) = text(&output);
    assert!(output.status.success() && stdout.contains("listening on"), "{stdout} {stderr}");
    assert!(stderr.contains("unauthorized") && !stderr.contains("canary"), "{stderr}");
}

#[test]
fn following_survives_a_restart_of_the_gateway() {
    let mut gateway = Gateway::plain();
    let follower = Follower::start(&gateway, &[]);
    follower.until("listening on");
    provoke(&gateway, "no.such.three");
    follower.until("no.such.three");
    gateway.kill();
    follower.until_remark("Gateway connection lost");
    gateway.restart();
    follower.until_remark("Gateway connection restored.");
    provoke(&gateway, "no.such.four");
    follower.until("no.such.four");
    assert_eq!(follower.remarked().matches("connection lost").count(), 1, "told once");
    let said = follower.said();
    let shown = said.lines().filter(|line| line.contains("no.such.three")).count();
    assert_eq!(shown, 1, "nothing is shown twice");
}

#[test]
fn following_survives_rotation_and_loses_nothing() {
    let gateway = Gateway::plain();
    let follower = Follower::start(&gateway, &["--interval", "300"]);
    follower.until("listening on");
    // What the gateway does at its cap, with lines that nothing collapses: the last ones of the old file are
    // written and the file is moved between two looks.
    let (file, old) = (gateway.dir.join("gateway.log"), gateway.dir.join("gateway.log.1"));
    let line =
        |n: u32| format!("{}\n", json!({"1": format!("numbered {n}."), "time": "2026-11-21T01:00:00.000Z"}));
    let mut end = std::fs::OpenOptions::new().append(true).open(&file).unwrap();
    end.write_all((0..20).map(line).collect::<String>().as_bytes()).unwrap();
    std::fs::rename(&file, &old).unwrap();
    // The new one is soon longer than the old one was.
    std::fs::write(&file, (20..300).map(line).collect::<String>()).unwrap();
    follower.until("numbered 299.");
    follower.until_remark("Log cursor reset (file rotated).");
    let said = follower.said();
    let shown: Vec<usize> = (0..300).map(|n| said.matches(&format!("numbered {n}.")).count()).collect();
    assert_eq!(shown, [1; 300], "each line once");
    assert!(!follower.remarked().contains("missed"), "{}", follower.remarked());
    // Twice between two looks: what is lost is told.
    for n in [300, 301] {
        std::fs::rename(&file, &old).unwrap();
        std::fs::write(&file, line(n)).unwrap();
    }
    follower.until("numbered 301.");
    if !follower.said().contains("numbered 300.") {
        follower.until_remark("Log lines were missed");
    }
}

#[test]
fn following_the_file_of_a_gateway_that_is_down() {
    let mut gateway = Gateway::plain();
    gateway.stop();
    let mut follower = Follower::start(&gateway, &[]);
    follower.until("stopped");
    gateway.restart();
    provoke(&gateway, "no.such.five");
    follower.until("no.such.five");
    // Ctrl-C is the end, with what a shell shows as 130; where a background job ignores it, another signal is.
    use rustix::process::{Pid, Signal, kill_process};
    let signal = if ignores_interrupts() { Signal::TERM } else { Signal::INT };
    kill_process(Pid::from_raw(follower.child.id() as i32).unwrap(), signal).unwrap();
    let status = wait_for("the end", || follower.child.try_wait().unwrap());
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(status.signal(), Some(signal.as_raw()));
}

/// Whether this process, and so every child, was started with SIGINT ignored.
fn ignores_interrupts() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 0b10 != 0))
}

#[test]
fn a_reader_that_left_ends_it() {
    let gateway = Gateway::plain();
    let mut command = gateway::command(&gateway.dir);
    command.args(["logs", "--follow", "--interval", "20"]);
    command.env("OPENCLAW_GATEWAY_PORT", gateway.port.to_string()).env("OPENCLAW_GATEWAY_TOKEN", TOKEN);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut first = [0; 8];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let ended = wait_for("the end", || {
        provoke(&gateway, "no.such.six");
        child.try_wait().unwrap()
    });
    assert!(ended.success(), "{ended:?}");
}

/// N-31: of a gateway that answers and of the file, once and followed, as text and as JSON.
#[test]
fn n_31_only_the_lines_that_are_wanted() {
    let mut gateway = Gateway::plain();
    out(&gateway, &["agent", "-m", "hi"]);
    wait_for("the turn's line", || gateway.log().contains("turn ✓").then_some(()));
    let turn = gateway.log().lines().find(|line| line.contains("turn ✓")).unwrap().to_string();
    for part in [" s, tokens ", "session=", "agent:main:main", "model=", "openclaw/builtin", "run="] {
        assert!(turn.contains(part), "{part} in {turn}");
    }
    provoke(&gateway, "no.such.one");
    wait_for("the line in the file", || gateway.log().contains("no.such.one").then_some(()));
    let shown = |gateway: &Gateway, args: &[&str]| {
        let all = text(&gateway.cli(&[&["logs"][..], args].concat())).0;
        all.lines().filter(|line| !line.starts_with("Log file:")).map(str::to_string).collect::<Vec<_>>()
    };
    for _ in ["up", "down"] {
        let turns = shown(&gateway, &["--grep", "TURN ✓"]);
        assert!(turns.len() == 1 && turns[0].contains(" info gateway/agent turn ✓"), "{turns:?}");
        assert_eq!(shown(&gateway, &["--grep", "turn ✓", "--limit", "0"]), [""; 0]);
        assert_eq!(shown(&gateway, &["--level", "error"]), [""; 0]);
        assert!(!shown(&gateway, &["--since", "10m", "--level", "info"]).is_empty());
        assert_eq!(shown(&gateway, &["--since", "2099-01-01"]), [""; 0]);
        let json = shown(&gateway, &["--json", "--grep", "turn ✓"]);
        let entry: Value = serde_json::from_str(json.last().unwrap()).unwrap();
        assert!(entry["type"] == "log" && entry["level"] == "info", "{entry}");
        // The second time the file is read, by the command itself.
        gateway.kill();
    }
    let wrong = gateway.cli(&["logs", "--since", "soon"]);
    assert!(text(&wrong).1.contains("--since must be how long ago, as 90s, 2h or 3d"), "{wrong:?}");
}

#[test]
fn n_31_what_is_followed_is_filtered_too() {
    let gateway = Gateway::plain();
    let follower = Follower::start(&gateway, &["--grep", "wanted.one"]);
    provoke(&gateway, "other.one");
    provoke(&gateway, "wanted.one");
    follower.until("wanted.one");
    assert!(!follower.said().contains("other.one"), "{}", follower.said());
}
