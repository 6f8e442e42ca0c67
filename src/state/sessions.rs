//! The session indexes in memory, one an agent, and what of them has to be saved.
//!
//! The state thread changes entries here and does no I/O; the store thread saves snapshots. Answers that
//! promise a change wait here until the save they depend on is handed over.
use crate::agents::Agents;
use crate::error::{Error, Result};
use crate::ids;
use crate::sessions::{Entry, Index, KeyRules, Transcript, key, sessions_dir};
use crate::shared::Shared;
use crate::state::event::Call;
use crate::store::{Job, Store};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

pub struct Sessions {
    rules: KeyRules,
    shared: Arc<Shared>,
    agents: BTreeMap<String, Agent>,
    /// Answers to send once the changes of this turn are on disk.
    waiting: Vec<(Call, Value)>,
}

struct Agent {
    index: Index,
    /// When the index is to be saved, if it has changed.
    save_at: Option<u64>,
}

impl Sessions {
    /// Reads all indexes; damage is repaired and noted in the log. For the start, before the state thread runs.
    pub fn load(shared: Arc<Shared>) -> Sessions {
        let agents = Agents::of(&shared.config, &shared.env);
        let rules = agents.key_rules();
        let mut loaded = BTreeMap::new();
        for id in agents.ids() {
            let path = sessions_dir(&shared.env.state_dir, &id).join("sessions.json");
            let own = KeyRules { default_agent: id.clone(), ..rules.clone() };
            let (index, notes) = Index::load(&path, &own);
            for note in notes.into_iter().chain(crate::sessions::sweep::sweep(index.dir())) {
                log::warn!(target: "gateway/sessions", "{note}");
            }
            loaded.insert(id, Agent { index, save_at: None });
        }
        Sessions { rules, agents: loaded, waiting: Vec::new(), shared }
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
        let id = if key == "global" || key == "unknown" {
            self.rules.default_agent.as_str()
        } else {
            key::agent_of(key)
        };
        match self.agents.contains_key(id) {
            true => Ok(id),
            false => Err(Error::not_found(format!("unknown agent id \"{id}\""))),
        }
    }

    pub fn get(&self, key: &str) -> Option<&Arc<Entry>> {
        self.index(self.owner(key).ok()?)?.get(key)
    }

    /// The entry of a key, made now if there is none.
    pub fn ensure(&mut self, key: &str, now: u64) -> Result<Arc<Entry>> {
        if let Some(entry) = self.get(key) {
            return Ok(entry.clone());
        }
        let mut entry = Entry::new(&ids::uuid()?, now);
        entry.set("chatType", key::kind_of(key));
        self.put(key, entry, now)?;
        self.get(key).cloned().ok_or_else(|| Error::unavailable("the session could not be kept"))
    }

    pub fn put(&mut self, key: &str, entry: Entry, now: u64) -> Result<()> {
        let agent = self.owner(key)?.to_string();
        if let Some(agent) = self.agents.get_mut(&agent) {
            agent.index.put(key, entry);
            agent.save_at = Some(now);
        }
        Ok(())
    }

    /// Changes an entry that exists.
    pub fn update(&mut self, key: &str, now: u64, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.get(key) else { return };
        let mut entry = (**entry).clone();
        change(&mut entry);
        if let Err(e) = self.put(key, entry, now) {
            log::error!(target: "gateway/sessions", "update {key}: {e}");
        }
    }

    pub fn remove(&mut self, key: &str, now: u64) -> Option<Arc<Entry>> {
        let agent = self.owner(key).ok()?.to_string();
        let agent = self.agents.get_mut(&agent)?;
        agent.save_at = Some(now);
        agent.index.remove(key)
    }

    /// All sessions of all agents, or of one.
    pub fn all<'a>(
        &'a self,
        agent: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a str, &'a str, &'a Arc<Entry>)> {
        let wanted = self.agents.iter().filter(move |(id, _)| agent.is_none_or(|a| a == id.as_str()));
        wanted.flat_map(|(id, agent)| agent.index.iter().map(move |(key, entry)| (id.as_str(), key, entry)))
    }

    /// The transcript of a session, told where its agent works.
    pub fn transcript(&self, key: &str, entry: &Entry) -> Result<Transcript> {
        let agent = self.owner(key)?;
        let workspace = Agents::of(&self.shared.config, &self.shared.env).workspace(agent);
        let dir = sessions_dir(&self.shared.env.state_dir, agent);
        Ok(Transcript::of(&dir, entry)?.created_for(key, &workspace))
    }

    pub fn answer_when_saved(&mut self, call: Call, payload: Value) {
        self.waiting.push((call, payload));
    }

    pub fn mark_changed(&mut self, agent: &str, at: u64) {
        if let Some(agent) = self.agents.get_mut(agent) {
            agent.save_at.get_or_insert(at);
        }
    }

    /// Hands changed indexes to the store thread; the answers go with the last of them.
    pub fn save_changed(&mut self, store: &Store, now: u64) {
        let due: Vec<String> = self
            .agents
            .iter()
            .filter(|(_, a)| a.save_at.is_some_and(|at| at <= now))
            .map(|(id, _)| id.clone())
            .collect();
        let last = due.len();
        for (n, id) in due.into_iter().enumerate() {
            let Some(agent) = self.agents.get_mut(&id) else { continue };
            let answers = if n + 1 == last { std::mem::take(&mut self.waiting) } else { Vec::new() };
            match store.submit(Job::Save { agent: id, index: agent.index.snapshot(), answers }) {
                Ok(()) => agent.save_at = None,
                Err(job) => {
                    agent.save_at = Some(now + 100);
                    if let Job::Save { answers, .. } = *job {
                        self.waiting.extend(answers);
                    }
                }
            }
        }
        if last == 0 {
            // Nothing had to be saved: the promise holds already.
            for (call, payload) in self.waiting.drain(..) {
                call.answer(Ok(payload.into()));
            }
        }
    }

    pub fn next_save(&self) -> Option<u64> {
        self.agents.values().filter_map(|a| a.save_at).min()
    }
}
