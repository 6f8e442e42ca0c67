//! The end of a run: told on every surface and exactly once, remembered, and the next one started.
//!
//! Part of `Runs`, on the state thread. A failure is an error on each surface.
use super::telling::{agent_event, chat_event, said, stop_reason};
use super::world::World;
use super::{Ended, Footer, NewRun, Phase, Run, Runs};
use crate::agent::run::Finished;
use crate::cancel::Reason;
use crate::error::{Error, Kind, Result};
use crate::json::{Put, json};
use crate::metrics::{self, Metric};
use crate::models::failure;
use crate::models::provider::Usage;
use crate::protocol::events;
use crate::protocol::frame::Payload;
use serde_json::Value;

impl Runs {
    pub(super) fn run_finished(&mut self, world: &mut dyn World, id: &str, finished: Finished) {
        let Some(run) = self.map.get_mut(id) else { return };
        run.text.clone_from(&finished.text);
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
        self.end_run(world, id, result, Some(&finished));
    }

    /// The line of the log that says what was answered, by whom and at what cost.
    fn log_end(&self, world: &dyn World, id: &str, finished: &Finished) {
        let Some(run) = self.map.get(id) else { return };
        let session = crate::logging::quoted(&run.new.key);
        let ms = world.now().saturating_sub(run.started_at.unwrap_or(run.accepted_at));
        let (model, usage) = (format!("{}/{}", finished.provider, finished.model), &finished.usage);
        let tokens = usage.input + usage.cache_read + usage.cache_write;
        let spent = format!("{}.{} s, tokens {tokens} in, {} out", ms / 1000, ms % 1000 / 100, usage.output);
        let about = format!(
            "session={session} model={} run={}",
            crate::logging::quoted(&model),
            crate::logging::quoted(id)
        );
        match (&finished.result, run.cancel.reason()) {
            (Ok(()), _) => log::info!(target: "gateway/agent", "turn ✓ {spent} {about}"),
            (Err(_), Some(reason)) if reason != Reason::Timeout => {
                log::info!(target: "gateway/agent", "turn stopped after {spent} {about}");
            }
            (Err(e), _) => {
                let why = crate::logging::quoted(e.message());
                log::warn!(target: "gateway/agent", "turn ✗ {spent} {about} error={why}");
            }
        }
    }

    fn note_in_session(&mut self, world: &mut dyn World, id: &str, finished: &Finished) {
        let Some(run) = self.map.get(id) else { return };
        let (key, session_id, now) = (run.new.key.clone(), run.session_id.clone(), world.now());
        let (failed, is_aside) = (finished.result.is_err(), run.is_aside());
        let is_aborted = finished.result.as_ref().is_err_and(|e| e.kind == Kind::Aborted);
        let channel = run.new.origin.surface.channel;
        let transcript = world.entry(&key).and_then(|entry| world.transcript(&key, &entry).ok());
        world.update(&key, &mut |entry| {
            // Counts of a transcript that was reset meanwhile belong to nobody.
            if entry.session_id() != Some(&session_id) {
                return;
            }
            entry.set("updatedAt", now);
            if let Some(transcript) = &transcript {
                entry.set("sessionFile", transcript.path().to_string_lossy());
            }
            if is_aside {
                return;
            }
            entry.set("systemSent", true);
            entry.set("abortedLastRun", is_aborted);
            if let Some(channel) = channel {
                entry.set("lastChannel", channel);
            }
            if !failed {
                note_counts(entry, finished);
            }
        });
    }

    /// Ends a run and those that end with it.
    pub(super) fn end_run(
        &mut self,
        world: &mut dyn World,
        id: &str,
        result: Result<()>,
        finished: Option<&Finished>,
    ) {
        let Some(run) = self.map.get_mut(id) else { return };
        let result = result.map_err(|e| match run.cancel.reason() {
            Some(Reason::Timeout) => timed_out(&run.new),
            _ => e,
        });
        let attached = std::mem::take(&mut run.attached);
        let key = (!run.is_aside()).then(|| run.new.key.clone());
        let (text, reason) = (run.text.clone(), run.cancel.reason());
        for other in &attached {
            if let Some(other) = self.map.get_mut(other) {
                // Its text is told with its end, not piece by piece.
                other.text.clone_from(&text);
                if let Some(reason) = reason {
                    other.cancel.cancel(reason);
                }
            }
        }
        self.end_one(world, id, result.clone(), finished);
        for other in attached {
            self.end_one(world, &other, result.clone(), finished);
        }
        if let Some(key) = key {
            world.session_changed(&key, "run");
        }
        self.start_runs(world);
    }

