//! `POST /v1/chat/completions`: its members read, its answers and pieces written. Pure, but that pictures are fetched.
use super::asked::{Asked, flag, text};
use super::end::End;
use super::talk::member;
use super::{Api, Judged, Writer, event, settings, wrong};
use crate::clock;
use crate::http::Refusal;
use crate::json::{Put, json};
use serde_json::{Map, Value};

pub static API: Api = Api {
    section: "chatCompletions",
    family: "openai",
    input: "messages",
    read,
    writer: |asked| {
        Ok(Box::new(Chat {
            id: format!("chatcmpl_{}", asked.answer),
            created: clock::now_ms() / 1000,
            model: if asked.model.is_empty() { "openclaw".to_string() } else { asked.model.clone() },
            counts: asked.counts,
        }))
    },
    marks_failure: false,
};

fn read(map: &mut Map<String, Value>, asked: &mut Asked) -> Judged<()> {
    if settings::given(map, "n").is_some_and(|n| *n != 1) {
        return Err(wrong("`n` must be 1.", "n"));
    }
    if let Some(options) = settings::given(map, "stream_options").and_then(Value::as_object) {
        asked.counts = flag(options, "include_usage")?;
    }
    asked.max_tokens = settings::tokens(map, &["max_completion_tokens", "max_tokens"])?;
    asked.thinking = settings::effort(map, "reasoning_effort", "reasoning_effort")?;
    if let Some(form) = settings::given(map, "response_format") {
        let form = settings::form(form, "response_format", "json_schema")?;
        form.into_iter().for_each(|form| asked.wanted.put("response_format", form));
    }
    if let Some(bias) = settings::given(map, "logit_bias") {
        asked.wanted.put("logit_bias", bias.clone());
    }
    asked.tools = settings::tools(map, &mut asked.wanted)?;
    let messages = match map.remove("messages").filter(|value| !value.is_null()) {
        Some(Value::Array(messages)) => messages,
        Some(_) => return Err(wrong("`messages` must be an array.", "messages")),
        None => return Err(wrong("Missing user message in `messages`.", "messages")),
    };
    for (n, message) in messages.into_iter().enumerate() {
        let at = format!("messages[{n}]");
        let Value::Object(mut message) = message else {
            return Err(wrong(format!("`{at}` must be an object."), &at));
        };
        take(&mut message, &at, asked)?;
    }
    Ok(())
}

/// One message.
fn take(message: &mut Map<String, Value>, at: &str, asked: &mut Asked) -> Judged<()> {
    let content = message.remove("content").unwrap_or_default();
    let message = &*message;
    let role = text(message, "role")?.unwrap_or_default();
    if role == "tool" || role == "function" {
        let call = text(message, "tool_call_id")?.or(text(message, "name")?).unwrap_or_default();
        return asked.talk.result(call, content, at, ["content", "tool_call_id"]);
    }
    asked.talk.message(role, content, &format!("{at}.content"))?;
    for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        let function = call.get("function").unwrap_or(&Value::Null);
        asked.talk.call(member(call, "id"), member(function, "name"), member(function, "arguments"));
    }
    Ok(())
}

struct Chat {
    id: String,
    /// Seconds.
    created: u64,
    model: String,
    counts: bool,
}

impl Chat {
    fn document(&self, object: &str, choices: Value) -> Value {
        let mut document =
            json!({"id": self.id, "object": object, "created": self.created, "model": self.model});
        if let Some(map) = document.as_object_mut() {
            map.put("choices", choices);
        }
        document
    }

    fn piece(&self, delta: Value, finish: Option<&str>, out: &mut String) {
        let mut choice = json!({"index": 0, "delta": null, "logprobs": null, "finish_reason": finish});
        if let Some(map) = choice.as_object_mut() {
            map.put("delta", delta);
        }
        event(&self.document("chat.completion.chunk", Value::Array(vec![choice])), out);
    }
}

impl Writer for Chat {
    fn whole(&mut self, mut end: End) -> Value {
        let text = std::mem::take(&mut end.text);
        let mut message = json!({"role": "assistant", "content": null, "refusal": null});
        if let Some(map) = message.as_object_mut() {
            if !text.is_empty() || end.calls.is_empty() {
                map.put("content", text);
            }
            if !end.calls.is_empty() {
                map.put("tool_calls", calls(&end, false));
            }
        }
        let mut choice =
            json!({"index": 0, "message": null, "logprobs": null, "finish_reason": (finish(&end))});
        if let Some(map) = choice.as_object_mut() {
            map.put("message", message);
        }
        let mut whole = self.document("chat.completion", Value::Array(vec![choice]));
        if let Some(map) = whole.as_object_mut() {
            map.put("usage", usage(&end));
        }
        whole
    }

    fn begin(&mut self, out: &mut String) {
        self.piece(json!({"role": "assistant", "content": ""}), None, out);
    }

    fn text(&mut self, delta: &str, out: &mut String) {
        self.piece(json!({"content": delta}), None, out);
    }

    fn end(&mut self, end: &End, _part: usize, out: &mut String) -> bool {
        if !end.calls.is_empty() {
            self.piece(json!({"tool_calls": (calls(end, true))}), None, out);
        }
        self.piece(json!({}), Some(finish(end)), out);
        if self.counts {
            let mut counted = self.document("chat.completion.chunk", Value::Array(Vec::new()));
            if let Some(map) = counted.as_object_mut() {
                map.put("usage", usage(end));
            }
            event(&counted, out);
        }
        false
    }

    fn fail(&mut self, refusal: &Refusal, out: &mut String) {
        event(&refusal.body(), out);
    }
}

/// In pieces calls are numbered.
fn calls(end: &End, in_pieces: bool) -> Value {
    let calls = end.calls.iter().enumerate().map(|(n, call)| {
        let function = json!({"name": call.name, "arguments": call.arguments});
        let mut told = json!({"id": call.id, "type": "function", "function": function});
        if let (Some(map), true) = (told.as_object_mut(), in_pieces) {
            map.put("index", n);
        }
        told
    });
    calls.collect()
}

fn finish(end: &End) -> &'static str {
    match end.calls.is_empty() {
        false => "tool_calls",
        true if end.is_cut_short => "length",
        true => "stop",
    }
}

fn usage(end: &End) -> Value {
    json!({"prompt_tokens": end.input, "completion_tokens": end.output, "total_tokens": (end.total()),
        "prompt_tokens_details": {"cached_tokens": end.cached},
        "completion_tokens_details": {"reasoning_tokens": end.reasoning}})
}
