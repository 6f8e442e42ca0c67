//! The three lines of `openclaw status` where all is well: that the gateway is up, what it did, on which channels it is.
//! Looks nothing up.
use super::{Look, Word, overview};
use crate::cli::gateway::now;
use serde_json::Value;

/// What is no reason to say more.
const USUAL: &[&str] = &[
    "Agents",
    "Channels",
    "Config",
    "Gateway",
    "Heartbeat",
    "Model",
    "OpenClaw",
    "Process",
    "Service",
    "Sessions",
    "State",
    "Today",
];

/// How a row ends that sends people to another command.
const ELSEWHERE: &[&str] = &["see doctor", "models status says more"];

/// Names and values; `None` where there is more to say.
pub fn lines(look: &Look) -> Option<Vec<(&'static str, String)>> {
    let rows = overview::lines(look);
    let value = |name: &str| rows.iter().find(|(of, _)| *of == name).map(|(_, value)| value.clone());
    let (gateway, summary) = (&look.gateway, look.gateway.summary.as_ref()?);
    let is_read = look.agents.iter().all(|agent| agent.unread.is_none());
    let is_fine = look.config.issues().is_empty() && is_read;
    let is_well = gateway.error.is_none() && gateway.channels.is_none() && is_fine;
    let is_usual = |(name, value): &(&str, String)| {
        USUAL.contains(name) && !ELSEWHERE.iter().any(|more| value.contains(more))
    };
    let is_plain = look.word == Word::Files && rows.iter().all(is_usual);
    if !(is_well && is_plain && look.unit.seen.drift.is_empty() && look.unit.others.is_empty()) {
        return None;
    }
    let target = gateway.target.as_ref()?;
    let version = gateway.version.as_deref().unwrap_or_default();
    let process = now::process(summary).map_or(String::new(), |text| format!(", {text}"));
    let sessions = match look.agents.iter().map(|agent| agent.count).sum::<u64>() {
        1 => "1 session".to_string(),
        count => format!("{count} sessions"),
    };
    let agents = [value("Agents"), value("Model"), Some(sessions), channels(&gateway.snapshot)];
    Some(vec![
        ("Gateway", format!("{version} is up at {}{process}", target.url)),
        ("Today", now::today(summary)?),
        ("Agents", agents.into_iter().flatten().collect::<Vec<_>>().join(" · ")),
    ])
}

/// The channels that are set up, by what they are called.
fn channels(snapshot: &Value) -> Option<String> {
    let order = snapshot.get("channelOrder")?.as_array()?.iter().filter_map(Value::as_str);
    let is_on =
        |id: &&str| snapshot.pointer(&format!("/channels/{id}/configured")) == Some(&Value::Bool(true));
    let label = |id| snapshot.pointer(&format!("/channelLabels/{id}")).and_then(Value::as_str).unwrap_or(id);
    let all: Vec<&str> = order.filter(is_on).map(label).collect();
    (!all.is_empty()).then(|| all.join(", "))
}
