//! All commands of this process, those included that ended lately: a static, for they belong to the process and not to a
//! generation of the gateway. Locked for one look or change.
use super::mark;
use super::running::Process;
use crate::error::{Error, Result};
use crate::{clock, ids};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Commands at the same time, and those that ended and are remembered.
const RUNNING: usize = 32;
const ENDED: usize = 64;
/// How long a stop waits for them.
const LAST: Duration = Duration::from_secs(1);

static LIST: Mutex<Vec<Arc<Process>>> = Mutex::new(Vec::new());

const FIRST: &[&str] = &[
    "amber", "brisk", "calm", "clear", "cool", "coral", "dawn", "deep", "ember", "fair", "fresh", "gentle",
    "glad", "grand", "keen", "kind", "lucky", "mellow", "mild", "neat", "nimble", "oak", "plain", "quick",
    "quiet", "rapid", "salt", "sharp", "steady", "swift", "tidal", "warm",
];
const SECOND: &[&str] = &[
    "atlas", "basil", "bloom", "breeze", "brook", "cedar", "cloud", "comet", "cove", "crest", "dune",
    "fjord", "glade", "gulf", "harbor", "haven", "lagoon", "lobster", "meadow", "mist", "orbit", "pine",
    "reef", "ridge", "river", "shell", "shoal", "slug", "summit", "tide", "valley", "willow",
];

fn lock() -> MutexGuard<'static, Vec<Arc<Process>>> {
    LIST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes in one that is made for this name.
pub fn add(make: impl FnOnce(String) -> Process) -> Result<Arc<Process>> {
    let random: [u8; 3] = ids::random()?;
    let mut all = lock();
    if all.iter().filter(|process| process.end().is_none()).count() >= RUNNING {
        let text = format!("{RUNNING} commands run already: wait for one, or end one with process kill");
        return Err(Error::unavailable(text));
    }
    while all.len() >= RUNNING + ENDED {
        let Some(oldest) = all.iter().position(|process| process.end().is_some()) else { break };
        all.remove(oldest);
    }
    let word =
        |words: &[&str], n: u8| words.get(usize::from(n) % words.len()).copied().unwrap_or("one").to_string();
    let mut id = format!("{}-{}", word(FIRST, random[0]), word(SECOND, random[1]));
    if all.iter().any(|process| process.id == id) {
        id = format!("{id}-{}", random[2]);
    }
    let process = Arc::new(make(id));
    all.push(process.clone());
    Ok(process)
}

pub fn forget(process: &Arc<Process>) {
    lock().retain(|known| !Arc::ptr_eq(known, process));
}

/// Those of an agent that go on or went on in the background, newest first, without what ended longer ago than `keep_ms`.
pub fn of_agent(agent: &str, keep_ms: u64) -> Vec<Arc<Process>> {
    let now = clock::now_ms();
    let mut all = lock();
    let is_old = |process: &Process| process.end().is_some_and(|end| now.saturating_sub(end.at) > keep_ms);
    all.retain(|process| !is_old(process));
    all.iter().rev().filter(|process| process.agent == agent && process.is_background()).cloned().collect()
}

pub fn find(agent: &str, id: &str) -> Option<Arc<Process>> {
    lock().iter().find(|process| process.agent == agent && process.id == id).cloned()
}

/// Where commands have their directories.
pub fn dir(state_dir: &Path) -> PathBuf {
    state_dir.join("gateway").join("exec")
}

/// The ends of a session's commands that run now wake nobody: it was stopped.
pub fn hush(session: &str) {
    let all = lock();
    all.iter().filter(|it| it.session == session).for_each(|it| it.is_hushed.store(true, Ordering::Relaxed));
}

/// What commands of an earlier process have left in `dir`: those that still run, as nobody could end them, and their
/// directories.
pub fn clear(dir: &Path) {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>();
    mark::sweep(&names, false);
    remove(dir);
}

/// A directory that commands have filled.
pub(super) fn remove(dir: &Path) {
    if let Err(e) = crate::files::remove_tree(dir) {
        log::warn!(target: "tools", "remove {}: {e}", dir.display());
    }
}

/// The gateway stops: nothing that it started goes on.
pub fn end_all() {
    let all = lock().clone();
    all.iter().for_each(|process| process.kill());
    let until = Instant::now() + LAST;
    for process in all {
        process.wait(until.saturating_duration_since(Instant::now()));
    }
}
