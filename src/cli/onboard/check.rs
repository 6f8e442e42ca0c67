//! Whether the gateway that was just set up works: asks the one that runs, or starts it once to see.
//!
//! For `onboard` and `configure`. A trial start is this same program with the same profile; it is stopped as soon
//! as it has answered.
use crate::cli::Context;
use crate::cli::gateway::status::live;
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::waiting::Waiting;
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::json::json;
use rustix::process::{Pid, Signal, kill_process};
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What `check` says of a gateway that goes on running.
pub const RUNNING: &str = "running, and it answers";
const TRIED: &str = "started once for a check, it answered, and it was stopped again";

const LIMIT: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(100);
/// A gateway that runs and was not seen to take a change up has done it by then.
const RELOAD_LIMIT: Duration = Duration::from_secs(5);
const MAX_OUTPUT: u64 = 16 << 10;

/// `installed` says that a service is to have started it.
pub fn check(context: &Context, config: &Config, installed: bool) -> Result<&'static str> {
    let is_remote = config.str("gateway.mode") == Some("remote");
    let running = if is_remote { None } else { live(&context.env) };
    let limit = match &running {
        _ if is_remote => Duration::ZERO,
        _ if installed => LIMIT,
        Some(_) => RELOAD_LIMIT,
        None => Duration::ZERO,
    };
    let start = Instant::now();
    let error = loop {
        match ask(context) {
            Ok(()) => return Ok(RUNNING),
            Err(e) if start.elapsed() >= limit => break e,
            // Wrong credentials are counted: few attempts.
            Err(e) if e.kind == Kind::Unauthorized => std::thread::sleep(PAUSE * 10),
            Err(_) => std::thread::sleep(PAUSE),
        }
    };
    match running {
        _ if installed && !is_remote => {
            let logs = context.env.command("logs");
            Err(error.context(format!("the service does not answer (see `{logs}`)")))
        }
        Some(running) => {
            let why = error.message().lines().next().unwrap_or_default();
            let pid = running.pid;
            Err(Error::new(
                error.kind,
                format!("the gateway that runs (pid {pid}) does not answer as configured; restart it: {why}"),
            ))
        }
        None if error.kind == Kind::Unreachable && !is_remote => trial(context),
        // These commands have options of their own for a gateway elsewhere.
        None if is_remote => Err(error.reworded("pass --", "pass --remote-").context("check the gateway")),
        None => Err(error.context("check the gateway")),
    }
}

/// One `health` call.
fn ask(context: &Context) -> Result<()> {
    let now = Context { env: context.env.clone(), out: context.out, started: Instant::now() };
    rpc::call(&now, &Args::default(), "health", &json!({})).map(drop)
}

fn trial(context: &Context) -> Result<&'static str> {
    let failed = |e: std::io::Error| Error::io("start the gateway for a check", e);
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    if let Some(profile) = &context.env.profile {
        command.args(["--profile", profile]);
    }
    command.args(["gateway", "run"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let _waiting = Waiting::begin(context.out, "starting the gateway once for a check");
    let mut child = command.spawn().map_err(failed)?;
    let start = Instant::now();
    let outcome = loop {
        if child.try_wait().map_err(failed)?.is_some() {
            break Err(complaint(&mut child));
        }
        match ask(context) {
            Ok(()) => break Ok(TRIED),
            Err(e) if e.kind != Kind::Unreachable || start.elapsed() > LIMIT => break Err(e),
            Err(_) => std::thread::sleep(PAUSE),
        }
    };
    stop(&mut child);
    outcome.map_err(|e| e.context("the gateway was set up, but the check failed"))
}

/// What a gateway said that did not start.
fn complaint(child: &mut Child) -> Error {
    let mut text = String::new();
    if let Some(stderr) = child.stderr.take() {
        // Not UTF-8 or cut off: then there is less to show.
        let _ = stderr.take(MAX_OUTPUT).read_to_string(&mut text);
    }
    // What stands below it shows a line of the file.
    let error = text.lines().rev().find_map(|line| line.strip_prefix("Error: "));
    let last = || text.lines().rev().find(|line| !line.trim().is_empty());
    Error::config(error.or_else(last).unwrap_or("it said nothing"))
}

/// SIGTERM, and after the gateway's own limit the end.
fn stop(child: &mut Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // Gone already.
        let _ = kill_process(pid, Signal::TERM);
    }
    let start = Instant::now();
    while matches!(child.try_wait(), Ok(None)) && start.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(10));
    }
    // Nothing to do for one that has ended, and nothing else to do for one that has not.
    let _ = child.kill();
    let _ = child.wait();
}
