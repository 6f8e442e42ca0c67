//! `POST /v1/responses`: its answers and events written; `items.rs` reads its requests. Pure.
//!
//! An answer is a list of items: a message, if something is said, and a call each. Streamed, an item is added, filled and
//! done; each event has its number.
use super::asked::Asked;
use super::end::{Call, End};
use super::items::read;
use super::talk::member;
use super::turn::name_of_answer;
use super::{Api, Writer, event};
use crate::clock;
use crate::error::Result;
use crate::http::Refusal;
use crate::ids;
use crate::json::{Put, holding, json};
use serde_json::Value;

pub static API: Api = Api {
    section: "responses",
    family: "openresponses",
    input: "input",
    read,
    writer: |asked| Ok(Box::new(Response::of(asked)?)),
    marks_failure: true,
};

struct Response {
    /// The answer as far as it does not change.
    base: Value,
    message_id: String,
    /// The message's text, once it has begun.
    text: Option<String>,
    /// Items that are done.
    done: Vec<Value>,
    /// The next event.
    number: u64,
}

impl Response {
    fn of(asked: &mut Asked) -> Result<Response> {
        let mut base = json!({
            "id": (name_of_answer(&asked.answer)?), "object": "response", "created_at": (clock::now_ms() / 1000),
            "status": "in_progress", "error": null, "incomplete_details": null, "instructions": null,
            "max_output_tokens": asked.max_tokens, "metadata": {}, "model": asked.model, "output": [],
            "parallel_tool_calls": true, "previous_response_id": asked.previous, "temperature": null, "tool_choice": "auto",
            "tools": [], "top_p": null, "usage": null,
        });
        if let Some(map) = base.as_object_mut() {
            map.extend(std::mem::take(&mut asked.repeated));
        }
        let message_id = format!("msg_{}", ids::hex(16)?);
        Ok(Response { base, message_id, text: None, done: Vec::new(), number: 0 })
    }

    fn tell(&mut self, kind: &str, data: Value, out: &mut String) {
        self.tell_of(kind, data, "", out);
    }

    /// An event about something long, which it gives back: the answer is held once beside the event's text.
    fn tell_of(&mut self, kind: &str, mut data: Value, at: &str, out: &mut String) -> Value {
        if let Some(map) = data.as_object_mut() {
            map.put("type", kind);
            map.put("sequence_number", self.number);
        }
        self.number += 1;
        event(&data, out);
        data.pointer_mut(at).map(Value::take).unwrap_or_default()
    }

    /// An event about the message's text.
    fn tell_text(
        &mut self,
        kind: &str,
        at: &str,
        wrap: impl FnOnce(&Self, Value) -> Value,
        out: &mut String,
    ) {
        if let Some(text) = self.text.take() {
            let data = wrap(self, text.into());
            if let Value::String(text) = self.tell_of(kind, data, at, out) {
                self.text = Some(text);
            }
        }
    }

    /// An event about the whole answer.
    fn tell_all(&mut self, kind: &str, response: Value, out: &mut String) {
        let mut data = json!({});
        if let Some(map) = data.as_object_mut() {
            map.put("response", response);
        }
        self.tell(kind, data, out);
    }

    fn message(&self, text: String) -> Value {
        let message =
            json!({"id": self.message_id, "type": "message", "status": "completed", "role": "assistant"});
        holding(message, "content", vec![said(text)])
    }

    /// Where a piece of the message's text belongs.
    fn within(&self, name: &str, value: Value) -> Value {
        let mut data = json!({"item_id": self.message_id, "output_index": 0, "content_index": 0});
        if let Some(map) = data.as_object_mut() {
            map.put(name, value);
        }
        data
    }

    fn open_message(&mut self, out: &mut String) {
        self.text = Some(String::new());
        let item = json!({"id": self.message_id, "type": "message", "status": "in_progress", "role": "assistant",
            "content": []});
        self.tell("response.output_item.added", json!({"output_index": 0, "item": item}), out);
        self.tell("response.content_part.added", self.within("part", said("")), out);
    }

    /// An item is done.
    fn close(&mut self, item: Value, out: &mut String) {
        let data = holding(json!({"output_index": (self.done.len())}), "item", item);
        let item = self.tell_of("response.output_item.done", data, "/item", out);
        self.done.push(item);
    }

