//! What `POST /v1/responses` is sent: its members read into the request that both endpoints share. Runs on the
//! connection's own thread. Pure, but that pictures are fetched.
use super::asked::{Asked, text};
use super::talk::{member, taken};
use super::{Judged, settings, wrong};
use crate::json::{Put, json};
use serde_json::{Map, Value};

pub fn read(map: &mut Map<String, Value>, asked: &mut Asked) -> Judged<()> {
    if asked.model.is_empty() {
        return Err(wrong("`model` is required: openclaw, or openclaw/<agentId>.", "model"));
    }
    asked.previous = text(map, "previous_response_id")?.map(str::to_string);
    asked.max_tokens = settings::tokens(map, &["max_output_tokens"])?;
    if let Some(reasoning) = settings::given(map, "reasoning").and_then(Value::as_object) {
        asked.thinking = settings::effort(reasoning, "effort", "reasoning.effort")?;
    }
    if let Some(form) = map.get("text").and_then(|text| text.get("format")) {
        let form = settings::form(form, "text.format", "schema")?;
        form.into_iter().for_each(|form| asked.wanted.put("response_format", as_in_chat(form)));
    }
    asked.tools = settings::tools(map, &mut asked.wanted)?;
    for name in ["temperature", "top_p", "parallel_tool_calls", "tool_choice"] {
        if let Some(value) = settings::given(map, name) {
            asked.repeated.put(name, value.clone());
        }
    }
    match map.remove("metadata") {
        None | Some(Value::Null) => {}
        Some(metadata @ Value::Object(_)) => asked.repeated.put("metadata", metadata),
        Some(_) => return Err(wrong("`metadata` must be an object.", "metadata")),
    }
    text(map, "instructions")?;
    if let Some(Value::String(instructions)) = map.remove("instructions") {
        asked.repeated.put("instructions", instructions.as_str());
        asked.talk.system(instructions);
    }
    match map.remove("input").filter(|value| !value.is_null()) {
        Some(input @ Value::String(_)) => asked.talk.message("user", input, "input"),
        Some(Value::Array(items)) => {
            let mut items = items.into_iter().enumerate();
            items.try_for_each(|(n, item)| take(item, &format!("input[{n}]"), asked))
        }
        Some(_) => Err(wrong("`input` must be a string or an array of items.", "input")),
        None => Err(wrong("Missing user message in `input`.", "input")),
    }
}

/// The schema of an answer stands beside the type here, and in a member of its own there.
fn as_in_chat(mut form: Value) -> Value {
    let Some(map) = form.as_object_mut().filter(|map| map.contains_key("schema")) else { return form };
    map.remove("type");
    let schema = std::mem::take(map);
    json!({"type": "json_schema", "json_schema": schema})
}

/// One item. What other servers keep (reasoning, references) means nothing here and is passed over.
fn take(mut item: Value, at: &str, asked: &mut Asked) -> Judged<()> {
    let content = taken(&mut item, "content");
    match member(&item, "type") {
        "message" | "" => asked.talk.message(member(&item, "role"), content, &format!("{at}.content")),
        "function_call" => {
            let id = Some(member(&item, "call_id")).filter(|id| !id.is_empty());
            let id = id.unwrap_or_else(|| member(&item, "id"));
            asked.talk.call(id, member(&item, "name"), member(&item, "arguments"));
            Ok(())
        }
        "function_call_output" => {
            let output = taken(&mut item, "output");
            asked.talk.result(member(&item, "call_id"), output, at, ["output", "call_id"])
        }
        "reasoning" | "item_reference" => Ok(()),
        other => {
            let kind = crate::parts::within(other, 40);
            Err(wrong(format!("items of the type {kind:?} are not taken"), &format!("{at}.type")))
        }
    }
}
