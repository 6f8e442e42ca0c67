//! Taking the Node program's service over, and giving it back.
//!
//! Its unit or agent is stopped, disabled and kept aside; then this program's is installed, and has to answer. What does
//! not is taken away again, and the old one comes back. Runs on the command line's thread.
use crate::cli::gateway::healthcheck::is_ready;
use crate::cli::gateway::status::stranger;
use crate::config::{Config, ports};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::service::{self, Other, Place, act};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What the file that is kept aside ends in.
pub const SUFFIX: &str = ".before-migrate";
const LIMIT: Duration = Duration::from_secs(30);
/// How long the old one may hold its port.
const RELEASE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// Does it; gives what was done, a line each.
pub fn over(env: &Env, theirs: &[Other]) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut gone: Vec<&Other> = Vec::new();
    for other in theirs {
        if let Err(e) = service::retire_to(env, other, &aside(&other.path)) {
            return Err(give_back(env, &gone, e.context(format_args!("stop {}", other.name))));
        }
        gone.push(other);
        let path = env.display(&aside(&other.path));
        lines.push(format!("Stopped and disabled {}; its file is {path} now", other.name));
    }
    let place = Place::of(env, service::detect(env, false))?;
    let was_there = place.path.exists();
    match install(env) {
        Ok(told) => lines.extend(told),
        Err(e) => {
            if !was_there && place.path.exists() {
                // What keeps it from going says less than what kept it from running.
                let _ = act::uninstall(env, &place);
            }
            return Err(give_back(env, &gone, e));
        }
    }
    Ok(lines)
}

fn install(env: &Env) -> Result<Vec<String>> {
    let port = ports::configured(env, &Config::inspect(&mut env.clone()));
    let until = Instant::now() + RELEASE;
    while let Some(who) = stranger(env, port) {
        if Instant::now() > until {
            return Err(Error::unavailable(format!("{who}; stop that first")));
        }
        std::thread::sleep(PAUSE);
    }
    let report = act::install_here(env)?;
    let mut lines = report.lines;
    lines.extend(report.hints.into_iter().map(|hint| format!("  {hint}")));
    lines.extend(report.warnings.into_iter().map(|warning| format!("Warning: {warning}")));
    if report.result == "written" {
        return Ok(lines);
    }
    let until = Instant::now() + LIMIT;
    while !is_ready(env) {
        if Instant::now() > until {
            return Err(Error::unavailable(format!(
                "the gateway did not answer within {} s",
                LIMIT.as_secs()
            )));
        }
        std::thread::sleep(PAUSE);
    }
    lines.push("The gateway runs, and it answers".to_string());
    Ok(lines)
}

/// The old ones as they were.
fn give_back(env: &Env, gone: &[&Other], error: Error) -> Error {
    let failed = gone.iter().filter_map(|other| service::bring_back(env, other, &aside(&other.path)).err());
    match failed.into_iter().next() {
        Some(e) => Error::new(
            error.kind,
            format!("{}; and it could not be undone: {}", error.message(), e.message()),
        ),
        None if gone.is_empty() => error,
        None => Error::new(error.kind, format!("{}; the old service is back", error.message())),
    }
}

/// The command lines with which a person goes back.
pub fn back(env: &Env, theirs: &[Other]) -> Vec<String> {
    let one = |other: &Other| {
        let (from, to) = (env.pasted(&aside(&other.path)), env.pasted(&other.path));
        let start = match other.is_agent() {
            true => vec![format!("launchctl bootstrap gui/$UID {to}")],
            false => vec![
                "systemctl --user daemon-reload".to_string(),
                format!("systemctl --user enable --now {}", env.pasted(Path::new(&other.name))),
            ],
        };
        [format!("mv {from} {to}")].into_iter().chain(start)
    };
    let remove = [env.command("doctor --only compat"), env.command("gateway uninstall")];
    remove.into_iter().chain(theirs.iter().flat_map(one)).collect()
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(SUFFIX);
    name.into()
}
