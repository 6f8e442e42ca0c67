//! Commands where the gateway is on another machine: what they do there, and that nothing here is touched.
use crate::harness::*;
use std::path::{Path, PathBuf};
use std::process::Output;

/// A home whose configuration names the gateway, as one of another machine would.
pub fn afar(gateway: &Gateway) -> PathBuf {
    let here = gateway::new_dir();
    std::fs::create_dir_all(here.join("home/.openclaw")).unwrap();
    let url = format!("ws://127.0.0.1:{}", gateway.port);
    let config = json!({"gateway": {"mode": "remote", "remote": {"url": url, "token": TOKEN}}});
    std::fs::write(here.join("home/.openclaw/openclaw.json"), config.to_string()).unwrap();
    here
}

fn run(dir: &Path, args: &[&str]) -> Output {
    gateway::command(dir).args(args).output().unwrap()
}

fn done(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    let (stdout, stderr) = crate::cli::text(&output);
    assert!(output.status.success(), "{args:?}: {stdout} {stderr}");
    stdout + &stderr
}

fn refused(dir: &Path, args: &[&str], part: &str) {
    let output = run(dir, args);
    let (stdout, stderr) = crate::cli::text(&output);
    assert!(!output.status.success() && stderr.contains(part), "{args:?}: {stdout} {stderr}");
}

// N-3: agents are made, changed and deleted where the gateway is, or the command says why not.
#[test]
fn n_3_agents_are_changed_at_the_gateway_elsewhere() {
    let gateway = Gateway::plain();
    let here = afar(&gateway);
    let before = std::fs::read_to_string(here.join("home/.openclaw/openclaw.json")).unwrap();
    let (url, token) = (format!("ws://127.0.0.1:{}", gateway.port), TOKEN);
    refused(&here, &["agents", "add", "ops"], "--workspace '~/.openclaw/workspace-ops'");
    refused(&here, &["agents", "add", "ops", "--workspace", "rel"], "a path of its host");
    let place = ["--workspace", "~/.openclaw/workspace-ops"];
    refused(
        &here,
        &[&["agents", "add", "ops", "--bind", "telegram"][..], &place].concat(),
        "agents.create takes no --bind",
    );
    let told = done(&here, &[&["agents", "add", "ops"][..], &place].concat());
    let workspace = gateway.dir.join("home/.openclaw/workspace-ops");
    assert!(
        told.contains(&format!("Gateway: {url}"))
            && told.contains(&workspace.display().to_string())
            && told.contains("Agent: ops"),
        "{told}"
    );
    assert!(workspace.join("IDENTITY.md").exists());
    assert!(std::fs::read_to_string(gateway.config_path()).unwrap().contains("workspace-ops"));
    refused(&here, &["agents", "set-identity", "--agent", "ops", "--name", "Zed"], "takes no --name");
    refused(&here, &["agents", "set-identity", "--avatar", "https://a.example/p.png"], "--agent <id>");
    done(&here, &["agents", "set-identity", "--agent", "ops", "--avatar", "https://a.example/p.png"]);
    assert!(std::fs::read_to_string(gateway.config_path()).unwrap().contains("https://a.example/p.png"));
    // By --url from a home that has a gateway of its own, with an agent of the same name.
    let own = gateway::new_dir();
    std::fs::create_dir_all(own.join("home/.openclaw")).unwrap();
    let local = json!({"gateway": {"mode": "local"}, "agents": {"list": [{"id": "main"}, {"id": "ops"}]}});
    std::fs::write(own.join("home/.openclaw/openclaw.json"), local.to_string()).unwrap();
    let by_url = ["--url", url.as_str(), "--token", token];
    let status = done(&own, &[&["status"][..], &by_url].concat());
    assert!(status.contains("Elsewhere  Config, State and Service are this machine's"), "{status}");
    refused(&own, &[&["agents", "delete", "ops"][..], &by_url].concat(), "repeat it with --force");
    let told = done(&own, &[&["agents", "delete", "ops", "--force", "--json"][..], &by_url].concat());
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["agentId"], &told["gateway"]), (&json!("ops"), &json!(url)), "{told}");
    assert!(!workspace.exists() && !std::fs::read_to_string(gateway.config_path()).unwrap().contains("ops"));
    assert_eq!(std::fs::read_to_string(own.join("home/.openclaw/openclaw.json")).unwrap(), local.to_string());
    assert_eq!(std::fs::read_to_string(here.join("home/.openclaw/openclaw.json")).unwrap(), before);
    assert!(
        !here.join("home/.openclaw/agents").exists() && !here.join("home/.openclaw/workspace-ops").exists()
    );
    std::fs::remove_dir_all(own).unwrap();
    std::fs::remove_dir_all(here).unwrap();
}

