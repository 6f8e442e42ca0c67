//! Device identities: signatures, pairing, device tokens, and what they never grant.
use crate::harness::*;

const REMOTE: &[(&str, &str)] = &[("X-Forwarded-For", "203.0.113.7")];

/// A remote device that nobody knows asks to pair; gives the refusal.
pub fn remote_request(gateway: &Gateway, device: &Device, scopes: &[&str]) -> Value {
    let mut client = Client::open_with(gateway, REMOTE);
    let mut params = client::scoped(scopes);
    device.attach(&mut params, &client.challenge.clone(), Version::V3);
    client.refused(params).0
}

fn connect_device(
    gateway: &Gateway,
    device: &Device,
    params: &Value,
    version: Version,
) -> Result<(Client, Value), Value> {
    let mut client = Client::open(gateway);
    let mut params = params.clone();
    device.attach(&mut params, &client.challenge.clone(), version);
    let hello = client.connect(params)?;
    Ok((client, hello))
}

fn with_token(token: &Value, scopes: &[&str]) -> Value {
    let mut params = client::scoped(scopes);
    params["auth"] = json!({"token": token});
    params
}

#[test]
fn signatures_of_version_2_and_3_are_taken() {
    let gateway = Gateway::plain();
    for protocol in [3, 4] {
        for version in [Version::V2, Version::V3] {
            let mut params = params(protocol);
            params["client"]["deviceFamily"] = json!(" Linux ");
            let device = Device::new();
            let (_client, hello) = connect_device(&gateway, &device, &params, version).unwrap();
            let token = hello["auth"]["deviceToken"].as_str().expect("a device token");
            assert!(token.len() >= 32, "{version:?}");
            assert!(hello["auth"]["issuedAtMs"].is_u64());
        }
    }
}

#[test]
fn device_proof_failures_are_told_apart() {
    let gateway = Gateway::plain();
    type Spoil = fn(&mut Value, &Device, &Value);
    let cases: [(&str, &str, Spoil); 7] = [
        ("device identity mismatch", "DEVICE_AUTH_DEVICE_ID_MISMATCH", |p, _, _| {
            p["device"]["id"] = json!("0".repeat(64))
        }),
        (
            "device signature expired: the device's clock is 14 min behind the gateway's",
            "DEVICE_AUTH_SIGNATURE_EXPIRED",
            |p, d, c| {
                // B-F44
                d.attach_as(
                    p,
                    c["nonce"].as_str().unwrap(),
                    c["ts"].as_u64().unwrap() - 14 * 60_000,
                    Version::V3,
                );
            },
        ),
        (
            "device signature expired: the device's clock is 3 h ahead of the gateway's",
            "DEVICE_AUTH_SIGNATURE_EXPIRED",
            |p, d, c| {
                d.attach_as(
                    p,
                    c["nonce"].as_str().unwrap(),
                    c["ts"].as_u64().unwrap() + 3 * 3_601_000,
                    Version::V2,
                );
            },
        ),
        ("device nonce mismatch", "DEVICE_AUTH_NONCE_MISMATCH", |p, d, c| {
            d.attach_as(p, "7b0cbb6e-1111-4222-8333-944455566677", c["ts"].as_u64().unwrap(), Version::V3);
        }),
        ("device signature invalid", "DEVICE_AUTH_SIGNATURE_INVALID", |p, d, _| {
            p["device"]["signature"] = json!(d.sign_text("something else"));
        }),
        ("device signature invalid", "DEVICE_AUTH_SIGNATURE_INVALID", |p, _, _| {
            p["scopes"] = json!(["operator.admin", "x"])
        }),
        ("device signature invalid", "DEVICE_AUTH_SIGNATURE_INVALID", |p, _, _| p["role"] = json!("node")),
    ];
    for (message, code, spoil) in cases {
        let mut client = Client::open(&gateway);
        let (device, challenge) = (Device::new(), client.challenge.clone());
        let mut params = params(4);
        device.attach(&mut params, &challenge, Version::V3);
        spoil(&mut params, &device, &challenge);
        let (error, closed) = client.refused(params);
        assert_eq!((&error["message"], &error["details"]["code"]), (&json!(message), &json!(code)));
        assert_eq!(closed, Closed(1008, message.into()));
    }
}

