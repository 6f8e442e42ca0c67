//! Agent runs: accepted, queued by session, running, stopped. How they go and end is told in `telling.rs`.
//!
//! A run's id is the idempotency key of the request that made it. A request is answered `accepted` only when
//! its journal line is on disk. One run a session at a time, at most `max` in all; the others wait in order.
mod telling;
mod waiting;

use crate::agent::cancel::{Cancel, Reason};
use crate::agent::run::{Job as Turn, RunEvent};
use crate::error::{Error, Result};
use crate::protocol::events;
use crate::protocol::frame::Payload;
use crate::sessions::Record;
use crate::state::State;
use crate::state::event::{Answer, Call, Event};
use crate::store::{self, Job};
use crate::threads;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use telling::{chat_event, said, stop_reason};
use waiting::Waiter;

/// How long the end of a run is remembered for `agent.wait`, milliseconds.
const REMEMBER: u64 = 10 * 60 * 1000;
const MAX_REMEMBERED: usize = 1000;
const STACK: usize = 512 << 10;
/// Runs in all, and bytes of their messages.
const MAX_RUNS: usize = 500;
const MAX_RUN_BYTES: usize = 32 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Agent,
    Chat,
}

impl Family {
    pub fn name(self) -> &'static str {
        match self {
            Family::Agent => "agent",
            Family::Chat => "chat",
        }
    }
}

/// A turn that a client asks for.
pub struct NewRun {
    pub family: Family,
    pub id: String,
    /// Canonical session key.
    pub key: String,
    pub message: String,
    pub hash: String,
    /// Milliseconds the turn may take once it runs; 0 is without limit.
    pub timeout_ms: u64,
    pub extra_system: Option<String>,
}

pub struct Runs {
    map: HashMap<String, Run>,
    /// Runs that wait for their session to be free, by session key.
    queues: HashMap<String, VecDeque<String>>,
    /// Sessions whose next run waits for one of the `max` places.
    ready: VecDeque<String>,
    running: HashMap<String, String>,
    ended: VecDeque<(String, Ended)>,
    waiters: Vec<Waiter>,
    max: usize,
    max_queued: usize,
    next_thread: u64,
    /// `start_runs` is at work; ends that it causes itself must not start it again.
    is_starting: bool,
}

struct Run {
    new: NewRun,
    agent: String,
    session_id: String,
    cancel: Cancel,
    /// The request that started it and its repetitions; `agent` requests get a second answer at the end.
    calls: Vec<Call>,
    accepted_at: u64,
    started_at: Option<u64>,
    /// On the monotonic clock.
    deadline: Option<u64>,
    seq: u64,
    text: String,
    /// What `agent` and `chat` events have told of the text so far.
    agent_told: Told,
    chat_told: Told,
    /// Its `aborted` event was sent: nothing more of it is.
    silenced: bool,
}

/// How much of a text was told, and when the next piece may be (monotonic clock).
#[derive(Default)]
struct Told {
    bytes: usize,
    next_at: u64,
}

/// How a run ended.
#[derive(Debug, Clone)]
struct Ended {
    at: u64,
    started_at: u64,
    error: Option<String>,
}

