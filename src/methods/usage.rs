//! `sessions.usage`, `sessions.usage.timeseries`, `sessions.usage.logs`, `usage.status`. Index
//! entries are copied by reference on the state thread; transcripts are read on the connection's thread.
use crate::calls::{Call, Caller};
use crate::clock;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::params::{params, read};
use crate::protocol::frame::Payload;
use crate::session_key;
use crate::sessions::remembered::Remembered;
use crate::sessions::usage::{Span, Totals, day_name};
use crate::sessions::usage_report::Summary;
use crate::sessions::usage_scan::{Budget, File, transcripts};
use crate::sessions::{Entry, Kept, Snapshot, Transcript, usage_series};
use crate::state::State;
use crate::state::event::Answer;
use crate::state::shared::Shared;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

/// What one request reads of transcripts, in bytes.
const MAX_READ: u64 = 128 << 20;
const MAX_SESSIONS: usize = 1000;

params! {
    struct Usage {
        key: Option<String>,
        start_date: Option<String>,
        end_date: Option<String>,
        limit: Option<usize>,
        include_context_weight: bool,
    }
}

/// The index of an agent and the directory of its transcripts.
pub(super) struct Agent {
    id: String,
    pub dir: PathBuf,
    pub sessions: Snapshot,
}

/// A transcript and the session that goes on in it, if any.
struct Row {
    agent: String,
    key: String,
    file: File,
    entry: Option<Entry>,
}

pub fn sessions(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let mut wanted: Usage = read(params)?;
    let now = state.now;
    let span = Span::of(wanted.start_date.as_deref(), wanted.end_date.as_deref(), None, now)?;
    wanted.key = wanted.key.map(|key| state.sessions.rules().canonical(&key)).transpose()?;
    let agents = agents(state);
    Ok(counted(state, move |counting, budget| {
        let mut all = Summary::default();
        let mut by: [BTreeMap<String, Totals>; 2] = Default::default();
        let mut sessions = Vec::new();
        for row in rows(agents, &wanted, &span) {
            let own = counting.sums(&row.file, &span, budget);
            let is_read = own.is_some();
            let own = own.unwrap_or_default();
            all.merge(&own);
            let [agents, channels] = &mut by;
            agents.entry(row.agent.clone()).or_default().merge(&own.totals);
            if let Some(channel) = row.text("channel", "provider") {
                channels.entry(channel.to_string()).or_default().merge(&own.totals);
            }
            sessions.push(row.to_value(is_read.then_some(&own), wanted.include_context_weight));
        }
        let [agents, channels] = &by;
        Ok(json!({
            "updatedAt": now, "startDate": day_name(span.first), "endDate": day_name(span.last),
            "sessions": sessions, "totals": all.totals.to_value(), "aggregates": all.aggregates(agents, channels),
        }))
    }))
}

/// What counting goes by.
pub(super) struct Counting<'a> {
    config: &'a Config,
    remembered: &'a Remembered,
}

/// Has it counted on the connection's thread, as far as one request may read, and the report say so if that was not all.
pub(super) fn counted(
    state: &State,
    count: impl FnOnce(&Counting, &mut Budget) -> Result<Value> + Send + 'static,
) -> Answer {
    let shared = state.shared.clone();
    Answer::Work(Box::new(move || {
        let mut budget = Budget::new(MAX_READ);
        let counting = Counting { config: &shared.config(), remembered: &shared.remembered };
        let mut report = count(&counting, &mut budget)?;
        if let (true, Some(report)) = (budget.is_spent, report.as_object_mut()) {
            report.put("isPartial", true);
        }
        Ok(report.into())
    }))
}

impl Counting<'_> {
    /// What a transcript tells of; what cannot be read counts as unused, and the others are still told.
    pub fn sums(&self, file: &File, span: &Span, budget: &mut Budget) -> Option<Arc<Summary>> {
        let sums = self.remembered.sums(file, self.config, span, budget);
        sums.map_err(|e| log::warn!(target: "gateway/usage", "{e}")).ok()
    }
}

pub(super) fn agents(state: &State) -> Vec<Agent> {
    let agent =
        |(id, sessions): (String, Snapshot)| Agent { id, dir: sessions.dir().to_path_buf(), sessions };
    state.sessions.snapshots().into_iter().map(agent).collect()
}

/// The transcripts that may hold something of the span, or those of the one session asked for; last active
/// first.
fn rows(agents: Vec<Agent>, wanted: &Usage, span: &Span) -> Vec<Row> {
    let mut rows = Vec::new();
    for Agent { id, dir, sessions } in agents {
        let names = sessions.iter().filter_map(|kept| Some((kept.file_name(&dir)?, kept)));
        let mut names: HashMap<String, &Arc<Kept>> = names.collect();
        rows.extend(transcripts(&dir).into_iter().map(|file| match names.remove(&file.name) {
            Some(kept) => {
                Row { agent: id.clone(), key: kept.key().to_string(), file, entry: Some(kept.open()) }
            }
            None => {
                let session = file.name.trim_end_matches(".jsonl");
                Row { agent: id.clone(), key: format!("agent:{id}:{session}"), file, entry: None }
            }
        }));
    }
    rows.retain(|row| match &wanted.key {
        Some(key) => row.is_named(key),
        None => row.file.modified >= span.start(),
    });
    crate::order::by_key(&mut rows, |row| std::cmp::Reverse(row.updated_at()));
    rows.truncate(wanted.limit.unwrap_or(50).min(MAX_SESSIONS));
    rows
}

