//! The wire format `anthropic-messages`.
//!
//! Runs on the run's thread. Reads the event stream of a message, or the message as one document. Thinking
//! keeps its signature, because the server wants both back while a turn goes on.
use crate::config::apis;
use crate::models::anthropic_body;
use crate::models::draft::{Draft, Taken};
use crate::models::ending;
use crate::models::format::{Format, Reader, bearer, list, skipped, text};
use crate::models::provider::{Provider, Usage};
use serde_json::Value;

pub static FORMAT: Format = Format {
    name: apis::MESSAGES,
    path,
    headers: &[("anthropic-version", "2023-06-01")],
    credential,
    body: anthropic_body::build,
    ends_by_mark: false,
    reader: || Box::new(Messages::default()),
};

/// Base URLs are written with and without the version.
fn path(p: &Provider) -> &'static str {
    let base = p.base_url.split('?').next().unwrap_or_default();
    if base.trim_end_matches('/').ends_with("/v1") { "/messages" } else { "/v1/messages" }
}

fn credential(p: &Provider, key: &str) -> (&'static str, String) {
    if p.bearer { bearer(p, key) } else { ("x-api-key", key.to_string()) }
}

#[derive(Default)]
struct Messages {
    /// The block that takes no further arguments: a tool that the server itself calls, or a call that came whole.
    closed: Option<u64>,
    has_counted: bool,
}

impl Reader for Messages {
    fn knows(&self, json: &Value) -> bool {
        let kind = text(json, "type");
        ["message", "content_block", "ping"].iter().any(|known| kind.starts_with(known))
            || json.get("content").is_some_and(Value::is_array)
    }

    fn has_counted(&self) -> bool {
        self.has_counted
    }

    fn event(&mut self, json: &Value, draft: &mut Draft) -> Taken {
        let index = json.get("index").and_then(Value::as_u64).unwrap_or(0);
        match text(json, "type") {
            "message_start" => {
                count(json.get("message").unwrap_or(&Value::Null), draft);
                Ok(())
            }
            "content_block_start" => {
                let start = json.get("content_block").unwrap_or(&Value::Null);
                let is_open = text(start, "type") == "tool_use" && input(start).is_none();
                self.closed = (!is_open).then_some(index);
                block(index, start, draft)
            }
            "content_block_delta" => {
                let delta = json.get("delta").unwrap_or(&Value::Null);
                match text(delta, "type") {
                    "text_delta" => draft.text(text(delta, "text")),
                    "thinking_delta" => draft.thinking(text(delta, "thinking")),
                    "signature_delta" => draft.sign(text(delta, "signature")),
                    "input_json_delta" if self.closed == Some(index) => {
                        draft.server_input(text(delta, "partial_json"))
                    }
                    "input_json_delta" => match delta.get("partial_json") {
                        Some(object @ Value::Object(_)) => draft.call(index, "", "", &object.to_string()),
                        _ => draft.call(index, "", "", text(delta, "partial_json")),
                    },
                    other => {
                        skipped(other);
                        Ok(())
                    }
                }
            }
            "message_delta" => {
                count(json, draft);
                end(json.get("delta").unwrap_or(&Value::Null), draft);
                self.has_counted |= draft.end.is_some() && json.get("usage").is_some_and(Value::is_object);
                Ok(())
            }
            "message_stop" => {
                draft.done = true;
                Ok(())
            }
            "ping" | "content_block_stop" => Ok(()),
            // The whole message in one event.
            "message" => self.whole(json, draft),
            other => {
                skipped(other);
                Ok(())
            }
        }
    }

    fn whole(&mut self, json: &Value, draft: &mut Draft) -> Taken {
        for (index, content) in list(json, "content").enumerate() {
            block(index as u64, content, draft)?;
        }
        count(json, draft);
        end(json, draft);
        Ok(())
    }
}

/// A block at its start, or as a whole.
fn block(index: u64, block: &Value, draft: &mut Draft) -> Taken {
    draft.part()?;
    match text(block, "type") {
        "text" => draft.text(text(block, "text")),
        "thinking" => {
            draft.thinking(text(block, "thinking"))?;
            match text(block, "signature") {
                "" => Ok(()),
                signature => draft.sign(signature),
            }
        }
        "redacted_thinking" => draft.redacted(text(block, "data")),
        "tool_use" => {
            let input = input(block).map(Value::to_string).unwrap_or_default();
            draft.call(index, text(block, "id"), text(block, "name"), &input)
        }
        kind if is_servers(kind) => draft.server(block),
        _ => Ok(()),
    }
}

/// Whether a block is a step of tools that the server itself calls, or what came of it.
pub fn is_servers(kind: &str) -> bool {
    kind.ends_with("_tool_use") || kind.ends_with("_tool_result")
}

/// A call's arguments, where they come with its start.
fn input(block: &Value) -> Option<&Value> {
    block.get("input").filter(|i| i.as_object().is_some_and(|map| !map.is_empty()))
}

fn end(json: &Value, draft: &mut Draft) {
    if let Some(end) = ending::of(text(json, "stop_reason")) {
        (draft.end, draft.goes_on) = (Some(end), false);
    }
}

/// Counts come in several events, each with what is known by then.
fn count(json: &Value, draft: &mut Draft) {
    let Some(usage) = json.get("usage") else { return };
    let so_far = draft.usage;
    let read = |name: &str, old: u64| usage.get(name).and_then(Value::as_u64).unwrap_or(old);
    draft.usage = Usage::of(
        read("input_tokens", so_far.input),
        read("output_tokens", so_far.output),
        read("cache_read_input_tokens", so_far.cache_read),
        read("cache_creation_input_tokens", so_far.cache_write),
    );
}

#[cfg(test)]
#[path = "anthropic_tests.rs"]
mod tests;
