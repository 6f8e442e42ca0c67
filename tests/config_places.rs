//! What is told of a mistake in the configuration, and of a key that is not set: place, line, caret, default.
use crate::cli::{fails, json_of, out, text};
use crate::harness::*;

/// The command line alone: nothing runs.
fn down() -> Gateway {
    let mut gateway = Gateway::plain();
    gateway.stop();
    gateway
}

const WRONG: &str =
    "{\n  gateway: {\n    mode: 'local',\n\tport: 'x', auth: {token: 'canary-1'},\n    prot: 1,\n  },\n}\n";
const COMMA: &str =
    "{\n  gateway: {\n    mode: 'local',\n    auth: {token: 'canary-1'} // mine\n\n    port: 1,\n  },\n}\n";

fn put(gateway: &Gateway, name: &str, text: &str) {
    std::fs::write(gateway.state_dir().join(name), text).unwrap();
}

#[test]
fn n_11_every_mistake_shows_its_line_and_a_caret() {
    let gateway = down();
    // Paths for people begin with ~, those for programs are whole.
    let (home, path) = (gateway.dir.join("home").display().to_string(), gateway.config_path());
    let file = path.display().to_string().replace(&home, "~");
    let port = gateway.port.to_string();
    let told = |args: &[&str]| {
        let (stdout, stderr) = text(&gateway.cli(args));
        let (stdout, stderr) = (stdout.replace(&home, "~"), stderr.replace(&home, "~"));
        assert!(!format!("{stdout}{stderr}").contains("canary"), "{args:?}: {stdout}{stderr}");
        (stdout, stderr)
    };
    put(&gateway, "openclaw.json", WRONG);
    let hidden = "    port: 'x', auth: {token: \"__OPENCLAW_REDACTED__\"},";
    let shown = |indent: &str| format!("\n{indent}{hidden}\n{indent}          ^");
    let (_, stderr) = told(&["config", "validate"]);
    let line = format!("  - {file}:4:8: gateway.port: expected a whole number from 1 to 65535, got \"x\"");
    assert!(stderr.contains(&format!("{line}{}", shown("      "))), "{stderr}");
    let unknown =
        format!("warning: {file}:5:5: gateway.prot: unknown key, not read; did you mean gateway.port?");
    assert!(stderr.contains(&format!("{unknown}\n        prot: 1,\n        ^\n")), "{stderr}");
    let (_, stderr) = told(&["gateway", "--port", &port]);
    let line = format!("Error: config {file}:4:8: gateway.port: expected a whole number");
    assert!(stderr.starts_with(&line) && stderr.contains(&shown("    ")), "{stderr}");
    let (stdout, _) = told(&["doctor"]);
    assert!(
        stdout.contains(&format!("{file}:4:8: gateway.port: ")) && stdout.contains(&shown("            ")),
        "{stdout}"
    );
    let (_, stderr) = told(&["config", "get", "gateway.port"]);
    assert!(
        stderr.contains(&format!("{file}:4:8: gateway.port")) && stderr.contains(&shown("    ")),
        "{stderr}"
    );
    for args in [&["config", "validate", "--json"][..], &["doctor", "--json"]] {
        let report: Value = serde_json::from_str(&told(args).0).unwrap();
        let all = report["issues"].as_array().or(report["findings"].as_array()).unwrap();
        let found = all.iter().find(|found| found["line"] == 4).unwrap_or_else(|| panic!("{report:#}"));
        assert_eq!((&found["file"], &found["column"]), (&json!(file), &json!(8)), "{found}");
        assert_eq!(found["excerpt"], format!("{hidden}\n          ^"), "{found}");
    }

    put(&gateway, "openclaw.json", COMMA);
    let excerpt = "auth: {token: \"__OPENCLAW_REDACTED__\"} // mine\n";
    for args in [
        &["gateway", "--port", &port][..],
        &["config", "set", "ui.seamColor", "#fff"],
        &["config", "unset", "ui.seamColor"],
        &["config", "get", "ui.seamColor"],
        &["config", "validate"],
        &["config", "diff", path.to_str().unwrap()],
        &["doctor"],
        &["health"],
    ] {
        let (stdout, stderr) = told(args);
        let all = stdout + &stderr;
        assert!(all.contains(&format!("{file}:4:30: ")), "the end of the line before: {args:?}: {all}");
        let (_, caret) = all.split_once(excerpt).unwrap_or_else(|| panic!("{args:?}: {all}"));
        assert!(caret.lines().next().unwrap().ends_with('^'), "{args:?}: {all}");
    }
    let (stdout, _) = told(&["config", "set", "ui.seamColor", "#fff", "--json"]);
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["error"]["details"]["line"], 4, "{report}");
    assert!(report["error"]["details"]["excerpt"].as_str().unwrap().contains('^'), "{report}");
}

