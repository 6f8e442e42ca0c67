//! Looking at the service: what is installed, whether it runs, how it differs from what would be installed now,
//! and which other gateways the machine has.
//!
//! Reads files, and asks the manager one question. Changes nothing. What is told of a service file never holds a
//! value that could be a secret.
use super::drift::drift;
use super::others::{Other, others};
use super::runtime::ask;
use super::spec::{Spec, Wishes};
use super::{Manager, Place, launchd, openrc, systemd};
use crate::env::Env;
use crate::error::Result;
use crate::version::VERSION;
use std::path::{Path, PathBuf};

/// Service files are small; anything larger is none.
const MAX_FILE: u64 = 256 << 10;

/// The state of this profile's service.
#[derive(Debug, Clone)]
pub struct Inspection {
    pub manager: Manager,
    /// Unit, label or script.
    pub name: String,
    /// Whether its file exists.
    pub installed: bool,
    pub unit_path: PathBuf,
    /// Whether it is started at login or boot.
    pub loaded: bool,
    /// `None` when the manager does not answer.
    pub running: Option<bool>,
    pub pid: Option<u32>,
    /// The manager's own words: `active`, `inactive`, `failed`; empty where it has none.
    pub state: String,
    pub sub_state: String,
    /// How its last process ended, while none runs: by itself or by a signal.
    pub exit_status: Option<i64>,
    pub exit_signal: Option<i64>,
    /// How often the manager started it again, where it did and tells.
    pub restarts: Option<i64>,
    /// Why the manager did not answer.
    pub trouble: Option<String>,
    /// Program and arguments, where the file's format tells.
    pub command: Vec<String>,
    pub environment: Vec<(String, String)>,
    /// The release that wrote the file.
    pub version: Option<String>,
    /// Whether it runs the Node program.
    pub is_node: bool,
    /// How the package is removed that the file came with.
    pub packaged: Option<String>,
    /// How the file differs from what `gateway install` would write now; empty when it does not.
    pub drift: Vec<String>,
    /// Other gateway-like services of this user, as sentences.
    pub others: Vec<String>,
}

/// Looks at the service of `env`'s profile. Never fails: what cannot be seen is absent.
pub fn inspect(env: &Env) -> Result<Inspection> {
    let place = Place::find(env, None)?;
    let mut seen = look(env, &place);
    seen.others = others(env, false).iter().map(Other::to_string).collect();
    Ok(seen)
}

/// A place where no service is.
pub fn nothing(place: &Place) -> Inspection {
    Inspection {
        manager: place.manager,
        name: place.name.clone(),
        installed: false,
        unit_path: place.path.clone(),
        loaded: false,
        running: Some(false),
        pid: None,
        state: String::new(),
        sub_state: String::new(),
        exit_status: None,
        exit_signal: None,
        restarts: None,
        trouble: None,
        command: Vec::new(),
        environment: Vec::new(),
        version: None,
        is_node: false,
        packaged: None,
        drift: Vec::new(),
        others: Vec::new(),
    }
}

/// The same at one place and without the others.
pub fn look(env: &Env, place: &Place) -> Inspection {
    let mut seen = nothing(place);
    seen.running = None;
    if let Some(text) = read(&place.path) {
        seen.installed = true;
        seen.command = command(place.manager, &text);
        seen.environment = environment(place.manager, &text);
        seen.version = version(&text);
        seen.is_node = is_node(&seen.command);
        seen.packaged = packaged(&text);
        // What a package brings is as its maker wants it.
        if seen.packaged.is_none() {
            seen.drift = drift(env, place, &text, &seen);
        }
    }
    ask(env, place, &mut seen);
    seen
}

/// The port the service's own command line names.
pub fn port(command: &[String]) -> Option<u16> {
    let at = command.iter().position(|word| word == "--port")?;
    command.get(at + 1)?.parse().ok()
}

/// A service file's text.
pub fn read(path: &Path) -> Option<String> {
    // A link is followed: configuration managers install units as links.
    let real = path.is_symlink().then(|| std::fs::canonicalize(path).ok());
    let path = real.as_ref().map_or(Some(path), |real| real.as_deref())?;
    String::from_utf8(crate::files::read_start(path, MAX_FILE)?).ok()
}

