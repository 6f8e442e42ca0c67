//! The diagnosis of `openclaw status --all`: one line a check, `✓` or `!`, each with what to do about it.
//!
//! Looks at files, the port and the service; changes nothing, calls nobody. Made to be pasted into a report, so
//! it shows no secret and only the last lines of the log.
use crate::cli::Context;
use crate::cli::gateway::status::live;
use crate::cli::gateway::unit::{Runtime, Unit};
use crate::cli::link::target::Target;
use crate::cli::logs::line::Style;
use crate::config::Config;
use crate::config::ports;
use crate::env::Env;
use crate::files;
use crate::logging::{self, tail};
use crate::owners::Port;

/// Lines of the log that are shown.
const LOG_LINES: usize = 10;
const LOG_BYTES: u64 = 64 << 10;

/// Whether it is fine, and what to say of it.
type Check = (bool, String);

/// Prints all checks and the end of the log.
pub fn show(
    context: &Context,
    env: &Env,
    config: &Config,
    unit: &Unit,
    target: Option<&Target>,
    is_up: bool,
) {
    let out = &context.out;
    out.heading("\nDiagnosis of this machine (read-only)");
    let checks = [
        of_config(env, config),
        of_service(env, unit),
        of_process(env, config, target, is_up),
        of_ports(env, config),
        of_neighbours(unit),
    ];
    for (is_fine, text) in checks.into_iter().flatten() {
        out.line(env.display_all(&format!("{} {text}", if is_fine { "✓" } else { "!" })));
    }
    let Some(path) = logging::latest(config, env).filter(|path| path.exists()) else {
        out.line("! No log file");
        return;
    };
    out.line(format!("✓ Log: {}", env.display(&path)));
    let span = tail::Span { cursor: None, limit: LOG_LINES, max_bytes: LOG_BYTES };
    for line in tail::read(&path, span).unwrap_or_default().lines {
        out.line(format!("    {}", Style::plain(context, &line)));
    }
}

fn of_config(env: &Env, config: &Config) -> Vec<Check> {
    let file = env.display(&env.config_path);
    if files::is_missing(&env.config_path) {
        return vec![(false, format!("Config: {file} is missing; run `{}`", env.command("setup")))];
    }
    let mut checks = vec![(config.is_valid(), format!("Config: {file}"))];
    let told = config.issues().iter().chain(config.warnings());
    checks.extend(told.map(|issue| (false, env.display_all(&format!("Config: {}", issue.located())))));
    checks
}

fn of_service(env: &Env, unit: &Unit) -> Vec<Check> {
    let is_fine = unit.seen.installed && unit.runtime() == Runtime::Running;
    let mut checks = vec![(is_fine, format!("Service: {}", unit.summary()))];
    let doctor = env.command("doctor");
    checks
        .extend(unit.seen.drift.iter().map(|drift| (false, format!("Service file {drift}; see `{doctor}`"))));
    checks
}

fn of_process(env: &Env, config: &Config, target: Option<&Target>, is_up: bool) -> Vec<Check> {
    let Some(target) = target.filter(|target| target.bind.is_some()) else {
        return vec![(is_up, format!("Gateway: {}", if is_up { "reachable" } else { "not reachable" }))];
    };
    let live = live(env);
    let state = Port::inspect(target.port, live.iter().map(|live| live.pid).collect::<Vec<_>>().as_slice());
    let mut checks = vec![match (&live, is_up) {
        (Some(live), _) => {
            let at: Vec<String> = live.addresses.iter().map(ToString::to_string).collect();
            (is_up, format!("Gateway process: pid {}, listening on {}", live.pid, at.join(", ")))
        }
        (None, true) => (true, "Gateway process: of another state directory, host or user".to_string()),
        (None, false) => (false, "Gateway process: none".to_string()),
    }];
    let is_expected = state.is_busy == Some(is_up);
    let configured = ports::configured(env, config);
    checks.push((is_expected, format!("Port {configured}: {}", state.status())));
    let derived = ports::Ports::of(configured, env, config).derived();
    checks.push((true, format!("Derived ports: {derived}")));
    if !is_up && live.is_none() {
        checks.extend(state.hints().into_iter().map(|hint| (false, hint)));
    }
    checks
}

fn of_ports(env: &Env, config: &Config) -> Vec<Check> {
    ports::port_collisions(env, config).into_iter().map(|clash| (false, clash.to_string())).collect()
}

fn of_neighbours(unit: &Unit) -> Vec<Check> {
    unit.others.iter().map(|other| (false, format!("Other gateway-like service: {other}"))).collect()
}
