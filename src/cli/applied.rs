//! Waiting until a gateway of this host that runs has taken over a change of the configuration, so that the next
//! command finds it (N-16).
//!
//! A connection made before the file is written sees it: the gateway tells administrators of the file's new text once
//! it is in force, closes what proved itself by a secret that has changed (SEC-14), and everybody when it restarts in
//! process. Nothing is tried with a new secret, which would count as a wrong one until then. Without a gateway, or one
//! that does not let this command in as an administrator, nothing is waited for.
use super::Context;
use super::gateway::status::live;
use super::link::client::Deadline;
use super::link::connect::{Session, connect};
use super::link::target::Target;
use super::parse::Args;
use super::waiting::Waiting;
use crate::config::Config;
use crate::config::address::Url;
use crate::config::plan::{Plan, plan};
use crate::env::Env;
use crate::error::{Kind, Result};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Longest wait for the connection before, and for the change besides the quiet time that the gateway waits for. More
/// than the most of that is not waited for at all. Milliseconds.
const CONNECTING: u64 = 2000;
const PATIENCE: u64 = 4000;
const MOST_QUIET: u64 = 3000;

/// What a running gateway made of a change.
#[derive(Clone, Copy, PartialEq)]
pub enum Outcome {
    InForce,
    /// Not seen to be in force in time.
    Late,
    /// Its port is named by its command line or by a variable, and goes before that of the file.
    Overruled,
}

impl Outcome {
    /// What is said of it besides.
    pub fn note(self) -> Option<&'static str> {
        match self {
            Outcome::InForce => None,
            Outcome::Late => {
                Some("note: the running gateway has not applied it yet; it logs when it does, or why not")
            }
            Outcome::Overruled => Some(
                "note: gateway.port has no effect while --port or OPENCLAW_GATEWAY_PORT names the port of the running gateway",
            ),
        }
    }
}

/// A connection to the gateway that is about to see its configuration change.
pub struct Running {
    session: Session,
    since: Instant,
    env: Env,
    before: Config,
}

impl Running {
    /// Connects, if a gateway of this host runs.
    pub fn open(env: &Env) -> Option<Running> {
        let live = live(env)?;
        let before = Config::inspect(&mut env.clone());
        let target = target(env, &before, live.port(env)?)?;
        let since = Instant::now();
        let session = connect(&target, &env.state_dir, &[], Deadline::after(since, CONNECTING)).ok()?;
        let scopes = session.hello.pointer("/auth/scopes").and_then(Value::as_array).into_iter().flatten();
        let is_admin = scopes.filter_map(Value::as_str).any(|scope| scope == "operator.admin");
        is_admin.then(|| Running { session, since, env: env.clone(), before })
    }

    /// The mode of authentication that is in force there.
    pub fn auth_mode(&self) -> Option<String> {
        Some(self.session.hello.pointer("/snapshot/authMode")?.as_str()?.to_string())
    }

    /// Waits until what the file says now is in force. `None` when there is nothing to wait for: the
    /// file is as it was, or the change is left to the next start.
    pub fn wait(self, context: &Context) -> Option<Outcome> {
        let Running { session, since, env, before } = self;
        let after = Config::inspect(&mut env.clone());
        let mode = after.str("gateway.reload.mode").unwrap_or("hybrid");
        let plan = plan(&before, &after);
        if after.hash() == before.hash() || plan.is_empty() || is_left(&plan, mode) {
            session.client.close();
            return None;
        }
        let quiet = before.u64("gateway.reload.debounceMs").unwrap_or(300);
        if quiet > MOST_QUIET {
            session.client.close();
            return Some(Outcome::Late);
        }
        let deadline = Deadline::after(Instant::now(), quiet + PATIENCE);
        let restarts = mode != "off" && !plan.restarts(mode).is_empty();
        let _waiting = Waiting::begin(context.out, "waiting until the gateway applies it");
        Some(match told(session, deadline, after.hash(), restarts) {
            Outcome::InForce if restarts && !is_back(&env, &after, since, deadline) => Outcome::Late,
            // It is what the gateway goes on with: a mistake was taken back.
            Outcome::Overruled if !plan.restart.iter().any(|path| path == "gateway.port") => Outcome::InForce,
            Outcome::Overruled if is_there(&env, &after) => Outcome::InForce,
            told => told,
        })
    }
}

