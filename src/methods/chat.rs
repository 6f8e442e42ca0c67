//! `chat.*`: what WebChat and the Control UI speak. Answers of a turn come as events.
use crate::calls::Call;
use crate::cancel::Reason;
use crate::error::{Error, Result};
use crate::json::json;
use crate::methods::agent::{check_send_policy, default_timeout_ms, read_thinking, replay};
use crate::methods::sessions::key_of;
use crate::params::{params, read};
use crate::protocol::events;
use crate::runs::{Family, NewRun};
use crate::sessions::{freshness, history, message};
use crate::slash::{self, At, Directives};
use crate::state::State;
use crate::state::event::{Answer, Event};
use serde_json::Value;
use std::sync::Arc;

/// The channel of clients that speak `chat.*`.
const WEBCHAT: &str = "webchat";
/// Longer texts are no commands and hold no directives: looking for them would cost more than they are worth.
const MAX_COMMAND: usize = 16 << 10;
/// Whole messages that stop a run instead of starting one.
const STOP_WORDS: [&str; 7] = ["/stop", "stop", "esc", "abort", "wait", "exit", "interrupt"];

params! {
    struct Send {
        session_key: String,
        message: String,
        images: Vec<Value>,
        texts: String,
        hash: String,
        timeout_ms: Option<u64>,
        thinking: Option<String>,
        agent_id: Option<String>,
        session_id: Option<String>,
        queue_mode: Option<String>,
        suppress_command_interpretation: bool,
        idempotency_key: String,
    }
}

pub fn send(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let params: Send = read(params)?;
    let text = params.message.trim().to_string();
    let has_more = !params.images.is_empty() || !params.texts.is_empty();
    if text.is_empty() && !has_more {
        return Err(Error::invalid("message or attachment required"));
    }
    let thinking = read_thinking(params.thinking.as_deref())?;
    let key = key_of(state, &params.session_key, params.agent_id.as_deref())?;
    let is_plain = params.suppress_command_interpretation;
    let is_short = text.len() <= MAX_COMMAND;
    if !is_plain && is_short && STOP_WORDS.contains(&text.to_lowercase().as_str()) {
        return Ok(Answer::Now(abort_session(state, &key, None, Reason::Stop).into()));
    }
    if let Some(answer) = replay(state, &call, Family::Chat, &params.idempotency_key, &params.hash)? {
        return Ok(answer);
    }
    let config = state.shared.config();
    let may_command = !has_more && !is_plain && is_short;
    let command = if may_command { slash::parse(&config, &text) } else { None };
    let (mut directives, text) = match command {
        Some(_) => (Directives::default(), text),
        None if is_plain || !is_short => (Directives::default(), text),
        None => slash::directives(&config, &text),
    };
    if command.is_none() {
        check_send_policy(state, &key)?;
        start_anew_if_stale(state, &key, WEBCHAT)?;
    }
    if let Some(id) = params.session_id.as_deref().map(str::trim).filter(|id| !id.is_empty()) {
        state.sessions.begin(&key, Some(id), state.now, state.mono)?;
    }
    let at = At {
        key: key.clone(),
        scopes: call.caller.scopes.clone(),
        sender: call.caller.client_id.clone(),
        channel: WEBCHAT.to_string(),
    };
    if let Some(invocation) = &command {
        slash::check(&at, invocation)?;
    }
    if let Some(mode) = &params.queue_mode {
        directives.queue = Some(slash::queue::take(mode).0);
    }
    directives.thinking = directives.thinking.or(thinking);
    let new = NewRun {
        family: Family::Chat,
        id: params.idempotency_key,
        key,
        message: text + &params.texts,
        images: Arc::new(params.images),
        hash: params.hash,
        timeout_ms: params.timeout_ms.unwrap_or_else(|| default_timeout_ms(state)),
        extra_system: None,
        directives,
        channel: Some(WEBCHAT.to_string()),
        command: command.map(|invocation| Box::new((at, invocation))),
    };
    state.accept_run(call, new)
}

/// A message after the daily hour, or after a long silence, begins a new conversation (methods 7). The old
/// transcript stays; what the user set for the session stays too.
pub fn start_anew_if_stale(state: &mut State, key: &str, channel: &str) -> Result<()> {
    let Some(entry) = state.sessions.get(key) else { return Ok(()) };
    let is_stale = freshness::is_stale(&state.shared.config(), key, &entry, Some(channel), state.now);
    if !is_stale || state.runs.is_busy(key) {
        return Ok(());
    }
    state.sessions.put(key, &entry.reset(&crate::ids::uuid()?, state.now), state.mono)?;
    state.session_changed(key, "reset");
    Ok(())
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
    Ok(Answer::Now(abort_session(state, &key, run_id, Reason::Rpc).into()))
}

fn abort_session(state: &mut State, key: &str, run: Option<String>, why: Reason) -> Value {
    let mut runs = state.runs.of_session(key);
    runs.retain(|id| run.as_ref().is_none_or(|run| run == id));
    crate::order::sort(&mut runs);
    for id in &runs {
        state.abort_run(id, why);
    }
    json!({"ok": true, "aborted": !runs.is_empty(), "runIds": runs})
}

params! {
    struct History {
        session_key: String,
        agent_id: Option<String>,
        limit: Option<u64>,
    }
}

/// The transcript is read on the connection's thread.
pub fn history(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let History { session_key, agent_id, limit } = read(params)?;
    let key = key_of(state, &session_key, agent_id.as_deref())?;
    let Some(entry) = state.sessions.begun(&key) else {
        return Ok(Answer::Now(history::payload(&session_key, None, "off", Vec::new()).into()));
    };
    let transcript = state.sessions.transcript(&key, &entry)?;
    Ok(Answer::Work(Box::new(move || {
        let messages = history::messages(&transcript, limit.map(|n| n as usize))?;
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
