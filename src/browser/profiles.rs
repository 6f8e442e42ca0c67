//! The profiles that the configuration describes: a browser's own directory and port each, or the address of one that runs
//! elsewhere. A port that was given to a profile stays its own: it is kept in the profile's directory.
use crate::config::ports::{self, Ports};
use crate::config::{Config, join};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use crate::parts::Parts;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};

/// The profile that is there without any configuration.
pub const USUAL: &str = "openclaw";
const COLORS: &[&str] = &[
    "#FF4500", "#0066CC", "#00AA00", "#9933FF", "#FF6699", "#00CCCC", "#FF9900", "#6666FF", "#CC3366",
    "#339966",
];
const MAX_NAME: usize = 64;

/// The port on which the gateway of this process listens; 0 in a process that is none.
static GATEWAY: AtomicU16 = AtomicU16::new(0);

pub fn set_gateway_port(port: u16) {
    GATEWAY.store(port, Ordering::Relaxed);
}

/// Ports that follow from the gateway's.
pub fn ports(config: &Config, env: &Env) -> Ports {
    let port = match GATEWAY.load(Ordering::Relaxed) {
        0 => ports::configured(env, config),
        port => port,
    };
    Ports::of(port, env, config)
}

#[derive(Debug, Clone)]
pub struct Profile {
    pub name: String,
    pub color: String,
    /// Where its debugger listens: a port of this machine, or an address that the configuration names.
    pub port: u16,
    pub remote: Option<String>,
    /// Everything of it lies there.
    pub dir: PathBuf,
}

impl Profile {
    pub fn cdp_url(&self) -> String {
        self.remote.clone().unwrap_or_else(|| format!("http://127.0.0.1:{}", self.port))
    }

    pub fn user_data(&self) -> PathBuf {
        self.dir.join("user-data")
    }

    fn port_file(&self) -> PathBuf {
        self.dir.join("cdp-port")
    }
}

/// Whether a text can be the name of a profile, which names a directory too.
pub fn is_name(name: &str) -> bool {
    let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.bytes().next().is_some_and(is_plain)
        && name.len() <= MAX_NAME
        && name.bytes().all(|c| is_plain(c) || c == b'-')
}

/// The profile that is meant when none is named.
pub fn usual(config: &Config) -> String {
    config.str("browser.defaultProfile").filter(|name| !name.is_empty()).unwrap_or(USUAL).to_string()
}

/// All of them, by name; none of their ports is another's.
pub fn all(config: &Config, env: &Env) -> Vec<Profile> {
    let written = config.get("browser.profiles").and_then(Value::as_object);
    let mut names: Vec<&str> = written.into_iter().flat_map(|all| all.keys()).map(String::as_str).collect();
    names.retain(|name| is_name(name) && config.str(&at(name, "driver")) != Some("extension"));
    if !names.contains(&USUAL) {
        names.insert(0, USUAL);
    }
    let mut profiles: Vec<Profile> =
        names.iter().enumerate().map(|(n, name)| described(config, env, name, n)).collect();
    allot(&mut profiles, &ports(config, env));
    profiles
}

/// The one of this name, the usual one for none.
pub fn find(config: &Config, env: &Env, name: Option<&str>) -> Result<Profile> {
    let name =
        name.map(str::trim).filter(|name| !name.is_empty()).map_or_else(|| usual(config), str::to_string);
    let mut all = all(config, env);
    match all.iter().position(|profile| profile.name == name) {
        Some(at) => Ok(all.swap_remove(at)),
        None => {
            let names: Vec<&str> = all.iter().map(|profile| profile.name.as_str()).collect();
            let text = format!("Profile {name:?} not found. Available profiles: {}", names.join(", "));
            Err(Error::not_found(text))
        }
    }
}

fn at(name: &str, member: &str) -> String {
    join(&join("browser.profiles", name), member)
}

fn described(config: &Config, env: &Env, name: &str, n: usize) -> Profile {
    let legacy = || config.str("browser.cdpUrl").filter(|_| name == USUAL);
    let remote = config.str(&at(name, "cdpUrl")).or_else(legacy).filter(|url| !url.trim().is_empty());
    let usual_color = || match name {
        USUAL => config.str("browser.color").map(str::to_string),
        _ => None,
    };
    let own = COLORS.get(n % COLORS.len()).copied().unwrap_or_default();
    let port = config.u64(&at(name, "cdpPort")).and_then(|port| u16::try_from(port).ok()).unwrap_or_default();
    Profile {
        name: name.to_string(),
        color: config
            .str(&at(name, "color"))
            .map(str::to_string)
            .or_else(usual_color)
            .unwrap_or_else(|| own.to_string()),
        port,
        remote: remote.map(str::to_string),
        dir: env.state_dir.join("browser").join(name),
    }
}

/// Ports for those that have none: the one that was theirs before, else the first that is nobody's.
fn allot(profiles: &mut [Profile], ports: &Ports) {
    let mut taken: Vec<u16> = profiles.iter().map(|p| p.port).filter(|port| *port > 0).collect();
    for profile in profiles.iter_mut().filter(|p| p.port == 0 && p.remote.is_none()) {
        let kept =
            files::read_text(&profile.port_file()).ok().and_then(|text| text.trim().parse::<u16>().ok());
        let is_free = |port: &u16| ports.cdp.contains(port) && !taken.contains(port);
        let port = kept.filter(is_free).or_else(|| ports.cdp.clone().find(|port| is_free(port)));
        profile.port = port.unwrap_or_default();
        taken.push(profile.port);
    }
    for profile in profiles.iter_mut().filter(|p| p.remote.is_some()) {
        profile.port = profile.remote.as_deref().and_then(port_of).unwrap_or_default();
    }
}

/// Keeps the port that a profile is started with.
pub fn keep_port(profile: &Profile) -> Result<()> {
    let file = profile.port_file();
    let text = profile.port.to_string();
    match files::read_text(&file).is_ok_and(|kept| kept == text) {
        true => Ok(()),
        false => files::write_atomic(&file, text.as_bytes()),
    }
}

fn port_of(url: &str) -> Option<u16> {
    let rest = url.split_once("://")?.1;
    let authority = rest.split(['/', '?']).next()?;
    let port = authority.rfind(':').map(|at| authority.tail(at + 1));
    port.and_then(|port| port.parse().ok()).or(Some(if url.starts_with("http:") || url.starts_with("ws:") {
        80
    } else {
        443
    }))
}
