//! Why a gateway did not come up: the last error it told, wherever its output went.
//!
//! Reads the end of the log file, of the files a service manager writes, and of the journal; newest source first,
//! because a gateway that cannot start has no log file yet.
use super::unit::Unit;
use crate::cli::logs::line::Entry;
use crate::config::Config;
use crate::env::Env;
use crate::logging::{self, tail};
use crate::service::command;
use std::path::Path;
use std::time::Duration;

const SPAN: tail::Span = tail::Span { cursor: None, limit: 2000, max_bytes: 250_000 };
/// The service manager must not hold up a look.
const JOURNAL: Duration = Duration::from_secs(2);

/// The last error line of the gateway of `env`, if one is found.
pub fn find(env: &Env, config: &Config, unit: &Unit) -> Option<String> {
    let logs = env.state_dir.join("logs");
    let of_file = |path: &Path| pick(&tail::read(path, SPAN).ok()?.lines);
    journal(env, unit)
        .and_then(|lines| pick(&lines))
        .or_else(|| of_file(&logs.join("gateway.err.log")))
        .or_else(|| of_file(&logging::latest(config, env)?))
        .or_else(|| of_file(&logs.join("gateway.log")))
}

fn journal(env: &Env, unit: &Unit) -> Option<Vec<String>> {
    let line: Vec<String> =
        unit.journal("-n 200 -o cat --no-pager -q")?.split(' ').map(String::from).collect();
    let outcome = command::run(env, &line, JOURNAL).ok().filter(|outcome| outcome.is_ok())?;
    Some(outcome.stdout.lines().map(str::to_string).collect())
}

/// The last line that tells of an error, shortened to what it says.
fn pick(lines: &[String]) -> Option<String> {
    lines.iter().rev().find_map(|line| match Entry::parse(line) {
        Some(entry) => entry.is_error().then(|| format!("{} {}", entry.time, entry.message)),
        None => is_error(line).then(|| line.trim().to_string()),
    })
}

/// Whether a plain line is what the gateway prints of a failure, or its log's.
fn is_error(line: &str) -> bool {
    let line = line.trim().to_lowercase();
    let known = [
        "[error]",
        "error: ",
        "refusing to bind gateway",
        "gateway auth is set to",
        "gateway start blocked",
        "failed to bind gateway",
        "missing config",
    ];
    known.iter().any(|text| line.contains(text)) || line.contains("tailscale") && line.contains("requires")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_error_is_picked_from_either_format() {
        let lines = |text: &str| text.lines().map(str::to_string).collect::<Vec<_>>();
        let info = r#"{"1":"fine","_meta":{"logLevelName":"INFO"},"time":"t2"}"#;
        let error = r#"{"1":"the disk is full","_meta":{"logLevelName":"ERROR"},"time":"t1"}"#;
        let check =
            |text: &str, want: Option<&str>| assert_eq!(pick(&lines(text)).as_deref(), want, "{text}");
        check(&format!("{error}\n{info}"), Some("t1 the disk is full"));
        check(info, None);
        check("Error: Missing config. Run x\nstopped", Some("Error: Missing config. Run x"));
        check(
            "2026-11-21T01:00:00Z [ERROR] gateway: a\n2026-11-21T01:00:01Z [INFO] b",
            Some("2026-11-21T01:00:00Z [ERROR] gateway: a"),
        );
        check("", None);
    }
}
