//! What a service runs: program, arguments, environment, user, and the places it may write.
//!
//! Pure but for looking where the program lies and which workspaces the config names. No secret gets in here:
//! the environment is made from a closed list of names, never copied (R-22a).
use super::{Manager, Place, Role, people, quote};
use crate::agents::Agents;
use crate::config::Config;
use crate::config::ports;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::settings::Auth;
use std::path::{Path, PathBuf};

/// Everything a service file says that differs between two installations.
#[derive(Debug, Clone)]
pub struct Spec {
    pub description: String,
    /// Absolute path of a name that outlives an upgrade.
    pub program: String,
    pub arguments: Vec<String>,
    pub directory: String,
    pub environment: Vec<(String, String)>,
    /// For services of the machine.
    pub user: String,
    /// Directories it writes below.
    pub writable: Vec<String>,
    /// Where launchd puts what it says.
    pub logs: String,
}

/// What the command line chooses.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    pub port: Option<u16>,
    /// Of a system service; else who called `sudo`, else the caller.
    pub user: Option<String>,
}

impl Spec {
    /// `version` is put in for the program's own, so that an upgrade alone is no difference.
    pub fn of(env: &Env, place: &Place, wishes: &Wishes, version: &str) -> Result<Spec> {
        let (env, user) = whose(env, place.manager, wishes)?;
        let (name, word) = place.role.words();
        let mut arguments = vec![word.to_string()];
        // Without the flag the port is the config's, which may change while the gateway runs.
        match wishes.port {
            _ if place.role == Role::Node => arguments.push("run".to_string()),
            Some(port) => arguments.extend(["--port".to_string(), port.to_string()]),
            None => {}
        }
        let profile = env.profile.as_ref().map_or(String::new(), |name| format!("profile: {name}, "));
        Ok(Spec {
            description: format!("OpenClaw {name} ({profile}v{version})"),
            program: text(&program(&env)?)?,
            arguments,
            directory: text(&env.home)?,
            environment: environment(&env, place, version)?,
            user: user.name,
            writable: writable(&env)?,
            logs: text(&env.state_dir.join("logs"))?,
        })
    }

    /// The environment as the gateway will see it: what only this shell has is not there.
    fn seen(&self, profile: Option<&str>) -> Result<Env> {
        Env::from_vars(self.environment.iter().cloned(), profile)
    }

    /// What would keep the gateway from starting under this service, each with its fix. An error is a configuration
    /// that no gateway could read.
    pub fn doubts(&self, env: &Env) -> Result<Vec<String>> {
        let mut doubts = Vec::new();
        let is_own = self.user == people::own(env).name;
        let sudo = if is_own { String::new() } else { format!("sudo -u {} ", quote::shown(&self.user)) };
        let command = |words: &str| format!("{sudo}{}", env.command(words));
        let mut seen = self.seen(env.profile.as_deref())?;
        let config = Config::load(&mut seen)?;
        let auth = Auth::resolve(&config, &seen, None, None, None)?;
        let port = ports::configured(&seen, &config);
        if let Some(own) = super::inspect::port(&self.arguments).filter(|own| *own != port) {
            let set = command(&format!("config set gateway.port {own}"));
            doubts.push(format!("clients look for this gateway on port {port}; tell them of {own}: {set}"));
        }
        if config.str("gateway.mode") != Some("local") {
            let is_remote = config.str("gateway.mode") == Some("remote");
            let fix = command(if is_remote { "config set gateway.mode local" } else { "setup" });
            doubts.push(format!("gateway.mode is not \"local\"; run: {fix}"));
        } else if auth.secret.is_none() && !auth.allow_tailscale {
            doubts.push(format!(
                "the service has no gateway {}: what only this shell knows does not reach it; run: {}",
                auth.mode.name(),
                command(if is_own {
                    "gateway install --force --token <token>"
                } else {
                    "doctor --generate-gateway-token"
                }),
            ));
        }
        Ok(doubts)
    }
}

/// The user of the service, and the environment as that user has it.
fn whose(env: &Env, manager: Manager, wishes: &Wishes) -> Result<(Env, people::Person)> {
    let own = people::own(env);
    if !manager.is_system() {
        return match &wishes.user {
            Some(_) => Err(Error::usage("--user is for system services; add --system")),
            None => Ok((env.clone(), own)),
        };
    }
    let person = match &wishes.user {
        Some(name) => people::named(name)
            .ok_or_else(|| Error::new(Kind::Usage, format!("no user {name:?} in /etc/passwd")))?,
        None => people::behind_sudo(env).unwrap_or_else(|| own.clone()),
    };
    if person.uid == own.uid {
        return Ok((env.clone(), person));
    }
    let kept = ["OPENCLAW_STATE_DIR", "OPENCLAW_CONFIG_PATH", "PATH", "OPENCLAW_SERVICE_ROOT"];
    let kept = kept.iter().filter_map(|name| Some((name.to_string(), env.var(name)?.to_string())));
    let home = [("HOME".to_string(), person.home.clone())];
    Ok((Env::from_vars(home.into_iter().chain(kept), env.profile.as_deref())?, person))
}