/// Whether the gateway listens where the file says.
fn is_there(env: &Env, config: &Config) -> bool {
    live(env).and_then(|live| live.port(env))
        == config.u64("gateway.port").and_then(|port| u16::try_from(port).ok())
}

/// Whether nothing happens now. A secret is taken over whatever the mode.
fn is_left(plan: &Plan, mode: &str) -> bool {
    let is_secret = |path: &String| {
        let key = path.strip_prefix("gateway.auth.").unwrap_or_default();
        matches!(key, "token" | "password" | "tokenFile" | "passwordFile")
    };
    let has_secret = plan.hot.iter().any(|(_, paths)| paths.iter().any(is_secret));
    match mode {
        "off" => !has_secret,
        "hot" => !plan.restart.is_empty() && !has_secret,
        _ => plan.is_idle(),
    }
}

/// Reads until the gateway tells of the text `hash`, or with `restarts` closes the connection. Closing it says that
/// the new secret holds.
fn told(session: Session, deadline: Deadline, hash: &str, restarts: bool) -> Outcome {
    let mut client = session.client;
    client.set_deadline(deadline);
    loop {
        match client.next() {
            Ok(frame) => {
                let is_change = frame.get("event").and_then(Value::as_str) == Some("config.changed")
                    && frame.pointer("/payload/hash").and_then(Value::as_str) == Some(hash);
                // A gateway that does not say so restarts as the plan has it.
                let goes_on = frame.pointer("/payload/restarts") == Some(&Value::Bool(false));
                if is_change && (!restarts || goes_on) {
                    client.close();
                    return if restarts { Outcome::Overruled } else { Outcome::InForce };
                }
            }
            Err(_) if deadline.has_passed() => return Outcome::Late,
            Err(_) => return Outcome::InForce,
        }
    }
}

/// Whether the gateway lets clients in again, anew since that moment, by the new configuration.
fn is_back(env: &Env, config: &Config, since: Instant, deadline: Deadline) -> bool {
    let pause = Duration::from_millis(50);
    while !deadline.has_passed() {
        let target = live(env).and_then(|live| target(env, config, live.port(env)?));
        match target.map(|target| connect(&target, &env.state_dir, &[], deadline)) {
            Some(Ok(session)) => {
                let uptime = session.hello.pointer("/snapshot/uptimeMs").and_then(Value::as_u64);
                session.client.close();
                if uptime.is_none_or(|ms| Duration::from_millis(ms) < since.elapsed()) {
                    return true;
                }
                std::thread::sleep(pause);
            }
            // Whoever it lets in, it is there.
            Some(Err(error)) if error.kind != Kind::Unreachable => return !deadline.has_passed(),
            _ => std::thread::sleep(pause),
        }
    }
    false
}

/// The gateway of this state directory, whatever the environment says of others.
fn target(env: &Env, config: &Config, port: u16) -> Option<Target> {
    let mut target = Target::configured(env, config, &Args::default(), false).ok()?;
    let scheme = if target.tls { "wss" } else { "ws" };
    (target.url, target.port) = (Url::new(format!("{scheme}://{}:{port}", target.host)), port);
    Some(target)
}

/// Does `work`, which writes the configuration, and has the running gateway take it over.
pub fn wait_for<T>(context: &Context, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let running = Running::open(&context.env);
    let done = work()?;
    let outcome = running.and_then(|running| running.wait(context));
    if let Some(note) = outcome.and_then(Outcome::note) {
        context.out.warn(note);
    }
    Ok(done)
}
