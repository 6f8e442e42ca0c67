//! The WebSocket worker: the one thread that owns a client's socket, for reading and writing. While it waits with
//! nothing to send it lends the writing end (`calls/line.rs`).
//!
//! It polls the socket and its outbox, answers what needs no gateway state itself, and passes the rest to the
//! state thread. A client that does not read stops being read from (its requests wait in its own TCP buffers)
//! and is closed when it takes too little for `limits.stall_ms`; nobody else notices. All that waits here is in the
//! clients' common budget (`calls/budget.rs`): what arrives, what is worked on, what is unsent.
mod handshake;
mod reading;
mod sending;
mod writing;

mod waiting;
use crate::calls::Caller;
use crate::calls::outbox::{Drain, Outbox};
use crate::clock;
use crate::door::head::Head;
use crate::door::{Stage, Ticket};
use crate::ids;
use crate::json::json;
use crate::net::connection::linger;
use crate::net::descriptors;
use crate::net::pace::Pace;
use crate::net::peer::Peer;
use crate::protocol::close::Close;
use crate::protocol::frame;
use crate::protocol::wire::{self, Decoder, Incoming};
use crate::state::event::Event;
use crate::state::shared::Shared;
use crate::sys;
use crate::threads;
use sending::Sending;
use std::collections::VecDeque;
use std::io::Write;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Deep JSON fits; untouched stack costs no memory.
const STACK: usize = 256 << 10;
/// Unsent bytes above which no further request of this client is looked at.
const PAUSE_READING: usize = 256 << 10;
/// A message or frame of this size leaves memory behind that is worth giving back once the client is silent.
const LARGE: usize = 32 << 10;
/// How long a closing connection may take to take the close frame.
const CLOSE_GRACE: Duration = Duration::from_secs(2);

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
    stream: Arc<TcpStream>,
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
    /// Bytes of messages not worked on that are counted in the budget.
    held: usize,
    /// Bytes taken off the socket and written to it.
    received: u64,
    written: u64,
    /// How a message comes that has begun, and how frames go while the socket is full.
    reading: Pace,
    writing: Pace,
    max_message: usize,
    /// When something large was freed that the C library may keep.
    freed: Option<Instant>,
}

pub fn serve(
    stream: Arc<TcpStream>,
    mut head: Head,
    peer: Peer,
    ticket: Ticket,
    id: u64,
    until: Instant,
    shared: Arc<Shared>,
) {
    let rest = std::mem::take(&mut head.rest);
    let (Some(drain), Ok(nonce)) = (outbox(&shared, &peer), ids::uuid()) else {
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
        held: 0,
        received: 0,
        written: 0,
        reading: Pace::default(),
        writing: Pace::default(),
        freed: None,
    };
    if worker.begin(&rest) {
        hand_over(worker);
    }
}

/// What the client gets goes through it. Where descriptors run short somebody goes who keeps us waiting: his thread
/// closes what he holds.
fn outbox(shared: &Shared, peer: &Peer) -> Option<Drain> {
    let (max, owner) = (shared.limits.max_buffered(3), peer.client.to_string());
    let let_go = || shared.door.let_go(&shared.limits, Instant::now());
    let open = |_| {
        let total = shared.limits.total_buffered as usize;
        let opened = Outbox::open(max, shared.budget.clone(), total, &owner).ok();
        if opened.is_none() {
            let_go();
            std::thread::sleep(Duration::from_millis(10));
        }
        opened
    };
    let drain = (0..20).find_map(open)?;
    if descriptors::are_scarce(&drain) {
        // As many as this one holds now.
        for _ in 0..2 {
            let_go();
        }
    }
    Some(drain)
}

