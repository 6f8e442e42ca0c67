//! The store thread: the one writer of session indexes and of the idempotency journal. When the first index comes that
//! is large it starts `gw-save`, which saves indexes from then on, so that no run waits for that.
//!
//! It decides nothing; it writes what it is told, waits for the disk and then says so: answers that promise
//! something are sent from here, after the promise is on disk. A full disk is an error in those answers and a
//! line in the log; nothing is lost in memory and the next write tries again (R-28b).
use crate::calls::Call;
use crate::calls::outbox::Work;
use crate::error::{Error, Kind, Result};
use crate::sessions::{Journal, Record, Snapshot, Spool};
use crate::state::event::Event;
use crate::state::sessions::LARGE;
use crate::threads;
use crossbeam_channel::{Receiver, Sender, bounded};
use serde_json::Value;
use std::cell::OnceCell;
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
    Save(Save),
    /// Other work on the disk that must be done whether or not the client stays.
    Do { call: Call, work: Work },
    /// Work on files that nobody waits for.
    Upkeep(Box<dyn FnOnce() + Send>),
    /// The journal has grown: rewrite it with these records.
    Rewrite(Vec<Record>),
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
        self.jobs.try_send(Box::new(job)).map_err(|e| e.into_inner())
    }

    /// Hands a job over at the end of the process, where waiting a little is right.
    pub fn submit_last(&self, job: Job) {
        if self.jobs.send_timeout(Box::new(job), LAST).is_err() {
            log::error!(target: "gateway/store", "the disk is too slow: the last changes of a session index are lost");
        }
    }

    /// Jobs that wait for the disk.
    pub fn waiting(&self) -> usize {
        self.jobs.len()
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
    let state = &saver.state;
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
            Job::Save(save) => saver.save(save),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::Reply;
    use crate::sessions::{Entry, Index, TestDir};

    #[test]
    fn a_run_is_accepted_while_a_large_index_is_saved() {
        let dir = TestDir::new();
        let (journal, _) = Journal::open(&dir.0.join("journal"), 0).unwrap();
        let (state, events) = bounded(9);
        let store = Store::start(journal, Spool::of(&dir.0), state).unwrap();
        let mut index = Index::empty(&dir.0.join("sessions.json"));
        let mut entry = Entry::new("id", 1);
        entry.set("x", "y".repeat(LARGE));
        index.put("agent:main:main", &entry);
        // What hangs here stands for a disk that takes its time.
        let (go, held) = bounded::<()>(0);
        let work = move || {
            held.recv().unwrap();
            Ok(crate::json::json!({}).into())
        };
        let call = Call {
            caller: Arc::default(),
            id: String::new(),
            method: "",
            reply: Reply::Thread(bounded(1).0),
        };
        let waiting: Vec<(Call, Work)> = vec![(call, Box::new(work))];
        let save = Save { agent: "main".into(), index: index.snapshot(), waiting };
        assert!(store.submit(Job::Save(save)).is_ok());
        let record = Record { family: "chat".into(), key: "k".into(), ..Record::default() };
        assert!(store.submit(Job::Accept { record, images: Arc::default() }).is_ok());
        let first = events.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(matches!(first, Event::Accepted { result: Ok(()), .. }));
        go.send(()).unwrap();
        // Its end waits for the save too.
        store.finish(true);
        assert!(matches!(events.try_recv(), Ok(Event::Saved { result: Ok(()), .. })));
        assert!(dir.0.join("sessions.json").is_file());
    }
}
