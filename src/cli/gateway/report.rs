//! What `openclaw gateway status` prints: text for people, JSON for scripts. Looks nothing up.
//!
//! All of it is the result and goes to stdout, problems and what to do about them too. The JSON's members are
//! promised by `schemas/cli/gateway-status.json`; new ones may be added, none is renamed or dropped.
mod brief;
mod json;
use super::now;
use super::status::{ConfigFile, Report, Rpc};
use super::unit::{Runtime, cleanup};
use crate::cli::Context;
use crate::config::remedy;
use crate::env::Env;
use crate::owners::{Port, hide_secrets};
pub use json::as_json;

/// Lines of an error that are shown.
const MOST_LINES: usize = 12;
const MOST_ISSUES: usize = 5;

/// Three lines where all is well, unless everything is wanted.
pub fn show(context: &Context, report: &Report, is_whole: bool) {
    let view = View { context, env: &context.env };
    if let Some(lines) = brief::lines(report, &context.env).filter(|_| !is_whole) {
        return lines.iter().for_each(|line| view.line(line));
    }
    view.service(report);
    view.config(report);
    view.target(report);
    view.runtime(report);
    view.rpc(report);
    view.port(report);
    view.others(report);
}

struct View<'a> {
    context: &'a Context,
    env: &'a Env,
}

impl View<'_> {
    fn line(&self, text: impl AsRef<str>) {
        self.context.out.line(self.env.display_all(text.as_ref()));
    }

    fn service(&self, report: &Report) {
        let unit = &report.unit;
        let (loaded, not_loaded) = unit.seen.manager.loaded_texts();
        let state = if unit.seen.loaded { loaded } else { not_loaded };
        self.line(format!("Service: {} ({state})", unit.seen.manager.label()));
        if let Some(file) = &report.log_file {
            self.line(format!("File logs: {}", self.env.display(file)));
        }
        if unit.seen.installed {
            if !unit.seen.command.is_empty() {
                self.line(format!("Command: {}", hide_secrets(&unit.seen.command).join(" ")));
            }
            self.line(format!("Service file: {}", self.env.display(&unit.seen.unit_path)));
            let shown: Vec<String> =
                unit.shown_environment().map(|(name, value)| format!("{name}={value}")).collect();
            if !shown.is_empty() {
                self.line(format!("Service env: {}", shown.join(" ")));
            }
        }
        for drift in &unit.seen.drift {
            self.line(format!("Service config issue: {drift}"));
        }
        if !unit.seen.drift.is_empty() {
            let (doctor, install) = (self.env.command("doctor"), self.env.command("gateway install --force"));
            self.line(format!("Fix: run `{doctor}`, or write it anew with `{install}`"));
        }
        self.line("");
    }

    fn config(&self, report: &Report) {
        self.config_file("cli", "Config", &report.cli);
        self.config_file("service", "Service config", &report.service);
        if is_mismatch(report) {
            self.line(
                "Root cause: CLI and service are using different config paths (likely a profile/state-dir mismatch).",
            );
            self.line(
                "Fix: rerun `openclaw gateway install --force` from the same --profile / OPENCLAW_STATE_DIR you expect.",
            );
        }
        self.line("");
    }

    fn config_file(&self, user: &str, label: &str, file: &ConfigFile) {
        let note = match (file.exists, file.issues.is_empty()) {
            (false, _) => " (missing)",
            (true, false) => " (invalid)",
            (true, true) => "",
        };
        self.line(format!("Config ({user}): {}{note}", self.env.display(&file.path)));
        for issue in file.issues.iter().take(MOST_ISSUES) {
            self.line(format!("{label} issue: {}", issue.located()));
        }
        // The service may have another file, which is judged for its own user.
        let own = file.issues.first().filter(|_| file.path == self.env.config_path);
        if let Some(issue) = own.filter(|_| user == "cli") {
            self.line(format!("Fix: {}", remedy(self.env, issue)));
        }
    }

    fn target(&self, report: &Report) {
        if let Some(address) = &report.elsewhere {
            let source =
                report.target.as_ref().map_or(String::new(), |target| format!(" ({})", target.source));
            self.line(format!("Gateway: elsewhere, {address}{source}"));
            return self.line("Service, Config and Runtime are this machine's.\n");
        }
        let host = report.bind_host.as_deref().unwrap_or("?");
        self.line(format!(
            "Gateway: bind={} ({host}), port={} ({})",
            report.bind_mode, report.port, report.port_source
        ));
        if let Some(ports) = &report.derived {
            self.line(format!("Derived ports: {}", ports.derived()));
        }
        match &report.target {
            Ok(target) => self.line(format!("Probe target: {} ({})", target.url, target.source)),
            Err(_) => self.line("Probe target: none"),
        }
        if let Some(facts) = &report.tls {
            self.line(format!("TLS: {}", facts.describe()));
        }
        match dashboard(report) {
            Some(url) => self.line(format!("Dashboard: {url}")),
            None if report.service.has_control_ui => {}
            None => self.line("Dashboard: disabled"),
        }
        if let Some(note) = probe_note(report) {
            self.line(format!("Probe note: {note}"));
        }
        if let Some(port) = &report.cli_port {
            self.line(format!("Note: CLI config resolves gateway port={} ({}).", port.port, port.status()));
        }
        self.line("");
    }

    fn runtime(&self, report: &Report) {
        let unit = &report.unit;
        self.line(format!("Runtime: {}", unit.runtime_text()));
        if let Some(live) = &report.live
            && unit.seen.pid != Some(live.pid)
        {
            let at: Vec<String> = live.addresses.iter().map(ToString::to_string).collect();
            let at = if at.is_empty() { String::new() } else { format!(", listening on {}", at.join(", ")) };
            self.line(format!("Gateway process: pid {}{at} (not by the service)", live.pid));
        }
        if report.elsewhere.is_some() {
            return;
        }
        if unit.seen.installed && unit.runtime() == Runtime::Stopped {
            self.line(match unit.seen.exit_status {
                Some(78) => "Service is not running: the configuration must be fixed first (status 78).",
                Some(0) | None if unit.seen.exit_signal.is_none() => "Service is not running.",
                _ => "Service is loaded but not running (likely exited immediately).",
            });
        }
        if !unit.seen.installed && report.live.is_none() {
            let install = self.env.command("gateway install");
            let run = self.env.command("gateway");
            self.line(match unit.runtime() {
                Runtime::NoSupervisor => {
                    format!("No supervisor to run a service. Run in the foreground: {run}")
                }
                _ => format!("Service not installed. Run: {install}"),
            });
        }
    }

    fn rpc(&self, report: &Report) {
        let Some(rpc) = &report.rpc else {
            self.line("RPC probe: skipped");
            return;
        };
        let error = match (rpc.latency_ms, &rpc.error) {
            (Some(ms), _) => {
                let version = rpc.version.as_ref().map_or(String::new(), |v| format!(", version {v}"));
                self.line(format!("RPC probe: ok ({ms}ms{version})"));
                let status = rpc.status.as_ref();
                let words =
                    [("Process", status.and_then(now::process)), ("Today", status.and_then(now::today))];
                for (name, text) in words.into_iter().filter_map(|(name, text)| Some((name, text?))) {
                    self.line(format!("{name}: {text}"));
                }
                self.other_state(rpc);
                return;
            }
            (None, error) => error,
        };
        self.line("RPC probe: failed");
        if let Ok(target) = &report.target {
            self.line(format!("RPC target: {}", target.url));
        }
        for line in error.iter().flat_map(|error| error.message().lines()).take(MOST_LINES) {
            self.line(format!("  {line}"));
        }
    }

    fn other_state(&self, rpc: &Rpc) {
        if let Some(theirs) = &rpc.other_state_dir {
            self.line(format!(
                "The gateway that answers keeps its state in {}, this command line in {}.",
                self.env.display(theirs),
                self.env.display(&self.env.state_dir)
            ));
            self.line("Fix: use the --profile or OPENCLAW_STATE_DIR of that gateway.");
        }
    }

    fn port(&self, report: &Report) {
        let Some(port) = &report.port_state else { return };
        let is_answered = report.rpc.as_ref().is_some_and(|rpc| rpc.latency_ms.is_some());
        let unit = &report.unit;
        match (port.is_busy, is_answered) {
            (Some(true), true) => {
                let at: Vec<String> = port.listeners.iter().map(|l| l.address.to_string()).collect();
                self.line(format!("Listening: {}", at.join(", ")));
            }
            (Some(true), false) if report.rpc.is_some() && !is_own(report, port) => {
                self.line(format!("Port {} is already in use.", port.port));
                for listener in &port.listeners {
                    let pid = listener.pid.map_or("?".to_string(), |pid| pid.to_string());
                    self.line(format!(
                        "- pid {pid} {}: {} ({})",
                        listener.user, listener.command_line, listener.address
                    ));
                }
                port.hints().iter().for_each(|hint| self.line(format!("- {hint}")));
            }
            (Some(false), _) if unit.runtime() == Runtime::Running => {
                self.line(format!("Gateway port {} is not listening (service appears running).", port.port));
            }
            _ => {}
        }
        if let Some(error) = &report.last_error {
            self.line(format!("Last gateway error: {error}"));
        }
        if port.is_busy == Some(false)
            && let Some(line) = unit.journal("-n 200 --no-pager").filter(|_| unit.seen.installed)
        {
            self.line(format!("Logs: {line}"));
        }
    }

    fn others(&self, report: &Report) {
        let others = &report.unit.others;
        if others.is_empty() {
            return;
        }
        self.line("\nOther gateway-like services detected (best effort):");
        for other in others {
            self.line(format!("- {other}\n  Cleanup hint: {}", cleanup(other)));
        }
        self.line("Run one gateway per machine, or give each its own --profile and port.");
    }
}

