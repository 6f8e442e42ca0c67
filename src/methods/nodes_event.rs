//! `node.event`: what nodes say on their own. They hear of sessions, ask for turns with a node's authority, and tell of their
//! load. Whatever one says is answered with `ok`: what is not known here is passed over, what is wrong is told in the log.
use super::asking::{Own, thinking};
use super::destination::{Named, address};
use super::local;
use crate::calls::{Call, Caller, Provenance};
use crate::error::{Error, Result};
use crate::ids;
use crate::json::{self, Put, json};
use crate::logging::quoted;
use crate::models::provider::Thinking;
use crate::params::{params, read};
use crate::parts::within;
use crate::protocol::events;
use crate::runs::origin::NODE;
use crate::runs::{Observers, Wishes};
use crate::state::State;
use crate::state::event::Answer;
use crate::untrusted;
use serde_json::{Map, Value};

/// Characters that a node may say at once, and bytes of what a command said that are told.
const MAX_SAID: usize = 20_000;
const MAX_OUTPUT: usize = 4000;
/// Most values in what comes as text.
const MAX_VALUES: usize = 2000;
const EVENT: &str = "node.event";

/// The payload, read if it came as text.
pub fn prepare(mut params: Value) -> Result<Value> {
    let Some(map) = params.as_object_mut() else { return Ok(params) };
    if let Some(Value::String(text)) = map.remove("payloadJSON") {
        // What cannot be read says nothing.
        map.put("payload", json::read(&*text, MAX_VALUES, json::DEEPEST).unwrap_or_default());
    }
    Ok(params)
}

/// What became of an event: nothing, or in a word.
type Done = Result<Option<&'static str>>;
type Deed = fn(&mut State, &Call, &Value) -> Done;

const EVENTS: [(&str, Deed); 8] = [
    ("chat.subscribe", |state, call, said| hear(state, call, said, true)),
    ("chat.unsubscribe", |state, call, said| hear(state, call, said, false)),
    ("voice.transcript", voice),
    ("agent.request", request),
    ("exec.started", |state, call, said| command(state, call, said, false)),
    ("exec.finished", |state, call, said| command(state, call, said, true)),
    ("exec.denied", |state, call, said| command(state, call, said, true)),
    ("node.host.stats", stats),
];

pub fn event(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let name = params.get("event").and_then(Value::as_str).unwrap_or_default().trim();
    let said = params.get("payload").unwrap_or(&Value::Null);
    let done = match EVENTS.iter().find(|(known, _)| *known == name) {
        Some((_, deed)) => deed(state, &call, said),
        None => Ok(None),
    };
    let reason = done.unwrap_or_else(|wrong| {
        log::info!(target: "gateway/nodes", "event {} of node {}: {wrong}", quoted(name), quoted(call.caller.node_id()));
        None
    });
    let mut told = Map::new();
    told.put("ok", true);
    // Older ones know no more than that.
    if call.caller.protocol >= 4 {
        told.put("event", within(name, 200));
        told.put("handled", reason.is_some());
        reason.iter().for_each(|reason| told.put("reason", *reason));
    }
    Ok(Answer::Now(Value::Object(told).into()))
}

fn text<'v>(said: &'v Value, name: &str) -> Option<&'v str> {
    said.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

fn hear(state: &mut State, call: &Call, said: &Value, is_on: bool) -> Done {
    let key = text(said, "sessionKey").ok_or_else(|| Error::invalid("sessionKey required"))?;
    let key = state.sessions.rules().canonical(key)?;
    match is_on {
        true => state.nodes.hear(call.caller.conn, &key)?,
        false => state.nodes.unhear(call.caller.conn, &key),
    }
    Ok(Some("updated"))
}

fn voice(state: &mut State, call: &Call, said: &Value) -> Done {
    let words = text(said, "text").ok_or_else(|| Error::invalid("text required"))?;
    let session = text(said, "sessionKey").unwrap_or("main");
    let wishes = Wishes { thinking: Some(Thinking::Low), ..Wishes::default() };
    ask(state, call, session, words, None, wishes, Observers::readers())
}

params! {
    struct Request {
        message: String,
        session_key: Option<String>,
        thinking: Option<String>,
        deliver: bool,
        channel: Option<String>,
        to: Option<String>,
        timeout_seconds: Option<u64>,
        key: Option<String>,
    }
}

