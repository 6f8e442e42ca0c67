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
use crate::sessions::Snapshot;
use crate::state::carrying::Then;
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
/// Jobs for the journal that wait for the disk together.
const TOGETHER: usize = 64;
/// How long the end of the process waits for the disk.
const LAST: Duration = Duration::from_secs(1);
const LAST_RESTART: Duration = Duration::from_secs(60);

pub enum Job {
    /// Journal the acceptance of a run, its pictures first; `Event::Accepted` follows.
    Accept { record: Record, images: Arc<Vec<Value>> },
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
    let mut ahead = None;
    while let Some(job) = ahead.take().or_else(|| queue.recv().ok()) {
        match *job {
            Job::Upkeep(work) => work(),
            Job::Compact => log_failure(journal.compact(clock::now_ms())),
            Job::Save(save) => saver.save(save),
            Job::Do { call, work } => call.answer(work().map_err(retryable_io)),
            job => {
                let notes;
                (notes, ahead) = gather(job, queue);
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
            Job::Accept { record, images } => {
                let (run, state) = (record.key.clone(), state.clone());
                // Without a state thread there is nobody left to tell.
                let told = move |result: Result<()>| drop(state.send(Event::Accepted { run, result }));
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
        call.answer(result.clone().and_then(|_| work()).map_err(retryable_io));
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
    use crate::deliveries::Inbound;
    use crate::sessions::{Entry, Index, TestDir};
    use serde_json::json;

    fn accept(key: &str) -> Box<Job> {
        let record = Record { family: "chat".into(), key: key.into(), ts: 1, ..Record::default() };
        Box::new(Job::Accept { record, images: Arc::default() })
    }

    #[test]
    fn what_comes_while_the_disk_works_waits_for_it_together() {
        let (jobs, queue) = bounded(QUEUE);
        (0..TOGETHER + 3).for_each(|n| jobs.try_send(accept(&n.to_string())).unwrap());
        jobs.try_send(Box::new(Job::Compact)).unwrap();
        let (mut first, ahead) = gather(*queue.recv().unwrap(), &queue);
        assert!(first.len() == TOGETHER && ahead.is_none());
        let lines = vec![Line::Inbound(Inbound { id: "7".into(), ts: 1, ..Inbound::default() })];
        first.push(Job::Note { lines, then: Box::new(|_, _| ()) });
        let (second, ahead) = gather(*queue.recv().unwrap(), &queue);
        assert!(second.len() == 3 && matches!(ahead.as_deref(), Some(Job::Compact)));
        let dir = TestDir::new();
        let (mut journal, _) = Journal::open(&dir.0, 0).unwrap();
        let (state, events) = bounded(QUEUE);
        write_together(first, &mut journal, &Spool::of(&dir.0), &state);
        let (noted, accepted): (Vec<Event>, Vec<Event>) =
            events.try_iter().partition(|event| matches!(event, Event::Noted { result: Ok(()), .. }));
        assert_eq!((noted.len(), accepted.len()), (1, TOGETHER));
        let (_, found) = Journal::open(&dir.0, 2).unwrap();
        assert_eq!((found.runs.len(), found.inbound.len()), (TOGETHER, 1));
    }

    #[test]
    fn r_28b_one_that_cannot_be_kept_fails_alone() {
        let dir = TestDir::new();
        // Pictures cannot be kept: a file stands where their directory would be.
        let (mut journal, _) = Journal::open(&dir.0, 0).unwrap();
        std::fs::write(dir.0.join("gateway/attachments"), "").unwrap();
        let (state, events) = bounded(QUEUE);
        let record = Record { family: "chat".into(), key: "pictures".into(), ts: 1, ..Record::default() };
        let images = Arc::new(vec![json!({})]);
        let jobs = vec![*accept("a"), Job::Accept { record, images }, *accept("b")];
        write_together(jobs, &mut journal, &Spool::of(&dir.0), &state);
        let mut told: Vec<(String, bool)> = events
            .try_iter()
            .map(|event| match event {
                Event::Accepted { run, result } => (run, result.is_ok()),
                _ => panic!("nothing else is told"),
            })
            .collect();
        told.sort();
        let want =
            [("a", true), ("b", true), ("pictures", false)].map(|(run, is_ok)| (run.to_string(), is_ok));
        assert_eq!(told, want);
    }

    #[test]
    fn a_run_is_accepted_while_a_large_index_is_saved() {
        let dir = TestDir::new();
        let (journal, _) = Journal::open(&dir.0, 0).unwrap();
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
        assert!(matches!(events.try_recv(), Ok(Event::Saved { result: Ok(_), .. })));
        assert!(dir.0.join("sessions.json").is_file());
    }
}
