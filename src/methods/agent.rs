//! `agent` and `agent.wait`: run a turn and wait for one.
use crate::agents::routing;
use crate::agents::routing::{Inbound, PeerKind};
use crate::calls::Call;
use crate::deliveries::Seen;
use crate::deliveries::dedupe::params_hash;
use crate::error::{Error, Kind, Result};
use crate::json::{Put, json};
use crate::methods::chat::start_anew_if_stale;
use crate::models::provider::Thinking;
use crate::params::{params, read};
use crate::protocol::frame::Payload;
use crate::runs::{Family, NewRun};
use crate::session_key;
use crate::sessions::attachments::Attachments;
use crate::sessions::{SESSION_ID, is_session_id, send_policy};
use crate::slash::Directives;
use crate::state::State;
use crate::state::event::Answer;
use serde_json::Value;
use std::sync::Arc;

/// Names that may stand for a channel in `channel` and `replyChannel`.
const CHANNELS: [&str; 10] = [
    "last",
    "webchat",
    "telegram",
    "whatsapp",
    "discord",
    "slack",
    "signal",
    "imessage",
    "mattermost",
    "msteams",
];
/// Of a target that names none, as clients of the Node gateway expect.
const DEFAULT_CHANNEL: &str = "whatsapp";
/// Bytes of one message; more than any model's window takes.
const MAX_MESSAGE: usize = 1_000_000;
const DEFAULT_TIMEOUT_S: u64 = 600;

params! {
    struct Params {
        message: String,
        agent_id: Option<String>,
        session_id: Option<String>,
        session_key: Option<String>,
        to: Option<String>,
        reply_to: Option<String>,
        account_id: Option<String>,
        group_id: Option<String>,
        group_channel: Option<String>,
        channel: Option<String>,
        reply_channel: Option<String>,
        images: Vec<Value>,
        texts: String,
        hash: String,
        deliver: bool,
        timeout: Option<u64>,
        extra_system_prompt: Option<String>,
        idempotency_key: String,
        label: Option<String>,
        thinking: Option<String>,
    }
}

impl Params {
    fn chosen_id(&self) -> Option<&str> {
        self.session_id.as_deref().map(str::trim).filter(|id| !id.is_empty())
    }

    /// The session is found by who the message is for; one that is named goes on, however old it is.
    fn names_no_session(&self) -> bool {
        self.session_key.is_none()
            && self.session_id.is_none()
            && self.agent_id.is_none()
            && self.to.is_some()
    }
}

/// Answers twice under one id: accepted, then the outcome.
pub fn agent(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let params: Params = read(params)?;
    let message = params.message.trim().to_string() + &params.texts;
    if message.is_empty() && params.images.is_empty() {
        return Err(Error::invalid("message required"));
    }
    let thinking = read_thinking(params.thinking.as_deref())?;
    if params.deliver {
        return Err(Error::invalid("this version has no channels to deliver to; leave out deliver"));
    }
    for channel in
        [&params.channel, &params.reply_channel].into_iter().flatten().filter(|c| !c.trim().is_empty())
    {
        if !CHANNELS.contains(&channel.trim().to_lowercase().as_str()) {
            return Err(Error::invalid(format!("invalid agent params: unknown channel: {channel}")));
        }
    }
    let key = session_key(state, &params)?;
    if let Some(answer) = replay(state, &call, Family::Agent, &params.idempotency_key, &params.hash)? {
        return Ok(answer);
    }
    check_send_policy(state, &key)?;
    if params.names_no_session() {
        let channel = params.channel.clone().unwrap_or_else(|| DEFAULT_CHANNEL.to_string());
        start_anew_if_stale(state, &key, &channel)?;
    }
    if let Some(id) = params.chosen_id() {
        state.sessions.begin(&key, Some(id), state.now, state.mono)?;
    }
    if let Some(label) = params.label {
        state.sessions.ensure(&key, state.now, state.mono)?;
        state.sessions.update(&key, state.mono, |entry| entry.set("label", label));
    }
    let asked_ms = params.timeout.map(|seconds| seconds.saturating_mul(1000));
    let timeout_ms = asked_ms.unwrap_or_else(|| default_timeout_ms(state));
    let new = NewRun {
        family: Family::Agent,
        id: params.idempotency_key,
        key,
        message,
        images: Arc::new(params.images),
        hash: params.hash,
        timeout_ms,
        extra_system: params.extra_system_prompt,
        directives: Directives { thinking, ..Directives::default() },
        channel: None,
        command: None,
    };
    state.accept_run(call, new)
}

