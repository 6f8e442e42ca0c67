//! The config watcher (`gw-watch`): wakes when the file changes and has the shared secret and the agents looked at again.
//!
//! The new configuration is put where everybody reads it; of what was taken from it at the start only the secret
//! is applied while running (SEC-14, R-05f), ports and limits wait for the next start. The thread decides nothing: `judge` says what the
//! file means, and the state thread closes the connections that were made with the old secret.
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::shared::{Auth, Shared};
use crate::state::event::Event;
use crate::state::sessions::roster;
use crate::threads;
use std::path::Path;
#[cfg(not(target_os = "linux"))]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The file counts as written when nothing has happened to it for this long (R-06c).
const QUIET: Duration = Duration::from_millis(300);
const STACK: usize = 256 << 10;

/// What the file and the command line together say about the secret; an error keeps what is in force.
pub type Judge = Box<dyn Fn(&Config, &Env) -> Result<Auth> + Send>;

/// Starts the thread. `env` is the environment before any configuration was applied to it.
pub fn start(shared: Arc<Shared>, env: Env, judge: Judge) -> Result<()> {
    let path = shared.config().path().to_path_buf();
    let mut changes = Changes::of(&path)?;
    let work = move || {
        let mut agents = shared.agents().ids();
        while changes.wait() {
            while changes.wait_at_most(QUIET) {}
            look(&shared, &env, &judge);
            match roster::announce(&shared, &agents) {
                Ok(ids) => agents = ids,
                Err(e) => log::warn!(target: "gateway/reload", "the agents stay as they were: {e}"),
            }
        }
    };
    let died = |what| log::error!(target: "gateway/reload", "the config watcher ended by a defect: {what}");
    threads::spawn("gw-watch", STACK, work, died).map(drop)
}

fn look(shared: &Shared, env: &Env, judge: &Judge) {
    let mut env = env.clone();
    let config = Config::load(&mut env).inspect(|config| shared.set_config(config.clone()));
    match config.and_then(|config| judge(&config, &env)) {
        Ok(auth) if auth.is_same(&shared.auth()) => {}
        Ok(auth) => {
            log::info!(target: "gateway/reload", "the gateway {} has changed: connections made with the old one are closed", auth.mode.name());
            shared.set_auth(auth);
            // The state thread is gone only when the process ends.
            let _ = shared.state.send(Event::SecretChanged);
        }
        Err(e) => log::warn!(target: "gateway/reload", "config reload skipped (invalid config): {e}"),
    }
}

/// Changes of one file, seen through its directory, so that a rename over it is seen too.
#[cfg(target_os = "linux")]
struct Changes {
    watch: std::os::fd::OwnedFd,
    name: std::ffi::OsString,
}

#[cfg(target_os = "linux")]
impl Changes {
    fn of(path: &Path) -> Result<Changes> {
        use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
        let dir = path.parent().unwrap_or(Path::new("."));
        let failed = |e: rustix::io::Errno| Error::io(format_args!("watch {}", dir.display()), e.into());
        let watch = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(failed)?;
        let flags = WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO | WatchFlags::MODIFY | WatchFlags::DELETE;
        add_watch(&watch, dir, flags).map_err(failed)?;
        Ok(Changes { watch, name: path.file_name().unwrap_or_default().to_os_string() })
    }

    /// Blocks until the file has changed; `false` when it can no longer be watched.
    fn wait(&mut self) -> bool {
        loop {
            match self.poll(None) {
                Some(true) => return true,
                Some(false) => {}
                None => return false,
            }
        }
    }

    fn wait_at_most(&mut self, time: Duration) -> bool {
        self.poll(Some(time)) == Some(true)
    }

    /// Whether the file was among what changed meanwhile; `None` when watching fails.
    fn poll(&mut self, time: Option<Duration>) -> Option<bool> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let time = time.map(|t| Timespec { tv_sec: t.as_secs() as _, tv_nsec: t.subsec_nanos() as _ });
        match poll(&mut [PollFd::new(&self.watch, PollFlags::IN)], time.as_ref()) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Some(false),
            Ok(_) => {}
            Err(_) => return None,
        }
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = rustix::fs::inotify::Reader::new(&self.watch, &mut buffer);
        let mut is_ours = false;
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|n| n.to_bytes());
                    is_ours |= name == Some(self.name.as_encoded_bytes());
                }
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Some(is_ours),
                Err(_) => return None,
            }
        }
    }
}

/// Elsewhere the file is looked at every two seconds.
#[cfg(not(target_os = "linux"))]
struct Changes {
    path: PathBuf,
    seen: Option<std::time::SystemTime>,
}

#[cfg(not(target_os = "linux"))]
impl Changes {
    fn of(path: &Path) -> Result<Changes> {
        let mut changes = Changes { path: path.to_path_buf(), seen: None };
        changes.is_new();
        Ok(changes)
    }

    fn is_new(&mut self) -> bool {
        let now = std::fs::metadata(&self.path).and_then(|m| m.modified()).ok();
        std::mem::replace(&mut self.seen, now) != now
    }

    fn wait(&mut self) -> bool {
        while !self.is_new() {
            std::thread::sleep(Duration::from_secs(2));
        }
        true
    }

    fn wait_at_most(&mut self, time: Duration) -> bool {
        std::thread::sleep(time);
        self.is_new()
    }
}
