//! Settings without a mistake in them that no gateway would start with: neither a command nor a method writes them, and
//! the refusal is the sentence of the start.
use crate::cli::{fails, json_of, out, text};
use crate::harness::*;

const NOTHING: &str = "no gateway would start with this, and nothing was written: ";

/// What stands in the file, what is set then, and what a start says of it.
fn cases() -> Vec<(Value, &'static str, &'static str, &'static str)> {
    let gateway = |more: Value| json!({"gateway": more});
    vec![
        (
            json!({"hooks": {"enabled": true, "token": "hooks-token-1"}}),
            "hooks.path",
            "/",
            "hooks.path may not be the whole port",
        ),
        (json!({}), "hooks.enabled", "true", "hooks.enabled requires hooks.token"),
        (
            gateway(
                json!({"tls": {"certPath": "/nowhere/c.pem", "keyPath": "/nowhere/k.pem", "autoGenerate": false}}),
            ),
            "gateway.tls.enabled",
            "true",
            "gateway.tls: /nowhere/c.pem cannot be read: No such file or directory",
        ),
        (
            gateway(json!({"tls": {"enabled": true}})),
            "gateway.tls.certPath",
            "/etc/passwd",
            "gateway.tls: /etc/passwd holds no certificate",
        ),
        (json!({}), "gateway.bind", "custom", "bind=custom needs an IP address in gateway.customBindHost"),
        (
            gateway(json!({"customBindHost": "192.0.2.7"})),
            "gateway.bind",
            "custom",
            "gateway.customBindHost: nothing can listen at 192.0.2.7 on this machine",
        ),
        (
            gateway(json!({"auth": {"token": "short"}})),
            "gateway.bind",
            "lan",
            "Refusing to bind gateway to lan with a token of fewer than 16 characters",
        ),
    ]
}

fn merged(mut into: Value, from: &Value) -> Value {
    merge(&mut into, from);
    into
}

// Issue 9: "nothing invalid is written" holds for what only a start refuses.
#[test]
fn s9_a_command_writes_nothing_that_no_gateway_would_start_with() {
    let mut gateway = Gateway::plain();
    gateway.stop();
    let start = json!({"gateway": {"mode": "local", "auth": {"token": TOKEN}}});
    for (before, path, value, want) in cases() {
        let before = merged(start.clone(), &before).to_string();
        std::fs::write(gateway.config_path(), &before).unwrap();
        let (code, told) = fails(&gateway, &["config", "set", path, value]);
        assert!(code == 1 && told.starts_with(&format!("Error: {NOTHING}{want}")), "{path}: {code} {told}");
        assert_eq!(std::fs::read_to_string(gateway.config_path()).unwrap(), before, "{path}");
        // It is what a start says, which another change need not correct.
        let value = json5(value);
        let keys: Vec<&str> = path.split('.').collect();
        let wrong = keys.iter().rev().fold(value, |value, key| json!({ *key: value }));
        let wrong = merged(serde_json::from_str(&before).unwrap(), &wrong).to_string();
        std::fs::write(gateway.config_path(), &wrong).unwrap();
        let (code, started) = fails(&gateway, &["gateway", "--port", "1"]);
        assert!(
            code == 78 && started.contains(want) || want.contains("nothing can listen"),
            "{path}: {started}"
        );
        let (_, note) = text(&gateway.cli(&["config", "set", "ui.seamColor", "#123456"]));
        assert!(
            note.contains(&format!("note: a gateway would not start with this: {want}")),
            "{path}: {note}"
        );
        out(&gateway, &["config", "unset", path]);
        // Nor is an earlier version put back.
        std::fs::write(gateway.config_path().with_extension("json.bak"), &wrong).unwrap();
        let (code, told) = fails(&gateway, &["config", "rollback"]);
        assert!(code == 1 && told.contains(&format!("{NOTHING}{want}")), "{path}: {told}");
    }
}

/// What a command takes a value for.
fn json5(value: &str) -> Value {
    serde_json::from_str(&value.replace('\'', "\"")).unwrap_or_else(|_| value.into())
}

