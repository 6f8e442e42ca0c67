//! One HTTP/1.1 connection: head, exactly framed body, route, answer, keep-alive.
//!
//! Runs on the connection's own thread. Every request has one total deadline and a body cap; a stranger has one
//! deadline for all of his requests, and no keep-alive while somebody waits for his place. Who asks is found out anew
//! for each request: behind a proxy each may be somebody else's. A gateway secret that is sent is checked against the
//! same failure count as on the WebSocket. Answers are printed by tiny_http.
use crate::device::secret_eq;
use crate::door::{Failed, Stage, Ticket};
use crate::http::{Answer, Auth, ROUTES, Request, Route, path};
use crate::json::json;
use crate::net::auth;
use crate::net::connection::linger;
use crate::net::head::{self, Head, NoHead};
use crate::net::origin;
use crate::net::peer::{Ends, Peer};
use crate::state::shared::Shared;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tiny_http::{Header, Response};

/// Bodies are read in pieces of this many bytes.
const PIECE: usize = 4096;

pub fn serve(
    stream: &TcpStream,
    mut head: Head,
    ends: Ends,
    mut ticket: Ticket,
    until: Instant,
    mut shared: Arc<Shared>,
) {
    loop {
        let peer = Peer::of(ends, &head, &shared.config().strings("gateway.trustedProxies"));
        let deadline = if ticket.is_proven() { Instant::now() + shared.limits.handshake() } else { until };
        let (answer, keep) = respond(stream, &mut head, &peer, &mut ticket, &shared, deadline);
        let may_stay = ticket.is_proven() || !shared.door.is_pressed();
        let keep = keep && may_stay && wants_keep_alive(&head) && !shared.published.is_stopping();
        if print(stream, &head, &answer, keep).is_err() {
            return;
        }
        ticket.stage(Stage::Idle);
        if !keep {
            return linger(stream, Duration::from_secs(1));
        }
        let idle = Instant::now() + Duration::from_millis(shared.limits.keep_alive_ms);
        let idle = if ticket.is_proven() { idle } else { idle.min(until) };
        let rest = std::mem::take(&mut head.rest);
        head = match head::read(stream, rest, shared.limits.head_bytes as usize, idle, &ticket) {
            Ok(next) if !next.is_upgrade() => next,
            // A second request cannot turn the connection into a WebSocket.
            Ok(_) => return reject(stream, &ticket, 400, "open a new connection for a WebSocket"),
            Err(NoHead::Invalid(text)) => return reject(stream, &ticket, 400, text),
            Err(NoHead::TooLarge) => return reject(stream, &ticket, 431, "request head too large"),
            Err(NoHead::Gone | NoHead::TimedOut) => return,
        };
        // Each request is answered by the generation that serves then.
        shared = match shared.succession.current() {
            Some(shared) => shared,
            None => return,
        };
    }
}

/// The answer, and whether the connection is in a state to go on.
fn respond(
    stream: &TcpStream,
    head: &mut Head,
    peer: &Peer,
    ticket: &mut Ticket,
    shared: &Shared,
    deadline: Instant,
) -> (Answer, bool) {
    let config = shared.config();
    let allowed = config.strings("gateway.controlUi.allowedOrigins");
    if let Err(text) = origin::check(head, &allowed, &shared.own_names) {
        return (error(403, "forbidden", &text), false);
    }
    let path = path::plain(&head.target);
    let Some(route) = path.as_deref().and_then(|path| ROUTES.iter().find(|r| r.path == path)) else {
        return (
            error(
                404,
                "not_found",
                "no such path; this port serves /health, /ready, /startup and the WebSocket protocol",
            ),
            false,
        );
    };
    if !route.methods.contains(&head.method.as_str()) {
        return (error(405, "method_not_allowed", &format!("use {}", route.methods.join(" or "))), false);
    }
    ticket.stage(Stage::Head);
    let body = read_body(stream, head, route, deadline);
    ticket.stage(Stage::Served);
    if let Err((status, text)) = body {
        return (error(status, "invalid_request_error", text), false);
    }
    match authorize(head, peer, ticket, shared) {
        Err(answer) => (answer, true),
        Ok(is_authorized) => {
            if is_authorized {
                ticket.prove();
            }
            match route.auth {
                Auth::Open => ((route.handler)(shared, &Request { is_authorized }), true),
            }
        }
    }
}

