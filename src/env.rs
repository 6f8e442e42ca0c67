//! Everything that comes from the environment: variables, home, profile, state directory, config path.
//!
//! Read once at start into an immutable value that is passed on; nothing else in the crate looks at the
//! process environment, and nothing here writes to it (children get an explicit environment). The `.env`
//! file of the state directory fills in what the process environment lacks; a `.env` of the current
//! directory is not read, because a checked-out workspace must not steer the gateway (SEC-41).
mod finding;
use crate::dotenv;
use crate::error::{Error, Kind, Result};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Port of the gateway when neither flag, variable nor config names one.
pub const DEFAULT_PORT: u16 = 18789;
/// The same for the `dev` profile.
pub const DEV_PORT: u16 = 19001;

/// Variables that say where things lie, but for the home itself, which need not be known.
const PLACES: [&str; 4] = ["OPENCLAW_HOME", "OPENCLAW_STATE_DIR", "OPENCLAW_CONFIG_PATH", "OPENCLAW_PROFILE"];

#[derive(Clone, Default)]
pub struct Env {
    vars: HashMap<String, String>,
    /// Those of them that no process environment gave but a file did.
    filled_in: HashSet<String>,
    pub home: PathBuf,
    /// The profile's name; `None` for the default one.
    pub profile: Option<String>,
    pub state_dir: PathBuf,
    pub config_path: PathBuf,
}

/// Without the variables: some of them are secrets.
impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Env(profile {:?}, state {})", self.profile, self.state_dir.display())
    }
}

/// Whether the environment names a time zone, which is stronger than the host's.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn names_a_zone() -> bool {
    std::env::var_os("TZ").is_some()
}

