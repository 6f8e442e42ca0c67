//! Which commands may run: the owner's rules (`exec.approvals.*`), commands that wait for his word (`exec.approval.*`), and
//! what a session is told of a command's end, which only this process may say.
use super::asking::Own;
use super::destination::{Named, address};
use super::local;
use crate::approvals::{afar, file};
use crate::calls::{Call, Caller, Provenance};
use crate::error::{Error, Result};
use crate::ids;
use crate::json::{Put, json};
use crate::logging::quoted;
use crate::params::{params, read};
use crate::protocol::frame::Payload;
use crate::runs::left::{END, ENDS};
use crate::runs::origin::HOOK;
use crate::runs::{Observers, Wishes};
use crate::state::State;
use crate::state::approvals::request_of;
use crate::state::event::Answer;
use crate::state::shared::Shared;
use serde_json::Value;

const PATIENCE_MS: u64 = 120_000;
/// Longest time that a request may wait: a day.
const MOST_MS: u64 = 86_400_000;
/// Letters of a note that a session gets.
const NOTE: usize = 600;

fn told(shared: &Shared, book: file::Book) -> Payload {
    let defaults =
        json!({"security": "allowlist", "ask": "on-miss", "askFallback": "deny", "autoAllowSkills": false});
    json!({
        "path": (file::path(&shared.env).to_string_lossy()), "exists": book.exists, "hash": book.hash,
        "file": (Value::Object(file::shown(book.file))), "resolvedDefaults": defaults,
    })
    .into()
}

/// Reads a file.
pub fn get(shared: &Shared, _caller: &Caller, _params: Value) -> Result<Payload> {
    Ok(told(shared, file::read(&shared.env)?))
}

pub fn set(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let new = params.get("file").and_then(Value::as_object).cloned();
    let new = new.ok_or_else(|| Error::invalid("file must be an object"))?;
    let base = params.get("baseHash").and_then(Value::as_str);
    Ok(told(shared, file::replace(&shared.env, new, base, afar::check)?))
}

/// What was allowed for good. Reads a file.
pub fn grants(shared: &Shared, _caller: &Caller, _params: Value) -> Result<Payload> {
    let book = file::read(&shared.env)?;
    let mut all = Vec::new();
    for (id, agent) in book.file.get("agents").and_then(Value::as_object).into_iter().flatten() {
        for grant in agent.get("grants").and_then(Value::as_array).into_iter().flatten() {
            let mut grant = grant.as_object().cloned().unwrap_or_default();
            grant.put("agentId", id.as_str());
            all.push(grant);
        }
    }
    Ok(json!({"grants": all}).into())
}

/// Answers with the decision; at once that it waits where the caller says that he asks for it himself (`twoPhase`).
pub fn request(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let text = |name: &str| {
        params.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_string)
    };
    let id = text("id").map_or_else(ids::uuid, Ok)?;
    let time = params.get("timeoutMs").and_then(Value::as_u64).unwrap_or(PATIENCE_MS).min(MOST_MS);
    let accepted = state.ask_approval(id.clone(), request_of(&params), time)?;
    if params.get("twoPhase") == Some(&Value::Bool(true)) {
        return Ok(Answer::Now(accepted));
    }
    wait_for(state, call, &id)
}

pub fn wait(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let id = params.get("id").and_then(Value::as_str).unwrap_or_default();
    wait_for(state, call, id)
}

fn wait_for(state: &mut State, call: Call, id: &str) -> Result<Answer> {
    Ok(state.await_approval(call, id)?.map_or(Answer::Later, Answer::Now))
}

pub fn resolve(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    State::may_decide(&call)?;
    let text = |name: &str| params.get(name).and_then(Value::as_str).unwrap_or_default();
    let by = if call.caller.client_id.is_empty() { &call.caller.id } else { &call.caller.client_id };
    state.decide_approval(text("id"), text("decision"), &by.clone(), "")?;
    Ok(Answer::Now(json!({"ok": true}).into()))
}

/// What was decided; no more is kept than one answer holds.
pub fn history(state: &mut State, _call: Call, _params: Value) -> Result<Answer> {
    Ok(Answer::Now(json!({"items": (state.approvals.history())}).into()))
}

pub fn list(state: &mut State, _call: Call, _params: Value) -> Result<Answer> {
    Ok(Answer::Now(Value::Array(state.approvals.list()).into()))
}

params! {
    struct Told {
        session_key: String,
        provenance: String,
        text: String,
        output: String,
        run: Option<String>,
        channel: Option<String>,
        account_id: Option<String>,
        to: Option<String>,
        thread_id: Option<String>,
    }
}

/// No method of the table. A session is told of a command's end; its agent goes on, on the authority of the turn that
/// asked for the command, if that may cause one more, and what it says goes where the session's answers go.
pub fn end(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let told: Told = read(params)?;
    let run = told.run.as_deref().filter(|run| state.runs.may_wake(&told.session_key, run));
    let woken = run.map(|run| wake(state, &told, run));
    if let Some(Err(e)) = &woken {
        log::warn!(target: "gateway/agent", "session {} is told of a command's end with its next turn: {e}", quoted(&told.session_key));
    }
    if !matches!(woken, Some(Ok(()))) {
        let more = if told.output.is_empty() { "" } else { " (process shows what it said)" };
        let note = told.text.chars().take(NOTE).collect::<String>() + more;
        state.add_note(Some(told.session_key), note);
    }
    Ok(Answer::Now(json!({"ok": true}).into()))
}

/// The same of a command that a stop of the gateway has cut, for a session that nobody tells otherwise.
pub fn cut(state: &mut State, session: &str, provenance: &str, text: String) {
    let told = Told {
        session_key: session.to_string(),
        provenance: provenance.to_string(),
        text,
        output: String::new(),
        run: None,
        channel: None,
        account_id: None,
        to: None,
        thread_id: None,
    };
    if let Err(e) = wake(state, &told, "") {
        log::warn!(target: "gateway/agent", "session {} is told of a command's end with its next turn: {e}", quoted(session));
        state.add_note(Some(told.session_key), told.text);
    }
}

fn wake(state: &mut State, told: &Told, run: &str) -> Result<()> {
    let named = Named {
        channel: told.channel.clone(),
        to: told.to.clone(),
        account: told.account_id.clone(),
        thread: told.thread_id.clone(),
    };
    let mut observers = Observers::readers();
    observers.deliver(address(state, named, &told.session_key).ok());
    let caller = Caller { run: Some(run.to_string()), ..local::inside(END, Provenance::Agent) };
    let (whose, id) = (Provenance::named(&told.provenance), format!("{ENDS}{}", ids::uuid()?));
    let Told { text, output, session_key: session, .. } = told;
    let message = format!("{text}{output}\nGo on with what you were doing, or tell the user the result.");
    let own = Own { surface: &HOOK, whose, caller, method: END, id, session, message };
    own.ask(state, Wishes::default(), observers)
}