impl Runs {
    pub fn new(max: usize, max_queued: usize) -> Runs {
        Runs {
            map: HashMap::new(),
            queues: HashMap::new(),
            ready: VecDeque::new(),
            running: HashMap::new(),
            ended: VecDeque::new(),
            waiters: Vec::new(),
            max,
            max_queued,
            next_thread: 0,
            is_starting: false,
        }
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

    pub fn is_live(&self, run: &str) -> bool {
        self.map.contains_key(run)
    }

    /// Runs of a session, running or waiting.
    pub fn of_session(&self, key: &str) -> Vec<String> {
        self.map.values().filter(|r| r.new.key == key).map(|r| r.new.id.clone()).collect()
    }

    pub fn next_deadline(&self) -> Option<u64> {
        let runs = self.map.values().filter(|r| r.cancel.reason().is_none()).filter_map(|r| r.deadline);
        let untold = self.map.values().filter_map(Run::next_telling);
        runs.chain(untold).chain(self.waiters.iter().map(|w| w.deadline)).min()
    }

    /// A client left: nobody waits for its answers any more. Its runs go on.
    pub fn forget_caller(&mut self, conn: u64) {
        self.waiters.retain(|w| w.call.caller.conn != conn);
        for run in self.map.values_mut() {
            run.calls.retain(|c| c.caller.conn != conn);
        }
    }

    /// Lets the repetition of a running `agent` request have the final answer too (R-10a).
    pub fn join_call(&mut self, id: &str, call: &Call) {
        const MAX_CALLS: usize = 16;
        if let Some(run) = self.map.get_mut(id).filter(|r| r.calls.len() < MAX_CALLS) {
            run.calls.push(call.clone());
        }
    }

    /// Bytes of messages that wait for their turn.
    fn queued_bytes(&self) -> usize {
        self.map.values().map(|r| r.new.message.len()).sum()
    }

    fn remember(&mut self, id: String, ended: Ended) {
        let oldest = ended.at.saturating_sub(REMEMBER);
        while self.ended.len() >= MAX_REMEMBERED || self.ended.front().is_some_and(|(_, e)| e.at < oldest) {
            self.ended.pop_front();
        }
        self.ended.push_back((id, ended));
    }
}

impl State {
    /// Takes a new run in. The answer follows when the acceptance is on disk.
    pub fn accept_run(&mut self, call: Call, new: NewRun) -> Result<Answer> {
        if self.is_stopping() {
            return Err(Error::unavailable("the gateway is shutting down")
                .retry_in(std::time::Duration::from_secs(5)));
        }
        let waiting = self.runs.of_session(&new.key).len();
        if waiting > self.runs.max_queued {
            let text = format!(
                "session {} has {waiting} turns waiting already; wait for one to end or abort it",
                new.key
            );
            return Err(Error::unavailable(text).retry_in(std::time::Duration::from_secs(5)));
        }
        if self.runs.map.len() >= MAX_RUNS || self.runs.queued_bytes() + new.message.len() > MAX_RUN_BYTES {
            let text = "too many turns are waiting on this gateway; try again when some have ended";
            return Err(Error::unavailable(text).retry_in(std::time::Duration::from_secs(5)));
        }
        let entry = self.sessions.ensure(&new.key, self.now, self.mono)?;
        let now = self.now;
        self.sessions.update(&new.key, self.mono, |e| e.set("updatedAt", now));
        let record = Record {
            family: new.family.name().to_string(),
            key: new.id.clone(),
            hash: new.hash.clone(),
            ts: self.now,
            session_key: Some(new.key.clone()),
            session_id: entry.session_id().map(str::to_string),
            message: Some(new.message.clone()),
            result: None,
        };
        self.dedupe.begin(record.clone());
        let id = new.id.clone();
        let run = Run {
            agent: self.sessions.owner(&new.key)?.to_string(),
            session_id: entry.session_id().unwrap_or_default().to_string(),
            cancel: Cancel::new(),
            calls: vec![call],
            accepted_at: self.now,
            started_at: None,
            deadline: None,
            seq: 0,
            text: String::new(),
            agent_told: Told::default(),
            chat_told: Told::default(),
            silenced: false,
            new,
        };
        self.runs.map.insert(id.clone(), run);
        if self.store.submit(Job::Accept(record)).is_err() {
            self.forget_run(&id);
            return Err(store::busy());
        }
        Ok(Answer::Later)
    }

    fn forget_run(&mut self, id: &str) -> Option<Run> {
        let run = self.runs.map.remove(id)?;
        self.dedupe.cancel(run.new.family.name(), id);
        Some(run)
    }

    /// The journal has the run, or could not take it.
    pub(in crate::state) fn run_accepted(&mut self, id: &str, result: Result<()>) {
        if let Err(error) = result {
            for call in self.forget_run(id).into_iter().flat_map(|run| run.calls) {
                call.answer(Err(error.clone()));
            }
            return;
        }
        let Some(run) = self.runs.map.get_mut(id) else { return };
        for call in &run.calls {
            call.answer(Ok(Payload::Value(accepted(run))));
        }
        if run.new.family == Family::Chat {
            run.calls.clear();
        }
        let key = run.new.key.clone();
        self.runs.queues.entry(key.clone()).or_default().push_back(id.to_string());
        self.runs.ready.push_back(key);
        self.health_stale = true;
        self.start_runs();
    }

    /// Starts what may run: one a session, `max` in all, in order of arrival.
    fn start_runs(&mut self) {
        if std::mem::replace(&mut self.runs.is_starting, true) {
            return;
        }
        let mut later = VecDeque::new();
        while self.runs.running.len() < self.runs.max {
            let Some(key) = self.runs.ready.pop_front() else { break };
            if self.runs.running.contains_key(&key) {
                later.push_back(key);
                continue;
            }
            let Some(id) = self.runs.queues.get_mut(&key).and_then(VecDeque::pop_front) else { continue };
            if self.runs.queues.get(&key).is_some_and(VecDeque::is_empty) {
                self.runs.queues.remove(&key);
            }
            self.start_run(&id, key);
        }
        later.append(&mut self.runs.ready);
        self.runs.ready = later;
        self.runs.is_starting = false;
    }

