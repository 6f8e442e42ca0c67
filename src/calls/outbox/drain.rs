//! The draining end: what the connection's own thread takes out of its outbox.
use super::{Drain, Frame, Line, Queue, Unsent};
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

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
        queue.out = frame.as_ref().and_then(Frame::text).map(Arc::downgrade).unwrap_or_default();
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
