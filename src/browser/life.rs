//! The life of the browser of one profile: started when it is needed, one at a time, by a thread of its own, `gw-browser`,
//! which hears what it says and cleans up when it ends, however it does. Nothing is there before the first use.
use super::cdp::{Cdp, Reader, Wait};
use super::events;
use super::launch::{self, Plan};
use super::world::Browser;
use crate::error::{Error, Result};
use crate::processes::group::Group;
use crate::threads;
use rustix::event::{PollFd, PollFlags};
use std::io::Read;
use std::process::ChildStderr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const STACK: usize = 256 << 10;
/// How long one without a screen is kept that nobody uses, and how often that is looked at.
const IDLE: Duration = Duration::from_secs(30 * 60);
const LOOK: Duration = Duration::from_secs(60);
/// How long one may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_millis(2500);
/// How long the end of the gateway waits for all of them.
const LAST: Duration = Duration::from_millis(1500);

/// The browsers of this process, by profile: they belong to it, not to a generation.
static ALL: Mutex<Vec<Arc<Life>>> = Mutex::new(Vec::new());
/// No more are started: the gateway stops.
static IS_OVER: AtomicBool = AtomicBool::new(false);

pub struct Life {
    profile: String,
    state: Mutex<State>,
    changed: Condvar,
}

enum State {
    Idle,
    Starting,
    Running(Arc<Browser>),
    /// It could not be started; told to all who waited.
    Failed(Error, Instant),
}

/// The life of a profile's browser.
pub fn of(profile: &str) -> Arc<Life> {
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(life) = all.iter().find(|life| life.profile == profile) {
        return life.clone();
    }
    let life = Arc::new(Life {
        profile: profile.to_string(),
        state: Mutex::new(State::Idle),
        changed: Condvar::new(),
    });
    all.push(life.clone());
    life
}