// The same over the wire, and for what would come of it.
#[test]
fn s9_a_method_writes_nothing_that_no_gateway_would_start_with() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let before = std::fs::read_to_string(gateway.config_path()).unwrap();
    for (patch, want) in [
        ("{hooks: {enabled: true}}", "hooks.enabled requires hooks.token"),
        (
            "{hooks: {enabled: true, token: 'hooks-token-1', path: '/'}}",
            "hooks.path may not be the whole port",
        ),
        ("{gateway: {auth: {mode: 'password'}}}", "Gateway auth is set to password, but no password is"),
    ] {
        let hash = client.ok("config.get", json!({}))["hash"].clone();
        let whole = merged(serde_json::from_str(&before).unwrap(), &unquoted(patch)).to_string();
        for (method, params) in [
            ("config.patch", json!({"raw": patch, "baseHash": hash})),
            ("config.set", json!({"raw": whole, "baseHash": hash})),
            ("config.apply", json!({"raw": whole, "baseHash": hash})),
            ("config.plan", json!({"patch": patch, "baseHash": hash})),
        ] {
            let error = client.fails(method, params);
            assert_eq!(error["code"], "INVALID_REQUEST", "{method} {patch}: {error}");
            let message = error["message"].as_str().unwrap();
            assert!(message.starts_with(&format!("{NOTHING}{want}")), "{method} {patch}: {message}");
        }
        assert_eq!(std::fs::read_to_string(gateway.config_path()).unwrap(), before, "{patch}");
    }
}

fn unquoted(patch: &str) -> Value {
    let text = patch.replace('\'', "\"").replace("{", "{\"").replace(": ", "\": ").replace(", ", ", \"");
    serde_json::from_str(&text).unwrap()
}

// What is missing in this environment may be there where the gateway starts: it is told, and written.
#[test]
fn s9_a_variable_that_is_missing_here_is_a_note() {
    let mut gateway = Gateway::plain();
    gateway.stop();
    let put = |text: &str| std::fs::write(gateway.config_path(), text).unwrap();
    put("{gateway: {mode: 'local'}}");
    let (_, note) = text(&gateway.cli(&["config", "set", "gateway.auth.mode", "password"]));
    assert!(note.contains("a gateway would not start with this: Gateway auth is set to password"), "{note}");
    assert_eq!(out(&gateway, &["config", "get", "gateway.auth.mode"]), "password\n");
    put("{gateway: {mode: 'local', auth: {token: '${SECRET_THERE}'}}}");
    let report = json_of(&gateway, &["config", "set", "gateway.bind", "custom", "--json"]);
    assert!(report["obstacle"].is_string() && report["changed"] == true, "{report}");
    // Where there is nothing to start, nothing is in its way.
    put("{gateway: {mode: 'remote', remote: {url: 'wss://elsewhere.example'}}}");
    out(&gateway, &["config", "set", "hooks.enabled", "true"]);
}

// Issue 11.5: nor a bot token that cannot be one, with which everything starts but its account.
#[test]
fn i11_5_neither_a_command_nor_a_method_writes_a_token_that_cannot_be_one() {
    const REFUSED: &str = "no account can sign in with this, and nothing was written: the Telegram bot token does not look like one";
    let gateway = Gateway::plain();
    let before = std::fs::read_to_string(gateway.config_path()).unwrap();
    for key in ["botToken", "accounts.work.botToken"] {
        let path = format!("channels.telegram.{key}");
        let (code, told) = fails(&gateway, &["config", "set", &path, "123456:half-canary"]);
        assert!(code == 1 && told.starts_with(&format!("Error: {REFUSED}")), "{code} {told}");
        assert!(told.contains("@BotFather") && told.contains(&format!("({path})")), "{told}");
        assert!(!told.contains("canary"), "{told}");
    }
    let mut client = Client::operator(&gateway, 4);
    let hash = client.ok("config.get", json!({}))["hash"].clone();
    let patch = "{channels: {telegram: {botToken: '123456:half-canary'}}}";
    let error = client.fails("config.patch", json!({"raw": patch, "baseHash": hash}));
    assert!(error["message"].as_str().unwrap().starts_with(REFUSED), "{error}");
    assert_eq!(std::fs::read_to_string(gateway.config_path()).unwrap(), before);
    // One that is off, or that was there before, is in nobody's way.
    let with = |section: Value| {
        let whole =
            merged(serde_json::from_str(&before).unwrap(), &json!({"channels": {"telegram": section}}));
        std::fs::write(gateway.config_path(), whole.to_string()).unwrap();
    };
    with(json!({"enabled": false}));
    out(&gateway, &["config", "set", "channels.telegram.botToken", "123456:half-canary"]);
    with(json!({"botToken": "123456:half-canary"}));
    out(&gateway, &["config", "set", "channels.telegram.dmPolicy", "pairing"]);
    out(&gateway, &["config", "set", "channels.telegram.botToken", "123456:AAabcdefghijklmnopqrstuvwxyz"]);
}
