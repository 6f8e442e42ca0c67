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
use crate::sessions::Index;
use crate::signals::Asked;
use crate::state::event::{Answer, Event, Handler};
use crate::state::{State, Stopping};
use crossbeam_channel::{Receiver, RecvTimeoutError, Select, TryRecvError, never};
use serde_json::Value;
use std::time::{Duration, Instant};

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
    let mut due = state.after_turn();
    loop {
        let until = due.and_then(|due| state.shared.started.checked_add(Duration::from_millis(due)));
        match next(asked, state.takes_restarts(), inbox, until) {
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
        due = state.after_turn();
        if state.is_finished() {
            return state.is_handing_over();
        }
    }
}

/// What is done at the end of each turn, in this order, and by the clock: each step does what is due and says when it is
/// next due (monotonic clock), and there are no other timers. A step may make work for later ones, not for earlier ones.
const STEPS: &[fn(&mut State) -> Option<u64>] = &[
    State::end_runs_turn,
    State::write_again,
    State::expire_deliveries,
    State::look_for_orphans,
    State::expire_approvals,
    State::expire_invokes,
    State::expire_arrivals,
    State::run_cron,
    State::beat,
    State::run_subagents,
    State::tick,
    State::keep_up,
    State::keep_today,
    State::save_sessions,
    State::flush_presence,
    State::flush_subscriptions,
    State::refresh_health,
    State::go_on_restarting,
    State::go_on_stopping,
    State::measure,
];

