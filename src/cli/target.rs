//! Which gateway a command talks to, with which credentials, and how both are explained when it fails.
//!
//! Pure resolution over arguments, environment and config. One order for every credential: the option, then
//! the environment, then the config (`gateway.auth.*` for a local gateway, `gateway.remote.*` in remote
//! mode). `--url` names a gateway that is not the configured one, so it gets only what the command line
//! gives it (SEC-29). Values never appear in texts; their source does.
use super::parse::Args;
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
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
    pub url: String,
    pub host: String,
    pub port: u16,
    pub tls: bool,
    /// Who named the URL.
    pub source: String,
    /// The config file, for the error text.
    pub config: String,
    /// The bind mode of a local gateway.
    pub bind: Option<String>,
    pub token: Option<Secret>,
    pub password: Option<Secret>,
    /// Whether this is the configured gateway, to which stored device tokens belong.
    pub is_configured: bool,
    /// For the commands it advises.
    pub env: Env,
}

impl Target {
    pub fn resolve(env: &Env, config: &Config, args: &Args) -> Result<Target> {
        let config_file = env.display(&env.config_path);
        if let Some(url) = args.value("url") {
            return given(url, args, config_file, env);
        }
        Target::configured(env, config, args, config.str("gateway.mode") == Some("remote"))
    }

    /// The configured gateway of this host or the remote one, whatever `gateway.mode` and `--url` say.
    pub fn configured(env: &Env, config: &Config, args: &Args, is_remote: bool) -> Result<Target> {
        let config_file = env.display(&env.config_path);
        let (url, source, bind) = if is_remote { remote(config, &config_file)? } else { local(env, config) };
        let section = if is_remote { "gateway.remote" } else { "gateway.auth" };
        let secret = |name: &str| secret(env, config, args, name, section);
        let (tls, host, port) = split(&url)?;
        Ok(Target {
            token: secret("token"),
            password: secret("password"),
            source: source.to_string(),
            config: config_file,
            is_configured: true,
            url,
            host,
            port,
            tls,
            bind,
            env: env.clone(),
        })
    }

    /// Whether a shared secret is known.
    pub fn has_secret(&self) -> bool {
        self.token.is_some() || self.password.is_some()
    }

    /// `error` with the lines that say what was tried, for people in the text and for scripts in the details.
    pub fn explain(&self, error: Error, stored_device_token: bool) -> Error {
        let credential = self.credential(stored_device_token);
        let mut text = format!("{}\nGateway target: {}\nSource: {}", error.message(), self.url, self.source);
        text += &format!("\nConfig: {}", self.config);
        if let Some(bind) = &self.bind {
            text += &format!("\nBind: {bind}");
        }
        text += &format!("\nCredential: {credential}");
        if let Some(fix) = self.fix(&error) {
            text += &format!("\nFix: {fix}");
        }
        let mut explained = Error::new(error.kind, text);
        for (key, value) in error.details().into_iter().flatten() {
            explained = explained.with(key, value.clone());
        }
        if let Some(after) = error.retry_after() {
            explained = explained.retry_in(after);
        }
        explained
            .with("target", self.url.as_str())
            .with("source", self.source.as_str())
            .with("config", self.config.as_str())
            .with("credential", credential)
    }

    /// Where the credentials came from, in words.
    fn credential(&self, stored_device_token: bool) -> String {
        let part =
            |name: &str, secret: &Option<Secret>| Some(format!("{name} from {}", secret.as_ref()?.source));
        let device = stored_device_token.then(|| "device token from identity/device-auth.json".to_string());
        let parts = [part("token", &self.token), part("password", &self.password), device];
        let known: Vec<String> = parts.into_iter().flatten().collect();
        if known.is_empty() { "none".to_string() } else { known.join(", ") }
    }

    fn fix(&self, error: &Error) -> Option<String> {
        let key = if self.source.contains("remote") { "gateway.remote.token" } else { "gateway.auth.token" };
        match error.kind {
            Kind::Unreachable if self.bind.is_some() => Some(format!(
                "start the gateway with `{}`, or name another one with --url and --token",
                self.env.command("gateway")
            )),
            Kind::Unreachable => {
                Some("check the address, and that the gateway runs and its port is reachable".into())
            }
            Kind::Unauthorized => Some(match (&self.token, &self.password) {
                (None, None) => {
                    format!("pass --token, set OPENCLAW_GATEWAY_TOKEN, or set {key} in the config")
                }
                (Some(secret), _) | (None, Some(secret)) => {
                    format!(
                        "the gateway expects another secret than the one from {}; correct it there",
                        secret.source
                    )
                }
            }),
            Kind::NotPaired => error.details().and_then(|details| details.get("requestId")).and_then(|id| {
                let command = self.env.command(&format!("devices approve {}", id.as_str()?));
                Some(format!("on the gateway's host run `{command}`"))
            }),
            _ => None,
        }
    }
}

