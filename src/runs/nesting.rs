//! Turns that other turns ask for (`sessions_send`, `sessions_spawn`): how deep and how many one message may cause, what all
//! of them may cost, and the places they run in. Part of `Runs`, on the state thread.
//!
//! A misled model can make every turn ask for more turns; the owner pays for each. So depth, number and tokens are carried
//! from the run that somebody sent, whichever of its descendants asks and however long ago the others ended.
use super::Runs;
use super::origin::ANNOUNCE;
use super::run::{NewRun, Run};
use super::world::World;
use crate::agent::budget::{Budget, Most};
use crate::calls::Caller;
use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Turns in a row that may ask each other.
const MAX_DEPTH: u32 = 3;
/// Turns that one message may cause in all: of other sessions, and by ends of commands.
const MAX_TURNS: u32 = 10;
/// What they may use tools together, in turns that use all of `limits.toolRounds`.
const FULL_TURNS: u64 = 4;

/// Where a run stands below the one that somebody sent.
#[derive(Clone, Default)]
pub(super) struct Nesting {
    depth: u32,
    /// The run that asked for it.
    parent: Option<String>,
    /// Turns asked for so far by all of the family.
    asked: Arc<AtomicU32>,
    /// What they have cost.
    budget: Budget,
}

/// A place to run in.
pub(super) enum Place {
    Own,
    /// That of this run, which does nothing but wait.
    Lent(String),
}

impl Nesting {
    pub fn is_nested(&self) -> bool {
        self.parent.is_some()
    }

    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Whether the family may cause no more turns.
    pub fn is_spent(&self) -> bool {
        self.asked.load(Ordering::Relaxed) >= MAX_TURNS
    }

    /// One more turn of the same depth, for what this run has left.
    pub fn spend(&self, world: &dyn World, run: &str) -> Nesting {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let budget = match self.is_nested() {
            true => self.budget.clone(),
            false => self.budget.of_family(Most { tokens: 0, ..most(world) }),
        };
        Nesting { parent: Some(run.to_string()), budget, ..self.clone() }
    }

    /// Takes one of the turns that the family may cause, or counts that there is none.
    fn ask(&self) -> bool {
        let is_left = self.asked.fetch_add(1, Ordering::Relaxed) < MAX_TURNS;
        if !is_left {
            self.budget.refused();
        }
        is_left
    }
}

/// What the turns that one message causes may cost.
fn most(world: &dyn World) -> Most {
    let limits = &world.settings().limits;
    Most { tokens: limits.nested_tokens, rounds: limits.tool_rounds.saturating_mul(FULL_TURNS) }
}

impl Runs {
    /// Takes a run that this caller asks for into its family; refuses what goes too deep or is too much.
    pub(super) fn nest(&mut self, world: &dyn World, caller: &Caller, new: &NewRun) -> Result<Nesting> {
        let Some(id) = &caller.run else { return Ok(Nesting::default()) };
        if std::ptr::eq(new.origin.surface, &ANNOUNCE) {
            // Of an earlier process nothing is known: it tells of the end and causes nothing more.
            let unknown = || Nesting { depth: MAX_DEPTH, ..Nesting::default() };
            let family = self.families.get(id).cloned().unwrap_or_else(unknown);
            // What it tells of has used up the tokens, maybe, and is told all the same.
            let budget = family.budget.of_family(Most { tokens: 0, ..most(world) });
            return Ok(Nesting { parent: Some(id.clone()), budget, ..family });
        }
        let parent = self.map.get(id).ok_or_else(|| Error::invalid("the turn that asks is over"))?;
        let Nesting { depth, asked, budget, .. } = &parent.nesting;
        if *depth >= MAX_DEPTH {
            budget.refused();
            let text = format!(
                "this message came through {depth} sessions already: answer it without asking another"
            );
            return Err(Error::invalid(text));
        }
        let budget = budget.of_family(most(world));
        budget.check().inspect_err(|_| budget.refused())?;
        if !parent.nesting.ask() {
            let text = format!(
                "one message may cause {MAX_TURNS} turns of other sessions and these have been: go on with what you have"
            );
            return Err(Error::invalid(text));
        }
        let nesting = Nesting { depth: depth + 1, parent: Some(id.clone()), asked: asked.clone(), budget };
        if new.origin.surface.apart {
            self.families.insert(new.id.clone(), Nesting { depth: *depth, ..nesting.clone() });
        }
        Ok(nesting)
    }

    /// The subagent of this run has been told of, or need not be.
    pub fn forget_family(&mut self, run: &str) {
        self.families.remove(run);
    }

    /// The subagents under way that a session has asked for.
    pub(super) fn children_of(&self, world: &dyn World, key: &str) -> Vec<String> {
        let is_its =
            |run: &Run| world.entry(&run.new.key).is_some_and(|entry| entry.str("spawnedBy") == Some(key));
        let is_child = |run: &&Run| run.new.origin.surface.apart && is_its(run);
        self.map.values().filter(is_child).map(|run| run.new.id.clone()).collect()
    }
}

impl Runs {
    /// Has the family of a run pay for a turn that is not one of it.
    pub fn charge(&self, run: &str) -> Result<()> {
        match self.map.get(run).filter(|run| !run.nesting.ask()) {
            None => Ok(()),
            Some(_) => Err(Error::invalid(format!(
                "one message may cause {MAX_TURNS} turns and these have been: go on with what you have"
            ))),
        }
    }

    /// The place that the next run of a session would have now, if there is one.
    pub(super) fn place_for(&self, key: &str) -> Option<Place> {
        let queue = self.queues.get(key)?;
        let next = self.map.get(queue.front()?)?;
        let is_apart = next.new.origin.surface.apart;
        let like = || self.now_running().filter(move |run| run.new.origin.surface.apart == is_apart);
        if is_apart {
            return (like().count() < self.max_apart).then_some(Place::Own);
        }
        // One place is kept for what people send.
        let nested = like().filter(|run| run.nesting.is_nested()).count();
        let is_kept = next.nesting.is_nested() && nested + 1 >= self.max.max(2);
        if like().count() < self.max && !is_kept {
            return Some(Place::Own);
        }
        // What stands before a run that is waited for has to run first.
        queue.iter().filter_map(|id| self.map.get(id)).find_map(|run| self.lender(run)).map(Place::Lent)
    }

    /// The run that waits for this one, if it has lent its place to no other. With a place for each, the two would
    /// wait for each other; with one for every run that is asked for, there would be no end of them.
    fn lender(&self, run: &Run) -> Option<String> {
        let parent = run.nesting.parent.as_deref()?;
        let is_of_parent = |caller: &Caller| caller.run.as_deref() == Some(parent);
        let is_waiting = self.waiters.is_asked(&run.new.id, &is_of_parent);
        let has_lent = self.now_running().any(|other| other.lent_by.as_deref() == Some(parent));
        (is_waiting && self.map.contains_key(parent) && !has_lent).then(|| parent.to_string())
    }

    fn now_running(&self) -> impl Iterator<Item = &Run> {
        self.running.values().filter_map(|id| self.map.get(id))
    }
}
