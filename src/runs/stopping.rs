//! Stopping runs: on request, by their deadline, at the end of the process. Part of `State`, on the state thread.
use super::telling::{chat_event, said, stop_reason};
use super::{Phase, Run};
use crate::cancel::Reason;
use crate::json::json;
use crate::protocol::events;
use crate::state::State;

impl State {
    /// Stops a run: one that waits ends at once, a running one is told and its `aborted` event sent now. A run whose
    /// message another one answers is stopped with it.
    pub fn abort_run(&mut self, id: &str, why: Reason) {
        let now = self.now;
        let Some(run) = self.runs.map.get_mut(id) else { return };
        if let Phase::Attached(host) = &run.phase {
            let host = host.clone();
            return self.abort_run(&host, why);
        }
        run.cancel.cancel(why);
        if run.phase != Phase::Running {
            let error = run.cancel.error();
            self.runs.unqueue(id);
            return self.end_run(id, Err(error), None);
        }
        if why == Reason::Timeout || run.silenced || run.is_aside() {
            return;
        }
        run.silenced = true;
        let message = (!run.text.is_empty()).then(|| said(run, now));
        let payload = chat_event(run, "aborted", json!({"stopReason": stop_reason(run), "message": message}));
        run.seq += 1;
        self.emit(&events::CHAT, &payload);
    }

    pub fn cancel_all_runs(&mut self) {
        for id in self.runs.map.keys().cloned().collect::<Vec<_>>() {
            self.abort_run(&id, Reason::Shutdown);
        }
    }

    /// Deadlines of runs and of `agent.wait` calls, and sessions whose time to start has come.
    pub fn expire_runs(&mut self) -> Option<u64> {
        let now = self.mono;
        let is_late = |r: &Run| r.deadline.is_some_and(|d| now >= d) && r.cancel.reason().is_none();
        let late: Vec<String> =
            self.runs.map.values().filter(|r| is_late(r)).map(|r| r.new.id.clone()).collect();
        for id in late {
            self.abort_run(&id, Reason::Timeout);
        }
        self.expire_waiters();
        self.tell_more();
        if !self.runs.ready.is_empty() {
            self.start_runs();
        }
        self.runs.next_deadline()
    }
}
