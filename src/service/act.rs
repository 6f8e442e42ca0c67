//! What `openclaw gateway install|uninstall|start|stop|restart` do, one function each.
//!
//! Runs on the command line's thread. The file is written first and is complete by itself; a manager that cannot be
//! reached now is no failure of an installation, what is left to run is told instead (R-15b).
pub use super::advice::{is_supervised, unsupervised};
use super::advice::{left_to_do, linger, remaining, rivals};
use super::inspect::{self, Inspection, look};
use super::legacy::clean_legacy;
use super::spec::{Spec, Wishes};
use super::{Action, Manager, Place, Role, Step, command, people, put, quote};
use crate::config::edit::{self, Edit};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use crate::version::VERSION;
use std::path::Path;
use std::time::Duration;

/// A start waits for the gateway to be ready, a stop for its end; both have shorter limits of their own.
const LIMIT: Duration = Duration::from_secs(120);

/// What `install` is asked for.
#[derive(Default)]
pub struct Install {
    pub wishes: Wishes,
    /// Goes into the config, which is private; never into the service file (R-22a).
    pub token: Option<String>,
    pub force: bool,
}

/// What was done.
#[derive(Debug)]
pub struct Report {
    /// For scripts: `installed`, `already-installed`, `written`, `started`, `not-loaded`, ...
    pub result: &'static str,
    pub lines: Vec<String>,
    /// Commands to go on with.
    pub hints: Vec<String>,
    pub warnings: Vec<String>,
    pub service: Inspection,
}

/// Writes the service file and has it started now and at each boot. What was chosen when it was installed stays
/// chosen, unless something else is asked for.
pub fn install(env: &Env, place: &Place, mut install: Install) -> Result<Report> {
    refuse_nix(env, "install")?;
    let is_gateway = place.role == Role::Gateway;
    let asked = install.wishes.port.or_else(|| env.port()).filter(|_| is_gateway);
    let before = look(env, place);
    let chosen = inspect::wishes(place, &inspect::read(&place.path).unwrap_or_default());
    install.wishes.port = asked.or(chosen.port);
    install.wishes.user = install.wishes.user.or(chosen.user);
    let spec = Spec::of(env, place, &install.wishes, VERSION)?;
    let text = place.render(&spec)?;
    let kept = install.token.as_ref().map(|token| keep_token(env, &spec, token)).transpose()?.flatten();
    let doubts = if is_gateway { spec.doubts(env) } else { Ok(Vec::new()) };
    let mut warnings: Vec<String> = kept.into_iter().collect();
    if before.installed && !install.force && !(before.drift.is_empty() && is_waiting(&before)) {
        warnings.extend(doubts.unwrap_or_else(|error| vec![error.message().to_string()]));
        return Ok(Report { warnings, ..already(env, place, before, asked) });
    }
    if let (Some(how), true) = (&before.packaged, install.force) {
        return Err(Error::usage(format!(
            "{} comes with a package, which writes it; own settings go beside it (docs/packages.md), to remove it: {how}",
            place.path.display()
        )));
    }
    // A service that could only fail is not installed.
    let nothing = if warnings.is_empty() { "" } else { "the token was stored, but " };
    warnings.extend(doubts.map_err(|e| e.context(format_args!("{nothing}nothing was installed")))?);
    if before.packaged.is_none() {
        put::write(env, place, &text, &before)?;
    }
    let mut lines = vec![format!("Installed {}: {}", noun(place.manager), place.path.display())];
    if place.manager == Manager::Launchd {
        files::private_dir(Path::new(&spec.logs))?;
        if is_gateway {
            lines.extend(clean_legacy(env)?);
        }
        lines.push(format!("Logs: {}/{}.log", spec.logs, place.role.words().1));
    }
    if is_gateway {
        warnings.extend(rivals(env, place, &before));
    }
    let mut steps = place.steps(Action::Enable, before.loaded).into_iter();
    let reached = steps.next().is_none_or(|first| run(env, &first).is_ok());
    if !reached {
        let hints = left_to_do(env, place, &spec);
        lines.push("The service manager cannot be reached from here. Left to do:".to_string());
        return Ok(Report { result: "written", lines, hints, warnings, service: look(env, place) });
    }
    for step in steps {
        let failed = |e: Error| {
            e.context(format_args!("{} install failed", place.role.words().0))
                .advised(env, place, None)
                .noting(&warnings)
        };
        run(env, &step).map_err(failed)?;
    }
    if place.manager == Manager::SystemdUser {
        warnings.extend(linger(env, &mut lines));
    }
    Ok(Report { result: "installed", lines, hints: Vec::new(), warnings, service: look(env, place) })
}

/// `install` with nothing special asked for, by the manager of this machine.
pub fn install_here(env: &Env) -> Result<Report> {
    install(env, &Place::of(env, super::detect(env, false))?, Install::default())
}

/// The installed service's file written anew, with what was chosen at its installation.
pub fn refresh(env: &Env) -> Result<Report> {
    let place = Place::find(env, None)?;
    let wishes = inspect::wishes(&place, &inspect::read(&place.path).unwrap_or_default());
    install(env, &place, Install { wishes, force: true, ..Install::default() })
}

/// Whether an installed service only waits to be enabled by a manager that answers.
fn is_waiting(seen: &Inspection) -> bool {
    !seen.loaded && seen.trouble.is_none()
}

