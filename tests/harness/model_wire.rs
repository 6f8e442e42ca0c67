//! What the model server says in each wire format: the events of one answer, in order.
//!
//! Pure. Knows nothing of sockets or scripts; keeps what the formats need to number their blocks.
use super::{Value, json};

#[derive(Clone, Copy, PartialEq)]
enum Wire {
    Completions,
    Messages,
    Responses,
}

/// One answer on its way.
pub struct Speech {
    wire: Wire,
    /// The number of the open block, and its kind; nothing was said before the first.
    open: Option<(u64, &'static str)>,
    /// Text, reasoning or arguments of the open block so far.
    said: String,
    called: bool,
}

impl Speech {
    /// In the format of the path that a request's head names.
    pub fn at(head: &str) -> Speech {
        let path = head.split_whitespace().nth(1).unwrap_or_default();
        let wire = match path.rsplit('/').next() {
            Some("messages") => Wire::Messages,
            Some("responses") => Wire::Responses,
            _ => Wire::Completions,
        };
        Speech { wire, open: None, said: String::new(), called: false }
    }

    pub fn text(&mut self, text: &str) -> String {
        if self.wire == Wire::Completions {
            return delta(text);
        }
        let mut out = self.enter("text", json!({}));
        let n = self.number();
        self.said.push_str(text);
        out += &match self.wire {
            Wire::Messages => event(
                json!({"type": "content_block_delta", "index": n, "delta": {"type": "text_delta", "text": text}}),
            ),
            _ => event(json!({"type": "response.output_text.delta", "output_index": n, "delta": text})),
        };
        out
    }

    pub fn think(&mut self, text: &str) -> String {
        if self.wire == Wire::Completions {
            return chat(json!({"reasoning_content": text}), None);
        }
        let mut out = self.enter("thinking", json!({}));
        let n = self.number();
        self.said.push_str(text);
        out += &match self.wire {
            Wire::Messages => event(
                json!({"type": "content_block_delta", "index": n, "delta": {"type": "thinking_delta", "thinking": text}}),
            ),
            _ => event(
                json!({"type": "response.reasoning_summary_text.delta", "output_index": n, "delta": text}),
            ),
        };
        out
    }

    /// The call's arguments in two pieces, each with what belongs before it.
    pub fn call(&mut self, id: &str, name: &str, arguments: &str) -> [String; 2] {
        self.called = true;
        let head = self.enter("call", json!({"id": id, "name": name}));
        let n = self.number();
        self.said.push_str(arguments);
        let half = (0..=arguments.len() / 2).rev().find(|n| arguments.is_char_boundary(*n)).unwrap_or(0);
        let (first, second) = arguments.split_at(half);
        let piece = |text: &str, is_first: bool| match self.wire {
            Wire::Completions => {
                let function = if is_first {
                    json!({"name": name, "arguments": text})
                } else {
                    json!({"arguments": text})
                };
                let mut call = json!({"index": n, "function": function});
                if is_first {
                    call["id"] = id.into();
                    call["type"] = "function".into();
                }
                chat(json!({"tool_calls": [call]}), None)
            }
            Wire::Messages => event(
                json!({"type": "content_block_delta", "index": n, "delta": {"type": "input_json_delta", "partial_json": text}}),
            ),
            Wire::Responses => event(
                json!({"type": "response.function_call_arguments.delta", "output_index": n, "delta": text}),
            ),
        };
        [head + &piece(first, true), piece(second, false)]
    }

    /// Why it ended, the counts and the end mark.
    pub fn done(&mut self) -> String {
        if self.wire == Wire::Completions {
            let why = if self.called { "tool_calls" } else { "stop" };
            let usage = json!({"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [],
                "usage": {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}});
            return chat(json!({}), Some(why)) + &event(usage) + "data: [DONE]\n\n";
        }
        let mut out = if self.open.is_none() { self.begin() } else { self.leave() };
        out += &match self.wire {
            Wire::Messages => {
                let why = if self.called { "tool_use" } else { "end_turn" };
                event(
                    json!({"type": "message_delta", "delta": {"stop_reason": why, "stop_sequence": null}, "usage": {"output_tokens": 5}}),
                ) + &event(json!({"type": "message_stop"}))
            }
            _ => event(
                json!({"type": "response.completed", "response": {"id": "r1", "status": "completed", "error": null,
                "incomplete_details": null, "usage": {"input_tokens": 11, "output_tokens": 5, "total_tokens": 16}}}),
            ),
        };
        out
    }

