//! The gateway, or the node host, as a service: which manager runs it, under which name, in which file; install, control, inspect.
//!
//! Five managers, one closed enum, no trait. Files are the truth where they can be, so that everything but the
//! starting works without a bus (R-15b). Runs on the command line's thread; the gateway itself uses only
//! `notify`. Nothing here holds or writes a secret (R-22a).
pub mod act;
mod advice;
pub mod command;
mod drift;
pub mod far;
pub mod inspect;
mod json;
mod legacy;
mod managers;
pub mod notify;
mod others;
mod people;
mod put;
mod runtime;
mod spec;
#[cfg(test)]
mod testing;

pub use inspect::{Inspection, inspect};
pub use legacy::{bring_back, retire, retire_to};
pub use others::{Other, others};

use crate::env::Env;
use crate::error::{Error, Result};
use managers::{launchd, openrc, procd, quote, systemd, template};
use spec::Spec;
use std::path::{Path, PathBuf};

/// Who keeps the gateway running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    SystemdUser,
    SystemdSystem,
    Launchd,
    OpenRc,
    Procd,
}

/// Their names on the command line and in `OPENCLAW_SERVICE_MANAGER`.
pub const MANAGERS: &[&str] = &["systemd-user", "systemd-system", "launchd", "openrc", "procd"];

impl Manager {
    pub fn named(name: &str) -> Option<Manager> {
        let all = [Self::SystemdUser, Self::SystemdSystem, Self::Launchd, Self::OpenRc, Self::Procd];
        MANAGERS.iter().position(|known| *known == name).and_then(|place| all.get(place).copied())
    }

    /// The manager's name on the command line.
    pub fn name(self) -> &'static str {
        MANAGERS.get(self as usize).copied().unwrap_or_default()
    }

    /// What scripts know its services as.
    pub fn label(self) -> &'static str {
        match self {
            Manager::SystemdUser | Manager::SystemdSystem => "systemd",
            Manager::Launchd => "LaunchAgent",
            Manager::OpenRc => "OpenRC",
            Manager::Procd => "procd",
        }
    }

    /// The two words for a service that will be started at the next login or boot, and one that will not.
    pub fn loaded_texts(self) -> (&'static str, &'static str) {
        match self {
            Manager::Launchd => ("loaded", "not loaded"),
            _ => ("enabled", "disabled"),
        }
    }

    /// Whether its services belong to the machine instead of a user.
    pub fn is_system(self) -> bool {
        !matches!(self, Manager::SystemdUser | Manager::Launchd)
    }
}

/// What runs as a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Gateway,
    Node,
}

impl Role {
    /// As people know it, the command that it is, and its name in service files.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Role::Gateway => ("Gateway", "gateway"),
            Role::Node => ("Node host", "node"),
        }
    }
}

/// Where one profile's service lives.
#[derive(Debug, Clone)]
pub struct Place {
    pub role: Role,
    pub manager: Manager,
    /// Unit with its `.service`, launchd label, or init script.
    pub name: String,
    pub path: PathBuf,
}

impl Place {
    /// The place for the gateway of `env`'s profile.
    pub fn of(env: &Env, manager: Manager) -> Result<Place> {
        Place::of_role(env, Role::Gateway, manager)
    }

    pub fn of_role(env: &Env, role: Role, manager: Manager) -> Result<Place> {
        let unit = systemd::unit(env, role);
        let (name, dir) = match manager {
            Manager::SystemdUser => (unit, env.home.join(".config/systemd/user")),
            Manager::SystemdSystem => (unit, under_root(env, "etc/systemd/system")),
            Manager::Launchd => (launchd::label(env, role), env.home.join("Library/LaunchAgents")),
            Manager::OpenRc | Manager::Procd => {
                (unit.trim_end_matches(".service").to_string(), under_root(env, "etc/init.d"))
            }
        };
        // It becomes a file's name and an argument.
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-.:@".contains(c);
        if !name.chars().all(fits) || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(Error::usage(format!(
                "invalid service name {name:?}: use letters, digits, '-', '_', '.', ':' and '@'"
            )));
        }
        let file = if manager == Manager::Launchd { format!("{name}.plist") } else { name.clone() };
        Ok(Place { role, manager, path: dir.join(file), name })
    }

    /// The place of the service that is installed, else the one where it would be: a system unit counts when
    /// there is no unit of the user's.
    pub fn find(env: &Env, manager: Option<Manager>) -> Result<Place> {
        Place::find_role(env, Role::Gateway, manager)
    }

    pub fn find_role(env: &Env, role: Role, manager: Option<Manager>) -> Result<Place> {
        let place = Place::of_role(env, role, manager.unwrap_or_else(|| detect(env, false)))?;
        let place = place.or_packaged(env);
        if manager.is_none() && place.manager == Manager::SystemdUser && !place.path.exists() {
            let system = Place::of_role(env, role, Manager::SystemdSystem)?.or_packaged(env);
            if system.path.exists() {
                return Ok(system);
            }
        }
        Ok(place)
    }

    /// Where a package has put the system's unit, unless there is one of the administrator's.
    fn or_packaged(self, env: &Env) -> Place {
        if self.manager != Manager::SystemdSystem || self.path.exists() {
            return self;
        }
        let path = under_root(env, "usr/lib/systemd/system").join(&self.name);
        if path.exists() { Place { path, ..self } } else { self }
    }

    /// The text of the service file.
    fn render(&self, spec: &Spec) -> Result<String> {
        match self.manager {
            Manager::SystemdUser | Manager::SystemdSystem if self.role == Role::Node => {
                systemd::render(template::SYSTEMD_NODE, self, spec)
            }
            Manager::SystemdUser => systemd::render(template::SYSTEMD_USER, self, spec),
            Manager::SystemdSystem => systemd::render(template::SYSTEMD_SYSTEM, self, spec),
            Manager::Launchd => launchd::render(self, spec),
            Manager::OpenRc => openrc::render(self, spec),
            Manager::Procd => procd::render(self, spec),
        }
    }

    /// What has to be run for it; see `act`.
    fn steps(&self, action: Action, is_loaded: bool) -> Vec<Step> {
        match self.manager {
            Manager::SystemdUser | Manager::SystemdSystem => systemd::steps(self, action),
            Manager::Launchd => launchd::steps(self, action, is_loaded),
            Manager::OpenRc => openrc::steps(self, action),
            Manager::Procd => procd::steps(self, action),
        }
    }
}

