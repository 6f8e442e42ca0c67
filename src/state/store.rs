//! The store thread: the one writer of session indexes and of the journal. When the first index comes that
//! is large it starts `gw-save`, which saves indexes from then on, so that no run waits for that.
//!
//! It decides nothing; it writes what it is told, waits for the disk and then says so: answers that promise
//! something are sent from here, after the promise is on disk. A full disk is an error in those answers and a
//! line in the log; nothing is lost in memory and the next write tries again (R-28b).
use crate::calls::Call;
use crate::calls::outbox::Work;
use crate::clock;
use crate::deliveries::{Journal, Line, Record, Spool};
use crate::error::{Error, Kind, Result};
use crate::metrics::{self, Metric};
use crate::sessions::Snapshot;
use crate::state::carrying::Then;
use crate::state::event::Event;
use crate::state::sessions::LARGE;
use crate::state::sessions::looking::Looked;
use crate::threads;
use crossbeam_channel::{Receiver, Sender, bounded};
use serde_json::Value;
use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

const QUEUE: usize = 256;
const STACK: usize = 256 << 10;
/// Jobs for the journal that wait for the disk together.
const TOGETHER: usize = 64;
/// How long the end of the process waits for the disk.
const LAST: Duration = Duration::from_secs(1);
const LAST_RESTART: Duration = Duration::from_secs(60);

pub enum Job {
    /// Journal the acceptance of a run, its pictures first, and see what another program has written into its session's
    /// index; `Event::Accepted` follows.
    Accept { record: Record, images: Arc<Vec<Value>>, index: Option<Looked> },
    /// Journal the result of a run, and in one piece with it what follows from it; its pictures are needed no more.
    Finish { record: Record, lines: Vec<Line> },
    /// Save an agent's index, then do and answer what waited for it.
    Save(Save),
    /// Other work on the disk that must be done whether or not the client stays.
    Do { call: Call, work: Work },
    /// Work on files that nobody waits for.
    Upkeep(Box<dyn FnOnce() + Send>),
    /// Journal messages; `Event::Noted` follows.
    Note { lines: Vec<Line>, then: Then },
    /// Drop from the journal what is old.
    Compact,
}

pub struct Save {
    pub agent: String,
    pub index: Snapshot,
    pub waiting: Vec<(Call, Work)>,
}

/// The sending end.
pub struct Store {
    /// Boxed, so that the empty queue is small: its memory is touched when it is made.
    jobs: Sender<Box<Job>>,
    /// Disconnected when the threads have ended.
    ended: Receiver<()>,
}

impl Store {
    pub fn start(journal: Journal, spool: Spool, state: Sender<Event>) -> Result<Store> {
        let (jobs, queue) = bounded(QUEUE);
        let (end, ended) = bounded(0);
        let work = move || {
            run(journal, &spool, &queue, &Saver { state, end, thread: OnceCell::new() });
        };
        threads::spawn("gw-store", STACK, work, |what| {
            log::error!(target: "gateway/store", "the store thread failed: {what}; restart the gateway");
        })?;
        Ok(Store { jobs, ended })
    }

    /// Hands a job over without waiting; gives it back when the disk is far behind.
    pub fn submit(&self, job: Job) -> std::result::Result<(), Box<Job>> {
        // Before it is sent, so that the thread that takes it has the last word.
        metrics::set(Metric::StoreWaiting, self.jobs.len() + 1);
        self.jobs.try_send(Box::new(job)).map_err(|e| e.into_inner())
    }

    /// Hands a job over at the end of the process, where waiting a little is right.
    pub fn submit_last(&self, job: Job) {
        if self.jobs.send_timeout(Box::new(job), LAST).is_err() {
            log::error!(target: "gateway/store", "the disk is too slow: the last changes of a session index are lost");
        }
    }

