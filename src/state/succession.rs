//! Which gateway generation serves now. An in-process restart ends one and starts the next; sockets, strangers and
//! the door outlive both and ask here whom they belong to.
//!
//! Shared by the listener threads, the connection threads, the state thread and the main thread behind one lock, held
//! for a look or a change. Waiting here is waiting for the next generation, a few milliseconds; the state thread
//! never waits.
use super::shared::Shared;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Default)]
pub struct Succession {
    now: Mutex<Now>,
    changed: Condvar,
}

#[derive(Clone, Default)]
pub enum Now {
    /// No generation serves at the moment; the next one is being started.
    #[default]
    Between,
    Serving(Arc<Shared>),
    /// The process is ending.
    Over,
}

impl Succession {
    /// The generation that serves; waits for the next one between two. `None` when there will be none.
    pub fn current(&self) -> Option<Arc<Shared>> {
        loop {
            match self.within(Duration::from_secs(60)) {
                Now::Serving(shared) => return Some(shared),
                Now::Over => return None,
                Now::Between => {}
            }
        }
    }

    /// The same, but waits at most `patience`.
    pub fn within(&self, patience: Duration) -> Now {
        let is_between = |now: &mut Now| matches!(now, Now::Between);
        let waited = self.changed.wait_timeout_while(self.lock(), patience, is_between);
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// This generation serves from now on.
    pub fn serve(&self, shared: Arc<Shared>) {
        self.set(Now::Serving(shared));
    }

    /// The present generation takes nobody in any more; a next one will.
    pub fn pause(&self) {
        self.set(Now::Between);
    }

    /// The present generation was the last.
    pub fn end(&self) {
        self.set(Now::Over);
    }

    fn set(&self, next: Now) {
        let before = {
            let mut now = self.lock();
            // Once over, a late start does not bring it back.
            if matches!(*now, Now::Over) {
                return;
            }
            std::mem::replace(&mut *now, next)
        };
        self.changed.notify_all();
        // The last reference to a generation may go here; that is no work for under the lock.
        drop(before);
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        // Every change is one assignment, so a panic elsewhere leaves it usable.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing;

    #[test]
    fn who_comes_between_two_generations_gets_the_next() {
        let succession = Arc::new(Succession::default());
        let waiting = succession.clone();
        let (done, result) = crossbeam_channel::bounded(1);
        let work = move || done.send(waiting.current().is_some()).unwrap();
        crate::threads::bare("test-next", 64 * 1024, work).unwrap();
        assert!(result.recv_timeout(Duration::from_millis(30)).is_err(), "nobody serves yet");
        succession.serve(crate::state::testing::shared(testing::context("{}").0.settings));
        assert_eq!(result.recv_timeout(Duration::from_secs(5)), Ok(true));
        succession.pause();
        succession.end();
        succession.serve(crate::state::testing::shared(testing::context("{}").0.settings));
        assert!(succession.current().is_none(), "over is over");
    }
}