/// The session a run belongs to: the one named by key or id, else the agent's main one.
fn session_key(state: &State, params: &Params) -> Result<String> {
    let named = params
        .agent_id
        .as_deref()
        .map(str::trim)
        .filter(|a| !a.is_empty())
        .map(session_key::normalise_agent_id);
    if let Some(agent) = &named
        && state.sessions.index(agent).is_none()
    {
        let unknown = || Error::invalid(format!("invalid agent params: unknown agent id \"{agent}\""));
        return Err(state.shared.config().lost_agent(agent).unwrap_or_else(unknown));
    }
    let given = params.session_key.as_deref().map(str::trim).filter(|k| !k.is_empty());
    let rules = state.sessions.rules();
    let key = match (given, params.chosen_id()) {
        (Some(raw), id) => {
            let key = rules.canonical(raw)?;
            // Clients that cannot look an id up make this key of it; its session may have another one.
            let made_up = |id: &&str| {
                key == session_key::of_chosen_id(session_key::agent_of(&key), id) && !state.sessions.has(&key)
            };
            let agent = session_key::agent_of(&key);
            let agent =
                named.as_deref().or(Some(agent)).filter(|agent| state.sessions.index(agent).is_some());
            id.filter(made_up).map_or_else(|| Ok(key.clone()), |id| session_with_id(state, agent, id))?
        }
        (None, Some(id)) => session_with_id(state, named.as_deref(), id)?,
        (None, None) => match params.reply_to.as_deref().or(params.to.as_deref()).map(str::trim) {
            Some(to) if !to.is_empty() && named.is_none() => return session_of_peer(state, params, to),
            _ => return Ok(named.map_or_else(|| rules.main(), |agent| rules.main_of(&agent))),
        },
    };
    let owner = state.sessions.owner(&key)?;
    match named {
        Some(agent) if agent != owner => Err(Error::invalid(format!(
            "invalid agent params: agent \"{agent}\" does not match session key agent \"{owner}\""
        ))),
        _ => Ok(key),
    }
}

/// The session whose conversation has this id: the agent's own rather than another's, the newest of several. One
/// that is not there begins under the id, and is found again by it.
fn session_with_id(state: &State, agent: Option<&str>, id: &str) -> Result<String> {
    let rules = state.sessions.rules();
    let home = agent.unwrap_or(&rules.default_agent);
    let found = state.sessions.all(agent).filter(|(_, kept)| kept.session_id() == Some(id));
    if let Some((_, kept)) = found.max_by_key(|(owner, kept)| (*owner == home, kept.updated_at())) {
        return Ok(kept.key().to_string());
    }
    if !is_session_id(id) {
        return Err(Error::invalid(format!("invalid agent params: sessionId must be {SESSION_ID}")));
    }
    rules.canonical(&session_key::of_chosen_id(home, id))
}

/// The session of a chat with `to`, or with the group named, as a message from there would find it (`bindings`,
/// `session.dmScope`).
fn session_of_peer(state: &State, params: &Params, to: &str) -> Result<String> {
    let named = params.channel.as_deref().map(|c| c.trim().to_lowercase());
    let (kind, peer) = match (params.group_channel.as_deref(), params.group_id.as_deref()) {
        (Some(channel), _) if !channel.is_empty() => (PeerKind::Channel, channel),
        (_, Some(group)) if !group.is_empty() => (PeerKind::Group, group),
        _ => (PeerKind::Direct, to),
    };
    let inbound = Inbound {
        channel: named.as_deref().filter(|c| *c != "last").unwrap_or(DEFAULT_CHANNEL),
        account: params.account_id.as_deref().unwrap_or_default(),
        kind,
        peer,
        ..Inbound::default()
    };
    let route = routing::route(&state.shared.config(), &state.shared.agents(), &inbound)?;
    state.sessions.owner(&route.session_key)?;
    Ok(route.session_key)
}