    fn start_run(&mut self, id: &str, key: String) {
        let turn = match self.turn_of(id) {
            Some(Ok(turn)) => turn,
            Some(Err(error)) => return self.end_run(id, Err(error), None),
            None => return,
        };
        let (state, run_id) = (self.shared.state.clone(), id.to_string());
        let died = move |what: String| {
            // The state thread is gone only when the process ends.
            let _ = state.send(Event::Run { run: run_id, event: RunEvent::Died(what) });
        };
        self.runs.next_thread += 1;
        let name = format!("gw-run-{}", self.runs.next_thread);
        self.runs.running.insert(key, id.to_string());
        if let Err(error) = threads::spawn(&name, STACK, move || crate::agent::run::take(&turn), died) {
            self.end_run(id, Err(error), None);
        }
    }

    fn turn_of(&mut self, id: &str) -> Option<Result<Turn>> {
        let run = self.runs.map.get(id)?;
        // A reset since the acceptance has given the session a new transcript.
        let entry = match self.sessions.ensure(&run.new.key, self.now, self.mono) {
            Ok(entry) => entry,
            Err(e) => return Some(Err(e)),
        };
        let run = self.runs.map.get_mut(id)?;
        run.session_id = entry.session_id().unwrap_or_default().to_string();
        run.deadline = (run.new.timeout_ms > 0).then(|| self.mono.saturating_add(run.new.timeout_ms));
        let chosen = entry.str("modelOverride").map(|m| match entry.str("providerOverride") {
            Some(provider) => format!("{provider}/{m}"),
            None => m.to_string(),
        });
        let run = self.runs.map.get(id)?;
        Some(self.sessions.transcript(&run.new.key, &entry).map(|transcript| Turn {
            run: id.to_string(),
            shared: self.shared.clone(),
            transcript,
            agent: run.agent.clone(),
            model: chosen,
            message: run.new.message.clone(),
            names_message: run.new.family == Family::Chat,
            extra_system: run.new.extra_system.clone(),
            cancel: run.cancel.clone(),
        }))
    }

    /// Stops a run: queued ones end at once, a running one is told and its `aborted` event sent now.
    pub fn abort_run(&mut self, id: &str, why: Reason) {
        let now = self.now;
        let Some(run) = self.runs.map.get_mut(id) else { return };
        run.cancel.cancel(why);
        let is_running = self.runs.running.get(&run.new.key).is_some_and(|r| r == id);
        if !is_running {
            if let Some(queue) = self.runs.queues.get_mut(&run.new.key) {
                queue.retain(|queued| queued != id);
            }
            let error = run.cancel.error();
            return self.end_run(id, Err(error), None);
        }
        if why == Reason::Timeout || run.silenced {
            return;
        }
        run.silenced = true;
        let message = (!run.text.is_empty()).then(|| said(&run.text, now));
        let payload = chat_event(run, "aborted", json!({"stopReason": stop_reason(run), "message": message}));
        run.seq += 1;
        self.emit(&events::CHAT, &payload);
    }

    pub(in crate::state) fn cancel_all_runs(&mut self) {
        for id in self.runs.map.keys().cloned().collect::<Vec<_>>() {
            self.abort_run(&id, Reason::Shutdown);
        }
    }

    /// Deadlines of runs and of `agent.wait` calls.
    pub(in crate::state) fn expire_runs(&mut self) {
        let now = self.mono;
        let is_late = |r: &Run| r.deadline.is_some_and(|d| now >= d) && r.cancel.reason().is_none();
        let late: Vec<String> =
            self.runs.map.values().filter(|r| is_late(r)).map(|r| r.new.id.clone()).collect();
        for id in late {
            self.abort_run(&id, Reason::Timeout);
        }
        self.expire_waiters();
        self.tell_more();
    }
}

/// The first answer to the request.
fn accepted(run: &Run) -> Value {
    match run.new.family {
        Family::Agent => json!({"runId": run.new.id, "status": "accepted", "acceptedAt": run.accepted_at}),
        Family::Chat => json!({"runId": run.new.id, "status": "started"}),
    }
}
