//! The health snapshot: what `health` answers, what its event carries, what `hello-ok` starts with.
//!
//! Built by the state thread when something changed and published as text; pure over `State`. The numbers are those of the
//! moment at which somebody asks.
use crate::channels::told::Teller;
use crate::deliveries::Stage;
use crate::heartbeat::Beat;
use crate::json::{Put, json};
use crate::metrics::{self, Metric};
use crate::sessions::passing;
use crate::state::State;
use crate::state::shared::Shared;
use crate::threads;
use serde_json::{Map, Value};
use std::fmt::Write;

/// Sessions shown for each agent.
const RECENT: usize = 5;
/// Bytes that the numbers take, about.
const NUMBERS: usize = 2 << 10;
/// What those are told of an agent without its sessions who may see no paths.
pub const UNREAD: &str = "its session index cannot be read";

/// What a snapshot is made of, as far as it changes: equal sources make an equal snapshot, but for its times.
#[derive(PartialEq, Eq)]
pub struct Sources {
    sessions: u64,
    pairing: u64,
    config: u64,
    channels: u64,
    beats: u64,
    active: usize,
    queued: usize,
}

impl Sources {
    pub fn of(state: &State) -> Sources {
        Sources {
            sessions: state.sessions.revision(),
            pairing: state.pairing.revision(),
            config: state.config_invalid.revision(),
            channels: state.shared.board.revision(),
            beats: state.heart.revision,
            active: state.runs.active(),
            queued: state.runs.queued(),
        }
    }
}

pub fn snapshot(state: &State) -> Value {
    let rules = state.sessions.rules();
    let read = state.sessions.agents().map(|agent| (agent, None));
    let unread = state.sessions.unread().iter().map(|(agent, why)| (agent.as_str(), Some(why.message())));
    let row = |(agent, why): (&str, Option<&str>)| {
        let mut row = agent_row(state, agent, agent == rules.default_agent);
        if let (Some(map), Some(why)) = (row.as_object_mut(), why) {
            map.put("error", why);
        }
        row
    };
    let agents: Vec<Value> = read.chain(unread).map(row).collect();
    let approve = |id: &String| state.shared.env.command(&format!("devices approve {id}"));
    let pairing: Vec<Value> =
        state.pairing.keys().map(|id| json!({"requestId": id, "approve": approve(id)})).collect();
    let rhythm = state.rhythm(&rules.default_agent);
    let seconds = rhythm
        .get("everyMs")
        .and_then(Value::as_u64)
        .filter(|_| rhythm.get("enabled") == Some(&Value::Bool(true)));
    let seconds = seconds.unwrap_or(0) / 1000;
    let mut snapshot = json!({
        "ok": true,
        "ts": state.now,
        "durationMs": 0,
        "channels": null,
        "channelOrder": null,
        "channelLabels": null,
        "heartbeatSeconds": seconds,
        "defaultAgentId": rules.default_agent,
        "agents": agents,
        "sessions": sessions(state, &rules.default_agent),
        "pairing": {"pending": pairing},
        "runs": {"active": state.runs.active(), "queued": state.runs.queued()},
    });
    let teller = Teller {
        config: &state.shared.config(),
        env: &state.shared.env,
        board: Some(&state.shared.board),
        default_agent: &rules.default_agent,
    };
    if let Some(map) = snapshot.as_object_mut() {
        teller.health().into_iter().for_each(|(name, value)| map.put(name, value));
        if let Some(problem) = &*state.config_invalid {
            map.insert("configInvalid".into(), problem.clone());
        }
    }
    snapshot
}

/// The numbers of this moment by name, for administrators; any thread may ask.
pub fn counted(shared: &Shared) -> Value {
    look(shared);
    let object = |all: &mut dyn Iterator<Item = (&'static str, u64)>| -> Map<String, Value> {
        all.map(|(name, number)| (name.to_string(), number.into())).collect()
    };
    let mut told = object(&mut metrics::all().map(|(row, number)| (row.name, number)));
    told.put("requests", object(&mut metrics::requests(&shared.method_names)));
    told.into()
}

/// The same as the last member, `metrics`, of an object that is `open` as yet; put down as text, since what looks at a
/// gateway asks for it often.
pub fn with_numbers(open: &str, shared: &Shared) -> String {
    look(shared);
    let mut told = String::with_capacity(open.len() + NUMBERS);
    told.push_str(open);
    told.push_str(",\"metrics\":{");
    metrics::all().for_each(|(row, number)| member(&mut told, row.name, number));
    told.push_str("\"requests\":{");
    metrics::requests(&shared.method_names).for_each(|(name, number)| member(&mut told, name, number));
    if told.ends_with(',') {
        told.pop();
    }
    told.push_str("}}}");
    told
}

