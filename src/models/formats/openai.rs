//! The wire format `openai-completions`: chat completions as OpenAI, llama.cpp, Ollama, vLLM and most
//! others speak them.
//!
//! Runs on the run's thread. Takes servers as they are: usage missing, `content` null or in parts, reasoning
//! under several names, tool calls without a number, with a new id for each piece or in the way of old, an end spoken
//! of too early.
use crate::config::apis;
use crate::fetch::http::Fault;
use crate::models::draft::{Draft, Stop, Taken};
use crate::models::ending;
use crate::models::format::{Format, Reader, bearer, list, text};
use crate::models::openai_body;
use crate::models::provider::Usage;
use crate::models::report;
use serde_json::{Map, Value};
use std::borrow::Cow;

pub static FORMAT: Format = Format {
    name: apis::COMPLETIONS,
    path: |_| "/chat/completions",
    headers: &[],
    credential: bearer,
    body: openai_body::build,
    ends_by_mark: true,
    reader: || Box::new(Completions::default()),
};

/// The names servers send reasoning by.
pub const REASONING: [&str; 3] = ["reasoning_content", "reasoning", "reasoning_text"];

/// Members of a tool call that its server wants back with it.
pub const KEPT: [&str; 3] = ["extra_content", "provider_specific_fields", "thought_signature"];

/// Members of a proof that come in pieces.
const GROWING: [&str; 3] = ["text", "summary", "data"];
const MAX_DETAILS: usize = 256;

#[derive(Default)]
struct Completions {
    has_counted: bool,
    /// Counts came before the end, so those beside it may not be the last.
    counts_always: bool,
    /// The number of the choice that is read, where a server gives several.
    choice: Option<u64>,
}

impl Reader for Completions {
    fn knows(&self, json: &Value) -> bool {
        list(json, "choices").next().is_some()
            || (json.get("usage").is_some_and(Value::is_object) && !report::has_words(json))
    }

    fn has_counted(&self) -> bool {
        self.has_counted
    }

    fn event(&mut self, json: &Value, draft: &mut Draft) -> Taken {
        self.take(json, "delta", draft)
    }

    fn whole(&mut self, json: &Value, draft: &mut Draft) -> Taken {
        self.take(json, "message", draft)
    }
}

impl Completions {
    fn take(&mut self, json: &Value, part: &str, draft: &mut Draft) -> Taken {
        let number = |choice: &Value| choice.get("index").and_then(Value::as_u64).unwrap_or(0);
        let first = list(json, "choices").next().map(number);
        self.choice = self.choice.or(first);
        let choice = list(json, "choices").find(|it| self.choice == Some(number(it)));
        // Beside the answer, in its only choice, or under a name of one's own.
        let places = [Some(json), choice, json.get("x_groq")];
        let usage = places.into_iter().flatten().find_map(|it| it.get("usage").filter(|u| u.is_object()));
        let end = choice.and_then(|choice| ending::of(text(choice, "finish_reason")));
        if let Some(usage) = usage {
            draft.usage = read_usage(usage);
            let is_at_end = end.is_some() || draft.end.is_some();
            self.has_counted |= is_at_end && !self.counts_always;
            self.counts_always |= !is_at_end;
        }
        let Some(choice) = choice else {
            if usage.is_none() {
                crate::models::format::skipped(text(json, "type"));
            }
            return Ok(());
        };
        if draft.done {
            return Ok(());
        }
        if choice.get("error").is_some_and(|e| !report::is_nothing(e)) {
            return Err(Stop::Reported(choice.clone()));
        }
        let said =
            [part, "message", "delta"].iter().find_map(|name| choice.get(*name).filter(|it| it.is_object()));
        match said {
            Some(delta) => self.delta(delta, draft)?,
            // As servers without a chat say it.
            None => draft.text(text(choice, "text"))?,
        }
        if end.is_some() {
            (draft.end, draft.goes_on) = (end, false);
        }
        Ok(())
    }

    fn delta(&mut self, delta: &Value, draft: &mut Draft) -> Taken {
        if let Some(name) = REASONING.iter().find(|name| !text(delta, name).is_empty()) {
            draft.thinking(text(delta, name))?;
            draft.sign_with(name);
        }
        reasoning_details(delta, draft)?;
        // Google marks thoughts that it writes as content.
        let google = delta.get("extra_content").and_then(|extra| extra.get("google"));
        match google.is_some_and(|g| g.get("thought").is_some_and(|t| t == true)) {
            true => draft.thinking(text(delta, "content"))?,
            false => content(delta.get("content").unwrap_or(&Value::Null), draft)?,
        }
        // Refusals come under a name of their own, and are the answer.
        draft.text(text(delta, "refusal"))?;
        // A single call may stand there without a list.
        let single = delta.get("tool_calls").filter(|it| it.is_object());
        let mut calls = list(delta, "tool_calls").chain(single).peekable();
        if calls.peek().is_none() {
            old_call(delta, draft)?;
        }
        calls.try_for_each(|call| tool_call(call, draft))
    }
}

