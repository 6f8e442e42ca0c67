//! Whether a configuration can be started, and with what: mode, secret, bind plan, port.
//!
//! Reads the configuration file and changes nothing. The main thread asks before a start and before an in-process
//! restart; the watcher asks when the file changes, so that what would not start is never put in force.
use super::Options;
use crate::agents::Agents;
use crate::channels::token;
use crate::config::bind;
use crate::config::bind::{PORT, Plan};
use crate::config::ports;
use crate::config::ports::Ports;
use crate::config::problem::Problem;
use crate::config::{Config, Issue};
use crate::doctor::unsupported;
use crate::env::Env;
use crate::error::{Cause, Error, Result};
use crate::settings::publication::Publication;
use crate::settings::{Auth, Secret, file};
use crate::tls::Place;
use crate::{http, logging};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Secrets shorter than this are weak (R-16e).
const WEAK: usize = 16;

/// The command line and the environment the process was started with.
pub struct Judge {
    options: Options,
    /// Before any configuration was applied to it.
    env: Env,
    /// Where this process listens; nowhere before the start.
    open: Mutex<Vec<SocketAddr>>,
}

/// What a generation starts with.
#[derive(Clone)]
pub struct Verdict {
    pub config: Config,
    /// With the variables of the configuration.
    pub env: Env,
    pub auth: Arc<Auth>,
    pub plan: Plan,
    pub port: u16,
}

impl Judge {
    pub fn new(env: Env, options: Options) -> Judge {
        Judge { options, env, open: Mutex::default() }
    }

    /// The environment without the configuration's variables, the `.env` file read anew. Home, state directory and
    /// config path stay those of the start.
    pub fn env(&self) -> Env {
        let Ok(mut env) = Env::from_process(self.env.profile.as_deref()) else { return self.env.clone() };
        (env.home, env.profile) = (self.env.home.clone(), self.env.profile.clone());
        (env.state_dir, env.config_path) = (self.env.state_dir.clone(), self.env.config_path.clone());
        env
    }

    /// Reads the configuration file and judges it.
    pub fn look(&self) -> Result<Verdict> {
        let mut env = self.env();
        let config = Config::load(&mut env)?;
        let verdict = self.judge(config, env)?;
        self.admit(&verdict)?;
        Ok(verdict)
    }

    /// Why the file as it is now would be refused, if it would.
    pub fn problem(&self) -> Option<Problem> {
        let mut env = self.env();
        let config = Config::inspect(&mut env);
        // Compared with itself: only what makes the file unusable as a whole.
        let unusable = config.problem(&config);
        let judged = || self.judge(config.clone(), env).and_then(|verdict| self.admit(&verdict));
        unusable.or_else(|| Some(config.refusal(&judged().err()?)))
    }

    /// Judges a configuration that was read under `env`, by itself; whether its port can be had is for `admit`.
    pub fn judge(&self, config: Config, env: Env) -> Result<Verdict> {
        self.conditions(&config, &env).into_iter().collect::<Result<()>>()?;
        let (plan, auth) = self.entrance(&config, &env)?;
        let port = self.port(&config, &env)?;
        Ok(Verdict { config, env, auth: Arc::new(auth), plan, port })
    }

    /// Where a gateway with this configuration listens.
    pub fn port(&self, config: &Config, env: &Env) -> Result<u16> {
        match self.options.port {
            Some(port) => Ok(port),
            None => env.check_port().map(|()| ports::configured(env, config)),
        }
    }

    /// How Tailscale is to publish the port, if it is.
    pub fn publication(&self, config: &Config) -> Option<Publication> {
        Publication::of(config, self.options.tailscale.as_deref(), self.options.tailscale_reset)
    }

    /// All that a start would refuse in a configuration without mistakes, for whoever is about to write it; an address
    /// that this machine does not have too, and what keeps a single account out.
    pub fn objections(&self, config: &Config, env: &Env) -> Vec<Error> {
        // A gateway that runs knows by itself which ports it can have; at the command line it may be somebody else's.
        let runs = !self.open.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        let entrance = self.entrance(config, env).and_then(|(plan, _)| match self.options.port {
            None if runs => plan.check(ports::configured(env, config)),
            _ => plan.check_host(),
        });
        let all = self.conditions(config, env).into_iter().chain([entrance]);
        all.filter_map(Result::err).chain(token::mistakes(config, env)).collect()
    }

