//! `chat.startup`, `chat.metadata`: what a client needs to open a chat, in one answer instead of five. Transcripts
//! and configuration are read on the connection's thread.
use super::local::to_value;
use crate::calls::{Call, Caller};
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::methods::{self, Run, sessions as session_methods};
use crate::params::{params, read};
use crate::protocol::frame::Payload;
use crate::sessions::{Transcript, envelope, history, list};
use crate::slash;
use crate::state::State;
use crate::state::event::Answer;
use crate::state::shared::Shared;
use serde_json::{Map, Value};

/// Messages when the client names no limit.
const DEFAULT_LIMIT: usize = 200;

params! {
    struct Startup {
        session_key: String,
        agent_id: Option<String>,
        limit: Option<usize>,
        max_bytes: Option<usize>,
        cursor: Option<String>,
    }
}

/// The answer of `chat.history`, and with it the session's row, the agents and the models.
pub fn startup(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let Startup { session_key, agent_id, limit, max_bytes, cursor } = read(params)?;
    let key = session_methods::key_of(state, &session_key, agent_id.as_deref())?;
    if cursor.is_some() {
        // No cursor was ever given out here: one kept from another gateway cannot be continued.
        return Ok(Answer::Now(json!({"kind": "reset"}).into()));
    }
    let entry = state.sessions.begun(&key);
    let transcript = entry.as_ref().map(|entry| state.sessions.transcript(&key, entry)).transpose()?;
    let (runs, waiting) = (state.runs.of_session(&key), state.runs.pending_inputs(&key));
    let (shared, caller) = (state.shared.clone(), call.caller);
    Ok(Answer::Work(Box::new(move || {
        let config = shared.config();
        let messages = newest(transcript.as_ref(), limit.unwrap_or(DEFAULT_LIMIT), max_bytes)?;
        let thinking = config.str("agents.defaults.thinkingDefault").unwrap_or("off");
        let mut payload = history::payload(&session_key, entry.as_ref(), thinking, messages);
        if let Some(map) = payload.as_object_mut() {
            let row = list::row(&key, &entry.unwrap_or_default(), None, None, &runs);
            map.put("sessionInfo", row);
            map.put("pendingInputs", waiting);
            map.put("defaults", session_methods::defaults(&shared));
            map.put("agentsList", answer_of("agents.list", &shared, &caller)?);
            map.put("metadata", about(&shared, &caller)?);
        }
        Ok(payload.into())
    })))
}

/// The newest messages, as many as fit into `max_bytes` of JSON, but one at least.
fn newest(transcript: Option<&Transcript>, limit: usize, max_bytes: Option<usize>) -> Result<Vec<Value>> {
    let Some(transcript) = transcript else { return Ok(Vec::new()) };
    let mut messages = history::messages(transcript, Some(limit), true)?;
    messages.iter_mut().for_each(envelope::open_message);
    if let Some(max) = max_bytes {
        let mut total = 2;
        let fits = messages.iter().rev().take_while(|message| {
            total += message.to_string().len() + 1;
            total <= max
        });
        let kept = fits.count().max(1).min(messages.len());
        messages.drain(..messages.len() - kept);
    }
    Ok(messages)
}

/// What a chat window offers to choose from, whatever the session.
pub fn metadata(shared: &Shared, caller: &Caller, _params: Value) -> Result<Payload> {
    Ok(about(shared, caller)?.into())
}

fn about(shared: &Shared, caller: &Caller) -> Result<Value> {
    let mut models = answer_of("models.list", shared, caller)?;
    let mut map = Map::new();
    map.put("models", models.get_mut("models").map_or_else(|| json!([]), Value::take));
    let commands = slash::COMMANDS.iter().filter(|command| !command.doc.is_empty());
    let row = |command: &slash::Command| json!({"name": command.name, "args": command.args, "description": command.doc});
    map.put("commands", commands.map(row).collect::<Vec<Value>>());
    Ok(Value::Object(map))
}

/// What another method of this thread answers to the same caller.
fn answer_of(name: &str, shared: &Shared, caller: &Caller) -> Result<Value> {
    let (method, params) = methods::check(caller, name, || Ok(json!({})))?;
    match method.run {
        Run::Here(handler) => to_value(handler(shared, caller, params)?),
        Run::State(_) | Run::Prepared(..) => {
            Err(Error::unavailable(format!("{name} is not answered on this thread")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::{TestDir, message};

    #[test]
    fn messages_are_cut_to_the_bytes_asked_for_and_the_newest_stays() {
        let dir = TestDir::new();
        let transcript = Transcript::at(&dir.0, "a").unwrap();
        let texts: Vec<Value> = (0..9).map(|n| message::user_text(&format!("text {n}"), n)).collect();
        transcript.append(&texts).unwrap();
        let all = newest(Some(&transcript), 200, None).unwrap();
        assert_eq!(all.len(), 9);
        for max in [1, 100, 300, 5000] {
            let some = newest(Some(&transcript), 200, Some(max)).unwrap();
            assert_eq!(some.last(), all.last());
            assert!(some.len() == 1 || Value::Array(some.clone()).to_string().len() <= max, "{max}");
        }
        assert_eq!(newest(Some(&transcript), 2, Some(5000)).unwrap().len(), 2);
        assert!(newest(None, 5, Some(1)).unwrap().is_empty());
    }
}
