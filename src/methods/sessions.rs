//! `sessions.list`, `sessions.preview`, `sessions.resolve`: finding sessions. Entries are copied by reference on
//! the state thread; filtering, sorting and reading transcripts happen on the connection's thread.
use crate::error::Result;
use crate::methods::read;
use crate::sessions::list::{self, Filter, Wanted};
use crate::sessions::{Entry, Transcript, preview};
use crate::state::State;
use crate::state::event::{Answer, Call};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

const DEFAULT_CONTEXT: u64 = 200_000;
/// Sessions of which titles and previews are read from the transcript.
const MAX_READ: usize = 200;

pub fn list(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let filter: Filter = read(params)?;
    let all = state.sessions.all(None).map(|(_, key, entry)| (key, entry));
    let unlimited = Filter { limit: None, ..filter.clone() };
    let mut found = list::choose(all, &unlimited, state.now);
    let total = found.len();
    found.truncate(filter.limit.unwrap_or(usize::MAX));
    let with_transcripts = found.into_iter().map(|(key, entry)| {
        let transcript = state.sessions.transcript(&key, &entry).ok();
        (key, entry, transcript)
    });
    let rows: Vec<Row> = with_transcripts.collect();
    let (shared, now) = (state.shared.clone(), state.now);
    let path = match state.sessions.agents().collect::<Vec<_>>().as_slice() {
        [only] => state.sessions.index(only).map_or_else(String::new, |i| i.path().display().to_string()),
        _ => "(multiple)".to_string(),
    };
    Ok(Answer::Work(Box::new(move || {
        let sessions: Vec<Value> =
            rows.iter().enumerate().map(|(n, row)| to_value(row, &filter, n < MAX_READ)).collect();
        let agents = shared.agents();
        let model = agents.model(&agents.default_id());
        let (provider, model) = model.as_deref().and_then(|m| m.split_once('/')).unzip();
        Ok(json!({
            "ts": now, "path": path, "count": sessions.len(), "totalCount": total, "hasMore": sessions.len() < total,
            "defaults": {"modelProvider": provider, "model": model, "contextTokens": DEFAULT_CONTEXT},
            "sessions": sessions,
        })
        .into())
    })))
}

type Row = (String, Arc<Entry>, Option<Transcript>);

fn to_value((key, entry, transcript): &Row, filter: &Filter, may_read: bool) -> Value {
    let transcript = transcript.as_ref().filter(|_| may_read);
    let title = filter.include_derived_titles.then(|| {
        let first = transcript.and_then(preview::first_user_text);
        preview::derived_title(entry, first.as_deref())
    });
    let last = transcript.filter(|_| filter.include_last_message).and_then(preview::last_message);
    list::row(key, entry, title.flatten(), last)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Preview {
    keys: Vec<String>,
    limit: Option<u64>,
    max_chars: Option<u64>,
}

pub fn preview(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    const MAX_KEYS: usize = 64;
    let Preview { keys, limit, max_chars } = read(params)?;
    let rules = state.sessions.rules();
    let found = keys.into_iter().take(MAX_KEYS).map(|raw| {
        let key = rules.canonical(&raw).ok();
        let entry = key.as_deref().and_then(|key| Some((key, state.sessions.get(key)?)));
        let transcript = entry.and_then(|(key, entry)| state.sessions.transcript(key, entry).ok());
        (raw, transcript)
    });
    let found: Vec<(String, Option<Transcript>)> = found.collect();
    let (limit, max_chars, now) = (limit.map(|n| n as usize), max_chars.map(|n| n as usize), state.now);
    Ok(Answer::Work(Box::new(move || {
        let row = |(key, transcript): &(String, Option<Transcript>)| {
            preview::preview(key, transcript.as_ref(), limit, max_chars)
        };
        let previews: Vec<Value> = found.iter().map(row).collect();
        Ok(json!({"ts": now, "previews": previews}).into())
    })))
}

pub fn resolve(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let wanted: Wanted = read(params)?;
    let all = state.sessions.all(None).map(|(_, key, entry)| (key, entry));
    let key = list::resolve(all, &wanted, state.sessions.rules())?;
    Ok(Answer::Now(json!({"ok": true, "key": key}).into()))
}