    /// Whether no job fits in.
    pub fn is_full(&self) -> bool {
        self.jobs.is_full()
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

fn run(mut journal: Journal, spool: &Spool, queue: &Receiver<Box<Job>>, saver: &Saver) {
    let mut ahead = None;
    while let Some(job) = ahead.take().or_else(|| queue.recv().ok()) {
        metrics::set(Metric::StoreWaiting, queue.len());
        match *job {
            Job::Upkeep(work) => work(),
            Job::Compact => log_failure(journal.compact(clock::now_ms())),
            Job::Save(save) => saver.save(save),
            Job::Do { call, work } => call.answer(work().map_err(retryable_io)),
            job => {
                let notes;
                (notes, ahead) = gather(job, queue);
                metrics::set(Metric::StoreWaiting, queue.len());
                write_together(notes, &mut journal, spool, &saver.state);
                if journal.is_bulky() {
                    log_failure(journal.compact(clock::now_ms()));
                }
            }
        }
    }
}

/// The job for the journal and those that have come after it, so that they wait for the disk together; also the first
/// that is for something else.
fn gather(first: Job, queue: &Receiver<Box<Job>>) -> (Vec<Job>, Option<Box<Job>>) {
    let mut notes = vec![first];
    while notes.len() < TOGETHER {
        match queue.try_recv() {
            Ok(job) if matches!(*job, Job::Accept { .. } | Job::Finish { .. } | Job::Note { .. }) => {
                notes.push(*job)
            }
            Ok(job) => return (notes, Some(job)),
            Err(_) => break,
        }
    }
    (notes, None)
}

type Told = Box<dyn FnOnce(Result<()>)>;

fn write_together(jobs: Vec<Job>, journal: &mut Journal, spool: &Spool, state: &Sender<Event>) {
    let mut notes: Vec<(Vec<Line>, Told)> = Vec::new();
    for job in jobs {
        match job {
            Job::Accept { record, images, index } => {
                let (run, state) = (record.key.clone(), state.clone());
                let told = move |result: Result<()>| {
                    index.into_iter().for_each(|index| index.look(&state));
                    // Without a state thread there is nobody left to tell.
                    drop(state.send(Event::Accepted { run, result }));
                };
                let kept = match images.is_empty() {
                    true => Ok(()),
                    false => spool.write(&record.family, &record.key, &images),
                };
                match kept {
                    Ok(()) => notes.push((vec![Line::Run(record)], Box::new(told))),
                    Err(e) => told(Err(retryable(e))),
                }
            }
            Job::Finish { record, mut lines } => {
                spool.remove(&record.family, &record.key);
                lines.insert(0, Line::Run(record));
                notes.push((lines, Box::new(log_failure)));
            }
            Job::Note { lines, then } => {
                let state = state.clone();
                // As above.
                let told = move |result| drop(state.send(Event::Noted { result, then }));
                notes.push((lines, Box::new(told)));
            }
            _ => {}
        }
    }
    if notes.is_empty() {
        return;
    }
    let all = journal.append_all(notes.iter().flat_map(|(lines, _)| lines));
    let is_shared = notes.len() > 1;
    for (lines, told) in notes {
        // What is too much together may be little enough one by one.
        let own = if all.is_err() && is_shared { journal.append_all(lines.iter()) } else { all.clone() };
        told(own.map_err(retryable));
    }
}

/// Who saves indexes: this thread, until one is large.
struct Saver {
    state: Sender<Event>,
    end: Sender<()>,
    thread: OnceCell<Sender<Save>>,
}

impl Saver {
    fn save(&self, save: Save) {
        if self.thread.get().is_none() && save.index.bytes() >= LARGE {
            match self.start() {
                // It was empty: only this thread sets it.
                Ok(saves) => drop(self.thread.set(saves)),
                Err(e) => log::warn!(target: "gateway/store", "{e}; runs may wait for the index"),
            }
        }
        // In the order they came, so that what is saved last is the newest.
        match self.thread.get() {
            Some(thread) => drop(thread.send(save)),
            None => write(save, &self.state),
        }
    }

    fn start(&self) -> Result<Sender<Save>> {
        let (saves, queue) = bounded::<Save>(QUEUE);
        let (state, end) = (self.state.clone(), self.end.clone());
        let work = move || {
            queue.iter().for_each(|save| write(save, &state));
            drop(end);
        };
        threads::spawn("gw-save", STACK, work, |what| {
            log::error!(target: "gateway/store", "the thread that saves indexes failed: {what}; restart the gateway");
        })?;
        Ok(saves)
    }
}

fn write(Save { agent, index, waiting }: Save, state: &Sender<Event>) {
    let result = index.save().map_err(retryable);
    // Before anything waits for the state thread, which may change entries meanwhile.
    drop(index);
    for (call, work) in waiting {
        let saved = result.as_ref().map(drop).map_err(Error::clone);
        call.answer(saved.and_then(|()| work()).map_err(retryable_io));
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

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
