//! The session indexes in memory, one an agent, and what of them has to be saved.
//!
//! The state thread changes entries here and does no I/O; the store thread saves snapshots. Answers that
//! promise a change wait here until the save they depend on is handed over.
pub mod looking;
pub mod roster;

use super::shared::Shared;
use super::store::{Job, Save, Store};
use crate::calls::Call;
use crate::calls::outbox::Work;
use crate::error::{Error, Result};
use crate::ids;
use crate::session_key;
use crate::sessions::others::Theirs;
use crate::sessions::{Entry, Index, Kept, KeyRules, Snapshot, Transcript, is_session_id, newer};
use std::collections::BTreeMap;
use std::sync::Arc;

/// When a save that failed is tried again, and one that found the store thread far behind, milliseconds.
const RETRY: u64 = 5000;
const BUSY: u64 = 100;

/// An index from this size on, bytes, is written by a thread of its own, and rests after a save: so many times as
/// long as that took, within these milliseconds.
pub const LARGE: usize = 1 << 20;
const SHARE: u64 = 9;
const MIN_REST: u64 = 500;
const MAX_REST: u64 = 5000;

pub struct Sessions {
    rules: KeyRules,
    shared: Arc<Shared>,
    agents: BTreeMap<String, Agent>,
    /// Agents whose index could not be read, and why: they take no work until it can be.
    unread: BTreeMap<String, Error>,
    /// Counts the changes of agents and entries.
    revision: u64,
}

struct Agent {
    index: Index,
    /// When the index is to be saved, if it has changed (monotonic clock).
    save_at: Option<u64>,
    /// Saves that the store thread has not reported yet; while there are any, changes gather here.
    saves: u32,
    /// When the last save was handed over, and until when a further one is not urgent (monotonic clock).
    saving_since: u64,
    rests_until: u64,
    /// A conversation began, ended or was replaced since the last save.
    is_urgent: bool,
    /// What to do and answer once the changes so far are on disk.
    waiting: Vec<(Call, Work)>,
    /// It is being deleted, or is no longer in the configuration.
    is_leaving: bool,
}

impl Sessions {
    /// Reads all indexes; damage is repaired and noted in the log. For the start, before the state thread runs.
    pub fn load(shared: Arc<Shared>) -> Sessions {
        let agents = shared.agents();
        let rules = agents.key_rules();
        let indexes: Vec<_> =
            agents.ids().into_iter().map(|id| (roster::read_index(&shared, &id, &rules), id)).collect();
        if let Some(told) = newer::told(&shared.env.state_dir, &agents.ids()) {
            log::warn!(target: "gateway/sessions", "{told}");
        }
        let (agents, unread) = (BTreeMap::new(), BTreeMap::new());
        let mut sessions = Sessions { rules, agents, unread, shared, revision: 0 };
        indexes.into_iter().for_each(|(index, id)| sessions.bring(id, index));
        sessions.shared.published.set_indexes(sessions.looked(), &sessions.unread);
        sessions
    }

