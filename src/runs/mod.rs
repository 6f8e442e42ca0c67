//! Agent runs: asked for (`intake`), accepted (`accepting`), waiting for their session and running (`lanes`), told of
//! (`telling`), stopped (`stopping`), ended (`ending`), waited for (`waiting`), shown while they wait (`inputs`), asked for by other runs (`nesting`) and by ends of commands (`left`).
//!
//! What one is stands in `run`. `Runs` is owned by the state thread and knows the rest of the state by `World` only. It decides about turns and takes
//! none itself; commands are done by whoever calls it.
//!
//! A run's id is the idempotency key of the request that made it. A request is answered `accepted` only when
//! its journal line is on disk. One turn a session at a time, at most `max` in all; the others wait in order.
//! A message that comes while its session is busy may join a turn: it is *attached* to that run and ends with it,
//! so that every run id has an end that can be waited for.
mod accepting;
mod beating;
mod delivering;
mod ending;
mod inputs;
mod intake;
mod keeping;
mod lanes;
pub mod left;
mod nesting;
mod observers;
pub mod origin;
mod outcome;
mod queueing;
mod requests;
mod run;
mod shapes;
mod sharing;
mod stopping;
mod telling;
#[cfg(test)]
mod tests;
mod today;
mod waiting;
mod world;

pub use beating::Beating;
pub use delivering::Deliver;
pub use intake::{Ask, Wishes};
pub use observers::{After, Observer, Observers, Part};
pub use requests::Requests;
pub use today::Today;
pub use world::World;

use crate::calls::{Ask as Asking, Call, Pending, Provenance};
use crate::protocol::frame::Payload;
use origin::Address;
use run::{Ended, Phase, Run};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Weak;

/// How long the end of a run is remembered for `agent.wait`, milliseconds.
const REMEMBER: u64 = 10 * 60 * 1000;
const MAX_REMEMBERED: usize = 1000;

/// How a request was taken.
pub enum Taken {
    /// This is the answer.
    Now(Payload),
    /// It follows.
    Later,
}

pub struct Runs {
    map: HashMap<String, Run>,
    /// Runs that wait for their session to be free, by session key.
    queues: HashMap<String, VecDeque<String>>,
    /// Sessions whose next run waits for one of the `max` places.
    ready: VecDeque<String>,
    running: HashMap<String, String>,
    ended: VecDeque<(String, Ended)>,
    /// Of subagents that have not been told of, by their runs.
    families: HashMap<String, nesting::Nesting>,
    /// What those may cause that somebody still works for (`left`).
    left: HashMap<String, (Weak<Asking>, nesting::Nesting)>,
    waiters: Pending,
    pub requests: Requests,
    pub today: Today,
    max: usize,
    /// Of those that have places of their own.
    max_apart: usize,
    max_queued: usize,
    next_thread: u64,
    /// `start_runs` is at work; ends that it causes itself must not start it again.
    is_starting: bool,
}

impl Runs {
    pub fn new((max, max_apart): (usize, usize), max_queued: usize, requests: Requests) -> Runs {
        Runs {
            map: HashMap::new(),
            queues: HashMap::new(),
            ready: VecDeque::new(),
            running: HashMap::new(),
            ended: VecDeque::new(),
            families: HashMap::new(),
            left: HashMap::new(),
            waiters: waiting::nobody(),
            requests,
            today: Today::default(),
            max,
            max_apart,
            max_queued,
            next_thread: 0,
            is_starting: false,
        }
    }

    /// From here on so many may run at a time; those above it go on.
    pub fn allow(&mut self, world: &mut dyn World, (max, max_apart): (usize, usize)) {
        if (self.max, self.max_apart) != (max, max_apart) {
            (self.max, self.max_apart) = (max, max_apart);
            self.start_runs(world);
        }
    }