#[test]
fn a_remote_device_needs_the_nonce() {
    let gateway = Gateway::plain();
    let mut client = Client::open_with(&gateway, REMOTE);
    let mut params = params(3);
    Device::new().attach(&mut params, &client.challenge.clone(), Version::V2);
    params["device"].as_object_mut().unwrap().remove("nonce");
    let (error, _) = client.refused(params);
    assert_eq!(error["message"], "device nonce required");
}

#[test]
fn a_device_token_works_instead_of_the_secret() {
    let gateway = Gateway::plain();
    let (device, scopes) = (Device::new(), ["operator.read", "operator.write"]);
    let (_client, hello) = connect_device(&gateway, &device, &client::scoped(&scopes), Version::V3).unwrap();
    let token = &hello["auth"]["deviceToken"];

    let (_client, again) =
        connect_device(&gateway, &device, &with_token(token, &scopes), Version::V3).unwrap();
    assert_eq!(&again["auth"]["deviceToken"], token, "the same token for the same scopes");
    let (_client, less) =
        connect_device(&gateway, &device, &with_token(token, &scopes[..1]), Version::V2).unwrap();
    assert_eq!(less["auth"]["scopes"], json!(["operator.read"]));

    let other = connect_device(&gateway, &Device::new(), &with_token(token, &scopes), Version::V3).err();
    assert!(other.is_some(), "another device cannot use it");
    let more = connect_device(&gateway, &device, &with_token(token, &["operator.admin"]), Version::V3).err();
    assert!(more.is_some(), "SEC-05: never more than was paired");
    let mut bare = Client::open(&gateway);
    bare.refused(with_token(token, &scopes));
}

#[test]
fn r_05d_the_shared_token_wins_over_a_stale_device_token() {
    let gateway = Gateway::plain();
    let device = Device::new();
    let mut params = params(4);
    params["auth"] = json!({"token": TOKEN, "deviceToken": "00000000000000000000000000000000"});
    let (_client, hello) = connect_device(&gateway, &device, &params, Version::V3).unwrap();
    assert!(hello["auth"]["deviceToken"].is_string(), "the device token is issued anew");
}

#[test]
fn pairing_a_remote_device_takes_an_approval() {
    let gateway = Gateway::plain();
    let (mut admin, _) = Client::with(&gateway, params(4));
    let device = Device::new();
    let refusal = remote_request(&gateway, &device, &["operator.read"]);
    assert_eq!(
        (&refusal["code"], &refusal["details"]["code"]),
        (&json!("NOT_PAIRED"), &json!("PAIRING_REQUIRED"))
    );
    assert!(refusal["message"].as_str().unwrap().starts_with("pairing required"), "{refusal}");
    let request = refusal["details"]["requestId"].as_str().unwrap();
    assert_eq!(admin.event("device.pair.requested")["requestId"], request);
    let again = remote_request(&gateway, &device, &["operator.read"]);
    assert_eq!(again["details"]["requestId"], request, "one request per device");

    let list = admin.ok("device.pair.list", json!({}));
    assert_eq!(list["pending"][0]["deviceId"], device.id());
    let approved = admin.ok("device.pair.approve", json!({"requestId": request}));
    assert_eq!(approved["device"]["deviceId"], device.id());
    let resolved = admin.event_where("device.pair.resolved", |p| p["requestId"] == request);
    assert_eq!((&resolved["decision"], &resolved["deviceId"]), (&json!("approved"), &json!(device.id())));

    let mut client = Client::open_with(&gateway, REMOTE);
    let mut params = client::scoped(&["operator.read"]);
    device.attach(&mut params, &client.challenge.clone(), Version::V3);
    client.connect(params).expect("paired now");
    let unknown = admin.fails("device.pair.approve", json!({"requestId": request}));
    assert_eq!(unknown["message"], "unknown requestId");
}

