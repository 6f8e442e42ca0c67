//! A connection's outbox: frames on their way to one client, bounded in bytes.
//!
//! The state thread (and the store thread, for answers it acknowledges) push; the connection's own thread
//! drains. Pushing never blocks: the lock guards only the queue and is held for a push or a pop. Event text is
//! shared by all clients and counted for each. What is queued is in the clients' common budget (`budget.rs`) until
//! the socket has taken it, or the connection is gone.
//!
//! A connection that waits with nothing to send lends its line (`line.rs`): what is small is then written by who pushes
//! it, without waking the connection's thread.
use super::budget::{Budget, Share, Sort};
use super::line::Line;
use super::wake::Wake;
use crate::error::Result;
use crate::metrics::{self, Metric};
use crate::protocol::close::Close;
use crate::protocol::events::Backlog;
use crate::protocol::frame::Payload;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Work that a state handler leaves to the connection's thread: reading files, large listings.
pub type Work = Box<dyn FnOnce() -> Result<Payload> + Send>;

pub enum Frame {
    /// An event without its last brace; the connection's thread appends `seq`.
    Event { body: Arc<String>, kind: &'static str, replace: bool },
    /// A whole frame that answers a request.
    Answer(String),
    /// An event or answer of which that many bytes are out already.
    Rest(Box<Frame>, usize),
    /// The `hello-ok` answer: requests are read only after it.
    Hello(String),
    /// Work whose result answers request `id`.
    Work { id: String, work: Work },
    /// Nobody took the client in: its `connect` is for the next generation.
    Moved,
    /// End the connection after what was queued before.
    Close(Close),
}

impl Frame {
    fn bytes(&self) -> usize {
        match self {
            Frame::Event { body, .. } => body.len() + 32,
            Frame::Answer(text) | Frame::Hello(text) => text.len(),
            Frame::Rest(frame, _) => frame.bytes(),
            Frame::Work { .. } => 256,
            Frame::Moved | Frame::Close(_) => 0,
        }
    }
}

/// What became of a push.
#[derive(Debug, PartialEq, Eq)]
pub enum Pushed {
    Queued,
    /// The client misses this event and will see the gap.
    Dropped,
    /// The client was over its limit and is being closed as a slow consumer.
    Overflow,
    /// The connection is closing or gone.
    Closed,
}

pub struct Outbox {
    queue: Mutex<Queue>,
    wake: Wake,
    max: AtomicUsize,
    budget: Arc<Budget>,
    budget_max: usize,
    pub share: Share,
    /// Whose connection it is: a device, before that is known an address.
    owner: Mutex<Arc<str>>,
    /// The socket takes nothing more.
    is_blocked: AtomicBool,
    /// Bytes that others than the connection's thread have written.
    written: AtomicU64,
}

/// Bytes that were popped and are not out yet.
pub struct Unsent {
    outbox: Arc<Outbox>,
    bytes: usize,
}

impl Drop for Unsent {
    fn drop(&mut self) {
        self.outbox.count(self.bytes, 0);
    }
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// Events sent or dropped so far: the `seq` of the last one.
    seq: u64,
    closed: bool,
    /// Lent while the connection's thread has nothing to write.
    line: Option<Line>,
}

/// The draining end, owned by the connection's thread.
pub struct Drain {
    pub outbox: Arc<Outbox>,
}

impl Outbox {
    /// `max` bounds the queued bytes of this client until `set_max`; `budget_max` those of all clients.
    pub fn open(max: usize, budget: Arc<Budget>, budget_max: usize, owner: &str) -> Result<Drain> {
        let outbox = Arc::new(Outbox {
            queue: Mutex::default(),
            wake: Wake::new()?,
            max: max.into(),
            budget,
            budget_max,
            share: Share::default(),
            owner: Mutex::new(owner.into()),
            is_blocked: AtomicBool::new(false),
            written: AtomicU64::new(0),
        });
        outbox.budget.enter(&outbox);
        Ok(Drain { outbox })
    }

    /// The limit that the negotiated protocol's policy names.
    pub fn set_max(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
    }

