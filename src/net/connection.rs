//! One accepted connection: its head decides whether it becomes a WebSocket or an HTTP worker.
//!
//! Runs on the connection's own thread from its first byte to its last.
use crate::door::head::{self, Head, NoHead};
use crate::door::{Stage, Ticket};
use crate::net::origin;
use crate::net::peer::{Ends, Peer};
use crate::net::print::{self, Framing};
use crate::net::tls::{self, Speaks};
use crate::net::ws;
use crate::state::shared::Shared;
use crate::tls::Port;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What live pages of the canvas ask for: of all upgrades the one that a route takes.
pub const PUSH: &str = "/__openclaw__/ws";

const PLAIN_TEXT: (&str, &str) = ("Content-Type", "text/plain; charset=utf-8");

/// How long what a peer still sends is taken after our last word.
const LINGER: Duration = Duration::from_secs(1);

/// Serves requests by HTTP, from a whole head on, until the connection ends; the moment is the end of a stranger's stay.
pub type HttpWorker = dyn Fn(&TcpStream, Head, Ends, Ticket, Instant, Arc<Shared>);

/// What becomes of a listener's connections.
#[derive(Clone, Copy)]
pub struct Service {
    pub http: fn(&TcpStream, Head, Ends, Ticket, Instant, Arc<Shared>),
    /// Whether an upgrade makes a client, or is a request like others.
    pub takes_clients: bool,
}

/// `since` is when it was accepted: a stranger's whole stay is counted from there.
pub fn serve(
    stream: Arc<TcpStream>,
    since: Instant,
    mut ticket: Ticket,
    id: u64,
    shared: Arc<Shared>,
    http: &HttpWorker,
    takes_clients: bool,
) {
    let (Ok(own), Ok(other), Ok(())) = (stream.local_addr(), stream.peer_addr(), prepare(&stream)) else {
        return; // The socket is dead already.
    };
    let ends = Ends { own, other, is_tls: shared.tls.is_some() };
    let deadline = since + shared.limits.handshake();
    let max_head = shared.limits.head_bytes as usize;
    let stream = match &shared.tls {
        None => stream,
        Some(port) => match within_tls(stream, port, ends, (deadline, max_head), &mut ticket, id) {
            Some(inner) => inner,
            None => return,
        },
    };
    let head = match head::read(&stream, Vec::new(), max_head, deadline, &ticket) {
        Ok(head) => head,
        Err(why) => return refuse_head(&stream, why, &ticket),
    };
    // The head may have come only after a restart; strangers belong to the generation that answers them.
    let Some(shared) = shared.succession.current() else {
        return refuse(&stream, &ticket, &head, 503, "the gateway is stopping");
    };
    let is_push = || head.target.split('?').next().is_some_and(|path| path.ends_with(PUSH));
    if !head.is_upgrade() || !takes_clients || is_push() {
        return http(&stream, head, ends, ticket, deadline, shared);
    }
    become_client(stream, head, ends, ticket, id, deadline, shared);
}

/// Whoever asks for a WebSocket. A frame of its own: those who ask by HTTP have no use for what it needs.
#[inline(never)]
fn become_client(
    stream: Arc<TcpStream>,
    head: Head,
    ends: Ends,
    ticket: Ticket,
    id: u64,
    deadline: Instant,
    shared: Arc<Shared>,
) {
    let peer = Peer::of(ends, &head, &shared.config().strings("gateway.trustedProxies"));
    match upgrade(&head, &shared) {
        Ok(response) => {
            if (&*stream).write_all(&response).is_ok() {
                ws::serve(stream, head, peer, ticket, id, deadline, shared);
            }
        }
        Err((status, text)) => {
            log::info!(target: "gateway/ws", "refused an upgrade from {}: {text}", peer.client);
            refuse(&stream, &ticket, &head, status, text);
        }
    }
}

/// The socket to go on with behind a TLS handshake. Who speaks plain is told that this is no place for it.
#[inline(never)]
fn within_tls(
    stream: Arc<TcpStream>,
    port: &Port,
    ends: Ends,
    (deadline, max_head): (Instant, usize),
    ticket: &mut Ticket,
    id: u64,
) -> Option<Arc<TcpStream>> {
    match tls::look(&stream, deadline) {
        Speaks::Tls => return tls::accept(&stream, port, ends, deadline, ticket, id).map(Arc::new),
        Speaks::Plain => match head::read(&stream, Vec::new(), max_head, deadline, ticket) {
            Ok(head) => refuse_plain(&stream, ticket, &head),
            Err(why) => refuse_head(&stream, why, ticket),
        },
        Speaks::Nothing => {}
    }
    None
}

fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    // Nobody may hold this thread in a write before the worker's own rules take over.
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    rustix::net::sockopt::set_socket_keepalive(stream, true)?;
    Ok(())
}

/// The 101 answer, or the status and text of a refusal. The origin is judged here, before the upgrade.
fn upgrade(head: &Head, shared: &Shared) -> Result<Vec<u8>, (u16, &'static str)> {
    let answer = switching(head)?;
    let config = shared.config();
    let allowed = config.strings("gateway.controlUi.allowedOrigins");
    match origin::check(head, &allowed, &shared.own_names) {
        Ok(()) => Ok(answer),
        Err(_) => Err((
            403,
            "origin not allowed (open the Control UI from the gateway host or allow it in gateway.controlUi.allowedOrigins)",
        )),
    }
}

