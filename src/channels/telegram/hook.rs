//! The listener of a webhook: requests of Telegram, each judged by its head before its body is read (SEC-32).
//!
//! One thread accepts, one serves each connection for one request, within a deadline; who is silent is parked, as at the
//! gateway's own port, and loses his place to a newcomer; the door slows down who guesses the secret. What is in a body is
//! another thread's matter, which says when it is written.
use super::update::Update;
use crate::calls::outbox::is_not_now;
use crate::channels::house::House;
use crate::device::secret_eq;
use crate::door::head::{self, Head, NoHead};
use crate::door::parked::{GRACE, Newcomer, Parked};
use crate::door::{Door, Failed, Stage, Ticket};
use crate::error::{Error, Result};
use crate::parts::Parts;
use crate::protocol::limits::Limits;
use crate::{json, threads};
use crossbeam_channel::{Sender, bounded};
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The header that says who sends.
const SECRET: &str = "x-telegram-bot-api-secret-token";
const MAX_HEAD: usize = 16 << 10;
/// Updates are far smaller.
const MAX_BODY: usize = 2 << 20;
/// For a whole request.
const TIME: Duration = Duration::from_secs(10);
/// For the body of who knows the secret: Telegram sends it at once, and others wait for his place.
const BODY: Duration = Duration::from_secs(3);
/// For what Telegram is told of an update to be known.
const PATIENCE: Duration = Duration::from_millis(900);
const LOOK: Duration = Duration::from_millis(500);
/// How often it is looked for room while somebody wants it.
const SOON: Duration = Duration::from_millis(5);
/// Connections without a place.
const PARKED: usize = 128;
const STACK: usize = 256 << 10;

/// What is asked with each request.
pub struct Hook {
    pub listener: TcpListener,
    pub path: String,
    pub secret: String,
}

/// An update that came; told whether it is written.
pub type Posted = (Update, Sender<bool>);

/// Status, reason and body of an answer.
type Answer = (u16, &'static str, &'static str);

const BUSY: Answer = (503, "Service Unavailable", "busy, try again");
const TIMED_OUT: Answer = (408, "Request Timeout", "nothing was said");
const INCOMPLETE: Answer = (400, "Bad Request", "the request is not whole");

impl Hook {
    pub fn open(host: &str, port: u16, path: &str, secret: &str) -> Result<Hook> {
        let listener = TcpListener::bind((host, port)).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        let listener = listener.map_err(|e| {
            Error::unavailable(format!(
                "the webhook cannot listen on {host}:{port}: {e}; free it, or set channels.telegram.webhookHost and webhookPort"
            ))
        })?;
        Ok(Hook { listener, path: path.to_string(), secret: secret.to_string() })
    }

    /// Takes requests until the account ends.
    pub fn serve(self, house: &Arc<dyn House>, posts: Sender<Posted>) -> Result<()> {
        let (door, hook, posts) = (Door::new(), Arc::new(self), Arc::new(posts));
        let (mut parked, limits) = (Parked::new(turn_away), Limits::default());
        while house.cancel().reason().is_none() {
            let has_room = parked.all.len() < PARKED || parked.make_room(GRACE);
            let listener: Vec<_> = has_room.then(|| hook.listener.as_fd()).into_iter().collect();
            let time = if has_room && !parked.has_speakers() { LOOK } else { SOON };
            if parked.wait(&listener, Some(time)).contains(&true) {
                match hook.listener.accept() {
                    Ok((stream, from)) => parked.park(stream, from.ip()),
                    Err(e) if is_not_now(&e) => {}
                    // What is short is descriptors, most likely.
                    Err(_) if parked.make_room(GRACE) => {}
                    Err(_) => drop(house.sleep(LOOK)?),
                }
            }
            parked.dismiss(TIME);
            parked.admit(&door, &limits, &mut |newcomer, ticket| hook.start(newcomer, ticket, &door, &posts));
        }
        Ok(())
    }

    /// Serves who has a place, on a thread of his own.
    fn start(
        self: &Arc<Hook>,
        newcomer: &Newcomer,
        ticket: Ticket,
        door: &Arc<Door>,
        posts: &Arc<Sender<Posted>>,
    ) -> bool {
        let (hook, door, posts) = (self.clone(), door.clone(), posts.clone());
        let (stream, from, until) = (newcomer.stream.clone(), newcomer.address, newcomer.since + TIME);
        let serve = move || {
            let visitor = Visitor { stream: &stream, from, until };
            if let Some(answer) = hook.judge(&visitor, &door, &ticket, &posts) {
                say(&stream, answer);
                ticket.stage(Stage::Idle);
                finish(&stream);
            }
        };
        let died =
            |what| log::error!(target: "channels/telegram", "webhook: a request ended by a defect: {what}");
        let started = threads::spawn("gw-tg-post", STACK, serve, died);
        if let Err(e) = &started {
            log::warn!(target: "channels/telegram", "webhook: {e}");
        }
        started.is_ok()
    }

