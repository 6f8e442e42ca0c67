//! Session indexes that other programs edit while the gateway runs.
//!
//! Looked at where somebody asks for sessions or a turn, on his thread, and before a turn begins, on the store thread and
//! by the run that ends before it: one `stat`, and the file is read only if it has changed. What is to be taken over is
//! told before what was asked, on the same way. Nothing wakes up for it, and the state thread reads no file.
use super::{Sessions, roster};
use crate::config::Stamp;
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
        self.seek(state);
    }

    /// The same; whether there was anything to look at.
    fn seek(&self, state: &Sender<Event>) -> bool {
        if !self.file.is_changed() {
            return false;
        }
        let agent = || self.agent.clone();
        let (to, lent) = bounded(1);
        if state.send(Event::Lend { agent: agent(), to }).is_ok()
            && let Ok(ours) = lent.recv_timeout(PATIENCE)
        {
            // The state thread is gone only when the process ends.
            look(&ours, |theirs, known| drop(state.send(Event::Others { agent: agent(), theirs, known })));
        }
        true
    }
}

impl Shared {
    /// Looks at the indexes of all agents.
    pub fn look_at_indexes(&self) {
        roster::regain(self);
        self.published.indexes().iter().for_each(|index| index.look(&self.state));
    }

    /// The same for who reads the snapshot of `health`, which is made anew as soon as what was found is taken over: until it is.
    pub fn look_and_wait(&self) {
        let is_regained = roster::regain(self);
        let looked: Vec<bool> =
            self.published.indexes().iter().map(|index| index.seek(&self.state)).collect();
        let (to, lent) = bounded(1);
        // No agent is called so: the answer is that its turn has come, behind what was found.
        if (is_regained || looked.contains(&true))
            && self.state.send(Event::Lend { agent: String::new(), to }).is_ok()
        {
            let _ = lent.recv_timeout(PATIENCE);
        }
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

    /// Takes over what a look at the file found, unless the index was saved since: that save has compared with the same
    /// file, tells what it found, and may have written what began meanwhile, which the look knows nothing of.
    pub fn take_over_looked(
        &mut self,
        agent: &str,
        theirs: Theirs,
        known: Stamp,
    ) -> Vec<(String, &'static str)> {
        match self.index(agent).is_some_and(|index| index.is_as_known(known)) {
            true => self.take_over(agent, theirs),
            false => Vec::new(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::Entry;
    use crate::state::testing::shared;
    use crate::tools::testing::context;

    /// S-9.1: a save that ends between a look and its event has written a conversation that the look knows nothing of.
    #[test]
    fn s9_what_a_look_found_gives_way_to_a_save_that_ended_since() {
        let (context, _dir) = context("{}");
        let mut sessions = Sessions::load(shared(context.settings));
        let key = "agent:main:main";
        sessions.put(key, &Entry::new("old", 1), 0).unwrap();
        sessions.index("main").unwrap().snapshot().save().unwrap();
        let path = sessions.index("main").unwrap().path().to_path_buf();
        let told = |sessions: &Sessions| {
            std::fs::write(&path, "{}").unwrap();
            let mut told = None;
            look(&sessions.index("main").unwrap().snapshot(), |theirs, known| told = Some((theirs, known)));
            told.filter(|(theirs, _)| theirs.gone == [key]).unwrap()
        };
        let (theirs, known) = told(&sessions);
        sessions.put(key, &Entry::new("new", 2), 0).unwrap();
        let saved = sessions.index("main").unwrap().snapshot().save();
        assert!(sessions.take_over_looked("main", theirs, known).is_empty());
        assert!(sessions.saved("main", saved, 0).is_empty());
        assert_eq!(sessions.session_id(key), Some("new"));
        // Without a save between, a removal is one.
        let (theirs, known) = told(&sessions);
        assert_eq!(sessions.take_over_looked("main", theirs, known), [(key.to_string(), "delete")]);
        assert!(!sessions.has(key));
    }
}
