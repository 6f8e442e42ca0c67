//! The port of a gateway that is being set up: one that somebody else listens on is not written down for it.
//!
//! For `onboard`, `configure` and `setup`, on the command line's thread. Asks the kernel who listens; tries no port.
use super::{Mode, Plan};
use crate::cli::gateway::status::stranger;
use crate::config::Config;
use crate::config::ports;
use crate::env::Env;
use crate::error::{Error, Result};

/// The profile's own port, or the next one that nobody has.
pub fn free(env: &Env, config: &Config) -> u16 {
    ports::free_slot(env, config, &|port| stranger(env, port).is_some())
}

/// Refuses a port that an option or the environment names and somebody else has.
pub fn check_named(env: &Env, config: &Config, plan: &Plan) -> Result<()> {
    let Some(who) = env.port().or(plan.port).and_then(|port| stranger(env, port)) else { return Ok(()) };
    let free = free(env, config);
    Err(Error::usage(match env.port() {
        Some(_) => format!("{who}; set OPENCLAW_GATEWAY_PORT to another port, such as {free}"),
        None => format!("{who}; choose another port: --gateway-port {free}"),
    }))
}

/// Who has the configured port, where it is not this profile's gateway.
pub fn taken(env: &Env, config: &Config) -> Option<String> {
    stranger(env, ports::configured(env, config))
}

/// Gives the plan another port where the usual one is somebody else's, and says so. One that a person chose is not
/// replaced: then nothing is set up.
pub fn choose(env: &Env, before: &Config, plan: &mut Plan) -> Result<Option<String>> {
    let is_remote = match plan.mode {
        Some(Mode::Remote { .. }) => true,
        Some(Mode::Local) => false,
        None => before.str("gateway.mode") == Some("remote"),
    };
    if is_remote || !(plan.check || plan.install || plan.port.is_some()) {
        return Ok(None);
    }
    check_named(env, before, plan)?;
    let Some(who) = taken(env, before).filter(|_| env.port().or(plan.port).is_none()) else {
        return Ok(None);
    };
    let free = free(env, before);
    if before.is_set("gateway.port") {
        return Err(Error::usage(format!("{who}; choose another port: --gateway-port {free}")));
    }
    plan.port = Some(free);
    Ok(Some(format!("note: {who}; the gateway gets port {free}")))
}
