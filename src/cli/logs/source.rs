//! Where `openclaw logs` gets its lines: from the gateway, or from the file where no local gateway answers.
//!
//! A gateway that goes away while it is followed is called again, with growing pauses, for ever; each loss and
//! each return is told once. The cursor is the caller's, so nothing written meanwhile is missed.
use crate::cli::link::client::{Deadline, is_lost};
use crate::cli::link::connect::{Session, connect};
use crate::cli::link::rpc;
use crate::cli::link::target::Target;
use crate::cli::parse::Args;
use crate::cli::{Context, far};
use crate::config::Config;
use crate::env::Env;
use crate::error::{Cause, Error, Kind, Result};
use crate::json::json;
use crate::logging::{self, tail};
use serde_json::Value;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A gateway of this host that is alive answers at once; one that hangs leaves its file to be read.
const DEFAULT_TIMEOUT_MS: u64 = 5_000;
/// Pauses between attempts to reach a gateway that went away.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// What one look gave.
pub struct Chunk {
    pub file: String,
    pub cursor: u64,
    pub size: u64,
    pub lines: Vec<String>,
    pub truncated: bool,
    pub reset: bool,
}

pub enum Source {
    Gateway(Box<Remote>),
    File(Local),
}

/// A gateway, and how to call it again.
pub struct Remote {
    env: Env,
    target: Target,
    /// `None` between losing it and reaching it again.
    session: Option<Session>,
    timeout_ms: u64,
    max_bytes: u64,
}

/// The file of a gateway of this host.
pub struct Local {
    env: Env,
    config: Config,
    max_bytes: u64,
}

impl Source {
    /// Reaches the gateway, or turns to the file and says why.
    pub fn open(context: &Context, args: &Args, max_bytes: u64) -> Result<Source> {
        let timeout_ms = args.millis("timeout", 1)?.unwrap_or(DEFAULT_TIMEOUT_MS);
        let env = context.env.clone();
        let reached = rpc::target(context, args).and_then(|(target, _)| {
            let deadline = Deadline::after(context.started, timeout_ms);
            let session = Some(connect(&target, &env.state_dir, &[], deadline)?);
            Ok(Remote { env: env.clone(), target, session, timeout_ms, max_bytes })
        });
        let error = match reached {
            Ok(remote) => return Ok(Source::Gateway(Box::new(remote))),
            Err(error) => error,
        };
        let mut env = context.env.clone();
        let config = Config::inspect(&mut env);
        let is_local = far::address(&env, &config, args).is_none();
        if !is_local || error.kind == Kind::Usage {
            return Err(error);
        }
        let local = Local { env, config, max_bytes };
        let path = local.path()?;
        if !path.exists() {
            return Err(error.with("logFile", path.display().to_string()));
        }
        let why = error.message().lines().next().unwrap_or_default();
        context.out.warn(&format!("{why}\nReading the log file {} itself.", local.env.display(&path)));
        Ok(Source::File(local))
    }

    /// The lines behind `cursor`, or the last ones. `tell` gets what happens on the way.
    pub fn read(&mut self, cursor: Option<u64>, limit: u64, tell: &dyn Fn(&str)) -> Result<Chunk> {
        match self {
            Source::Gateway(remote) => remote.read(cursor, limit, tell),
            Source::File(local) => local.read(cursor, limit),
        }
    }

    /// Lets `time` pass, or less when the gateway goes away.
    pub fn wait(&mut self, time: Duration, tell: &dyn Fn(&str)) -> Result<()> {
        match self {
            Source::Gateway(remote) => remote.wait(time, tell),
            Source::File(_) => {
                std::thread::sleep(time);
                Ok(())
            }
        }
    }
}

impl Local {
    fn path(&self) -> Result<PathBuf> {
        logging::latest(&self.config, &self.env).ok_or_else(no_file)
    }

