//! What a run's thread says at its end. Plain data: made on that thread, read by the state thread.
use crate::agent::mailbox::Said;
use crate::error::Result;
use crate::models::provider::{Provider, ToolCall, Usage};

pub struct Finished {
    pub result: Result<()>,
    /// All messages that said something, the last one too.
    pub texts: Vec<String>,
    /// Whether the last of `texts` is the last message.
    pub ends_with_text: bool,
    pub provider: String,
    pub model: String,
    pub context_window: u64,
    /// Of all calls of the model together.
    pub usage: Usage,
    /// What they cost by the configured prices.
    pub cost: f64,
    /// Tokens that the last call's prompt took; `None` when nothing was learnt about it.
    pub context_tokens: Option<u64>,
    pub compactions: u64,
    /// Why the last answer ended, in the transcript's words.
    pub stop_reason: &'static str,
    /// Calls that the program which asked is to make.
    pub calls: Vec<ToolCall>,
    /// The model that was to answer and why another one did.
    pub fallback: Option<Fallback>,
    /// Messages that were put into the mailbox too late.
    pub leftover: Vec<Said>,
    /// It failed before its messages were in the transcript.
    pub had_no_effect: bool,
}

/// Another model took over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    pub from: String,
    pub to: String,
    /// One word, see `failure::reason`.
    pub reason: &'static str,
    pub error: String,
}

impl Finished {
    pub fn new() -> Finished {
        Finished {
            result: Ok(()),
            texts: Vec::new(),
            ends_with_text: false,
            provider: String::new(),
            model: String::new(),
            context_window: 0,
            usage: Usage::default(),
            cost: 0.0,
            context_tokens: None,
            compactions: 0,
            stop_reason: "stop",
            calls: Vec::new(),
            fallback: None,
            leftover: Vec::new(),
            had_no_effect: false,
        }
    }

    /// A message is whole.
    pub fn said(&mut self, text: String) {
        self.ends_with_text = !text.is_empty();
        self.texts.extend(Some(text).filter(|text| !text.is_empty()));
    }

    /// The last message.
    pub fn last(&self) -> &str {
        self.texts.last().filter(|_| self.ends_with_text).map_or("", String::as_str)
    }

    /// The model that answers, or will have failed.
    pub fn speaks(&mut self, provider: &Provider) {
        self.provider.clone_from(&provider.id);
        self.model.clone_from(&provider.model);
        self.context_window = provider.context_window;
    }
}
