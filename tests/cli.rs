//! The command line as a user or a script meets it: output, exit codes, texts of errors, credentials, runs.
//! The commands that work on files of their own stand in `commands.rs`.
use crate::harness::model::texts;
use crate::harness::*;
use std::path::PathBuf;
use std::process::Output;

pub fn text(output: &Output) -> (String, String) {
    let of = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("output is UTF-8");
    (of(&output.stdout), of(&output.stderr))
}

/// Standard output of a command that must succeed.
pub fn out(gateway: &Gateway, args: &[&str]) -> String {
    let output = gateway.cli(args);
    let (stdout, stderr) = text(&output);
    assert!(output.status.success(), "{args:?}: {:?}\n{stdout}\n{stderr}", output.status);
    assert!(!stdout.contains('\u{1b}'), "no colours outside a terminal: {stdout:?}");
    stdout
}

pub fn json_of(gateway: &Gateway, args: &[&str]) -> Value {
    let stdout = out(gateway, args);
    serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{args:?}: {e} in {stdout:?}"))
}

/// Exit code and standard error of a command that must fail.
pub fn fails(gateway: &Gateway, args: &[&str]) -> (i32, String) {
    let output = gateway.cli(args);
    let (stdout, stderr) = text(&output);
    assert!(!output.status.success(), "{args:?} must fail: {stdout}");
    (output.status.code().unwrap(), stderr)
}

/// A home directory of its own with this configuration.
fn home(config: &Value) -> PathBuf {
    let dir = gateway::new_dir();
    std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
    std::fs::write(dir.join("home/.openclaw/openclaw.json"), config.to_string()).unwrap();
    dir
}