/// Whether the gateway that is meant answered.
fn is_answered(report: &Report) -> bool {
    report.rpc.as_ref().is_some_and(|rpc| rpc.latency_ms.is_some() && rpc.other_state_dir.is_none())
}

/// Whether the port is held by the gateway that is asked.
fn is_own(report: &Report, port: &Port) -> bool {
    let own = report.live.as_ref().map(|live| live.pid);
    own.is_some() && port.listeners.iter().any(|listener| listener.pid == own)
}

fn is_mismatch(report: &Report) -> bool {
    report.unit.seen.installed && report.cli.path != report.service.path
}

/// The address of the configured gateway's control page.
fn dashboard(report: &Report) -> Option<String> {
    if report.elsewhere.is_some() {
        return None;
    }
    let target = report.target.as_ref().ok().filter(|target| target.is_configured())?;
    if !report.service.has_control_ui {
        return None;
    }
    let rest = target.url.whole().strip_prefix("ws")?.split(['?', '#']).next()?;
    Some(format!("http{}{}", rest.trim_end_matches('/'), report.control_path))
}

fn probe_note(report: &Report) -> Option<String> {
    if report.elsewhere.is_some() {
        return None;
    }
    let target = report.target.as_ref().ok().filter(|target| target.bind.is_some())?;
    match report.bind_mode.as_str() {
        "loopback" => Some("Loopback-only gateway; only local clients can connect.".into()),
        "lan" => Some(format!("bind=lan listens on 0.0.0.0 (all interfaces); probing via {}.", target.host)),
        _ => None,
    }
}
