//! Other gateways of this machine: services that look like one and are not a profile's of this product.
//!
//! Reads service files, runs nothing.
use super::inspect::{is_node, read};
use super::{Manager, Place, launchd, quote, systemd};
use crate::env::Env;
use std::path::{Path, PathBuf};

/// The name of the program, and those it went by.
const NAMES: [&str; 3] = ["openclaw", "clawdbot", "moltbot"];

/// A service that is not this profile's and looks like a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    pub name: String,
    pub path: PathBuf,
    /// `user` or `system`.
    pub scope: &'static str,
    /// `openclaw`, or the earlier product name it goes by.
    pub marker: &'static str,
    /// Whether it is of an earlier product name or label.
    pub legacy: bool,
    /// Whether it runs the Node program.
    pub is_node: bool,
}

impl std::fmt::Display for Other {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let node = if self.is_node { ", runs the Node program" } else { "" };
        write!(f, "{} ({}, unit: {}{node})", self.name, self.scope, self.path.display())
    }
}

impl Other {
    /// Whether it is one of launchd's.
    pub fn is_agent(&self) -> bool {
        self.path.extension().is_some_and(|end| end == "plist")
    }

    /// The commands that stop and remove it, for a shell.
    pub fn removal(&self) -> String {
        let (name, path) = (quote::shown(&self.name), quote::shown(&self.path.display().to_string()));
        match (self.is_agent(), self.scope) {
            (true, "user") => format!("launchctl bootout gui/$UID/{name}; rm {path}"),
            (true, _) => format!("sudo launchctl bootout system/{name}; sudo rm {path}"),
            (false, "user") => format!("systemctl --user disable --now {name} && rm {path}"),
            (false, _) => format!("sudo systemctl disable --now {name} && sudo rm {path}"),
        }
    }
}

/// Services beside this profile's that look like a gateway and are not another profile's. `deep`
/// also looks at the machine's own services.
pub fn others(env: &Env, deep: bool) -> Vec<Other> {
    let user = [".config/systemd/user", "Library/LaunchAgents"].map(|dir| (env.home.join(dir), "user"));
    let system =
        ["etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system", "Library/LaunchDaemons"];
    let system = system.map(|dir| (super::under_root(env, dir), "system"));
    let dirs = user.into_iter().chain(system.into_iter().filter(|_| deep));
    let own = [Place::find(env, None), Place::of(env, Manager::Launchd)];
    let own: Vec<PathBuf> = own.into_iter().flatten().map(|place| place.path).collect();
    let (mut found, mut looked_at): (Vec<Other>, Vec<PathBuf>) = Default::default();
    for (dir, scope) in dirs {
        // /lib is often a link to /usr/lib.
        let Ok(real) = std::fs::canonicalize(&dir) else { continue };
        if looked_at.contains(&real) {
            continue;
        }
        looked_at.push(real);
        let entries = std::fs::read_dir(&dir).into_iter().flatten().flatten().map(|entry| entry.path());
        let fits = |path: &PathBuf| path.extension().is_some_and(|e| e == "service" || e == "plist");
        let mut paths: Vec<PathBuf> = entries.filter(|path| fits(path) && !own.contains(path)).collect();
        crate::order::sort(&mut paths);
        found.extend(paths.iter().filter_map(|path| other(path, scope)));
    }
    found
}

fn other(path: &Path, scope: &'static str) -> Option<Other> {
    let text = read(path)?;
    let lower = text.to_ascii_lowercase();
    let file = path.file_name()?.to_string_lossy().into_owned();
    // A machine has hundreds that name none of these, and are not worth a closer look.
    if !NAMES.iter().any(|name| lower.contains(name) || file.to_ascii_lowercase().contains(name)) {
        return None;
    }
    let name = file.trim_end_matches(".plist").to_string();
    let command = match path.extension().is_some_and(|e| e == "plist") {
        true => launchd::command(&text),
        false => systemd::command(&text),
    };
    let is_node = is_node(&command);
    let words = if command.is_empty() {
        name.trim_end_matches(".service").replace(['.', '-'], " ")
    } else {
        command.join(" ")
    };
    let marker = marker(&words.to_ascii_lowercase())?;
    let is_profile = lower.contains("openclaw_service_marker") && lower.contains("openclaw_service_kind");
    if marker == "openclaw" && is_profile && !name.starts_with("ai.openclaw.") {
        return None;
    }
    let old_label = ["com.openclaw.", "ai.openclaw."].iter().any(|prefix| name.starts_with(prefix));
    Some(Other {
        name,
        path: path.to_path_buf(),
        scope,
        marker,
        legacy: marker != "openclaw" || old_label,
        is_node,
    })
}

