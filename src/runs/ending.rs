//! The end of a run: told on every surface and exactly once, remembered, and the next one started.
//!
//! Part of `Runs`, on the state thread. A failure is an error on each surface.
use super::Runs;
use super::outcome::{Kept, error_kind, footer, is_silent, outcome, timed_out, usage};
use super::run::{Ended, Phase, Run};
use super::shapes::{SAID, agent_event, chat_event, said, stop_reason};
use super::world::World;
use crate::agent::finished::Finished;
use crate::cancel::Reason;
use crate::error::{Error, Kind, Result};
use crate::json::json;
use crate::metrics::{self, Metric};
use crate::protocol::events;
use crate::protocol::pieces::Shared;
use crate::sessions::tags;
use serde_json::Value;

impl Runs {
    pub(super) fn run_finished(&mut self, world: &mut dyn World, id: &str, mut finished: Finished) {
        let Some(run) = self.map.get_mut(id) else { return };
        run.finish_text();
        // Told; it is long where the last one is.
        run.text = String::new();
        run.text = tags::shown(finished.last().to_string());
        // Messages that came too late for this turn have one of their own, unless all was stopped.
        let reason = run.cancel.reason();
        let is_stopped = matches!(reason, Some(Reason::Rpc | Reason::Stop));
        let leftover: Vec<String> =
            if is_stopped { Vec::new() } else { finished.leftover.iter().map(|s| s.run.clone()).collect() };
        run.attached.retain(|id| !leftover.contains(id));
        leftover.iter().rev().for_each(|id| self.put_back(id));
        if reason == Some(Reason::Shutdown) {
            // Stopped as runs that never began: their journal records stay open, and the next start keeps them.
            leftover.iter().for_each(|id| self.abort(world, id, Reason::Shutdown));
        }
        self.note_in_session(world, id, &finished);
        self.log_end(world, id, &finished);
        let result = finished.result.clone();
        self.end_run(world, id, result, Some(&mut finished));
    }

    /// Ends a run and those that end with it.
    pub(super) fn end_run(
        &mut self,
        world: &mut dyn World,
        id: &str,
        result: Result<()>,
        mut finished: Option<&mut Finished>,
    ) {
        let Some(run) = self.map.get_mut(id) else { return };
        let result = result.map_err(|e| match run.cancel.reason() {
            Some(Reason::Timeout) => timed_out(&run.new),
            _ => e,
        });
        let attached = std::mem::take(&mut run.attached);
        let key = (!run.is_aside()).then(|| run.new.key.clone());
        let reason = run.cancel.reason();
        let text = if attached.is_empty() { String::new() } else { run.text.clone() };
        let said_to = run.destinations();
        for other in &attached {
            if let Some(other) = self.map.get_mut(other) {
                // Its text is told with its end, not piece by piece.
                other.text.clone_from(&text);
                other.hush(&said_to);
                if let Some(reason) = reason {
                    other.cancel.cancel(reason);
                }
            }
        }
        let all: Vec<&str> = std::iter::once(id).chain(attached.iter().map(String::as_str)).collect();
        for (n, one) in all.iter().enumerate() {
            let is_last = n + 1 == all.len();
            self.end_one(world, one, result.clone(), finished.as_deref_mut(), is_last);
        }
        if let Some(key) = key {
            world.session_changed(&key, "run");
        }
        self.start_runs(world);
    }

