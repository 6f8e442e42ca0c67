//! `node.pending.*`: what waits for nodes that sleep. Nodes take theirs, operators leave some for the next visit.
use crate::calls::Call;
use crate::error::{Error, Result};
use crate::nodes::allowed::Rules;
use crate::params::{params, read};
use crate::state::State;
use crate::state::event::Answer;
use serde_json::Value;

/// Wishes that are taken at once where the node does not say.
const TAKEN: u64 = 4;

/// Commands that the node could not do in the background, as far as it may still be told them.
pub fn pull(state: &mut State, call: Call, _params: Value) -> Result<Answer> {
    let (id, rules) = (call.caller.node_id(), Rules::of(&state.shared.config()));
    let about = state.nodes.link(id).map(|link| link.about.clone());
    let may = |command: &str| about.as_ref().is_some_and(|about| about.refusal(&rules, command).is_none());
    Ok(Answer::Now(state.nodes.asleep.pull(id, state.now, may).into()))
}

params! {
    struct Ack {
        ids: Vec<String>,
    }
}

pub fn ack(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let Ack { ids } = read(params)?;
    Ok(Answer::Now(state.nodes.asleep.ack(call.caller.node_id(), &ids, state.now).into()))
}

pub fn drain(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let most = params.get("maxItems").and_then(Value::as_u64).unwrap_or(TAKEN) as usize;
    Ok(Answer::Now(state.nodes.asleep.drain(call.caller.node_id(), most, state.now).into()))
}

params! {
    struct Wish {
        node_id: String,
        priority: Option<String>,
        expires_in_ms: Option<u64>,
    }
}

pub fn enqueue(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let kind = params.get("type").and_then(Value::as_str).unwrap_or_default().to_string();
    let Wish { node_id, priority, expires_in_ms } = read(params)?;
    let id = node_id.trim();
    if id.is_empty() {
        return Err(Error::invalid("nodeId required"));
    }
    let priority = priority.as_deref().unwrap_or("normal");
    let queued = state.nodes.asleep.wish(id, &kind, priority, expires_in_ms, state.now)?;
    Ok(Answer::Now(queued.into()))
}
