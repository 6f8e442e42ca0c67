//! What the session's entry and the log keep of a run that has ended. Part of `Runs`, on the state thread.
use super::Runs;
use super::world::World;
use crate::agent::finished::Finished;
use crate::error::Kind;
use serde_json::Value;

impl Runs {
    /// The line of the log that says what was answered, by whom and at what cost.
    pub(super) fn log_end(&mut self, world: &dyn World, id: &str, finished: &Finished) {
        let Some(run) = self.map.get(id) else { return };
        let session = crate::logging::quoted(&run.new.key);
        let ms = world.now().saturating_sub(run.started_at.unwrap_or(run.accepted_at));
        if !run.is_aside() {
            self.today.note(world.now(), finished, run.is_stopped());
        }
        let usage = &finished.usage;
        let tokens = usage.input + usage.cache_read + usage.cache_write;
        let cost = if finished.cost > 0.0 { format!(", ${:.4}", finished.cost) } else { String::new() };
        let spent =
            format!("{}.{} s, tokens {tokens} in, {} out{cost}", ms / 1000, ms % 1000 / 100, usage.output);
        // On a channel the surface is its name.
        let origin = &run.new.origin;
        let surface = origin.address.as_ref().map_or(origin.surface.journal, |address| &address.channel);
        // A run that ended before it had a model has none.
        let model = match (finished.provider.as_str(), finished.model.as_str()) {
            ("", "") => String::new(),
            ("", model) => format!(" model={}", crate::logging::quoted(model)),
            (provider, model) => {
                format!(" model={}", crate::logging::quoted(&format!("{provider}/{model}")))
            }
        };
        let about = format!("session={session} surface={surface}{model} run={}", crate::logging::quoted(id));
        match (&finished.result, run.is_stopped()) {
            (Ok(()), _) if finished.stop_reason == "length" => {
                log::warn!(target: "gateway/agent", "turn cut at the length that the model may answer with (maxTokens) {spent} {about}");
            }
            (Ok(()), _) => log::info!(target: "gateway/agent", "turn ✓ {spent} {about}"),
            (Err(_), true) => {
                log::info!(target: "gateway/agent", "turn stopped after {spent} {about}");
            }
            (Err(e), _) => {
                let why = crate::logging::quoted(e.message());
                log::warn!(target: "gateway/agent", "turn ✗ {spent} {about} error={why}");
            }
        }
    }

    pub(super) fn note_in_session(&mut self, world: &mut dyn World, id: &str, finished: &Finished) {
        let Some(run) = self.map.get(id) else { return };
        let (key, session_id, now) = (run.new.key.clone(), run.session_id.clone(), world.now());
        let (failed, is_aside) = (finished.result.is_err(), run.is_aside());
        let is_aborted = finished.result.as_ref().is_err_and(|e| e.kind == Kind::Aborted);
        let channel = run.new.origin.surface.channel;
        let address = run.new.origin.address.clone();
        let moves = run.new.origin.provenance.is_own() || !world.is_main(&key);
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
            if let Some(channel) = channel.filter(|_| moves) {
                entry.set("lastChannel", channel);
            }
            if let Some(address) = address.as_ref().filter(|_| moves) {
                entry.set("lastTo", format!("{}:{}", address.channel, address.peer));
                entry.set("lastAccountId", address.account.as_str());
            }
            if !failed {
                note_counts(entry, finished);
            }
        });
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
