//! The in-process restart as the state thread sees it: one pending request, a judgement of the configuration by the
//! main thread, a drain with a deadline, then the hand-over.
//!
//! Part of `State`, on the state thread. Phases: deferred -> being judged -> draining -> closing (`Stopping` in
//! `mod.rs`). Requests that come in any of them join the one that is pending (R-14a). Decides nothing about files:
//! those are the main thread's, see `gateway/mod.rs`.
use super::store::Job;
use super::{State, Stopping};
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::protocol::events;
use crate::state::sentinel;
use serde_json::Value;
use std::time::Duration;

/// How long clients are told that a restart takes, milliseconds. It takes a fraction of it on a small machine.
const EXPECTED_MS: u64 = 200;
/// A request may not be put off for longer (R-14b), milliseconds.
pub const MAX_DELAY_MS: u64 = 60_000;

/// The restart that is pending.
pub(super) struct Pending {
    causes: Vec<String>,
    asked_at: u64,
    phase: Phase,
    /// What sessions are told when it is done; on disk too.
    notes: Vec<Value>,
}

#[derive(PartialEq)]
enum Phase {
    /// Begins then (monotonic clock).
    Deferred(u64),
    /// The main thread is looking at the configuration.
    Judging,
    /// No new turns; those under way may end by themselves until then (monotonic clock).
    Draining(u64),
}

impl State {
    /// SIGUSR1 arrived.
    pub(super) fn restart_signalled(&mut self) {
        if self.shared.config().bool("commands.restart") {
            return self.ask_restart("SIGUSR1".to_string(), 0, None);
        }
        log::warn!(target: "gateway", "SIGUSR1 ignored: restarts from outside are not allowed; set commands.restart to true, or use `{}`",
            self.shared.env.command("gateway call gateway.restart.request"));
    }

    /// Makes the request the pending one, or lets it join the one that is. `cause` is for the log and `status`, `note`
    /// what was written down for a session.
    pub fn ask_restart(&mut self, cause: String, delay_ms: u64, note: Option<Value>) {
        let due = self.mono + delay_ms.min(MAX_DELAY_MS);
        if let Some(stopping) = &self.stopping {
            let what =
                if stopping.is_restart { "part of the restart under way" } else { "ignored while stopping" };
            return log::info!(target: "gateway", "restart request ({}): {what}", cause);
        }
        match &mut self.restart {
            Some(pending) => {
                log::info!(target: "gateway", "restart request ({}): joins the one that is pending", cause);
                if let Phase::Deferred(at) = &mut pending.phase {
                    *at = due.min(*at);
                }
                pending.notes.extend(note);
                if !pending.causes.contains(&cause) && pending.causes.len() < 8 {
                    pending.causes.push(cause);
                }
            }
            None => {
                log::info!(target: "gateway", "restart requested ({}){}", cause,
                    if delay_ms > 0 { format!(", in {} ms", delay_ms) } else { String::new() });
                let (causes, notes) = (vec![cause], note.into_iter().collect());
                self.restart =
                    Some(Pending { causes, asked_at: self.now, phase: Phase::Deferred(due), notes });
            }
        }
        self.restart_refused = None;
    }

    /// How long the pending restart is still put off, milliseconds.
    pub(super) fn pending_delay(&self) -> u64 {
        match self.restart.as_ref().map(|p| &p.phase) {
            Some(Phase::Deferred(due)) => due.saturating_sub(self.mono),
            _ => 0,
        }
    }

    /// The main thread's word: with a configuration that cannot be started, this generation stays.
    pub(super) fn restart_judged(&mut self, verdict: Result<()>) {
        let (mono, drain) = (self.mono, self.shared.limits.drain_ms);
        let Some(pending) = self.restart.as_mut().filter(|p| p.phase == Phase::Judging) else { return };
        match verdict {
            Ok(()) => {
                pending.phase = Phase::Draining(mono + drain);
                if !self.runs.is_empty() {
                    log::info!(target: "gateway", "restarting when the turns under way have ended, at the latest in {} s", drain.div_ceil(1000));
                }
            }
            Err(e) => {
                log::error!(target: "gateway", "not restarted ({}): {e}; the gateway goes on as it is", pending.causes.join(", "));
                let notes = std::mem::take(&mut pending.notes);
                self.restart_refused = Some(e.message().to_string());
                self.restart = None;
                self.tell_refused(notes, e.message());
            }
        }
    }