    pub fn owner(&self) -> Arc<str> {
        self.owner.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Names whose connection it is, once that is known.
    pub fn belongs_to(&self, owner: &str) {
        *self.owner.lock().unwrap_or_else(PoisonError::into_inner) = owner.into();
    }

    pub fn is_blocked(&self) -> bool {
        self.is_blocked.load(Ordering::Relaxed)
    }

    pub fn set_blocked(&self, is_blocked: bool) {
        self.is_blocked.store(is_blocked, Ordering::Relaxed);
    }

    /// Bytes that were written on the lent line.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Whether nothing more will be sent.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Counts bytes of the connection's own making until they are dropped; when too many wait, somebody goes.
    pub fn unsent(self: &Arc<Outbox>, bytes: usize) -> Unsent {
        self.count(0, bytes);
        self.budget.relieve(Sort::Unsent, self.budget_max);
        Unsent { outbox: self.clone(), bytes }
    }

    fn count(&self, old: usize, new: usize) {
        self.budget.change(&self.share, Sort::Unsent, old, new);
    }

    /// Forgets what waits and closes.
    pub fn end(&self, why: Close) {
        self.close_at_once(self.lock(), why);
    }

    /// Queues an answer or a close. Answers are never dropped; a client that lets them pile up is closed.
    pub fn push(&self, frame: Frame) -> Pushed {
        self.put(frame, Backlog::Keep)
    }

    /// Queues an event by its table row's rule for slow clients.
    pub fn push_event(&self, kind: &'static str, body: Arc<String>, backlog: Backlog) -> Pushed {
        self.put(Frame::Event { body, kind, replace: backlog == Backlog::Replace }, backlog)
    }

    /// Whether the connection's thread has taken everything, or is gone.
    pub fn is_taken(&self) -> bool {
        self.lock().frames.is_empty()
    }

    fn put(&self, frame: Frame, backlog: Backlog) -> Pushed {
        let size = frame.bytes();
        let mut queue = self.lock();
        if queue.closed {
            return Pushed::Closed;
        }
        let closing = matches!(frame, Frame::Close(_));
        if backlog == Backlog::Replace
            && let Some(old) = queue.replace_pending(&frame)
        {
            self.count(old, size);
            return Pushed::Queued;
        }
        if !closing && self.is_over(queue.bytes, size, backlog) {
            return self.overflow(queue, backlog);
        }
        let wake = queue.frames.is_empty();
        let (frame, written) = queue.write(frame);
        self.written.fetch_add(written as u64, Ordering::Relaxed);
        let Some(frame) = frame else { return Pushed::Queued };
        queue.frames.push_back(frame);
        queue.bytes += size;
        queue.closed = closing;
        drop(queue);
        self.count(0, size);
        if wake {
            self.wake();
        }
        self.budget.relieve(Sort::Unsent, self.budget_max);
        Pushed::Queued
    }

    /// Above its own limit; or what may be left out, when too much waits already.
    fn is_over(&self, queued: usize, size: usize, backlog: Backlog) -> bool {
        const SMALL: usize = 64 << 10;
        let own = queued > 0 && queued + size > self.max.load(Ordering::Relaxed);
        let is_spare = backlog != Backlog::Keep && queued > SMALL;
        own || (is_spare && self.budget.unsent() + size > self.budget_max)
    }

    fn overflow(&self, mut queue: MutexGuard<'_, Queue>, backlog: Backlog) -> Pushed {
        if backlog != Backlog::Keep {
            queue.seq += 1;
            metrics::count(Metric::EventsDropped);
            return Pushed::Dropped;
        }
        // What is queued will not be read in time.
        self.close_at_once(queue, Close::SlowConsumer);
        Pushed::Overflow
    }

    /// Frees what is queued and leaves only the close.
    fn close_at_once(&self, mut queue: MutexGuard<'_, Queue>, why: Close) {
        let mut old = std::mem::take(&mut *queue);
        // Behind half a frame nothing can be said before the other half.
        queue.frames.extend(old.frames.pop_front().filter(|frame| matches!(frame, Frame::Rest(..))));
        queue.bytes = queue.frames.iter().map(Frame::bytes).sum();
        let freed = old.bytes.saturating_sub(queue.bytes);
        queue.frames.push_back(Frame::Close(why));
        (queue.seq, queue.closed) = (old.seq, true);
        drop(queue);
        self.count(freed, 0);
        self.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic while holding the lock leaves a consistent queue: every change below is one step.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        self.wake.ring();
    }
}

impl Queue {
    /// Writes what is small on the lent line; gives what is left for the connection's thread, and how many bytes are out.
    /// Behind what is left the line is no longer lent.
    fn write(&mut self, frame: Frame) -> (Option<Frame>, usize) {
        let is_event = matches!(frame, Frame::Event { .. });
        let is_small = frame.bytes() <= Line::SMALL && (is_event || matches!(frame, Frame::Answer(_)));
        let Some(line) = self.line.take().filter(|_| is_small) else { return (Some(frame), 0) };
        match line.write(&frame, self.seq + 1) {
            (written, true) => {
                self.seq += u64::from(is_event);
                self.line = Some(line);
                (None, written)
            }
            (0, false) => (Some(frame), 0),
            (written, false) => (Some(Frame::Rest(Box::new(frame), written)), written),
        }
    }

