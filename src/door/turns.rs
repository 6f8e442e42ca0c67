//! Turns: of networks with too many wrong credentials so many are compared in a `PAUSE` as there are places, in the order
//! in which they came.
//!
//! Runs on the threads of those who wait. Who waits is worked for and is not sent away, but his place is another's
//! meanwhile: guesses hold up nobody who shows no secret. Of those who would be too many beside the places each keeps his,
//! so the line is bounded; who hangs up leaves it, and his turn is the next one's. A turn that was taken is used up,
//! whatever becomes of the connection, unless the credential was right. Nothing is compared here.
use super::{Door, Inner, PAUSE, Stage, Ticket, network};
use crate::protocol::limits::Limits;
use rustix::event::{PollFd, PollFlags};
use std::collections::VecDeque;
use std::net::{IpAddr, TcpStream};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// How many times as many as there are places may wait beside them.
const BESIDE: u64 = 4;

/// How often who waits is asked whether he is still there.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Tickets, the next one first.
    line: VecDeque<u64>,
    /// When the next one may go.
    next: Option<Instant>,
}

/// That a credential may be compared.
#[derive(Debug)]
pub struct Turn {
    door: Arc<Door>,
    /// What it takes of the time; nothing where few have failed.
    share: Duration,
}

impl Ticket {
    /// Waits until a credential from `address` may be compared, at once where few were wrong. `None` if it may not: nobody
    /// is there any more, the place was taken away, or the line is too long, as only those make it who need no place.
    pub fn turn(&self, address: IpAddr, limits: &Limits) -> Option<Turn> {
        let door = self.door.clone();
        let mut inner = door.lock();
        if inner.failures.too_many(network(address), limits, Instant::now()).is_none() {
            drop(inner);
            return Some(Turn { door, share: Duration::ZERO });
        }
        if inner.turns.line.len() as u64 >= (BESIDE + 2) * limits.pre_auth {
            return None;
        }
        inner.turns.line.push_back(self.id);
        let place = inner.step_aside(self.id, BESIDE * limits.pre_auth);
        drop(inner);
        door.freed.notify_all();
        let share = PAUSE / u32::try_from(limits.pre_auth.max(1)).unwrap_or(u32::MAX);
        let has_come = self.come_up(place.as_ref().map(|(socket, _)| &**socket), share);
        let mut inner = door.lock();
        inner.turns.line.retain(|id| *id != self.id);
        if let Some((_, before)) = place {
            inner.set_stage(self.id, before);
        }
        drop(inner);
        door.moved.notify_all();
        has_come.then_some(Turn { door, share })
    }

