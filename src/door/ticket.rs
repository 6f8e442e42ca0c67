//! A stranger's place as its connection's thread holds it.
use super::{Door, PAUSE, Stage};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A held place; given back when dropped or when the connection has proven itself.
#[derive(Debug)]
pub struct Ticket {
    pub(super) door: Arc<Door>,
    pub(super) id: u64,
    pub(super) proven: bool,
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