/// Whether the gateway's secret was sent. A wrong one is refused and counted; none is not, and what another scheme
/// says (a proxy's own login, by `Basic`) is not meant for the gateway.
fn authorize(head: &Head, peer: &Peer, ticket: &Ticket, shared: &Shared) -> Result<bool, Answer> {
    let value = head.get("authorization").unwrap_or_default();
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Ok(false);
    }
    if shared.auth().secret.as_ref().is_some_and(|secret| secret_eq(secret.reveal(), token)) {
        return Ok(true);
    }
    match auth::count_failure(shared, peer, "HTTP") {
        Failed::Counted(_) => Err(error(401, "unauthorized", "Unauthorized")),
        too_many => {
            ticket.stage(Stage::Idle);
            ticket.pause();
            let told = auth::rate_limited(too_many);
            let after = told.retry_after().unwrap_or_default().as_secs().max(1);
            Err(Answer { retry_after: Some(after), ..error(429, "rate_limited", told.message()) })
        }
    }
}

/// Reads the body as framed, at most the route's cap; what it says is for later routes.
fn read_body(
    stream: &TcpStream,
    head: &mut Head,
    route: &Route,
    deadline: Instant,
) -> Result<Vec<u8>, (u16, &'static str)> {
    if head.get("transfer-encoding").is_some() {
        return Err((411, "send a Content-Length"));
    }
    let length = match head.get("content-length") {
        None => 0,
        Some(text) if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() => {
            text.parse::<usize>().unwrap_or(usize::MAX)
        }
        Some(_) => return Err((400, "invalid Content-Length")),
    };
    if length > route.max_body {
        return Err((413, "payload too large"));
    }
    let mut body = std::mem::take(&mut head.rest);
    head.rest = if body.len() > length { body.split_off(length) } else { Vec::new() };
    let mut piece = [0u8; PIECE];
    while body.len() < length {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || !head::wait_readable(stream, left) {
            return Err((408, "the body did not arrive in time"));
        }
        let want = (length - body.len()).min(PIECE);
        let mut input = stream;
        match input.read(piece.get_mut(..want).unwrap_or_default()) {
            Ok(n) if n > 0 => body.extend_from_slice(piece.get(..n).unwrap_or_default()),
            _ => return Err((400, "the body ended early")),
        }
    }
    Ok(body)
}

fn wants_keep_alive(head: &Head) -> bool {
    match head.minor_version {
        0 => head.has_token("connection", "keep-alive"),
        _ => !head.has_token("connection", "close"),
    }
}

fn error(status: u16, kind: &str, message: &str) -> Answer {
    Answer { status, body: json!({"error": {"type": kind, "message": message}}), retry_after: None }
}

fn reject(stream: &TcpStream, ticket: &Ticket, status: u16, text: &str) {
    ticket.stage(Stage::Idle);
    let answer = error(status, "invalid_request_error", text);
    if print(stream, &Head::default(), &answer, false).is_ok() {
        linger(stream, Duration::from_secs(1));
    }
}

fn print(mut stream: &TcpStream, head: &Head, answer: &Answer, keep: bool) -> std::io::Result<()> {
    let mut headers = vec![
        ("Server", "openclaw"),
        ("Content-Type", "application/json; charset=utf-8"),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
    ];
    if answer.status == 405 {
        headers.push(("Allow", "GET, HEAD"));
    }
    let after = answer.retry_after.map(|secs| secs.to_string());
    headers.extend(after.as_deref().map(|secs| ("Retry-After", secs)));
    let body = body_text(&answer.body);
    let length = body.len();
    let headers =
        headers.into_iter().filter_map(|(name, value)| Header::from_bytes(name, value).ok()).collect();
    let response =
        Response::new(answer.status.into(), headers, std::io::Cursor::new(body), Some(length), None);
    let mut out = Vec::with_capacity(512);
    response.raw_print(&mut out, tiny_http::HTTPVersion(1, 1), &[], head.method == "HEAD", None)?;
    // tiny_http keeps `Connection` to itself; it goes behind the status line.
    let line_end = out.windows(2).position(|w| w == b"\r\n").map_or(0, |at| at + 2);
    let connection: &[u8] = if keep { b"Connection: keep-alive\r\n" } else { b"Connection: close\r\n" };
    out.splice(line_end..line_end, connection.iter().copied());
    stream.write_all(&out)
}

fn body_text(body: &Value) -> Vec<u8> {
    let mut text = body.to_string().into_bytes();
    text.push(b'\n');
    text
}
