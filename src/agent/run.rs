//! One agent run: what it is given, what it reports, and its frame: write the question, take the turn, wait for
//! the disk.
//!
//! Runs on its own thread (`gw-run-N`), which alone writes this run's lines to the transcript. It reports to
//! the state thread with events and ends soon after its cancel flag is set. It decides nothing about other
//! runs and sends nothing to clients.
mod written;

use crate::agent::brought::Brought;
use crate::agent::budget::Budget;
use crate::agent::candidates::Candidates;
use crate::agent::compact;
use crate::agent::finished::Finished;
use crate::agent::mailbox::{Mailbox, Said};
use crate::agent::turn::Turn;
use crate::approvals::mode::Mode;
use crate::calls::{Ask, Provenance};
use crate::cancel::Cancel;
use crate::channels::house::Place;
use crate::clock;
use crate::config::Config;
use crate::deliveries::Login;
use crate::error::{Kind, Result};
use crate::json::json;
use crate::models::provider::Thinking;
use crate::sessions::{Transcript, message};
use crate::settings::Settings;
use crate::sys;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use written::question;

/// A run to do.
pub struct Job {
    pub run: String,
    pub settings: Arc<Settings>,
    /// Tells the state thread.
    pub tell: Box<dyn Fn(RunEvent) + Send + Sync>,
    /// Whether anybody hears of the messages of sessions.
    pub is_heard: Arc<AtomicBool>,
    /// Calls a method of the gateway, for the tools.
    pub ask: Arc<Ask>,
    pub transcript: Transcript,
    pub agent: String,
    /// Canonical session key.
    pub key: String,
    /// Where the conversation takes place, such as `webchat`.
    pub channel: Option<String>,
    /// On whose authority the turn is taken.
    pub provenance: Provenance,
    /// What the owner says of its commands.
    pub exec: Mode,
    /// The chat in which it was asked for.
    pub place: Option<(Login, Place)>,
    /// `provider/model` that the session chose; else the agent's, else the built-in one.
    pub model: Option<String>,
    /// What the request or the session asks for; else the agent's default, else the model's.
    pub thinking: Option<Thinking>,
    pub extra_system: Option<String>,
    /// What the program brings along that asks.
    pub brought: Option<Arc<Brought>>,
    /// What this turn and others of its family may cost.
    pub budget: Budget,
    pub task: Task,
    pub mailbox: Mailbox,
    pub cancel: Cancel,
}

/// What a run is for.
pub enum Task {
    /// Answer these messages.
    Answer(Vec<Said>),
    /// Put a summary in the place of the conversation so far.
    Compact(Option<String>),
    /// Say what the gateway itself has to say.
    Say(Words),
}

/// A text, or how it is made where files may be read.
pub type Words = Box<dyn FnOnce() -> Result<String> + Send>;

/// What the state thread hears of a run.
pub enum RunEvent {
    Started {
        at: u64,
    },
    /// A further message of the answer begins; what was said before stands for itself.
    NextMessage,
    /// More of the present message.
    Text(String),
    Reasoning(String),
    /// What was said of the present message was reasoning; the message begins anew.
    Unsaid,
    /// Data of an `agent` event of the stream `tool`.
    Tool(Value),
    /// Data of an `agent` event of another stream.
    Note {
        stream: &'static str,
        data: Value,
    },
    /// Messages that are in the transcript now, with their entries' ids.
    Wrote(Vec<(String, Value)>),
    Finished(Box<Finished>),
    /// The run's thread panicked.
    Died(String),
}

/// Does the run and reports its end.
pub fn take(mut job: Job) {
    sys::release_cache();
    let mut finished = Box::new(Finished::new());
    job.report(RunEvent::Started { at: clock::now_ms() });
    let task = std::mem::replace(&mut job.task, Task::Answer(Vec::new()));
    let result = match task {
        Task::Say(words) => say(&job, words, &mut finished),
        Task::Answer(said) => answer(&job, said, &mut finished),
        Task::Compact(instructions) => summarise(&job, instructions.as_deref(), &mut finished),
    };
    finished.leftover = job.mailbox.close();
    // A run that was stopped by its deadline is late, not aborted.
    finished.result = result.map_err(|e| if e.kind == Kind::Aborted { job.cancel.error() } else { e });
    job.report(RunEvent::Finished(finished));
    sys::release_memory();
}

