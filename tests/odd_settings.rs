//! Settings and words that say less, or something else, than they seem to: what waits for a restart, what is no address,
//! an id that is empty.
use crate::cli::{fails, out, text};
use crate::harness::model::texts;
use crate::harness::*;

/// `gateway.reload.mode: off` in the same edit as another model: nothing of it is in force before a restart, also when
/// an agent is made, which would bring all of it.
#[test]
fn what_waits_for_a_restart_waits() {
    let server = ModelServer::start(vec![texts(&["one"]), texts(&["two"])]);
    let gateway = Gateway::start(&Setup::config(server.config()));
    let mut client = Client::operator(&gateway, 4);
    let path = gateway.config_path();
    let before = std::fs::read_to_string(&path).unwrap();
    let mut config: Value = serde_json::from_str(&before).unwrap();
    merge(
        &mut config,
        &json!({"gateway": {"reload": {"mode": "off"}}, "agents": {"defaults": {"model": {"primary": "test/other"}}}}),
    );
    std::fs::write(&path, config.to_string()).unwrap();
    let id = client.ask("agent", json!({"agentId": "main", "message": "hello", "idempotencyKey": "k"}));
    client.answer(&id).unwrap();
    client.answer(&id).unwrap();
    assert_eq!(server.requests(1)[0]["body"]["model"], "m");
    let made = json!({"name": "Ops", "workspace": gateway.state_dir().join("workspace-ops")});
    let refused = client.fails("agents.create", made);
    assert!(refused["message"].as_str().unwrap().contains("restart the gateway first"), "{refused}");
    // Without other changes an agent is made and in force, whatever the mode.
    let mut config: Value = serde_json::from_str(&before).unwrap();
    merge(&mut config, &json!({"gateway": {"reload": {"mode": "off"}}}));
    let gateway = Gateway::start(&Setup::config(config));
    let mut client = Client::operator(&gateway, 4);
    let made = json!({"name": "Ops", "workspace": gateway.state_dir().join("workspace-ops")});
    client.ok("agents.create", made);
    assert!(client.ok("agents.list", json!({})).to_string().contains("\"ops\""));
    client.ok("agents.delete", json!({"agentId": "ops"}));
}

/// A mistake that is taken back is told as what is in force, at once.
#[test]
fn what_was_taken_back_is_not_waited_for() {
    let gateway = Gateway::plain();
    out(&gateway, &["config", "set", "gateway.mode", "remote"]);
    wait_for("the refusal", || gateway.log().contains("config reload skipped").then_some(()));
    let since = Instant::now();
    let (_, told) = text(&gateway.cli(&["config", "set", "gateway.mode", "local"]));
    assert!(!told.contains("has not applied") && !told.contains("no effect"), "{told}");
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
}

#[test]
fn an_empty_id_is_none() {
    let gateway = Gateway::plain();
    for verb in ["approve", "reject"] {
        let (code, told) = fails(&gateway, &["devices", verb, ""]);
        assert!(code == 1 && told.contains("the id of the request is empty"), "{code} {told}");
    }
    let (code, told) = fails(&gateway, &["sessions", "--agent", ""]);
    assert!(code == 1 && told.contains("--agent is empty"), "{code} {told}");
    let (code, told) = fails(&gateway, &["completion"]);
    assert!(code == 1 && told.contains("name the shell"), "{code} {told}");
}

#[test]
fn setup_beside_a_running_gateway_starts_no_other() {
    let gateway = Gateway::plain();
    let told = out(&gateway, &["setup"]);
    assert!(
        told.contains("Next: ") && told.contains("health") && !told.contains("openclaw gateway"),
        "{told}"
    );
}

#[test]
fn a_remote_mode_that_leads_nowhere_is_not_valid() {
    let dir = gateway::new_dir();
    std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
    let validate = |remote: Value| {
        let config = json!({"gateway": {"mode": "remote", "remote": remote}}).to_string();
        std::fs::write(dir.join("home/.openclaw/openclaw.json"), config).unwrap();
        let output = gateway::command(&dir).args(["config", "validate"]).output().unwrap();
        (output.status.code() == Some(0), text(&output).1)
    };
    for remote in [
        json!({}),
        json!({"url": null}),
        json!({"url": " "}),
        json!({"url": "http://127.0.0.1:1"}),
        json!({"url": "ws://gw.example.com"}),
        json!({"url": "wss://user:PWSECRET@gw.example.com"}),
    ] {
        let (valid, told) = validate(remote.clone());
        assert!(
            !valid && told.contains("leads to no gateway") && !told.contains("PWSECRET"),
            "{remote}: {told}"
        );
    }
    assert!(validate(json!({"url": "wss://gw.example.com"})).0);
    std::fs::remove_dir_all(&dir).unwrap();
}