    /// Whether no run is known that has not ended.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    pub fn active(&self) -> usize {
        self.running.len()
    }

    pub fn queued(&self) -> usize {
        self.queues.values().map(VecDeque::len).sum()
    }

    pub fn session_of(&self, run: &str) -> Option<&str> {
        self.map.get(run).map(|r| r.new.key.as_str())
    }

    pub fn provenance_of(&self, run: &str) -> Option<Provenance> {
        self.map.get(run).map(|r| r.new.origin.provenance)
    }

    /// Where its words go, or those that it answers came from.
    pub fn address_of(&self, run: &str) -> Option<Address> {
        let run = self.map.get(run)?;
        let there = || Some(run.destinations().into_iter().next()?.1);
        run.new.origin.address.as_deref().cloned().or_else(there)
    }

    /// Whether who asked for the run may have everything done: the owner, or a client with the admin scope.
    pub fn administers(&self, run: &str) -> bool {
        let may = |run: &Run| match run.new.origin.provenance {
            Provenance::Owner => true,
            Provenance::Operator => run.is_administrators,
            _ => false,
        };
        self.map.get(run).is_some_and(may)
    }

    pub fn is_live(&self, run: &str) -> bool {
        self.map.contains_key(run)
    }

    /// Whether no turn of the session is under way or about to begin.
    pub fn is_free(&self, key: &str) -> bool {
        let waits = |run: &Run| run.new.key == key && matches!(run.phase, Phase::Accepting | Phase::Waiting);
        !self.is_busy(key) && !self.map.values().any(waits)
    }

    /// Whether a turn of the session is under way.
    pub fn is_busy(&self, key: &str) -> bool {
        self.running.contains_key(key)
    }

    /// Runs of a session, running or waiting; without what the gateway itself says there.
    pub fn of_session(&self, key: &str) -> Vec<String> {
        self.map
            .values()
            .filter(|r| r.new.key == key && !r.is_aside() && r.new.command.is_none())
            .map(|r| r.new.id.clone())
            .collect()
    }

    /// The same of all sessions that have any.
    pub fn by_session(&self) -> HashMap<String, Vec<String>> {
        let keys: HashSet<&String> = self.map.values().map(|run| &run.new.key).collect();
        let runs = keys.into_iter().map(|key| (key.clone(), self.of_session(key)));
        runs.filter(|(_, runs)| !runs.is_empty()).collect()
    }

    /// Runs of an agent, running or waiting.
    pub fn of_agent(&self, agent: &str) -> usize {
        self.map.values().filter(|r| r.agent == agent).count()
    }

    /// When something is to be done without an event, on the monotonic clock.
    pub fn next_deadline(&self) -> Option<u64> {
        let runs = self.map.values().filter(|r| r.cancel.reason().is_none()).filter_map(|r| r.deadline);
        let untold = self.map.values().filter_map(Run::next_telling);
        runs.chain(untold).chain(self.waiters.next_deadline()).chain(self.next_start()).min()
    }

    /// A client left: nobody waits for its answers any more. Its runs go on.
    pub fn forget_caller(&mut self, conn: u64) {
        // Only the gateway answers these, so none comes back.
        self.waiters.leave(conn);
        for run in self.map.values_mut() {
            run.calls.retain(|c| c.caller.conn != conn);
            run.observers.forget(conn);
        }
    }

    /// Lets the repetition of a running request hear of it as the first one does (R-10a).
    fn join_call(&mut self, id: &str, call: &Call) {
        const MAX_CALLS: usize = 16;
        if let Some(run) = self.map.get_mut(id).filter(|run| run.calls.len() < MAX_CALLS) {
            run.observers.add_tools(&call.caller);
            run.calls.push(call.clone());
        }
    }

    fn remember(&mut self, id: String, ended: Ended) {
        let oldest = ended.at.saturating_sub(REMEMBER);
        while self.ended.len() >= MAX_REMEMBERED || self.ended.front().is_some_and(|(_, e)| e.at < oldest) {
            self.ended.pop_front();
        }
        self.ended.push_back((id, ended));
    }
}