/// A text, or parts of it, some of which are reasoning.
fn content(content: &Value, draft: &mut Draft) -> Taken {
    match content {
        Value::String(said) => draft.text(said),
        Value::Array(parts) => parts.iter().try_for_each(|part| self::content(part, draft)),
        Value::Object(_) if ["thinking", "reasoning"].contains(&text(content, "type")) => {
            let said = ["thinking", "reasoning", "text"].iter().find_map(|name| content.get(*name));
            match said.unwrap_or(&Value::Null) {
                Value::Array(parts) => parts.iter().try_for_each(|part| draft.thinking(text(part, "text"))),
                said => draft.thinking(said.as_str().unwrap_or_default()),
            }
        }
        Value::Object(_) => match content.get("text") {
            Some(Value::Object(inner)) => {
                draft.text(inner.get("value").and_then(Value::as_str).unwrap_or_default())
            }
            _ => draft.text(text(content, "text")),
        },
        _ => Ok(()),
    }
}

fn tool_call(call: &Value, draft: &mut Draft) -> Taken {
    // Name and arguments may stand beside the id.
    let function = call.get("function").filter(|it| it.is_object()).unwrap_or(call);
    let number = call.get("id").filter(|it| it.is_number()).map(Value::to_string);
    let (id, name) = (number.as_deref().unwrap_or(text(call, "id")), text(function, "name"));
    let index = call.get("index").and_then(Value::as_u64).unwrap_or_else(|| draft.number_of(id, name));
    draft.call(index, id, name, &arguments(function))?;
    KEPT.iter()
        .filter_map(|name| Some((*name, call.get(*name).filter(|it| !it.is_null())?)))
        .try_for_each(|(name, member)| draft.keep_with_call(index, name, member))
}

/// The one call of an answer, as it was written before there could be several.
fn old_call(delta: &Value, draft: &mut Draft) -> Taken {
    let Some(function) = delta.get("function_call") else { return Ok(()) };
    let (name, piece) = (text(function, "name"), arguments(function));
    if name.is_empty() && piece.is_empty() { Ok(()) } else { draft.call(0, "", name, &piece) }
}

/// A text, or what it should be the text of. An empty object says nothing that a text behind it could not say.
fn arguments(function: &Value) -> Cow<'_, str> {
    match function.get("arguments") {
        Some(Value::String(text)) => Cow::Borrowed(text),
        Some(Value::Object(members)) if members.is_empty() => Cow::Borrowed(""),
        Some(object @ Value::Object(_)) => Cow::Owned(object.to_string()),
        _ => Cow::Borrowed(""),
    }
}

/// Proofs of reasoning in a list of their own, in pieces that a number and a type hold together.
fn reasoning_details(delta: &Value, draft: &mut Draft) -> Taken {
    for piece in list(delta, "reasoning_details").filter_map(Value::as_object) {
        draft.grow(Value::Object(piece.clone()).to_string().len())?;
        let same = |known: &Value| ["type", "index"].iter().all(|name| known.get(*name) == piece.get(*name));
        let is_full = draft.details.len() >= MAX_DETAILS;
        match draft.details.last_mut().filter(|known| same(known)).and_then(Value::as_object_mut) {
            Some(known) => add(known, piece),
            None if is_full => return Err(Stop::Fault(Fault::TooLong)),
            None => draft.details.push(Value::Object(piece.clone())),
        }
    }
    Ok(())
}

/// Texts grow, everything else is what it was last.
fn add(known: &mut Map<String, Value>, piece: &Map<String, Value>) {
    for (name, value) in piece.iter().filter(|(_, value)| !value.is_null()) {
        match (known.get_mut(name), value) {
            (Some(Value::String(old)), Value::String(more)) if GROWING.contains(&name.as_str()) => {
                old.push_str(more);
            }
            _ => {
                known.insert(name.clone(), value.clone());
            }
        }
    }
}

fn read_usage(usage: &Value) -> Usage {
    let count = |name: &str| usage.get(name).and_then(Value::as_u64);
    let prompt = count("prompt_tokens").unwrap_or(0);
    let cached =
        usage.get("prompt_tokens_details").and_then(|d| d.get("cached_tokens")).and_then(Value::as_u64);
    let cache_read = cached.or(count("prompt_cache_hit_tokens")).unwrap_or(0).min(prompt);
    let reasoned = usage
        .get("completion_tokens_details")
        .and_then(|d| d.get("reasoning_tokens"))
        .and_then(Value::as_u64);
    Usage::of(prompt - cache_read, count("completion_tokens").unwrap_or(0), cache_read, 0).reasoned(reasoned)
}

#[cfg(test)]
#[path = "openai_dialect_tests.rs"]
mod dialect_tests;
#[cfg(test)]
#[path = "openai_odd_tests.rs"]
mod odd_tests;
#[cfg(test)]
#[path = "openai_tests.rs"]
mod tests;
