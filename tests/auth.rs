//! Shared secrets and the limit on guessing. Device identities stand in `devices.rs`, scopes in `scopes.rs`.
use crate::harness::*;
use std::net::Ipv4Addr;

const PASSWORD: &str = "a long enough password 77";

fn with_auth(auth: Value) -> Value {
    let mut params = params(4);
    params["auth"] = auth;
    params
}

fn message(error: &Value) -> &str {
    error["message"].as_str().unwrap()
}

fn detail(error: &Value) -> &str {
    error["details"]["code"].as_str().unwrap()
}

#[test]
fn a_wrong_token_says_so_and_names_the_fix() {
    let gateway = Gateway::plain();
    for (id, mode, hint) in [
        ("cli", "cli", "set gateway.remote.token to match gateway.auth.token"),
        ("webchat", "webchat", "open the dashboard URL and paste the token in Control UI settings"),
        ("test", "test", "provide gateway auth token"),
    ] {
        let mut params = with_auth(json!({"token": "not the token"}));
        (params["client"]["id"], params["client"]["mode"]) = (json!(id), json!(mode));
        let (error, closed) = Client::open(&gateway).refused(params);
        assert_eq!(message(&error), format!("unauthorized: gateway token mismatch ({hint})"));
        assert_eq!(
            (error["code"].as_str().unwrap(), detail(&error)),
            ("INVALID_REQUEST", "AUTH_TOKEN_MISMATCH")
        );
        assert_eq!(closed.0, 1008);
    }
}

#[test]
fn no_credentials_and_no_device_is_not_paired() {
    let gateway = Gateway::plain();
    for auth in [json!({}), json!({"token": ""}), Value::Null] {
        let mut params = with_auth(auth.clone());
        if auth.is_null() {
            params.as_object_mut().unwrap().remove("auth");
        }
        let (error, closed) = Client::open(&gateway).refused(params);
        assert_eq!(
            (error["code"].as_str().unwrap(), message(&error)),
            ("NOT_PAIRED", "device identity required")
        );
        assert_eq!(detail(&error), "DEVICE_IDENTITY_REQUIRED");
        assert_eq!(closed, Closed(1008, "device identity required".into()));
    }
}

#[test]
fn a_device_without_credentials_is_told_what_is_missing() {
    let gateway = Gateway::plain();
    let mut client = Client::open(&gateway);
    let mut params = with_auth(json!({}));
    Device::new().attach(&mut params, &client.challenge.clone(), Version::V3);
    let (error, _) = client.refused(params);
    assert!(message(&error).starts_with("unauthorized: gateway token missing ("), "{error}");
    assert_eq!(detail(&error), "AUTH_TOKEN_MISSING");
}

#[test]
fn password_mode_takes_the_password_and_nothing_else() {
    let auth = json!({"gateway": {"auth": {"mode": "password", "password": PASSWORD, "token": null}}});
    let gateway = Gateway::start(&Setup::config(auth));
    Client::open(&gateway).connect(with_auth(json!({"password": PASSWORD}))).unwrap();
    for (auth, start, code) in [
        (json!({"password": "guess"}), "unauthorized: gateway password mismatch (", "AUTH_PASSWORD_MISMATCH"),
        (json!({"token": "guess"}), "unauthorized: gateway password m", "AUTH_PASSWORD_M"),
    ] {
        let (error, _) = Client::open(&gateway).refused(with_auth(auth));
        assert!(message(&error).starts_with(start), "{error}");
        assert!(detail(&error).starts_with(code), "{error}");
    }
}

