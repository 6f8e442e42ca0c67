//! A user who is not root: what a start would refuse him, `config validate` tells before. The tests need root, to become
//! somebody else; without it they say so and pass.
use crate::cli::text;
use crate::harness::*;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;

const NOBODY: u32 = 65534;

// N-10
#[test]
fn n_10_what_this_user_cannot_make_or_have_is_told_before_the_start() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: nothing is tested here");
        return;
    }
    let dir = gateway::new_dir();
    let state = dir.join("home/.openclaw");
    std::fs::create_dir_all(&state).unwrap();
    let roots = dir.join("roots");
    std::fs::create_dir(&roots).unwrap();
    std::fs::set_permissions(&roots, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    let is_kept = first.trim().parse::<u16>().is_ok_and(|first| first > 22);
    let roots = roots.display().to_string();
    for (gateway, want) in [
        (
            json!({"tls": {"enabled": true, "certPath": format!("{roots}/x.pem"), "keyPath": format!("{roots}/x.key")}}),
            "x.key is not there and cannot be made: Permission denied",
        ),
        (
            json!({"tls": {"enabled": true, "keyPath": format!("{roots}/deep/x.key")}}),
            "x.key is not there and cannot be made",
        ),
        (
            json!({"tls": {"enabled": true, "certPath": format!("{roots}/x.pem")}}),
            "x.pem is not there and cannot be made",
        ),
        (json!({"tls": {"enabled": true}}), ""),
        (json!({"port": 22}), if is_kept { "port 22 is kept for root" } else { "" }),
    ] {
        let mut config = json!({"gateway": {"mode": "local", "auth": {"token": TOKEN}}});
        merge(&mut config["gateway"], &gateway);
        std::fs::write(state.join("openclaw.json"), config.to_string()).unwrap();
        for path in [&dir, &dir.join("home"), &state, &state.join("openclaw.json")] {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut command = gateway::command(&dir);
        let output = command.args(["config", "validate"]).uid(NOBODY).gid(NOBODY).output().unwrap();
        let (_, said) = text(&output);
        assert_eq!(output.status.success(), want.is_empty(), "{gateway}: {said}");
        assert!(said.contains(want), "{gateway}: {said}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}

// Issue 9: a port that this user cannot have is told when it is set, whether or not a mode is, and refused by a gateway that
// runs as this user.
#[test]
fn s_9_a_port_that_this_user_cannot_have_is_told_when_it_is_set() {
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    if !rustix::process::geteuid().is_root() || first.trim().parse::<u16>().is_ok_and(|first| first <= 22) {
        eprintln!("not root, or any port is everybody's: nothing is tested here");
        return;
    }
    let dir = gateway::new_dir();
    let state = dir.join("home/.openclaw");
    std::fs::create_dir_all(&state).unwrap();
    for before in [json!({}), json!({"mode": "local", "auth": {"token": TOKEN}})] {
        std::fs::write(state.join("openclaw.json"), json!({"gateway": before}).to_string()).unwrap();
        for path in [&dir, &dir.join("home"), &state, &state.join("openclaw.json")] {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut command = gateway::command(&dir);
        let output =
            command.args(["config", "set", "gateway.port", "22"]).uid(NOBODY).gid(NOBODY).output().unwrap();
        let (shown, said) = text(&output);
        assert!(output.status.success() && shown.starts_with("Updated gateway.port"), "{shown}{said}");
        let want = "note: a gateway would not start with this: port 22 is kept for root on this machine: choose one from 1024 on";
        assert!(said.contains(want), "{before}: {said}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}