fn request(state: &mut State, call: &Call, said: &Value) -> Done {
    let asked: Request = read(said.clone())?;
    let own = format!("node-{}", call.caller.node_id());
    let session = asked.session_key.as_deref().filter(|key| !key.trim().is_empty()).unwrap_or(&own);
    let key = state.sessions.rules().canonical(session)?;
    let mut observers = Observers::readers();
    if asked.deliver {
        let named = Named { channel: asked.channel, to: asked.to, ..Named::default() };
        observers.deliver(Some(address(state, named, &key)?));
    }
    let wishes = Wishes {
        timeout_ms: asked.timeout_seconds.map(|seconds| seconds.saturating_mul(1000)),
        thinking: thinking(asked.thinking.as_deref(), "thinking")?,
        ..Wishes::default()
    };
    ask(state, call, session, &asked.message, asked.key.as_deref(), wishes, observers)
}

/// A turn on the authority of a node. One that a node asks for again under the same key is the same.
fn ask(
    state: &mut State,
    call: &Call,
    session: &str,
    message: &str,
    key: Option<&str>,
    wishes: Wishes,
    observers: Observers,
) -> Done {
    let message = message.trim();
    if message.is_empty() || message.chars().count() > MAX_SAID {
        return Err(Error::invalid(format!("a message has 1 to {MAX_SAID} characters")));
    }
    let node = call.caller.node_id();
    let key = match key.map(str::trim).filter(|key| !key.is_empty() && key.len() <= 256) {
        Some(key) => key.to_string(),
        None => ids::uuid()?,
    };
    let caller = Caller { run: None, ..local::inside(EVENT, Provenance::Node) };
    let session = state.sessions.rules().canonical(session)?;
    let (id, message) = (format!("node:{}:{key}", within(node, 16)), message.to_string());
    let own = Own {
        surface: &NODE,
        whose: Provenance::Node,
        caller,
        method: EVENT,
        id,
        session: &session,
        message,
    };
    own.ask(state, wishes, observers).map(|()| Some("accepted"))
}

/// The end of a command for the node's shell that nobody waited for any more. Who was answered knows it already, and of no
/// other command is it believed (SEC-41).
fn command(state: &mut State, call: &Call, said: &Value, is_over: bool) -> Done {
    let node = call.caller.node_id();
    let run = text(said, "runId").unwrap_or_default();
    let Some(session) = state.left_run(node, run, is_over) else { return Ok(None) };
    let key = state.sessions.rules().canonical(session.as_deref().unwrap_or("main"))?;
    state.sessions.owner(&key)?;
    let what = match (is_over, text(said, "reason"), said.get("exitCode").and_then(Value::as_i64)) {
        (false, ..) => return Ok(Some("noted")),
        (_, Some(reason), None) => format!("denied ({})", within(reason, 200)),
        (_, _, Some(code)) => format!("finished with code {code}"),
        _ if said.get("timedOut") == Some(&Value::Bool(true)) => "was ended at its deadline".to_string(),
        _ => "finished".to_string(),
    };
    let mut told = format!("A command on the node {} {what} (run {}).", within(node, 16), within(run, 64));
    if let Some(output) = text(said, "output") {
        told += "\n";
        told += &untrusted::wrap("what the command said", within(output, MAX_OUTPUT))?;
    }
    state.wake_session(&key, told, "exec-event");
    Ok(Some("noted"))
}

fn stats(state: &mut State, call: &Call, said: &Value) -> Done {
    const NUMBERS: [&str; 5] =
        ["cpuCount", "memoryTotalBytes", "memoryFreeBytes", "diskTotalBytes", "diskAvailableBytes"];
    let mut kept = Map::new();
    for name in NUMBERS {
        if let Some(number) = said.get(name).and_then(Value::as_u64) {
            kept.put(name, number);
        }
    }
    if kept.get("memoryTotalBytes").is_none() || kept.get("memoryFreeBytes").is_none() {
        return Err(Error::invalid("memoryTotalBytes and memoryFreeBytes required"));
    }
    let load = said.get("loadAverage").and_then(Value::as_array).filter(|load| load.len() == 3);
    if let Some(load) = load.filter(|load| load.iter().all(Value::is_number)) {
        kept.put("loadAverage", load.clone());
    }
    kept.put("updatedAtMs", state.now);
    let node = call.caller.node_id().to_string();
    let stats = Value::Object(kept);
    state.nodes.note_stats(&node, stats.clone());
    state.emit(&events::NODE_STATS, &json!({"nodeId": node, "hostStats": stats}));
    Ok(Some("updated"))
}
