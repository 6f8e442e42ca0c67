//! One command as everybody sees it: `gw-exec-N` alone starts and reads it (`living`); what it learns is under one lock,
//! which is held for a look or a line, and whoever waits is woken by it.
use super::cage::Walls;
use super::child::{Input, kill_group};
use super::kept::Kept;
use super::list;
use crate::counter::AtomicU64;
use crate::error::{Error, Result};
use crate::{clock, threads};
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const STACK: usize = 256 << 10;
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// What is to be started.
pub struct Plan {
    pub agent: String,
    /// Canonical key of the session whose turn asked.
    pub session: String,
    /// The command as it was asked for.
    pub command: String,
    /// Program and arguments.
    pub words: Vec<String>,
    pub cwd: PathBuf,
    /// That directory itself, where something else may be put in its place meanwhile.
    pub dir: Option<File>,
    pub env: Vec<(String, String)>,
    pub has_terminal: bool,
    /// Whether somebody may write to it.
    pub has_input: bool,
    /// Whether its errors are kept apart from what else it says.
    pub is_split: bool,
    pub timeout: Duration,
    /// None where it is not shut in.
    pub walls: Option<Walls>,
    /// A directory of its own, made for it and removed behind it.
    pub temp: PathBuf,
    /// What is done on its thread when it has ended.
    pub then: Box<dyn FnOnce(&Process) + Send>,
}

/// A command that runs or ran.
pub struct Process {
    /// Two words that a model can say again.
    pub id: String,
    pub agent: String,
    pub(super) session: String,
    pub command: String,
    pub cwd: PathBuf,
    /// Epoch milliseconds.
    pub started: u64,
    pub(super) begun: Instant,
    /// Its end wakes nobody any more.
    pub(super) is_hushed: AtomicBool,
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
pub(super) struct Inner {
    /// `None` before it is one and when it has ended.
    pub pid: Option<u32>,
    pub kept: Kept,
    /// What it said as errors, where those are kept apart.
    pub errors: Kept,
    pub input: Option<Input>,
    pub is_background: bool,
    pub end: Option<End>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// Its time was over.
    pub is_late: bool,
    pub at: u64,
    pub ms: u64,
}

/// How it stands.
pub struct Status {
    pub pid: Option<u32>,
    pub is_background: bool,
    pub end: Option<End>,
    pub total: u64,
    pub is_cut: bool,
    pub tail: String,
}

/// Starts it; when this comes back it runs, or could not be started.
pub fn start(plan: Plan) -> Result<Arc<Process>> {
    let process = list::add(|id| Process {
        id,
        agent: plan.agent.clone(),
        session: plan.session.clone(),
        command: plan.command.clone(),
        cwd: plan.cwd.clone(),
        started: clock::now_ms(),
        begun: Instant::now(),
        is_hushed: AtomicBool::new(false),
        inner: Mutex::default(),
        changed: Condvar::new(),
    })?;
    let (tell, told) = crossbeam_channel::bounded(1);
    let (own, lost) = (process.clone(), process.clone());
    let name = format!("gw-exec-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let work = move || own.live(plan, &tell);
    let died = move |what: String| {
        log::error!(target: "tools", "a command's thread ended by a defect: {what}");
        lost.kill();
        lost.finish(End::default());
    };
    let started = threads::spawn(&name, STACK, work, died).and_then(|_| {
        told.recv().unwrap_or_else(|_| Err(Error::unavailable("the command could not be started")))
    });
    started.inspect_err(|_| list::forget(&process)).map(|()| process)
}

impl Process {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn status(&self, tail: usize) -> Status {
        let inner = self.lock();
        Status {
            pid: inner.pid,
            is_background: inner.is_background,
            end: inner.end.clone(),
            total: inner.kept.total(),
            is_cut: inner.kept.is_cut(),
            tail: inner.kept.end(tail),
        }
    }

    pub fn end(&self) -> Option<End> {
        self.lock().end.clone()
    }

    pub fn is_background(&self) -> bool {
        self.lock().is_background
    }

    pub fn is_hushed(&self) -> bool {
        self.is_hushed.load(Ordering::Relaxed)
    }

    /// From now on it goes on without anybody who waits; `false` when it has ended.
    pub fn leave(&self) -> bool {
        let mut inner = self.lock();
        inner.is_background = inner.end.is_none();
        inner.is_background
    }

    pub fn text(&self, most: usize) -> String {
        self.lock().kept.text(most)
    }

    /// What it said as errors, where those are kept apart.
    pub fn errors(&self, most: usize) -> String {
        self.lock().errors.text(most)
    }

    pub fn news(&self) -> String {
        self.lock().kept.news()
    }

    pub fn runtime_ms(&self) -> u64 {
        self.lock().end.as_ref().map_or_else(|| self.begun.elapsed().as_millis() as u64, |end| end.ms)
    }

    /// Waits for its end, at most so long.
    pub fn wait(&self, time: Duration) -> Option<End> {
        let inner = self.lock();
        let waiting = self.changed.wait_timeout_while(inner, time, |inner| inner.end.is_none());
        waiting.unwrap_or_else(PoisonError::into_inner).0.end.clone()
    }

    /// Ends it with all that it has started. Under the lock, so that its number is nobody else's yet.
    pub fn kill(&self) {
        if let Some(pid) = self.lock().pid {
            kill_group(pid);
        }
    }

    /// Writes to it; `false` when nobody can any more.
    pub fn write(&self, bytes: &[u8], is_last: bool) -> Result<bool> {
        let Some(mut input) = self.lock().input.take() else { return Ok(false) };
        // Without the lock: a program that does not read would hold up all who look.
        let result = input.write(bytes, Duration::from_secs(2));
        let mut inner = self.lock();
        if !is_last && inner.pid.is_some() {
            inner.input = Some(input);
        }
        result.map(|()| true)
    }

    pub(super) fn finish(&self, end: End) {
        let end = End { at: clock::now_ms(), ms: self.begun.elapsed().as_millis() as u64, ..end };
        self.lock().end.get_or_insert(end);
        self.changed.notify_all();
    }
}
