//! Reading: what a mistake takes out, what ends a start, and the order of the steps.
use super::*;
use crate::config::testing::Dir;
use serde_json::json;

fn load(text: &str, vars: &[(&str, &str)]) -> (Loaded, Env) {
    let dir = Dir::new();
    dir.write("openclaw.json", text);
    let mut env = dir.env(vars);
    (read(&mut env), env)
}

#[test]
fn r_06b_an_error_disables_the_smallest_section() {
    let check = |text: &str, section: &str, left: Value| {
        let (loaded, _) = load(text, &[]);
        assert!(loaded.fatal.is_none(), "{text}: {:?}", loaded.fatal);
        assert_eq!(loaded.disabled, [section], "{text}");
        assert_eq!(loaded.value, left, "{text}");
        assert!(loaded.issues[0].text().contains(section), "{:?}", loaded.issues);
    };
    check(
        "{channels: {telegram: {enabled: 'perhaps'}, whatsapp: {debounceMs: 1}}}",
        "channels.telegram",
        json!({"channels": {"telegram": {}, "whatsapp": {"debounceMs": 1}}}),
    );
    check(
        "{models: {providers: {'my.host': {baseUrl: []}, b: {}}}}",
        "models.providers.my.host",
        json!({"models": {"providers": {"b": {}}}}),
    );
    check(
        "{models: {providers: {a: {apiKey: '${NOPE}'}}}}",
        "models.providers.a",
        json!({"models": {"providers": {}}}),
    );
    check(
        "{agents: {defaults: {timeoutSeconds: 'x', workspace: 'w'}}, tools: {}}",
        "agents.defaults.timeoutSeconds",
        json!({"agents": {"defaults": {"workspace": "w"}}, "tools": {}}),
    );
    check("{tools: {deny: 'exec, x', web: {}}}", "tools", json!({}));
    check(
        "{tools: {deny: ['x'], exec: {timeoutSec: []}}}",
        "tools.exec.timeoutSec",
        json!({"tools": {"deny": ["x"], "exec": {}}}),
    );
    check(
        "{models: {providers: {b: {baseUrl: 'x', retries: 'y'}}}}",
        "models.providers.b.retries",
        json!({"models": {"providers": {"b": {"baseUrl": "x"}}}}),
    );
    check("{agents: {$include: 'none.json'}, tools: {}}", "agents", json!({"tools": {}}));
    check("{channels: 5}", "channels", json!({}));
    check("{logging: {level: 'loud', file: 'f'}}", "logging.level", json!({"logging": {"file": "f"}}));
    check(
        "{logging: {redactPatterns: ['${NOPE}'], file: 'f'}}",
        "logging.redactPatterns",
        json!({"logging": {"file": "f"}}),
    );
    check("{session: {scope: 1, store: 's'}}", "session.scope", json!({"session": {"store": "s"}}));
    for (key, value) in [("dmScope", "1"), ("identityLinks", "[1]"), ("sendPolicy", "{rules: 5}")] {
        let text = format!("{{session: {{{key}: {value}, store: 's'}}}}");
        check(&text, &format!("session.{key}"), json!({"session": {"store": "s"}}));
    }
    check("{ui: {$include: 'none.json', seamColor: 'x'}}", "ui", json!({}));
}