/// A target named by `--url`.
fn given(url: &str, args: &Args, config: String, env: &Env) -> Result<Target> {
    let flag = |name: &str| {
        let value = args.value(name)?.to_string();
        Some(Secret { value, source: format!("--{name}") })
    };
    let (token, password) = (flag("token"), flag("password"));
    if token.is_none() && password.is_none() {
        let text =
            "gateway url override requires explicit credentials\nFix: pass --token or --password\nConfig: ";
        return Err(Error::new(Kind::Unauthorized, format!("{text}{config}")));
    }
    let (tls, host, port) = split(url)?;
    let (url, source) = (url.to_string(), "cli --url".to_string());
    Ok(Target {
        url,
        host,
        port,
        tls,
        source,
        config,
        bind: None,
        token,
        password,
        is_configured: false,
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
    let scheme = if config.bool("gateway.tls.enabled") { "wss" } else { "ws" };
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
    (format!("{scheme}://{host}:{port}"), source, Some(bind))
}

/// The credential `name` (token or password) by the one order of sources.
fn secret(env: &Env, config: &Config, args: &Args, name: &str, section: &str) -> Option<Secret> {
    if let Some(value) = args.value(name).filter(|value| !value.is_empty()) {
        return Some(Secret { value: value.to_string(), source: format!("--{name}") });
    }
    let upper = name.to_uppercase();
    for variable in [format!("OPENCLAW_GATEWAY_{upper}"), format!("CLAWDBOT_GATEWAY_{upper}")] {
        if let Some(value) = env.var(&variable) {
            return Some(Secret {
                value: value.trim().to_string(),
                source: format!("environment {variable}"),
            });
        }
    }
    let key = format!("{section}.{name}");
    let value = config.str(&key).filter(|value| !value.trim().is_empty())?;
    Some(Secret { value: value.to_string(), source: format!("config {key}") })
}

/// Scheme (whether TLS), host and port of a WebSocket URL. Credentials inside of a URL are refused, because
/// they end up in histories and logs, and so is plain text over the open internet.
fn split(url: &str) -> Result<(bool, String, u16)> {
    let bad = |why: &str| Error::usage(format!("gateway url {why}: use ws://host:port or wss://host:port"));
    let (tls, rest) = match (url.strip_prefix("ws://"), url.strip_prefix("wss://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return Err(bad("has no ws:// or wss:// scheme")),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(bad("must not hold credentials (pass --token)"));
    }
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        Some(port) => port.parse().map_err(|_| bad("has a port that is no number"))?,
        None if tls => 443,
        None => 80,
    };
    if host.is_empty() {
        return Err(bad("has no host"));
    }
    if !tls && !is_private(host) {
        return Err(bad(
            "would send the credentials as plain text over the internet (use a tunnel: ssh -N -L 18789:127.0.0.1:18789 user@host, then ws://127.0.0.1:18789)",
        ));
    }
    Ok((tls, host.to_string(), port))
}

/// Whether plain text to `host` stays on this machine, the local network or a tailnet. Only parsed addresses
/// count, so `127.evil.com` or `0x7f.1` do not pass for loopback (SEC-29).
fn is_private(host: &str) -> bool {
    let name = host.to_ascii_lowercase();
    match host.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => {
            let shared = ip.octets().starts_with(&[100]) && (64..128).contains(&ip.octets()[1]);
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared
        }
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        // A name without a dot cannot be one of the public internet's.
        Err(_) => name.ends_with(".local") || name.ends_with(".ts.net") || is_plain_name(&name),
    }
}

fn is_plain_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
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
mod tests {
    use super::super::parse::{Request, parse};
    use super::*;
    use crate::config::testing::Dir;

    fn args(line: &str) -> Args {
        let line = format!("health {line}");
        match parse(line.split_whitespace().map(Into::into).collect()) {
            Ok(Request::Run { args, .. }) => args,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn resolve(config: &str, vars: &[(&str, &str)], line: &str) -> Result<Target> {
        let dir = Dir::new();
        dir.write("openclaw.json", config);
        let mut env = dir.env(vars);
        let config = Config::load(&mut env).unwrap();
        Target::resolve(&env, &config, &args(line))
    }

    /// R-05a: all 16 combinations of the sources, for a local gateway and in remote mode.
    #[test]
    fn a_credential_comes_from_the_first_source_that_has_one() {
        for combination in 0..16u8 {
            let has = |bit: u8| combination & (1 << bit) != 0;
            let line = if has(0) { "--token FLAG" } else { "" };
            let vars: &[(&str, &str)] = if has(1) { &[("OPENCLAW_GATEWAY_TOKEN", "ENV")] } else { &[] };
            let remote = if has(2) { ", token: 'REMOTE'" } else { "" };
            let auth = if has(3) { "auth: {token: 'AUTH'}, " } else { "" };
            for mode in ["local", "remote"] {
                let config = format!(
                    "{{gateway: {{mode: '{mode}', {auth}remote: {{url: 'ws://10.0.0.2:1'{remote}}}}}}}"
                );
                let token = resolve(&config, vars, line).unwrap().token;
                let want = match (has(0), has(1), mode, has(2), has(3)) {
                    (true, ..) => Some(("FLAG", "--token")),
                    (_, true, ..) => Some(("ENV", "environment OPENCLAW_GATEWAY_TOKEN")),
                    (_, _, "remote", true, _) => Some(("REMOTE", "config gateway.remote.token")),
                    (_, _, "local", _, true) => Some(("AUTH", "config gateway.auth.token")),
                    _ => None,
                };
                let got = token.as_ref().map(|secret| (secret.value.as_str(), secret.source.as_str()));
                assert_eq!(got, want, "{mode} {combination:04b}");
            }
        }
    }

    #[test]
    fn the_address_of_a_local_gateway() {
        let url = |config: &str, vars: &[(&str, &str)]| resolve(config, vars, "").unwrap().url;
        assert_eq!(url("{}", &[]), "ws://127.0.0.1:18789");
        assert_eq!(url("{gateway: {port: 5}}", &[]), "ws://127.0.0.1:5");
        assert_eq!(url("{gateway: {port: 5}}", &[("OPENCLAW_GATEWAY_PORT", "6")]), "ws://127.0.0.1:6");
        assert_eq!(url("{gateway: {bind: 'lan'}}", &[]), "ws://127.0.0.1:18789");
        assert_eq!(url("{gateway: {tls: {enabled: true}}}", &[]), "wss://127.0.0.1:18789");
    }

    /// SEC-29: an address from the command line gets nothing that was configured for another gateway.
    #[test]
    fn another_url_needs_its_own_credentials() {
        let config = "{gateway: {auth: {token: 'AUTH', password: 'P'}}}";
        let vars = [("OPENCLAW_GATEWAY_TOKEN", "ENV")];
        let refused = resolve(config, &vars, "--url ws://127.0.0.1:9").unwrap_err();
        assert!(refused.message().starts_with("gateway url override requires explicit credentials\nFix: "));
        let target = resolve(config, &vars, "--url ws://127.0.0.1:9 --token T").unwrap();
        assert_eq!((target.token.unwrap().value.as_str(), target.password.is_none()), ("T", true));
        assert!(!target.is_configured);
        assert!(
            resolve("{gateway: {mode: 'remote'}}", &[], "")
                .unwrap_err()
                .message()
                .contains("gateway.remote.url missing")
        );
    }

    /// SEC-29: plain text only to addresses that are parsed as near ones.
    #[test]
    fn urls_that_may_carry_credentials() {
        let fits = [
            "ws://127.0.0.1:1",
            "ws://[::1]:1",
            "ws://[::ffff:127.0.0.1]:1",
            "ws://localhost:1",
            "ws://192.168.1.4:1",
            "ws://100.100.1.2:1",
            "ws://box.tail.ts.net:1",
            "ws://pi.local",
            "wss://gw.example.com",
            "wss://gw.example.com:1/x",
        ];
        let refused = [
            "ws://127.evil.com:1",
            "ws://localhost.:1",
            "ws://0x7f.1:1",
            "ws://2130706433:1",
            "ws://8.8.8.8:1",
            "ws://100.128.0.1:1",
            "ws://u:p@127.0.0.1:1",
            "wss://127.0.0.1@evil.com",
            "http://127.0.0.1:1",
            "127.0.0.1:1",
            "ws://:1",
            "ws://127.0.0.1:x",
            "ws://127.0.0.1:99999",
            "ws://gw.example.com",
        ];
        fits.iter().for_each(|url| assert!(split(url).is_ok(), "{url}"));
        refused.iter().for_each(|url| assert!(split(url).is_err(), "{url}"));
    }

    #[test]
    fn an_explanation_names_sources_and_no_values() {
        let vars = [("OPENCLAW_GATEWAY_TOKEN", "secret-canary")];
        let target = resolve("{gateway: {auth: {password: 'secret-canary'}}}", &vars, "").unwrap();
        let error = target.explain(Error::new(Kind::Unauthorized, "unauthorized: x"), true);
        for part in [
            "unauthorized: x\nGateway target: ws://127.0.0.1:18789\nSource: local loopback\nConfig: ",
            "\nBind: loopback\n",
            "\nCredential: token from environment OPENCLAW_GATEWAY_TOKEN, password from config gateway.auth.password, device token",
            "\nFix: the gateway expects another secret than the one from environment OPENCLAW_GATEWAY_TOKEN",
        ] {
            assert!(error.message().contains(part), "{part}: {error}");
        }
        assert!(!format!("{error:?} {target:?}").contains("canary"));
    }
}
