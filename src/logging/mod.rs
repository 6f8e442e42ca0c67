//! Logging: lines to stdout and to a size-capped file, without secrets, without floods.
//!
//! Any thread logs through the `log` macros with the subsystem as target; the line is made here and handed to
//! the `gw-log` thread through a bounded queue, so that a full disk or a blocked terminal never stops anybody
//! (R-13d). The terminal's lines are written by simplelog; the file has the line format that existing readers
//! know. The CLI starts no logging.
mod console;
mod file;
mod flood;
mod secrets;
pub mod tail;

use console::Console;
pub use console::Shows;
pub use file::latest;
pub use secrets::{Redactor, quoted};

use crate::config::Config;
use crate::counter::AtomicU64;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::{clock, threads};
use crossbeam_channel::{Receiver, Sender, bounded};
use file::LogFile;
use flood::{Flood, Verdict};
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

/// `log::debug!` with a target, for this program's lines: a release build leaves out what libraries say in that
/// much detail, which is never written, and the macro of that name with it.
macro_rules! debug {
    (target: $target:expr, $($text:tt)+) => {
        if log::max_level() >= log::LevelFilter::Debug {
            $crate::logging::say_debug($target, format_args!($($text)+));
        }
    };
}
pub(crate) use debug;

const QUEUE: usize = 1024;
const STACK: usize = 128 << 10;
/// Longest line kept, bytes.
const MAX_LINE: usize = 8 << 10;
/// How long the end of the process waits for the last lines.
const FLUSH: Duration = Duration::from_millis(500);

/// How many warnings are remembered as said.
const MAX_TOLD: usize = 64;
/// With whether the command line asked for all.
static QUEUE_END: OnceLock<(Sender<Message>, bool)> = OnceLock::new();
static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
static CURRENT: Mutex<Option<PathBuf>> = Mutex::new(None);
/// What no line may show.
static SECRETS: RwLock<Redactor> = RwLock::new(Redactor::EMPTY);

enum Message {
    /// Boxed, as the memory of the whole queue is touched when it is made.
    Line(Box<Line>),
    Renew(Box<Outputs>),
    Flush(Sender<()>),
}

pub(crate) struct Line {
    pub at: u64,
    pub level: Level,
    pub target: String,
    pub text: String,
}

struct Front {
    queue: Sender<Message>,
    /// Lines that did not fit into the queue.
    lost: AtomicU64,
}

/// Starts logging for a gateway; `more` are secrets that are not in the config (flags, environment).
pub fn start(config: &Config, env: &Env, shows: Shows, more: Vec<String>) -> Result<()> {
    let (outputs, trouble) = Outputs::of(config, env, shows.verbose);
    let max_level = outputs.max_level();
    let (queue, lines) = bounded(QUEUE);
    let back = Back { outputs, flood: Flood::default(), color: shows.color };
    threads::spawn("gw-log", STACK, move || back.run(&lines), |_| {})?;
    hide([config.secrets(), more].concat());
    let front = Front { queue: queue.clone(), lost: AtomicU64::new(0) };
    log::set_boxed_logger(Box::new(front)).map_err(|e| Error::unavailable(format!("start logging: {e}")))?;
    log::set_max_level(max_level);
    // Set once: `set_boxed_logger` above succeeds only the first time.
    let _ = QUEUE_END.set((queue, shows.verbose));
    if let Some(e) = trouble {
        log::warn!(target: "gateway", "no log file: {e}");
    }
    Ok(())
}

/// Logs as this configuration says from now on.
pub fn renew(config: &Config, env: &Env, more: Vec<String>) {
    hide([config.secrets(), more].concat());
    let Some((queue, verbose)) = QUEUE_END.get() else { return };
    let (outputs, trouble) = Outputs::of(config, env, *verbose);
    log::set_max_level(outputs.max_level());
    if queue.send_timeout(Message::Renew(Box::new(outputs)), FLUSH).is_err() {
        log::warn!(target: "gateway", "the log stays as it was: it could not be written fast enough");
    }
    if let Some(e) = trouble {
        log::warn!(target: "gateway", "no log file: {e}");
    }
}

/// No line shows these from now on, nor what was hidden before: an old secret may still be said by somebody.
pub fn hide(secrets: Vec<String>) {
    SECRETS.write().unwrap_or_else(PoisonError::into_inner).add(secrets);
}

/// What `debug!` calls.
pub fn say_debug(target: &str, text: std::fmt::Arguments) {
    log::logger().log(&Record::builder().level(Level::Debug).target(target).args(text).build());
}

/// A warning that is not said again while the process runs, as far as it remembers.
pub fn warn_once(target: &str, warning: String) {
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if !told.contains(&warning) {
        log::warn!(target: target, "{warning}");
        told.truncate(MAX_TOLD - 1);
        told.insert(0, warning);
    }
}

