//! Agent runs: accepted, queued by session, running, ended; and the events that tell of them.
//!
//! A run's id is the idempotency key of the request that made it. A request is answered `accepted` only when
//! its journal line is on disk. One run a session at a time, at most `max` in all; the others wait in order.
use crate::agent::cancel::{Cancel, Reason};
use crate::agent::run::{Finished, Job as Turn, RunEvent};
use crate::error::{Error, Kind, Result};
use crate::protocol::events;
use crate::protocol::frame::Payload;
use crate::sessions::Record;
use crate::state::State;
use crate::state::event::{Answer, Call, Event};
use crate::store::{self, Job};
use crate::threads;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};

/// Least time between two `chat` deltas of a run, milliseconds.
const DELTA_GAP: u64 = 150;
/// How long the end of a run is remembered for `agent.wait`, milliseconds.
const REMEMBER: u64 = 10 * 60 * 1000;
const MAX_REMEMBERED: usize = 1000;
const STACK: usize = 512 << 10;

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
}

struct Run {
    new: NewRun,
    agent: String,
    session_id: String,
    cancel: Cancel,
    /// The request that started it; an `agent` request gets a second answer at the end.
    call: Option<Call>,
    accepted_at: u64,
    started_at: Option<u64>,
    deadline: Option<u64>,
    seq: u64,
    text: String,
    /// Bytes of `text` that chat deltas have told so far, and when.
    told: usize,
    told_at: u64,
    /// Its `aborted` event was sent: nothing more of it is.
    silenced: bool,
}

/// How a run ended.
#[derive(Debug, Clone)]
struct Ended {
    at: u64,
    started_at: u64,
    error: Option<String>,
}

