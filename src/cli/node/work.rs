//! What was invoked and is not answered yet: commands that run, and threads that wait for a browser. All of it ends with the
//! connection that it was invoked by.
use super::answer::{self, Outcome};
use super::bell::Bell;
use super::calls::Call;
use super::run::Asked;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::json;
use crate::processes::{Plan, Process, list, running};
use crossbeam_channel::{Receiver, Sender, bounded};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Ends that wait to be looked at: more cannot be under way (`processes/list.rs`, `browser.rs`).
const ENDS: usize = 128;
/// How long the end waits for what it has ended.
const LAST: Duration = Duration::from_secs(1);

/// Where commands have their directories: not where those of a gateway with the same state have theirs.
pub fn dir(env: &Env) -> PathBuf {
    env.state_dir.join("node").join("exec")
}

/// What is over.
pub enum Over {
    /// The process of the call with this id.
    Process(String),
    Said(String, Outcome),
}

pub enum What {
    Run(Box<Asked>),
    Notify,
    Browser,
}

pub struct Item {
    pub call: Call,
    pub process: Option<Arc<Process>>,
    pub what: What,
}

/// What is to be told of something that is over.
pub struct Told {
    pub call: Call,
    pub outcome: Outcome,
    /// An event for whoever does not wait.
    pub event: Option<Value>,
}

pub struct Work {
    items: Vec<Item>,
    over: (Sender<Over>, Receiver<Over>),
}

impl Work {
    pub fn new() -> Work {
        Work { items: Vec::new(), over: bounded(ENDS) }
    }

    pub fn has(&self, key: &str) -> bool {
        !key.is_empty() && self.items.iter().any(|item| item.call.key == key)
    }

    pub fn count(&self, is_meant: fn(&What) -> bool) -> usize {
        self.items.iter().filter(|item| is_meant(&item.what)).count()
    }

    /// For a thread that says how it ended.
    pub fn sender(&self) -> Sender<Over> {
        self.over.0.clone()
    }

    pub fn add(&mut self, item: Item) {
        self.items.push(item);
    }

    /// Starts a process whose end is told by `bell`.
    pub fn start(&mut self, call: &Call, what: What, mut plan: Plan, bell: &Bell) -> Result<()> {
        let (sender, ringer, id) = (self.sender(), bell.ringer()?, call.id.clone());
        plan.then = Box::new(move |_| {
            // The host may be at its end.
            let _ = sender.try_send(Over::Process(id));
            ringer.ring();
        });
        let process = running::start(plan)?;
        self.items.push(Item { call: call.bare(), process: Some(process), what });
        Ok(())
    }

    /// What is over since the last time; `max` bounds a frame.
    pub fn take(&mut self, max: usize) -> Vec<Told> {
        let mut told = Vec::new();
        while let Ok(over) = self.over.1.try_recv() {
            let (Over::Process(id) | Over::Said(id, _)) = &over;
            let Some(place) = self.items.iter().position(|item| item.call.id == *id) else { continue };
            let item = self.items.swap_remove(place);
            told.push(match over {
                Over::Said(_, outcome) => Told { call: item.call, outcome, event: None },
                Over::Process(_) => ended(item, max),
            });
        }
        told
    }

    /// Nobody is there any more who would be told.
    pub fn end(&mut self) {
        let processes: Vec<Arc<Process>> = self.items.drain(..).filter_map(|item| item.process).collect();
        processes.iter().for_each(|process| process.kill());
        let until = Instant::now() + LAST;
        for process in processes {
            process.wait(until.saturating_duration_since(Instant::now()));
            list::forget(&process);
        }
    }
}

fn ended(item: Item, max: usize) -> Told {
    let Item { call, process, what } = item;
    let Some((process, end)) = process.and_then(|process| Some((process.clone(), process.end()?))) else {
        return Told { call, outcome: Err(Error::unavailable("it has ended unseen")), event: None };
    };
    list::forget(&process);
    match what {
        What::Run(asked) => {
            let event = asked
                .event(&call)
                .map(|(session, run)| answer::event(session, run, &asked.shown, &process, &end));
            Told { outcome: Ok(answer::ran(&call, &process, &end, max)), call, event }
        }
        _ => {
            let outcome = match end.code {
                Some(0) => Ok(json!({"ok": true})),
                _ => {
                    let why = process.errors(500) + &process.text(500);
                    Err(Error::unavailable(format!("the notification was not shown: {}", why.trim())))
                }
            };
            Told { call, outcome, event: None }
        }
    }
}
