//! One answer of an `openai-completions` server, put together as it arrives.
//!
//! Runs on the run's thread, used by `openai` only. Hands text and reasoning on at once, collects tool
//! calls and usage, bounds what it keeps, and judges at the end whether this was an answer.
use super::dial::Phase;
use super::failure::{Failure, error_text, from_status, quote};
use super::http::{Answer, Fault};
use super::provider::{Chunk, Completion, Provider, ToolCall, Usage};
use super::sse::{Bad, Parser};
use serde_json::Value;
use std::time::Duration;

/// The most text, reasoning and tool arguments taken in one answer, in bytes.
const MAX_ANSWER: usize = 16 << 20;
const MAX_TOOL_CALLS: usize = 128;
/// How long usage and `[DONE]` are waited for once the answer is complete.
const TRAILER: Duration = Duration::from_secs(3);

/// Why reading an answer ended before it was complete.
pub enum Stop {
    Fault(Fault),
    Failure(Box<Failure>),
}

/// An answer as far as it has come.
pub struct Reply<'a> {
    p: &'a Provider,
    on: &'a mut dyn FnMut(Chunk),
    text: String,
    calls: Vec<PartialCall>,
    usage: Usage,
    finish: Option<String>,
    /// `[DONE]` was seen.
    done: bool,
    size: usize,
    /// Something was handed on.
    spoke: bool,
}

#[derive(Default)]
struct PartialCall {
    index: u64,
    id: String,
    name: String,
    arguments: String,
}

