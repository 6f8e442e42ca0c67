//! One agent run: read the session, ask the model, write down what came.
//!
//! Runs on its own thread (`gw-run-N`), which alone writes this run's lines to the transcript. It reports to
//! the state thread with events and ends soon after its cancel flag is set. It decides nothing about other
//! runs and sends nothing to clients.
use crate::agent::cancel::Cancel;
use crate::agent::prompt;
use crate::agent::provider::{BUILTIN, ChatRequest, Chunk, Completion, Provider, Thinking, Usage};
use crate::agents::Agents;
use crate::clock;
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::sessions::{Transcript, context, envelope, message};
use crate::shared::Shared;
use crate::state::event::Event;
use serde_json::Value;
use std::sync::Arc;

/// A turn to take.
pub struct Job {
    pub run: String,
    pub shared: Arc<Shared>,
    pub transcript: Transcript,
    pub agent: String,
    /// `provider/model` that the session chose; else the agent's, else the built-in one.
    pub model: Option<String>,
    pub message: String,
    /// Add the line that names the message (as `chat.send` does).
    pub names_message: bool,
    pub extra_system: Option<String>,
    pub cancel: Cancel,
}

/// What the state thread hears of a run.
pub enum RunEvent {
    Started {
        at: u64,
    },
    /// More of the answer.
    Text(String),
    Finished(Box<Finished>),
    /// The run's thread panicked.
    Died(String),
}

pub struct Finished {
    pub result: Result<()>,
    /// The answer, or as much of it as came.
    pub text: String,
    pub provider: String,
    pub model: String,
    pub context_window: u64,
    pub usage: Usage,
}

/// Bytes of conversation sent along for each token of the model's window: a cautious guess for any language.
const BYTES_PER_TOKEN: u64 = 3;
/// Share of the window left for the answer when the model's `maxTokens` is unknown.
const ANSWER_TOKENS: u64 = 4096;

/// Takes the turn and reports its end.
pub fn take(job: &Job) {
    // Models, keys and agents are looked at anew for each turn, so that a change needs no restart.
    let config = job.shared.fresh_config();
    let provider = resolve(job, &config);
    let mut finished = Finished {
        result: Ok(()),
        text: String::new(),
        provider: provider.as_ref().map_or_else(|_| String::new(), |p| p.id.clone()),
        model: provider.as_ref().map_or_else(|_| String::new(), |p| p.model.clone()),
        context_window: provider.as_ref().map_or(0, |p| p.context_window),
        usage: Usage::default(),
    };
    finished.result = turn(job, &config, provider, &mut finished);
    report(job, RunEvent::Finished(Box::new(finished)));
}

fn resolve(job: &Job, config: &Config) -> Result<Provider> {
    let agents = Agents::of(config, &job.shared.env);
    let model = job.model.clone().or_else(|| agents.model(&job.agent));
    let model = model.as_deref().unwrap_or(BUILTIN);
    Provider::resolve(config, &job.shared.env, model).map_err(|e| {
        // A provider that a mistake has switched off is missing for that reason.
        let cause = config.issues().iter().find(|issue| issue.path.starts_with("models"));
        cause.map_or(e, |issue| {
            Error::config(format!("model {model} is not usable: {}: {}", issue.path, issue.message))
        })
    })
}

fn turn(job: &Job, config: &Config, provider: Result<Provider>, finished: &mut Finished) -> Result<()> {
    report(job, RunEvent::Started { at: clock::now_ms() });
    job.transcript.repair()?;
    let is_new = !job.transcript.path().exists();
    write_question(job, config, provider.as_ref().ok())?;
    let answer = provider.and_then(|provider| {
        let result = ask(job, config, &provider, &mut finished.text);
        let written = write_answer(job, &provider, &finished.text, &result);
        let completion = result?;
        finished.usage = completion.usage;
        written
    });
    // One wait for the disk covers question and answer; until here the journal held the question.
    let synced = job.transcript.sync(is_new);
    let answer = answer.and(synced);
    // A run that was stopped by its deadline is late, not aborted.
    answer.map_err(|e| if e.kind == Kind::Aborted { job.cancel.error() } else { e })
}

fn write_question(job: &Job, config: &Config, provider: Option<&Provider>) -> Result<()> {
    let (now, zone) = (clock::now_ms(), config.str("agents.defaults.userTimezone"));
    let mut text = envelope::stamp(&job.message, now, zone);
    if job.names_message {
        text = envelope::with_message_id(&text, &job.run);
    }
    let mut entries = Vec::new();
    if let Some(provider) = provider.filter(|_| !job.transcript.path().exists()) {
        entries.push(message::model_change(&provider.id, &provider.model));
    }
    entries.push(message::of_run(message::user_text(&text, now), &job.run));
    job.transcript.append_unsynced(&entries).map(drop)
}

fn ask(job: &Job, config: &Config, provider: &Provider, text: &mut String) -> Result<Completion> {
    let reserved = provider.max_tokens.unwrap_or(ANSWER_TOKENS).min(provider.context_window / 2);
    let budget = (provider.context_window - reserved).saturating_mul(BYTES_PER_TOKEN);
    let messages = context::for_model(&job.transcript, usize::try_from(budget).unwrap_or(usize::MAX))?;
    let agents = Agents::of(config, &job.shared.env);
    let system = prompt::build(config, &agents, &job.agent, job.extra_system.as_deref());
    let request = ChatRequest { system: &system, messages: &messages, tools: &[], thinking: Thinking::Off };
    provider.stream(&request, &job.cancel, &mut |chunk| {
        if let Chunk::Text(delta) = chunk
            && !delta.is_empty()
        {
            text.push_str(&delta);
            report(job, RunEvent::Text(delta));
        }
    })
}

/// Writes the answer, a partial one too; a failure is written as such, so that the history shows it.
fn write_answer(job: &Job, provider: &Provider, partial: &str, result: &Result<Completion>) -> Result<()> {
    let (text, stop_reason, usage, error) = match result {
        Ok(done) => (done.text.as_str(), done.stop_reason, done.usage, None),
        Err(e) if e.kind == Kind::Aborted => (partial, "aborted", Usage::default(), None),
        Err(e) => (partial, "error", Usage::default(), Some(e.message())),
    };
    let content: Vec<Value> = if text.is_empty() { Vec::new() } else { vec![message::text(text)] };
    if content.is_empty() && stop_reason == "aborted" {
        return Ok(());
    }
    let answer = message::Assistant {
        content,
        api: provider.api.name(),
        provider: &provider.id,
        model: &provider.model,
        usage: message::Usage {
            input: usage.input,
            output: usage.output,
            cache_read: usage.cache_read,
            cache_write: 0,
        },
        stop_reason,
        error_message: error,
    };
    let entry = message::of_run(message::assistant(answer, clock::now_ms()), &job.run);
    job.transcript.append_unsynced(&[entry]).map(drop)
}

fn report(job: &Job, event: RunEvent) {
    // The state thread is gone only when the process ends; the transcript has what matters.
    let _ = job.shared.state.send(Event::Run { run: job.run.clone(), event });
}
