//! `openclaw doctor`, `security audit` and `gateway diagnostics export`: what they find, what they repair, what they
//! never tell.
use crate::cli::{json_of, out, text};
use crate::harness::*;
use std::os::unix::fs::PermissionsExt;

fn ids(report: &Value) -> Vec<&str> {
    report["findings"].as_array().unwrap().iter().map(|f| f["checkId"].as_str().unwrap()).collect()
}

fn chmod(path: &std::path::Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// A gateway in which nothing of the harness itself is to be found.
fn tidy(setup: &Setup) -> Gateway {
    let gateway = Gateway::start(setup);
    chmod(&gateway.state_dir(), 0o700);
    chmod(&gateway.config_path(), 0o600);
    gateway
}

/// Exit status and report of `doctor --lint --json`.
pub fn lint(gateway: &Gateway, more: &[&str]) -> (i32, Value) {
    let output = gateway.cli(&[&["doctor", "--lint", "--json"], more].concat());
    let (stdout, stderr) = text(&output);
    let report = serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{e}: {stdout}\n{stderr}"));
    (output.status.code().unwrap(), report)
}

#[test]
fn a_sound_installation_has_no_problems() {
    let gateway = tidy(&Setup::default());
    let (code, report) = lint(&gateway, &[]);
    assert_eq!((code, &report["ok"]), (0, &json!(true)), "{report:#}");
    let found = ids(&report);
    assert_eq!(found, ["models.built_in"], "{report:#}");
    assert!(out(&gateway, &["doctor", "--only", "fs"]).contains("No problems found"));
}

#[test]
fn r_02a_looking_changes_nothing() {
    let setup =
        Setup::text("{ // mine\n  gateway: {mode: 'local', auth: {token: 'short'}},\n  nonsense: 1,\n}\n");
    let gateway = tidy(&setup);
    chmod(&gateway.config_path(), 0o644);
    let before = (
        std::fs::read(gateway.config_path()).unwrap(),
        gateway.config_path().metadata().unwrap().modified().unwrap(),
    );
    for args in [
        &["doctor"][..],
        &["doctor", "--non-interactive"],
        &["doctor", "--json", "--deep"],
        &["doctor", "--lint"],
        &["security", "audit", "--deep"],
        &["gateway", "diagnostics", "export", "--output", "x.tar"],
        &["doctor", "--force"],
    ] {
        gateway.cli(args);
        let path = gateway.config_path();
        assert_eq!(mode(&path), 0o644, "{args:?}");
        assert_eq!(
            (std::fs::read(&path).unwrap(), path.metadata().unwrap().modified().unwrap()),
            before,
            "{args:?}"
        );
    }
}

fn mode(path: &std::path::Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn fix_repairs_says_so_and_keeps_the_old_config() {
    let text = "{ // mine\n  gateway: {auth: {token: 'a-long-enough-token'}},\n  telegram: {botToken: 'canary-12345678'},\n  odd: 1,\n}\n";
    let dir = gateway::new_dir();
    let state = dir.join("home/.openclaw");
    std::fs::create_dir_all(&state).unwrap();
    let config = state.join("openclaw.json");
    std::fs::write(&config, text).unwrap();
    chmod(&state, 0o755);
    chmod(&config, 0o644);
    let run = |args: &[&str]| {
        let output = gateway::command(&dir).args(args).output().unwrap();
        let (stdout, stderr) = crate::cli::text(&output);
        assert!(!stdout.contains("canary") && !stderr.contains("canary"), "{args:?}: {stdout}{stderr}");
        (output.status.code().unwrap(), stdout)
    };
    let (code, told) = run(&["doctor", "--lint"]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("config.mode_unset") && told.contains("doctor --fix"), "{told}");
    assert_eq!(run(&["doctor"]).0, 0, "without --lint findings are no failure");
    let (code, told) = run(&["doctor", "--fix"]);
    assert_eq!(code, 0, "{told}");
    for words in [
        "set gateway.mode",
        "move telegram to channels.telegram",
        "chmod 600",
        "chmod 700",
        "openclaw.json.bak",
    ] {
        assert!(told.contains(words), "{words} in {told}");
    }
    let now = std::fs::read_to_string(&config).unwrap();
    assert!(now.contains("// mine") && now.contains("odd: 1"), "only --force takes keys away: {now}");
    assert_eq!(std::fs::read_to_string(config.with_extension("json.bak")).unwrap(), text);
    assert_eq!(
        (mode(&config), mode(&state), mode(&config.with_extension("json.bak"))),
        (0o600, 0o700, 0o600)
    );
    let (_, told) = run(&["doctor", "--fix", "--force", "--only", "config"]);
    assert!(told.contains("remove odd") && told.contains("No problems found"), "{told}");
    assert!(!std::fs::read_to_string(&config).unwrap().contains("odd"));
    let (_, told) = run(&["doctor", "--generate-gateway-token", "--only", "gateway.loopback_no_auth"]);
    assert!(told.contains("new random token"), "{told}");
    assert!(!std::fs::read_to_string(&config).unwrap().contains("a-long-enough-token"));
    // A file that is no JSON5 is never written over.
    std::fs::write(&config, "{gateway: {").unwrap();
    assert!(run(&["doctor", "--fix", "--force"]).1.contains("config.invalid"));
    assert_eq!(std::fs::read_to_string(&config).unwrap(), "{gateway: {");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn severity_and_checks_can_be_chosen() {
    let gateway = tidy(&Setup::config(json!({"gateway": {"auth": {"token": "short"}}, "nonsense": 1})));
    let (code, report) = lint(&gateway, &["--only", "config", "--only", "gateway.token_too_short"]);
    assert_eq!((code, ids(&report)), (1, vec!["config.unknown_key", "gateway.token_too_short"]), "{report}");
    assert_eq!(lint(&gateway, &["--severity-min", "error", "--only", "config"]).0, 0);
    for (args, words) in [
        (&["doctor", "--only", "nope"][..], "no check \"nope\""),
        (&["doctor", "--lint", "--fix"], "--lint changes nothing"),
        (&["doctor", "--severity-min", "bad"], "--severity-min"),
    ] {
        let (code, stderr) = crate::cli::fails(&gateway, args);
        assert!(code == 1 && stderr.contains(words), "{args:?}: {stderr}");
    }
}

#[test]
fn a_gateway_that_is_down_or_has_another_secret_is_told() {
    let mut gateway = tidy(&Setup::default());
    let port = gateway.port.to_string();
    let other = gateway.cli_env(
        &["doctor", "--json"],
        &[("OPENCLAW_GATEWAY_PORT", &port), ("OPENCLAW_GATEWAY_TOKEN", "another-token-canary")],
    );
    let report: Value = serde_json::from_slice(&other.stdout).unwrap();
    assert!(ids(&report).contains(&"gateway.token_mismatch"), "{report:#}");
    assert!(!report.to_string().contains("canary"));
    gateway.stop();
    let (code, report) = lint(&gateway, &["--only", "gateway"]);
    assert_eq!((code, ids(&report)), (1, vec!["gateway.probe_failed"]), "{report}");
}

#[test]
fn r_16d_the_audit_has_the_known_form_and_is_quick() {
    let gateway = tidy(&Setup::config(json!({"gateway": {"auth": {"token": "short"}}})));
    chmod(&gateway.state_dir(), 0o755);
    chmod(&gateway.config_path(), 0o644);
    let started = std::time::Instant::now();
    let report = json_of(&gateway, &["security", "audit", "--json"]);
    assert!(started.elapsed().as_millis() < 1000);
    assert_eq!(report["summary"], json!({"critical": 1, "warn": 2, "info": 1}), "{report:#}");
    assert_eq!(report["findings"][0]["checkId"], "fs.config.perms_world_readable");
    assert_eq!(report["findings"][0]["severity"], "critical");
    assert!(report["findings"][0]["remediation"].as_str().unwrap().starts_with("chmod 600"), "{report:#}");
    assert!(report.get("deep").is_none() && report["ts"].is_u64());
    let human = out(&gateway, &["security", "audit"]);
    assert!(
        human.contains("Summary: 1 critical · 2 warn · 1 info") && human.contains("\nCRITICAL\n"),
        "{human}"
    );
    let port = gateway.port.to_string();
    let vars = [("OPENCLAW_GATEWAY_PORT", port.as_str()), ("OPENCLAW_GATEWAY_TOKEN", "short")];
    let fixed = text(&gateway.cli_env(&["security", "audit", "--fix", "--deep", "--json"], &vars)).0;
    let fixed: Value = serde_json::from_str(&fixed).unwrap();
    assert_eq!(fixed["fix"]["ok"], true);
    assert_eq!(fixed["report"]["summary"]["critical"], 0, "{fixed:#}");
    assert_eq!(fixed["report"]["deep"]["gateway"]["ok"], true, "{fixed:#}");
    assert_eq!(mode(&gateway.config_path()), 0o600);
}

#[test]
fn r_22b_a_diagnostics_file_holds_what_helps_and_no_secret() {
    let canaries = [
        "canary-token-0001",
        "canary-hook-00002",
        "canary-key-000003",
        "canary-env-000004",
        "canary-bot-000005",
    ];
    let config = json!({
        "gateway": {"auth": {"token": canaries[0]}},
        "hooks": {"token": canaries[1]},
        "models": {"providers": {"far": {"baseUrl": "https://far.example/v1", "apiKey": canaries[2], "models": []}}},
        "channels": {"telegram": {"botToken": canaries[4]}},
    });
    let setup = Setup::config(config)
        .file("credentials/x.json", "{\"key\":\"canary-cred-00006\"}")
        .file("workspace/SECRET.md", "canary-work-00007");
    let gateway = tidy(&setup);
    let port = gateway.port.to_string();
    let path = gateway.dir.join("d.tar");
    let log = gateway.dir.join("gateway.log");
    wait_for("the log", || log.exists().then_some(()));
    let line = format!("{}{}\n", std::fs::read_to_string(&log).unwrap(), canaries[3]);
    std::fs::write(&log, line).unwrap();
    let vars = [
        ("OPENCLAW_GATEWAY_PORT", port.as_str()),
        ("OPENCLAW_GATEWAY_TOKEN", canaries[0]),
        ("FAR_API_KEY", canaries[3]),
    ];
    let output = gateway
        .cli_env(&["gateway", "diagnostics", "export", "--output", path.to_str().unwrap(), "--json"], &vars);
    let (stdout, stderr) = text(&output);
    assert!(output.status.success(), "{stdout}{stderr}");
    let told: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(told["files"].as_array().unwrap().len(), 7, "{told}");
    assert_eq!(mode(&path), 0o600);
    let bytes = std::fs::read(&path).unwrap();
    let bundle = String::from_utf8_lossy(&bytes);
    assert!(!bundle.contains("canary"), "{}", bundle.lines().find(|l| l.contains("canary")).unwrap());
    for words in [
        "\"reachable\": true",
        "credentials/x.json",
        "\"baseUrl\"",
        "listening on ws://",
        env!("CARGO_PKG_VERSION"),
    ] {
        assert!(bundle.contains(words), "{words}");
    }
    assert!(!bundle.contains("SECRET.md"), "names in the workspace are the user's own");
    let (_, stderr) = crate::cli::fails(
        &gateway,
        &["gateway", "diagnostics", "export", "--output", path.to_str().unwrap()],
    );
    assert!(stderr.contains("exists"), "{stderr}");
}

#[test]
fn n_2_what_is_configured_and_not_here_is_told_everywhere() {
    let config = json!({
        "channels": {"discord": {"token": "1:canary"}, "signal": {}},
        "hooks": {"enabled": true, "token": "canary-of-the-hooks", "internal": {"enabled": true}}, "agents": {"defaults": {"heartbeat": {"every": "30m"}}},
    });
    let gateway = tidy(&Setup::config(config));
    let all = "2 channels (discord, signal), internal hooks";
    let log = wait_for("the log", || Some(gateway.log()).filter(|log| log.contains("log file")));
    let warned = log.lines().filter(|line| line.contains("not in this version")).count();
    assert!(warned == 1 && log.contains(&format!("configured and not in this version: {all}")), "{log}");
    let (_, said) = text(&gateway.cli(&["config", "validate"]));
    assert!(said.contains(&format!("not in this version: {all}")), "{said}");
    let status = out(&gateway, &["status"]);
    assert!(
        status.contains(&format!("Not here   {all}"))
            && status.contains("Signal: no program speaks for it here"),
        "{status}"
    );
    let validated = json_of(&gateway, &["config", "validate", "--json"]);
    assert_eq!(
        validated["unsupported"][1],
        json!({
            "feature": "hooks", "what": "internal hooks",
            "instead": "webhooks are here (docs/webhooks.md), those with a transform (a program in JavaScript), the Gmail watcher and presets beside gmail are not",
        })
    );
    let (code, report) = lint(&gateway, &["--only", "unsupported"]);
    let want = ["unsupported.channels", "unsupported.hooks"];
    assert_eq!((code, ids(&report)), (1, want.to_vec()), "{report:#}");
    let (_, everything) = lint(&gateway, &[]);
    assert!(!everything.to_string().contains("canary"));
}

/// Files of the gateway's own that cannot be read are told, not only what asks for them fails.
#[test]
fn i14_f17_files_of_keys_and_devices_that_cannot_be_read_are_told() {
    let dir = gateway::new_dir();
    let state = dir.join("home/.openclaw");
    std::fs::create_dir_all(state.join("agents/main/agent")).unwrap();
    std::fs::create_dir_all(state.join("devices/paired.json")).unwrap();
    std::fs::write(state.join("agents/main/agent/auth-profiles.json"), "{\"version\": 1, \"prof").unwrap();
    let output = gateway::command(&dir).args(["doctor", "--json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let all = report["findings"].as_array().unwrap();
    for (id, file, why) in [
        ("models.key_file", "auth-profiles.json", "repair it, or move it away"),
        ("devices.unreadable", "paired.json", "which should be a file: move it away"),
    ] {
        let found = all.iter().find(|found| found["checkId"] == id).unwrap_or_else(|| panic!("{report:#}"));
        assert!(found.to_string().contains(file) && found.to_string().contains(why), "{found:#}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}
