//! What webhooks ask for, on the state thread: a note for the main session, and a turn of an agent in a session of its
//! own. No methods of the table: `http/hooks` sends them, after it has judged request and session.
//!
//! A webhook speaks with nobody's authority (`Provenance::Hook`), whatever it says and whoever is told of it.
use super::asking::thinking;
use super::destination::{Named, address};
use crate::agent::brought::Brought;
use crate::calls::{Call, Provenance};
use crate::error::{Error, Result};
use crate::json::json;
use crate::params::{params, read};
use crate::runs::origin::{Address, HOOK, Origin};
use crate::runs::{After, Ask, Observer, Observers, Wishes};
use crate::sessions::passing::MEMBER;
use crate::state::State;
use crate::state::event::Answer;
use serde_json::Value;

params! {
    struct Wake {
        text: String,
        now: bool,
        key: String,
        hash: String,
    }
}

pub fn wake(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let Wake { text, now, key, hash } = read(params)?;
    if !state.is_repeated(&key, &hash)? {
        let text = format!("A webhook sent: {text}");
        let main = state.sessions.rules().main();
        match now {
            true => state.wake_session(&main, text, "hook:wake"),
            false => state.add_call(Some(main), text, Provenance::Hook),
        }
    }
    Ok(Answer::Now(json!({"ok": true}).into()))
}

params! {
    struct Turn {
        message: String,
        name: String,
        called: String,
        agent_id: Option<String>,
        session_key: String,
        /// Nobody named it.
        is_passing: bool,
        wakes: bool,
        insists: bool,
        deliver: bool,
        channel: Option<String>,
        to: Option<String>,
        model: Option<String>,
        thinking: Option<String>,
        timeout_seconds: Option<u64>,
        idempotency_key: String,
        hash: String,
    }
}

/// Answers when the turn is accepted.
pub fn agent(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let asked: Turn = read(params)?;
    let (session, main) = session(state, &asked)?;
    let to = place(state, &asked, &main)?;
    // What was said to the user need not be said to him once more.
    let wakes = asked.wakes && (to.is_none() || asked.insists);
    let mut observers = Observers::readers();
    observers.deliver(to);
    // Who answers in the main session itself need not be told how it went.
    if session != main {
        let name = format!("Hook {}", asked.name);
        observers.add(Observer::After(Box::new(After { name, called: asked.called, key: main, wakes })));
    }
    let wishes = Wishes {
        timeout_ms: asked.timeout_seconds.map(|seconds| seconds.saturating_mul(1000)),
        thinking: thinking(asked.thinking.as_deref(), "thinking")?,
        brought: Brought::model(asked.model),
        is_plain: true,
        entry: asked.is_passing.then(|| (MEMBER.0.to_string(), MEMBER.1.into())).into_iter().collect(),
        ..Wishes::default()
    };
    let origin = Origin::client(&HOOK, Provenance::Hook);
    let ask = Ask::unasked(origin, session, asked.message, call);
    let ask = Ask { id: asked.idempotency_key, hash: asked.hash, wishes, observers, ..ask };
    state.ask(ask).map(Answer::from)
}

/// The session that is meant, and the main one of its agent.
fn session(state: &State, asked: &Turn) -> Result<(String, String)> {
    let rules = state.sessions.rules();
    let agent = asked.agent_id.as_deref().unwrap_or(&rules.default_agent);
    if state.sessions.index(agent).is_none() {
        let unknown = || Error::invalid(format!("unknown agent id {}", crate::logging::quoted(agent)));
        return Err(state.sessions.lost(agent).unwrap_or_else(unknown));
    }
    let session = match asked.session_key.starts_with("agent:") {
        true => rules.canonical(&asked.session_key)?,
        false => rules.canonical(&format!("agent:{agent}:{}", asked.session_key))?,
    };
    match state.sessions.owner(&session)? == agent {
        true => Ok((session, rules.main_of(agent))),
        false => Err(Error::invalid("sessionKey is of another agent")),
    }
}

/// Where the turn's words go. Where nobody has been heard of yet they go nowhere, unless a place was named.
fn place(state: &State, asked: &Turn, main: &str) -> Result<Option<Address>> {
    if !asked.deliver {
        return Ok(None);
    }
    let named = Named { channel: asked.channel.clone(), to: asked.to.clone(), ..Named::default() };
    let is_named = asked.to.is_some() || asked.channel.as_deref().is_some_and(|channel| channel != "last");
    match address(state, named, main) {
        Err(_) if !is_named => Ok(None),
        found => found.map(Some),
    }
}