/// Names need no escapes: they are the rows' own.
fn member(told: &mut String, name: &str, number: u64) {
    told.push('"');
    told.push_str(name);
    told.push_str("\":");
    // A text takes all that is written to it.
    let _ = write!(told, "{number},");
}

/// Sets what is known elsewhere at any moment.
pub fn look(shared: &Shared) {
    let [arriving, working, unsent] = shared.budget.held();
    let (threads, most) = threads::counts();
    metrics::set(Metric::BytesArriving, arriving);
    metrics::set(Metric::BytesInWork, working);
    metrics::set(Metric::BytesUnsent, unsent);
    metrics::set(Metric::EventsWaiting, shared.state.len());
    metrics::set(Metric::Threads, threads);
    metrics::set(Metric::ThreadsMost, most);
}

impl State {
    /// Sets what only the state knows. Deliveries are counted when one has changed.
    pub fn measure(&mut self) -> Option<u64> {
        let ledger = &self.post.ledger;
        if self.measured != Some(ledger.revision()) {
            self.measured = Some(ledger.revision());
            metrics::set(Metric::DeliveriesWaiting, ledger.count(Stage::Accepted));
            metrics::set(Metric::DeliveriesUncertain, ledger.count(Stage::Uncertain));
            metrics::set(Metric::DeliveriesOldest, ledger.oldest().unwrap_or(0) as usize);
        }
        None
    }
}

/// The snapshot as `hello-ok` carries it: newer clients refuse a greeting with members that their schema does not
/// have. `health` tells these.
pub fn for_greeting(mut snapshot: Value) -> Value {
    if let Some(map) = snapshot.as_object_mut() {
        for name in ["pairing", "runs", "configInvalid"] {
            map.shift_remove(name);
        }
    }
    snapshot
}

/// The snapshot for those who are not told where files lie, who wants in (SEC-26) and how busy the gateway is.
pub fn without_paths(snapshot: &Value) -> Value {
    let mut snapshot = snapshot.clone();
    if let Some(map) = snapshot.as_object_mut() {
        map.remove("pairing");
        map.remove("configInvalid");
    }
    let hide = |sessions: Option<&mut Value>| {
        if let Some(map) = sessions.and_then(Value::as_object_mut) {
            map.put("path", "");
        }
    };
    hide(snapshot.get_mut("sessions"));
    for agent in snapshot.get_mut("agents").and_then(Value::as_array_mut).into_iter().flatten() {
        hide(agent.get_mut("sessions"));
        if let Some(why) = agent.get_mut("error") {
            *why = UNREAD.into();
        }
    }
    snapshot
}

fn agent_row(state: &State, agent: &str, is_default: bool) -> Value {
    let beat = Beat::of(&state.shared.config(), agent);
    let mut heartbeat = state.rhythm(agent);
    if let Some(map) = heartbeat.as_object_mut() {
        map.put("prompt", beat.message());
        map.put("target", beat.target());
        map.put("ackMaxChars", beat.ack_max());
    }
    let mut row = json!({"agentId": agent, "isDefault": is_default, "heartbeat": heartbeat, "sessions": sessions(state, agent)});
    let name = state.shared.agents().row(agent).get("name").cloned();
    if let (Some(map), Some(name)) = (row.as_object_mut(), name) {
        map.put("name", name);
    }
    row
}

fn sessions(state: &State, agent: &str) -> Value {
    let Some(index) = state.sessions.index(agent) else {
        return json!({"path": "", "count": 0, "recent": []});
    };
    // There may be thousands: the newest are picked out, without sorting them all.
    let (mut newest, mut count): (Vec<(&str, u64)>, usize) = (Vec::new(), 0);
    for kept in index.iter().filter(|kept| kept.key() != "global" && kept.key() != "unknown") {
        count += 1;
        // One of a single request is told to who searches.
        if passing::family(kept.key()).is_some() {
            continue;
        }
        let at = newest.iter().position(|(_, at)| *at < kept.updated_at()).unwrap_or(newest.len());
        if at < RECENT {
            newest.insert(at, (kept.key(), kept.updated_at()));
            newest.truncate(RECENT);
        }
    }
    let row =
        |(key, at): &(&str, u64)| json!({"key": key, "updatedAt": at, "age": state.now.saturating_sub(*at)});
    let recent: Vec<Value> = newest.iter().map(row).collect();
    json!({"path": index.path(), "count": count, "recent": recent})
}