    fn tell_call(&mut self, call: &Call, n: usize, out: &mut String) {
        let (index, item) = (self.done.len(), self.call(call, n));
        let mut begun = item.clone();
        if let Some(map) = begun.as_object_mut() {
            map.put("arguments", "");
            map.put("status", "in_progress");
        }
        let id = member(&item, "id").to_string();
        self.tell("response.output_item.added", json!({"output_index": index, "item": begun}), out);
        let delta = json!({"item_id": id, "output_index": index, "delta": call.arguments});
        self.tell("response.function_call_arguments.delta", delta, out);
        let done =
            json!({"item_id": id, "output_index": index, "name": call.name, "arguments": call.arguments});
        self.tell("response.function_call_arguments.done", done, out);
        self.close(item, out);
    }

    fn call(&self, call: &Call, n: usize) -> Value {
        let id = format!("fc_{}{n}", self.message_id.trim_start_matches("msg_"));
        json!({"id": id, "type": "function_call", "status": "completed", "call_id": call.id, "name": call.name,
            "arguments": call.arguments})
    }

    /// The whole answer, with these items.
    fn finished(&self, end: &End, output: Vec<Value>) -> Value {
        let mut response = self.base.clone();
        let Some(map) = response.as_object_mut() else { return response };
        map.put("status", if end.is_cut_short { "incomplete" } else { "completed" });
        if end.is_cut_short {
            map.put("incomplete_details", json!({"reason": "max_output_tokens"}));
        }
        map.put("output", output);
        map.put("usage", json!({
            "input_tokens": end.input, "input_tokens_details": {"cached_tokens": end.cached},
            "output_tokens": end.output, "output_tokens_details": {"reasoning_tokens": end.reasoning}, "total_tokens": (end.total()),
        }));
        response
    }
}

impl Writer for Response {
    fn whole(&mut self, mut end: End) -> Value {
        let text = std::mem::take(&mut end.text);
        let says = !text.is_empty() || end.calls.is_empty();
        let message = says.then(|| self.message(text));
        let calls = end.calls.iter().enumerate().map(|(n, call)| self.call(call, n));
        let output = message.into_iter().chain(calls).collect();
        self.finished(&end, output)
    }

    fn begin(&mut self, out: &mut String) {
        self.tell_all("response.created", self.base.clone(), out);
        self.tell_all("response.in_progress", self.base.clone(), out);
    }

    fn text(&mut self, delta: &str, out: &mut String) {
        if self.text.is_none() {
            self.open_message(out);
        }
        if let Some(text) = &mut self.text {
            text.push_str(delta);
        }
        let mut data = self.within("delta", delta.into());
        if let Some(map) = data.as_object_mut() {
            map.put("logprobs", Vec::<Value>::new());
        }
        self.tell("response.output_text.delta", data, out);
    }

    fn end(&mut self, end: &End, part: usize, out: &mut String) -> bool {
        match part {
            0 => {
                if self.text.is_none() && end.calls.is_empty() {
                    self.open_message(out);
                }
                let wrap = |all: &Self, text| all.within("text", text);
                self.tell_text("response.output_text.done", "/text", wrap, out);
            }
            1 => {
                let wrap = |all: &Self, text| all.within("part", said(text));
                self.tell_text("response.content_part.done", "/part/text", wrap, out);
            }
            2 => {
                if let Some(text) = self.text.take() {
                    self.close(self.message(text), out);
                }
                for (n, call) in end.calls.iter().enumerate() {
                    self.tell_call(call, n, out);
                }
            }
            _ => {
                let output = std::mem::take(&mut self.done);
                let response = self.finished(end, output);
                let kind = if end.is_cut_short { "response.incomplete" } else { "response.completed" };
                self.tell_all(kind, response, out);
                return false;
            }
        }
        true
    }

    /// Some clients look for one of the events, some for the other.
    fn fail(&mut self, refusal: &Refusal, out: &mut String) {
        let (message, mut failed) = (refusal.message().to_string(), self.base.clone());
        if let Some(map) = failed.as_object_mut() {
            map.put("status", "failed");
            map.put("error", json!({"code": "server_error", "message": message}));
        }
        self.tell_all("response.failed", failed, out);
        let error = json!({"code": "server_error", "message": message, "param": null});
        self.tell("error", error, out);
    }
}

/// A part of a message.
fn said(text: impl Into<Value>) -> Value {
    let part = json!({"type": "output_text", "text": null, "annotations": [], "logprobs": []});
    holding(part, "text", text)
}
