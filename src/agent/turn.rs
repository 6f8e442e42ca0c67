//! A turn: the model is asked, the tools that it calls are run, it is asked again, until it has answered.
//!
//! Runs on the run's thread. Between two calls of the model, messages that came meanwhile are taken in, a full
//! window is compacted, and when a model fails before it has said anything the next one takes over. Whatever
//! happens, the transcript ends in a shape that the next turn can go on from. What does not wait for the model's words has
//! a frame of its own (`inline(never)`), as in `models/ask.rs`.
mod writing;
use super::{compact, oversize, prompt, room};
use crate::agent::candidates::Candidates;
use crate::agent::finished::Finished;
use crate::agent::repeats::Repeats;
use crate::agent::run::{Job, RunEvent};
use crate::agents::Agents;
use crate::clock;
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::json::{Put, json};
use crate::logging::{quoted, warn_once};
use crate::models::failure;
use crate::models::provider::{ChatRequest, Chunk, Completion, Kept, Provider, Thinking, ToolCall, ToolSpec};
use crate::sessions::message;
use crate::tools::{self, Progress, Tool};
use serde_json::Value;

pub struct Turn<'a> {
    job: &'a Job,
    config: &'a Config,
    finished: &'a mut Finished,
    /// What is the same for all calls of one model.
    setting: Option<Box<Setting>>,
    rounds: u64,
    /// Tokens that the budget knows of.
    counted: u64,
    repeats: Repeats,
    /// The present message is in the transcript.
    is_written: bool,
    /// Something of it was told.
    has_said: bool,
    /// What came of an answer that failed.
    kept: Option<Kept>,
    /// Our guess of what the last request took, for servers that do not count.
    guess: u64,
}

struct Setting {
    provider: Provider,
    offered: Vec<&'static Tool>,
    specs: Vec<ToolSpec>,
    system: String,
    thinking: Thinking,
}

impl Setting {
    /// Bytes that are sent whatever the conversation is.
    fn fixed_bytes(&self) -> usize {
        room::fixed_bytes(&self.system, &self.specs)
    }
}

