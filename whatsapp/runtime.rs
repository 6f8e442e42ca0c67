//! The executor as the crate asks for one.
use crate::exec::{Executor, Job, on_thread, yield_once};
use std::time::Duration;
use wacore::runtime::AbortHandle;

pub struct Runtime(pub Executor);

impl wacore::runtime::Runtime for Runtime {
    fn spawn(&self, future: Job) -> AbortHandle {
        let handle = self.0.handle(future);
        AbortHandle::new(move || handle.abort())
    }

    fn spawn_detached(&self, future: Job) {
        self.0.spawn(future);
    }

    fn sleep(&self, duration: Duration) -> Job {
        Box::pin(self.0.sleep(duration))
    }

    fn spawn_blocking(&self, job: Box<dyn FnOnce() + Send + 'static>) -> Job {
        on_thread(job)
    }

    fn yield_now(&self) -> Option<Job> {
        Some(Box::pin(yield_once()))
    }

    /// There is one thread: whoever has much to do lets the others in between.
    fn yield_frequency(&self) -> u32 {
        1
    }
}
