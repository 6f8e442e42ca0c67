//! The door: places for connections that have not proven who they are, and the count of wrong credentials.
//!
//! Bookkeeping of the transport, shared by the listener threads and the connection threads behind one lock
//! that is held for a look-up or a change and never across I/O. Gateway state is not here.
//! Rules: SEC-18 (32 places, 8 for one remote address, silence costs the place), SEC-19 (10 failures a minute).
use crate::protocol::limits::Limits;
use std::collections::HashMap;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Addresses remembered for failures; above it the oldest are forgotten first.
const MAX_ADDRESSES: usize = 4096;

#[derive(Debug)]
pub struct Door {
    inner: Mutex<Inner>,
    freed: Condvar,
}

#[derive(Debug)]
struct Inner {
    places: Vec<Place>,
    next: u64,
    connections: u64,
    failures: HashMap<IpAddr, Vec<Instant>>,
}

#[derive(Debug)]
struct Place {
    id: u64,
    address: IpAddr,
    last_byte: Instant,
    /// A second handle to the socket, to wake its thread when the place is taken away.
    socket: TcpStream,
    evicted: bool,
}

/// A held place; given back when dropped or when the connection has proven itself.
#[derive(Debug)]
pub struct Ticket {
    door: Arc<Door>,
    id: u64,
    proven: bool,
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
        let inner = Inner { places: Vec::new(), next: 0, connections: 0, failures: HashMap::new() };
        Arc::new(Door { inner: Mutex::new(inner), freed: Condvar::new() })
    }

    /// Asks for a place for a connection from `address`.
    pub fn enter(
        self: &Arc<Door>,
        address: IpAddr,
        socket: &TcpStream,
        limits: &Limits,
        now: Instant,
    ) -> Entry {
        let mut inner = self.lock();
        let own = inner.places.iter().filter(|p| p.address == address && !p.evicted).count() as u64;
        let crowded = !address.is_loopback() && own >= limits.pre_auth_per_address;
        let full = inner.places.iter().filter(|p| !p.evicted).count() as u64 >= limits.pre_auth;
        if (full || crowded) && !inner.evict(crowded.then_some(address), limits, now) {
            return Entry::Wait;
        }
        let Ok(handle) = socket.try_clone() else { return Entry::Wait };
        inner.next += 1;
        inner.connections += 1;
        let id = inner.next;
        inner.places.push(Place { id, address, last_byte: now, socket: handle, evicted: false });
        Entry::Place(Ticket { door: self.clone(), id, proven: false })
    }

    /// Connections in all, proven or not.
    pub fn connections(&self) -> u64 {
        self.lock().connections
    }

    /// Blocks until a place may have become free, at most `timeout`.
    pub fn wait(&self, timeout: Duration) {
        // Spurious or late wake-ups are fine: the caller asks again.
        drop(self.freed.wait_timeout(self.lock(), timeout).unwrap_or_else(PoisonError::into_inner));
    }

    /// Wakes every connection that has not proven itself, so that it can say goodbye.
    pub fn evict_all(&self) {
        for place in self.lock().places.iter_mut().filter(|p| !p.evicted) {
            place.evicted = true;
            // As in `evict`.
            let _ = place.socket.shutdown(Shutdown::Read);
        }
    }

    /// How long `address` must wait before another credential is looked at, if it failed too often.
    pub fn locked_for(&self, address: IpAddr, limits: &Limits, now: Instant) -> Option<Duration> {
        let mut inner = self.lock();
        let window = Duration::from_millis(limits.auth_window_ms);
        let times = inner.failures.get_mut(&address)?;
        times.retain(|t| now.duration_since(*t) < window);
        let excess = (times.len() as u64).checked_sub(limits.auth_failures)?;
        let frees = times.get(excess as usize)?;
        Some(window.saturating_sub(now.duration_since(*frees)))
    }

    /// Counts a wrong credential.
    pub fn failed(&self, address: IpAddr, limits: &Limits, now: Instant) {
        let window = Duration::from_millis(limits.auth_window_ms);
        let mut inner = self.lock();
        if inner.failures.len() >= MAX_ADDRESSES && !inner.failures.contains_key(&address) {
            inner.failures.retain(|_, times| times.last().is_some_and(|t| now.duration_since(*t) < window));
            if inner.failures.len() >= MAX_ADDRESSES {
                let oldest =
                    inner.failures.iter().min_by_key(|(_, times)| times.last().copied()).map(|(a, _)| *a);
                oldest.map(|a| inner.failures.remove(&a));
            }
        }
        let times = inner.failures.entry(address).or_default();
        times.retain(|t| now.duration_since(*t) < window);
        times.push(now);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change under the lock is complete in itself, so a panic elsewhere leaves it usable.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Takes the place of the connection that has been silent longest (of one address, if given).
    fn evict(&mut self, of: Option<IpAddr>, limits: &Limits, now: Instant) -> bool {
        let candidates = self.places.iter_mut().filter(|p| !p.evicted && of.is_none_or(|a| a == p.address));
        let Some(place) = candidates.min_by_key(|p| p.last_byte) else { return false };
        if now.duration_since(place.last_byte) < Duration::from_millis(limits.pre_auth_silent_ms) {
            return false;
        }
        place.evicted = true;
        // Its thread sees the end of input and says goodbye; if the socket is gone already, so is the thread.
        let _ = place.socket.shutdown(Shutdown::Read);
        true
    }
}