#[test]
fn s_h4_a_text_that_is_too_long_costs_its_key() {
    let long = "x".repeat(16_385);
    for (text, cut, left) in [
        (
            format!("{{messages: {{responsePrefix: '{long}', ackReaction: 'y'}}}}"),
            "messages.responsePrefix",
            json!({"messages": {"ackReaction": "y"}}),
        ),
        (
            format!("{{agents: {{list: [{{id: 'a', name: '{long}'}}, {{id: 'b'}}]}}}}"),
            "agents.list.0.name",
            json!({"agents": {"list": [{"id": "a"}, {"id": "b"}]}}),
        ),
        (
            format!("{{logging: {{redactPatterns: ['a', '{long}'], level: 'info'}}}}"),
            "logging.redactPatterns",
            json!({"logging": {"level": "info"}}),
        ),
    ] {
        let (loaded, _) = load(&text, &[]);
        assert!(loaded.fatal.is_none() && loaded.value == left, "{cut}: {}", loaded.value);
        assert_eq!(loaded.disabled, [cut]);
        let told = loaded.issues[0].text();
        assert!(
            told.starts_with("a text of more than 16384 characters; shorten it; ") && told.len() < 200,
            "{told}"
        );
    }
    let fits = "x".repeat(16_384);
    let picture = format!("data:image/png;base64,{}", "A".repeat(100_000));
    let text =
        format!("{{messages: {{responsePrefix: '{fits}'}}, ui: {{assistant: {{avatar: '{picture}'}}}}}}");
    assert!(load(&text, &[]).0.issues.is_empty());
}

#[test]
fn b_f25_one_bad_account_leaves_the_others_and_one_bad_key_the_account() {
    for (section, cut, runs) in [
        ("accounts: {a: 7, b: {}}", "channels.telegram.accounts.a", &["b"][..]),
        ("accounts: {'Work Bot': {dmPolicy: 5}, b: {}}", "channels.telegram.accounts.Work Bot", &["b"]),
        ("accounts: {a: {dmPolicy: 'open'}, b: {}}", "channels.telegram.accounts.a", &["b"]),
        ("accounts: {a: {allowFrom: {}}, b: {}}", "channels.telegram.accounts.a", &["b"]),
        ("accounts: {a: {webhookPort: 'x'}, b: {}}", "channels.telegram.accounts.a", &["b"]),
        ("accounts: {a: {botToken: '${NOPE}'}, b: {}}", "channels.telegram.accounts.a", &["b"]),
        // Nobody stands in for the only one.
        ("botToken: 'x', accounts: {a: 7}", "channels.telegram.accounts.a", &[]),
        (
            "accounts: {a: {historyLimit: 'x'}, b: {}}",
            "channels.telegram.accounts.a.historyLimit",
            &["a", "b"],
        ),
        (
            "accounts: {a: {retry: {jitter: 7}}, b: {}}",
            "channels.telegram.accounts.a.retry.jitter",
            &["a", "b"],
        ),
        (
            "customCommands: [{command: {}}, {}], accounts: {a: {}}",
            "channels.telegram.customCommands",
            &["a"],
        ),
        ("textChunkLimit: 'x', botToken: 'x'", "channels.telegram.textChunkLimit", &["default"]),
        ("dmPolicy: 5, accounts: {a: {}}", "channels.telegram", &[]),
        // Those of a channel by a program, too.
        ("}, mine: {command: 'x', accounts: {a: 7, b: {}}", "channels.mine.accounts.a", &["default"]),
        ("accounts: 7", "channels.telegram", &[]),
    ] {
        let dir = Dir::new();
        let config = dir.config(&format!("{{channels: {{telegram: {{{section}}}}}}}"));
        assert_eq!(config.inner.loaded.disabled, [cut], "{section}");
        let mut ids = crate::channels::accounts::ids(&config, "telegram");
        ids.retain(|id| crate::channels::accounts::Account::of(&config, "telegram", id).is_enabled());
        assert_eq!(ids, runs, "{section}");
    }
}