#[test]
fn a_rejected_device_stays_out() {
    let gateway = Gateway::plain();
    let (mut admin, _) = Client::with(&gateway, params(3));
    let refusal = remote_request(&gateway, &Device::new(), &["operator.read"]);
    let request = &refusal["details"]["requestId"];
    let rejected = admin.ok("device.pair.reject", json!({"requestId": request}));
    assert_eq!(&rejected["requestId"], request);
    let resolved = admin.event_where("device.pair.resolved", |p| &p["requestId"] == request);
    assert_eq!(resolved["decision"], "rejected");
    assert_eq!(admin.ok("device.pair.list", json!({}))["pending"], json!([]));
}

#[test]
fn sec_07_nobody_hands_out_more_than_he_has() {
    let gateway = Gateway::plain();
    let device = Device::new();
    let scopes = ["operator.pairing", "operator.read"];
    let (mut pairer, _) = connect_device(&gateway, &device, &client::scoped(&scopes), Version::V3).unwrap();
    let id = device.id();
    for wanted in
        [json!(["operator.admin"]), json!(["operator.read", "operator.write"]), json!(["OPERATOR.ADMIN"])]
    {
        let params = json!({"deviceId": id, "role": "operator", "scopes": wanted});
        if let Ok(rotated) = pairer.call("device.token.rotate", params) {
            let got = rotated["scopes"].as_array().unwrap();
            assert!(got.iter().all(|s| scopes.contains(&s.as_str().unwrap())), "{wanted} gave {rotated}");
        }
    }
    assert!(
        pairer.call("device.token.rotate", json!({"deviceId": id, "role": "node"})).is_err(),
        "no new role"
    );

    let stranger = Device::new();
    let refusal = remote_request(&gateway, &stranger, &["operator.admin"]);
    let approval = pairer.call("device.pair.approve", json!({"requestId": refusal["details"]["requestId"]}));
    if let Ok(approved) = approval {
        assert!(!approved.to_string().contains("operator.admin"), "{approved}");
    }
}

#[test]
fn sec_08_a_revoked_token_is_dead_now_and_after_a_restart() {
    let mut gateway = Gateway::plain();
    let (mut admin, _) = Client::with(&gateway, params(4));
    let device = Device::new();
    let (_first, hello) =
        connect_device(&gateway, &device, &client::scoped(&["operator.read"]), Version::V3).unwrap();
    let token = hello["auth"]["deviceToken"].clone();
    let params = with_token(&token, &["operator.read"]);
    let (mut live, _) = connect_device(&gateway, &device, &params, Version::V3).unwrap();
    admin.ok("device.token.revoke", json!({"deviceId": device.id(), "role": "operator"}));
    let start = Instant::now();
    let Closed(code, reason) = live.until_closed();
    assert!(start.elapsed() < Duration::from_secs(1), "closed after {:?}", start.elapsed());
    assert!(code != 1006 && !reason.is_empty(), "{code} {reason}");

    assert!(connect_device(&gateway, &device, &params, Version::V3).is_err(), "refused at once");
    gateway.stop();
    gateway.restart();
    assert!(connect_device(&gateway, &device, &params, Version::V3).is_err(), "refused after a restart");
}

