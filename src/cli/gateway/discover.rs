//! `openclaw gateway discover`: gateways that announce themselves on the local network.
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON};
use crate::discovery::SERVICE;
use crate::discovery::browse::{Beacon, browse};
use crate::error::Result;
use crate::json::json;
use serde_json::{Map, Value};
use std::time::Duration;

pub const COMMAND: Command = Command {
    name: "gateway discover",
    summary: "Find gateways on the local network",
    about: "Asks all networks of this machine by multicast DNS (_openclaw-gw._tcp.local) and lists who answers.\n\
            What a gateway says of itself is its own claim: compare its certificate before you trust it.\n\
            This gateway answers if discovery.mdns.mode is minimal or full; it is off by default.",
    positionals: &[],
    flags: &[FLAGS],
    examples: &[
        ("openclaw gateway discover", "List the gateways of this network"),
        ("openclaw gateway discover --timeout 5s --json", "Listen for five seconds, print JSON"),
    ],
    failure: "gateway discover failed: ",
    run,
};

const FLAGS: &[Flag] = &[
    Flag::value("timeout", "<time>", "Listen for so long, as 5s or 500 (ms); default 2s, at most a minute"),
    JSON,
];

const DEFAULT_MS: u64 = 2000;
const MOST_MS: u64 = 60_000;

fn run(context: &Context, args: &Args) -> Result<()> {
    let time = args.millis("timeout", 1)?.unwrap_or(DEFAULT_MS).min(MOST_MS);
    let beacons = browse(Duration::from_millis(time))?;
    if args.has("json") {
        let all: Vec<Value> = beacons.iter().map(member).collect();
        context
            .out
            .json(&json!({"timeoutMs": time, "domains": ["local."], "count": all.len(), "beacons": all}));
        return Ok(());
    }
    context.out.line("Gateway Discovery");
    let many = if beacons.len() == 1 { "" } else { "s" };
    context.out.line(format!("Found {} gateway{many} · domains: local.", beacons.len()));
    for beacon in &beacons {
        lines(beacon).iter().for_each(|line| context.out.line(line));
    }
    if beacons.is_empty() {
        context
            .out
            .line("A gateway answers if its discovery.mdns.mode is minimal or full, and only on its own");
        context.out.line("network. Elsewhere name it: openclaw gateway probe --url wss://host:18789");
    }
    Ok(())
}

/// The address is where the answer came from, not what it says.
fn url(beacon: &Beacon) -> String {
    let scheme = if beacon.has_tls() { "wss" } else { "ws" };
    format!("{scheme}://{}:{}", beacon.from, beacon.port)
}

fn lines(beacon: &Beacon) -> Vec<String> {
    let said = |key: &str, name: &str| beacon.text(key).map(|value| format!("  {name}: {value}"));
    let mut lines = vec![format!("- {} local.", beacon.instance)];
    lines.push(format!("  ws: {}", url(beacon)));
    lines.push(format!("  host: {}:{}", beacon.host, beacon.port));
    let rest = [("lanHost", "lan"), ("tailnetDns", "tailnet"), ("role", "role"), ("transport", "transport")];
    lines.extend(rest.iter().filter_map(|(key, name)| said(key, name)));
    if beacon.has_tls() {
        lines.push("  tls: yes".to_string());
    }
    lines.extend(said("sshPort", "ssh"));
    lines
}

/// Under the original's names; its host is where the answer came from. What a beacon says of fingerprints and paths is
/// among its texts, and taken for nothing (SEC-38).
fn member(beacon: &Beacon) -> Value {
    let text = |key: &str| beacon.text(key).map_or(Value::Null, Value::from);
    let number =
        |key: &str| beacon.text(key).and_then(|v| v.parse::<u16>().ok()).map_or(Value::Null, Value::from);
    let texts: Map<String, Value> =
        beacon.texts.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
    json!({
        "instanceName": beacon.instance, "displayName": text("displayName"), "domain": "local.",
        "service": SERVICE, "host": beacon.host, "address": beacon.from.to_string(), "port": beacon.port,
        "lanHost": text("lanHost"), "tailnetDns": text("tailnetDns"), "gatewayPort": number("gatewayPort"),
        "sshPort": number("sshPort"), "gatewayTls": beacon.has_tls(), "role": text("role"),
        "transport": text("transport"), "txt": texts, "wsUrl": url(beacon),
    })
}
