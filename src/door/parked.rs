//! Who was accepted and has no place yet: parked until he says something, so that silence costs a descriptor, no place and
//! no thread; then he gets a place in order of arrival, but for each fourth, which goes to the newest. So nobody waits for
//! ever, and not everybody for all before him.
//!
//! On the thread that accepts, which gives connections and gets them back with a place. How many are parked, and who
//! serves them, is that thread's matter.
use super::{Door, Entry, Ticket, network};
use crate::calls::outbox::is_not_now;
use crate::protocol::limits::Limits;
use rustix::event::{PollFd, PollFlags};
use std::collections::VecDeque;
use std::net::{IpAddr, TcpStream};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An honest client speaks within this time after it is accepted, however busy its machine.
pub const GRACE: Duration = Duration::from_millis(50);

/// Which place goes to the newest.
pub const NEWEST: usize = 4;

/// Too many are here; and it has said nothing in time.
pub const BUSY: u16 = 503;
const TIMED_OUT: u16 = 408;

/// Who was accepted and has no place.
pub struct Newcomer {
    pub stream: Arc<TcpStream>,
    pub address: IpAddr,
    pub since: Instant,
    /// Whether it has said something.
    pub speaks: bool,
}

pub struct Parked {
    /// In order of arrival.
    pub all: VecDeque<Newcomer>,
    /// How many wait for a place, as the door was told.
    told: usize,
    /// Places given out; each `NEWEST`th goes to who came last.
    given: usize,
    /// Tells a peer why he is turned away, without waiting for him.
    turn_away: fn(&TcpStream, u16),
}

impl Parked {
    pub fn new(turn_away: fn(&TcpStream, u16)) -> Parked {
        Parked { all: VecDeque::new(), told: 0, given: 0, turn_away }
    }

    pub fn park(&mut self, stream: TcpStream, address: IpAddr) {
        let (stream, address) = (Arc::new(stream), address.to_canonical());
        self.all.push_back(Newcomer { stream, address, since: Instant::now(), speaks: false });
    }

    /// Whether somebody has spoken and waits for a place.
    pub fn has_speakers(&self) -> bool {
        self.all.iter().any(|n| n.speaks)
    }

    /// Turns away who has been silent longest, if that is `grace`, else the newest of the remote network with the most
    /// parked; `false` when all have spoken and are from loopback.
    pub fn make_room(&mut self, grace: Duration) -> bool {
        let silent = self.all.iter().position(|n| !n.speaks && n.since.elapsed() >= grace);
        if let Some(newcomer) = silent.and_then(|at| self.all.remove(at)) {
            crate::logging::debug!(target: "gateway/net", "turned a silent connection from {} away", newcomer.address);
            (self.turn_away)(&newcomer.stream, BUSY);
            return true;
        }
        let count = |of: &IpAddr| self.all.iter().filter(|n| network(n.address) == *of).count();
        let remote = self.all.iter().map(|n| network(n.address)).filter(|n| !n.is_loopback());
        let Some(most) = remote.max_by_key(count) else { return false };
        let newest = self.all.iter().rposition(|n| network(n.address) == most);
        if let Some(newcomer) = newest.and_then(|at| self.all.remove(at)) {
            log::warn!(target: "gateway/net", "turned a connection from {} away: too many wait", newcomer.address);
            (self.turn_away)(&newcomer.stream, BUSY);
        }
        true
    }

    /// Sends those away who have said nothing for `patience`.
    pub fn dismiss(&mut self, patience: Duration) {
        let (all, now, turn_away) = (&mut self.all, Instant::now(), self.turn_away);
        all.retain(|n| {
            let stays = n.speaks || now.duration_since(n.since) < patience;
            if !stays {
                turn_away(&n.stream, TIMED_OUT);
            }
            stays
        });
    }

    /// Gives places to those who have spoken, as far as there are some.
    pub fn admit(
        &mut self,
        door: &Arc<Door>,
        limits: &Limits,
        start: &mut dyn FnMut(&Newcomer, Ticket) -> bool,
    ) {
        let mut full_for: Vec<IpAddr> = Vec::new();
        loop {
            let fits = |n: &Newcomer| n.speaks && !full_for.contains(&network(n.address));
            let next = match self.given % NEWEST {
                0 => self.all.iter().rposition(fits),
                _ => self.all.iter().position(fits),
            };
            let Some((at, newcomer)) = next.and_then(|at| Some((at, self.all.remove(at)?))) else { break };
            match door.enter(newcomer.address, &newcomer.stream, limits, Instant::now()) {
                Entry::Place(ticket) => {
                    self.given = self.given.wrapping_add(start(&newcomer, ticket).into());
                }
                Entry::Wait => {
                    full_for.push(network(newcomer.address));
                    self.all.insert(at, newcomer);
                }
            }
        }
        let waiting = self.all.iter().filter(|n| n.speaks).count();
        door.set_waiting(std::mem::replace(&mut self.told, waiting), waiting);
    }

    /// Waits for the first word of those who are parked, and for `others`; which of these are ready.
    pub fn wait(&mut self, others: &[BorrowedFd], timeout: Option<Duration>) -> Vec<bool> {
        let input = |newcomer| PollFd::new(newcomer, PollFlags::IN);
        let mut fds: Vec<PollFd> =
            self.all.iter().filter(|n| !n.speaks).map(|n| PollFd::new(&n.stream, PollFlags::IN)).collect();
        let silent = fds.len();
        fds.extend(others.iter().map(input));
        if !crate::sys::poll(&mut fds, timeout).is_ok_and(|n| n > 0) {
            return vec![false; others.len()];
        }
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        let spoken: Vec<bool> = ready.by_ref().take(silent).collect();
        let others = ready.collect();
        drop(fds);
        self.hear(&spoken);
        others
    }

    /// Notes who has spoken; who has closed instead is gone.
    fn hear(&mut self, spoken: &[bool]) {
        let mut spoken = spoken.iter();
        self.all.retain_mut(|n| {
            if n.speaks || !spoken.next().copied().unwrap_or_default() {
                return true;
            }
            n.speaks = true;
            match n.stream.set_nonblocking(true).and_then(|()| n.stream.peek(&mut [0])) {
                Ok(bytes) => bytes > 0,
                Err(e) => is_not_now(&e),
            }
        });
    }
}