enum Next {
    Stop(&'static str),
    Restart,
    Event(Event),
}

/// The next thing to do, signals first; waits for it `until` then.
fn next(
    asked: &Asked,
    takes_restarts: bool,
    inbox: &Receiver<Event>,
    until: Option<Instant>,
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
        match until {
            Some(until) => {
                select.ready_deadline(until).map_err(|_| RecvTimeoutError::Timeout)?;
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
            Next::Event(Event::WorkerFailed { name, what }) => {
                log::error!(target: "gateway", "the worker {name} failed: {what}");
            }
            Next::Event(Event::Request { conn, id, method, handler, params, work }) => {
                self.request(conn, (id, method), handler, params);
                drop(work);
            }
            Next::Event(Event::Local { call, handler, params }) => self.answer(call, handler, params),
            Next::Event(Event::GaveUp { conn }) => self.forget_caller(conn),
            Next::Event(Event::Pairing { change }) => self.pairing_changed(&change),
            Next::Event(Event::Accepted { run, result }) => self.run_accepted(&run, result),
            Next::Event(Event::Run { run, event }) => {
                self.with_runs(|runs, world| runs.event(world, &run, event));
            }
            Next::Event(Event::Tell { event, payload }) => self.emit(event, &payload),
            Next::Event(Event::Wrote { key, message, id }) => {
                self.session_message(&key, &message, &id);
                self.session_changed(&key, "update");
            }
            Next::Event(Event::Carry(carry)) => self.carry(*carry),
            Next::Event(Event::Noted { result, then }) => self.noted(result, then),
            Next::Event(Event::Saved { agent, result }) => {
                let told = self.sessions.saved(&agent, result, self.mono);
                self.tell_taken(told);
            }
            Next::Event(Event::Lend { agent, to }) => self.sessions.lend(&agent, &to),
            Next::Event(Event::Others { agent, theirs, known }) => {
                let told = self.sessions.take_over_looked(&agent, theirs, known);
                self.tell_taken(told);
                self.refresh_health();
            }
            Next::Event(Event::Agents { ids, added }) => self.take_agents(&ids, added),
            Next::Event(Event::Beats(seen)) => self.beats_are_seen(seen),
            Next::Event(Event::SecretChanged) => self.close_outdated(),
            Next::Event(Event::Restart { cause, delay_ms, note }) => {
                self.ask_restart(cause, delay_ms, note);
            }
            Next::Event(Event::ConfigRestart { cause }) => {
                self.ask_restart(cause, self.pending_delay(), None);
            }
            Next::Event(Event::Judged(verdict)) => self.restart_judged(verdict),
            Next::Event(Event::ConfigInvalid(problem)) => {
                if problem.as_ref().is_none_or(|problem| problem.get("partly").is_some()) {
                    self.restart_refused = None;
                }
                *self.config_invalid = problem;
            }
        }
    }

    fn take_agents(&mut self, ids: &[String], added: Vec<(String, crate::error::Result<Index>)>) {
        self.sessions.set_agents(ids, added);
        self.plan_beats();
        let most = self.shared.most_runs();
        self.with_runs(|runs, world| runs.allow(world, most));
    }

    fn run_accepted(&mut self, id: &str, result: crate::error::Result<()>) {
        let Some(command) = self.with_runs(|runs, world| runs.accepted(world, id, result)) else { return };
        let (at, invocation) = *command;
        let reply = (self.shared.command)(self, &at, &invocation);
        self.with_runs(|runs, world| runs.commanded(world, id, reply));
    }

    fn end_runs_turn(&mut self) -> Option<u64> {
        self.with_runs(|runs, world| runs.end_of_turn(world))
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

    /// The fixed end of a turn. Gives the moment at which it is to be done again though nothing has happened.
    fn after_turn(&mut self) -> Option<u64> {
        STEPS.iter().filter_map(|step| step(self)).min()
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
        self.with_runs(|runs, world| runs.cancel_all(world));
        let until = self.mono + self.shared.limits.shutdown_ms / RUNS_SHARE;
        self.stopping = Some(Stopping { until, clients_closed: false, is_restart: false });
    }

    fn go_on_stopping(&mut self) -> Option<u64> {
        let runs_ended = self.runs.active() == 0;
        let now = self.mono;
        let stopping = self.stopping.as_mut()?;
        let is_restart = stopping.is_restart;
        if !stopping.clients_closed && (runs_ended || now >= stopping.until) {
            stopping.clients_closed = true;
            stopping.until = now + self.shared.limits.shutdown_ms / 4;
            self.let_waiters_go();
            self.clients.close_all(&Close::ServiceRestart);
        }
        Some(now + if is_restart { RESTART_LOOK } else { STOP_LOOK })
    }

    /// All clients have taken their close frame, and platforms what is in somebody's hands, or had their time to. A
    /// process that lives on need not wait until clients have hung up.
    fn is_finished(&self) -> bool {
        let are_told = |s: &Stopping| {
            self.clients.is_empty() || (s.is_restart && self.clients.iter().all(|c| c.outbox.is_taken()))
        };
        self.stopping.as_ref().is_some_and(|s| {
            let is_done = are_told(s) && !self.post.is_busy();
            s.clients_closed && (is_done || self.mono >= s.until)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::testing;
    use crate::tools::testing::context;

    const HOUR: u64 = 60 * 60 * 1000;

    /// Issue 10: each step says when it is next due, and there is no other timer.
    #[test]
    fn an_idle_state_wakes_for_its_ticks_and_health_only_and_never_in_vain() {
        let (context, _dir) = context("{}");
        let (mut state, inbox) = testing::state(testing::shared(context.settings.clone()));
        let limits = &context.settings.limits;
        let (mut turns, end) = (0, state.mono + HOUR);
        while state.mono < end {
            let due = state.after_turn().unwrap();
            assert!(due > state.mono, "the moment that a turn names is not over");
            // Asked again before, nothing was due and the answer is the same.
            let passed = due - 1 - state.mono;
            (state.mono, state.now) = (state.mono + passed, state.now + passed);
            assert_eq!(state.after_turn(), Some(due));
            (state.mono, state.now) = (state.mono + 1, state.now + 1);
            turns += 1;
        }
        assert!(
            turns <= HOUR / limits.tick_ms + HOUR / limits.health_ms + 4,
            "{turns} turns in an idle hour"
        );
        drop(inbox);
    }

    #[test]
    fn a_restart_and_a_stop_have_moments_of_their_own() {
        let (context, _dir) = context("{}");
        let (mut state, _inbox) = testing::state(testing::shared(context.settings.clone()));
        state.after_turn();
        state.ask_restart("a test".into(), 700, None);
        assert_eq!(state.after_turn(), Some(state.mono + 700));
        state.stop("SIGTERM");
        assert_eq!(state.after_turn(), Some(state.mono + STOP_LOOK));
    }
}
