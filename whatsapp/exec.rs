//! The executor of an account: one thread that polls the crate's tasks and ours, timers among them. Any thread may wake a
//! task or give it a new one; jobs that block get a short-lived thread of their own.
//!
//! A task that panics ends the program: the gateway starts it anew, and nothing half done is kept in memory.
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

pub type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Stack of a thread for a job that blocks.
const STACK: usize = 512 << 10;

#[derive(Clone, Default)]
pub struct Executor(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    bell: Condvar,
    next: AtomicU64,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Arc<Task>>,
    timers: BTreeMap<(Instant, u64), Waker>,
    /// All that are not done.
    tasks: HashMap<u64, Arc<Task>>,
    is_root_ready: bool,
}

struct Task {
    id: u64,
    job: Mutex<Option<Job>>,
    shared: Weak<Shared>,
    is_queued: AtomicBool,
    is_aborted: AtomicBool,
}

struct Root(Weak<Shared>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::AcqRel)
            && let Some(shared) = self.shared.upgrade()
        {
            shared.lock().ready.push_back(self);
            shared.bell.notify_one();
        }
    }
}

impl Wake for Root {
    fn wake(self: Arc<Self>) {
        if let Some(shared) = self.0.upgrade() {
            shared.lock().is_root_ready = true;
            shared.bell.notify_one();
        }
    }
}

impl Task {
    fn take(&self) -> Option<Job> {
        // Whoever polls it looks at the flag afterwards.
        self.job.try_lock().ok()?.take()
    }

    fn poll(self: Arc<Self>) {
        self.is_queued.store(false, Ordering::Release);
        let waker = Waker::from(self.clone());
        let mut job = self.job.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(running) = job.as_mut() else { return };
        let is_done = running.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        if is_done || self.is_aborted.load(Ordering::Acquire) {
            let done = job.take();
            drop(job);
            drop(done);
            self.forget();
        }
    }

    fn forget(&self) {
        let task = self.shared.upgrade().and_then(|shared| shared.lock().tasks.remove(&self.id));
        drop(task);
    }

    fn abort(&self) {
        self.is_aborted.store(true, Ordering::Release);
        let job = self.take();
        if job.is_some() {
            drop(job);
            self.forget();
        }
    }
}

impl Executor {
    fn start(&self, job: Job) -> Arc<Task> {
        let id = self.0.id();
        let (is_queued, is_aborted) = (AtomicBool::new(true), AtomicBool::new(false));
        let shared = Arc::downgrade(&self.0);
        let task = Arc::new(Task { id, job: Mutex::new(Some(job)), shared, is_queued, is_aborted });
        let mut state = self.0.lock();
        state.tasks.insert(id, task.clone());
        state.ready.push_back(task.clone());
        drop(state);
        self.0.bell.notify_one();
        task
    }

    /// From any thread.
    pub fn spawn(&self, job: impl Future<Output = ()> + Send + 'static) {
        self.start(Box::pin(job));
    }

    pub fn sleep(&self, time: Duration) -> Sleep {
        Sleep { shared: Arc::downgrade(&self.0), at: Instant::now() + time, id: None }
    }

