//! The gateway process: what lives as long as the process, and the loop that runs one generation after another.
//!
//! Runs on the main thread. `judge` says whether a configuration can be started, `sockets` listens, `generation` knows
//! all other threads, `recover` ends what an earlier generation left open. Configuration and secrets are judged first,
//! then the port is bound, before anything else is read or started (but for the certificate of a first start), so that a start that cannot succeed says so at
//! once, touches nothing and ends nobody (R-01b). Sockets, state directory lock, log and signal thread outlive a generation, so an
//! in-process restart keeps process id and port, and refuses nobody (R-01a, R-14d).
pub mod alive;
mod announced;
mod carrier;
pub mod changes;
mod channel;
mod generation;
pub mod judge;
mod published;
mod recover;
mod sockets;
mod supervisor;
pub mod watch;
mod watched;
mod workers;

use crate::browser;
use crate::calls::budget::Budget;
use crate::config::canvas;
use crate::door::Door;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files::Lock;
use crate::logging;
use crate::net::evict;
use crate::service::notify;
use crate::signals::{self, Asked};
use crate::state::succession::Succession;
use crate::tls::Place;
use generation::{Ending, Generation, Left};
use judge::Verdict;
pub use judge::{Judge, kept_port, objections, refusal};
use sockets::Sockets;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Instant;

/// What the command line says.
#[derive(Debug, Default)]
pub struct Options {
    pub port: Option<u16>,
    pub bind: Option<String>,
    pub token: Option<String>,
    pub password: Option<String>,
    pub auth: Option<String>,
    /// `gateway.tailscale.mode` and `resetOnExit` of this start.
    pub tailscale: Option<String>,
    pub tailscale_reset: bool,
    pub allow_unconfigured: bool,
    pub shows: logging::Shows,
    /// End whoever listens on the port before taking it.
    pub force: bool,
}

/// What outlives a generation.
struct Process {
    judge: Arc<Judge>,
    asked: Asked,
    door: Arc<Door>,
    budget: Arc<Budget>,
    succession: Arc<Succession>,
    sockets: Sockets,
}

/// Runs until stopped by a signal. Returns early, with the fix in the message, when it cannot start.
pub fn run(env: Env, options: Options) -> Result<()> {
    let started = Instant::now();
    crate::sys::keep_little_memory();
    // First of all, so that a signal during the start is kept and not the end (R-14a).
    let asked = signals::watch()?;
    raise_descriptor_limit();
    let (force, shows) = (options.force, options.shows);
    let judge = Arc::new(Judge::new(env.clone(), options));
    let verdict = judge.look()?;
    let (lock, ended) = match force {
        true => clear(&env, verdict.port).map(|(lock, ended)| (Some(lock), ended))?,
        false => (None, Vec::new()),
    };
    let succession = Arc::<Succession>::default();
    let mut sockets = Sockets::new(succession.clone());
    let take = || -> Result<(Vec<TcpListener>, Lock)> {
        let lock = certify(&verdict, &env, lock)?;
        let fresh = sockets.bind(&verdict.plan, verdict.port)?;
        let lock = lock.map_or_else(|| lock_state(&env), Ok)?;
        logging::start(&verdict.config, &verdict.env, shows, verdict.auth.secrets())?;
        Ok((fresh, lock))
    };
    let (fresh, _lock) = take().map_err(|e| evict::told(e, &ended))?;
    ended.iter().for_each(|line| log::warn!(target: "gateway", "{line}"));
    sockets.open(fresh)?;
    judge.greet(&verdict, sockets.addresses());
    serve_parts(&mut sockets, &verdict);
    let process = Process { judge, asked, door: Door::new(), budget: Arc::default(), succession, sockets };
    let _watch = alive::tell(&env, &process.succession)?;
    crate::processes::list::clear(&crate::processes::list::dir(&env.state_dir));
    if !crate::processes::cage::is_possible() {
        log::warn!(target: "gateway", "this kernel cannot shut commands of agents in (Landlock): each is asked for (docs/exec.md)");
    }
    let result = process.run(verdict, started);
    browser::end_all();
    crate::processes::list::end_all();
    if result.is_ok() {
        log::info!(target: "gateway", "stopped");
    }
    logging::flush();
    result
}