impl<'a> Reply<'a> {
    pub fn new(p: &'a Provider, on: &'a mut dyn FnMut(Chunk)) -> Reply<'a> {
        let (text, calls, usage) = (String::new(), Vec::new(), Usage::default());
        Reply { p, on, text, calls, usage, finish: None, done: false, size: 0, spoke: false }
    }

    /// Whether the model said that it is done; only the trailer may be missing.
    pub fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Whether something was handed on.
    pub fn spoke(&self) -> bool {
        self.spoke
    }

    /// A lasting failure of this answer.
    pub fn fail(&self, what: &str) -> Stop {
        Stop::Failure(Box::new(Failure::lasting(self.p, what)))
    }

    /// The failure of a stream that ended too early.
    pub fn cut_off(&self) -> Failure {
        Failure::passing(self.p, "ended the answer in the middle: look at the server's log, then try again")
    }

    /// Reads an event stream; `first` is what was read of it already.
    pub fn events(&mut self, answer: &mut Answer, first: Vec<u8>) -> std::result::Result<(), Stop> {
        let (mut parser, mut buf) = (Parser::new(), [0; 8192]);
        self.feed(&mut parser, &first, answer)?;
        while !self.done {
            match answer.read(&mut buf).map_err(Stop::Fault)? {
                0 => {
                    self.run(|on| parser.finish(on), answer)?;
                    break;
                }
                n => self.feed(&mut parser, buf.get(..n).unwrap_or_default(), answer)?,
            }
        }
        Ok(())
    }

    fn feed(&mut self, parser: &mut Parser, bytes: &[u8], answer: &Answer) -> std::result::Result<(), Stop> {
        self.run(|on| parser.push(bytes, on), answer)
    }

    fn run(
        &mut self,
        parse: impl FnOnce(&mut dyn FnMut(&str) -> bool) -> std::result::Result<(), Bad>,
        answer: &Answer,
    ) -> std::result::Result<(), Stop> {
        let mut stop = None;
        let parsed = parse(&mut |data| {
            stop = self.event(data, answer).err();
            stop.is_none() && !self.done
        });
        match (stop, parsed) {
            (Some(stop), _) => Err(stop),
            (None, Ok(())) => Ok(()),
            (None, Err(Bad::NotUtf8)) => Err(self.not_utf8()),
            (None, Err(Bad::TooLong)) => {
                Err(self.fail("sent a line longer than 1 MiB: this is no event stream of a model"))
            }
        }
    }

    fn not_utf8(&self) -> Stop {
        self.fail("sent text that is not UTF-8: fix the server, or choose another model")
    }

    fn event(&mut self, data: &str, answer: &Answer) -> std::result::Result<(), Stop> {
        let data = data.trim();
        if data == "[DONE]" {
            self.done = true;
            return Ok(());
        }
        if data.is_empty() {
            return Ok(());
        }
        let Ok(json) = serde_json::from_str::<Value>(data) else {
            return Err(self.fail(&format!(
                "sent an event that is not JSON (\"{}\"): check models.providers.{}.baseUrl",
                quote(self.p, data),
                self.p.id
            )));
        };
        self.take(&json, "delta")?;
        match (&self.finish, self.spoke) {
            (Some(_), _) => answer.watch().allow(Phase::Idle, TRAILER),
            (None, true) if answer.watch().phase() == Phase::FirstToken => answer.watch().enter(Phase::Idle),
            _ => {}
        }
        Ok(())
    }

    /// A whole completion in one JSON document.
    pub fn plain(&mut self, answer: &mut Answer, mut body: Vec<u8>) -> std::result::Result<(), Stop> {
        body.extend(answer.read_all(MAX_ANSWER).map_err(Stop::Fault)?);
        let text = std::str::from_utf8(&body).map_err(|_| self.not_utf8())?;
        let Ok(json) = serde_json::from_str::<Value>(text) else {
            return Err(self.fail(
                "answered with JSON that is cut off or broken: look at the server's log, then try again",
            ));
        };
        self.take(&json, "message")?;
        if self.finish.is_none() && (!self.text.is_empty() || !self.calls.is_empty()) {
            self.finish = Some("stop".into());
        }
        Ok(())
    }

    fn take(&mut self, json: &Value, part: &str) -> std::result::Result<(), Stop> {
        if let Some(error) = json.get("error").filter(|e| !e.is_null()) {
            return Err(self.reported(json, error));
        }
        if let Some(usage) = json.get("usage").filter(|u| u.is_object()) {
            self.usage = read_usage(usage);
        }
        let Some(choice) = json.get("choices").and_then(|c| c.get(0)) else { return Ok(()) };
        if let Some(delta) = choice.get(part).or_else(|| choice.get("message")) {
            self.delta(delta)?;
        }
        if let Some(finish) = choice.get("finish_reason").and_then(Value::as_str).filter(|f| !f.is_empty()) {
            self.finish = Some(finish.to_string());
        }
        Ok(())
    }

    /// An error object inside a 200 answer; its `code` may be an HTTP status.
    fn reported(&self, json: &Value, error: &Value) -> Stop {
        let status = error.get("code").and_then(|c| c.as_u64().or_else(|| c.as_str()?.parse().ok()));
        let failure = match status.and_then(|s| u16::try_from(s).ok()).filter(|s| (400..600).contains(s)) {
            Some(status) => from_status(self.p, status, json.to_string().as_bytes(), None),
            None => {
                let said = error_text(json).unwrap_or_else(|| error.to_string());
                Failure::passing(
                    self.p,
                    &format!(
                        "reported an error (\"{}\"): look at the server's log, then try again",
                        quote(self.p, &said)
                    ),
                )
            }
        };
        Stop::Failure(Box::new(Failure { again: failure.again && !self.spoke, ..failure }))
    }

    fn delta(&mut self, delta: &Value) -> std::result::Result<(), Stop> {
        let text = |name: &str| delta.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
        if let Some(reasoning) = text("reasoning_content").or(text("reasoning")) {
            self.grow(reasoning.len())?;
            self.spoke = true;
            (self.on)(Chunk::Reasoning(reasoning.to_string()));
        }
        // Refusals come under a name of their own, and are the answer.
        if let Some(piece) = text("content").or(text("refusal")) {
            self.grow(piece.len())?;
            self.text.push_str(piece);
            self.spoke = true;
            (self.on)(Chunk::Text(piece.to_string()));
        }
        for call in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            self.tool_call(call)?;
        }
        Ok(())
    }

    fn tool_call(&mut self, call: &Value) -> std::result::Result<(), Stop> {
        let function = call.get("function").unwrap_or(&Value::Null);
        let text =
            |from: &Value, name: &str| from.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
        let (id, name) = (text(call, "id"), text(function, "name"));
        let arguments = match function.get("arguments") {
            Some(Value::String(text)) => text.clone(),
            Some(object @ Value::Object(_)) => object.to_string(),
            _ => String::new(),
        };
        self.grow(arguments.len())?;
        // Servers without an index send each call whole, with an id.
        let last = self.calls.last().map(|c| c.index);
        let index = call.get("index").and_then(Value::as_u64).unwrap_or_else(|| match last {
            Some(last) if id.is_empty() => last,
            last => last.map_or(0, |last| last + 1),
        });
        if !self.calls.iter().any(|c| c.index == index) {
            if self.calls.len() >= MAX_TOOL_CALLS {
                return Err(Stop::Fault(Fault::TooLong));
            }
            self.calls.push(PartialCall { index, ..PartialCall::default() });
        }
        if let Some(known) = self.calls.iter_mut().find(|c| c.index == index) {
            if known.id.is_empty() {
                known.id = id;
            }
            if known.name.is_empty() {
                known.name = name;
            }
            known.arguments.push_str(&arguments);
        }
        self.spoke = true;
        Ok(())
    }

    fn grow(&mut self, by: usize) -> std::result::Result<(), Stop> {
        self.size += by;
        if self.size > MAX_ANSWER { Err(Stop::Fault(Fault::TooLong)) } else { Ok(()) }
    }

    /// The answer as a whole, or why it is none.
    pub fn complete(self) -> std::result::Result<Completion, Failure> {
        let stop_reason = match self.finish.as_deref() {
            None if !self.done && (self.spoke || !self.calls.is_empty()) => return Err(self.cut_off()),
            _ if !self.calls.is_empty() => "toolUse",
            Some("length" | "max_tokens") => "length",
            _ => "stop",
        };
        if self.text.is_empty() && self.calls.is_empty() {
            return Err(match stop_reason {
                "length" => Failure::lasting(
                    self.p,
                    "used up its tokens before it answered: raise maxTokens of the model, or reset the session",
                ),
                _ => Failure::passing(self.p, "sent an empty answer: try again, or choose another model"),
            });
        }
        let tool_calls = self.calls.into_iter().enumerate().map(|(n, call)| ToolCall {
            id: if call.id.is_empty() { format!("call_{n}") } else { call.id },
            name: call.name,
            arguments: read_arguments(call.arguments),
        });
        Ok(Completion {
            content: Vec::new(),
            text: self.text,
            stop_reason,
            usage: self.usage,
            tool_calls: tool_calls.collect(),
        })
    }
}

fn read_arguments(text: String) -> Value {
    if text.trim().is_empty() {
        return Value::Object(Default::default());
    }
    serde_json::from_str(&text).ok().filter(Value::is_object).unwrap_or(Value::String(text))
}

fn read_usage(usage: &Value) -> Usage {
    let count = |name: &str| usage.get(name).and_then(Value::as_u64);
    let prompt = count("prompt_tokens").unwrap_or(0);
    let cached =
        usage.get("prompt_tokens_details").and_then(|d| d.get("cached_tokens")).and_then(Value::as_u64);
    let cache_read = cached.or(count("prompt_cache_hit_tokens")).unwrap_or(0).min(prompt);
    let output = count("completion_tokens").unwrap_or(0);
    Usage {
        input: prompt - cache_read,
        output,
        cache_read,
        cache_write: 0,
        total: prompt.saturating_add(output),
    }
}