    /// Puts a newer event in the place of an unsent one of the same kind; gives the old one's bytes. A frame
    /// that is half written was popped before and is not in the queue.
    fn replace_pending(&mut self, frame: &Frame) -> Option<usize> {
        let Frame::Event { body, kind, .. } = frame else { return None };
        let is_older =
            |old: &&mut Frame| matches!(old, Frame::Event { kind: k, replace: true, .. } if k == kind);
        let old = self.frames.iter_mut().find(is_older)?;
        let bytes = old.bytes();
        if let Frame::Event { body: old_body, .. } = old {
            *old_body = body.clone();
        }
        self.bytes = (self.bytes + frame.bytes()).saturating_sub(bytes);
        Some(bytes)
    }
}

impl Drain {
    /// The next frame to write, the `seq` of it or of the last event before it, and what it counts for until it is out.
    pub fn pop(&self) -> (Option<Frame>, u64, Unsent) {
        self.pop_or_lend(|| None)
    }

    /// The same; where nothing waits `line` is lent until the next frame, or until `recall`.
    pub fn pop_or_lend(&self, line: impl FnOnce() -> Option<Line>) -> (Option<Frame>, u64, Unsent) {
        let mut queue = self.outbox.lock();
        let frame = queue.frames.pop_front();
        let size = frame.as_ref().map_or(0, Frame::bytes).min(queue.bytes);
        queue.bytes -= size;
        if queue.frames.is_empty() && queue.frames.capacity() > 16 {
            queue.frames = VecDeque::new();
        }
        match &frame {
            Some(Frame::Event { .. }) => queue.seq += 1,
            Some(Frame::Rest(rest, _)) => queue.seq += u64::from(matches!(**rest, Frame::Event { .. })),
            Some(_) => {}
            None => queue.line = line(),
        }
        let seq = queue.seq;
        drop(queue);
        (frame, seq, Unsent { outbox: self.outbox.clone(), bytes: size })
    }

    /// From now on only the connection's thread writes.
    pub fn recall(&self) {
        self.outbox.lock().line = None;
    }

    /// Bytes waiting in the queue.
    pub fn bytes(&self) -> usize {
        self.outbox.lock().bytes
    }

    /// Takes the pending wake-up bytes; call after `poll` says the descriptor is readable.
    pub fn clear_wake(&self) {
        self.outbox.wake.clear();
    }
}

impl AsFd for Drain {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.outbox.wake.as_fd()
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        let mut queue = self.outbox.lock();
        *queue = Queue { closed: true, ..Queue::default() };
        drop(queue);
        self.outbox.budget.leave(&self.outbox);
    }
}

/// Whether an I/O error only means "not now".
pub fn is_not_now(e: &std::io::Error) -> bool {
    matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(outbox: &Outbox, kind: &'static str, text: &str, backlog: Backlog) -> Pushed {
        outbox.push_event(kind, Arc::new(text.into()), backlog)
    }

    #[test]
    fn a_full_outbox_skips_droppable_events_then_closes() {
        let drain = Outbox::open(100, Arc::default(), 1 << 20, "a").unwrap();
        let big = "x".repeat(80);
        assert_eq!(event(&drain.outbox, "chat", &big, Backlog::Keep), Pushed::Queued);
        assert_eq!(event(&drain.outbox, "chat", &big, Backlog::Drop), Pushed::Dropped);
        assert_eq!(event(&drain.outbox, "agent", &big, Backlog::Keep), Pushed::Overflow);
        assert_eq!(event(&drain.outbox, "agent", "y", Backlog::Keep), Pushed::Closed);
        let (frame, dropped, _) = drain.pop();
        assert!(matches!(frame, Some(Frame::Close(Close::SlowConsumer))));
        assert_eq!(dropped, 1);
    }

    #[test]
    fn the_latest_replaceable_event_wins() {
        let drain = Outbox::open(1000, Arc::default(), 1 << 20, "a").unwrap();
        event(&drain.outbox, "presence", "one", Backlog::Replace);
        event(&drain.outbox, "tick", "t", Backlog::Replace);
        event(&drain.outbox, "presence", "two", Backlog::Replace);
        let Some(Frame::Event { body, .. }) = drain.pop().0 else { panic!() };
        assert_eq!(*body, "two");
        assert!(drain.pop().0.is_some() && drain.pop().0.is_none());
        assert_eq!(drain.bytes(), 0);
    }

    #[test]
    fn one_frame_above_the_limit_passes_an_empty_outbox() {
        let drain = Outbox::open(10, Arc::default(), 1 << 20, "a").unwrap();
        assert_eq!(drain.outbox.push(Frame::Answer("x".repeat(5000))), Pushed::Queued);
    }

    #[test]
    fn s_m5_a_byte_is_in_the_budget_until_it_is_out() {
        let budget = Arc::<Budget>::default();
        let drain = Outbox::open(1000, budget.clone(), 1 << 20, "a").unwrap();
        drain.outbox.push(Frame::Answer("abc".into()));
        let own = drain.outbox.unsent(4);
        let (_, _, popped) = drain.pop();
        assert_eq!(budget.unsent(), 7);
        drop(popped);
        assert_eq!(budget.unsent(), 4);
        drop(drain);
        assert_eq!(budget.unsent(), 0);
        drop(own);
        assert_eq!(budget.unsent(), 0);
    }

    /// A line over a real socket, whose other end is read by the test.
    fn line() -> (Line, std::net::TcpStream) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        ours.set_nonblocking(true).unwrap();
        let write = |mut stream: &std::net::TcpStream, frame: &Frame, seq: u64| {
            let text = match frame {
                Frame::Event { body, .. } => format!("{body}{seq};"),
                Frame::Answer(text) => format!("{text};"),
                _ => panic!(),
            };
            match std::io::Write::write(&mut stream, text.as_bytes()) {
                Ok(n) => (n, n == text.len()),
                Err(_) => (0, false),
            }
        };
        (Line::new(Arc::new(ours), write), listener.accept().unwrap().0)
    }

