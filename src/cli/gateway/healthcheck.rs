//! `openclaw gateway healthcheck`: whether the gateway of this state directory lives, for `HEALTHCHECK` of
//! containers and for watchdogs (R-24c).
//!
//! One HTTP request to `/healthz` without credentials, to where the gateway really listens: what the process that
//! holds the state directory's lock listens on, else the port of its last start, else the configured one.
use super::status::live;
use crate::cli::link::client::Deadline;
use crate::cli::link::socket::{Socket, is_timeout, reason};
use crate::cli::link::target::Target;
use crate::cli::parse::Args;
use crate::cli::waiting::Waiting;
use crate::cli::{Command, Context, Flag, JSON};
use crate::config::Config;
use crate::config::ports;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::json::json;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

pub const COMMAND: Command = Command {
    name: "gateway healthcheck",
    summary: "Exit 0 when the gateway of this host lives, 1 when not",
    about: "For containers: finds the port by itself and needs no credentials. `openclaw health` asks more.",
    positionals: &[],
    flags: &[FLAGS],
    examples: &[
        ("openclaw gateway healthcheck", "Check that the gateway answers"),
        (
            "openclaw gateway healthcheck --ready --timeout 1000",
            "Check that it takes requests, within a second",
        ),
    ],
    failure: "",
    run,
};

const FLAGS: &[Flag] = &[
    Flag::switch("ready", "Require that it takes requests, not only that it lives"),
    Flag::value("timeout", "<time>", "Give up after this time, as 5s or 500 (ms); default 3s"),
    JSON,
];

const DEFAULT_TIMEOUT_MS: u64 = 3000;
/// Longest head of an answer that is read, bytes.
const MAX_ANSWER: u64 = 4096;

fn run(context: &Context, args: &Args) -> Result<()> {
    let mut env = context.env.clone();
    let config = Config::inspect(&mut env);
    let deadline = Deadline::after(context.started, args.millis("timeout", 1)?.unwrap_or(DEFAULT_TIMEOUT_MS));
    let path = if args.has("ready") { "/readyz" } else { "/healthz" };
    let started = Instant::now();
    let target = Target::configured(&env, &config, &Args::default(), false)?;
    let mut last = None;
    for address in addresses(&env, &config) {
        let _waiting = Waiting::begin(context.out, &format!("asking {address}"));
        match get(&target, address, path, deadline) {
            Ok(200) => return told(context, args, address, started),
            Ok(status) => last = Some(unwell(address, &format!("{path} answered {status}"))),
            Err(e) if is_timeout(&e) => {
                let waited = started.elapsed().as_millis();
                last = last.or(Some(unwell(address, &format!("no answer in {waited} ms"))));
            }
            Err(e) => last = last.or(Some(unwell(address, &reason(&e)))),
        }
    }
    Err(last.unwrap_or_else(|| {
        Error::new(Kind::Unreachable, "no gateway is known here; start it with `openclaw gateway`")
    }))
}

/// Whether the gateway of this state directory runs and takes requests.
pub fn is_ready(env: &Env) -> bool {
    let mut env = env.clone();
    let config = Config::inspect(&mut env);
    let Some(live) = live(&env) else { return false };
    let Ok(target) = Target::configured(&env, &config, &Args::default(), false) else { return false };
    let asked = |address| get(&target, address, "/readyz", Deadline::after(Instant::now(), 1000));
    live.addresses.into_iter().any(|address| matches!(asked(reachable(address)), Ok(200)))
}

fn told(context: &Context, args: &Args, address: SocketAddr, started: Instant) -> Result<()> {
    let ms = started.elapsed().as_millis() as u64;
    let at = address.to_string();
    if args.has("json") {
        context.out.json(&json!({"ok": true, "address": at, "latencyMs": ms}));
    } else {
        context.out.line(format!("OK {at} ({ms}ms)"));
    }
    Ok(())
}

fn unwell(address: SocketAddr, why: &str) -> Error {
    let text = format!("gateway not healthy: {address}: {why}; see `openclaw gateway status`");
    Error::new(Kind::Unreachable, text).with("address", address.to_string())
}

/// Where the gateway may listen, the likeliest first.
fn addresses(env: &Env, config: &Config) -> Vec<SocketAddr> {
    let running = live(env).map(|live| live.addresses).unwrap_or_default();
    let last = ports::read(&env.state_dir).map(|ports| ports.gateway);
    let guesses = last.into_iter().chain([ports::configured(env, config)]);
    let mut all: Vec<SocketAddr> = running.into_iter().map(reachable).collect();
    if all.is_empty() {
        all.extend(guesses.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
    }
    all.dedup();
    all
}

/// Where to call who listens on every address.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The status of a GET.
fn get(target: &Target, address: SocketAddr, path: &str, deadline: Deadline) -> std::io::Result<u16> {
    let most = Duration::from_secs(30);
    let ask = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut head = [0; 12];
    if target.tls {
        let target = Target { host: address.ip().to_string(), port: address.port(), ..target.clone() };
        let mut socket = Socket::open(&target, deadline).map_err(std::io::Error::other)?;
        socket.write_all(ask.as_bytes())?;
        socket.read_exact(&mut head)?;
    } else {
        let mut stream = TcpStream::connect_timeout(&address, deadline.left(most)?)?;
        stream.set_write_timeout(Some(deadline.left(most)?))?;
        stream.write_all(ask.as_bytes())?;
        stream.set_read_timeout(Some(deadline.left(most)?))?;
        stream.take(MAX_ANSWER).read_exact(&mut head)?;
    }
    let status = std::str::from_utf8(&head).ok().and_then(|text| text.strip_prefix("HTTP/1.1 "));
    let status = status.and_then(|code| code.parse().ok());
    status.ok_or_else(|| std::io::Error::other("what listens there does not answer like a gateway"))
}
