//! Workers: parts of the gateway with a thread of their own that come and go with the configuration. One row each.
//!
//! `supervisor.rs` starts, stops and restarts them. A worker gets a `Handle` and does its work until it is told to end;
//! it knows neither clients nor the state, which it asks by methods like everybody else. The config watcher is a row.
//! Not rows: the store thread, because accepted work is nowhere but in its queue and what it failed to write cannot
//! be made good by another one; the listeners, `gw-signal`, `gw-log` and `gw-watchdog`, because they outlive the
//! generation.
use super::judge::Judge;
use super::watch;
use crate::cancel::Cancel;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::state::shared::Shared;
use crossbeam_channel::Sender;
use rustix::event::{PollFd, PollFlags};
use serde_json::Value;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

/// A kind of worker.
pub struct Row {
    /// Of its thread too: `gw-` and this.
    pub name: &'static str,
    /// What the worker of this part depends on: it is restarted when that changes.
    pub mark: fn(&Config, &str) -> Value,
    /// The workers of this kind that the configuration and the command line (`Judge`) ask for, by what each has of its own,
    /// such as an account. None: off. One that there is once has an empty name.
    pub parts: fn(&Config, &Judge) -> Vec<String>,
    /// Told when one of this part has failed, and when it is started again (epoch milliseconds).
    pub rests: fn(&House, &str, u64),
    /// Whether one of this part has done its work since it was started last.
    pub worked: fn(&House, &str) -> bool,
    pub stack: usize,
    /// The work, on the worker's thread. `Ok` ends it for good; after an error it is started again.
    pub start: fn(Handle) -> Result<()>,
}

/// All of them.
pub const WORKERS: &[Row] = &[
    Row {
        name: "watch",
        mark: |_, _| Value::Null,
        parts: |_, _| vec![String::new()],
        rests: |_, _, _| {},
        worked: |_, _| false,
        stack: watch::STACK,
        start: watch::run,
    },
    super::channel::ROW,
    super::announced::ROW,
    super::published::ROW,
];

/// What all workers of a generation may use.
pub struct House {
    pub shared: Arc<Shared>,
    pub judge: Arc<Judge>,
    /// The configuration that this generation began with, and the digest of the variables' file.
    pub started: (Config, String),
    /// Told when another configuration is in force.
    pub changed: Sender<()>,
}

impl House {
    /// For the watcher: this configuration holds from now on.
    pub fn put_in_force(&self, config: &Config) {
        self.shared.set_config(config.clone());
        // Full: the supervisor is told already and has not looked yet.
        let _ = self.changed.try_send(());
    }
}

/// A worker's hold on the house.
pub struct Handle {
    pub house: Arc<House>,
    /// The configuration that the worker was started with.
    pub config: Config,
    /// Which of several.
    pub part: String,
    /// Readable when the worker is to end; may be waited for beside sockets and pipes.
    pub stop: UnixStream,
    /// Set then too, for calls that look at one.
    pub cancel: Cancel,
}

impl Handle {
    /// Waits for `time`, or until one of `others` is readable; false when the worker is to end.
    pub fn sleep_or(&self, time: Duration, others: &[BorrowedFd]) -> Result<bool> {
        let all = [self.stop.as_fd()].into_iter().chain(others.iter().copied());
        let mut all: Vec<PollFd> = all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        match crate::sys::poll(&mut all, Some(time)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(self.cancel.reason().is_none()),
            Err(e) => Err(Error::io("wait for the time of a worker", e.into())),
        }
    }
}
