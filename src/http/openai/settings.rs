//! What a request of OpenAI's API wants of the answer: degrees, lengths, forms, tools. Judged here, passed on by the
//! model's wire format. Pure.
use super::asked::{flag, text};
use super::{Judged, wrong};
use crate::json::{Put, json};
use crate::models::provider::{Thinking, ToolSpec};
use crate::parts::within;
use serde_json::{Map, Value};

/// Most tools, and characters of their names.
const MOST_TOOLS: usize = 128;
const MAX_NAME: usize = 64;
/// Most words that end an answer.
const MOST_STOPS: usize = 16;
/// Numbers that are passed on, with their bounds.
const DEGREES: [(&str, f64, f64); 4] = [
    ("temperature", 0.0, 2.0),
    ("top_p", 0.0, 1.0),
    ("presence_penalty", -2.0, 2.0),
    ("frequency_penalty", -2.0, 2.0),
];

/// The members that both endpoints know, as `models/formats/wanted.rs` wants them.
pub fn wanted(map: &Map<String, Value>) -> Judged<Map<String, Value>> {
    let mut wanted = Map::new();
    for (name, least, most) in DEGREES {
        let Some(value) = given(map, name) else { continue };
        if !value.as_f64().is_some_and(|degree| (least..=most).contains(&degree)) {
            return Err(wrong(format!("`{name}` must be between {least} and {most}."), name));
        }
        wanted.put(name, value.clone());
    }
    if let Some(seed) = given(map, "seed") {
        let is_whole = seed.is_i64() || seed.is_u64();
        let seed = Some(seed).filter(|_| is_whole);
        wanted.put("seed", seed.ok_or_else(|| wrong("`seed` must be a whole number.", "seed"))?.clone());
    }
    if let Some(stop) = given(map, "stop") {
        let is_word = |word: &Value| word.as_str().is_some_and(|word| !word.is_empty());
        let is_list = |list: &Vec<Value>| list.len() <= MOST_STOPS && list.iter().all(is_word);
        if !is_word(stop) && !stop.as_array().is_some_and(is_list) {
            return Err(wrong(format!("`stop` must be a string or up to {MOST_STOPS} strings."), "stop"));
        }
        wanted.put("stop", stop.clone());
    }
    if given(map, "parallel_tool_calls").is_some() {
        wanted.put("parallel_tool_calls", flag(map, "parallel_tool_calls")?);
    }
    Ok(wanted)
}

/// The form of the answer; `text` is the usual one. A schema stands in the member `holds`.
pub fn form(value: &Value, param: &str, holds: &str) -> Judged<Option<Value>> {
    match value.get("type").and_then(Value::as_str) {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(json!({"type": "json_object"}))),
        Some("json_schema") => match value.get(holds).filter(|inner| inner.is_object()) {
            Some(_) if holds == "schema" => named(value, param).map(|()| Some(value.clone())),
            Some(inner) => named(inner, &format!("{param}.{holds}")).map(|()| Some(value.clone())),
            None => {
                let text =
                    format!("`{param}.{holds}` must be an object: the schema that the answer is to have.");
                Err(wrong(text, &format!("{param}.{holds}")))
            }
        },
        _ => Err(wrong(format!("`{param}.type` must be text, json_object or json_schema."), param)),
    }
}

/// A schema needs a name, and is an object.
fn named(form: &Value, param: &str) -> Judged<()> {
    if !form.get("name").and_then(Value::as_str).is_some_and(is_name) {
        let text = format!("`{param}.name` must be up to {MAX_NAME} letters, digits, _ and -.");
        return Err(wrong(text, &format!("{param}.name")));
    }
    match form.get("schema") {
        None | Some(Value::Null | Value::Object(_)) => Ok(()),
        Some(_) => Err(wrong(format!("`{param}.schema` must be an object."), &format!("{param}.schema"))),
    }
}

fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(is_plain)
}

/// The first of these members that is given: a number of tokens.
pub fn tokens(map: &Map<String, Value>, names: &[&str]) -> Judged<Option<u64>> {
    let Some((name, value)) = names.iter().find_map(|name| Some((name, given(map, name)?))) else {
        return Ok(None);
    };
    let count = value.as_u64().filter(|n| *n > 0);
    count.map(Some).ok_or_else(|| wrong(format!("`{name}` must be a whole number above 0."), name))
}

