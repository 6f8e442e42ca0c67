//! The store thread: the one writer of session indexes and of the idempotency journal.
//!
//! It decides nothing; it writes what it is told, waits for the disk and then says so: answers that promise
//! something are sent from here, after the promise is on disk. A full disk is an error in those answers and a
//! line in the log; nothing is lost in memory and the next write tries again (R-28b).
use crate::error::{Error, Result};
use crate::protocol::frame::Payload;
use crate::sessions::{Index, Journal, Record};
use crate::state::event::{Call, Event};
use crate::threads;
use crossbeam_channel::{Receiver, Sender, bounded};
use serde_json::Value;
use std::thread::JoinHandle;
use std::time::Duration;

const QUEUE: usize = 1024;
const STACK: usize = 256 << 10;

pub enum Job {
    /// Journal the acceptance of a run; `Event::Accepted` follows.
    Accept(Record),
    /// Journal the result of a run.
    Finish(Record),
    /// Save an agent's index, then send the answers that waited for it.
    Save { agent: String, index: Index, answers: Vec<(Call, Value)> },
    /// The journal has grown: rewrite it with these records.
    Rewrite(Vec<Record>),
}

/// The sending end. Dropped, it lets the thread finish what is queued and end.
pub struct Store {
    jobs: Sender<Job>,
    thread: Option<JoinHandle<()>>,
}

impl Store {
    pub fn start(journal: Journal, state: Sender<Event>) -> Result<Store> {
        let (jobs, queue) = bounded(QUEUE);
        let thread = threads::spawn(
            "gw-store",
            STACK,
            move || run(journal, &queue, &state),
            |what| {
                log::error!(target: "gateway/store", "the store thread failed: {what}; restart the gateway");
            },
        )?;
        Ok(Store { jobs, thread: Some(thread) })
    }

    /// Hands a job over without waiting; gives it back when the disk is far behind.
    pub fn submit(&self, job: Job) -> std::result::Result<(), Box<Job>> {
        self.jobs.try_send(job).map_err(|e| Box::new(e.into_inner()))
    }

    /// Writes what is queued and ends. The caller is the state thread at its own end.
    pub fn finish(mut self) {
        drop(std::mem::replace(&mut self.jobs, bounded(0).0));
        if let Some(thread) = self.thread.take() {
            // A panic there was logged when it happened.
            let _ = thread.join();
        }
    }
}

/// The refusal of work that the disk cannot take now.
pub fn busy() -> Error {
    Error::unavailable("the disk is too slow to keep up; try again").retry_in(Duration::from_secs(2))
}

fn run(mut journal: Journal, queue: &Receiver<Job>, state: &Sender<Event>) {
    while let Ok(job) = queue.recv() {
        match job {
            Job::Accept(record) => {
                let result = journal.append(&record).map_err(retryable);
                // Without a state thread there is nobody left to tell.
                let _ = state.send(Event::Accepted { run: record.key, result });
            }
            Job::Finish(record) => log_failure(journal.append(&record)),
            Job::Rewrite(records) => {
                if journal.is_bulky() {
                    log_failure(journal.rewrite(records.iter()));
                }
            }
            Job::Save { agent, index, answers } => save(&agent, &index, answers, state),
        }
    }
}

fn save(agent: &str, index: &Index, answers: Vec<(Call, Value)>, state: &Sender<Event>) {
    let result = index.save().map_err(retryable);
    for (call, payload) in answers {
        call.answer(result.clone().map(|()| Payload::Value(payload)));
    }
    if let Err(error) = result {
        // The state thread is gone only at the very end, when it has logged the loss itself.
        let _ = state.send(Event::SaveFailed { agent: agent.to_string(), error });
    }
}

fn retryable(e: Error) -> Error {
    e.retry_in(Duration::from_secs(5))
}

fn log_failure(result: Result<()>) {
    if let Err(e) = result {
        log::error!(target: "gateway/store", "{e}; free some space, the gateway goes on meanwhile");
    }
}
