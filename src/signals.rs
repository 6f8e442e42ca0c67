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
    let mut signals =
        Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1]).map_err(|e| Error::io("watch for signals", e))?;
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