#[test]
fn n_11_a_mistake_in_an_included_file_names_that_file() {
    let gateway = down();
    let part = gateway.state_dir().join("part.json5").display().to_string();
    put(&gateway, "openclaw.json", "{gateway: {mode: 'local', $include: './part.json5'}}");
    for (text, place, caret) in [
        ("{\n  // mine\n  port: 'x' }", "3:9: gateway.port: expected", "  port: 'x' }\n              ^"),
        ("{\n  port: 1\n  bind: 'lan' }", "2:10: ", "         ^"),
        ("{\n  prot: 1 }", "2:3: gateway.prot: unknown key", "  prot: 1 }\n      ^"),
    ] {
        put(&gateway, "part.json5", text);
        let (_, stderr) = crate::cli::text(&gateway.cli(&["config", "validate"]));
        assert!(
            stderr.contains(&format!("/.openclaw/part.json5:{place}")) && stderr.contains(caret),
            "{text}: {stderr}"
        );
        let (stdout, _) = crate::cli::text(&gateway.cli(&["doctor", "--json"]));
        assert!(stdout.contains(&format!("\"path\": \"{part}\"")), "{stdout}");
    }
    let new = gateway.dir.join("new.json5");
    std::fs::write(&new, "{\n  tools: 5}").unwrap();
    let (_, told) = fails(&gateway, &["config", "diff", new.to_str().unwrap()]);
    assert!(
        told.contains(&format!("{}:2:10: tools: ", new.display())),
        "the file that was asked about: {told}"
    );
}

#[test]
fn n_11_a_broken_include_is_told_once() {
    let gateway = down();
    put(&gateway, "openclaw.json", "{gateway: {mode: 'local'},\n agents: {$include: './part.json5'}}");
    for (text, want) in [(Some("{list: [}"), "part.json5:1:9: "), (None, "Failed to read include file")] {
        let part = gateway.state_dir().join("part.json5");
        match text {
            Some(text) => std::fs::write(part, text).unwrap(),
            None => std::fs::remove_file(part).unwrap(),
        }
        let (_, told) = fails(&gateway, &["config", "validate"]);
        let mistakes = told.lines().filter(|line| line.starts_with("  - ")).count();
        assert!(mistakes == 1 && told.contains(want) && !told.contains("null says nothing"), "{told}");
    }
    put(&gateway, "openclaw.json", "{gateway: {mode: 'local'}, agents: null}");
    let (_, told) = fails(&gateway, &["config", "validate"]);
    assert!(told.contains("agents: null says nothing"), "{told}");
}

#[test]
fn n_11_an_alias_of_two_models_is_told_with_its_place() {
    let gateway = down();
    let models = "{\n 'a/x': {alias: 'fast'},\n 'a/y': {alias: 'fast'}}";
    put(
        &gateway,
        "openclaw.json",
        &format!(
            "{{gateway: {{mode: 'local', auth: {{token: 'sixteen-letters-'}}}}, agents: {{defaults: {{models: {models}}}}}}}"
        ),
    );
    let (_, told) = crate::cli::text(&gateway.cli(&["config", "validate"]));
    assert!(
        told.contains("openclaw.json:3:17: ") && told.contains("stands for a/x already, which is taken"),
        "{told}"
    );
}

#[test]
fn n_11_a_long_line_fits_a_terminal() {
    let gateway = down();
    let many = "'鍵', ".repeat(400);
    put(
        &gateway,
        "openclaw.json",
        &format!("{{tools: {{deny: [{many}]}}, ui: {{seamColor: []}}, logging: {{file: '{many}'}}}}"),
    );
    let (_, told) = fails(&gateway, &["config", "validate"]);
    let lines: Vec<&str> = told.lines().filter(|line| line.starts_with("      ")).collect();
    assert!(lines.len() >= 2 && told.contains("seamColor: []"), "{told}");
    for line in lines {
        let columns: usize = line.chars().map(|c| if c == '鍵' { 2 } else { 1 }).sum();
        assert!(columns <= 82, "{columns}: {line}");
    }
}

