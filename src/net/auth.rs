//! Who may connect, as what: the decision on a `connect` request.
//!
//! Runs on the connection's own thread, which may wait for the pairing store's lock and for `tailscale whois`;
//! only that client waits. The order of the checks is the reference program's (clients know its messages);
//! every branch depends on verified facts, never on what a client merely says (SEC-04, SEC-05, SEC-17).
use crate::clock;
use crate::device::pairing::{Admission, Applicant, Change, Paired, Pairing, TokenCheck};
use crate::device::proof::{self, Verified};
use crate::device::secret_eq;
use crate::error::{Error, Kind, Result};
use crate::net::head::Head;
use crate::net::peer::Peer;
use crate::net::tailscale;
use crate::params::params;
use crate::protocol::frame::Scopes;
use crate::protocol::{self, MAX_PROTOCOL};
use crate::shared::{AuthMode, Shared};
use std::time::Instant;

params! {
    /// The params of `connect` that matter to the gateway; they passed the schema before.
    #[derive(Debug, Clone, Default)]
    pub struct Connect {
        pub min_protocol: u64,
        pub max_protocol: u64,
        pub client: Client,
        pub caps: Vec<String>,
        pub role: Option<String>,
        pub scopes: Vec<String>,
        pub device: Option<Device>,
        pub auth: Credentials,
    }
}

params! {
    #[derive(Debug, Clone, Default)]
    pub struct Client {
        pub id: String,
        pub display_name: Option<String>,
        pub version: String,
        pub platform: String,
        pub device_family: Option<String>,
        pub model_identifier: Option<String>,
        pub mode: String,
        pub instance_id: Option<String>,
    }
}

params! {
    #[derive(Debug, Clone, Default)]
    pub struct Device {
        pub id: String,
        pub public_key: String,
        pub signature: String,
        pub signed_at: u64,
        pub nonce: Option<String>,
    }
}

