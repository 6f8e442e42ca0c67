//! `gateway status`, `gateway probe`, `gateway healthcheck`, `status` and `health`: what they say in every state of
//! service and gateway, and how they end. The service manager is a stand-in on PATH.
use crate::cli::{fails, json_of, out, text};
use crate::harness::schemas::check_output;
use crate::harness::*;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

/// A program of this name on the stand-in PATH.
fn stand_in(dir: &Path, name: &str, script: &str) {
    let path = dir.join("bin").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A `systemctl` that knows one service in this state.
fn systemctl(dir: &Path, state: &str, sub: &str, pid: u32, exit: u32) {
    let shown = format!(
        "ActiveState={state}\\nSubState={sub}\\nMainPID={pid}\\nExecMainStatus={exit}\\nUnitFileState=enabled\\n"
    );
    stand_in(dir, "systemctl", &format!("case \"$*\" in *show*) printf '{shown}';; *) exit 1;; esac"));
}

fn unit(dir: &Path, name: &str, lines: &str) -> PathBuf {
    let path = dir.join("home/.config/systemd/user").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let marks = "Environment=OPENCLAW_SERVICE_MARKER=openclaw\nEnvironment=OPENCLAW_SERVICE_KIND=gateway";
    std::fs::write(&path, format!("[Unit]\n[Service]\n{lines}\n{marks}\n")).unwrap();
    path
}

/// Runs the command line in `dir` with the stand-ins on PATH.
fn run(dir: &Path, args: &[&str], vars: &[(&str, &str)]) -> Output {
    let path = format!("{}:/usr/bin:/bin", dir.join("bin").display());
    let mut command = gateway::command(dir);
    command.args(args).env("PATH", path).env("OPENCLAW_SERVICE_MANAGER", "systemd-user");
    command.envs(vars.iter().copied()).output().unwrap()
}

/// The JSON of `gateway status`, checked, and the exit code.
fn status(dir: &Path, args: &[&str], vars: &[(&str, &str)]) -> (Value, i32) {
    let output = run(dir, &[&["gateway", "status", "--json"], args].concat(), vars);
    let stdout = text(&output).0;
    let value: Value = serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{e} in {stdout} {output:?}"));
    check_output("gateway-status", &value);
    (value, output.status.code().unwrap())
}

fn home(config: &Value) -> PathBuf {
    let dir = gateway::new_dir();
    std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
    std::fs::write(dir.join("home/.openclaw/openclaw.json"), config.to_string()).unwrap();
    dir
}

fn configured(port: u16, dir: &Path) -> Value {
    json!({
        "gateway": {"mode": "local", "port": port, "auth": {"token": TOKEN}},
        "logging": {"file": dir.join("gateway.log")},
    })
}

#[test]
fn a_gateway_in_the_foreground_without_a_service() {
    let gateway = Gateway::plain();
    systemctl(&gateway.dir, "inactive", "dead", 0, 0);
    let port = gateway.port.to_string();
    let vars = [("OPENCLAW_GATEWAY_PORT", port.as_str())];
    let (json, code) = status(&gateway.dir, &[], &vars);
    assert_eq!(
        (code, &json["rpc"]["ok"], &json["port"]["status"]),
        (0, &json!(true), &json!("busy")),
        "{json:#}"
    );
    assert_eq!(json["rpc"]["url"], format!("ws://127.0.0.1:{port}"));
    assert_eq!(json["port"]["listeners"][0]["pid"], gateway.pid());
    // N-21: it is in the right hands. M-6: what follows from the port.
    assert_eq!(json["port"]["hints"], json!([]));
    let derived = json!({"browserControl": gateway.port + 2, "canvas": gateway.port + 4});
    assert_eq!(json["gateway"]["derivedPorts"], derived);
    let told: Value =
        serde_json::from_str(&text(&run(&gateway.dir, &["status", "--json"], &vars)).0).unwrap();
    assert_eq!(told["gateway"]["derivedPorts"], derived);
    let line = format!("Derived ports: browser control {}, canvas {}", gateway.port + 2, gateway.port + 4);
    assert!(text(&run(&gateway.dir, &["status", "--all"], &vars)).0.contains(&line));
    assert_eq!(json["process"]["pid"], gateway.pid());
    assert_eq!((&json["service"]["installed"], &json["service"]["command"]), (&json!(false), &Value::Null));
    assert_eq!(
        (&json["service"]["runtime"]["status"], &json["service"]["supervised"]),
        (&json!("stopped"), &json!(true))
    );

    let output = run(&gateway.dir, &["gateway", "status", "--verbose"], &vars);
    let (stdout, stderr) = text(&output);
    assert!(output.status.success(), "{stdout} {stderr}");
    for part in [
        "Service: systemd (enabled)",
        "Config (cli): ~/.openclaw/openclaw.json\n",
        "Config (service): ~/.openclaw/openclaw.json\n",
        &format!("Gateway: bind=loopback (127.0.0.1), port={port} (env/config)"),
        &format!("Probe target: ws://127.0.0.1:{port} (local loopback)"),
        &line,
        "Probe note: Loopback-only gateway",
        "Runtime: not installed",
        &format!("Gateway process: pid {}", gateway.pid()),
        "RPC probe: ok (",
        &format!("Listening: 127.0.0.1:{port}"),
    ] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    assert!(!stdout.contains(TOKEN) && !json.to_string().contains(TOKEN), "no secret is shown");
    let skipped = status(&gateway.dir, &["--no-probe"], &vars);
    assert_eq!((skipped.1, skipped.0.get("rpc")), (0, None));
    assert_eq!(
        run(&gateway.dir, &["gateway", "status", "--no-probe", "--require-rpc"], &vars).status.code(),
        Some(1)
    );
}

#[test]
fn r_15f_an_unreachable_gateway_ends_with_1_and_one_document() {
    let port = gateway::free_port();
    let dir = gateway::new_dir();
    let dir = {
        std::fs::remove_dir_all(&dir).unwrap();
        home(&configured(port, &dir))
    };
    systemctl(&dir, "inactive", "dead", 0, 0);
    let (json, code) = status(&dir, &["--timeout", "2000"], &[]);
    assert_eq!(
        (code, &json["rpc"]["ok"], &json["rpc"]["errorCode"]),
        (1, &json!(false), &json!("GATEWAY_UNREACHABLE"))
    );
    assert_eq!(
        (&json["port"]["status"], &json["process"], &json["lastError"]),
        (&json!("free"), &Value::Null, &Value::Null)
    );
    assert_eq!(status(&dir, &["--require-rpc"], &[]).1, 1);
    let output = run(&dir, &["gateway", "status"], &[]);
    let (stdout, stderr) = text(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout.contains("RPC probe: failed") && stdout.contains("nothing listens there"), "{stdout}");
    assert!(stdout.contains("Fix: start the gateway with `openclaw gateway`"), "{stdout}");
    assert_eq!(stderr, "", "what was found is the result");
    assert!(stdout.contains("Service not installed. Run: openclaw gateway install"), "{stdout}");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn r_15d_no_supervisor_is_not_stopped() {
    let port = gateway::free_port();
    let dir = home(&configured(port, Path::new("/nowhere")));
    // No systemctl at all, and one that cannot reach its bus.
    for script in [None, Some("echo 'Failed to connect to bus' >&2; exit 1")] {
        script.into_iter().for_each(|script| stand_in(&dir, "systemctl", script));
        let path = format!("{}:/nowhere", dir.join("bin").display());
        let (json, code) = {
            let mut command = gateway::command(&dir);
            command.args(["gateway", "status", "--json"]).env("OPENCLAW_SERVICE_MANAGER", "systemd-user");
            let output = command.env("PATH", path).output().unwrap();
            (serde_json::from_slice::<Value>(&output.stdout).unwrap(), output.status.code())
        };
        check_output("gateway-status", &json);
        assert_eq!(code, Some(1));
        let service = &json["service"];
        // A systemctl of this machine may stand in /usr/sbin and answer.
        if script.is_some() || service["supervised"] == false {
            assert_eq!(
                (&service["supervised"], &service["runtime"]["status"]),
                (&json!(false), &json!("unknown")),
                "{json:#}"
            );
            assert!(service["runtime"]["detail"].as_str().is_some_and(|text| !text.is_empty()), "{json:#}");
        }
    }
    let output = run(&dir, &["gateway", "status"], &[]);
    let stdout = text(&output).0;
    assert!(stdout.contains("Runtime: no supervisor (Failed to connect to bus)"), "{stdout}");
    assert!(stdout.contains("Run in the foreground: openclaw gateway"), "{stdout}");
    systemctl(&dir, "inactive", "dead", 0, 1);
    unit(&dir, "openclaw-gateway.service", "ExecStart=/usr/bin/openclaw gateway");
    let shown = || text(&run(&dir, &["gateway", "status"], &[])).0;
    let stdout = shown();
    assert!(stdout.contains("Runtime: stopped (state inactive, sub dead, last exit 1)"), "{stdout}");
    assert!(stdout.contains("Service is loaded but not running (likely exited immediately)"), "{stdout}");
    assert!(stdout.contains("Fix: start the gateway with `openclaw gateway start`"), "{stdout}");
    systemctl(&dir, "inactive", "dead", 0, 0);
    let stdout = shown();
    assert!(stdout.contains("\nService is not running.\n") && !stdout.contains("likely"), "{stdout}");
    systemctl(&dir, "failed", "failed", 0, 78);
    let without_auth = format!("{{gateway: {{mode: 'local', port: {port}}}}}");
    std::fs::write(dir.join("home/.openclaw/openclaw.json"), without_auth).unwrap();
    let stdout = shown();
    assert!(
        stdout.contains("the configuration must be fixed first") && !stdout.contains("likely"),
        "{stdout}"
    );
    assert!(
        stdout.contains("Fix: correct what keeps the gateway from starting: Gateway auth is"),
        "{stdout}"
    );
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_running_service_with_a_closed_port_shows_the_last_error() {
    let (port, other) = (gateway::free_port(), gateway::free_port());
    let dir = gateway::new_dir();
    std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
    std::fs::write(dir.join("home/.openclaw/openclaw.json"), configured(other, &dir).to_string()).unwrap();
    systemctl(&dir, "active", "running", 4242, 0);
    unit(
        &dir,
        "openclaw-gateway.service",
        &format!("ExecStart=/opt/openclaw gateway --port {port} --token canary-in-unit"),
    );
    let error = json!({"1": "refusing to start: the disk is full", "_meta": {"logLevelName": "ERROR"}, "time": "2026-11-21T01:00:00.000Z"});
    std::fs::write(dir.join("gateway.log"), format!("{error}\n")).unwrap();
    stand_in(&dir, "journalctl", "exit 1");
    let (json, code) = status(&dir, &[], &[]);
    assert_eq!(
        (code, &json["gateway"]["port"], &json["gateway"]["portSource"]),
        (1, &json!(port), &json!("service args"))
    );
    assert_eq!(
        (&json["service"]["runtime"]["status"], &json["service"]["runtime"]["pid"]),
        (&json!("running"), &json!(4242))
    );
    assert!(json["lastError"].as_str().unwrap().contains("the disk is full"), "{json:#}");
    assert_eq!(json["portCli"]["port"], other, "the CLI's own configuration names another port");
    assert!(!json.to_string().contains("canary-in-unit"), "{json:#}");

    stand_in(&dir, "journalctl", "echo 'starting'; echo 'Error: Missing config. Run it'");
    let output = run(&dir, &["gateway", "status"], &[]);
    let (stdout, stderr) = text(&output);
    for part in [
        &format!("Gateway port {port} is not listening (service appears running)."),
        "Last gateway error: Error: Missing config. Run it",
        "Logs: journalctl --user -u openclaw-gateway.service -n 200 --no-pager",
        "Service config issue: ",
    ] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    assert!(stdout.contains("Runtime: running (pid 4242, state active, sub running"), "{stdout}");
    assert!(!stdout.contains("OPENCLAW_GATEWAY_PORT"), "N-19: the unit's line named the port: {stdout}");
    let named = format!("Note: CLI config resolves gateway port={other} (");
    assert!(stdout.contains(&named), "{stdout}");
    assert!(!(stdout + &stderr).contains("canary-in-unit"));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_service_with_another_configuration_is_judged_by_its_own() {
    let mut gateway = Gateway::plain();
    systemctl(&gateway.dir, "active", "running", gateway.pid(), 0);
    let state = gateway.state_dir();
    // The command line is of another state directory than the service.
    let lines = format!(
        "ExecStart=/opt/openclaw gateway --port {}\nEnvironment=\"OPENCLAW_STATE_DIR={}\"",
        gateway.port,
        state.display()
    );
    unit(&gateway.dir, "openclaw-gateway.service", &lines);
    let other = gateway.dir.join("home/other");
    std::fs::create_dir_all(&other).unwrap();
    let vars = [("OPENCLAW_STATE_DIR", other.to_str().unwrap())];
    let (json, code) = status(&gateway.dir, &[], &vars);
    assert_eq!((code, &json["config"]["mismatch"]), (0, &json!(true)), "{json:#}");
    assert_eq!(json["config"]["cli"]["path"], json!(other.join("openclaw.json")));
    assert_eq!(json["config"]["daemon"]["path"], json!(state.join("openclaw.json")));
    let stdout = text(&run(&gateway.dir, &["gateway", "status"], &vars)).0;
    assert!(stdout.contains("Root cause: CLI and service are using different config paths"), "{stdout}");
    gateway.stop();
}

#[test]
fn a_port_somebody_else_has_and_other_services_are_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let dir = home(&configured(port, Path::new("/nowhere")));
    systemctl(&dir, "inactive", "dead", 0, 0);
    unit(&dir, "openclaw-gateway-rescue.service", "ExecStart=/usr/bin/openclaw gateway --port 1");
    let own = dir.join("home/.config/systemd/user");
    std::fs::write(own.join("clawdbot-gateway.service"), "[Service]\nExecStart=/usr/bin/clawdbot gateway\n")
        .unwrap();
    let (json, code) = status(&dir, &["--timeout", "500"], &[]);
    assert_eq!((code, &json["port"]["status"]), (1, &json!("busy")));
    assert_eq!(json["port"]["listeners"][0]["pid"], std::process::id());
    let extra: Vec<&str> =
        json["extraServices"].as_array().unwrap().iter().filter_map(|s| s["label"].as_str()).collect();
    assert_eq!(extra, ["clawdbot-gateway.service"], "a profile's service is none of them");
    let pid = std::process::id();
    let (stdout, _) = text(&run(&dir, &["gateway", "status", "--timeout", "500"], &[]));
    for part in [
        &format!("Port {port} is already in use."),
        &format!("- pid {pid} "),
        &format!("Fix: port {port} belongs to pid {pid} ("),
        "Other gateway-like services",
        "Cleanup hint: systemctl --user disable --now clawdbot-gateway.service",
    ] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn r_11c_the_timeout_bounds_the_whole_look() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = home(&configured(silent.local_addr().unwrap().port(), Path::new("/nowhere")));
    systemctl(&dir, "inactive", "dead", 0, 0);
    for command in [&["gateway", "status"][..], &["gateway", "probe"], &["gateway", "healthcheck"]] {
        let start = Instant::now();
        let output = run(&dir, &[command, &["--timeout", "300"]].concat(), &[]);
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        assert!(start.elapsed() < Duration::from_millis(1500), "{command:?}: {:?}", start.elapsed());
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_broken_configuration_is_shown() {
    let dir = home(&json!({"gateway": {"mode": "nowhere", "port": 7}}));
    systemctl(&dir, "inactive", "dead", 0, 0);
    let (json, code) = status(&dir, &["--timeout", "500"], &[]);
    assert_eq!((code, &json["config"]["cli"]["valid"]), (1, &json!(false)), "{json:#}");
    let stdout = text(&run(&dir, &["gateway", "status", "--timeout", "500"], &[])).0;
    assert!(
        stdout.contains("openclaw.json (invalid)") && stdout.contains("Config issue: gateway.mode"),
        "{stdout}"
    );
    assert!(stdout.contains("Fix: correct what keeps the gateway from starting: config ~/"), "{stdout}");
    std::fs::remove_dir_all(dir).unwrap();
}

// N-43: what cannot be looked at is not said to be missing. The link leads to itself, which not even root can follow.
#[test]
fn n_43_a_file_that_cannot_be_read_is_not_missing() {
    let dir = home(&json!({}));
    systemctl(&dir, "inactive", "dead", 0, 0);
    let file = dir.join("home/.openclaw/openclaw.json");
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("openclaw.json", &file).unwrap();
    let stdout = text(&run(&dir, &["gateway", "status", "--timeout", "500"], &[])).0;
    assert!(stdout.contains("openclaw.json (invalid)") && !stdout.contains("(missing)"), "{stdout}");
    let stdout = text(&run(&dir, &["status"], &[])).0;
    assert!(!stdout.contains("openclaw setup"), "{stdout}");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn probe_asks_all_gateways_and_fails_when_none_answers() {
    let mut gateway = Gateway::plain();
    let remote = format!("ws://127.0.0.1:{}", gateway::free_port());
    let mut config: Value =
        serde_json::from_str(&std::fs::read_to_string(gateway.config_path()).unwrap()).unwrap();
    config["gateway"]["remote"] = json!({"url": remote, "token": "t"});
    std::fs::write(gateway.config_path(), config.to_string()).unwrap();
    let json = json_of(&gateway, &["gateway", "probe", "--json"]);
    assert_eq!((&json["ok"], &json["primaryTargetId"]), (&json!(true), &json!("localLoopback")), "{json:#}");
    let targets = json["targets"].as_array().unwrap();
    let ids: Vec<&Value> = targets.iter().map(|target| &target["id"]).collect();
    assert_eq!(ids, ["configRemote", "localLoopback"]);
    let local = &targets[1];
    assert_eq!(
        (&local["active"], &local["connect"]["ok"], &targets[0]["connect"]["ok"]),
        (&json!(true), &json!(true), &json!(false))
    );
    assert_eq!(local["self"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(local["config"]["gateway"]["authTokenConfigured"], true);
    assert!(
        local["health"].is_object() && local["summary"].is_object() && local["presence"].is_array(),
        "{local:#}"
    );
    for key in ["ts", "durationMs", "timeoutMs", "warnings", "network", "discovery"] {
        assert!(json.get(key).is_some(), "{key}");
    }
    assert!(!json.to_string().contains(TOKEN), "no secret is shown");
    let shown = out(&gateway, &["gateway", "probe"]);
    assert!(
        shown.contains("Reachable: yes")
            && shown.contains("Connect: ok (")
            && shown.contains("Connect: failed"),
        "{shown}"
    );
    gateway.stop();
    let output = gateway.cli(&["gateway", "probe", "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &json["ok"], &json["primaryTargetId"]),
        (Some(1), &json!(false), &Value::Null)
    );
}

#[test]
fn r_24c_healthcheck_finds_the_port_and_needs_no_secret() {
    let mut gateway = Gateway::plain();
    // Neither port nor token is told.
    let check = |gateway: &Gateway, args: &[&str]| {
        gateway.cli_env(&[&["gateway", "healthcheck"], args].concat(), &[])
    };
    let output = check(&gateway, &[]);
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output).0.starts_with(&format!("OK 127.0.0.1:{} (", gateway.port)), "{output:?}");
    let json: Value = serde_json::from_slice(&check(&gateway, &["--ready", "--json"]).stdout).unwrap();
    assert_eq!(json["ok"], true);
    gateway.stop();
    // Without a gateway the config's port is asked, which must be nobody else's on this machine.
    let port = gateway::free_port();
    let set = gateway.cli(&["config", "set", "gateway.port", &port.to_string()]);
    assert!(set.status.success(), "{set:?}");
    let output = check(&gateway, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).1.contains("gateway not healthy"), "{output:?}");
}

#[test]
fn status_and_health_in_their_longer_forms() {
    let gateway = Gateway::plain();
    let all = out(&gateway, &["status", "--all"]);
    for part in [
        "Service ",
        "Agent  Sessions",
        "Diagnosis of this machine (read-only)",
        "✓ Config: ",
        "Gateway process: pid ",
        "✓ Log: ",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    assert!(!all.contains(TOKEN));
    let json = json_of(&gateway, &["status", "--json", "--usage", "--deep"]);
    assert!(json["usage"]["providers"].is_array() && json["usageCost"]["totals"].is_object(), "{json:#}");
    assert!(json["health"]["ok"].is_boolean());
    for key in ["label", "installed", "loadedText", "runtimeShort"] {
        assert!(json["gatewayService"].get(key).is_some(), "{key}");
    }
    let usage = out(&gateway, &["status", "--usage", "--deep"]);
    assert!(usage.contains("\nUsage\nTotal: $0.0000 · 0 tokens") && usage.contains("\nHealth\n"), "{usage}");
    let verbose = out(&gateway, &["health", "--verbose"]);
    for part in [
        "Gateway connection:\n  Gateway target: ws://",
        "  Source: local loopback",
        "  Config: ~/.openclaw/",
        "  Bind: loopback",
    ] {
        assert!(verbose.contains(part), "{part}: {verbose}");
    }
}

// Issue 10, item 8: each agent has its own workspace and sessions in `status`, as the agent itself has, by command and
// by method, and nothing of it is 200,000 tokens by guess.
#[test]
fn status_is_built_on_the_agents_as_they_are() {
    let server = json!({"baseUrl": "http://127.0.0.1:9/v1", "apiKey": "k",
        "models": [{"id": "m", "name": "M", "contextWindow": 8000}, {"id": "n", "name": "N", "contextWindow": 4000}]});
    let config = json!({
        "agents": {"defaults": {"model": "stub/n"}, "list": [
            {"id": "ops", "name": "Ops"}, {"id": "main", "default": true, "model": "stub/m"},
            {"id": "own", "workspace": "~/own"}]},
        "models": {"providers": {"stub": server}},
    });
    let gateway = Gateway::start(&Setup::config(config));
    let told = json_of(&gateway, &["status", "--json"]);
    let place = gateway.dir.join("home/.openclaw");
    let rows = told["agents"]["agents"].as_array().unwrap();
    let of = |id: &str, key: &str| rows.iter().find(|row| row["id"] == *id).unwrap()[key].clone();
    assert_eq!((&told["agents"]["defaultId"], of("ops", "name")), (&json!("main"), json!("Ops")));
    assert_eq!(of("main", "workspaceDir"), json!(place.join("workspace")));
    assert_eq!(of("ops", "workspaceDir"), json!(place.join("workspace-ops")));
    assert_eq!(of("own", "workspaceDir"), json!(gateway.dir.join("home/own")));
    assert_eq!(of("ops", "sessionsPath"), json!(place.join("agents/ops/sessions/sessions.json")));
    let listed: Value = serde_json::from_str(&out(&gateway, &["agents", "list", "--json"])).unwrap();
    for row in listed.as_array().unwrap() {
        assert_eq!(of(row["id"].as_str().unwrap(), "workspaceDir"), row["workspace"], "{row}");
    }
    // The default agent's own model, not that of all; the same by the method.
    let defaults = json!({"model": "stub/m", "contextTokens": 8000, "fallbacks": []});
    assert_eq!(told["sessions"]["defaults"], defaults);
    let method = json_of(&gateway, &["gateway", "call", "status", "--json"]);
    let defaults = json!({"model": "stub/m", "contextTokens": 8000});
    assert_eq!(method["sessions"]["defaults"], defaults, "{method:#}");
    let text = out(&gateway, &["status", "--verbose"]);
    assert!(text.contains("Model      stub/m\n") && text.contains("Agents     ops, main, own\n"), "{text}");
    let table = out(&gateway, &["status", "--all"]);
    assert!(table.contains("~/.openclaw/agents/ops/sessions/sessions.json"), "{table}");
}

// N-21: a file that cannot be used hides neither the model nor the port of the gateway that runs, and a port of a
// profile's name is said to be one.
#[test]
fn n_21_behind_a_broken_file_stands_what_runs() {
    let server =
        json!({"baseUrl": "http://127.0.0.1:9/v1", "apiKey": "k", "models": [{"id": "m", "name": "M"}]});
    let model = json!({
        "agents": {"defaults": {"model": "stub/m"}}, "models": {"providers": {"stub": server}},
    });
    let gateway = Gateway::start(&Setup::config(model));
    let run = |args: &[&str]| gateway.cli_env(args, &[]);
    // The device that is paired now is known without the secret.
    let port = gateway.port.to_string();
    let paired = gateway.cli_env(&["health"], &[("OPENCLAW_GATEWAY_PORT", &port)]);
    assert!(paired.status.success(), "{paired:?}");
    std::fs::write(gateway.config_path(), "{ gateway: nothing").unwrap();
    let told: Value = serde_json::from_str(&text(&run(&["status", "--json"])).0).unwrap();
    assert_eq!(told["gateway"]["mode"], "local", "{told:#}");
    assert_eq!(told["sessions"]["defaults"]["model"], "stub/m", "{told:#}");
    assert!(text(&run(&["status"])).0.contains("stub/m"));
    let told: Value = serde_json::from_str(&text(&run(&["gateway", "status", "--json"])).0).unwrap();
    assert_eq!(told["gateway"]["port"], gateway.port);
    assert_eq!(told["gateway"]["portSource"], "running gateway");
    // A file that is no secret's place any more lets nobody in, who may know all the same that a gateway is there.
    std::fs::rename(gateway.state_dir().join("identity"), gateway.dir.join("identity")).unwrap();
    let told = text(&run(&["status"])).0;
    assert!(told.contains("answers, but refuses this command ("), "{told}");
    std::fs::remove_dir_all(gateway.state_dir().join("identity")).unwrap();
    std::fs::rename(gateway.dir.join("identity"), gateway.state_dir().join("identity")).unwrap();
    // Nobody runs: nobody knows.
    let dir = home(&json!({}));
    std::fs::write(dir.join("home/.openclaw/openclaw.json"), "{ gateway: nothing").unwrap();
    systemctl(&dir, "inactive", "dead", 0, 0);
    let told: Value = serde_json::from_str(&text(&self::run(&dir, &["status", "--json"], &[])).0).unwrap();
    assert_eq!(told["gateway"]["mode"], Value::Null, "{told:#}");
    assert_eq!(told["sessions"]["defaults"]["model"], Value::Null, "{told:#}");
    for (args, source) in [(&[][..], "default"), (&["--profile", "work"], "profile name")] {
        let args = [args, &["gateway", "status", "--no-probe", "--json"]].concat();
        let told: Value = serde_json::from_str(&text(&self::run(&dir, &args, &[])).0).unwrap();
        assert_eq!(told["gateway"]["portSource"], source, "{args:?}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}

// N-8: a wrong secret at another profile's gateway is not a wrong secret of this one.
#[test]
fn n_8_another_profile_s_gateway_is_named() {
    let gateway = Gateway::plain();
    let port = gateway.port.to_string();
    let vars = [("OPENCLAW_GATEWAY_PORT", port.as_str()), ("OPENCLAW_GATEWAY_TOKEN", "of another one")];
    let who = format!("Fix: port {port} is the gateway of profile default (pid {})", gateway.pid());
    for args in [&["health"][..], &["gateway", "status"], &["agent", "-m", "hi"]] {
        let (stdout, stderr) = text(&gateway.cli_env(&[&["--profile", "two"], args].concat(), &vars));
        let told = stdout + &stderr;
        assert!(told.contains(&who) && !told.contains("gateway.remote"), "{args:?} {told}");
    }
    let told = text(&gateway.cli_env(&["health"], &vars)).1;
    assert!(told.contains("gateway token mismatch\n") && told.contains("expects another secret"), "{told}");
}

// N-21: a process that a signal ended had no status 0, and one that runs has not ended.
#[test]
fn n_21_the_last_exit_is_the_one_that_was() {
    let dir = home(&json!({}));
    unit(&dir, "openclaw-gateway.service", "ExecStart=/usr/bin/openclaw gateway");
    for (shown, runtime, want) in [
        ("MainPID=0\nExecMainStatus=9\nExecMainCode=2", "ended by signal 9", json!([null, 9, null])),
        ("MainPID=7\nExecMainStatus=0\nExecMainCode=0\nNRestarts=1", "restarts 1", json!([null, null, 1])),
        ("MainPID=0\nExecMainStatus=1\nExecMainCode=1", "last exit 1", json!([1, null, null])),
    ] {
        let script = format!("printf 'ActiveState=activating\nSubState=x\n{shown}\n'");
        stand_in(&dir, "systemctl", &script);
        let (told, _) = status(&dir, &["--no-probe"], &[]);
        let of = &told["service"]["runtime"];
        assert_eq!(json!([of["lastExitStatus"], of["lastExitSignal"], of["restarts"]]), want, "{shown}");
        let told = text(&run(&dir, &["gateway", "status", "--no-probe"], &[])).0;
        assert!(
            told.contains(runtime) && (runtime == "last exit 1" || !told.contains("last exit")),
            "{told}"
        );
    }
    std::fs::remove_dir_all(dir).unwrap();
}

/// R-26d: two gateways, and a command line that would change the wrong one.
#[test]
fn r_26d_another_profile_s_gateway_is_not_written_to() {
    let gateway = Gateway::plain();
    let (port, other) = (gateway.port.to_string(), gateway.dir.join("home/.openclaw-other"));
    std::fs::create_dir_all(&other).unwrap();
    let vars = [
        ("OPENCLAW_GATEWAY_PORT", port.as_str()),
        ("OPENCLAW_GATEWAY_TOKEN", TOKEN),
        ("OPENCLAW_STATE_DIR", other.to_str().unwrap()),
    ];
    let write = ["gateway", "call", "sessions.reset", "--params", "{\"key\":\"main\"}"];
    // Whoever has no gateway of their own can mean this one only.
    assert!(gateway.cli_env(&write, &vars).status.success());
    std::fs::copy(gateway.config_path(), other.join("openclaw.json")).unwrap();
    // M-7: who names gateway and credential, by whatever way, means this one.
    assert!(gateway.cli_env(&write, &vars).status.success());
    let vars = vars.into_iter().filter(|(name, _)| !name.ends_with("TOKEN")).collect::<Vec<_>>();
    let refused = gateway.cli_env(&write, &vars);
    let stderr = text(&refused).1;
    assert!(!refused.status.success() && stderr.contains("keeps its state in ~/.openclaw,"), "{stderr}");
    assert!(stderr.contains("nothing was sent") && stderr.contains("Fix: "), "{stderr}");
    assert!(!gateway.cli_env(&["agent", "--message", "hi"], &vars).status.success());
    assert!(gateway.cli_env(&["gateway", "call", "health"], &vars).status.success(), "reading is fine");
    let url = format!("ws://127.0.0.1:{port}");
    let named = [&write[..], &["--url", &url, "--token", TOKEN]].concat();
    assert!(gateway.cli_env(&named, &vars).status.success(), "named by hand it is meant");
    let (stdout, _) = text(&run(&gateway.dir, &["gateway", "status"], &vars));
    assert!(stdout.contains("The gateway that answers keeps its state in ~/.openclaw,"), "{stdout}");
    let (code, _) = fails(&gateway, &["gateway", "call", "no.such"]);
    assert_eq!(code, 1);
}

/// The way out is one for what is the matter: a gateway on another port, and one that hangs.
#[test]
fn a_gateway_that_runs_is_not_to_be_started() {
    let gateway = Gateway::plain();
    let (pid, port, other) = (gateway.pid(), gateway.port, gateway::free_port());
    let told = |args: &[&str], port: u16| {
        let output = gateway.cli_env(args, &[("OPENCLAW_GATEWAY_PORT", &port.to_string())]);
        let (stdout, stderr) = text(&output);
        assert_eq!(output.status.code(), Some(1), "{args:?} {stdout}{stderr}");
        stdout + &stderr
    };
    let elsewhere = format!("Fix: the gateway of this state directory (pid {pid}) listens on port {port}: ");
    for args in [&["health"][..], &["gateway", "status"], &["gateway", "probe"]] {
        let told = told(args, other);
        assert!(told.contains(&elsewhere), "{args:?} {told}");
    }
    let process = rustix::process::Pid::from_raw(pid as i32).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::STOP).unwrap();
    let hangs = format!("Fix: the gateway (pid {pid}) hangs: end it with `kill -9 {pid}`");
    for args in [&["health"][..], &["gateway", "status"], &["gateway", "probe"]] {
        let told = told(&[args, &["--timeout", "1000"]].concat(), port);
        assert!(told.contains(&hangs) && !told.contains("already in use"), "{args:?} {told}");
    }
    let told = told(&["gateway", "healthcheck", "--timeout", "300"], port);
    assert!(told.contains(": no answer in ") && !told.contains("os error"), "{told}");
    rustix::process::kill_process(process, rustix::process::Signal::CONT).unwrap();
}

/// R-06a: what is wrong with the file is told by the gateway that runs in spite of it.
#[test]
fn r_06a_a_running_gateway_is_found_behind_a_broken_config() {
    let gateway = Gateway::plain();
    let run = |args: &[&str]| gateway.cli_env(args, &[]);
    let config = std::fs::read_to_string(gateway.config_path()).unwrap();
    std::fs::write(gateway.config_path(), config.replacen("\"local\"", "\"nowhere\"", 1)).unwrap();
    wait_for("the reason", || {
        let output = run(&["gateway", "call", "health"]);
        text(&output).0.contains("configInvalid").then_some(())
    });
    for args in [&["health"][..], &["health", "--verbose"], &["gateway", "health"]] {
        let told = text(&run(args)).0;
        assert!(told.contains("Config invalid: gateway.mode: "), "{args:?} {told}");
    }
    let told = text(&run(&["status"])).0;
    assert!(told.contains("(invalid: gateway.mode: ") && told.contains(" · reachable "), "{told}");
    // N-21: what runs, not what is left of the file.
    assert!(told.contains("local · ws://") && !told.contains("unset"), "{told}");
    assert!(run(&["gateway", "status"]).status.success());
    // Nothing of it can be read: the secret is unknown, the gateway is not.
    std::fs::write(gateway.config_path(), "{ gateway: nothing").unwrap();
    std::fs::remove_dir_all(gateway.state_dir().join("identity")).unwrap();
    let told = text(&run(&["status"])).0;
    assert!(told.contains("openclaw.json (invalid: ") && !told.contains(": :"), "{told}");
    assert!(told.contains("unknown: the config cannot be used") && !told.contains("builtin"), "{told}");
    let output = run(&["gateway", "status"]);
    let (told, running) = (text(&output).0, "runs with the last good one");
    assert!(told.contains(&format!("(pid {}) {running}", gateway.pid())), "{told}");
    assert!(told.contains(&format!("RPC target: ws://127.0.0.1:{}", gateway.port)), "{told}");
    assert!(run(&["gateway", "status", "--token", TOKEN]).status.success());
    // What changes something is not sent with a configuration that cannot be read.
    assert_eq!(run(&["agent", "-m", "hi"]).status.code(), Some(78));
}

#[test]
fn the_control_page_is_that_of_the_configured_gateway() {
    let port = gateway::free_port();
    let dir = home(&configured(port, Path::new("/nowhere")));
    systemctl(&dir, "inactive", "dead", 0, 0);
    let shown = |args: &[&str]| text(&run(&dir, &[&["gateway", "status"], args].concat(), &[])).0;
    assert!(shown(&[]).contains(&format!("Dashboard: http://127.0.0.1:{port}/")));
    for url in [&["--url", "ws://127.0.0.1:1"][..], &["--url", "ws://127.0.0.1:1", "--token", "x"]] {
        let told = shown(url);
        assert!(!told.contains("Dashboard:"), "{told}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}

/// N-2, N-21: `health` names what is configured and not here, and does not speak of an earlier configuration where there
/// is none.
#[test]
fn n_2_health_says_what_does_not_run_and_what_a_start_left_out() {
    let gateway = Gateway::start(&Setup::config(json!({
        "channels": {"signal": {}},
        "agents": {"defaults": {"timeoutSeconds": "x"}},
    })));
    for args in [&["health"][..], &["gateway", "health"]] {
        let told = text(&gateway.cli(args)).0;
        assert!(told.contains("Not here: 1 channel (signal)"), "{args:?} {told}");
        let wrong = told
            .lines()
            .find(|line| line.starts_with("Config invalid: agents.defaults.timeoutSeconds: "))
            .expect(&told);
        assert!(wrong.ends_with("the gateway has started without what it concerns"), "{wrong}");
    }
}

/// Three ways to ask whether it is up; each says so in three lines, and more where something is wrong.
#[test]
fn i14_8_all_is_well_takes_three_lines() {
    let gateway = Gateway::plain();
    for (verb, says) in [
        (&["status"][..], " is up at ws://127.0.0.1:"),
        (&["gateway", "status"], "RPC probe: ok ("),
        (&["daemon", "status"], "Runtime: in the foreground (pid "),
        (&["health"], "Agents: main (default)"),
    ] {
        let text = out(&gateway, verb);
        assert!(text.lines().count() == 3 && text.contains(says), "{verb:?}: {text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let is_told = text.lines().any(|line| line.starts_with("Today") && line.contains(" tokens in"));
        assert!(is_told || verb[0] == "health", "{verb:?}: {text}");
        let more = out(&gateway, &[verb, &["--verbose"]].concat());
        assert!(more.lines().count() > 3, "{verb:?}: {more}");
    }
    let config = std::fs::read_to_string(gateway.config_path()).unwrap();
    std::fs::write(
        gateway.config_path(),
        config.replacen('{', "{\"nonsense\": 1, \"talk\": {\"voiceId\": \"x\"},", 1),
    )
    .unwrap();
    let told = out(&gateway, &["status"]);
    assert!(told.lines().count() > 3 && told.contains("Not here"), "{told}");
}
