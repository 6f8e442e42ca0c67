//! What the threads of one gateway generation share: the settings, the channel to the state thread, what it publishes.
//!
//! `published` are texts that the state thread writes for everybody to read, so that a `health` call needs no visit
//! there. `door`, `budget` and `succession` outlive the generation: an in-process restart hands them on.
//! Rooms below the state get the settings only, and functions where they need more.
use super::capabilities::Capabilities;
use super::succession::Succession;
use crate::agent::run::RunEvent;
use crate::agents::Agents;
use crate::calls::budget::Budget;
use crate::calls::{Ask, Whom};
use crate::cancel::Cancel;
use crate::channels::board::Board;
use crate::config::Config;
use crate::config::problem::Problem;
use crate::cron::job::Members;
use crate::device::codes::Codes;
use crate::door::Door;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::runs::origin::Address;
use crate::sessions::remembered::Remembered;
use crate::settings::Settings;
use crate::slash::{self, At, Invocation};
use crate::state::State;
use crate::state::event::Event;
use crate::state::health;
use crate::state::heartbeat::Wish;
use crate::state::sessions::looking::Looked;
use crate::tls::Port;
use crossbeam_channel::Sender;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

pub struct Shared {
    pub settings: Arc<Settings>,
    pub door: Arc<Door>,
    /// Bytes of all clients that wait: arriving, worked on, unsent.
    pub budget: Arc<Budget>,
    /// Who serves after this generation.
    pub succession: Arc<Succession>,
    pub state: Sender<Event>,
    /// Why the configuration file could not be started with, if it could not; reads it.
    pub problem: Box<dyn Fn() -> Option<Problem> + Send + Sync>,
    /// All that keeps a gateway from starting with a configuration in which there is no mistake.
    pub objections: Objections,
    pub published: Published,
    /// The port speaks TLS.
    pub tls: Option<Port>,
    /// What the accounts of the channels say of themselves.
    pub board: Board,
    /// What lets one browser in, once.
    pub codes: Codes,
    /// What opens the canvas to clients.
    pub capabilities: Capabilities,
    /// Sums of transcripts that were counted lately.
    pub remembered: Remembered,
    /// How a part of this process below the methods calls one.
    pub ask: AskHere,
    /// How a slash command is done.
    pub command: Command,
    /// How a heartbeat is begun in the session of this key.
    pub beat: fn(&mut State, &str, &Wish),
    /// How a scheduled job is done, by its id, and where its words go.
    pub job: fn(&mut State, &str),
    pub job_place: fn(&State, &Members) -> Option<Address>,
    /// How whoever asked for a subagent is told of its end, by its run, and how it is given another task.
    pub announce: fn(&mut State, &str) -> Result<()>,
    pub send_child: fn(&mut State, &str, &str) -> Result<()>,
    /// The names of all methods, for `hello-ok`.
    pub method_names: Vec<&'static str>,
}

/// Of a configuration, with the environment under which it was read.
pub type Objections = Box<dyn Fn(&Config, &Env) -> Vec<Error> + Send + Sync>;

/// A slash command, done by the rooms above.
pub type Command = fn(&mut State, &At, &Invocation) -> Result<slash::Reply>;

/// A method called from inside the process: as whom, which, params, and when to give up.
pub type AskHere = fn(&Arc<Shared>, &Whom, &str, Value, &Cancel) -> Result<Value>;

