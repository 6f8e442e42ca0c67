//! `openclaw node ...`: this machine as a node of a gateway, whose agents run commands here by this machine's own rules.
//!
//! `host` is the loop: one thread, the command's own, waits for the gateway, for signals and for what commands say.
//! `calls` knows what may be invoked: `run` commands (`processes/`, by `approvals/`), `small` what is answered at once,
//! `browser` the way to a browser control service of this machine. `work` is what is not answered yet, `answer` how it is
//! said, `stats` how the machine does, `place` which gateway it is, `service` the host as a service.
mod answer;
mod bell;
mod browser;
mod calls;
mod host;
mod place;
mod run;
mod service;
mod small;
mod stats;
mod work;

use super::gateway::service::PLACE;
use super::parse::Args;
use super::{Command, Context, Flag, JSON};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::files::{self, Lock};
use crate::processes::list;
use host::Host;
pub use service::{RESTART, START, STATUS, STOP, UNINSTALL};

/// Which gateway, and as whom.
const WHERE: &[Flag] = &[
    Flag::value("host", "<host>", "Connect to the gateway on this host; kept for the next start"),
    Flag::value("port", "<port>", "Connect to this port; default 18789"),
    Flag::switch("tls", "Connect by TLS"),
    Flag::value("tls-fingerprint", "<sha256>", "Accept only this certificate of the gateway"),
    Flag::value("display-name", "<name>", "Show this name; the machine's when left out"),
    Flag::value("node-id", "<id>", "Give this instance id; a new one when left out"),
];

pub const RUN: Command = Command {
    name: "node run",
    summary: "Run this machine as a node of a gateway",
    about: "Agents of the gateway run commands here, by the rules of this machine's exec-approvals.json. Without --host \
            it is the gateway of the last start, else the configured one. A gateway that does not know this machine \
            has to approve it once. Reconnects by itself; Ctrl-C ends it.",
    flags: &[
        WHERE,
        &[
            Flag::value("token", "<token>", "Use this shared token"),
            Flag::value("password", "<password>", "Use this shared password"),
        ],
    ],
    examples: &[
        ("openclaw node run", "Be a node of the configured gateway"),
        ("openclaw node run --host gw.lan --tls --tls-fingerprint <sha256>", "Be one of another machine's"),
    ],
    ..Command::of("node run", run)
};

pub const INSTALL: Command = Command {
    name: "node install",
    summary: "Install the node host as a service that starts by itself",
    about: "No secret gets into the service's file: run `openclaw node run --token ...` once, so that this machine \
            is approved and has a token of its own, or put the secret into the configuration.",
    flags: &[
        WHERE,
        &[
            Flag::value("user", "<name>", "Run a system service as this user"),
            Flag::switch("force", "Write the service anew, also over one that differs"),
            Flag::choice("runtime", "<name>", &["node", "bun"], "Accepted without effect").quiet(),
        ],
        PLACE,
        &[JSON],
    ],
    examples: &[("openclaw node install --host gw.lan --port 18789 --tls", "Install it for this gateway")],
    ..Command::of("node install", service::install)
};

fn run(context: &Context, args: &Args) -> Result<()> {
    crate::sys::keep_little_memory();
    let mut env = context.env.clone();
    let config = Config::load(&mut env)?;
    let mut kept = place::read(&env)?;
    let place = place::wanted(&env, &config, args, &kept)?;
    let _lock = lock(&env)?;
    let me = place::keep(&env, args, &mut kept, &place)?;
    list::clear(&work::dir(&env));
    let waits = browser::is_there(&env, &config);
    drop(config);
    let host = Host::new(&context.out, env, place.target, me, waits)?;
    host.serve()
}

/// Two of one state directory would be one node twice.
fn lock(env: &crate::env::Env) -> Result<Lock> {
    let dir = env.state_dir.join("node");
    files::private_dir(&dir)?;
    let path = dir.join("node.lock");
    let Some(lock) = Lock::try_now(&path)? else {
        let pid = files::read_text(&path).unwrap_or_default();
        let text = format!(
            "a node host runs already for {} (pid {}): stop it with `{}` or by its pid",
            env.display(&env.state_dir),
            pid.trim(),
            env.command("node stop")
        );
        return Err(Error::unavailable(text));
    };
    lock.note(&std::process::id().to_string()).map_err(|e| Error::io("write node.lock", e))?;
    Ok(lock)
}
