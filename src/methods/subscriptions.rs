//! `sessions.subscribe`, `sessions.messages.subscribe` and their opposites: which events a connection gets beside
//! those that all get. The events themselves are made in `state/subscriptions.rs`.
use super::local::to_value;
use crate::calls::Call;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::methods::{self, sessions};
use crate::params::{params, read};
use crate::state::State;
use crate::state::event::Answer;
use serde_json::Value;

/// With params of `sessions.list` the answer holds that list too; the subscription is made before the list.
pub fn subscribe(state: &mut State, call: Call, mut params: Value) -> Result<Answer> {
    if let Some(list) = methods::named("sessions.list") {
        methods::fit(&call.caller, list, &mut params)?;
    }
    let is_here = is_connected(state, &call);
    if is_here {
        state.subscriptions.add(call.caller.conn);
    }
    let acknowledged = json!({"subscribed": is_here});
    if params.as_object().is_none_or(|params| params.is_empty()) {
        return Ok(Answer::Now(acknowledged.into()));
    }
    match sessions::list(state, call, params)? {
        Answer::Work(work) => Ok(Answer::Work(Box::new(move || {
            let list = to_value(work()?)?;
            Ok(json!({"subscribed": is_here, "list": list}).into())
        }))),
        _ => Ok(Answer::Now(acknowledged.into())),
    }
}

pub fn unsubscribe(state: &mut State, call: Call, _params: Value) -> Result<Answer> {
    state.subscriptions.remove(call.caller.conn);
    Ok(Answer::Now(json!({"subscribed": false}).into()))
}

params! {
    struct Follow {
        key: String,
        agent_id: Option<String>,
        include_approvals: bool,
    }
}

/// A session that does not exist yet can be followed. There are no approvals here, so their replay is empty.
pub fn follow(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let Follow { key, agent_id, include_approvals } = read(params)?;
    if include_approvals && !call.caller.scopes.has("operator.approvals") {
        return Err(Error::invalid("includeApprovals needs scope operator.approvals; leave it out"));
    }
    let key = sessions::key_of(state, &key, agent_id.as_deref())?;
    let is_here = is_connected(state, &call);
    if is_here {
        state.subscriptions.follow(call.caller.conn, &key)?;
    }
    let mut payload = json!({"subscribed": is_here, "key": key});
    if let Some(map) = payload.as_object_mut().filter(|_| include_approvals) {
        let replay =
            json!({"sessionKey": key, "updatedAtMs": state.now, "approvals": [], "truncated": false});
        map.put("approvalReplay", replay);
    }
    Ok(Answer::Now(payload.into()))
}

pub fn unfollow(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let Follow { key, agent_id, .. } = read(params)?;
    let key = sessions::key_of(state, &key, agent_id.as_deref())?;
    state.subscriptions.unfollow(call.caller.conn, &key);
    Ok(Answer::Now(json!({"subscribed": false, "key": key}).into()))
}

/// Callers inside the process have no connection that events could go to.
fn is_connected(state: &State, call: &Call) -> bool {
    state.clients.get(call.caller.conn).is_some()
}
