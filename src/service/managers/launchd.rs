//! launchd: labels, property lists, what to run, and what a property list says.
//!
//! Pure functions. A stop is a SIGTERM, after which launchd leaves an agent that ended well alone; only an
//! uninstall takes the agent out of launchd, because a failed way back in leaves nothing (R-18a, R-18b).
use super::quote::{xml, xml_read};
use super::template::{self, fill};
use crate::env::Env;
use crate::error::Result;
use crate::service::spec::Spec;
use crate::service::{Action, Place, Role, Step, may, must};
use rustix::process::getuid;

/// `bot.molt.gateway` or `bot.molt.<profile>`, unless `OPENCLAW_LAUNCHD_LABEL` names another; `ai.openclaw.node` for the
/// node host, as the original has it.
pub fn label(env: &Env, role: Role) -> String {
    match (env.var("OPENCLAW_LAUNCHD_LABEL"), &env.profile) {
        (_, None) if role == Role::Node => "ai.openclaw.node".to_string(),
        (_, Some(profile)) if role == Role::Node => format!("ai.openclaw.node-{profile}"),
        (Some(label), _) => label.trim().to_string(),
        (None, profile) => format!("bot.molt.{}", profile.as_deref().unwrap_or("gateway")),
    }
}

/// The labels an earlier release of this product gave the same service.
pub fn legacy_labels(env: &Env) -> Vec<String> {
    match &env.profile {
        None => vec!["com.openclaw.gateway".to_string()],
        Some(profile) => {
            vec![format!("com.openclaw.{profile}"), format!("com.openclaw.gateway-{profile}")]
        }
    }
}

pub fn render(place: &Place, spec: &Spec) -> Result<String> {
    let mut arguments = Vec::new();
    for argument in std::iter::once(&spec.program).chain(&spec.arguments) {
        arguments.push(format!("    <string>{}</string>", xml(argument)?));
    }
    let mut environment = Vec::new();
    for (name, value) in &spec.environment {
        environment.push(format!("    <key>{}</key>\n    <string>{}</string>", xml(name)?, xml(value)?));
    }
    fill(
        &template::of(template::LAUNCHD, place.role),
        &[
            ("LABEL", xml(&place.name)?),
            ("DESCRIPTION", xml(&spec.description)?),
            ("ARGUMENTS", arguments.join("\n")),
            ("DIRECTORY", xml(&spec.directory)?),
            ("LOGS", xml(&spec.logs)?),
            ("ENVIRONMENT", environment.join("\n")),
        ],
    )
}

fn domain() -> String {
    format!("gui/{}", getuid().as_raw())
}

/// The agent's name for `launchctl`.
pub fn target(label: &str) -> String {
    format!("{}/{label}", domain())
}

/// Takes an agent out of launchd.
pub fn bootout(label: &str) -> Step {
    may(&["launchctl", "bootout", &target(label)])
}

pub fn steps(place: &Place, action: Action, is_loaded: bool) -> Vec<Step> {
    let (target, domain, path) = (target(&place.name), domain(), place.path.display().to_string());
    let enable = || must(&["launchctl", "enable", &target]);
    let bootstrap = || must(&["launchctl", "bootstrap", &domain, &path]);
    let kickstart = || must(&["launchctl", "kickstart", &target]);
    match action {
        // A changed property list is read only on the way in.
        Action::Enable if is_loaded => vec![bootout(&place.name), enable(), bootstrap(), kickstart()],
        Action::Enable => vec![enable(), bootstrap(), kickstart()],
        Action::Start if is_loaded => vec![kickstart()],
        Action::Start => vec![enable(), bootstrap(), kickstart()],
        Action::Stop => vec![must(&["launchctl", "kill", "TERM", &target])],
        Action::Restart if is_loaded => vec![must(&["launchctl", "kickstart", "-k", &target])],
        Action::Restart => vec![enable(), bootstrap(), kickstart()],
        Action::Disable => vec![bootout(&place.name)],
        Action::Forget => Vec::new(),
    }
}

