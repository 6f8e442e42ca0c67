//! One HTTP/1.1 connection: head, who asks, exactly framed body, handler, keep-alive.
//!
//! Runs on the connection's own thread, handlers included. Every request has one total deadline for its body, and a
//! cap; a stranger has one deadline for all of his requests, and no keep-alive while somebody waits for his place. Who
//! asks is found out anew for each request: behind a proxy each may be somebody else's. No body is read before it is
//! known that the route takes it and from whom. HTTP/1.0 gets one answer a connection.
use crate::calls::Caller;
use crate::calls::budget::Work;
use crate::door::head::{self, Head, NoHead};
use crate::door::{Stage, Ticket};
use crate::error::{Error, Kind, Result as Handled};
use crate::http::body::{Input, Measure};
use crate::http::responder::Responder;
use crate::http::turn::{Sent, Turn};
use crate::http::{Auth, Exchange, Refusal, Route, Shape, access, canvas, find, hooks, path, shape};
use crate::logging::quoted;
use crate::net::connection::linger;
use crate::net::origin;
use crate::net::peer::{Ends, Peer};
use crate::state::shared::Shared;
use crate::sys;
use std::cell::Cell;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Serves from a whole `head` on. `until` is the end of a stranger's stay.
pub fn serve(
    stream: &TcpStream,
    mut head: Head,
    ends: Ends,
    mut ticket: Ticket,
    until: Instant,
    mut shared: Arc<Shared>,
    routes: &[Route],
) {
    sys::release_cache();
    loop {
        let peer = Peer::of(ends, &head, &shared.config().strings("gateway.trustedProxies"));
        let mut rest = std::mem::take(&mut head.rest);
        let asked = Asked { stream, head: &head, peer: &peer, shared: &shared, routes, until };
        let sent = asked.respond(&mut rest, &mut ticket);
        ticket.stage(Stage::Idle);
        match sent {
            Sent::Kept => {}
            Sent::Last => return linger(stream, &ticket),
            Sent::Nothing | Sent::Part => return,
        }
        let idle = Instant::now() + Duration::from_millis(shared.limits.keep_alive_ms);
        let idle = if ticket.is_proven() { idle } else { idle.min(until) };
        head = match head::read(stream, rest, shared.limits.head_bytes as usize, idle, &ticket) {
            Ok(next) if !next.is_upgrade() => next,
            // A second request cannot turn the connection into a WebSocket.
            Ok(next) => {
                let text = "open a new connection for a WebSocket";
                return reject(stream, &ticket, &shared, next.version(), 400, text);
            }
            Err((NoHead::Invalid(text), minor)) => return reject(stream, &ticket, &shared, minor, 400, text),
            Err((NoHead::TooLarge, minor)) => {
                return reject(stream, &ticket, &shared, minor, 431, "request head too large");
            }
            Err((NoHead::Gone | NoHead::TimedOut, _)) => return,
        };
        // Each request is answered by the generation that serves then.
        shared = match shared.succession.current() {
            Some(shared) => shared,
            None => return,
        };
    }
}

/// A request that is about to be answered.
struct Asked<'a> {
    stream: &'a TcpStream,
    head: &'a Head,
    peer: &'a Peer,
    shared: &'a Arc<Shared>,
    routes: &'a [Route],
    until: Instant,
}

/// What a handler is given.
struct Admitted<'a> {
    route: &'a Route,
    path: String,
    caller: Option<Arc<Caller>>,
    body: Vec<u8>,
    work: Work,
    until: Instant,
}

