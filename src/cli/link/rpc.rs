//! What the commands that call the gateway share: their options, the config, one call.
//!
//! A call that may change something and gets no answer ends as "outcome unknown" with the key that makes
//! repeating it safe (R-20b); reads simply fail.
use super::client::{self, Deadline};
use super::connect::Session;
use super::talk::Talk;
use super::target::{Secret, Target, settings};
use crate::cli::parse::Args;
use crate::cli::{Context, Flag};
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::methods;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Options of every command that calls the gateway.
pub const FLAGS: &[Flag] = &[
    Flag::value(
        "url",
        "<url>",
        "Call this gateway instead of the configured one; needs --token or --password",
    ),
    Flag::value("token", "<token>", "Use this shared token"),
    Flag::value("password", "<password>", "Use this shared password"),
    Flag::value("tls-fingerprint", "<sha256>", "Accept only this certificate of a wss:// gateway"),
];

/// The time limit of the short calls.
pub const TIMEOUT: &[Flag] = &[Flag::value(
    "timeout",
    "<time>",
    "Give up after this time, as 5s or 500 (ms), 0 for never; default 10s",
)];

/// What `--timeout` is when it is not given.
pub const DEFAULT_TIMEOUT_MS: u64 = 10_000;

/// Methods of other gateways that change nothing; those of this one say so in their rows.
const READS_ELSEWHERE: &[&str] = &[
    "channels.status",
    "exec.approvals.get",
    "node.describe",
    "node.list",
    "node.pair.list",
    "skills.status",
    "tts.providers",
    "tts.status",
    "voicewake.get",
];

/// Whether a method changes nothing, so that a lost answer loses nothing.
pub fn reads(method: &str) -> bool {
    let is_here = methods::named(method).is_some_and(|m| m.effect == methods::Effect::Reads);
    is_here || READS_ELSEWHERE.contains(&method)
}

/// The configured gateway, or the one the command line names.
pub fn target(context: &Context, args: &Args) -> Result<(Target, Config)> {
    resolve(context, args, Config::load)
}

/// The same for a call that changes nothing: a file that cannot be used does not hide a running gateway (R-06a).
pub fn target_to_read(context: &Context, args: &Args) -> Result<Target> {
    resolve(context, args, settings).map(|(target, _)| target)
}

/// The same as the configuration says now, for who stays longer than it.
pub fn target_now(env: &Env, args: &Args) -> Result<Target> {
    resolve_in(env, args, Config::load).map(|(target, _)| target)
}

fn resolve(context: &Context, args: &Args, load: fn(&mut Env) -> Result<Config>) -> Result<(Target, Config)> {
    resolve_in(&context.env, args, load)
}

fn resolve_in(env: &Env, args: &Args, load: fn(&mut Env) -> Result<Config>) -> Result<(Target, Config)> {
    let mut env = env.clone();
    // With --url nothing of the config is used for the call, so a broken one does not matter.
    let config = if args.value("url").is_some() { Config::inspect(&mut env) } else { load(&mut env)? };
    Ok((Target::resolve(&env, &config, args)?, config))
}

/// The deadline that `--timeout` sets, counted from the start of the process.
pub fn deadline(context: &Context, args: &Args) -> Result<Deadline> {
    Ok(Deadline::after(context.started, args.millis("timeout", 1)?.unwrap_or(DEFAULT_TIMEOUT_MS)))
}

/// Connects, calls `method` once and gives its payload.
pub fn call(context: &Context, args: &Args, method: &str, params: &Value) -> Result<Value> {
    Talk::new(context, args).call(method, params)
}

/// The same with another limit, where `--timeout` sets none, of which the gateway is told and says itself when it is over:
/// an answer is waited for a moment longer.
pub fn call_told_within(
    context: &Context,
    args: &Args,
    method: &str,
    params: &Value,
    usual_ms: u64,
) -> Result<Value> {
    const BESIDE_MS: u64 = 5000;
    let mut talk = Talk::new(context, args);
    talk.beside_ms = BESIDE_MS;
    talk.call_within(method, params, usual_ms)
}

