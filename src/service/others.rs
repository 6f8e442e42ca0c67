//! Other gateways of this machine: services that look like one and are not a profile's of this product.
//!
//! Reads service files, runs nothing.
use super::inspect::{is_node, read};
use super::{Manager, Place, launchd, systemd};
use crate::env::Env;
use std::path::{Path, PathBuf};

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
    let mut found: Vec<Other> = Vec::new();
    for (dir, scope) in dirs {
        let entries = std::fs::read_dir(&dir).into_iter().flatten().flatten().map(|entry| entry.path());
        let fits = |path: &PathBuf| path.extension().is_some_and(|e| e == "service" || e == "plist");
        let mut paths: Vec<PathBuf> = entries.filter(|path| fits(path) && !own.contains(path)).collect();
        crate::order::sort(&mut paths);
        found.extend(paths.iter().filter_map(|path| other(path, scope)));
    }
    // /lib is often a link to /usr/lib.
    found.dedup_by(|b, a| std::fs::canonicalize(&a.path).ok() == std::fs::canonicalize(&b.path).ok());
    found
}

fn other(path: &Path, scope: &'static str) -> Option<Other> {
    let text = read(path)?;
    let lower = text.to_ascii_lowercase();
    let marker = ["openclaw", "clawdbot", "moltbot"].into_iter().find(|name| lower.contains(name))?;
    let file = path.file_name()?.to_string_lossy().into_owned();
    let name = file.trim_end_matches(".plist").to_string();
    let command = match path.extension().is_some_and(|e| e == "plist") {
        true => launchd::command(&text),
        false => systemd::command(&text),
    };
    let is_node = is_node(&command);
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
}
