//! The end of a job's run: it waits until its words have arrived, then the job, its log, clients and whoever waits are told.
//! What an earlier process left in the middle ends here, too. Part of `State`, on the state thread.
use super::{RUN, Running, run_name};
use crate::calls::Call;
use crate::cron::Kept;
use crate::cron::job::{self, Members};
use crate::cron::outcome::{self, End, Next, Run};
use crate::deliveries::Delivery;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::logging::quoted;
use crate::protocol::events;
use crate::runs::origin::Address;
use crate::state::State;
use crate::state::arrivals::{Arrival, Of};
use serde_json::Value;

fn not_delivered(why: &str) -> Error {
    Error::unavailable(format!("its words were not delivered to {why}"))
}

impl State {
    /// The run is over when its words have arrived.
    pub fn job_ended(&mut self, id: &str, end: End) {
        let (mono, run) = (self.mono, self.cron.run_of(id));
        let is_put_off = !end.has_begun && self.is_stopping();
        let Some(running) = self.cron.running.get_mut(id) else { return };
        running.took = Some(mono.saturating_sub(running.mono));
        if is_put_off {
            self.cron.running.remove(id);
            return self.is_due_again(id, self.now);
        }
        self.await_words(run, Of::Job { id: id.to_string(), end });
    }

    pub(in crate::state) fn end_job(&mut self, id: &str, mut end: End, arrival: Arrival) {
        let Some(mut running) = self.cron.running.remove(id) else { return };
        if running.to.is_some() && matches!(arrival, Arrival::Unknown | Arrival::Waiting) {
            running.delivery = outcome::UNKNOWN;
        }
        let mut refused = None;
        if let Arrival::Refused(why) = arrival {
            running.delivery = outcome::REFUSED;
            let job = self.cron.book.number(id).and_then(|number| self.cron.book.members(number));
            // Where it is refused nobody hears of it either.
            running.to = job.as_ref().and_then(|job| self.other_place(job, running.to));
            if !job.is_some_and(|job| job::is_best_effort(&job)) {
                end.result = Err(not_delivered(&why));
            }
            refused = Some(why);
        }
        let (at, duration) = (running.at, running.took.unwrap_or_default());
        let run = Run { at, duration, session: running.session, delivery: running.delivery, refused };
        if let Err(e) = &end.result {
            log::warn!(target: "gateway/cron", "job {} failed: {e}", quoted(id));
        }
        self.settle_job(id, &run, &end, running.to, running.waiting);
    }

    /// Where the owner was last, if that is not where a job's words were refused.
    fn other_place(&self, job: &Members, refused: Option<Address>) -> Option<Address> {
        let mut job = job.clone();
        job.put("delivery", json!({"mode": "announce"}));
        let peer = |to: &Address| (to.channel.clone(), to.account.clone(), to.peer.clone());
        (self.shared.job_place)(self, &job)
            .filter(|to| refused.is_none_or(|refused| peer(to) != peer(&refused)))
    }

    /// The words of a run that is over came to something after all, whose job says that nobody knew.
    pub(in crate::state) fn words_came_late(&mut self, run: &str, arrival: Arrival) {
        let Some((id, at)) = run.strip_prefix(RUN).and_then(|rest| rest.rsplit_once(':')) else { return };
        let (Ok(at), Some(number)) = (at.parse(), self.cron.book.number(id)) else { return };
        let Some(mut job) = self.cron.book.members(number).filter(|job| outcome::is_open(job, at)) else {
            return;
        };
        let why = match arrival {
            Arrival::Taken if job::is_once(&job) && outcome::is_gone_when_done(&job) => {
                self.cron.book.remove(number);
                return self.save_cron(None, false, Box::new(|_, _| {}));
            }
            Arrival::Taken => None,
            Arrival::Refused(why) => Some(why),
            Arrival::Unknown | Arrival::Waiting => return,
        };
        let is_failure = why.is_some() && !job::is_best_effort(&job);
        job::change_state(&mut job, |state| match &why {
            None => drop(state.remove("lastDeliveryStatus")),
            Some(why) => {
                state.put("lastDeliveryStatus", outcome::REFUSED);
                state.put("lastDeliveryError", why.as_str());
                if is_failure {
                    state.put("lastStatus", "error");
                    state.put("lastError", not_delivered(why).message());
                }
            }
        });
        let due = self.cron.book.get(number).and_then(Kept::due);
        let log = why.map(|why| self.tell_of_late(id, &job, at, why, is_failure));
        self.cron.book.put(number, job, due);
        self.save_cron(log, false, Box::new(|_, _| {}));
    }