    fn end_one(&mut self, world: &mut dyn World, id: &str, result: Result<()>, finished: Option<&Finished>) {
        let Some(run) = self.map.get(id) else { return };
        let started = run.started_at.unwrap_or(run.accepted_at);
        // Cut off before its turn by a stop: the journal keeps it, the next start keeps its message.
        let is_untouched = run.started_at.is_none() && !matches!(run.phase, Phase::Attached(_));
        let stays_open = is_untouched && run.cancel.reason() == Some(Reason::Shutdown);
        run.stream_block();
        self.tell_text(world, id, true);
        self.emit_end(world, id, result.as_ref().err(), finished);
        let Some(run) = self.map.remove(id) else { return };
        if self.running.get(&run.new.key).is_some_and(|r| r == id) {
            self.running.remove(&run.new.key);
        }
        metrics::count(Metric::RunsEnded);
        if result.is_err() {
            metrics::count(Metric::RunsFailed);
        }
        let outcome = outcome(&run, &result, finished, world.now().saturating_sub(started));
        for call in &run.calls {
            match &result {
                Ok(()) => call.answer(Ok(Payload::Value(outcome.clone()))),
                Err(e) => call.answer_with(Err(e.clone()), Some(&outcome)),
            }
        }
        run.observers.streams().for_each(|stream| stream.end(result.clone().map(|()| outcome.clone())));
        if !stays_open {
            self.journal_end(world, &run, &result, outcome, finished.is_some_and(|f| f.had_no_effect));
        }
        let ended = Ended {
            at: world.now(),
            started_at: started,
            error: result.err().map(|e| e.message().to_string()),
        };
        self.answer_waiters(id, &ended);
        self.remember(id.to_string(), ended);
    }

    fn journal_end(
        &mut self,
        world: &mut dyn World,
        run: &Run,
        result: &Result<()>,
        outcome: Value,
        had_no_effect: bool,
    ) {
        let stored = match result {
            Ok(()) => json!({"ok": true, "payload": outcome}),
            Err(e) => json!({"ok": false, "payload": outcome, "error": stored_error(e, had_no_effect)}),
        };
        self.requests.end(world, &run.new, stored);
    }

