//! Which session an `agent` request is for: the one named by key or id, else that of whom it is for. Pure over `State`.
use super::agent::{DEFAULT_CHANNEL, Params};
use crate::agents::routing::{self, Inbound, PeerKind};
use crate::error::{Error, Result};
use crate::session_key;
use crate::sessions::{SESSION_ID, is_session_id};
use crate::state::State;

/// The session a run belongs to: the one named by key or id, else the agent's main one.
pub(super) fn session_key(state: &State, params: &Params, conversation: Option<&str>) -> Result<String> {
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
        return Err(state.sessions.lost(agent).unwrap_or_else(unknown));
    }
    let given = params.session_key.as_deref().map(str::trim).filter(|k| !k.is_empty());
    let rules = state.sessions.rules();
    let key = match (given, conversation) {
        (Some(raw), id) => {
            let key = rules.canonical(raw)?;
            // Clients that cannot look an id up make this key of it; its session may have another one.
            let made_up = |id: &&str| {
                key == session_key::of_chosen_id(session_key::agent_of(&key), id)
                    && (!state.sessions.has(&key) || is_of_another(state, &key, id))
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
    let key = rules.canonical(&session_key::of_chosen_id(home, id))?;
    Ok(if is_of_another(state, &key, id) { session_key::apart(&key, id) } else { key })
}

/// Whether the conversation of a key is one whose id differs from this one by case alone: keys do not tell them apart, files do.
fn is_of_another(state: &State, key: &str, id: &str) -> bool {
    state.sessions.session_id(key).is_some_and(|there| there != id && there.eq_ignore_ascii_case(id))
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
