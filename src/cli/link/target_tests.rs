//! Tests of `target.rs`.
use super::*;
use crate::cli::parse::{Request, parse};
use crate::config::testing::Dir;

fn args(line: &str) -> Args {
    let line = format!("health {line}");
    match parse(line.split_whitespace().map(Into::into).collect()) {
        Ok(Request::Run { args, .. }) => args,
        other => panic!("{line}: {other:?}"),
    }
}

fn resolve(config: &str, vars: &[(&str, &str)], line: &str) -> Result<Target> {
    let dir = Dir::new();
    dir.write("openclaw.json", config);
    let mut env = dir.env(vars);
    let config = Config::load(&mut env).unwrap();
    Target::resolve(&env, &config, &args(line))
}

/// R-05a: all 16 combinations of the sources, for a local gateway and in remote mode.
#[test]
fn a_credential_comes_from_the_first_source_that_has_one() {
    for combination in 0..16u8 {
        let has = |bit: u8| combination & (1 << bit) != 0;
        let line = if has(0) { "--token FLAG" } else { "" };
        let vars: &[(&str, &str)] = if has(1) { &[("OPENCLAW_GATEWAY_TOKEN", "ENV")] } else { &[] };
        let remote = if has(2) { ", token: 'REMOTE'" } else { "" };
        let auth = if has(3) { "auth: {token: 'AUTH'}, " } else { "" };
        for mode in ["local", "remote"] {
            let config =
                format!("{{gateway: {{mode: '{mode}', {auth}remote: {{url: 'ws://10.0.0.2:1'{remote}}}}}}}");
            let token = resolve(&config, vars, line).unwrap().token;
            let want = match (has(0), has(1), mode, has(2), has(3)) {
                (true, ..) => Some(("FLAG", "--token")),
                (_, true, ..) => Some(("ENV", "environment OPENCLAW_GATEWAY_TOKEN")),
                (_, _, "remote", true, _) => Some(("REMOTE", "config gateway.remote.token")),
                (_, _, "local", _, true) => Some(("AUTH", "config gateway.auth.token")),
                _ => None,
            };
            let got = token.as_ref().map(|secret| (secret.value.as_str(), secret.source.as_str()));
            assert_eq!(got, want, "{mode} {combination:04b}");
        }
    }
}

#[test]
fn the_address_of_a_local_gateway() {
    let url = |config: &str, vars: &[(&str, &str)]| resolve(config, vars, "").unwrap().url.to_string();
    assert_eq!(url("{}", &[]), "ws://127.0.0.1:18789");
    assert_eq!(url("{gateway: {port: 5}}", &[]), "ws://127.0.0.1:5");
    assert_eq!(url("{gateway: {port: 5}}", &[("OPENCLAW_GATEWAY_PORT", "6")]), "ws://127.0.0.1:6");
    assert_eq!(url("{gateway: {bind: 'lan'}}", &[]), "ws://127.0.0.1:18789");
    assert_eq!(url("{gateway: {tls: {enabled: true}}}", &[]), "wss://127.0.0.1:18789");
}

/// SEC-29: an address from the command line gets nothing that was configured for another gateway.
#[test]
fn another_url_needs_its_own_credentials() {
    let config = "{gateway: {auth: {token: 'AUTH', password: 'P'}}}";
    let vars = [("OPENCLAW_GATEWAY_TOKEN", "ENV")];
    let refused = resolve(config, &vars, "--url ws://127.0.0.1:9").unwrap_err();
    assert!(refused.message().starts_with("gateway url override requires explicit credentials\nFix: "));
    let scheme = resolve(config, &vars, "--url http://x").unwrap_err();
    assert!(scheme.message().starts_with("gateway url has no ws:// or wss:// scheme"), "{scheme}");
    let target = resolve(config, &vars, "--url ws://127.0.0.1:9 --token T").unwrap();
    assert!(!target.is_configured());
    assert_eq!((target.token.unwrap().value.as_str(), target.password.is_none()), ("T", true));
    assert!(
        resolve("{gateway: {mode: 'remote'}}", &[], "")
            .unwrap_err()
            .message()
            .contains("gateway.remote.url missing")
    );
}

