//! `connect` as the command line does it: challenge, signed device identity, credentials, the stored token.
//!
//! The shared secret always stays in `auth.token` or `auth.password`. A stored device token goes beside it,
//! as `auth.deviceToken`, where the gateway knows that member, and into `auth.token` only when there is no
//! shared secret: a device token must not hide that the shared one is wrong (R-05d). It goes to the gateway that handed it
//! out and to no other (SEC-29). A stored token is never
//! deleted (R-05c).
use super::client::{Client, Deadline};
use super::target::Target;
use crate::cli::VERSION;
use crate::clock;
use crate::device::identity::Identity;
use crate::device::proof::{Claims, Version};
use crate::device::tokens::{self, StoredToken};
use crate::error::{Cause, Error, Kind, Result};
use crate::json::{Put, json};
use crate::owners;
use crate::owners::Holder;
use crate::protocol::{MAX_PROTOCOL, MIN_PROTOCOL};
use serde_json::{Map, Value};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the command line may need; the gateway grants what the device was paired for.
const SCOPES: &[&str] = &["operator.admin", "operator.approvals", "operator.pairing"];
const FAMILY: &str = if cfg!(target_os = "macos") { "Mac" } else { "Linux" };

/// As what a program connects.
pub struct Part {
    pub role: &'static str,
    pub id: &'static str,
    pub mode: &'static str,
    pub scopes: &'static [&'static str],
    /// Members of `client` and of `connect` that not all have.
    pub client: Map<String, Value>,
    pub members: Map<String, Value>,
}

impl Part {
    /// The command line's.
    fn operator(caps: &[&str]) -> Part {
        let members = Map::from_iter([("caps".to_string(), json!(caps))]);
        let client = Map::new();
        Part { role: "operator", id: "cli", mode: "cli", scopes: SCOPES, client, members }
    }
}

/// An open session with a gateway and what it said in `hello-ok`.
pub struct Session {
    pub client: Client,
    pub hello: Value,
}

/// Connects to `target` as the device of `state_dir`, waiting while the gateway says that it is starting.
pub fn connect(target: &Target, state_dir: &Path, caps: &[&str], deadline: Deadline) -> Result<Session> {
    connect_as(target, state_dir, &Part::operator(caps), deadline)
}

/// The same as something else.
pub fn connect_as(target: &Target, state_dir: &Path, part: &Part, deadline: Deadline) -> Result<Session> {
    loop {
        // The identity is made on first use, so a gateway that is not there leaves no trace on disk.
        let client = Client::open(target, deadline).map_err(|e| target.explain(e, false))?;
        let identity = Identity::load_or_create(state_dir, clock::now_ms())?;
        let stored = target.origin.as_deref().and_then(|gateway| {
            tokens::load(state_dir, &identity.device_id, part.role, gateway, target.takes_unnamed)
        });
        let said = |challenge: &Value| params(target, &identity, stored.as_ref(), part, challenge);
        let error = match handshake(client, target, said) {
            Ok(session) => {
                if let Some(gateway) = &target.origin {
                    keep_token(state_dir, gateway, part.role, &identity, &session.hello)?;
                }
                return Ok(session);
            }
            Err(error) => error,
        };
        let wait = error.retry_after().unwrap_or_default();
        let wait = wait.clamp(Duration::from_millis(100), Duration::from_secs(2));
        let is_starting = error.kind == Kind::Unavailable && error.retry_after().is_some();
        match deadline.left(Duration::from_secs(30)) {
            Ok(left) if is_starting && left > wait => std::thread::sleep(wait),
            _ => return Err(target.explain(error, stored.is_some())),
        }
    }
}

/// The same without a device, by the shared secret alone: only to look, and nothing is left on disk on either side. `None` by a
/// gateway that lets nobody in so.
pub fn visit(target: &Target, deadline: Deadline) -> Result<Option<Session>> {
    let client = Client::open(target, deadline).map_err(|e| target.explain(e, false))?;
    let said = |_: &Value| {
        json!({
            "minProtocol": MIN_PROTOCOL, "maxProtocol": MAX_PROTOCOL, "role": "operator", "scopes": ["operator.read"],
            "client": {"id": "cli", "version": VERSION, "platform": (std::env::consts::OS), "mode": "cli"},
            "auth": (auth(target, None, false)),
        })
    };
    match handshake(client, target, said) {
        Ok(session) => Ok(Some(session)),
        Err(e) if e.kind == Kind::NotPaired => Ok(None),
        Err(e) => Err(target.explain(e, false)),
    }
}

/// `said` is what is said of who connects, to this challenge.
fn handshake(mut client: Client, target: &Target, said: impl FnOnce(&Value) -> Value) -> Result<Session> {
    let challenge = challenge(&mut client)?;
    if let Some((own, other)) = client.plain_ends() {
        check_holder(own, other, [&target.env.state_dir, &target.env.config_path])?;
    }
    let params = said(&challenge);
    let id = client.send("connect", &params)?;
    let hello = client.answer(&id, false, &mut |_, _| {})?;
    Ok(Session { client, hello })
}

/// Whoever holds the other end is about to be told the secret, or what the user has to say. On this machine anybody may listen on a free port, so
/// it must be somebody who can read the secret anyway: this user, root, or who owns the files it comes from. Where the
/// system does not tell, and beyond this machine, nothing is asked.
fn check_holder(own: SocketAddr, other: SocketAddr, sources: [&PathBuf; 2]) -> Result<()> {
    let is_here = other.ip().is_loopback() || own.ip() == other.ip();
    let holder = if is_here { owners::holder(own, other) } else { Holder::Unknown };
    let Holder::User(uid) = holder else { return Ok(()) };
    let owns = |path: &PathBuf| std::fs::metadata(path).is_ok_and(|found| found.uid() == uid);
    if holder.is_own() || sources.into_iter().any(owns) {
        return Ok(());
    }
    let who = owners::describe_holder(own, other).unwrap_or_default();
    let text =
        format!("{other} belongs to a process of another user ({who}, uid {uid}): nothing was sent to it");
    Err(Error::new(Kind::Unreachable, text).with("holderUid", uid).with("holder", who).because(Cause::Held))
}

