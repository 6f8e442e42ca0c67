//! What is written in a short form, as readers of the configuration are to see it.
//!
//! Pure but for the home directory; on the thread that loads, once what is broken is left out.
use crate::env::Env;
use serde_json::{Map, Value};

/// `agents.defaults.model: "a/b"` is short for `{primary: "a/b"}`, and of fallbacks alone the first is the model; readers
/// see only the long form.
pub fn model_objects(config: &mut Value) {
    let Some(defaults) = config.pointer_mut("/agents/defaults").and_then(Value::as_object_mut) else {
        return;
    };
    for key in ["model", "imageModel"] {
        let Some(value) = defaults.get_mut(key) else { continue };
        if value.is_string() {
            let primary = value.take();
            *value = Value::Object(Map::from_iter([("primary".to_string(), primary)]));
        } else if let Some(model) = value.as_object_mut()
            && !model.contains_key("primary")
            && let Some(first) =
                model.get("fallbacks").and_then(|list| list.get(0)).filter(|first| first.is_string())
        {
            model.insert("primary".to_string(), first.clone());
        }
    }
}

/// The same wherever else a model may be given as a text: who shows the configuration as a form draws an object there.
pub fn all_model_objects(config: &mut Value) {
    let lengthen = |at: Option<&mut Value>| {
        let model = at.and_then(|at| at.get_mut("model")).filter(|model| model.is_string());
        if let Some(model) = model {
            *model = Value::Object(Map::from_iter([("primary".to_string(), model.take())]));
        }
    };
    lengthen(config.pointer_mut("/agents/defaults/subagents"));
    lengthen(config.pointer_mut("/tools/subagents"));
    let list = config.pointer_mut("/agents/list").and_then(Value::as_array_mut);
    for agent in list.into_iter().flatten() {
        lengthen(agent.get_mut("subagents"));
        lengthen(agent.pointer_mut("/tools/subagents"));
        lengthen(Some(agent));
    }
}

/// `~/x` becomes a path where the key's name says that the value is one.
pub fn expand_home(value: &mut Value, env: &Env) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                let key = key.to_ascii_lowercase();
                let is_path = ["dir", "path", "paths", "file", "root", "workspace"]
                    .iter()
                    .any(|end| key.ends_with(end));
                match value {
                    Value::String(text) if is_path => expand_text(text, env),
                    Value::Array(items) if key == "paths" || key == "pathprepend" => {
                        for item in items {
                            if let Value::String(text) = item {
                                expand_text(text, env);
                            }
                        }
                    }
                    other => expand_home(other, env),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| expand_home(item, env)),
        _ => {}
    }
}

fn expand_text(text: &mut String, env: &Env) {
    if text.starts_with('~') {
        *text = env.expand(text).display().to_string();
    }
}
