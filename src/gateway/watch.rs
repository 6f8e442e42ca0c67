//! The config watcher (`gw-watch`): sees the configuration's files change and puts the new content in force.
//!
//! Waits for quiet, reads, has the result judged as a start would (`Judge`), asks `plan` what changed, and carries that
//! out: the values for everybody to read, the secret (SEC-14, R-05f), the agents, the log; what needs a restart is
//! asked of the state thread. A file that cannot be used changes nothing and is told of when it stays so (R-06a,
//! R-06c). It writes no file but the copy of the last one that could be used. A worker: one a generation, started again if it fails.
use super::changes::{Changes, Seen};
use super::watched::{digest_of, digest_of_secret, files_of};
use super::workers::{Handle, House};
use crate::clock;
use crate::config::Config;
use crate::config::action::Action;
use crate::config::good;
use crate::config::plan::{self, Plan};
use crate::config::problem::Problem;
use crate::env::Env;
use crate::error::Result;
use crate::gateway::judge::Verdict;
use crate::json::json;
use crate::logging;
use crate::protocol::events;
use crate::settings::Auth;
use crate::state::event::Event;
use crate::state::sessions::roster;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A file that cannot be used may be half written: this long without a further change before it is told (R-06c).
const PATIENCE: Duration = Duration::from_secs(2);
/// A file that never rests is looked at nevertheless, after this many changes in a row.
const MAX_CHANGES: u32 = 100;
pub const STACK: usize = 256 << 10;

/// Watches until it is told to end.
pub fn run(handle: Handle) -> Result<()> {
    let Handle { house, config, stop, .. } = handle;
    let dotenv = house.shared.env.state_dir.join(".env");
    let changes = Changes::of(files_of(&config, &house.shared.env, &dotenv), stop);
    let dotenv_seen = house.started.1.clone();
    // What was wrong at the start was told by the start.
    let held = config.clone();
    Work { held, seen: config, changes, dotenv, dotenv_seen, secret_seen: String::new(), told: false, house }
        .run()
}

struct Work {
    house: Arc<House>,
    changes: Changes,
    /// Put in force last. What needs a restart is in force as the generation began with it, all else as it is here.
    held: Config,
    /// What the files said last when they could be used, in force or not.
    seen: Config,
    dotenv: PathBuf,
    /// As it was seen last.
    dotenv_seen: String,
    /// The files that hold the secret, where it has some; at first they were not seen.
    secret_seen: String,
    /// `health` says that the file cannot be used.
    told: bool,
}

/// A configuration that may be put in force.
struct Usable {
    config: Config,
    env: Env,
    auth: Arc<Auth>,
    /// The one to listen on with it.
    port: u16,
    dotenv_digest: String,
    secret_digest: String,
}

impl Work {
    fn run(&mut self) -> Result<()> {
        // Between the reading of the configuration and the first watch something may have happened.
        let mut seen = Seen::Change;
        good::keep(&self.held);
        while seen != Seen::Stop {
            if seen == Seen::Change && !self.settle()? {
                return Ok(());
            }
            seen = self.changes.wait(None)?;
        }
        Ok(())
    }

    /// From a change to a decision. `false` when the watcher is to end.
    fn settle(&mut self) -> Result<bool> {
        if !self.is_news() {
            return Ok(true);
        }
        loop {
            if !self.wait_for_quiet()? {
                return Ok(false);
            }
            let looked = self.look()?;
            let Err(problem) = looked else { return Ok(true) };
            match self.changes.wait(Some(PATIENCE))? {
                Seen::Stop => return Ok(false),
                Seen::Change => {}
                Seen::Nothing => {
                    self.tell(Some(problem));
                    return Ok(true);
                }
            }
        }
    }

    /// Whether the content differs from what was seen last, as far as can be told without parsing anything twice.
    fn is_news(&self) -> bool {
        let is_secret_new = || digest_of_secret(&self.seen, &self.house.shared.env) != self.secret_seen;
        self.told || !self.seen.is_current() || digest_of(&self.dotenv) != self.dotenv_seen || is_secret_new()
    }

