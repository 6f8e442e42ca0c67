//! Session indexes that other programs edit while the gateway runs.
//!
//! Looked at where somebody asks for sessions or a turn, on his thread, and before a turn begins, on the store thread and
//! by the run that ends before it: one `stat`, and the file is read only if it has changed. What is to be taken over is
//! told before what was asked, on the same way. Nothing wakes up for it, and the state thread reads no file.
use super::Sessions;
use crate::sessions::Snapshot;
use crate::sessions::others::{IndexFile, Theirs, look};
use crate::state::State;
use crate::state::event::Event;
use crate::state::shared::Shared;
use crossbeam_channel::{Sender, bounded};
use std::time::Duration;

/// How long the state thread may take to lend an index; it never blocks.
const PATIENCE: Duration = Duration::from_millis(500);

/// An agent's index, told apart from what is in memory.
#[derive(Debug, Clone)]
pub struct Looked {
    pub agent: String,
    pub file: IndexFile,
}

impl Looked {
    /// Has the state thread told of what another program did, before anything that is sent to it afterwards.
    pub fn look(&self, state: &Sender<Event>) {
        if !self.file.is_changed() {
            return;
        }
        let agent = || self.agent.clone();
        let (to, lent) = bounded(1);
        if state.send(Event::Lend { agent: agent(), to }).is_ok()
            && let Ok(ours) = lent.recv_timeout(PATIENCE)
        {
            // The state thread is gone only when the process ends.
            look(&ours, |theirs| drop(state.send(Event::Others { agent: agent(), theirs })));
        }
    }
}

impl Shared {
    /// Looks at the indexes of all agents.
    pub fn look_at_indexes(&self) {
        self.published.indexes().iter().for_each(|index| index.look(&self.state));
    }
}

impl Sessions {
    pub(super) fn looked(&self) -> Vec<Looked> {
        let looked =
            |(agent, own): (&String, &super::Agent)| Looked { agent: agent.clone(), file: own.index.file() };
        self.agents.iter().map(looked).collect()
    }

    /// Where the index lies that a session stands in.
    pub fn file_of(&self, key: &str) -> Option<Looked> {
        let agent = self.owner(key).ok()?;
        Some(Looked { agent: agent.to_string(), file: self.index(agent)?.file() })
    }

    pub fn lend(&self, agent: &str, to: &Sender<Snapshot>) {
        // Who has given up waiting needs it no more.
        self.index(agent).into_iter().for_each(|index| drop(to.try_send(index.snapshot())));
    }

    /// Takes over what another program did; gives the sessions that are other than before, and how.
    pub fn take_over(&mut self, agent: &str, theirs: Theirs) -> Vec<(String, &'static str)> {
        let Some(agent) = self.agents.get_mut(agent) else { return Vec::new() };
        let mut told = Vec::new();
        for key in theirs.gone {
            if agent.index.let_go(&key) {
                told.push((key, "delete"));
            }
        }
        for kept in theirs.changed {
            let key = kept.key().to_string();
            if agent.index.adopt(kept) {
                told.push((key, "update"));
            }
        }
        self.revision += told.len() as u64;
        told
    }
}

impl State {
    /// Tells those who follow sessions what another program did.
    pub(in crate::state) fn tell_taken(&mut self, told: Vec<(String, &'static str)>) {
        told.iter().for_each(|(key, reason)| self.session_changed(key, reason));
    }
}
