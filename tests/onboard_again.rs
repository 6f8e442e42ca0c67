//! `onboard` and `setup` where something is there already: a secret, a running gateway, another profile's.
use crate::cli::text;
use crate::harness::terminal::Terminal;
use crate::harness::*;
use crate::onboard::{config, config_path, out, retarget, run, service_manager};
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;

fn home_with(text: &str) -> std::path::PathBuf {
    let dir = gateway::new_dir();
    std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
    std::fs::write(config_path(&dir), text).unwrap();
    dir
}

const ONBOARD: [&str; 3] = ["onboard", "--non-interactive", "--skip-health"];

#[test]
fn a_given_secret_is_in_force_afterwards() {
    let secrets = |dir: &Path| config(dir)["gateway"]["auth"].clone();
    let dir = home_with("{\"gateway\": {\"auth\": {\"token\": \"canary-old\"}}}");
    let told = out(&dir, &[&ONBOARD[..], &["--gateway-password", "canary-new"]].concat());
    assert!(told.contains("set gateway.auth.mode: password\n") && !told.contains("canary"), "{told}");
    assert_eq!(secrets(&dir)["password"], "canary-new");
    let told = out(&dir, &[&ONBOARD[..], &["--gateway-token", "canary-newer"]].concat());
    assert!(told.contains("replaced gateway.auth.mode: token (was password)"), "{told}");
    std::fs::remove_dir_all(dir).unwrap();

    let dir = gateway::new_dir();
    let told = out(&dir, &[&ONBOARD[..], &["--gateway-auth", "token", "--gateway-password", "pw"]].concat());
    assert!(told.contains("set gateway.auth.token\n"), "a token is made: {told}");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn setup_names_what_is_missing_and_what_it_replaced() {
    let dir = home_with("{\"gateway\": {\"auth\": {\"mode\": \"password\"}}}");
    let told = out(&dir, &["setup"]);
    assert!(told.contains("Next: openclaw config set gateway.auth.password <password>\n"), "{told}");
    let told = out(&dir, &["setup", "--workspace", "~/two"]);
    assert!(told.contains("replaced agents.defaults.workspace: ") && told.contains("/two (was "), "{told}");
    let told: Value = serde_json::from_str(&out(&dir, &["setup", "--workspace", "~/3", "--json"])).unwrap();
    assert!(told["changes"][0].as_str().unwrap().starts_with("replaced agents.defaults.workspace"), "{told}");
    assert!(out(&dir, &["setup"]).starts_with("Config OK:"), "the workspace stays");
    std::fs::remove_dir_all(dir).unwrap();
}

/// A change of a gateway that runs is checked when it is in force.
#[test]
fn a_running_gateway_is_waited_for() {
    let port = gateway::free_port();
    let mut setup =
        Setup::text(&format!("{{gateway: {{mode: 'local', port: {port}, auth: {{token: '{TOKEN}'}}}}}}"));
    setup.port_in_config = true;
    let gateway = Gateway::spawn(&setup, port);
    wait_for("the gateway", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    let new = gateway::free_port().to_string();
    for change in [["--gateway-port", &new], ["--gateway-token", "another-token-of-24-letters"]] {
        let output = gateway.cli_env(&[&ONBOARD[..2], &change].concat(), &[]);
        let (stdout, stderr) = text(&output);
        assert!(output.status.success(), "{change:?}: {stdout}\n{stderr}");
        assert!(stdout.contains("Gateway: running, and it answers"), "{change:?}: {stdout}");
    }
}

#[test]
fn r_26_the_port_of_another_profile_s_gateway_is_refused() {
    let gateway = Gateway::plain();
    wait_for("its ports", || gateway.state_dir().join("gateway/ports.json").exists().then_some(()));
    let port = gateway.port.to_string();
    let output =
        gateway.cli_env(&["--profile", "two", "onboard", "--non-interactive", "--gateway-port", &port], &[]);
    let want = format!("port {port} is the gateway of profile default (pid {})", gateway.pid());
    assert!(text(&output).1.contains(&want), "{output:?}");
    assert!(!gateway.dir.join("home/.openclaw-two/openclaw.json").exists());
}

// N-8: a port that nobody chose is another one where somebody has it; one that was chosen is refused, and nothing is
// written that could only fail.
#[test]
fn n_8_a_port_that_somebody_has_is_not_written_down() {
    let dir = gateway::new_dir();
    let profile = format!("n8-{}", std::process::id());
    let run = |args: &[&str]| run(&dir, &[&["--profile", &profile], args].concat());
    let told: Value =
        serde_json::from_str(&text(&run(&["gateway", "status", "--no-probe", "--json"])).0).unwrap();
    let port = told["gateway"]["port"].as_u64().unwrap() as u16;
    let Ok(_taken) = std::net::TcpListener::bind(("127.0.0.1", port)) else { return };
    let who = format!("port {port} belongs to pid {} (", std::process::id());
    let file = dir.join(format!("home/.openclaw-{profile}/openclaw.json"));
    let output = run(&["onboard", "--non-interactive", "--gateway-port", &port.to_string()]);
    let stderr = text(&output).1;
    assert!(!output.status.success() && stderr.contains(&who), "{output:?}");
    assert!(
        stderr.contains("which is not this profile's gateway; choose another port: --gateway-port "),
        "{stderr}"
    );
    assert!(!file.exists());
    let output = run(&["onboard", "--non-interactive"]);
    assert!(output.status.success() && text(&output).1.contains(&who), "{output:?}");
    let written: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let other = written["gateway"]["port"].as_u64().unwrap() as u16;
    assert_ne!(other, port);
    assert!(text(&output).1.contains(&format!("the gateway gets port {other}")), "{output:?}");
    std::fs::remove_dir_all(dir).unwrap();
}

// N-8: the wizard tells at the port's own question who has it, and which one is free; one that an option names is
// refused before the long questions.
#[test]
fn n_8_the_wizard_asks_for_another_port_at_once() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let who = format!("port {port} belongs to pid {} (", std::process::id());
    let dir = home_with(&format!("{{\"gateway\": {{\"port\": {port}}}}}"));
    let start = |args: &[&str]| {
        let mut wizard = gateway::command(&dir);
        wizard
            .args(["onboard", "--accept-risk", "--no-install-daemon", "--skip-channels", "--skip-health"])
            .args(args);
        Terminal::start(wizard, 80)
    };
    let question = "Port of the gateway [";
    for (flow, typed) in [("quickstart", String::new()), ("manual", port.to_string())] {
        std::fs::write(config_path(&dir), format!("{{\"gateway\": {{\"port\": {port}}}}}")).unwrap();
        let mut terminal = start(&["--flow", flow, "--workspace", "~/w", "--model", "openclaw/builtin"]);
        if flow == "manual" {
            terminal.wait_text(0, "Where does the gateway run?");
            terminal.type_line("1");
        }
        let mut at = terminal.wait_text(0, question);
        if !typed.is_empty() {
            terminal.type_line(&typed);
            at = terminal.wait_text(at, " is free");
            at = terminal.wait_text(at, question);
        }
        terminal.type_line("");
        if flow == "manual" {
            for next in ["Number", "Number", "The token"] {
                at = terminal.wait_text(at, next);
                terminal.type_line("");
            }
        }
        let (status, text) = terminal.end();
        assert_eq!(status, Some(0), "{text}");
        assert!(text.contains(&who), "{text}");
        let other = config(&dir)["gateway"]["port"].as_u64().unwrap();
        assert_ne!(other, u64::from(port));
        assert!(text.contains(&format!("{question}{other}]: ")), "{text}");
    }
    let (status, text) = start(&["--flow", "quickstart", "--gateway-port", &port.to_string()]).end();
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains(&who) && !text.contains("Workspace of"), "{text}");
    std::fs::remove_dir_all(dir).unwrap();
}

