//! The gateway's mutable state. One thread (`gw-state`) owns all of it and never blocks.
//!
//! One file a piece: `clients`, `presence`, `sessions`, `runs`, `health`; `run.rs` is the loop, `event.rs` what
//! it is told. Handlers in `crate::methods` are functions over `State`.
pub mod admitted;
pub mod approvals;
mod arrivals;
pub mod capabilities;
pub mod carrying;
pub mod clients;
pub mod cron;
pub mod event;
pub mod health;
pub mod heartbeat;
pub mod join;
pub mod nodes;
mod notes;
mod posting;
pub mod presence;
pub mod restart;
pub mod run;
pub mod sentinel;
pub mod sessions;
pub mod shared;
pub mod store;
pub mod subagents;
pub mod subscriptions;
pub mod succession;
#[cfg(test)]
pub mod testing;
mod today;
mod upkeep;
mod watched;
mod world;

use crate::clock;
use crate::deliveries::dedupe::used_otherwise;
use crate::device::pairing::REQUEST_TTL_MS;
use crate::error::{Error, Kind, Result};
use crate::json::json;
use crate::protocol::events::{self, Event as EventRow};
use crate::protocol::frame;
use crate::runs::{Requests, Runs};
use crate::state::shared::Shared;
use crate::state::store::Store;
use clients::Clients;
use crossbeam_channel::Sender;
pub use notes::Note;
use presence::Presence;
use restart::Pending;
use serde_json::Value;
use sessions::Sessions;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use watched::Watched;

pub struct State {
    pub shared: Arc<Shared>,
    pub store: Store,
    /// Epoch milliseconds, set once a turn: for what is written and sent.
    pub now: u64,
    /// Milliseconds since the start, set once a turn: for what is waited for. Never jumps.
    pub mono: u64,

    // Who is here
    pub clients: Clients,
    pub presence: Presence,
    /// When connects and disconnects may next cause a presence event.
    presence_due: u64,
    /// When the next one may come for what the last one cost its watchers.
    presence_paid: u64,
    /// A beacon arrived: the event waits for no other changes.
    pub presence_urgent: bool,

    /// Pairing requests that wait for approval, with the time they were made.
    pub pairing: Watched<BTreeMap<String, u64>>,
    revoked: join::Revoked,

    // Sessions and runs
    pub sessions: Sessions,
    pub runs: Runs,
    pub subscriptions: subscriptions::Subscriptions,
    pub nodes: nodes::Nodes,
    /// Commands that wait for the owner's word.
    pub approvals: approvals::Approvals,
    /// Messages of platforms, on their way in and out.
    pub post: carrying::Post,
    /// Words of jobs and heartbeats that are on their way.
    arrivals: arrivals::Arrivals,
    pub cron: cron::Cron,
    pub heart: heartbeat::Heart,
    pub subagents: subagents::Subagents,
    /// Notes for a session's next turn, newest last.
    pub system_events: Vec<Note>,
    /// Webhooks' requests that were done lately: when, their marks, hashes of what they asked.
    woken: VecDeque<(u64, String, String)>,

    // Clocks and versions
    health_version: u64,
    /// The latest snapshot, and what it was made of.
    pub health: Value,
    health_of: Option<health::Sources>,
    /// The revision of the ledger whose messages were counted last.
    measured: Option<u64>,
    next_tick: u64,
    next_health: u64,
    upkeep: upkeep::Upkeep,
    today: today::Kept,
    stopping: Option<Stopping>,
    /// An in-process restart that was asked for and has not begun to close clients.
    restart: Option<Pending>,
    /// Why the last restart that was asked for did not take place.
    restart_refused: Option<String>,
    /// Wakes the main thread, which judges the configuration for a restart.
    judge: Sender<()>,
    /// What is wrong with the configuration file, for `health` and `status`.
    pub config_invalid: Watched<Option<Value>>,
}

/// The gateway is going down, or making place for the next generation.
struct Stopping {
    /// Runs may end on their own until then.
    until: u64,
    clients_closed: bool,
    is_restart: bool,
}

/// Bytes a second that presence events may cost each client.
const PRESENCE_RATE: u64 = 32 << 10;

/// How long marks of requests are known, milliseconds, and how many.
const MARK_MS: u64 = 300_000;
const MAX_MARKS: usize = 256;

impl State {
    pub fn new(
        shared: Arc<Shared>,
        store: Store,
        sessions: Sessions,
        requests: Requests,
        judge: Sender<()>,
        now: u64,
    ) -> State {
        let mono = shared.started.elapsed().as_millis() as u64;
        let limits = &shared.limits;
        let max_runs = shared.most_runs();
        State {
            now,
            mono,
            clients: Clients::default(),
            presence: Presence::new(limits.presence_ttl_ms, limits.presence_max as usize),
            presence_due: 0,
            presence_paid: 0,
            presence_urgent: false,
            pairing: Watched::default(),
            revoked: join::Revoked::default(),
            runs: Runs::new(max_runs, limits.queued_runs as usize, requests),
            subscriptions: Default::default(),
            nodes: Default::default(),
            approvals: Default::default(),
            sessions,
            post: carrying::Post::of(Default::default()),
            arrivals: Default::default(),
            cron: Default::default(),
            heart: Default::default(),
            subagents: Default::default(),
            system_events: Vec::new(),
            woken: VecDeque::new(),
            health_version: 1,
            health: Value::Null,
            health_of: None,
            measured: None,
            next_tick: mono + limits.tick_ms,
            next_health: mono + limits.health_ms,
            upkeep: upkeep::Upkeep::starting(mono),
            today: Default::default(),
            stopping: None,
            restart: None,
            restart_refused: None,
            judge,
            config_invalid: Watched::default(),
            shared,
            store,
        }
    }