#[test]
fn n_26_an_unset_key_prints_its_default_and_a_wrong_one_says_what_was_meant() {
    let gateway = down();
    assert_eq!(out(&gateway, &["config", "get", "gateway.limits.drainMs"]), "30000\n");
    assert_eq!(out(&gateway, &["config", "get", "logging.maxFileBytes"]), "5242880\n");
    assert_eq!(json_of(&gateway, &["config", "get", "session.reset"])["atHour"], 4);
    assert_eq!(json_of(&gateway, &["config", "get", "commands"])["restart"], false);
    assert_eq!(json_of(&gateway, &["config", "get", "logging", "--defaults"])["maxFileBytes"], 5_242_880);
    assert_eq!(json_of(&gateway, &["config", "get", "gateway.limits"])["tickIntervalMs"], 30000);
    let auth = json_of(&gateway, &["config", "get", "gateway.auth"]);
    assert!(auth.get("rateLimit").is_none(), "of what is set only that: {auth}");
    let auth = json_of(&gateway, &["config", "get", "gateway.auth", "--defaults"]);
    assert_eq!(auth["rateLimit"]["maxAttempts"], 10);
    assert_eq!(auth["token"], "__OPENCLAW_REDACTED__");
    for (path, code, want) in [
        (
            "gateway.customBindHost",
            3,
            "Error: Config key not set: gateway.customBindHost (it has no default)",
        ),
        ("agents.list", 3, "Error: Config key not set: agents.list (it has no default)"),
        ("models.providers.mine", 3, "Error: Config key not set: models.providers.mine"),
        ("plugins.entries.p.config.x", 3, "Error: Config key not set: plugins.entries.p.config.x"),
        ("gateway.prot", 1, "Error: Config path not found: gateway.prot; did you mean gateway.port?"),
        ("gatway.port", 1, "Error: Config path not found: gatway.port; did you mean gateway?"),
        ("gateway.limits.drainSecs", 1, "Error: Config path not found: gateway.limits.drainSecs"),
        ("qqqqqqqqqq", 1, "Error: Config path not found: qqqqqqqqqq"),
    ] {
        let (found, told) = fails(&gateway, &["config", "get", path]);
        assert!(found == code && told.starts_with(want), "{path}: {found} {told}");
    }
    let unset = gateway.cli(&["config", "get", "agents.list", "--json"]);
    let report: Value = serde_json::from_slice(&unset.stdout).unwrap();
    assert_eq!(report["error"]["details"]["code"], "NOT_SET");
}

#[test]
fn n_25_the_schema_of_a_place_tells_defaults_choices_and_units() {
    let gateway = down();
    let schema = |path: &str| json_of(&gateway, &["config", "schema", path]);
    let child = |place: &Value, key: &str| {
        let all = place["children"].as_array().unwrap();
        all.iter().find(|child| child["key"] == key).unwrap_or_else(|| panic!("{key}: {place:#}")).clone()
    };
    let auth = schema("gateway.auth");
    assert_eq!(child(&auth, "mode")["schema"]["enum"], json!(["token", "password"]));
    let gateway_keys = schema("gateway");
    assert_eq!(child(&gateway_keys, "port")["schema"]["default"], 18789);
    for path in ["gateway.limits", "gateway.limits.*"] {
        let limits = schema(path);
        let drain = child(&limits, "drainMs");
        assert_eq!(
            (&drain["schema"]["default"], &drain["schema"]["unit"], &drain["schema"]["maximum"]),
            (&json!(30000), &json!("milliseconds"), &json!(3_600_000))
        );
        assert!(drain["hint"]["help"].as_str().unwrap().starts_with("Time that turns get"), "{drain}");
        assert_eq!(child(&limits, "maxPayload3")["schema"]["unit"], "bytes");
        assert_eq!(limits["children"].as_array().unwrap().len(), 26);
    }
    assert_eq!(schema("gateway.limits.drainMs")["schema"]["default"], 30000);
    let (code, told) = fails(&gateway, &["config", "schema", "gateway.limts"]);
    assert!(code == 1 && told.contains("did you mean gateway.limits?"), "{told}");
}

