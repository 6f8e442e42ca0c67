//! `openclaw gateway probe`: which gateways can be reached from here, and what they say of themselves.
//!
//! Asks the gateway of this host, the configured remote one, the one named by `--url` and the one behind an SSH
//! tunnel, one after the other within one time budget. It changes nothing and succeeds when at least one answers; of
//! gateways that the command line names, that one.
use super::super::waiting::Waiting;
use super::probe_report::{as_json, show, warnings};
use super::probe_ssh::{self, Tunnelled};
use crate::cli::link::client::Deadline;
use crate::cli::link::connect::{Session, connect};
use crate::cli::link::rpc;
use crate::cli::link::target::{Target, settings};
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON, far};
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::json::{Put, json};
use serde_json::Value;
use std::time::Instant;

pub const COMMAND: Command = Command {
    name: "gateway probe",
    summary: "Show which gateways can be reached, here and elsewhere",
    about: "Whether this one is up says `openclaw status`. Asks the gateway of this host, the configured remote one and the one named by --url, and through\n\
            a tunnel of its own the one on the host named by --ssh or gateway.remote.sshTarget.\n\
            Exits 1 when none answers, or not the one that --url or --ssh names.",
    positionals: &[],
    flags: &[FLAGS, probe_ssh::FLAGS, rpc::FLAGS],
    examples: &[
        ("openclaw gateway probe", "Ask all known gateways"),
        ("openclaw gateway probe --ssh me@box --token T", "Ask the gateway on another host through SSH"),
        ("openclaw gateway probe --json --timeout 1000", "Print it as JSON, within a second"),
    ],
    failure: "",
    run,
};

const FLAGS: &[Flag] = &[
    Flag::value(
        "timeout",
        "<time>",
        "Take at most this time for all, as 5s or 500 (ms); default 3s, with SSH 10s",
    ),
    JSON,
];

const DEFAULT_TIMEOUT_MS: u64 = 3000;
/// A handshake of SSH takes its time.
const SSH_TIMEOUT_MS: u64 = 10_000;

/// A gateway to ask.
pub struct Candidate {
    /// `explicit`, `sshTunnel`, `configRemote` or `localLoopback`.
    pub id: &'static str,
    pub title: &'static str,
    pub target: Result<Target>,
    /// Whether this is the one the other commands call.
    pub is_active: bool,
}

/// What asking it gave.
pub struct Answer {
    pub latency_ms: Option<u64>,
    pub error: Option<Error>,
    /// `health`, `status`, `system-presence` and `config.get`; null where they failed.
    pub health: Value,
    pub summary: Value,
    pub presence: Value,
    pub config: Value,
    version: Value,
}

