//! Several gateways of one user: profiles that keep apart, their ports, and what happens when ports clash.
use crate::cli::text;
use crate::harness::*;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};

fn run(dir: &Path, args: &[&str]) -> Output {
    gateway::command(dir).args(args).stdin(Stdio::null()).output().unwrap()
}

fn json_of(dir: &Path, args: &[&str]) -> Value {
    let output = run(dir, args);
    assert!(output.status.success(), "{args:?}: {:?}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A profile that was set up, with its gateway running without any flag.
struct Profile {
    name: String,
    port: u16,
    state: PathBuf,
    token: String,
    child: Child,
}

impl Drop for Profile {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a profile of a name of its own, whose derived port nobody has at the moment.
fn profile(dir: &Path, number: u32) -> Profile {
    for attempt in 0..20 {
        let name = format!("t{}n{number}a{attempt}", std::process::id());
        let made = json_of(dir, &["--profile", &name, "setup", "--json"]);
        let port = u16::try_from(made["port"].as_u64().unwrap()).unwrap();
        let state = dir.join(format!("home/.openclaw-{name}"));
        if TcpListener::bind(("127.0.0.1", port)).is_err() {
            std::fs::remove_dir_all(state).unwrap();
            continue;
        }
        let config: Value =
            serde_json::from_slice(&std::fs::read(state.join("openclaw.json")).unwrap()).unwrap();
        let token = config["gateway"]["auth"]["token"].as_str().unwrap().to_string();
        let child = gateway::command(dir)
            .args(["--profile", &name, "gateway"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut profile = Profile { name, port, state, token, child };
        wait_for("the profile's gateway", || {
            assert!(profile.child.try_wait().unwrap().is_none(), "it ended");
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        return profile;
    }
    panic!("no free port for a profile");
}

/// R-26a: three profiles without flags, each command line reaches its own gateway and no other lets it in.
#[test]
fn r_26a_three_profiles_and_three_command_lines() {
    let dir = gateway::new_dir();
    let profiles: Vec<Profile> = (0..3).map(|number| profile(&dir, number)).collect();
    for own in &profiles {
        let health = json_of(&dir, &["--profile", &own.name, "health", "--json"]);
        assert_eq!(json_of(&dir, &["--profile", &own.name, "config", "get", "gateway.port"]), own.port);
        let state = own.state.display().to_string();
        assert!(health.to_string().contains(&state), "{} sees {health}", own.name);
        for other in &profiles {
            let url = format!("ws://127.0.0.1:{}", other.port);
            let args = ["--profile", &own.name, "health", "--url", &url, "--token", &own.token];
            let output = run(&dir, &args);
            assert_eq!(output.status.success(), own.port == other.port, "{} at {}", own.name, other.name);
            assert_eq!(own.port == other.port, own.name == other.name);
        }
        assert!(own.state.join("gateway/gateway.lock").exists(), "a lock of its own");
        assert!(
            dir.join(format!("home/.openclaw/workspace-{}", own.name)).is_dir(),
            "a workspace of its own"
        );
        let logs = std::fs::read_dir(own.state.join("logs")).unwrap();
        let start = format!("openclaw-{}-", own.name);
        let logs = logs.filter(|log| log.as_ref().unwrap().file_name().to_string_lossy().starts_with(&start));
        assert_eq!(logs.count(), 1, "a log of its own");
    }
    assert!(!dir.join("home/.openclaw/openclaw.json").exists(), "the default profile is not touched");
    drop(profiles);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn dev_is_as_in_the_runbook() {
    let dir = gateway::new_dir();
    let made = json_of(&dir, &["--dev", "setup", "--json"]);
    let home = dir.join("home");
    assert_eq!(made["port"], 19001);
    assert_eq!(made["config"], json!(home.join(".openclaw-dev/openclaw.json")));
    assert_eq!(made["workspace"], json!(home.join(".openclaw/workspace-dev")));
    let port = gateway::free_port();
    let mut child = gateway::command(&dir)
        .args(["--dev", "gateway", "--allow-unconfigured", "--port", &port.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let file = home.join(".openclaw-dev/gateway/ports.json");
    let ports: Value = wait_for("its ports", || serde_json::from_slice(&std::fs::read(&file).ok()?).ok());
    assert_eq!(
        ports,
        json!({"gateway": port, "browserControl": port + 2, "canvas": port + 4,
               "cdp": {"first": port + 11, "last": port + 110}})
    );
    child.kill().unwrap();
    child.wait().unwrap();
    // The directories and the port can be named from outside.
    let elsewhere = dir.join("elsewhere");
    let output = gateway::command(&dir)
        .args(["--dev", "setup", "--json"])
        .env("OPENCLAW_STATE_DIR", &elsewhere)
        .env("OPENCLAW_GATEWAY_PORT", "19555")
        .output()
        .unwrap();
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&made["port"], &made["config"]), (&json!(19555), &json!(elsewhere.join("openclaw.json"))));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_clash_with_another_profile_is_told_at_the_start() {
    let dir = gateway::new_dir();
    let port = gateway::free_port();
    for (profile, port) in [("one", port), ("two", port + 2)] {
        let state = dir.join(format!("home/.openclaw-{profile}"));
        std::fs::create_dir_all(&state).unwrap();
        let config = json!({"gateway": {"mode": "local", "port": port, "auth": {"token": TOKEN}}});
        std::fs::write(state.join("openclaw.json"), config.to_string()).unwrap();
    }
    let out = std::fs::File::create(dir.join("out")).unwrap();
    let mut child = gateway::command(&dir)
        .args(["--profile", "one", "gateway"])
        .stdin(Stdio::null())
        .stdout(out)
        .spawn()
        .unwrap();
    let want = format!("port {} (browser control port) is the gateway port of profile two too", port + 2);
    wait_for(&want, || std::fs::read_to_string(dir.join("out")).unwrap().contains(&want).then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_dir_all(dir).unwrap();
}

/// A profile keeps the port of its name; only one that another profile took already gets the next.
#[test]
fn a_new_profile_does_not_take_another_s_port() {
    let dir = gateway::new_dir();
    let first = json_of(&dir, &["--profile", "first", "setup", "--json"])["port"].as_u64().unwrap();
    assert_eq!(json_of(&dir, &["--profile", "first", "setup", "--json"])["port"], first, "it stays");
    std::fs::remove_dir_all(dir.join("home/.openclaw-first")).unwrap();
    let thief = dir.join("home/.openclaw-thief");
    std::fs::create_dir_all(&thief).unwrap();
    std::fs::write(thief.join("openclaw.json"), json!({"gateway": {"port": first}}).to_string()).unwrap();
    let moved = json_of(&dir, &["--profile", "first", "setup", "--json"])["port"].as_u64().unwrap();
    assert_ne!(moved, first);
    assert_eq!(json_of(&dir, &["--profile", "first", "setup", "--json"])["port"], moved);
    std::fs::remove_dir_all(dir).unwrap();
}
