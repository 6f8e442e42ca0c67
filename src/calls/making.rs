//! Turns at making answers out of files: how many are made at a time, and who is next.
//!
//! Whose answers took long lately goes after everybody else and never has all places: however many read large things
//! without end, there is a place for what is quick. Called by connections' own threads, which wait here for their turn;
//! the lock guards the lists and is held to look through them.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often who waits looks again.
const LOOK: Duration = Duration::from_millis(10);
/// So many are made at a time, and so many of those whose answers take long.
const PLACES: usize = 4;
const LONG_PLACES: usize = 2;
/// How much making of late makes somebody one whose answers take long, and after what time half of it is forgotten.
const LONG: Duration = Duration::from_millis(250);
const HALF: Duration = Duration::from_secs(10);
/// Nobody whose answers are quick waits longer. And when nothing began or ended for so long, those that are made hang, on a
/// disk perhaps: the next one begins beside them.
const LONGEST: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct Making {
    turns: Mutex<Turns>,
}

#[derive(Debug, Default)]
struct Turns {
    /// Of all that ever waited.
    count: u64,
    waiting: Vec<(u64, Arc<str>)>,
    running: Vec<(u64, Arc<str>, Instant)>,
    used: HashMap<Arc<str>, Used>,
    /// When something began or ended last.
    changed: Option<Instant>,
}

/// How long somebody's answers took to make, as it was at that moment.
#[derive(Debug, Clone, Copy)]
struct Used {
    time: Duration,
    at: Instant,
}

impl Used {
    fn now(&self, now: Instant) -> Duration {
        let halves = now.saturating_duration_since(self.at).as_secs_f64() / HALF.as_secs_f64();
        self.time.mul_f64(0.5f64.powf(halves))
    }
}

impl Making {
    /// How many answers are being made.
    pub fn running(&self) -> usize {
        self.lock().running.len()
    }

    /// Waits for a turn, as long as `is_wanted` says; after that it is taken.
    pub fn turn(&self, owner: Arc<str>, is_wanted: impl Fn() -> bool) -> Turn<'_> {
        let (number, since) = (self.lock().enter(owner.clone()), Instant::now());
        loop {
            let (is_wanted, now) = (is_wanted(), Instant::now());
            let mut turns = self.lock();
            let is_quick = turns.used(&owner, now) < LONG;
            let moved = turns.changed.filter(|_| !is_quick).map_or(since, |at| at.max(since));
            let is_over = now.saturating_duration_since(moved) >= LONGEST;
            if !is_wanted || is_over || turns.next(now) == Some(number) {
                turns.begin(number);
                return Turn { making: self, number };
            }
            drop(turns);
            std::thread::sleep(LOOK);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        // A panic while holding the lock leaves whole lists.
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turns {
    fn enter(&mut self, owner: Arc<str>) -> u64 {
        self.count += 1;
        self.waiting.push((self.count, owner));
        self.count
    }

    /// Who of those that wait may begin now.
    fn next(&self, now: Instant) -> Option<u64> {
        if self.running.len() >= PLACES {
            return None;
        }
        let is_long = |owner: &Arc<str>| self.used(owner, now) >= LONG;
        let long = self.running.iter().filter(|(_, owner, _)| is_long(owner)).count();
        let may = |(_, owner): &&(u64, Arc<str>)| long < LONG_PLACES || !is_long(owner);
        let order = |(number, owner): &&(u64, Arc<str>)| (self.used(owner, now), *number);
        self.waiting.iter().filter(may).min_by_key(order).map(|(number, _)| *number)
    }

    /// What is being made for him counts too.
    fn used(&self, owner: &Arc<str>, now: Instant) -> Duration {
        let before = self.used.get(owner).map_or(Duration::ZERO, |used| used.now(now));
        let his = self.running.iter().filter(|(_, other, _)| other == owner);
        before + his.map(|(_, _, since)| now.saturating_duration_since(*since)).sum::<Duration>()
    }

    fn begin(&mut self, number: u64) {
        if let Some(at) = self.waiting.iter().position(|(waiting, _)| *waiting == number) {
            let (_, owner) = self.waiting.swap_remove(at);
            let now = Instant::now();
            self.running.push((number, owner, now));
            self.changed = Some(now);
        }
    }

    fn end(&mut self, number: u64) {
        let Some(at) = self.running.iter().position(|(running, ..)| *running == number) else { return };
        let now = Instant::now();
        let (_, owner, since) = self.running.swap_remove(at);
        self.used.retain(|_, used| used.now(now) > Duration::from_millis(1));
        let before = self.used.get(&owner).map_or(Duration::ZERO, |used| used.now(now));
        self.changed = Some(now);
        self.used.insert(owner, Used { time: before + now.saturating_duration_since(since), at: now });
    }
}

/// An answer that is being made; dropped when it is.
#[derive(Debug)]
pub struct Turn<'m> {
    making: &'m Making,
    number: u64,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.making.lock().end(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S-M5: who reads much waits for who reads little, and leaves him a place.
    #[test]
    fn s_m5_whose_answers_take_long_goes_last_and_never_has_all_places() {
        let mut turns = Turns::default();
        let now = Instant::now();
        for owner in ["a", "b", "c"] {
            turns.used.insert(owner.into(), Used { time: Duration::from_secs(1), at: now });
        }
        let [a, b, c] = ["a", "b", "c"].map(|owner| turns.enter(owner.into()));
        assert_eq!(turns.next(now), Some(a));
        turns.begin(a);
        turns.begin(b);
        assert_eq!(turns.next(now), None, "the last place is not for him");
        let quick = turns.enter("d".into());
        assert_eq!(turns.next(now), Some(quick));
        turns.begin(quick);
        assert_eq!(turns.next(now), None);
        turns.end(quick);
        turns.end(a);
        assert_eq!(turns.next(now), Some(c));
        assert_eq!(turns.used(&"d".into(), now + 40 * HALF), Duration::ZERO, "it is forgotten");
    }
}
