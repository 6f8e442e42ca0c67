//! A connection's outbox: frames on their way to one client, bounded in bytes.
//!
//! The state thread (and the store thread, for answers it acknowledges) push; the connection's own thread
//! drains. Pushing never blocks: the lock guards only the queue and is held for a push or a pop. Event text is
//! shared by all clients and counted for each; only where that is too much `budget.rs` asks what is shared. What is queued is in the clients' common budget (`budget.rs`) until
//! the socket has taken it, or the connection is gone.
//!
//! A connection that waits with nothing to send lends its line (`line.rs`): what is small is then written by who pushes
//! it, without waking the connection's thread.
mod drain;

use super::budget::{Budget, Share, Sort};
use super::line::Line;
use super::queue::Queue;
pub use super::queue::{Frame, Work};
use super::wake::Wake;
use crate::clock;
use crate::counter::AtomicU64;
use crate::error::Result;
use crate::metrics::{self, Metric};
use crate::protocol::close::Close;
use crate::protocol::events::Backlog;
use crate::protocol::pieces::Pieces;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    pub traffic: Traffic,
}

/// What a connection's thread has moved so far, for who asks who is here.
#[derive(Debug, Default)]
pub struct Traffic {
    received: AtomicU64,
    written: AtomicU64,
    /// When something came last, epoch milliseconds.
    heard: AtomicU64,
}

impl Traffic {
    pub fn note_received(&self, all: u64) {
        self.received.store(all, Ordering::Relaxed);
        self.heard.store(clock::now_ms(), Ordering::Relaxed);
    }

    pub fn note_written(&self, all: u64) {
        self.written.store(all, Ordering::Relaxed);
    }
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
            traffic: Traffic::default(),
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

    /// Bytes that came and went, and when something came last, epoch milliseconds.
    pub fn moved(&self) -> (u64, u64, u64) {
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        (of(&self.traffic.received), of(&self.traffic.written) + self.written(), of(&self.traffic.heard))
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
    pub fn push_event(&self, kind: &'static str, body: Arc<Pieces>, backlog: Backlog) -> Pushed {
        self.put(Frame::Event { body, kind, replace: backlog == Backlog::Replace }, backlog)
    }

    /// Whether the connection's thread has taken everything, or is gone.
    pub fn is_taken(&self) -> bool {
        self.lock().frames.is_empty()
    }

    /// Gives every text that waits here and may be shared with other clients.
    pub fn each_text(&self, mut tell: impl FnMut(&Arc<Pieces>)) {
        let queue = self.lock();
        queue.out.upgrade().iter().chain(queue.frames.iter().filter_map(Frame::text)).for_each(&mut tell);
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

/// Whether an I/O error only means "not now".
pub fn is_not_now(e: &std::io::Error) -> bool {
    matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
