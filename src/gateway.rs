//! The gateway: the only file that knows all threads. Start order, stop order.
//!
//! Configuration and secrets are judged first, then the port is bound, before anything else is read or started,
//! so that a start that cannot succeed says so at once and touches nothing (R-01b).
use crate::agent::mailbox::Said;
use crate::agent::run::question;
use crate::agents::Agents;
use crate::config::Config;
use crate::config::watch::{self, Judge};
use crate::device::pairing::Pairing;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::files::Lock;
use crate::net::bind::{self, Plan};
use crate::net::door::Door;
use crate::net::{listener, origin};
use crate::protocol::limits::Limits;
use crate::sessions::{Dedupe, Entry, Journal, Record, Spool, Transcript, journal_path};
use crate::shared::{Auth, Published, Shared};
use crate::state::State;
use crate::state::event::{Control, Event};
use crate::state::sessions::Sessions;
use crate::store::Store;
use crate::{clock, files, logging, signals, state, threads};
use crossbeam_channel::{Receiver, Sender, bounded};
use serde_json::json;
use std::net::TcpListener;
use std::sync::{Arc, RwLock};
use std::time::Instant;

/// Events on their way to the state thread; senders wait when it is full.
const INBOX: usize = 256;
const CONTROL: usize = 16;
const STATE_STACK: usize = 1 << 20;
const LISTEN_STACK: usize = 128 << 10;
/// Secrets shorter than this are weak (R-16e).
const WEAK: usize = 16;

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
}

/// Runs until stopped by a signal. Returns early, with the fix in the message, when it cannot start.
pub fn run(mut env: Env, options: Options) -> Result<()> {
    let started = Instant::now();
    raise_descriptor_limit();
    let pristine = env.clone();
    let config = Config::load(&mut env)?;
    check_mode(&config, &env, &options)?;
    let plan = Plan::resolve(options.bind.as_deref(), &config)?;
    let (flags, bind) =
        ((options.auth.clone(), options.token.clone(), options.password.clone()), plan.clone());
    let judge: Judge = Box::new(move |config, env| {
        let (mode, token, password) = &flags;
        let auth = Auth::resolve(config, env, mode.as_deref(), token.as_deref(), password.as_deref())?;
        check_secret(&auth, &bind).map(|()| auth)
    });
    let auth = judge(&config, &env)?;
    let port = port(&config, &env, &options)?;
    let (control_tx, control) = bounded(CONTROL);
    signals::watch(control_tx)?;
    let listeners = plan.listen(port)?;
    files::private_dir(&env.state_dir)?;
    let _lock = lock_state(&env)?;
    let secret = auth.secret.as_ref().map(|s| s.reveal().to_string());
    logging::start(&config, &env, options.verbose, secret.into_iter().collect())?;
    greet(&config, &env, &auth, &listeners);
    let (state_tx, inbox) = bounded(INBOX);
    let shared = Arc::new(Shared {
        limits: Limits::from_config(&config),
        auth: RwLock::new(Arc::new(auth)),
        door: Door::new(),
        total: Arc::default(),
        arriving: Default::default(),
        state: state_tx.clone(),
        started,
        own_names: origin::own_names(),
        published: Published::default(),
        env,
        config: RwLock::new(config),
    });
    if let Err(e) = watch::start(shared.clone(), pristine, judge) {
        log::warn!(target: "gateway/reload", "{e}; a changed secret needs a restart");
    }
    let result = serve(&shared, listeners, state_tx, inbox, control);
    log::info!(target: "gateway", "stopped");
    logging::flush();
    result
}

fn serve(
    shared: &Arc<Shared>,
    listeners: Vec<TcpListener>,
    state_tx: Sender<Event>,
    inbox: Receiver<Event>,
    control: Receiver<Control>,
) -> Result<()> {
    let now = clock::now_ms();
    let (mut journal, records) = Journal::open(&journal_path(&shared.env.state_dir), now)?;
    let mut sessions = Sessions::load(shared.clone());
    let spool = Spool::of(&shared.env.state_dir);
    let records = settle(records, &mut sessions, &mut journal, &spool);
    spool.sweep(records.iter().filter(|r| r.result.is_none()).map(|r| (r.family.as_str(), r.key.as_str())));
    let store = Store::start(journal, spool, state_tx)?;
    let mut state = State::new(shared.clone(), store, sessions, Dedupe::from_records(records), now);
    for request in Pairing::new(&shared.env.state_dir).list(now).map(|l| l.pending).unwrap_or_default() {
        if let Some(id) = request.get("requestId").and_then(|id| id.as_str()) {
            state.pairing.insert(id.to_string(), now);
        }
    }
    if !state.pairing.is_empty() {
        let (count, list) = (state.pairing.len(), shared.env.command("devices list"));
        log::info!(target: "gateway", "{count} pairing request(s) wait: {list}");
    }
    for listener in listeners {
        let shared = shared.clone();
        let died = |what| log::error!(target: "gateway/net", "a listener ended by a defect: {what}; restart the gateway");
        threads::spawn("gw-listen", LISTEN_STACK, move || listener::run(listener, shared), died)?;
    }
    let state_thread = move || {
        let mut state = state;
        state::run::run(&mut state, &control, &inbox);
        // Whoever still wants to tell something must not wait for an answer.
        drop((inbox, control));
        state.finish();
    };
    let (done_tx, done) = bounded(1);
    threads::spawn("gw-state", STATE_STACK, state_thread, move |what| {
        // The receiver waits below for as long as the process lives.
        let _ = done_tx.send(what);
    })?;
    match done.recv() {
        Ok(what) => {
            log::error!(target: "gateway", "the state thread failed: {what}");
            logging::flush();
            Err(Error::new(Kind::Unavailable, format!("the gateway failed: {what}; see its log")))
        }
        // The sender went away without a word: the thread ended well.
        Err(_) => Ok(()),
    }
}