    /// Another one after each change of the agents or their sessions.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn rules(&self) -> &KeyRules {
        &self.rules
    }

    pub fn agents(&self) -> impl Iterator<Item = &str> {
        self.agents.keys().map(String::as_str)
    }

    pub fn index(&self, agent: &str) -> Option<&Index> {
        self.agents.get(agent).map(|a| &a.index)
    }

    /// The agent that owns a canonical key, if it is known here.
    pub fn owner<'k>(&'k self, key: &'k str) -> Result<&'k str> {
        let id = self.rules.owner(key);
        match self.agents.get(id).is_some_and(|agent| !agent.is_leaving) {
            true => Ok(id),
            false => Err(self.unknown(id)),
        }
    }

    /// The agents whose index could not be read, and why.
    pub fn unread(&self) -> &BTreeMap<String, Error> {
        &self.unread
    }

    /// Why there is no agent of this name.
    pub fn unknown(&self, id: &str) -> Error {
        self.lost(id).unwrap_or_else(|| Error::not_found(format!("unknown agent id \"{id}\"")))
    }

    /// What keeps an agent that there is from taking work.
    pub fn lost(&self, id: &str) -> Option<Error> {
        self.shared.config().lost_agent(id).or_else(|| self.unread.get(id).cloned())
    }

    fn kept(&self, key: &str) -> Option<&Arc<Kept>> {
        self.index(self.owner(key).ok()?)?.get(key)
    }

    pub fn has(&self, key: &str) -> bool {
        self.kept(key).is_some()
    }

    /// The id of the conversation that has begun in a session.
    pub fn session_id(&self, key: &str) -> Option<&str> {
        self.kept(key)?.session_id()
    }

    pub fn get(&self, key: &str) -> Option<Entry> {
        self.kept(key).map(|kept| kept.open())
    }

    /// The entry of a key, if a conversation has begun there.
    pub fn begun(&self, key: &str) -> Option<Entry> {
        self.get(key).filter(|entry| entry.session_id().is_some())
    }

    /// The entry of a key with a conversation, which begins now if there is none.
    /// `now` is the wall clock that the entry tells, `mono` the one that saves go by.
    pub fn ensure(&mut self, key: &str, now: u64, mono: u64) -> Result<Entry> {
        self.begin(key, None, now, mono)
    }

    /// The same; a conversation that begins has the id that a client chose, if no other session of the agent has it.
    pub fn begin(&mut self, key: &str, id: Option<&str>, now: u64, mono: u64) -> Result<Entry> {
        let known = self.get(key);
        if let Some(entry) = known.as_ref().filter(|entry| entry.session_id().is_some()) {
            return Ok(entry.clone());
        }
        let owner = self.owner(key)?;
        let is_free = |id: &&str| {
            is_session_id(id) && !self.all(Some(owner)).any(|(_, kept)| kept.session_id() == Some(*id))
        };
        let id = id.filter(is_free).map_or_else(ids::uuid, |id| Ok(id.to_string()))?;
        let entry = match known {
            // The channel that it was seen on, say, was noted before anything was said.
            Some(noted) => noted.begun(&id, now),
            None => {
                let mut entry = Entry::new(&id, now);
                entry.set("chatType", session_key::kind_of(key));
                entry
            }
        };
        self.put(key, &entry, mono)?;
        Ok(entry)
    }

    pub fn put(&mut self, key: &str, entry: &Entry, mono: u64) -> Result<()> {
        let agent = self.owner(key)?.to_string();
        if let Some(agent) = self.agents.get_mut(&agent) {
            agent.put(key, entry, mono);
            self.revision += 1;
        }
        Ok(())
    }

    /// Changes an entry that exists.
    pub fn update(&mut self, key: &str, mono: u64, change: impl FnOnce(&mut Entry)) {
        let Some(mut entry) = self.get(key) else { return };
        change(&mut entry);
        if let Err(e) = self.put(key, &entry, mono) {
            log::error!(target: "gateway/sessions", "update {}: {e}", crate::logging::quoted(key));
        }
    }

    pub fn remove(&mut self, key: &str, mono: u64) -> Option<Entry> {
        let agent = self.owner(key).ok()?.to_string();
        let agent = self.agents.get_mut(&agent)?;
        agent.save_at = Some(mono);
        agent.is_urgent = true;
        self.revision += 1;
        agent.index.remove(key).map(|kept| kept.open())
    }

    /// All sessions of all agents, or of one, each with its agent.
    pub fn all<'a>(&'a self, agent: Option<&'a str>) -> impl Iterator<Item = (&'a str, &'a Arc<Kept>)> {
        let wanted = self.agents.iter().filter(move |(id, _)| agent.is_none_or(|a| a == id.as_str()));
        wanted.flat_map(|(id, agent)| agent.index.iter().map(move |kept| (id.as_str(), kept)))
    }

    /// The sessions of each agent as they are now, for other threads to look through.
    pub fn snapshots(&self) -> Vec<(String, Snapshot)> {
        self.agents.iter().map(|(id, agent)| (id.clone(), agent.index.snapshot())).collect()
    }

    /// The transcript of a session, told where its agent works.
    pub fn transcript(&self, key: &str, entry: &Entry) -> Result<Transcript> {
        let agent = self.owner(key)?;
        let workspace = self.shared.agents().workspace(agent);
        let index = self.index(agent).ok_or_else(|| self.unknown(agent))?;
        Ok(Transcript::of(index.dir(), entry)?.created_for(key, &workspace))
    }

    /// Has `work` done and answered by the store thread once the index of `key` is on disk.
    pub fn when_saved(&mut self, key: &str, call: Call, work: Work, mono: u64) {
        let agent = self.owner(key).map(str::to_string);
        match agent.ok().and_then(|id| self.agents.get_mut(&id)) {
            Some(agent) => {
                agent.waiting.push((call, work));
                agent.save_at.get_or_insert(mono);
            }
            None => call.answer(Err(Error::not_found(format!("no agent owns session {key}")))),
        }
    }

    /// Hands changed indexes to the store thread, one save of an agent at a time.
    pub fn save_changed(&mut self, store: &Store, mono: u64) {
        for (id, agent) in &mut self.agents {
            if agent.next_save().is_some_and(|at| at <= mono) {
                agent.save(id, store, mono);
            }
        }
    }

    /// The store thread has saved, or could not. Gives the sessions that another program has changed, and how.
    pub fn saved(&mut self, id: &str, result: Result<Theirs>, mono: u64) -> Vec<(String, &'static str)> {
        let Some(agent) = self.agents.get_mut(id) else { return Vec::new() };
        let mut told = Vec::new();
        agent.saves = agent.saves.saturating_sub(1);
        agent.rest(mono);
        match result {
            Ok(theirs) => told = self.take_over(id, theirs),
            Err(e) => {
                log::error!(target: "gateway/store", "{e}; it is tried again");
                agent.save_at.get_or_insert(mono + RETRY);
                // What was to be done after the save is not: a deletion has failed.
                agent.is_leaving = false;
            }
        }
        self.forget_left();
        told
    }

    pub fn next_save(&self) -> Option<u64> {
        self.agents.values().filter_map(Agent::next_save).min()
    }

    /// The last saves, at the end of the process.
    pub fn finish(&mut self, store: &Store) {
        for (id, agent) in self.agents.iter_mut().filter(|(_, a)| a.save_at.is_some()) {
            let waiting = std::mem::take(&mut agent.waiting);
            store.submit_last(Job::Save(Save { agent: id.clone(), index: agent.index.snapshot(), waiting }));
        }
    }
}

