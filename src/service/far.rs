//! Whether the gateway of this configuration is on another machine, whose files are not here. For commands and checks.
use super::act::unsupervised;
use crate::config::address::Url;
use crate::config::{Config, ports};
use crate::env::Env;
use crate::owners::{self, Port};

const PORT: &str = "OPENCLAW_GATEWAY_PORT";
const SECRETS: [&str; 2] = ["OPENCLAW_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_PASSWORD"];

/// The address of the gateway, if it is elsewhere: in remote mode, or where the environment names another one than
/// this configuration's and somebody listens there.
pub fn address(env: &Env, config: &Config) -> Option<String> {
    if config.str("gateway.mode") == Some("remote") {
        let url = config.str("gateway.remote.url").filter(|url| !url.trim().is_empty());
        let unset = || "an address that gateway.remote.url does not name yet".to_string();
        return Some(url.map_or_else(unset, |url| Url::new(url).to_string()));
    }
    named(env, config)
}

/// The same whatever the mode: that of a gateway which the environment names.
pub fn named(env: &Env, config: &Config) -> Option<String> {
    let port = ports::configured(env, config);
    (is_named(env, config) && is_of_another(env, port)).then(|| format!("ws://127.0.0.1:{port}"))
}

/// The port that the environment names as another gateway's, where nobody listens: what was meant is not known.
pub fn silent(env: &Env, config: &Config) -> Option<u16> {
    let port = ports::configured(env, config);
    let is_meant = config.exists() && config.str("gateway.mode") != Some("remote") && is_named(env, config);
    (is_meant && env.is_given(PORT) && Port::inspect(port, &[]).is_busy == Some(false)).then_some(port)
}

/// Whether who calls has named a gateway: by a secret, or by a port that is not the configuration's.
fn is_named(env: &Env, config: &Config) -> bool {
    let shows = |name: &str| match config.exists() {
        true => env.is_given(name),
        false => env.var_or_legacy(name).is_some(),
    };
    SECRETS.iter().any(|name| shows(name)) || names_other_port(env, config)
}

/// Whether the environment names another port than this configuration's.
pub fn names_other_port(env: &Env, config: &Config) -> bool {
    let own = || config.u64("gateway.port").filter(|_| config.is_set("gateway.port"));
    let is_other = || env.port().map(u64::from) != Some(own().unwrap_or(env.default_port().into()));
    env.is_given(PORT) && is_other()
}

/// Whether somebody listens on the port who is not the gateway of this state directory. One that cannot be looked into,
/// as in a container, counts as that gateway.
fn is_of_another(env: &Env, port: u16) -> bool {
    let is_ours = unsupervised(env).is_some_and(|pid| {
        let own = owners::of_process(pid);
        own.is_empty() || own.iter().any(|address| address.port() == port)
    });
    !is_ours && Port::inspect(port, &[]).is_busy == Some(true)
}
