//! `/queue`: what a message does while a turn goes on in its session. On the state thread.
use super::{At, Reply, entry, put};
use crate::error::Result;
use crate::slash::queue::{shown, take};
use crate::state::State;
use serde_json::Value;

const CHOICES: &str = "collect, followup, steer, steer-backlog, interrupt, default; debounce:2s, cap:20, drop:old|new|summarize";
const MEMBERS: [&str; 4] = ["queueMode", "queueDebounceMs", "queueCap", "queueDrop"];

pub fn queue(state: &mut State, at: &At, args: &str) -> Result<Reply> {
    if args.is_empty() {
        let now = shown(&state.shared.config(), &entry(state, at), &at.channel);
        return Ok(Reply::Text(format!("{now}\nChoices: {CHOICES}.")));
    }
    let (change, len) = take(args);
    if let Some(word) = args.get(len..).and_then(|rest| rest.split_whitespace().next()) {
        return Ok(super::wrong("queue", word, CHOICES));
    }
    let mut entry = state.sessions.ensure(&at.key, state.now, state.mono)?;
    if change.resets {
        for name in MEMBERS {
            entry.remove(name);
        }
    }
    let text = |value: Option<&'static str>| value.map(Value::from);
    let values = [
        text(change.mode),
        change.debounce_ms.map(Value::from),
        change.cap.map(Value::from),
        text(change.drop),
    ];
    for (name, value) in MEMBERS.into_iter().zip(values) {
        if let Some(value) = value {
            entry.set(name, value);
        }
    }
    entry.set("updatedAt", state.now);
    let now = shown(&state.shared.config(), &entry, &at.channel);
    put(state, at, entry, "patch")?;
    Ok(Reply::Text(now))
}
