//! `node.invoke` and `node.invoke.result`, and by the same way the rules of a node's shell (`exec.approvals.node.*`). Texts that
//! may be large are made ready on the connections' own threads; the state only puts them together.
use crate::calls::Call;
use crate::deliveries::dedupe::params_hash;
use crate::error::{Error, Result};
use crate::ids;
use crate::json::{self, Put, json};
use crate::logging::quoted;
use crate::nodes::command;
use crate::params::read;
use crate::state::State;
use crate::state::event::Answer;
use crate::state::nodes::{Shape, Told};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

/// Of what a node gives as a text: more is kept as one.
const MAX_VALUES: usize = 500_000;
const MAX_DEPTH: usize = 64;

/// The params for the node as JSON, and the hash of all but the key.
pub fn prepare(mut params: Value) -> Result<Value> {
    let hash = match params.as_object_mut() {
        Some(map) => {
            let key = map.remove("idempotencyKey").unwrap_or_default();
            let hash = params_hash(&Value::Object(map.clone()));
            map.put("idempotencyKey", key);
            hash
        }
        None => String::new(),
    };
    let Some(map) = params.as_object_mut() else { return Ok(params) };
    map.put("hash", hash);
    // A command for a shell is made anew by the state, which knows what was approved.
    let is_run = map.get("command").and_then(Value::as_str).is_some_and(|name| command::is_run(name.trim()));
    if !is_run && let Some(given) = map.remove("params").filter(|given| !given.is_null()) {
        map.put("paramsJSON", given.to_string());
    }
    Ok(params)
}

pub fn invoke(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let text = |name: &str| params.get(name).and_then(Value::as_str).unwrap_or_default().trim();
    let (node, name) = (text("nodeId"), text("command"));
    if node.is_empty() || name.is_empty() {
        return Err(Error::invalid("nodeId and command required"));
    }
    let mut told = Told {
        node: node.to_string(),
        command: name.to_string(),
        params: params.get("paramsJSON").and_then(Value::as_str).map(str::to_string),
        timeout_ms: params.get("timeoutMs").and_then(Value::as_u64),
        key: text("idempotencyKey").to_string(),
        hash: text("hash").to_string(),
        shape: Shape::Whole,
        run: None,
    };
    if command::is_run(name) {
        run(state, &mut told, params.get("params").unwrap_or(&Value::Null))?;
    }
    state.invoke(call, told)
}

/// A command for the node's shell. That it was approved is said where a decision about exactly this stands in this gateway's
/// own record, and once (SEC-10).
fn run(state: &mut State, told: &mut Told, params: &Value) -> Result<()> {
    let mut built = command::rebuilt(params)?;
    let name =
        |map: &Map<String, Value>, name: &str| map.get(name).and_then(Value::as_str).map(str::to_string);
    let run = match name(&built, "runId").filter(|run| !run.is_empty()) {
        Some(run) => run,
        None => ids::uuid()?,
    };
    built.put("runId", run.as_str());
    let decision = state.take_allowed(&run, |request| command::is_allowed_by(request, &told.node, &built));
    if let Some(decision) = decision {
        built.put("approved", true);
        built.put("approvalDecision", decision);
    }
    told.run = Some((run, name(&built, "sessionKey")));
    told.params = Some(Value::Object(built).to_string());
    Ok(())
}

/// What a node gives, checked and written out.
pub fn prepare_result(mut params: Value) -> Result<Value> {
    let mut ready = Map::new();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_string);
    for name in ["id", "nodeId"] {
        ready.put(name, text(params.get(name)).unwrap_or_default());
    }
    ready.put("ok", params.get("ok") == Some(&Value::Bool(true)));
    for name in ["code", "message"] {
        if let Some(said) = text(params.get("error").and_then(|error| error.get(name))) {
            ready.put(name, crate::parts::within(&said, 4000));
        }
    }
    let (payload, quoted) = match params.get_mut("payloadJSON").map(Value::take) {
        Some(Value::String(text)) => {
            let quoted = json!(text).to_string();
            match json::read_as::<IgnoredAny>(&text, MAX_VALUES, MAX_DEPTH) {
                Ok(_) => (text, quoted),
                Err(_) => (format!("{{\"payloadJSON\":{quoted}}}"), quoted),
            }
        }
        None | Some(Value::Null) => {
            (params.get("payload").unwrap_or(&Value::Null).to_string(), "null".to_string())
        }
        // Some write it as it is.
        Some(other) => (other.to_string(), "null".to_string()),
    };
    ready.put("payload", payload);
    ready.put("quoted", quoted);
    Ok(Value::Object(ready))
}

pub fn result(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let node = params.get("nodeId").and_then(Value::as_str).unwrap_or_default();
    if node != call.caller.node_id() {
        log::warn!(target: "gateway/nodes", "conn={} says that it is node {}; refused", call.caller.conn, quoted(node));
        return Err(Error::invalid("nodeId mismatch"));
    }
    let told = match state.invoke_answered(call.caller.conn, read(params)?) {
        true => json!({"ok": true}),
        false => json!({"ok": true, "ignored": true}),
    };
    Ok(Answer::Now(told.into()))
}

/// The rules of a node's shell, as the node keeps them.
pub fn approvals_get(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let told = rules(&params, "system.execApprovals.get", None)?;
    state.invoke(call, told)
}

pub fn approvals_set(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let mut new = Map::new();
    for name in ["file", "baseHash"] {
        if let Some(value) = params.get(name).filter(|value| !value.is_null()) {
            new.put(name, value.clone());
        }
    }
    let told = rules(&params, "system.execApprovals.set", Some(Value::Object(new).to_string()))?;
    state.invoke(call, told)
}

fn rules(params: &Value, command: &str, given: Option<String>) -> Result<Told> {
    let node = params.get("nodeId").and_then(Value::as_str).unwrap_or_default().trim();
    if node.is_empty() {
        return Err(Error::invalid("nodeId required"));
    }
    Ok(Told {
        node: node.to_string(),
        command: command.to_string(),
        params: given,
        timeout_ms: None,
        key: ids::uuid()?,
        hash: String::new(),
        shape: Shape::Payload,
        run: None,
    })
}