    fn emit_end(
        &mut self,
        world: &mut dyn World,
        id: &str,
        error: Option<&Error>,
        finished: Option<&Finished>,
    ) {
        let now = world.now();
        let Some(run) = self.map.get_mut(id) else { return };
        let started = run.started_at.unwrap_or(run.accepted_at);
        let lifecycle = match error {
            None => json!({"phase": "end", "startedAt": started, "endedAt": now}),
            Some(e) if e.kind == Kind::Aborted => {
                json!({"phase": "end", "startedAt": started, "endedAt": now, "aborted": true})
            }
            Some(e) => json!({"phase": "error", "startedAt": started, "endedAt": now, "error": e.message()}),
        };
        run.seq += 1;
        let payload = agent_event(run, "lifecycle", lifecycle, now);
        let silenced = run.silenced;
        run.emit(world, &events::AGENT, &payload);
        let Some(run) = self.map.get_mut(id).filter(|_| !silenced) else { return };
        if let Some(finished) =
            finished.filter(|_| error.is_none() && !run.is_aside() && !is_silent(&run.text))
        {
            let footer = footer(run.footer, finished);
            run.text += &footer;
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
        run.emit(world, &events::CHAT, &payload);
    }
}

fn note_counts(entry: &mut crate::sessions::Entry, finished: &Finished) {
    entry.set("modelProvider", finished.provider.as_str());
    entry.set("model", finished.model.as_str());
    entry.set("contextTokens", finished.context_window);
    entry.set("inputTokens", finished.usage.input);
    entry.set("outputTokens", finished.usage.output);
    if let Some(tokens) = finished.context_tokens {
        entry.set("totalTokens", tokens);
    }
    if finished.compactions > 0 {
        let before = entry.get("compactionCount").and_then(Value::as_u64).unwrap_or(0);
        entry.set("compactionCount", before + finished.compactions);
    }
    match &finished.fallback {
        Some(fallback) => {
            entry.set("fallbackNoticeSelectedModel", fallback.from.as_str());
            entry.set("fallbackNoticeActiveModel", fallback.to.as_str());
            entry.set("fallbackNoticeReason", fallback.reason);
        }
        None => {
            for name in ["fallbackNoticeSelectedModel", "fallbackNoticeActiveModel", "fallbackNoticeReason"] {
                entry.remove(name);
            }
        }
    }
}

/// The line below an answer that `/usage` asked for; it is told, not written down.
fn footer(wanted: Footer, finished: &Finished) -> String {
    let usage = &finished.usage;
    let tokens = format!(
        "\n\nUsage: {} in / {} out",
        usage.input + usage.cache_read + usage.cache_write,
        usage.output
    );
    match wanted {
        Footer::Off => String::new(),
        Footer::Full if finished.cost > 0.0 => format!("{tokens} · cost {:.4}", finished.cost),
        Footer::Tokens | Footer::Full => tokens,
    }
}

/// Whether an answer says that there is nothing to say.
pub(super) fn is_silent(text: &str) -> bool {
    matches!(text.trim(), "" | "NO_REPLY")
}

/// Counts of the cache only where there was one.
fn usage(usage: &Usage) -> Value {
    let mut counts = json!({"input": usage.input, "output": usage.output, "total": usage.total});
    let cache = [("cacheRead", usage.cache_read), ("cacheWrite", usage.cache_write)];
    if let Some(map) = counts.as_object_mut() {
        map.extend(cache.into_iter().filter(|(_, n)| *n > 0).map(|(name, n)| (name.to_string(), n.into())));
    }
    counts
}

/// What a repetition is told. `retryable` frees the key, so it stays only where nothing can happen twice.
fn stored_error(e: &Error, had_no_effect: bool) -> Value {
    let mut error = e.to_wire(4);
    if let Some(map) = error.as_object_mut().filter(|_| e.retryable() && !had_no_effect) {
        map.remove("retryable");
        map.remove("retryAfterMs");
        map.put("message", format!("{e}; send it again with a new idempotency key"));
    }
    error
}

/// The last answer to the request, and what the journal keeps.
fn outcome(run: &Run, result: &Result<()>, finished: Option<&Finished>, duration_ms: u64) -> Value {
    let id = &run.new.id;
    match (result, run.new.origin.surface.tells_outcome(), finished) {
        (Err(e), _, _) => json!({"runId": id, "status": "error", "summary": e.message()}),
        (Ok(()), true, Some(f)) => {
            let mut agent_meta = json!({"sessionId": run.session_id, "provider": f.provider, "model": f.model, "usage": usage(&f.usage)});
            if let (Some(map), Some(fallback)) = (agent_meta.as_object_mut(), &f.fallback) {
                let told = json!({"from": fallback.from, "to": fallback.to, "reason": fallback.reason, "error": fallback.error});
                map.put("fallback", told);
            }
            let meta = json!({"durationMs": duration_ms, "aborted": false, "stopReason": f.stop_reason, "agentMeta": agent_meta});
            let said = f.texts.iter().filter(|text| !is_silent(text));
            let payloads: Vec<Value> = said.map(|text| json!({"text": text, "mediaUrl": null})).collect();
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

fn error_kind(e: &Error) -> &'static str {
    match failure::reason(e) {
        "timeout" => "timeout",
        "rate_limit" | "overloaded" => "rate_limit",
        "context_length" => "context_length",
        _ if e.kind == Kind::AgentTimeout => "timeout",
        _ => "unknown",
    }
}
