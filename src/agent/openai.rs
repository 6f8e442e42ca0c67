//! The wire format `openai-completions`: chat completions as OpenAI, llama.cpp, Ollama, vLLM and most
//! others speak them.
//!
//! Runs on the run's thread. Takes servers as they are: usage missing, `content` null or in parts, reasoning
//! under several names or between tags, tool calls without a number.
use super::draft::{Draft, End, Stop, Taken};
use super::format::{Format, Reader, bearer, list, text};
use super::openai_body;
use super::provider::Usage;
use super::think::Think;
use serde_json::Value;

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

#[derive(Default)]
struct Completions {
    think: Think,
}

impl Reader for Completions {
    fn event(&mut self, json: &Value, draft: &mut Draft) -> Taken {
        self.take(json, "delta", draft)
    }

    fn whole(&mut self, json: &Value, draft: &mut Draft) -> Taken {
        self.take(json, "message", draft)
    }

    fn end(&mut self, draft: &mut Draft) -> Taken {
        self.think.flush(draft)
    }
}

impl Completions {
    fn take(&mut self, json: &Value, part: &str, draft: &mut Draft) -> Taken {
        if let Some(usage) = json.get("usage").filter(|u| u.is_object()) {
            draft.usage = read_usage(usage);
        }
        let Some(choice) = json.get("choices").and_then(|c| c.get(0)) else { return Ok(()) };
        if choice.get("error").is_some_and(|e| !e.is_null()) {
            return Err(Stop::Reported(choice.clone()));
        }
        if let Some(delta) = choice.get(part).or_else(|| choice.get("message")) {
            self.delta(delta, draft)?;
        }
        draft.end = match text(choice, "finish_reason") {
            "" => draft.end,
            "length" | "max_tokens" => Some(End::Length),
            "content_filter" => Some(End::Refused),
            _ => Some(End::Stop),
        };
        Ok(())
    }

    fn delta(&mut self, delta: &Value, draft: &mut Draft) -> Taken {
        if let Some(name) = REASONING.iter().find(|name| !text(delta, name).is_empty()) {
            draft.thinking(text(delta, name))?;
            draft.sign_with(name);
        }
        self.think.push(text(delta, "content"), draft)?;
        for part in list(delta, "content") {
            match text(part, "type") {
                "thinking" => {
                    list(part, "thinking").try_for_each(|piece| draft.thinking(text(piece, "text")))?;
                }
                _ => self.think.push(text(part, "text"), draft)?,
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
        Some((last, _)) if id.is_empty() && name.is_empty() => last,
        last => last.map_or(0, |(last, _)| last.saturating_add(1)),
    });
    draft.call(index, id, name, &arguments)
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
#[path = "openai_tests.rs"]
mod tests;
