//! The state thread's loop: take an event, handle it, take what else is waiting, then the fixed end of turn.
//!
//! Signals are looked at first. Towards this thread senders may block; from it only `try_send` and outboxes
//! are used, so no deadlock can exist. A panic here ends the process: half-changed state must not go on.
use super::store;
use super::store::Job;
use crate::calls::{Call, Reply};
use crate::json::json;
use crate::protocol::close::Close;
use crate::protocol::events;
use crate::signals::Asked;
use crate::state::event::{Answer, Event, Handler};
use crate::state::{State, Stopping};
use crossbeam_channel::{Receiver, RecvTimeoutError, Select, TryRecvError, never};
use serde_json::Value;
use std::time::Duration;

/// Events taken in one turn before its end is done.
const BATCH: usize = 256;
/// Part of the shutdown time that running turns get to end by themselves.
const RUNS_SHARE: u64 = 2;
/// How often a stopping gateway looks whether all are gone, and one that restarts whether all were told.
const STOP_LOOK: u64 = 10;
const RESTART_LOOK: u64 = 1;

/// Runs until the gateway has stopped (`false`), or is to go on as a new generation (`true`).
pub fn run(state: &mut State, asked: &Asked, inbox: &Receiver<Event>) -> bool {
    state.read_clocks();
    state.after_turn();
    loop {
        match next(asked, state.takes_restarts(), inbox, state.wait_time()) {
            Ok(first) => {
                state.read_clocks();
                state.handle(first);
                for event in inbox.try_iter().take(BATCH) {
                    state.handle(Next::Event(event));
                }
            }
            Err(RecvTimeoutError::Timeout) => state.read_clocks(),
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        state.after_turn();
        if state.is_finished() {
            return state.is_handing_over();
        }
    }
}

enum Next {
    Stop(&'static str),
    Restart,
    Event(Event),
}

/// The next thing to do, signals first; waits at most `timeout`.
fn next(
    asked: &Asked,
    takes_restarts: bool,
    inbox: &Receiver<Event>,
    timeout: Option<Duration>,
) -> Result<Next, RecvTimeoutError> {
    let restart = if takes_restarts { &asked.restart } else { &never() };
    loop {
        match asked.stop.try_recv() {
            Ok(signal) => return Ok(Next::Stop(signal)),
            Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) => {}
        }
        if restart.try_recv().is_ok() {
            return Ok(Next::Restart);
        }
        match inbox.try_recv() {
            Ok(event) => return Ok(Next::Event(event)),
            Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) => {}
        }
        let mut select = Select::new();
        select.recv(&asked.stop);
        select.recv(restart);
        select.recv(inbox);
        match timeout {
            Some(timeout) => {
                select.ready_timeout(timeout).map_err(|_| RecvTimeoutError::Timeout)?;
            }
            None => {
                select.ready();
            }
        }
    }
}

impl State {
    fn handle(&mut self, next: Next) {
        match next {
            Next::Stop(signal) => self.stop(signal),
            Next::Restart => self.restart_signalled(),
            Next::Event(Event::Join(join)) => self.join(*join),
            Next::Event(Event::Left { conn }) => self.leave(conn),
            Next::Event(Event::ConnectionDied { conn, what }) => {
                log::error!(target: "gateway/ws", "connection {conn} ended by a defect: {what}");
            }
            Next::Event(Event::Request { conn, id, method, handler, params, work }) => {
                self.request(conn, (id, method), handler, params);
                drop(work);
            }
            Next::Event(Event::Local { call, handler, params }) => self.answer(call, handler, params),
            Next::Event(Event::Pairing { change }) => self.pairing_changed(&change),
            Next::Event(Event::Accepted { run, result }) => self.run_accepted(&run, result),
            Next::Event(Event::Run { run, event }) => self.run_event(&run, event),
            Next::Event(Event::Tell { event, payload }) => self.emit(event, &payload),
            Next::Event(Event::Wrote { key, message, id }) => {
                self.session_message(&key, &message, &id);
                self.session_changed(&key, "update");
            }
            Next::Event(Event::Saved { agent, result }) => self.sessions.saved(&agent, result, self.mono),
            Next::Event(Event::Agents { ids, added }) => {
                self.sessions.set_agents(&ids, added);
                self.health_stale = true;
            }
            Next::Event(Event::SecretChanged) => self.close_outdated(),
            Next::Event(Event::JournalBulky) => self.shrink_journal(),
            Next::Event(Event::Restart { cause, delay_ms, note }) => {
                self.ask_restart(cause, delay_ms, note);
            }
            Next::Event(Event::ConfigRestart { cause }) => {
                self.ask_restart(cause, self.pending_delay(), None);
            }
            Next::Event(Event::Judged(verdict)) => self.restart_judged(verdict),
            Next::Event(Event::ConfigInvalid(problem)) => {
                if problem.is_none() {
                    self.restart_refused = None;
                }
                self.config_invalid = problem;
                self.health_stale = true;
            }
        }
    }

