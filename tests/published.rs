//! How a gateway lets itself be found: publication by Tailscale (with a stand-in for its program, which writes down what it is asked)
//! and the announcement on the local network (real multicast DNS over this machine's networks).
use crate::harness::*;
use rustix::process::Signal;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A `tailscale` that does `script` and writes down each call; gives the PATH to find it by, and where it writes.
fn tailscale(script: &str) -> (String, PathBuf) {
    let dir = gateway::new_dir();
    let bin = dir.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let calls = dir.join("calls");
    let said = r#"{"Self":{"DNSName":"box.tail1.ts.net.","TailscaleIPs":["100.64.0.2"]}}"#;
    let text = format!(
        "#!/bin/sh\necho \"$*\" >> {}\ncase \"$1\" in status) echo '{said}';; *) {script};; esac\n",
        calls.display()
    );
    std::fs::write(bin.join("tailscale"), text).unwrap();
    std::fs::set_permissions(bin.join("tailscale"), std::fs::Permissions::from_mode(0o755)).unwrap();
    (format!("{}:/usr/bin:/bin", bin.display()), calls)
}

fn calls(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_string).collect()
}

fn has_log(gateway: &Gateway, text: &str) {
    wait_for(text, || gateway.log().contains(text).then_some(()));
}

#[test]
fn i15_5_tailscale_publishes_the_port_and_takes_it_back_if_asked() {
    for (mode, auth, is_reset) in [("serve", "token", false), ("funnel", "password", true)] {
        let (path, file) = tailscale("exit 0");
        let config = json!({"gateway": {
            "auth": {"mode": auth, "password": "a-password-that-is-long"},
            "tailscale": {"mode": mode, "resetOnExit": is_reset},
        }});
        let mut gateway = Gateway::start(&Setup::config(config).env("PATH", &path));
        has_log(
            &gateway,
            &format!("{mode} enabled: https://box.tail1.ts.net/ (WS via wss://box.tail1.ts.net)"),
        );
        let mut want =
            vec![format!("{mode} --bg --yes {}", gateway.port), "status --json --peers=false".into()];
        assert_eq!(calls(&file), want);
        gateway.signal(Signal::TERM);
        assert_eq!(gateway.wait(DEADLINE).code(), Some(0));
        want.extend(is_reset.then(|| format!("{mode} reset")));
        assert_eq!(calls(&file), want);
    }
}

#[test]
fn i15_5_the_command_line_publishes_too() {
    let (path, file) = tailscale("exit 0");
    let setup = Setup::default().arg("--tailscale").arg("serve").arg("--tailscale-reset-on-exit");
    let mut gateway = Gateway::start(&setup.env("PATH", &path));
    has_log(&gateway, "serve enabled");
    gateway.signal(Signal::TERM);
    gateway.wait(DEADLINE);
    assert_eq!(calls(&file).last().map(String::as_str), Some("serve reset"));
    // Said to be off, whatever the configuration says.
    let (path, file) = tailscale("exit 0");
    let config = json!({"gateway": {"tailscale": {"mode": "serve"}}});
    let off = Gateway::start(&Setup::config(config).env("PATH", &path).arg("--tailscale").arg("off"));
    assert!(off.cli(&["health"]).status.success());
    assert_eq!(calls(&file), Vec::<String>::new());
}

/// Nothing that is not on loopback, and nothing for all the internet without a password: no start, and 78.
#[test]
fn i15_5_what_must_not_be_published_is_refused() {
    let cases = [
        (json!({"bind": "lan", "tailscale": {"mode": "serve"}}), "set gateway.bind=loopback"),
        (json!({"tailscale": {"mode": "funnel"}}), "set gateway.auth.mode=password"),
    ];
    for (gateway, fix) in cases {
        let (path, file) = tailscale("exit 0");
        let config = json!({"gateway": gateway});
        let mut refused = Gateway::spawn(&Setup::config(config).env("PATH", &path), gateway::free_port());
        assert_eq!(refused.wait(DEADLINE).code(), Some(78));
        assert!(
            refused.stderr().contains("tailscale") && refused.stderr().contains(fix),
            "{}",
            refused.stderr()
        );
        assert_eq!(calls(&file), Vec::<String>::new());
    }
}

/// The gateway serves whatever Tailscale does, and tries again.
#[test]
fn i15_5_a_tailscale_that_fails_is_told_with_the_fix_and_tried_again() {
    let (path, file) = tailscale("echo 'Access denied: serve config denied' >&2; exit 1");
    let config = json!({"gateway": {"tailscale": {"mode": "serve"}}});
    let gateway = Gateway::start(&Setup::config(config.clone()).env("PATH", &path));
    has_log(&gateway, "`sudo tailscale set --operator=$USER` lets this user do it");
    assert!(gateway.cli(&["health"]).status.success());
    wait_for("another try", || (calls(&file).len() > 1).then_some(()));
    let none = Gateway::start(&Setup::config(config).env("PATH", "/nonexistent/bin"));
    has_log(&none, "there is no program `tailscale`: install Tailscale, or set gateway.tailscale.mode=off");
}

fn discover(gateway: &Gateway) -> Vec<Value> {
    let output = gateway.cli(&["gateway", "discover", "--timeout", "1200", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    said["beacons"].as_array().unwrap().clone()
}

/// SEC-38: silent unless asked; then name and port, no path, no fingerprint.
#[test]
fn sec_38_a_gateway_is_found_only_where_its_owner_wants_that() {
    let is_it = |port: u16| move |beacon: &&Value| beacon["port"] == port;
    let silent = Gateway::plain();
    let config = |mode: &str| json!({"discovery": {"mdns": {"mode": mode}}});
    let mut first = Gateway::start(&Setup::config(config("minimal")));
    has_log(&first, "announced on the local network as ");
    let second = Gateway::start(&Setup::config(config("full")).env("OPENCLAW_SSH_PORT", "2222"));
    has_log(&second, "announced on the local network as ");
    let found = discover(&silent);
    assert!(!found.iter().any(|beacon| beacon["port"] == silent.port), "{found:?}");
    let one = found.iter().find(is_it(first.port)).unwrap_or_else(|| panic!("{found:?}"));
    let two = found.iter().find(is_it(second.port)).unwrap_or_else(|| panic!("{found:?}"));
    // Two on one machine do not take each other's name.
    assert_ne!(one["instanceName"], two["instanceName"]);
    let mut keys: Vec<&String> = one["txt"].as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["displayName", "gatewayPort", "lanHost", "role", "transport"]);
    assert_eq!((&one["gatewayTls"], &two["sshPort"]), (&json!(false), &json!(2222)));
    assert_eq!(one["wsUrl"], format!("ws://{}:{}", one["address"].as_str().unwrap(), first.port));
    // One that ends is no longer found.
    first.signal(Signal::TERM);
    first.wait(DEADLINE);
    assert!(!discover(&silent).iter().any(|beacon| beacon["port"] == first.port));
    let quiet = Setup::config(config("full")).env("OPENCLAW_DISABLE_BONJOUR", "1");
    let quiet = Gateway::start(&quiet);
    assert!(!discover(&silent).iter().any(|beacon| beacon["port"] == quiet.port));
}