/// What is done with large params on the connection's thread: their hash without the key, which must be equal for a
/// repetition to count as one, and the attachments judged and read.
pub fn prepare(mut params: Value) -> Result<Value> {
    let Some(map) = params.as_object_mut() else { return Ok(params) };
    let key = map.remove("idempotencyKey");
    let length = params.get("message").and_then(Value::as_str).map_or(0, str::len);
    if length > MAX_MESSAGE {
        let text = format!("message is {length} bytes long, at most {MAX_MESSAGE} fit; send it in parts");
        return Err(Error::invalid(text));
    }
    let hash = params_hash(&params);
    let Some(map) = params.as_object_mut() else { return Ok(params) };
    let attached = match map.remove("attachments") {
        Some(Value::Array(list)) => Attachments::read(&list)?,
        _ => Attachments::default(),
    };
    map.put("idempotencyKey", key.unwrap_or_default());
    map.put("hash", hash);
    map.put("images", attached.images);
    map.put("texts", attached.texts);
    Ok(params)
}

/// The answer to a key that was used before: the first result, or a refusal for other params.
pub fn replay(
    state: &mut State,
    call: &Call,
    family: Family,
    id: &str,
    hash: &str,
) -> Result<Option<Answer>> {
    let record = match state.dedupe.check(family.name(), id, hash, state.now) {
        Seen::New if state.runs.is_live(id) => {
            return Err(Error::new(Kind::Conflict, format!("run id {id} is in use by another request")));
        }
        Seen::New => return Ok(None),
        Seen::Different => {
            let text =
                format!("idempotencyKey {id} was used with other params; use a new key for a new request");
            return Err(Error::new(Kind::Conflict, text));
        }
        Seen::Same(record) => record,
    };
    let answer = match (&record.result, family) {
        (None, Family::Agent) => {
            let answer = json!({"runId": id, "status": "accepted", "acceptedAt": record.ts});
            state.runs.join_call(id, call);
            answer
        }
        (None, Family::Chat) => json!({"runId": id, "status": "in_flight"}),
        (Some(result), _) => {
            call.replay(result);
            return Ok(Some(Answer::Later));
        }
    };
    Ok(Some(Answer::Now(Payload::Value(answer))))
}

pub fn check_send_policy(state: &State, key: &str) -> Result<()> {
    let entry = state.sessions.get(key).unwrap_or_default();
    match send_policy::decide(&state.shared.config(), key, &entry) == send_policy::Decision::Deny {
        true => Err(Error::invalid("send blocked by session policy")),
        false => Ok(()),
    }
}

/// How long a turn may take when the request does not say, milliseconds.
pub fn default_timeout_ms(state: &State) -> u64 {
    let seconds = state.shared.config().u64("agents.defaults.timeoutSeconds").unwrap_or(DEFAULT_TIMEOUT_S);
    seconds.saturating_mul(1000)
}

/// The thinking level that a request asks for.
pub fn read_thinking(level: Option<&str>) -> Result<Option<Thinking>> {
    let Some(level) = level.map(str::trim).filter(|l| !l.is_empty()) else { return Ok(None) };
    let wrong = || Error::invalid("invalid thinking level (use off|minimal|low|medium|high|xhigh)");
    Thinking::parse(level).ok_or_else(wrong).map(Some)
}

params! {
    struct Wait {
        run_id: String,
        timeout_ms: Option<u64>,
    }
}

pub fn wait(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let Wait { run_id, timeout_ms } = read(params)?;
    state.wait_for_run(call, run_id, timeout_ms.unwrap_or(30_000))
}
