//! What a person is told besides what was done: what is in the way, what is left to run, where to look.
use super::inspect::Inspection;
use super::others::others;
use super::spec::Spec;
use super::{Action, Manager, Place, Role, Step, command, people, quote, systemd};
use crate::env::Env;
use crate::error::{Error, Kind};
use crate::files::Lock;
use std::path::PathBuf;
use std::time::Duration;

/// What would be in the way of this service.
pub(super) fn rivals(env: &Env, place: &Place, before: &Inspection) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(pid) = unsupervised(env).filter(|_| before.running != Some(true)) {
        found.push(format!(
            "a gateway already runs on this state directory (pid {pid}); stop it (kill {pid}), then: {}",
            env.command("gateway start")
        ));
    }
    if people::behind_sudo(env).is_some() && !place.manager.is_system() {
        found.push("this installs for root; run it without sudo, or with --system".to_string());
    }
    for other in others(env, false) {
        found.push(format!("another gateway is installed, {other}; to remove it: {}", other.removal()));
    }
    let other = match place.manager {
        Manager::SystemdUser => Place::of(env, Manager::SystemdSystem),
        _ => Place::of(env, Manager::SystemdUser),
    };
    if place.manager == Manager::SystemdSystem && before.packaged.is_none() {
        let package = Place { path: PathBuf::new(), ..place.clone() }.or_packaged(env);
        if !package.path.as_os_str().is_empty() {
            found.push(format!("it takes the place of the package's {}", package.path.display()));
        }
    }
    if let Some(other) = other
        .ok()
        .map(|other| other.or_packaged(env))
        .filter(|other| other.manager != place.manager && other.path.exists())
    {
        found.push(format!(
            "{} is installed too; two gateways would want the same port",
            other.path.display()
        ));
    }
    found
}

/// PID of a gateway on this state directory, if one holds its lock.
pub fn unsupervised(env: &Env) -> Option<u32> {
    let path = env.state_dir.join("gateway").join("gateway.lock");
    let pid = crate::files::read_text(&path).ok()?.trim().parse().ok()?;
    matches!(Lock::try_now(&path), Ok(None)).then_some(pid)
}

/// Whether the manager runs this process as the service.
pub fn is_supervised(place: &Place, pid: u32) -> bool {
    match place.manager {
        Manager::OpenRc => return parent(pid).is_some_and(|name| name == "supervise-daemo"),
        Manager::Procd => return parent(pid).is_some_and(|name| name == "procd"),
        Manager::SystemdUser | Manager::SystemdSystem | Manager::Launchd => {}
    }
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup"));
    groups.is_ok_and(|text| text.lines().any(|line| line.split('/').any(|part| part == place.name)))
}

/// The name of the process that started this one, at most 15 bytes of it, as Linux tells it.
fn parent(pid: u32) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim();
    let name = std::fs::read_to_string(format!("/proc/{parent}/comm")).ok()?;
    Some(name.trim_end().to_string())
}

impl Error {
    /// With where to look next. A manager that did not even answer before has written nothing down.
    pub(super) fn advised(self, env: &Env, place: &Place, before: Option<&Inspection>) -> Error {
        if before.is_some_and(|before| before.trouble.is_some()) {
            if let Some(pid) = unsupervised(env).filter(|_| place.role == Role::Gateway) {
                let how = "repeat it where its service manager can be reached, as after a login";
                return Error::new(
                    self.kind,
                    format!("{}; the gateway runs (pid {pid}): {how}", self.message()),
                );
            }
            let linger = match place.manager {
                Manager::SystemdUser => format!(
                    "; or have systemd run for you without a login: {}",
                    enable_linger(&people::own(env).name)
                ),
                _ => String::new(),
            };
            let gateway = env.command(if place.role == Role::Gateway { "gateway" } else { "node run" });
            return Error::new(
                self.kind,
                format!("{}; run it in the foreground: {gateway}{linger}", self.message()),
            );
        }
        let log = match place.manager {
            Manager::SystemdUser => format!("journalctl --user -u {} -n 50", place.name),
            Manager::SystemdSystem => format!("journalctl -u {} -n 50", place.name),
            Manager::Launchd => {
                format!("tail {}/logs/{}.err.log", env.state_dir.display(), place.role.words().1)
            }
            Manager::OpenRc => "tail /var/log/messages".to_string(),
            Manager::Procd => "logread -e openclaw".to_string(),
        };
        Error::new(self.kind, format!("{}; see: {log}", self.message()))
    }

    /// With what would have been warned of besides, each on a line.
    pub fn noting(self, warnings: &[String]) -> Error {
        let lines = warnings.iter().map(|line| format!("\nWarning: {line}")).collect::<String>();
        Error::new(self.kind, format!("{}{lines}", self.message()))
    }
}

pub(super) fn left_to_do(env: &Env, place: &Place, spec: &Spec) -> Vec<String> {
    let is_lingering = place.manager == Manager::SystemdUser && lingers(env, &spec.user);
    let lines = remaining(place, &spec.user);
    lines.into_iter().filter(|line| !(is_lingering && line.contains("enable-linger"))).collect()
}

pub(super) fn remaining(place: &Place, user: &str) -> Vec<String> {
    match place.manager {
        Manager::SystemdUser | Manager::SystemdSystem => systemd::left_to_do(place, user),
        _ => place.steps(Action::Enable, false).iter().map(Step::shown).collect(),
    }
}

impl Step {
    fn shown(&self) -> String {
        self.line.iter().map(|word| quote::shown(word)).collect::<Vec<_>>().join(" ")
    }
}

/// The command that has services of this user run without a login.
pub(super) fn enable_linger(user: &str) -> String {
    format!("sudo loginctl enable-linger {}", quote::shown(user))
}

/// Whether services of this user run without a login: systemd's own mark on disk.
fn lingers(env: &Env, user: &str) -> bool {
    super::under_root(env, "var/lib/systemd/linger").join(user).exists()
}

/// Sees to it that the service survives the logout, or says what to run (R-15d).
pub(super) fn linger(env: &Env, lines: &mut Vec<String>) -> Option<String> {
    let user = people::own(env).name;
    if lingers(env, &user) {
        return None;
    }
    let ask = ["loginctl", "--no-ask-password", "enable-linger", &user].map(String::from);
    match command::run(env, &ask, Duration::from_secs(10)) {
        Ok(outcome) if outcome.is_ok() => {
            lines.push(format!("Enabled lingering for {user}: the gateway runs without a login"));
            None
        }
        Err(error) if error.kind == Kind::NotFound => None,
        _ => Some(format!(
            "Systemd lingering is disabled for {user}: the gateway would stop at logout. Run: {}",
            enable_linger(&user)
        )),
    }
}