    fn end_one(
        &mut self,
        world: &mut dyn World,
        id: &str,
        result: Result<()>,
        mut finished: Option<&mut Finished>,
        is_last: bool,
    ) {
        let Some(run) = self.map.get(id) else { return };
        let started = run.started_at.unwrap_or(run.accepted_at);
        // Cut off before its turn by a stop: the journal keeps it, the next start keeps its message.
        let is_untouched = run.started_at.is_none() && !matches!(run.phase, Phase::Attached(_));
        let stays_open =
            (is_untouched && run.cancel.reason() == Some(Reason::Shutdown)) || run.is_taken_up_again();
        run.stream_block();
        let told = self.tell_text(world, id, true);
        self.emit_end(world, id, result.as_ref().err(), finished.as_deref(), told);
        let Some(mut run) = self.map.remove(id) else { return };
        // Told; what follows is written from `finished`.
        run.text = String::new();
        if self.running.get(&run.new.key).is_some_and(|r| r == id) {
            self.running.remove(&run.new.key);
        }
        metrics::count(Metric::RunsEnded);
        if result.is_err() {
            metrics::count(if run.is_stopped() { Metric::RunsStopped } else { Metric::RunsFailed });
        }
        let texts =
            finished.as_deref_mut().map(|finished| run.texts_of(finished, is_last)).unwrap_or_default();
        let finished = finished.as_deref();
        let outcome = outcome(&run, &result, finished, texts, world.now().saturating_sub(started));
        // It may be long: the frames of those who asked and the journal have one text of it.
        let kept = Kept::of(&result, &outcome, finished.is_some_and(|f| f.had_no_effect));
        let payload = kept.payload();
        run.calls.iter().for_each(|call| call.answer_end(&outcome, &payload, result.as_ref().err()));
        // Who follows the words makes another text of them.
        let streams = run.observers.streams().count();
        let mut told: Vec<Value> = std::iter::repeat_n(outcome, streams).collect();
        run.end_parts(world, &result, finished);
        if !stays_open {
            run.report(world, &result, finished);
            let mut lines = run.deliver_end(world, &result, finished);
            lines.extend(run.end_beat(world, &result, finished));
            self.requests.end(world, &run.new, kept.text, lines);
        }
        for stream in run.observers.streams() {
            stream.end(result.clone().map(|()| told.pop().unwrap_or_default()));
        }
        let ended = Ended {
            at: world.now(),
            started_at: started,
            error: result.err().map(|e| e.message().to_string()),
        };
        self.answer_waiters(id, &ended);
        self.remember(id.to_string(), ended);
    }

    fn emit_end(
        &mut self,
        world: &mut dyn World,
        id: &str,
        error: Option<&Error>,
        finished: Option<&Finished>,
        mut told: Option<Shared>,
    ) {
        let now = world.now();
        let Some(run) = self.map.get_mut(id) else { return };
        run.seq += 1;
        let payload = agent_event(run, "lifecycle", lifecycle(run, now, error), now);
        let silenced = run.silenced;
        run.emit(world, &events::AGENT, &payload);
        let Some(run) = self.map.get_mut(id).filter(|_| !silenced) else { return };
        run.unhush(error, finished);
        // A turn whose last answer had nothing in it ends with what was said before.
        if let Some(said) = finished.and_then(|f| f.texts.last()).filter(|_| run.text.trim().is_empty()) {
            (run.text, told) = (tags::shown(said.clone()), None);
        }
        if let Some(finished) =
            finished.filter(|_| error.is_none() && !run.is_aside() && !is_silent(&run.text))
        {
            let footer = footer(run.footer, finished);
            run.text += &footer;
            told = told.filter(|_| footer.is_empty());
        }
        let message = (!is_silent(&run.text)).then(|| said(run, now));
        let payload = match error {
            None => {
                let usage = finished.filter(|_| !run.is_aside()).map(|f| usage(&f.usage));
                let stop = finished.map(|f| f.stop_reason);
                chat_event(run, "final", json!({"message": message, "usage": usage, "stopReason": stop}))
            }
            Some(e) if e.kind == Kind::Aborted => {
                chat_event(run, "aborted", json!({"stopReason": stop_reason(run), "message": message}))
            }
            Some(e) => {
                chat_event(run, "error", json!({"errorMessage": e.message(), "errorKind": error_kind(e)}))
            }
        };
        let whole = told.unwrap_or_else(|| Shared::of(&run.text));
        run.emit_around(world, &events::CHAT, &payload, &[(SAID, &whole)]);
    }
}

/// How the `agent` event tells of the end.
fn lifecycle(run: &Run, now: u64, error: Option<&Error>) -> Value {
    let started = run.started_at.unwrap_or(run.accepted_at);
    match error {
        None => json!({"phase": "end", "startedAt": started, "endedAt": now}),
        Some(e) if e.kind == Kind::Aborted => {
            json!({"phase": "end", "startedAt": started, "endedAt": now, "aborted": true})
        }
        Some(e) => json!({"phase": "error", "startedAt": started, "endedAt": now, "error": e.message()}),
    }
}

impl Run {
    /// What its outcome says, which may be long: taken where nobody asks for it afterwards.
    fn texts_of(&self, finished: &mut Finished, is_last: bool) -> Vec<String> {
        match (self.new.origin.surface.tells_outcome(), is_last && !self.observers.want_words()) {
            (false, _) => Vec::new(),
            (true, true) => std::mem::take(&mut finished.texts),
            (true, false) => finished.texts.clone(),
        }
    }
}
