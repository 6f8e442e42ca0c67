//! The members of a job as the rest of the house asks for them. Pure.
use serde_json::{Map, Value};

pub type Members = Map<String, Value>;

pub const MADE: (&str, &str) = ("madeBy", "agent");

pub fn text<'m>(map: &'m Members, member: &str) -> Option<&'m str> {
    map.get(member).and_then(Value::as_str)
}

/// What it is called, in one line, as it is shown to models: its file may have been written by hand.
pub fn name(job: &Members) -> String {
    crate::clean::one_line(text(job, "name").unwrap_or_default())
}

/// A member of a member.
pub fn inner<'m>(job: &'m Members, outer: &str, member: &str) -> Option<&'m Value> {
    job.get(outer)?.as_object()?.get(member)
}

pub fn inner_text<'m>(job: &'m Members, outer: &str, member: &str) -> Option<&'m str> {
    inner(job, outer, member)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

pub fn is_enabled(job: &Members) -> bool {
    job.get("enabled").and_then(Value::as_bool).unwrap_or(true)
}

/// Whether an agent has made it by its tool; `MADE` is what says so.
pub fn is_made(job: &Members) -> bool {
    text(job, MADE.0) == Some(MADE.1)
}

pub fn is_isolated(job: &Members) -> bool {
    text(job, "sessionTarget") == Some("isolated")
}

/// It is done once and not again.
pub fn is_once(job: &Members) -> bool {
    inner_text(job, "schedule", "kind") == Some("at")
}

/// What it says: the message for a turn, the text for the main session.
pub fn words(job: &Members) -> &str {
    inner_text(job, "payload", "message").or_else(|| inner_text(job, "payload", "text")).unwrap_or_default()
}

/// Whether its words are to be told somewhere.
pub fn announces(job: &Members) -> bool {
    is_isolated(job) && inner_text(job, "delivery", "mode") == Some("announce")
}

/// Whether it has done its work though nobody could be told.
pub fn is_best_effort(job: &Members) -> bool {
    inner(job, "delivery", "bestEffort").and_then(Value::as_bool).unwrap_or(false)
}

/// A number of its state.
pub fn state(job: &Members, member: &str) -> Option<u64> {
    inner(job, "state", member)?.as_u64()
}

/// What becomes of its state.
pub fn change_state(job: &mut Members, change: impl FnOnce(&mut Members)) {
    match job.get_mut("state") {
        Some(Value::Object(state)) => change(state),
        _ => {
            let mut state = Map::new();
            change(&mut state);
            job.insert("state".into(), state.into());
        }
    }
}
