//! Whether a turn may what is the owner's alone. A tool asks with more scopes than its turn has: what counts is who asked for
//! the turn (SEC-42).
use crate::calls::Call;
use crate::error::{Error, Kind, Result};
use crate::json::json;
use crate::state::State;
use crate::state::event::Answer;
use crate::tools;
use serde_json::Value;

/// Refuses the call of a tool unless the owner or an administrator asked for its turn, or the configuration lets the tool
/// in by its name for who did. Who is no tool passes.
pub fn authorise(state: &State, call: &Call, tool: &str) -> Result<()> {
    let Some(run) = call.caller.run.as_deref() else { return Ok(()) };
    let row = tools::TOOLS.iter().find(|row| row.name == tool);
    let is_let_in = |whose| row.is_some_and(|row| tools::serves(&state.shared.config(), row, whose));
    let whose = state.runs.provenance_of(run).filter(|whose| !whose.is_owners());
    match state.runs.administers(run) || whose.is_some_and(is_let_in) {
        true => Ok(()),
        false => {
            let what = if tool == "cron" { "scheduled jobs are" } else { "the gateway's settings are" };
            let text = format!("{what} the owner's: he, or a client with operator.admin, must ask");
            Err(Error::new(Kind::Forbidden, text))
        }
    }
}

/// No method of the table.
pub fn may(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let tool = params.get("tool").and_then(Value::as_str).unwrap_or_default();
    authorise(state, &call, tool)?;
    Ok(Answer::Now(json!({"ok": true}).into()))
}