impl Life {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.state() = state;
        self.changed.notify_all();
    }

    pub fn running(&self) -> Option<Arc<Browser>> {
        match &*self.state() {
            State::Running(browser) => Some(browser.clone()),
            _ => None,
        }
    }

    /// The browser that runs; it is started if there is none, and waited for.
    pub fn ensure(
        self: &Arc<Life>,
        plan: impl FnOnce() -> Result<Plan>,
        wait: &Wait,
    ) -> Result<Arc<Browser>> {
        let begun = Instant::now();
        let mut plan = Some(plan);
        let mut state = self.state();
        loop {
            match &*state {
                State::Running(browser) => return Ok(browser.clone()),
                State::Failed(error, at) if *at >= begun => return Err(error.clone()),
                State::Idle | State::Failed(..) => {
                    *state = State::Starting;
                    drop(state);
                    let started =
                        plan.take().map_or_else(|| Err(super::cdp::ended()), |plan| self.begin(plan()));
                    started.inspect_err(|e| self.set(State::Failed(e.clone(), Instant::now())))?;
                    state = self.state();
                }
                State::Starting => {
                    let slice = wait.slice("start")?;
                    state = self.changed.wait_timeout(state, slice).unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    fn begin(self: &Arc<Life>, plan: Result<Plan>) -> Result<()> {
        let plan = plan?;
        if IS_OVER.load(Ordering::SeqCst) {
            return Err(Error::unavailable("the gateway is shutting down"));
        }
        let (life, dead) = (self.clone(), self.clone());
        let died = move |what: String| {
            log::error!(target: "browser", "the thread of a browser ended by a defect: {what}");
            dead.set(State::Idle);
        };
        threads::spawn("gw-browser", STACK, move || life.live(plan), died).map(drop)
    }

    fn live(&self, plan: Plan) {
        let started = Instant::now();
        let mut run = match launch::start(&plan, &|| IS_OVER.load(Ordering::SeqCst)) {
            Ok(run) => run,
            Err(error) => {
                log::warn!(target: "browser", "profile {}: {}", self.profile, error.message());
                return self.set(State::Failed(error, Instant::now()));
            }
        };
        let browser = run.browser.clone();
        log::info!(target: "browser", "profile {}: {} after {} ms", self.profile, run.about, started.elapsed().as_millis());
        self.set(State::Running(browser.clone()));
        let why = hear(&browser, &mut run.reader, run.stderr.as_mut(), plan.is_headless);
        // Nobody finds it any more before who waits is told.
        *self.state() = State::Starting;
        browser.cdp.end();
        browser.world().is_over = true;
        browser.tell_change();
        drop(run);
        log::info!(target: "browser", "profile {}: {why}", self.profile);
        self.set(State::Idle);
    }

    /// Ends it; whether one ran. It is asked to, which keeps what it has in memory, and then made to.
    pub fn stop(&self, patience: Duration) -> bool {
        let Some(browser) = self.running() else { return false };
        self.ask_to_end(&browser);
        if !self.wait_for_end(patience) {
            browser.cdp.break_off();
            self.wait_for_end(PATIENCE);
        }
        true
    }

    pub fn stop_kindly(&self) -> bool {
        self.stop(PATIENCE)
    }

    /// One that runs elsewhere is let go only.
    fn ask_to_end(&self, browser: &Browser) {
        match browser.pid {
            Some(_) => browser.cdp.tell("", "Browser.close", super::cdp::none()),
            None => browser.cdp.break_off(),
        }
    }

    fn wait_for_end(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut state = self.state();
        while !matches!(*state, State::Idle | State::Failed(..)) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// The gateway stops: none goes on, none is started any more.
pub fn end_all() {
    IS_OVER.store(true, Ordering::SeqCst);
    stop_all();
}

/// Ends all that run.
pub fn stop_all() {
    let all = ALL.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for life in &all {
        life.running().into_iter().for_each(|browser| life.ask_to_end(&browser));
    }
    let until = Instant::now() + LAST;
    for life in all {
        if !life.wait_for_end(until.saturating_duration_since(Instant::now())) {
            life.running().into_iter().for_each(|browser| browser.cdp.break_off());
            life.wait_for_end(LAST);
        }
    }
}

/// A browser that was started, as its thread holds it. What ends with it is dropped in this order.
pub struct Run {
    pub browser: Arc<Browser>,
    pub reader: Reader,
    pub stderr: Option<ChildStderr>,
    /// For the log.
    pub about: String,
    /// Its way out.
    pub _gate: Option<super::gate::Gate>,
    pub _group: Option<Group>,
    /// Of its profile.
    pub _lock: Option<crate::files::Lock>,
}

/// Hears what it says until it ends; why it did.
fn hear(
    browser: &Arc<Browser>,
    reader: &mut Reader,
    mut stderr: Option<&mut ChildStderr>,
    may_rest: bool,
) -> &'static str {
    let cdp: &Cdp = &browser.cdp;
    loop {
        let is_ready =
            {
                let mut fds = vec![PollFd::new(reader.stream(), PollFlags::IN)];
                fds.extend(stderr.as_ref().map(|stderr| {
                    PollFd::from_borrowed_fd(std::os::fd::AsFd::as_fd(&**stderr), PollFlags::IN)
                }));
                // What went wrong shows in the look itself.
                let _ = crate::sys::poll(&mut fds, Some(LOOK));
                [fds.first(), fds.get(1)].map(|fd| fd.is_some_and(|fd| !fd.revents().is_empty()))
            };
        if is_ready[1] && !take_words(stderr.as_deref_mut()) {
            stderr = None;
        }
        if !is_ready[0] {
            if may_rest && browser.world().used.is_some_and(|at| at.elapsed() > IDLE) {
                return "ended, as nobody has used it for half an hour";
            }
            reader.rest();
            continue;
        }
        let Some(texts) = reader.read(cdp) else { return "has ended" };
        for text in texts {
            if let Some(told) = cdp.hear(&text) {
                events::hear(browser, told);
            }
        }
    }
}

/// What it says beside, which is nobody's matter once it runs; `false` at the end.
fn take_words(stderr: Option<&mut ChildStderr>) -> bool {
    let mut piece = [0; 4096];
    stderr.is_some_and(|stderr| stderr.read(&mut piece).is_ok_and(|n| n > 0))
}
