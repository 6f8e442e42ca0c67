//! OpenRC: the init script of Alpine, Gentoo and others, run by its `supervise-daemon`. Pure functions.
use super::quote::shell;
use super::template::{self, fill};
use crate::error::Result;
use crate::service::spec::Spec;
use crate::service::{Action, Place, Step, may, must};

pub fn render(place: &Place, spec: &Spec) -> Result<String> {
    let mut environment = Vec::new();
    for (name, value) in &spec.environment {
        // OpenRC finds helpers of its own by PATH, until the service is started.
        let before = if name == "PATH" { "\"$PATH\":" } else { "" };
        environment.push(format!("export {name}={before}{}", shell(value)?));
    }
    let mut twice = Twice::default();
    let command = twice.word(&spec.program)?;
    let mut arguments = Vec::new();
    for argument in &spec.arguments {
        arguments.push(twice.word(argument)?);
    }
    let (user, directory) = (twice.word(&spec.user)?, twice.word(&spec.directory)?);
    fill(
        &template::of(template::OPENRC, place.role),
        &[
            ("NAME", place.name.clone()),
            ("DESCRIPTION", shell(&spec.description)?),
            ("COMMAND", shell(&command)?),
            ("ARGUMENTS", shell(&arguments.join(" "))?),
            ("USER", shell(&user)?),
            ("DIRECTORY", shell(&directory)?),
            ("VALUES", twice.values),
            ("ENVIRONMENT", environment.join("\n")),
        ],
    )
}

/// Words for settings that OpenRC expands unquoted and then passes to `eval`. No quoting survives both for every
/// value (runs of blanks, `*`), a quoted variable's name does.
#[derive(Default)]
struct Twice {
    /// The lines that set the variables.
    values: String,
    count: usize,
}

impl Twice {
    fn word(&mut self, value: &str) -> Result<String> {
        let quoted = shell(value)?;
        if !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || "_@/.,:+-".contains(c)) {
            return Ok(value.to_string());
        }
        self.count += 1;
        self.values += &format!("openclaw_value_{}={quoted}\n", self.count);
        Ok(format!("\"$openclaw_value_{}\"", self.count))
    }
}

/// The variables that a script exports with plain values.
pub fn environment(text: &str) -> Vec<(String, String)> {
    let exports = text.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
    let plain = exports.filter_map(|(name, value)| {
        let value = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or(value);
        (!value.contains(['\'', '"', '$', '\\', '`'])).then(|| (name.to_string(), value.to_string()))
    });
    plain.collect()
}

pub fn steps(place: &Place, action: Action) -> Vec<Step> {
    let name = place.name.as_str();
    match action {
        Action::Enable => {
            vec![must(&["rc-update", "add", name, "default"]), must(&["rc-service", name, "restart"])]
        }
        Action::Start => vec![must(&["rc-service", name, "start"])],
        Action::Stop => vec![must(&["rc-service", name, "stop"])],
        Action::Restart => vec![must(&["rc-service", name, "restart"])],
        Action::Disable => {
            vec![may(&["rc-service", name, "stop"]), may(&["rc-update", "del", name, "default"])]
        }
        Action::Forget => Vec::new(),
    }
}