// N-3: every other command says whose data it shows.
#[test]
fn n_3_what_is_done_here_says_so() {
    let gateway = Gateway::plain();
    let here = afar(&gateway);
    for args in [
        &["models", "set", "a/b"][..],
        &["models", "fallbacks", "add", "a/b"],
        &["models", "aliases", "list"],
        &["models", "scan", "--add"],
        &["models", "test"],
        &["models", "status"],
        &["devices", "clear", "--yes"],
    ] {
        refused(&here, args, "the gateway is elsewhere (ws://");
    }
    let note = "of this machine; the gateway at ws://";
    assert!(done(&here, &["config", "set", "ui.assistant.name", "Zed"]).contains(note));
    assert!(!done(&here, &["config", "set", "gateway.remote.token", TOKEN]).contains(note));
    assert!(done(&here, &["backup", "create", "--dry-run"]).contains(note));
    assert!(done(&here, &["setup"]).contains(note));
    assert!(done(&here, &["sessions"]).contains("Session store: ws://"));
    // A gateway that does not answer is not replaced by the files of this machine.
    let url = format!("ws://127.0.0.1:{}", gateway::free_port());
    done(&here, &["config", "set", "gateway.remote.url", &url]);
    for args in [&["devices", "list"][..], &["sessions"], &["agents", "list"], &["models", "list"], &["logs"]]
    {
        refused(&here, args, &url);
    }
    let status = done(&here, &["status"]);
    assert!(status.contains("unreachable (") && !status.contains("Sessions"), "{status}");
    std::fs::remove_dir_all(here).unwrap();
}

/// A home with a configuration of its own, and a gateway elsewhere that is named by the environment.
fn named(dir: &Path, port: u16, args: &[&str]) -> (bool, String) {
    let mut command = gateway::command(dir);
    command.env("OPENCLAW_GATEWAY_PORT", port.to_string()).env("OPENCLAW_GATEWAY_TOKEN", TOKEN);
    let output = command.args(args).output().unwrap();
    let (stdout, stderr) = crate::cli::text(&output);
    (output.status.success(), stdout + &stderr)
}

fn own_home() -> (PathBuf, String) {
    let own = gateway::new_dir();
    std::fs::create_dir_all(own.join("home/.openclaw")).unwrap();
    let config = json!({"gateway": {"mode": "local"}, "agents": {"list": [{"id": "main"}, {"id": "own"}]}});
    std::fs::write(own.join("home/.openclaw/openclaw.json"), config.to_string()).unwrap();
    (own, config.to_string())
}

