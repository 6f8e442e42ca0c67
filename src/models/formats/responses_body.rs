//! The request body of `openai-responses`: transcript messages in, input items out.
//!
//! Pure. The server keeps nothing (`store: false`), so each request carries the whole conversation, with the
//! reasoning items that this model made.
use crate::json::{self, Put, json};
use crate::models::format::text as member;
use crate::models::messages::{
    Called, Item, PICTURES, arguments, data_url, items, own_thinking, parts, pictures_of, text, words_of,
};
use crate::models::provider::{ChatRequest, Provider, Thinking};
use crate::models::wanted;
use serde_json::Value;

/// The most values in a reasoning item.
const MAX_VALUES: usize = 1000;

/// Builds the body.
pub fn build(p: &Provider, request: &ChatRequest) -> Value {
    let mut input = Vec::new();
    for item in items(p, request.messages) {
        match item {
            Item::User(message) => input.extend(user(p, message)),
            Item::Assistant { message, calls, .. } => {
                let words = text(message, "");
                // What led to no call is over with its answer.
                if !calls.is_empty() {
                    input.extend(own_thinking(p, message).into_iter().filter_map(reasoning));
                }
                if !words.is_empty() {
                    input.push(json!({"type": "message", "role": "assistant", "content": words}));
                }
                // All calls come before the results, as the model made them.
                input.extend(calls.iter().map(function_call));
                input.extend(calls.iter().map(|called| output(p, called)));
                let pictures = pictures_of(&calls, p.images);
                if !pictures.is_empty() {
                    input.push(words_and_pictures(PICTURES.to_string(), pictures));
                }
            }
        }
    }
    let body = json!({"model": p.model, "input": null, "stream": true, "store": false});
    let mut body = json::holding(body, "input", input);
    let Some(map) = body.as_object_mut() else { return body };
    if !request.system.trim().is_empty() {
        map.put("instructions", request.system);
    }
    if p.tools && !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            json!({"type": "function", "name": tool.name, "description": tool.description,
                "parameters": (tool.schema()), "strict": false})
        });
        map.put("tools", tools.collect::<Value>());
    }
    if p.reasoning && request.thinking != Thinking::Off {
        map.put("reasoning", json!({"effort": request.thinking.name(), "summary": "auto"}));
        map.put("include", json!(["reasoning.encrypted_content"]));
    }
    if let Some(max) = p.max_tokens {
        map.put("max_output_tokens", max);
    }
    wanted::in_responses(p, request, map);
    body
}

fn user(p: &Provider, message: &Value) -> Option<Value> {
    let (words, pictures) = parts(message, p.images);
    (!words.is_empty() || !pictures.is_empty()).then(|| words_and_pictures(words, pictures))
}

fn words_and_pictures(words: String, pictures: Vec<(&str, &str)>) -> Value {
    let words = (!words.is_empty()).then(|| json::holding(json!({"type": "input_text"}), "text", words));
    let pictures = pictures
        .into_iter()
        .map(|picture| json!({"type": "input_image", "image_url": data_url(picture), "detail": "auto"}));
    let content: Vec<Value> = words.into_iter().chain(pictures).collect();
    let message = json!({"type": "message", "role": "user"});
    json::holding(message, "content", content)
}

/// The reasoning item that a thinking block's signature holds.
fn reasoning(block: &Value) -> Option<Value> {
    let item = json::read(member(block, "thinkingSignature"), MAX_VALUES, MAX_VALUES).ok()?;
    (member(&item, "type") == "reasoning").then_some(item)
}

fn function_call(called: &Called) -> Value {
    let (name, arguments) = (member(called.call, "name"), arguments(called.call).to_string());
    json!({"type": "function_call", "call_id": called.id, "name": name, "arguments": arguments})
}

fn output(p: &Provider, called: &Called) -> Value {
    let words = words_of(called.result, p.images);
    json!({"type": "function_call_output", "call_id": called.id, "output": words})
}
