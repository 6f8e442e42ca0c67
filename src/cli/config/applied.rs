//! Waiting until a gateway of this host that runs has taken over a new secret, so that the next command gets in.
//!
//! The sign is that it closes what proved itself by the old one (SEC-14): a connection made before the file is written.
//! Nothing is tried with the new secret, which would count as a wrong one until then. Without a gateway, or one that
//! the present secret does not open, nothing is waited for.
use crate::cli::gateway::status::live;
use crate::cli::link::connect::{Session, connect};
use crate::cli::link::socket::Deadline;
use crate::cli::link::target::Target;
use crate::cli::parse::Args;
use crate::config::Config;
use crate::config::write::Written;
use crate::env::Env;
use std::time::Instant;

/// Longest wait for it, and for the connection before, milliseconds.
const PATIENCE: u64 = 2000;
const SECTION: &str = "gateway.auth";

/// A connection by the secret that is about to be replaced.
pub struct Old(Session);

impl Old {
    /// Connects, if a change at the dotted `place` may concern the secret and a gateway of this host runs.
    pub fn open(env: &Env, place: &str) -> Option<Old> {
        let is_meant = place == "gateway" || place == SECTION || place.starts_with("gateway.auth.");
        let live = live(env).filter(|_| is_meant)?;
        let mut env = env.clone();
        let config = Config::inspect(&mut env);
        if config.str("gateway.mode") == Some("remote") {
            return None;
        }
        let port = live.port(&env)?;
        env.add_missing([("OPENCLAW_GATEWAY_PORT".to_string(), port.to_string())]);
        let target = Target::configured(&env, &config, &Args::default(), false).ok()?;
        // A variable stands above the file, for the gateway too.
        let is_given =
            [&target.token, &target.password].into_iter().flatten().any(|s| s.source.starts_with("env"));
        if is_given {
            return None;
        }
        connect(&target, &env.state_dir, &[], Deadline::after(Instant::now(), PATIENCE)).ok().map(Old)
    }

    /// Waits until the gateway has closed the connection; whether it has. `None` when the change asks for nothing.
    pub fn wait(self, written: &Written) -> Option<bool> {
        let mut client = self.0.client;
        if !written.written || !closes(written) {
            client.close();
            return None;
        }
        let deadline = Deadline::after(Instant::now(), PATIENCE);
        client.set_deadline(deadline);
        while client.next().is_ok() {}
        Some(!deadline.has_passed())
    }
}

/// Whether a gateway closes connections for what was written: for a secret whatever the mode, for others if it restarts.
fn closes(written: &Written) -> bool {
    let mode = written.config.str("gateway.reload.mode").unwrap_or("hybrid");
    let is_secret =
        |path: &String| path == "gateway.auth.token" || path == "gateway.auth.password" || path == SECTION;
    let restarts = written.plan.restarts(mode);
    let does_restart = matches!(mode, "hybrid" | "restart");
    does_restart && restarts.iter().any(|path| path.starts_with(SECTION))
        || written.plan.hot.iter().any(|(_, paths)| paths.iter().any(is_secret))
}
