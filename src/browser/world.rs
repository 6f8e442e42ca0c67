//! What is known of a browser that runs: its pages, and what they said, asked for and were given. Data behind one lock; the
//! browser's thread writes what it is told (`events.rs`), whoever drives it reads and waits for changes.
use super::cdp::{Cdp, Wait};
use super::policy::{Believed, Policy};
use crate::error::{Error, Result};
use crate::json::json;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What is kept of a page, newest last.
const CONSOLE: usize = 500;
const ERRORS: usize = 200;
const REQUESTS: usize = 500;
const DIALOGS: usize = 20;
const DOWNLOADS: usize = 50;

pub struct Browser {
    pub cdp: Cdp,
    world: Mutex<World>,
    changed: Condvar,
    pub pid: Option<u32>,
    /// Where its downloads land; nowhere on another machine.
    pub downloads: Option<PathBuf>,
}

#[derive(Default)]
pub struct World {
    pub pages: Vec<Page>,
    /// Sessions of frames that are processes of their own: which frame, of which page.
    pub frames: BTreeMap<String, (String, String)>,
    pub downloads: VecDeque<Download>,
    pub policy: Option<Policy>,
    pub believed: Believed,
    /// Names that are looked up at the moment.
    pub asking: usize,
    clock: u64,
    next_request: u64,
    /// The browser has ended: nothing changes any more.
    pub is_over: bool,
    /// The page that is in front: others are not drawn, and take no keys.
    pub front: String,
    /// When somebody last asked for something.
    pub used: Option<Instant>,
}

#[derive(Default)]
pub struct Page {
    pub target: String,
    pub session: String,
    /// Its main frame.
    pub main: String,
    pub url: String,
    /// The larger, the later it was used.
    pub used: u64,
    /// Documents that have begun, that were parsed, and that were loaded with all they need.
    pub begun: u64,
    pub parsed: u64,
    pub loaded: u64,
    /// Requests under way, and when the last one began or ended.
    pub busy: usize,
    pub stirred: Option<Instant>,
    pub console: VecDeque<Value>,
    pub errors: VecDeque<Value>,
    pub requests: VecDeque<Request>,
    pub dialogs: VecDeque<Value>,
    /// Since the last document was loaded.
    pub dialogs_in_a_row: usize,
    pub armed: Option<Armed>,
    /// Files for the next file chooser.
    pub chooser: Option<(Vec<String>, Instant)>,
    /// Those that snapshots name `f1`, `f2`.
    pub frames: Vec<super::page::Frame>,
    /// Why its last navigation was refused.
    pub blocked: Option<String>,
    pub has_crashed: bool,
    /// What is being dragged, as the browser told.
    pub dragged: Option<Value>,
}

/// What becomes of the next dialog.
pub struct Armed {
    pub accept: bool,
    pub text: Option<String>,
    pub until: Instant,
}

pub struct Request {
    /// The browser's own name for it.
    pub own: String,
    pub shown: Value,
}

#[derive(Clone)]
pub struct Download {
    pub id: String,
    pub url: String,
    pub name: String,
    /// What became of it, once something did.
    pub end: Option<std::result::Result<PathBuf, String>>,
    pub is_taken: bool,
}

impl Browser {
    pub fn new(cdp: Cdp, pid: Option<u32>, downloads: Option<PathBuf>) -> Browser {
        Browser { cdp, world: Mutex::default(), changed: Condvar::new(), pid, downloads }
    }

    /// For one look or change.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn tell_change(&self) {
        self.changed.notify_all();
    }

    /// Waits until `look` finds what it looks for.
    pub fn wait_for<T>(
        &self,
        what: &str,
        wait: &Wait,
        mut look: impl FnMut(&mut World) -> Option<T>,
    ) -> Result<T> {
        let mut world = self.world();
        loop {
            if let Some(found) = look(&mut world) {
                return Ok(found);
            }
            if world.is_over {
                return Err(super::cdp::ended());
            }
            let slice = wait.slice(what)?;
            world = self.changed.wait_timeout(world, slice).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl World {
    pub fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    pub fn page(&mut self, target: &str) -> Option<&mut Page> {
        self.pages.iter_mut().find(|page| page.target == target)
    }

    /// The page to which a session belongs, as its own or as a frame's.
    pub fn page_of(&mut self, session: &str) -> Option<&mut Page> {
        let target = self.frames.get(session).map(|(_, target)| target.clone());
        self.pages.iter_mut().find(|page| page.session == session || target.as_ref() == Some(&page.target))
    }

    pub fn next_request(&mut self) -> String {
        self.next_request += 1;
        format!("r{}", self.next_request)
    }

    pub fn add_download(&mut self, download: Download) {
        keep(&mut self.downloads, download, DOWNLOADS);
    }
}

impl Page {
    pub fn log(&mut self, entry: Value) {
        keep(&mut self.console, entry, CONSOLE);
    }

    pub fn fail(&mut self, entry: Value) {
        keep(&mut self.errors, entry, ERRORS);
    }

    pub fn ask(&mut self, request: Request) {
        keep(&mut self.requests, request, REQUESTS);
    }

    pub fn say(&mut self, entry: Value) {
        keep(&mut self.dialogs, entry, DIALOGS);
    }

    /// Why nothing can be done with it.
    pub fn check(&self) -> Result<()> {
        match self.has_crashed {
            true => Err(Error::unavailable("the page has crashed: navigate it anew, or close it")),
            false => Ok(()),
        }
    }

    pub fn tab(&self, title: &str, url: &str) -> Value {
        json!({"targetId": self.target, "title": title, "url": url, "type": "page"})
    }
}

fn keep<T>(list: &mut VecDeque<T>, entry: T, most: usize) {
    if list.len() >= most {
        list.pop_front();
    }
    list.push_back(entry);
}
