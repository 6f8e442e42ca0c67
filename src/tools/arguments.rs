//! What a model gave a tool, made to fit: other names replaced, numbers read from texts, then checked by the schema.
//!
//! Pure. A model hears in words what is wrong, so that its next call can be right.
use super::Tool;
use crate::protocol::schema;
use serde_json::{Map, Number, Value};

/// The arguments to run the tool with, or what to tell the model.
pub fn fit(tool: &Tool, given: &Value) -> Result<Value, String> {
    let mut members = match given {
        Value::Object(members) => members.clone(),
        Value::Null => Map::new(),
        Value::String(text) if text.trim().is_empty() => Map::new(),
        Value::String(_) => {
            return Err(format!(
                "the arguments of {} were not valid JSON: call it again with one complete JSON object",
                tool.name
            ));
        }
        _ => return Err(format!("the arguments of {} must be one JSON object", tool.name)),
    };
    for (other, ours) in tool.aliases {
        if !members.contains_key(*ours)
            && let Some(value) = members.remove(*other)
        {
            members.insert(ours.to_string(), value);
        }
    }
    let root: Value = serde_json::from_str(tool.parameters).unwrap_or_default();
    let required = |name: &str| {
        root.get("required").and_then(Value::as_array).is_some_and(|list| list.iter().any(|r| r == name))
    };
    // Null stands for "not given" with many models.
    members.retain(|name, value| !value.is_null() || required(name));
    for (name, value) in &mut members {
        let kind = root.pointer(&format!("/properties/{name}/type")).and_then(Value::as_str);
        if let Some(read) = kind.and_then(|kind| reread(kind, value)) {
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

/// `"5"` where a number is wanted, `"true"` where a truth value is.
fn reread(kind: &str, value: &Value) -> Option<Value> {
    let text = value.as_str()?.trim();
    match kind {
        "integer" => text.parse::<i64>().ok().map(Value::from),
        "number" => text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number),
        "boolean" => text.parse::<bool>().ok().map(Value::Bool),
        _ => None,
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
            "limit": {"type": "integer", "minimum": 1}, "deep": {"type": "boolean"}}}"#,
        aliases: &[("file_path", "path")],
        changes: false,
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
        good(json!({"file_path": "a", "limit": null, "more": 1}), json!({"more": 1, "path": "a"}));
        good(json!({"path": "5"}), json!({"path": "5"}));
        let bad = |given: Value, want: &str| {
            let said = fit(&TOOL, &given).unwrap_err();
            assert!(said.contains(want), "{given}: {said}");
        };
        bad(json!("{\"path\": \"a"), "not valid JSON");
        bad(json!([1]), "one JSON object");
        bad(json!({}), "invalid t arguments: must have required property 'path'");
        bad(Value::Null, "required property 'path'");
        bad(json!({"path": null}), "at /path: must be string");
        bad(json!({"path": "a", "limit": 0}), "at /limit: must be >= 1");
        bad(json!({"path": "a", "limit": "many"}), "at /limit: must be integer");
    }
}