    /// Whoever asked is told now; the next start has nothing to tell of it.
    fn tell_refused(&mut self, notes: Vec<Value>, why: &str) {
        for note in &notes {
            let mut note = note.clone();
            if let Some(map) = note.as_object_mut() {
                map.put("status", "error");
                map.put("refused", why);
            }
            self.tell_restart(&note);
        }
        let env = self.shared.env.clone();
        let work = Job::Upkeep(Box::new(move || sentinel::forget(&env, &notes)));
        if self.store.submit(work).is_err() {
            log::warn!(target: "gateway", "the note of the refused restart stays: the disk is too slow");
        }
    }

    /// Puts what a restart note says before the next message of the session it names, else of the main session.
    pub fn tell_restart(&mut self, payload: &Value) {
        let named = payload.get("sessionKey").and_then(Value::as_str).filter(|key| !key.trim().is_empty());
        let key = named.and_then(|key| self.sessions.rules().canonical(key).ok());
        let text = serde_json::to_string_pretty(payload).unwrap_or_default();
        self.add_note(key, format!("GatewayRestart:\n{text}"));
    }

    /// Takes the pending restart one step further when its time has come. At the end of each turn.
    pub(super) fn go_on_restarting(&mut self) -> Option<u64> {
        let mono = self.mono;
        let pending = self.restart.as_mut()?;
        match pending.phase {
            Phase::Deferred(due) if mono >= due => {
                pending.phase = Phase::Judging;
                // The main thread takes one such word at a time and answers each; it is gone only with the process.
                let _ = self.judge.try_send(());
            }
            Phase::Draining(until) if self.runs.is_empty() || mono >= until => self.hand_over(),
            _ => {}
        }
        self.next_restart_step()
    }

    /// Nothing is taken in any more; clients are told and closed, what still runs is cut.
    fn hand_over(&mut self) {
        let Some(pending) = self.restart.take() else { return };
        if !self.runs.is_empty() {
            log::warn!(target: "gateway", "turns did not end within {} ms (gateway.limits.drainMs): {} cut off, {} not begun",
                self.shared.limits.drain_ms, self.runs.active(), self.runs.queued());
        }
        log::info!(target: "gateway", "restarting ({})", pending.causes.join(", "));
        self.shared.succession.pause();
        self.emit(
            &events::SHUTDOWN,
            &json!({"reason": "gateway restarting", "restartExpectedMs": EXPECTED_MS}),
        );
        self.with_runs(|runs, world| runs.cancel_all(world));
        let until = self.mono + self.shared.limits.shutdown_ms / 2;
        self.stopping = Some(Stopping { until, clients_closed: false, is_restart: true });
    }

    /// Whether clients are for the next generation.
    pub(super) fn is_handing_over(&self) -> bool {
        self.stopping.as_ref().is_some_and(|s| s.is_restart)
    }

    /// Whether SIGUSR1 is to be looked at: one that comes while a restart is pending stays pending itself, and is
    /// taken back by the main thread right before it reads the configuration anew.
    pub(super) fn takes_restarts(&self) -> bool {
        self.restart.is_none() && self.stopping.is_none()
    }

    fn next_restart_step(&self) -> Option<u64> {
        match self.restart.as_ref()?.phase {
            Phase::Deferred(at) | Phase::Draining(at) => Some(at),
            Phase::Judging => None,
        }
    }

    /// New turns wait for the next generation.
    pub fn refuse_while_draining(&self) -> Result<()> {
        let Some(Phase::Draining(until)) = self.restart.as_ref().map(|p| &p.phase) else { return Ok(()) };
        let left = until.saturating_sub(self.mono).clamp(EXPECTED_MS, 2000);
        let error = Error::unavailable("the gateway is about to restart and takes no new turns; try again");
        Err(error.retry_in(Duration::from_millis(left)))
    }

    /// For `status` (R-14b): the pending restart, or why the last one did not take place; null when there is neither.
    pub fn restart_status(&self) -> Value {
        let Some(pending) = &self.restart else {
            return match &self.restart_refused {
                Some(why) => json!({"pending": false, "refused": why}),
                None => Value::Null,
            };
        };
        let phase = match pending.phase {
            Phase::Deferred(_) => "deferred",
            Phase::Judging => "judging",
            Phase::Draining(_) => "draining",
        };
        let due = self.next_restart_step().map(|at| at.saturating_sub(self.mono));
        json!({
            "pending": true,
            "phase": phase,
            "causes": pending.causes,
            "askedAtMs": pending.asked_at,
            "dueInMs": due.unwrap_or(0),
            "runs": self.runs.active() + self.runs.queued(),
        })
    }
}
