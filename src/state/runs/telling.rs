//! What a run's thread reports, told to clients: `agent` and `chat` events, the last answer, the journal.
//!
//! Part of `State`, on the state thread. The end of a run is told on every surface and exactly once; a failure
//! is an error on each of them.
use super::{Ended, Family, NewRun, Run, Told};
use crate::agent::cancel::Reason;
use crate::agent::run::{Finished, RunEvent};
use crate::error::{Error, Kind, Result};
use crate::protocol::events;
use crate::protocol::frame::Payload;
use crate::state::State;
use crate::store::Job;
use serde_json::{Value, json};

/// Least time between two `chat` deltas of a run, milliseconds.
const DELTA_GAP: u64 = 150;
/// Longest time between two, however long the text.
const MAX_GAP: u64 = 1000;
/// Bytes of events a run may cost each client in a millisecond.
const BYTES_PER_MS: u64 = 100;

impl State {
    pub(in crate::state) fn run_event(&mut self, id: &str, event: RunEvent) {
        match event {
            RunEvent::Started { at } => self.run_started(id, at),
            RunEvent::Text(delta) => self.run_text(id, &delta),
            RunEvent::Finished(finished) => self.run_finished(id, *finished),
            RunEvent::Died(what) => {
                log::error!(target: "gateway/agent", "run {} ended by a defect: {what}", crate::logging::quoted(id));
                self.end_run(
                    id,
                    Err(Error::unavailable("the run ended by a defect of the gateway; see its log")),
                    None,
                );
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
        self.tell_text(id, false);
    }

    /// Tells what runs have said since they were last told of, where it is time.
    pub(super) fn tell_more(&mut self) {
        let mono = self.mono;
        let due = self.runs.map.values().filter(|r| r.next_telling().is_some_and(|at| mono >= at));
        for id in due.map(|r| r.new.id.clone()).collect::<Vec<_>>() {
            self.tell_text(&id, false);
        }
    }

    /// Events carry the whole text so far, so they come less often as it grows: a run costs each client about
    /// 100 bytes a millisecond, however long its answer and however fast its model. `is_last` tells the rest.
    fn tell_text(&mut self, id: &str, is_last: bool) {
        let (now, mono) = (self.now, self.mono);
        let Some(run) = self.runs.map.get_mut(id).filter(|r| !r.silenced) else { return };
        let gap = run.text.len() as u64 / BYTES_PER_MS;
        if let Some(delta) = run.agent_told.take(&run.text, mono, gap.min(MAX_GAP), is_last) {
            let data = json!({"text": run.text, "delta": delta});
            run.seq += 1;
            let payload = agent_event(run, "assistant", data, now);
            self.emit(&events::AGENT_TEXT, &payload);
        }
        let Some(run) = self.runs.map.get_mut(id).filter(|_| !is_last) else { return };
        if let Some(delta) = run.chat_told.take(&run.text, mono, gap.clamp(DELTA_GAP, MAX_GAP), false) {
            let payload =
                chat_event(run, "delta", json!({"message": said(&run.text, now), "deltaText": delta}));
            self.emit(&events::CHAT_DELTA, &payload);
        }
    }

    fn run_finished(&mut self, id: &str, finished: Finished) {
        let Some(run) = self.runs.map.get_mut(id) else { return };
        run.text.clone_from(&finished.text);
        let (key, usage, now, session_id) =
            (run.new.key.clone(), finished.usage, self.now, run.session_id.clone());
        let failed = finished.result.is_err();
        let transcript = self.sessions.get(&key).and_then(|entry| self.sessions.transcript(&key, entry).ok());
        self.sessions.update(&key, self.mono, |entry| {
            // Counts of a transcript that was reset meanwhile belong to nobody.
            if entry.session_id() != Some(&session_id) {
                return;
            }
            entry.set("updatedAt", now);
            if let Some(transcript) = &transcript {
                entry.set("sessionFile", transcript.path().to_string_lossy());
            }
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
    pub(super) fn end_run(&mut self, id: &str, result: Result<()>, finished: Option<&Finished>) {
        let Some(run) = self.runs.map.get(id) else { return };
        let result = result.map_err(|e| match run.cancel.reason() {
            Some(Reason::Timeout) => timed_out(&run.new),
            _ => e,
        });
        let started = run.started_at.unwrap_or(run.accepted_at);
        // Cut off before its turn by a stop: the journal keeps it, the next start keeps its message.
        let stays_open = run.started_at.is_none() && run.cancel.reason() == Some(Reason::Shutdown);
        self.tell_text(id, true);
        self.emit_end(id, result.as_ref().err());
        let Some(run) = self.runs.map.remove(id) else { return };
        if self.runs.running.get(&run.new.key).is_some_and(|r| r == id) {
            self.runs.running.remove(&run.new.key);
        }
        let outcome = outcome(&run, &result, finished, self.now.saturating_sub(started));
        for call in &run.calls {
            match &result {
                Ok(()) => call.answer(Ok(Payload::Value(outcome.clone()))),
                Err(e) => call.answer_with(Err(e.clone()), Some(&outcome)),
            }
        }
        let stored = match &result {
            Ok(()) => json!({"ok": true, "payload": outcome}),
            Err(e) => json!({"ok": false, "payload": outcome, "error": e.to_wire(4)}),
        };
        if !stays_open
            && let Some(record) = self.dedupe.finish(run.new.family.name(), id, stored)
            && self.store.submit(Job::Finish(record)).is_err()
        {
            log::warn!(target: "gateway/store", "the result of run {} is not journalled: the disk is too slow", crate::logging::quoted(id));
        }
        let ended =
            Ended { at: self.now, started_at: started, error: result.err().map(|e| e.message().to_string()) };
        self.answer_waiters(id, &ended);
        self.runs.remember(id.to_string(), ended);
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
            Some(e) if e.kind == Kind::Aborted => {
                json!({"phase": "end", "startedAt": started, "endedAt": now, "aborted": true})
            }
            Some(e) => json!({"phase": "error", "startedAt": started, "endedAt": now, "error": e.message()}),
        };
        self.emit_agent(id, "lifecycle", lifecycle);
        let Some(run) = self.runs.map.get(id).filter(|_| !silenced) else { return };
        let message = (!run.text.is_empty()).then(|| said(&run.text, now));
        let payload = match error {
            None => chat_event(run, "final", json!({"message": message})),
            Some(e) if e.kind == Kind::Aborted => {
                chat_event(run, "aborted", json!({"stopReason": stop_reason(run), "message": message}))
            }
            Some(e) => {
                chat_event(run, "error", json!({"errorMessage": e.message(), "errorKind": error_kind(e)}))
            }
        };
        self.emit(&events::CHAT, &payload);
    }

    /// Sends an `agent` event of a run.
    fn emit_agent(&mut self, id: &str, stream: &str, data: Value) {
        let now = self.now;
        let Some(run) = self.runs.map.get_mut(id) else { return };
        run.seq += 1;
        let payload = agent_event(run, stream, data, now);
        self.emit(&events::AGENT, &payload);
    }
}

impl Run {
    /// When there is something untold to tell, on the monotonic clock.
    pub(super) fn next_telling(&self) -> Option<u64> {
        let is_untold = |told: &Told| told.bytes > 0 && told.bytes < self.text.len() && !self.silenced;
        [&self.agent_told, &self.chat_told].into_iter().filter(|t| is_untold(t)).map(|t| t.next_at).min()
    }
}

impl Told {
    /// The untold end of `text` if it is time for it (or the last chance); notes it as told.
    fn take(&mut self, text: &str, mono: u64, gap: u64, is_last: bool) -> Option<String> {
        let new = text.get(self.bytes..).filter(|new| !new.is_empty())?;
        if mono < self.next_at && !is_last {
            return None;
        }
        (self.bytes, self.next_at) = (text.len(), mono + gap);
        Some(new.to_string())
    }
}

fn agent_event(run: &Run, stream: &str, data: Value, now: u64) -> Value {
    json!({"runId": run.new.id, "stream": stream, "data": data, "sessionKey": run.new.key, "seq": run.seq, "ts": now})
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

fn timed_out(new: &NewRun) -> Error {
    let seconds = new.timeout_ms as f64 / 1000.0;
    Error::new(
        Kind::AgentTimeout,
        format!(
            "the agent did not finish within {seconds} s; raise --timeout or agents.defaults.timeoutSeconds"
        ),
    )
}

pub(super) fn stop_reason(run: &Run) -> &'static str {
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
pub(super) fn said(text: &str, now: u64) -> Value {
    json!({"role": "assistant", "content": [{"type": "text", "text": text}], "timestamp": now})
}

/// A `chat` event of a run; members of `more` that are null are left out.
pub(super) fn chat_event(run: &Run, state: &str, more: Value) -> Value {
    let mut event = json!({"runId": run.new.id, "sessionKey": run.new.key, "seq": run.seq, "state": state});
    if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
        event.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
    }
    event
}
