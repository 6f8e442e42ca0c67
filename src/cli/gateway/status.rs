//! `openclaw gateway status`: the service, the port and the RPC, each by itself.
//!
//! Gathers what the service manager, the files, the kernel and the gateway say; changes nothing. What is shown of
//! it stands in `report.rs`, the JSON in `schemas/cli/gateway-status.json`. The gateway is judged with the
//! configuration of its service, where one is installed, because that is what it runs with.
use super::super::waiting::Waiting;
use super::last_error;
use super::report::{as_json, show};
use super::service::{PLACE, installed};
use super::unit::Unit;
use crate::cli::link::connect::connect;
use crate::cli::link::rpc;
use crate::cli::link::target::{Target, settings};
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON, far};
use crate::config::bind::Plan;
use crate::config::ports::{self, Ports};
use crate::config::{Config, Issue};
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::json::json;
use crate::owners;
use crate::owners::Port;
use crate::tls::Place;
use crate::tls::facts::Facts;
use rustix::process::{Pid, test_kill_process};
use serde_json::Value;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Instant;

pub const COMMAND: Command = Command {
    name: "gateway status",
    summary: "Show the gateway's service, its port and whether it answers",
    about: "For supervisors and scripts; `openclaw status` is for people. Three lines where all is well.\n\
            Exits 0 when the gateway answers or with --no-probe, 1 when it does not answer. The members of\n\
            --json are described in schemas/cli/gateway-status.json and stay as they are.",
    positionals: &[],
    flags: &[FLAGS, PLACE, rpc::FLAGS, rpc::TIMEOUT],
    examples: &[
        ("openclaw gateway status", "Show what runs, and what is wrong"),
        ("openclaw gateway status --json", "Print it as JSON for scripts"),
        ("openclaw gateway status --no-probe --deep", "Look at all services without calling the gateway"),
    ],
    failure: "",
    run,
};

/// The same under the name older scripts use.
pub const DAEMON: Command = Command {
    name: "daemon status",
    about: "The same as `openclaw gateway status`.",
    examples: &[("openclaw daemon status", "Show what runs, and what is wrong")],
    ..COMMAND
};

const FLAGS: &[Flag] = &[
    Flag::switch("no-probe", "Do not call the gateway"),
    Flag::switch("require-rpc", "Exit 1 when the gateway does not answer, which is the default"),
    Flag::switch("deep", "Look for system-wide services too"),
    Flag::switch("verbose", "Show everything, also where all is well"),
    JSON,
];

/// A configuration file as its user sees it.
pub struct ConfigFile {
    pub path: PathBuf,
    pub exists: bool,
    pub issues: Vec<Issue>,
    pub has_control_ui: bool,
}

/// What calling the gateway gave.
#[derive(Default)]
pub struct Rpc {
    pub latency_ms: Option<u64>,
    pub version: Option<String>,
    pub error: Option<Error>,
    /// What it says of itself.
    pub status: Option<Value>,
    /// The state directory of the gateway that answered, where it is not the one meant.
    pub other_state_dir: Option<PathBuf>,
}

/// A gateway that runs on the state directory, as its lock tells.
pub struct Live {
    pub pid: u32,
    pub addresses: Vec<SocketAddr>,
}

impl Live {
    /// The port of its clients: what its start wrote down, unless it listens elsewhere by now.
    pub fn port(&self, env: &Env) -> Option<u16> {
        let mut own = self.addresses.iter().map(SocketAddr::port);
        let first = own.clone().next();
        match ports::read(&env.state_dir).map(|ports| ports.gateway) {
            Some(port) if first.is_none() || own.any(|own| own == port) => Some(port),
            _ => first,
        }
    }
}

pub struct Report {
    pub unit: Unit,
    pub cli: ConfigFile,
    pub service: ConfigFile,
    /// The address of a gateway that is not this machine's; what follows up to `derived` is then of none.
    pub elsewhere: Option<String>,
    pub bind_mode: String,
    pub bind_host: Option<String>,
    pub port: u16,
    pub port_source: &'static str,
    /// The certificate that its port shows, by its file.
    pub tls: Option<Facts>,
    /// The ports that follow from it; `None` for a gateway elsewhere.
    pub derived: Option<Ports>,
    pub target: Result<Target>,
    /// `None` for a gateway elsewhere.
    pub port_state: Option<Port>,
    /// The port by this command line's own configuration, where it differs from the service's.
    pub cli_port: Option<Port>,
    pub live: Option<Live>,
    pub last_error: Option<String>,
    /// `None` with `--no-probe`.
    pub rpc: Option<Rpc>,
    pub log_file: Option<PathBuf>,
    pub control_path: String,
}