#[test]
fn rotating_gives_a_new_token_and_kills_the_old() {
    let gateway = Gateway::plain();
    let (mut admin, _) = Client::with(&gateway, params(4));
    let device = Device::new();
    let scopes = ["operator.read"];
    let (_first, hello) = connect_device(&gateway, &device, &client::scoped(&scopes), Version::V3).unwrap();
    let old = &hello["auth"]["deviceToken"];
    let rotated = admin.ok("device.token.rotate", json!({"deviceId": device.id(), "role": "operator"}));
    assert_ne!(&rotated["token"], old);
    assert!(connect_device(&gateway, &device, &with_token(old, &scopes), Version::V3).is_err());
    connect_device(&gateway, &device, &with_token(&rotated["token"], &scopes), Version::V3).unwrap();
    let error = admin.fails("device.token.rotate", json!({"deviceId": "nobody", "role": "operator"}));
    assert_eq!(error["message"], "unknown deviceId/role");
}

#[test]
fn the_pairing_store_is_the_original_s_and_private() {
    use std::os::unix::fs::PermissionsExt;
    let gateway = Gateway::plain();
    let device = Device::new();
    let (mut admin, hello) = connect_device(&gateway, &device, &params(3), Version::V2).unwrap();
    let path = gateway.state_dir().join("devices/paired.json");
    // The client has its token before the file has it: the writer is a thread of its own.
    let record = wait_for("the device in paired.json", || {
        let store: Value = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
        store.get(device.id()).cloned()
    });
    assert_eq!(record["tokens"]["operator"]["token"], hello["auth"]["deviceToken"]);
    assert_eq!(record["publicKey"], device.public_key());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let list = admin.ok("device.pair.list", json!({}));
    assert!(
        !list.to_string().contains(hello["auth"]["deviceToken"].as_str().unwrap()),
        "lists show no tokens"
    );
}

// S-H6: clients that come by a token while it is revoked or rotated are closed, and none of them brings a new one away.
#[test]
fn s_h6_a_token_that_dies_while_clients_connect_leaves_nobody_in() {
    let gateway = Gateway::plain();
    let (mut admin, _) = Client::with(&gateway, params(4));
    for method in ["device.token.revoke", "device.token.rotate", "device.pair.remove"] {
        let (device, scopes) = (Device::new(), ["operator.read"]);
        let (_first, hello) =
            connect_device(&gateway, &device, &client::scoped(&scopes), Version::V3).unwrap();
        let token = hello["auth"]["deviceToken"].clone();
        let shown = with_token(&token, &scopes);
        std::thread::scope(|scope| {
            let knock = || {
                (0..4).filter_map(|_| connect_device(&gateway, &device, &shown, Version::V3).ok()).collect()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(knock)).collect();
            let mut params = json!({"deviceId": device.id()});
            if method != "device.pair.remove" {
                params["role"] = json!("operator");
            }
            admin.ok(method, params);
            for (mut client, hello) in threads.into_iter().flat_map(|t| -> Vec<_> { t.join().unwrap() }) {
                assert_eq!(hello["auth"]["deviceToken"], token, "{method}: no successor");
                assert_eq!(client.until_closed().0, 1008, "{method}: nobody stays");
            }
        });
        assert!(connect_device(&gateway, &device, &shown, Version::V3).is_err(), "{method}");
    }
}

// S-L3
#[test]
fn s_l3_a_pairing_client_does_nothing_to_an_administrators_device() {
    let gateway = Gateway::plain();
    let (device, lesser) = (Device::new(), Device::new());
    let (mut admin, _) = connect_device(&gateway, &device, &params(4), Version::V3).unwrap();
    let scopes = ["operator.pairing", "operator.read"];
    let (mut pairer, _) = connect_device(&gateway, &lesser, &client::scoped(&scopes), Version::V3).unwrap();
    let id = device.id();
    for (method, params) in [
        ("device.token.revoke", json!({"deviceId": id, "role": "operator"})),
        ("device.token.rotate", json!({"deviceId": id, "role": "operator"})),
        ("device.token.rotate", json!({"deviceId": id, "role": "operator", "scopes": ["operator.read"]})),
        ("device.pair.remove", json!({"deviceId": id})),
    ] {
        let error = pairer.fails(method, params);
        assert_eq!(error["details"]["missingScope"], "operator.admin", "{method}: {error}");
        assert!(!error.to_string().contains("\"token\""), "{method}: {error}");
    }
    admin.ok("health", json!({}));
    pairer.ok("device.token.rotate", json!({"deviceId": lesser.id(), "role": "operator"}));
}

