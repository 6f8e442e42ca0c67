//! The WebSocket worker: the one thread that owns a client's socket, for reading and writing.
//!
//! It polls the socket and its outbox, answers what needs no gateway state itself, and passes the rest to the
//! state thread. A client that does not read stops being read from (its requests wait in its own TCP buffers)
//! and is closed when nothing moves for `limits.stall_ms`; nobody else notices.
mod handshake;
mod sending;

use crate::clock;
use crate::error::{Error, Kind};
use crate::ids;
use crate::json::json;
use crate::methods::{self, Run};
use crate::net::connection::linger;
use crate::net::door::Ticket;
use crate::net::head::Head;
use crate::net::outbox::{Drain, Frame, Outbox, is_not_now};
use crate::net::peer::Peer;
use crate::net::wire::{self, Decoder, Incoming, Violation};
use crate::protocol::close::Close;
use crate::protocol::frame::{self, Bad, Request};
use crate::shared::Shared;
use crate::state::clients::Caller;
use crate::state::event::Event;
use crate::threads;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sending::{Body, Sending};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Deep JSON fits; untouched stack costs no memory.
const STACK: usize = 256 << 10;
/// Unsent bytes above which no further request of this client is looked at.
const PAUSE_READING: usize = 256 << 10;
/// How long a closing connection may take to take the close frame.
const CLOSE_GRACE: Duration = Duration::from_secs(2);
/// Longest time to wait for the peer's own close after ours.
const LINGER: Duration = Duration::from_secs(1);

#[derive(PartialEq)]
enum Phase {
    /// Exactly one function accepts frames: `handshake`.
    Handshake,
    /// `connect` was accepted; nothing is read until `hello-ok` is written.
    Joining,
    Open,
    /// The close frame is queued; nothing more is read.
    Closing {
        until: Instant,
    },
}

struct Worker {
    stream: TcpStream,
    shared: Arc<Shared>,
    peer: Peer,
    head: Head,
    ticket: Ticket,
    id: u64,
    nonce: String,
    phase: Phase,
    handshake_until: Instant,
    drain: Drain,
    decoder: Decoder,
    /// Messages read and not yet handled.
    inbox: VecDeque<Incoming>,
    /// Frames of this thread's own making, sent before the outbox is looked at.
    own: VecDeque<Sending>,
    sending: Option<Sending>,
    caller: Option<Arc<Caller>>,
    /// The `connect` frame, until it is answered: a restart meanwhile has it judged anew.
    asking: String,
    /// Events sent or dropped so far: the `seq` of the last one.
    seq: u64,
    /// Bytes of an unfinished message that are counted in `Shared::arriving`.
    held: usize,
    /// Since when the socket takes nothing.
    blocked_since: Option<Instant>,
    max_message: usize,
}

pub fn serve(
    stream: TcpStream,
    mut head: Head,
    peer: Peer,
    ticket: Ticket,
    id: u64,
    until: Instant,
    shared: Arc<Shared>,
) {
    let rest = std::mem::take(&mut head.rest);
    let max = shared.limits.max_buffered(3);
    let (Ok(drain), Ok(nonce)) =
        (Outbox::open(max, shared.total.clone(), shared.limits.total_buffered as usize), ids::uuid())
    else {
        return log::error!(target: "gateway/ws", "no descriptors left for a connection");
    };
    let mut worker = Worker {
        max_message: shared.limits.pre_auth_frame as usize,
        stream,
        shared,
        peer,
        head,
        ticket,
        id,
        nonce,
        phase: Phase::Handshake,
        handshake_until: until,
        drain,
        decoder: Decoder::default(),
        inbox: VecDeque::new(),
        own: VecDeque::new(),
        sending: None,
        caller: None,
        asking: String::new(),
        seq: 0,
        held: 0,
        blocked_since: None,
    };
    if worker.begin(&rest) {
        hand_over(worker);
    }
}

