//! Who may connect, as what: the decision on a `connect` request.
//!
//! Runs on the connection's own thread, which may wait for the pairing store's lock and for `tailscale whois`;
//! only that client waits. The order of the checks is the reference program's (clients know its messages);
//! every branch depends on verified facts, never on what a client merely says (SEC-04, SEC-05, SEC-17). A right
//! credential is never refused because of wrong ones; a wrong one is counted, and slow where there were many (SEC-19).
use crate::calls::{Admitted, Client};
use crate::clock;
use crate::device::pairing::{Admission, Applicant, Change, Credential, Pairing};
use crate::device::proof::{self, Verified};
use crate::device::secret_eq;
use crate::door::{Failed, PAUSE, Stage, Ticket, Turn};
use crate::error::{Error, Kind, Result};
use crate::net::head::Head;
use crate::net::peer::Peer;
use crate::net::tailscale;
use crate::params::params;
use crate::protocol::frame::Scopes;
use crate::protocol::{self, MAX_PROTOCOL};
use crate::settings::AuthMode;
use crate::state::shared::Shared;
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

impl Credentials {
    /// What may be a device's token, as far as it is there.
    fn tokens(&self) -> impl Iterator<Item = &str> {
        let offered = [&self.device_token, &self.token].into_iter();
        offered.filter_map(|text| text.as_deref().filter(|text| !text.is_empty()))
    }

    fn has_password(&self) -> bool {
        self.password.as_deref().is_some_and(|password| !password.is_empty())
    }

    fn is_offered(&self) -> bool {
        self.has_password() || self.tokens().next().is_some()
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(..)")
    }
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
    ticket: &Ticket,
    request: Connect,
    nonce: &str,
) -> std::result::Result<Admitted, Refusal> {
    let client = crate::logging::quoted(&request.client.id);
    // Taken before anything is compared: who goes away before he is answered has used it up all the same.
    let turn = match request.auth.is_offered() {
        true => Some(ticket.turn(peer.client, &shared.limits).ok_or_else(unheard)?),
        false => None,
    };
    let mut has_guessed = false;
    let decided = decide(shared, peer, head, request, nonce, &mut has_guessed);
    if !has_guessed {
        turn.into_iter().for_each(Turn::give_back);
        return decided;
    }
    let too_many = match count_failure(shared, peer, &format!("client {client}")) {
        Failed::Counted(_) => return decided,
        too_many => too_many,
    };
    // A right device token is let in even so, but no faster than a wrong one is refused.
    if decided.is_err() {
        ticket.stage(Stage::Idle);
    }
    let is_heard = ticket.pause();
    decided.map_err(|refusal| match refusal.error.kind {
        _ if !is_heard => Refusal { error: unheard(), ..refusal },
        Kind::Unauthorized => Refusal { error: rate_limited(too_many), ..refusal },
        _ => refusal,
    })
}

/// What is said to who lost his place while he waited to be compared, or to be told. It says nothing about the secret.
pub fn unheard() -> Error {
    Error::new(Kind::Unavailable, "too many failed authentication attempts, and others wait: try again")
        .retry_in(PAUSE)
}

/// The decision alone, and whether a wrong secret was shown.
fn decide(
    shared: &Shared,
    peer: &Peer,
    head: &Head,
    request: Connect,
    nonce: &str,
    has_guessed: &mut bool,
) -> std::result::Result<Admitted, Refusal> {
    let since = Instant::now();
    // Read before anything is compared: a change meanwhile makes this decision an old one.
    let generation = shared.auth().generation;
    let protocol = negotiate(&request)?;
    let role = request.role.clone().unwrap_or_else(|| "operator".to_string());
    if role != "operator" && role != "node" {
        return Err(Error::invalid("invalid role").into());
    }
    let shared_secret = prove_shared(shared, peer, head, &request);
    let is_wrong = shared_secret.is_err() && request.auth.is_offered();
    if request.device.is_none() || shared.auth().ignores_devices(&request.client.id, shared_secret.is_ok()) {
        *has_guessed = is_wrong;
        let proven = without_device(shared, &request, shared_secret)?;
        return Ok(Admitted { generation, since, ..admitted(protocol, role, None, proven.0, request) });
    }
    // Who fails here has learnt nothing about the secret, so it was no guess.
    let verified = verify_device(peer, &request, &role, nonce)?;
    *has_guessed = is_wrong;
    let request = Connect { role: Some(role), ..request };
    let admitted = with_device(shared, peer, protocol, request, verified, shared_secret, has_guessed)?;
    Ok(Admitted { generation, since, ..admitted })
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
        since: Instant::now(),
    }
}

/// Compares the offered secrets with the configured one, in the same time whatever they are.
fn prove_shared(shared: &Shared, peer: &Peer, head: &Head, request: &Connect) -> Result<Proven> {
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

/// Counts a wrong secret of the peer's, and has it told who that was. `what` names the kind of client.
pub fn count_failure(shared: &Shared, peer: &Peer, what: &str) -> Failed {
    let mut who = String::new();
    let find = || {
        who = format!("{what} at {}", peer.describe());
        who.clone()
    };
    let failed = shared.door.failed(peer.client, find, &shared.limits, Instant::now());
    if let Failed::Counted(n) = failed {
        log::warn!(target: "gateway/auth", "wrong secret from {who}: {n} of {} within {} s",
            shared.limits.auth_failures, shared.limits.auth_window_ms / 1000);
    }
    failed
}

/// What is said instead of the reason for a refusal where there were too many.
pub fn rate_limited(failed: Failed) -> Error {
    let Failed::TooMany { wait, last } = failed else {
        return Error::new(Kind::Unauthorized, "unauthorized");
    };
    let secs = wait.as_secs() + 1;
    let text = format!(
        "unauthorized: too many failed authentication attempts (retry with the right secret, or in {secs} s; last failed: {last})"
    );
    Error::new(Kind::RateLimited, text)
        .with("recommendedNextStep", "wait_then_retry")
        .with("lastFailed", last)
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
    let offered = auth.has_password() || auth.token.as_deref().is_some_and(|token| !token.is_empty());
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
    request: Connect,
    device: Verified,
    proven: Result<Proven>,
    has_guessed: &mut bool,
) -> std::result::Result<Admitted, Refusal> {
    let role = request.role.clone().unwrap_or_default();
    let (scopes, now) = (asked_scopes(&role, &request.scopes), clock::now_ms());
    // A device's token is sent under either name.
    let tokens: Vec<&str> = request.auth.tokens().collect();
    let is_silent = || peer.may_pair_silently();
    let (credential, method, refused) = match proven {
        Ok(Proven(method)) => (Credential::Shared { is_silent: &is_silent }, method, None),
        Err(e) if tokens.is_empty() => return Err(e.into()),
        Err(e) => (Credential::Tokens(&tokens), "device-token", Some(e)),
    };
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
    };
    let decided = Pairing::new(&shared.env.state_dir).admit(&applicant, credential, now)?;
    let Change { result, events, close } = decided;
    let change = Change { result: (), events, close };
    // A guess at the shared secret counts even beside a device token that is right.
    *has_guessed &= result.has_guessed || request.auth.has_password();
    match result.admission {
        Admission::Refused => {
            let e = refused.unwrap_or_else(|| Error::new(Kind::Unauthorized, "unauthorized"));
            Err(Refusal { error: e, change })
        }
        Admission::Paired(token) => {
            let mut admitted = admitted(protocol, role, Some(device.device_id), method, request);
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