impl Process {
    /// One generation after another, until one ends for good.
    fn run(mut self, mut verdict: Verdict, mut started: Instant) -> Result<()> {
        let mut left = Left::default();
        loop {
            let generation = Generation::start(&self, verdict.clone(), left, started)
                .inspect_err(|e| log::error!(target: "gateway", "{e}"))?;
            notify::ready(&verdict.env);
            let ending = self.attend(generation)?;
            started = Instant::now();
            if !ending.is_restart || self.asked.stop.try_recv().is_ok() {
                self.succession.end();
                return Ok(());
            }
            left = ending.left;
            verdict = self.renew(verdict);
        }
    }

    /// Waits for the end of a generation; meanwhile judges the configuration when a restart is pending.
    fn attend(&self, mut generation: Generation) -> Result<Ending> {
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
        let mut verdict = self.judge.look().unwrap_or_else(|e| {
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
            verdict.port = fallback.port;
        }
        self.judge.greet(&verdict, self.sockets.addresses());
        serve_parts(&mut self.sockets, &verdict);
        verdict
    }
}

/// The parts that have ports of their own.
fn serve_parts(sockets: &mut Sockets, verdict: &Verdict) {
    let port = canvas::port(&verdict.config, &verdict.env, verdict.port);
    let scheme = if verdict.config.bool("gateway.tls.enabled") { "https" } else { "http" };
    sockets.serve_canvas(&verdict.plan, port, scheme);
    browser::set_gateway_port(verdict.port);
    if !browser::is_on(&verdict.config) {
        browser::stop_all();
    }
    sockets.serve_control(browser::control_port(&verdict.config, &verdict.env));
}

/// Makes the certificate of a first start, before anybody can come who would look for it; two that start at once make one.
fn certify(verdict: &Verdict, env: &Env, lock: Option<Lock>) -> Result<Option<Lock>> {
    let place = Place::of(&verdict.config, &verdict.env).filter(Place::is_to_be_made);
    let Some(place) = place else { return Ok(lock) };
    let lock = lock.map_or_else(|| lock_state(env), Ok)?;
    place.make_missing()?;
    Ok(Some(lock))
}

/// One gateway a state directory: two would write the same files (R-26c).
pub fn lock_state(env: &Env) -> Result<Lock> {
    try_lock(env)?.map_err(|holder| {
        let (owner, stop) = holder.map_or((String::new(), "stop it".into()), |pid| {
            (format!(" (pid {pid})"), format!("stop it (kill {pid})"))
        });
        // Only the dev profile can be reset, so that another one is no way out.
        let or = if env.is_dev() { "" } else { " or use another --profile" };
        let dir = env.display(&env.state_dir);
        Error::config(format!("another gateway{owner} is running on {dir}; {stop}{or}"))
    })
}

/// For `--force`: ends who listens on `port` and gives the state directory's lock with the lines for the log. Nobody is
/// ended when the lock is held by a gateway that would stay.
pub fn clear(env: &Env, port: u16) -> Result<(Lock, Vec<String>)> {
    let mut lock = None;
    let lines = evict::free_port(port, env, |targets| {
        match try_lock(env)? {
            Ok(free) => lock = Some(free),
            Err(Some(holder)) if targets.contains(&holder) => {}
            Err(_) => lock = Some(lock_state(env)?),
        }
        Ok(())
    })?;
    let lock = lock.map_or_else(|| lock_state(env), Ok).map_err(|e| evict::told(e, &lines))?;
    Ok((lock, lines))
}

/// The lock of the state directory, or who holds it, where that is known.
fn try_lock(env: &Env) -> Result<std::result::Result<Lock, Option<u32>>> {
    let path = env.state_dir.join("gateway").join("gateway.lock");
    let Some(lock) = Lock::try_now(&path)? else {
        return Ok(Err(crate::files::read_text(&path).ok().and_then(|pid| pid.trim().parse().ok())));
    };
    // Only for who finds it held, so it does not matter when a full disk refuses it.
    let _ = lock.note(&std::process::id().to_string());
    Ok(Ok(lock))
}

/// Each client takes three descriptors; the usual soft limit of 1024 would end at 340 clients.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Refused: the gateway serves fewer clients and says so when it runs out.
    let _ = setrlimit(Resource::Nofile, raised);
}
