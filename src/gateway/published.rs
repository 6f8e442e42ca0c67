//! Publication of the port by Tailscale (`gateway.tailscale`): asks `tailscale` for it, and takes it back at the end if the
//! owner wants that.
//!
//! The worker `gw-tailscale`, which ends when all is done, or sleeps until the end when something is to be taken back. What
//! fails is told and tried again after a pause that grows (the supervisor): tailscaled may start later than we do.
//! Nothing is done with more rights than the gateway has (COMPATIBILITY.md).
use super::judge::Judge;
use super::workers::{Handle, Row};
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::json;
use crate::service::command;
use crate::settings::publication::Publication;
use serde_json::Value;
use std::time::Duration;

const STACK: usize = 128 << 10;
/// It may have to fetch a certificate.
const LIMIT: Duration = Duration::from_secs(15);
/// The end does not wait long, and this only tells the daemon next to us.
const LIMIT_AT_END: Duration = Duration::from_millis(1500);
const HOUR: Duration = Duration::from_secs(3600);
/// Most values in its status: a tailnet of a thousand machines has some ten thousand.
const MAX_VALUES: usize = 50_000;

pub const ROW: Row = Row {
    name: "tailscale",
    mark: |_, _| Value::Null,
    parts,
    rests: |_, _, _| {},
    worked: |_, _| false,
    stack: STACK,
    start: run,
};

fn parts(config: &Config, judge: &Judge) -> Vec<String> {
    judge.publication(config).map(|_| String::new()).into_iter().collect()
}

fn run(handle: Handle) -> Result<()> {
    let house = &handle.house;
    let Some(publication) = house.judge.publication(&handle.config) else { return Ok(()) };
    let (env, name) = (&house.shared.env, publication.name());
    let port = house.judge.port(&handle.config, env)?;
    let target = match house.shared.tls {
        // Our certificate is our own, and the way to it is this machine.
        Some(_) => format!("https+insecure://127.0.0.1:{port}"),
        None => port.to_string(),
    };
    tailscale(env, &[name, "--bg", "--yes", &target], LIMIT)?;
    let base = handle.config.str("gateway.controlUi.basePath").unwrap_or_default().trim_matches('/');
    match host(env) {
        Some(host) => {
            log::info!(target: "gateway/tailscale", "{name} enabled: https://{host}/{base} (WS via wss://{host})")
        }
        None => log::info!(target: "gateway/tailscale", "{name} enabled"),
    }
    if publication.is_reset {
        while handle.sleep_or(HOUR, &[])? {}
        take_back(env, publication);
    }
    Ok(())
}

fn take_back(env: &Env, publication: Publication) {
    let name = publication.name();
    match tailscale(env, &[name, "reset"], LIMIT_AT_END) {
        Ok(_) => log::info!(target: "gateway/tailscale", "{name} ended"),
        Err(e) => {
            log::warn!(target: "gateway/tailscale", "{name} cleanup failed: {e}; `tailscale {name} reset` ends it")
        }
    }
}

/// The name of this machine in the tailnet, else its address there.
fn host(env: &Env) -> Option<String> {
    let said = tailscale(env, &["status", "--json", "--peers=false"], LIMIT).ok()?;
    let status = json::read(said, MAX_VALUES, 32).ok()?;
    let name = status.pointer("/Self/DNSName").and_then(Value::as_str).map(|name| name.trim_end_matches('.'));
    let address = || status.pointer("/Self/TailscaleIPs/0").and_then(Value::as_str);
    name.filter(|name| !name.is_empty()).or_else(address).map(crate::clean::one_line)
}

fn tailscale(env: &Env, arguments: &[&str], limit: Duration) -> Result<String> {
    let line: Vec<String> = ["tailscale"].iter().chain(arguments).map(|word| word.to_string()).collect();
    let shown = line.join(" ");
    let outcome = command::run(env, &line, limit).map_err(|e| match e.kind {
        Kind::NotFound => Error::not_found(
            "there is no program `tailscale`: install Tailscale, or set gateway.tailscale.mode=off",
        ),
        _ => e,
    })?;
    if outcome.is_ok() {
        return Ok(outcome.stdout);
    }
    let complaint = crate::clean::one_line(&outcome.complaint());
    let fix = if complaint.to_ascii_lowercase().contains("denied") {
        "; `sudo tailscale set --operator=$USER` lets this user do it"
    } else {
        ""
    };
    Err(Error::unavailable(format!("`{shown}` failed: {complaint}{fix}")))
}