    /// Runs everything until this is done; what others have begun stays for the next call.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        let waker = Waker::from(Arc::new(Root(Arc::downgrade(&self.0))));
        self.0.lock().is_root_ready = true;
        loop {
            let (is_root, ready) = self.wait();
            if is_root && let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return value;
            }
            ready.into_iter().for_each(Task::poll);
        }
    }

    /// What can go on now; waits for it.
    fn wait(&self) -> (bool, VecDeque<Arc<Task>>) {
        let mut state = self.0.lock();
        loop {
            let now = Instant::now();
            let later = state.timers.split_off(&(now, u64::MAX));
            let due = std::mem::replace(&mut state.timers, later);
            if !due.is_empty() {
                drop(state);
                due.into_values().for_each(Waker::wake);
                state = self.0.lock();
            }
            if state.is_root_ready || !state.ready.is_empty() {
                return (std::mem::take(&mut state.is_root_ready), std::mem::take(&mut state.ready));
            }
            let first = state.timers.keys().next().map(|(at, _)| at.saturating_duration_since(now));
            state = match first {
                Some(left) => self.0.bell.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.0.bell.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

pub struct Sleep {
    shared: Weak<Shared>,
    at: Instant,
    id: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(shared) = self.shared.upgrade().filter(|_| Instant::now() < self.at) else {
            return Poll::Ready(());
        };
        let id = *self.id.get_or_insert_with(|| shared.id());
        shared.lock().timers.insert((self.at, id), context.waker().clone());
        // Another thread may poll it than the one that waits for timers.
        shared.bell.notify_one();
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let (Some(id), Some(shared)) = (self.id, self.shared.upgrade()) {
            let waker = shared.lock().timers.remove(&(self.at, id));
            drop(waker);
        }
    }
}

/// A flag that a thread sets when its job is done.
#[derive(Default)]
struct Done(Mutex<(bool, Option<Waker>)>);

/// The job on a thread of its own; done when it is.
pub fn on_thread(job: Box<dyn FnOnce() + Send>) -> Job {
    let done = Arc::new(Done::default());
    let own = done.clone();
    let run = move || {
        job();
        let mut state = own.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = true;
        let waker = state.1.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    };
    let started = std::thread::Builder::new().name("wa-job".into()).stack_size(STACK).spawn(run);
    let is_started = started.is_ok();
    Box::pin(std::future::poll_fn(move |context| {
        let mut state = done.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.0 || !is_started {
            return Poll::Ready(());
        }
        state.1 = Some(context.waker().clone());
        Poll::Pending
    }))
}

/// Lets the others have their turn once.
pub async fn yield_once() {
    let mut has_yielded = false;
    std::future::poll_fn(move |context| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Ends a task that was started by [`Executor::handle`].
pub struct Handle(Arc<Task>);

impl Handle {
    pub fn abort(&self) {
        self.0.abort();
    }
}

impl Executor {
    pub fn handle(&self, job: Job) -> Handle {
        Handle(self.start(job))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn tasks_timers_and_threads_wake_each_other() {
        let exec = Executor::default();
        let (count, own) = (Arc::new(AtomicUsize::new(0)), exec.clone());
        let counted = count.clone();
        let begun = Instant::now();
        exec.spawn(async move {
            own.sleep(Duration::from_millis(30)).await;
            let inner = counted.clone();
            on_thread(Box::new(move || {
                inner.fetch_add(1, Ordering::SeqCst);
            }))
            .await;
            yield_once().await;
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let own = exec.clone();
        exec.block_on(async {
            while count.load(Ordering::SeqCst) < 2 {
                own.sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(begun.elapsed() >= Duration::from_millis(30));
        assert!(exec.0.lock().tasks.is_empty() && exec.0.lock().timers.is_empty());
    }

    #[test]
    fn a_task_that_is_aborted_goes_with_all_it_holds() {
        struct Held(Arc<AtomicUsize>);
        impl Drop for Held {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let (exec, gone) = (Executor::default(), Arc::new(AtomicUsize::new(0)));
        let job = |exec: &Executor| -> Job {
            let (held, own) = (Held(gone.clone()), exec.clone());
            Box::pin(async move {
                own.sleep(Duration::from_secs(3600)).await;
                drop(held);
            })
        };
        let handle = exec.handle(job(&exec));
        exec.spawn(job(&exec));
        exec.block_on(exec.sleep(Duration::from_millis(5)));
        handle.abort();
        assert_eq!(gone.load(Ordering::SeqCst), 1);
        assert!(exec.0.lock().timers.len() == 1 && exec.0.lock().tasks.len() == 1);
    }

    /// A task that ends itself does not wait for itself.
    #[test]
    fn a_task_may_abort_itself() {
        let exec = Executor::default();
        let handle: Arc<Mutex<Option<Handle>>> = Arc::default();
        let own = handle.clone();
        let started = exec.handle(Box::pin(async move {
            own.lock().unwrap().as_ref().unwrap().abort();
            yield_once().await;
            panic!("it went on");
        }));
        *handle.lock().unwrap() = Some(started);
        exec.block_on(exec.sleep(Duration::from_millis(5)));
        assert!(exec.0.lock().tasks.is_empty());
        handle.lock().unwrap().take();
    }

    #[test]
    fn another_thread_gives_it_work() {
        let exec = Executor::default();
        let (own, done) = (exec.clone(), Arc::new(AtomicBool::new(false)));
        let told = done.clone();
        let thread = std::thread::Builder::new().spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            own.spawn(async move { told.store(true, Ordering::SeqCst) });
        });
        let own = exec.clone();
        exec.block_on(async {
            while !done.load(Ordering::SeqCst) {
                own.sleep(Duration::from_millis(10)).await;
            }
        });
        thread.unwrap().join().unwrap();
    }
}
