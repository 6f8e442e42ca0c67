//! Ports: the one a named profile listens on, those derived from it, and clashes between the profiles of a home.
//!
//! For the start and for commands, on their own thread: arithmetic, and small files of the state directories. A
//! profile's port is a slot of 120 ports between 19120 and 32679, chosen by the profile's name alone, so that it is
//! the same on every machine; everything that is derived from the port lies within the slot (R-26a).
use crate::config::{Config, canvas};
use crate::env::Env;
use crate::env::{FIRST_SLOT, SLOT, SLOTS};
use crate::error::Result;
use crate::files;
use crate::json::{self, json};
use serde_json::Value;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Largest `ports.json` that is read, bytes.
const MAX_FILE: u64 = 4096;

const GATEWAY: &str = "gateway port";
const CANVAS: &str = "canvas port";

/// The ports of one gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// WebSocket and HTTP; the others are derived from it.
    pub gateway: u16,
    /// Loopback only.
    pub browser_control: u16,
    pub canvas: u16,
    /// Where debugging ports of browser profiles are taken from.
    pub cdp: RangeInclusive<u16>,
}

impl Ports {
    /// What follows from the port of a gateway.
    pub fn of(gateway: u16, env: &Env, config: &Config) -> Ports {
        let control = gateway.saturating_add(2);
        let written = || config.u64("canvasHost.port").and_then(|port| u16::try_from(port).ok());
        let named = env.var("OPENCLAW_CANVAS_HOST_PORT").and_then(|port| port.trim().parse().ok());
        Ports {
            gateway,
            browser_control: control,
            canvas: named.or_else(written).unwrap_or(gateway.saturating_add(4)),
            cdp: control.saturating_add(9)..=control.saturating_add(108),
        }
    }

    /// Those that follow from the gateway's, for people.
    pub fn derived(&self) -> String {
        format!("browser control {}, canvas {}", self.browser_control, self.canvas)
    }

    /// The same for scripts.
    pub fn derived_json(&self) -> Value {
        json!({"browserControl": self.browser_control, "canvas": self.canvas})
    }

    /// Each single port with its name.
    fn singles(&self) -> [(u16, &'static str); 3] {
        [(self.gateway, GATEWAY), (self.browser_control, "browser control port"), (self.canvas, CANVAS)]
    }

    /// What `port` is for this gateway.
    fn purpose(&self, port: u16) -> Option<&'static str> {
        let single = self.singles().into_iter().find(|(own, _)| *own == port).map(|(_, name)| name);
        single.or_else(|| self.cdp.contains(&port).then_some("browser debugging range"))
    }
}

/// The port a gateway of this environment listens on: the variable, else the config, else the profile's own.
pub fn configured(env: &Env, config: &Config) -> u16 {
    let written = || config.u64("gateway.port").filter(|_| config.is_set("gateway.port"));
    env.port()
        .or_else(|| written().and_then(|port| u16::try_from(port).ok()))
        .unwrap_or_else(|| env.default_port())
}

/// Two gateways of this user that cannot run at the same time, or not with all their parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    pub port: u16,
    /// What the port is here.
    pub own: &'static str,
    /// The other profile's name, `default` for the one without.
    pub profile: String,
    /// What the port is there.
    pub theirs: &'static str,
}

impl fmt::Display for Collision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Collision { port, own, profile, theirs } = self;
        let setting = if *own == CANVAS { "canvasHost.port" } else { "gateway.port" };
        write!(f, "port {port} ({own}) is the {theirs} of profile {profile} too; set another {setting}")
    }
}

/// What the configured gateway of `env` has in common with those of the other profiles: of the ports that follow from
/// their own only the canvas's, if there is one here, as nothing of this version listens at the others.
pub fn port_collisions(env: &Env, config: &Config) -> Vec<Collision> {
    let mut found = collisions(env, &Ports::of(configured(env, config), env, config));
    let is_open = |port: &str| port == GATEWAY || (port == CANVAS && canvas::is_on(config, env));
    found.retain(|one| is_open(one.own) && is_open(one.theirs));
    found
}

/// The same for given ports and with those that follow, so that new profiles leave room for them.
pub fn collisions(env: &Env, own: &Ports) -> Vec<Collision> {
    let mut found = Vec::new();
    // Only the canvas port can be chosen so that it is one of this gateway's own.
    if let Some(theirs) = (Ports { canvas: 0, ..own.clone() }).purpose(own.canvas) {
        let profile = env.profile.clone().unwrap_or_else(|| "default".to_string());
        found.push(Collision { port: own.canvas, own: CANVAS, profile, theirs });
    }
    for (profile, other) in siblings(env) {
        let ours = own.singles().into_iter().map(|(port, name)| (port, name, other.purpose(port)));
        let theirs = other.singles().into_iter().map(|(port, name)| (port, own.purpose(port), name));
        let ours = ours.filter_map(|(port, own, theirs)| Some((port, own, theirs?)));
        let theirs = theirs.filter_map(|(port, own, theirs)| Some((port, own?, theirs)));
        for (port, own, theirs) in ours.chain(theirs) {
            let one = Collision { port, own, profile: profile.clone(), theirs };
            if !found.contains(&one) {
                found.push(one);
            }
        }
    }
    found
}