#[test]
fn b_f25_one_bad_entry_leaves_the_other_agents() {
    let check = |list: &str, cut: &str, barred: &[&str]| {
        let text = format!("{{agents: {{list: [{list}]}}}}");
        let dir = Dir::new();
        dir.write("openclaw.json", &text);
        let config = crate::config::Config::load(&mut dir.env(&[])).unwrap();
        assert_eq!(config.inner.loaded.disabled, [cut], "{list}");
        for id in ["main", "a", "b", "c"] {
            assert_eq!(config.bars(id).is_some(), barred.contains(&id), "{list}: {id}");
        }
    };
    check("{id: 'a'}, {id: 'b', name: []}, {id: 'c'}", "agents.list.1.name", &[]);
    check(
        "{id: 'a'}, {id: 'b', tools: {exec: {timeoutSec: 'x'}}}",
        "agents.list.1.tools.exec.timeoutSec",
        &[],
    );
    check("{id: 'a'}, {id: 'b', tools: {deny: {}}}", "agents.list.1.tools", &["b"]);
    check("{id: 'a'}, {id: 'b', model: {primary: []}}", "agents.list.1.model.primary", &["b"]);
    check("{id: 'a'}, {id: 'b', model: []}", "agents.list.1.model", &["b"]);
    check("{id: 'a', workspace: {}}, {id: 'b'}", "agents.list.0.workspace", &["a"]);
    check("{id: 'a'}, {id: []}", "agents.list.1.id", &[]);
    check("{id: 'a'}, 5", "agents.list.1", &[]);
    check("{id: []}, {id: 'a'}", "agents.list.0.id", &["main"]);
    check("{id: []}, {id: 'a', default: true}", "agents.list.0.id", &[]);
    check("{id: 'a'}, {id: [], default: true}, {id: 'main'}", "agents.list.1.id", &["main"]);
    check("{id: 'a'}, {id: 'b', default: 'perhaps'}, {id: 'c'}", "agents.list.1.default", &["a"]);
    check("{id: 'a', default: 'perhaps'}, {id: 'b'}", "agents.list.0.default", &[]);
    check("{id: 'a', default: true}, {id: 'b', default: 'perhaps'}", "agents.list.1.default", &[]);
}

#[test]
fn r_06b_the_file_and_the_gateway_section_refuse_a_start() {
    let check = |text: &str, want: &str| {
        let (loaded, env) = load(text, &[]);
        let file = env.config_path.display().to_string();
        assert_eq!(loaded.fatal.as_ref().map_or("", Error::message).replace(&file, "F"), want, "{text}");
        assert!(!loaded.issues.is_empty());
    };
    check("\n", "config F is empty; remove it and run `openclaw setup`");
    check("{\n  a: {b: 1", "config F:2:6: the object that begins here is never closed; close it");
    let told = |bak: bool| {
        let dir = Dir::new();
        dir.write("openclaw.json", "{");
        if bak {
            dir.write("openclaw.json.bak", "{}");
        }
        read(&mut dir.env(&[])).fatal.unwrap().message().to_string()
    };
    assert!(
        told(true)
            .ends_with("close it, or copy openclaw.json.bak over the file (`openclaw config rollback`)"),
        "it is there"
    );
    assert!(told(false).ends_with("; close it"), "it is not");
    check("{\n  a 1}", "config F:2:5: expected colon; correct this line");
    check("[]", "config F:1:1: expected an object, got a list");
    check(
        "{gateway: {port: 'x'}}",
        "config F:1:18: gateway.port: expected a whole number from 1 to 65535, got \"x\"",
    );
    check(
        "{gateway: {port: 0, bind: 1}}",
        "config F:1:18: gateway.port: expected a whole number from 1 to 65535, got 0 (and 1 more)",
    );
    check(
        "{gateway: {auth: {token: '${NOPE}'}}}",
        "config F:1:26: gateway.auth.token: environment variable \"NOPE\" is not set; set it, or write the value in place of ${NOPE}",
    );
}

#[test]
fn steps_happen_in_order() {
    let text = "{env: {vars: {DIR: '~/x'}}, agents: {defaults: {workspace: '${DIR}', model: 'a/b', skipBootstrap: null}}, session: {mainKey: 'x'}}";
    let (loaded, env) = load(text, &[]);
    assert_eq!(loaded.issues, []);
    assert_eq!(env.var("DIR"), Some("~/x"));
    assert_eq!(
        loaded.value["agents"],
        json!({"defaults": {"workspace": "/h/x", "model": {"primary": "a/b"}}})
    );
    assert_eq!(loaded.value["session"]["mainKey"], "main");
    assert_eq!(loaded.warnings[0].path, "session.mainKey");
}
