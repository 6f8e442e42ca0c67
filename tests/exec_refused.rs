//! What commands do not run by: a configuration that was refused, rules that nobody can read, a directory that was put in
//! the place of the one that the owner was shown. Issue 13, part 4, in the real binary.
use super::agent::turn;
use super::exec::{self, exec, workspace};
use super::harness::model::{last_user_text, texts};
use super::harness::*;

fn call(arguments: Value) -> Reply {
    let arguments = arguments.to_string();
    Reply::Stream(vec![Step::Call { id: "c1".into(), name: "exec".into(), arguments }, Step::Done])
}

/// A turn reads the file anew, and before the watcher does: what that refuses it does not go by either.
#[test]
fn i13_4_a_refused_configuration_is_in_force_for_no_command() {
    let replies = (0..7).flat_map(|_| [call(json!({"command": "echo x > made"})), texts(&["done"])]);
    let server = ModelServer::start(replies.collect());
    let mut config = server.config();
    merge(&mut config, &json!({"tools": {"exec": {"security": "allowlist", "ask": "off"}}}));
    let gateway = Gateway::start(&Setup::config(config));
    let mut config: Value =
        serde_json::from_str(&std::fs::read_to_string(gateway.config_path()).unwrap()).unwrap();
    let made = || workspace(&gateway).join("made").exists();
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "go", "k0").unwrap();
    assert!(!made());
    merge(&mut config, &json!({"tools": {"exec": {"security": "full"}}}));
    let wrong = [
        json!({"agents": {"defaults": {"sandbox": {"mode": "all"}}}}),
        json!({"tools": {"exec": {"sandbox": {"write": ["/.."]}}}, "gateway": {"tools": {"allow": ["exec"]}}}),
    ];
    for (n, wrong) in wrong.iter().enumerate() {
        let mut refused = config.clone();
        merge(&mut refused, wrong);
        std::fs::write(gateway.config_path(), refused.to_string()).unwrap();
        turn(&mut client, "go", &format!("first{n}")).unwrap();
        assert!(!made(), "before the watcher has looked: {wrong}");
        wait_for("the watcher", || {
            (gateway.log().matches("config reload skipped").count() > n).then_some(())
        });
        turn(&mut client, "go", &format!("then{n}")).unwrap();
        assert!(!made(), "{wrong}");
        let told = gateway.cli(&["config", "validate"]);
        assert!(!told.status.success(), "{told:?}");
    }
    std::fs::write(gateway.config_path(), config.to_string()).unwrap();
    turn(&mut client, "go", "good").unwrap();
    assert!(made(), "what is mended is in force at once");
}

/// Denials that a full disk cut to nothing, or that were written otherwise than they are read, allow nothing.
#[test]
fn i13_4_rules_that_cannot_be_read_forbid_and_are_told() {
    let gateway = exec::start("{}");
    assert_eq!(exec(&gateway, "echo ran"), (false, "ran".to_string()));
    let file = gateway.state_dir().join("exec-approvals.json");
    for text in [
        "",
        "\n",
        r#"{"version": 1, "defaults": []}"#,
        r#"{"version": 1, "agents": {"main": null}}"#,
        r#"{"version": 1, "defaults": {"Security": "deny"}}"#,
    ] {
        std::fs::write(&file, text).unwrap();
        let (is_error, said) = exec(&gateway, "echo ran");
        assert!(is_error && said.contains("exec-approvals.json cannot be read"), "{text}: {said}");
        let told = gateway.cli(&["doctor", "--only", "exec.approvals"]);
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(told.contains("cannot be read"), "{text}: {told}");
    }
    std::fs::write(&file, r#"{"version": 1, "defaults": {}, "agents": {}}"#).unwrap();
    assert_eq!(exec(&gateway, "echo ran"), (false, "ran".to_string()));
}

/// Allowed once means in the directory that was shown, and not in what has been put in its place since.
#[test]
fn i13_4_an_allowed_command_runs_in_the_directory_that_was_shown() {
    let asks = || call(json!({"command": "pwd -P > out; echo ran", "workdir": "sub"}));
    let replies = vec![asks(), texts(&["asked"]), texts(&["so"]), asks(), texts(&["asked"]), texts(&["ran"])];
    let server = ModelServer::start(replies);
    let gateway = Gateway::start(&Setup::config(server.config()));
    let ws = workspace(&gateway);
    ["sub", "other"].iter().for_each(|dir| std::fs::create_dir_all(ws.join(dir)).unwrap());
    let mut client = Client::operator(&gateway, 4);
    let mut allow = |key: &str, between: &dyn Fn()| {
        turn(&mut client, "go", key).unwrap();
        let id = client.ok("exec.approval.list", json!({}))[0]["id"].clone();
        between();
        client.ok("exec.approval.resolve", json!({"id": id, "decision": "allow-once"}));
    };
    allow("k1", &|| {
        std::fs::remove_dir(ws.join("sub")).unwrap();
        std::os::unix::fs::symlink(ws.join("other"), ws.join("sub")).unwrap();
    });
    wait_for("the refusal", || gateway.log().contains("could not be started").then_some(()));
    assert!(!ws.join("other/out").exists());
    turn(&mut Client::operator(&gateway, 4), "and?", "k2").unwrap();
    let told = last_user_text(&server.requests(3)[2]["body"].clone());
    assert!(told.contains("Exec denied") && told.contains("another directory is in the place"), "{told}");
    std::fs::remove_file(ws.join("sub")).unwrap();
    std::fs::create_dir(ws.join("sub")).unwrap();
    allow("k3", &|| {});
    let out = wait_for("its words", || {
        std::fs::read_to_string(ws.join("sub/out")).ok().filter(|it| !it.is_empty())
    });
    assert_eq!(out.trim(), ws.join("sub").canonicalize().unwrap().to_str().unwrap());
}