#[test]
fn version_and_help_need_nothing() {
    let dir = gateway::new_dir();
    let run = |args: &[&str]| gateway::command(&dir).args(args).output().unwrap();
    for flag in ["--version", "-V", "-v"] {
        assert_eq!(text(&run(&[flag])).0.trim(), env!("CARGO_PKG_VERSION"), "{flag}");
    }
    let help = text(&run(&["--help"])).0;
    for command in
        ["gateway", "agent", "health", "status", "sessions", "devices", "models", "setup", "completion"]
    {
        assert!(help.contains(command), "{command} in {help}");
    }
    assert!(help.contains("Start here:"), "{help}");
    let json: Value = serde_json::from_str(&text(&run(&["version", "--json"])).0).unwrap();
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    for command in [
        &["gateway"][..],
        &["gateway", "run"],
        &["gateway", "call"],
        &["gateway", "health"],
        &["health"],
        &["status"],
        &["agent"],
        &["sessions"],
        &["devices"],
        &["devices", "list"],
        &["devices", "approve"],
        &["devices", "reject"],
        &["devices", "rotate"],
        &["devices", "revoke"],
        &["devices", "clear"],
        &["pairing", "list"],
        &["pairing", "approve"],
        &["models"],
        &["models", "list"],
        &["models", "scan"],
        &["models", "set"],
        &["setup"],
        &["completion"],
    ] {
        let output = run(&[command, &["--help"][..]].concat());
        let (stdout, stderr) = text(&output);
        assert!(output.status.success(), "{command:?}: {stderr}");
        assert!(stdout.contains("Usage: openclaw ") && stdout.contains("Examples"), "{command:?}: {stdout}");
    }
    let state = dir.join("home/.openclaw");
    assert!(!state.exists(), "help writes nothing");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn mistakes_on_the_command_line_say_what_is_wrong() {
    let gateway = Gateway::plain();
    for (args, code, words) in [
        (&["foo"][..], 1, "unknown command 'foo'"),
        (&["man"], 1, "see `openclaw help`, or `man openclaw`"),
        (&["health", "--nope"], 1, "unknown option '--nope'"),
        (&["gateway", "call"], 1, "method"),
        (&["gateway", "call", "health", "--params", "{x"], 1, "--params"),
        (&["agent"], 1, "--message"),
        (&["agent", "-m", "x", "--session-key", ""], 1, "--session-key is empty: give it a value"),
        (&["agent", "-m", "x", "--session-id", " "], 1, "--session-id is empty: give it a value"),
        (&["agent", "-m", "x", "--to", ""], 1, "--to is empty: give it a value"),
        (&["gateway", "--port", "0"], 1, "Invalid port"),
        (&["gateway", "--bind", "moon"], 1, "--bind"),
        (&["--profile", "a b", "health"], 2, "Invalid --profile"),
        (&["--dev", "--profile", "x", "health"], 2, "Cannot combine --dev with --profile"),
        (&["--profile"], 2, "--profile requires a value"),
    ] {
        let (got, stderr) = fails(&gateway, args);
        assert_eq!(got, code, "{args:?}: {stderr}");
        assert!(stderr.contains(words), "{args:?}: {stderr}");
        assert!(!stderr.contains("panicked") && !stderr.contains("RUST_BACKTRACE"), "{args:?}: {stderr}");
    }
}

#[test]
fn gateway_call_prints_the_payload() {
    let gateway = Gateway::plain();
    let human = out(&gateway, &["gateway", "call", "health"]);
    assert!(human.starts_with("{"), "the payload alone: {human}");
    assert_eq!(json_of(&gateway, &["gateway", "call", "health", "--json"])["ok"], true);
    let params = r#"{"text":"from the shell","instanceId":"cli-test"}"#;
    assert_eq!(
        json_of(&gateway, &["gateway", "call", "system-event", "--params", params, "--json"]),
        json!({"ok": true})
    );
    let presence = json_of(&gateway, &["gateway", "call", "system-presence", "--json"]);
    assert!(presence.to_string().contains("from the shell"), "{presence}");
    let (code, stderr) = fails(&gateway, &["gateway", "call", "no.such"]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("Gateway call failed: ") && stderr.contains("unknown method: no.such"),
        "{stderr}"
    );
    let agent = r#"{"message":"hi","sessionKey":"main","idempotencyKey":"cli-1"}"#;
    let done =
        json_of(&gateway, &["gateway", "call", "agent", "--params", agent, "--expect-final", "--json"]);
    assert_eq!(done["status"], "ok");
}

#[test]
fn flags_after_gateway_call_work() {
    let gateway = Gateway::plain();
    let url = format!("ws://127.0.0.1:{}", gateway.port);
    let dir = home(&json!({}));
    let args = ["gateway", "call", "health", "--url", &url, "--token", TOKEN, "--timeout", "5000", "--json"];
    let output = gateway::command(&dir).args(args).output().unwrap();
    assert!(output.status.success(), "{:?}", text(&output));
    let output = gateway::command(&dir).args(["gateway", "call", "health", "--url", &url]).output().unwrap();
    let stderr = text(&output).1;
    assert!(
        !output.status.success() && stderr.contains("explicit credentials") && stderr.contains("--token"),
        "{stderr}"
    );
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn health_and_status_speak_to_people_and_to_scripts() {
    let gateway = Gateway::plain();
    assert!(out(&gateway, &["health"]).contains("Agents: main"), "health");
    assert_eq!(json_of(&gateway, &["health", "--json"])["ok"], true);
    assert!(out(&gateway, &["gateway", "health"]).contains("OK"), "gateway health");
    let status = json_of(&gateway, &["status", "--json"]);
    assert_eq!(status["gateway"]["reachable"], true, "{status}");
    out(&gateway, &["status"]);
}

#[test]
fn a_gateway_that_is_down_is_explained() {
    let mut gateway = Gateway::plain();
    gateway.stop();
    let (code, stderr) = fails(&gateway, &["gateway", "call", "health"]);
    assert_eq!(code, 1);
    for words in [
        &format!("Gateway target: ws://127.0.0.1:{}", gateway.port),
        "Source: local loopback",
        "Config: ~/.openclaw/openclaw.json",
        "Fix: ",
    ] {
        assert!(stderr.contains(words), "{words} in {stderr}");
    }
    let start = Instant::now();
    fails(&gateway, &["health", "--timeout", "300"]);
    assert!(start.elapsed() < Duration::from_millis(1000), "R-11c: took {:?}", start.elapsed());
}

#[test]
fn r_11c_a_timeout_bounds_the_whole_call() {
    // Accepts and never says a word.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let dir = home(&json!({}));
    let start = Instant::now();
    let args = ["gateway", "call", "health", "--url", &url, "--token", "x", "--timeout", "500"];
    let output = gateway::command(&dir).args(args).output().unwrap();
    let took = start.elapsed();
    assert!(!output.status.success());
    assert!((400..1000).contains(&took.as_millis()), "took {took:?}");
    assert!(text(&output).1.contains("500"), "{:?}", text(&output));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn r_05a_one_order_of_credentials_and_the_error_names_the_source() {
    // More wrong secrets than a minute allows.
    let gateway =
        Gateway::start(&Setup::config(json!({"gateway": {"auth": {"rateLimit": {"maxAttempts": 1000}}}})));
    let port = gateway.port.to_string();
    for mask in 0..16u32 {
        let has = |bit: u32| mask & (1 << bit) != 0;
        let order =
            [("--token", 0), ("environment OPENCLAW_GATEWAY_TOKEN", 1), ("config gateway.auth.token", 2)];
        let first = order.iter().find(|(_, bit)| has(*bit));
        for right in [true, false] {
            let value = |bit: u32| {
                if right == (first.is_some_and(|f| f.1 == bit)) { TOKEN } else { "wrong-secret-canary" }
            };
            let mut config = json!({"gateway": {"mode": "local"}});
            if has(2) {
                config["gateway"]["auth"] = json!({"token": value(2)});
            }
            if has(3) {
                config["gateway"]["remote"] = json!({"token": TOKEN});
            }
            let dir = home(&config);
            let mut command = gateway::command(&dir);
            command.args(["gateway", "call", "health"]).env("OPENCLAW_GATEWAY_PORT", &port);
            if has(0) {
                command.args(["--token", value(0)]);
            }
            if has(1) {
                command.env("OPENCLAW_GATEWAY_TOKEN", value(1));
            }
            let output = command.output().unwrap();
            let (_, stderr) = text(&output);
            let place = format!("flag, env, auth, remote = {mask:04b}, right {right}: {stderr}");
            assert_eq!(output.status.success(), right && first.is_some(), "{place}");
            if !output.status.success() {
                assert!(stderr.contains(first.map_or("Credential: none", |f| f.0)), "{place}");
                assert!(!stderr.contains("wrong-secret-canary") && !stderr.contains(TOKEN), "{place}");
            }
            std::fs::remove_dir_all(dir).unwrap();
        }
    }
}

#[test]
fn agent_prints_the_answer() {
    let server = ModelServer::start(vec![texts(&["Hello ", "from the ", "model."])]);
    let gateway = Gateway::start(&Setup::config(server.config()));
    assert_eq!(out(&gateway, &["agent", "--message", "hi"]), "Hello from the model.\n");
    assert_eq!(out(&gateway, &["agent", "-m", "hi", "--stream"]), "Hello from the model.\n");
    let done = json_of(&gateway, &["agent", "-m", "hi", "--json"]);
    assert_eq!(
        (&done["status"], &done["result"]["payloads"][0]["text"]),
        (&json!("ok"), &json!("Hello from the model."))
    );
    let key = ["agent", "-m", "once", "--idempotency-key", "k-1"];
    let before = server.count();
    assert_eq!(out(&gateway, &key), out(&gateway, &key));
    assert_eq!(server.count(), before + 1, "one key, one run");
    out(&gateway, &["agent", "-m", "bye", "--no-wait"]);
    server.requests(before + 2);
    let sessions = json_of(&gateway, &["sessions", "--json"]);
    assert_eq!(sessions["sessions"][0]["key"], "agent:main:main", "{sessions}");
    assert!(out(&gateway, &["sessions"]).contains("agent:main:main"));
}

#[test]
fn agent_fails_with_the_model_s_words() {
    let server = ModelServer::start(vec![
        Reply::Status(400, vec![], r#"{"error":{"message":"no such luck"}}"#.into()),
        Reply::Hang,
    ]);
    let gateway = Gateway::start(&Setup::config(server.config()));
    let (code, stderr) = fails(&gateway, &["agent", "-m", "hi"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("no such luck"), "{stderr}");
    let start = Instant::now();
    let (code, _) = fails(&gateway, &["agent", "-m", "hi", "--timeout", "1"]);
    // The time counts from the start of the command (R-11c), so that on a busy machine it may be over before the
    // gateway has said that the run's is.
    assert!(code == 1 || code == 75, "{code}");
    assert!(start.elapsed() < Duration::from_secs(4), "took {:?}", start.elapsed());
}

#[test]
fn r_20b_an_unanswered_run_says_outcome_unknown_and_the_key() {
    let server = ModelServer::start(vec![Reply::Hang]);
    let mut gateway = Gateway::start(&Setup::config(server.config()));
    let port = gateway.port.to_string();
    let child = gateway::command(&gateway.dir)
        .args(["agent", "-m", "hi", "--idempotency-key", "find-me-again"])
        .envs([("OPENCLAW_GATEWAY_PORT", port.as_str()), ("OPENCLAW_GATEWAY_TOKEN", TOKEN)])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    server.requests(1);
    gateway.kill();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(75), "{:?}", text(&output));
    assert!(text(&output).1.contains("find-me-again"), "{:?}", text(&output));
}

#[test]
fn n_30_json_is_everywhere() {
    let gateway = Gateway::plain();
    let told = json_of(&gateway, &["config", "file", "--json"]);
    assert_eq!(told, json!({"path": gateway.config_path(), "exists": true}));
    assert!(json_of(&gateway, &["protocol", "schema", "health", "--json"]).is_object());
    let names = json_of(&gateway, &["protocol", "schema", "--list", "--json"]);
    assert!(names.as_array().unwrap().contains(&json!("methods/health")), "{names}");
    let script = json_of(&gateway, &["completion", "bash", "--json"]);
    assert!(script["shell"] == "bash" && script["script"].as_str().unwrap().contains("openclaw"));
}

/// N-42: what completion offers is read from the files of the profile that is meant.
#[test]
fn n_42_completion_knows_the_values_of_this_machine() {
    let model = json!({"id": "m:1", "name": "m"});
    let provider = json!({"baseUrl": "http://127.0.0.1:9/v1", "apiKey": "k", "models": [model]});
    let dir = home(&json!({
        "models": {"providers": {"stub": provider}},
        "agents": {"list": [{"id": "main"}, {"id": "ops"}], "defaults": {"models": {"stub/m:1": {"alias": "fast"}}}},
    }));
    std::fs::create_dir_all(dir.join("home/.openclaw-work")).unwrap();
    let values = |args: &[&str]| {
        let output = gateway::command(&dir).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        text(&output).0.lines().map(str::to_string).collect::<Vec<_>>()
    };
    assert_eq!(values(&["__values", "agents"]), ["main", "ops"]);
    assert_eq!(values(&["--profile", "work", "__values", "agents"]), ["main"]);
    assert_eq!(values(&["__values", "profiles"]), ["work"]);
    for (kind, value) in
        [("models", "stub/m:1"), ("models", "fast"), ("keys", "gateway.port"), ("methods", "sessions.list")]
    {
        assert!(values(&["__values", kind]).iter().any(|other| other == value), "{kind} {value}");
    }
    assert!(!text(&gateway::command(&dir).arg("--help").output().unwrap()).0.contains("__"));
    std::fs::remove_dir_all(dir).unwrap();
}
