//! A stranger's place as its connection's thread holds it.
use super::{Door, PAUSE, Stage};
use rustix::net::sockopt::set_socket_linger;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A held place; given back when dropped or when the connection has proven itself.
#[derive(Debug)]
pub struct Ticket {
    pub(super) door: Arc<Door>,
    pub(super) id: u64,
    pub(super) proven: bool,
    /// For who stands between the worker and the client's own socket: the end of this connection is to be seen as a breach.
    pub(super) broken: Option<Arc<AtomicBool>>,
}

impl Ticket {
    /// Says what its thread does from now on.
    pub fn stage(&self, stage: Stage) {
        if self.proven {
            return;
        }
        let now = Instant::now();
        let mut inner = self.door.lock();
        let Some(place) = inner.places.iter_mut().find(|p| p.id == self.id && p.stage != stage) else {
            return;
        };
        // Who says other things beside does not come back to what he was.
        if (place.stage, stage) != (Stage::Beside, Stage::Begun) {
            (place.stage, place.since) = (stage, now);
        }
    }

    pub fn is_evicted(&self) -> bool {
        !self.proven && self.door.lock().places.iter().any(|p| p.id == self.id && p.evicted)
    }

    /// What went out last is half of something that has no end but the connection's: that one is to be a reset.
    pub fn break_off(&self, stream: &TcpStream) {
        // Where it cannot be set the socket is dead already.
        let _ = set_socket_linger(stream, Some(Duration::ZERO));
        self.broken.iter().for_each(|broken| broken.store(true, Ordering::SeqCst));
    }

    /// Somebody stands between the worker and the client's own socket from now on; he is told by this.
    pub fn pass_on(&mut self) -> Arc<AtomicBool> {
        self.broken.get_or_insert_default().clone()
    }

    pub fn is_proven(&self) -> bool {
        self.proven
    }

    /// Waits out `PAUSE`; `false` if the place is taken away.
    pub fn pause(&self) -> bool {
        self.sleep_until(Instant::now() + PAUSE)
    }

    pub(super) fn sleep_until(&self, until: Instant) -> bool {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if self.is_evicted() {
                return false;
            }
            if left.is_zero() {
                return true;
            }
            // Woken at each change of the places; what is missed between the two lasts 100 ms.
            self.door.wait(left.min(Duration::from_millis(100)));
        }
    }

    /// The connection has authenticated: its place is free for the next.
    pub fn prove(&mut self) {
        self.proven = true;
        self.give_back();
    }

    fn give_back(&self) {
        self.door.lock().places.retain(|p| p.id != self.id);
        self.door.freed.notify_all();
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.give_back();
        let mut inner = self.door.lock();
        inner.connections = inner.connections.saturating_sub(1);
    }
}