    fn number(&self) -> u64 {
        self.open.map_or(0, |(n, _)| n)
    }

    /// What comes before a piece of this kind: a call is always a block of its own.
    fn enter(&mut self, kind: &'static str, what: Value) -> String {
        let (next, mut out) = match self.open {
            Some((_, open)) if open == kind && kind != "call" => return String::new(),
            Some((n, _)) => (n + 1, self.leave()),
            None => (0, self.begin()),
        };
        // Chat completions number calls only.
        let next = if self.wire == Wire::Completions && self.open.is_none() { 0 } else { next };
        self.open = Some((next, kind));
        self.said.clear();
        let id = format!("item_{next}");
        out += &match (self.wire, kind) {
            (Wire::Completions, _) => String::new(),
            (Wire::Messages, _) => {
                let block = match kind {
                    "text" => json!({"type": "text", "text": ""}),
                    "thinking" => json!({"type": "thinking", "thinking": "", "signature": ""}),
                    _ => json!({"type": "tool_use", "id": what["id"], "name": what["name"], "input": {}}),
                };
                event(json!({"type": "content_block_start", "index": next, "content_block": block}))
            }
            (Wire::Responses, _) => {
                let item = match kind {
                    "text" => json!({"type": "message", "id": id, "role": "assistant", "content": []}),
                    "thinking" => json!({"type": "reasoning", "id": id, "summary": []}),
                    _ => {
                        json!({"type": "function_call", "id": id, "call_id": what["id"], "name": what["name"], "arguments": ""})
                    }
                };
                event(json!({"type": "response.output_item.added", "output_index": next, "item": item}))
            }
        };
        out
    }

    fn begin(&self) -> String {
        match self.wire {
            Wire::Completions => String::new(),
            Wire::Messages => {
                event(
                    json!({"type": "message_start", "message": {"id": "m1", "type": "message", "role": "assistant", "content": [],
                    "model": "m", "stop_reason": null, "usage": {"input_tokens": 11, "output_tokens": 1}}}),
                ) + &event(json!({"type": "ping"}))
            }
            Wire::Responses => event(
                json!({"type": "response.created", "response": {"id": "r1", "status": "in_progress", "error": null}}),
            ),
        }
    }

    fn leave(&mut self) -> String {
        let Some((n, kind)) = self.open else { return String::new() };
        match (self.wire, kind) {
            (Wire::Completions, _) => String::new(),
            (Wire::Messages, "thinking") => {
                event(
                    json!({"type": "content_block_delta", "index": n, "delta": {"type": "signature_delta", "signature": format!("signed-{n}")}}),
                ) + &event(json!({"type": "content_block_stop", "index": n}))
            }
            (Wire::Messages, _) => event(json!({"type": "content_block_stop", "index": n})),
            (Wire::Responses, "text") => {
                event(json!({"type": "response.output_item.done", "output_index": n,
                "item": {"type": "message", "content": [{"type": "output_text", "text": self.said}]}}))
            }
            (Wire::Responses, "thinking") => {
                event(json!({"type": "response.output_item.done", "output_index": n,
                "item": {"type": "reasoning", "id": format!("item_{n}"), "encrypted_content": format!("signed-{n}"),
                    "summary": [{"type": "summary_text", "text": self.said}]}}))
            }
            (Wire::Responses, _) => event(
                json!({"type": "response.function_call_arguments.done", "output_index": n, "arguments": self.said}),
            ),
        }
    }
}

fn event(json: Value) -> String {
    let name = json["type"].as_str().map(|name| format!("event: {name}\n")).unwrap_or_default();
    format!("{name}data: {json}\n\n")
}

fn chat(delta: Value, finish: Option<&str>) -> String {
    event(json!({"id": "c1", "object": "chat.completion.chunk", "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))
}

/// One event of a chat completion's stream with a piece of text.
pub fn delta(text: &str) -> String {
    chat(json!({"role": "assistant", "content": text}), None)
}

/// The text of the last user message of a request in any format, whether plain or in parts.
pub fn last_user_text(request: &Value) -> String {
    let messages =
        request["messages"].as_array().or(request["input"].as_array()).cloned().unwrap_or_default();
    let content = messages.iter().rev().find(|m| m["role"] == "user").map(|m| m["content"].clone());
    match content {
        Some(Value::String(text)) => text,
        Some(Value::Array(parts)) => parts.iter().filter_map(|p| p["text"].as_str()).collect(),
        _ => String::new(),
    }
}