struct Waiter {
    run: String,
    call: Call,
    deadline: u64,
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
        runs.chain(self.waiters.iter().map(|w| w.deadline)).min()
    }

    /// A client left: nobody waits for its answers any more. Its runs go on.
    pub fn forget_caller(&mut self, conn: u64) {
        self.waiters.retain(|w| w.call.caller.conn != conn);
        for run in self.map.values_mut().filter(|r| r.call.as_ref().is_some_and(|c| c.caller.conn == conn)) {
            run.call = None;
        }
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
            return Err(Error::unavailable("the gateway is shutting down").retry_in(std::time::Duration::from_secs(5)));
        }
        let waiting = self.runs.of_session(&new.key).len();
        if waiting > self.runs.max_queued {
            let text = format!("session {} has {waiting} turns waiting already; wait for one to end or abort it", new.key);
            return Err(Error::unavailable(text).retry_in(std::time::Duration::from_secs(5)));
        }
        let entry = self.sessions.ensure(&new.key, self.now)?;
        self.sessions.update(&new.key, self.now, |e| e.set("updatedAt", self.now));
        // The session is on disk before a run of it is promised: the store works in order.
        self.sessions.save_changed(&self.store, self.now);
        let record = Record {
            family: new.family.name().to_string(),
            key: new.id.clone(),
            hash: new.hash.clone(),
            ts: self.now,
            session_key: Some(new.key.clone()),
            message: Some(new.message.clone()),
            result: None,
        };
        self.dedupe.begin(record.clone());
        let id = new.id.clone();
        let run = Run {
            agent: self.sessions.owner(&new.key)?.to_string(),
            session_id: entry.session_id().unwrap_or_default().to_string(),
            cancel: Cancel::new(),
            call: Some(call),
            accepted_at: self.now,
            started_at: None,
            deadline: None,
            seq: 0,
            text: String::new(),
            told: 0,
            told_at: 0,
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
    pub(super) fn run_accepted(&mut self, id: &str, result: Result<()>) {
        if let Err(error) = result {
            if let Some(call) = self.forget_run(id).and_then(|run| run.call) {
                call.answer(Err(error));
            }
            return;
        }
        let Some(run) = self.runs.map.get_mut(id) else { return };
        if let Some(call) = &run.call {
            call.answer(Ok(Payload::Value(accepted(run))));
        }
        if run.new.family == Family::Chat {
            run.call = None;
        }
        let key = run.new.key.clone();
        self.runs.queues.entry(key.clone()).or_default().push_back(id.to_string());
        self.runs.ready.push_back(key);
        self.health_stale = true;
        self.start_runs();
    }

    /// Starts what may run: one a session, `max` in all, in order of arrival.
    fn start_runs(&mut self) {
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
        let entry = match self.sessions.ensure(&run.new.key, self.now) {
            Ok(entry) => entry,
            Err(e) => return Some(Err(e)),
        };
        let run = self.runs.map.get_mut(id)?;
        run.session_id = entry.session_id().unwrap_or_default().to_string();
        run.deadline = (run.new.timeout_ms > 0).then(|| self.now + run.new.timeout_ms);
        let agents = crate::agents::Agents::of(&self.shared.config, &self.shared.env);
        let chosen = entry.str("modelOverride").map(|m| match entry.str("providerOverride") {
            Some(provider) => format!("{provider}/{m}"),
            None => m.to_string(),
        });
        let identity = agents.identity(&run.agent);
        let run = self.runs.map.get(id)?;
        Some(self.sessions.transcript(&run.new.key, &entry).map(|transcript| Turn {
            run: id.to_string(),
            shared: self.shared.clone(),
            transcript,
            model: chosen.or_else(|| agents.model(&run.agent)),
            message: run.new.message.clone(),
            names_message: run.new.family == Family::Chat,
            extra_system: run.new.extra_system.clone(),
            agent_name: identity.get("name").and_then(Value::as_str).unwrap_or("Assistant").to_string(),
            cancel: run.cancel.clone(),
        }))
    }

    pub(super) fn run_event(&mut self, id: &str, event: RunEvent) {
        match event {
            RunEvent::Started { at } => self.run_started(id, at),
            RunEvent::Text(delta) => self.run_text(id, &delta),
            RunEvent::Finished(finished) => self.run_finished(id, *finished),
            RunEvent::Died(what) => {
                log::error!(target: "gateway/agent", "run {id} ended by a defect: {what}");
                self.end_run(id, Err(Error::unavailable("the run ended by a defect of the gateway; see its log")), None);
            }
        }
    }

    fn run_started(&mut self, id: &str, at: u64) {
        if let Some(run) = self.runs.map.get_mut(id) {
            run.started_at = Some(at);
        }
        self.emit_agent(id, "lifecycle", json!({"phase": "start", "startedAt": at}));
    }

    fn run_text(&mut self, id: &str, delta: &str) {
        let Some(run) = self.runs.map.get_mut(id).filter(|r| !r.silenced) else { return };
        run.text.push_str(delta);
        let data = json!({"text": run.text, "delta": delta});
        self.emit_agent(id, "assistant", data);
        let now = self.now;
        let Some(run) = self.runs.map.get_mut(id) else { return };
        if run.told_at != 0 && now < run.told_at + DELTA_GAP {
            return;
        }
        let new = run.text.get(run.told..).unwrap_or_default().to_string();
        (run.told, run.told_at) = (run.text.len(), now);
        let payload = chat_event(run, "delta", json!({"message": said(&run.text, now), "deltaText": new}));
        self.emit(&events::CHAT_DELTA, &payload);
    }

    fn run_finished(&mut self, id: &str, finished: Finished) {
        let Some(run) = self.runs.map.get_mut(id) else { return };
        run.text.clone_from(&finished.text);
        let (key, usage, now) = (run.new.key.clone(), finished.usage, self.now);
        let failed = finished.result.is_err();
        self.sessions.update(&key, now, |entry| {
            entry.set("updatedAt", now);
            entry.set("systemSent", true);
            entry.set("abortedLastRun", failed);
            if !failed {
                entry.set("modelProvider", finished.provider.as_str());
                entry.set("model", finished.model.as_str());
                entry.set("contextTokens", finished.context_window);
                entry.set("inputTokens", usage.input);
                entry.set("outputTokens", usage.output);
                entry.set("totalTokens", usage.input);
            }
        });
        let result = finished.result.clone();
        self.end_run(id, result, Some(&finished));
    }

    /// Tells the end of a run on every surface, remembers it, and lets the next one start.
    fn end_run(&mut self, id: &str, result: Result<()>, finished: Option<&Finished>) {
        let Some(run) = self.runs.map.get(id) else { return };
        let result = result.map_err(|e| match run.cancel.reason() {
            Some(Reason::Timeout) => timed_out(&run.new),
            _ => e,
        });
        let started = run.started_at.unwrap_or(run.accepted_at);
        self.emit_end(id, result.as_ref().err());
        let Some(run) = self.runs.map.remove(id) else { return };
        if self.runs.running.get(&run.new.key).is_some_and(|r| r == id) {
            self.runs.running.remove(&run.new.key);
        }
        let outcome = outcome(&run, &result, finished, self.now.saturating_sub(started));
        if let Some(call) = &run.call {
            match &result {
                Ok(()) => call.answer(Ok(Payload::Value(outcome.clone()))),
                Err(e) => call.answer_with(Err(e.clone()), Some(&outcome)),
            }
        }
        let stored = match &result {
            Ok(()) => json!({"ok": true, "payload": outcome}),
            Err(e) => json!({"ok": false, "payload": outcome, "error": e.to_wire(4)}),
        };
        if let Some(record) = self.dedupe.finish(run.new.family.name(), id, stored)
            && self.store.submit(Job::Finish(record)).is_err()
        {
            log::warn!(target: "gateway/store", "the result of run {id} is not journalled: the disk is too slow");
        }
        let ended = Ended { at: self.now, started_at: started, error: result.err().map(|e| e.message().to_string()) };
        self.answer_waiters(id, &ended);
        self.runs.remember(id.to_string(), ended);
        if self.runs.queues.contains_key(&run.new.key) {
            self.runs.ready.push_back(run.new.key);
        }
        self.health_stale = true;
        self.start_runs();
    }

    fn emit_end(&mut self, id: &str, error: Option<&Error>) {
        let now = self.now;
        let Some(run) = self.runs.map.get(id) else { return };
        let started = run.started_at.unwrap_or(run.accepted_at);
        let silenced = run.silenced;
        let lifecycle = match error {
            None => json!({"phase": "end", "startedAt": started, "endedAt": now}),
            Some(e) if e.kind == Kind::Aborted => json!({"phase": "end", "startedAt": started, "endedAt": now, "aborted": true}),
            Some(e) => json!({"phase": "error", "startedAt": started, "endedAt": now, "error": e.message()}),
        };
        self.emit_agent(id, "lifecycle", lifecycle);
        let Some(run) = self.runs.map.get(id).filter(|_| !silenced) else { return };
        let message = (!run.text.is_empty()).then(|| said(&run.text, now));
        let payload = match error {
            None => chat_event(run, "final", json!({"message": message})),
            Some(e) if e.kind == Kind::Aborted => chat_event(run, "aborted", json!({"stopReason": stop_reason(run), "message": message})),
            Some(e) => chat_event(run, "error", json!({"errorMessage": e.message(), "errorKind": error_kind(e)})),
        };
        self.emit(&events::CHAT, &payload);
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

    pub(super) fn cancel_all_runs(&mut self) {
        for id in self.runs.map.keys().cloned().collect::<Vec<_>>() {
            self.abort_run(&id, Reason::Shutdown);
        }
    }

    /// Deadlines of runs and of `agent.wait` calls.
    pub(super) fn expire_runs(&mut self) {
        let now = self.now;
        let is_late = |r: &Run| r.deadline.is_some_and(|d| now >= d) && r.cancel.reason().is_none();
        let late: Vec<String> = self.runs.map.values().filter(|r| is_late(r)).map(|r| r.new.id.clone()).collect();
        for id in late {
            self.abort_run(&id, Reason::Timeout);
        }
        let (due, waiting) = std::mem::take(&mut self.runs.waiters).into_iter().partition(|w| now >= w.deadline);
        self.runs.waiters = waiting;
        let due: Vec<Waiter> = due;
        for waiter in due {
            waiter.call.answer(Ok(json!({"runId": waiter.run, "status": "timeout"}).into()));
        }
    }

    /// Answers when the run has ended, or says `timeout`.
    pub fn wait_for_run(&mut self, call: Call, run: String, timeout_ms: u64) -> Answer {
        if let Some((_, ended)) = self.runs.ended.iter().rev().find(|(id, _)| *id == run) {
            return Answer::Now(waited(&run, ended).into());
        }
        if let Some(ended) = self.ended_before(&run) {
            return Answer::Now(waited(&run, &ended).into());
        }
        if timeout_ms == 0 {
            return Answer::Now(json!({"runId": run, "status": "timeout"}).into());
        }
        self.runs.waiters.push(Waiter { run, call, deadline: self.now.saturating_add(timeout_ms) });
        Answer::Later
    }

    /// A run that ended before this process started, or is no longer among the remembered ones.
    fn ended_before(&self, run: &str) -> Option<Ended> {
        if self.runs.is_live(run) {
            return None;
        }
        let record = self.dedupe.records().find(|r| r.key == run)?;
        let result = record.result.as_ref()?;
        let error = result.pointer("/error/message").and_then(Value::as_str).map(str::to_string);
        Some(Ended { at: record.ts, started_at: record.ts, error })
    }

    fn answer_waiters(&mut self, run: &str, ended: &Ended) {
        let (done, waiting) = std::mem::take(&mut self.runs.waiters).into_iter().partition(|w| w.run == run);
        self.runs.waiters = waiting;
        let done: Vec<Waiter> = done;
        for waiter in done {
            waiter.call.answer(Ok(waited(run, ended).into()));
        }
    }

    /// Sends an `agent` event of a run.
    fn emit_agent(&mut self, id: &str, stream: &str, data: Value) {
        let now = self.now;
        let Some(run) = self.runs.map.get_mut(id) else { return };
        run.seq += 1;
        let payload = json!({"runId": id, "stream": stream, "data": data, "sessionKey": run.new.key, "seq": run.seq, "ts": now});
        self.emit(&events::AGENT, &payload);
    }
}

/// The first answer to the request.
fn accepted(run: &Run) -> Value {
    match run.new.family {
        Family::Agent => json!({"runId": run.new.id, "status": "accepted", "acceptedAt": run.accepted_at}),
        Family::Chat => json!({"runId": run.new.id, "status": "started"}),
    }
}

/// The last answer to the request, and what the journal keeps.
fn outcome(run: &Run, result: &Result<()>, finished: Option<&Finished>, duration_ms: u64) -> Value {
    let id = &run.new.id;
    match (result, run.new.family, finished) {
        (Err(e), _, _) => json!({"runId": id, "status": "error", "summary": e.message()}),
        (Ok(()), Family::Agent, Some(f)) => {
            let usage = json!({"input": f.usage.input, "output": f.usage.output, "total": f.usage.total});
            let meta = json!({"durationMs": duration_ms, "aborted": false,
                "agentMeta": {"sessionId": run.session_id, "provider": f.provider, "model": f.model, "usage": usage}});
            let payloads = json!([{"text": f.text, "mediaUrl": null}]);
            json!({"runId": id, "status": "ok", "summary": "completed", "result": {"payloads": payloads, "meta": meta}})
        }
        (Ok(()), _, _) => json!({"runId": id, "status": "ok"}),
    }
}

fn waited(run: &str, ended: &Ended) -> Value {
    match &ended.error {
        None => json!({"runId": run, "status": "ok", "startedAt": ended.started_at, "endedAt": ended.at}),
        Some(e) => json!({"runId": run, "status": "error", "startedAt": ended.started_at, "endedAt": ended.at, "error": e}),
    }
}

fn timed_out(new: &NewRun) -> Error {
    let seconds = new.timeout_ms as f64 / 1000.0;
    Error::new(
        Kind::AgentTimeout,
        format!("the agent did not finish within {seconds} s; raise --timeout or agents.defaults.timeoutSeconds"),
    )
}

fn stop_reason(run: &Run) -> &'static str {
    match run.cancel.reason() {
        Some(Reason::Stop) => "stop",
        Some(Reason::Timeout) => "timeout",
        Some(Reason::Shutdown) => "shutdown",
        Some(Reason::Rpc) | None => "rpc",
    }
}

fn error_kind(e: &Error) -> &'static str {
    match e.kind {
        Kind::AgentTimeout => "timeout",
        Kind::RateLimited => "rate_limit",
        _ => "unknown",
    }
}

/// An assistant message as `chat` events show it.
fn said(text: &str, now: u64) -> Value {
    json!({"role": "assistant", "content": [{"type": "text", "text": text}], "timestamp": now})
}

/// A `chat` event of a run; members of `more` that are null are left out.
fn chat_event(run: &Run, state: &str, more: Value) -> Value {
    let mut event = json!({"runId": run.new.id, "sessionKey": run.new.key, "seq": run.seq, "state": state});
    if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
        event.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
    }
    event
}