#[test]
fn a_harmless_wrong_value_below_gateway_does_not_end_the_start() {
    let harmless = "limits: {drainMs: 'soon', stallMs: 5, odd: 1}, reload: {mode: 'perhaps'}, \
        http: {endpoints: {chatCompletions: {enabled: 'perhaps'}, responses: {maxBodyBytes: []}}}, \
        controlUi: {allowedOrigins: ['${NOPE}']}, nodes: {allowCommands: 5}";
    let gateway = Gateway::start(&Setup::text(&format!(
        "{{gateway: {{mode: 'local', auth: {{token: '{TOKEN}'}},\n{harmless}}}, canvasHost: {{enabled: false}}}}"
    )));
    let log = wait_for("the start", || Some(gateway.stdout()).filter(|log| log.contains("listening on")));
    for key in [
        "limits.drainMs",
        "limits.stallMs",
        "limits.odd",
        "reload.mode",
        "http.endpoints.chatCompletions.enabled",
        "http.endpoints.responses.maxBodyBytes",
        "controlUi.allowedOrigins",
        "nodes.allowCommands",
    ] {
        let line = log
            .lines()
            .find(|line| line.contains(&format!("gateway.{key}")))
            .unwrap_or_else(|| panic!("{key}: {log}"));
        assert!(line.contains("openclaw.json:2:"), "{line}");
    }
    let get = |path: &str| out(&gateway, &["config", "get", path]);
    assert_eq!(get("gateway.limits.stallMs"), "100\n", "the nearest that is allowed");
    drop(gateway);
    let refused = down();
    let port = refused.port.to_string();
    for wrong in [
        "port: 'x'",
        "bind: 'x'",
        "auth: 5",
        "auth: {token: 'a-long-enough-token-1', rateLimit: {maxAttempts: 'few'}}",
        "auth: {mode: 'x', token: 'a-long-enough-token-1'}",
        "trustedProxies: {}",
        "tls: {enabled: 'perhaps'}",
        "remote: {url: []}",
        "controlUi: {enabled: 'perhaps'}",
        "controlUi: 5",
        "nodes: {denyCommands: {}}",
        "http: {endpoints: {responses: {files: {allowUrl: 'perhaps'}}}}",
    ] {
        put(&refused, "openclaw.json", &format!("{{gateway: {{mode: 'local', {wrong}}}}}"));
        let (code, told) = fails(&refused, &["gateway", "--port", &port, "--token", "another-long-token-2"]);
        assert!(code == 78 && told.contains("openclaw.json:1:"), "{wrong}: {code} {told}");
    }
}

#[test]
fn agents_that_cannot_be_read_are_answered_for_with_the_reason() {
    let gateway = Gateway::start(&Setup::text(&format!(
        "{{gateway: {{mode: 'local', auth: {{token: '{TOKEN}'}}}}, canvasHost: {{enabled: false}},\n agents: {{$include: './gone.json5'}}}}"
    )));
    let mut client = Client::operator(&gateway, 4);
    for (method, params) in [
        ("agent", json!({"message": "hi", "agentId": "ada", "idempotencyKey": "1"})),
        ("agent", json!({"message": "hi", "sessionKey": "agent:ada:main", "idempotencyKey": "2"})),
        ("chat.send", json!({"message": "hi", "sessionKey": "agent:ada:main", "idempotencyKey": "3"})),
        ("agents.files.list", json!({"agentId": "ada"})),
    ] {
        let error = client.fails(method, params);
        let told = error["message"].as_str().unwrap();
        assert!(!told.contains("unknown agent id"), "{method}: {told}");
        assert!(told.contains("agent ada is not known while the agents cannot be read"), "{method}: {told}");
        assert!(told.contains("gone.json5") && told.contains("openclaw.json:2:"), "{method}: {told}");
        assert_eq!(error["details"]["code"], "CONFIG_INVALID", "{method}");
    }
}

// Issue 9: a mode that is none is shown, as it is what was meant to be read; what may be a secret in its place is not.
#[test]
fn a_wrong_mode_is_shown_and_a_secret_in_its_place_is_not() {
    let refused = down();
    for (mode, is_shown) in [
        ("tokken", true),
        ("trusted-proxy", true),
        ("Trusted_Proxy", true),
        ("A-canary-2f6a9c0d11", false),
        ("correct horse battery", false),
    ] {
        put(
            &refused,
            "openclaw.json",
            &format!("{{gateway: {{mode: 'local', auth: {{mode: '{mode}', token: 'canary'}}}}}}"),
        );
        let (_, told) = fails(&refused, &["gateway"]);
        assert!(told.contains("gateway.auth.mode") && told.contains('^'), "{told}");
        assert_eq!(told.contains(&format!("mode: '{mode}'")), is_shown, "{told}");
        assert!(!told.contains("canary"), "{told}");
    }
}