// N-16: `onboard` and `setup` end when the gateway that runs goes by what they wrote.
#[test]
fn n_16_setup_waits_for_the_gateway_that_runs() {
    let gateway = Gateway::plain();
    let output = gateway.cli(&["setup", "--workspace", "~/another"]);
    assert!(output.status.success(), "{output:?}");
    let mut client = Client::operator(&gateway, 3);
    assert!(client.ok("agents.files.list", json!({"agentId": "main"})).to_string().contains("/another"));
}

// N-19: what an error about a gateway elsewhere advises is known here too.
#[test]
fn n_19_password_and_pin_of_a_gateway_elsewhere_are_taken() {
    let dir = gateway::new_dir();
    let pin = "ab".repeat(32);
    let url = ["--mode", "remote", "--remote-url", "wss://box.example:1"];
    let more = ["--remote-password", "canary-pw", "--tls-fingerprint", &pin];
    let told = out(&dir, &[&["setup", "--non-interactive", "--skip-health"], &url[..], &more].concat());
    assert!(told.contains("set gateway.remote.password") && !told.contains("canary"), "{told}");
    let remote = &config(&dir)["gateway"]["remote"];
    assert_eq!((&remote["password"], &remote["tlsFingerprint"]), (&json!("canary-pw"), &json!(pin)));
    // What could only fail is not written.
    let before = config(&dir);
    let output =
        run(&dir, &[&["setup", "--non-interactive"], &url[..], &["--tls-fingerprint", "ab"]].concat());
    assert!(text(&output).1.contains("--tls-fingerprint is no SHA-256"), "{output:?}");
    assert_eq!(config(&dir), before);
    let output = run(&dir, &["onboard", "--non-interactive", "--remote-password", "x"]);
    assert!(text(&output).1.contains("--remote-password needs --mode remote"), "{output:?}");
    std::fs::remove_dir_all(dir).unwrap();
}