/// Goes on with an authenticated client on a thread of its own. The handshake (schemas, signatures, files) has
/// touched several times the stack that an idle client needs; with its thread that memory goes back.
fn hand_over(worker: Worker) {
    let (id, state) = (worker.id, worker.shared.state.clone());
    let died = move |what: String| {
        // The state thread is gone only when the process ends.
        let _ = state.send(Event::ConnectionDied { conn: id, what });
    };
    let mut worker = worker;
    if let Err(e) = threads::spawn(&format!("gw-conn-{id}"), STACK, move || worker.finish(), died) {
        log::error!(target: "gateway/ws", "{e}; the connection is dropped");
    }
}

impl Worker {
    /// Until the client is authenticated (`true`) or gone.
    fn begin(&mut self, rest: &[u8]) -> bool {
        if self.stream.set_nonblocking(true).is_err() {
            return false;
        }
        crate::logging::debug!(target: "gateway/ws", "open conn={} remote={}", self.id, self.peer.client);
        let challenge = json!({"nonce": self.nonce, "ts": clock::now_ms()});
        self.own.push_back(Sending::text(frame::event("connect.challenge", &challenge, None) + "}"));
        self.take(rest);
        while self.phase != Phase::Open {
            if !self.turn() {
                self.say_goodbye();
                return false;
            }
        }
        true
    }

    fn finish(&mut self) {
        while self.turn() {}
        self.say_goodbye();
    }

    fn say_goodbye(&self) {
        linger(&self.stream, LINGER);
        crate::logging::debug!(target: "gateway/ws", "closed conn={}", self.id);
    }

    /// One turn: write what can be written, handle one message, or wait. `false` ends the connection.
    fn turn(&mut self) -> bool {
        let blocked = match self.flush() {
            Ok(blocked) => blocked,
            Err(_) => return false,
        };
        if let Phase::Closing { until } = self.phase
            && (!blocked || Instant::now() >= until)
        {
            return false;
        }
        if !blocked
            && self.may_read()
            && let Some(message) = self.inbox.pop_front()
        {
            self.on_message(message);
            return true;
        }
        self.wait(blocked)
    }

    fn may_read(&self) -> bool {
        matches!(self.phase, Phase::Handshake | Phase::Open) && self.drain.bytes() < PAUSE_READING
    }

