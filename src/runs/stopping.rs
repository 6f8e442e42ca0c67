//! Stopping runs: on request, by their deadline, at the end of the process. Part of `Runs`, on the state thread.
use super::Runs;
use super::intake::Ask;
use super::outcome::may_be_silent;
use super::run::{Phase, Run};
use super::shapes::{SAID, chat_event, said, stop_reason};
use super::world::World;
use crate::cancel::Reason;
use crate::json::json;
use crate::processes::list;
use crate::protocol::events;
use crate::protocol::pieces::Shared;
use serde_json::Value;

impl Runs {
    /// Stops a run: one that waits ends at once, a running one is told and its `aborted` event sent now. A run whose
    /// message another one answers is stopped with it.
    pub fn abort(&mut self, world: &mut dyn World, id: &str, why: Reason) {
        let now = world.now();
        let Some(run) = self.map.get_mut(id) else { return };
        if let Phase::Attached(host) = &run.phase {
            let host = host.clone();
            return self.abort(world, &host, why);
        }
        run.cancel.cancel(why);
        if matches!(why, Reason::Rpc | Reason::Stop) {
            list::hush(&run.new.key);
        }
        if run.phase != Phase::Running {
            let error = run.cancel.error();
            self.unqueue(id);
            return self.end_run(world, id, Err(error), None);
        }
        if why == Reason::Timeout || run.silenced || run.is_aside() {
            return;
        }
        run.silenced = true;
        let message = (!may_be_silent(&run.text)).then(|| said(run, now));
        let payload = chat_event(run, "aborted", json!({"stopReason": stop_reason(run), "message": message}));
        run.seq += 1;
        run.emit_around(world, &events::CHAT, &payload, &[(SAID, &Shared::of(&run.text))]);
    }

    /// Stops one run of a session, or all, however they were started. Gives what the methods that do so answer.
    pub fn stop_session(
        &mut self,
        world: &mut dyn World,
        key: &str,
        run: Option<&str>,
        why: Reason,
    ) -> Value {
        list::hush(key);
        let mut runs = self.of_session(key);
        runs.retain(|id| run.is_none_or(|run| run == id));
        if run.is_none() {
            runs.extend(self.children_of(world, key));
        }
        self.stop_all(world, runs, why)
    }

    /// A stop word: all that goes on in the session, or what its sender himself has asked for where he changes nothing else.
    pub(super) fn stop_for(&mut self, world: &mut dyn World, ask: &Ask) -> Value {
        let caller = &ask.reply.caller;
        if caller.scopes.has("operator.write") {
            return self.stop_session(world, &ask.session, None, Reason::Stop);
        }
        let mut runs = self.of_session(&ask.session);
        let is_own = |run: &Run| run.asked_by == caller.client_id;
        runs.retain(|id| self.map.get(id).is_some_and(is_own));
        self.stop_all(world, runs, Reason::Stop)
    }

    fn stop_all(&mut self, world: &mut dyn World, mut runs: Vec<String>, why: Reason) -> Value {
        // What goes on first, then what waits, as it came: in that order it is told.
        crate::order::by_key(&mut runs, |id| {
            self.map.get(id).map(|run| (run.phase != Phase::Running, run.accepted_at, id.clone()))
        });
        for id in &runs {
            self.abort(world, id, why);
        }
        json!({"ok": true, "aborted": !runs.is_empty(), "runIds": runs})
    }

    pub fn cancel_all(&mut self, world: &mut dyn World) {
        for id in self.map.keys().cloned().collect::<Vec<_>>() {
            self.abort(world, &id, Reason::Shutdown);
        }
    }

    /// Deadlines of runs and of `agent.wait` calls, and sessions whose time to start has come.
    pub fn end_of_turn(&mut self, world: &mut dyn World) -> Option<u64> {
        let now = world.mono();
        let is_late = |r: &Run| r.deadline.is_some_and(|d| now >= d) && r.cancel.reason().is_none();
        let late: Vec<String> = self.map.values().filter(|r| is_late(r)).map(|r| r.new.id.clone()).collect();
        for id in late {
            self.abort(world, &id, Reason::Timeout);
        }
        self.expire_waiters(now);
        self.tell_more(world);
        if !self.ready.is_empty() {
            self.start_runs(world);
        }
        self.next_deadline()
    }
}
