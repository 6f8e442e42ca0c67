//! What a model gave a tool, made to fit: other names replaced, values read from what they stand in, then checked.
//!
//! Pure. Models know such tools from many programs; what is plainly meant is taken. A model hears in words what is
//! wrong otherwise, so that its next call can be right.
use super::Tool;
use crate::json::{self, Unread};
use crate::models::content::{MAX_ARGUMENTS, MAX_DEPTH, MAX_VALUES};
use crate::protocol::schema;
use crate::shell;
use serde_json::{Map, Number, Value};

/// The arguments to run the tool with, or what to tell the model.
pub fn fit(tool: &Tool, given: &Value) -> Result<Value, String> {
    let root = json::read(tool.parameters, MAX_VALUES, MAX_DEPTH).unwrap_or_default();
    let none = Map::new();
    let properties = root.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let mut members = Map::new();
    for (name, value) in unwrapped(tool, given, properties)? {
        let ours = our_name(tool, properties, &name).map_or(name.clone(), str::to_string);
        // Under its own name it counts whatever else stands there.
        if ours == name || !members.contains_key(&ours) {
            members.insert(ours, value);
        }
    }
    let required = |name: &str| {
        root.get("required").and_then(Value::as_array).is_some_and(|list| list.iter().any(|r| r == name))
    };
    // Null stands for "not given" with many models.
    members.retain(|name, value| !value.is_null() || required(name));
    for (name, value) in &mut members {
        let Some(property) = properties.get(name) else { continue };
        // Where a list is wanted, a command is one already.
        let is_line = name == "command" && property.get("type").is_some_and(|kind| kind == "string");
        let words = if is_line { argv(value) } else { None };
        if let Some(read) = words.or_else(|| reread(property, value)) {
            *value = read;
        }
    }
    let value = Value::Object(members);
    let wrong = schema::misfits(tool.parameters, &value);
    if wrong.is_empty() {
        Ok(value)
    } else {
        Err(format!("invalid {} arguments: {}", tool.name, wrong.join("; ")))
    }
}

/// The members, also when they came as a text or in one member around them.
fn unwrapped(
    tool: &Tool,
    given: &Value,
    properties: &Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    let members = match given {
        Value::Object(members) => members.clone(),
        Value::Null => Map::new(),
        Value::String(text) if text.trim().is_empty() => Map::new(),
        Value::String(text) => read(text).map_err(|why| format!("the arguments of {} {why}", tool.name))?,
        _ => return Err(format!("the arguments of {} must be one JSON object", tool.name)),
    };
    let mut all = members.iter();
    if let (Some((name, inner)), None) = (all.next(), all.next())
        && ["arguments", "args", "input", "parameters", "params"].contains(&name.as_str())
        && our_name(tool, properties, name).is_none()
        && (inner.is_object() || inner.is_string())
    {
        return unwrapped(tool, inner, properties);
    }
    Ok(members)
}

/// The members of an object that came as a text, or what is wrong with it.
fn read(text: &str) -> Result<Map<String, Value>, String> {
    if text.len() > MAX_ARGUMENTS {
        let (kb, most) = (text.len() / 1024, MAX_ARGUMENTS / 1024);
        return Err(format!("have {kb} KB, and {most} KB are taken: do it in several calls"));
    }
    match json::read(text, MAX_VALUES, MAX_DEPTH) {
        Ok(Value::Object(members)) => Ok(members),
        Err(Unread::TooDeep(most)) => {
            Err(format!("are nested deeper than {most} levels: call it with flat ones"))
        }
        Err(Unread::TooMany(most)) => Err(format!("hold more than {most} values: do it in several calls")),
        Ok(_) | Err(Unread::Malformed(_)) => {
            Err("were not valid JSON: call it again with one complete JSON object".into())
        }
    }
}

