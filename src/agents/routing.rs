//! Which agent and session a message from a channel belongs to: the `bindings` of the configuration, and
//! `session.dmScope`, `identityLinks` and `scope`, which name the session.
//!
//! Pure; what channels know of a message comes in as [`Inbound`].
use crate::agents::Agents;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::session_key::normalise_agent_id;
use serde_json::Value;

const DEFAULT_ACCOUNT: &str = "default";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PeerKind {
    #[default]
    Direct,
    Group,
    Channel,
}

impl PeerKind {
    fn name(self) -> &'static str {
        match self {
            PeerKind::Direct => "direct",
            PeerKind::Group => "group",
            PeerKind::Channel => "channel",
        }
    }
}

/// Where a message came from; texts as the channel gives them, empty when it does not know.
#[derive(Debug, Clone, Default)]
pub struct Inbound<'a> {
    pub channel: &'a str,
    /// The login it arrived at; empty is `default`.
    pub account: &'a str,
    pub kind: PeerKind,
    /// The sender of a direct chat, else the group or channel.
    pub peer: &'a str,
    /// The conversation that `peer` is a thread of, where a thread has an id of its own kind (Discord).
    pub parent: Option<(PeerKind, &'a str)>,
    /// The thread or topic within `peer`.
    pub thread: &'a str,
    /// It is called a topic of the group, as at Telegram.
    pub has_topics: bool,
    pub guild: &'a str,
    pub team: &'a str,
    /// The sender's roles in `guild`.
    pub roles: &'a [&'a str],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub agent: String,
    /// Canonical.
    pub session_key: String,
    /// The main session of that agent.
    pub main_key: String,
    /// What decided: `peer`, `parent`, `roles`, `guild`, `team`, `account`, `channel` or `default`.
    pub matched_by: &'static str,
}

impl Route {
    /// The main session where a direct chat has another one: its last route moves too.
    pub fn main_beside(&self, is_direct: bool) -> Option<String> {
        (is_direct && self.session_key != self.main_key).then(|| self.main_key.clone())
    }
}

/// Fails when the bindings are disabled by a mistake in them, since another agent must not answer instead,
/// and for a peer that cannot name a session.
pub fn route(config: &Config, agents: &Agents, inbound: &Inbound) -> Result<Route> {
    if config.is_disabled("bindings") {
        return Err(Error::unavailable(
            "route a message: the bindings are disabled by a mistake in them, correct it (openclaw config get)",
        ));
    }
    let (agent, matched_by) = choose(config, agents, inbound);
    let rules = agents.key_rules();
    let main_key = rules.main_of(&agent);
    let base = match inbound.kind {
        PeerKind::Direct => match direct_name(config, inbound) {
            Some(name) => format!("agent:{agent}:{name}"),
            None => main_key.clone(),
        },
        kind => format!("agent:{agent}:{}:{}:{}", channel_of(inbound), kind.name(), peer_of(inbound)),
    };
    let session_key = rules.canonical(&with_thread(base, inbound))?;
    Ok(Route { agent, session_key, main_key, matched_by })
}

/// The session of a direct chat that has one of its own. While a mistake hides who is to share one, nobody does: that
/// cannot show one person's messages to another.
fn direct_name(config: &Config, inbound: &Inbound) -> Option<String> {
    let is_wrong = |path: &str| config.mistake(path).is_some();
    let written = config.str("session.dmScope").unwrap_or("main");
    let is_hidden = is_wrong("session.dmScope") || (written != "main" && is_wrong("session.identityLinks"));
    let scope = if is_hidden { "per-account-channel-peer" } else { written };
    let peer = linked(config, inbound).unwrap_or_else(|| peer_of(inbound));
    let channel = channel_of(inbound);
    match scope {
        "per-peer" => Some(format!("direct:{peer}")),
        "per-channel-peer" => Some(format!("{channel}:direct:{peer}")),
        "per-account-channel-peer" => {
            Some(format!("{channel}:{}:direct:{peer}", account_name(inbound.account)))
        }
        _ => None,
    }
}

/// The person of `session.identityLinks` who has this peer id, with or without the channel before it.
fn linked(config: &Config, inbound: &Inbound) -> Option<String> {
    let peer = inbound.peer.trim().to_lowercase();
    let with_channel = format!("{}:{peer}", channel_of(inbound));
    let is_meant = |id: &Value| {
        let id = id.as_str().unwrap_or_default().trim().to_lowercase();
        !id.is_empty() && (id == peer || id == with_channel)
    };
    let links = config.get("session.identityLinks")?.as_object()?;
    let found = links
        .iter()
        .find(|(name, ids)| !name.trim().is_empty() && ids.as_array().into_iter().flatten().any(is_meant));
    found.map(|(name, _)| name.trim().to_lowercase())
}

