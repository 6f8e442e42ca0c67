//! procd: the init script of OpenWrt. Pure functions.
use super::quote::shell;
use super::template::{self, fill};
use crate::error::Result;
use crate::service::spec::Spec;
use crate::service::{Action, Place, Step, may, must};

pub fn render(place: &Place, spec: &Spec) -> Result<String> {
    let mut command = Vec::new();
    for argument in std::iter::once(&spec.program).chain(&spec.arguments) {
        command.push(shell(argument)?);
    }
    let mut environment = Vec::new();
    for (name, value) in &spec.environment {
        environment.push(shell(&format!("{name}={value}"))?);
    }
    fill(
        &template::of(template::PROCD, place.role),
        &[
            ("NAME", shell(&place.name)?),
            ("DESCRIPTION", spec.description.clone()),
            ("COMMAND", command.join(" ")),
            ("ENVIRONMENT", environment.join(" \\\n\t\t")),
            ("USER", shell(&spec.user)?),
        ],
    )
}

pub fn steps(place: &Place, action: Action) -> Vec<Step> {
    let script = place.path.display().to_string();
    let run = |word: &str| must(&[&script, word]);
    match action {
        Action::Enable => vec![run("enable"), run("restart")],
        Action::Start => vec![run("start")],
        Action::Stop => vec![run("stop")],
        Action::Restart => vec![run("restart")],
        Action::Disable => vec![may(&[&script, "stop"]), may(&[&script, "disable"])],
        Action::Forget => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;
    use crate::service::{Manager, openrc};
    use std::process::Command;

    fn spec() -> Spec {
        Spec {
            description: "OpenClaw Gateway (v1)".into(),
            program: "/o p/$x/`id`/it's/openclaw".into(),
            arguments: vec!["gateway".into(), "a  b;\"$(id)\\".into()],
            directory: "/h 'x'".into(),
            environment: vec![("HOME".into(), "/h 'x'".into()), ("X".into(), "$Y \"z\" \\".into())],
            user: "me".into(),
            writable: Vec::new(),
            logs: "/l".into(),
        }
    }

    /// Runs a script with stand-ins for what its framework defines and gives what it printed, split at NUL.
    fn play(script: &str) -> Vec<String> {
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.split('\0').filter(|word| !word.is_empty()).map(str::to_string).collect()
    }

    #[test]
    fn sec_36_procd_is_told_what_was_meant() {
        let env = Env::from_vars([("HOME".to_string(), "/h".to_string())], None).unwrap();
        let text = render(&Place::of(&env, Manager::Procd).unwrap(), &spec()).unwrap();
        let frame = "procd_open_instance() { :; }; procd_close_instance() { :; }\n\
            procd_set_param() { case $1 in command|env) printf '%s\\0' \"$@\";; esac; }\n";
        let said = play(&format!("{frame}{text}\nstart_service"));
        let spec = spec();
        assert_eq!(said[1..4], [spec.program, spec.arguments[0].clone(), spec.arguments[1].clone()]);
        assert_eq!(said[5..], ["HOME=/h 'x'", "X=$Y \"z\" \\"]);
    }

    /// As `supervise-daemon.sh` does it: an `eval` over the expanded variables.
    #[test]
    fn sec_36_openrc_is_told_what_was_meant() {
        let env = Env::from_vars([("HOME".to_string(), "/h".to_string())], None).unwrap();
        let text = openrc::render(&Place::of(&env, Manager::OpenRc).unwrap(), &spec()).unwrap();
        let run = "eval printf \"'%s\\\\0'\" $directory $command_user $command -- $command_args\n\
            printf '%s\\0' \"$HOME\" \"$X\"";
        let said = play(&format!("{text}\n{run}"));
        let spec = spec();
        let mut want = vec![spec.directory, spec.user, spec.program, "--".to_string()];
        want.extend(spec.arguments);
        want.extend(spec.environment.into_iter().map(|(_, value)| value));
        assert_eq!(said, want);
    }

    /// What OpenRC's own programs are found by stays in front, and a limit that is not to be had is no error.
    #[test]
    fn i16_5_openrc_keeps_its_path_and_its_limits() {
        let env = Env::from_vars([("HOME".to_string(), "/h".to_string())], None).unwrap();
        let spec = Spec { environment: vec![("PATH".into(), "/h/bin:/it's".into())], ..spec() };
        let text = openrc::render(&Place::of(&env, Manager::OpenRc).unwrap(), &spec).unwrap();
        let said = |before: &str| play(&format!("{before}\n{text}\nprintf '%s\\0' \"$PATH\" \"$rc_ulimit\""));
        assert_eq!(said("PATH=/lib/rc/bin:/bin")[0], "/lib/rc/bin:/bin:/h/bin:/it's");
        assert_eq!(said("ulimit() { return 0; }")[1], "-n 65536");
        assert_eq!(said("ulimit() { echo no >&2; return 1; }").len(), 1, "no limit is asked for");
    }
}