/// What we call the argument: case and separators do not count, other usual names do.
fn our_name<'t>(tool: &Tool, properties: &'t Map<String, Value>, name: &str) -> Option<&'t str> {
    if let Some((ours, _)) = properties.get_key_value(name) {
        return Some(ours);
    }
    let plain = |name: &str| name.replace(['_', '-', ' '], "").to_ascii_lowercase();
    let wanted = plain(name);
    let alias = tool.aliases.iter().find(|(other, _)| plain(other) == wanted).map(|(_, ours)| *ours);
    properties.keys().map(String::as_str).find(|ours| plain(ours) == wanted || Some(*ours) == alias)
}

/// The words of a command that is given as a list. A list of one is a line.
fn argv(value: &Value) -> Option<Value> {
    let words: Vec<&str> = value.as_array()?.iter().map(Value::as_str).collect::<Option<_>>()?;
    (words.len() > 1).then(|| shell::line(words).into())
}

/// The value as the schema of a property wants it, where another one plainly means it.
fn reread(property: &Value, value: &Value) -> Option<Value> {
    let kind = property.get("type").and_then(Value::as_str)?;
    let word = || value.as_str().map(str::trim);
    match kind {
        "integer" => {
            let number = value.as_f64().or_else(|| word()?.parse().ok())?;
            (number.fract() == 0.0 && number.abs() < 1e15).then(|| Value::from(number as i64))
        }
        "number" => word()?.parse().ok().and_then(Number::from_f64).map(Value::Number),
        "boolean" => match value.as_u64() {
            Some(number) => (number < 2).then_some(Value::Bool(number == 1)),
            None => match word()?.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(Value::Bool(true)),
                "false" | "no" | "off" | "0" => Some(Value::Bool(false)),
                _ => None,
            },
        },
        "array" => list(value),
        "string" => {
            let text = as_text(value)?;
            let known = property.get("enum").and_then(Value::as_array).into_iter().flatten();
            let same = |known: &&Value| known.as_str().is_some_and(|k| k.eq_ignore_ascii_case(text.trim()));
            Some(known.clone().find(same).cloned().unwrap_or(Value::String(text)))
        }
        _ => None,
    }
}

/// A list: of one, one that stands in a text, or words with commas between them.
fn list(value: &Value) -> Option<Value> {
    match value {
        Value::Array(_) => None,
        Value::String(text) if text.trim_start().starts_with('[') => {
            json::read(text, MAX_VALUES, MAX_DEPTH).ok().filter(Value::is_array)
        }
        Value::String(text) => {
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
            Some(words.map(Value::from).collect())
        }
        Value::Object(_) | Value::Null => None,
        single => Some(Value::Array(vec![single.clone()])),
    }
}

