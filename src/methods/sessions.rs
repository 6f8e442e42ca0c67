//! `sessions.list`, `sessions.describe`, `sessions.preview`, `sessions.resolve`: finding sessions. The
//! state thread hands the index over as it is; choosing and reading transcripts is done on the connection's thread.
use crate::calls::Call;
use crate::error::{Error, Result};
use crate::json::json;
use crate::models::provider::{BUILTIN, Provider};
use crate::models::resolve::CONTEXT_WINDOW;
use crate::params::{Params, Source, params, read};
use crate::protocol::frame::Payload;
use crate::session_key;
use crate::sessions::list::{self, Filter, Wanted};
use crate::sessions::preview::{self, Eyes};
use crate::sessions::{Entry, Kept, Transcript};
use crate::state::State;
use crate::state::event::Answer;
use crate::state::shared::Shared;
use serde_json::Value;
use std::sync::Arc;

/// Sessions of which titles and previews are read from the transcript.
const MAX_READ: usize = 200;
/// A page of more rows is written row by row: as values all of them would be twenty times as large as their text.
const MANY: usize = 500;

pub fn list(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let filter: Filter = read(params)?;
    let eyes = eyes(&call);
    let (snapshots, mut runs) = (state.sessions.snapshots(), state.runs.by_session());
    let (shared, now, rules) = (state.shared.clone(), state.now, state.sessions.rules().clone());
    let unread: Vec<String> = state.sessions.unread().keys().cloned().collect();
    let path = match state.sessions.agents().collect::<Vec<_>>().as_slice() {
        [only] => state.sessions.index(only).map_or_else(String::new, |i| i.path().display().to_string()),
        _ => "(multiple)".to_string(),
    };
    Ok(Answer::Work(Box::new(move || {
        let all = snapshots.iter().flat_map(|(_, all)| all.iter());
        let is_wanted = |key: &str| !filter.active_only || runs.contains_key(key);
        let (found, page) = list::choose(all, &filter, now, is_wanted);
        let reads = filter.include_derived_titles || filter.include_last_message;
        let row = |(n, kept): (usize, &Arc<Kept>)| {
            let owner = rules.owner(kept.key());
            let home = snapshots.iter().find(|(agent, _)| reads && agent == owner);
            let transcript = home.and_then(|(_, all)| Transcript::of(all.dir(), &kept.open()).ok());
            let (key, entry) = (kept.key().to_string(), list::shown(kept));
            let row = Row { entry, transcript, runs: runs.remove(&key).unwrap_or_default(), key };
            row.to_value(&filter, eyes, n < MAX_READ)
        };
        let rows = found.iter().enumerate().map(row);
        let mut payload =
            json!({"ts": now, "path": path, "count": found.len(), "defaults": defaults(&shared)});
        if let Some(map) = payload.as_object_mut() {
            page.tell(map);
            if !unread.is_empty() {
                map.insert("unreadAgents".into(), unread.into());
            }
            if found.len() <= MANY {
                map.insert("sessions".into(), rows.collect());
                return Ok(payload.into());
            }
        }
        Ok(Payload::of_rows(&payload, "sessions", rows))
    })))
}

/// Who looks: what a tool of an agent asks goes to a model.
pub(super) fn eyes(call: &Call) -> Eyes {
    if call.caller.method == "local" { Eyes::Model } else { Eyes::People }
}

/// The model of a new session of the default agent.
pub fn defaults(shared: &Shared) -> Value {
    let agents = shared.agents();
    let model = agents.model(&agents.default_id());
    let (provider, model) = model.as_deref().and_then(|m| m.split_once('/')).unzip();
    let chosen = agents.model(&agents.default_id()).unwrap_or_else(|| BUILTIN.to_string());
    let window = Provider::resolve(&shared.config(), &shared.env, &chosen)
        .map_or(CONTEXT_WINDOW, |p| p.context_window);
    json!({"modelProvider": provider, "model": model, "contextTokens": window})
}

/// A session on its way into a list.
struct Row {
    key: String,
    entry: Entry,
    transcript: Option<Transcript>,
    runs: Vec<String>,
}

