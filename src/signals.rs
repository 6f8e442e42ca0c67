//! The signal thread: SIGTERM, SIGINT, SIGHUP and SIGUSR1 become control messages, nothing else.
use crate::error::{Error, Result};
use crate::state::event::Control;
use crate::threads;
use crossbeam_channel::Sender;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

const STACK: usize = 64 << 10;

/// Starts the thread. From here on these signals no longer end the process by themselves.
pub fn watch(control: Sender<Control>) -> Result<()> {
    let all = [SIGTERM, SIGINT, SIGUSR1, SIGHUP];
    // `nohup` asks that the end of the terminal be ignored; that stays so.
    let watched = if is_ignored(SIGHUP) { all.get(..3) } else { all.get(..) };
    let mut signals =
        Signals::new(watched.unwrap_or_default()).map_err(|e| Error::io("watch for signals", e))?;
    let work = move || {
        for signal in signals.forever() {
            let command = match signal {
                SIGTERM => Control::Stop("SIGTERM"),
                SIGINT => Control::Stop("SIGINT"),
                // The terminal it ran in is gone.
                SIGHUP => Control::Stop("SIGHUP"),
                _ => Control::Restart,
            };
            // Full: as many requests wait already, which come to the same; gone: the process is ending.
            let _ = control.try_send(command);
        }
    };
    threads::bare("gw-signal", STACK, work).map(drop)
}

/// Whether the process was started with this signal ignored, where /proc tells.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
