//! The store thread: the one writer of session indexes and of the idempotency journal.
//!
//! It decides nothing; it writes what it is told, waits for the disk and then says so: answers that promise
//! something are sent from here, after the promise is on disk. A full disk is an error in those answers and a
//! line in the log; nothing is lost in memory and the next write tries again (R-28b).
use crate::calls::Call;
use crate::calls::outbox::Work;
use crate::error::{Error, Kind, Result};
use crate::sessions::{Index, Journal, Record, Spool};
use crate::state::event::Event;
use crate::threads;
use crossbeam_channel::{Receiver, Sender, bounded};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

const QUEUE: usize = 256;
const STACK: usize = 256 << 10;
/// How long the end of the process waits for the disk.
const LAST: Duration = Duration::from_secs(1);
const LAST_RESTART: Duration = Duration::from_secs(60);

pub enum Job {
    /// Journal the acceptance of a run, its pictures first; `Event::Accepted` follows.
    Accept { record: Record, images: Arc<Vec<Value>> },
    /// Journal the result of a run; its pictures are needed no more.
    Finish(Record),
    /// Save an agent's index, then do and answer what waited for it.
    Save { agent: String, index: Index, waiting: Vec<(Call, Work)> },
    /// Other work on the disk that must be done whether or not the client stays.
    Do { call: Call, work: Work },
    /// Work on files that nobody waits for.
    Upkeep(Box<dyn FnOnce() + Send>),
    /// The journal has grown: rewrite it with these records.
    Rewrite(Vec<Record>),
}

/// The sending end.
pub struct Store {
    /// Boxed, so that the empty queue is small: its memory is touched when it is made.
    jobs: Sender<Box<Job>>,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
}

impl Store {
    pub fn start(journal: Journal, spool: Spool, state: Sender<Event>) -> Result<Store> {
        let (jobs, queue) = bounded(QUEUE);
        let (end, ended) = bounded(0);
        let work = move || {
            run(journal, &spool, &queue, &state);
            drop(end);
        };
        threads::spawn("gw-store", STACK, work, |what| {
            log::error!(target: "gateway/store", "the store thread failed: {what}; restart the gateway");
        })?;
        Ok(Store { jobs, ended })
    }

    /// Hands a job over without waiting; gives it back when the disk is far behind.
    pub fn submit(&self, job: Job) -> std::result::Result<(), Box<Job>> {
        self.jobs.try_send(Box::new(job)).map_err(|e| e.into_inner())
    }

    /// Hands a job over at the end of the process, where waiting a little is right.
    pub fn submit_last(&self, job: Job) {
        if self.jobs.send_timeout(Box::new(job), LAST).is_err() {
            log::error!(target: "gateway/store", "the disk is too slow: the last changes of a session index are lost");
        }
    }

    /// Lets the thread write what is queued and end; waits for it, but not for a disk that hangs.
    /// A next generation must find the files at rest, so it waits longer.
    pub fn finish(self, is_restart: bool) {
        drop(self.jobs);
        let patience = if is_restart { LAST_RESTART } else { LAST };
        if self.ended.recv_timeout(patience) == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
            log::error!(target: "gateway/store", "the disk did not take everything in time");
        }
    }
}

/// The refusal of work that the disk cannot take now.
pub fn busy() -> Error {
    Error::unavailable("the disk is too slow to keep up; try again").retry_in(Duration::from_secs(2))
}

fn run(mut journal: Journal, spool: &Spool, queue: &Receiver<Box<Job>>, state: &Sender<Event>) {
    while let Ok(job) = queue.recv() {
        match *job {
            Job::Accept { record, images } => {
                let result = accept(&mut journal, spool, &record, &images).map_err(retryable);
                // Without a state thread there is nobody left to tell.
                let _ = state.send(Event::Accepted { run: record.key, result });
            }
            Job::Finish(record) => {
                spool.remove(&record.family, &record.key);
                log_failure(journal.append(&record));
                if journal.is_bulky() {
                    // Asked again at the next finish if it gets lost.
                    let _ = state.try_send(Event::JournalBulky);
                }
            }
            Job::Upkeep(work) => work(),
            Job::Rewrite(records) => log_failure(journal.rewrite(records.iter())),
            Job::Save { agent, index, waiting } => save(agent, &index, waiting, state),
            Job::Do { call, work } => call.answer(work().map_err(retryable_io)),
        }
    }
}

fn accept(journal: &mut Journal, spool: &Spool, record: &Record, images: &[Value]) -> Result<()> {
    if !images.is_empty() {
        spool.write(&record.family, &record.key, images)?;
    }
    journal.append(record)
}

fn save(agent: String, index: &Index, waiting: Vec<(Call, Work)>, state: &Sender<Event>) {
    let result = index.save().map_err(retryable);
    for (call, work) in waiting {
        call.answer(result.clone().and_then(|()| work()).map_err(retryable_io));
    }
    // The state thread is gone only at the very end, when nothing more is to be decided.
    let _ = state.send(Event::Saved { agent, result });
}

/// What the disk refused may work later; other failures are as they are.
fn retryable_io(e: Error) -> Error {
    if e.kind == Kind::Io { retryable(e) } else { e }
}

fn retryable(e: Error) -> Error {
    e.retry_in(Duration::from_secs(5))
}

fn log_failure(result: Result<()>) {
    if let Err(e) = result {
        log::error!(target: "gateway/store", "{e}; the gateway goes on meanwhile");
    }
}