impl Row {
    fn of(state: &State, key: String, entry: Entry) -> Row {
        let transcript = state.sessions.transcript(&key, &entry).ok();
        let runs = state.runs.of_session(&key);
        Row { key, entry, transcript, runs }
    }

    fn to_value(&self, filter: &Filter, eyes: Eyes, may_read: bool) -> Value {
        let transcript = self.transcript.as_ref().filter(|_| may_read);
        let title = filter.include_derived_titles.then(|| {
            let first = transcript.and_then(|t| preview::first_user_text(t, eyes));
            preview::derived_title(&self.entry, first.as_deref())
        });
        let last = transcript.filter(|_| filter.include_last_message);
        let last = last.and_then(|t| preview::last_message(t, eyes));
        list::row(&self.key, &self.entry, title.flatten(), last, &self.runs)
    }
}

struct Describe {
    key: String,
    agent_id: Option<String>,
    shown: Filter,
}

impl Params for Describe {
    fn take(from: &mut Source) -> Describe {
        Describe { key: from.take("key"), agent_id: from.take("agent_id"), shown: Filter::take(from) }
    }
}

/// One row of `sessions.list`; null for a session that does not exist.
pub fn describe(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let Describe { key, agent_id, shown } = read(params)?;
    let key = key_of(state, &key, agent_id.as_deref())?;
    let Some(entry) = state.sessions.get(&key) else {
        return Ok(Answer::Now(json!({"session": null}).into()));
    };
    let (row, eyes) = (Row::of(state, key, entry), eyes(&call));
    Ok(Answer::Work(Box::new(move || Ok(json!({"session": row.to_value(&shown, eyes, true)}).into()))))
}

/// The canonical key for what a client calls a session, of the agent that it names beside it if any.
pub fn key_of(state: &State, raw: &str, agent: Option<&str>) -> Result<String> {
    let rules = state.sessions.rules();
    let agent = agent.map(str::trim).filter(|a| !a.is_empty()).map(session_key::normalise_agent_id);
    let raw = raw.trim();
    let is_of_none = |key: &str| key == "global" || key == "unknown";
    let key = match &agent {
        Some(agent) if !raw.to_lowercase().starts_with("agent:") && !is_of_none(&raw.to_lowercase()) => {
            rules.canonical(&format!("agent:{agent}:{raw}"))?
        }
        _ => rules.canonical(raw)?,
    };
    if let Some(agent) = agent.filter(|agent| !is_of_none(&key) && session_key::agent_of(&key) != agent) {
        return Err(Error::invalid(format!("session {key} is not of agent \"{agent}\"; leave agentId out")));
    }
    state.sessions.owner(&key)?;
    Ok(key)
}

params! {
    struct Preview {
        keys: Vec<String>,
        limit: Option<u64>,
        max_chars: Option<u64>,
    }
}

pub fn preview(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    const MAX_KEYS: usize = 64;
    let eyes = eyes(&call);
    let Preview { keys, limit, max_chars } = read(params)?;
    let rules = state.sessions.rules();
    let found = keys.into_iter().take(MAX_KEYS).map(|raw| {
        let key = rules.canonical(&raw).ok();
        let entry = key.as_deref().and_then(|key| Some((key, state.sessions.get(key)?)));
        let transcript = entry.and_then(|(key, entry)| state.sessions.transcript(key, &entry).ok());
        (raw, transcript)
    });
    let found: Vec<(String, Option<Transcript>)> = found.collect();
    let (limit, max_chars, now) = (limit.map(|n| n as usize), max_chars.map(|n| n as usize), state.now);
    Ok(Answer::Work(Box::new(move || {
        let row = |(key, transcript): &(String, Option<Transcript>)| {
            preview::preview(key, transcript.as_ref(), limit, max_chars, eyes)
        };
        let previews: Vec<Value> = found.iter().map(row).collect();
        Ok(json!({"ts": now, "previews": previews}).into())
    })))
}

pub fn resolve(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let wanted: Wanted = read(params)?;
    let all = state.sessions.all(None).map(|(_, kept)| kept);
    Ok(Answer::Now(match list::resolve(all, &wanted, state.sessions.rules())? {
        Some(key) => json!({"ok": true, "key": key, "agentId": session_key::agent_of(&key)}).into(),
        None => json!({"ok": false}).into(),
    }))
}
