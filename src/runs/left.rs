//! What commands that a turn has left running may cause: their ends begin turns of the session, out of the family of the run
//! that started them, however long ago that ended. Part of `Runs`, on the state thread.
//!
//! Such a turn can leave more commands. So each is paid from what one message may cause at all, a session has one of them
//! waiting at most, and whoever stops a turn is not woken by what its session has left. What is beyond that is noted for
//! the session's next turn.
use super::Runs;
use super::nesting::Nesting;
use super::run::{Phase, Run};
use super::world::World;
use crate::calls::{Ask, Call};
use std::sync::Arc;

/// How the runs are called that ends of commands begin, and their calls.
pub const ENDS: &str = "exec-";
pub const END: &str = "exec";

impl Runs {
    /// Keeps what a run may cause as long as somebody can ask by this on its behalf: its tools, and the commands that it
    /// has left.
    pub(super) fn hold(&mut self, id: &str, ask: &Arc<Ask>) {
        self.left.retain(|_, (ask, _)| ask.strong_count() > 0);
        if let Some(run) = self.map.get(id) {
            self.left.insert(id.to_string(), (Arc::downgrade(ask), run.nesting.clone()));
        }
    }

    /// Whether the end of a command that this run has left may begin a turn of the session.
    pub fn may_wake(&self, session: &str, run: &str) -> bool {
        let waits = |run: &Run| {
            let is_waiting = matches!(run.phase, Phase::Accepting | Phase::Waiting);
            is_waiting && run.new.key == session && run.new.id.starts_with(ENDS)
        };
        self.left.get(run).is_none_or(|(_, family)| !family.is_spent()) && !self.map.values().any(waits)
    }

    /// The place of a turn that a command's end begins; of a command that the owner has allowed himself it is a new one.
    pub(super) fn nest_end(&self, world: &dyn World, call: &Call) -> Option<Nesting> {
        let run = call.caller.run.as_deref().filter(|_| call.method == END)?;
        Some(self.left.get(run).map(|(_, family)| family.spend(world, run)).unwrap_or_default())
    }
}
