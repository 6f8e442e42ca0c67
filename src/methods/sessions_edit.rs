//! `sessions.patch`, `sessions.reset`, `sessions.delete`: changing sessions. Answered when the index is on disk.
use crate::calls::Call;
use crate::cancel::Reason;
use crate::error::{Error, Result};
use crate::ids;
use crate::json::json;
use crate::logging::quoted;
use crate::methods::sessions;
use crate::models::provider::BUILTIN;
use crate::params::{params, read};
use crate::sessions::{Entry, patch as rules};
use crate::slash::names::choice;
use crate::state::State;
use crate::state::event::Answer;
use serde_json::Value;

pub fn patch(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let Some(map) = params.as_object() else { return Err(Error::invalid("params must be an object")) };
    let key = canonical(state, map.get("key"), map.get("agentId"))?;
    let agent = state.sessions.owner(&key)?.to_string();
    let index = state.sessions.index(&agent).ok_or_else(|| Error::not_found("unknown agent"))?;
    let path = index.path().display().to_string();
    let mut entry = rules::apply(index, &key, map, &ids::uuid()?, state.now)?;
    let own = state.shared.agents().model(&agent).unwrap_or_else(|| BUILTIN.to_string());
    match map.get("model") {
        None => {}
        Some(Value::String(word)) => {
            let model = choice(&state.shared.config(), &state.shared.env, word.trim(), &own);
            let refused = |why| Error::invalid(format!("model {} cannot be used: {why}", quoted(word)));
            entry.choose_model(Some(model.map_err(refused)?.as_str()).filter(|model| *model != own));
        }
        Some(_) => entry.choose_model(None),
    }
    let (provider, model) = own.split_once('/').unwrap_or(("", &own));
    let resolved = json!({
        "modelProvider": entry.str("providerOverride").unwrap_or(provider),
        "model": entry.str("modelOverride").unwrap_or(model),
    });
    let payload =
        json!({"ok": true, "path": path, "key": key, "entry": entry.to_value(), "resolved": resolved});
    let reason = if state.sessions.has(&key) { "patch" } else { "create" };
    state.sessions.put(&key, &entry, state.mono)?;
    state.session_changed(&key, reason);
    Ok(Answer::Stored { key: Some(key), work: Box::new(move || Ok(payload.into())) })
}

params! {
    struct Reset {
        key: Value,
        agent_id: Option<Value>,
        reason: Option<String>,
        expected_session_id: Option<String>,
    }
}

pub fn reset(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let Reset { key, agent_id, reason, expected_session_id } = read(params)?;
    let key = canonical(state, Some(&key), agent_id.as_ref())?;
    check_expected(state, &key, expected_session_id.as_deref())?;
    let id = ids::uuid()?;
    let entry = match state.sessions.get(&key) {
        Some(old) => old.reset(&id, state.now),
        None => Entry::new(&id, state.now),
    };
    let payload = json!({"ok": true, "key": key, "entry": entry.to_value()});
    state.sessions.put(&key, &entry, state.mono)?;
    state.session_changed(&key, if reason.as_deref() == Some("new") { "new" } else { "reset" });
    Ok(Answer::Stored { key: Some(key), work: Box::new(move || Ok(payload.into())) })
}

params! {
    struct Delete {
        key: Value,
        agent_id: Option<Value>,
        delete_transcript: Option<bool>,
        expected_session_id: Option<String>,
    }
}

/// The transcript is renamed, not removed. Runs of the session are stopped first.
pub fn delete(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let Delete { key, agent_id, delete_transcript, expected_session_id } = read(params)?;
    let key = canonical(state, Some(&key), agent_id.as_ref())?;
    check_expected(state, &key, expected_session_id.as_deref())?;
    let rules = state.sessions.rules();
    if key == "global" || key == rules.main_of(crate::session_key::agent_of(&key)) {
        return Err(Error::invalid(format!("Cannot delete the main session ({key}).")));
    }
    let runs = state.runs.of_session(&key);
    if !runs.is_empty() {
        for run in &runs {
            state.with_runs(|runs, world| runs.abort(world, run, Reason::Rpc));
        }
        if !state.runs.of_session(&key).is_empty() {
            let text = format!("Session {key} is still active; try again in a moment.");
            return Err(Error::unavailable(text).retry_in(std::time::Duration::from_secs(1)));
        }
    }
    let Some(entry) = state.sessions.remove(&key, state.mono) else {
        return Ok(Answer::Now(json!({"ok": true, "key": key, "deleted": false, "archived": []}).into()));
    };
    state.session_changed(&key, "delete");
    let transcript =
        state.sessions.transcript(&key, &entry).ok().filter(|_| delete_transcript.unwrap_or(true));
    let name = key.clone();
    let work = move || {
        let archived = transcript.map(|t| t.archive("deleted")).transpose()?.flatten();
        let archived: Vec<_> = archived.into_iter().collect();
        Ok(json!({"ok": true, "key": name, "deleted": true, "archived": archived}).into())
    };
    Ok(Answer::Stored { key: Some(key), work: Box::new(work) })
}

/// A client may say which transcript it means, so that it does not end one that it has not seen.
fn check_expected(state: &State, key: &str, expected: Option<&str>) -> Result<()> {
    let present = state.sessions.session_id(key);
    if expected.is_some() && expected != present {
        let text = format!("session {key} is another one by now; read it again");
        return Err(Error::invalid(text).with("reason", "session-changed"));
    }
    Ok(())
}

fn canonical(state: &State, key: Option<&Value>, agent: Option<&Value>) -> Result<String> {
    let text = key.and_then(Value::as_str).map(str::trim).filter(|k| !k.is_empty());
    let text = text.ok_or_else(|| Error::invalid("key required"))?;
    sessions::key_of(state, text, agent.and_then(Value::as_str))
}
