//! The gateway process: what lives as long as the process, and the loop that runs one generation after another.
//!
//! Runs on the main thread. `judge` says whether a configuration can be started, `sockets` listens, `generation` knows
//! all other threads, `recover` ends what an earlier generation left open. Configuration and secrets are judged first,
//! then the port is bound, before anything else is read or started, so that a start that cannot succeed says so at
//! once and touches nothing (R-01b). Sockets, state directory lock, log and signal thread outlive a generation, so an
//! in-process restart keeps process id and port, and refuses nobody (R-01a, R-14d).
mod generation;
pub mod judge;
mod recover;
mod sentinel;
mod sockets;

use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use crate::files::Lock;
use crate::logging;
use crate::net::door::Door;
use crate::net::evict;
use crate::net::outbox::Total;
use crate::service::{self, notify};
use crate::signals::{self, Asked};
use crate::state::Note;
use crate::succession::Succession;
use generation::{Ending, Generation};
pub use judge::Judge;
use judge::Verdict;
use sockets::Sockets;
use std::sync::Arc;
use std::time::Instant;

pub use sentinel::write as write_sentinel;

/// What the command line says.
#[derive(Debug, Default)]
pub struct Options {
    pub port: Option<u16>,
    pub bind: Option<String>,
    pub token: Option<String>,
    pub password: Option<String>,
    pub auth: Option<String>,
    pub allow_unconfigured: bool,
    pub verbose: bool,
    /// End whoever listens on the port before taking it.
    pub force: bool,
}

/// What outlives a generation.
struct Process {
    judge: Arc<Judge>,
    asked: Asked,
    door: Arc<Door>,
    total: Arc<Total>,
    arriving: Arc<Total>,
    succession: Arc<Succession>,
    sockets: Sockets,
}

/// Runs until stopped by a signal. Returns early, with the fix in the message, when it cannot start.
pub fn run(env: Env, options: Options) -> Result<()> {
    let started = Instant::now();
    raise_descriptor_limit();
    let (force, verbose) = (options.force, options.verbose);
    let judge = Arc::new(Judge::new(env.clone(), options));
    let verdict = judge.look()?;
    let ended = if force { evict::free_port(verdict.port, &env)? } else { Vec::new() };
    let asked = signals::watch()?;
    let succession = Arc::<Succession>::default();
    let mut sockets = Sockets::new(succession.clone());
    let fresh = sockets.bind(&verdict.plan, verdict.port)?;
    files::private_dir(&env.state_dir)?;
    let _lock = lock_state(&env)?;
    logging::start(&verdict.config, &verdict.env, verbose, verdict.auth.secrets())?;
    ended.iter().for_each(|line| log::warn!(target: "gateway", "{line}"));
    sockets.open(fresh)?;
    judge::greet(&verdict, &sockets.addresses());
    let process = Process {
        judge,
        asked,
        door: Door::new(),
        total: Arc::default(),
        arriving: Arc::default(),
        succession,
        sockets,
    };
    let _watch = service::alive::tell(&env, &process.succession)?;
    let result = process.run(verdict, started);
    if result.is_ok() {
        log::info!(target: "gateway", "stopped");
    }
    logging::flush();
    result
}

impl Process {
    /// One generation after another, until one ends for good.
    fn run(mut self, mut verdict: Verdict, mut started: Instant) -> Result<()> {
        let mut notes: Vec<Note> = Vec::new();
        loop {
            let generation = Generation::start(&self, verdict.clone(), notes, started)
                .inspect_err(|e| log::error!(target: "gateway", "{e}"))?;
            notify::ready(&verdict.env);
            let ending = self.attend(generation)?;
            started = Instant::now();
            if !ending.is_restart || self.asked.stop.try_recv().is_ok() {
                self.succession.end();
                return Ok(());
            }
            notes = ending.notes;
            verdict = self.renew(verdict);
        }
    }

    /// Waits for the end of a generation; meanwhile judges the configuration when a restart is pending.
    fn attend(&self, generation: Generation) -> Result<Ending> {
        let ending = loop {
            match generation.next() {
                None => generation.judged(self.judge.look().map(drop)),
                Some(ending) => break ending,
            }
        };
        generation.end();
        ending.inspect_err(|e| {
            log::error!(target: "gateway", "{e}");
            self.succession.end();
        })
    }

    /// What the next generation starts with: the configuration as it is now, or, if it was broken in this moment, the
    /// one that was judged good last. Requests up to here are answered by this restart; later ones by another.
    fn renew(&mut self, fallback: Verdict) -> Verdict {
        // Taken back first, read then: whoever signals after the reading gets a restart of his own.
        while self.asked.restart.try_recv().is_ok() {}
        let verdict = self.judge.look().unwrap_or_else(|e| {
            log::error!(target: "gateway", "{e}; the last good configuration stays in force");
            fallback.clone()
        });
        let logs_alike = fallback.config.get("logging") == verdict.config.get("logging");
        match logs_alike {
            true => logging::hide([verdict.config.secrets(), verdict.auth.secrets()].concat()),
            false => logging::renew(&verdict.config, &verdict.env, verdict.auth.secrets()),
        }
        if let Err(e) = self.sockets.switch(&verdict.plan, verdict.port) {
            log::error!(target: "gateway/net", "{e}; the gateway listens where it did before");
        }
        judge::greet(&verdict, &self.sockets.addresses());
        verdict
    }
}

/// One gateway a state directory: two would write the same files (R-26c).
fn lock_state(env: &Env) -> Result<Lock> {
    let path = env.state_dir.join("gateway").join("gateway.lock");
    let Some(lock) = Lock::try_now(&path)? else {
        let pid = std::fs::read_to_string(&path).unwrap_or_default().trim().parse::<u32>();
        let (owner, stop) = pid.map_or((String::new(), "stop it".into()), |pid| {
            (format!(" (pid {pid})"), format!("stop it (kill {pid})"))
        });
        return Err(Error::config(format!(
            "another gateway{owner} is running on {}; {stop} or use another --profile",
            env.display(&env.state_dir),
        )));
    };
    // Only for the sentence above, so it does not matter when a full disk refuses it.
    let _ = std::fs::write(&path, std::process::id().to_string());
    Ok(lock)
}

/// Each client takes three descriptors; the usual soft limit of 1024 would end at 340 clients.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Refused: the gateway serves fewer clients and says so when it runs out.
    let _ = setrlimit(Resource::Nofile, raised);
}