fn run(context: &Context, args: &Args) -> Result<()> {
    if args.has("no-probe") && args.has("require-rpc") {
        return Err(Error::usage("--no-probe and --require-rpc exclude each other"));
    }
    let waiting = Waiting::begin(context.out, "looking at the service and asking the gateway");
    let report = gather(context, args)?;
    drop(waiting);
    if args.has("json") {
        context.out.json(&as_json(&report));
    } else {
        show(context, &report, args.has("verbose") || args.has("deep") || args.has("no-probe"));
    }
    match report.rpc {
        // Told above; only the status is left to give.
        Some(Rpc { latency_ms: None, .. }) => Err(Error::new(Kind::Unreachable, "")),
        _ => Ok(()),
    }
}

fn gather(context: &Context, args: &Args) -> Result<Report> {
    let place = installed(context, args)?;
    let (mut env, unit) = (context.env.clone(), Unit::at(&context.env, &place, args.has("deep")));
    let config = looked(&mut env);
    let cli_port = ports::configured(&env, &config);
    let mut own = unit.environment_over(&env)?;
    let was_named = context.env.port().is_some();
    let service_config = looked(&mut own);
    let port = unit.port().unwrap_or_else(|| ports::configured(&own, &service_config));
    let elsewhere = far::address(&env, &config, args);
    // One elsewhere is not what this machine's service runs.
    let target = match &elsewhere {
        Some(_) => Target::resolve(&env, &config, args),
        None => Target::resolve(&own, &service_config, args),
    };
    let is_local = elsewhere.is_none() && target.as_ref().is_ok_and(|target| target.bind.is_some());
    let live = live(&own).filter(|_| is_local);
    let likely: Vec<u32> = live.iter().map(|live| live.pid).chain(unit.seen.pid).collect();
    let inspect = |port| is_local.then(|| Port::inspect(port, &likely));
    let rpc = match (args.has("no-probe"), &target) {
        (true, _) => None,
        (false, Ok(target)) => Some(probe(context, args, target, &own)?),
        (false, Err(error)) => Some(Rpc { error: Some(error.clone()), ..Rpc::default() }),
    };
    let port_state = inspect(port);
    let is_closed = port_state.as_ref().is_some_and(|state| state.is_busy == Some(false));
    let looks_alive = is_closed && (unit.seen.installed || live.is_some());
    Ok(Report {
        last_error: looks_alive.then(|| last_error::find(&own, &service_config, &unit)).flatten(),
        bind_mode: service_config.str("gateway.bind").unwrap_or("loopback").to_string(),
        bind_host: Plan::resolve(None, &service_config).ok().map(|plan| plan.host.to_string()),
        port_source: match &elsewhere {
            Some(_) => "env/config",
            None => port_source(&unit, &own, &service_config, was_named),
        },
        tls: Place::of(&service_config, &own).filter(|_| is_local).and_then(|place| place.facts().ok()),
        elsewhere,
        derived: is_local.then(|| Ports::of(port, &own, &service_config)),
        cli_port: if cli_port == port { None } else { inspect(cli_port) },
        log_file: crate::logging::latest(&service_config, &own),
        control_path: control_path(&service_config),
        cli: file(&env, &config),
        service: file(&own, &service_config),
        unit,
        port,
        target,
        port_state,
        live,
        rpc,
    })
}

/// Who named the port. `was_named`: the environment did, before the gateway that runs was asked for it.
fn port_source(unit: &Unit, env: &Env, config: &Config, was_named: bool) -> &'static str {
    match env.port() {
        _ if unit.port().is_some() => "service args",
        // Looking past a file that cannot be used gave it.
        Some(_) if !was_named && !config.is_valid() => "running gateway",
        None if !config.is_set("gateway.port") && env.profile.is_some() => "profile name",
        None if !config.is_set("gateway.port") => "default",
        _ => "env/config",
    }
}