fn environment(env: &Env, place: &Place, version: &str) -> Result<Vec<(String, String)>> {
    let mut vars = vec![("HOME", text(&env.home)?), ("PATH", path(&env.home))];
    vars.extend(env.profile.clone().map(|profile| ("OPENCLAW_PROFILE", profile)));
    if env.var_or_legacy("OPENCLAW_STATE_DIR").is_some() {
        vars.push(("OPENCLAW_STATE_DIR", text(&env.state_dir)?));
    }
    if env.var_or_legacy("OPENCLAW_CONFIG_PATH").is_some() {
        vars.push(("OPENCLAW_CONFIG_PATH", text(&env.config_path)?));
    }
    match place.manager {
        _ if place.role == Role::Node => {}
        Manager::SystemdUser | Manager::SystemdSystem => {
            vars.push(("OPENCLAW_SYSTEMD_UNIT", place.name.clone()));
        }
        Manager::Launchd => vars.push(("OPENCLAW_LAUNCHD_LABEL", place.name.clone())),
        Manager::OpenRc | Manager::Procd => {}
    }
    vars.push(("OPENCLAW_SERVICE_MARKER", "openclaw".to_string()));
    vars.push(("OPENCLAW_SERVICE_KIND", place.role.words().1.to_string()));
    vars.push(("OPENCLAW_SERVICE_VERSION", version.to_string()));
    Ok(vars.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
}

/// A short PATH that is the same whoever installs.
fn path(home: &Path) -> String {
    let system = match cfg!(target_os = "macos") {
        true => "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        false => "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    };
    match home.to_str().filter(|home| !home.contains(':')) {
        Some(home) => format!("{home}/.local/bin:{home}/bin:{system}"),
        None => system.to_string(),
    }
}

fn writable(env: &Env) -> Result<Vec<String>> {
    let config = Config::inspect(&mut env.clone());
    let agents = Agents::of(&config, env);
    let mut dirs = vec![env.state_dir.clone(), env.home.join(".openclaw")];
    dirs.extend(env.config_path.parent().map(Path::to_path_buf));
    dirs.extend(agents.ids().iter().map(|id| agents.workspace(id)));
    dirs.extend(
        config
            .str("logging.file")
            .filter(|f| *f != "off")
            .and_then(|file| env.expand(file).parent().map(Path::to_path_buf)),
    );
    crate::order::sort(&mut dirs);
    // Sorted, so what is below another comes after it.
    let mut outer: Vec<PathBuf> = Vec::new();
    for dir in dirs.into_iter().filter(|dir| dir.is_absolute()) {
        if !outer.iter().any(|known| dir.starts_with(known)) {
            outer.push(dir);
        }
    }
    outer.iter().map(|dir| text(dir)).collect()
}

/// The program under a name that an upgrade keeps (R-15c): the one on PATH if it leads here, else the one it was
/// called by, else the file itself.
fn program(env: &Env) -> Result<PathBuf> {
    let here = std::env::current_exe().map_err(|e| Error::io("find the path of this program", e))?;
    let real = std::fs::canonicalize(&here).unwrap_or_else(|_| here.clone());
    let leads_here =
        |path: &PathBuf| path.is_absolute() && std::fs::canonicalize(path).ok() == Some(real.clone());
    let on_path = env.var("PATH").unwrap_or_default().split(':').map(|dir| Path::new(dir).join("openclaw"));
    let called = std::env::args_os().next().map(PathBuf::from).filter(|path| path.components().count() > 1);
    let called = called.and_then(|path| std::path::absolute(path).ok());
    Ok(on_path.chain(called).find(leads_here).unwrap_or(here))
}

fn text(path: &Path) -> Result<String> {
    let refuse =
        || Error::invalid(format!("a service file cannot hold {path:?}: it is not UTF-8; rename it"));
    path.to_str().map(str::to_string).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::VERSION;

    #[test]
    fn r_22a_only_listed_names_get_into_the_environment() {
        let vars = [
            ("HOME", "/h"),
            ("PATH", "/evil"),
            ("OPENCLAW_GATEWAY_TOKEN", "canary"),
            ("OPENCLAW_STATE_DIR", "/s"),
            ("ANTHROPIC_API_KEY", "canary"),
        ];
        let env = Env::from_vars(vars.map(|(k, v)| (k.to_string(), v.to_string())), Some("work")).unwrap();
        let place = Place::of(&env, Manager::SystemdUser).unwrap();
        let spec = Spec::of(&env, &place, &Wishes::default(), VERSION).unwrap();
        let names: Vec<&str> = spec.environment.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "HOME",
                "PATH",
                "OPENCLAW_PROFILE",
                "OPENCLAW_STATE_DIR",
                "OPENCLAW_SYSTEMD_UNIT",
                "OPENCLAW_SERVICE_MARKER",
                "OPENCLAW_SERVICE_KIND",
                "OPENCLAW_SERVICE_VERSION"
            ]
        );
        assert!(!format!("{spec:?}").contains("canary") && !format!("{spec:?}").contains("evil"));
        assert_eq!(spec.arguments, ["gateway"]);
        assert!(Path::new(&spec.program).is_absolute());
    }

    #[test]
    fn writable_directories_are_told_once() {
        let env = Env::from_vars([("HOME".to_string(), "/h".to_string())], None).unwrap();
        assert_eq!(writable(&env).unwrap(), ["/h/.openclaw"]);
        let env = Env::from_vars([("HOME".to_string(), "/h".to_string())], Some("a")).unwrap();
        assert_eq!(writable(&env).unwrap(), ["/h/.openclaw", "/h/.openclaw-a"]);
    }
}