    /// Waits for input, room in the socket, the outbox, or the next deadline.
    fn wait(&mut self, blocked: bool) -> bool {
        let wants_input = !blocked && self.may_read() && self.inbox.is_empty();
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, wants_input);
        flags.set(PollFlags::OUT, blocked);
        // A blocked connection can take nothing from its outbox, so it must not wake for it either.
        let wake = if blocked { PollFlags::empty() } else { PollFlags::IN };
        let timeout = self.next_deadline().map(|at| {
            let left = at.saturating_duration_since(Instant::now());
            Timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos() as _ }
        });
        let (socket, woken) = {
            let mut fds = [PollFd::new(&self.stream, flags), PollFd::new(&self.drain, wake)];
            match poll(&mut fds, timeout.as_ref()) {
                Ok(_) => {
                    let [socket, wake] = &fds;
                    (socket.revents(), wake.revents())
                }
                Err(rustix::io::Errno::INTR) => return true,
                Err(_) => return false,
            }
        };
        if !woken.is_empty() {
            self.drain.clear_wake();
        }
        if !self.check_deadlines() {
            return true;
        }
        if socket.contains(PollFlags::IN) && wants_input {
            return self.read();
        }
        // The peer is gone and nothing is left to read.
        !socket.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL)
    }

    fn next_deadline(&self) -> Option<Instant> {
        let stall =
            self.blocked_since.map(|since| since + Duration::from_millis(self.shared.limits.stall_ms));
        match self.phase {
            Phase::Handshake => Some(stall.map_or(self.handshake_until, |s| s.min(self.handshake_until))),
            Phase::Closing { until } => Some(until),
            Phase::Joining | Phase::Open => stall,
        }
    }

    /// Closes what has passed a deadline; `false` when it did.
    fn check_deadlines(&mut self) -> bool {
        let now = Instant::now();
        if matches!(self.phase, Phase::Closing { .. }) || self.next_deadline().is_none_or(|at| now < at) {
            return true;
        }
        let is_stalled = self.phase != Phase::Handshake || now < self.handshake_until;
        self.close(if is_stalled { &Close::SlowConsumer } else { &Close::HandshakeTimeout });
        false
    }

    /// Takes input off the socket; `false` when the peer is gone.
    fn read(&mut self) -> bool {
        let mut small = [0u8; 4096];
        let mut large = Vec::new();
        let buffer: &mut [u8] = if self.decoder.is_large() {
            large.resize(64 << 10, 0);
            &mut large
        } else {
            &mut small
        };
        match (&self.stream).read(buffer) {
            Ok(0) if self.ticket.is_evicted() => {
                let stopping = self.shared.published.is_stopping();
                self.close(if stopping { &Close::ServiceRestart } else { &Close::Evicted });
                true
            }
            Ok(0) => false,
            Ok(n) => {
                self.ticket.heard(Instant::now());
                // Cannot be out of range: the kernel filled `n` bytes of this buffer.
                let bytes = buffer.get(..n).unwrap_or_default().to_vec();
                self.take(&bytes);
                true
            }
            Err(e) => is_not_now(&e),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let inbox = &mut self.inbox;
        let result = self.decoder.feed(bytes, self.max_message, &mut |item| {
            inbox.push_back(item);
            true
        });
        match result {
            Ok(()) => {}
            Err(Violation::TooBig) => self.close(&Close::TooBig),
            Err(Violation::Framing(what)) => self.close(&Close::Framing(what)),
            Err(Violation::NotUtf8) => self.close(&Close::Malformed),
        }
        self.account();
    }

    /// Counts what is held of unfinished messages; when all clients together hold too much, a large one ends.
    fn account(&mut self) {
        const SMALL: usize = 64 << 10;
        let held = Some(self.decoder.held()).filter(|held| *held > SMALL).unwrap_or_default();
        if held == self.held && held == 0 {
            return;
        }
        let sum = self.shared.arriving.change(self.held, held);
        self.held = held;
        if held > 0 && sum > self.shared.limits.total_buffered as usize {
            self.close(&Close::TooBig);
        }
    }

    fn on_message(&mut self, message: Incoming) {
        match message {
            Incoming::Text(text) if self.phase == Phase::Handshake => self.handshake(&text),
            Incoming::Text(text) => self.request(&text),
            Incoming::Ping(payload) => self.own.push_back(Sending::raw(wire::pong(&payload))),
            Incoming::Pong => {}
            Incoming::Close(code, reason) => self.close(&Close::ByClient(code, reason)),
        }
    }

    /// A frame after `hello-ok`.
    fn request(&mut self, text: &str) {
        let Some(caller) = self.caller.clone() else { return self.close(&Close::Internal) };
        let request = match Request::parse(text) {
            Ok(request) => request,
            Err(Bad::Malformed) => {
                let error = Error::new(Kind::BadFrame, "invalid request frame: not JSON");
                self.answer("invalid", Err(&error), caller.protocol);
                return self.close(&Close::Malformed);
            }
            Err(Bad::NotARequest(id, error)) => {
                return self.answer(id.as_deref().unwrap_or("invalid"), Err(&error), caller.protocol);
            }
        };
        crate::logging::debug!(target: "gateway/ws", "req {} conn={}", crate::logging::quoted(&request.method), self.id);
        match methods::find(&caller, &request) {
            Err(error) => {
                log_failure(&request.method, self.id, &error);
                self.answer(&request.id, Err(&error), caller.protocol);
            }
            Ok((method, params)) => match method.run {
                Run::Here(handler) => {
                    let result = handler(&self.shared, &caller, params);
                    if let Err(error) = &result {
                        log_failure(method.name, self.id, error);
                    }
                    self.answer(&request.id, result.as_ref(), caller.protocol);
                }
                Run::State(handler) | Run::Prepared(_, handler) => {
                    let event = Event::Request {
                        conn: self.id,
                        id: request.id,
                        method: method.name,
                        handler,
                        params,
                    };
                    if self.shared.state.send(event).is_err() {
                        self.close(&Close::ServiceRestart);
                    }
                }
            },
        }
    }

    fn answer(&mut self, id: &str, result: Result<&frame::Payload, &Error>, protocol: u32) {
        self.own.push_back(Sending::text(frame::answer(id, result, None, protocol)));
    }

    fn close(&mut self, why: &Close) {
        if matches!(self.phase, Phase::Closing { .. }) {
            return;
        }
        crate::logging::debug!(target: "gateway/ws", "close conn={} code={} reason={}", self.id, why.code(), crate::logging::quoted(&why.reason()));
        self.own.push_back(Sending::raw(wire::close(why.code(), &why.reason())));
        self.inbox.clear();
        self.phase = Phase::Closing { until: Instant::now() + CLOSE_GRACE };
    }

    /// Writes until nothing is left (`false`) or the socket is full (`true`).
    fn flush(&mut self) -> std::io::Result<bool> {
        loop {
            if let Some(sending) = &mut self.sending {
                match sending.write(&self.stream) {
                    Ok(is_out) => {
                        self.blocked_since = None;
                        if !is_out {
                            continue;
                        }
                        self.sending = None;
                    }
                    Err(e) if is_not_now(&e) => {
                        self.blocked_since.get_or_insert_with(Instant::now);
                        return Ok(true);
                    }
                    Err(e) => return Err(e),
                }
            }
            self.sending = self.own.pop_front();
            if self.sending.is_none() && !self.next_from_outbox() {
                return Ok(false);
            }
        }
    }

    /// Makes the outbox's next frame the one to send; `false` when there is none.
    fn next_from_outbox(&mut self) -> bool {
        if matches!(self.phase, Phase::Closing { .. }) {
            return false;
        }
        let (frame, dropped) = self.drain.pop();
        self.seq += dropped;
        match frame {
            None => return false,
            Some(Frame::Event { body, .. }) => {
                self.seq += 1;
                self.sending = Some(Sending::new(Body::Shared(body), format!(",\"seq\":{}}}", self.seq)));
            }
            Some(Frame::Answer(text)) => self.sending = Some(Sending::text(text)),
            Some(Frame::Hello(text)) => {
                self.phase = Phase::Open;
                // What only the handshake needed is not kept for the life of the connection.
                (self.asking, self.head) = (String::new(), Head::default());
                self.sending = Some(Sending::text(text));
            }
            Some(Frame::Work { id, work }) => {
                let protocol = self.caller.as_ref().map_or(4, |c| c.protocol);
                self.answer(&id, work().as_ref(), protocol);
            }
            Some(Frame::Moved) => {
                self.caller = None;
                self.phase = Phase::Handshake;
                let text = std::mem::take(&mut self.asking);
                self.handshake(&text);
            }
            Some(Frame::Close(why)) => self.close(&why),
        }
        true
    }
}

/// A refused or failed request, as operators look for it in the log.
pub fn log_failure(method: &str, conn: u64, error: &Error) {
    log::info!(target: "gateway/ws", "res ✗ {} errorCode={} errorMessage={} conn={conn}",
        crate::logging::quoted(method), error.code(), crate::logging::quoted(error.message()));
}

impl Drop for Worker {
    fn drop(&mut self) {
        if std::thread::panicking() && self.sending.is_none() {
            // Even a defect ends with a close frame, if the socket takes it; it is the last thing said.
            let _ = (&self.stream).write(&wire::close(Close::Internal.code(), &Close::Internal.reason()));
        }
        self.shared.arriving.change(self.held, 0);
        if let Some(caller) = &self.caller {
            // The state thread is gone only when the process ends.
            let _ = self.shared.state.send(Event::Left { conn: caller.conn });
        }
    }
}