impl Row {
    /// By its key, or by `agent:<id>:<session id>`.
    fn is_named(&self, key: &str) -> bool {
        let id = key.rsplit(':').next().unwrap_or_default();
        let is_id = || self.agent == session_key::agent_of(key) && self.session_id().eq_ignore_ascii_case(id);
        self.key.eq_ignore_ascii_case(key) || is_id()
    }

    fn session_id(&self) -> &str {
        let of_entry = self.entry.as_ref().and_then(|entry| entry.session_id());
        of_entry.unwrap_or_else(|| self.file.name.trim_end_matches(".jsonl"))
    }

    fn updated_at(&self) -> u64 {
        let of_entry = self.entry.as_ref().map(|entry| entry.updated_at());
        of_entry.filter(|at| *at > 0).unwrap_or(self.file.modified)
    }

    /// A member of the entry, else of where it came from.
    fn text(&self, name: &str, of_origin: &str) -> Option<&str> {
        let entry = self.entry.as_ref()?;
        entry.str(name).or_else(|| entry.get("origin")?.get(of_origin)?.as_str())
    }

    fn to_value(&self, usage: Option<&Summary>, with_weight: bool) -> Value {
        let mut row = Map::new();
        row.put("key", self.key.as_str());
        row.put("sessionId", self.session_id());
        row.put("updatedAt", self.updated_at());
        row.put("agentId", self.agent.as_str());
        for (name, of_origin) in [("channel", "provider"), ("chatType", "chatType")] {
            if let Some(text) = self.text(name, of_origin) {
                row.insert(name.into(), text.into());
            }
        }
        for name in ["label", "origin", "modelOverride", "providerOverride", "modelProvider", "model"] {
            if let Some(value) = self.entry.as_ref().and_then(|entry| entry.get(name)) {
                row.insert(name.into(), value.clone());
            }
        }
        let usage = usage.map(|sum| {
            let mut usage = sum.to_value();
            usage.put("sessionId", self.session_id());
            usage.put("sessionFile", self.file.path.display().to_string());
            usage
        });
        row.put("usage", usage.map_or(Value::Null, Value::Object));
        if with_weight {
            let weight = self.entry.as_ref().and_then(|entry| entry.get("systemPromptReport"));
            row.put("contextWeight", weight.cloned().unwrap_or_default());
        }
        Value::Object(row)
    }
}

params! {
    struct Course {
        key: Option<String>,
        limit: Option<usize>,
    }
}

pub fn timeseries(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let (key, transcript, _) = course(state, params, "timeseries")?;
    Ok(counted(state, move |counting, budget| {
        let found = transcript.filter(|transcript| transcript.path().is_file());
        let Some(transcript) = found else {
            return Err(Error::invalid(format!("No transcript found for session: {key}")));
        };
        let points = usage_series::points(&transcript, counting.config, budget)?;
        Ok(json!({"sessionId": transcript.session_id(), "points": points}))
    }))
}

pub fn logs(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    const DEFAULT: usize = 200;
    const MAX: usize = 1000;
    let (_, transcript, limit) = course(state, params, "logs")?;
    let shared = state.shared.clone();
    Ok(Answer::Work(Box::new(move || {
        let limit = limit.unwrap_or(DEFAULT).min(MAX);
        let logs = transcript.map(|transcript| usage_series::logs(&transcript, &shared.config(), limit));
        Ok(json!({"logs": logs.transpose()?.unwrap_or_default()}).into())
    })))
}

/// The key as it was given, its transcript and the limit.
fn course(state: &State, params: Value, what: &str) -> Result<(String, Option<Transcript>, Option<usize>)> {
    let Course { key, limit } = read(params)?;
    let key = key.map(|key| key.trim().to_string()).filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| Error::invalid(format!("key is required for {what}")))?;
    Ok((key.clone(), transcript_of(state, &key)?, limit))
}

/// By a session's key, or by `agent:<id>:<session id>` as `sessions.usage` names those that no session has.
fn transcript_of(state: &State, raw: &str) -> Result<Option<Transcript>> {
    let key = state.sessions.rules().canonical(raw)?;
    if let Some(entry) = state.sessions.get(&key) {
        return Ok(state.sessions.transcript(&key, &entry).ok());
    }
    let index = state.sessions.owner(&key).ok().and_then(|agent| state.sessions.index(agent));
    // The key is lower-case by now, file names need not be.
    let id = raw.rsplit(':').next().unwrap_or_default();
    Ok(index.and_then(|index| Transcript::at(index.dir(), id).ok()))
}

/// The quotas of subscriptions; there are none, since no subscription's login is supported.
pub fn status(_shared: &Shared, _caller: &Caller, _params: Value) -> Result<Payload> {
    Ok(json!({"updatedAt": clock::now_ms(), "providers": []}).into())
}
