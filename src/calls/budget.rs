//! Bytes that wait, of all clients together: each is in one of three sums from its arrival until it is gone.
//!
//! When too many wait, the largest client goes of whoever has the most: a crowd of one device counts as one. A text that
//! waits for several clients is one text: it is weighed once before anybody goes for it. Any
//! thread calls this; the lock guards the list of clients and is held to copy it. Nothing here waits but `work`,
//! which is for connections' own threads.
use super::making::Making;
use super::outbox::Outbox;
use crate::protocol::close::Close;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How often a connection that waits for its turn to work looks again, and whether what waits is shared is asked again.
const LOOK: Duration = Duration::from_millis(10);
/// Set in a client's share when it is ended: its bytes are on their way out and count no more.
const ENDED: usize = 1 << (usize::BITS - 1);
/// What it costs to make an answer out of files, about.
const MAKING: usize = 4 << 20;

/// Where bytes wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Received, of messages that are not worked on yet.
    Arriving,
    /// Answers and events that are not out yet.
    Unsent,
}

#[derive(Debug, Default)]
pub struct Budget {
    arriving: AtomicUsize,
    unsent: AtomicUsize,
    /// What requests cost that are being read, handled or answered.
    working: AtomicUsize,
    /// Answers that are made out of files.
    pub making: Making,
    clients: Mutex<Vec<Weak<Outbox>>>,
    /// Held by who is ending clients; with when that was last found needless.
    relieving: Mutex<Option<Instant>>,
}

/// What one client has waiting.
#[derive(Debug, Default)]
pub struct Share {
    arriving: AtomicUsize,
    unsent: AtomicUsize,
}

impl Budget {
    pub fn unsent(&self) -> usize {
        self.unsent.load(Ordering::Relaxed)
    }

    /// What arrives, is worked on and is unsent.
    pub fn held(&self) -> [usize; 3] {
        let [arriving, working, unsent] =
            [&self.arriving, &self.working, &self.unsent].map(|sum| sum.load(Ordering::Relaxed));
        [arriving, working + self.made(), unsent]
    }

    pub fn enter(&self, client: &Arc<Outbox>) {
        self.lock().push(Arc::downgrade(client));
    }

    /// Takes a client out with all that it has waiting.
    pub fn leave(&self, client: &Outbox) {
        self.lock().retain(|other| !std::ptr::eq(other.as_ptr(), client));
        self.end(&client.share);
    }

    fn end(&self, share: &Share) {
        for sort in [Sort::Arriving, Sort::Unsent] {
            let held = share.of(sort).swap(ENDED, Ordering::Relaxed);
            if held & ENDED == 0 {
                sub(self.sum(sort), held);
            }
        }
    }

