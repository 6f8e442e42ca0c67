//! What control pages look at beside conversations: what runs. True as far as it goes, and short where there is little here.
use crate::calls::{Call, Caller};
use crate::clock;
use crate::error::Result;
use crate::json::json;
use crate::protocol::frame::Payload;
use crate::state::State;
use crate::state::event::Answer;
use crate::state::shared::Shared;
use serde_json::Value;

/// All sessions share the places for turns.
pub fn lanes(state: &mut State, _call: Call, _params: Value) -> Result<Answer> {
    let config = state.shared.config();
    let lane = json!({
        "lane": "main",
        "queuedCount": state.runs.queued(),
        "activeCount": state.runs.active(),
        "maxConcurrent": config.u64("agents.defaults.maxConcurrent").unwrap_or(4).max(1),
        "draining": state.refuse_while_draining().is_err(),
    });
    Ok(Answer::Now(json!({"ts": clock::now_ms(), "lanes": [lane], "dynamic": null}).into()))
}

/// No login at GitHub, for whomever it is asked.
pub fn github(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let text = |name: &str| params.get(name).and_then(Value::as_str).map(str::to_string);
    let agent = text("agentId").unwrap_or_else(|| shared.agents().default_id());
    let scope = text("selectedScope").unwrap_or_else(|| "system".to_string());
    let selected = json!({"scope": scope, "identity": null});
    Ok(json!({"agentId": agent, "selectedScope": scope, "selected": selected, "effective": null}).into())
}
