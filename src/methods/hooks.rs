//! What webhooks ask for, on the state thread: a note for the main session, and a turn of an agent in a session of its
//! own. No methods of the table: `http/hooks` sends them, after it has judged request and session.
//!
//! A webhook speaks with nobody's authority (`Provenance::Hook`), whatever it says and whoever is told of it.
use super::agent::Params;
use super::destination::destination;
use crate::agent::brought::Brought;
use crate::calls::{Call, Provenance};
use crate::error::{Error, Result};
use crate::json::json;
use crate::models::provider::Thinking;
use crate::params::{params, read};
use crate::runs::origin::{Address, HOOK, Origin};
use crate::runs::{After, Ask, Observer, Observers, Wishes};
use crate::sessions::attachments::Attachments;
use crate::sessions::passing::MEMBER;
use crate::state::State;
use crate::state::event::Answer;
use serde_json::Value;
use std::sync::Arc;

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
    let rules = state.sessions.rules();
    let agent = asked.agent_id.clone().unwrap_or_else(|| rules.default_agent.clone());
    if state.sessions.index(&agent).is_none() {
        return Err(Error::invalid(format!("unknown agent id {}", crate::logging::quoted(&agent))));
    }
    let session = match asked.session_key.starts_with("agent:") {
        true => rules.canonical(&asked.session_key)?,
        false => rules.canonical(&format!("agent:{agent}:{}", asked.session_key))?,
    };
    if state.sessions.owner(&session)? != agent {
        return Err(Error::invalid("sessionKey is of another agent"));
    }
    let main = state.sessions.rules().main_of(&agent);
    let to = place(state, &asked, &main)?;
    // What was said to the user need not be said to him once more.
    let wakes = asked.wakes && (to.is_none() || asked.insists);
    let mut observers = Observers::default();
    observers.add(Observer::Readers);
    observers.deliver(to);
    let (name, called) = (format!("Hook {}", asked.name), asked.called);
    // Who answers in the main session itself need not be told how it went.
    if session != main {
        observers.add(Observer::After(Box::new(After { name, called, key: main, wakes })));
    }
    let thinking = asked.thinking.as_deref().map(Thinking::named).transpose();
    let thinking = thinking.map_err(|why| Error::invalid(format!("thinking {why}")))?;
    let wishes = Wishes {
        timeout_ms: asked.timeout_seconds.map(|seconds| seconds.saturating_mul(1000)),
        thinking,
        brought: asked.model.map(|model| Arc::new(Brought { model: Some(model), ..Brought::default() })),
        is_plain: true,
        entry: asked.is_passing.then(|| (MEMBER.0.to_string(), MEMBER.1.into())).into_iter().collect(),
        ..Wishes::default()
    };
    let ask = Ask {
        origin: Origin::client(&HOOK, Provenance::Hook),
        id: asked.idempotency_key,
        hash: asked.hash,
        session,
        message: asked.message,
        attachments: Attachments::default(),
        wishes,
        observers,
        reply: call,
    };
    state.with_runs(|runs, world| runs.ask(world, ask)).map(Answer::from)
}

/// Where the turn's words go. Where nobody has been heard of yet they go nowhere, unless a place was named.
fn place(state: &State, asked: &Turn, main: &str) -> Result<Option<Address>> {
    let params = Params {
        deliver: asked.deliver,
        channel: asked.channel.clone(),
        to: asked.to.clone(),
        ..Params::default()
    };
    let is_named = asked.to.is_some() || asked.channel.as_deref().is_some_and(|channel| channel != "last");
    match destination(state, &params, main) {
        Err(_) if !is_named => Ok(None),
        found => found,
    }
}