/// The service does not see the shell's variables.
#[test]
fn a_password_of_the_shell_is_written_for_the_service() {
    let dir = gateway::new_dir();
    let path = service_manager(&dir, "exit 0");
    let output = gateway::command(&dir)
        .args(ONBOARD)
        .arg("--install-daemon")
        .env("PATH", path)
        .env("OPENCLAW_SERVICE_ROOT", dir.join("root"))
        .env("OPENCLAW_SERVICE_MANAGER", "systemd-user")
        .env("OPENCLAW_GATEWAY_PASSWORD", "canary-password-of-the-shell")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(config(&dir)["gateway"]["auth"], json!({"password": "canary-password-of-the-shell"}));
    assert!(!text(&output).0.contains("canary") && !text(&output).1.contains("Warning"), "{output:?}");
    std::fs::remove_dir_all(dir).unwrap();
}

/// Ctrl-C while a secret is typed: the terminal has its echo back, and the program has ended by the signal.
#[test]
fn a_signal_at_a_secret_leaves_the_echo() {
    if !Path::new("/usr/bin/script").exists() {
        return;
    }
    let dir = gateway::new_dir();
    assert!(run(&dir, &["setup"]).status.success());
    let program = env!("CARGO_BIN_EXE_openclaw");
    // The shell goes on after the signal, which the whole terminal gets.
    let line = format!("trap : INT; {program} configure --section gateway; echo status $?; stty -a");
    let mut like = gateway::command(&dir);
    like.args(["-qec", &line, "/dev/null"]).env("SHELL", "/bin/sh");
    let mut child = retarget(&like, "/usr/bin/script").spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut shown = String::new();
    let mut read_on = |shown: &mut String| {
        let mut chunk = [0; 4096];
        let read = output.read(&mut chunk).unwrap_or(0);
        shown.push_str(&String::from_utf8_lossy(&chunk[..read]));
        read > 0
    };
    input.write_all(b"\n\n\n").unwrap();
    while !shown.contains("not shown") && read_on(&mut shown) {}
    std::thread::sleep(std::time::Duration::from_millis(200));
    input.write_all(b"\x03").unwrap();
    while read_on(&mut shown) {}
    child.wait().unwrap();
    assert!(shown.contains("status 130"), "{shown}");
    assert!(shown.contains(" echo ") && !shown.contains("-echo "), "{shown}");
    std::fs::remove_dir_all(dir).unwrap();
}
