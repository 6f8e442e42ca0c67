//! The wire format `openai-completions`: chat completions as OpenAI, llama.cpp, Ollama, vLLM and most
//! others speak them.
//!
//! Runs on the run's thread. Takes servers as they are: usage missing, `content` null or in parts, reasoning
//! under several names, tool calls without a number or with a new id for each piece, an end spoken of too early.
use super::draft::{Draft, End, Stop, Taken};
use super::format::{Format, Reader, bearer, list, text};
use super::openai_body;
use super::provider::Usage;
use crate::fetch::http::Fault;
use serde_json::{Map, Value};

pub static FORMAT: Format = Format {
    name: "openai-completions",
    path: |_| "/chat/completions",
    headers: &[],
    credential: bearer,
    body: openai_body::build,
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
    /// The number of the choice that is read, where a server gives several.
    choice: Option<u64>,
}

impl Reader for Completions {
    fn knows(&self, json: &Value) -> bool {
        list(json, "choices").next().is_some()
            || json.get("usage").is_some_and(Value::is_object)
            || text(json, "object").starts_with("chat.completion")
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
        if let Some(usage) = usage {
            draft.usage = read_usage(usage);
            self.has_counted |= first.is_none();
        }
        let Some(choice) = choice else {
            if usage.is_none() {
                super::format::skipped(text(json, "type"));
            }
            return Ok(());
        };
        if draft.done {
            return Ok(());
        }
        if choice.get("error").is_some_and(|e| !e.is_null()) {
            return Err(Stop::Reported(choice.clone()));
        }
        if let Some(delta) = [part, "message", "delta"].iter().find_map(|name| choice.get(*name)) {
            self.delta(delta, draft)?;
        }
        if let Some(end) = end(text(choice, "finish_reason")) {
            (draft.end, draft.goes_on) = (Some(end), false);
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
            false => draft.text(text(delta, "content"))?,
        }
        for part in list(delta, "content") {
            match text(part, "type") {
                "thinking" => {
                    list(part, "thinking").try_for_each(|piece| draft.thinking(text(piece, "text")))?;
                }
                _ => draft.text(text(part, "text"))?,
            }
        }
        // Refusals come under a name of their own, and are the answer.
        draft.text(text(delta, "refusal"))?;
        list(delta, "tool_calls").try_for_each(|call| tool_call(call, draft))
    }
}

fn tool_call(call: &Value, draft: &mut Draft) -> Taken {
    let function = call.get("function").unwrap_or(&Value::Null);
    let arguments = match function.get("arguments") {
        Some(Value::String(text)) => text.clone(),
        Some(object @ Value::Object(_)) => object.to_string(),
        _ => String::new(),
    };
    let id = text(call, "id");
    let name = text(function, "name");
    // Servers without a number send each call whole, with an id or at least its name.
    let index = call.get("index").and_then(Value::as_u64).unwrap_or_else(|| match draft.last_call() {
        Some((last, known)) if id == known && (!id.is_empty() || name.is_empty()) => last,
        Some((last, _)) if name.is_empty() => last,
        last => last.map_or(0, |(last, _)| last.saturating_add(1)),
    });
    draft.call(index, id, name, &arguments)?;
    KEPT.iter()
        .filter_map(|name| Some((*name, call.get(*name).filter(|it| !it.is_null())?)))
        .try_for_each(|(name, member)| draft.keep_with_call(index, name, member))
}

/// Why the model ended; nothing where it did not.
fn end(reason: &str) -> Option<End> {
    let reason = reason.to_ascii_lowercase();
    let says = |list: &[&str]| list.iter().any(|part| reason.contains(part));
    match reason.as_str() {
        "" | "null" | "none" | "unspecified" | "finish_reason_unspecified" => None,
        "length" | "max_tokens" | "max_length" | "model_length" | "model_context_window_exceeded" => {
            Some(End::Length)
        }
        "content_filter" | "sensitive" | "safety" | "recitation" | "prohibited_content" | "refusal" => {
            Some(End::Refused)
        }
        "abort" | "aborted" | "cancelled" | "insufficient_system_resource" => Some(End::Broken),
        _ if says(&["error", "malformed"]) => Some(End::Broken),
        _ if says(&["content_filter"]) => Some(End::Refused),
        _ => Some(End::Stop),
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
    Usage::of(prompt - cache_read, count("completion_tokens").unwrap_or(0), cache_read, 0)
}

#[cfg(test)]
#[path = "openai_dialect_tests.rs"]
mod dialect_tests;
#[cfg(test)]
#[path = "openai_tests.rs"]
mod tests;