impl Asked<'_> {
    fn respond(&self, rest: &mut Vec<u8>, ticket: &mut Ticket) -> Sent {
        // What is left unread of a request would be taken for the next one.
        let mut is_read = false;
        let admitted = self.admit(rest, ticket, &mut is_read);
        let path = path::plain(&self.head.target);
        let turn = Turn {
            shape: shape(self.routes, path.as_deref(), &self.shared.config()),
            stream: self.stream,
            head: self.head,
            ticket,
            shared: self.shared,
            caller: admitted.as_ref().ok().and_then(|admitted| admitted.caller.clone()),
            is_read,
            until: self.until,
            sent: Cell::default(),
        };
        let result = match admitted {
            Err(refusal) => Responder::new(&turn).refuse(refusal),
            Ok(admitted) => self.handle(admitted, &turn),
        };
        let result = result.and_then(|()| match turn.sent.get() {
            Sent::Nothing => Err(Error::new(Kind::Io, "nothing answers here")),
            _ => Ok(()),
        });
        if let Err(error) = result {
            let Head { method, target, .. } = self.head;
            log::info!(target: "gateway/http", "{} {} ✗ {}", quoted(method), quoted(&path_of(target)), quoted(error.message()));
            if turn.sent.get() == Sent::Nothing {
                // Who cannot be told is gone.
                let _ = Responder::new(&turn).refuse(error.into());
            }
        }
        turn.sent.get()
    }

    fn handle(&self, admitted: Admitted, turn: &Turn) -> Handled<()> {
        let Admitted { route, path, caller, body, work, until } = admitted;
        let (head, shared, out) = (self.head, self.shared, Responder::new(turn));
        (route.handler)(Exchange { head, path: &path, caller, body, until, shared, out, turn, work })
    }

    /// Finds the route, judges who asks, and reads the body.
    #[inline(never)]
    fn admit(
        &self,
        rest: &mut Vec<u8>,
        ticket: &mut Ticket,
        is_read: &mut bool,
    ) -> Result<Admitted<'_>, Refusal> {
        let (head, shared) = (self.head, self.shared);
        let measure = Measure::of(head)?;
        *is_read = measure.is_empty();
        let config = shared.config();
        let allowed = config.strings("gateway.controlUi.allowedOrigins");
        let path = path::plain(&head.target);
        let route = find(self.routes, &head.method, path.as_deref(), &config);
        // A page of the canvas has an origin of its own; what it shows is its address, where a capability stands.
        let shows_address = || path.as_deref().is_some_and(|path| canvas::capability(path).is_some());
        let is_any_page = |route: &&Route| match route.auth {
            Auth::Page => true,
            Auth::Canvas => shows_address(),
            _ => false,
        };
        if !route.as_ref().is_ok_and(is_any_page) {
            origin::check(head, &allowed, &shared.own_names).map_err(|text| Refusal::new(403, text))?;
        }
        let route = route?;
        let is_hook = route.auth == Auth::Hook;
        let caller = access::judge(route.auth, head, self.peer, ticket, shared)?;
        match caller {
            Some(_) => ticket.prove(),
            // A page that had its name lead here cannot know the secret, and a listed proxy has judged the name.
            None if route.auth != Auth::Open || self.peer.is_proxied => {}
            None => {
                origin::check_host(head, &allowed, &shared.own_names)
                    .map_err(|text| Refusal::new(403, text))?;
            }
        }
        let until = Instant::now() + route.time;
        let most = shared.limits.total_buffered as usize / 2;
        ticket.stage(Stage::Head);
        let mut input = Input {
            stream: self.stream,
            bytes: std::mem::take(rest),
            until: if ticket.is_proven() { until } else { until.min(self.until) },
            max: most.min(if is_hook { hooks::max_body(&config) } else { route.max_body }),
            work: shared.budget.begin(),
            most,
        };
        let body = input.take(head, measure)?;
        ticket.stage(Stage::Served);
        (*rest, *is_read) = (input.bytes, true);
        let path = path.unwrap_or_default();
        Ok(Admitted { route, path, caller, body, work: input.work, until })
    }
}

/// A target without its query, which may hold secrets, and without a capability, which is one, however it is written. Of
/// what is no plain path nothing is shown.
fn path_of(target: &str) -> String {
    let path = path::plain(target).unwrap_or_else(|| "(no plain path)".to_string());
    canvas::without_capability(&path).to_string()
}

/// Answers what is no request.
fn reject(stream: &TcpStream, ticket: &Ticket, shared: &Shared, minor: u8, status: u16, text: &str) {
    let (head, until) = (Head::of_version(minor), Instant::now() + Duration::from_secs(1));
    let (caller, is_read, sent, shape) = (None, false, Cell::default(), Shape::Bare);
    let turn = Turn { shape, stream, head: &head, ticket, shared, caller, is_read, until, sent };
    ticket.stage(Stage::Idle);
    if Responder::new(&turn).refuse(Refusal::new(status, text)).is_ok() {
        linger(stream, ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn sec_15_no_log_shows_a_capability() {
        for (target, shown) in [
            ("/a?token=x", "/a"),
            ("/__openclaw__/cap/1-s/__openclaw__/canvas/x", "/__openclaw__/canvas/x"),
            ("/__openclaw__/cap/1-s", "/__openclaw__/cap/"),
            ("/__openclaw__/cap/1-s?x", "/__openclaw__/cap/"),
            ("/__openclaw__/c%61p/1-s/y", "/y"),
            ("//__openclaw__/cap/1-s/", "(no plain path)"),
            ("/__openclaw__/cap/1-s%2f", "(no plain path)"),
        ] {
            assert_eq!(path_of(target), shown, "{target}");
        }
    }
}
