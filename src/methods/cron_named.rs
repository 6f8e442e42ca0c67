//! What a scheduled job names must be there when it is made or changed: its agent, its channel, the thinking level, the
//! model. Part of `cron.add` and `cron.update`, on the state thread; the job's own shape is `cron::shape`'s.
use crate::channels;
use crate::cron::job::{self, Members};
use crate::error::{Error, Result};
use crate::logging::quoted;
use crate::models::provider::{BUILTIN, Thinking};
use crate::slash::names::choice;
use crate::state::State;

pub fn know_agent(state: &State, job: &Members) -> Result<()> {
    match job::text(job, "agentId").filter(|id| state.sessions.index(id).is_none()) {
        Some(id) => Err(state.sessions.lost(id).unwrap_or_else(|| {
            let id = quoted(id);
            Error::invalid(format!("agentId {id} is no agent here; openclaw agents list shows them"))
        })),
        None => Ok(()),
    }
}

/// Of what `given` says anew the channel, the thinking level and the model must be there. What a job says already may have
/// gone since; it can be switched off all the same.
pub fn know(state: &State, given: &Members, job: &Members) -> Result<()> {
    let wrong = |what: String| Error::invalid(format!("invalid cron job: {what}"));
    let config = state.shared.config();
    if let Some(channel) = job::inner_text(given, "delivery", "channel") {
        channels::check_named(&config, channel).map_err(|why| wrong(format!("delivery.{why}")))?;
    }
    if let Some(level) = job::inner_text(given, "payload", "thinking") {
        Thinking::named(level).map_err(|why| wrong(format!("payload.thinking {why}")))?;
    }
    if let Some(model) = job::inner_text(given, "payload", "model") {
        let agent = job::text(given, "agentId").or_else(|| job::text(job, "agentId"));
        let agent = agent.unwrap_or(&state.sessions.rules().default_agent);
        let own = state.shared.agents().model(agent).unwrap_or_else(|| BUILTIN.to_string());
        choice(&config, &state.shared.env, model.trim(), &own)
            .map_err(|why| wrong(format!("payload.model {} cannot be used: {why}", quoted(model))))?;
    }
    Ok(())
}
