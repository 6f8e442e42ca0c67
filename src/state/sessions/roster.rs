//! Which agents there are: they come and go while the gateway runs.
//!
//! Indexes are read by the thread that brings an agent; the state thread only takes them over. An agent that goes is
//! refused to new work at once and forgotten when its last save is on disk.
use super::{Agent, Sessions};
use crate::agents::{Agents, fit};
use crate::calls::Call;
use crate::calls::outbox::Work;
use crate::error::Result;
use crate::files::{Lock, open_regular};
use crate::sessions::{Index, KeyRules, sweep};
use crate::state::event::Event;
use crate::state::shared::Shared;
use std::io::ErrorKind;

/// Reads the index of an agent; damage is repaired, and noted in the log as is why it cannot be read. Not for the
/// state thread.
pub fn read_index(shared: &Shared, id: &str, rules: &KeyRules) -> Result<Index> {
    let path = shared.agents().session_store(id);
    let own = KeyRules { default_agent: id.to_string(), ..rules.clone() };
    let before = shared.published.unread().remove(id);
    let (index, notes) = Index::load(&path, &own).map_err(|e| {
        if before.as_ref().is_none_or(|before| !before.message().starts_with(e.message())) {
            log::error!(target: "gateway/sessions", "agent {id} takes no work: {e}; the file is left as it is, and looked at again when somebody asks");
        }
        e.ending(" (it is looked at again each time somebody asks; no restart is needed)")
    })?;
    if before.is_some() {
        log::info!(target: "gateway/sessions", "agent {id} takes work again: its session index could be read");
    }
    for note in notes.into_iter().chain(sweep::sweep(index.dir())) {
        log::warn!(target: "gateway/sessions", "{note}");
    }
    Ok(index)
}

/// Reads the indexes again that could not be read and can be opened now, at most once a second, and tells the state thread of
/// the agents that have one now, if there are any. Not for the state thread.
pub fn regain(shared: &Shared) -> bool {
    if !shared.published.has_unread() {
        return false;
    }
    let agents = shared.agents();
    let opens = |id: &String| match open_regular(&agents.session_store(id)) {
        Ok(_) => true,
        Err(e) => e.kind() == ErrorKind::NotFound,
    };
    // Whoever asks at the moment at which it was mended is served: only what opens and is no index waits for its second.
    if !shared.published.unread().keys().any(opens) || !shared.published.may_look_again() {
        return false;
    }
    if let Err(e) = announce(shared) {
        log::error!(target: "gateway/sessions", "look at the session indexes again: {e}");
    }
    true
}

/// Tells the state thread which agents there are now, by the file as it is; the indexes of those it does not have
/// are read here. Not for the state thread. Gives the agents' ids.
pub fn announce(shared: &Shared) -> Result<Vec<String>> {
    // One at a time, so that what is told last is what the file said last. The name is not the config's own lock.
    let _lock = Lock::wait(&shared.env.state_dir.join(".agents.lock"))?;
    let config = shared.fresh_config();
    // A mistake in the agents' part of the config leaves the agents as they are.
    if fit::mistake(&config).is_some() {
        return Ok(shared.published.agents());
    }
    let known = shared.published.agents();
    let agents = Agents::of(&config, &shared.env);
    let (ids, rules) = (agents.ids(), agents.key_rules());
    let new = ids.iter().filter(|id| !known.contains(id));
    let added = new.map(|id| (id.clone(), read_index(shared, id, &rules))).collect();
    // The state thread is gone only when the process ends.
    let _ = shared.state.send(Event::Agents { ids: ids.clone(), added });
    Ok(ids)
}

impl Sessions {
    /// From here on there are exactly these agents. What is known of an agent already counts more than its index in
    /// `added`; an agent that is neither known nor in `added` comes with the next announcement.
    pub fn set_agents(&mut self, ids: &[String], added: Vec<(String, Result<Index>)>) {
        self.rules = self.shared.agents().key_rules();
        self.revision += 1;
        for (id, index) in added.into_iter().filter(|(id, _)| ids.contains(id)) {
            self.bring(id, index);
        }
        for (id, agent) in &mut self.agents {
            agent.is_leaving = !ids.contains(id);
        }
        self.forget_left();
        self.unread.retain(|id, _| ids.contains(id));
        self.shared.published.set_indexes(self.looked(), &self.unread);
    }

    /// An agent with its index, or why that cannot be read.
    pub(super) fn bring(&mut self, id: String, index: Result<Index>) {
        match index {
            Ok(index) => {
                self.unread.remove(&id);
                self.agents.entry(id).or_insert_with(|| Agent::new(index));
            }
            Err(e) => drop(self.unread.insert(id, e)),
        }
    }

    /// Refuses new work for an agent from now on, and has `work` done and answered by the store thread when all that
    /// was changed before is on disk.
    pub fn leave(&mut self, id: &str, call: Call, work: Work, mono: u64) {
        if let Some(agent) = self.agents.get_mut(id) {
            agent.is_leaving = true;
            agent.waiting.push((call, work));
            agent.save_at.get_or_insert(mono);
        }
    }

    /// Drops the agents that are leaving and have nothing more to save.
    pub(super) fn forget_left(&mut self) {
        let before = self.agents.len();
        self.agents.retain(|_, agent| {
            !agent.is_leaving || agent.saves > 0 || agent.save_at.is_some() || !agent.waiting.is_empty()
        });
        // One that comes again under the same name is to be read anew.
        if self.agents.len() < before {
            self.shared.published.set_indexes(self.looked(), &self.unread);
        }
    }
}
