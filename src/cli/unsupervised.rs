//! `gateway start|stop|restart` where no service runs the gateway: they act on the process itself.
//!
//! It is known by the lock on this profile's state directory, so it is never somebody else's. Runs on the command
//! line's thread.
use super::Context;
use super::gateway::status::live;
use super::link::connect::connect;
use super::link::rpc;
use super::link::target::{Target, settings};
use super::parse::Args;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::json;
use crate::service::Action;
use crate::service::act::{Report, unsupervised};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long a gateway may take to stop; its own limit is 5 s.
const PATIENCE: Duration = Duration::from_secs(15);

/// Does it, and tells so in `report`, whose service is not there or not running. Whether it is done.
pub fn act(context: &Context, args: &Args, action: Action, report: &mut Report) -> Result<bool> {
    let env = &context.env;
    report.hints.clear();
    let (result, line, is_done) = match (unsupervised(env), action) {
        (Some(pid), Action::Stop) => {
            stop(env, pid)?;
            ("stopped", format!("Stopped the gateway, which ran without a service (pid {pid})"), true)
        }
        (Some(pid), Action::Restart) => {
            let reason = json!({"reason": "openclaw gateway restart"});
            ask(context, args, &reason)?;
            let line = format!("The gateway, which runs without a service, restarts in process (pid {pid})");
            ("restarted", line, true)
        }
        (Some(pid), _) => {
            ("already-running", format!("A gateway runs already, without a service (pid {pid})"), true)
        }
        (None, Action::Stop) => {
            ("not-loaded", "No gateway runs here, and no service is installed.".to_string(), true)
        }
        (None, _) => {
            report.hints.push(format!("Install the service with: {}", env.command("gateway install")));
            report.hints.push(format!("Or run it in the foreground: {}", env.command("gateway")));
            ("not-loaded", "No gateway service is installed, and no gateway runs here.".to_string(), false)
        }
    };
    report.result = result;
    report.lines = vec![line];
    Ok(is_done)
}

/// Asks the gateway of this state directory for the restart, wherever it listens.
fn ask(context: &Context, args: &Args, reason: &Value) -> Result<()> {
    let mut env = context.env.clone();
    let config = settings(&mut env)?;
    if let Some(port) = live(&env).and_then(|live| live.port(&env)) {
        env.add_missing([("OPENCLAW_GATEWAY_PORT".to_string(), port.to_string())]);
    }
    let target = Target::configured(&env, &config, args, false)?;
    let mut session = connect(&target, &env.state_dir, &[], rpc::deadline(context, args)?)?;
    rpc::request(&mut session, &target, "gateway.restart.request", reason, false)?;
    session.client.close();
    Ok(())
}

/// Ends the process as a service manager would, and waits for that.
pub fn stop(env: &Env, pid: u32) -> Result<()> {
    let failed = |e: std::io::Error| Error::io(format_args!("stop the gateway (pid {pid})"), e);
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let process = process.ok_or_else(|| Error::not_found(format!("no process {pid}")))?;
    kill_process(process, Signal::TERM).map_err(|e| failed(e.into()))?;
    let until = Instant::now() + PATIENCE;
    while unsupervised(env) == Some(pid) {
        if Instant::now() > until {
            let text = format!("the gateway (pid {pid}) does not stop; end it with: kill -9 {pid}");
            return Err(Error::unavailable(text));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