    fn wait_for_quiet(&mut self) -> Result<bool> {
        let quiet = self.seen.u64("gateway.reload.debounceMs").unwrap_or(300);
        for _ in 0..MAX_CHANGES {
            match self.changes.wait(Some(Duration::from_millis(quiet.min(60_000))))? {
                Seen::Change => {}
                Seen::Nothing => break,
                Seen::Stop => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Reads the files and puts them in force if they can be.
    fn look(&mut self) -> Result<std::result::Result<(), Problem>> {
        // Watched first, read then: a change after the reading wakes the next round.
        let mut files = self.changes.files().to_vec();
        let read = loop {
            self.changes.renew(files);
            let (config, read) = self.read();
            // Also those of a file that cannot be used: the mistake may be in one of them.
            files = files_of(&config, &self.house.shared.env, &self.dotenv);
            if files == self.changes.files() {
                break read;
            }
        };
        Ok(read.map(|usable| {
            self.apply(usable);
            self.tell(None);
        }))
    }

    /// What the files say, and whether it can be put in force. Of one that cannot, for a mistake outside of `gateway`
    /// or a taken port, the secret holds all the same: what was taken back must open nothing any more (SEC-14).
    fn read(&self) -> (Config, std::result::Result<Usable, Problem>) {
        let (mut env, dotenv_digest) = (self.house.judge.env(), digest_of(&self.dotenv));
        let config = Config::inspect(&mut env).beside(&self.held);
        let secret_digest = digest_of_secret(&config, &env);
        let problem = config.problem(&self.seen);
        let is_unusable = config.is_unusable();
        if let Some(problem) = problem.clone().filter(|_| is_unusable) {
            return (config, Err(problem));
        }
        let verdict = match self.house.judge.judge(config.clone(), env) {
            Ok(verdict) => verdict,
            Err(e) => {
                let problem = problem.unwrap_or_else(|| config.refusal(&e));
                return (config, Err(problem));
            }
        };
        let problem = problem.or_else(|| Some(config.refusal(&self.house.judge.admit(&verdict).err()?)));
        if let Some(problem) = problem {
            self.renew_secret(&verdict.auth);
            return (config, Err(problem));
        }
        let Verdict { env, auth, port, .. } = verdict;
        (config.clone(), Ok(Usable { config, env, auth, port, dotenv_digest, secret_digest }))
    }

    fn apply(&mut self, new: Usable) {
        let is_known = new.config.digest() == self.seen.digest() && new.dotenv_digest == self.dotenv_seen;
        let old = std::mem::replace(&mut self.seen, new.config.clone());
        self.dotenv_seen.clone_from(&new.dotenv_digest);
        self.secret_seen.clone_from(&new.secret_digest);
        let mode = new.config.str("gateway.reload.mode").unwrap_or("hybrid");
        if is_known {
            // It may have changed in a file of its own.
            self.renew_secret(&new.auth);
            if mode != "off" {
                self.house.put_in_force(&new.config);
            }
            // Who took a mistake back waits for it, also if it was never seen.
            return self.announce_anyway(false);
        }
        let mut plan = plan::pending(&self.house.started.0, &self.held, &new.config);
        // Open already, as it is when the command line or a variable names the port.
        let port = plan.restart.iter().position(|path| path == "gateway.port");
        let overruled =
            port.filter(|_| self.house.judge.has_port(new.port)).map(|at| plan.restart.remove(at));
        if new.dotenv_digest != self.house.started.1 {
            plan.restart.push(self.house.shared.env.display(&self.dotenv));
        }
        let (file, told) =
            (self.house.shared.env.display(new.config.path()), told(&plan, mode, overruled.is_some()));
        if mode == "off" {
            self.renew_secret(&new.auth);
            self.announce(&old, false);
            return log::info!(target: "gateway/reload", "{file} changed: {told}; config reload disabled (gateway.reload.mode=off), in force at the next start");
        }
        log::info!(target: "gateway/reload", "{file} changed: {told} (gateway.reload.mode={mode})");
        for mistake in new.config.of_channels().filter(|mistake| !old.issues().contains(mistake)) {
            log::warn!(target: "gateway/reload", "{}", new.config.told_with_place(mistake));
        }
        self.put_in_force(&new, &plan);
        let paths = plan::some(&plan.restarts(mode));
        self.announce(&old, !paths.is_empty() && mode != "hot");
        if paths.is_empty() {
            return good::keep(&self.held);
        }
        if mode == "hot" {
            return log::warn!(target: "gateway/reload", "{paths}: in force after a restart only, which gateway.reload.mode=hot leaves to you");
        }
        // The state thread is gone only when this generation ends.
        let _ =
            self.house.shared.state.send(Event::ConfigRestart { cause: format!("config change: {paths}") });
    }

    /// Tells administrators that the file has another text, unless the method that wrote it has told.
    fn announce(&self, old: &Config, restarts: bool) {
        let hash = self.seen.hash();
        if hash != old.hash() && !self.house.shared.published.is_told(hash) {
            self.announce_anyway(restarts);
        }
    }

    fn announce_anyway(&self, restarts: bool) {
        let payload = json!({"path": (self.seen.path()), "hash": (self.seen.hash()), "ts": clock::now_ms(), "restarts": restarts});
        let told = Event::Tell { event: &events::CONFIG_CHANGED, payload };
        let _ = self.house.shared.state.send(told); // As in `apply`.
    }

    /// What a running gateway can take over. Each action is carried out once, however many keys ask for it.
    fn put_in_force(&mut self, new: &Usable, plan: &Plan) {
        // First of all, so that no line names a new secret.
        logging::hide(secrets(new));
        self.held = new.config.clone();
        self.house.put_in_force(&new.config);
        plan.hot.iter().for_each(|(action, _)| self.carry_out(*action, new));
        // Whatever the plan says: `.env` may hold it too.
        self.renew_secret(&new.auth);
        if let Err(e) = roster::announce(&self.house.shared) {
            log::warn!(target: "gateway/reload", "the agents stay as they were: {e}");
        }
    }

    fn carry_out(&self, action: Action, new: &Usable) {
        match action {
            Action::Logging => logging::renew(&new.config, &new.env, secrets(new)),
            Action::Secret => self.renew_secret(&new.auth),
            // All others look at their keys themselves; what is not here is told so: `Action::is_here`.
            Action::Heartbeat => crate::heartbeat::tell_wrong(&new.config, &new.env),
            Action::Browser | Action::Gmail | Action::Web => {}
            Action::Channels | Action::Cron | Action::Hooks => {}
        }
    }

    /// Whatever the reload mode: a secret that was taken back must open nothing any more (SEC-14).
    fn renew_secret(&self, new: &Auth) {
        if new.is_same(&self.house.shared.auth()) {
            return;
        }
        logging::hide(new.secrets());
        log::info!(target: "gateway/reload", "the gateway {} has changed: connections made with the old one are closed", new.mode.name());
        self.house.shared.set_auth(new);
        self.house.shared.codes.forget();
        let _ = self.house.shared.state.send(Event::SecretChanged); // As in `apply`.
    }

    fn tell(&mut self, problem: Option<Problem>) {
        match &problem {
            Some(problem) => {
                log::warn!(target: "gateway/reload", "config reload skipped (invalid config): {problem}; the running configuration stays in force");
            }
            // Told nevertheless: a restart may have been refused meanwhile.
            None if !self.told => {}
            None => log::info!(target: "gateway/reload", "the configuration file can be used again"),
        }
        self.told = problem.is_some();
        let told = problem.map_or_else(|| self.seen.problem_of_part(), |p| Some(p.to_json()));
        let _ = self.house.shared.state.send(Event::ConfigInvalid(told)); // As in `apply`.
    }
}

/// One line of what is done about a change; `overruled` is that of the port, where a start has named it.
fn told(plan: &Plan, mode: &str, overruled: bool) -> String {
    let parts = [
        (!overruled || !plan.is_empty()).then(|| plan.told(mode)),
        overruled
            .then(|| "no effect while --port or OPENCLAW_GATEWAY_PORT names the port (gateway.port)".into()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn secrets(new: &Usable) -> Vec<String> {
    [new.auth.secrets(), new.config.secrets()].concat()
}