    /// Sends an event to everybody it is for.
    pub fn emit(&self, event: &'static EventRow, payload: &Value) {
        self.clients.emit(event, Arc::new(frame::event(event.name, payload).into()));
    }

    /// Gives the event's size.
    fn emit_versioned(&self, event: &'static EventRow, payload: &str) -> usize {
        let frame = frame::event_of(event.name, payload, self.versions());
        let bytes = frame.len();
        self.clients.emit(event, Arc::new(frame.into()));
        bytes
    }

    pub fn versions(&self) -> (u64, u64) {
        (self.presence.version(), self.health_version)
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    /// Whether a request with this mark was done lately; from now on it was. Without a mark none is known again. One that
    /// asks something else under a known mark is an error.
    pub fn is_repeated(&mut self, mark: &str, hash: &str) -> Result<bool> {
        let now = self.mono;
        self.woken.retain(|(at, ..)| now.saturating_sub(*at) < MARK_MS);
        if mark.is_empty() {
            return Ok(false);
        }
        if let Some((_, _, known)) = self.woken.iter().find(|(_, known, _)| known == mark) {
            let is_same = known == hash;
            return is_same.then_some(true).ok_or_else(|| Error::new(Kind::Conflict, used_otherwise(mark)));
        }
        if self.woken.len() >= MAX_MARKS {
            self.woken.pop_front();
        }
        self.woken.push_back((now, mark.to_string(), hash.to_string()));
        Ok(false)
    }

    /// Reads both clocks; once a turn.
    fn read_clocks(&mut self) {
        self.now = clock::now_ms();
        self.mono = self.shared.started.elapsed().as_millis() as u64;
    }

    /// When a changed presence is to be told.
    fn presence_at(&self) -> u64 {
        let gap = if self.presence_urgent { 0 } else { self.presence_due };
        gap.max(self.presence_paid)
    }

    /// Sends the presence event if something changed and it is due. It tells all who are here, so a long list comes
    /// seldom: who comes and goes must not fill the lines of all others.
    fn flush_presence(&mut self) -> Option<u64> {
        self.presence.expire(self.now);
        // Entries age by the wall clock, which is what their `ts` tells.
        let expiry = self.presence.next_expiry().map(|at| self.mono + at.saturating_sub(self.now));
        if !self.presence.is_changed() {
            return expiry;
        }
        if self.mono < self.presence_at() {
            return expiry.into_iter().chain([self.presence_at()]).min();
        }
        self.presence_urgent = false;
        self.presence_due = self.mono + self.shared.limits.presence_gap_ms;
        let payload = self.presence.take_event(self.now);
        let bytes = self.emit_versioned(&events::PRESENCE, &payload);
        self.presence_paid = self.mono + bytes as u64 * 1000 / PRESENCE_RATE;
        expiry
    }

    fn tick(&mut self) -> Option<u64> {
        if self.mono >= self.next_tick {
            self.next_tick = self.mono + self.shared.limits.tick_ms;
            self.emit(&events::TICK, &json!({"ts": self.now}));
            self.runs.requests.expire(self.now);
            self.post.ledger.expire(self.now);
            self.rest();
        }
        Some(self.next_tick)
    }

    fn save_sessions(&mut self) -> Option<u64> {
        self.sessions.save_changed(&self.store, self.mono);
        self.sessions.next_save()
    }

    /// Publishes a fresh health text when something changed; tells everybody once an interval.
    fn refresh_health(&mut self) -> Option<u64> {
        let due = self.mono >= self.next_health;
        let now = self.now;
        let is_old = |made: &u64| now.saturating_sub(*made) >= REQUEST_TTL_MS;
        if self.pairing.values().any(is_old) {
            self.pairing.retain(|_, made| !is_old(made));
        }
        let sources = health::Sources::of(self);
        if self.health_of.as_ref() == Some(&sources) && !due {
            return Some(self.next_health);
        }
        self.health_of = Some(sources);
        self.health = health::snapshot(self);
        self.shared.published.set_health(&self.health);
        if due {
            self.next_health = self.mono + self.shared.limits.health_ms;
            self.health_version += 1;
            // To everybody alike, so without what only administrators are told.
            self.emit_versioned(&events::HEALTH, &health::without_paths(&self.health).to_string());
        }
        Some(self.next_health)
    }
}