/// A port for a new profile: its own, or the next slot that no other profile of this home has and nobody else either.
pub fn free_slot(env: &Env, config: &Config, is_taken: &dyn Fn(u16) -> bool) -> u16 {
    let own = env.default_port();
    let slots = (0..SLOTS).map(|n| FIRST_SLOT + ((own.saturating_sub(FIRST_SLOT)) / SLOT + n) % SLOTS * SLOT);
    std::iter::once(own)
        .chain(slots)
        .find(|port| collisions(env, &Ports::of(*port, env, config)).is_empty() && !is_taken(*port))
        .unwrap_or(own)
}

/// Writes down which ports this start has, for the other profiles and for `doctor`. The debugging range stays what
/// it was chosen to be, whatever port a later start has.
pub fn remember(env: &Env, ports: &Ports) -> Result<()> {
    let path = file(&env.state_dir);
    let old = read(&env.state_dir);
    let cdp = old.as_ref().map_or(&ports.cdp, |old| &old.cdp);
    let is_free = ports.singles().iter().all(|(port, _)| !cdp.contains(port));
    let kept = Ports { cdp: if is_free { cdp.clone() } else { ports.cdp.clone() }, ..ports.clone() };
    if old.as_ref() == Some(&kept) {
        return Ok(());
    }
    let text = json!({
        "gateway": kept.gateway, "browserControl": kept.browser_control, "canvas": kept.canvas,
        "cdp": {"first": kept.cdp.start(), "last": kept.cdp.end()},
    });
    files::write_atomic(&path, format!("{text:#}\n").as_bytes())
}

fn file(state_dir: &Path) -> PathBuf {
    state_dir.join("gateway").join("ports.json")
}

/// The ports of the last start on a state directory.
pub fn read(state_dir: &Path) -> Option<Ports> {
    let bytes = files::read_start(&file(state_dir), MAX_FILE)?;
    // Four ports and a range.
    let value = json::read(&bytes, 50, 4).ok()?;
    let port = |pointer: &str| value.pointer(pointer)?.as_u64().and_then(|port| u16::try_from(port).ok());
    Some(Ports {
        gateway: port("/gateway")?,
        browser_control: port("/browserControl")?,
        canvas: port("/canvas")?,
        cdp: port("/cdp/first")?..=port("/cdp/last")?,
    })
}

/// The other profiles of this home that have gateways, with their ports.
fn siblings(env: &Env) -> Vec<(String, Ports)> {
    let ports_of = |(profile, other, config): (String, Env, Config)| {
        let ports = match read(&other.state_dir) {
            // Started with --port, or with the variable: that is where it is next time too.
            Some(last) if !config.is_set("gateway.port") => last,
            _ => Ports::of(configured(&other, &config), &other, &config),
        };
        (profile, ports)
    };
    profiles(env).into_iter().map(ports_of).collect()
}

/// The other profiles that have a config for a gateway in this home, by name.
pub fn profiles(env: &Env) -> Vec<(String, Env, Config)> {
    let with_config = |(profile, mut other): (String, Env)| {
        let config = Config::inspect(&mut other);
        (config.exists() && config.str("gateway.mode") != Some("remote")).then_some((profile, other, config))
    };
    homes(env).into_iter().filter_map(with_config).collect()
}

