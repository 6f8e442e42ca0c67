//! Who may connect, as what: the decision on a `connect` request.
//!
//! Runs on the connection's own thread, which may wait for the pairing store's lock and for `tailscale whois`;
//! only that client waits. The order of the checks is the reference program's (clients know its messages);
//! every branch depends on verified facts, never on what a client merely says (SEC-04, SEC-05, SEC-17). A right
//! credential is never refused because of wrong ones; a wrong one is counted, and slow where there were many (SEC-19).
mod by_device;

use super::connect::Connect;
pub use super::refusal::{Refusal, rate_limited, unheard};
use super::refusal::{not_for, spent, unauthorized};
use crate::device::pairing::Change;
use crate::device::secret_eq;
use crate::door::head::Head;
use crate::door::{Failed, Stage, Ticket, Turn};
use crate::error::{Error, Kind, Result};
use crate::net::peer::Peer;
use crate::net::tailscale;
use crate::protocol::frame::Scopes;
use crate::protocol::{self, MAX_PROTOCOL};
use crate::state::admitted::Admitted;
use crate::state::shared::Shared;
use by_device::{verify_device, with_device};
use std::time::Instant;

/// How the shared secret, or an identity in its place, was proven.
struct Proven(&'static str);

/// Proven by a code that the owner had made for one browser.
const INVITED: &str = "code";

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
    mut request: Connect,
) -> Admitted {
    let node = request.announced(&role);
    let scopes = Scopes::new(asked_scopes(&role, &request.scopes));
    let Connect { client, caps, .. } = request;
    Admitted {
        protocol,
        role,
        scopes,
        client,
        caps,
        node,
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
    if let Some(code) = request.auth.code() {
        let is_operator = request.role.as_deref().is_none_or(|role| role == "operator");
        // It was made for a page of this gateway; for whoever else shows it, it is left as it is.
        return match is_operator && is_own_page(peer, head) {
            false => Err(not_for()),
            true if shared.codes.take(code) => Ok(Proven(INVITED)),
            true => Err(spent()),
        };
    }
    Err(unauthorized(auth.mode, auth.secret.is_some(), request))
}

/// Whether a browser asks for a page that came from the address it asks at. A listed proxy may ask by another name; what
/// it let through was judged before the upgrade.
fn is_own_page(peer: &Peer, head: &Head) -> bool {
    let (origin, host) = (head.get("origin").unwrap_or_default(), head.get("host").unwrap_or_default());
    let page = origin.split_once("://").map_or("", |(_, host)| host);
    !page.is_empty() && (page == host || peer.is_proxied)
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
