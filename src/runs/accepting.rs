//! From a request to a run in its lane. Part of `State`, on the state thread.
use super::nesting::Nesting;
use super::sharing::Sender;
use super::telling::Told;
use super::{Doing, Family, Footer, NewRun, Phase, Run, Verbose};
use crate::agent::mailbox::Mailbox;
use crate::calls::Call;
use crate::cancel::Cancel;
use crate::commands;
use crate::deliveries::Record;
use crate::error::{Error, Result};
use crate::json::json;
use crate::protocol::frame::Payload;
use crate::slash::{self, Reply};
use crate::state::State;
use crate::state::event::Answer;
use crate::state::store;
use crate::state::store::Job;
use serde_json::Value;
use std::time::Duration;

impl State {
    /// Takes a new run in. The answer follows when the acceptance is on disk.
    pub fn accept_run(&mut self, call: Call, new: NewRun) -> Result<Answer> {
        let sender = self.sender(&call.caller);
        self.refuse_excess(&new, &sender)?;
        let nesting = self.nest(&call.caller)?;
        let entry = self.sessions.ensure(&new.key, self.now, self.mono)?;
        let now = self.now;
        self.sessions.update(&new.key, self.mono, |e| e.set("updatedAt", now));
        let record = Record {
            family: new.family.name().to_string(),
            key: new.id.clone(),
            hash: new.hash.clone(),
            ts: self.now,
            session_key: Some(new.key.clone()),
            session_id: entry.session_id().map(str::to_string),
            message: new.own_words(),
            result: None,
        };
        self.dedupe.begin(record.clone());
        let (id, images) = (new.id.clone(), new.images.clone());
        let run = Run {
            agent: self.sessions.owner(&new.key)?.to_string(),
            session_id: entry.session_id().unwrap_or_default().to_string(),
            nesting,
            sender,
            ..Run::of(new, call, self.now)
        };
        self.runs.map.insert(id.clone(), run);
        if self.store.submit(Job::Accept { record, images }).is_err() {
            self.forget_run(&id);
            return Err(store::busy());
        }
        Ok(Answer::Later)
    }

    fn refuse_excess(&self, new: &NewRun, sender: &Sender) -> Result<()> {
        let soon = Duration::from_secs(5);
        if self.is_stopping() {
            return Err(Error::unavailable("the gateway is shutting down").retry_in(soon));
        }
        self.refuse_while_draining()?;
        let waiting = self.runs.of_session(&new.key).len();
        // A command is often the way out of a full queue.
        if waiting > self.runs.max_queued && new.command.is_none() {
            let text = format!(
                "session {} has {waiting} turns waiting already; wait for one to end or abort it",
                new.key
            );
            return Err(Error::unavailable(text).retry_in(soon));
        }
        self.refuse_beyond_share(new, sender)?;
        self.refuse_full_queue(new)
    }

    fn forget_run(&mut self, id: &str) -> Option<Run> {
        let run = self.runs.map.remove(id)?;
        self.dedupe.cancel(run.new.family.name(), id);
        Some(run)
    }

    /// The journal has the run, or could not take it.
    pub fn run_accepted(&mut self, id: &str, result: Result<()>) {
        if let Err(error) = result {
            for call in self.forget_run(id).into_iter().flat_map(|run| run.calls) {
                call.answer(Err(error.clone()));
            }
            return;
        }
        let Some(run) = self.runs.map.get_mut(id) else { return };
        let answer = accepted(run);
        // `agent` has its first answer before anything that could end the run; `chat.send` has only the one, and
        // when it comes the message has its place.
        let calls = match run.new.family {
            Family::Agent => {
                run.calls.iter().for_each(|call| call.answer(Ok(Payload::Value(answer.clone()))));
                Vec::new()
            }
            Family::Chat => std::mem::take(&mut run.calls),
        };
        self.health_stale = true;
        match self.runs.map.get_mut(id).and_then(|run| run.new.command.take()) {
            Some(command) => self.run_command(id, &command),
            None => self.place_run(id),
        }
        for call in calls {
            call.answer(Ok(Payload::Value(answer.clone())));
        }
    }

    /// A command takes effect now, however busy the session is; what it has to say is said by a run.
    fn run_command(&mut self, id: &str, command: &(slash::At, slash::Invocation)) {
        let (at, invocation) = command;
        let doing = match commands::run(self, at, invocation) {
            Ok(Reply::Text(text)) => Doing::Say(Some(Box::new(move || Ok(text)))),
            Ok(Reply::Work(work)) => Doing::Say(Some(work)),
            Ok(Reply::Compact { instructions }) => Doing::Compact(instructions),
            Ok(Reply::Turn { message }) => {
                if let Some(run) = self.runs.map.get_mut(id) {
                    run.new.message = message;
                }
                Doing::Answer
            }
            Ok(Reply::Stop) => {
                let others: Vec<String> =
                    self.runs.of_session(&at.key).into_iter().filter(|r| r != id).collect();
                others.iter().for_each(|run| self.abort_run(run, crate::cancel::Reason::Stop));
                let text = if others.is_empty() { "Nothing is running." } else { "⚙️ Stopped." };
                Doing::Say(Some(Box::new(move || Ok(text.to_string()))))
            }
            Err(error) => return self.end_run(id, Err(error), None),
        };
        if let Some(run) = self.runs.map.get_mut(id) {
            run.doing = doing;
        }
        self.place_run(id);
    }
}

impl Run {
    fn of(new: NewRun, call: Call, now: u64) -> Run {
        let mut run = Run {
            doing: Doing::Answer,
            phase: Phase::Accepting,
            agent: String::new(),
            session_id: String::new(),
            cancel: Cancel::new(),
            mailbox: Mailbox::default(),
            attached: Vec::new(),
            calls: Vec::new(),
            nesting: Nesting::default(),
            lent_by: None,
            sender: Sender::default(),
            listeners: Vec::new(),
            accepted_at: now,
            started_at: None,
            deadline: None,
            not_before: 0,
            is_shortened: false,
            seq: 0,
            text: String::new(),
            agent_told: Told::default(),
            chat_told: Told::default(),
            verbose: Verbose::Off,
            shows_reasoning: false,
            footer: Footer::Off,
            replaces: false,
            silenced: false,
            new,
        };
        run.listen(&call);
        run.calls.push(call);
        run
    }
}

impl NewRun {
    /// What a transcript must not miss. A command is done or not; only what follows `/new` is a message.
    fn own_words(&self) -> Option<String> {
        match &self.command {
            None => Some(self.message.clone()),
            Some(command) => command.1.message().map(str::to_string),
        }
    }

    /// About how much memory its message takes, bytes.
    pub(super) fn size(&self) -> usize {
        let image = |block: &Value| block.get("data").and_then(Value::as_str).map_or(0, str::len);
        self.message.len() + self.images.iter().map(image).sum::<usize>()
    }
}

/// The first answer to the request.
fn accepted(run: &Run) -> Value {
    match run.new.family {
        Family::Agent => json!({"runId": run.new.id, "status": "accepted", "acceptedAt": run.accepted_at}),
        Family::Chat => json!({"runId": run.new.id, "status": "started"}),
    }
}