/// The configuration, whatever is wrong with it.
fn looked(env: &mut Env) -> Config {
    settings(env).unwrap_or_else(|_| Config::inspect(env))
}

fn file(env: &Env, config: &Config) -> ConfigFile {
    ConfigFile {
        path: env.config_path.clone(),
        exists: !files::is_missing(&env.config_path),
        issues: config.issues().to_vec(),
        has_control_ui: config.bool("gateway.controlUi.enabled"),
    }
}

/// `/` or `/<base>/`.
fn control_path(config: &Config) -> String {
    match config.str("gateway.controlUi.basePath").map(|path| path.trim_matches('/')) {
        None | Some("") => "/".to_string(),
        Some(base) => format!("/{base}/"),
    }
}

/// Connects and asks for `status`; only a wrong command line is an error.
fn probe(context: &Context, args: &Args, target: &Target, env: &Env) -> Result<Rpc> {
    let deadline = rpc::deadline(context, args)?;
    let started = Instant::now();
    let mut rpc = Rpc::default();
    match connect(target, &env.state_dir, &[], deadline) {
        Ok(mut session) => {
            rpc.version =
                session.hello.pointer("/server/version").and_then(Value::as_str).map(str::to_string);
            let other = || rpc::other_state_dir(target, &session.hello);
            rpc.other_state_dir = if rpc::is_named(target) { None } else { other() };
            match rpc::request(&mut session, target, "status", &json!({}), false) {
                Ok(status) => {
                    rpc.latency_ms = Some(started.elapsed().as_millis() as u64);
                    rpc.status = Some(status);
                }
                Err(error) => rpc.error = Some(error),
            }
            session.client.close();
        }
        Err(error) => rpc.error = Some(error),
    }
    Ok(rpc)
}

/// The process that holds the state directory's lock. The lock is looked at, not tried: a gateway that starts at
/// this moment must find it free.
pub fn live(env: &Env) -> Option<Live> {
    let path = env.state_dir.join("gateway").join("gateway.lock");
    let inode = std::fs::metadata(&path).ok()?.ino();
    let pid: u32 = crate::files::read_text(&path).ok()?.split_whitespace().next()?.parse().ok()?;
    let is_held = match std::fs::read_to_string("/proc/locks") {
        Ok(locks) => locks.lines().any(|lock| lock.contains("FLOCK") && locked_inode(lock) == Some(inode)),
        Err(_) => Pid::from_raw(i32::try_from(pid).ok()?).is_some_and(|pid| test_kill_process(pid).is_ok()),
    };
    is_held.then(|| Live { pid, addresses: owners::of_process(pid) })
}

/// Who has `port`, as a sentence, where it is not this profile's gateway.
pub fn stranger(env: &Env, port: u16) -> Option<String> {
    let listener = owners::stranger(port, live(env).map(|live| live.pid))?;
    let is_it = |(_, other): &(String, Env)| live(other).is_some_and(|live| Some(live.pid) == listener.pid);
    Some(match (listener.pid, ports::homes(env).into_iter().find(is_it)) {
        (Some(pid), Some((profile, _))) => {
            format!("port {port} is the gateway of profile {profile} (pid {pid})")
        }
        _ => format!("port {port} belongs to {}, which is not this profile's gateway", listener.told()),
    })
}

/// The inode of a line such as `1: FLOCK ADVISORY WRITE 4242 08:01:131 0 EOF`.
fn locked_inode(line: &str) -> Option<u64> {
    line.split_whitespace().find_map(|word| word.splitn(3, ':').nth(2)).and_then(|inode| inode.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_is_seen_without_taking_it() {
        let dir = crate::sessions::TestDir::new();
        let vars = [("HOME", dir.0.as_path()), ("OPENCLAW_STATE_DIR", dir.0.as_path())];
        let vars = vars.map(|(name, path)| (name.to_string(), path.display().to_string()));
        let env = Env::from_vars(vars, None).unwrap();
        assert!(live(&env).is_none());
        let path = dir.0.join("gateway/gateway.lock");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let lock = crate::files::Lock::try_now(&path).unwrap();
        std::fs::write(&path, std::process::id().to_string()).unwrap();
        assert_eq!(live(&env).map(|live| live.pid), Some(std::process::id()));
        drop(lock);
        assert!(live(&env).is_none(), "a file left behind by a dead gateway");
    }
}
