//! The request body of `anthropic-messages`: transcript messages in, alternating turns out.
//!
//! Pure. What stands between two answers becomes one user message, tool results first. System prompt and
//! last message are marked for the server's cache. Thinking goes back to the model that made it, with its proof;
//! servers other than Anthropic's get it without one too, and whether they were asked to think or not.
use crate::json::{self, Put, json};
use crate::models::anthropic::is_servers;
use crate::models::format::text as member;
use crate::models::messages::{Called, Item, LEFT_OUT, arguments, is_own, items, own_thinking, parts, text};
use crate::models::provider::{ChatRequest, Provider, Thinking};
use crate::models::wanted;
use crate::sessions::message;
use serde_json::{Map, Value};

/// The answer's length where the configuration names none; the server insists on one.
const MAX_TOKENS: u64 = 8192;
/// The least the server takes as a budget for thinking.
const MIN_BUDGET: u64 = 1024;

/// Builds the body.
pub fn build(p: &Provider, request: &ChatRequest) -> Value {
    let items = items(p, request.messages);
    let budget = budget(p, request.thinking).filter(|_| may_think(p, &items));
    let gives_back = budget.is_some() || !is_strict(p);
    let mut turns = Turns::default();
    let is_answer = |item: &&Item| matches!(item, Item::Assistant { calls, .. } if calls.is_empty());
    let paused = items.len() - items.iter().rev().take_while(is_answer).count();
    for (n, item) in items.iter().enumerate() {
        match item {
            Item::User(message) => turns.add("user", content(p, message)),
            Item::Assistant { message, .. } if n >= paused => {
                turns.add("assistant", as_it_came(p, message, gives_back))
            }
            Item::Assistant { message, calls, .. } => {
                let said: Vec<Value> = said(message, calls).collect();
                // What led to no call is over with its answer.
                let has_thinking = gives_back && !calls.is_empty();
                let thinking = if has_thinking { proofs(p, message) } else { Vec::new() };
                turns.add("assistant", thinking.into_iter().chain(said).collect());
                turns.add("user", calls.iter().map(|called| answer(p, called)).collect());
            }
        }
    }
    let max_tokens = match (p.max_tokens, budget) {
        (Some(max), _) => max,
        (None, budget) => MAX_TOKENS + budget.unwrap_or(0),
    };
    let mut body = json!({"model": p.model, "max_tokens": max_tokens, "stream": true});
    let Some(map) = body.as_object_mut() else { return body };
    if !request.system.trim().is_empty() {
        map.put("system", json!([cached(json!({"type": "text", "text": request.system}))]));
    }
    map.put("messages", turns.finish());
    if let Some(budget) = budget {
        map.put("thinking", json!({"type": "enabled", "budget_tokens": budget}));
    }
    tools(p, request, &items, map);
    wanted::in_messages(p, request, budget.is_some(), map);
    body
}

/// Tokens for thinking; `None` when it is off, or there is no room for it.
fn budget(p: &Provider, level: Thinking) -> Option<u64> {
    let wanted = match level {
        Thinking::Off => return None,
        Thinking::Minimal => MIN_BUDGET,
        Thinking::Low => 2048,
        Thinking::Medium => 8192,
        Thinking::High => 16_384,
        Thinking::XHigh => 32_768,
    };
    // A quarter of the length stays for the answer.
    let room = p.max_tokens.map_or(wanted, |max| max - max / 4);
    let budget = wanted.min(room);
    (p.reasoning && budget >= MIN_BUDGET).then_some(budget)
}

/// A turn that calls tools must have begun with thinking that can be shown again, else the server refuses
/// to think on.
fn may_think(p: &Provider, items: &[Item]) -> bool {
    let first = items.iter().find_map(|item| match item {
        Item::Assistant { message, calls, is_open: true } if !calls.is_empty() => Some(message),
        _ => None,
    });
    first.is_none_or(|message| !proofs(p, message).is_empty())
}

/// Whether the server takes thinking with its proof only, and while it thinks.
fn is_strict(p: &Provider) -> bool {
    let host =
        p.base_url.split("//").last().and_then(|rest| rest.split(['/', ':']).next()).unwrap_or_default();
    host == "anthropic.com" || host.ends_with(".anthropic.com")
}

/// The thinking of a message as the server wants it back.
fn proofs(p: &Provider, message: &Value) -> Vec<Value> {
    let is_proof = |block: &&Value| {
        let has = |name: &str| !member(block, name).is_empty();
        has("thinkingSignature") || (!is_strict(p) && has("thinking"))
    };
    own_thinking(p, message).into_iter().filter(is_proof).map(proof).collect()
}

fn proof(block: &Value) -> Value {
    let proof = member(block, "thinkingSignature");
    if block.get("redacted").is_some_and(|r| r == true) {
        return json!({"type": "redacted_thinking", "data": proof});
    }
    json!({"type": "thinking", "thinking": member(block, "thinking"), "signature": proof})
}