    /// What must hold before it is asked where it listens.
    fn conditions(&self, config: &Config, env: &Env) -> [Result<()>; 4] {
        [
            check_mode(config, env, &self.options),
            http::hooks::check(config),
            crate::tools::commands::check(config, env),
            check_certificate(config, env),
        ]
    }

    /// Where it listens, and who is let in.
    fn entrance(&self, config: &Config, env: &Env) -> Result<(Plan, Auth)> {
        let options = &self.options;
        let plan = Plan::resolve(options.bind.as_deref(), config)?;
        let (token, password) = (options.token.as_deref(), options.password.as_deref());
        let mut auth = Auth::resolve(config, env, options.auth.as_deref(), token, password)?;
        if let Some(mode) = options.tailscale.as_deref() {
            auth.publish(config, mode);
        }
        if let Some(publication) = self.publication(config) {
            publication.check(&plan, &auth)?;
        }
        http::hooks::check_token(config, auth.secret.as_ref())?;
        check_secret(&auth, &plan, || self.source(config, auth.mode.name()))?;
        Ok((plan, auth))
    }

    /// A running gateway moves only to a port that it can have. Locked meanwhile: two that try would refuse each other.
    pub fn admit(&self, Verdict { plan, port, .. }: &Verdict) -> Result<()> {
        let port = *port;
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let is_in_hand =
            |held: &SocketAddr| *held == SocketAddr::new(plan.host, port) || plan.overlaps(held, port);
        if open.is_empty() || open.iter().any(is_in_hand) {
            return Ok(());
        }
        plan.listen(port, &open, PORT).map(drop)
    }

    /// Whether this process listens on `port`.
    pub fn has_port(&self, port: u16) -> bool {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|held| held.port() == port)
    }

    /// Where the secret called `name` comes from, in the order of `Auth::resolve`.
    fn source(&self, config: &Config, name: &str) -> String {
        let flag = if name == "token" { &self.options.token } else { &self.options.password };
        match flag {
            Some(_) => format!("--{name}"),
            None if config.str(&file::key(name)).is_some() => file::key(name),
            None if config.str(&format!("gateway.auth.{name}")).is_some() => format!("gateway.auth.{name}"),
            None => format!("OPENCLAW_GATEWAY_{}", name.to_ascii_uppercase()),
        }
    }

    /// The first lines of a generation in the log; from here on it listens at `addresses`.
    pub fn greet(&self, verdict: &Verdict, addresses: Vec<SocketAddr>) {
        let Verdict { config, env, auth, plan, port } = verdict;
        let scheme = if config.bool("gateway.tls.enabled") { "wss" } else { "ws" };
        for warning in config.warnings().iter().chain(config.issues()) {
            log::warn!(target: "gateway/config", "{}: {} ({})", logging::quoted(&warning.path), logging::quoted(&warning.text()), config.place(warning));
        }
        if auth.secret.as_ref().is_some_and(is_weak) {
            log::warn!(target: "gateway", "the gateway {} is weak: use at least {WEAK} characters", auth.mode.name());
        }
        if plan.mode == "tailnet" && plan.is_loopback() {
            log::warn!(target: "gateway", "gateway.bind is tailnet and this machine has no tailnet address: only loopback is open; connect the tailnet and restart");
        }
        if let Some(all) = unsupported::line(config, env) {
            log::warn!(target: "gateway", "configured and not in this version: {}; `{}` says what helps instead", all, env.command("doctor --only unsupported"));
        }
        let agents = Agents::of(config, env);
        let id = agents.default_id();
        let built_in = || format!("built-in (add one: {})", env.command("models scan"));
        let model = match config.bars(&id) {
            Some(mistake) => format!("none, until {} is corrected", logging::quoted(&mistake.path)),
            None => agents.model(&id).unwrap_or_else(built_in),
        };
        log::info!(target: "gateway", "agent model: {model}");
        for address in &addresses {
            log::info!(target: "gateway", "listening on {scheme}://{address} (PID {})", std::process::id());
        }
        if let Some(file) = logging::current_file() {
            log::info!(target: "gateway", "log file: {}", file.display());
        }
        if bind::tailnet_address().is_some() && config.str("gateway.bind").is_none() {
            crate::logging::debug!(target: "gateway", "a tailnet address exists; gateway.bind=tailnet would listen there");
        }
        own_ports(config, env, *port);
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = addresses;
    }
}