// N-3: the environment names the gateway as --url does, also beside a configuration of one's own.
#[test]
fn n_3_the_environment_names_a_gateway_beside_an_own_configuration() {
    let models = json!([{"id": "a", "name": "A"}, {"id": "b", "name": "B", "contextWindow": 8000}]);
    let provider = json!({"baseUrl": "http://127.0.0.1:9/v1", "models": models});
    let far = json!({"agents": {"list": [{"id": "main"}, {"id": "far"}]}, "models": {"providers": {"near": provider}}});
    let gateway = Gateway::start(&Setup::config(far));
    let (own, before) = own_home();
    let run = |args: &[&str]| named(&own, gateway.port, args);
    let url = format!("ws://127.0.0.1:{}", gateway.port);
    for (args, part) in [
        (&["sessions"][..], format!("Session store: {url}")),
        (&["agents", "list"], "- far".into()),
        (&["agents"], format!("Gateway: {url}")),
        (&["models", "list"], format!("Gateway: {url}")),
        (&["gateway", "status"], format!("Gateway: elsewhere, {url}")),
        (&["status"], "Elsewhere  Config".into()),
        (&["status"], format!("Gateway    elsewhere · {url}")),
        (&["gateway", "probe"], format!("Local loopback (not this machine's gateway) {url}")),
        (&["config", "get", "gateway.port"], "of this machine; the gateway at ws://".into()),
        (&["config", "set", "ui.assistant.name", "N"], "of this machine; the gateway at ws://".into()),
    ] {
        let (is_done, told) = run(args);
        assert!(is_done && told.contains(&part) && !told.contains("- own"), "{args:?}: {told}");
    }
    let (_, told) = run(&["doctor"]);
    assert!(told.contains("gateway.elsewhere") && !told.contains("port.in_use"), "{told}");
    assert!(!told.contains("token_mismatch") && !told.contains("models.built_in"), "{told}");
    let (_, told) = run(&["models", "list"]);
    let window = |id: &str| told.lines().find(|line| line.contains(id)).unwrap().to_string();
    assert!(window("near/a").contains('?') && window("near/b").contains("8k"), "N-6: {told}");
    std::fs::write(own.join("home/.openclaw/openclaw.json"), &before).unwrap();
    for (args, part) in [
        (&["agents", "add", "x", "--agent-dir", "/x"][..], "the gateway is elsewhere (ws://"),
        (&["agents", "add", "x", "--non-interactive"], "a path of its host"),
        (&["agents", "delete", "own", "--force"], "own"),
        (&["agents", "set-identity", "--agent", "own", "--name", "N"], "takes no --name"),
        (&["agents", "list", "--bindings"], "tells no routing rules"),
        (&["models", "set", "near/a"], "the gateway is elsewhere (ws://"),
        (&["models", "status"], "the gateway is elsewhere (ws://"),
        (&["models", "list", "--local"], "which of its models are local"),
        (&["sessions", "--agent", "own"], "no agent \"own\" at ws://"),
        (&["devices", "clear", "--yes"], "the gateway is elsewhere (ws://"),
    ] {
        let (is_done, told) = run(args);
        assert!(!is_done && told.contains(part), "{args:?}: {told}");
    }
    assert_eq!(std::fs::read_to_string(own.join("home/.openclaw/openclaw.json")).unwrap(), before);
    // Nobody listens there: it is this machine's, and that is said.
    let free = gateway::free_port();
    let note = format!("nobody listens on port {free}, which OPENCLAW_GATEWAY_PORT names");
    for args in [&["sessions"][..], &["agents", "list"], &["models", "list"], &["models", "status"]] {
        let (_, told) = named(&own, free, args);
        assert!(told.contains(&note), "{args:?}: {told}");
    }
    std::fs::remove_dir_all(own).unwrap();
}

// N-3: --url is taken by all that ask a gateway, and what the configuration of this machine says does not matter.
#[test]
fn n_3_an_address_is_taken_by_all_that_ask() {
    let gateway =
        Gateway::start(&Setup::config(json!({"agents": {"list": [{"id": "main"}, {"id": "far"}]}})));
    let (own, _) = own_home();
    let url = format!("ws://127.0.0.1:{}", gateway.port);
    for (args, part) in [
        (&["sessions"][..], format!("Session store: {url}")),
        (&["sessions", "list"], format!("Session store: {url}")),
        (&["agents", "list"], "- far".into()),
        (&["models", "list"], format!("Gateway: {url}")),
        (&["health"], "far".into()),
        (&["devices", "list"], "Paired".into()),
        (&["gateway", "status"], format!("Gateway: elsewhere, {url} (cli --url)")),
        (&["status"], "far".into()),
    ] {
        let told = done(&own, &[args, &["--url", &url, "--token", TOKEN]].concat());
        assert!(told.contains(&part) && !told.contains("- own"), "{args:?}: {told}");
    }
    std::fs::remove_dir_all(own).unwrap();
}

