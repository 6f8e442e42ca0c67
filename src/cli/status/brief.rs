//! The three lines of `openclaw status` where all is well: that the gateway is up, what it did, on which channels it is.
//! Looks nothing up.
use super::overview::Line;
use super::{Look, Word};
use crate::cli::gateway::now;
use serde_json::Value;

/// Names and values; `None` where there is more to say than these rows of the whole.
pub fn lines(look: &Look, rows: &[Line]) -> Option<Vec<(&'static str, String)>> {
    let value = |name: &str| rows.iter().find(|row| row.name == name).map(|row| row.value.as_str());
    let (gateway, summary) = (&look.gateway, look.gateway.summary.as_ref()?);
    let is_well = gateway.error.is_none() && gateway.channels.is_none() && look.config.issues().is_empty();
    let is_plain = look.word == Word::Files && rows.iter().all(|row| row.is_usual);
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
    let channels = channels(&gateway.snapshot);
    let agents = [value("Agents"), value("Model"), Some(&sessions), channels.as_deref()];
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