impl Ticket {
    /// Notes that bytes arrived, so that the connection does not count as silent.
    pub fn heard(&self, now: Instant) {
        if self.proven {
            return;
        }
        if let Some(place) = self.door.lock().places.iter_mut().find(|p| p.id == self.id) {
            place.last_byte = now;
        }
    }

    pub fn is_evicted(&self) -> bool {
        !self.proven && self.door.lock().places.iter().any(|p| p.id == self.id && p.evicted)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn socket() -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        TcpStream::connect(listener.local_addr().unwrap()).unwrap()
    }

    fn enter(door: &Arc<Door>, address: &str, limits: &Limits, now: Instant) -> Option<Ticket> {
        match door.enter(address.parse().unwrap(), &socket(), limits, now) {
            Entry::Place(ticket) => Some(ticket),
            Entry::Wait => None,
        }
    }

    #[test]
    fn silence_costs_the_place_and_activity_keeps_it() {
        let limits = Limits { pre_auth: 2, ..Limits::default() };
        let (door, start) = (Door::new(), Instant::now());
        let first = enter(&door, "127.0.0.1", &limits, start).unwrap();
        let second = enter(&door, "127.0.0.1", &limits, start).unwrap();
        assert!(enter(&door, "127.0.0.1", &limits, start + Duration::from_millis(100)).is_none());
        first.heard(start + Duration::from_millis(400));
        let third = enter(&door, "127.0.0.1", &limits, start + Duration::from_millis(600));
        assert!(third.is_some() && second.is_evicted() && !first.is_evicted());
    }

    #[test]
    fn a_remote_address_holds_eight_places_and_gets_them_back() {
        let (limits, door, now) = (Limits::default(), Door::new(), Instant::now());
        let mut held: Vec<Ticket> =
            (0..8).map(|_| enter(&door, "192.0.2.1", &limits, now).unwrap()).collect();
        assert!(enter(&door, "192.0.2.1", &limits, now).is_none());
        assert!(enter(&door, "192.0.2.2", &limits, now).is_some());
        held[0].prove();
        assert!(enter(&door, "192.0.2.1", &limits, now).is_some());
        assert_eq!(door.connections(), 8, "a proven connection still counts, a dropped ticket does not");
    }

    #[test]
    fn ten_failures_lock_one_address_for_the_window() {
        let (limits, door, start) = (Limits::default(), Door::new(), Instant::now());
        let (bad, good): (IpAddr, IpAddr) = ("127.0.0.1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        for n in 0..10 {
            assert!(door.locked_for(bad, &limits, start).is_none(), "after {n}");
            door.failed(bad, &limits, start + Duration::from_secs(n));
        }
        let wait = door.locked_for(bad, &limits, start + Duration::from_secs(10)).unwrap();
        assert!(wait > Duration::from_secs(49) && wait <= Duration::from_secs(50), "{wait:?}");
        assert!(door.locked_for(good, &limits, start).is_none());
        assert!(door.locked_for(bad, &limits, start + Duration::from_secs(61)).is_none());
    }
}