/// An answer behind which nothing stands: its server paused it, and goes on from what came of it.
fn as_it_came(p: &Provider, message: &Value, gives_back: bool) -> Vec<Value> {
    let is_own = is_own(p, message);
    let proofs = if gives_back { proofs(p, message) } else { Vec::new() };
    let mut proofs = proofs.into_iter();
    let blocks = message::blocks(message).iter().filter_map(|block| match member(block, "type") {
        "text" if !member(block, "text").trim().is_empty() => Some(block.clone()),
        "thinking" => proofs.next(),
        kind if is_own && is_servers(kind) => Some(block.clone()),
        _ => None,
    });
    let mut blocks: Vec<Value> = blocks.collect();
    // White space at the end is refused.
    if let Some(Value::String(text)) = blocks.last_mut().and_then(|block| block.get_mut("text")) {
        text.truncate(text.trim_end().len());
    }
    blocks
}

fn said<'a>(message: &'a Value, calls: &'a [Called]) -> impl Iterator<Item = Value> + use<'a> {
    let words = text(message, "");
    // Empty text is refused, and white space at the end of an answer too.
    let words = Some(words.trim_end().to_string()).filter(|words| !words.is_empty());
    let words = words.map(|words| json!({"type": "text", "text": words}));
    let calls = calls.iter().map(|called| {
        let name = member(called.call, "name");
        json!({"type": "tool_use", "id": called.id, "name": name, "input": arguments(called.call)})
    });
    words.into_iter().chain(calls)
}

fn answer(p: &Provider, called: &Called) -> Value {
    let mut block = json!({
        "type": "tool_result", "tool_use_id": called.id,
    });
    block = json::holding(block, "content", content(p, called.result));
    if let (Some(true), Some(map)) =
        (called.result.get("isError").and_then(Value::as_bool), block.as_object_mut())
    {
        map.put("is_error", true);
    }
    block
}

fn content(p: &Provider, message: &Value) -> Vec<Value> {
    let (words, pictures) = parts(message, p.images);
    let pictures = pictures.into_iter().map(|(kind, data)| {
        json!({"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}})
    });
    let words = (!words.trim().is_empty()).then(|| json::holding(json!({"type": "text"}), "text", words));
    pictures.chain(words).collect()
}

fn tools(p: &Provider, request: &ChatRequest, items: &[Item], map: &mut Map<String, Value>) {
    let offered: Vec<Value> = request.tools.iter().filter(|_| p.tools).map(|tool| {
        json!({"name": tool.name, "description": tool.description, "input_schema": (tool.schema())})
    }).collect();
    if !offered.is_empty() {
        map.put("tools", offered);
        return;
    }
    // A conversation with calls needs their tools named even when none may be called any more.
    let mut names = Vec::new();
    for item in items {
        let Item::Assistant { calls, .. } = item else { continue };
        for called in calls {
            let name = member(called.call, "name");
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    if !names.is_empty() {
        let named = names.iter().map(|name| json!({"name": name, "input_schema": {"type": "object"}}));
        map.put("tools", named.collect::<Value>());
        map.put("tool_choice", json!({"type": "none"}));
    }
}

/// Messages that take turns.
#[derive(Default)]
struct Turns(Vec<(&'static str, Vec<Value>)>);

impl Turns {
    fn add(&mut self, role: &'static str, content: Vec<Value>) {
        if content.is_empty() {
            return;
        }
        if self.0.is_empty() && role == "assistant" {
            // The first message has to be a user's; the window may begin behind it.
            self.0.push(("user", vec![json!({"type": "text", "text": LEFT_OUT})]));
        }
        match self.0.last_mut() {
            Some((last, old)) if *last == role => old.extend(content),
            _ => self.0.push((role, content)),
        }
    }

    fn finish(mut self) -> Value {
        let is_paused = self.0.last().is_some_and(|(role, _)| *role == "assistant");
        let others = self.0.len() - usize::from(is_paused);
        for (_, content) in self.0.iter_mut().take(others) {
            // Stable, so that everything else keeps its order.
            crate::order::by_key(content, role_in_message);
        }
        if let Some((_, content)) = self.0.iter_mut().take(others).last()
            && let Some(last) = content.pop()
        {
            content.push(if may_cache(&last) { cached(last) } else { last });
        }
        let message =
            |(role, content)| json::holding(json!({"role": role}), "content", Value::Array(content));
        self.0.into_iter().map(message).collect()
    }
}

/// Results first in a user's message; in an answer thinking first, calls last.
fn role_in_message(block: &Value) -> u8 {
    match member(block, "type") {
        "tool_result" | "thinking" | "redacted_thinking" => 0,
        "tool_use" => 2,
        _ => 1,
    }
}

fn may_cache(block: &Value) -> bool {
    !matches!(member(block, "type"), "thinking" | "redacted_thinking")
}

fn cached(mut block: Value) -> Value {
    if let Some(map) = block.as_object_mut() {
        map.put("cache_control", json!({"type": "ephemeral"}));
    }
    block
}
