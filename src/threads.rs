//! Named threads with bounded stacks. A panic in a worker is caught here and told to whoever must know; it
//! ends that worker and nothing else. The state thread does not use the net: half-changed state must not go on.
use crate::error::{Error, Kind, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, JoinHandle};

/// What must be left of the address space for one more thread: its stack, and the work of those who run already.
const ROOM: usize = 8 << 20;

/// Threads that run now, and the most that ever did at a time.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// Whether one more thread can be had. Where nothing is left its start, or the next allocation of any thread, would
/// end the process. The C library keeps the stacks of threads that ended for the next ones, so what ran once may run
/// again.
pub fn has_room() -> bool {
    RUNNING.load(Ordering::Relaxed) + 2 < MOST.load(Ordering::Relaxed) || crate::sys::has_room(ROOM)
}

/// The threads that run now, and the most that ever did at a time; without the main thread.
pub fn counts() -> (usize, usize) {
    (RUNNING.load(Ordering::Relaxed), MOST.load(Ordering::Relaxed))
}

/// What helps when the system refuses a thread, whichever error it gives.
const FIX: &str = "this user or service may have no more of them, or no memory for one: raise its limit (ulimit -u, TasksMax)";

/// Runs `work` on a thread called `name` (at most 15 bytes are shown by the system). `died` gets the text of a
/// panic.
pub fn spawn(
    name: &str,
    stack: usize,
    work: impl FnOnce() + Send + 'static,
    died: impl FnOnce(String) + Send + 'static,
) -> Result<JoinHandle<()>> {
    guarded(name, stack, Box::new(work), Box::new(died))
}

/// The same without the net: a panic unwinds out of the thread and shows in its join.
pub fn bare(name: &str, stack: usize, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    start(name, stack, Box::new(work))
}

/// Whoever asks for more memory than can be addressed ends the process, as whoever asks for more than there is does
/// anyway. So the release build takes it that putting texts and lists together never unwinds (`.ci/calm`).
pub fn end_at_overflow() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        if panic.payload().downcast_ref::<&str>() == Some(&"capacity overflow") {
            std::process::abort();
        }
    }));
}

/// One kind of work, so that the code for a thread is there once.
type Work = Box<dyn FnOnce() + Send>;

fn guarded(
    name: &str,
    stack: usize,
    work: Work,
    died: Box<dyn FnOnce(String) + Send>,
) -> Result<JoinHandle<()>> {
    let guarded = move || {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
            died(panic_text(&*panic));
        }
    };
    start(name, stack, Box::new(guarded))
}

fn start(name: &str, stack: usize, work: Work) -> Result<JoinHandle<()>> {
    // Debug builds use several times the stack of release builds.
    let stack = if cfg!(debug_assertions) { stack * 8 } else { stack };
    let counted = move || {
        MOST.fetch_max(RUNNING.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        let _running = Running;
        work();
    };
    Builder::new()
        .name(name.to_string())
        .stack_size(stack)
        .spawn(counted)
        .map_err(|e| Error::new(Kind::Io, format!("start thread {name}: {e}; {FIX}")))
}

/// Counts a thread until it ends, by a panic too.
struct Running;

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
}

pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| s.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a text".to_string())
}
