//! The announcement of this gateway on the local network (`discovery.mdns.mode`), off unless the owner asks for it.
//!
//! The worker `gw-mdns`; what it says and to whom is `discovery/announce.rs`.
use super::judge::Judge;
use super::workers::{Handle, Row};
use crate::config::Config;
use crate::discovery::announce::{self, Said};
use crate::env::Env;
use crate::error::Result;
use serde_json::Value;

/// A message and its names, read in places.
const STACK: usize = 128 << 10;
const SSH_PORT: u16 = 22;

pub const ROW: Row = Row {
    name: "mdns",
    mark: |_, _| Value::Null,
    parts,
    rests: |_, _, _| {},
    worked: |_, _| false,
    stack: STACK,
    start: run,
};

fn parts(config: &Config, _: &Judge) -> Vec<String> {
    let is_on = matches!(config.str("discovery.mdns.mode"), Some("minimal" | "full"));
    is_on.then(String::new).into_iter().collect()
}

fn run(handle: Handle) -> Result<()> {
    let house = &handle.house;
    if house.shared.env.flag("OPENCLAW_DISABLE_BONJOUR") {
        return Ok(());
    }
    let port = house.judge.port(&handle.config, &house.shared.env)?;
    let is_full = handle.config.str("discovery.mdns.mode") == Some("full");
    let said = said(&house.shared.env, port, house.shared.tls.is_some(), is_full);
    announce::run(&said, &|time, fds| handle.sleep_or(time, fds), |name| {
        log::info!(target: "gateway/discovery", "announced on the local network as {name} (port {port})");
    })
}

/// The machine's name, the port and that it speaks TLS; asked for all, also how SSH reaches it.
fn said(env: &Env, port: u16, has_tls: bool, is_full: bool) -> Said {
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let machine = machine.split('.').next().filter(|name| !name.is_empty()).unwrap_or("openclaw");
    let host =
        env.var("OPENCLAW_MDNS_HOSTNAME").map(|name| name.trim_end_matches(".local").replace('.', "-"));
    let host = host.filter(|name| !name.is_empty()).unwrap_or_else(|| format!("{machine}-openclaw"));
    let is_named = machine.to_ascii_lowercase().contains("openclaw");
    let display = if is_named { machine.to_string() } else { format!("{machine} (OpenClaw)") };
    let mut texts = vec![
        "role=gateway".to_string(),
        "transport=gateway".to_string(),
        format!("gatewayPort={port}"),
        format!("lanHost={host}.local"),
        format!("displayName={machine}"),
    ];
    if has_tls {
        texts.push("gatewayTls=1".to_string());
    }
    if is_full {
        let ssh = env.var("OPENCLAW_SSH_PORT").and_then(|port| port.trim().parse().ok()).unwrap_or(SSH_PORT);
        texts.push(format!("sshPort={ssh}"));
        texts.extend(env.var("OPENCLAW_TAILNET_DNS").map(|name| format!("tailnetDns={name}")));
    }
    Said { display, host, port, texts }
}
