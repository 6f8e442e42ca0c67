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
        ("device signature expired", "DEVICE_AUTH_SIGNATURE_EXPIRED", |p, d, c| {
            d.attach_as(p, c["nonce"].as_str().unwrap(), c["ts"].as_u64().unwrap() - 601_000, Version::V3);
        }),
        ("device signature expired", "DEVICE_AUTH_SIGNATURE_EXPIRED", |p, d, c| {
            d.attach_as(p, c["nonce"].as_str().unwrap(), c["ts"].as_u64().unwrap() + 610_000, Version::V2);
        }),
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
