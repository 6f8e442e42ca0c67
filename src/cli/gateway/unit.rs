//! The gateway's service as the status commands see it: state in words, its environment, its neighbours.
//!
//! `service::inspect` looks; this file words it. "No supervisor" (nobody could start a service here now) and
//! "stopped" are told apart (R-15d).
use crate::env::Env;
use crate::error::Result;
use crate::json::json;
use crate::owners::hide_secrets;
use crate::service::{self, Inspection, Manager, Other, Place, inspect};
use serde_json::Value;

const PORT: &str = "OPENCLAW_GATEWAY_PORT";
/// Variables of a service that decide which gateway it is.
const SHOWN: [&str; 5] =
    ["OPENCLAW_PROFILE", "OPENCLAW_STATE_DIR", "OPENCLAW_CONFIG_PATH", PORT, "OPENCLAW_NIX_MODE"];
/// What a probe of the service's gateway takes from the environment of the command line.
const LENT: [&str; 4] = [
    "OPENCLAW_GATEWAY_TOKEN",
    "OPENCLAW_GATEWAY_PASSWORD",
    "CLAWDBOT_GATEWAY_TOKEN",
    "CLAWDBOT_GATEWAY_PASSWORD",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    Running,
    Stopped,
    /// The service manager does not answer or is not there.
    NoSupervisor,
}

pub struct Unit {
    pub seen: Inspection,
    pub others: Vec<Other>,
}

impl Unit {
    /// Looks at the service of `env`'s profile; `deep` finds neighbours among the machine's own services too. Where no
    /// service is installed the manager is not asked: it takes its time to say that it knows none.
    pub fn inspect(env: &Env, deep: bool) -> Result<Unit> {
        let place = Place::find(env, None)?;
        let seen = if place.path.exists() { inspect::look(env, &place) } else { inspect::nothing(&place) };
        Ok(Unit { seen, others: service::others(env, deep) })
    }

    /// The same for the service of a place that was chosen.
    pub fn at(env: &Env, place: &Place, deep: bool) -> Unit {
        Unit { seen: inspect::look(env, place), others: service::others(env, deep) }
    }

    pub fn runtime(&self) -> Runtime {
        match self.seen.running {
            Some(true) => Runtime::Running,
            Some(false) => Runtime::Stopped,
            None => Runtime::NoSupervisor,
        }
    }

    /// `running (pid 42, state active, sub running)`
    pub fn runtime_text(&self) -> String {
        let seen = &self.seen;
        let part = |name: &str, value: &str| (!value.is_empty()).then(|| format!("{name} {value}"));
        let number = |value: Option<i64>| value.map(|n| n.to_string()).unwrap_or_default();
        let parts = [
            part("pid", &number(seen.pid.map(i64::from))),
            part("state", &seen.state),
            part("sub", &seen.sub_state),
            part("last exit", &number(seen.exit_status)),
            part("ended by signal", &number(seen.exit_signal)),
            part("restarts", &number(seen.restarts)),
            seen.trouble.clone(),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let state = match (self.runtime(), seen.installed) {
            (Runtime::Running, _) => "running",
            (Runtime::Stopped, true) => "stopped",
            (Runtime::Stopped, false) => "not installed",
            (Runtime::NoSupervisor, _) => "no supervisor",
        };
        if parts.is_empty() { state.to_string() } else { format!("{state} ({})", parts.join(", ")) }
    }

    /// The port on the service's own command line, or in its environment.
    pub fn port(&self) -> Option<u16> {
        let named = || self.variable(PORT)?.parse().ok();
        inspect::port(&self.seen.command).or_else(named)
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.seen.environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The variables of the service that decide which gateway it is.
    pub fn shown_environment(&self) -> impl Iterator<Item = &(String, String)> {
        self.seen.environment.iter().filter(|(name, _)| SHOWN.contains(&name.as_str()))
    }

    /// The environment the service's gateway runs in, as far as its file tells, with the secrets of `env` for
    /// calling it. Without a service, or one whose file does not tell, `env` itself.
    pub fn environment_over(&self, env: &Env) -> Result<Env> {
        if !self.seen.installed || self.seen.environment.is_empty() {
            return Ok(env.clone());
        }
        let home = ("HOME".to_string(), env.home.display().to_string());
        let own = |name: &str| Some((name.to_string(), env.var(name)?.to_string()));
        let lent = LENT.iter().chain(&["PATH", "XDG_RUNTIME_DIR", "TMPDIR"]).filter_map(|name| own(name));
        // Of two values for one name the later counts.
        let vars = std::iter::once(home).chain(lent).chain(self.seen.environment.iter().cloned());
        let Some(port) = self.port() else { return Env::from_vars(vars, None) };
        // Its file names the port, nobody at the shell did.
        let mut own = Env::from_vars(vars.filter(|(name, _)| name != PORT), None)?;
        own.add_missing([(PORT.to_string(), port.to_string())]);
        Ok(own)
    }

    /// The command that shows what the service said.
    pub fn journal(&self, options: &str) -> Option<String> {
        let scope = match self.seen.manager {
            Manager::SystemdUser => "--user ",
            Manager::SystemdSystem => "",
            Manager::Launchd | Manager::OpenRc | Manager::Procd => return None,
        };
        Some(format!("journalctl {scope}-u {} {options}", self.seen.name))
    }

    pub fn to_json(&self) -> Value {
        let mut value = self.seen.to_json(true);
        if let Some(map) = value.as_object_mut() {
            if let Some(arguments) =
                map.get_mut("command").and_then(|command| command.get_mut("programArguments"))
            {
                *arguments = json!(hide_secrets(&self.seen.command));
            }
            map.insert("manager".into(), self.seen.manager.name().into());
            map.insert("name".into(), self.seen.name.as_str().into());
            map.insert("installed".into(), self.seen.installed.into());
            map.insert("supervised".into(), (self.runtime() != Runtime::NoSupervisor).into());
        }
        value
    }

    /// In few words, for `openclaw status`.
    pub fn summary(&self) -> String {
        let label = self.seen.manager.label();
        let (loaded, not_loaded) = self.seen.manager.loaded_texts();
        if !self.seen.installed {
            let reachable = if self.runtime() == Runtime::NoSupervisor { ", no supervisor" } else { "" };
            return format!("{label} not installed{reachable}");
        }
        let enabled = if self.seen.loaded { loaded } else { not_loaded };
        format!("{label} installed · {enabled} · {}", self.runtime_text())
    }
}

/// A neighbour as scripts get it.
pub fn other_json(other: &Other) -> Value {
    let platform = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    json!({
        "platform": platform, "label": other.name, "detail": format!("unit: {}", other.path.display()),
        "scope": other.scope, "marker": other.marker, "legacy": other.legacy,
    })
}

/// How to get rid of a neighbour.
pub fn cleanup(other: &Other) -> String {
    other.removal()
}
