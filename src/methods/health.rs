//! `health`, `status`: how the gateway is.
use crate::calls::{Call, Caller};
use crate::channels::told::Teller;
use crate::clock;
use crate::config::Config;
use crate::device::pairing::Pairing;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::methods::system::process;
use crate::models::catalogue;
use crate::models::resolve::CONTEXT_WINDOW;
use crate::protocol::frame::Payload;
use crate::sessions::{Entry, Kept, passing};
use crate::state::State;
use crate::state::event::Answer;
use crate::state::health as snapshot;
use crate::state::shared::Shared;
use serde_json::{Map, Value};

/// Sessions listed by `status`.
const RECENT: usize = 10;

/// The snapshot that the state thread published last; it is renewed whenever something in it changes. Administrators are
/// told the numbers of this moment with it.
pub fn health(shared: &Shared, caller: &Caller, _params: Value) -> Result<Payload> {
    let is_admin = caller.scopes.has("operator.admin");
    let text = shared.published.health(is_admin);
    match text.strip_suffix('}').filter(|_| is_admin) {
        Some(open) => Ok(Payload::Text(snapshot::with_numbers(open, shared).into())),
        None => Ok(Payload::Text(text)),
    }
}

/// A short summary. The sessions are copied here and written out on the connection's thread.
pub fn status(state: &mut State, call: Call, _params: Value) -> Result<Answer> {
    let sessions = state.sessions.snapshots();
    let paths: Vec<(String, String)> = state
        .sessions
        .agents()
        .filter_map(|a| Some((a.to_string(), state.sessions.index(a)?.path().display().to_string())))
        .collect();
    let (shared, events, now) = (
        state.shared.clone(),
        state.system_events.iter().map(|note| note.text.clone()).collect::<Vec<_>>(),
        state.now,
    );
    let beats = paths.iter().map(|(agent, _)| {
        let mut row = json!({"agentId": agent});
        if let (Some(row), Value::Object(rhythm)) = (row.as_object_mut(), state.rhythm(agent)) {
            row.extend(rhythm);
        }
        row
    });
    let beats: Vec<Value> = beats.collect();
    let unread = state.sessions.unread().clone();
    // Where the file lies and who asked for a restart is for administrators.
    let is_admin = call.caller.scopes.has("operator.admin");
    let operation = [
        ("configInvalid", (*state.config_invalid).clone()),
        ("restart", Some(state.restart_status())),
        ("metrics", is_admin.then(|| snapshot::counted(&state.shared))),
        ("today", Some(state.runs.today.told(state.now))),
    ];
    let operation = operation.into_iter().filter(move |_| is_admin);
    Ok(Answer::Work(Box::new(move || {
        let all = sessions.iter().flat_map(|(agent, all)| all.iter().map(move |kept| (&**agent, &**kept)));
        let mut summary = summary(&shared, all.collect(), &paths, &events, now);
        if let (Some(map), true) = (summary.as_object_mut(), is_admin) {
            map.insert("gateway".into(), process(&shared));
        }
        if let Some(Value::Array(agents)) = summary.pointer_mut("/heartbeat/agents") {
            *agents = beats;
        }
        if let Some(Value::Array(agents)) = summary.pointer_mut("/sessions/byAgent") {
            let why =
                |error: &Error| if is_admin { error.message().to_string() } else { snapshot::UNREAD.into() };
            agents.extend(unread.iter().map(|(agent, error)| {
                json!({"agentId": agent, "path": "", "count": 0, "recent": [], "error": (why(error))})
            }));
        }
        for (name, value) in
            operation.filter_map(|(name, value)| Some((name, value.filter(|v| !v.is_null())?)))
        {
            if let Some(map) = summary.as_object_mut() {
                map.insert(name.to_string(), value);
            }
        }
        Ok(summary.into())
    })))
}

/// An agent and a session of it.
type Row<'a> = (&'a str, &'a Kept);

