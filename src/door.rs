//! The door: places for connections that have not proven who they are, and the count of wrong credentials.
//!
//! Bookkeeping of the transport, shared by the listener threads and the connection threads behind one lock
//! that is held for a look-up or a change and never across I/O. Gateway state is not here.
//! Rules: SEC-18 (32 places, 8 for one remote network; who keeps us waiting loses his place to a newcomer: first those
//! who will not go on, then those who got least far, and the more wait the sooner; a quarter of the places is out of
//! reach for those who have sent no whole `connect`), SEC-19 (10 failures a minute; from then on comparisons have turns).
//! How long a stranger may stay in all is the connection threads' matter.
use crate::protocol::limits::Limits;
use std::collections::HashMap;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

mod turns;
pub use turns::{Turn, has_closed};

/// Networks remembered for failures; above it the oldest are forgotten first.
const MAX_NETWORKS: usize = 4096;
/// How long the answer to a wrong credential is held back where there were too many, and the time in which as many may
/// be compared as there are places. No right one is refused for wrong ones, so the latter is what bounds guessing.
pub const PAUSE: Duration = Duration::from_secs(1);

/// As how many newcomers scarce descriptors count.
const SCARCE: usize = 30;

#[derive(Debug)]
pub struct Door {
    inner: Mutex<Inner>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    places: Vec<Place>,
    next: u64,
    connections: u64,
    /// Newcomers that have said something and got no place yet.
    waiting: usize,
    failures: HashMap<IpAddr, Failures>,
    turns: turns::Turns,
    /// Answers by HTTP that go on.
    streams: u64,
}

/// What the thread of a stranger does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It works for the stranger.
    Served,
    /// It waits for the rest of a request.
    Head,
    /// It waits for `connect`.
    Upgraded,
    /// It waits for the rest of the first message.
    Begun,
    /// It heard other things than `connect`: pings.
    Beside,
    /// It judges a whole `connect`.
    Connecting,
    /// Nothing is owed any more: it waits for a next request, or for the other end to close.
    Idle,
}

#[derive(Debug)]
struct Place {
    id: u64,
    network: IpAddr,
    stage: Stage,
    /// When it came to this stage.
    since: Instant,
    /// To wake its thread when the place is taken away.
    socket: Arc<TcpStream>,
    evicted: bool,
}

/// Wrong credentials of one network.
#[derive(Debug, Default)]
struct Failures {
    times: Vec<Instant>,
    last: String,
}

/// What there is to tell about a wrong credential.
#[derive(Debug, PartialEq, Eq)]
pub enum Failed {
    /// It was counted as so many.
    Counted(u64),
    /// There were too many already: for how long, and who was counted last.
    TooMany { wait: Duration, last: String },
}

/// A held place; given back when dropped or when the connection has proven itself.
#[derive(Debug)]
pub struct Ticket {
    door: Arc<Door>,
    id: u64,
    proven: bool,
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
        Arc::new(Door { inner: Mutex::default(), freed: Condvar::new() })
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
        let full = count(&|_| true) >= limits.pre_auth
            || count(&|p| p.stage != Stage::Connecting) >= limits.pre_auth - reserved;
        let waiting = inner.waiting;
        if (full || crowded) && !inner.evict(crowded.then_some(network), limits, waiting, now) {
            return Entry::Wait;
        }
        inner.next += 1;
        inner.connections += 1;
        let (id, socket) = (inner.next, socket.clone());
        inner.places.push(Place { id, network, stage: Stage::Served, since: now, socket, evicted: false });
        Entry::Place(Ticket { door: self.clone(), id, proven: false })
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
        if let Some((wait, last)) = self.lock().too_many(network, limits, now) {
            return Failed::TooMany { wait, last };
        }
        // Looks through processes, so not under the lock.
        let last = who();
        let mut inner = self.lock();
        if inner.failures.len() >= MAX_NETWORKS && !inner.failures.contains_key(&network) {
            let window = Duration::from_millis(limits.auth_window_ms);
            inner.forget_failures(|t| now.duration_since(*t) < window);
        }
        let failures = inner.failures.entry(network).or_default();
        failures.times.push(now);
        failures.last = last;
        Failed::Counted(failures.times.len() as u64)
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

    /// Whether those of a network failed too often: for how long, and who was the last.
    fn too_many(&mut self, network: IpAddr, limits: &Limits, now: Instant) -> Option<(Duration, String)> {
        let window = Duration::from_millis(limits.auth_window_ms);
        let failures = self.failures.get_mut(&network)?;
        failures.times.retain(|t| now.duration_since(*t) < window);
        let excess = (failures.times.len() as u64).checked_sub(limits.auth_failures)?;
        let frees = failures.times.get(excess as usize)?;
        Some((window.saturating_sub(now.duration_since(*frees)), failures.last.clone()))
    }

    fn forget_failures(&mut self, is_recent: impl Fn(&Instant) -> bool) {
        self.failures.retain(|_, failures| failures.times.last().is_some_and(&is_recent));
        if self.failures.len() >= MAX_NETWORKS {
            let oldest = self.failures.iter().min_by_key(|(_, f)| f.times.last().copied()).map(|(n, _)| *n);
            oldest.map(|network| self.failures.remove(&network));
        }
    }
}

impl Stage {
    /// How far somebody came; who is owed nothing, or says what leads nowhere, least.
    fn progress(self) -> u8 {
        match self {
            Stage::Idle | Stage::Beside => 0,
            Stage::Head => 1,
            Stage::Upgraded => 2,
            Stage::Begun => 3,
            Stage::Served | Stage::Connecting => 4,
        }
    }
}

impl Place {
    /// How long it may keep us waiting when others want the place; `None` while we work for it. A request comes in one
    /// piece; between the upgrade and `connect` lies a way there and back, which on this machine is short.
    fn patience(&self, limits: &Limits, waiting: usize) -> Option<Duration> {
        let most = Duration::from_millis(limits.pre_auth_silent_ms);
        match self.stage {
            Stage::Served | Stage::Connecting => None,
            Stage::Idle | Stage::Beside => Some(Duration::ZERO),
            Stage::Head => Some(most / 8),
            Stage::Upgraded | Stage::Begun => {
                let least = if self.network.is_loopback() { most / 8 } else { most / 2 };
                let places = limits.pre_auth as f64;
                Some(most.mul_f64(places / (places + 6.0 * waiting as f64)).max(least))
            }
        }
    }

    fn evict(&mut self) {
        self.evicted = true;
        // Its thread sees the end of input and says goodbye; if the socket is gone already, so is the thread.
        let _ = self.socket.shutdown(Shutdown::Read);
    }
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

    fn sleep_until(&self, until: Instant) -> bool {
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