/// What a manager can be asked to do with a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The file is written: take note of it, start it now and at each boot.
    Enable,
    Start,
    Stop,
    Restart,
    /// Before the file goes.
    Disable,
    /// After the file went.
    Forget,
}

/// One program to run for an action.
#[derive(Debug)]
pub struct Step {
    pub line: Vec<String>,
    /// Whether its failure is the action's.
    pub must: bool,
}

fn must(line: &[&str]) -> Step {
    Step { line: line.iter().map(|word| word.to_string()).collect(), must: true }
}

fn may(line: &[&str]) -> Step {
    Step { must: false, ..must(line) }
}

/// The manager of this machine. `OPENCLAW_SERVICE_MANAGER` decides where it is set.
pub fn detect(env: &Env, system: bool) -> Manager {
    let systemd = if system { Manager::SystemdSystem } else { Manager::SystemdUser };
    let there = |path: &str| under_root(env, path).exists();
    if let Some(manager) = env.var("OPENCLAW_SERVICE_MANAGER").and_then(Manager::named) {
        return manager;
    }
    match () {
        () if cfg!(target_os = "macos") && !system => Manager::Launchd,
        () if there("run/systemd/system") => systemd,
        () if there("sbin/procd") && there("etc/rc.common") => Manager::Procd,
        () if there("sbin/openrc-run") => Manager::OpenRc,
        () => systemd,
    }
}

/// A system file, below the root of an image that is being built if `OPENCLAW_SERVICE_ROOT` names one.
fn under_root(env: &Env, path: &str) -> PathBuf {
    Path::new(env.var("OPENCLAW_SERVICE_ROOT").unwrap_or("/")).join(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(vars: &[(&str, &str)], profile: Option<&str>) -> Env {
        let home = [("HOME", "/h")];
        let vars = home.iter().chain(vars).map(|(k, v)| (k.to_string(), v.to_string()));
        Env::from_vars(vars, profile).unwrap()
    }

    #[test]
    fn r_26a_names_follow_the_profile() {
        let place = |manager, profile| {
            let place = Place::of(&env(&[], profile), manager).unwrap();
            format!("{} {}", place.name, place.path.display())
        };
        for (manager, profile, want) in [
            (
                Manager::SystemdUser,
                None,
                "openclaw-gateway.service /h/.config/systemd/user/openclaw-gateway.service",
            ),
            (
                Manager::SystemdUser,
                Some("rescue"),
                "openclaw-gateway-rescue.service /h/.config/systemd/user/openclaw-gateway-rescue.service",
            ),
            (
                Manager::SystemdSystem,
                None,
                "openclaw-gateway.service /etc/systemd/system/openclaw-gateway.service",
            ),
            (Manager::Launchd, None, "bot.molt.gateway /h/Library/LaunchAgents/bot.molt.gateway.plist"),
            (
                Manager::Launchd,
                Some("rescue"),
                "bot.molt.rescue /h/Library/LaunchAgents/bot.molt.rescue.plist",
            ),
            (Manager::OpenRc, Some("a"), "openclaw-gateway-a /etc/init.d/openclaw-gateway-a"),
            (Manager::Procd, None, "openclaw-gateway /etc/init.d/openclaw-gateway"),
        ] {
            assert_eq!(place(manager, profile), want);
        }
    }

    #[test]
    fn names_can_be_chosen_but_lead_nowhere_else() {
        let named = |name| Place::of(&env(&[("OPENCLAW_SYSTEMD_UNIT", name)], None), Manager::SystemdUser);
        assert_eq!(named("mine").unwrap().name, "mine.service");
        assert_eq!(named("mine.service").unwrap().name, "mine.service");
        for bad in ["../x", "-x", "a b", "a/b", "a\nb"] {
            assert!(named(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_variable_chooses_the_manager() {
        for name in MANAGERS {
            let found = detect(&env(&[("OPENCLAW_SERVICE_MANAGER", name)], None), false);
            assert_eq!(found.name(), *name);
        }
        let nowhere = [("OPENCLAW_SERVICE_ROOT", "/nowhere")];
        if cfg!(target_os = "linux") {
            assert_eq!(detect(&env(&nowhere, None), false), Manager::SystemdUser);
            assert_eq!(detect(&env(&nowhere, None), true), Manager::SystemdSystem);
        }
    }
}
