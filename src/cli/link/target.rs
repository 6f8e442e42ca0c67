//! Which gateway a command talks to, with which credentials and which certificate.
//!
//! Pure resolution over arguments, environment and config. One order for every credential: the option, then
//! the environment, then the config (`gateway.auth.*` for a local gateway, `gateway.remote.*` in remote
//! mode). `--url` names a gateway that is not the configured one, so it gets only what the command line
//! gives it, and what the command line gives it goes nowhere else (SEC-29). Values never appear in texts; their
//! source does.
use crate::cli::gateway::status::live;
use crate::cli::parse::Args;
use crate::config::Config;
use crate::config::address::{Url, split};
use crate::device::tokens::HERE;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::service::far;
use crate::settings::file;
use crate::tls::{Fingerprint, Place};
use std::net::{IpAddr, UdpSocket};

/// A credential and where it came from.
#[derive(Clone)]
pub struct Secret {
    pub value: String,
    pub source: String,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret(from {})", self.source)
    }
}

/// A gateway's address and the credentials for it.
#[derive(Debug, Clone)]
pub struct Target {
    pub url: Url,
    pub host: String,
    pub port: u16,
    pub tls: bool,
    /// The only certificate that is accepted.
    pub pin: Option<Fingerprint>,
    /// The only other one: the gateway of this host may be about to take up a new certificate.
    pub also: Option<Fingerprint>,
    /// Who named the URL.
    pub source: String,
    /// The config file, for the error text.
    pub config: String,
    /// The bind mode of a local gateway.
    pub bind: Option<String>,
    pub token: Option<Secret>,
    pub password: Option<Secret>,
    /// Which gateway this is to stored device tokens (SEC-29), if it is a configured one: that of this state directory,
    /// or the address and the pinned certificate of another.
    pub origin: Option<String>,
    /// Whether a stored device token that names no gateway may be for this one: the configured one, not one that the
    /// environment names instead.
    pub takes_unnamed: bool,
    /// For the commands it advises.
    pub env: Env,
}

impl Target {
    pub fn resolve(env: &Env, config: &Config, args: &Args) -> Result<Target> {
        let config_file = env.display(&env.config_path);
        if let Some(url) = args.value("url") {
            return given(url, args, config_file, env);
        }
        let is_remote = config.str("gateway.mode") == Some("remote");
        let target = Target::configured(env, config, args, is_remote)?;
        // A pin that is asked for never goes unheeded.
        pin(target.tls, args.value(PIN), "--tls-fingerprint")?;
        Ok(target)
    }

    /// The configured gateway of this host or the remote one, whatever `gateway.mode` and `--url` say.
    pub fn configured(env: &Env, config: &Config, args: &Args, is_remote: bool) -> Result<Target> {
        let config_file = env.display(&env.config_path);
        let (url, source, bind) = if is_remote { remote(config, &config_file)? } else { local(env, config) };
        let section = if is_remote { "gateway.remote" } else { "gateway.auth" };
        // Beside --url the options are for that other gateway.
        let none = Args::default();
        let args = if args.value("url").is_some() { &none } else { args };
        let secret = |name: &str| secret(env, config, args, name, section);
        let (tls, host, port) = split(&url)?;
        let url = Url::new(url);
        let mut also = None;
        let pin = match args.value(PIN) {
            Some(_) if !is_remote && !tls => None,
            None if is_remote => {
                pin(tls, config.str(PIN_KEY).filter(|text| !text.trim().is_empty()), PIN_KEY)?
            }
            None if tls => {
                let mut pins = Place::of(config, env).map(Place::pins).into_iter().flatten();
                let first = pins.next();
                also = pins.next();
                first
            }
            text => pin(tls, text, "--tls-fingerprint")?,
        };
        let named = if is_remote { Some(url.to_string()) } else { far::named(env, config) };
        Ok(Target {
            takes_unnamed: is_remote || named.is_none(),
            origin: Some(named.map_or(HERE.to_string(), |url| origin(&url, pin.as_ref()))),
            token: secret("token"),
            password: secret("password"),
            source: source.to_string(),
            config: config_file,
            url,
            host,
            port,
            tls,
            pin,
            also,
            bind,
            env: env.clone(),
        })
    }

    /// The gateway behind the local `port` of an SSH tunnel to `destination`. Configured credentials go there
    /// only if `is_known`: the destination is the configured one.
    pub fn tunnelled(
        env: &Env,
        config: &Config,
        args: &Args,
        destination: &str,
        port: u16,
        is_known: bool,
    ) -> Target {
        let secret = |name: &str| match is_known {
            true => secret(env, config, args, name, "gateway.remote"),
            false => from_flag(args, name),
        };
        // What the tunnel leads to is the gateway that the configuration means.
        let known = Target::configured(env, config, &Args::default(), true);
        let known = known.ok().and_then(|target| target.origin).unwrap_or(format!("ssh {destination}"));
        Target {
            origin: is_known.then_some(known),
            takes_unnamed: is_known,
            url: Url::new(format!("ws://127.0.0.1:{port}")),
            host: "127.0.0.1".into(),
            port,
            tls: false,
            pin: None,
            also: None,
            source: format!("ssh tunnel to {destination}"),
            config: env.display(&env.config_path),
            bind: None,
            token: secret("token"),
            password: secret("password"),
            env: env.clone(),
        }
    }

    /// Whether this is a configured gateway.
    pub fn is_configured(&self) -> bool {
        self.origin.is_some()
    }

    /// Whether a shared secret is known.
    pub fn has_secret(&self) -> bool {
        self.token.is_some() || self.password.is_some()
    }
}

