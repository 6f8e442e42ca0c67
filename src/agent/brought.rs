//! What a program brings along that asks for a turn as it would ask a model: the conversation so far, tools of its own,
//! wishes about the answer. Plain data, made where the request comes in, used on the run's thread.
use crate::models::provider::{Provider, ToolCall, ToolSpec};
use serde_json::{Map, Value};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Default)]
pub struct Brought {
    /// Entries that a conversation begins with which has nothing said in it yet.
    pub history: Mutex<Vec<Value>>,
    /// Results of calls that the last answer left to the program.
    pub results: Mutex<Vec<Value>>,
    /// Tools that the program runs itself: a call of one ends the turn.
    pub tools: Vec<ToolSpec>,
    /// Tools of the gateway's that this turn does without.
    pub withheld: &'static [&'static str],
    /// The answer must be a call of one of them, so none of the gateway's own is offered.
    pub must_call: bool,
    /// See `models/formats/wanted.rs`.
    pub wanted: Map<String, Value>,
    /// The longest answer, tokens.
    pub max_tokens: Option<u64>,
    /// `provider/model` for this turn.
    pub model: Option<String>,
    /// About how much memory all of it takes, bytes.
    pub size: usize,
}

impl Brought {
    /// Another model for this turn.
    pub fn model(model: Option<String>) -> Option<Arc<Brought>> {
        model.map(|model| Arc::new(Brought { model: Some(model), ..Brought::default() }))
    }

    pub fn has_tool(&self, name: &str) -> bool {
        self.tools.iter().any(|tool| tool.name == name)
    }

    /// Takes the calls out that the program is to make.
    pub fn take_calls(&self, calls: &mut Vec<ToolCall>) -> Vec<ToolCall> {
        calls.extract_if(.., |call| self.has_tool(&call.name)).collect()
    }

    /// Has the provider's answer be no longer than is wanted.
    pub fn bind(&self, provider: &mut Provider) {
        provider.max_tokens = [self.max_tokens, provider.max_tokens].into_iter().flatten().min();
    }

    /// Takes out what stands before the message, for it may be large: the history only where nothing was said yet.
    pub fn entries(&self, is_new: bool) -> Vec<Value> {
        let take = |all: &Mutex<Vec<Value>>| {
            std::mem::take(&mut *all.lock().unwrap_or_else(PoisonError::into_inner))
        };
        let (mut entries, results) = (take(&self.history), take(&self.results));
        if !is_new {
            entries.clear();
        }
        entries.extend(results);
        entries
    }
}
