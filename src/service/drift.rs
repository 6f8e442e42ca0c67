//! How an installed service file differs from what would be installed now. Pure but for looking whether its program is
//! still there; tells names, never values.
use super::inspect::{Inspection, expected, wishes};
use super::{Place, systemd};
use crate::env::Env;
use std::path::Path;

/// Differences that are told one by one.
const MAX_DRIFT: usize = 12;

/// What is told of a service file's `text`, one difference each.
pub(super) fn drift(env: &Env, place: &Place, text: &str, seen: &Inspection) -> Vec<String> {
    let program = seen.command.first().map(Path::new).filter(|program| program.is_absolute());
    let lost = program.filter(|program| matches!(program.try_exists(), Ok(false)));
    let mut drift: Vec<String> =
        lost.iter().map(|program| format!("its program {} does not exist", program.display())).collect();
    if seen.is_node {
        drift.push("it runs the Node program".to_string());
        return drift;
    }
    // What was chosen at the installation is no difference.
    let expected = match expected(env, place, text, &wishes(place, text)) {
        Ok(expected) => expected,
        Err(error) => return vec![error.message().to_string()],
    };
    if ["TOKEN=", "PASSWORD=", "_TOKEN</key>", "_PASSWORD</key>"].iter().any(|name| text.contains(name)) {
        drift.push("it holds a secret that every user of this machine can read".to_string());
    }
    let has = |text: &str, line: &str| text.lines().any(|other| other.trim() == line);
    let lines = |text: &str| text.lines().map(|l| l.trim().to_string()).collect::<Vec<_>>();
    let lacking = lines(&expected).into_iter().filter(|line| !line.starts_with('#') && !has(text, line));
    drift.extend(lacking.map(|line| format!("lacks: {line}")));
    // Only the names of what it has too much: a value could be a secret.
    let extra = lines(text).into_iter().filter(|line| !line.starts_with('#') && !has(&expected, line));
    let extra = extra.map(|line| match line.split_once('=') {
        Some(("Environment", _)) => {
            format!("has its own: Environment {}", variables(&line)).trim_end().to_string()
        }
        Some((name, _)) if !name.contains(' ') => format!("has its own: {name}"),
        _ => "has lines of its own".to_string(),
    });
    drift.extend(extra);
    drift.dedup();
    drift.truncate(MAX_DRIFT);
    drift
}

/// The names of the variables that a unit's line sets; what does not look like a name could be part of a value.
fn variables(line: &str) -> String {
    let is_name =
        |name: &str| name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    let names = systemd::environment(line).into_iter().map(|(name, _)| name).filter(|name| is_name(name));
    names.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Manager;
    use crate::service::inspect::{look, port};
    use crate::service::spec::{Spec, Wishes};
    use crate::service::testing::home;

    #[test]
    fn an_upgrade_is_no_drift_and_an_edit_is() {
        let (dir, env) = home("drift");
        let place = Place::of(&env, Manager::SystemdUser).unwrap();
        let text =
            place.render(&Spec::of(&env, &place, &Wishes { port: Some(7), user: None }, "0.0.1").unwrap());
        let text = text.unwrap();
        std::fs::write(&place.path, &text).unwrap();
        let seen = look(&env, &place);
        assert_eq!((seen.version.as_deref(), seen.drift.len()), (Some("0.0.1"), 0), "{:?}", seen.drift);
        assert_eq!(port(&seen.command), Some(7));
        assert!(seen.installed && seen.running.is_none() && seen.trouble.is_some());
        let edited = text.replace("RestartSec=5", "RestartSec=1\nEnvironment=OPENCLAW_GATEWAY_TOKEN=canary");
        std::fs::write(&place.path, &edited).unwrap();
        let drift = look(&env, &place).drift.join("|");
        assert!(
            drift.contains("lacks: RestartSec=5")
                && drift.contains("has its own: Environment OPENCLAW_GATEWAY_TOKEN"),
            "{drift}"
        );
        assert!(drift.contains("secret") && !drift.contains("canary"), "{drift}");
        assert!(!drift.contains("does not exist"), "{drift}");
        let program = &seen.command[0];
        std::fs::write(
            &place.path,
            edited.replace(&format!("ExecStart={program}"), "ExecStart=/nowhere/openclaw"),
        )
        .unwrap();
        let drift = look(&env, &place).drift;
        assert_eq!(drift[0], "its program /nowhere/openclaw does not exist");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
