//! What a run's thread reports, told to clients: `agent` and `chat` events on the way to the end.
//!
//! Part of `State`, on the state thread.
use super::{Run, Verbose};
use crate::agent::run::RunEvent;
use crate::cancel::Reason;
use crate::error::Error;
use crate::json::{Put, json};
use crate::protocol::events;
use crate::protocol::frame;
use crate::state::State;
use serde_json::Value;

/// Least time between two `chat` deltas of a run, milliseconds.
const DELTA_GAP: u64 = 150;
/// Longest time between two, however long the text.
const MAX_GAP: u64 = 1000;
/// Bytes of events a run may cost each client in a millisecond.
const BYTES_PER_MS: u64 = 100;

/// How much of a text was told, and when the next piece may be (monotonic clock).
#[derive(Default)]
pub(super) struct Told {
    bytes: usize,
    next_at: u64,
}

impl State {
    pub fn run_event(&mut self, id: &str, event: RunEvent) {
        match event {
            RunEvent::Started { at } => self.run_started(id, at),
            RunEvent::NextMessage => self.next_message(id),
            RunEvent::Unsaid => self.unsay(id),
            RunEvent::Text(delta) => self.run_text(id, &delta),
            RunEvent::Reasoning(delta) => self.run_reasoning(id, &delta),
            RunEvent::Tool(data) => self.run_tool(id, data),
            RunEvent::Note { stream, data } => self.emit_agent(id, stream, data),
            RunEvent::Wrote(messages) => self.run_wrote(id, &messages),
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
        let Some(run) = self.runs.map.get_mut(id) else { return };
        run.started_at = Some(at);
        let key = (!run.is_aside()).then(|| run.new.key.clone());
        if let Some(key) = key {
            self.session_changed(&key, "run");
        }
        self.emit_agent(id, "lifecycle", json!({"phase": "start", "startedAt": at}));
    }

    /// What was said is told to its end; the next piece begins a new message.
    fn next_message(&mut self, id: &str) {
        self.tell_text(id, true);
        let Some(run) = self.runs.map.get_mut(id) else { return };
        run.replaces = run.chat_told.bytes > 0;
        run.text.clear();
        (run.agent_told.bytes, run.chat_told.bytes) = (0, 0);
    }

    /// What was said of the present message is replaced by what follows.
    fn unsay(&mut self, id: &str) {
        let Some(run) = self.runs.map.get_mut(id) else { return };
        run.replaces |= run.chat_told.bytes > 0;
        run.text.clear();
        (run.agent_told.bytes, run.chat_told.bytes) = (0, 0);
    }

    /// Reasoning is told where the session asks for it (`/reasoning stream`).
    fn run_reasoning(&mut self, id: &str, delta: &str) {
        if self.runs.map.get(id).is_some_and(|r| r.shows_reasoning && !r.silenced) {
            self.emit_agent(id, "thinking", json!({"delta": delta}));
        }
    }

    /// Tools are told to connections that asked for them: by `/verbose on` which, by `/verbose full` what they gave.
    fn run_tool(&mut self, id: &str, mut data: Value) {
        let now = self.now;
        let Some(run) = self.runs.map.get_mut(id) else { return };
        run.seq += 1;
        if run.silenced {
            return;
        }
        let is_off = run.verbose == Verbose::Off;
        let hidden: &[&str] = match run.verbose {
            Verbose::Off => &["args", "meta", "result"],
            Verbose::On => &["result"],
            Verbose::Full => &[],
        };
        if let Some(map) = data.as_object_mut() {
            hidden.iter().for_each(|name| drop(map.remove(*name)));
        }
        let payload = agent_event(run, "tool", data, now);
        let body: std::sync::Arc<str> = frame::event(events::AGENT_TOOL.name, &payload, None).into();
        // Quiet sessions are; only the command line shows at its waiting line what is at work.
        let is_told = |conn: &u64| !is_off || self.clients.get(*conn).is_some_and(|c| c.caller.mode == "cli");
        for conn in run.listeners.iter().filter(|conn| is_told(conn)) {
            self.clients.send(*conn, &events::AGENT_TOOL, body.clone());
        }
    }

    fn run_wrote(&mut self, id: &str, messages: &[(String, Value)]) {
        let Some(key) = self.runs.session_of(id).map(str::to_string) else { return };
        for (entry, message) in messages {
            self.session_message(&key, message, entry);
        }
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
    pub(super) fn tell_text(&mut self, id: &str, is_last: bool) {
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
            let replace = std::mem::take(&mut run.replaces).then_some(true);
            let payload = chat_event(
                run,
                "delta",
                json!({"message": said(run, now), "deltaText": delta, "replace": replace}),
            );
            self.emit(&events::CHAT_DELTA, &payload);
        }
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
        let is_untold = |told: &Told| told.bytes < self.text.len() && !self.silenced;
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

pub(super) fn agent_event(run: &Run, stream: &str, data: Value, now: u64) -> Value {
    json!({"runId": run.new.id, "stream": stream, "data": data, "sessionKey": run.new.key, "seq": run.seq, "ts": now})
}

pub(super) fn stop_reason(run: &Run) -> &'static str {
    match run.cancel.reason() {
        Some(Reason::Stop | Reason::Interrupt) => "stop",
        Some(Reason::Timeout) => "timeout",
        Some(Reason::Shutdown) => "shutdown",
        Some(Reason::Rpc) | None => "rpc",
    }
}

/// An assistant message as `chat` events show it.
pub(super) fn said(run: &Run, now: u64) -> Value {
    let mut message =
        json!({"role": "assistant", "content": [{"type": "text", "text": run.text}], "timestamp": now});
    if let Some(map) = message.as_object_mut().filter(|_| run.is_aside()) {
        map.put("provider", "openclaw");
        map.put("model", "gateway-injected");
    }
    message
}

/// A `chat` event of a run; members of `more` that are null are left out.
pub(super) fn chat_event(run: &Run, state: &str, more: Value) -> Value {
    let mut event = json!({"runId": run.new.id, "sessionKey": run.new.key, "seq": run.seq, "state": state});
    if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
        event.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
    }
    event
}