    fn shrink_journal(&mut self) {
        let records = self.dedupe.records().cloned().collect();
        if self.store.submit(Job::Rewrite(records)).is_err() {
            log::warn!(target: "gateway/store", "the journal is not shrunk now: the disk is too slow");
        }
    }

    fn request(&mut self, conn: u64, (id, method): (String, &'static str), handler: Handler, params: Value) {
        // A client that left meanwhile needs no answer.
        let Some(client) = self.clients.get(conn) else { return };
        let call =
            Call { caller: client.caller.clone(), id, method, reply: Reply::Socket(client.outbox.clone()) };
        self.answer(call, handler, params);
    }

    fn answer(&mut self, call: Call, handler: Handler, params: Value) {
        match handler(self, call.clone(), params) {
            Ok(Answer::Now(payload)) => call.answer(Ok(payload)),
            Ok(Answer::Work(work)) => call.leave(work),
            Ok(Answer::Stored { key: Some(key), work }) => {
                self.sessions.when_saved(&key, call, work, self.mono)
            }
            Ok(Answer::Stored { key: None, work }) => {
                if let Err(job) = self.store.submit(Job::Do { call, work })
                    && let Job::Do { call, .. } = *job
                {
                    call.answer(Err(store::busy()));
                }
            }
            Ok(Answer::Later) => {}
            Err(error) => call.answer(Err(error)),
        }
    }

    /// What is due at the end of each turn, in this order.
    fn after_turn(&mut self) {
        self.expire_runs();
        self.tick();
        self.flush_presence();
        self.flush_subscriptions();
        self.refresh_health();
        self.keep_up();
        self.sessions.save_changed(&self.store, self.mono);
        self.go_on_restarting();
        self.go_on_stopping();
    }

    /// Until the next thing that must be done without an event.
    fn wait_time(&self) -> Option<Duration> {
        let presence = self.presence.is_changed().then(|| self.presence_at());
        let look = |s: &Stopping| if s.is_restart { RESTART_LOOK } else { STOP_LOOK };
        let stop = self.stopping.as_ref().map(|s| self.mono + look(s));
        // Presence entries age by the wall clock, which is what their `ts` tells.
        let expiry = self.presence.next_expiry().map(|at| self.mono + at.saturating_sub(self.now));
        let times = [
            Some(self.next_tick),
            Some(self.next_health),
            Some(self.upkeep.next()),
            presence,
            expiry,
            self.runs.next_deadline(),
            self.subscriptions.next_due(),
            self.sessions.next_save(),
            self.next_restart_step(),
            stop,
        ];
        times.into_iter().flatten().min().map(|at| Duration::from_millis(at.saturating_sub(self.mono)))
    }

    fn stop(&mut self, signal: &'static str) {
        if self.stopping.as_ref().is_some_and(|s| !s.is_restart) {
            return log::info!(target: "gateway", "received {signal} during shutdown; ignoring");
        }
        log::info!(target: "gateway", "received {signal}; shutting down");
        crate::service::notify::stopping(&self.shared.env);
        self.shared.published.set_stopping();
        self.shared.succession.end();
        self.shared.door.evict_all();
        self.restart = None;
        if let Some(stopping) = &mut self.stopping {
            // A restart was under way: clients know already.
            stopping.is_restart = false;
            return;
        }
        self.emit(&events::SHUTDOWN, &json!({"reason": "gateway stopping"}));
        self.cancel_all_runs();
        let until = self.mono + self.shared.limits.shutdown_ms / RUNS_SHARE;
        self.stopping = Some(Stopping { until, clients_closed: false, is_restart: false });
    }

    fn go_on_stopping(&mut self) {
        let runs_ended = self.runs.active() == 0;
        let now = self.mono;
        let Some(stopping) = &mut self.stopping else { return };
        if !stopping.clients_closed && (runs_ended || now >= stopping.until) {
            stopping.clients_closed = true;
            stopping.until = now + self.shared.limits.shutdown_ms / 4;
            self.clients.close_all(&Close::ServiceRestart);
        }
    }

    /// All clients have taken their close frame, or had their time to. A process that lives on need not wait until
    /// they have hung up.
    fn is_finished(&self) -> bool {
        let are_told = |s: &Stopping| {
            self.clients.is_empty() || (s.is_restart && self.clients.iter().all(|c| c.outbox.is_taken()))
        };
        self.stopping.as_ref().is_some_and(|s| s.clients_closed && (are_told(s) || self.mono >= s.until))
    }
}