pub fn effort(map: &Map<String, Value>, name: &str, param: &str) -> Judged<Option<Thinking>> {
    let Some(level) = text(map, name)? else { return Ok(None) };
    let known = Thinking::parse(if level == "none" { "off" } else { level });
    let error = || wrong(format!("`{param}` must be none, minimal, low, medium, high or xhigh."), param);
    known.map(Some).ok_or_else(error)
}

/// A member that is there and not null.
pub fn given<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    map.get(name).filter(|value| !value.is_null())
}

/// The program's own tools.
#[derive(Default)]
pub struct Tools {
    pub specs: Vec<ToolSpec>,
    /// The choice that the answer must satisfy, for the sentence that says it did not.
    pub must: Option<String>,
}

/// Reads `tools` and `tool_choice`, in either endpoint's shape; the choice goes into `wanted` too.
pub fn tools(map: &Map<String, Value>, wanted: &mut Map<String, Value>) -> Judged<Tools> {
    let mut specs = match given(map, "tools") {
        None => Vec::new(),
        Some(Value::Array(list)) if list.len() > MOST_TOOLS => {
            return Err(wrong(
                format!("`tools` holds {} tools, at most {MOST_TOOLS} are taken.", list.len()),
                "tools",
            ));
        }
        Some(Value::Array(list)) => list
            .iter()
            .enumerate()
            .map(|(n, tool)| spec(tool, &format!("tools[{n}]")))
            .collect::<Judged<Vec<_>>>()?,
        Some(_) => return Err(wrong("`tools` must be an array.", "tools")),
    };
    if let Some(twice) =
        specs.iter().enumerate().find(|(n, tool)| specs.iter().take(*n).any(|t| t.name == tool.name))
    {
        return Err(wrong(format!("`tools` names {} twice.", twice.1.name), "tools"));
    }
    let must = match choice(map)? {
        None => None,
        Some(Choice::None) => {
            specs.clear();
            None
        }
        Some(Choice::Any) if specs.is_empty() => {
            return Err(wrong("tool_choice=required but no tools were provided", "tool_choice"));
        }
        Some(Choice::Any) => {
            wanted.put("tool_choice", "required");
            Some("tool_choice=required".to_string())
        }
        Some(Choice::Named(name)) => {
            specs.retain(|tool| tool.name == name);
            if specs.is_empty() {
                return Err(wrong(
                    format!("tool_choice requested unknown tool: {}", within(&name, MAX_NAME)),
                    "tool_choice",
                ));
            }
            wanted.put("tool_choice", json!({"type": "function", "function": {"name": name}}));
            Some(format!("tool_choice={name}"))
        }
    };
    Ok(Tools { specs, must })
}

enum Choice {
    None,
    Any,
    Named(String),
}

/// `None` is the model's own choice.
fn choice(map: &Map<String, Value>) -> Judged<Option<Choice>> {
    let Some(value) = given(map, "tool_choice") else { return Ok(None) };
    let named = value.pointer("/function/name").or_else(|| value.get("name")).and_then(Value::as_str);
    match (value.as_str(), named) {
        (Some("auto"), _) => Ok(None),
        (Some("none"), _) => Ok(Some(Choice::None)),
        (Some("required"), _) => Ok(Some(Choice::Any)),
        (None, Some(name)) if value.get("type").is_some_and(|kind| kind == "function") => {
            Ok(Some(Choice::Named(name.to_string())))
        }
        _ => Err(wrong("`tool_choice` must be auto, none, required or name a function.", "tool_choice")),
    }
}

/// One tool; its members stand in `function` or beside the type.
fn spec(tool: &Value, param: &str) -> Judged<ToolSpec> {
    if tool.get("type").is_none_or(|kind| kind != "function") {
        return Err(wrong(
            format!("`{param}.type` must be function: others are not run here."),
            &format!("{param}.type"),
        ));
    }
    let function = tool.get("function").unwrap_or(tool);
    let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
    if !is_name(name) {
        let text = format!("`{param}` needs a name of up to {MAX_NAME} letters, digits, _ and -.");
        return Err(wrong(text, &format!("{param}.function.name")));
    }
    let parameters = match function.get("parameters") {
        None | Some(Value::Null) => r#"{"type":"object","properties":{}}"#.to_string(),
        Some(schema @ Value::Object(_)) => schema.to_string(),
        Some(_) => {
            return Err(wrong(
                format!("`{param}.parameters` must be a JSON Schema."),
                &format!("{param}.parameters"),
            ));
        }
    };
    let description = function.get("description").and_then(Value::as_str).unwrap_or_default();
    Ok(ToolSpec {
        name: name.to_string().into(),
        description: description.to_string().into(),
        parameters: parameters.into(),
    })
}
