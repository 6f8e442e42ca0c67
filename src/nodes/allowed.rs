//! Which commands a node may be told: by its platform, and by the configuration. Pure.
//!
//! What takes pictures, writes or sends is allowed nowhere unless the owner names it (`gateway.nodes.allowCommands`), and what
//! he denies is denied, whoever allows it. The platform is the one that was approved, not what a connection says now.
use crate::config::Config;

/// What kind of device a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    Ios,
    Android,
    Macos,
    /// Linux and Windows: hosts without a screen of ours.
    Host,
    Unknown,
}

/// By the first letters of the platform's name, else by a word in that of its family.
const NAMES: [(&str, Platform); 9] = [
    ("ios", Platform::Ios),
    ("ipados", Platform::Ios),
    ("watchos", Platform::Ios),
    ("android", Platform::Android),
    ("mac", Platform::Macos),
    ("darwin", Platform::Macos),
    ("win", Platform::Host),
    ("linux", Platform::Host),
    ("openwrt", Platform::Host),
];
const FAMILIES: [(&str, Platform); 7] = [
    ("iphone", Platform::Ios),
    ("ipad", Platform::Ios),
    ("ios", Platform::Ios),
    ("android", Platform::Android),
    ("mac", Platform::Macos),
    ("windows", Platform::Host),
    ("linux", Platform::Host),
];

/// Commands that are allowed together, and where.
type Group = (&'static [&'static str], &'static [Platform]);

const SCREENS: &[Platform] = &[Platform::Ios, Platform::Android, Platform::Macos, Platform::Unknown];
const PHONES: &[Platform] = &[Platform::Ios, Platform::Android, Platform::Macos];
const HOSTS: &[Platform] = &[Platform::Macos, Platform::Host, Platform::Unknown];
const GROUPS: [Group; 4] = [
    (
        &[
            "canvas.present",
            "canvas.hide",
            "canvas.navigate",
            "canvas.eval",
            "canvas.snapshot",
            "canvas.a2ui.push",
            "canvas.a2ui.pushJSONL",
            "canvas.a2ui.reset",
            "camera.list",
            "location.get",
        ],
        SCREENS,
    ),
    (
        &[
            "device.info",
            "device.status",
            "contacts.search",
            "calendar.events",
            "reminders.list",
            "photos.latest",
            "motion.activity",
            "motion.pedometer",
        ],
        PHONES,
    ),
    (
        &[
            "system.run",
            "system.run.prepare",
            "system.which",
            "system.execApprovals.get",
            "system.execApprovals.set",
            "browser.proxy",
            "system.notify",
        ],
        HOSTS,
    ),
    (&["system.notify"], &[Platform::Ios]),
];

impl Platform {
    pub fn of(platform: &str, family: &str) -> Platform {
        let (platform, family) = (platform.trim().to_lowercase(), family.to_lowercase());
        let by_name = NAMES.iter().find(|(name, _)| platform.starts_with(name));
        let by_family = || FAMILIES.iter().find(|(word, _)| family.contains(word));
        by_name.or_else(by_family).map_or(Platform::Unknown, |(_, platform)| *platform)
    }
}

/// What the configuration adds and takes away.
#[derive(Debug, Default)]
pub struct Rules {
    added: Vec<String>,
    denied: Vec<String>,
}

impl Rules {
    pub fn of(config: &Config) -> Rules {
        let list = |key: &str| config.strings(key).iter().map(|name| name.trim().to_string()).collect();
        Rules { added: list("gateway.nodes.allowCommands"), denied: list("gateway.nodes.denyCommands") }
    }

    /// Whether the owner has taken it away by name.
    pub fn denies(&self, command: &str) -> bool {
        self.denied.iter().any(|name| name == command)
    }

    pub fn allow(&self, platform: Platform, command: &str) -> bool {
        let names = |list: &[String]| list.iter().any(|name| name == command);
        let is_usual = || GROUPS.iter().any(|(names, on)| names.contains(&command) && on.contains(&platform));
        !names(&self.denied) && (names(&self.added) || is_usual())
    }
}

#[cfg(test)]
#[path = "allowed_tests.rs"]
mod tests;