/// The same, whatever page asks.
pub fn switching(head: &Head) -> Result<Vec<u8>, (u16, &'static str)> {
    if head.method != "GET" {
        return Err((405, "Invalid HTTP method"));
    }
    if !head.has_token("upgrade", "websocket") || !head.has_token("connection", "upgrade") {
        return Err((400, "Invalid Upgrade header"));
    }
    if head.version() == 0 {
        return Err((400, "A WebSocket needs HTTP/1.1"));
    }
    // Whoever stands in front and counts the body as such would see other requests than are read here.
    if head.has_body() {
        return Err((400, "An upgrade has no body: leave Content-Length and Transfer-Encoding out"));
    }
    let Some(key) = head.get("sec-websocket-key").filter(|k| is_key(k)) else {
        return Err((400, "Missing or invalid Sec-WebSocket-Key header"));
    };
    if !matches!(head.get("sec-websocket-version"), Some("13" | "8")) {
        return Err((400, "Missing or invalid Sec-WebSocket-Version header"));
    }
    let accept = crate::protocol::wire::accept_key(key);
    let protocol = head.get("sec-websocket-protocol").and_then(|p| p.split(',').next()).map(str::trim);
    let mut headers = vec![("Sec-WebSocket-Accept", accept.as_str())];
    headers.extend(protocol.filter(|p| !p.is_empty()).map(|p| ("Sec-WebSocket-Protocol", p)));
    Ok(print::head(1, 101, &headers, Framing::Upgrade("websocket"), true))
}

/// 16 bytes in base64.
fn is_key(key: &str) -> bool {
    let plain = key.trim_end_matches('=');
    key.len() == 24
        && plain.len() == 22
        && plain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

#[inline(never)]
fn refuse_head(stream: &TcpStream, (why, minor): (NoHead, u8), ticket: &Ticket) {
    let (status, text) = match why {
        NoHead::Gone if ticket.is_evicted() => (503, "too many connections without a request"),
        NoHead::Gone => return,
        NoHead::TimedOut => (408, "no complete request head in time"),
        NoHead::TooLarge => (431, "request head too large"),
        NoHead::Invalid(text) => (400, text),
    };
    refuse(stream, ticket, &Head::of_version(minor), status, text);
}

/// Who speaks plain where TLS is spoken: a browser that comes for a page is sent on, all others are told. So is whoever
/// shows a secret, or he would never know that he shows it to the whole network.
fn refuse_plain(stream: &TcpStream, ticket: &Ticket, head: &Head) {
    let is_page = head.method == "GET"
        && !head.is_upgrade()
        && head.get("authorization").is_none()
        && head.get("accept").is_some_and(|types| types.contains("text/html"));
    match head.get("host").filter(|_| is_page) {
        Some(host) => {
            let there = [PLAIN_TEXT, ("Location", &*format!("https://{host}{}", head.target))];
            refuse_with(stream, ticket, head, 307, "This port speaks TLS.", &there);
        }
        None => {
            let text = "this port speaks TLS: use https:// or wss://";
            refuse_with(stream, ticket, head, 400, text, &[PLAIN_TEXT]);
        }
    }
}

fn refuse(stream: &TcpStream, ticket: &Ticket, head: &Head, status: u16, text: &str) {
    refuse_with(stream, ticket, head, status, text, &[]);
}

#[inline(never)]
fn refuse_with(
    mut stream: &TcpStream,
    ticket: &Ticket,
    head: &Head,
    status: u16,
    text: &str,
    more: &[(&str, &str)],
) {
    ticket.stage(Stage::Idle);
    // What is refused in place of a WebSocket is called so by the original.
    let usual: &[_] = if more.is_empty() { &[("Content-Type", "text/html")] } else { &[] };
    let mut headers = [usual, more].concat();
    headers.extend(text.contains("Version").then_some(("Sec-WebSocket-Version", "13, 8")));
    headers.extend((status == 405).then_some(("Allow", "GET")));
    let head = print::head(head.version(), status, &headers, Framing::Length(text.len()), false);
    if stream.write_all(&[&head, text.as_bytes()].concat()).is_ok() {
        linger(stream, ticket);
    }
}

/// Ends our side and takes what the peer still sends, so that the kernel does not answer unread input with a
/// reset that would destroy our last bytes on their way. For a moment only where the place is needed by others.
pub fn linger(stream: &TcpStream, ticket: &Ticket) {
    use std::io::Read;
    let deadline = Instant::now() + if ticket.is_evicted() { LINGER / 20 } else { LINGER };
    if stream.shutdown(std::net::Shutdown::Write).is_err() {
        return;
    }
    let (mut stream, mut sink) = (stream, [0u8; 1024]);
    let left = || deadline.saturating_duration_since(Instant::now());
    while !left().is_zero() && head::wait_readable(stream, left()) {
        match stream.read(&mut sink) {
            Ok(0) => return,
            Ok(_) => {}
            Err(e) if crate::calls::outbox::is_not_now(&e) => {}
            Err(_) => return,
        }
    }
}
