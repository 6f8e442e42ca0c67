//! `sessions.compact`: cuts a session's transcript to its newest entries. The store thread does it, so that it
//! happens even if the client hangs up. The model's summary is what `/compact` makes, in a run.
use crate::calls::Call;
use crate::error::{Error, Result};
use crate::json::json;
use crate::params::{params, read};
use crate::sessions::compacting::Cut;
use crate::state::State;
use crate::state::event::Answer;
use serde_json::Value;
use std::time::Duration;

const DEFAULT_LINES: usize = 400;
/// What the entry knows of the transcript's size.
const COUNTERS: [&str; 3] = ["inputTokens", "outputTokens", "totalTokens"];

params! {
    struct Compact {
        key: String,
        agent_id: Option<String>,
        max_lines: Option<usize>,
    }
}

pub fn compact(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let Compact { key, agent_id, max_lines } = read(params)?;
    let key = match agent_id.filter(|_| !key.trim().starts_with("agent:")) {
        Some(agent) => format!("agent:{}:{}", agent.trim(), key.trim()),
        None => key,
    };
    let key = state.sessions.rules().canonical(&key)?;
    state.sessions.owner(&key)?;
    let Some(entry) = state.sessions.begun(&key) else {
        let none = json!({"ok": true, "key": key, "compacted": false, "reason": "no sessionId"});
        return Ok(Answer::Now(none.into()));
    };
    if !state.runs.of_session(&key).is_empty() {
        let text = format!(
            "session {key} has a run in progress; wait for its end or stop it (chat.abort, `openclaw sessions abort`), then try again"
        );
        return Err(Error::unavailable(text).retry_in(Duration::from_secs(1)));
    }
    let transcript = state.sessions.transcript(&key, &entry)?;
    state.sessions.update(&key, state.mono, |entry| {
        for name in COUNTERS {
            entry.remove(name);
        }
    });
    state.session_changed(&key, "compact");
    let name = key.clone();
    let work = move || {
        let cut = transcript.keep_last(max_lines.unwrap_or(DEFAULT_LINES))?;
        let payload = match cut {
            Cut::Missing => json!({"ok": true, "key": name, "compacted": false, "reason": "no transcript"}),
            Cut::Short { kept } => json!({"ok": true, "key": name, "compacted": false, "kept": kept}),
            Cut::Done { kept, archived } => {
                json!({"ok": true, "key": name, "compacted": true, "archived": archived, "kept": kept})
            }
        };
        Ok(payload.into())
    };
    Ok(Answer::Stored { key: Some(key), work: Box::new(work) })
}
