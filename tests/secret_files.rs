//! `gateway.auth.tokenFile` and `.passwordFile`: the shared secret in a file of its own.
use super::cli::{fails, text};
use super::harness::gateway::{command, new_dir};
use super::harness::*;
use std::os::unix::fs::PermissionsExt;

const FIRST: &str = "first-secret-5f2c9be1a7";
const SECOND: &str = "second-secret-0d04e63b8";

/// A gateway whose `name` stands in a file of its state directory.
fn start(name: &str) -> Gateway {
    let auth = json!({format!("{name}File"): "~/.openclaw/secret"});
    let config = json!({"gateway": {"mode": "local", "auth": auth}, "canvasHost": {"enabled": false}});
    let gateway = Gateway::start(&Setup::text(&config.to_string()).file("secret", format!("{FIRST}\n")));
    std::fs::set_permissions(gateway.state_dir().join("secret"), PermissionsExt::from_mode(0o600)).unwrap();
    gateway
}

fn lets_in(gateway: &Gateway, name: &str, secret: &str) -> bool {
    let mut asked = params(4);
    asked["auth"] = json!({name: secret});
    Client::open(gateway).connect(asked).is_ok()
}

/// A command that knows the port and finds the secret.
fn asks(gateway: &Gateway) {
    let port = gateway.port.to_string();
    let output = gateway.cli_env(&["health"], &[("OPENCLAW_GATEWAY_PORT", &port)]);
    assert!(output.status.success(), "{:?}", text(&output));
}

#[test]
fn i14_12_a_secret_in_a_file_opens_the_gateway_and_a_new_one_holds_at_once() {
    for name in ["token", "password"] {
        let gateway = start(name);
        assert!(lets_in(&gateway, name, FIRST) && !lets_in(&gateway, name, SECOND), "{name}");
        // Commands of this host read the file too.
        asks(&gateway);
        let mut client = Client::open(&gateway);
        let mut asked = params(4);
        asked["auth"] = json!({name: FIRST});
        client.connect(asked).unwrap();
        let file = gateway.state_dir().join("secret");
        std::fs::write(gateway.state_dir().join("new"), SECOND).unwrap();
        std::fs::rename(gateway.state_dir().join("new"), &file).unwrap();
        client.until_closed();
        assert!(lets_in(&gateway, name, SECOND), "{name}");
        assert!(!lets_in(&gateway, name, FIRST), "{name}: the old one opens nothing");
        asks(&gateway);
        // One that goes away leaves what is in force, and is told.
        std::fs::remove_file(&file).unwrap();
        wait_for("the warning", || {
            gateway.stdout().contains(&format!("gateway.auth.{name}File names")).then_some(())
        });
        assert!(lets_in(&gateway, name, SECOND), "{name}");
        let told = gateway.stdout();
        assert!(!told.contains(FIRST) && !told.contains(SECOND), "{told}");
    }
}

#[test]
fn i14_12_a_file_without_a_secret_refuses_the_start_with_its_name() {
    let dir = new_dir();
    let state = dir.join("home/.openclaw");
    std::fs::create_dir_all(&state).unwrap();
    let config =
        "{gateway: {mode: 'local', auth: {token: 'another-secret-of-config', tokenFile: '~/.openclaw/t'}}}";
    std::fs::write(state.join("openclaw.json"), config).unwrap();
    let told = |args: &[&str]| {
        let output = command(&dir).args(args).output().unwrap();
        (output.status.code(), format!("{}{}", text(&output).0, text(&output).1))
    };
    let file = state.join("t");
    for (content, why) in
        [(None, "cannot be read"), (Some(" \n"), "is empty"), (Some("a\nb"), "more than one line")]
    {
        content.into_iter().for_each(|content| std::fs::write(&file, content).unwrap());
        let (status, words) = told(&["gateway", "--port", "1"]);
        assert_eq!(status, Some(78), "{words}");
        assert!(
            words.contains("gateway.auth.tokenFile names ~/.openclaw/t, which") && words.contains(why),
            "{words}"
        );
        let (status, words) = told(&["config", "validate"]);
        assert!(status == Some(1) && words.contains(why), "{words}");
        let (_, words) = told(&["doctor", "--only", "gateway"]);
        assert!(words.contains("gateway.secret_file") && words.contains(why), "{words}");
    }
    std::fs::write(&file, format!("{FIRST}\n")).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    let (_, words) = told(&["security", "audit"]);
    assert!(words.contains("gateway.secret_file_open") && words.contains("chmod 600"), "{words}");
    let (_, words) = told(&["doctor", "--fix", "--only", "gateway"]);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{words}");
    assert!(!words.contains(FIRST), "{words}");
    std::fs::remove_dir_all(dir).unwrap();
}

/// SEC-13, SecretRefs: where the host keeps its secret is said on the host only.
#[test]
fn i14_12_a_secret_file_is_named_on_the_host_only() {
    let gateway = start("token");
    let mut asked = params(4);
    asked["auth"] = json!({"token": FIRST});
    let mut client = Client::open(&gateway);
    client.connect(asked).unwrap();
    let hash = client.ok("config.get", json!({}))["hash"].clone();
    let raw = json!({"gateway": {"auth": {"tokenFile": "/etc/hostname"}}}).to_string();
    let refused = client.fails("config.patch", json!({"raw": raw, "baseHash": hash}));
    assert!(refused["message"].as_str().unwrap().contains("gateway.auth.tokenFile"), "{refused}");
    let (_, told) = fails(&gateway, &["config", "unset", "gateway.auth.tokenFile"]);
    assert!(told.contains("--force"), "{told}");
}

// S-9: a byte order mark that an editor has put in front is no part of the secret.
#[test]
fn i14_12_a_mark_in_front_of_a_secret_is_no_part_of_it() {
    let auth = json!({"tokenFile": "~/.openclaw/secret"});
    let config = json!({"gateway": {"mode": "local", "auth": auth}, "canvasHost": {"enabled": false}});
    let setup = Setup::text(&config.to_string()).file("secret", format!("\u{feff}{FIRST}\r\n"));
    assert!(lets_in(&Gateway::start(&setup), "token", FIRST));
}
