//! The three lines of `openclaw gateway status` where all is well: who runs, whether it answers and where, and what it
//! did today; a gateway that does not tell that is told of by its file.
use super::{is_answered, is_mismatch, now};
use crate::cli::gateway::status::Report;
use crate::cli::gateway::unit::Runtime;
use crate::env::Env;

/// `None` where there is more to say.
pub fn lines(report: &Report, env: &Env) -> Option<[String; 3]> {
    let (unit, rpc, target) = (&report.unit, report.rpc.as_ref()?, report.target.as_ref().ok()?);
    let files = [&report.cli, &report.service];
    let is_sound = files.iter().all(|file| file.exists && file.issues.is_empty()) && !is_mismatch(report);
    let is_alone = unit.seen.drift.is_empty() && unit.others.is_empty() && report.cli_port.is_none();
    let is_plain = report.elsewhere.is_none() && report.tls.is_none() && report.last_error.is_none();
    if !(is_answered(report) && is_sound && is_alone && is_plain) {
        return None;
    }
    let runtime = match (unit.seen.installed, unit.runtime(), &report.live) {
        (true, Runtime::Running, _) => unit.runtime_text(),
        (false, _, Some(live)) => format!("in the foreground (pid {}), no service", live.pid),
        _ => return None,
    };
    let process =
        rpc.status.as_ref().and_then(now::process).map_or(String::new(), |text| format!(", {text}"));
    let file = || format!("Config: {}", env.display(&report.cli.path));
    let last = rpc.status.as_ref().and_then(now::today).map_or_else(file, |text| format!("Today: {text}"));
    let version = rpc.version.as_ref().map_or(String::new(), |version| format!(", version {version}"));
    Some([
        format!("Runtime: {runtime}{process}"),
        format!("RPC probe: ok ({}ms{version}) at {} ({})", rpc.latency_ms?, target.url, target.source),
        format!("{last}; --verbose says more"),
    ])
}