params! {
    /// What a client offers as proof. Not `Debug`: it must not reach a log.
    #[derive(Clone, Default)]
    pub struct Credentials {
        token: Option<String>,
        password: Option<String>,
        device_token: Option<String>,
        bootstrap_token: Option<String>,
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// A connection that may go on, with what it was granted.
/// No `Debug`: it holds the device token.
pub struct Admitted {
    pub protocol: u32,
    pub role: String,
    pub scopes: Scopes,
    pub client: Client,
    pub caps: Vec<String>,
    pub device_id: Option<String>,
    pub device_token: Option<Paired>,
    /// How it proved itself: `token`, `password`, `device-token` or `tailscale`.
    pub method: &'static str,
    /// Which secret was in force when it did.
    pub generation: u64,
    /// What the pairing store changed, to be announced.
    pub change: Change<()>,
}

/// A refusal, and what the pairing store changed meanwhile (a new pending request).
pub struct Refusal {
    pub error: Error,
    pub change: Change<()>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal { error, change: Change::default() }
    }
}

/// How the shared secret, or an identity in its place, was proven.
struct Proven(&'static str);

/// Decides on a `connect`. `nonce` is the one sent in this connection's challenge.
pub fn admit(
    shared: &Shared,
    peer: &Peer,
    head: &Head,
    request: Connect,
    nonce: &str,
) -> std::result::Result<Admitted, Refusal> {
    // Read before anything is compared: a change meanwhile makes this decision an old one.
    let generation = shared.auth().generation;
    let protocol = negotiate(&request)?;
    let role = request.role.clone().unwrap_or_else(|| "operator".to_string());
    if role != "operator" && role != "node" {
        return Err(Error::invalid("invalid role").into());
    }
    let shared_secret = prove_shared(shared, peer, head, &request);
    if request.device.is_none() || shared.auth().ignores_devices(&request.client.id, shared_secret.is_ok()) {
        let proven = without_device(shared, &request, shared_secret)?;
        return Ok(Admitted { generation, ..admitted(protocol, role, None, proven.0, request) });
    }
    let verified = verify_device(peer, &request, &role, nonce)?;
    let admitted = with_device(shared, peer, protocol, role, request, verified, shared_secret)?;
    Ok(Admitted { generation, ..admitted })
}

fn negotiate(request: &Connect) -> Result<u32> {
    protocol::negotiate(request.min_protocol, request.max_protocol).ok_or_else(|| {
        Error::new(Kind::Protocol, "protocol mismatch")
            .with("clientMinProtocol", request.min_protocol)
            .with("clientMaxProtocol", request.max_protocol)
            .with("expectedProtocol", MAX_PROTOCOL)
            .with("minimumProbeProtocol", protocol::MIN_PROTOCOL)
    })
}

/// The scopes an operator gets for what it asked: itself, or admin when it asked for nothing. Nodes hold none.
fn asked_scopes(role: &str, scopes: &[String]) -> Vec<String> {
    match (role, scopes) {
        ("operator", []) => vec!["operator.admin".to_string()],
        ("operator", asked) => asked.to_vec(),
        _ => Vec::new(),
    }
}

fn admitted(
    protocol: u32,
    role: String,
    device_id: Option<String>,
    method: &'static str,
    request: Connect,
) -> Admitted {
    let scopes = Scopes::new(asked_scopes(&role, &request.scopes));
    let Connect { client, caps, .. } = request;
    Admitted {
        protocol,
        role,
        scopes,
        client,
        caps,
        device_id,
        device_token: None,
        method,
        generation: 0,
        change: Change::default(),
    }
}

/// Compares the offered secrets with the configured one, in the same time whatever they are.
fn prove_shared(shared: &Shared, peer: &Peer, head: &Head, request: &Connect) -> Result<Proven> {
    if let Some(wait) = shared.door.locked_for(peer.client, &shared.limits, Instant::now()) {
        return Err(rate_limited(wait));
    }
    let auth = shared.auth();
    let offered = [&request.auth.token, &request.auth.password];
    let secret = auth.secret.as_ref();
    // Both are compared, so that the answer's time does not tell which field was looked at.
    let matches = offered
        .map(|o| secret.zip(o.as_ref()).is_some_and(|(s, o)| !o.is_empty() && secret_eq(s.reveal(), o)));
    if matches.contains(&true) {
        return Ok(Proven(auth.mode.name()));
    }
    if auth.allow_tailscale
        && !peer.is_local
        && tailscale::is_identified(
            peer,
            head,
            shared.env.var("PATH").unwrap_or("/usr/local/bin:/usr/bin:/bin"),
        )
    {
        return Ok(Proven("tailscale"));
    }
    Err(unauthorized(auth.mode, auth.secret.is_some(), request))
}

pub fn rate_limited(wait: std::time::Duration) -> Error {
    Error::new(Kind::RateLimited, "unauthorized: too many failed authentication attempts (retry later)")
        .with("recommendedNextStep", "wait_then_retry")
        .retry_in(wait)
}

fn unauthorized(mode: AuthMode, configured: bool, request: &Connect) -> Error {
    let (offered, fix_key) = match mode {
        AuthMode::Token => (&request.auth.token, "token"),
        AuthMode::Password => (&request.auth.password, "password"),
    };
    let (state, upper) = match (configured, offered.as_deref().unwrap_or_default().is_empty()) {
        (false, _) => ("not configured on gateway", "NOT_CONFIGURED"),
        (true, true) => ("missing", "MISSING"),
        (true, false) => ("mismatch", "MISMATCH"),
    };
    let hint = if configured { hint(mode, &request.client) } else { format!("set gateway.auth.{fix_key}") };
    let name = mode.name();
    Error::new(Kind::Unauthorized, format!("unauthorized: gateway {name} {state} ({hint})"))
        .with("code", format!("AUTH_{}_{upper}", name.to_ascii_uppercase()))
        .with("authReason", format!("{name}_{}", upper.to_ascii_lowercase()))
        .with("canRetryWithDeviceToken", false)
        .with(
            "recommendedNextStep",
            if configured { "update_auth_credentials" } else { "update_auth_configuration" },
        )
}

fn hint(mode: AuthMode, client: &Client) -> String {
    let name = mode.name();
    match (client.mode.as_str(), client.id.as_str()) {
        ("cli" | "probe", _) => format!("set gateway.remote.{name} to match gateway.auth.{name}"),
        ("webchat", _) | (_, "openclaw-control-ui") => match mode {
            AuthMode::Token => {
                "open the dashboard URL and paste the token in Control UI settings".to_string()
            }
            AuthMode::Password => "enter the password in Control UI settings".to_string(),
        },
        _ => format!("provide gateway auth {name}"),
    }
}

fn without_device(shared: &Shared, request: &Connect, proven: Result<Proven>) -> Result<Proven> {
    let is_control_ui = request.client.id == "openclaw-control-ui";
    if is_control_ui && request.device.is_none() && !shared.auth().allow_insecure_ui {
        return Err(Error::new(Kind::NotPaired, "control ui requires HTTPS or localhost (secure context)")
            .with("code", "CONTROL_UI_DEVICE_IDENTITY_REQUIRED")
            .with("recommendedNextStep", "open the Control UI over HTTPS or on the gateway host"));
    }
    let auth = &request.auth;
    let offered = [&auth.token, &auth.password].iter().any(|o| o.as_deref().is_some_and(|o| !o.is_empty()));
    proven.map_err(|e| match e.kind {
        Kind::Unauthorized if !offered && shared.auth().secret.is_some() => {
            Error::new(Kind::NotPaired, "device identity required").with("code", "DEVICE_IDENTITY_REQUIRED")
        }
        _ => e,
    })
}

fn verify_device(peer: &Peer, request: &Connect, role: &str, nonce: &str) -> Result<Verified> {
    let device = request.device.clone().unwrap_or_default();
    let auth = &request.auth;
    let offered = [&auth.token, &auth.device_token, &auth.bootstrap_token];
    let token = offered.into_iter().flatten().next().map_or("", String::as_str);
    let claims = proof::Claims {
        client_id: &request.client.id,
        client_mode: &request.client.mode,
        role,
        scopes: &request.scopes,
        token,
        platform: &request.client.platform,
        device_family: request.client.device_family.as_deref().unwrap_or_default(),
    };
    let proof = proof::Proof {
        id: &device.id,
        public_key: &device.public_key,
        signature: &device.signature,
        signed_at: device.signed_at,
        nonce: device.nonce.as_deref(),
    };
    proof::verify(&proof, &claims, &proof::Challenge { nonce, now: clock::now_ms(), is_local: peer.is_local })
}

fn with_device(
    shared: &Shared,
    peer: &Peer,
    protocol: u32,
    role: String,
    request: Connect,
    device: Verified,
    proven: Result<Proven>,
) -> std::result::Result<Admitted, Refusal> {
    let store = Pairing::new(&shared.env.state_dir);
    let (scopes, now) = (asked_scopes(&role, &request.scopes), clock::now_ms());
    let proven = match proven {
        Ok(proven) => proven,
        // A locked address gets no further guess, whatever else it offers.
        Err(e) if e.kind == Kind::RateLimited => return Err(e.into()),
        Err(e) => by_device_token(shared, peer, &device, &role, &scopes, &request)?.ok_or(e)?,
    };
    // Silence needs a verified shared secret on this host, and nothing that a web page could have caused.
    let local_silent_ok = peer.is_local && !peer.has_origin && proven.0 != "device-token";
    let remote_ip = (!peer.is_local).then(|| peer.client.to_string());
    let applicant = Applicant {
        device: &device,
        role: &role,
        scopes: &scopes,
        client_id: &request.client.id,
        client_mode: &request.client.mode,
        display_name: request.client.display_name.as_deref(),
        platform: &request.client.platform,
        device_family: request.client.device_family.as_deref(),
        remote_ip: remote_ip.as_deref(),
        local_silent_ok,
    };
    let Change { result, events, close } = store.admit(&applicant, now)?;
    let change = Change { result: (), events, close };
    match result {
        Admission::Paired(token) => {
            let mut admitted = admitted(protocol, role, Some(device.device_id), proven.0, request);
            admitted.scopes = Scopes::new(token.scopes.clone());
            admitted.device_token = Some(token);
            Ok(Admitted { change, ..admitted })
        }
        Admission::Pending(waiting) => {
            let command = shared.env.command(&format!("devices approve {}", waiting.request_id));
            Err(Refusal { error: waiting.to_error(&command), change })
        }
    }
}

/// Whether the client holds this device's token, under either name that clients send it by.
fn by_device_token(
    shared: &Shared,
    peer: &Peer,
    device: &Verified,
    role: &str,
    scopes: &[String],
    request: &Connect,
) -> Result<Option<Proven>> {
    let (store, now, auth) = (Pairing::new(&shared.env.state_dir), clock::now_ms(), &request.auth);
    let offered =
        [&auth.device_token, &auth.token, &auth.password].map(|o| o.as_deref().filter(|t| !t.is_empty()));
    let (mut is_known, mut guessed) = (false, offered.get(2).copied().flatten().is_some());
    for token in offered.into_iter().take(2).flatten() {
        // Valid for fewer scopes than are asked for: pairing decides, it asks for approval.
        match store.verify_token(&device.device_id, role, scopes, token, now)? {
            TokenCheck::Wrong => guessed = true,
            TokenCheck::Valid | TokenCheck::ScopesExceeded => is_known = true,
        }
    }
    if !is_known {
        return Ok(None);
    }
    if guessed {
        // A guess at the shared secret counts even beside a device token that is right (SEC-19).
        shared.door.failed(peer.client, &shared.limits, Instant::now());
    }
    Ok(Some(Proven("device-token")))
}

/// Counts a refusal against the address when a wrong secret was offered; a missing one is no guess.
pub fn count_failure(shared: &Shared, peer: &Peer, request: &Connect, refusal: &Error) {
    let offered = [&request.auth.token, &request.auth.password, &request.auth.device_token];
    let guessed = offered.into_iter().flatten().any(|o| !o.is_empty());
    if guessed && refusal.kind == Kind::Unauthorized {
        shared.door.failed(peer.client, &shared.limits, Instant::now());
    }
}
