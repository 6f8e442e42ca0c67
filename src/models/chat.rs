//! What a model is asked and what it answers, the same for every wire format.
//!
//! Pure shapes. Messages and content blocks are values in the transcript's shape, so that nothing is lost
//! between the two.
use crate::json;
use crate::sessions::message;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Prices of a million tokens, in the currency the configuration is written in; 0 when unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    pub input: f64,
    pub output: f64,
    pub cache_read: f64,
    pub cache_write: f64,
}

impl Cost {
    /// What these tokens cost.
    pub fn of(&self, usage: &Usage) -> message::Cost {
        let amount = |price: f64, tokens: u64| price * tokens as f64 / 1e6;
        message::Cost {
            input: amount(self.input, usage.input),
            output: amount(self.output, usage.output),
            cache_read: amount(self.cache_read, usage.cache_read),
            cache_write: amount(self.cache_write, usage.cache_write),
        }
    }
}

/// What a model is asked. Messages have the shape of transcript messages.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChatRequest<'a> {
    pub system: &'a str,
    pub messages: &'a [Value],
    /// What the model may call; empty for none.
    pub tools: &'a [ToolSpec],
    pub thinking: Thinking,
    /// The turn has said or done something already: the model may end it without another word.
    pub has_acted: bool,
    /// What whoever asked wants of the answer, by the names that chat completions have for it; a format passes on what
    /// it has a name for.
    pub wanted: Option<&'a Map<String, Value>>,
}

/// A tool as a model is told of it.
#[derive(Debug, Clone)]
pub struct ToolSpec {
    pub name: Cow<'static, str>,
    pub description: Cow<'static, str>,
    /// JSON Schema of the arguments, as text: as values all of them take several times as much for as long as a model
    /// speaks.
    pub parameters: Cow<'static, str>,
}

impl ToolSpec {
    pub fn schema(&self) -> Value {
        json::read(&*self.parameters, json::REQUEST_VALUES, json::DEEPEST).unwrap_or_default()
    }
}

/// How much a model is to reason before it answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thinking {
    #[default]
    Off,
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
}

impl Thinking {
    /// The level of a name as config, requests and commands write it.
    pub fn parse(name: &str) -> Option<Thinking> {
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "off" => Thinking::Off,
            "minimal" => Thinking::Minimal,
            "low" => Thinking::Low,
            "medium" => Thinking::Medium,
            "high" => Thinking::High,
            "xhigh" => Thinking::XHigh,
            _ => return None,
        })
    }

    /// The same for whoever asks for a level; the error names it and says which there are.
    pub fn named(name: &str) -> std::result::Result<Thinking, String> {
        let wrong = || format!("{}: use off|minimal|low|medium|high|xhigh", crate::logging::quoted(name));
        Thinking::parse(name).ok_or_else(wrong)
    }

    pub fn name(self) -> &'static str {
        match self {
            Thinking::Off => "off",
            Thinking::Minimal => "minimal",
            Thinking::Low => "low",
            Thinking::Medium => "medium",
            Thinking::High => "high",
            Thinking::XHigh => "xhigh",
        }
    }
}

/// A piece of the answer, handed on as it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunk {
    Text(String),
    Reasoning(String),
    /// Some of the text turned out to be reasoning; what is left of it follows once more.
    Unsaid,
    /// The answer fails; this is what came of it.
    Kept(Box<Kept>),
}

/// What came of an answer that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Blocks in the transcript's shape, without tool calls: nobody runs those.
    pub content: Vec<Value>,
    pub usage: Usage,
}

/// Tokens counted by the server; zeros when it does not say. `input` is without those of the cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    /// Of the output.
    pub reasoning: u64,
    pub total: u64,
}

impl Usage {
    /// With their sum.
    pub fn of(input: u64, output: u64, cache_read: u64, cache_write: u64) -> Usage {
        let total = [output, cache_read, cache_write].iter().fold(input, |sum, n| sum.saturating_add(*n));
        Usage { input, output, cache_read, cache_write, reasoning: 0, total }
    }

    /// The same where the server says how much of the output was reasoning.
    pub fn reasoned(self, tokens: Option<u64>) -> Usage {
        Usage { reasoning: tokens.unwrap_or(0).min(self.output), ..self }
    }

    /// Counts those of a further call too.
    pub fn add(&mut self, other: &Usage) {
        let sum = |a: u64, b: u64| a.saturating_add(b);
        *self = Usage {
            input: sum(self.input, other.input),
            output: sum(self.output, other.output),
            cache_read: sum(self.cache_read, other.cache_read),
            cache_write: sum(self.cache_write, other.cache_write),
            reasoning: sum(self.reasoning, other.reasoning),
            total: sum(self.total, other.total),
        };
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// An object; a string holding the model's own words when they are not one.
    pub arguments: Value,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// Blocks in the transcript's shape, in the order they came: `thinking`, `text`, `toolCall`.
    pub content: Vec<Value>,
    /// `stop`, `length` or `toolUse`.
    pub stop_reason: &'static str,
    pub usage: Usage,
    pub tool_calls: Vec<ToolCall>,
    /// The server goes on with it when it gets it back.
    pub is_paused: bool,
}

impl Completion {
    /// All text blocks joined.
    pub fn text(&self) -> String {
        message::said(&self.content)
    }
}
