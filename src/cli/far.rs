//! Whether the gateway that a command means is on another machine, whose files are not here.
//!
//! Commands that read or write this machine's files would show or change what no gateway uses: they ask the gateway
//! where it has a method for that, refuse where it has none, and say whose data it is where both could be meant.
use super::parse::Args;
use super::{Context, print};
use crate::config::Config;
use crate::config::address::Url;
use crate::env::Env;
use crate::error::{Error, Result};
pub use crate::service::far::address as configured;
use crate::service::far::silent;

/// The address of a gateway elsewhere: that of `--url`, or the configured one.
pub fn address(env: &Env, config: &Config, args: &Args) -> Option<String> {
    let named = args.value("url").map(|url| Url::new(url).to_string());
    named.or_else(|| configured(env, config))
}

/// The same for a command that else works on this machine's files, and says so where the gateway that the environment
/// names does not answer.
pub fn or_here(context: &Context, env: &Env, config: &Config, args: &Args) -> Option<String> {
    let address = address(env, config, args);
    if let Some(port) = silent(env, config).filter(|_| address.is_none()) {
        context.out.warn(&format!(
            "note: nobody listens on port {port}, which OPENCLAW_GATEWAY_PORT names; this is about the files of this machine"
        ));
    }
    address
}

/// The same for a command that reads nothing else of the configuration.
pub fn look(context: &Context, args: &Args) -> Option<String> {
    let mut env = context.env.clone();
    let config = Config::inspect(&mut env);
    address(&env, &config, args)
}

/// The configuration and the environment with its variables. A broken file does not matter where `--url` says which
/// gateway is meant.
pub fn load(context: &Context, args: &Args) -> Result<(Config, Env)> {
    let mut env = context.env.clone();
    let config =
        if args.value("url").is_some() { Config::inspect(&mut env) } else { Config::load(&mut env)? };
    Ok((config, env))
}

/// Why something is not done from here; `instead` is the method that does the like.
pub fn refusal(env: &Env, address: &str, why: &str, instead: Option<&str>) -> Error {
    let call = instead.map(|method| env.command(&format!("gateway call {method}")));
    let call = call.map_or(String::new(), |call| format!(", or use its method: `{call}`"));
    Error::invalid(format!(
        "the gateway is elsewhere ({address}), and {why}\nFix: run it there, on the gateway's host{call}"
    ))
}

/// Says on stderr that `what` is of this machine, where a gateway elsewhere has its own.
pub fn note(out: &print::Printer, env: &Env, config: &Config, what: &str) {
    if let Some(address) = configured(env, config) {
        out.warn(&format!("note: {what} of this machine; the gateway at {address} has its own"));
    }
}

/// The same for a key of the configuration, unless it is one that says where the gateway is.
pub fn note_setting(out: &print::Printer, env: &Env, config: &Config, key: &str) {
    if !["gateway.mode", "gateway.remote"].iter().any(|own| key.starts_with(own)) {
        note(out, env, config, "this is the configuration");
    }
}