/// SEC-29: what the command line gives for `--url` is not sent to the configured gateways.
#[test]
fn options_beside_a_url_are_for_that_url() {
    let dir = Dir::new();
    dir.write("openclaw.json", "{gateway: {remote: {url: 'wss://gw.example', token: 'REMOTE'}}}");
    let mut env = dir.env(&[]);
    let config = Config::load(&mut env).unwrap();
    let pin = "ab".repeat(32);
    let args = args(&format!("--url wss://x.example --token T --tls-fingerprint {pin}"));
    let remote = Target::configured(&env, &config, &args, true).unwrap();
    assert_eq!((remote.token.unwrap().value.as_str(), remote.pin), ("REMOTE", None));
    assert!(Target::configured(&env, &config, &args, false).unwrap().token.is_none());
    let named = Target::resolve(&env, &config, &args).unwrap();
    assert_eq!(named.pin.unwrap().to_string(), format!("sha256:{pin}"));
}

/// A pin never goes unheeded, and the configured one is not for another address.
#[test]
fn where_a_pin_comes_from() {
    let (key, flag) = ("ab".repeat(32), "cd".repeat(32));
    let config = |url: &str| {
        format!("{{gateway: {{mode: 'remote', remote: {{url: '{url}', tlsFingerprint: '{key}'}}}}}}")
    };
    let pin =
        |line: &str| resolve(&config("wss://gw.example"), &[], line).map(|t| t.pin.map(|p| p.to_string()));
    assert_eq!(pin("").unwrap(), Some(format!("sha256:{key}")));
    assert_eq!(pin(&format!("--tls-fingerprint {flag}")).unwrap(), Some(format!("sha256:{flag}")));
    assert_eq!(pin("--url wss://x.example --token T").unwrap(), None);
    assert!(pin("--tls-fingerprint xyz").unwrap_err().message().starts_with("--tls-fingerprint is no"));
    assert!(
        resolve("{}", &[], &format!("--tls-fingerprint {flag}"))
            .unwrap_err()
            .message()
            .contains("requires wss://")
    );
    for line in ["", "--url ws://127.0.0.1:1 --token T --tls-fingerprint x"] {
        let error = resolve(&config("ws://127.0.0.1:1"), &[], line).unwrap_err();
        assert!(error.message().starts_with("gateway tls fingerprint requires wss://"), "{error}");
    }
}

/// SEC-29: what a stored device token is bound to.
#[test]
fn sec_29_gateways_are_told_apart_by_address_and_certificate() {
    let origin = |config: &str, line: &str| resolve(config, &[], line).unwrap().origin.unwrap_or_default();
    let remote = |more: &str| {
        format!("{{gateway: {{mode: 'remote', remote: {{url: 'wss://a.example:1/', {more}}}}}}}")
    };
    assert_eq!(origin("{gateway: {port: 7}}", ""), "local");
    assert_eq!(origin(&remote(""), ""), "wss://a.example:1");
    let pinned = origin(&remote(&format!("tlsFingerprint: '{}'", "ab".repeat(32))), "");
    assert_eq!(pinned, format!("wss://a.example:1 sha256:{}", "ab".repeat(32)));
    assert_eq!(origin(&remote(""), "--url ws://127.0.0.1:9 --token T"), "");
}

/// SEC-29: an SSH destination that is not the configured one gets what the command line gives, nothing else.
#[test]
fn credentials_for_the_end_of_a_tunnel() {
    let dir = Dir::new();
    dir.write("openclaw.json", "{gateway: {auth: {token: 'AUTH'}, remote: {token: 'REMOTE'}}}");
    let mut env = dir.env(&[("OPENCLAW_GATEWAY_PASSWORD", "ENV")]);
    let config = Config::load(&mut env).unwrap();
    let of = |line: &str, is_known: bool| {
        let target = Target::tunnelled(&env, &config, &args(line), "me@box", 5, is_known);
        assert_eq!((target.url.whole(), target.is_configured()), ("ws://127.0.0.1:5", is_known));
        let value = |secret: Option<Secret>| secret.map_or("-".to_string(), |secret| secret.value);
        format!("{} {}", value(target.token), value(target.password))
    };
    assert_eq!((of("", true), of("", false)), ("REMOTE ENV".into(), "- -".into()));
    assert_eq!((of("--token T", true), of("--token T", false)), ("T ENV".into(), "T -".into()));
}

