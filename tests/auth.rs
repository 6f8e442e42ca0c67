//! Shared secrets and the limit on guessing. Device identities stand in `devices.rs`, scopes in `scopes.rs`.
use crate::harness::*;
use std::io::Write;
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
    // N-9: how long, and who it was.
    let text = message(&error);
    assert!(text.starts_with("unauthorized: too many failed authentication attempts (retry with"), "{text}");
    assert!(
        text.contains(&format!("client \"gateway-client\" at 127.0.0.1 (pid {} (", std::process::id())),
        "{text}"
    );
    assert_eq!(error["retryable"], true);
    let wait = error["retryAfterMs"].as_u64().expect("a time to wait");
    assert!(wait > 40_000 && text.contains(&format!("in {} s", wait / 1000 + 1)), "{error}");
    let log = gateway.log();
    assert!(log.contains("wrong secret from client") && log.contains("): 5 of 10 within 60 s"), "{log}");
}

// N-9: somebody's wrong secrets refuse nobody's right one, by whatever way it comes.
#[test]
fn n_9_a_right_secret_passes_among_wrong_ones() {
    let few = json!({"gateway": {"auth": {"rateLimit": {"maxAttempts": 2}}}});
    let gateway = Gateway::start(&Setup::config(few));
    let device = Device::new();
    let connect = |auth: Value| {
        let mut client = Client::open(&gateway);
        let mut params = with_auth(auth);
        device.attach(&mut params, &client.challenge.clone(), Version::V3);
        client.connect(params)
    };
    let hello = connect(json!({"token": TOKEN})).unwrap();
    let device_token = &hello["auth"]["deviceToken"];
    let bearer = |secret: &str| {
        let head = format!("GET /ready HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {secret}\r\n\r\n");
        http::raw(gateway.port, &head)
    };
    let guess =
        || detail(&Client::open(&gateway).refused(with_auth(json!({"token": "guess"}))).0).to_string();
    assert_eq!(
        [guess(), guess(), guess()],
        ["AUTH_TOKEN_MISMATCH", "AUTH_TOKEN_MISMATCH", "AUTH_RATE_LIMITED"]
    );
    let start = Instant::now();
    assert_eq!(guess(), "AUTH_RATE_LIMITED");
    assert!(start.elapsed() >= Duration::from_millis(900), "wrong ones are slow: {:?}", start.elapsed());
    let limited = bearer("guess");
    let seconds: u64 = limited.header("retry-after").and_then(|s| s.parse().ok()).unwrap_or(0);
    assert_eq!((limited.status, (40..=60).contains(&seconds)), (429, true), "{}", limited.head);

    let start = Instant::now();
    connect(json!({"token": TOKEN})).expect("the right token");
    connect(json!({"token": device_token})).expect("the right device token");
    assert_eq!(bearer(TOKEN).status, 200);
    let port = gateway.port.to_string();
    let cli = |token: &str| {
        gateway.cli_env(&["health"], &[("OPENCLAW_GATEWAY_PORT", &port), ("OPENCLAW_GATEWAY_TOKEN", token)])
    };
    let healthy = cli(TOKEN);
    assert!(healthy.status.success(), "{healthy:?}");
    assert!(start.elapsed() < Duration::from_secs(3), "right ones are quick: {:?}", start.elapsed());
    // Who sends nothing has not failed.
    assert_eq!(detail(&Client::open(&gateway).refused(with_auth(json!({}))).0), "DEVICE_IDENTITY_REQUIRED");
    // A guess beside a right device token neither helps nor goes uncounted: it is as slow as any other.
    let start = Instant::now();
    connect(json!({"token": "guess", "deviceToken": device_token})).expect("the device token is right");
    assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
    let told = String::from_utf8_lossy(&cli("wrong-wrong-wrong-wrong").stderr).into_owned();
    assert!(told.contains("last failed: client") && told.contains("Fix: "), "{told}");
}

// S-L2: a proxy's own login is no guess at the gateway's secret.
#[test]
fn s_l2_other_schemes_are_no_guesses() {
    let gateway = Gateway::plain();
    for _ in 0..6 {
        for value in ["Basic b3duZXI6cHc=", "Digest username=\"x\"", "Bearer", "Bearer ", "Negotiate abc"] {
            let head = format!(
                "GET /health HTTP/1.1\r\nHost: a\r\nAuthorization: {value}\r\nConnection: close\r\n\r\n"
            );
            assert_eq!(http::raw(gateway.port, &head).status, 200, "{value}");
        }
    }
    let wrong = "GET /health HTTP/1.1\r\nHost: a\r\nAuthorization: bearer wrong\r\n\r\n";
    assert_eq!(http::raw(gateway.port, wrong).status, 401, "and it was not limited");
}