/// Whose gateway a command line starts: the program, or the script of another program, with the word `gateway` behind
/// it and no command of the gateway behind that.
fn marker(line: &str) -> Option<&'static str> {
    let words: Vec<&str> =
        line.split(|c: char| c.is_whitespace() || "'\";&|()".contains(c)).filter(|w| !w.is_empty()).collect();
    let starts = |pair: &[&str]| {
        let is_command = |next: &&str| *next != "run" && next.starts_with(|c: char| c.is_alphabetic());
        matches!(pair.first(), Some(&("gateway" | "gateway-daemon"))) && !pair.get(1).is_some_and(is_command)
    };
    let at = (1..words.len()).find(|at| words.get(*at..).is_some_and(starts))?;
    let before = words.get(..at)?;
    NAMES.into_iter().find(|name| before.iter().any(|word| runs(word, name)))
}

/// Whether a word names this program: as a file, maybe with an ending, or as a script below a directory of its name.
fn runs(word: &str, name: &str) -> bool {
    let is_script = word.ends_with("js") || word.ends_with(".ts");
    let file = word.rsplit('/').next().unwrap_or_default();
    let rest = file.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ':', '@']))
        || (is_script && word.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::spec::{Spec, Wishes};
    use crate::service::testing::home;

    #[test]
    fn others_are_told_apart_from_profiles() {
        let (dir, env) = home("others");
        let place = Place::of(&env, Manager::SystemdUser).unwrap();
        let own = place.render(&Spec::of(&env, &place, &Wishes::default(), "1").unwrap()).unwrap();
        let units = dir.join(".config/systemd/user");
        let node = "[Service]\nExecStart=/usr/bin/node /x/openclaw/index.js gateway\n";
        for (name, text) in [
            ("openclaw-gateway.service", own.as_str()),
            ("openclaw-gateway-rescue.service", &own),
            ("openclaw-custom.service", "[Service]\nExecStart=/usr/bin/openclaw gateway\n"),
            ("clawdbot-gateway.service", "[Service]\nExecStart=/usr/bin/clawdbot gateway\n"),
            ("openclaw-gateway-old.service", node),
            ("nginx.service", "[Service]\nExecStart=/usr/sbin/nginx\n"),
            ("notes.service", "[Unit]\nDescription=edits openclaw notes\n[Service]\nExecStart=/usr/bin/vi\n"),
            ("openclaw-gateway-backup.service", "[Service]\nExecStart=/usr/bin/openclaw backup create\n"),
        ] {
            std::fs::write(units.join(name), text).unwrap();
        }
        let found = others(&env, true);
        let told: Vec<(&str, bool, bool)> =
            found.iter().map(|o| (o.name.as_str(), o.legacy, o.is_node)).collect();
        assert_eq!(
            told,
            [
                ("clawdbot-gateway.service", true, false),
                ("openclaw-custom.service", false, false),
                ("openclaw-gateway-old.service", false, true)
            ]
        );
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn only_a_gateway_is_a_gateway() {
        for (line, want) in [
            ("/usr/bin/openclaw gateway", Some("openclaw")),
            ("/usr/bin/openclaw --profile x gateway run --port 1", Some("openclaw")),
            (
                "/usr/bin/node /home/s/.npm/lib/node_modules/clawdbot/dist/index.js gateway-daemon",
                Some("clawdbot"),
            ),
            ("/bin/sh -c 'exec moltbot gateway >> /tmp/log 2>&1'", Some("moltbot")),
            ("/usr/bin/node /opt/openclaw/openclaw.mjs gateway --port 1", Some("openclaw")),
            ("/usr/bin/openclaw backup create", None),
            ("/usr/bin/openclaw gateway healthcheck --ready", None),
            ("/usr/bin/vi /home/openclaw/notes", None),
            ("/home/openclaw/bin/kong gateway", None),
            ("gateway openclaw", None),
        ] {
            assert_eq!(marker(line), want, "{line}");
        }
    }

    #[test]
    fn sec_36_what_is_to_be_copied_into_a_shell_is_quoted() {
        let other = |name: &str, scope| Other {
            name: name.into(),
            path: Path::new("/u").join(name),
            scope,
            marker: "openclaw",
            legacy: false,
            is_node: false,
        };
        for (name, scope, want) in [
            ("x.service", "user", "systemctl --user disable --now x.service && rm /u/x.service"),
            (
                "a$(id).service",
                "user",
                "systemctl --user disable --now 'a$(id).service' && rm '/u/a$(id).service'",
            ),
            (
                "a$HOME.service",
                "system",
                "sudo systemctl disable --now 'a$HOME.service' && sudo rm '/u/a$HOME.service'",
            ),
            ("my x.plist", "user", "launchctl bootout gui/$UID/'my x.plist'; rm '/u/my x.plist'"),
        ] {
            assert_eq!(other(name, scope).removal(), want);
        }
    }
}
