//! The request body of `openai-completions`: transcript messages in, chat messages out.
//!
//! Pure. Content is a plain string where it can be one, since many local servers take nothing else. Roles take
//! turns, since the templates of many models take nothing else. What else a server wants stands in `compat`.
use crate::json::{self, Put, json};
use crate::models::compat::ThinkingFormat;
use crate::models::format::text as member;
use crate::models::messages::{
    Called, Item, LEFT_OUT, PICTURES, arguments, data_url, is_own, items, own_thinking, parts, pictures_of,
    text, words_of,
};
use crate::models::openai::{KEPT, REASONING};
use crate::models::provider::{ChatRequest, Provider, Thinking};
use crate::models::wanted;
use serde_json::{Map, Value};

/// Said for the model where its server wants an answer behind a tool's result.
const READ: &str = "I have read the result.";
/// Said for a tool that said nothing: some servers take no empty message.
const NOTHING: &str = "(no output)";
/// What Google takes in the place of a signature for a call that another model made.
const FOREIGN: &str = "skip_thought_signature_validator";

/// Builds the body.
pub fn build(p: &Provider, request: &ChatRequest) -> Value {
    let items = items(p, request.messages);
    let mut chat = Chat { p, messages: Vec::new() };
    if !request.system.trim().is_empty() {
        let role = if p.compat.developer && p.reasoning { "developer" } else { "system" };
        chat.messages.push(json!({"role": role, "content": request.system}));
    }
    let wants_reasoning = p.compat.reasoning_with_calls || items.iter().any(|item| sent_reasoning(p, item));
    for item in items {
        match item {
            Item::User(message) => {
                if let Some(content) = user(p, message) {
                    chat.add(json::holding(json!({"role": "user"}), "content", content));
                }
            }
            Item::Assistant { message, calls, .. } => {
                if let Some(said) = assistant(p, message, &calls, wants_reasoning) {
                    chat.add(said);
                }
                chat.messages.extend(calls.iter().map(|called| tool(p, called)));
                let pictures = pictures_of(&calls, p.images);
                if !pictures.is_empty() {
                    let content = words_and_pictures(PICTURES.to_string(), pictures);
                    chat.add(json::holding(json!({"role": "user"}), "content", content));
                }
            }
        }
    }
    let body = json!({"model": p.model, "messages": null, "stream": true});
    let mut body = json::holding(body, "messages", chat.messages);
    if let Some(map) = body.as_object_mut() {
        options(p, request, map);
        wanted::in_completions(p, request, map);
    }
    body
}

fn options(p: &Provider, request: &ChatRequest, map: &mut Map<String, Value>) {
    if p.compat.counts_in_stream {
        map.put("stream_options", json!({"include_usage": true}));
    }
    if p.compat.store {
        map.put("store", false);
    }
    if p.tools && !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            json!({"type": "function", "function": {
                "name": tool.name, "description": tool.description, "parameters": (tool.schema()),
            }})
        });
        map.put("tools", tools.collect::<Value>());
    }
    if let Some(max) = p.max_tokens {
        map.insert(p.max_tokens_field.to_string(), max.into());
    }
    let thinks = request.thinking != Thinking::Off;
    match p.compat.thinking {
        _ if !p.reasoning && !p.effort => {}
        ThinkingFormat::Switch => {
            map.put("thinking", json!({"type": if thinks { "enabled" } else { "disabled" }}));
        }
        ThinkingFormat::Enable => map.put("enable_thinking", thinks),
        ThinkingFormat::Template => map.put("chat_template_kwargs", json!({"enable_thinking": thinks})),
        ThinkingFormat::Nested if thinks => map.put("reasoning", json!({"effort": request.thinking.name()})),
        ThinkingFormat::Nested | ThinkingFormat::Effort => {}
    }
    if p.effort && thinks && p.compat.thinking != ThinkingFormat::Nested {
        map.put("reasoning_effort", request.thinking.name());
    }
}

/// Messages that take turns.
struct Chat<'a> {
    p: &'a Provider,
    messages: Vec<Value>,
}

impl Chat<'_> {
    /// Adds a user's message or an answer, to the one before where both say something of the same role.
    fn add(&mut self, message: Value) {
        let role = member(&message, "role").to_string();
        let last = self.messages.last().map(|last| member(last, "role")).unwrap_or_default();
        match (last, role.as_str()) {
            ("" | "system" | "developer", "assistant") => {
                self.messages.push(json!({"role": "user", "content": LEFT_OUT}));
            }
            ("tool", "user") if self.p.compat.answer_after_result => {
                self.messages.push(json!({"role": "assistant", "content": READ}));
            }
            _ => {}
        }
        match self.messages.last_mut().and_then(Value::as_object_mut) {
            Some(last)
                if last.get("role").is_some_and(|it| *it == role) && !last.contains_key("tool_calls") =>
            {
                join(last, message);
            }
            _ => self.messages.push(message),
        }
    }
}