/// The configuration for a call that changes nothing. While the file cannot be used but a gateway runs with an earlier
/// one, this is what is left of the file, and `env` names that gateway's port.
pub fn settings(env: &mut Env) -> Result<Config> {
    Config::load(env).or_else(|error| {
        let port = live(env).and_then(|live| live.port(env)).ok_or(error)?;
        env.add_missing([("OPENCLAW_GATEWAY_PORT".to_string(), port.to_string())]);
        Ok(Config::inspect(env))
    })
}

/// A gateway elsewhere: whoever comes by another address or another certificate is another one.
pub(super) fn origin(url: &str, pin: Option<&Fingerprint>) -> String {
    let url = url.trim_end_matches('/');
    pin.map_or(url.to_string(), |pin| format!("{url} {pin}"))
}

/// The option that pins a certificate, and the key that does.
pub(super) const PIN: &str = "tls-fingerprint";
const PIN_KEY: &str = "gateway.remote.tlsFingerprint";

pub(super) fn pin(tls: bool, text: Option<&str>, source: &str) -> Result<Option<Fingerprint>> {
    let Some(text) = text else { return Ok(None) };
    if !tls {
        return Err(Error::config(format!(
            "gateway tls fingerprint requires wss:// gateway url\nFix: use a wss:// address, or remove {source}"
        )));
    }
    Fingerprint::parse(text, source).map(Some)
}

/// A target named by `--url`.
pub fn given(url: &str, args: &Args, config: String, env: &Env) -> Result<Target> {
    let (tls, host, port) = split(url)?;
    let (token, password) = (from_flag(args, "token"), from_flag(args, "password"));
    if token.is_none() && password.is_none() {
        let text =
            "gateway url override requires explicit credentials\nFix: pass --token or --password\nConfig: ";
        return Err(Error::new(Kind::Unauthorized, format!("{text}{config}")));
    }
    let pin = pin(tls, args.value(PIN), "--tls-fingerprint")?;
    let (url, source) = (Url::new(url), "cli --url".to_string());
    Ok(Target {
        url,
        host,
        port,
        tls,
        pin,
        also: None,
        source,
        config,
        bind: None,
        token,
        password,
        origin: None,
        takes_unnamed: false,
        env: env.clone(),
    })
}

fn remote(config: &Config, file: &str) -> Result<(String, &'static str, Option<String>)> {
    match config.str("gateway.remote.url").filter(|url| !url.trim().is_empty()) {
        Some(url) => Ok((url.trim().to_string(), "config gateway.remote.url", None)),
        None => Err(Error::config(format!(
            "gateway remote mode misconfigured: gateway.remote.url missing\nConfig: {file}\n\
             Fix: set gateway.remote.url, or set gateway.mode=local"
        ))),
    }
}

fn local(env: &Env, config: &Config) -> (String, &'static str, Option<String>) {
    let bind = config.str("gateway.bind").unwrap_or("loopback").to_string();
    let port = config.u64("gateway.port").filter(|_| config.is_set("gateway.port"));
    let port = port.and_then(|port| u16::try_from(port).ok());
    let port = env.port().or(port).unwrap_or_else(|| env.default_port());
    let custom = || config.str("gateway.customBindHost").map(str::to_string).filter(|_| bind == "custom");
    // A gateway bound to every interface (lan, auto) listens on loopback too.
    let (host, source) = match (bind.as_str(), custom()) {
        ("tailnet", _) => match tailnet_address() {
            Some(ip) => (ip.to_string(), "local tailnet"),
            None => ("127.0.0.1".into(), "local loopback"),
        },
        (_, Some(host)) if host != "0.0.0.0" => (host, "local custom"),
        _ => ("127.0.0.1".into(), "local loopback"),
    };
    let scheme = scheme(config);
    (format!("{scheme}://{host}:{port}"), source, Some(bind))
}

/// What the gateway of this host speaks. Its certificate is pinned from its file.
pub fn scheme(config: &Config) -> &'static str {
    if config.bool("gateway.tls.enabled") { "wss" } else { "ws" }
}

fn from_flag(args: &Args, name: &str) -> Option<Secret> {
    let value = args.value(name).filter(|value| !value.is_empty())?.to_string();
    Some(Secret { value, source: format!("--{name}") })
}

/// The credential `name` (token or password) that an option or the environment holds.
pub(super) fn told(env: &Env, args: &Args, name: &str) -> Option<Secret> {
    let upper = name.to_ascii_uppercase();
    let variables = [format!("OPENCLAW_GATEWAY_{upper}"), format!("CLAWDBOT_GATEWAY_{upper}")];
    let of = |variable: &String| {
        let value = env.var(variable)?.trim().to_string();
        Some(Secret { value, source: env.place_of(variable) })
    };
    from_flag(args, name).or_else(|| variables.iter().find_map(of))
}

/// The same by the one order of sources.
fn secret(env: &Env, config: &Config, args: &Args, name: &str, section: &str) -> Option<Secret> {
    if let Some(secret) = told(env, args, name) {
        return Some(secret);
    }
    if section == "gateway.auth" && config.str(&file::key(name)).is_some() {
        // One that cannot be read is told by who judges the gateway; without it this is a stranger.
        let found = file::read(config, env, name).ok()??;
        return Some(Secret { value: found.text, source: format!("config {}", file::key(name)) });
    }
    let key = format!("{section}.{name}");
    let value = config.str(&key).filter(|value| !value.trim().is_empty())?;
    Some(Secret { value: value.to_string(), source: format!("config {key}") })
}

/// This machine's tailnet address: the one it would use towards the tailnet's own service address. Nothing is
/// sent for that.
pub fn tailnet_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    socket.connect(("100.100.100.100", 53)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    matches!(ip, IpAddr::V4(v4) if v4.octets()[0] == 100 && (64..128).contains(&v4.octets()[1])).then_some(ip)
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
