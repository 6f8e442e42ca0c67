//! What is no value of a key, what nothing reads, and what is said of it.
use super::*;
use crate::config::kinds::{is_clock, is_duration};
use serde_json::json;

#[test]
fn values_that_do_not_fit_are_named() {
    let check = |value: Value, path: &str, message: &str| {
        let errors = check(&value, &["canary".to_string()]).errors;
        assert_eq!(errors.len(), 1, "{value}: {errors:?}");
        assert_eq!((errors[0].path.as_str(), errors[0].message.as_str()), (path, message));
    };
    let port = "expected a whole number from 1 to 65535, got";
    check(
        json!({"gateway": {"port": "18789"}}),
        "gateway.port",
        &format!("{port} \"18789\"; take off the quotes"),
    );
    check(json!({"gateway": {"port": 70000}}), "gateway.port", &format!("{port} 70000"));
    check(json!({"gateway": {"port": 1.5}}), "gateway.port", &format!("{port} 1.5"));
    check(json!({"gateway": {"port": "a canary"}}), "gateway.port", &format!("{port} other text"));
    check(json!({"gateway": {"port": "x".repeat(50)}}), "gateway.port", &format!("{port} other text"));
    check(json!({"gateway": []}), "gateway", "expected an object, got a list");
    check(json!([]), "", "expected an object, got a list");
    check(
        json!({"update": {"channel": "x"}}),
        "update.channel",
        "expected one of \"stable\", \"beta\", \"dev\", got \"x\"",
    );
    check(
        json!({"gateway": {"auth": {"token": 1}}}),
        "gateway.auth.token",
        "expected text, got another number; put it in quotes",
    );
    check(
        json!({"gateway": {"trustedProxies": ["10.0.0.0/8", " ::1 ", "127.0.0.1:80"]}}),
        "gateway.trustedProxies.2",
        "no address; write the proxy's as 10.0.0.1, or a range as 10.0.0.0/8",
    );
    check(
        json!({"tools": {"deny": "exec"}}),
        "tools.deny",
        "expected a list of texts, got other text; put it in [ ]",
    );
    let pinned = |print: &str| json!({"gateway": {"remote": {"tlsFingerprint": print}}});
    check(
        pinned("abc"),
        "gateway.remote.tlsFingerprint",
        "expected the 64 hexadecimal digits of a SHA-256 fingerprint, got other text",
    );
    for print in [" ", &format!("SHA256:{}", "aB:".repeat(32))] {
        assert!(super::check(&pinned(print), &[]).errors.is_empty(), "{print}");
    }
    check(
        json!({"agents": {"list": [{"tools": {"exec": {"host": 1}}}]}}),
        "agents.list.0.tools.exec.host",
        "expected one of \"sandbox\", \"gateway\", \"node\", got 1",
    );
    check(
        json!({"tools": {"allow": ["a"], "alsoAllow": ["b"]}}),
        "tools.alsoAllow",
        "allow and alsoAllow exclude each other; move all entries to one of them",
    );
    check(
        json!({"channels": {"whatsapp": {"accounts": {"a": {"dmPolicy": "open"}}}}}),
        "channels.whatsapp.accounts.a.dmPolicy",
        "\"open\" lets anyone write; add \"*\" to allowFrom, or choose \"pairing\"",
    );
}

#[test]
fn durations_and_clocks() {
    for (text, want) in [
        ("30m", true),
        ("0m", true),
        ("1h30m", true),
        ("500ms", true),
        ("90", true),
        ("", false),
        ("x", false),
        ("5 m", false),
        ("5y", false),
    ] {
        assert_eq!(is_duration(text), want, "{text}");
    }
    for (text, want) in [
        ("08:00", true),
        ("24:00", true),
        ("24:01", false),
        ("8:00", false),
        ("0800", false),
        ("+1:00", false),
    ] {
        assert_eq!(is_clock(text), want, "{text}");
    }
}