// M-8: a page of this very address, on this machine, with the right secret is paired at its first visit.
#[test]
fn m_8_a_page_of_the_gateways_own_address_is_paired_silently_and_no_other() {
    let listed = json!({"gateway": {"controlUi": {"allowedOrigins": ["http://ui.example"]}}});
    let gateway = Gateway::start(&Setup::config(listed));
    let port = gateway.port;
    let (ip, name) = (format!("127.0.0.1:{port}"), format!("localhost:{port}"));
    let visit = |host: &str, origin: &str, more: &[(&str, &str)]| {
        let headers = [&[("Host", host), ("Origin", origin)][..], more].concat();
        let mut client = Client::open_with(&gateway, &headers);
        let mut params = params(4);
        params["client"]["id"] = json!("openclaw-control-ui");
        params["client"]["mode"] = json!("webchat");
        Device::new().attach(&mut params, &client.challenge.clone(), Version::V3);
        client.connect(params).map_err(|e| e["details"]["code"].clone())
    };
    for host in [&ip, &name] {
        let hello = visit(host, &format!("http://{host}"), &[]).expect("paired at once");
        assert!(hello["auth"]["deviceToken"].is_string());
    }
    let asks = Err(json!("PAIRING_REQUIRED"));
    assert_eq!(visit(&ip, "http://ui.example", &[]), asks, "a listed origin");
    assert_eq!(visit(&ip, &format!("https://{ip}"), &[]), asks, "a page behind TLS, which is not here");
    assert_eq!(visit(&ip, &format!("http://{ip}"), &[("X-Forwarded-For", "127.0.0.1")]), asks, "a proxy");
    assert_eq!(visit(&ip, &format!("http://{ip}"), &[("Via", "1.1 x")]), asks, "another proxy");
    // S-L14: whatever a proxy adds, it adds who asked.
    for name in [
        "X-Azure-ClientIP",
        "Fastly-Client-IP",
        "X-ProxyUser-Ip",
        "X-Original-For",
        "X-Original-Forwarded-For",
        "X-Amzn-Trace-Id",
        "X-Real-Ip",
        "True-Client-IP",
        "Remote-Addr",
        "WL-Proxy-Client-IP",
        "X-Host-Forwarded",
        "X_Real_IP",
        "X-Real-Port",
        "X-Varnish",
    ] {
        assert_eq!(visit(&ip, &format!("http://{ip}"), &[(name, "x")]), asks, "{name}");
    }
}

// S-L14: what a listed proxy passes on is nobody's of this host, even if the proxy adds nothing.
#[test]
fn s_l14_a_listed_proxy_that_adds_nothing_pairs_nobody_silently() {
    let gateway =
        Gateway::start(&Setup::config(json!({"gateway": {"trustedProxies": ["127.0.0.1", "::1"]}})));
    let error =
        connect_device(&gateway, &Device::new(), &params(4), Version::V3).err().expect("it has to ask");
    assert_eq!(error["details"]["code"], "PAIRING_REQUIRED");
}