#[test]
fn sec_04_nothing_unverified_replaces_the_secret() {
    let headers: [&[(&str, &str)]; 3] = [
        &[],
        &[
            ("Tailscale-User-Login", "owner@example.com"),
            ("X-Forwarded-For", "100.64.0.9"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "box.ts.net"),
        ],
        &[("X-OpenClaw-Scopes", "operator.admin"), ("Authorization", "Bearer x")],
    ];
    let long = "x".repeat(20_000);
    for headers in headers {
        // A gateway each, so that the limit on guessing stays out of this.
        let gateway = Gateway::plain();
        let near = format!("{TOKEN} ");
        let tokens = ["wrong", " ", "", &long, &near, &TOKEN[..TOKEN.len() - 1], "null"];
        for token in tokens {
            let mut client = Client::open_with(&gateway, headers);
            let (error, closed) = client.refused(with_auth(json!({"token": token})));
            assert_eq!(closed.0, 1008, "{token:.20?} {headers:?}: {error}");
        }
    }
}

#[test]
fn sec_05_the_secret_grants_what_was_asked_for() {
    let gateway = Gateway::plain();
    let granted = |scopes: Value| {
        let mut params = params(4);
        params["scopes"] = scopes;
        Client::with(&gateway, params).1["auth"]["scopes"].clone()
    };
    assert_eq!(granted(json!(["operator.read"])), json!(["operator.read"]));
    assert_eq!(
        granted(json!(["operator.write", "operator.read"])),
        json!(["operator.write", "operator.read"])
    );
    assert_eq!(granted(json!([])), json!(["operator.admin"]), "the shared secret is the single owner's");
    let mut without = params(3);
    without.as_object_mut().unwrap().remove("scopes");
    assert_eq!(Client::with(&gateway, without).1["auth"]["scopes"], json!(["operator.admin"]));
}

#[test]
fn sec_06_identity_headers_of_strangers_are_ignored() {
    let gateway = Gateway::plain();
    let mut client = Client::open_with(&gateway, &[("X-OpenClaw-Scopes", "operator.admin")]);
    let hello = client.connect(client::scoped(&["operator.read"])).unwrap();
    assert_eq!(hello["auth"]["scopes"], json!(["operator.read"]));
    assert!(client.fails("config.get", json!({}))["message"].as_str().unwrap().contains("operator.admin"));
}

#[test]
fn sec_19_guessing_is_limited_on_loopback_too() {
    let gateway = Gateway::plain();
    let mut limited = None;
    for n in 1..=30 {
        // Every other guess brings a device token nobody issued: it must not help.
        let auth = if n % 2 == 0 {
            json!({"token": "guess"})
        } else {
            json!({"token": "guess", "deviceToken": "0f0f"})
        };
        let (error, _) = Client::open(&gateway).refused(with_auth(auth));
        if detail(&error) == "AUTH_RATE_LIMITED" {
            limited = Some((n, error));
            break;
        }
    }
    let (n, error) = limited.expect("the limit is reached within 30 guesses");
    assert!((10..=12).contains(&n), "limited at guess {n}, documented are 10 a minute");
    assert_eq!(message(&error), "unauthorized: too many failed authentication attempts (retry later)");
    assert_eq!(error["retryable"], true);
    assert!(error["retryAfterMs"].as_u64().is_some_and(|ms| ms > 0), "{error}");

    let tcp = http::tcp_from(Ipv4Addr::new(127, 0, 0, 2), gateway.port);
    let mut other = Client::upgrade(tcp, gateway.port, "/", &[]).unwrap().0;
    other.take_challenge();
    other.connect(params(4)).expect("the right token from another address is unaffected");
}

#[test]
fn right_credentials_never_count_as_guesses() {
    let gateway = Gateway::plain();
    for n in 0..40 {
        Client::open(&gateway).connect(params(3 + n % 2)).unwrap();
    }
}

#[test]
fn the_secret_from_the_environment_works() {
    let open = json!({"gateway": {"mode": "local", "auth": {"mode": "token"}}}).to_string();
    let gateway = Gateway::start(&Setup::text(&open).env("OPENCLAW_GATEWAY_TOKEN", TOKEN));
    Client::open(&gateway).connect(params(4)).unwrap();
    let gateway = Gateway::start(&Setup::text(&open).arg("--token").arg(TOKEN));
    Client::open(&gateway).connect(params(4)).unwrap();
}