/// A text: a number in words, texts and text blocks joined, an object as JSON.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Array(items) => {
            let lines: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            let blocks = || items.iter().map(|item| item.get("text")?.as_str()).collect();
            lines.map(|lines| lines.join("\n")).or_else(blocks)
        }
        Value::Object(members) => match members.get("text").and_then(Value::as_str) {
            Some(text) if members.contains_key("type") => Some(text.to_string()),
            _ => Some(value.to_string()),
        },
        Value::Null => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::{Output, usual_time};
    use serde_json::json;

    const TOOL: Tool = Tool {
        name: "t",
        doc: "T.",
        parameters: r#"{"type": "object", "required": ["path"], "properties": {"path": {"type": "string"},
            "limit": {"type": "integer", "minimum": 1}, "deep": {"type": "boolean"}, "share": {"type": "number"},
            "mode": {"type": "string", "enum": ["markdown", "text"]}, "sessionKey": {"type": "string"},
            "kinds": {"type": "array", "items": {"type": "string"}}}}"#,
        aliases: &[("file", "path"), ("file_path", "path")],
        changes: false,
        serves: crate::calls::Provenance::is_any,
        time: usual_time,
        run: |_, _| Ok(Output::default()),
    };

    #[test]
    fn arguments_are_made_to_fit_or_explained() {
        let good = |given: Value, want: Value| assert_eq!(fit(&TOOL, &given), Ok(want), "{given}");
        good(
            json!({"path": "a", "limit": "5", "deep": "true"}),
            json!({"path": "a", "limit": 5, "deep": true}),
        );
        good(json!({"file_path": "a", "limit": null, "more": 1}), json!({"path": "a", "more": 1}));
        good(json!({"path": "5"}), json!({"path": "5"}));
        let bad = |given: Value, want: &str| {
            let said = fit(&TOOL, &given).unwrap_err();
            assert!(said.contains(want), "{given}: {said}");
        };
        bad(json!("{\"path\": \"a"), "not valid JSON");
        bad(json!([1]), "one JSON object");
        let of = |inner: &str| json!(format!("{{\"path\": {inner}}}"));
        bad(
            of(&format!("{}{}", "[".repeat(100), "]".repeat(100))),
            "arguments of t are nested deeper than 64 levels",
        );
        bad(of(&format!("[{}0]", "0,".repeat(20_000))), "arguments of t hold more than 10000 values");
        bad(
            of(&format!("\"{}\"", "x".repeat(300 << 10))),
            "arguments of t have 300 KB, and 256 KB are taken",
        );
        bad(json!({}), "invalid t arguments: must have required property 'path'");
        bad(Value::Null, "required property 'path'");
        bad(json!({"path": null}), "at /path: must be string");
        bad(json!({"path": "a", "limit": 0}), "at /limit: must be >= 1");
        bad(json!({"path": "a", "limit": "many"}), "at /limit: must be integer");
        bad(json!({"path": "a", "limit": 1.5}), "at /limit: must be integer");
    }

    /// Kind G: what models of other programs plainly mean.
    #[test]
    fn i13_4_a_command_that_is_given_as_words_is_these_words() {
        assert_eq!(argv(&json!(["printf", "%s", "a b", "$HOME"])), Some(json!("printf %s 'a b' '$HOME'")));
        for line in [json!(["ls -la"]), json!("ls -la"), json!(["ls", 1])] {
            assert_eq!(argv(&line), None, "{line}");
        }
    }

    #[test]
    fn other_names_and_shapes_are_taken() {
        for (given, want) in [
            (json!({"filePath": "a"}), json!({"path": "a"})),
            (json!({"FILE-PATH": "a"}), json!({"path": "a"})),
            (json!({"File": "a", "path": "b"}), json!({"path": "b"})),
            (json!({"path": "a", "session_key": "k"}), json!({"path": "a", "sessionKey": "k"})),
            (json!({"path": 5, "limit": 5.0}), json!({"path": "5", "limit": 5})),
            (json!({"path": ["a"], "limit": "5.0"}), json!({"path": "a", "limit": 5})),
            (
                json!({"path": "a", "deep": 1, "share": "0.5"}),
                json!({"path": "a", "deep": true, "share": 0.5}),
            ),
            (json!({"path": "a", "deep": "No"}), json!({"path": "a", "deep": false})),
            (json!({"path": "a", "mode": "Markdown"}), json!({"path": "a", "mode": "markdown"})),
            (json!({"path": "a", "kinds": "main, cron"}), json!({"path": "a", "kinds": ["main", "cron"]})),
            (json!({"path": "a", "kinds": "[\"main\"]"}), json!({"path": "a", "kinds": ["main"]})),
            (json!({"path": {"a": 1}}), json!({"path": "{\"a\":1}"})),
            (
                json!({"path": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}),
                json!({"path": "ab"}),
            ),
            (json!("{\"path\": \"a\"}"), json!({"path": "a"})),
            (json!({"arguments": {"path": "a"}}), json!({"path": "a"})),
            (json!({"input": "{\"file\": \"a\"}"}), json!({"path": "a"})),
        ] {
            assert_eq!(fit(&TOOL, &given), Ok(want), "{given}");
        }
        let many = format!("{{\"path\": [{}0]}}", "0,".repeat(20_000));
        assert!(fit(&TOOL, &json!(many)).is_err());
    }
}