    fn read(&self, cursor: Option<u64>, limit: u64) -> Result<Chunk> {
        let path = self.path()?;
        let span = tail::Span { cursor, limit: limit as usize, max_bytes: self.max_bytes };
        let tail = tail::read(&path, span)?;
        Ok(Chunk {
            file: path.display().to_string(),
            cursor: tail.cursor,
            size: tail.size,
            lines: tail.lines,
            truncated: tail.truncated,
            reset: tail.reset,
        })
    }
}

impl Remote {
    fn read(&mut self, cursor: Option<u64>, limit: u64, tell: &dyn Fn(&str)) -> Result<Chunk> {
        let mut params = json!({"limit": limit, "maxBytes": self.max_bytes});
        if let (Some(cursor), Some(map)) = (cursor, params.as_object_mut()) {
            map.insert("cursor".into(), cursor.into());
        }
        loop {
            let deadline = Deadline::after(Instant::now(), self.timeout_ms);
            let target = self.target.clone();
            let session = self.session(tell)?;
            session.client.set_deadline(deadline);
            match rpc::request(session, &target, "logs.tail", &params, false) {
                Ok(answer) => return chunk(&answer),
                // The first look is a plain call: what it meets is its answer.
                Err(error) if cursor.is_none() || !is_passing(&error) => return Err(error),
                Err(error) => self.lose(&error, tell),
            }
        }
    }

    /// Reads what the gateway sends by itself, so that it never takes this client for a slow one.
    fn wait(&mut self, time: Duration, tell: &dyn Fn(&str)) -> Result<()> {
        let deadline = Deadline::after(Instant::now(), time.as_millis() as u64);
        let session = self.session(tell)?;
        session.client.set_deadline(deadline);
        let error = loop {
            match session.client.next() {
                Ok(_event) => {}
                Err(error) => break error,
            }
        };
        if !matches!(error.cause(), Some(Cause::Silent(_))) {
            self.lose(&error, tell);
        }
        Ok(())
    }

    fn lose(&mut self, error: &Error, tell: &dyn Fn(&str)) {
        self.session = None;
        let why = error.message().lines().next().unwrap_or_default();
        tell(&format!("Gateway connection lost ({why}); reconnecting ..."));
    }

    /// The session, made again if it was lost.
    fn session(&mut self, tell: &dyn Fn(&str)) -> Result<&mut Session> {
        let session = match self.session.take() {
            Some(session) => session,
            None => {
                let session = self.reconnect()?;
                tell("Gateway connection restored.");
                session
            }
        };
        Ok(self.session.insert(session))
    }

    fn reconnect(&self) -> Result<Session> {
        let mut pause = FIRST_PAUSE;
        loop {
            std::thread::sleep(pause);
            let deadline = Deadline::after(Instant::now(), self.timeout_ms);
            match connect(&self.target, &self.env.state_dir, &[], deadline) {
                Err(error) if is_passing(&error) => pause = (pause * 2).min(LAST_PAUSE),
                other => return other,
            }
        }
    }
}

/// Whether a later call may succeed without any change.
fn is_passing(error: &Error) -> bool {
    is_lost(error) || error.retryable() || error.kind == Kind::Unavailable
}

fn chunk(answer: &Value) -> Result<Chunk> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let number = |key: &str| answer.get(key).and_then(Value::as_u64).unwrap_or_default();
    let is = |key: &str| answer.get(key) == Some(&Value::Bool(true));
    let file = answer.get("file").map(text).unwrap_or_default();
    if file.is_empty() {
        return Err(no_file());
    }
    Ok(Chunk {
        file,
        cursor: number("cursor"),
        size: number("size"),
        lines: answer.get("lines").and_then(Value::as_array).into_iter().flatten().map(text).collect(),
        truncated: is("truncated"),
        reset: is("reset"),
    })
}

fn no_file() -> Error {
    Error::not_found(
        "the gateway writes no log file (logging.file is off): look where its output goes, as with \
         `journalctl --user -u openclaw-gateway`, or set logging.file",
    )
}
