//! The options of a start: `--force`, `--password-file`, `--dev`, `--reset`, those without effect, and starts that
//! are refused for good.
use crate::cli::text;
use crate::harness::*;
use rustix::process::Signal;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// An `lsof` that names these processes and writes down what it was given; gives the PATH to find it by.
fn fake_lsof(dir: &Path, pids: &[u32]) -> String {
    let bin = dir.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let uid = rustix::process::getuid().as_raw();
    let named: String =
        pids.iter().map(|pid| format!("echo p{pid}\necho copenclaw\necho u{uid}\necho f7\n")).collect();
    // Only what the shell can do by itself: it gets no PATH.
    let script =
        format!("#!/bin/sh\necho \"args: $*\" > {0}\nset >> {0}\n{named}", dir.join("lsof.saw").display());
    std::fs::write(bin.join("lsof"), script).unwrap();
    std::fs::set_permissions(bin.join("lsof"), std::fs::Permissions::from_mode(0o755)).unwrap();
    bin.display().to_string()
}

fn has_log(gateway: &Gateway, text: &str) {
    wait_for(text, || gateway.log().contains(text).then_some(()));
}

/// SEC-35, R-26b: the listener goes, what only looks like it stays, and lsof learns nothing.
#[test]
fn sec_35_force_ends_the_listener_and_no_decoy() {
    let mut old = Gateway::start(&Setup::default().arg("--token").arg("canary-of-the-old-gateway"));
    let other = Gateway::plain();
    let mut decoy = Command::new("sleep")
        .arg0(format!("openclaw gateway --port {}", old.port))
        .arg("60")
        .spawn()
        .unwrap();
    let dir = gateway::new_dir();
    let path = fake_lsof(&dir, &[old.pid(), decoy.id(), other.pid()]);
    let setup = Setup::default()
        .arg("--force")
        .env("PATH", &path)
        .env("OPENCLAW_GATEWAY_TOKEN", TOKEN)
        .env("OPENCLAW_GATEWAY_PORT", "1");
    let new = Gateway::spawn(&setup, old.port);
    assert_eq!(old.wait(DEADLINE).code(), Some(0), "it was asked to stop, not killed");
    has_log(&new, "listening on");
    has_log(&new, &format!("force: ended pid {} ", old.pid()));
    has_log(&new, &format!("force: left pid {} alone", decoy.id()));
    let log = new.log();
    assert!(log.contains(&format!("on port {} with SIGTERM", old.port)), "{log}");
    assert!(log.contains(&format!("gateway --port {}", old.port)) && !log.contains("canary-of"), "{log}");
    assert!(decoy.try_wait().unwrap().is_none(), "the decoy lives");
    assert!(other.cli(&["health"]).status.success(), "a gateway on another port lives");
    let saw = std::fs::read_to_string(dir.join("lsof.saw")).unwrap();
    assert!(saw.contains(&format!("-iTCP:{} -sTCP:LISTEN", old.port)), "{saw}");
    assert!(!saw.contains("OPENCLAW_") && !saw.contains(TOKEN), "{saw}");
    decoy.kill().unwrap();
    decoy.wait().unwrap();
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn force_ends_for_good_what_does_not_stop() {
    let mut old = Gateway::plain();
    let dir = gateway::new_dir();
    let path = fake_lsof(&dir, &[old.pid()]);
    old.signal(Signal::STOP);
    let new = Gateway::spawn(&Setup::default().arg("--force").env("PATH", &path), old.port);
    old.wait(DEADLINE);
    has_log(&new, "with SIGKILL");
    has_log(&new, "listening on");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn force_fails_fast_without_lsof_and_ends_nobody() {
    let old = Gateway::plain();
    let empty = gateway::new_dir();
    let start = Instant::now();
    let setup = Setup::default().arg("--force").env("PATH", &empty.display().to_string());
    let mut new = Gateway::spawn(&setup, old.port);
    assert_eq!(new.wait(DEADLINE).code(), Some(78));
    assert!(start.elapsed() < Duration::from_secs(1), "took {:?}", start.elapsed());
    assert!(new.stderr().contains("lsof") && new.stderr().trim().lines().count() == 1, "{}", new.stderr());
    assert!(old.cli(&["health"]).status.success());
    std::fs::remove_dir_all(empty).unwrap();
}

#[test]
fn a_start_that_is_refused_anyway_forces_nobody_out() {
    let old = Gateway::plain();
    let dir = gateway::new_dir();
    let path = fake_lsof(&dir, &[old.pid()]);
    let setup = Setup::text("{gateway: {mode: 'local'}}").arg("--force").env("PATH", &path);
    let mut new = Gateway::spawn(&setup, old.port);
    assert_eq!(new.wait(DEADLINE).code(), Some(78));
    assert!(new.stderr().contains("no token is configured"), "{}", new.stderr());
    assert!(old.cli(&["health"]).status.success());
    std::fs::remove_dir_all(dir).unwrap();
}

/// R-26c: nobody is ended for a start that another gateway's hold on the state directory refuses.
#[test]
fn force_ends_nobody_while_another_gateway_has_the_state() {
    let (holder, mut other) = (Gateway::plain(), Gateway::plain());
    let dir = gateway::new_dir();
    let path = fake_lsof(&dir, &[other.pid()]);
    let port = other.port.to_string();
    let refused = holder.cli_env(&["gateway", "--port", &port, "--force"], &[("PATH", &path)]);
    assert_eq!(refused.status.code(), Some(78), "{:?}", text(&refused));
    assert!(text(&refused).1.contains(&format!("kill {}", holder.pid())), "{:?}", text(&refused));
    assert!(other.cli(&["health"]).status.success(), "{}", other.stderr());
    // Who holds the state and the port is who is to be ended.
    let path = fake_lsof(&dir, &[holder.pid()]);
    let port = holder.port.to_string();
    let mut next = gateway::command(&holder.dir)
        .args(["gateway", "--port", &port, "--force"])
        .env("PATH", &path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the successor", || holder.log().contains("force: ended pid").then_some(()));
    assert!(next.try_wait().unwrap().is_none());
    next.kill().unwrap();
    next.wait().unwrap();
    // Ended, and then the start fails: it is told all the same.
    let path = fake_lsof(&dir, &[other.pid()]);
    let config = json!({"gateway": {"bind": "custom", "customBindHost": "192.0.2.7"}});
    let mut failed = Gateway::spawn(&Setup::config(config).arg("--force").env("PATH", &path), other.port);
    assert_eq!(failed.wait(DEADLINE).code(), Some(78));
    assert_eq!(other.wait(DEADLINE).code(), Some(0));
    assert!(failed.stderr().contains(&format!("force: ended pid {}", other.pid())), "{}", failed.stderr());
    std::fs::remove_dir_all(dir).unwrap();
}

/// R-14a: a signal that comes during the start is kept for later instead of ending the process.
#[test]
fn r_14a_a_restart_asked_for_during_the_start_is_no_end() {
    let dir = gateway::new_dir();
    let path = fake_lsof(&dir, &[]);
    let script = std::fs::read_to_string(dir.join("bin/lsof")).unwrap();
    std::fs::write(dir.join("bin/lsof"), format!("{script}/bin/sleep 1\n")).unwrap();
    let gateway = Gateway::spawn(&Setup::default().arg("--force").env("PATH", &path), gateway::free_port());
    wait_for("lsof", || dir.join("lsof.saw").exists().then_some(()));
    gateway.signal(Signal::USR1);
    has_log(&gateway, "SIGUSR1 ignored");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn what_has_no_effect_here_is_told_at_the_start() {
    let config = json!({"gateway": {"bind": "tailnet"}, "discovery": {"wideArea": {"enabled": true}}});
    let gateway = Gateway::start(&Setup::config(config));
    has_log(&gateway, "gateway.bind is tailnet and this machine has no tailnet address");
    has_log(&gateway, "configured and not in this version: wide-area discovery");
}

/// With the machine's own lsof, where there is one.
#[test]
fn force_with_the_real_lsof() {
    if !["/usr/bin/lsof", "/usr/sbin/lsof", "/bin/lsof"].iter().any(|file| Path::new(file).exists()) {
        return;
    }
    let mut old = Gateway::plain();
    let new = Gateway::spawn(&Setup::default().arg("--force"), old.port);
    assert_eq!(old.wait(DEADLINE).code(), Some(0));
    has_log(&new, "listening on");
    let free = Gateway::start(&Setup::default().arg("--force"));
    has_log(&free, &format!("force: no listeners on port {}", free.port));
}

#[test]
fn a_password_comes_from_a_file() {
    let config = json!({"gateway": {"auth": {"mode": "password", "token": null}}});
    let setup =
        Setup::config(config).file("pw", "sesame-open-up\n").arg("--password-file").arg("~/.openclaw/pw");
    let gateway = Gateway::start(&setup);
    let url = format!("ws://127.0.0.1:{}", gateway.port);
    let with = |password: &str| gateway.cli_env(&["health", "--url", &url, "--password", password], &[]);
    assert!(with("sesame-open-up").status.success(), "{:?}", text(&with("sesame-open-up")));
    assert!(!with("sesame").status.success());
    assert!(gateway.stderr().contains("chmod 600"), "others can read it: {}", gateway.stderr());
    for (content, file, why) in [
        (&b""[..], "~/.openclaw/pw", "it is empty"),
        (b"\xff\xfe", "~/.openclaw/pw", "it is not UTF-8 text"),
        (b"", "~/nothing", "No such file"),
        (b"", "/dev/zero", "longer than 4096 bytes"),
    ] {
        let setup = Setup::default().arg("--password-file").arg(file).file("pw", content);
        let mut refused = Gateway::spawn(&setup, gateway::free_port());
        assert_eq!(refused.wait(DEADLINE).code(), Some(78), "{content:?}");
        let told = refused.stderr();
        assert!(
            told.contains("--password-file") && told.contains(why) && told.contains("; name a"),
            "{told}"
        );
    }
}

// S-L11: a token comes from a file too; on the command line everybody can read it, which is said.
#[test]
fn s_l11_a_token_comes_from_a_file() {
    let config = json!({"gateway": {"auth": {"token": null}}});
    let setup = Setup::config(config.clone())
        .file("tok", "from-a-file-77\n")
        .arg("--token-file")
        .arg("~/.openclaw/tok");
    let gateway = Gateway::start(&setup);
    let url = format!("ws://127.0.0.1:{}", gateway.port);
    let with = |gateway: &Gateway, url: &str, token: &str| {
        gateway.cli_env(&["health", "--url", url, "--token", token], &[]).status.success()
    };
    assert!(with(&gateway, &url, "from-a-file-77") && !with(&gateway, &url, "x"));
    assert!(!gateway.stderr().contains("list of processes"), "{}", gateway.stderr());
    let open = Gateway::start(&Setup::config(config).arg("--token").arg("canary-in-the-open"));
    let told = open.stderr();
    assert!(
        told.contains("use --token-file or OPENCLAW_GATEWAY_TOKEN") && !told.contains("canary"),
        "{told}"
    );
}

#[test]
fn options_without_effect_are_taken_and_told() {
    let args =
        ["--ws-log", "full", "--compact", "--claude-cli-logs", "--raw-stream", "--raw-stream-path", "x"];
    let gateway = Gateway::start(&args.iter().fold(Setup::default(), |setup, arg| setup.arg(arg)));
    for flag in ["--ws-log", "--compact", "--claude-cli-logs", "--raw-stream", "--raw-stream-path"] {
        assert!(gateway.stderr().contains(&format!("note: {flag} has no effect")), "{}", gateway.stderr());
    }
    let off = Gateway::start(&Setup::default().arg("--tailscale").arg("off"));
    assert_eq!(off.stderr(), "");
}

/// Issue 4: one line that names the fix, and 78, so that a supervisor does not try again.
#[test]
fn what_refuses_a_start_is_one_line_and_78() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().port();
    let ready = format!("{{gateway: {{mode: 'local', auth: {{token: '{TOKEN}'}}}}}}");
    let cases = [
        ("{", &[][..], "openclaw.json"),
        ("{gateway: {mode: 'local'}}", &[], "gateway.auth.token"),
        ("{}", &[], "gateway.mode=local"),
        ("{gateway: {mode: 'remote'}}", &[], "gateway.mode=local"),
        ("{gateway: {mode: 'local', auth: {token: 'x'}}}", &["--bind", "lan"], "gateway.auth.token"),
        ("{gateway: {mode: 'local', auth: {mode: 'password'}}}", &[], "gateway.auth.password"),
        ("{gateway: {mode: 'local', port: 'x', auth: {token: 'x'}}}", &[], "gateway.port"),
        (&ready, &["--bind", "lan", "--token", "short"], "set a longer --token"),
        // 8 characters of 2 bytes.
        (&ready, &["--bind", "lan", "--token", "ääääääää"], "set a longer --token"),
        (&ready, &["--bind", "custom"], "gateway.customBindHost"),
        (&ready, &["taken"], "--port"),
    ];
    for (config, args, fix) in cases {
        let is_taken = args == ["taken"];
        let setup = args.iter().filter(|_| !is_taken).fold(Setup::text(config), |setup, arg| setup.arg(arg));
        let start = Instant::now();
        let mut gateway = Gateway::spawn(&setup, if is_taken { taken } else { gateway::free_port() });
        assert_eq!(gateway.wait(DEADLINE).code(), Some(78), "{config} {args:?}");
        assert!(start.elapsed() < Duration::from_secs(1), "{config}: {:?}", start.elapsed());
        let stderr = gateway.stderr();
        assert!(stderr.contains(fix), "{config} {args:?}: {stderr}");
        // That a secret stands in the list of processes is said beside it, and the wrong line of the file is shown.
        let refusal =
            stderr.lines().filter(|line| !line.starts_with("warning: others") && !line.starts_with("    "));
        assert_eq!(refusal.count(), 1, "{config} {args:?}: {stderr}");
    }
}

/// Runs the command line in a home of its own.
fn run(dir: &Path, args: &[&str]) -> Output {
    gateway::command(dir).args(args).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn reset_is_for_the_dev_profile() {
    let dir = gateway::new_dir();
    for args in [&["gateway", "--reset"][..], &["--profile", "x", "gateway", "--reset"]] {
        let output = run(&dir, args);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output).1.contains("Use --reset with --dev."), "{:?}", text(&output));
    }
    let main = dir.join("home/.openclaw");
    std::fs::create_dir_all(&main).unwrap();
    std::fs::write(main.join("openclaw.json"), "{}").unwrap();
    let output = gateway::command(&dir)
        .args(["--dev", "gateway", "--reset"])
        .env("OPENCLAW_STATE_DIR", &main)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78), "{:?}", text(&output));
    assert!(main.join("openclaw.json").exists(), "the main state is nothing a reset takes away");
    std::fs::remove_dir_all(dir).unwrap();
}