/// The command a property list names.
pub fn command(text: &str) -> Vec<String> {
    elements(section(text, "ProgramArguments", "</array>"), "string")
}

/// The environment a property list sets.
pub fn environment(text: &str) -> Vec<(String, String)> {
    let dict = section(text, "EnvironmentVariables", "</dict>");
    elements(dict, "key").into_iter().zip(elements(dict, "string")).collect()
}

fn section<'a>(text: &'a str, key: &str, end: &str) -> &'a str {
    let after = text.split_once(&format!("<key>{key}</key>")).map_or("", |(_, after)| after);
    after.split_once(end).map_or("", |(inner, _)| inner)
}

fn elements(text: &str, tag: &str) -> Vec<String> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let pieces = text.split(&open).skip(1);
    pieces.filter_map(|piece| piece.split_once(&close)).map(|(inner, _)| xml_read(inner)).collect()
}

/// PID of a loaded agent, from `launchctl print`.
pub fn pid(printed: &str) -> Option<u32> {
    printed.lines().find_map(|line| line.trim().strip_prefix("pid = ")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Manager;

    fn env(profile: Option<&str>) -> Env {
        Env::from_vars([("HOME".to_string(), "/h".to_string())], profile).unwrap()
    }

    #[test]
    fn sec_36_property_lists_say_what_they_were_told() {
        let place = Place::of(&env(None), Manager::Launchd).unwrap();
        let spec = Spec {
            description: "a <b>".into(),
            program: "/o p/<string>&amp;/\"'/openclaw".into(),
            arguments: vec!["gateway".into(), "</array>".into()],
            directory: "/h&".into(),
            environment: vec![("HOME".into(), "</string><key>X".into()), ("Y".into(), String::new())],
            user: String::new(),
            writable: Vec::new(),
            logs: "/l>".into(),
        };
        let text = render(&place, &spec).unwrap();
        let mut expected = vec![spec.program.clone()];
        expected.extend(spec.arguments.clone());
        assert_eq!(command(&text), expected);
        assert_eq!(environment(&text), spec.environment);
        assert!(render(&place, &Spec { program: "/a\nb".into(), ..spec }).is_err());
    }

    /// XML allows no two dashes within a comment.
    #[test]
    fn comments_of_property_lists_are_well_formed() {
        for comment in template::LAUNCHD.split("<!--").skip(1) {
            let (inner, _) = comment.split_once("-->").unwrap();
            assert!(!inner.contains("--") && !inner.ends_with('-'), "{inner}");
        }
    }

    #[test]
    fn r_18_only_a_way_out_is_a_bootout() {
        let place = Place::of(&env(Some("work")), Manager::Launchd).unwrap();
        let words = |action, loaded| {
            let steps = steps(&place, action, loaded);
            steps.iter().map(|step| step.line.join(" ")).collect::<Vec<_>>().join("\n")
        };
        for (action, loaded) in [
            (Action::Start, true),
            (Action::Start, false),
            (Action::Stop, true),
            (Action::Restart, true),
            (Action::Restart, false),
            (Action::Enable, false),
        ] {
            assert!(!words(action, loaded).contains("bootout"), "{action:?}");
        }
        let target = target("bot.molt.work");
        assert_eq!(words(Action::Restart, true), format!("launchctl kickstart -k {target}"));
        assert_eq!(words(Action::Stop, true), format!("launchctl kill TERM {target}"));
        assert_eq!(words(Action::Disable, true), format!("launchctl bootout {target}"));
    }

    #[test]
    fn print_tells_the_pid() {
        assert_eq!(pid("gui/1/x = {\n\tstate = running\n\tpid = 42\n}"), Some(42));
        assert_eq!(pid("gui/1/x = {\n\tstate = waiting\n}"), None);
    }
}