// N-19: the secret that is missing is the one to give. N-8: what is not read for a gateway of this host is no advice.
#[test]
fn n_19_the_advice_is_about_the_secret_that_is_wanted() {
    let refused = |code: &str| Error::new(Kind::Unauthorized, "unauthorized: x").with("code", code);
    let remote = |secret: &str| {
        let text = format!("{{gateway: {{mode: 'remote', remote: {{url: 'wss://x.example'{secret}}}}}}}");
        resolve(&text, &[], "").unwrap()
    };
    for (secret, code, want) in [
        (
            "",
            "AUTH_PASSWORD_MISSING",
            "pass --password, set OPENCLAW_GATEWAY_PASSWORD, or set gateway.remote.password",
        ),
        (", token: 't'", "AUTH_PASSWORD_MISSING", "pass --password, set OPENCLAW_GATEWAY_PASSWORD"),
        ("", "AUTH_TOKEN_MISSING", "pass --token, set OPENCLAW_GATEWAY_TOKEN, or set gateway.remote.token"),
        (
            ", token: 't', password: 'p'",
            "AUTH_PASSWORD_MISMATCH",
            "from config gateway.remote.password; correct",
        ),
        (", token: 't', password: 'p'", "AUTH_TOKEN_MISMATCH", "from config gateway.remote.token; correct"),
    ] {
        let told = remote(secret).explain(refused(code), false);
        assert!(told.message().contains(want), "{code} {told}");
    }
    let hint = "unauthorized: gateway token mismatch (set gateway.remote.token to match gateway.auth.token)";
    let told =
        |target: Target| target.explain(Error::new(Kind::Unauthorized, hint), false).message().to_string();
    assert!(
        told(resolve("{gateway: {port: 1}}", &[], "").unwrap())
            .starts_with("unauthorized: gateway token mismatch\n")
    );
    assert!(told(remote("")).starts_with(hint));
}

// N-29: a variable of a file is said to stand there.
#[test]
fn n_29_where_a_variable_stands() {
    let dir = Dir::new();
    dir.write(".env", "OPENCLAW_GATEWAY_TOKEN=t\n");
    dir.write("openclaw.json", "{env: {vars: {IN_CONFIG: 'x'}}}");
    let mut env = dir.env(&[("GIVEN", "x")]);
    Config::load(&mut env).unwrap();
    let file = env.display(&env.state_dir.join(".env"));
    let place = |name: &str| env.place_of(name);
    assert_eq!(place("OPENCLAW_GATEWAY_TOKEN"), format!("OPENCLAW_GATEWAY_TOKEN in {file}"));
    assert_eq!(place("GIVEN"), "environment GIVEN");
    assert_eq!(place("IN_CONFIG"), "IN_CONFIG in the config's env");
}

#[test]
fn an_explanation_names_sources_and_no_values() {
    let vars = [("OPENCLAW_GATEWAY_TOKEN", "secret-canary")];
    let target = resolve("{gateway: {auth: {password: 'secret-canary'}}}", &vars, "").unwrap();
    let error = target.explain(Error::new(Kind::Unauthorized, "unauthorized: x"), true);
    for part in [
        "unauthorized: x\nGateway target: ws://127.0.0.1:18789\nSource: local loopback\nConfig: ",
        "\nBind: loopback\n",
        "\nCredential: token from environment OPENCLAW_GATEWAY_TOKEN, password from config gateway.auth.password, device token",
        "\nFix: the gateway expects another secret than the one from environment OPENCLAW_GATEWAY_TOKEN",
    ] {
        assert!(error.message().contains(part), "{part}: {error}");
    }
    assert!(!format!("{error:?} {target:?}").contains("canary"));
}