/// N-39: a request is named by the beginning of its id, or not at all where only one waits; fewer scopes may be granted;
/// the list says who asks.
#[test]
fn n_39_requests_are_named_shortly_and_granted_narrowly() {
    let gateway = Gateway::plain();
    let said = |output: std::process::Output| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let cli = |args: &[&str]| said(gateway.cli(args));
    let ask = |device: &Device, name: &str, scopes: &[&str]| {
        let mut client = Client::open_with(&gateway, REMOTE);
        let mut params = client::scoped(scopes);
        params["client"]["displayName"] = json!(name);
        params["client"]["platform"] = json!("plan9");
        device.attach(&mut params, &client.challenge.clone(), Version::V3);
        client.refused(params).0["details"]["requestId"].as_str().expect("a request").to_string()
    };
    let (code, _, why) = cli(&["devices", "approve"]);
    assert!(code != Some(0) && why.contains("no pairing request waits"), "{code:?} {why}");

    let (first, second) = (Device::new(), Device::new());
    let (both, read) = (["operator.write"], ["operator.read"]);
    ask(&first, "kitchen", &both);
    let (_, listed, _) = cli(&["devices", "list"]);
    for part in ["kitchen", "plan9", "127.0.0.1", &first.id()[..12]] {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    let (code, _, why) = cli(&["devices", "approve", "--scopes", "operator.admin"]);
    assert!(code != Some(0), "more than was asked for: {why}");
    // Part of what was asked for: who may write may read.
    let (code, told, why) = cli(&["devices", "approve", "--scopes", "operator.read"]);
    assert!(code == Some(0) && told.contains(&first.id()), "{told} {why}");
    let connect = |device: &Device, scopes: &[&str]| {
        let mut client = Client::open_with(&gateway, REMOTE);
        let mut params = client::scoped(scopes);
        merge(&mut params, &json!({"client": {"platform": "plan9", "displayName": "kitchen"}}));
        device.attach(&mut params, &client.challenge.clone(), Version::V3);
        client.connect(params)
    };
    assert!(connect(&first, &read).is_ok(), "what was granted");
    // What the owner has declined is neither granted nor asked for again.
    let hello = connect(&first, &both).expect("it is in with what it has");
    assert_eq!(hello["auth"]["scopes"], json!(read), "not what was only asked for");
    let listed: Value = serde_json::from_str(&cli(&["devices", "list", "--json"]).1).unwrap();
    assert_eq!(listed["pending"], json!([]), "{listed}");

    // Now that device asks for something else, and another waits beside it.
    ask(&first, "kitchen", &["operator.read", "operator.approvals"]);
    let id = ask(&second, "cellar", &read);
    let (code, _, why) = cli(&["devices", "approve"]);
    assert!(code == Some(1) && why.contains("kitchen") && why.contains("cellar"), "{code:?} {why}");
    let (code, _, why) = cli(&["devices", "approve", "zz"]);
    assert!(code != Some(0) && why.contains("no pairing request fits 'zz'"), "{code:?} {why}");
    let (code, _, why) = cli(&["devices", "approve", &id[..10]]);
    assert_eq!(code, Some(0), "{why}");
    assert!(connect(&second, &read).is_ok());
    let (code, told, why) = cli(&["devices", "reject"]);
    assert!(code == Some(0) && told.contains(&first.id()), "{told} {why}");

    // Tokens are named as shortly as requests, by the gateway and on its files.
    let on = |action: &str, device: &str, more: &[&str]| {
        cli(&[&["devices", action, "--device", device, "--role"][..], more].concat())
    };
    let (code, _, why) = on("revoke", "zz", &["operator"]);
    assert!(code != Some(0) && why.contains("no paired device fits 'zz'"), "{code:?} {why}");
    let (code, _, why) = on("revoke", &first.id()[..8], &["node"]);
    assert!(code != Some(0) && why.contains("its roles are operator"), "{code:?} {why}");
    let (code, told, why) = on("rotate", &second.id()[..8], &["operator"]);
    assert!(code == Some(0) && told.contains(&second.id()), "{told} {why}");
    let (code, told, why) = on("revoke", &first.id()[..8], &["operator", "--local"]);
    assert!(code == Some(0) && told.contains(&first.id()), "{told} {why}");
    assert_eq!(why.matches("working on the state files").count(), 1, "N-43: {why}");
}
