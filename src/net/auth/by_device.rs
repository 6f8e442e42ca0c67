//! Who shows a device: its signature is verified, and the pairing store says what it may.
use super::{INVITED, Proven, admitted, asked_scopes};
use crate::clock;
use crate::device::pairing::{Admission, Applicant, Change, Credential, Pairing};
use crate::device::proof::{self, Verified};
use crate::error::{Error, Kind, Result};
use crate::net::connect::Connect;
use crate::net::peer::Peer;
use crate::net::refusal::Refusal;
use crate::protocol::frame::Scopes;
use crate::state::admitted::{Admitted, Client};
use crate::state::shared::Shared;

pub(super) fn verify_device(peer: &Peer, request: &Connect, role: &str, nonce: &str) -> Result<Verified> {
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

pub(super) fn with_device(
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
    let is_invited = matches!(proven, Ok(Proven(INVITED)));
    let is_silent = |is_new| is_invited || pairs_silently(shared, peer, &role, is_new);
    let (credential, method, refused) = match proven {
        Ok(Proven(method)) => (Credential::Shared { is_silent: &is_silent }, method, None),
        Err(e) if tokens.is_empty() => return Err(e.into()),
        Err(e) => (Credential::Tokens(&tokens), "device-token", Some(e)),
    };
    let remote_ip = (!peer.is_local).then(|| peer.client.to_string());
    let applicant =
        Applicant { remote_ip: remote_ip.as_deref(), ..applicant(&request.client, &device, &role, &scopes) };
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
            // What it may be told goes by what was approved, not by what it says now (SEC-09).
            if let Some(about) = &mut admitted.node {
                about.platform = token.platform.clone().unwrap_or_default();
                about.device_family.clone_from(&token.device_family);
                about.display_name = token.display_name.clone().or(about.display_name.take());
            }
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

/// Whether nobody is asked: of who is on this host, and of new nodes where the owner says so. A device that is known, and
/// wants more than it has, is none of these.
fn pairs_silently(shared: &Shared, peer: &Peer, role: &str, is_new: bool) -> bool {
    if role != "node" {
        return peer.may_pair_silently();
    }
    let config = shared.config();
    let ranges = config.strings("gateway.nodes.pairing.autoApproveCidrs");
    (config.bool("gateway.nodes.pairing.autoApproveLocal") && peer.may_pair_silently())
        || (is_new && peer.is_within(&ranges))
}

/// A device as it presents itself, wherever it is.
fn applicant<'a>(
    client: &'a Client,
    device: &'a Verified,
    role: &'a str,
    scopes: &'a [String],
) -> Applicant<'a> {
    Applicant {
        device,
        role,
        scopes,
        client_id: &client.id,
        client_mode: &client.mode,
        display_name: client.display_name.as_deref(),
        platform: &client.platform,
        device_family: client.device_family.as_deref(),
        remote_ip: None,
    }
}
