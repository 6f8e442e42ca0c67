//! The numbers of today (`runs/today.rs`) in their file, `<STATE>/gateway/today.json`: read at the start, written within a
//! minute after a turn and at the end.
//!
//! Part of `State`, on the state thread; the store thread writes. What a kill loses is of its last minute.
use super::State;
use super::store::Job;
use crate::env::Env;
use crate::files;
use crate::json;
use crate::runs::Today;
use serde_json::Value;
use std::path::PathBuf;

/// The most values in the file; a day has some ten.
const MOST_VALUES: usize = 1000;
/// How long numbers may stand in memory alone, milliseconds.
const LATEST: u64 = 60_000;

#[derive(Default)]
pub struct Kept {
    /// How many changes are written.
    changes: u64,
    due: Option<u64>,
}

fn path(env: &Env) -> PathBuf {
    env.state_dir.join("gateway/today.json")
}

impl State {
    /// For the start. Without the file, or with one that nobody can read, the day begins now.
    pub fn recall_today(&mut self) {
        let text = files::read_text(&path(&self.shared.env)).unwrap_or_default();
        self.runs.today = Today::known(&json::read(&text, MOST_VALUES, json::DEEPEST).unwrap_or_default());
    }

    pub(super) fn keep_today(&mut self) -> Option<u64> {
        if self.runs.today.changes == self.today.changes {
            return None;
        }
        let due = *self.today.due.get_or_insert(self.mono + LATEST);
        if self.mono < due {
            return Some(due);
        }
        let work = self.write_today();
        match self.store.submit(Job::Upkeep(work)) {
            Ok(()) => {
                self.today = Kept { changes: self.runs.today.changes, due: None };
                None
            }
            Err(_) => Some(*self.today.due.insert(self.mono + LATEST)),
        }
    }

    /// For the end.
    pub fn finish_today(&mut self) {
        if self.runs.today.changes != self.today.changes {
            let work = self.write_today();
            self.store.submit_last(Job::Upkeep(work));
        }
    }

    fn write_today(&mut self) -> Box<dyn FnOnce() + Send> {
        let (path, told): (PathBuf, Value) = (path(&self.shared.env), self.runs.today.told(self.now));
        Box::new(move || {
            if let Err(e) = files::write_atomic(&path, format!("{told}\n").as_bytes()) {
                log::warn!(target: "gateway/store", "the numbers of today are not kept over a restart: {e}");
            }
        })
    }
}
