//! `chat.*`: what WebChat and the Control UI speak. Answers of a turn come as events.
use crate::agent::cancel::Reason;
use crate::error::{Error, Result};
use crate::methods::agent::{
    check_send_policy, default_timeout_ms, hash_without_key, refuse_attachments, replay,
};
use crate::methods::read;
use crate::protocol::events;
use crate::sessions::{history, message};
use crate::state::State;
use crate::state::event::{Answer, Call, Event};
use crate::state::runs::{Family, NewRun};
use serde::Deserialize;
use serde_json::{Value, json};

/// Whole messages that stop a run instead of starting one.
const STOP_WORDS: [&str; 7] = ["/stop", "stop", "esc", "abort", "wait", "exit", "interrupt"];

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Send {
    session_key: String,
    message: String,
    attachments: Vec<Value>,
    timeout_ms: Option<u64>,
    idempotency_key: String,
}

pub fn send(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let hash = hash_without_key(&params);
    let params: Send = read(params)?;
    let text = params.message.trim().to_string();
    refuse_attachments(&params.attachments)?;
    if text.is_empty() {
        return Err(Error::invalid("message or attachment required"));
    }
    let key = state.sessions.rules().canonical(&params.session_key)?;
    state.sessions.owner(&key)?;
    if STOP_WORDS.contains(&text.to_lowercase().as_str()) {
        return Ok(Answer::Now(abort_session(state, &key, None, Reason::Stop).into()));
    }
    if let Some(answer) = replay(state, &call, Family::Chat, &params.idempotency_key, &hash)? {
        return Ok(answer);
    }
    check_send_policy(state, &key)?;
    let timeout_ms = params.timeout_ms.unwrap_or_else(|| default_timeout_ms(state));
    let new = NewRun {
        family: Family::Chat,
        id: params.idempotency_key,
        key,
        message: text,
        hash,
        timeout_ms,
        extra_system: None,
    };
    state.accept_run(call, new)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Abort {
    session_key: String,
    run_id: Option<String>,
}

/// Stops one run, or all runs of a session, however they were started.
pub fn abort(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let Abort { session_key, run_id } = read(params)?;
    let key = state.sessions.rules().canonical(&session_key)?;
    if let Some(run) = &run_id
        && state.runs.session_of(run).is_some_and(|session| session != key)
    {
        return Err(Error::invalid("runId does not match sessionKey"));
    }
    Ok(Answer::Now(abort_session(state, &key, run_id, Reason::Rpc).into()))
}

fn abort_session(state: &mut State, key: &str, run: Option<String>, why: Reason) -> Value {
    let mut runs = state.runs.of_session(key);
    runs.retain(|id| run.as_ref().is_none_or(|run| run == id));
    runs.sort();
    for id in &runs {
        state.abort_run(id, why);
    }
    json!({"ok": true, "aborted": !runs.is_empty(), "runIds": runs})
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct History {
    session_key: String,
    limit: Option<u64>,
}

/// The transcript is read on the connection's thread.
pub fn history(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let History { session_key, limit } = read(params)?;
    let key = state.sessions.rules().canonical(&session_key)?;
    let Some(entry) = state.sessions.get(&key).cloned() else {
        return Ok(Answer::Now(history::payload(&session_key, None, "off", Vec::new()).into()));
    };
    let transcript = state.sessions.transcript(&key, &entry)?;
    Ok(Answer::Work(Box::new(move || {
        let messages = history::messages(&transcript, limit.map(|n| n as usize))?;
        Ok(history::payload(&session_key, Some(&entry), "off", messages).into())
    })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inject {
    session_key: String,
    message: String,
    label: Option<String>,
}

/// Puts an assistant message into a transcript without a run. Written by the store thread, then told.
pub fn inject(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let Inject { session_key, message: text, label } = read(params)?;
    let key = state.sessions.rules().canonical(&session_key)?;
    let entry = state.sessions.get(&key).cloned().ok_or_else(|| Error::not_found("session not found"))?;
    let transcript = state.sessions.transcript(&key, &entry)?;
    let (now, told) = (state.now, state.shared.state.clone());
    let shown = label.as_ref().map_or_else(|| text.clone(), |label| format!("[{label}]\n\n{text}"));
    let work = move || {
        let injected = message::injected(&text, label.as_deref(), now);
        let ids = transcript.append(&[injected]).map_err(|e| e.context("failed to write transcript"))?;
        let id = ids.last().cloned().unwrap_or_default();
        let payload = json!({
            "runId": format!("inject-{id}"), "sessionKey": key, "seq": 0, "state": "final",
            "message": {"role": "assistant", "content": [{"type": "text", "text": shown}], "timestamp": now},
        });
        // The state thread is gone only when the process ends; the transcript has the message.
        let _ = told.send(Event::Tell { event: &events::CHAT, payload });
        Ok(json!({"ok": true, "messageId": id}).into())
    };
    Ok(Answer::Stored { key: None, work: Box::new(work) })
}