/// Runs that an earlier process accepted and did not finish: their message is kept, their end recorded.
fn settle(
    mut records: Vec<Record>,
    sessions: &mut Sessions,
    journal: &mut Journal,
    spool: &Spool,
) -> Vec<Record> {
    for record in records.iter_mut().filter(|r| r.result.is_none()) {
        if let Err(e) = keep_message(record, sessions, spool) {
            log::error!(target: "gateway/agent", "keep the message of run {}: {e}", logging::quoted(&record.key));
        }
        let error = Error::unavailable(
            "the gateway stopped before this run ended; send it again with a new idempotency key",
        );
        let payload = json!({"runId": record.key, "status": "error", "summary": error.message()});
        record.message = None;
        record.result = Some(json!({"ok": false, "payload": payload, "error": error.to_wire(4)}));
        log::warn!(target: "gateway/agent", "run {} was cut off by the last stop", logging::quoted(&record.key));
        if let Err(e) = journal.append(record) {
            log::error!(target: "gateway/store", "{e}");
        }
    }
    records
}

/// Puts the message of a run into its transcript unless it is there already.
fn keep_message(record: &Record, sessions: &mut Sessions, spool: &Spool) -> Result<()> {
    let (Some(key), Some(text)) = (&record.session_key, &record.message) else { return Ok(()) };
    if sessions.get(key).is_none() {
        // The stop came before the new session's index was saved; the journal knows its transcript.
        let id =
            record.session_id.as_deref().ok_or_else(|| Error::not_found(format!("session {key} is gone")))?;
        sessions.put(key, Entry::new(id, record.ts), 0)?;
    }
    let entry =
        sessions.get(key).cloned().ok_or_else(|| Error::not_found(format!("session {key} is gone")))?;
    let transcript: Transcript = sessions.transcript(key, &entry)?;
    if transcript.contains_run(&record.key)? {
        return Ok(());
    }
    transcript.repair()?;
    let said = Said {
        run: record.key.clone(),
        text: text.clone(),
        images: spool.read(&record.family, &record.key),
        names_message: record.family == "chat",
        ..Said::default()
    };
    transcript.append(&[question(&said, record.ts, None)]).map(drop)
}

impl State {
    /// The last act: everything that changed goes to disk.
    fn finish(mut self) {
        self.sessions.finish(&self.store);
        self.store.finish();
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

/// No secret, no start; a weak one is good enough for loopback only (R-16a, R-16b, R-16e).
fn check_secret(auth: &Auth, plan: &Plan) -> Result<()> {
    let name = auth.mode.name();
    let Some(secret) = &auth.secret else {
        if auth.allow_tailscale && plan.is_loopback() {
            return Ok(());
        }
        let upper = name.to_uppercase();
        let refusal = if plan.is_loopback() {
            String::new()
        } else {
            format!("Refusing to bind gateway to {} without auth. ", plan.mode)
        };
        return Err(Error::config(format!(
            "{refusal}Gateway auth is set to {name}, but no {name} is configured.\nSet gateway.auth.{name} (or OPENCLAW_GATEWAY_{upper}), or pass --{name}."
        )));
    };
    if secret.reveal().len() < WEAK && !plan.is_loopback() {
        return Err(Error::config(format!(
            "Refusing to bind gateway to {} with a {name} of fewer than {WEAK} characters: set a longer gateway.auth.{name} (openssl rand -hex 24 makes one).",
            plan.mode
        )));
    }
    Ok(())
}

/// `--port` > `OPENCLAW_GATEWAY_PORT` > `gateway.port` > the profile's default.
fn port(config: &Config, env: &Env, options: &Options) -> Result<u16> {
    let configured =
        config.get("gateway.port").filter(|_| config.is_set("gateway.port")).and_then(|v| v.as_u64());
    let configured = configured.and_then(|p| u16::try_from(p).ok());
    Ok(options.port.or_else(|| env.port()).or(configured).unwrap_or_else(|| env.default_port()))
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

fn greet(config: &Config, env: &Env, auth: &Auth, listeners: &[TcpListener]) {
    for warning in config.warnings().iter().chain(config.issues()) {
        log::warn!(target: "gateway/config", "{}: {}", logging::quoted(&warning.path), logging::quoted(&warning.message));
    }
    for name in crate::protocol::limits::unknown_names(config) {
        log::warn!(target: "gateway/config", "gateway.limits.{}: no such limit", logging::quoted(name));
    }
    if auth.secret.as_ref().is_some_and(|s| s.reveal().len() < WEAK) {
        log::warn!(target: "gateway", "the gateway {} is weak: use at least {WEAK} characters", auth.mode.name());
    }
    let agents = Agents::of(config, env);
    let model = agents.model(&agents.default_id());
    let built_in = || format!("built-in (add one: {})", env.command("models scan"));
    log::info!(target: "gateway", "agent model: {}", model.unwrap_or_else(built_in));
    for address in listeners.iter().filter_map(|l| l.local_addr().ok()) {
        log::info!(target: "gateway", "listening on ws://{address} (PID {})", std::process::id());
    }
    if let Some(file) = logging::current_file() {
        log::info!(target: "gateway", "log file: {}", file.display());
    }
    if bind::tailnet_address().is_some() && config.str("gateway.bind").is_none() {
        log::debug!(target: "gateway", "a tailnet address exists; gateway.bind=tailnet would listen there");
    }
}

/// Each client takes three descriptors; the usual soft limit of 1024 would end at 340 clients.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Refused: the gateway serves fewer clients and says so when it runs out.
    let _ = setrlimit(Resource::Nofile, raised);
}