/// Puts a message into the one before it.
fn join(last: &mut Map<String, Value>, message: Value) {
    let Value::Object(more) = message else { return };
    for (name, new) in more {
        let joined = match (last.get_mut(&name).map(Value::take), new) {
            (_, new) if name != "content" => new,
            (None | Some(Value::Null), new) => new,
            (Some(old), Value::Null) => old,
            (Some(Value::String(old)), Value::String(new)) => match old.is_empty() || new.is_empty() {
                true => Value::String(old + &new),
                false => format!("{old}\n\n{new}").into(),
            },
            (Some(old), new) => content_parts(old).into_iter().chain(content_parts(new)).collect(),
        };
        last.insert(name, joined);
    }
}

fn content_parts(content: Value) -> Vec<Value> {
    match content {
        Value::Array(parts) => parts,
        Value::String(text) if !text.is_empty() => vec![json!({"type": "text", "text": text})],
        _ => Vec::new(),
    }
}

fn user(p: &Provider, message: &Value) -> Option<Value> {
    let (words, pictures) = parts(message, p.images);
    if pictures.is_empty() {
        return (!words.is_empty()).then(|| words.into());
    }
    Some(words_and_pictures(words, pictures))
}

fn words_and_pictures(words: String, pictures: Vec<(&str, &str)>) -> Value {
    let words = (!words.is_empty()).then(|| json::holding(json!({"type": "text"}), "text", words));
    let pictures =
        pictures.into_iter().map(|p| json!({"type": "image_url", "image_url": {"url": data_url(p)}}));
    words.into_iter().chain(pictures).collect()
}

/// A tool's answer is text only; its pictures come behind it.
fn tool(p: &Provider, called: &Called) -> Value {
    let words = Some(words_of(called.result, p.images)).filter(|words| !words.trim().is_empty());
    let mut message = json!({
        "role": "tool", "tool_call_id": called.id, "content": words.unwrap_or_else(|| NOTHING.to_string()),
    });
    if let Some(map) = message.as_object_mut().filter(|_| p.compat.result_name) {
        map.put("name", member(called.call, "name"));
    }
    message
}

/// Whether this model said its reasoning under the name that some servers insist on later.
fn sent_reasoning(p: &Provider, item: &Item) -> bool {
    let Item::Assistant { message, .. } = item else { return false };
    own_thinking(p, message).iter().any(|block| member(block, "thinkingSignature") == "reasoning_content")
}

fn assistant(p: &Provider, message: &Value, calls: &[Called], wants_reasoning: bool) -> Option<Value> {
    let mut words = text(message, "");
    if words.is_empty() && calls.is_empty() {
        return None;
    }
    let thinking = own_thinking(p, message);
    let thoughts = || thinking.iter().map(|b| member(b, "thinking")).collect::<Vec<_>>().join("\n");
    if p.compat.thinking_as_text && !thoughts().trim().is_empty() {
        words = format!("{}\n\n{words}", thoughts()).trim_end().to_string();
    }
    let mut map = Map::new();
    map.put("role", "assistant");
    // Where answers must stand behind results, they must be texts too.
    let nothing = || if p.compat.answer_after_result { "".into() } else { Value::Null };
    map.put("content", if words.is_empty() { nothing() } else { words.into() });
    let details: Vec<&Value> = thinking.iter().filter_map(|block| block.get("reasoningDetails")).collect();
    if let Some(details) = details.first() {
        map.put("reasoning_details", (*details).clone());
    }
    if !calls.is_empty() {
        // Many servers want the reasoning back that led to a call, under the name they sent it by.
        let field = thinking.iter().map(|block| member(block, "thinkingSignature")).find(|f| !f.is_empty());
        match field.filter(|field| REASONING.contains(field) && !p.compat.thinking_as_text) {
            Some(field) => {
                map.insert(field.to_string(), thoughts().into());
            }
            None if wants_reasoning => map.put("reasoning_content", ""),
            None => {}
        }
        let is_own = is_own(p, message);
        let calls = calls.iter().enumerate().map(|(n, called)| tool_call(p, called, is_own, n == 0));
        map.put("tool_calls", calls.collect::<Value>());
    }
    Some(Value::Object(map))
}

fn tool_call(p: &Provider, called: &Called, is_own: bool, is_first: bool) -> Value {
    let call = called.call;
    let function = json!({"name": member(call, "name"), "arguments": arguments(call).to_string()});
    let mut sent = json!({"id": called.id, "type": "function", "function": function});
    let Some(map) = sent.as_object_mut() else { return sent };
    let kept = call.get("extra").filter(|_| is_own);
    for name in KEPT {
        if let Some(member) = kept.and_then(|extra| extra.get(name)) {
            map.insert(name.to_string(), member.clone());
        }
    }
    if p.compat.signed_calls && is_first && !is_own {
        map.put("extra_content", json!({"google": {"thought_signature": FOREIGN}}));
    }
    sent
}
