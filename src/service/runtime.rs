//! The one question to the service manager: does the service run, and does it start by itself?
//!
//! Without an answer the file system tells what it can. Changes nothing.
use super::advice::{is_supervised, unsupervised};
use super::inspect::Inspection;
use super::{Manager, Place, Role, command, launchd, systemd, under_root};
use crate::env::Env;
use std::path::PathBuf;
use std::time::Duration;

/// How long the manager may take to answer a question.
const ASK: Duration = Duration::from_secs(5);

pub(super) fn ask(env: &Env, place: &Place, seen: &mut Inspection) {
    let script = place.path.display().to_string();
    let target = launchd::target(&place.name);
    let line: Vec<&str> = match place.manager {
        Manager::SystemdUser | Manager::SystemdSystem => {
            let properties =
                "--property=ActiveState,SubState,MainPID,ExecMainStatus,ExecMainCode,NRestarts,UnitFileState";
            systemd::line(place.manager, &["show", &place.name, "--no-pager", properties])
        }
        Manager::Launchd => vec!["launchctl", "print", &target],
        Manager::OpenRc => vec!["rc-service", &place.name, "status"],
        Manager::Procd => vec![&script, "running"],
    };
    let words: Vec<String> = line.iter().map(|word| word.to_string()).collect();
    if !seen.installed && matches!(place.manager, Manager::OpenRc | Manager::Procd) {
        seen.running = Some(false);
        return;
    }
    let outcome = match command::run(env, &words, ASK) {
        Ok(outcome) => outcome,
        Err(error) => {
            seen.trouble = Some(error.message().to_string());
            seen.loaded = seen.installed && is_linked(env, place);
            return;
        }
    };
    match place.manager {
        Manager::SystemdUser | Manager::SystemdSystem if !outcome.is_ok() => {
            seen.trouble = Some(outcome.complaint());
            seen.loaded = is_linked(env, place);
        }
        Manager::SystemdUser | Manager::SystemdSystem => of_systemd(env, place, &outcome.stdout, seen),
        Manager::Launchd => {
            seen.loaded = outcome.is_ok();
            seen.pid = launchd::pid(&outcome.stdout).filter(|_| outcome.is_ok());
            seen.running = Some(seen.pid.is_some());
        }
        Manager::OpenRc | Manager::Procd => {
            seen.running = Some(outcome.is_ok());
            seen.loaded = is_linked(env, place);
            // Neither tells which process it is.
            let own = |pid: &u32| place.role == Role::Gateway && is_supervised(place, *pid);
            seen.pid = unsupervised(env).filter(|pid| outcome.is_ok() && own(pid));
        }
    }
}

fn of_systemd(env: &Env, place: &Place, shown: &str, seen: &mut Inspection) {
    let property = |name: &str| systemd::property(shown, name).unwrap_or_default().to_string();
    seen.state = property("ActiveState");
    seen.sub_state = property("SubState");
    seen.pid = property("MainPID").parse().ok().filter(|pid| *pid > 0);
    // Of the process that runs now nothing is known yet; before its end both are 0, as after an orderly one.
    let status = property("ExecMainStatus").parse().ok().filter(|_| seen.pid.is_none());
    // The codes of a child's end: 1 exited, 2 killed, 3 killed with a core dump.
    match property("ExecMainCode").as_str() {
        "0" => {}
        "2" | "3" | "killed" | "dumped" => seen.exit_signal = status,
        _ => seen.exit_status = status,
    }
    seen.restarts = property("NRestarts").parse().ok().filter(|n| *n > 0);
    // A restart that is waited for is a stop to those who ask now.
    seen.running = (!seen.state.is_empty()).then_some(matches!(seen.state.as_str(), "active" | "reloading"));
    seen.loaded = is_linked(env, place) || property("UnitFileState").starts_with("enabled");
}

/// Whether the file system says that the service starts by itself.
fn is_linked(env: &Env, place: &Place) -> bool {
    let Some(dir) = place.path.parent() else { return false };
    let there = |path: PathBuf| path.symlink_metadata().is_ok();
    match place.manager {
        Manager::SystemdUser => there(dir.join("default.target.wants").join(&place.name)),
        Manager::SystemdSystem => {
            there(under_root(env, "etc/systemd/system/multi-user.target.wants").join(&place.name))
        }
        Manager::Launchd => false,
        Manager::OpenRc => there(dir.with_file_name("runlevels/default").join(&place.name)),
        Manager::Procd => there(dir.with_file_name("rc.d").join(format!("S99{}", place.name))),
    }
}
