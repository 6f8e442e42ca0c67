//! Who was accepted and is not served yet: room for newcomers, and who is let in.
use super::{BUSY, Newcomer, Parked, TIMED_OUT, let_go, spawn, turn_away};
use crate::calls::outbox::is_not_now;
use crate::door::Entry;
use crate::door::network;
use crate::net::connection::Service;
use crate::state::shared::Shared;
use crate::state::succession::{Now, Succession};
use crate::threads;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Parked {
    /// Turns away who has been silent longest, if that is `grace`, else the newest of the remote network with the most
    /// parked; `false` when all have spoken and are from loopback.
    pub(super) fn make_room(&mut self, grace: Duration) -> bool {
        let silent = self.all.iter().position(|n| !n.speaks && n.since.elapsed() >= grace);
        if let Some(newcomer) = silent.and_then(|at| self.all.remove(at)) {
            crate::logging::debug!(target: "gateway/net", "turned a silent connection from {} away", newcomer.address);
            turn_away(&newcomer.stream, BUSY);
            return true;
        }
        let count = |of: &IpAddr| self.all.iter().filter(|n| network(n.address) == *of).count();
        let remote = self.all.iter().map(|n| network(n.address)).filter(|n| !n.is_loopback());
        let Some(most) = remote.max_by_key(count) else { return false };
        let newest = self.all.iter().rposition(|n| network(n.address) == most);
        if let Some(newcomer) = newest.and_then(|at| self.all.remove(at)) {
            log::warn!(target: "gateway/net", "turned a connection from {} away: too many wait", newcomer.address);
            turn_away(&newcomer.stream, BUSY);
        }
        true
    }

    /// Sends those away who have said nothing for `patience`.
    pub(super) fn dismiss(&mut self, patience: Duration) {
        let (all, now) = (&mut self.all, Instant::now());
        all.retain(|n| {
            let stays = n.speaks || now.duration_since(n.since) < patience;
            if !stays {
                turn_away(&n.stream, TIMED_OUT);
            }
            stays
        });
    }

    /// Whether one of those who are here goes before long.
    pub(super) fn may_shrink(&self, succession: &Succession) -> bool {
        let has_strangers = || matches!(succession.within(Duration::ZERO), Now::Serving(shared) if shared.door.has_strangers());
        !self.all.is_empty() || has_strangers()
    }

    /// Whether more may be taken in; where they are scarce, when somebody was let go or all have gone.
    pub(super) fn has_descriptors(&mut self, succession: &Succession) -> bool {
        if self.is_short && (self.make_room(GRACE) || let_go(succession) || !self.may_shrink(succession)) {
            self.is_short = false;
        }
        !self.is_short
    }

    /// Gives places to those who have spoken.
    pub(super) fn admit(&mut self, shared: &Arc<Shared>, service: Service) {
        let mut full_for: Vec<IpAddr> = Vec::new();
        loop {
            let fits = |n: &Newcomer| n.speaks && !full_for.contains(&network(n.address));
            let next = match self.given % NEWEST {
                0 => self.all.iter().rposition(fits),
                _ => self.all.iter().position(fits),
            };
            let Some((at, newcomer)) = next.and_then(|at| Some((at, self.all.remove(at)?))) else { break };
            let Newcomer { stream, address, since, .. } = &newcomer;
            match shared.door.enter(*address, stream, &shared.limits, Instant::now()) {
                Entry::Place(ticket) if shared.door.connections() > shared.limits.connections => {
                    log::warn!(target: "gateway/net", "refused a connection: {} are open", shared.limits.connections);
                    turn_away(stream, BUSY);
                    drop(ticket);
                }
                Entry::Place(ticket) if !threads::has_room() => {
                    log::warn!(target: "gateway/net", "refused a connection: no memory is left for one more");
                    turn_away(stream, BUSY);
                    drop(ticket);
                }
                Entry::Place(ticket) => {
                    self.given = self.given.wrapping_add(1);
                    spawn(stream.clone(), *since, ticket, shared, service);
                }
                Entry::Wait => {
                    full_for.push(network(*address));
                    self.all.insert(at, newcomer);
                }
            }
        }
        let waiting = self.all.iter().filter(|n| n.speaks).count();
        shared.door.set_waiting(std::mem::replace(&mut self.told, waiting), waiting);
    }

    /// Notes who has spoken; who has closed instead is gone.
    pub(super) fn hear(&mut self, spoken: &[bool]) {
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

/// An honest client speaks within this time after it is accepted, however busy its machine.
pub(super) const GRACE: Duration = Duration::from_millis(50);

/// Which place goes to the newest.
pub(super) const NEWEST: usize = 4;
