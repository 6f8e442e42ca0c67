//! The line that says what a command waits for: after a moment, with the seconds so far, and gone afterwards.
//!
//! One thread of its own, `cli-waiting`, redraws it while the main thread blocks in the network; both write under one
//! lock. Only where stderr is a terminal; elsewhere nothing is started and nothing printed.
use super::print::Printer;
use crate::threads;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Shorter waits are not worth a word.
const PATIENCE: Duration = Duration::from_millis(300);
const TICK: Duration = Duration::from_millis(100);
const STACK: usize = 64 << 10;

pub struct Waiting(Option<Arc<Mutex<Line>>>);

struct Line {
    out: Printer,
    /// What is waited for; nothing while there is other output.
    what: Option<String>,
    since: Instant,
    /// What stands there.
    drawn: String,
    is_over: bool,
}

impl Waiting {
    /// Begins to wait for `what`.
    pub fn begin(out: Printer, what: &str) -> Waiting {
        if !out.progress {
            return Waiting(None);
        }
        let line = Line {
            out,
            what: Some(what.to_string()),
            since: Instant::now(),
            drawn: String::new(),
            is_over: false,
        };
        let line = Arc::new(Mutex::new(line));
        let drawing = line.clone();
        let work = move || {
            while !lock(&drawing).tick() {
                std::thread::sleep(TICK);
            }
        };
        // Without a thread there is no such line; the command works all the same.
        Waiting(threads::bare("cli-waiting", STACK, work).is_ok().then_some(line))
    }

    /// What is waited for from now on.
    pub fn say(&self, what: &str) {
        if let Some(line) = &self.0 {
            let mut line = lock(line);
            line.erase();
            (line.what, line.since) = (Some(what.to_string()), Instant::now());
        }
    }

    /// Makes room for other output; `say` goes on.
    pub fn hide(&self) {
        if let Some(line) = &self.0 {
            let mut line = lock(line);
            line.erase();
            line.what = None;
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.hide();
        if let Some(line) = &self.0 {
            lock(line).is_over = true;
        }
    }
}

impl Line {
    /// Draws what is to be seen now; whether that was the end.
    fn tick(&mut self) -> bool {
        let elapsed = self.since.elapsed();
        if let Some(what) = self.what.as_deref().filter(|_| elapsed >= PATIENCE && !self.is_over) {
            let text = format!("{what} ... {} s", elapsed.as_secs());
            if text != self.drawn {
                self.out.over(&text);
                self.drawn = text;
            }
        }
        self.is_over
    }

    fn erase(&mut self) {
        if !self.drawn.is_empty() {
            self.out.over("");
            self.drawn.clear();
        }
    }
}

fn lock(line: &Mutex<Line>) -> MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}
