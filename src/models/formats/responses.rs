//! The wire format `openai-responses`: items instead of messages, nothing kept by the server.
//!
//! Runs on the run's thread. Reads the event stream of a response, or the response as one document. A
//! reasoning item is kept whole as the signature of its thinking block, so that it can be sent back.
use crate::config::apis;
use crate::models::draft::{Draft, End, Stop, Taken};
use crate::models::ending;
use crate::models::format::{Format, Reader, bearer, list, skipped, text};
use crate::models::provider::Usage;
use crate::models::report;
use crate::models::responses_body;
use crate::parts::Parts;
use serde_json::Value;

pub static FORMAT: Format = Format {
    name: apis::RESPONSES,
    path: |_| "/responses",
    headers: &[],
    credential: bearer,
    body: responses_body::build,
    ends_by_mark: false,
    reader: || Box::new(Responses::default()),
};

/// Events that tell nothing new.
const SILENT: [&str; 9] = [
    "response.created",
    "response.in_progress",
    "response.queued",
    "response.content_part.added",
    "response.content_part.done",
    "response.output_text.done",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_part.done",
    "response.reasoning_summary_text.done",
];

#[derive(Default)]
struct Responses {
    /// The present item has come in pieces, so its end says nothing new.
    in_pieces: bool,
    /// Bytes of text that came in pieces.
    said: usize,
}

impl Reader for Responses {
    fn knows(&self, json: &Value) -> bool {
        let kind = text(json, "type");
        (kind.starts_with("response.") && !kind.contains("error"))
            || json.get("output").is_some_and(Value::is_array)
    }

    fn event(&mut self, json: &Value, draft: &mut Draft) -> Taken {
        let item = json.get("item").unwrap_or(&Value::Null);
        let index = json.get("output_index").and_then(Value::as_u64).unwrap_or(0);
        match text(json, "type") {
            "response.output_item.added" => {
                self.in_pieces = false;
                draft.part()?;
                match text(item, "type") {
                    "function_call" => {
                        draft.call(index, text(item, "call_id"), text(item, "name"), text(item, "arguments"))
                    }
                    _ => Ok(()),
                }
            }
            "response.output_text.delta" | "response.refusal.delta" => {
                self.in_pieces = true;
                self.said += text(json, "delta").len();
                draft.text(text(json, "delta"))
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.in_pieces = true;
                draft.thinking(text(json, "delta"))
            }
            "response.reasoning_summary_part.added" if self.in_pieces => draft.thinking("\n\n"),
            "response.function_call_arguments.delta" => draft.call(index, "", "", text(json, "delta")),
            "response.function_call_arguments.done" => whole_arguments(index, json, draft),
            "response.output_item.done" => self.item(index, item, draft),
            "response.completed" | "response.incomplete" | "response.failed" => {
                self.whole(json.get("response").unwrap_or(&Value::Null), draft)?;
                // The event says so, whatever its copy of the response does.
                if text(json, "type") == "response.completed" && draft.end == Some(End::Broken) {
                    draft.end = Some(End::Stop);
                }
                draft.done = true;
                Ok(())
            }
            "error" => Err(Stop::Reported(json.clone())),
            // The whole response in one event.
            "" if json.get("output").is_some_and(Value::is_array) => self.whole(json, draft),
            other => {
                if !SILENT.contains(&other) {
                    skipped(other);
                }
                Ok(())
            }
        }
    }

    fn whole(&mut self, json: &Value, draft: &mut Draft) -> Taken {
        let status = text(json, "status");
        if status == "failed" || json.get("error").is_some_and(|e| !report::is_nothing(e)) {
            return Err(Stop::Reported(json.clone()));
        }
        if let Some(usage) = json.get("usage").filter(|u| u.is_object()) {
            draft.usage = read_usage(usage);
        }
        // Some servers send the items only here.
        if draft.is_empty() {
            for (index, item) in list(json, "output").enumerate() {
                draft.part()?;
                self.in_pieces = false;
                self.item(index as u64, item, draft)?;
            }
        }
        self.missing(json, draft)?;
        let why = json.get("incomplete_details").map(|d| text(d, "reason")).unwrap_or_default();
        draft.end = Some(match (status, why) {
            ("incomplete", why) => ending::of(why).unwrap_or(End::Length),
            ("cancelled" | "in_progress" | "queued", _) => End::Broken,
            _ => End::Stop,
        });
        Ok(())
    }
}

impl Responses {
    /// The end of a text of which the response as a whole holds more than came in pieces.
    fn missing(&mut self, json: &Value, draft: &mut Draft) -> Taken {
        let messages = list(json, "output").filter(|item| text(item, "type") == "message");
        let parts = messages.flat_map(|item| list(item, "content"));
        let whole: String = parts.flat_map(|part| [text(part, "text"), text(part, "refusal")]).collect();
        let has_more = self.said > 0 && self.said < whole.len() && whole.is_char_boundary(self.said);
        let rest = if has_more { whole.tail(self.said) } else { "" };
        self.said = self.said.max(whole.len());
        draft.text(rest)
    }

    /// An item that is complete.
    fn item(&mut self, index: u64, item: &Value, draft: &mut Draft) -> Taken {
        match text(item, "type") {
            "function_call" => {
                draft.call(index, text(item, "call_id"), text(item, "name"), "")?;
                whole_arguments(index, item, draft)
            }
            "message" if !self.in_pieces => list(item, "content").try_for_each(|part| {
                self.said += text(part, "text").len() + text(part, "refusal").len();
                draft.text(text(part, "text"))?;
                draft.text(text(part, "refusal"))
            }),
            "reasoning" => {
                if !self.in_pieces {
                    list(item, "summary").try_for_each(|part| draft.thinking(text(part, "text")))?;
                }
                // Without its encrypted content the server could not read it again.
                if text(item, "encrypted_content").is_empty() {
                    return Ok(());
                }
                draft.sign(&item.to_string())
            }
            _ => Ok(()),
        }
    }
}

fn whole_arguments(index: u64, json: &Value, draft: &mut Draft) -> Taken {
    match json.get("arguments") {
        Some(Value::String(whole)) if !whole.is_empty() => draft.arguments(index, whole),
        Some(object @ Value::Object(_)) => draft.arguments(index, &object.to_string()),
        _ => Ok(()),
    }
}

fn read_usage(usage: &Value) -> Usage {
    let count = |name: &str| usage.get(name).and_then(Value::as_u64).unwrap_or(0);
    let cached = usage.get("input_tokens_details").and_then(|d| d.get("cached_tokens"));
    let input = count("input_tokens");
    let cache_read = cached.and_then(Value::as_u64).unwrap_or(0).min(input);
    let reasoned = usage.get("output_tokens_details").and_then(|d| d.get("reasoning_tokens"));
    Usage::of(input - cache_read, count("output_tokens"), cache_read, 0)
        .reasoned(reasoned.and_then(Value::as_u64))
}

#[cfg(test)]
#[path = "responses_tests.rs"]
mod tests;