/// Goes on with an authenticated client on a thread of its own. The handshake (schemas, signatures, files) has
/// touched several times the stack that an idle client needs; with its thread that memory goes back.
fn hand_over(mut worker: Worker) {
    worker.own.shrink_to_fit();
    worker.inbox.shrink_to_fit();
    let (id, state) = (worker.id, worker.shared.state.clone());
    let died = move |what: String| {
        // The state thread is gone only when the process ends.
        let _ = state.send(Event::ConnectionDied { conn: id, what });
    };
    if !threads::has_room() {
        return worker.finish();
    }
    // Where the thread cannot be started after all, this one goes on.
    let held = Arc::new(Mutex::new(Some(worker)));
    let take = |held: &Mutex<Option<Worker>>| held.lock().unwrap_or_else(PoisonError::into_inner).take();
    let theirs = held.clone();
    let work = move || {
        sys::release_stack(STACK / 2);
        if let Some(mut worker) = take(&theirs) {
            worker.finish();
        }
    };
    if let Err(e) = threads::spawn(&format!("gw-conn-{id}"), STACK, work, died)
        && let Some(mut worker) = take(&held)
    {
        log::warn!(target: "gateway/ws", "{e}; its first thread goes on");
        worker.finish();
    }
    // It is kept for a thread to come.
    sys::release_stack(STACK / 2);
}

impl Worker {
    /// Until the client is authenticated (`true`) or gone.
    fn begin(&mut self, rest: &[u8]) -> bool {
        if self.stream.set_nonblocking(true).is_err() {
            return false;
        }
        crate::logging::debug!(target: "gateway/ws", "open conn={} remote={}", self.id, self.peer.client);
        let challenge = json!({"nonce": self.nonce, "ts": clock::now_ms()});
        self.send(Sending::text(frame::event("connect.challenge", &challenge) + "}"));
        self.ticket.stage(Stage::Upgraded);
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

    fn say_goodbye(&mut self) {
        (self.sending, self.decoder) = (None, Decoder::default());
        self.own.clear();
        self.drain.outbox.end(Close::ServiceRestart);
        // Taken, so that a restart does not wait for a goodbye.
        while self.drain.pop().0.is_some() {}
        let now = Instant::now();
        let is_owed = self.freed.is_some() && !sys::release_memory_since(now);
        linger(&self.stream, &self.ticket);
        if is_owed {
            sys::release_memory_since(now);
        }
        crate::logging::debug!(target: "gateway/ws", "closed conn={}", self.id);
    }

    /// One turn: write what can be written, handle one message, or wait. `false` ends the connection.
    fn turn(&mut self) -> bool {
        let was_open = self.phase == Phase::Open;
        let blocked = match self.flush() {
            Ok(blocked) => blocked,
            Err(_) => return false,
        };
        // Who has just been greeted is waited for on his own thread: the handshake's costs three times as much.
        if !was_open && self.phase == Phase::Open {
            return true;
        }
        if let Phase::Closing { until } = self.phase
            && (!blocked || Instant::now() >= until)
        {
            return false;
        }
        if !blocked
            && self.may_read()
            && let Some(message) = self.inbox.pop_front()
        {
            let bytes = message.bytes();
            self.on_message(message);
            self.hold(self.held.saturating_sub(bytes));
            self.note_freed(bytes);
            return true;
        }
        self.wait(blocked)
    }

    fn may_read(&self) -> bool {
        matches!(self.phase, Phase::Handshake | Phase::Open) && self.drain.bytes() < PAUSE_READING
    }

    fn note_freed(&mut self, bytes: usize) {
        if bytes > LARGE {
            self.freed = Some(Instant::now());
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.drain.recall();
        if std::thread::panicking() && self.sending.is_none() {
            // Even a defect ends with a close frame, if the socket takes it; it is the last thing said.
            let _ = (&*self.stream).write(&wire::close(Close::Internal.code(), &Close::Internal.reason()));
        }
        if let Some(caller) = &self.caller {
            // The state thread is gone only when the process ends.
            let _ = self.shared.state.send(Event::Left { conn: caller.conn });
        }
    }
}