impl Shared {
    /// The agents that the configuration in force describes.
    pub fn agents(&self) -> Agents<'_> {
        Agents::of(&self.config(), &self.env)
    }

    /// How many turns may go on at a time, and how many of subagents.
    pub fn most_runs(&self) -> (usize, usize) {
        let config = self.config();
        let most = |key, usual| config.u64(key).unwrap_or(usual).clamp(1, 64) as usize;
        (most("agents.defaults.maxConcurrent", 4), most("agents.defaults.subagents.maxConcurrent", 8))
    }

    /// How a run tells the state thread what becomes of it.
    pub fn teller(self: &Arc<Shared>, run: &str) -> Box<dyn Fn(RunEvent) + Send + Sync> {
        let (shared, run) = (self.clone(), run.to_string());
        Box::new(move |event| {
            // The turn that waited for this one begins with what another program has written meanwhile.
            if matches!(event, RunEvent::Finished(_)) {
                shared.look_at_indexes();
            }
            // The state thread is gone only when the process ends; the transcript has what matters.
            let _ = shared.state.send(Event::Run { run: run.clone(), event });
        })
    }

    /// How rooms below the methods call one.
    pub fn asker(self: &Arc<Shared>) -> Arc<Ask> {
        let shared = self.clone();
        Arc::new(move |whom, method, params, cancel| (shared.ask)(&shared, whom, method, params, cancel))
    }
}

impl Deref for Shared {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

/// Texts and flags that the state thread publishes.
#[derive(Default)]
pub struct Published {
    /// The health snapshot as JSON: for administrators, and without paths for all others (SEC-26).
    health: RwLock<(Arc<str>, Arc<str>)>,
    /// The agents whose sessions the state thread has.
    agents: RwLock<Arc<[Looked]>>,
    /// Those whose index could not be read, why, and when somebody looked.
    unread: RwLock<(BTreeMap<String, Error>, Option<Instant>)>,
    has_unread: AtomicBool,
    is_stopping: AtomicBool,
    is_over: AtomicBool,
    /// The hash of the configuration that `config.changed` was last sent for.
    told_config: RwLock<String>,
}

impl Published {
    /// The latest health snapshot as JSON.
    pub fn health(&self, is_admin: bool) -> Arc<str> {
        let texts = self.health.read().unwrap_or_else(PoisonError::into_inner);
        if is_admin { texts.0.clone() } else { texts.1.clone() }
    }

    pub fn set_health(&self, snapshot: &Value) {
        let texts = (snapshot.to_string().into(), health::without_paths(snapshot).to_string().into());
        *self.health.write().unwrap_or_else(PoisonError::into_inner) = texts;
    }

    pub fn agents(&self) -> Vec<String> {
        self.indexes().iter().map(|index| index.agent.clone()).collect()
    }

    /// Where the sessions of the agents lie.
    pub fn indexes(&self) -> Arc<[Looked]> {
        self.agents.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_indexes(&self, all: Vec<Looked>, unread: &BTreeMap<String, Error>) {
        *self.agents.write().unwrap_or_else(PoisonError::into_inner) = all.into();
        self.has_unread.store(!unread.is_empty(), Ordering::Relaxed);
        self.unread.write().unwrap_or_else(PoisonError::into_inner).0 = unread.clone();
    }

    /// The agents whose session index could not be read, and why.
    pub fn unread(&self) -> BTreeMap<String, Error> {
        self.unread.read().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Whether an index could not be read.
    pub fn has_unread(&self) -> bool {
        self.has_unread.load(Ordering::Relaxed)
    }

    /// Whether it is a second since somebody read one of those again.
    pub fn may_look_again(&self) -> bool {
        let mut unread = self.unread.write().unwrap_or_else(PoisonError::into_inner);
        let may = unread.1.is_none_or(|at| at.elapsed() >= Duration::from_secs(1));
        if may {
            unread.1 = Some(Instant::now());
        }
        may
    }

    /// Whether `config.changed` was sent for this text; from now on it was.
    pub fn is_told(&self, hash: &str) -> bool {
        let mut told = self.told_config.write().unwrap_or_else(PoisonError::into_inner);
        let is_told = *told == hash;
        *told = hash.to_string();
        is_told
    }

    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Whether nobody takes events of this generation any more. Who has sent one before this was set gets its answer;
    /// who sent it later must look here.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    pub fn set_over(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    pub fn set_stopping(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }
}