/// The other profiles that have a state directory in this home, by name.
pub fn homes(env: &Env) -> Vec<(String, Env)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&env.home).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix(".openclaw") else { continue };
        let profile = if rest.is_empty() { Some("default") } else { rest.strip_prefix('-') };
        let Some(profile) = profile.filter(|_| env.home.join(&name) != env.state_dir) else { continue };
        let vars = [("HOME".to_string(), env.home.to_string_lossy().into_owned())];
        let Ok(other) = Env::from_vars(vars, Some(profile)) else { continue };
        if other.state_dir.is_dir() {
            found.push((profile.to_string(), other));
        }
    }
    crate::order::by(&mut found, |a, b| a.0.cmp(&b.0));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::port_of_profile;
    use crate::sessions::TestDir;

    fn env(home: &Path, profile: &str) -> Env {
        Env::from_vars([("HOME".to_string(), home.display().to_string())], Some(profile)).unwrap()
    }

    fn ports(port: u16) -> Ports {
        Ports::of(port, &Env::default(), &Config::empty())
    }

    fn configure(home: &Path, profile: &str, text: &str) -> Env {
        let env = env(home, profile);
        std::fs::create_dir_all(&env.state_dir).unwrap();
        std::fs::write(&env.config_path, text).unwrap();
        env
    }

    #[test]
    fn r_26a_a_profile_s_port_never_changes_and_its_derived_ports_stay_in_its_slot() {
        assert_eq!(port_of_profile("work"), 27040);
        for name in ["work", "rescue", "a", "main", "x".repeat(64).as_str()] {
            let ports = ports(port_of_profile(name));
            assert!(
                (FIRST_SLOT..32_768).contains(&ports.gateway)
                    && (ports.gateway - FIRST_SLOT).is_multiple_of(SLOT),
                "{name}"
            );
            assert!(*ports.cdp.end() < ports.gateway + SLOT && *ports.cdp.end() < 32_768, "{name}");
        }
        assert!(*ports(crate::env::DEV_PORT).cdp.end() < FIRST_SLOT, "dev ends before the first slot");
    }

    #[test]
    fn derived_ports_are_those_of_the_runbook() {
        let dev = ports(19001);
        assert_eq!((dev.browser_control, dev.canvas), (19003, 19005));
        assert_eq!(dev.cdp, 19012..=19111);
        let vars = [("HOME".to_string(), "/h".to_string()), ("OPENCLAW_CANVAS_HOST_PORT".into(), "7".into())];
        let env = Env::from_vars(vars, None).unwrap();
        assert_eq!(Ports::of(19001, &env, &Config::empty()).canvas, 7);
    }

    #[test]
    fn clashes_between_profiles_are_found_on_both_sides() {
        let home = TestDir::new();
        let a = configure(&home.0, "a", "{gateway: {port: 20000}}");
        let b = configure(&home.0, "b", "{gateway: {port: 20002}}");
        let with_derived = |env: &Env| {
            let config = Config::inspect(&mut env.clone());
            collisions(env, &Ports::of(configured(env, &config), env, &config))
        };
        let of = with_derived;
        let shown: Vec<String> = of(&a).iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "port 20002 (browser control port) is the gateway port of profile b too; set another gateway.port",
                "port 20004 (canvas port) is the browser control port of profile b too; set another canvasHost.port",
            ]
        );
        assert_eq!(of(&b).len(), 2);
        // N-43: no warning for a browser that is not here.
        let warned = |env: &Env| port_collisions(env, &Config::inspect(&mut env.clone()));
        assert_eq!(warned(&a), []);
        configure(&home.0, "b", "{gateway: {port: 20000}}");
        assert_eq!(warned(&a).len(), 2, "and the canvas's ports");
        configure(&home.0, "b", "{gateway: {port: 20004}}");
        assert_eq!(warned(&a).iter().map(|c| (c.own, c.theirs)).collect::<Vec<_>>(), [(CANVAS, GATEWAY)]);
        // The runbook's own example: neighbours, whose debugging ranges overlap and do no harm.
        configure(&home.0, "b", "{gateway: {port: 20001}}");
        assert_eq!(of(&a), []);
        configure(&home.0, "b", "{gateway: {port: 20100}}");
        assert_eq!(of(&a).first().map(|c| c.own), Some("browser debugging range"));
        for (port, theirs) in
            [(25000, "gateway port"), (25002, "browser control port"), (25050, "browser debugging range")]
        {
            let own = configure(
                &home.0,
                "own",
                &format!("{{gateway: {{port: 25000}}, canvasHost: {{port: {port}}}}}"),
            );
            let told = of(&own);
            assert_eq!(
                (told.len(), told[0].theirs, told[0].profile.as_str()),
                (1, theirs, "own"),
                "{told:?}"
            );
        }
    }

    #[test]
    fn a_port_given_at_the_start_is_remembered_and_the_debugging_range_stays() {
        let home = TestDir::new();
        let (a, b) = (configure(&home.0, "a", "{}"), env(&home.0, "b"));
        remember(&a, &ports(20000)).unwrap();
        remember(&a, &ports(21000)).unwrap();
        assert_eq!(read(&a.state_dir), Some(Ports { cdp: 20011..=20110, ..ports(21000) }));
        assert_eq!(collisions(&b, &ports(21000)).len(), 3);
        assert_eq!(collisions(&b, &ports(22000)), []);
        remember(&a, &ports(20005)).unwrap();
        remember(&a, &ports(20010)).unwrap();
        assert_eq!(read(&a.state_dir).unwrap().cdp, 20021..=20120, "never the gateway's own port");
    }

    #[test]
    fn a_new_profile_avoids_the_slots_of_the_others() {
        let home = TestDir::new();
        let new = env(&home.0, "work");
        let free = |is_taken: &dyn Fn(u16) -> bool| free_slot(&new, &Config::empty(), is_taken);
        let nobody = |_| false;
        assert_eq!(free(&nobody), port_of_profile("work"));
        // N-8: nor those of strangers.
        assert_eq!(free(&|port| port == port_of_profile("work")), port_of_profile("work") + SLOT);
        configure(&home.0, "other", &format!("{{gateway: {{port: {}}}}}", port_of_profile("work")));
        assert_eq!(free(&nobody), port_of_profile("work") + SLOT);
    }
}
