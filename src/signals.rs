//! The signal thread: SIGTERM, SIGINT, SIGHUP and SIGUSR1 become requests to the gateway, nothing else.
//!
//! Lives as long as the process, so that a signal in any phase, also between two generations, is kept until somebody
//! looks: a stop is never crowded out by restarts, and any number of restarts are one pending request (R-14a).
use crate::error::{Error, Result};
use crate::threads;
use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

const STACK: usize = 64 << 10;
/// Stops that are remembered one by one, to be told as ignored; more of them say nothing new.
const STOPS: usize = 8;

/// What the process was asked for by signals. A clone sees the same requests; each is taken once.
#[derive(Clone)]
pub struct Asked {
    /// Names of the signals.
    pub stop: Receiver<&'static str>,
    pub restart: Receiver<()>,
}

/// Starts the thread. From here on these signals no longer end the process by themselves.
pub fn watch() -> Result<Asked> {
    let all = [SIGTERM, SIGINT, SIGUSR1, SIGHUP];
    // `nohup` asks that the end of the terminal be ignored; that stays so.
    let watched = if is_ignored(SIGHUP) { all.get(..3) } else { all.get(..) };
    let mut signals =
        Signals::new(watched.unwrap_or_default()).map_err(|e| Error::io("watch for signals", e))?;
    let (stops, stop) = bounded(STOPS);
    let (restarts, restart) = bounded(1);
    let work = move || {
        for signal in signals.forever() {
            // Full: the same request waits already; gone: the process is ending.
            let _ = match signal {
                SIGTERM => stops.try_send("SIGTERM").is_ok(),
                SIGINT => stops.try_send("SIGINT").is_ok(),
                // The terminal it ran in is gone.
                SIGHUP => stops.try_send("SIGHUP").is_ok(),
                _ => restarts.try_send(()).is_ok(),
            };
        }
    };
    threads::bare("gw-signal", STACK, work)?;
    Ok(Asked { stop, restart })
}

/// Whether the process was started with this signal ignored, where /proc tells.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