/// Models, keys and agents are looked at anew for each turn, so that a change needs no restart.
fn answer(job: &Job, said: Vec<Said>, finished: &mut Finished) -> Result<()> {
    let config = job.settings.turn_config();
    let images = said.iter().any(|said| !said.images.is_empty());
    let mut candidates = Box::new(Candidates::of(job, &config, images));
    let is_new = !job.transcript.path().exists();
    let answer = match begin(job, &config, said, &candidates, is_new, finished)? {
        true => Turn::new(job, &config, finished).take(&mut candidates),
        false => Ok(()),
    };
    // One wait for the disk covers question and answer; until here the journal held the question.
    let synced = job.transcript.sync(is_new);
    answer.and(synced)
}

/// Writes down what the model is to see; whether it is to be asked.
#[inline(never)]
fn begin(
    job: &Job,
    config: &Config,
    said: Vec<Said>,
    candidates: &Candidates,
    is_new: bool,
    finished: &mut Finished,
) -> Result<bool> {
    if let Some(provider) = candidates.present() {
        finished.speaks(provider);
    }
    finished.had_no_effect = true;
    // Results that the program brings are those of calls left open, so they come before the repair.
    let brought = job.brought.as_ref().map(|brought| brought.entries(is_new)).unwrap_or_default();
    if !brought.is_empty() {
        job.write(brought, false)?;
    }
    job.transcript.repair()?;
    let (said, is_open) = job.take_up(said, finished);
    job.write_questions(config, said, candidates.present().filter(|_| is_new))?;
    finished.had_no_effect = false;
    Ok(is_open)
}

#[inline(never)]
fn say(job: &Job, words: Words, finished: &mut Finished) -> Result<()> {
    let text = words()?;
    job.write(vec![message::injected(&text, None, clock::now_ms())], true)?;
    (finished.provider, finished.model) = ("openclaw".to_string(), "gateway-injected".to_string());
    job.report(RunEvent::Text(text.clone()));
    finished.said(text);
    Ok(())
}

/// `/compact`: the summary goes into the transcript, a word about it to the user.
#[inline(never)]
fn summarise(job: &Job, instructions: Option<&str>, finished: &mut Finished) -> Result<()> {
    let config = job.settings.turn_config();
    let mut candidates = Candidates::of(job, &config, false);
    let provider = candidates.provider()?.clone();
    finished.speaks(&provider);
    job.transcript.repair()?;
    job.report(RunEvent::Note { stream: "compaction", data: json!({"phase": "start"}) });
    let done = compact::compact(&job.transcript, &provider, &config, instructions, &job.cancel);
    job.report(RunEvent::Note { stream: "compaction", data: json!({"phase": "end", "willRetry": false}) });
    let text = match done? {
        Some(done) => {
            finished.compactions = 1;
            finished.context_tokens = Some(done.tokens_after);
            format!("⚙️ Compacted: {} tokens before, about {} now.", done.tokens_before, done.tokens_after)
        }
        None => "⚙️ Nothing to compact: the conversation is short.".to_string(),
    };
    say(job, Box::new(move || Ok(text)), finished)?;
    finished.speaks(&provider);
    Ok(())
}

impl Job {
    pub fn report(&self, event: RunEvent) {
        (self.tell)(event);
    }

    /// What of these messages is to be written, and whether the model is to be asked at all: one that is asked for again may
    /// stand there, and what was said to it before the process ended is said as if it were new, and not asked for twice.
    #[inline(never)]
    pub fn take_up(&self, said: Vec<Said>, finished: &mut Finished) -> (Vec<Said>, bool) {
        let mut is_open = said.is_empty();
        let (mut rest, mut notes) = (Vec::new(), Vec::new());
        for mut said in said {
            let standing = said.is_again.then(|| self.transcript.standing(&said.run)).flatten();
            let Some(standing) = standing else {
                is_open = true;
                rest.push(said);
                continue;
            };
            is_open |= !standing.is_answered;
            notes.append(&mut said.notes);
            for text in standing.texts {
                if std::mem::take(&mut finished.ends_with_text) {
                    self.report(RunEvent::NextMessage);
                }
                self.report(RunEvent::Text(text.clone()));
                finished.said(text);
            }
        }
        // What became of the session since is new all the same.
        match rest.first_mut() {
            Some(first) => first.notes.splice(0..0, notes).for_each(drop),
            None if notes.is_empty() => {}
            None => rest.push(Said { run: self.run.clone(), notes, is_bare: true, ..Said::default() }),
        }
        (rest, is_open)
    }
}
