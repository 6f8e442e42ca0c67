//! Ctrl-C while a run of the gateway is waited for: the first one stops the run there, the second leaves at once.
//!
//! The thread `cli-signal` lives to the end of the process. It stops the run over a connection of its own, so that the
//! main thread goes on reading and gets the run's end as everybody does.
use super::link::client::Deadline;
use super::link::connect::connect;
use super::link::rpc;
use super::link::target::Target;
use super::print::Printer;
use crate::error::{Error, Kind, Result};
use crate::json::json;
use crate::threads;
use serde_json::Value;
use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;
use signal_hook::{flag, low_level};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const STACK: usize = 256 << 10;
/// How long stopping the run may take, and the run's end after it.
const LIMIT: Duration = Duration::from_secs(5);

/// The run that Ctrl-C stops.
pub struct Stop {
    pub out: Printer,
    pub target: Target,
    pub run: String,
}

/// Whether Ctrl-C came, and the session of the run as far as the gateway has told it.
#[derive(Clone, Default)]
pub struct Interrupt {
    came: Arc<AtomicBool>,
    session: Arc<Mutex<Option<String>>>,
}

impl Interrupt {
    /// From here on Ctrl-C stops the run.
    pub fn watch(stop: Stop) -> Result<Interrupt> {
        let failed = |e| Error::io("watch for Ctrl-C", e);
        let interrupt = Interrupt::default();
        // In this order: the first signal sets what the second one ends by.
        flag::register_conditional_shutdown(SIGINT, EXIT, interrupt.came.clone()).map_err(failed)?;
        flag::register(SIGINT, interrupt.came.clone()).map_err(failed)?;
        let mut signals = Signals::new([SIGINT]).map_err(failed)?;
        let own = interrupt.clone();
        threads::bare("cli-signal", STACK, move || {
            if signals.forever().next().is_some() {
                own.stop(&stop);
                std::thread::sleep(LIMIT);
                // The run's end did not come: as if Ctrl-C were pressed again. Fails for a wrong number only.
                let _ = low_level::raise(SIGINT);
            }
        })?;
        Ok(interrupt)
    }

    /// The events of the run name its session.
    pub fn note_run(&self, run: &str, event: &Value) {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        if text("runId") == Some(run) {
            self.note(text("sessionKey"));
        }
    }

    /// The session of the run, where it is known.
    pub fn note(&self, session: Option<&str>) {
        if let Some(session) = session {
            *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.to_string());
        }
    }

    pub fn came(&self) -> bool {
        self.came.load(Ordering::SeqCst)
    }

    fn stop(&self, stop: &Stop) {
        stop.out.warn("\nstopping the run ... (Ctrl-C again leaves at once)");
        if let Err(error) = self.ask(stop) {
            stop.out.warn(&format!("the run {} was not stopped: {}", stop.run, error.message()));
            // See above.
            let _ = low_level::raise(SIGINT);
        }
    }

    fn ask(&self, stop: &Stop) -> Result<()> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let session = session.ok_or_else(|| {
            Error::unavailable("the gateway has not told its session yet; look with `openclaw sessions`")
        })?;
        let deadline = Deadline::after(Instant::now(), LIMIT.as_millis() as u64);
        let mut connection = connect(&stop.target, &stop.target.env.state_dir, &[], deadline)?;
        let params = json!({"sessionKey": session, "runId": stop.run});
        rpc::request(&mut connection, &stop.target, "chat.abort", &params, false)?;
        connection.client.close();
        Ok(())
    }
}

/// The usual status of a program that Ctrl-C ended.
pub const EXIT: i32 = 130;

/// What the command ends with when the run was stopped.
pub fn stopped(run: &str) -> Error {
    Error::new(Kind::Interrupted, format!("Stopped: the run {run} was ended on the gateway"))
}