// Remote mode: nothing is said of the gateway that holds for this machine only.
#[test]
fn n_3_remote_mode_says_nothing_of_a_gateway_here() {
    let gateway = Gateway::plain();
    let here = afar(&gateway);
    assert!(!done(&here, &["doctor"]).contains("models.built_in"));
    let probe = done(&here, &["gateway", "probe"]);
    assert!(probe.contains("Remote configured ws://") && !probe.contains("Fix: "), "{probe}");
    let status = done(&here, &["gateway", "status"]);
    assert!(status.contains("Gateway: elsewhere, ws://") && !status.contains("bind="), "{status}");
    assert!(!status.contains("gateway install") && status.contains("RPC probe: ok"), "{status}");
    let status: Value = serde_json::from_str(&done(&here, &["gateway", "status", "--json"])).unwrap();
    let told = &status["gateway"];
    assert_eq!((&told["bindMode"], &told["bindHost"]), (&json!("unknown"), &Value::Null), "{told}");
    assert_eq!((&told["port"], &told["dashboard"]), (&json!(gateway.port), &Value::Null), "{told}");
    let output = run(&here, &["sessions", "--agent", "zzz"]);
    let (_, told) = crate::cli::text(&output);
    let part = "no agent \"zzz\" at ws://";
    assert!(output.status.code() == Some(1) && told.contains(part) && told.contains("main"), "{told}");
    std::fs::remove_dir_all(here).unwrap();
}

// N-3: what asks or repairs says first what is of this machine and what is the other's.
#[test]
fn n_3_configure_and_doctor_fix_say_which_machine_they_touch() {
    let gateway = Gateway::plain();
    let here = afar(&gateway);
    let url = format!("ws://127.0.0.1:{}", gateway.port);
    let told = crate::cli::text(&run(&here, &["doctor", "--fix"])).1;
    assert!(
        told.contains("repairs configuration and files of this machine") && told.contains(&url),
        "{told}"
    );
    assert!(!crate::cli::text(&run(&here, &["doctor"])).1.contains("of this machine"), "nothing is repaired");
    assert!(
        !crate::cli::text(&gateway.cli(&["doctor", "--fix"])).1.contains("of this machine"),
        "it is here"
    );
    let mut command = gateway::command(&here);
    command.args(["configure", "--section", "health"]);
    let (status, seen) = terminal::Terminal::start(command, 200).end();
    assert!(seen.contains("commands of this machine go by") && seen.contains(&url), "{status:?} {seen}");
    std::fs::remove_dir_all(here).unwrap();
}

// Issue 9: where there is no configuration the port alone names the gateway, as it did when it handed out the token.
#[test]
fn n_3_a_gateway_that_the_port_names_is_let_in_by_its_stored_token() {
    let gateway = Gateway::plain();
    let own = gateway::new_dir();
    let health = |secret: &str, port: u16| {
        let mut command = gateway::command(&own);
        command.env("OPENCLAW_GATEWAY_PORT", port.to_string()).env("OPENCLAW_GATEWAY_TOKEN", secret);
        let output = command.args(["gateway", "call", "health", "--json"]).output().unwrap();
        (output.status.success(), crate::cli::text(&output).0)
    };
    for secret in [TOKEN, "", ""] {
        let (is_done, told) = health(secret, gateway.port);
        assert!(is_done && told.contains("\"ok\": true"), "{secret}: {told}");
    }
    // It is for that gateway and for no other.
    let other = Gateway::plain();
    assert!(!health("", other.port).0);
    std::fs::remove_dir_all(own).unwrap();
}