#[test]
fn unknown_keys_are_warnings_with_a_suggestion() {
    let findings = check(
        &json!({"gateway": {"prot": 1, "token": "x"}, "plugins": {"entries": {"p": {"config": {"any": 1}}}}, "channels": {"telegrm": {}}}),
        &[],
    );
    assert!(findings.errors.is_empty(), "{findings:?}");
    let unknown: Vec<String> =
        findings.warnings.iter().map(|i| format!("{}: {}", i.path, i.message)).collect();
    assert_eq!(
        unknown,
        [
            "gateway.prot: unknown key, not read; did you mean gateway.port?",
            "channels.telegrm: unknown key, not read; did you mean channels.telegram?",
        ]
    );
    assert_eq!(findings.legacy.len(), 1);
}

#[test]
fn r_06d_a_variable_in_small_letters_is_told() {
    let told = |value: Value| {
        let found = check(&value, &[]);
        let paths = |list: &[Issue]| list.iter().map(|i| i.path.clone()).collect::<Vec<_>>().join(" ");
        (paths(&found.errors), paths(&found.warnings))
    };
    let key = "models.providers.a.apiKey".to_string();
    let of = |text: &str| told(json!({"models": {"providers": {"a": {"apiKey": text}}}}));
    assert_eq!(of("${my_key}"), (key.clone(), String::new()));
    assert_eq!(of("x-${my_Key}"), (key, String::new()));
    for text in ["${MY_KEY}", "${my key}", "${1a}", "$my_key", "${}", "${a"] {
        assert_eq!(of(text), (String::new(), String::new()), "{text}");
    }
    let name = told(json!({"ui": {"assistant": {"name": "I am ${name}"}}}));
    assert_eq!(name, (String::new(), "ui.assistant.name".to_string()));
    let password = told(json!({"gateway": {"auth": {"password": "a${b}"}}}));
    assert_eq!(password, (String::new(), "gateway.auth.password".to_string()), "it may be meant");
}

#[test]
fn agent_ids_that_are_read_otherwise_are_told() {
    let told = |ids: Value| {
        let list: Vec<Value> = ids.as_array().unwrap().iter().map(|id| json!({"id": id})).collect();
        let found = check(&json!({"agents": {"list": list}}), &[]);
        assert!(found.errors.is_empty(), "{found:?}");
        found.warnings.iter().map(|i| format!("{} {}", i.path, i.message)).collect::<Vec<_>>()
    };
    assert_eq!(told(json!(["main", "Work", "a_b-c"])), [""; 0]);
    assert_eq!(
        told(json!(["a", "../x", "A "])),
        [
            "agents.list.1.id read as \"x\"; write it so",
            "agents.list.2.id another agent is \"a\" too, this one is not read; give it an id of its own",
        ]
    );
}

/// S-L14, issue 9: names of proxies, as the original lets them through.
#[test]
fn s_l14_a_proxy_s_name_refuses_no_start_and_a_wrong_address_does() {
    let found = |text: &str| check(&json!({"gateway": {"trustedProxies": [text]}}), &[]);
    for (name, told) in [
        ("localhost", "read as 127.0.0.0/8"),
        (" LocalHost ", "read as 127.0.0.0/8"),
        ("traefik", "not looked up"),
        ("proxy.example.org", "not looked up"),
    ] {
        let found = found(name);
        assert!(found.errors.is_empty() && found.warnings.len() == 1, "{name}: {found:?}");
        assert!(found.warnings[0].message.contains(told), "{name}: {found:?}");
    }
    for wrong in ["127.0.0.l", "10.0.0.*", "1.2.3.4:80", "10.0.0", "fe80::x", "localhost:80", "http://a", ""]
    {
        let found = found(wrong);
        assert!(found.errors.len() == 1 && found.warnings.is_empty(), "{wrong}: {found:?}");
    }
}
