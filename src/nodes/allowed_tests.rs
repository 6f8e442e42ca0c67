use super::*;
use crate::config::testing::Dir;
use Platform::*;

const CANVAS: &[&str] =
    &["present", "hide", "navigate", "eval", "snapshot", "a2ui.push", "a2ui.pushJSONL", "a2ui.reset"];
const SYSTEM: &[&str] = &["run", "run.prepare", "which", "execApprovals.get", "execApprovals.set"];
const PERSONAL: &[&str] = &[
    "device.info",
    "device.status",
    "contacts.search",
    "calendar.events",
    "reminders.list",
    "photos.latest",
    "motion.activity",
    "motion.pedometer",
];
const NEVER: &[&str] = &[
    "camera.snap",
    "camera.clip",
    "screen.record",
    "contacts.add",
    "calendar.add",
    "reminders.add",
    "sms.send",
];

/// All commands that there are, with whether iOS, Android, macOS, hosts and unknown ones get them: the original's table.
fn table() -> Vec<(String, [bool; 5])> {
    let mut rows: Vec<(String, [bool; 5])> = Vec::new();
    let mut add = |names: Vec<String>, on| rows.extend(names.into_iter().map(|name| (name, on)));
    let below =
        |prefix: &str, names: &[&str]| names.iter().map(|n| format!("{prefix}{n}")).collect::<Vec<_>>();
    add(below("canvas.", CANVAS), [true, true, true, false, true]);
    add(below("", &["camera.list", "location.get"]), [true, true, true, false, true]);
    add(below("", PERSONAL), [true, true, true, false, false]);
    add(below("system.", SYSTEM), [false, false, true, true, true]);
    add(below("", &["browser.proxy"]), [false, false, true, true, true]);
    add(below("", &["system.notify"]), [true, false, true, true, true]);
    add(below("", NEVER), [false; 5]);
    add(below("", &["", "system.run ", "SYSTEM.RUN", "system", "canvas.*", "no.such"]), [false; 5]);
    rows
}

fn rules(config: &str) -> Rules {
    let dir = Dir::new();
    dir.write("openclaw.json", config);
    Rules::of(&Config::inspect(&mut dir.env(&[])))
}

#[test]
fn i15_1_commands_are_allowed_by_platform_and_by_the_owner() {
    let platforms = [Ios, Android, Macos, Host, Unknown];
    let plain = rules("{}");
    for (command, usual) in table() {
        let only = |key: &str| rules(&format!("{{gateway: {{nodes: {{{key}: [' {command} ']}}}}}}"));
        let both =
            format!("{{gateway: {{nodes: {{allowCommands: ['{command}'], denyCommands: ['{command}']}}}}}}");
        let (added, denied, both) = (only("allowCommands"), only("denyCommands"), rules(&both));
        for (platform, usual) in platforms.into_iter().zip(usual) {
            let on = format!("{command:?} on {platform:?}");
            assert_eq!(plain.allow(platform, &command), usual, "{on}");
            // What the owner writes is trimmed, what a node says was before.
            assert_eq!(added.allow(platform, &command), usual || command == command.trim(), "{on}, added");
            assert!(!denied.allow(platform, &command) || command != command.trim(), "{on}, denied");
            assert!(!both.allow(platform, &command), "{on}, denied beats allowed");
        }
    }
}

#[test]
fn i15_1_a_platform_is_known_by_its_name_then_by_its_family() {
    for (platform, family, want) in [
        ("iOS 18.1", "", Ios),
        ("ios", "Android", Ios),
        ("android", "", Android),
        ("macOS", "", Macos),
        ("darwin", "", Macos),
        (" linux ", "", Host),
        ("win32", "", Host),
        ("", "iPhone15,2", Ios),
        ("beos", "Android phone", Android),
        ("", "MacBookPro", Macos),
        ("beos", "", Unknown),
        ("", "", Unknown),
        ("xlinux", "", Unknown),
    ] {
        assert_eq!(Platform::of(platform, family), want, "{platform:?} {family:?}");
    }
}