    /// Replaces `old` bytes of a client by `new`.
    pub fn change(&self, share: &Share, sort: Sort, old: usize, new: usize) {
        let change = |held: usize| (held & ENDED == 0).then(|| (held + new).saturating_sub(old));
        if share.of(sort).fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).is_ok() {
            self.sum(sort).fetch_add(new, Ordering::Relaxed);
            sub(self.sum(sort), old);
        }
    }

    /// While more than `most` bytes wait, ends the largest client of whoever has the most. Answers and events wait
    /// only where a socket takes no more: who reads is never ended for it.
    pub fn relieve(&self, sort: Sort, most: usize) {
        if self.sum(sort).load(Ordering::Relaxed) <= most {
            return;
        }
        // Somebody else is at it, and will look again after each.
        let Ok(mut needless) = self.relieving.try_lock() else { return };
        if sort == Sort::Unsent && needless.is_some_and(|at| at.elapsed() < LOOK) {
            return;
        }
        while self.sum(sort).load(Ordering::Relaxed) > most {
            let clients: Vec<Arc<Outbox>> = self.lock().iter().filter_map(Weak::upgrade).collect();
            if sort == Sort::Unsent && self.unsent().saturating_sub(shared(&clients)) <= most {
                *needless = Some(Instant::now());
                return;
            }
            let Some(largest) = largest(&clients, sort) else { return };
            log::warn!(target: "gateway/ws", "too much waits ({sort:?}, more than {most} bytes): ended the largest client");
            self.end(&largest.share);
            largest.end(match sort {
                Sort::Arriving => Close::Crowded,
                Sort::Unsent => Close::SlowConsumer,
            });
        }
    }

    /// Counts work that costs `bytes`, when it fits into `most` beside the others' or is alone; until then this waits,
    /// as long as `is_wanted` says.
    pub fn work(self: &Arc<Budget>, bytes: usize, most: usize, is_wanted: impl Fn() -> bool) -> Work {
        while !self.fits(bytes, most) {
            if !is_wanted() {
                self.working.fetch_add(bytes, Ordering::Relaxed);
                break;
            }
            std::thread::sleep(LOOK);
        }
        Work { budget: self.clone(), bytes }
    }

    /// Work that costs nothing yet, for `Work::grow`.
    pub fn begin(self: &Arc<Budget>) -> Work {
        Work { budget: self.clone(), bytes: 0 }
    }

    /// Counts `bytes` of work if they fit beside the others' and the answers that are made. A quarter is never taken by
    /// those: however long they take, what is asked is read.
    fn fits(&self, bytes: usize, most: usize) -> bool {
        let most = most.saturating_sub(self.made()).max(most / 4);
        let fits = |sum: usize| (sum == 0 || sum + bytes <= most).then_some(sum + bytes);
        self.working.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    fn made(&self) -> usize {
        MAKING * self.making.running()
    }

    fn sum(&self, sort: Sort) -> &AtomicUsize {
        match sort {
            Sort::Arriving => &self.arriving,
            Sort::Unsent => &self.unsent,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Outbox>>> {
        // A panic while holding the lock leaves a whole list.
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that are counted though another client has the very same text waiting.
fn shared(clients: &[Arc<Outbox>]) -> usize {
    let (mut seen, mut bytes) = (HashSet::new(), 0);
    for client in clients.iter().filter(|client| !client.share.is_ended()) {
        client.each_text(|text| bytes += if seen.insert(Arc::as_ptr(text)) { 0 } else { text.len() });
    }
    bytes
}

fn largest(clients: &[Arc<Outbox>], sort: Sort) -> Option<&Arc<Outbox>> {
    let held = |client: &Outbox| client.share.held(sort);
    let may_go = |client: &&Arc<Outbox>| held(client) > 0 && (sort == Sort::Arriving || client.is_blocked());
    let mut sums: HashMap<Arc<str>, usize> = HashMap::new();
    for client in clients.iter().filter(may_go) {
        *sums.entry(client.owner()).or_default() += held(client);
    }
    let (owner, _) = sums.into_iter().max_by_key(|(_, sum)| *sum)?;
    clients.iter().filter(may_go).filter(|client| client.owner() == owner).max_by_key(|client| held(client))
}

fn sub(sum: &AtomicUsize, bytes: usize) {
    // Below zero would mean a byte counted twice on its way out; the sum stays usable.
    let _ = sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| Some(n.saturating_sub(bytes)));
}

impl Share {
    fn of(&self, sort: Sort) -> &AtomicUsize {
        match sort {
            Sort::Arriving => &self.arriving,
            Sort::Unsent => &self.unsent,
        }
    }

    /// Whether the client was ended for what it has waiting, or is gone.
    pub fn is_ended(&self) -> bool {
        self.unsent.load(Ordering::Relaxed) & ENDED != 0
    }

    fn held(&self, sort: Sort) -> usize {
        let held = self.of(sort).load(Ordering::Relaxed);
        if held & ENDED == 0 { held } else { 0 }
    }
}

/// A request or an answer that is worked on; dropped when it is done.
#[derive(Debug)]
pub struct Work {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Work {
    /// Counts `more` bytes, without waiting; `false` where they do not fit beside the others' into `most`.
    pub fn grow(&mut self, more: usize, most: usize) -> bool {
        let fits = self.budget.fits(more, most);
        self.bytes += if fits { more } else { 0 };
        fits
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        sub(&self.budget.working, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::outbox::{Drain, Frame};
    use crate::protocol::events::Backlog;

    fn client(budget: &Arc<Budget>, owner: &str, arriving: usize) -> Drain {
        let drain = Outbox::open(1 << 20, budget.clone(), 1 << 20, owner).unwrap();
        budget.change(&drain.outbox.share, Sort::Arriving, 0, arriving);
        drain
    }

    fn is_ended(drain: &Drain) -> bool {
        matches!(drain.pop().0, Some(Frame::Close(Close::Crowded)))
    }

    #[test]
    fn s_m4_the_largest_of_whoever_has_the_most_goes() {
        let budget = Arc::<Budget>::default();
        let honest = client(&budget, "a", 500);
        let crowd: Vec<Drain> = [200, 300, 200].map(|n| client(&budget, "b", n)).into();
        budget.relieve(Sort::Arriving, 1200);
        budget.relieve(Sort::Arriving, 1000);
        assert!(!is_ended(&honest) && !is_ended(&crowd[0]) && is_ended(&crowd[1]) && !is_ended(&crowd[2]));
        assert_eq!(budget.arriving.load(Ordering::Relaxed), 900);
        // What the ended one gives back later was given back already.
        budget.change(&crowd[1].outbox.share, Sort::Arriving, 300, 0);
        drop(crowd);
        assert_eq!(budget.arriving.load(Ordering::Relaxed), 500);
        drop(honest);
        assert_eq!(budget.arriving.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn s_m5_who_reads_is_not_ended_for_what_waits() {
        let budget = Arc::<Budget>::default();
        let (reads, sleeps) = (client(&budget, "a", 0), client(&budget, "b", 0));
        budget.change(&reads.outbox.share, Sort::Unsent, 0, 900);
        budget.change(&sleeps.outbox.share, Sort::Unsent, 0, 300);
        budget.relieve(Sort::Unsent, 1000);
        assert!(reads.pop().0.is_none() && sleeps.pop().0.is_none());
        sleeps.outbox.set_blocked(true);
        budget.relieve(Sort::Unsent, 1000);
        assert!(reads.pop().0.is_none());
        assert!(matches!(sleeps.pop().0, Some(Frame::Close(Close::SlowConsumer))));
    }

    /// S-M5: five watchers of one long answer hold one text, also while it is on its way out.
    #[test]
    fn s_m5_a_text_for_all_weighs_once() {
        let budget = Arc::<Budget>::default();
        let watchers: Vec<Drain> = ["a", "b", "c", "d", "e"]
            .map(|owner| Outbox::open(1 << 20, budget.clone(), 1000, owner).unwrap())
            .into();
        watchers.iter().for_each(|watcher| watcher.outbox.set_blocked(true));
        let send = |text: String| {
            let text = Arc::new(text.into());
            watchers.iter().for_each(|watcher| {
                watcher.outbox.push_event("chat", Arc::clone(&text), Backlog::Keep);
            });
        };
        send("x".repeat(600));
        let sending: Vec<_> = watchers.iter().map(|watcher| watcher.pop()).collect();
        assert!(budget.unsent() > 3000);
        std::thread::sleep(LOOK);
        budget.relieve(Sort::Unsent, 1000);
        assert!(watchers.iter().all(|watcher| !watcher.outbox.share.is_ended()), "one text of 600 bytes");
        std::thread::sleep(LOOK);
        send("y".repeat(600));
        std::thread::sleep(LOOK);
        budget.relieve(Sort::Unsent, 1000);
        let ended = watchers.iter().filter(|watcher| watcher.outbox.share.is_ended()).count();
        assert_eq!(ended, 5, "two texts are too much, and each of the five holds both");
        drop(sending);
        assert_eq!(budget.unsent(), 0);
    }

    #[test]
    fn s_h4_work_waits_for_work() {
        let budget = Arc::<Budget>::default();
        let first = budget.work(2000, 1000, || unreachable!("alone it may be of any size"));
        let looks = AtomicUsize::new(0);
        let second = budget.work(10, 1000, || looks.fetch_add(1, Ordering::Relaxed) < 2);
        assert_eq!(looks.load(Ordering::Relaxed), 3);
        drop((first, second));
        let _both = (budget.work(500, 1000, || false), budget.work(500, 1000, || unreachable!("both fit")));
        assert_eq!(budget.working.load(Ordering::Relaxed), 1000);
    }
}
