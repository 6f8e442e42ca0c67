//! The first run: `onboard`, `configure`, `dashboard`, on a home directory with nothing in it.
use crate::cli::text;
use crate::harness::*;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

pub fn run(dir: &Path, args: &[&str]) -> Output {
    gateway::command(dir).args(args).stdin(Stdio::null()).output().unwrap()
}

/// Standard output of a command that must succeed.
pub fn out(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    assert!(output.status.success(), "{args:?}: {:?}", text(&output));
    text(&output).0
}

pub fn fails(dir: &Path, args: &[&str]) -> (i32, String) {
    let output = run(dir, args);
    assert!(!output.status.success(), "{args:?} must fail: {:?}", text(&output));
    (output.status.code().unwrap(), text(&output).1)
}

pub fn config_path(dir: &Path) -> PathBuf {
    dir.join("home/.openclaw/openclaw.json")
}

pub fn config(dir: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(config_path(dir)).unwrap()).unwrap()
}

#[test]
fn onboarding_makes_a_gateway_that_works_and_a_second_run_changes_nothing() {
    let dir = gateway::new_dir();
    let port = gateway::free_port().to_string();
    let args = ["onboard", "--non-interactive", "--accept-risk", "--gateway-port", &port, "--json"];
    let done: Value = serde_json::from_str(&out(&dir, &args)).unwrap();
    assert_eq!((&done["ok"], &done["mode"]), (&json!(true), &json!("local")));
    assert_eq!(done["gateway"]["port"].to_string(), port);
    assert!(done["health"].as_str().unwrap().contains("it answered"), "{done}");
    assert_eq!(done["next"], "openclaw gateway");
    let token = config(&dir)["gateway"]["auth"]["token"].as_str().unwrap().to_string();
    assert!(token.len() == 48 && token.bytes().all(|b| b.is_ascii_hexdigit()), "a token on loopback too");
    assert!(!done.to_string().contains(&token), "it is not printed");
    assert!(!config_path(&dir).with_extension("json.bak").exists(), "it is written once");
    let mode = std::fs::metadata(config_path(&dir)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = std::fs::read(config_path(&dir)).unwrap();
    let again = out(&dir, &args[..3]);
    assert_eq!(std::fs::read(config_path(&dir)).unwrap(), before, "{again}");
    assert!(!again.contains("replaced") && again.contains("Next: openclaw gateway"), "{again}");
    assert!(std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_err(), "the trial was stopped");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn what_is_replaced_is_told_and_secrets_are_not() {
    let dir = gateway::new_dir();
    let onboard =
        |more: &[&str]| out(&dir, &[&["onboard", "--non-interactive", "--skip-health"], more].concat());
    assert!(onboard(&["--gateway-port", "20001"]).contains("set gateway.port: 20001"));
    let told = onboard(&["--gateway-port", "20002", "--gateway-token", "canary-token-of-onboard"]);
    assert!(told.contains("replaced gateway.port: 20002 (was 20001)"), "{told}");
    assert!(told.contains("replaced gateway.auth.token\n") && !told.contains("canary"), "{told}");
    let told = onboard(&["--workspace", "~/other"]);
    assert!(told.contains("replaced agents.defaults.workspace"), "{told}");
    assert!(dir.join("home/other/AGENTS.md").exists());
    let told = onboard(&["--model", "openai/gpt-x", "--api-key", "canary-key"]);
    assert!(told.contains("saved OPENAI_API_KEY") && !told.contains("canary"), "{told}");
    let dotenv = dir.join("home/.openclaw/.env");
    assert_eq!(std::fs::read_to_string(&dotenv).unwrap(), "OPENAI_API_KEY=canary-key\n");
    assert_eq!(std::fs::metadata(&dotenv).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(config(&dir)["agents"]["defaults"]["model"]["primary"], "openai/gpt-x");
    assert!(onboard(&["--openai-api-key", "new"]).contains("replaced OPENAI_API_KEY"));
    let told = onboard(&["--mode", "remote", "--remote-url", "ws://10.0.0.9:1", "--remote-token", "t"]);
    assert!(!told.contains("Model:"), "{told}");
    assert!(told.contains("replaced gateway.mode: remote (was local)"), "{told}");
    assert_eq!(config(&dir)["gateway"]["remote"]["url"], "ws://10.0.0.9:1");
    assert!(
        out(&dir, &["setup"]).contains("Next: openclaw health\n"),
        "a gateway does not start in this mode"
    );
    let told = run(&dir, &["onboard", "--non-interactive", "--skip-health", "--install-daemon"]);
    assert!(text(&told).1.contains("no service was installed"), "{told:?}");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn what_does_not_fit_is_refused_and_writes_nothing() {
    let dir = gateway::new_dir();
    for (args, want) in [
        (&["onboard"][..], "--non-interactive"),
        (&["onboard", "--non-interactive", "--mode", "remote"], "Missing --remote-url for remote mode."),
        (&["onboard", "--non-interactive", "--gateway-port", "0"], "Invalid --gateway-port"),
        (&["onboard", "--non-interactive", "--gateway-auth", "password"], "--gateway-password"),
        (&["onboard", "--non-interactive", "--mode", "x"], "Invalid --mode"),
        (&["onboard", "--non-interactive", "--model", "x"], "provider/model"),
        (
            &["onboard", "--non-interactive", "--openai-api-key", "a", "--anthropic-api-key", "b"],
            "give one API key",
        ),
        (&["onboard", "--non-interactive", "--gateway-token", ""], "--gateway-token is empty"),
        (&["onboard", "--non-interactive", "--gateway-password", " "], "--gateway-password is empty"),
        (&["onboard", "--non-interactive", "--workspace", ""], "--workspace is empty"),
        (&["setup", "--workspace", ""], "--workspace is empty"),
        (&["backup", "create", "--output", ""], "--output is empty"),
        (&["backup", "restore", "x.tar", "--target", ""], "--target is empty"),
        (
            &["onboard", "--non-interactive", "--remote-url", "ws://127.0.0.1:1"],
            "--remote-url needs --mode remote",
        ),
        (&["setup", "--gateway-port", "20001"], "add --non-interactive"),
        (&["onboard", "--non-interactive", "--workspace", "/etc/passwd"], "/etc/passwd"),
        (&["setup", "--workspace", "/etc/passwd"], "/etc/passwd"),
        (&["onboard", "--non-interactive", "--gateway-bind", "custom"], "gateway.customBindHost"),
        (
            &["onboard", "--non-interactive", "--mode", "remote", "--remote-url", "http://x"],
            "no ws:// or wss://",
        ),
        (
            &["onboard", "--non-interactive", "--mode", "remote", "--remote-url", "ws://example.com:18789"],
            "plain text over the internet",
        ),
        (&["configure", "--section", "nope"], "Invalid --section: nope. Expected one of: "),
        (&["configure"], "openclaw config set"),
    ] {
        let (code, stderr) = fails(&dir, args);
        assert_eq!(code, 1, "{args:?}");
        assert!(stderr.contains(want), "{args:?}: {stderr}");
    }
    assert!(!config_path(&dir).exists());
    std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
    std::fs::write(config_path(&dir), "{ not json").unwrap();
    fails(&dir, &["onboard", "--non-interactive"]);
    assert_eq!(std::fs::read_to_string(config_path(&dir)).unwrap(), "{ not json", "never overwritten");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_gateway_that_cannot_start_is_told() {
    let dir = gateway::new_dir();
    let port = gateway::free_port();
    std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
    let written =
        format!("{{gateway: {{mode: 'local', port: {port}, bind: 'custom', auth: {{token: 't'}}}}}}");
    std::fs::write(config_path(&dir), &written).unwrap();
    let (_, stderr) = fails(&dir, &["onboard", "--non-interactive", "--gateway-port", "20001"]);
    assert!(stderr.contains("gateway.customBindHost"), "{stderr}");
    assert_eq!(
        std::fs::read_to_string(config_path(&dir)).unwrap(),
        written,
        "what cannot work is not written"
    );
    let (_, stderr) = fails(&dir, &["onboard", "--non-interactive"]);
    assert!(stderr.contains("check failed") && stderr.contains("gateway.customBindHost"), "{stderr}");
    std::fs::remove_dir_all(dir).unwrap();
}

/// The wizard, on a terminal that `script` makes.
#[test]
fn the_wizard_asks_on_a_terminal() {
    if !Path::new("/usr/bin/script").exists() {
        return;
    }
    let dir = gateway::new_dir();
    let port = gateway::free_port();
    let line = format!("{} onboard", env!("CARGO_BIN_EXE_openclaw"));
    let mut like = gateway::command(&dir);
    like.args(["-qec", &line, "/dev/null"]).env("SHELL", "/bin/sh");
    let mut child = retarget(&like, "/usr/bin/script").spawn().unwrap();
    // Go on; not the usual settings; here; the default workspace; the built-in model; port; loopback; token; a
    // secret of one's own; no bot; no service.
    let answers = format!("y\nn\n1\n\nopenclaw/builtin\n{port}\n1\n1\ncanary-typed-token\nn\nn\n");
    child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let shown = text(&output).0;
    assert!(output.status.success(), "{shown}");
    assert!(shown.contains("it answered") && shown.contains("Next: openclaw gateway"), "{shown}");
    let config = config(&dir);
    assert_eq!(config["gateway"]["port"], port);
    assert_eq!(config["gateway"]["auth"]["token"], "canary-typed-token");
    std::fs::remove_dir_all(dir).unwrap();
}

/// The same environment and arguments for another program.
pub fn retarget(command: &std::process::Command, program: &str) -> std::process::Command {
    let mut other = std::process::Command::new(program);
    other.env_clear().args(command.get_args()).current_dir(command.get_current_dir().unwrap());
    other.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    other.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    other
}

/// R-22b, R-26b, issue 12 sentence 4: neither the address nor the browser's command line, environment and page hold the
/// shared secret.
#[test]
fn the_dashboard_is_printed_and_opened_without_a_secret_in_arguments() {
    let dir = gateway::new_dir();
    std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
    std::fs::write(config_path(&dir), "{gateway: {mode: 'local', port: 1, auth: {token: 'canary dash'}}}")
        .unwrap();
    let told = run(&dir, &["dashboard", "--no-open"]);
    assert!(!told.status.success() && text(&told).0.is_empty(), "{told:?}");
    let words = text(&told).1;
    assert!(words.contains("nothing serves the control page: ") && words.contains("Fix: "), "{told:?}");
    std::fs::remove_dir_all(dir).unwrap();

    let gateway = Gateway::plain();
    let told = text(&gateway.cli(&["dashboard"])).0;
    assert!(told.contains(&format!("ssh -N -L {0}:127.0.0.1:{0}", gateway.port)), "no display: {told}");
    let code = code_in(&told, &gateway);
    assert!(code.len() == 32 && !told.contains(TOKEN), "{told}");
    let bin = gateway.state_dir().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let saw = bin.join("browser.saw");
    let program = |name: &str, script: &str| {
        std::fs::write(bin.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    program("xdg-open", &format!("echo \"$*\" > {0}\nset >> {0}", saw.display()));
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let port = gateway.port.to_string();
    let vars = [
        ("PATH", path.as_str()),
        ("DISPLAY", ":7"),
        ("OPENCLAW_GATEWAY_PORT", &port),
        ("OPENCLAW_GATEWAY_TOKEN", TOKEN),
    ];
    let open = || gateway.cli_env(&["dashboard"], &vars);
    let output = open();
    assert!(text(&output).0.contains("Opened in your browser."), "{output:?}");
    let saw = std::fs::read_to_string(saw).unwrap();
    let code = code_in(&text(&output).0, &gateway);
    for secret in [code.as_str(), TOKEN, "OPENCLAW_"] {
        assert!(saw.contains("DISPLAY=':7'") && !saw.contains(secret), "{saw}");
    }
    let page = PathBuf::from(saw.lines().next().unwrap());
    let written = std::fs::read_to_string(&page).unwrap();
    assert!(written.contains(&format!("#code={code}")) && !written.contains(TOKEN), "{written}");
    assert_eq!(std::fs::metadata(&page).unwrap().permissions().mode() & 0o777, 0o600);
    // S-L11: it goes when the browser has had its time, and at once where there was none.
    for (name, script) in [("sleep", "exit 0"), ("xdg-open", "exit 1")] {
        program(name, script);
        assert!(open().status.success());
        wait_for("the page to go", || (!page.exists()).then_some(()));
    }
}

fn code_in(told: &str, gateway: &Gateway) -> String {
    let start = format!("Dashboard URL: http://127.0.0.1:{}/#code=", gateway.port);
    let line = told.lines().find_map(|line| line.strip_prefix(&start));
    line.unwrap_or_else(|| panic!("{told}")).to_string()
}

/// Issue 12 sentence 4, SEC-17: a code pairs one browser, wherever it is, and no second one; wrong ones are guesses.
#[test]
fn i12_4_a_code_lets_one_browser_in_once() {
    let gateway = Gateway::plain();
    let code = code_in(&text(&gateway.cli(&["dashboard", "--no-open"])).0, &gateway);
    let own = format!("http://127.0.0.1:{}", gateway.port);
    let by = |auth: Value, device: &Device, origin: Option<&str>, role: &str| {
        let mut headers = vec![("X-Forwarded-For", "203.0.113.7")];
        headers.extend(origin.map(|origin| ("Origin", origin)));
        let mut client = Client::open_with(&gateway, &headers);
        let mut params = client::scoped(&["operator.admin"]);
        params["role"] = json!(role);
        params["auth"] = auth;
        device.attach(&mut params, &client.challenge.clone(), Version::V2);
        client.connect(params)
    };
    let connect = |auth: Value, device: &Device| by(auth, device, Some(&own), "operator");
    let (mine, other) = (Device::new(), Device::new());
    // Nobody but a page of this gateway, as an operator, and no other attempt uses it up.
    for (origin, role) in [(None, "operator"), (Some(own.as_str()), "node"), (None, "node")] {
        let refused = by(json!({"bootstrapToken": code}), &other, origin, role).unwrap_err();
        assert!(refused["message"].as_str().unwrap().contains("nobody else"), "{refused}");
    }
    let wrong = connect(json!({"bootstrapToken": "0".repeat(32)}), &other).unwrap_err();
    assert_eq!(wrong["details"]["code"], "AUTH_BOOTSTRAP_TOKEN_INVALID", "{wrong}");
    let hello = connect(json!({"bootstrapToken": code}), &mine).unwrap();
    let token = hello["auth"]["deviceToken"].clone();
    assert!(token.is_string(), "{hello}");
    for device in [&mine, &other] {
        let again = connect(json!({"bootstrapToken": code}), device).unwrap_err();
        assert!(again["message"].as_str().unwrap().contains("used already"), "{again}");
    }
    connect(json!({"deviceToken": token}), &mine).unwrap();
    assert!(gateway.log().contains("wrong secret from") && !gateway.log().contains(&code));
}

/// A `systemctl` and a `loginctl`; `restart` is what the first does when it is to start the service.
pub fn service_manager(dir: &Path, restart: &str) -> String {
    let bin = dir.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let shown =
        "ActiveState=active\\nSubState=running\\nMainPID=42\\nExecMainStatus=0\\nUnitFileState=enabled\\n";
    let systemctl =
        format!("#!/bin/sh\ncase \"$*\" in *restart*) {restart};; *show*) printf '{shown}';; esac\n");
    for (name, script) in [("systemctl", systemctl.as_str()), ("loginctl", "#!/bin/sh\necho Linger=yes\n")] {
        std::fs::write(bin.join(name), script).unwrap();
        std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    format!("{}:/usr/bin:/bin", bin.display())
}

fn with_service(dir: &Path, path: &str, port: &str) -> Output {
    gateway::command(dir)
        .args(["onboard", "--non-interactive", "--install-daemon", "--gateway-port", port])
        .env("PATH", path)
        .env("OPENCLAW_SERVICE_ROOT", dir.join("root"))
        .env("OPENCLAW_SERVICE_MANAGER", "systemd-user")
        .env("OPENCLAW_GATEWAY_TOKEN", "canary-token-of-the-shell")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn the_service_is_installed_and_seen_to_answer() {
    let dir = gateway::new_dir();
    let port = gateway::free_port().to_string();
    let pid = dir.join("pid");
    let start = format!(
        "HOME={} {} gateway >/dev/null 2>&1 </dev/null & echo $! > {}",
        dir.join("home").display(),
        env!("CARGO_BIN_EXE_openclaw"),
        pid.display()
    );
    let output = with_service(&dir, &service_manager(&dir, &format!("{start} ")), &port);
    let id = std::fs::read_to_string(&pid).unwrap_or_default().trim().parse().ok();
    if let Some(id) = id.and_then(rustix::process::Pid::from_raw) {
        rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
    }
    let (stdout, stderr) = text(&output);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains("Gateway: running, and it answers"), "{stdout}");
    assert!(stdout.contains("Next: openclaw agent --message"), "{stdout}");
    let unit =
        std::fs::read_to_string(dir.join("home/.config/systemd/user/openclaw-gateway.service")).unwrap();
    let token = config(&dir)["gateway"]["auth"]["token"].as_str().unwrap().to_string();
    assert_eq!(token, "canary-token-of-the-shell", "the service does not see the shell's variables");
    assert!(!unit.contains(&token) && !stdout.contains(&token), "R-22a: {unit}");
    std::fs::remove_dir_all(dir).unwrap();
}

/// R-15b: without a bus the unit is written, what is left to do is told, and the gateway is tried by itself.
#[test]
fn r_15b_without_a_service_manager_onboarding_still_ends_well() {
    let dir = gateway::new_dir();
    let port = gateway::free_port().to_string();
    let path = service_manager(&dir, "exit 1");
    std::fs::write(dir.join("bin/systemctl"), "#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n")
        .unwrap();
    let output = with_service(&dir, &path, &port);
    let (stdout, stderr) = text(&output);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains("it answered"), "{stdout}");
    let next = stdout.lines().find(|line| line.starts_with("Next: ")).unwrap();
    assert!(
        next.ends_with("&& systemctl --user enable --now openclaw-gateway.service"),
        "what is left: {next}"
    );
    std::fs::remove_dir_all(dir).unwrap();
}

// Issue 9: what is refused once the work has begun leaves no directory of a profile behind.
#[test]
fn a_refused_setup_of_a_profile_leaves_nothing_behind() {
    let dir = gateway::new_dir();
    let taken = run(&dir, &["--profile", "one", "setup", "--workspace", "~/taken"]);
    assert!(taken.status.success(), "{taken:?}");
    for args in [
        &["setup", "--workspace", "/proc/nobody"][..],
        &["setup", "--workspace", "~/taken"],
        &["setup", "--non-interactive", "--skip-health", "--workspace", "/proc/nobody"],
        &["setup", "--non-interactive", "--skip-health", "--workspace", "~/taken"],
        &["onboard", "--non-interactive", "--skip-health", "--workspace", "/etc/passwd"],
    ] {
        let (code, told) = fails(&dir, &[&["--profile", "two"], args].concat());
        assert_eq!(code, 1, "{args:?}: {told}");
        assert!(!dir.join("home/.openclaw-two").exists(), "{args:?}: {told}");
    }
    // What was there stays as it was.
    let state = dir.join("home/.openclaw-two");
    std::fs::create_dir(&state).unwrap();
    fails(&dir, &["--profile", "two", "setup", "--workspace", "/proc/nobody"]);
    assert!(state.exists());
    std::fs::remove_dir_all(dir).unwrap();
}
