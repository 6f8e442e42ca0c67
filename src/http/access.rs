//! Who may ask: the secret of a request, judged by the kind its route has. Runs on the connection's own thread.
//!
//! A wrong secret is counted by the same limiter as on the WebSocket; none is not, and what another scheme says (a
//! proxy's own login, by `Basic`) is not meant for the gateway. The shared secret grants all that an operator may
//! (SEC-05); a device's token opens nothing here, but where
//! anybody may ask its holder is known.
use crate::calls::{Caller, Provenance};
use crate::clock;
use crate::device::pairing::Pairing;
use crate::device::secret_eq;
use crate::door::head::Head;
use crate::door::{Failed, Stage, Ticket, Turn};
use crate::http::{Auth, Refusal, canvas, hooks, path};
use crate::methods::local;
use crate::net::auth;
use crate::net::peer::Peer;
use crate::protocol::frame::Scopes;
use crate::state::shared::Shared;
use std::sync::Arc;

type Judged = Result<Option<Arc<Caller>>, Refusal>;

/// Whom the request comes from, as far as it says and may be told.
pub fn judge(kind: Auth, head: &Head, peer: &Peer, ticket: &Ticket, shared: &Shared) -> Judged {
    match kind {
        Auth::Hook => hook(head, peer, ticket, shared),
        Auth::Canvas => canvas(head, peer, ticket, shared),
        Auth::Open | Auth::Page | Auth::Probe | Auth::Secret => {
            operator(kind != Auth::Secret, head, peer, ticket, shared)
        }
    }
}

fn operator(is_open: bool, head: &Head, peer: &Peer, ticket: &Ticket, shared: &Shared) -> Judged {
    let auth = shared.auth();
    let token = bearer(head);
    let turn = turn(token, peer, ticket, shared)?;
    match token {
        Some(token) if auth.secret.as_ref().is_some_and(|secret| secret_eq(secret.reveal(), token)) => {
            turn.into_iter().for_each(Turn::give_back);
            let scopes = Scopes::new(vec!["operator.admin".to_string()]);
            let generation = auth.generation;
            Ok(Some(caller("http", auth.mode.name(), generation, scopes, peer, Provenance::Operator)))
        }
        // A page of the original shows the token of its device, where anybody may ask.
        Some(token) if is_open && Pairing::new(&shared.env.state_dir).holds(token, clock::now_ms()) => {
            turn.into_iter().for_each(Turn::give_back);
            Ok(Some(caller("device", "device-token", 0, Scopes::default(), peer, Provenance::Operator)))
        }
        Some(_) => Err(wrong(peer, ticket, shared)),
        None if is_open => Ok(None),
        None => Err(missing("the gateway's token or password")),
    }
}

/// A capability is too long to be guessed, so a wrong one, which an old page may well show, is not counted.
fn canvas(head: &Head, peer: &Peer, ticket: &Ticket, shared: &Shared) -> Judged {
    let path = path::plain(&head.target).unwrap_or_default();
    match canvas::capability(&path) {
        Some((shown, _)) if shared.capabilities.is_good(shown) => {
            Ok(Some(caller("canvas", "capability", 0, Scopes::default(), peer, Provenance::Operator)))
        }
        Some(_) => {
            Err(missing("an address that a live connection was given, or the gateway's token or password"))
        }
        None => operator(false, head, peer, ticket, shared),
    }
}

fn hook(head: &Head, peer: &Peer, ticket: &Ticket, shared: &Shared) -> Judged {
    let config = shared.config();
    let token = config.str("hooks.token").filter(|token| !token.is_empty() && config.bool("hooks.enabled"));
    let Some(token) = token else { return Err(hooks::off(&config)) };
    let query = head.target.split_once('?').map_or("", |(_, query)| query);
    if query.split('&').any(|pair| pair.split('=').next() == Some("token")) {
        let text = "Hook token must be provided via Authorization: Bearer <token> or X-OpenClaw-Token header (query parameters are not allowed).";
        return Err(Refusal::new(400, text));
    }
    let offered = bearer(head).or_else(|| head.get("x-openclaw-token"));
    let turn = turn(offered, peer, ticket, shared)?;
    match offered {
        Some(offered) if secret_eq(token, offered) => {
            turn.into_iter().for_each(Turn::give_back);
            Ok(Some(caller("hook", "hook", 0, Scopes::default(), peer, Provenance::Hook)))
        }
        Some(_) => Err(wrong(peer, ticket, shared)),
        None => Err(missing("hooks.token")),
    }
}

/// The turn to compare what is offered, if anything is.
fn turn(
    offered: Option<&str>,
    peer: &Peer,
    ticket: &Ticket,
    shared: &Shared,
) -> Result<Option<Turn>, Refusal> {
    offered
        .map(|_| ticket.turn(peer.client, &shared.limits).ok_or_else(|| auth::unheard().into()))
        .transpose()
}

fn caller(
    name: &str,
    method: &'static str,
    generation: u64,
    scopes: Scopes,
    peer: &Peer,
    provenance: Provenance,
) -> Arc<Caller> {
    Arc::new(Caller {
        conn: local::next_conn(),
        id: name.to_string(),
        protocol: 4,
        scopes,
        client_id: name.to_string(),
        mode: "backend".to_string(),
        remote: peer.remote(),
        method,
        generation,
        provenance,
        ..Caller::default()
    })
}

/// The secret of `Authorization: Bearer`.
fn bearer(head: &Head) -> Option<&str> {
    let (scheme, token) = head.get("authorization")?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn missing(what: &str) -> Refusal {
    Refusal::new(401, format!("Unauthorized: send {what} as Authorization: Bearer <secret>"))
        .with("WWW-Authenticate", "Bearer")
}

fn wrong(peer: &Peer, ticket: &Ticket, shared: &Shared) -> Refusal {
    match auth::count_failure(shared, peer, "HTTP") {
        Failed::Counted(_) => Refusal::new(401, "Unauthorized").with("WWW-Authenticate", "Bearer"),
        too_many => {
            ticket.stage(Stage::Idle);
            if ticket.pause() { auth::rate_limited(too_many).into() } else { auth::unheard().into() }
        }
    }
}
