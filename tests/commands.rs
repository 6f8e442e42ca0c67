//! Commands around the gateway: `devices`, `models`, `setup`, `completion`, profiles.
use crate::cli::{fails, json_of, out, text};
use crate::harness::model::texts;
use crate::harness::*;

#[test]
fn r_05b_devices_work_with_the_gateway_down() {
    let mut gateway = Gateway::plain();
    out(&gateway, &["health"]);
    let device = Device::new();
    let refusal = crate::devices::remote_request(&gateway, &device, &["operator.read"]);
    let request = refusal["details"]["requestId"].as_str().unwrap();
    let list = json_of(&gateway, &["devices", "list", "--json"]);
    assert_eq!(list["pending"][0]["requestId"], request);
    gateway.stop();
    let list = json_of(&gateway, &["devices", "list", "--json"]);
    assert_eq!(list["pending"][0]["requestId"], request, "the same with the gateway down");
    assert!(!list["paired"].as_array().unwrap().is_empty(), "the command line's own device");
    assert!(out(&gateway, &["devices", "approve", request]).contains(&device.id()));
    let (_, stderr) = fails(&gateway, &["devices", "approve", request]);
    assert!(stderr.contains("unknown requestId"), "{stderr}");
    out(&gateway, &["devices", "rotate", "--device", &device.id(), "--role", "operator"]);
    out(&gateway, &["devices", "revoke", "--device", &device.id(), "--role", "operator"]);
    gateway.restart();
    let paired = json_of(&gateway, &["devices", "list", "--json"])["paired"].to_string();
    assert!(paired.contains(&device.id()), "the gateway sees it: {paired}");
}

#[test]
fn r_05c_rotating_one_s_own_token_keeps_one_connected() {
    let gateway = Gateway::plain();
    out(&gateway, &["health"]);
    let own = gateway.state_dir().join("identity/device-auth.json");
    let read = || -> Value { serde_json::from_slice(&std::fs::read(&own).unwrap()).unwrap() };
    let before = read();
    let id = before["deviceId"].as_str().unwrap().to_string();
    out(&gateway, &["devices", "rotate", "--device", &id, "--role", "operator"]);
    assert_ne!(
        read()["tokens"]["operator"]["token"],
        before["tokens"]["operator"]["token"],
        "the new token is stored"
    );
    out(&gateway, &["health"]);
}

#[test]
fn models_are_found_listed_and_chosen() {
    let server = ModelServer::start(vec![texts(&["chosen model speaks"])]);
    let mut config = server.config();
    config.as_object_mut().unwrap().remove("agents");
    let mut gateway = Gateway::start(&Setup::config(config));
    assert!(out(&gateway, &["models", "list"]).contains("test/m"));
    assert!(json_of(&gateway, &["models", "list", "--json"]).to_string().contains("test/m"));
    // Whether one is found depends on the machine; what matters is that it ends and says something.
    let scan = text(&gateway.cli(&["models", "scan"]));
    assert!(!(scan.0 + &scan.1).trim().is_empty());
    out(&gateway, &["models", "set", "test/m"]);
    let text = std::fs::read_to_string(gateway.config_path()).unwrap();
    assert!(text.contains("test/m") && text.contains(TOKEN), "{text}");
    let (_, stderr) = fails(&gateway, &["models", "set", "nobody/nothing"]);
    assert!(stderr.contains("nobody"), "{stderr}");
    gateway.stop();
    gateway.restart();
    assert_eq!(out(&gateway, &["agent", "-m", "hi"]), "chosen model speaks\n");
}

#[test]
fn setup_makes_a_gateway_that_starts() {
    let dir = gateway::new_dir();
    let run = |args: &[&str]| gateway::command(&dir).args(args).output().unwrap();
    let output = run(&["setup"]);
    assert!(output.status.success(), "{:?}", text(&output));
    assert!(text(&output).0.contains("Workspace OK"), "{:?}", text(&output));
    let path = dir.join("home/.openclaw/openclaw.json");
    let config = std::fs::read_to_string(&path).unwrap();
    assert!(run(&["setup"]).status.success());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), config, "a second run changes nothing");
    assert!(dir.join("home/.openclaw/workspace").is_dir());

    let port = gateway::free_port().to_string();
    let mut child = gateway::command(&dir)
        .args(["gateway", "--port", &port, "--allow-unconfigured"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the gateway", || {
        assert!(child.try_wait().unwrap().is_none(), "the gateway ended");
        std::net::TcpStream::connect(format!("127.0.0.1:{port}")).ok()
    });
    let asked = gateway::command(&dir)
        .args(["agent", "-m", "hi"])
        .env("OPENCLAW_GATEWAY_PORT", &port)
        .output()
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(asked.status.success(), "{:?}", text(&asked));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn completion_covers_the_commands() {
    let gateway = Gateway::plain();
    for shell in ["bash", "zsh", "fish"] {
        let script = out(&gateway, &["completion", shell]);
        assert!(script.contains("gateway") && script.contains("devices"), "{shell}");
    }
    let bash = out(&gateway, &["completion", "bash"]);
    let path = gateway.dir.join("c.bash");
    std::fs::write(&path, bash).unwrap();
    let checked = std::process::Command::new("bash").arg("-n").arg(&path).output().unwrap();
    assert!(checked.status.success(), "{:?}", text(&checked));
    let (code, _) = fails(&gateway, &["completion", "tcsh"]);
    assert_eq!(code, 1);
}

#[test]
fn profiles_keep_apart() {
    let dir = gateway::new_dir();
    for (args, state, workspace) in [
        (&["--dev", "setup"][..], "home/.openclaw-dev", "home/.openclaw/workspace-dev"),
        (&["--profile", "work", "setup"], "home/.openclaw-work", "home/.openclaw/workspace-work"),
    ] {
        let output = gateway::command(&dir).args(args).output().unwrap();
        assert!(output.status.success(), "{:?}", text(&output));
        assert!(dir.join(state).join("openclaw.json").exists(), "{state}");
        assert!(dir.join(workspace).is_dir(), "{workspace}");
    }
    assert!(!dir.join("home/.openclaw/openclaw.json").exists());
    std::fs::remove_dir_all(dir).unwrap();
}
