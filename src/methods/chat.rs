//! `chat.*`: what WebChat and the Control UI speak. Answers of a turn come as events.
use crate::calls::Call;
use crate::cancel::Reason;
use crate::error::{Error, Result};
use crate::json::json;
use crate::methods::asking::Asked;
use crate::methods::sessions::{eyes, key_of};
use crate::params::{params, read};
use crate::protocol::events;
use crate::runs::origin::CHAT;
use crate::runs::{Runs, Wishes, World};
use crate::sessions::preview::Eyes;
use crate::sessions::{envelope, history, message};
use crate::slash::queue;
use crate::state::State;
use crate::state::event::{Answer, Event};
use serde_json::Value;

params! {
    struct Send {
        session_key: String,
        agent_id: Option<String>,
        timeout_ms: Option<u64>,
        queue_mode: Option<String>,
        suppress_command_interpretation: bool,
    }
}

pub fn send(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let (asked, own): (Asked, Send) = read(params)?;
    let wishes = Wishes {
        timeout_ms: own.timeout_ms,
        queue: own.queue_mode.as_deref().map(|mode| queue::take(mode).0),
        is_plain: own.suppress_command_interpretation,
        ages_by: CHAT.channel.map(str::to_string),
        ..asked.wishes("message or attachment required")?
    };
    let session = key_of(state, &own.session_key, own.agent_id.as_deref())?;
    asked.turn(state, &CHAT, session, wishes, call, None)
}

params! {
    struct Abort {
        session_key: String,
        agent_id: Option<String>,
        run_id: Option<String>,
    }
}

/// Stops one run, or all runs of a session, however they were started.
pub fn abort(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let Abort { session_key, agent_id, run_id } = read(params)?;
    let key = key_of(state, &session_key, agent_id.as_deref())?;
    if let Some(run) = &run_id
        && state.runs.session_of(run).is_some_and(|session| session != key)
    {
        return Err(Error::invalid("runId does not match sessionKey"));
    }
    let stop = |runs: &mut Runs, world: &mut dyn World| {
        runs.stop_session(world, &key, run_id.as_deref(), Reason::Rpc)
    };
    Ok(Answer::Now(state.with_runs(stop).into()))
}

params! {
    struct History {
        session_key: String,
        agent_id: Option<String>,
        limit: Option<u64>,
        max_bytes: Option<u64>,
        input_run_ids: Option<Vec<String>>,
    }
}

/// The transcript is read on the connection's thread.
pub fn history(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let History { session_key, agent_id, limit, max_bytes, input_run_ids } = read(params)?;
    // Who asks so knows a message by its id, and would show it twice without.
    let with_ids = max_bytes.is_some() || input_run_ids.is_some();
    let key = key_of(state, &session_key, agent_id.as_deref())?;
    let Some(entry) = state.sessions.begun(&key) else {
        return Ok(Answer::Now(history::payload(&session_key, None, "off", Vec::new()).into()));
    };
    let transcript = state.sessions.transcript(&key, &entry)?;
    Ok(Answer::Work(Box::new(move || {
        let mut messages = history::messages(&transcript, limit.map(|n| n as usize), with_ids)?;
        if eyes(&call) == Eyes::People {
            messages.iter_mut().for_each(envelope::open_message);
        }
        Ok(history::payload(&session_key, Some(&entry), "off", messages).into())
    })))
}

params! {
    struct Inject {
        session_key: String,
        agent_id: Option<String>,
        message: String,
        label: Option<String>,
    }
}

/// Puts an assistant message into a transcript without a run. Written by the store thread, then told.
pub fn inject(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let Inject { session_key, agent_id, message: text, label } = read(params)?;
    let key = key_of(state, &session_key, agent_id.as_deref())?;
    let entry = state.sessions.begun(&key).ok_or_else(|| Error::not_found("session not found"))?;
    let transcript = state.sessions.transcript(&key, &entry)?;
    let (now, told) = (state.now, state.shared.state.clone());
    let shown = label.as_ref().map_or_else(|| text.clone(), |label| format!("[{label}]\n\n{text}"));
    let work = move || {
        let mut injected = message::injected(&text, label.as_deref(), now);
        let ids = transcript
            .append(std::slice::from_ref(&injected))
            .map_err(|e| e.context("failed to write transcript"))?;
        let id = ids.last().cloned().unwrap_or_default();
        let payload = json!({
            "runId": format!("inject-{id}"), "sessionKey": key.clone(), "seq": 0, "state": "final",
            "message": {"role": "assistant", "content": [{"type": "text", "text": shown}], "timestamp": now},
        });
        // The state thread is gone only when the process ends; the transcript has the message.
        let _ = told.send(Event::Tell { event: &events::CHAT, payload });
        let message = injected.get_mut("message").map(Value::take).unwrap_or_default();
        // As above.
        let _ = told.send(Event::Wrote { key, message, id: id.clone() });
        Ok(json!({"ok": true, "messageId": id}).into())
    };
    Ok(Answer::Stored { key: None, work: Box::new(work) })
}