/// One request on an open session.
pub fn request(
    session: &mut Session,
    target: &Target,
    method: &str,
    params: &Value,
    to_the_end: bool,
) -> Result<Value> {
    if !reads(method) {
        check_state_dir(target, &session.hello)?;
    }
    let id = session.client.send(method, params).map_err(|e| target.explain(e, false))?;
    session.client.answer(&id, to_the_end, &mut |_, _| {}).map_err(|error| {
        if !client::is_lost(&error) {
            return error;
        }
        if reads(method) {
            return target.explain(error, false);
        }
        unknown_outcome(method, params.get("idempotencyKey").and_then(Value::as_str), &error)
    })
}

/// Refuses to change anything in a gateway of this host that keeps another state directory than the one this
/// command line means, such as another profile's on the same port (R-26d).
pub fn check_state_dir(target: &Target, hello: &Value) -> Result<()> {
    // Without a configuration there is no gateway here that could have been meant: this is another user's client.
    if target.env.profile.is_none() && files::is_missing(&target.env.config_path) {
        return Ok(());
    }
    if is_named(target) {
        return Ok(());
    }
    let Some(theirs) = other_state_dir(target, hello).filter(|dir| dir.is_dir()) else { return Ok(()) };
    let (theirs, ours) = (target.env.display(&theirs), target.env.display(&target.env.state_dir));
    let text = format!(
        "the gateway at {} keeps its state in {theirs}, this command line in {ours}: nothing was sent\n\
         Fix: use its --profile or OPENCLAW_STATE_DIR, or name it with --url and --token",
        target.url
    );
    Err(Error::new(Kind::Conflict, text).with("stateDir", theirs))
}

/// The state directory of a local gateway, as told to administrators, where it is not the one meant here. One
/// that does not exist on this host belongs to a gateway in a container or behind a tunnel.
pub fn other_state_dir(target: &Target, hello: &Value) -> Option<PathBuf> {
    let theirs = Path::new(hello.pointer("/snapshot/stateDir")?.as_str()?);
    let is_local = target.is_configured() && target.bind.is_some();
    (is_local && files::real(theirs) != files::real(&target.env.state_dir)).then(|| theirs.to_path_buf())
}

/// Whether the caller named both the gateway and the credential for it, so that nothing was guessed.
pub fn is_named(target: &Target) -> bool {
    let env = &target.env;
    let is_from_caller = |secret: &Secret| {
        secret
            .source
            .strip_prefix("environment ")
            .map_or(secret.source.starts_with("--"), |name| env.is_given(name))
    };
    let secret = target.token.as_ref().or(target.password.as_ref());
    env.is_given("OPENCLAW_GATEWAY_PORT") && secret.is_some_and(is_from_caller)
}

/// What gateways advise of a key, which says nothing to who gave none.
pub const NEW_KEY: &str = " with a new idempotency key";

/// The error for a request that was written and not answered.
pub fn unknown_outcome(method: &str, key: Option<&str>, error: &Error) -> Error {
    let told = match key {
        Some(key) => {
            format!("Idempotency key: {key}\nFix: repeat the same call with this key; it takes effect once")
        }
        None => "Fix: look whether it took effect before you repeat it".to_string(),
    };
    let why = error.message().lines().next().unwrap_or_default();
    let text = format!("{method}: outcome unknown, the request was sent and no answer came: {why}\n{told}");
    let unknown = Error::new(Kind::OutcomeUnknown, text).with("method", method);
    match key {
        Some(key) => unknown.with("idempotencyKey", key),
        None => unknown,
    }
}

/// Errors of a gateway that is down or does not let this client do it.
pub fn keeps_out(kind: Kind) -> bool {
    use Kind::*;
    matches!(
        kind,
        Unreachable | Unauthorized | RateLimited | NotPaired | Forbidden | Protocol | UnknownMethod
    )
}

#[cfg(test)]
mod tests {
    use super::NEW_KEY;

    #[test]
    fn n_19_the_advice_about_keys_is_known_by_its_words() {
        for text in [include_str!("../../gateway/recover.rs"), include_str!("../../runs/outcome.rs")] {
            assert!(text.contains(&format!("send it again{NEW_KEY}\"")));
        }
    }
}