/// Waits, not for long, until everything logged so far is written.
pub fn flush() {
    let Some((queue, _)) = QUEUE_END.get() else { return };
    let (done, wait) = bounded(1);
    if queue.send_timeout(Message::Flush(done), FLUSH).is_ok() {
        // Late or lost: the process ends either way.
        let _ = wait.recv_timeout(FLUSH);
    }
}

/// The file that is written now, if one is.
pub fn current_file() -> Option<PathBuf> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn set_current(path: Option<PathBuf>) {
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = path;
}

fn parse_level(text: &str) -> Option<LevelFilter> {
    Some(match text {
        "silent" => LevelFilter::Off,
        "fatal" | "error" => LevelFilter::Error,
        "warn" => LevelFilter::Warn,
        "info" => LevelFilter::Info,
        "debug" => LevelFilter::Debug,
        "trace" => LevelFilter::Trace,
        _ => return None,
    })
}

impl Log for Front {
    fn enabled(&self, metadata: &Metadata) -> bool {
        // Libraries speak only when something is wrong; what they say in detail may hold headers.
        let own = ["gateway", "openclaw", "channels", "browser"];
        let own = own.iter().any(|name| metadata.target().starts_with(name));
        own || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
        let text = secrets.clean(&record.args().to_string());
        drop(secrets);
        let text = crate::parts::within(&text, MAX_LINE).to_string();
        let line =
            Line { at: clock::now_ms(), level: record.level(), target: record.target().to_string(), text };
        if self.queue.try_send(Message::Line(Box::new(line))).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let text = format!("{lost} log lines were lost: the log could not be written fast enough");
            let line = Line { at: clock::now_ms(), level: Level::Warn, target: "gateway".into(), text };
            if self.queue.try_send(Message::Line(Box::new(line))).is_err() {
                self.lost.fetch_add(lost, Ordering::Relaxed);
            }
        }
    }

    fn flush(&self) {}
}

/// The writing end, on the `gw-log` thread.
struct Back {
    outputs: Outputs,
    flood: Flood,
    /// Whether levels have colours on the terminal.
    color: bool,
}

/// Where lines go, and which.
struct Outputs {
    console: Box<Console>,
    console_level: LevelFilter,
    file: Option<LogFile>,
    file_level: LevelFilter,
}

impl Outputs {
    /// As configured; with why there is no file if there should be one.
    fn of(config: &Config, env: &Env, verbose: bool) -> (Outputs, Option<Error>) {
        let level = |key: &str| config.str(key).and_then(parse_level).unwrap_or(LevelFilter::Info);
        // `--verbose` mirrors what the file gets, so the file gets it too.
        let least = if verbose { LevelFilter::Debug } else { LevelFilter::Off };
        let console_level = if verbose { LevelFilter::Debug } else { level("logging.consoleLevel") };
        let file_level = least.max(level("logging.level"));
        let (file, trouble) = match LogFile::open(config, env) {
            Ok(file) => (file, None),
            Err(e) => (None, Some(e)),
        };
        set_current(file.as_ref().map(|file| file.path().to_path_buf()));
        (Outputs { console: console::open(console_level), console_level, file, file_level }, trouble)
    }

    fn max_level(&self) -> LevelFilter {
        self.console_level.max(self.file_level)
    }
}

impl Back {
    fn run(mut self, lines: &Receiver<Message>) {
        loop {
            let message = match self.flood.next_summary() {
                None => lines.recv().ok(),
                Some(wait) => match lines.recv_timeout(wait) {
                    Ok(message) => Some(message),
                    Err(crossbeam_channel::RecvTimeoutError::Timeout) => {
                        self.flood.due(clock::now_ms()).into_iter().for_each(|line| self.write(&line));
                        continue;
                    }
                    Err(crossbeam_channel::RecvTimeoutError::Disconnected) => None,
                },
            };
            match message {
                Some(Message::Line(line)) => {
                    if self.flood.judge(&line) == Verdict::Write {
                        self.write(&line);
                    }
                }
                Some(Message::Renew(outputs)) => self.outputs = *outputs,
                Some(Message::Flush(done)) => {
                    self.flood.all().into_iter().for_each(|line| self.write(&line));
                    // Whoever asked may have stopped waiting.
                    let _ = done.send(());
                }
                None => return,
            }
        }
    }

    fn write(&mut self, line: &Line) {
        let outputs = &mut self.outputs;
        if line.level <= outputs.console_level {
            console::write(&outputs.console, line, self.color);
        }
        if line.level <= outputs.file_level
            && let Some(file) = &mut outputs.file
        {
            file.write(line);
            set_current(Some(file.path().to_path_buf()));
        }
    }
}