fn run(context: &Context, args: &Args) -> Result<()> {
    let mut env = context.env.clone();
    let config = settings(&mut env).unwrap_or_else(|_| Config::inspect(&mut env));
    let way = probe_ssh::way(&env, &config, args)?;
    let default = if way.is_some() { SSH_TIMEOUT_MS } else { DEFAULT_TIMEOUT_MS };
    let timeout_ms = args.millis("timeout", 1)?.unwrap_or(default);
    if timeout_ms == 0 {
        return Err(Error::usage("--timeout must be more than 0: a probe has to end"));
    }
    let deadline = Deadline::after(context.started, timeout_ms);
    let tunnelled = way.map(|way| {
        let _waiting =
            Waiting::begin(context.out, &format!("opening an SSH tunnel to {}", way.destination()));
        way.open(&env, &config, args, deadline)
    });
    let (tunnelled, failure) = match &tunnelled {
        Some(Ok(tunnelled)) => (Some(tunnelled), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    let mut candidates = candidates(&env, &config, args);
    if let Some(tunnelled) = tunnelled {
        candidates.insert(0, tunnelled.candidate());
    }
    let ask = |candidate| ask_aloud(context, &env, candidate, tunnelled, deadline);
    let asked: Vec<_> = candidates.into_iter().map(ask).collect();
    let warnings = warnings(&asked, failure);
    let is_ok = is_enough(args, &asked);
    if args.has("json") {
        let tunnel = tunnelled.map(Tunnelled::to_json);
        let mut report = as_json(context, &env, &config, &asked, timeout_ms, &warnings, tunnel);
        if let Some(map) = report.as_object_mut() {
            map.put("ok", is_ok);
        }
        context.out.json(&report);
    } else {
        show(context, &asked, timeout_ms, &warnings, is_ok);
    }
    // Told above; only the status is left to give.
    if is_ok { Ok(()) } else { Err(Error::new(Kind::Unreachable, "")) }
}

/// Whether one answers, of those that the command line names that one.
fn is_enough(args: &Args, asked: &[(Candidate, Answer)]) -> bool {
    let named = match () {
        _ if args.value("url").is_some() => Some("explicit"),
        _ if args.value("ssh").is_some() || args.has("ssh-auto") => Some("sshTunnel"),
        _ => None,
    };
    let counts = |candidate: &Candidate| named.is_none_or(|id| id == candidate.id);
    asked.iter().any(|(candidate, answer)| answer.is_ok() && counts(candidate))
}

/// Whom to ask, the most wanted first. A secret on the command line goes to the gateway that is meant, to no other:
/// with an SSH option to the one behind the tunnel.
fn candidates(env: &Env, config: &Config, args: &Args) -> Vec<Candidate> {
    let is_remote = config.str("gateway.mode") == Some("remote");
    let named = args.value("url").is_some();
    let is_tunnelled = args.value("ssh").is_some() || args.has("ssh-auto");
    let bare = args.without(&["token", "password"]);
    let told = |is_meant: bool| if is_meant && !is_tunnelled { args } else { &bare };
    let mut all: Vec<Candidate> = Vec::new();
    if named {
        let target = Target::resolve(env, config, args);
        all.push(Candidate { id: "explicit", title: "URL explicit", target, is_active: true });
    }
    if config.str("gateway.remote.url").is_some_and(|url| !url.trim().is_empty()) || is_remote {
        let target = Target::configured(env, config, told(is_remote), true);
        let (title, is_active) = (
            if is_remote { "Remote configured" } else { "Remote configured (inactive)" },
            is_remote && !named,
        );
        all.push(Candidate { id: "configRemote", title, target, is_active });
    }
    let target = Target::configured(env, config, told(!is_remote), false);
    let url = |target: &Result<Target>| target.as_ref().ok().map(|target| target.url.clone());
    if !all.iter().any(|other| url(&other.target) == url(&target)) {
        let is_active = !is_remote && !named;
        let is_elsewhere = !is_remote && far::configured(env, config).is_some();
        let title =
            if is_elsewhere { "Local loopback (not this machine's gateway)" } else { "Local loopback" };
        all.push(Candidate { id: "localLoopback", title, target, is_active });
    }
    all
}

fn ask_aloud(
    context: &Context,
    env: &Env,
    candidate: Candidate,
    tunnelled: Option<&Tunnelled>,
    deadline: Deadline,
) -> (Candidate, Answer) {
    let target = candidate.target.as_ref().ok();
    let waiting = target.map(|target| Waiting::begin(context.out, &format!("asking {}", target.url)));
    let mut answer = ask(&candidate, env, deadline);
    if let Some(tunnelled) = tunnelled.filter(|_| candidate.id == "sshTunnel") {
        answer.error = answer.error.map(|e| e.context(tunnelled.far_end()));
    }
    drop(waiting);
    (candidate, answer)
}

fn ask(candidate: &Candidate, env: &Env, deadline: Deadline) -> Answer {
    let mut answer = Answer::default();
    let started = Instant::now();
    let session = candidate.target.clone().and_then(|target| {
        let session = connect(&target, &env.state_dir, &[], deadline)?;
        Ok((session, target))
    });
    match session {
        Err(error) => answer.error = Some(error),
        Ok((mut session, target)) => {
            answer.latency_ms = Some(started.elapsed().as_millis() as u64);
            answer.version = session.hello.pointer("/server/version").cloned().unwrap_or_default();
            if let Err(error) = answer.fill(&mut session, &target) {
                answer.error = Some(error);
            }
            session.client.close();
        }
    }
    answer
}

impl Default for Answer {
    fn default() -> Answer {
        let none = || Value::Null;
        Answer {
            latency_ms: None,
            error: None,
            health: none(),
            summary: none(),
            presence: none(),
            config: none(),
            version: none(),
        }
    }
}

impl Answer {
    /// Whether it connected and answered everything.
    pub fn is_ok(&self) -> bool {
        self.latency_ms.is_some() && self.error.is_none()
    }

    fn fill(&mut self, session: &mut Session, target: &Target) -> Result<()> {
        let mut call = |method: &str| rpc::request(session, target, method, &json!({}), false);
        self.health = call("health")?;
        self.summary = call("status")?;
        self.presence = call("system-presence")?;
        self.config = call("config.get")?;
        Ok(())
    }

    /// The gateway's own entry among those that are present.
    pub fn own(&self) -> Value {
        let list = self.presence.as_array().into_iter().flatten();
        let mine = list.clone().find(|entry| entry.get("mode").and_then(Value::as_str) == Some("gateway"));
        let text = |key: &str| mine.and_then(|entry| entry.get(key)).cloned().unwrap_or_default();
        if self.latency_ms.is_none() {
            return Value::Null;
        }
        json!({"host": text("host"), "ip": text("ip"), "version": self.version, "platform": text("platform")})
    }

    /// Tells two ways to one gateway from two gateways: its host and its config file, where it says them.
    pub fn identity(&self) -> Option<(Value, &str)> {
        let path = self.config.get("path")?.as_str()?;
        Some((self.own().get("host").cloned()?, path))
    }

    pub fn first_line(&self) -> Option<&str> {
        self.error.as_ref().map(|error| error.message().lines().next().unwrap_or_default())
    }
}
