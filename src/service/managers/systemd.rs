//! systemd: unit names, unit text, what to run, and what a unit and the manager say.
//!
//! Pure functions. Exit codes and `show`'s property names are the same in every language (R-15a).
use super::quote::{systemd_argument, systemd_line, systemd_program, systemd_split, systemd_word};
use super::template::fill;
use crate::env::Env;
use crate::error::Result;
use crate::service::spec::Spec;
use crate::service::{Action, Manager, Place, Role, Step, may, must};

/// `openclaw-gateway[-<profile>].service`, unless `OPENCLAW_SYSTEMD_UNIT` names another; `openclaw-node` likewise.
pub fn unit(env: &Env, role: Role) -> String {
    let (_, word) = role.words();
    let chosen = env.var("OPENCLAW_SYSTEMD_UNIT").filter(|_| role == Role::Gateway);
    let name = match (chosen, &env.profile) {
        (Some(name), _) => name.trim().trim_end_matches(".service").to_string(),
        (None, Some(profile)) => format!("openclaw-{word}-{profile}"),
        (None, None) => format!("openclaw-{word}"),
    };
    format!("{name}.service")
}

pub fn render(template: &str, place: &Place, spec: &Spec) -> Result<String> {
    let mut command = systemd_program(&spec.program)?;
    for argument in &spec.arguments {
        command = format!("{command} {}", systemd_argument(argument)?);
    }
    let mut environment = Vec::new();
    for (name, value) in &spec.environment {
        environment.push(format!("Environment={}", systemd_word(&format!("{name}={value}"))?));
    }
    let mut writable = Vec::new();
    for dir in &spec.writable {
        // With the dash one that does not exist yet is no failure.
        writable.push(systemd_word(&format!("-{dir}"))?);
    }
    let (owner, target) = match place.manager.is_system() {
        true => (format!("User={}", systemd_line(&spec.user)?), "multi-user.target"),
        false => ("# Of this user's own manager.".to_string(), "default.target"),
    };
    fill(
        template,
        &[
            ("UNIT", place.name.clone()),
            ("DESCRIPTION", systemd_line(&spec.description)?),
            ("COMMAND", command),
            ("DIRECTORY", systemd_line(&spec.directory)?),
            ("ENVIRONMENT", environment.join("\n")),
            ("USER", systemd_line(&spec.user)?),
            ("WRITABLE", writable.join(" ")),
            ("OWNER", owner),
            ("TARGET", target.to_string()),
        ],
    )
}

/// `systemctl` of the right manager with these words.
pub fn line<'a>(manager: Manager, words: &[&'a str]) -> Vec<&'a str> {
    let scope = (manager == Manager::SystemdUser).then_some("--user");
    std::iter::once("systemctl").chain(scope).chain(words.iter().copied()).collect()
}

pub fn steps(place: &Place, action: Action) -> Vec<Step> {
    let run = |words: &[&str]| must(&line(place.manager, words));
    let unit = place.name.as_str();
    match action {
        Action::Enable => vec![run(&["daemon-reload"]), run(&["enable", unit]), run(&["restart", unit])],
        Action::Start => vec![run(&["start", unit])],
        Action::Stop => vec![run(&["stop", unit])],
        Action::Restart => vec![run(&["restart", unit])],
        Action::Disable => vec![may(&line(place.manager, &["disable", "--now", unit]))],
        Action::Forget => vec![
            may(&line(place.manager, &["daemon-reload"])),
            may(&line(place.manager, &["reset-failed", unit])),
        ],
    }
}

/// What a person has to run when no manager can be reached now; the first for services of a user only.
pub fn left_to_do(place: &Place, user: &str) -> Vec<String> {
    let unit = place.name.as_str();
    let show = |words: &[&str]| {
        let sudo = if place.manager == Manager::SystemdSystem { "sudo " } else { "" };
        format!("{sudo}{}", line(place.manager, words).join(" "))
    };
    let linger = (place.manager == Manager::SystemdUser).then(|| crate::service::advice::enable_linger(user));
    linger.into_iter().chain([show(&["daemon-reload"]), show(&["enable", "--now", unit])]).collect()
}

/// The values of a setting in a unit's text, in order; lines that go on are joined.
pub fn settings(text: &str, name: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    let values = lines.filter_map(|line| line.split_once('=')).filter(|(key, _)| key.trim() == name);
    values.map(|(_, value)| value.trim().to_string()).collect()
}

