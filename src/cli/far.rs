//! Whether the gateway that a command means is on another machine, whose files are not here.
//!
//! Commands that read or write this machine's files would show or change what no gateway uses: they ask the gateway
//! where it has a method for that, and refuse where it has none.
use super::Context;
use crate::config::Config;
use crate::config::ports;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::owners::Port;
use crate::service::act::unsupervised;

/// The address of the gateway, if it is elsewhere: in remote mode, or behind a tunnel where there is neither a
/// configuration nor a gateway here, but a secret and somebody who listens.
pub fn address(env: &Env, config: &Config) -> Option<String> {
    if config.str("gateway.mode") == Some("remote") {
        return Some(config.str("gateway.remote.url").unwrap_or("gateway.remote.url").to_string());
    }
    let has_secret = || {
        ["TOKEN", "PASSWORD"]
            .iter()
            .any(|name| env.var_or_legacy(&format!("OPENCLAW_GATEWAY_{name}")).is_some())
    };
    if config.exists() || !has_secret() || unsupervised(env).is_some() {
        return None;
    }
    let port = ports::configured(env, config);
    (Port::inspect(port, &[]).is_busy == Some(true)).then(|| format!("ws://127.0.0.1:{port}"))
}

/// Refuses what only the gateway's own machine can do; `instead` is the method that does the like from here.
pub fn refuse(context: &Context, config: &Config, instead: Option<&str>) -> Result<()> {
    let env = &context.env;
    let Some(address) = address(env, config) else { return Ok(()) };
    let call = instead.map(|method| env.command(&format!("gateway call {method}")));
    let call = call.map_or(String::new(), |call| format!(", or use its method: `{call}`"));
    Err(Error::invalid(format!(
        "the gateway is elsewhere ({address}), and nothing was changed here\nFix: run it there, on the gateway's host{call}"
    )))
}
