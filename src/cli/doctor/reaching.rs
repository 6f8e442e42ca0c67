//! What the running gateway says of itself, for the checks that want it.
use crate::cli::link::client::Deadline;
use crate::cli::link::connect::{connect, visit};
use crate::cli::link::socket::reason;
use crate::cli::link::target::{Target, settings};
use crate::cli::parse::Args;
use crate::doctor::{Ctx, Reached};
use crate::error::{Error, Kind, Result};
use serde_json::Value;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// How long the gateway may take to answer.
const ASK: u64 = 3000;

/// Asks the gateway, if one is meant to be there. Leaves nothing on disk: who has no identity yet comes without one, and only
/// knocks where such are not let in.
pub fn reach(ctx: &Ctx) -> Option<Reached> {
    if !ctx.config.exists() && ctx.instance.is_none() {
        return None;
    }
    let mut env = ctx.env.clone();
    let config = settings(&mut env).unwrap_or_else(|_| ctx.config.clone());
    let target = Target::resolve(&env, &config, &Args::default()).ok()?;
    let until = Deadline::after(Instant::now(), ASK);
    let asked = match ctx.env.state_dir.join("identity/device.json").exists() {
        true => connect(&target, &ctx.env.state_dir, &[], until).map(Some),
        false => knock(&target).and_then(|()| visit(&target, until)),
    };
    let (mut version, mut channels) = (None, Value::Null);
    let outcome = asked.map(|session| {
        if let Some(session) = session {
            let told = |path: &str| session.hello.pointer(path).cloned().unwrap_or_default();
            version = told("/server/version").as_str().map(str::to_string);
            channels = told("/snapshot/health/channels");
            session.client.close();
        }
        version
    });
    Some(Reached { url: target.url.to_string(), outcome, channels })
}

fn knock(target: &Target) -> Result<()> {
    let failed = |e: std::io::Error| {
        target.explain(Error::new(Kind::Unreachable, format!("gateway not reachable: {}", reason(&e))), false)
    };
    let mut addresses = (target.host.as_str(), target.port).to_socket_addrs().map_err(failed)?;
    let address =
        addresses.next().ok_or_else(|| Error::not_found(format!("{} has no address", target.host)))?;
    TcpStream::connect_timeout(&address, Duration::from_millis(ASK)).map(drop).map_err(failed)
}