// S-M10: one connection of a proxy carries several clients; each answers for himself.
#[test]
fn s_m10_each_request_of_a_connection_has_its_own_client() {
    let behind = json!({"gateway": {"trustedProxies": ["127.0.0.1"],
        "auth": {"rateLimit": {"maxAttempts": 3}}}});
    let gateway = Gateway::start(&Setup::config(behind));
    let mut proxy = http::tcp(gateway.port);
    let mut ask = |client: &str, secret: &str| {
        let head = format!(
            "GET /ready HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}\r\nAuthorization: Bearer {secret}\r\n\r\n"
        );
        proxy.write_all(head.as_bytes()).unwrap();
        http::read_answer(&mut proxy).expect("an answer on the same connection").status
    };
    assert_eq!(ask("203.0.113.1", TOKEN), 200);
    let guesses: Vec<u16> = (0..4).map(|_| ask("203.0.113.2", "guess")).collect();
    assert_eq!(guesses, [401, 401, 401, 429], "the guesser is limited");
    assert_eq!(ask("203.0.113.1", "a slip"), 401, "the first client is not");
    assert_eq!(ask("203.0.113.2", TOKEN), 200, "and whoever is right passes");
    // S-M3: a host has all of its /64.
    for n in 0..3 {
        assert_eq!(ask(&format!("2001:db8::{n}"), "guess"), 401);
    }
    assert_eq!(ask("2001:db8::dead:beef", "guess"), 429);
    assert_eq!(ask("2001:db8:0:1::1", "guess"), 401);
}

#[test]
fn sec_19_another_address_is_not_limited() {
    let few = json!({"gateway": {"auth": {"rateLimit": {"maxAttempts": 1}}}});
    let gateway = Gateway::start(&Setup::config(few));
    for _ in 0..2 {
        Client::open(&gateway).refused(with_auth(json!({"token": "guess"})));
    }
    let tcp = http::tcp_from(Ipv4Addr::new(127, 0, 0, 2), gateway.port);
    let mut other = Client::upgrade(tcp, gateway.port, "/", &[]).unwrap().0;
    other.take_challenge();
    assert_eq!(detail(&other.refused(with_auth(json!({"token": "guess"}))).0), "AUTH_TOKEN_MISMATCH");
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

// SEC-19: however many guess on however many connections, by whatever way, leaving early or not: so many are compared.
#[test]
fn sec_19_a_flood_of_guesses_is_bounded_and_the_right_secret_gets_in() {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    const SECONDS: usize = 4;
    let gateway = Gateway::plain();
    let (stop, compared) = (AtomicBool::new(false), AtomicUsize::new(0));
    let guess = |n: usize| -> Option<()> {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", gateway.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(if n < 32 { 3000 } else { 60 }))).ok()?;
        let one = "GET /ready HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer guess\r\n\r\n";
        stream.write_all(one.repeat(20).as_bytes()).ok()?;
        while let Some(answer) = http::read_answer(&mut stream) {
            assert_ne!(answer.status, 200);
            compared.fetch_add(1, Ordering::Relaxed);
        }
        Some(())
    };
    std::thread::scope(|scope| {
        for n in 0..64 {
            let (guess, stop) = (&guess, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    // One that was sent away comes again.
                    let _ = guess(n);
                }
            });
        }
        std::thread::sleep(Duration::from_secs(1));
        let before = compared.load(Ordering::Relaxed);
        let start = Instant::now();
        let mut waits = Vec::new();
        let whole = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while start.elapsed() < Duration::from_secs(SECONDS as u64) {
                let since = Instant::now();
                Client::open(&gateway).connect(params(4)).expect("the right one is never refused");
                waits.push(since.elapsed());
            }
        }));
        let (count, took) = (compared.load(Ordering::Relaxed) - before, start.elapsed().as_secs_f64());
        stop.store(true, Ordering::Relaxed);
        assert!(whole.is_ok());
        assert!((count as f64) < 40.0 * took + 16.0, "{count} guesses were answered in {took} s");
        waits.sort();
        assert!(waits[waits.len() / 2] < Duration::from_secs(3), "{waits:?}");
        println!("{count} in {took} s; {waits:?}");
    });
}

// SEC-19: a flood of guesses holds up nobody who shows no secret, not even from the same address.
#[test]
fn sec_19_a_flood_of_guesses_slows_no_health_check() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let gateway = Gateway::plain();
    let (stop, port) = (AtomicBool::new(false), gateway.port);
    let ask = |more: &str| {
        http::raw(
            port,
            &format!("GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{more}\r\n"),
        )
        .status
    };
    let mut waits = std::thread::scope(|scope| {
        for _ in 0..60 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    // Whatever it is told, or not; who was sent away comes again.
                    let _ = std::panic::catch_unwind(|| ask("Authorization: Bearer guess\r\n"));
                }
            });
        }
        std::thread::sleep(Duration::from_secs(2));
        let waits: Vec<Duration> = (0..15)
            .map(|_| {
                let since = Instant::now();
                assert_eq!(ask(""), 200);
                since.elapsed()
            })
            .collect();
        stop.store(true, Ordering::Relaxed);
        waits
    });
    waits.sort();
    assert!(waits[7] < Duration::from_millis(500), "{waits:?}");
}