impl Agent {
    fn new(index: Index) -> Agent {
        Agent {
            index,
            save_at: None,
            saves: 0,
            saving_since: 0,
            rests_until: 0,
            is_urgent: false,
            waiting: Vec::new(),
            is_leaving: false,
        }
    }

    fn put(&mut self, key: &str, entry: &Entry, mono: u64) {
        let known = self.index.get(key).and_then(|kept| kept.session_id());
        self.is_urgent |= known.is_none() || known != entry.session_id();
        self.index.put(key, entry);
        self.save_at = Some(mono);
    }

    /// When the next save is due: one at a time, and counters alone wait until the last one's rest is over.
    fn next_save(&self) -> Option<u64> {
        let at = self.save_at.filter(|_| self.saves == 0)?;
        let may_rest = !self.is_urgent && self.waiting.is_empty();
        Some(if may_rest { at.max(self.rests_until) } else { at })
    }

    /// After the save of an index that is large: the disk is busy with it a tenth of the time at most.
    fn rest(&mut self, mono: u64) {
        if self.index.bytes() >= LARGE {
            let took = mono.saturating_sub(self.saving_since);
            self.rests_until = mono + (took * SHARE).clamp(MIN_REST, MAX_REST);
        }
    }

    /// Hands the index over.
    fn save(&mut self, id: &str, store: &Store, mono: u64) {
        let waiting = std::mem::take(&mut self.waiting);
        let save = Save { agent: id.to_string(), index: self.index.snapshot(), waiting };
        match store.submit(Job::Save(save)) {
            Ok(()) => {
                self.save_at = None;
                self.saves += 1;
                self.saving_since = mono;
                self.is_urgent = false;
            }
            Err(job) => {
                self.save_at = Some(mono + BUSY);
                if let Job::Save(save) = *job {
                    self.waiting = save.waiting;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_large_index_rests_after_a_save_unless_a_conversation_began() {
        let with = |text: usize| {
            let mut agent = Agent::new(Index::empty(Path::new("/d/sessions.json")));
            let mut entry = Entry::new("id", 1);
            entry.set("x", "y".repeat(text));
            agent.put("agent:main:main", &entry, 0);
            (agent.save_at, agent.is_urgent, agent.saving_since) = (None, false, 100);
            agent.rest(300);
            agent.put("agent:main:main", &entry, 300);
            (agent, entry)
        };
        assert_eq!(with(10).0.next_save(), Some(300), "a small one is saved at once");
        let (mut agent, mut entry) = with(LARGE);
        assert_eq!(agent.next_save(), Some(300 + 200 * SHARE));
        entry.set("sessionId", "other");
        agent.put("agent:main:main", &entry, 301);
        assert_eq!(agent.next_save(), Some(301));
        agent.saves = 1;
        assert_eq!(agent.next_save(), None, "one save at a time");
    }
}