fn summary(
    shared: &Shared,
    mut rows: Vec<Row>,
    paths: &[(String, String)],
    events: &[String],
    now: u64,
) -> Value {
    crate::order::by_key(&mut rows, |(_, kept)| std::cmp::Reverse(kept.updated_at()));
    let agents = shared.agents();
    let default = agents.default_id();
    let config = shared.config();
    let teller =
        Teller { config: &config, env: &shared.env, board: Some(&shared.board), default_agent: &default };
    let window = |agent: &str| window_of(&config, agents.model(agent).as_deref());
    let shown = |rows: &mut dyn Iterator<Item = &Row>| -> Vec<Value> {
        let row = |(agent, kept): &Row| session_row(agent, kept.key(), &kept.open(), window(agent), now);
        let is_told = |(_, kept): &&Row| passing::family(kept.key()).is_none();
        rows.filter(is_told).take(RECENT).map(row).collect()
    };
    let by_agent: Vec<Value> = paths
        .iter()
        .map(|(agent, path)| {
            let count = rows.iter().filter(|(a, ..)| a == agent).count();
            let recent = shown(&mut rows.iter().filter(|(a, ..)| a == agent));
            json!({"agentId": agent, "path": path, "count": count, "recent": recent})
        })
        .collect();
    let mut told = json!({
        "heartbeat": {"defaultAgentId": default, "agents": []},
        "channelSummary": (teller.lines()),
        "queuedSystemEvents": events,
        "sessions": {
            "paths": paths.iter().map(|(_, path)| path).collect::<Vec<_>>(),
            "count": rows.len(),
            "defaults": {"model": agents.model(&default), "contextTokens": window(&default)},
            "recent": shown(&mut rows.iter()),
            "byAgent": by_agent,
        },
        "pairing": pairing(shared),
        "uptimeMs": shared.started.elapsed().as_millis() as u64,
        "version": crate::version::VERSION,
        "tls": (shared.tls.as_ref().map(|port| port.pair().facts.to_json())),
    });
    if let (Some(told), Some(link)) = (told.as_object_mut(), teller.link()) {
        told.put("linkChannel", link);
    }
    told
}

/// Requests that wait, each with the command that approves it (R-05e).
fn pairing(shared: &Shared) -> Value {
    let pending =
        Pairing::new(&shared.env.state_dir).list(clock::now_ms()).map(|l| l.pending).unwrap_or_default();
    let rows: Vec<Value> = pending
        .iter()
        .filter_map(|request| {
            let id = request.get("requestId")?.as_str()?;
            Some(json!({"requestId": id, "approve": shared.env.command(&format!("devices approve {id}"))}))
        })
        .collect();
    json!({"pending": rows})
}

/// The tokens that a model takes as the configuration has it.
fn window_of(config: &Config, model: Option<&str>) -> u64 {
    let model = model.unwrap_or(catalogue::chosen(config));
    let window = catalogue::find(config, model).map_or(CONTEXT_WINDOW, |listed| listed.context_window());
    config.u64("agents.defaults.contextTokens").map_or(window, |most| most.min(window))
}

/// `window` is what the agent's model takes, for a session that has not been answered yet.
fn session_row(agent: &str, key: &str, entry: &Entry, window: u64, now: u64) -> Value {
    let mut row = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            row.insert(name.to_string(), value);
        }
    };
    put("agentId", agent.into());
    put("key", key.into());
    put("kind", entry.kind(key).into());
    let copied = ["sessionId", "updatedAt"];
    copied.into_iter().for_each(|name| put(name, entry.get(name).cloned().unwrap_or_default()));
    put("age", now.saturating_sub(entry.updated_at()).into());
    let copied = [
        "thinkingLevel",
        "verboseLevel",
        "systemSent",
        "abortedLastRun",
        "inputTokens",
        "outputTokens",
        "totalTokens",
        "model",
    ];
    copied.into_iter().for_each(|name| put(name, entry.get(name).cloned().unwrap_or_default()));
    let context = entry.get("contextTokens").and_then(Value::as_u64).unwrap_or(window);
    put("contextTokens", context.into());
    if let Some(total) = entry.get("totalTokens").and_then(Value::as_u64) {
        put("remainingTokens", context.saturating_sub(total).into());
        put("percentUsed", (total * 100).checked_div(context).unwrap_or(0).into());
    }
    put("flags", flags(entry).into());
    Value::Object(row)
}

fn flags(entry: &Entry) -> Vec<String> {
    let level = |name: &str, label: &str| entry.str(name).map(|value| format!("{label}:{value}"));
    let system = (entry.get("systemSent") == Some(&Value::Bool(true))).then(|| "system".to_string());
    let id = entry.session_id().map(|id| format!("id:{id}"));
    [level("thinkingLevel", "think"), level("verboseLevel", "verbose"), system, id]
        .into_iter()
        .flatten()
        .collect()
}
