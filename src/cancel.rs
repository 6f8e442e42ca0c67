//! The stop flag of one agent run: set by the state thread, looked at by the run's own thread.
//!
//! One atomic byte and an optional deadline, so looking is as cheap as it gets and nobody waits for a
//! lock. The first reason given stays. Nothing is woken: whoever blocks looks again every `SLICE`.
use crate::error::{Error, Kind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

/// The longest time a run blocks without looking at its flag.
pub const SLICE: Duration = Duration::from_millis(25);

/// Why a run was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// `chat.abort` or another call asked for it.
    Rpc,
    /// The user said `/stop`.
    Stop,
    /// A newer message took its place (`messages.queue.mode: "interrupt"`).
    Interrupt,
    /// The run passed its deadline.
    Timeout,
    /// The gateway goes down.
    Shutdown,
}

/// A clone shares the flag.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    reason: Arc<AtomicU8>,
    deadline: Option<Instant>,
}

impl Cancel {
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// A flag that reports `Timeout` by itself once `deadline` has passed.
    pub fn with_deadline(deadline: Instant) -> Cancel {
        Cancel { deadline: Some(deadline), ..Cancel::default() }
    }

    /// Stops the run. Later calls change nothing.
    pub fn cancel(&self, reason: Reason) {
        let code = match reason {
            Reason::Rpc => 1,
            Reason::Stop => 2,
            Reason::Timeout => 3,
            Reason::Shutdown => 4,
            Reason::Interrupt => 5,
        };
        // Losing the exchange means that an earlier reason stands, which is what callers want.
        let _ = self.reason.compare_exchange(0, code, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Why to stop, or `None` to go on.
    pub fn reason(&self) -> Option<Reason> {
        match self.reason.load(Ordering::Acquire) {
            1 => Some(Reason::Rpc),
            2 => Some(Reason::Stop),
            3 => Some(Reason::Timeout),
            4 => Some(Reason::Shutdown),
            5 => Some(Reason::Interrupt),
            _ if self.deadline.is_some_and(|at| Instant::now() >= at) => {
                // From here on the reason stands, whatever is asked for later.
                self.cancel(Reason::Timeout);
                Some(Reason::Timeout)
            }
            _ => None,
        }
    }

    /// Sleeps for `time`, or until stopped: then the answer is false.
    pub fn sleep(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        loop {
            if self.reason().is_some() {
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(SLICE));
        }
    }

    /// The error of a stopped run.
    pub fn error(&self) -> Error {
        let text = match self.reason() {
            Some(Reason::Timeout) => "the run was stopped: it passed its time limit",
            Some(Reason::Shutdown) => {
                "the run was stopped: the gateway stops or restarts; send the message again"
            }
            Some(Reason::Interrupt) => "the run was stopped: a newer message took its place",
            Some(Reason::Rpc | Reason::Stop) | None => "the run was stopped on request",
        };
        let error = Error::new(Kind::Aborted, text);
        match self.reason() {
            Some(Reason::Shutdown) => error.retry_in(Duration::from_secs(1)),
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stays_and_clones_share_it() {
        let cancel = Cancel::new();
        assert_eq!(cancel.reason(), None);
        cancel.clone().cancel(Reason::Stop);
        cancel.cancel(Reason::Shutdown);
        assert_eq!(cancel.reason(), Some(Reason::Stop));
    }

    #[test]
    fn a_deadline_is_a_timeout_and_ends_a_sleep() {
        let started = Instant::now();
        let cancel = Cancel::with_deadline(started + Duration::from_millis(40));
        assert!(!cancel.sleep(Duration::from_secs(5)));
        assert!(started.elapsed() < Duration::from_secs(1));
        cancel.cancel(Reason::Rpc);
        assert_eq!(cancel.reason(), Some(Reason::Timeout));
    }
}