/// Why no gateway would start under `env` with the configuration as it is, on one line.
pub fn refusal(env: &Env) -> Option<String> {
    let mut env = env.clone();
    let judged = Config::load(&mut env)
        .and_then(|config| Judge::new(env.clone(), Options::default()).judge(config, env))
        .and_then(|verdict| verdict.plan.check(verdict.port));
    judged.err().map(|error| error.message().replace('\n', " "))
}

/// Why this user cannot have the port that is configured, whoever has it now.
pub fn kept_port(config: &Config, env: &Env) -> Option<String> {
    let kept = Plan::resolve(None, config).and_then(|plan| plan.check(ports::configured(env, config)));
    kept.err().map(|error| error.message().replace('\n', " "))
}

/// All that keeps a gateway of this host from starting with a configuration without mistakes, as far as that is known
/// outside of it: variables that are missing here may be set where it starts. In another mode none is to start.
pub fn objections(config: &Config, env: &Env) -> Vec<Error> {
    if config.str("gateway.mode") == Some("remote") || config.issues().iter().any(Issue::is_unset) {
        return Vec::new();
    }
    let options = Options { allow_unconfigured: true, ..Options::default() };
    let mut all = Judge::new(env.clone(), options).objections(config, env);
    all.retain(|why| why.cause() != Some(Cause::Unset));
    all
}

fn check_certificate(config: &Config, env: &Env) -> Result<()> {
    match Place::of(config, env) {
        Some(place) if place.is_to_be_made() => place.check_makeable(),
        Some(place) => place.read().map(drop),
        None => Ok(()),
    }
}

fn check_mode(config: &Config, env: &Env, options: &Options) -> Result<()> {
    if options.allow_unconfigured || config.str("gateway.mode") == Some("local") {
        return Ok(());
    }
    let setup = env.command("setup");
    match (config.exists(), config.str("gateway.mode")) {
        (false, _) => Err(Error::config(format!(
            "Missing config. Run `{setup}` or set gateway.mode=local (or pass --allow-unconfigured)."
        ))),
        (true, mode) => Err(Error::config(format!(
            "Gateway start blocked: set gateway.mode=local (current: {}) or pass --allow-unconfigured.",
            mode.unwrap_or("unset")
        ))),
    }
}

/// No secret, no start; a weak one is good enough for loopback only (R-16a, R-16b, R-16e). `source` says where it is
/// to be changed.
fn check_secret(auth: &Auth, plan: &Plan, source: impl FnOnce() -> String) -> Result<()> {
    let name = auth.mode.name();
    let Some(secret) = &auth.secret else {
        if auth.allow_tailscale && plan.is_loopback() {
            return Ok(());
        }
        let upper = name.to_ascii_uppercase();
        let refusal = if plan.is_loopback() {
            String::new()
        } else {
            format!("Refusing to bind gateway to {} without auth. ", plan.mode)
        };
        return Err(Error::config(format!(
            "{refusal}Gateway auth is set to {name}, but no {name} is configured.\nSet gateway.auth.{name} (or OPENCLAW_GATEWAY_{upper}), or pass --{name}."
        ))
        .because(Cause::Unset));
    };
    if is_weak(secret) && !plan.is_loopback() {
        return Err(Error::config(format!(
            "Refusing to bind gateway to {} with a {name} of fewer than {WEAK} characters: set a longer {} (openssl rand -hex 24 makes one).",
            plan.mode,
            source()
        )));
    }
    Ok(())
}

fn is_weak(secret: &Secret) -> bool {
    secret.reveal().chars().count() < WEAK
}

/// Writes down which ports are this gateway's, and tells of those that another profile counts on.
fn own_ports(config: &Config, env: &Env, port: u16) {
    let ports = Ports::of(port, env, config);
    for clash in ports::collisions(env, &ports) {
        log::warn!(target: "gateway", "{clash}");
    }
    if let Err(e) = ports::remember(env, &ports) {
        log::warn!(target: "gateway", "{e}; other profiles do not see this gateway's ports");
    }
}