/// A start of the dev profile's gateway in `dir`, until it listens; the child is to be ended by the caller.
fn dev(dir: &Path, port: u16, more: &[&str]) -> std::process::Child {
    let port_text = port.to_string();
    let out = std::fs::File::create(dir.join("dev.out")).unwrap();
    let mut child = gateway::command(dir)
        .args(["--dev", "gateway", "--port", &port_text])
        .args(more)
        .stdin(Stdio::null())
        .stdout(out)
        .spawn()
        .unwrap();
    wait_for("the dev gateway", || {
        assert!(child.try_wait().unwrap().is_none(), "it ended");
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
    child
}

#[test]
fn dev_makes_its_own_config_and_reset_starts_from_scratch() {
    let dir = gateway::new_dir();
    let port = gateway::free_port();
    let state = dir.join("home/.openclaw-dev");
    let token = || -> String {
        let config: Value =
            serde_json::from_slice(&std::fs::read(state.join("openclaw.json")).unwrap()).unwrap();
        config["gateway"]["auth"]["token"].as_str().unwrap().to_string()
    };
    let mut child = dev(&dir, port, &[]);
    assert!(std::fs::read_to_string(dir.join("dev.out")).unwrap().contains("Dev config ready"));
    let health = |port: u16| {
        let port = port.to_string();
        gateway::command(&dir).args(["--dev", "health"]).env("OPENCLAW_GATEWAY_PORT", port).output().unwrap()
    };
    assert!(health(port).status.success(), "{:?}", text(&health(port)));
    let first = token();
    // It runs: a reset takes nothing away.
    let other = gateway::free_port().to_string();
    for force in [&[][..], &["--force"]] {
        let refused = run(&dir, &[&["--dev", "gateway", "--port", &other, "--reset"], force].concat());
        let told = text(&refused).1;
        // Where lsof is missing that is what is told.
        let fix = format!("stop it (kill {})", child.id());
        assert!(told.contains(&fix) || (!force.is_empty() && told.contains("lsof")), "{told}");
        assert_eq!(refused.status.code(), Some(78), "{told}");
    }
    assert_eq!(token(), first);
    child.kill().unwrap();
    child.wait().unwrap();
    let workspace = dir.join("home/.openclaw/workspace-dev");
    std::fs::write(workspace.join("mine.txt"), "kept").unwrap();
    let mut child = dev(&dir, port, &["--reset"]);
    assert_ne!(token(), first);
    assert!(!workspace.join("mine.txt").exists() && workspace.join("AGENTS.md").exists());
    let trash = std::fs::read_dir(state.join("trash")).unwrap().next().unwrap().unwrap().path();
    assert!(trash.join("openclaw.json").exists() && trash.join("agents").is_dir(), "nothing is lost");
    assert_eq!(std::fs::read_to_string(trash.join("workspace/mine.txt")).unwrap(), "kept");
    assert!(health(port).status.success(), "{:?}", text(&health(port)));
    assert!(!dir.join("home/.openclaw/openclaw.json").exists(), "the main profile is not touched");
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_dir_all(dir).unwrap();
}
