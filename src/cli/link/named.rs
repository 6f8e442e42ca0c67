//! A gateway that is named by host and port: a node host's. It gets the secrets that are given for it, and those of the
//! configuration only where that means the same gateway (SEC-29). Pure.
use super::target::{PIN, Target, origin, pin, told};
use crate::cli::parse::Args;
use crate::config::Config;
use crate::config::address::Url;
use crate::env::Env;
use crate::error::Result;

/// A gateway's place, as `node.json` holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub host: String,
    pub port: u16,
    pub tls: bool,
    pub pin: Option<String>,
}

impl Target {
    /// The gateway at this place, which is known from before if it is `kept`.
    pub fn named(env: &Env, config: &Config, args: &Args, named: &Named, is_kept: bool) -> Result<Target> {
        let known = [true, false].into_iter().filter_map(|is_remote| {
            let target = Target::configured(env, config, args, is_remote).ok()?;
            let is_same = (target.host.as_str(), target.port, target.tls)
                == (named.host.as_str(), named.port, named.tls);
            let is_meant = !is_remote || config.str("gateway.remote.url").is_some();
            (is_same && is_meant).then_some(target)
        });
        let wanted = pin(named.tls, args.value(PIN).or(named.pin.as_deref()), "--tls-fingerprint")?;
        if let Some(target) = known.into_iter().next() {
            let pin = wanted.or(target.pin.clone());
            return Ok(Target { pin, ..target });
        }
        let (host, port) = (named.host.as_str(), named.port);
        let shown = if host.contains(':') { format!("[{host}]") } else { host.to_string() };
        let url = format!("{}://{shown}:{port}", if named.tls { "wss" } else { "ws" });
        // Neither `gateway.auth` nor `gateway.remote` is this one's.
        Ok(Target {
            origin: Some(origin(&url, wanted.as_ref())),
            takes_unnamed: is_kept,
            token: told(env, args, "token"),
            password: told(env, args, "password"),
            source: if is_kept { "remote, node.json" } else { "remote, cli --host" }.to_string(),
            config: env.display(&env.config_path),
            url: Url::new(url),
            host: host.to_string(),
            port,
            tls: named.tls,
            pin: wanted,
            also: None,
            bind: None,
            env: env.clone(),
        })
    }
}
