//! The door: places for connections that have not proven who they are, and the count of wrong credentials.
//!
//! Bookkeeping of the transport, shared by the listener threads and the connection threads behind one lock
//! that is held for a look-up or a change and never across I/O. Gateway state is not here.
//! Rules: SEC-18 (32 places, 8 for one remote network; who keeps us waiting loses his place to a newcomer: first those
//! who will not go on, then those who got least far, and the more wait the sooner; a quarter of the places is out of
//! reach for those who have sent no whole `connect`), SEC-19 (10 failures a minute; from then on comparisons have turns).
//! How long a stranger may stay in all is the connection threads' matter.
use crate::protocol::limits::Limits;
use std::net::{IpAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

mod failures;
pub mod head;
pub mod parked;
mod place;
mod ticket;
mod turns;
pub use failures::Failed;
use failures::Failures;
use place::Place;
pub use place::Stage;
pub use ticket::Ticket;
pub use turns::{Turn, has_closed};

/// How long the answer to a wrong credential is held back where there were too many, and the time in which as many may
/// be compared as there are places. No right one is refused for wrong ones, so the latter is what bounds guessing.
pub const PAUSE: Duration = Duration::from_secs(1);

/// As how many newcomers scarce descriptors count.
const SCARCE: usize = 30;

#[derive(Debug)]
pub struct Door {
    inner: Mutex<Inner>,
    freed: Condvar,
    /// The line of those who wait for a turn has moved.
    moved: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    places: Vec<Place>,
    next: u64,
    connections: u64,
    /// Newcomers that have said something and got no place yet.
    waiting: usize,
    failures: Failures,
    turns: turns::Turns,
    /// Answers by HTTP that go on.
    streams: u64,
}

/// A held place among the answers that go on.
#[derive(Debug)]
pub struct OpenStream(Arc<Door>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut inner = self.0.lock();
        inner.streams = inner.streams.saturating_sub(1);
    }
}

/// The answer to a newcomer.
#[derive(Debug)]
pub enum Entry {
    Place(Ticket),
    /// No place now; ask again soon.
    Wait,
}

impl Door {
    pub fn new() -> Arc<Door> {
        Arc::new(Door { inner: Mutex::default(), freed: Condvar::new(), moved: Condvar::new() })
    }

    /// Asks for a place for a connection from `address`.
    pub fn enter(
        self: &Arc<Door>,
        address: IpAddr,
        socket: &Arc<TcpStream>,
        limits: &Limits,
        now: Instant,
    ) -> Entry {
        let mut inner = self.lock();
        let network = network(address);
        let count = |fits: &dyn Fn(&Place) -> bool| inner.held().filter(|p| fits(p)).count() as u64;
        let crowded =
            !network.is_loopback() && count(&|p| p.network == network) >= limits.pre_auth_per_address;
        let reserved = limits.pre_auth / 4;
        let connecting = count(&|p| p.stage == Stage::Connecting);
        let others = count(&|p| !matches!(p.stage, Stage::Connecting | Stage::InLine));
        let full = connecting + others >= limits.pre_auth || others >= limits.pre_auth - reserved;
        let waiting = inner.waiting;
        if (full || crowded) && !inner.evict(crowded.then_some(network), limits, waiting, now) {
            return Entry::Wait;
        }
        inner.next += 1;
        inner.connections += 1;
        let (id, socket) = (inner.next, socket.clone());
        inner.places.push(Place { id, network, stage: Stage::Served, since: now, socket, evicted: false });
        Entry::Place(Ticket { door: self.clone(), id, proven: false, broken: None })
    }

    /// Takes a place away from whoever keeps us waiting, as if others wanted it: descriptors are scarce. `false` if
    /// nobody has done so for long enough.
    pub fn let_go(&self, limits: &Limits, now: Instant) -> bool {
        self.lock().evict(None, limits, SCARCE, now)
    }

    /// Whether anybody holds a place, and gives it back soon.
    pub fn has_strangers(&self) -> bool {
        self.lock().held().next().is_some()
    }

    /// Connections in all, proven or not.
    pub fn connections(&self) -> u64 {
        self.lock().connections
    }

    /// A place among the answers that go on, of which there are at most `max`.
    pub fn open_stream(self: &Arc<Door>, max: u64) -> Option<OpenStream> {
        let mut inner = self.lock();
        let has_room = inner.streams < max;
        inner.streams += u64::from(has_room);
        drop(inner);
        has_room.then(|| OpenStream(self.clone()))
    }

    /// A listener says how many newcomers wait at it now, and how many it said before.
    pub fn set_waiting(&self, before: usize, now: usize) {
        if before != now {
            let mut inner = self.lock();
            inner.waiting = (inner.waiting + now).saturating_sub(before);
        }
    }

    /// Whether somebody waits for a place.
    pub fn is_pressed(&self) -> bool {
        self.lock().waiting > 0
    }

    /// Blocks until a place may have become free, at most `timeout`.
    pub fn wait(&self, timeout: Duration) {
        // Spurious or late wake-ups are fine: the caller asks again.
        drop(self.freed.wait_timeout(self.lock(), timeout).unwrap_or_else(PoisonError::into_inner));
    }

    /// Wakes every connection that has not proven itself, so that it can say goodbye.
    pub fn evict_all(&self) {
        self.lock().places.iter_mut().filter(|p| !p.evicted).for_each(Place::evict);
        self.freed.notify_all();
        self.moved.notify_all();
    }

    /// A wrong credential from `address`. It counts unless there were too many already, so that the time to wait ends
    /// whatever comes meanwhile. `who` says who failed, and is asked only when it counts.
    pub fn failed(
        &self,
        address: IpAddr,
        who: impl FnOnce() -> String,
        limits: &Limits,
        now: Instant,
    ) -> Failed {
        let network = network(address);
        if let Some((wait, last)) = self.lock().failures.too_many(network, limits, now) {
            return Failed::TooMany { wait, last };
        }
        // Looks through processes, so not under the lock.
        let last = who();
        self.lock().failures.count(network, last, limits, now)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change under the lock is complete in itself, so a panic elsewhere leaves it usable.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn held(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().filter(|p| !p.evicted)
    }

    /// Takes the place (of one network, if given) of who has kept us waiting for long enough while so many wait: of those
    /// who got least far the oldest.
    fn evict(&mut self, of: Option<IpAddr>, limits: &Limits, waiting: usize, now: Instant) -> bool {
        let is_due = |p: &&mut Place| {
            p.patience(limits, waiting).is_some_and(|patience| now.duration_since(p.since) >= patience)
        };
        let places = self.places.iter_mut().filter(|p| !p.evicted && of.is_none_or(|n| n == p.network));
        let place = places.filter(is_due).min_by_key(|p| (p.stage.progress(), p.since));
        place.map(Place::evict).is_some()
    }
}

/// What counts as one host: an address, or the 64 leading bits of one of version 6, of which a host has as many as it
/// likes.
pub fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        ip => ip,
    }
}

#[cfg(test)]
mod tests;
