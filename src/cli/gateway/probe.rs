//! `openclaw gateway probe`: which gateways can be reached from here, and what they say of themselves.
//!
//! Asks the gateway of this host, the configured remote one, the one named by `--url` and the one behind an SSH
//! tunnel, one after the other within one time budget. It changes nothing and succeeds when at least one answers; of
//! gateways that the command line names, that one.
use super::super::waiting::Waiting;
use super::probe_ssh::{self, Tunnelled};
use crate::cli::link::client::Deadline;
use crate::cli::link::connect::{Session, connect};
use crate::cli::link::rpc;
use crate::cli::link::target::{Target, settings, tailnet_address};
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON, far};
use crate::clock;
use crate::config::Config;
use crate::config::ports;
use crate::env::Env;
use crate::error::{Cause, Error, Kind, Result};
use crate::json::{Put, json};
use serde_json::Value;
use std::time::Instant;

pub const COMMAND: Command = Command {
    name: "gateway probe",
    summary: "Show which gateways can be reached, here and elsewhere",
    about: "Asks the gateway of this host, the configured remote one and the one named by --url, and through\n\
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
struct Answer {
    latency_ms: Option<u64>,
    error: Option<Error>,
    /// `health`, `status`, `system-presence` and `config.get`; null where they failed.
    health: Value,
    summary: Value,
    presence: Value,
    config: Value,
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
    let mut candidates = candidates(&env, &config, args);
    let tunnelled = way.map(|way| {
        let _waiting =
            Waiting::begin(context.out, &format!("opening an SSH tunnel to {}", way.destination()));
        way.open(&env, &config, args, deadline)
    });
    let mut failure = None;
    match &tunnelled {
        Some(Ok(tunnelled)) => candidates.insert(0, tunnelled.candidate()),
        Some(Err(error)) => failure = Some(error),
        None => {}
    }
    let mut asked = Vec::new();
    for candidate in candidates {
        let target = candidate.target.as_ref().ok();
        let waiting = target.map(|target| Waiting::begin(context.out, &format!("asking {}", target.url)));
        let mut answer = ask(&candidate, &env, deadline);
        if let (Some(Ok(tunnelled)), "sshTunnel") = (&tunnelled, candidate.id) {
            answer.error = answer.error.map(|e| e.context(tunnelled.far_end()));
        }
        drop(waiting);
        asked.push((candidate, answer));
    }
    let warnings = warnings(&asked, failure);
    let named = match () {
        _ if args.value("url").is_some() => Some("explicit"),
        _ if args.value("ssh").is_some() || args.has("ssh-auto") => Some("sshTunnel"),
        _ => None,
    };
    let counts = |candidate: &Candidate| named.is_none_or(|id| id == candidate.id);
    let is_ok = asked.iter().any(|(candidate, answer)| answer.is_ok() && counts(candidate));
    if args.has("json") {
        let tunnel = tunnelled.as_ref().and_then(|tunnelled| tunnelled.as_ref().ok()).map(Tunnelled::to_json);
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
    fn is_ok(&self) -> bool {
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
    fn own(&self) -> Value {
        let list = self.presence.as_array().into_iter().flatten();
        let mine = list.clone().find(|entry| entry.get("mode").and_then(Value::as_str) == Some("gateway"));
        let text = |key: &str| mine.and_then(|entry| entry.get(key)).cloned().unwrap_or_default();
        if self.latency_ms.is_none() {
            return Value::Null;
        }
        json!({"host": text("host"), "ip": text("ip"), "version": self.version, "platform": text("platform")})
    }

    /// Tells two ways to one gateway from two gateways: its host and its config file, where it says them.
    fn identity(&self) -> Option<(Value, &str)> {
        let path = self.config.get("path")?.as_str()?;
        Some((self.own().get("host").cloned()?, path))
    }

    fn first_line(&self) -> Option<&str> {
        self.error.as_ref().map(|error| error.message().lines().next().unwrap_or_default())
    }
}

fn warnings(asked: &[(Candidate, Answer)], tunnel: Option<&Error>) -> Vec<Value> {
    let mut all = Vec::new();
    if let Some(error) = tunnel {
        all.push(json!({"code": "ssh_tunnel_failed", "message": error.message()}));
    }
    let up: Vec<_> = asked.iter().filter(|(_, answer)| answer.latency_ms.is_some()).collect();
    let first = up.first().and_then(|(_, answer)| answer.identity());
    let is_one = first.is_some() && up.iter().all(|(_, answer)| answer.identity() == first);
    if up.len() > 1 && !is_one {
        let up: Vec<&str> = up.iter().map(|(candidate, _)| candidate.id).collect();
        let message = "several gateways answer; unless that is intended, keep one and stop the others";
        all.push(json!({"code": "multiple_gateways", "message": message, "targetIds": up}));
    }
    all
}

fn show(context: &Context, asked: &[(Candidate, Answer)], timeout_ms: u64, warnings: &[Value], is_ok: bool) {
    let line = |text: String| context.out.line(&text);
    context.out.heading("Gateway Status");
    line(format!("Reachable: {}", if is_ok { "yes" } else { "no" }));
    line(format!("Probe budget: {timeout_ms}ms"));
    for warning in warnings {
        let text = warning.get("message").and_then(Value::as_str).unwrap_or_default();
        line(format!("Warning:\n- {}", text.replace('\n', "\n  ")));
    }
    line("\nTargets".to_string());
    for (candidate, answer) in asked {
        let url = candidate.target.as_ref().map_or(String::new(), |target| target.url.to_string());
        line(format!("{} {url}", candidate.title));
        match (answer.latency_ms, answer.first_line()) {
            (Some(ms), None) => line(format!("  Connect: ok ({ms}ms) · RPC: ok")),
            (Some(ms), Some(why)) => line(format!("  Connect: ok ({ms}ms) · RPC: failed - {why}")),
            (None, why) => line(format!("  Connect: failed - {}", why.unwrap_or("no answer"))),
        }
        let own = answer.own();
        let text = |key: &str| own.get(key).and_then(Value::as_str).unwrap_or("?");
        if own.is_object() {
            line(format!(
                "  Gateway: {} ({}) · {} · app {}",
                text("host"),
                text("ip"),
                text("platform"),
                text("version")
            ));
        }
        let fix = answer.error.as_ref().and_then(|e| e.message().lines().find(|l| l.starts_with("Fix: ")));
        // Of one that is not meant, as long as another answers, nothing has to be mended.
        if let Some(fix) = fix.filter(|_| candidate.is_active || !is_ok) {
            line(format!("  {fix}"));
        }
    }
}

fn as_json(
    context: &Context,
    env: &Env,
    config: &Config,
    asked: &[(Candidate, Answer)],
    timeout_ms: u64,
    warnings: &[Value],
    tunnel: Option<Value>,
) -> Value {
    let port = ports::configured(env, config);
    let tailnet = tailnet_address().map(|ip| ip.to_string());
    let up = asked.iter().find(|(_, answer)| answer.is_ok());
    json!({
        "ok": up.is_some(),
        "ts": clock::now_ms(),
        "durationMs": context.started.elapsed().as_millis() as u64,
        "timeoutMs": timeout_ms,
        "primaryTargetId": up.map(|(candidate, _)| candidate.id),
        "warnings": warnings,
        "network": {
            "localLoopbackUrl": format!("ws://127.0.0.1:{port}"),
            "localTailnetUrl": tailnet.as_ref().map(|ip| format!("ws://{ip}:{port}")),
            "tailnetIPv4": tailnet,
        },
        // Gateways do not announce themselves in this version.
        "discovery": {"timeoutMs": 0, "count": 0, "beacons": []},
        "targets": asked.iter().map(|(candidate, answer)| target_json(candidate, answer, &tunnel)).collect::<Vec<_>>(),
    })
}

fn target_json(candidate: &Candidate, answer: &Answer, tunnel: &Option<Value>) -> Value {
    let code = answer.error.as_ref().and_then(|error| match error.cause() {
        Some(Cause::Closed(code)) => Some(code),
        _ => None,
    });
    let close = code.map(|code| {
        let reason = answer.first_line().and_then(|line| line.split_once("): ")).map(|(_, reason)| reason);
        json!({"code": code, "reason": reason})
    });
    json!({
        "id": candidate.id,
        "kind": candidate.id,
        "url": candidate.target.as_ref().ok().map(|target| target.url.to_string()),
        "active": candidate.is_active,
        "tunnel": tunnel.as_ref().filter(|_| candidate.id == "sshTunnel"),
        "connect": {
            "ok": answer.latency_ms.is_some(), "latencyMs": answer.latency_ms,
            "error": answer.first_line(), "close": close,
        },
        "self": answer.own(),
        "config": if answer.config.is_null() { Value::Null } else { config_summary(&answer.config) },
        "health": answer.health,
        "summary": answer.summary,
        "presence": answer.presence,
    })
}

/// What matters of `config.get` for reaching a gateway; never a secret.
fn config_summary(snapshot: &Value) -> Value {
    let of = |key: &str| snapshot.get(key).cloned().unwrap_or_default();
    let gateway = snapshot.pointer("/config/gateway").unwrap_or(&Value::Null);
    let at = |pointer: &str| gateway.pointer(pointer).cloned().unwrap_or_default();
    let is_set =
        |pointer: &str| gateway.pointer(pointer).is_some_and(|value| !value.is_null() && value != "");
    json!({
        "path": of("path"), "exists": of("exists"), "valid": of("valid"), "issues": of("issues"),
        "legacyIssues": of("legacyIssues"),
        "gateway": {
            "mode": at("/mode"), "bind": at("/bind"), "port": at("/port"),
            "controlUiEnabled": at("/controlUi/enabled"), "controlUiBasePath": at("/controlUi/basePath"),
            "authMode": at("/auth/mode"), "authTokenConfigured": is_set("/auth/token"),
            "authPasswordConfigured": is_set("/auth/password"), "remoteUrl": at("/remote/url"),
            "remoteTokenConfigured": is_set("/remote/token"),
            "remotePasswordConfigured": is_set("/remote/password"), "tailscaleMode": at("/tailscale/mode"),
        },
        "discovery": {"wideAreaEnabled": null},
    })
}