/// Topics are part of the group's id; the global session has no threads.
fn with_thread(base: String, inbound: &Inbound) -> String {
    let thread = inbound.thread.trim().to_lowercase();
    if thread.is_empty() || base == "global" {
        return base;
    }
    format!("{base}:{}:{thread}", if has_topics(inbound) { "topic" } else { "thread" })
}

fn has_topics(inbound: &Inbound) -> bool {
    inbound.has_topics && inbound.kind != PeerKind::Direct
}

fn channel_of(inbound: &Inbound) -> String {
    or_unknown(inbound.channel)
}

fn peer_of(inbound: &Inbound) -> String {
    or_unknown(inbound.peer)
}

fn or_unknown(text: &str) -> String {
    let text = text.trim().to_lowercase();
    if text.is_empty() { "unknown".into() } else { text }
}

/// An account's name as part of a key.
pub fn account_name(account: &str) -> String {
    match normalise_agent_id(account) {
        // What is left of a name without any usable character.
        name if name == "main" && !account.trim().eq_ignore_ascii_case("main") => DEFAULT_ACCOUNT.into(),
        name => name,
    }
}

/// The agent, and what decided: of the bindings that fit wholly the most particular, of equals the first.
fn choose(config: &Config, agents: &Agents, inbound: &Inbound) -> (String, &'static str) {
    let bindings = config.get("bindings").and_then(Value::as_array).into_iter().flatten();
    let fitting = bindings.filter_map(|binding| Some((rank(binding.get("match")?, inbound)?, binding)));
    let best = fitting.min_by_key(|((rank, _), _)| *rank);
    let Some(((_, matched_by), binding)) = best else { return (agents.default_id(), "default") };
    let named = normalise_agent_id(binding.get("agentId").and_then(Value::as_str).unwrap_or_default());
    // An agent that does not exist cannot answer.
    let is_known = agents.entry(&named).is_some() || named == agents.default_id();
    (if is_known { named } else { agents.default_id() }, matched_by)
}

/// How particular a binding is, 0 the most, and by what; `None` when it does not fit.
fn rank(wanted: &Value, inbound: &Inbound) -> Option<(u8, &'static str)> {
    let text = |name: &str| wanted.get(name).and_then(Value::as_str).unwrap_or_default().trim();
    let account = match inbound.account.trim() {
        "" => DEFAULT_ACCOUNT,
        account => account,
    };
    let wanted_account = text("accountId");
    let fits_account = match wanted_account {
        "*" => true,
        "" => account == DEFAULT_ACCOUNT,
        wanted => wanted == account,
    };
    let fits = |name: &str, actual: &str| text(name).is_empty() || text(name) == actual.trim();
    let roles: Vec<&str> = wanted
        .get("roles")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let fits_roles = roles.is_empty() || roles.iter().any(|role| inbound.roles.contains(role));
    let is_channel = !text("channel").is_empty() && text("channel").to_lowercase() == channel_of(inbound);
    if !(is_channel
        && fits_account
        && fits_roles
        && fits("guildId", inbound.guild)
        && fits("teamId", inbound.team))
    {
        return None;
    }
    if let Some(peer) = wanted.get("peer") {
        return peer_rank(peer, inbound);
    }
    Some(match () {
        () if !roles.is_empty() => (3, "roles"),
        () if !text("guildId").is_empty() => (4, "guild"),
        () if !text("teamId").is_empty() => (5, "team"),
        () if wanted_account != "*" => (6, "account"),
        () => (7, "channel"),
    })
}

/// The topic of a group is more particular than the group, and that more than what the peer is a thread of.
fn peer_rank(wanted: &Value, inbound: &Inbound) -> Option<(u8, &'static str)> {
    let text = |name: &str| wanted.get(name).and_then(Value::as_str).unwrap_or_default().trim();
    let kind = if text("kind") == "dm" { "direct" } else { text("kind") };
    let (id, peer) = (text("id"), inbound.peer.trim());
    if id.is_empty() {
        return None;
    }
    let is_topic = || has_topics(inbound) && id == format!("{peer}:topic:{}", inbound.thread.trim());
    match inbound.kind.name() == kind {
        true if is_topic() => return Some((0, "peer")),
        true if id == peer => return Some((1, "peer")),
        _ => {}
    }
    let is_parent = inbound.parent.is_some_and(|(of, parent)| of.name() == kind && parent.trim() == id);
    is_parent.then_some((2, "parent"))
}

#[cfg(test)]
#[path = "routing_tests.rs"]
mod tests;