/// The text that would be installed in place of `text`, in the words of the release that wrote it: an upgrade of
/// the program needs no change of its service (R-15c).
pub fn expected(env: &Env, place: &Place, text: &str, wishes: &Wishes) -> Result<String> {
    place.render(&Spec::of(env, place, wishes, version(text).as_deref().unwrap_or(VERSION))?)
}

fn version(text: &str) -> Option<String> {
    let (_, after) = text.split_once("OPENCLAW_SERVICE_VERSION")?;
    let after = after.trim_start_matches("</key>").trim_start().trim_start_matches("<string>");
    let after = after.trim_start_matches(['=', '\'', '"']);
    let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || ".+-_".contains(c))).unwrap_or(after.len());
    after.get(..end).filter(|version| !version.is_empty()).map(str::to_string)
}

/// Whether a command runs JavaScript.
pub fn is_node(command: &[String]) -> bool {
    let name = |word: &String| Path::new(word).file_name().map(|n| n.to_string_lossy().into_owned());
    let runs = command.first().and_then(name).is_some_and(|name| name == "node" || name == "bun");
    runs || command.iter().any(|word| word.ends_with(".js") || word.ends_with(".mjs"))
}

/// What was chosen when `text` was installed.
pub(super) fn wishes(place: &Place, text: &str) -> Wishes {
    let script =
        || text.split_once("--port")?.1.trim_start_matches([' ', '\'']).split([' ', '\'', '\n']).next();
    let port = port(&command(place.manager, text)).or_else(|| script()?.parse().ok());
    Wishes { port, user: user(place, text) }
}

/// What a package's own service file says of its removal.
fn packaged(text: &str) -> Option<String> {
    let (_, after) = text.split_once("# Comes with a package; to remove it: ")?;
    after.lines().next().map(str::to_string)
}

/// Program and arguments, where the file's format tells.
fn command(manager: Manager, text: &str) -> Vec<String> {
    match manager {
        Manager::SystemdUser | Manager::SystemdSystem => systemd::command(text),
        Manager::Launchd => launchd::command(text),
        Manager::OpenRc | Manager::Procd => Vec::new(),
    }
}

/// The variables that a service file sets, where its format tells.
pub fn environment(manager: Manager, text: &str) -> Vec<(String, String)> {
    match manager {
        Manager::SystemdUser | Manager::SystemdSystem => systemd::environment(text),
        Manager::Launchd => launchd::environment(text),
        Manager::OpenRc => openrc::environment(text),
        Manager::Procd => Vec::new(),
    }
}

/// The user a system service was installed for.
fn user(place: &Place, text: &str) -> Option<String> {
    match place.manager {
        Manager::SystemdSystem => systemd::settings(text, "User").into_iter().next_back(),
        Manager::OpenRc => after(text, "\ncommand_user="),
        Manager::Procd => after(text, "procd_set_param user "),
        Manager::SystemdUser | Manager::Launchd => None,
    }
}

fn after(text: &str, start: &str) -> Option<String> {
    let line = text.split_once(start)?.1.lines().next()?;
    Some(line.trim_matches('\'').to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::testing::home;

    #[test]
    fn the_chosen_port_is_found_in_every_format() {
        let (dir, env) = home("chosen-port");
        for manager in [Manager::SystemdUser, Manager::Launchd, Manager::OpenRc, Manager::Procd] {
            let place = Place::of(&env, manager).unwrap();
            for port in [None, Some(19_000)] {
                let chosen = Wishes { port, user: None };
                let text = place.render(&Spec::of(&env, &place, &chosen, "1").unwrap()).unwrap();
                assert_eq!(wishes(&place, &text).port, port, "{text}");
            }
        }
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn versions_are_found_in_every_format() {
        for (text, want) in [
            ("Environment=OPENCLAW_SERVICE_VERSION=1.2.3\n", Some("1.2.3")),
            ("<key>OPENCLAW_SERVICE_VERSION</key>\n    <string>1.2.3</string>", Some("1.2.3")),
            ("export OPENCLAW_SERVICE_VERSION='2026.2.9-beta'\n", Some("2026.2.9-beta")),
            ("OPENCLAW_SERVICE_VERSION=", None),
            ("", None),
        ] {
            assert_eq!(version(text).as_deref(), want, "{text}");
        }
    }
}