fn already(env: &Env, place: &Place, mut service: Inspection, asked: Option<u16>) -> Report {
    let asked = asked.filter(|port| Some(*port) != inspect::port(&service.command));
    if let (Some(port), false) = (asked, service.command.is_empty()) {
        service.drift.push(format!("lacks: --port {port}"));
    }
    let (name, word) = place.role.words();
    let mut lines =
        vec![format!("{name} service already {}.", if service.loaded { "enabled" } else { "installed" })];
    if !service.drift.is_empty() {
        lines.push(format!("{} differs from what would be installed now:", place.path.display()));
        lines.extend(service.drift.iter().map(|line| format!("  {line}")));
    }
    let mut hints = Vec::new();
    match &service.packaged {
        Some(how) => lines.push(format!("It comes with a package; to remove it: {how}")),
        None => hints.push(format!("Reinstall with: {}", env.command(&format!("{word} install --force")))),
    }
    match service.running {
        Some(false) => hints.push(format!("Start with: {}", env.command(&format!("{word} start")))),
        None if !service.loaded => {
            let user = people::own(env).name;
            hints.extend(remaining(place, &user).iter().map(|line| format!("Left to do: {line}")));
        }
        _ => {}
    }
    Report { result: "already-installed", lines, hints, warnings: Vec::new(), service }
}

/// Stops the service and takes its file away.
pub fn uninstall(env: &Env, place: &Place) -> Result<Report> {
    refuse_nix(env, "uninstall")?;
    let before = look(env, place);
    if let Some(how) = &before.packaged {
        return Err(Error::usage(format!(
            "{} comes with a package: nothing was removed; to remove it: {how}",
            place.path.display()
        )));
    }
    let (mut lines, mut warnings) = (Vec::new(), Vec::new());
    for step in place.steps(Action::Disable, before.loaded) {
        // Nothing was there to stop, or it had stopped.
        let needless = !before.installed || before.running == Some(false);
        let Some(error) = attempt(env, &step).err().filter(|_| !needless) else { continue };
        warnings.push(match unsupervised(env).filter(|_| place.role == Role::Gateway) {
            Some(pid) => format!("{error}; the gateway still runs (pid {pid}), stop it: kill {pid}"),
            None => format!("{error}; if it still runs, stop it yourself"),
        });
    }
    if before.installed {
        put::remove(env, place)?;
        lines.push(format!("Removed {}: {}", noun(place.manager), place.path.display()));
    } else {
        lines.push(format!("No {} at {}", noun(place.manager), place.path.display()));
    }
    if place.manager == Manager::Launchd && place.role == Role::Gateway {
        lines.extend(clean_legacy(env)?);
    }
    for step in place.steps(Action::Forget, false) {
        // The file is gone; a manager that cannot be reached finds that out by itself.
        let _ = run(env, &step);
    }
    Ok(Report { result: "uninstalled", lines, hints: Vec::new(), warnings, service: look(env, place) })
}

/// Starts, stops or restarts an installed service.
pub fn control(env: &Env, place: &Place, action: Action) -> Result<Report> {
    let before = look(env, place);
    let (result, done, doing) = match action {
        Action::Start => ("started", "Started", "start"),
        Action::Stop => ("stopped", "Stopped", "stop"),
        _ => ("restarted", "Restarted", "restart"),
    };
    let is_idle = before.running == Some(false);
    // launchd has nothing to send a signal to.
    let needless = place.manager == Manager::Launchd && action == Action::Stop && is_idle;
    let steps = if needless { Vec::new() } else { place.steps(action, before.loaded) };
    for step in steps {
        let failed = |e: Error| e.context(format_args!("{} {doing} failed", place.role.words().0));
        run(env, &step).map_err(|e| failed(e).advised(env, place, Some(&before)))?;
    }
    let lines = vec![format!("{done} {}: {}", noun(place.manager), place.name)];
    Ok(Report { result, lines, hints: Vec::new(), warnings: Vec::new(), service: look(env, place) })
}

/// What is to be told where no service acts; the caller fills it.
pub fn bare(env: &Env, place: &Place) -> Report {
    let service = look(env, place);
    Report { result: "not-loaded", lines: Vec::new(), hints: Vec::new(), warnings: Vec::new(), service }
}

fn refuse_nix(env: &Env, what: &str) -> Result<()> {
    if env.flag("OPENCLAW_NIX_MODE") {
        return Err(Error::unavailable(format!(
            "Nix mode detected; service {what} is disabled. Declare the service in the Nix configuration."
        )));
    }
    Ok(())
}

/// Runs a step whose failure counts only if it must succeed.
pub(super) fn run(env: &Env, step: &Step) -> Result<()> {
    if step.must { attempt(env, step) } else { command::run(env, &step.line, LIMIT).map(drop) }
}

/// Runs a step; each failure is told.
pub(super) fn attempt(env: &Env, step: &Step) -> Result<()> {
    let outcome = command::run(env, &step.line, LIMIT)?;
    if outcome.is_ok() {
        return Ok(());
    }
    Err(Error::unavailable(format!("{}: {}", step.line.join(" "), outcome.complaint())))
}

fn noun(manager: Manager) -> &'static str {
    match manager {
        Manager::SystemdUser | Manager::SystemdSystem => "systemd service",
        Manager::Launchd => "LaunchAgent",
        Manager::OpenRc => "OpenRC service",
        Manager::Procd => "procd service",
    }
}

/// Puts the token where the service finds it: into the config of the same user.
fn keep_token(env: &Env, spec: &Spec, token: &str) -> Result<Option<String>> {
    if spec.user != people::own(env).name {
        return Err(Error::usage(format!(
            "--token cannot be kept for another user; run first: sudo -u {} {}",
            quote::shown(&spec.user),
            env.command("setup")
        )));
    }
    let wrote = edit::write(&env.config_path, &[Edit::new("gateway.auth.token", token)])?;
    Ok(wrote
        .then(|| format!("gateway.auth.token is now the given one, in {}", env.display(&env.config_path))))
}