impl<'a> Turn<'a> {
    pub fn new(job: &'a Job, config: &'a Config, finished: &'a mut Finished) -> Turn<'a> {
        Turn {
            job,
            config,
            finished,
            setting: None,
            rounds: 0,
            counted: 0,
            repeats: Repeats::default(),
            is_written: true,
            has_said: false,
            kept: None,
            guess: 0,
        }
    }

    /// Goes on until the model has answered and nobody has said more meanwhile.
    pub fn take(mut self, candidates: &mut Candidates) -> Result<()> {
        loop {
            let mut completion = match self.ask(candidates) {
                Ok(completion) => completion,
                Err(e) => return self.fail(e),
            };
            self.write_answer(&mut completion)?;
            let total = self.finished.usage.total;
            self.job.budget.spend(total - std::mem::replace(&mut self.counted, total));
            if let Some(brought) = &self.job.brought {
                let calls = brought.take_calls(&mut completion.tool_calls);
                if !calls.is_empty() {
                    self.finished.calls = calls;
                    return self.end_with_calls(&completion.tool_calls);
                }
            }
            let is_done = completion.tool_calls.is_empty() && !completion.is_paused;
            if !completion.tool_calls.is_empty() {
                self.use_tools(&completion.tool_calls)?;
            } else if !is_done {
                self.count_round()?;
            }
            if self.take_mail(is_done)? {
                return Ok(());
            }
        }
    }

    /// Writes what came meanwhile. True where nobody has said more to an answer, and nobody can any more.
    #[inline(never)]
    fn take_mail(&mut self, is_done: bool) -> Result<bool> {
        loop {
            if is_done && self.job.mailbox.close_if_empty() {
                return Ok(true);
            }
            let (said, is_open) = self.job.take_up(self.job.mailbox.take(), self.finished);
            if is_open || !is_done {
                self.job.write_questions(self.config, said, None)?;
                return Ok(false);
            }
        }
    }

    /// The program that asked makes the rest of the calls and comes back with their results.
    fn end_with_calls(&mut self, own: &[ToolCall]) -> Result<()> {
        if own.is_empty() { Ok(()) } else { self.use_tools(own) }
    }

    /// One answer, from the first model that gives one.
    fn ask(&mut self, candidates: &mut Candidates) -> Result<Completion> {
        if std::mem::take(&mut self.finished.ends_with_text) {
            self.job.report(RunEvent::NextMessage);
        }
        loop {
            match candidates.provider().and_then(|provider| self.attempt(provider)) {
                Ok(completion) => return Ok(completion),
                Err(error) => self.fall_back(candidates, error)?,
            }
        }
    }

    /// Has the next model take over, unless the user has seen of an answer: that is not replaced by another's.
    #[inline(never)]
    fn fall_back(&mut self, candidates: &mut Candidates, error: Error) -> Result<()> {
        if self.has_said {
            return Err(error);
        }
        let fallback = candidates.next(error)?;
        self.setting = None;
        let data = json!({"phase": "fallback", "from": fallback.from, "to": fallback.to, "reason": fallback.reason, "error": fallback.error});
        self.job.report(RunEvent::Note { stream: "lifecycle", data });
        self.finished.fallback = Some(fallback);
        if let Some(provider) = candidates.present() {
            self.finished.speaks(provider);
            self.job.write(vec![message::model_change(&provider.id, &provider.model)], false)?;
        }
        Ok(())
    }

    fn attempt(&mut self, provider: &Provider) -> Result<Completion> {
        let setting = match self.setting.take() {
            Some(setting) => setting,
            None => self.set_up(provider),
        };
        let result = self.converse(&setting);
        self.setting = Some(setting);
        result
    }

    #[inline(never)]
    fn set_up(&self, provider: &Provider) -> Box<Setting> {
        let job = self.job;
        let agents = Agents::of(self.config, &job.settings.env);
        let model = format!("{}/{}", provider.id, provider.model);
        let mut offered = match provider.tools {
            true => tools::offered(self.config, &job.settings.env, &job.agent, &model, &job.key),
            false => Vec::new(),
        };
        offered.retain(|tool| tools::serves(self.config, tool, job.provenance));
        if let Some(brought) = &job.brought {
            let is_out = |name: &str| brought.has_tool(name) || brought.withheld.contains(&name);
            offered.retain(|tool| !brought.must_call && !is_out(tool.name));
        }
        let by_default = || agents.thinking_default(&job.agent).unwrap_or(Thinking::Low);
        let thinking =
            if provider.reasoning { job.thinking.unwrap_or_else(by_default) } else { Thinking::Off };
        let wanted = prompt::Wanted {
            config: self.config,
            agents: &agents,
            agent: &job.agent,
            session_key: &job.key,
            channel: job.channel.as_deref(),
            model: &model,
            tools: &offered,
            thinking,
            extra: job.extra_system.as_deref(),
        };
        let system = prompt::build(&wanted);
        let mut specs = tools::specs(&offered);
        specs.extend(job.brought.iter().flat_map(|brought| brought.tools.iter().cloned()));
        let mut setting = Box::new(Setting { specs, system, offered, thinking, provider: provider.clone() });
        if let Some(brought) = &job.brought {
            brought.bind(&mut setting.provider);
        }
        setting
    }

    /// Asks the model with as much of the conversation as fits, after a compaction where that is due.
    fn converse(&mut self, setting: &Setting) -> Result<Completion> {
        let fixed = setting.fixed_bytes();
        let mut window = compact::window(&self.job.transcript, &setting.provider, fixed, self.config)?;
        if let Some(error) = oversize::why(&window.messages, &setting.provider, self.config) {
            return Err(error);
        }
        if window.is_full && self.compact(setting, false)? {
            window = compact::window(&self.job.transcript, &setting.provider, fixed, self.config)?;
        }
        self.tell_of_room(setting, fixed, window.is_cut);
        self.guess = window.tokens;
        match self.stream(setting, &window.messages) {
            Err(e) if !self.has_said && failure::is_context_overflow(&e) => {
                if !self.compact(setting, true)? {
                    return Err(e);
                }
                let window = compact::window(&self.job.transcript, &setting.provider, fixed, self.config)?;
                self.stream(setting, &window.messages)
            }
            result => result,
        }
    }

    /// What a model is not told is never left out in silence.
    #[inline(never)]
    fn tell_of_room(&self, setting: &Setting, fixed: usize, is_cut: bool) {
        if let Some(why) = compact::crowded(&setting.provider, fixed, self.config) {
            warn_once("gateway/agent", format!("agent {}: {why}", self.job.agent));
        }
        if is_cut {
            let session = quoted(&self.job.key);
            let what = "its oldest messages do not fit into the model's window and are left out";
            warn_once("gateway/agent", format!("session {session}: {what} until it is compacted"));
        }
    }

    /// Whether the conversation is shorter now. Once a turn; what fails here leaves the conversation as it is.
    #[inline(never)]
    fn compact(&mut self, setting: &Setting, will_retry: bool) -> Result<bool> {
        if self.finished.compactions > 0 {
            return Ok(false);
        }
        let note = |data: Value| self.job.report(RunEvent::Note { stream: "compaction", data });
        note(json!({"phase": "start"}));
        let done =
            compact::compact(&self.job.transcript, &setting.provider, self.config, None, &self.job.cancel);
        note(json!({"phase": "end", "willRetry": will_retry}));
        match done {
            Ok(done) => {
                self.finished.compactions += u64::from(done.is_some());
                Ok(done.is_some())
            }
            Err(e) if e.kind == Kind::Aborted => Err(e),
            Err(e) => {
                log::warn!(target: "gateway/agent", "compact session {}: {e}; the oldest messages are left out instead", quoted(&self.job.key));
                Ok(false)
            }
        }
    }

    fn stream(&mut self, setting: &Setting, messages: &[Value]) -> Result<Completion> {
        let (system, tools, thinking) = (setting.system.as_str(), setting.specs.as_slice(), setting.thinking);
        let has_acted = self.rounds > 0 || !self.finished.texts.is_empty();
        let wanted = self.job.brought.as_ref().map(|brought| &brought.wanted);
        let request = ChatRequest { system, messages, tools, thinking, has_acted, wanted };
        self.is_written = false;
        self.kept = None;
        let Finished { usage: used, cost, .. } = &mut *self.finished;
        let (job, kept, has_said) = (self.job, &mut self.kept, &mut self.has_said);
        setting.provider.stream(&request, &job.cancel, &mut |chunk| match chunk {
            Chunk::Text(delta) if !delta.is_empty() => {
                *has_said = true;
                job.report(RunEvent::Text(delta));
            }
            Chunk::Reasoning(delta) if !delta.is_empty() => job.report(RunEvent::Reasoning(delta)),
            Chunk::Text(_) | Chunk::Reasoning(_) => {}
            Chunk::Unsaid => {
                *has_said = false;
                job.report(RunEvent::Unsaid);
            }
            Chunk::Kept(what) => {
                used.add(&what.usage);
                *cost += setting.provider.cost.of(&what.usage).total();
                *kept = Some(*what);
            }
        })
    }

    /// Runs the tools and writes their results; every call gets one, whatever happens.
    #[inline(never)]
    fn use_tools(&mut self, calls: &[ToolCall]) -> Result<()> {
        let job = self.job;
        let context = tools::Context {
            settings: job.settings.clone(),
            ask: job.ask.clone(),
            config: self.config.clone(),
            agent: job.agent.clone(),
            session_key: job.key.clone(),
            run: job.run.clone(),
            provenance: job.provenance,
            exec: job.exec,
            place: job.place.clone(),
            workspace: Agents::of(self.config, &job.settings.env).workspace(&job.agent),
            cancel: job.cancel.clone(),
            updates: None,
        };
        let offered = self.setting.as_ref().map(|s| s.offered.clone()).unwrap_or_default();
        let mut outcomes = tools::run_all(&context, &offered, calls, &mut |progress| {
            job.report(RunEvent::Tool(told(&progress)))
        });
        let judged = self.repeats.judge(calls, &mut outcomes);
        let now = clock::now_ms();
        let results = calls.iter().zip(&outcomes).map(|(call, o)| {
            let result = message::tool_result(&call.id, &call.name, &o.text, o.is_error, now);
            message::with_pictures(message::with_details(result, o.details.as_deref()), &o.pictures)
        });
        job.write(results.collect(), false)?;
        judged?;
        if job.cancel.reason().is_some() {
            return Err(job.cancel.error());
        }
        self.count_round()
    }

    /// Fails where the model, or its server, has used tools too often.
    fn count_round(&mut self) -> Result<()> {
        let job = self.job;
        self.rounds += 1;
        job.budget.spend_round();
        let max = job.settings.limits.tool_rounds;
        if self.rounds >= max {
            let text = format!(
                "the model used its tools {max} times without an answer; ask for less at a time or raise gateway.limits.toolRounds"
            );
            return Err(Error::new(Kind::Model, text));
        }
        job.budget.check()
    }
}

/// The `tool` event of a step.
fn told(progress: &Progress) -> Value {
    match progress {
        Progress::Started(call) => {
            json!({"phase": "start", "name": call.name, "toolCallId": call.id, "args": call.arguments})
        }
        Progress::Updated(call, partial) => {
            json!({"phase": "update", "name": call.name, "toolCallId": call.id, "partialResult": (Value::clone(partial))})
        }
        Progress::Ended(call, outcome) => {
            let mut data = json!({"phase": "result", "name": call.name, "toolCallId": call.id, "isError": outcome.is_error,
                "result": {"content": [message::text(&outcome.text)]}});
            if let (Some(map), Some(meta)) = (data.as_object_mut(), &outcome.meta) {
                map.put("meta", meta.as_str());
            }
            if let (Some(result), Some(details)) =
                (data.get_mut("result").and_then(Value::as_object_mut), &outcome.details)
            {
                result.put("details", Value::clone(details));
            }
            data
        }
    }
}