impl Env {
    /// The process environment, seen through a profile (`--profile NAME`, or `dev` for `--dev`).
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn from_process(profile: Option<&str>) -> Result<Env> {
        let (mut vars, mut unread) = (Vec::new(), None);
        for (name, value) in std::env::vars_os() {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => vars.push((name, value)),
                // Without these another place would be taken for the one that is meant.
                (Ok(name), Err(_)) if PLACES.contains(&name.as_str()) => unread = Some(name),
                _ => {}
            }
        }
        match unread {
            Some(name) => {
                Err(Error::config(format!("read {name}: it is not UTF-8 text; name a path that is")))
            }
            None => Env::from_vars(vars, profile),
        }
    }

    /// The same over given variables.
    pub fn from_vars(vars: impl IntoIterator<Item = (String, String)>, profile: Option<&str>) -> Result<Env> {
        let mut env = Env { vars: vars.into_iter().collect(), ..Env::default() };
        env.home = env.find_home()?;
        env.profile =
            match profile.map(str::to_string).or_else(|| env.var("OPENCLAW_PROFILE").map(str::to_string)) {
                Some(name) if !is_profile_name(&name) => {
                    return Err(Error::new(
                        Kind::Profile,
                        "Invalid --profile (use letters, numbers, \"_\", \"-\" only)",
                    ));
                }
                Some(name) if name.eq_ignore_ascii_case("default") => None,
                other => other,
            };
        env.state_dir = env.find_state_dir();
        env.read_dotenv();
        env.config_path = env.find_config_path();
        Ok(env)
    }

    /// A variable that is set and not blank.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|v| !v.trim().is_empty())
    }

    /// A variable under its present name or the one of an earlier product name.
    pub fn var_or_legacy(&self, name: &str) -> Option<&str> {
        self.var(name).or_else(|| self.var(&name.replace("OPENCLAW_", "CLAWDBOT_")))
    }

    /// Whether the caller's own environment has the variable: it was given to this command, not kept in a file.
    pub fn is_given(&self, name: &str) -> bool {
        let names = [name.to_string(), name.replace("OPENCLAW_", "CLAWDBOT_")];
        names.iter().any(|name| self.var(name).is_some() && !self.filled_in.contains(name))
    }

    /// Where a variable's value stands, for people.
    pub fn place_of(&self, name: &str) -> String {
        let file = self.state_dir.join(".env");
        let is_in_file = || {
            let bytes = crate::files::read_bytes(&file, crate::files::MAX_TEXT).unwrap_or_default();
            dotenv::parse(&String::from_utf8_lossy(&bytes)).iter().any(|(known, _)| known == name)
        };
        match self.filled_in.contains(name) {
            false => format!("environment {name}"),
            true if is_in_file() => format!("{name} in {}", self.display(&file)),
            true => format!("{name} in the config's env"),
        }
    }

    /// Whether a switch such as `OPENCLAW_NIX_MODE` is on.
    pub fn flag(&self, name: &str) -> bool {
        self.var(name)
            .is_some_and(|v| matches!(v.trim().to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on"))
    }

    pub fn is_dev(&self) -> bool {
        self.profile.as_deref() == Some("dev")
    }

    /// The port of `OPENCLAW_GATEWAY_PORT`; not a number above zero counts as unset here, see `check_port`.
    pub fn port(&self) -> Option<u16> {
        self.var_or_legacy("OPENCLAW_GATEWAY_PORT").and_then(|v| v.trim().parse().ok()).filter(|p| *p > 0)
    }

    /// Refuses a port variable that is set to something else than a port: whoever set it meant some port.
    pub fn check_port(&self) -> Result<()> {
        let names = ["OPENCLAW_GATEWAY_PORT", "CLAWDBOT_GATEWAY_PORT"];
        let set = names.into_iter().find_map(|name| Some((name, self.var(name)?)));
        match set.filter(|_| self.port().is_none()) {
            Some((name, value)) => Err(Error::config(format!(
                "read the port from {name}: {value:?} is no port; set it to a number from 1 to 65535, or unset it"
            ))),
            None => Ok(()),
        }
    }

    /// The port of the profile, by its name alone (R-26a).
    pub fn default_port(&self) -> u16 {
        match self.profile.as_deref() {
            None => DEFAULT_PORT,
            Some("dev") => DEV_PORT,
            Some(name) => port_of_profile(name),
        }
    }

    /// Takes this program's own variables out of what `command` inherits: ports and secrets of a gateway are
    /// nothing for its children (R-26b).
    pub fn hide_own(&self, command: &mut std::process::Command) {
        let own = |name: &&String| ["OPENCLAW_", "CLAWDBOT_"].iter().any(|start| name.starts_with(start));
        for name in self.vars.keys().filter(own) {
            command.env_remove(name);
        }
    }

    /// Where an agent's workspace lies by default: below `~/.openclaw` for every profile, without a home in the state
    /// directory.
    pub fn default_workspace(&self) -> PathBuf {
        let name = match &self.profile {
            Some(profile) => format!("workspace-{profile}"),
            None => "workspace".to_string(),
        };
        match self.home == self.state_dir {
            true => self.state_dir.join(name),
            false => self.home.join(".openclaw").join(name),
        }
    }

    /// Without one the state directory is in its place, which no `~` names.
    fn has_home(&self) -> bool {
        !self.home.as_os_str().is_empty() && self.home != self.state_dir
    }

    /// `~/x` for a path below the home directory.
    pub fn display(&self, path: &Path) -> String {
        match path.strip_prefix(&self.home) {
            Ok(rest) if self.has_home() => format!("~/{}", rest.display()),
            _ => path.display().to_string(),
        }
    }

    /// The same as one word to paste into a shell: quoted only where it has to be, and then whole.
    pub fn pasted(&self, path: &Path) -> String {
        let is_bare = |c: char| c.is_alphanumeric() || "_@/.,:=+-".contains(c);
        let (shown, whole) = (self.display(path), path.display().to_string());
        match shown.strip_prefix("~/").unwrap_or(&shown).chars().all(is_bare) {
            true => shown,
            false => format!("'{}'", whole.replace('\'', "'\\''")),
        }
    }

    /// Where programs are looked for: these first, then in `PATH`, or where they usually lie.
    pub fn program_dirs(&self, first: &[String]) -> Vec<PathBuf> {
        let own = self.var("PATH").unwrap_or("/usr/local/bin:/usr/bin:/bin").split(':').map(PathBuf::from);
        first.iter().map(|dir| self.expand(dir)).chain(own).filter(|dir| dir.is_absolute()).collect()
    }

    /// A text for people: each path in it that lies below the home directory as `~/x`. One in single quotes stays, as a
    /// shell would not expand it.
    pub fn display_all(&self, text: &str) -> String {
        let home = format!("{}/", self.home.display());
        if home.len() < 3 || !self.has_home() {
            return text.to_string();
        }
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(&home) {
            shown.push_str(before);
            let is_inside = |c: char| c.is_alphanumeric() || "/._-~'".contains(c);
            shown.push_str(if shown.ends_with(is_inside) { &home } else { "~/" });
            rest = after;
        }
        shown + rest
    }

    /// `~` and `~/x` against the home directory; anything else unchanged.
    pub fn expand(&self, path: &str) -> PathBuf {
        match path.strip_prefix('~') {
            Some("") => self.home.clone(),
            Some(rest) if rest.starts_with('/') => self.home.join(rest.trim_start_matches('/')),
            _ => PathBuf::from(path),
        }
    }

    /// A command to print as advice, with the active profile in it: `openclaw --profile work health`.
    pub fn command(&self, rest: &str) -> String {
        match &self.profile {
            Some(profile) if profile == "dev" => format!("openclaw --dev {rest}"),
            Some(profile) => format!("openclaw --profile {profile} {rest}"),
            None => format!("openclaw {rest}"),
        }
    }

    /// Adds variables that are missing or blank (the config's `env` block, section B.1 step 4).
    pub fn add_missing(&mut self, vars: impl IntoIterator<Item = (String, String)>) {
        for (name, value) in vars {
            if self.var(&name).is_none() {
                self.filled_in.insert(name.clone());
                self.vars.insert(name, value);
            }
        }
    }

    /// Adds what the `.env` file has and the environment lacks.
    pub fn read_dotenv(&mut self) {
        let Ok(bytes) = crate::files::read_bytes(&self.state_dir.join(".env"), crate::files::MAX_TEXT) else {
            return;
        };
        let found: HashMap<String, String> =
            dotenv::parse(&String::from_utf8_lossy(&bytes)).into_iter().collect();
        for (name, value) in found {
            if !self.vars.contains_key(&name) {
                self.filled_in.insert(name.clone());
                self.vars.insert(name, value);
            }
        }
    }
}

fn is_profile_name(name: &str) -> bool {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    plain && name.len() <= 64 && name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
}

/// The ports of named profiles: the first, the distance to the next profile's, and how many there are. The first
/// slot begins behind the ports of the dev profile, the last one ends below those that the kernel hands out to
/// outgoing connections.
pub const FIRST_SLOT: u16 = 19_120;
pub const SLOT: u16 = 120;
pub const SLOTS: u16 = 113;

/// The port of a named profile when nothing names another.
pub fn port_of_profile(name: &str) -> u16 {
    // FNV-1a: short, and it never changes.
    let hash = name.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    FIRST_SLOT + SLOT * (hash % u32::from(SLOTS)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(vars: &[(&str, &str)], profile: Option<&str>) -> Env {
        Env::from_vars(vars.iter().map(|(k, v)| (k.to_string(), v.to_string())), profile).unwrap()
    }

    #[test]
    fn profiles_isolate_state_config_and_port() {
        let plain = env(&[("HOME", "/h")], None);
        assert_eq!(plain.state_dir, Path::new("/h/.openclaw"));
        assert_eq!(plain.default_port(), 18789);
        let dev = env(&[("HOME", "/h")], Some("dev"));
        assert_eq!(dev.config_path, Path::new("/h/.openclaw-dev/openclaw.json"));
        assert_eq!(dev.default_workspace(), Path::new("/h/.openclaw/workspace-dev"));
        assert_eq!(dev.default_port(), 19001);
        let port = |name| env(&[("HOME", "/h")], Some(name)).default_port();
        assert_eq!((port("work"), port("default")), (port_of_profile("work"), 18789));
        assert_eq!(
            env(&[("HOME", "/h"), ("OPENCLAW_STATE_DIR", "/s")], Some("work")).state_dir,
            Path::new("/s")
        );
    }

    #[test]
    fn b_f36_without_a_home_the_state_directory_will_do() {
        let env = env(&[("OPENCLAW_STATE_DIR", "/s")], None);
        assert_eq!((env.state_dir.as_path(), env.home.as_path()), (Path::new("/s"), Path::new("/s")));
        assert_eq!(env.default_workspace(), Path::new("/s/workspace"));
        let refused = |vars: &[(&str, &str)]| {
            Env::from_vars(vars.iter().map(|(k, v)| (k.to_string(), v.to_string())), None).is_err()
        };
        assert!(refused(&[]) && refused(&[("OPENCLAW_STATE_DIR", "~/s")]));
    }

    #[test]
    fn bad_profile_names_are_refused_with_status_2() {
        for name in ["", "-x", "a b", "a/b", "é"] {
            let err = Env::from_vars([("HOME".to_string(), "/h".to_string())], Some(name)).unwrap_err();
            assert_eq!(err.exit_code(), 2, "{name}");
        }
    }

    #[test]
    fn a_bad_port_variable_counts_as_unset() {
        for (text, want) in [("18790", Some(18790)), ("0", None), ("x", None), ("70000", None), (" ", None)] {
            assert_eq!(
                env(&[("HOME", "/h"), ("OPENCLAW_GATEWAY_PORT", text)], None).port(),
                want,
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_bad_port_variable_is_refused_by_its_name() {
        for text in ["0", "x", "70000"] {
            for name in ["OPENCLAW_GATEWAY_PORT", "CLAWDBOT_GATEWAY_PORT"] {
                let error = env(&[("HOME", "/h"), (name, text)], None).check_port().unwrap_err();
                assert_eq!(error.exit_code(), 78);
                assert!(error.message().contains(name) && error.message().contains(text), "{error}");
            }
        }
        for text in [" 18790 ", " "] {
            assert!(env(&[("HOME", "/h"), ("OPENCLAW_GATEWAY_PORT", text)], None).check_port().is_ok());
        }
    }
}