    /// Issue 10: what is small goes out without the connection's thread, in order, counted, and only while lent.
    #[test]
    fn a_lent_line_is_written_on_by_who_pushes() {
        use std::io::Read;
        let budget = Arc::<Budget>::default();
        let drain = Outbox::open(1 << 20, budget.clone(), 1 << 20, "a").unwrap();
        let (line, mut client) = line();
        event(&drain.outbox, "chat", "queued", Backlog::Keep);
        assert!(matches!(
            drain.pop_or_lend(|| unreachable!("something waits")),
            (Some(Frame::Event { .. }), 1, _)
        ));
        assert!(drain.pop_or_lend(|| Some(line.clone())).0.is_none());
        event(&drain.outbox, "chat", "a", Backlog::Keep);
        drain.outbox.push(Frame::Answer("b".into()));
        event(&drain.outbox, "tick", "c", Backlog::Replace);
        let mut got = [0; 7];
        client.read_exact(&mut got).unwrap();
        assert_eq!((&got, drain.outbox.written(), budget.unsent()), (b"a2;b;c3", 8, 0));
        // What is large, and all that comes after it, is the thread's.
        event(&drain.outbox, "chat", &"x".repeat(Line::SMALL), Backlog::Keep);
        event(&drain.outbox, "chat", "y", Backlog::Keep);
        assert_eq!((drain.pop().1, drain.pop().1, drain.outbox.written()), (4, 5, 8));
        assert!(drain.pop_or_lend(|| Some(line)).0.is_none());
        drain.recall();
        event(&drain.outbox, "chat", "z", Backlog::Keep);
        assert!(matches!(drain.pop(), (Some(Frame::Event { .. }), 6, _)), "recalled");
    }

    /// Issue 10: what the socket takes a part of only is gone on with by the thread, and a close waits behind it.
    #[test]
    fn half_a_frame_is_never_followed_by_another_one() {
        let drain = Outbox::open(1 << 20, Arc::default(), 1 << 20, "a").unwrap();
        let (line, _client) = line();
        assert!(drain.pop_or_lend(|| Some(line)).0.is_none());
        let text = "x".repeat(Line::SMALL - 100);
        let mut pushed = 0;
        while drain.outbox.is_taken() && pushed < 10_000 {
            pushed += 1;
            event(&drain.outbox, "chat", &text, Backlog::Keep);
        }
        event(&drain.outbox, "chat", "after", Backlog::Keep);
        drain.outbox.end(Close::SlowConsumer);
        let (first, seq, _) = drain.pop();
        if let Some(Frame::Rest(rest, written)) = first {
            assert!(written > 0 && written < rest.bytes());
            assert_eq!(seq, pushed, "its number is the one that its beginning was written for");
            assert!(matches!(drain.pop().0, Some(Frame::Close(Close::SlowConsumer))));
        } else {
            assert!(matches!(first, Some(Frame::Close(_))), "the socket took whole frames only");
        }
        assert!(drain.pop().0.is_none());
    }
}
