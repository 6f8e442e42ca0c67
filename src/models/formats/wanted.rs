//! What whoever asked wants of an answer (temperature, stop words, a form, a choice of tools), in the words of each wire
//! format. It is known by the names that chat completions have for it.
//!
//! Pure. A format passes on what it has a name for; nothing is put in the place of the rest. How long an answer may be
//! stands in the provider.
use crate::json::{Put, json};
use crate::models::provider::{ChatRequest, Provider};
use serde_json::{Map, Value};

/// What is about tools, and means nothing where none are offered.
const OF_TOOLS: [&str; 2] = ["tool_choice", "parallel_tool_calls"];

/// Goes through what is wanted and may be said of this request.
fn each(p: &Provider, request: &ChatRequest, mut take: impl FnMut(&str, &Value)) {
    let offers = p.tools && !request.tools.is_empty();
    for (name, value) in request.wanted.into_iter().flatten() {
        if offers || !OF_TOOLS.contains(&name.as_str()) {
            take(name, value);
        }
    }
}

/// The tool that must be called, where one is named.
fn named(choice: &Value) -> Option<&Value> {
    choice.pointer("/function/name")
}

pub fn in_completions(p: &Provider, request: &ChatRequest, map: &mut Map<String, Value>) {
    each(p, request, |name, value| map.put(name, value.clone()));
}

pub fn in_responses(p: &Provider, request: &ChatRequest, map: &mut Map<String, Value>) {
    each(p, request, |name, value| match name {
        "temperature" | "top_p" | "parallel_tool_calls" => map.put(name, value.clone()),
        "tool_choice" => {
            let choice = named(value).map(|name| json!({"type": "function", "name": name}));
            map.put(name, choice.unwrap_or_else(|| value.clone()));
        }
        "response_format" => {
            // What chat completions keep in a member of its own stands beside the type here.
            let mut format = value.get("json_schema").cloned().unwrap_or_else(|| json!({}));
            if let (Some(format), Some(kind)) = (format.as_object_mut(), value.get("type")) {
                format.put("type", kind.clone());
            }
            map.put("text", json!({"format": format}));
        }
        _ => {}
    });
}

/// A model that thinks takes no temperature, and is not told to call a tool.
pub fn in_messages(p: &Provider, request: &ChatRequest, thinks: bool, map: &mut Map<String, Value>) {
    let mut choice = Map::new();
    each(p, request, |name, value| match name {
        "temperature" if !thinks => map.put(name, value.as_f64().map(|degree| degree.min(1.0))),
        "top_p" if !thinks => map.put(name, value.clone()),
        "stop" => {
            let words = if value.is_array() { value.clone() } else { json!([value]) };
            map.put("stop_sequences", words);
        }
        "tool_choice" => match (named(value), value.as_str()) {
            (Some(name), _) if !thinks => {
                choice.put("type", "tool");
                choice.put("name", name.clone());
            }
            (None, Some("required")) if !thinks => choice.put("type", "any"),
            (None, Some("none")) => choice.put("type", "none"),
            _ => {}
        },
        "parallel_tool_calls" if *value == false => choice.put("disable_parallel_tool_use", true),
        _ => {}
    });
    if !choice.is_empty() {
        if !choice.contains_key("type") {
            choice.put("type", "auto");
        }
        map.put("tool_choice", choice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::chat::ToolSpec;

    fn said(
        say: impl Fn(&Provider, &ChatRequest, &mut Map<String, Value>),
        tools: &[ToolSpec],
        wanted: Value,
    ) -> Value {
        let p = Provider { tools: true, ..Provider::builtin() };
        let (mut map, wanted) = (Map::new(), wanted.as_object().cloned());
        say(&p, &ChatRequest { tools, wanted: wanted.as_ref(), ..ChatRequest::default() }, &mut map);
        Value::Object(map)
    }

    #[test]
    fn i12_1_each_format_passes_on_what_it_has_a_name_for() {
        let tools = [ToolSpec { name: "f".into(), description: "".into(), parameters: "{}".into() }];
        let function = json!({"type": "function", "function": {"name": "f"}});
        let form = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}});
        let wanted = json!({"temperature": 1.5, "top_p": 0.5, "stop": "end", "seed": 7, "tool_choice": function,
            "parallel_tool_calls": false, "response_format": form});
        assert_eq!(said(in_completions, &tools, wanted.clone()), wanted);
        assert_eq!(
            said(in_responses, &tools, wanted.clone()),
            json!({"temperature": 1.5, "top_p": 0.5, "tool_choice": {"type": "function", "name": "f"},
                "parallel_tool_calls": false,
                "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}}})
        );
        let calm = |p: &Provider, r: &ChatRequest, m: &mut Map<String, Value>| in_messages(p, r, false, m);
        assert_eq!(
            said(calm, &tools, wanted.clone()),
            json!({"temperature": 1.0, "top_p": 0.5, "stop_sequences": ["end"],
                "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true}})
        );
        let thinks = |p: &Provider, r: &ChatRequest, m: &mut Map<String, Value>| in_messages(p, r, true, m);
        assert_eq!(
            said(thinks, &tools, wanted.clone()),
            json!({"stop_sequences": ["end"], "tool_choice": {"type": "auto", "disable_parallel_tool_use": true}})
        );
        assert_eq!(said(calm, &tools, json!({"tool_choice": "required"}))["tool_choice"]["type"], "any");
        assert_eq!(said(calm, &[], wanted.clone()).get("tool_choice"), None);
        assert_eq!(
            said(in_completions, &[], wanted).get("tool_choice"),
            None,
            "servers refuse it without tools"
        );
        assert_eq!(
            said(in_responses, &[], json!({"response_format": {"type": "json_object"}})),
            json!({"text": {"format": {"type": "json_object"}}})
        );
    }
}
