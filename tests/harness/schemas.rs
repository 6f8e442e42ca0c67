//! Checks what the gateway sends: the frame's own shape, and its payload against `schemas/`.
//!
//! Schemas are compiled at run time, once a process. A method or event without a schema file fails the test
//! that met it.
use super::Value;
use jsonschema::{Retrieve, Uri, Validator};
use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

static COMPILED: Mutex<Option<HashMap<String, Arc<Validator>>>> = Mutex::new(None);

/// Panics unless `payload` is what `schemas/methods/<method>.json` promises as `result`.
pub fn check_result(method: &str, payload: &Value) {
    check(&format!("methods/{method}"), Some("result"), payload);
}

/// Panics unless `payload` is what `schemas/events/<event>.json` promises.
pub fn check_event(event: &str, payload: &Value) {
    check(&format!("events/{event}"), None, payload);
}

/// Panics unless `output` is what `schemas/cli/<name>.json` promises a command prints with `--json`.
pub fn check_output(name: &str, output: &Value) {
    check(&format!("cli/{name}"), None, output);
}

/// Stock clients drop frames with members they do not know, so there must be none.
pub fn check_frame(frame: &Value) {
    let members: Vec<&str> =
        frame.as_object().expect("a frame is an object").keys().map(String::as_str).collect();
    let allowed: &[&str] = match frame["type"].as_str() {
        Some("res") => &["type", "id", "ok", "payload", "error"],
        Some("event") => &["type", "event", "payload", "seq", "stateVersion"],
        _ => panic!("a frame of unknown type: {frame}"),
    };
    assert!(members.iter().all(|m| allowed.contains(m)), "members {members:?} in {frame}");
    if frame["type"] == "res" {
        assert!(frame["id"].is_string() && frame["ok"].is_boolean(), "{frame}");
        assert_eq!(
            frame["ok"] == false,
            frame["error"].is_object(),
            "an error exactly where it failed: {frame}"
        );
    }
    if let Some(error) = frame["error"].as_object() {
        for key in ["code", "message"] {
            assert!(error[key].as_str().is_some_and(|t| !t.is_empty()), "error.{key} in {frame}");
        }
        assert!(frame["error"]["details"]["code"].is_string(), "error.details.code in {frame}");
        let known = ["code", "message", "details", "retryable", "retryAfterMs"];
        assert!(error.keys().all(|k| known.contains(&k.as_str())), "{frame}");
    }
    if let Some(version) = frame.get("stateVersion") {
        assert!(version["presence"].is_u64() && version["health"].is_u64(), "{frame}");
    }
}

fn check(name: &str, part: Option<&str>, payload: &Value) {
    let validator = compiled(name, part);
    let errors: Vec<String> =
        validator.iter_errors(payload).map(|e| format!("  {} at {}", e, e.instance_path())).collect();
    let shown: String = payload.to_string().chars().take(2000).collect();
    assert!(errors.is_empty(), "schemas/{name}.json does not allow\n{shown}\n{}", errors.join("\n"));
}

fn compiled(name: &str, part: Option<&str>) -> Arc<Validator> {
    let mut guard = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let map = guard.get_or_insert_with(HashMap::new);
    if let Some(found) = map.get(name) {
        return found.clone();
    }
    let path = dir().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("schemas/{name}.json: {e}"));
    let mut schema: Value =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("schemas/{name}.json: {e}"));
    if let Some(part) = part {
        assert!(schema.get(part).is_some(), "schemas/{name}.json has no member {part}");
        // The part may refer to definitions of its file, so the file stays around it.
        schema["$ref"] = format!("#/{part}").into();
    }
    let options = jsonschema::options().with_base_uri(format!("{BASE}{name}.json")).with_retriever(Files);
    let validator = Arc::new(options.build(&schema).unwrap_or_else(|e| panic!("schemas/{name}.json: {e}")));
    map.insert(name.to_string(), validator.clone());
    validator
}

/// What the schemas' references to each other are relative to.
const BASE: &str = "schema:///";

/// Finds the schemas that others refer to.
struct Files;

impl Retrieve for Files {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        let path = uri.as_str().strip_prefix(BASE).ok_or("not one of the schemas")?;
        Ok(serde_json::from_str(&std::fs::read_to_string(dir().join(path))?)?)
    }
}

/// The folder of the schemas.
pub fn dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas")
}
