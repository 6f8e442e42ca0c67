//! One HTTP/1.1 connection: head, exactly framed body, route, answer, keep-alive.
//!
//! Runs on the connection's own thread. Every request has one total deadline and a body cap; a gateway secret
//! that is sent is checked against the same failure count as on the WebSocket. Answers are printed by tiny_http.
use crate::device::secret_eq;
use crate::http::{Answer, Auth, ROUTES, Request, Route, path};
use crate::json::json;
use crate::net::connection::linger;
use crate::net::door::Ticket;
use crate::net::head::{self, Head, NoHead};
use crate::net::origin;
use crate::net::peer::Peer;
use crate::shared::Shared;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tiny_http::{Header, Response};

/// Bodies are read in pieces of this many bytes.
const PIECE: usize = 4096;

pub fn serve(stream: TcpStream, mut head: Head, peer: Peer, mut ticket: Ticket, mut shared: Arc<Shared>) {
    loop {
        let deadline = Instant::now() + shared.limits.handshake();
        let (answer, keep) = respond(&stream, &mut head, &peer, &mut ticket, &shared, deadline);
        let keep = keep && wants_keep_alive(&head) && !shared.published.is_stopping();
        if print(&stream, &head, &answer, keep).is_err() {
            return;
        }
        if !keep {
            return linger(&stream, Duration::from_secs(1));
        }
        let idle = Instant::now() + Duration::from_millis(shared.limits.keep_alive_ms);
        let rest = std::mem::take(&mut head.rest);
        head = match head::read(&stream, rest, shared.limits.head_bytes as usize, idle, &ticket) {
            Ok(next) if !next.is_upgrade() => next,
            // A second request cannot turn the connection into a WebSocket.
            Ok(_) => return reject(&stream, 400, "open a new connection for a WebSocket"),
            Err(NoHead::Invalid(text)) => return reject(&stream, 400, text),
            Err(NoHead::TooLarge) => return reject(&stream, 431, "request head too large"),
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
    if let Err((status, text)) = read_body(stream, head, route, deadline) {
        return (error(status, "invalid_request_error", text), false);
    }
    match authorize(head, peer, shared) {
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

/// Whether the gateway's secret was sent. A wrong one is refused and counted; none is not.
fn authorize(head: &Head, peer: &Peer, shared: &Shared) -> Result<bool, Answer> {
    let Some(value) = head.get("authorization") else { return Ok(false) };
    if let Some(wait) = shared.door.locked_for(peer.client, &shared.limits, Instant::now()) {
        let text = format!("too many failed authentication attempts; retry in {} s", wait.as_secs() + 1);
        return Err(error(429, "rate_limited", &text));
    }
    let bearer = value
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, t)| t.trim());
    let auth = shared.auth();
    let is_right = auth.secret.as_ref().zip(bearer).is_some_and(|(s, t)| secret_eq(s.reveal(), t));
    if is_right {
        return Ok(true);
    }
    shared.door.failed(peer.client, &shared.limits, Instant::now());
    Err(error(401, "unauthorized", "Unauthorized"))
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
    Answer { status, body: json!({"error": {"type": kind, "message": message}}) }
}

fn reject(stream: &TcpStream, status: u16, text: &str) {
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
    match answer.status {
        405 => headers.push(("Allow", "GET, HEAD")),
        429 => headers.push(("Retry-After", "60")),
        503 => headers.push(("Retry-After", "1")),
        _ => {}
    }
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
