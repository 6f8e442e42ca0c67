//! Subagents under way: what their end means, that whoever asked for one is told of it once, and that old ones go. What is
//! told and where says `Shared::announce`, for it takes the rooms above.
//!
//! Part of `State`, on the state thread; the store thread writes the file. The run that tells of an end has an id of its own in
//! the journal: what a stop cuts off is asked for again by the next start under that id, and not if it had ended.
use super::State;
use super::event::Event;
use super::store::Job;
use crate::cron::outcome::End;
use crate::deliveries::{Outcome, Record};
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::json::{Put, json};
use crate::logging::quoted;
use crate::parts::shortened;
use crate::settings::Settings;
use crate::subagents::words::{self, CUT_OFF, MAX_FINDINGS};
use crate::subagents::{Book, Child, is_over, is_told, number, text};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

/// When what the disk did not take is written again, and what could not be told is tried again, milliseconds.
const AGAIN: u64 = 30_000;
/// How often it is tried to tell of an end.
const TRIES: u64 = 3;
const MINUTE: u64 = 60_000;

#[derive(Default)]
pub struct Subagents {
    pub book: Book,
    path: Option<PathBuf>,
    /// Runs whose end is to be told, and when (monotonic clock).
    untold: BTreeMap<String, u64>,
    unsaved: Option<u64>,
    save: Save,
}

/// The list on its way to its file: one at a time, what changes meanwhile goes with the next.
#[derive(Default, PartialEq)]
enum Save {
    #[default]
    None,
    UnderWay,
    /// And another one is due when it is done.
    Outdated,
}

impl Subagents {
    /// Reads the file; for the start. What was under way ended as the journal says, which has the answers, or was cut off.
    pub fn load(settings: &Settings, runs: &[Record], now: u64) -> Subagents {
        let path = settings.env.state_dir.join("subagents/runs.json");
        let mut book = Book::load(&path);
        for (run, child) in book.all_mut().filter(|(_, child)| !is_over(child)) {
            let record = runs.iter().rfind(|record| record.key == *run);
            let result = record.and_then(|record| record.result.as_ref()).map(Outcome::read);
            match result.filter(|result| result.get("ok") == Some(&Value::Bool(true))) {
                Some(result) => {
                    let said = result.pointer("/payload/result/payloads").and_then(Value::as_array);
                    let said = said.and_then(|all| all.last()?.get("text")?.as_str());
                    end(child, now, "ok", None, said);
                }
                None => end(child, now, "unknown", Some(CUT_OFF), None),
            }
        }
        let untold =
            book.all().filter(|(_, child)| !is_told(child)).map(|(run, _)| (run.clone(), 0)).collect();
        Subagents { book, path: Some(path), untold, ..Subagents::default() }
    }

    /// Runs that tell of an end and are to be asked for again if they were cut off.
    pub fn announcements(&self) -> HashSet<String> {
        self.untold.keys().filter_map(|run| self.book.get(run)).map(words::announcement_id).collect()
    }
}

/// Notes down how a subagent ended, and what it said last.
fn end(child: &mut Child, now: u64, status: &str, error: Option<&str>, said: Option<&str>) {
    child.put("endedAt", now);
    child.put(
        "outcome",
        match error {
            Some(error) => json!({"status": status, "error": error}),
            None => json!({"status": status}),
        },
    );
    if let Some(said) = said.filter(|said| !said.trim().is_empty()) {
        child.put("findings", shortened(said.trim(), MAX_FINDINGS));
    }
}

impl State {
    /// A subagent is at its task.
    pub fn child_begins(&mut self, child: Child) {
        self.subagents.book.put(child);
        self.save_subagents();
    }

    pub(super) fn child_ended(&mut self, run: &str, ended: End) {
        let Some(child) = self.subagents.book.get_mut(run) else { return };
        let (status, error) = match &ended.result {
            // The next start tells of it.
            Err(e) if is_shutdown(e) => return,
            Err(e) if e.kind == Kind::Aborted => ("error", Some("killed")),
            Err(e) if e.kind == Kind::AgentTimeout => ("timeout", None),
            Err(e) => ("error", Some(e.message())),
            Ok(()) => ("ok", None),
        };
        end(child, self.now, status, error, ended.said.as_deref());
        // Who stopped it knows.
        if error == Some("killed") || ended.said.as_deref().is_some_and(words::is_silent) {
            return self.child_is_told(run);
        }
        self.subagents.untold.insert(run.to_string(), 0);
        self.save_subagents();
    }

    /// The run that tells of an end is over.
    pub(super) fn child_told(&mut self, run: &str, result: &Result<()>) {
        let Some(child) = self.subagents.book.get_mut(run) else { return };
        match result {
            Err(e) if is_shutdown(e) => return,
            Err(e) if e.kind != Kind::Aborted => {
                let tries = number(child, "announceRetryCount").unwrap_or(0) + 1;
                log::warn!(target: "gateway/subagents", "the end of subagent {} is not told: {e}", quoted(run));
                child.put("announceRetryCount", tries);
                if tries < TRIES {
                    self.subagents.untold.insert(run.to_string(), self.mono + AGAIN * tries);
                    return self.save_subagents();
                }
            }
            _ => {}
        }
        self.child_is_told(run);
    }