/// The payload of the challenge, the first frame of every gateway.
fn challenge(client: &mut Client) -> Result<Value> {
    loop {
        let mut frame = client.next()?;
        if frame.get("event").and_then(Value::as_str) == Some("connect.challenge") {
            return Ok(frame.get_mut("payload").map(Value::take).unwrap_or_default());
        }
    }
}

fn params(
    target: &Target,
    identity: &Identity,
    stored: Option<&StoredToken>,
    part: &Part,
    challenge: &Value,
) -> Value {
    let nonce = challenge.get("nonce").and_then(Value::as_str);
    // Gateways of protocol 4 announce capabilities; those of protocol 3 refuse members they do not know and
    // know no signature of version 3.
    let is_newer = challenge.get("capabilities").is_some();
    let own_scopes = || part.scopes.iter().map(|scope| scope.to_string()).collect();
    let auth = auth(target, stored, is_newer);
    // A device token is good for its own scopes only.
    let scopes = match stored {
        Some(stored) if !target.has_secret() && !stored.scopes.is_empty() => stored.scopes.clone(),
        _ => own_scopes(),
    };
    let text = |key: &str| auth.get(key).and_then(Value::as_str);
    let claims = Claims {
        client_id: part.id,
        client_mode: part.mode,
        role: part.role,
        scopes: &scopes,
        token: text("token").or_else(|| text("deviceToken")).unwrap_or_default(),
        platform: std::env::consts::OS,
        device_family: FAMILY,
    };
    let version = if is_newer { Version::V3 } else { Version::V2 };
    let device = identity.device_object(version, &claims, clock::now_ms(), nonce);
    let mut client = json!({"id": (part.id), "version": VERSION, "platform": (claims.platform), "deviceFamily": FAMILY, "mode": (part.mode)});
    let mut params = json!({
        "minProtocol": MIN_PROTOCOL, "maxProtocol": MAX_PROTOCOL,
        "role": (part.role), "scopes": scopes, "device": device, "auth": auth,
    });
    for (place, more) in [(&mut client, &part.client), (&mut params, &part.members)] {
        place.as_object_mut().into_iter().for_each(|place| place.extend(more.clone()));
    }
    params.as_object_mut().into_iter().for_each(|params| params.put("client", client.take()));
    params
}

fn auth(target: &Target, stored: Option<&StoredToken>, is_newer: bool) -> Map<String, Value> {
    let mut auth = Map::new();
    if let Some(token) = &target.token {
        auth.insert("token".into(), token.value.clone().into());
    }
    if let Some(password) = &target.password {
        auth.insert("password".into(), password.value.clone().into());
    }
    if let Some(stored) = stored {
        if !target.has_secret() {
            auth.insert("token".into(), stored.token.clone().into());
        }
        if is_newer {
            auth.insert("deviceToken".into(), stored.token.clone().into());
        }
    }
    auth
}

/// Keeps the device token the gateway hands out, so that it works without the shared secret later.
fn keep_token(state_dir: &Path, gateway: &str, role: &str, identity: &Identity, hello: &Value) -> Result<()> {
    let auth = hello.get("auth").unwrap_or(&Value::Null);
    let Some(token) = auth.get("deviceToken").and_then(Value::as_str) else { return Ok(()) };
    let scopes = auth.get("scopes").and_then(Value::as_array).into_iter().flatten();
    let mut scopes: Vec<String> = scopes.filter_map(|s| s.as_str().map(str::to_string)).collect();
    crate::order::sort(&mut scopes);
    let token = StoredToken { token: token.to_string(), scopes, gateway: gateway.to_string() };
    tokens::store(state_dir, &identity.device_id, role, &token, clock::now_ms())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::link::target::Secret;

    fn target(token: Option<&str>, password: Option<&str>) -> Target {
        let secret = |value: Option<&str>| value.map(|v| Secret { value: v.into(), source: "--x".into() });
        Target {
            url: crate::config::address::Url::new("ws://127.0.0.1:1"),
            host: "127.0.0.1".into(),
            port: 1,
            tls: false,
            pin: None,
            also: None,
            source: "local loopback".into(),
            config: "~/c".into(),
            bind: None,
            token: secret(token),
            password: secret(password),
            origin: Some(tokens::HERE.into()),
            takes_unnamed: true,
            env: crate::env::Env::default(),
        }
    }

    #[test]
    fn the_shared_secret_keeps_its_place() {
        let stored = StoredToken { token: "D".into(), scopes: vec![], gateway: String::new() };
        let cases = [
            (Some("T"), None, true, false, r#"{"token":"T"}"#),
            (Some("T"), None, true, true, r#"{"token":"T","deviceToken":"D"}"#),
            (None, Some("P"), true, true, r#"{"password":"P","deviceToken":"D"}"#),
            (None, None, true, false, r#"{"token":"D"}"#),
            (None, None, true, true, r#"{"token":"D","deviceToken":"D"}"#),
            (None, None, false, true, "{}"),
        ];
        for (token, password, has_stored, is_newer, want) in cases {
            let got = auth(&target(token, password), has_stored.then_some(&stored), is_newer);
            assert_eq!(Value::from(got).to_string(), want);
        }
    }
}
