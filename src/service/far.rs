//! Whether the gateway of this configuration is on another machine, whose files are not here. For commands and checks.
use super::act::unsupervised;
use crate::config::address::Url;
use crate::config::{Config, ports};
use crate::env::Env;
use crate::owners::Port;

/// The address of the gateway, if it is elsewhere: in remote mode, or behind a tunnel where there is neither a
/// configuration nor a gateway here, but a secret and somebody who listens.
pub fn address(env: &Env, config: &Config) -> Option<String> {
    if config.str("gateway.mode") == Some("remote") {
        return Some(Url::new(config.str("gateway.remote.url").unwrap_or("gateway.remote.url")).to_string());
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