    fn child_is_told(&mut self, run: &str) {
        self.runs.forget_family(run);
        let Some(child) = self.subagents.book.get_mut(run) else { return };
        child.put("cleanupHandled", true);
        child.put("cleanupCompletedAt", self.now);
        child.remove("findings");
        let key = text(child, "childSessionKey").to_string();
        if text(child, "cleanup") == "delete" && self.drop_session(&key) {
            self.subagents.book.remove(run);
        }
        self.save_subagents();
    }

    pub(super) fn run_subagents(&mut self) -> Option<u64> {
        let again = self.save_subagents_again();
        let untold = self.tell_of_ends();
        again.into_iter().chain(untold).chain(self.drop_old_subagents()).min()
    }

    fn tell_of_ends(&mut self) -> Option<u64> {
        if self.subagents.untold.is_empty() || self.turns_are_taken().is_err() {
            return None;
        }
        let mono = self.mono;
        let is_due = |(run, at): (&String, &u64)| (*at <= mono).then(|| run.clone());
        let due: Vec<String> = self.subagents.untold.iter().filter_map(is_due).collect();
        self.subagents.untold.retain(|_, at| *at > mono);
        for run in due {
            let told = (self.shared.clone().announce)(self, &run);
            let Some(child) = self.subagents.book.get(&run) else { continue };
            let is_under_way = self.runs.is_live(&words::announcement_id(child));
            match told {
                Ok(()) if is_under_way => {}
                // An earlier process has told of it.
                Ok(()) => self.child_is_told(&run),
                Err(e) => self.child_told(&run, &Err(e)),
            }
        }
        self.subagents.untold.values().min().copied()
    }

    /// The oldest of them leave the list, and their sessions the index.
    fn drop_old_subagents(&mut self) -> Option<u64> {
        let (now, mut next) = (self.now, None::<u64>);
        let mut old = Vec::new();
        for (run, child) in self.subagents.book.all().filter(|(_, child)| is_told(child)) {
            match number(child, "archiveAtMs") {
                Some(at) if at <= now => old.push((run.clone(), text(child, "childSessionKey").to_string())),
                Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
                None => {}
            }
        }
        let has_gone = !old.is_empty();
        for (run, key) in old {
            let is_used = self
                .subagents
                .book
                .all()
                .any(|(other, c)| *other != run && text(c, "childSessionKey") == key);
            if is_used || self.drop_session(&key) {
                self.subagents.book.remove(&run);
            } else if let Some(child) = self.subagents.book.get_mut(&run) {
                child.put("archiveAtMs", now + MINUTE);
                next = Some(next.map_or(now + MINUTE, |next| next.min(now + MINUTE)));
            }
        }
        if has_gone {
            self.save_subagents();
        }
        next.map(|at| self.mono + (at - now))
    }

    /// Takes a session out of its index; its transcript is put aside. `false` while a turn goes on there.
    fn drop_session(&mut self, key: &str) -> bool {
        if !self.runs.of_session(key).is_empty() {
            return false;
        }
        self.take_out(&[key.to_string()]);
        true
    }

    fn save_subagents(&mut self) {
        let Some(path) = self.subagents.path.clone() else { return };
        if self.store.is_full() {
            self.subagents.unsaved = Some(self.mono + AGAIN);
            return;
        }
        if self.subagents.save != Save::None {
            self.subagents.save = Save::Outdated;
            return;
        }
        self.subagents.save = Save::UnderWay;
        let (book, state) = (self.subagents.book.clone(), self.shared.state.clone());
        let work = move || {
            let made = path.parent().map_or(Ok(()), files::private_dir);
            let result = made.and_then(|()| files::write_atomic(&path, book.text().as_bytes()));
            if let Err(e) = &result {
                log::error!(target: "gateway/subagents", "the list of subagents is not on disk: {e}; it is tried again");
            }
            let then = |state: &mut State, result: Result<()>| {
                let save = std::mem::take(&mut state.subagents.save);
                if result.is_err() {
                    state.subagents.unsaved = Some(state.mono + AGAIN);
                } else if save == Save::Outdated {
                    state.save_subagents();
                }
            };
            // The state thread is gone only when the process ends.
            let _ = state.send(Event::Noted { result, then: Box::new(then) });
        };
        self.post.under_way += 1;
        // This thread alone fills the queue, so there is room.
        drop(self.store.submit(Job::Upkeep(Box::new(work))));
    }

    fn save_subagents_again(&mut self) -> Option<u64> {
        let at = self.subagents.unsaved?;
        if self.mono < at {
            return Some(at);
        }
        self.subagents.unsaved = None;
        self.save_subagents();
        self.subagents.unsaved
    }
}

/// Whether the gateway stopped a run, and nobody else.
fn is_shutdown(e: &Error) -> bool {
    e.kind == Kind::Aborted && e.retry_after().is_some()
}
