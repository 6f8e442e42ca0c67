//! The dev profile's gateway: a configuration made on the first start, and `--reset`.
//!
//! Runs before the gateway starts, on the main thread. A reset removes nothing: everything goes to
//! `<state>/trash/reset-<time>`, and only what is the dev profile's own.
use crate::cli::Context;
use crate::cli::onboard::setup;
use crate::config::Config;
use crate::config::ports;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files::{self, Lock};
use crate::{clock, gateway};
use std::path::PathBuf;

/// Makes config and workspace of the dev profile when they are missing; `reset` takes away the old ones first.
pub fn prepare(context: &Context, port: Option<u16>, reset: bool, force: bool) -> Result<()> {
    let env = &context.env;
    if !env.is_dev() {
        return if reset { Err(Error::usage("Use --reset with --dev.")) } else { Ok(()) };
    }
    if reset {
        let _lock = alone(context, port, force)?;
        let trash = discard(env)?;
        context.out.line(format!("Dev state moved to {}", env.display(&trash)));
    }
    if env.config_path.exists() {
        return Ok(());
    }
    let made = setup::prepare(env, &Config::load(&mut env.clone())?, None)?;
    context.out.line(format!("Dev config ready: {}", env.display(&env.config_path)));
    context.out.line(format!("Dev workspace ready: {}", env.display(&made.workspace)));
    Ok(())
}

/// Holds the state directory, so that no gateway works on what is moved away.
fn alone(context: &Context, port: Option<u16>, force: bool) -> Result<Lock> {
    let env = &context.env;
    if env.state_dir == env.home.join(".openclaw") {
        return Err(Error::config(
            "--reset takes away the dev profile only, and OPENCLAW_STATE_DIR names the main state; unset it",
        ));
    }
    if !force {
        return gateway::lock_state(env);
    }
    let config = Config::inspect(&mut env.clone());
    let port = port.unwrap_or_else(|| ports::configured(env, &config));
    let (lock, ended) = gateway::clear(env, port)?;
    ended.iter().for_each(|line| context.out.warn(line));
    Ok(lock)
}

/// Config, credentials, sessions and the profile's own workspace; gives where they are now.
fn discard(env: &Env) -> Result<PathBuf> {
    let trash = env.state_dir.join("trash").join(format!("reset-{}", clock::now_ms()));
    files::private_dir(&trash)?;
    let own = |name: &str| (env.state_dir.join(name), trash.join(name.replace('/', "-")));
    let moves = [
        (env.config_path.clone(), trash.join("openclaw.json")),
        own("credentials"),
        own("agents"),
        own("gateway/deliveries.jsonl"),
        own("gateway/idempotency.jsonl"),
        (env.default_workspace(), trash.join("workspace")),
    ];
    for (from, to) in moves.iter().filter(|(from, _)| from.exists()) {
        std::fs::rename(from, to).map_err(|e| {
            Error::io(format_args!("move {} to {} for --reset", from.display(), to.display()), e)
        })?;
    }
    Ok(trash)
}