    /// `None` for who is gone.
    fn judge(
        &self,
        visitor: &Visitor,
        door: &Arc<Door>,
        ticket: &Ticket,
        posts: &Sender<Posted>,
    ) -> Option<Answer> {
        let limits = Limits::default();
        let head = match head::read(visitor.stream, Vec::new(), MAX_HEAD, visitor.until, ticket) {
            Ok(head) => head,
            Err((NoHead::TooLarge, _)) => {
                return Some((431, "Request Header Fields Too Large", "the head is too long"));
            }
            Err((NoHead::Invalid(why), _)) => return Some((400, "Bad Request", why)),
            Err((NoHead::Gone | NoHead::TimedOut, _)) => return None,
        };
        match (head.target.as_str(), head.method.as_str()) {
            ("/healthz", _) => return Some((200, "OK", "ok")),
            (target, _) if target != self.path => return Some((404, "Not Found", "")),
            (_, "POST") => {}
            _ => return Some((405, "Method Not Allowed", "")),
        }
        let turn = ticket.turn(visitor.from, &limits)?;
        if head.all(SECRET).count() > 1 {
            return Some((400, "Bad Request", "a header that must be single is repeated"));
        }
        if !self.is_telegram(&head) {
            if let Failed::Counted(n) = door.failed(visitor.from, String::new, &limits, Instant::now()) {
                log::warn!(target: "channels/telegram", "webhook: wrong secret token from {} ({n})", visitor.from);
            }
            return Some((401, "Unauthorized", "secret token is wrong"));
        }
        turn.give_back();
        let until = visitor.until.min(Instant::now() + BODY);
        let body = match (Visitor { until, ..*visitor }).body(head)? {
            Ok(body) => body,
            Err(answer) => return Some(answer),
        };
        let value = json::read(&body, 200_000, json::DEEPEST).ok();
        let Some(update) = value.and_then(Update::read) else {
            return Some((400, "Bad Request", "the body is no update"));
        };
        Some(if is_taken(update, posts) { (200, "OK", "") } else { BUSY })
    }

    /// Whether it bears the secret.
    fn is_telegram(&self, head: &Head) -> bool {
        head.get(SECRET).is_some_and(|secret| secret_eq(secret, &self.secret))
    }
}

/// How long a body is that may be read.
fn length(head: &Head) -> std::result::Result<usize, Answer> {
    match head.get("content-length") {
        Some(text) if text.is_empty() || text.bytes().any(|b| !b.is_ascii_digit()) => {
            Err((400, "Bad Request", "the length of the body is no number"))
        }
        Some(text) => match text.parse() {
            Ok(length @ ..=MAX_BODY) => Ok(length),
            _ => Err((413, "Content Too Large", "")),
        },
        None => Err((411, "Length Required", "")),
    }
}

/// Has it written.
fn is_taken(update: Update, posts: &Sender<Posted>) -> bool {
    let (told, answer) = bounded(1);
    posts.try_send((update, told)).is_ok() && answer.recv_timeout(PATIENCE) == Ok(true)
}

/// To who gets no place.
fn turn_away(stream: &TcpStream, status: u16) {
    say(stream, if status == BUSY.0 { BUSY } else { TIMED_OUT });
}

/// Answers, without waiting for who does not read.
fn say(mut stream: &TcpStream, (status, reason, body): Answer) {
    let again = if status == 503 { "Retry-After: 5\r\n" } else { "" };
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n{again}Connection: close\r\n\r\n{body}"
    );
    // Who is gone needs no answer.
    let _ = stream.set_nonblocking(true);
    let _ = stream.write_all(text.as_bytes());
}

/// Who sends a request, and until when he may.
struct Visitor<'a> {
    stream: &'a TcpStream,
    from: IpAddr,
    until: Instant,
}

impl Visitor<'_> {
    /// Reads some more; `None` where no more comes in time.
    fn read(&self, bytes: &mut Vec<u8>) -> Option<()> {
        let left = self.until.saturating_duration_since(Instant::now());
        let (mut stream, mut chunk) = (self.stream, [0; 4096]);
        stream.set_nonblocking(false).ok()?;
        stream.set_read_timeout(Some(left).filter(|left| !left.is_zero())).ok()?;
        let n = if left.is_zero() { 0 } else { stream.read(&mut chunk).ok()? };
        bytes.extend_from_slice(chunk.head(n));
        (n > 0).then_some(())
    }

    /// The body, whole; `None` for who is gone.
    fn body(&self, head: Head) -> Option<std::result::Result<Vec<u8>, Answer>> {
        let length = match length(&head) {
            Ok(length) => length,
            Err(answer) => return Some(Err(answer)),
        };
        let is_asking = head.get("expect").is_some_and(|what| what.eq_ignore_ascii_case("100-continue"));
        let mut stream = self.stream;
        if is_asking && stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").is_err() {
            return None;
        }
        let mut body = head.rest;
        while body.len() < length {
            if self.read(&mut body).is_none() {
                return Some(Err(INCOMPLETE));
            }
        }
        body.truncate(length);
        Some(Ok(body))
    }
}

/// Lets what is still under way arrive, so that the answer is not lost to a reset.
fn finish(mut stream: &TcpStream) {
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
    let mut left = [0; 4096];
    for _ in 0..8 {
        if !matches!(stream.read(&mut left), Ok(1..)) {
            return;
        }
    }
}