/// The command a unit runs.
pub fn command(text: &str) -> Vec<String> {
    let line = settings(text, "ExecStart").into_iter().next_back().unwrap_or_default();
    systemd_split(line.trim_start_matches(['-', '@', ':', '+', '!']), true).unwrap_or_default()
}

/// The environment a unit sets.
pub fn environment(text: &str) -> Vec<(String, String)> {
    let words =
        settings(text, "Environment").into_iter().filter_map(|line| systemd_split(&line, false)).flatten();
    words.filter_map(|word| word.split_once('=').map(|(k, v)| (k.to_string(), v.to_string()))).collect()
}

/// One property of `systemctl show`'s answer.
pub fn property<'a>(shown: &'a str, name: &str) -> Option<&'a str> {
    shown
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::managers::template;

    fn spec(program: &str, directory: &str) -> Spec {
        Spec {
            description: "OpenClaw Gateway (v1)".into(),
            program: program.into(),
            arguments: ["gateway", "--port", "1", "a b\"$x%h"].map(String::from).into(),
            directory: directory.into(),
            environment: vec![("HOME".into(), directory.into()), ("X".into(), "50% \"q\" $y \\".into())],
            user: "me".into(),
            writable: vec!["/h/a b".into(), "/s".into()],
            logs: "/l".into(),
        }
    }

    #[test]
    fn sec_36_units_say_what_they_were_told() {
        let env = Env::from_vars([("HOME".to_string(), "/h".to_string())], None).unwrap();
        for (manager, text) in [
            (Manager::SystemdUser, template::SYSTEMD_USER),
            (Manager::SystemdSystem, template::SYSTEMD_SYSTEM),
        ] {
            let place = Place::of(&env, manager).unwrap();
            for program in ["/usr/local/bin/openclaw", "/o p/$x/100%/é/open;claw"] {
                let spec = spec(program, "/home/a b%");
                let unit = render(text, &place, &spec).unwrap();
                let mut expected = vec![program.to_string()];
                expected.extend(spec.arguments.clone());
                assert_eq!(command(&unit), expected);
                assert_eq!(environment(&unit), spec.environment);
                assert_eq!(settings(&unit, "WorkingDirectory"), ["/home/a b%%"]);
                assert!(
                    !unit.replace("@system-service", "").replace("~@privileged", "").contains(" @U"),
                    "{unit}"
                );
            }
            for bad in ["/o\"", "/o'", "/o\\x"] {
                assert!(render(text, &place, &spec(bad, "/h")).is_err());
            }
            for bad in ["/a\nExecStart=/bin/evil", "/a\0b"] {
                assert!(render(text, &place, &spec(bad, "/h")).is_err());
                assert!(render(text, &place, &spec("/o", bad)).is_err());
            }
        }
    }

    /// R-04d, R-01b and the runbook's own lines.
    #[test]
    fn units_carry_what_such_a_daemon_should_have() {
        for text in [template::SYSTEMD_USER, template::SYSTEMD_SYSTEM] {
            let one = |name: &str| settings(text, name).first().cloned().unwrap_or_default();
            for (name, value) in [
                ("After", "network-online.target"),
                ("Wants", "network-online.target"),
                ("Restart", "always"),
                ("RestartSec", "5"),
                ("RestartPreventExitStatus", "78"),
                ("Type", "notify"),
                ("NoNewPrivileges", "yes"),
            ] {
                assert_eq!(one(name), value, "{name}");
            }
            for name in ["MemoryHigh", "MemoryMax", "TasksMax", "OOMScoreAdjust", "WatchdogSec"] {
                assert!(!one(name).is_empty(), "{name}");
            }
            // R-01e: a stop takes at most 5 s.
            assert!(one("TimeoutStopSec").parse::<u32>().unwrap() > 5);
        }
    }

    #[test]
    fn units_of_the_node_program_are_read() {
        let text = "[Service]\nExecStart=\"/usr/bin/node\" /opt/openclaw/dist/index.js \\\n gateway --port 18789\nEnvironment=\"HOME=/home/s\"\nEnvironment=PATH=/usr/bin\n# Environment=X=1\n";
        assert_eq!(
            command(text),
            ["/usr/bin/node", "/opt/openclaw/dist/index.js", "gateway", "--port", "18789"]
        );
        let vars = environment(text);
        assert_eq!(vars.len(), 2);
        assert_eq!(vars[0], ("HOME".to_string(), "/home/s".to_string()));
    }
}