    /// The words of a run were refused after its end was told: that is told, too. Gives the line for the log.
    fn tell_of_late(
        &mut self,
        id: &str,
        job: &Members,
        at: u64,
        why: String,
        is_failure: bool,
    ) -> (String, String) {
        log::warn!(target: "gateway/cron", "job {}: its words were refused after its run had ended: {why}", quoted(id));
        let result = if is_failure { Err(not_delivered(&why)) } else { Ok(()) };
        let end = End { result, said: None, has_begun: true };
        let to = (self.shared.job_place)(self, job);
        let to = self.other_place(job, to);
        let duration = job::state(job, "lastDurationMs").unwrap_or_default();
        let run = Run { at, duration, session: None, delivery: outcome::REFUSED, refused: Some(why) };
        self.tell_of_failure(job, &run, &end, to);
        let due = self.cron.book.number(id).and_then(|number| self.cron.book.get(number)?.due());
        let mut line = outcome::line(id, &run, &end, due);
        self.emit(&events::CRON, &Value::Object(line.clone()));
        line.put("ts", self.now);
        (id.to_string(), Value::Object(line).to_string())
    }

    fn settle_job(&mut self, id: &str, run: &Run, end: &End, to: Option<Address>, waiting: Vec<Call>) {
        let mut due = None;
        // One that was removed meanwhile has its last line all the same.
        if let Some(number) = self.cron.book.number(id)
            && let Some(mut job) = self.cron.book.members(number)
        {
            let next = outcome::settle(&mut job, run, end, self.now);
            if outcome::is_told(&job, end) {
                self.tell_of_failure(&job, run, end, to);
            }
            match next {
                Next::Remove => drop(self.cron.book.remove(number)),
                Next::Keep(next) => {
                    self.cron.book.put(number, job, next);
                    due = self.cron.book.get(number).and_then(Kept::due);
                }
            }
        }
        let mut line = outcome::line(id, run, end, due);
        self.emit(&events::CRON, &Value::Object(line.clone()));
        line.put("ts", self.now);
        let log = (id.to_string(), Value::Object(line).to_string());
        let told = move |_: &mut State, _: Result<()>| {
            waiting.iter().for_each(|call| call.answer(Ok(json!({"ok": true, "ran": true}).into())));
        };
        self.save_cron(Some(log), false, Box::new(told));
    }

    /// What was under way when an earlier process died: it may have been done, so it is not done again by itself.
    pub(super) fn end_interrupted(&mut self, number: u32) {
        let Some(job) = self.cron.book.members(number) else { return };
        let id = job::text(&job, "id").unwrap_or_default().to_string();
        let at = job::state(&job, "runningAtMs").unwrap_or(self.now);
        if let Some(said) = self.said_by(&run_name(&id, at)) {
            return self.await_words_again(number, &id, at, &job, said);
        }
        let text = "the gateway stopped in the middle of this run: it is not known how much of it was done, and it is not \
                    done again";
        log::warn!(target: "gateway/cron", "job {}: {text}", quoted(&id));
        let run = Run { at, duration: self.now.saturating_sub(at), ..Run::default() };
        let to = (self.shared.job_place)(self, &job);
        self.settle_job(&id, &run, &End::failed(Error::unavailable(text)), to, Vec::new());
    }

    /// What a run has sent is in the journal in one piece with its end.
    fn said_by(&self, run: &str) -> Option<Option<String>> {
        let begin = format!("{run}/");
        let mut sent = self.post.ledger.named(&begin);
        let text = |delivery: &Delivery| Some(delivery.message.as_ref()?.get("text")?.as_str()?.to_string());
        sent.next().map(text)
    }

    /// The run was done; the process died before it was known whether its words arrived.
    fn await_words_again(&mut self, number: u32, id: &str, at: u64, job: &Members, said: Option<String>) {
        self.cron.book.hold(number);
        let to = (self.shared.job_place)(self, job);
        let delivery = if job::is_isolated(job) { "delivered" } else { "" };
        let took = Some(self.now.saturating_sub(at));
        let running = Running { at, mono: self.mono, to, delivery, took, ..Running::default() };
        self.cron.running.insert(id.to_string(), running);
        let end = End { result: Ok(()), said, has_begun: true };
        self.await_words(run_name(id, at), Of::Job { id: id.to_string(), end });
    }

    /// Whoever waits for a job's words hears that they do not come.
    fn tell_of_failure(&mut self, job: &Members, run: &Run, end: &End, to: Option<Address>) {
        let (Some(to), Err(e)) = (to, &end.result) else { return };
        let name = job::text(job, "name").unwrap_or_default();
        let failures = job::state(job, "consecutiveErrors").unwrap_or(1);
        let times = if failures > 1 { format!(" {failures} times in a row") } else { String::new() };
        let delivery = Delivery {
            id: format!("cron-failure:{}:{}", job::text(job, "id").unwrap_or_default(), run.at),
            platform: to.channel.clone(),
            account: to.account.clone(),
            to: to.peer.clone(),
            ts: self.now,
            message: Some(
                json!({"text": (format!("⚠️ The scheduled job \"{name}\" has failed{times}: {e}")), "plain": true}),
            ),
            ..Delivery::default()
        };
        self.promise(delivery, crossbeam_channel::bounded(1).0);
    }
}