    fn come_up(&self, socket: Option<&TcpStream>, share: Duration) -> bool {
        loop {
            if self.is_evicted() || socket.is_some_and(has_closed) {
                return false;
            }
            let mut inner = self.door.lock();
            let now = Instant::now();
            let is_first = inner.turns.line.front() == Some(&self.id);
            let left = inner.turns.next.map_or(Duration::ZERO, |next| next.saturating_duration_since(now));
            if is_first && left.is_zero() {
                inner.turns.next = Some(now + share);
                return true;
            }
            let wait = if is_first { left.min(LOOK) } else { LOOK };
            drop(self.door.moved.wait_timeout(inner, wait).unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl Inner {
    /// Who waits in line leaves his place to others, unless `most` do already. Gives his socket and what he did before.
    fn step_aside(&mut self, id: u64, most: u64) -> Option<(Arc<TcpStream>, Stage)> {
        let aside = self.places.iter().filter(|place| place.stage == Stage::InLine).count() as u64;
        let place = self.places.iter().find(|place| place.id == id)?;
        let (socket, before) = (place.socket.clone(), place.stage);
        if aside < most {
            self.set_stage(id, Stage::InLine);
        }
        Some((socket, before))
    }

    fn set_stage(&mut self, id: u64, stage: Stage) {
        if let Some(place) = self.places.iter_mut().find(|place| place.id == id) {
            (place.stage, place.since) = (stage, Instant::now());
        }
    }
}

impl Turn {
    /// The credential was right: the turn is the next one's.
    pub fn give_back(self) {
        let mut inner = self.door.lock();
        inner.turns.next = inner.turns.next.and_then(|next| next.checked_sub(self.share));
    }
}

/// Whether the other end has closed, or half of the connection, which who waits for an answer does not.
#[cfg(target_os = "linux")]
pub fn has_closed(stream: &TcpStream) -> bool {
    let mut fds = [PollFd::new(stream, PollFlags::RDHUP)];
    crate::sys::poll(&mut fds, Some(Duration::ZERO)).is_ok_and(|ready| ready > 0)
}

/// Elsewhere the end is seen only when nothing has come before it.
#[cfg(not(target_os = "linux"))]
pub fn has_closed(stream: &TcpStream) -> bool {
    use rustix::net::{RecvFlags, recv};
    let mut fds = [PollFd::new(stream, PollFlags::IN)];
    crate::sys::poll(&mut fds, Some(Duration::ZERO)).is_ok_and(|ready| ready > 0)
        && recv(stream, &mut [0u8; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT)
            .is_ok_and(|(_, bytes)| bytes == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::Entry;
    use std::net::TcpListener;

    // SEC-19: hanging up early makes no turn come sooner, and right credentials use none up.
    #[test]
    fn sec_19_after_too_many_failures_comparisons_have_turns() {
        let limits = Limits { auth_failures: 1, ..Limits::default() };
        let (door, now) = (Door::new(), Instant::now());
        let ip: IpAddr = "10.0.0.1".parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let other_end = listener.accept().unwrap();
        let Entry::Place(ticket) = door.enter(ip, &Arc::new(stream), &limits, now) else { panic!("a place") };
        let turns = |count: usize, ip: IpAddr, is_right: bool| {
            let start = Instant::now();
            for _ in 0..count {
                let turn = ticket.turn(ip, &limits).unwrap();
                if is_right {
                    turn.give_back();
                }
            }
            start.elapsed()
        };
        let at_once = Duration::from_millis(100);
        assert!(turns(100, ip, false) < at_once, "as long as few were wrong");
        door.failed(ip, String::new, &limits, now);
        assert!(turns(100, ip, true) < at_once, "right ones");
        assert!(turns(17, ip, false) >= Duration::from_millis(480), "32 a second");
        assert!(turns(100, "10.0.0.2".parse().unwrap(), false) < at_once, "others");
        // Who has hung up gets none and uses none up.
        drop(other_end);
        assert!(ticket.turn(ip, &limits).is_none() && door.lock().turns.line.is_empty());
    }

    // SEC-19: guesses take no place from who shows no secret, and a remote network has no more of them for it.
    #[test]
    fn sec_19_who_waits_for_a_turn_holds_up_nobody_else() {
        let limits = Limits { auth_failures: 1, pre_auth: 4, pre_auth_per_address: 2, ..Limits::default() };
        for (ip, newcomers) in [("127.0.0.1", 3), ("192.0.2.1", 0)] {
            let door = Door::new();
            let ip: IpAddr = ip.parse().unwrap();
            door.failed(ip, String::new, &limits, Instant::now());
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let enter = || {
                let stream = Arc::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
                let ends = listener.accept().unwrap();
                match door.enter(ip, &stream, &limits, Instant::now()) {
                    Entry::Place(ticket) => Some((ticket, ends)),
                    Entry::Wait => None,
                }
            };
            let guessers: Vec<_> =
                std::iter::from_fn(enter).take(if newcomers > 0 { 3 } else { 2 }).collect();
            assert!(enter().is_none(), "all places are taken");
            std::thread::scope(|scope| {
                // The first turn comes at once; the others' a second and more later.
                door.lock().turns.next = Some(Instant::now() + Duration::from_secs(1));
                for (ticket, _) in &guessers {
                    let limits = &limits;
                    scope.spawn(move || assert!(ticket.turn(ip, limits).is_some()));
                }
                let all_wait = || door.lock().turns.line.len() == guessers.len();
                while !all_wait() {
                    std::thread::yield_now();
                }
                let more: Vec<_> = std::iter::from_fn(enter).collect();
                assert_eq!(more.len(), newcomers, "{ip}");
            });
            assert!(door.lock().turns.line.is_empty() && guessers.iter().all(|(t, _)| !t.is_evicted()));
        }
    }
}
