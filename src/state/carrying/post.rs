//! What the state thread keeps of messages that come and go: the ledger, who is woken for them, who waits, and what the disk
//! did not take. Nothing is decided here.
use super::Told;
use super::writing::AGAIN;
use crate::calls::{Pending, Wake};
use crate::deliveries::{Delivery, Inbound, Ledger, Line, Login, Name, Taken};
use crate::state::watched::Watched;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Clients that wait for what becomes of deliveries: each, and all.
const MOST_WAITERS_EACH: usize = 32;
const MOST_WAITERS: usize = 512;

pub struct Post {
    pub ledger: Watched<Ledger>,
    /// Who waits for what becomes of deliveries.
    pub(in crate::state) waiters: Pending,
    pub(super) wakes: HashMap<Login, Arc<Wake>>,
    /// What the disk did not take.
    pub(super) unwritten: HashSet<Name>,
    pub(super) write_at: u64,
    /// Writes whose end is still to be told.
    pub(in crate::state) under_way: usize,
    /// When it is looked again for deliveries that nobody carries, and whether there are any.
    pub(super) look_at: u64,
    pub(super) has_orphans: bool,
    /// Who brought something that somebody else's write has: one for each carrier at most, as each waits for his answer.
    pub(super) behind: Vec<(Vec<Inbound>, Told<Vec<Inbound>>)>,
}

impl Post {
    pub fn of(ledger: Ledger) -> Post {
        Post {
            ledger: Watched::of(ledger),
            waiters: Pending::bounded(MOST_WAITERS_EACH, MOST_WAITERS),
            wakes: HashMap::new(),
            unwritten: HashSet::new(),
            write_at: 0,
            under_way: 0,
            look_at: 0,
            has_orphans: false,
            behind: Vec::new(),
        }
    }

    /// A run's message, which its end on disk will hold too. `None` when it was promised before, or cannot be.
    pub fn promise(&mut self, delivery: Delivery) -> Option<Line> {
        let login = delivery.login();
        let line = Line::Delivery(delivery);
        let name = line.name();
        let new = match self.ledger.take(line).and_then(Taken::fresh) {
            Ok(new) => new?,
            Err(e) => {
                log::error!(target: "gateway/deliveries", "a message to {login} is lost: {e}");
                return None;
            }
        };
        self.ledger.written(&name, true);
        self.wake(&login);
        Some(new)
    }

    /// Whether somebody has a delivery in his hands, or waits to be told that something is on disk.
    pub fn is_busy(&self) -> bool {
        self.under_way > 0 || self.ledger.is_handing()
    }

    pub(in crate::state) fn wake(&self, login: &Login) {
        if let Some(wake) = self.wakes.get(login) {
            wake.ring();
        }
    }

    /// After this delivery another one may go out.
    pub(super) fn wake_for_next(&self, id: &str) {
        if let Some(Line::Delivery(delivery)) = self.ledger.line(&Delivery::named(id)) {
            let login = delivery.login();
            if self.ledger.next(&login, &[]).is_some() {
                self.wake(&login);
            }
        }
    }

    /// Lines are to be written again.
    pub fn keep(&mut self, lines: &[Line], now: u64) {
        self.unwritten.extend(lines.iter().map(Line::name));
        self.write_at = now + AGAIN;
    }
}
