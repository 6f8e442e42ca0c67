//! The models that may take a turn: the chosen one, then its fallbacks, and the reason for each step on.
//!
//! Runs on the run's thread. A model is resolved only when its turn comes.
use crate::agent::finished::Fallback;
use crate::agent::run::Job;
use crate::agents::Agents;
use crate::agents::profiles;
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::models::provider::{BUILTIN, Provider};
use crate::models::{catalogue, failure, window};

pub struct Candidates<'a> {
    job: &'a Job,
    config: &'a Config,
    /// The one in use first.
    models: Vec<String>,
    present: Result<Provider>,
    first: String,
    /// How the first one failed.
    failed: Option<String>,
}

impl<'a> Candidates<'a> {
    /// With `images`, a model for pictures goes first where the chosen one takes text only. None may where a mistake in
    /// the configuration would let another agent than the one that is meant take the turn.
    #[inline(never)]
    pub fn of(job: &'a Job, config: &'a Config, images: bool) -> Candidates<'a> {
        let agents = Agents::of(config, &job.settings.env);
        let own = agents.model(&job.agent);
        let chosen = job.model.clone().or_else(|| own.clone()).unwrap_or_else(|| BUILTIN.to_string());
        let plain = |name: String| catalogue::unaliased(config, &name).to_string();
        let first = plain(chosen);
        if let Err(refused) = config.check_agent(&job.agent) {
            let (models, present) = (vec![first.clone()], Err(refused));
            return Candidates { job, config, models, present, first, failed: None };
        }
        let mut models = vec![first];
        let own_of_child =
            || agents.subagent_fallbacks(&job.agent).filter(|_| job.key.contains(":subagent:"));
        for model in
            own_of_child().unwrap_or_else(|| agents.fallbacks(&job.agent)).into_iter().chain(own).map(plain)
        {
            if !models.contains(&model) {
                models.push(model);
            }
        }
        let mut first = models.first().cloned().unwrap_or_default();
        let mut present = resolve(job, config, &first, models.len() > 1);
        if images
            && let Some(model) = config.str("agents.defaults.imageModel.primary")
            && present.as_ref().is_ok_and(|provider| !provider.images)
        {
            models.insert(0, model.to_string());
            first = model.to_string();
            present = resolve(job, config, model, true);
        }
        Candidates { job, config, models, present, first, failed: None }
    }

    /// The model in use, if it can be used.
    pub fn present(&self) -> Option<&Provider> {
        self.present.as_ref().ok()
    }

    pub fn provider(&mut self) -> Result<&Provider> {
        self.present.as_ref().map_err(Clone::clone)
    }

    /// Goes on to the next model after `error`; gives the error back when there is none, or when another model
    /// would not help.
    pub fn next(&mut self, error: Error) -> Result<Fallback> {
        if error.kind == Kind::Aborted || error.kind == Kind::Io || self.models.len() < 2 {
            return Err(match self.failed.take() {
                Some(before) if error.kind != Kind::Aborted => error.context_after(&before),
                _ => error,
            });
        }
        self.failed.get_or_insert_with(|| format!("{}: {}", self.first, error.message()));
        let from = self.models.remove(0);
        let to = self.models.first().cloned().unwrap_or_default();
        log::warn!(target: "gateway/agent", "model {from} failed ({}): {error}; {to} takes over", failure::reason(&error));
        self.present = resolve(self.job, self.config, &to, self.models.len() > 1);
        Ok(Fallback {
            from: self.first.clone(),
            to,
            reason: failure::reason(&error),
            error: error.message().to_string(),
        })
    }
}

/// With the agent's keys. A server that may be starting is waited for only where no other model can take over.
fn resolve(job: &Job, config: &Config, model: &str, has_other: bool) -> Result<Provider> {
    let env = &job.settings.env;
    let provider = Provider::resolve(config, env, model)?;
    let provider = profiles::apply(provider, config, env, &job.agent)?;
    let reference = format!("{}/{}", provider.id, provider.model);
    let has_window = catalogue::find(config, &reference).is_some_and(|listed| listed.own_window().is_some());
    let told = if has_window { None } else { window::of_turn(&provider) };
    let context_window = told.unwrap_or(provider.context_window);
    Ok(Provider { patient: provider.patient && !has_other, context_window, ..provider })
}
