//! `openclaw status --watch`: the screen of a terminal to itself, drawn anew every second, until Ctrl-C. What does not fit
//! the screen is left out; the terminal has what it showed before back at the end, however that comes.
use super::{look, overview, show_all};
use crate::cli::Context;
use crate::cli::parse::Args;
use crate::error::{Error, Kind, Result};
use crate::sys;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(1);

pub fn run(context: &Context, args: &Args) -> Result<()> {
    if args.has("json") || !context.out.interactive {
        return Err(Error::usage("--watch needs a terminal, and no --json; a script calls it again instead"));
    }
    let ends = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        flag::register(signal, ends.clone()).map_err(|e| Error::io("watch for Ctrl-C", e))?;
    }
    let screen = context.out.screen();
    // The line about waiting would stand in the middle of it.
    let mut out = context.out;
    out.progress = false;
    while !ends.load(Ordering::SeqCst) {
        out.refit(&context.env);
        // Each look has its own time to be done in.
        let context = Context { env: context.env.clone(), out, started: Instant::now() };
        let look = look(&context, args)?;
        let rows = overview::lines(&look);
        screen.draw(|| show_all(&context, args, &look, &rows));
        // A signal interrupts it, which is no failure.
        let _ = sys::poll(&mut [], Some(PAUSE));
    }
    drop(screen);
    Err(Error::new(Kind::Interrupted, ""))
}
