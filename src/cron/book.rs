//! All jobs in memory: each as the text it has in the file, with the little that is looked for in all of them, and the
//! moments at which they are due, in order. Owned by the state thread; reads and writes nothing.
use super::job::{self, Members};
use super::schedule::{Schedule, Zones};
use super::shape;
use super::store::{Found, Snapshot};
use crate::error::{Error, Result};
use crate::json;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// More jobs than this are not taken in.
const MOST: usize = 20_000;
/// Values and depth of one job.
const MAX_VALUES: usize = 5000;
/// Pauses after the first, second, ... failure in a row, milliseconds.
const BACKOFF: [u64; 5] = [30_000, 60_000, 300_000, 900_000, 3_600_000];

/// One job as it is kept. Its number is its place in the file.
pub struct Kept {
    pub id: Box<str>,
    pub text: Arc<str>,
    pub due: Option<u64>,
    pub is_enabled: bool,
    /// Why it cannot run; then its text is as it was found.
    pub wrong: Option<Box<str>>,
}

#[derive(Default)]
pub struct Book {
    jobs: BTreeMap<u32, Kept>,
    dues: BTreeSet<(u64, u32)>,
    /// The other members of the file.
    head: Map<String, Value>,
    /// Why the file could not be read; then it is not written.
    pub broken: Option<String>,
}

impl Book {
    /// The jobs of a file, and those that an earlier process left in the middle of a run. Reads the time zones.
    pub fn load(found: Result<Found>, now: u64) -> (Book, Vec<u32>) {
        let mut book = Book::default();
        let found = match found {
            Ok(found) => found,
            Err(e) => {
                book.broken = Some(e.message().to_string());
                return (book, Vec::new());
            }
        };
        book.head = found.head;
        let mut interrupted = Vec::new();
        let mut ids = HashSet::new();
        for value in found.jobs {
            let number = book.jobs.len() as u32;
            let mut members = super::legacy::normalise(value.as_object().cloned().unwrap_or_default());
            shape::complete(&mut members, now);
            let id = job::text(&members, "id").unwrap_or_default();
            let is_named = !id.is_empty() && ids.insert(id.to_string());
            let handle = if is_named { id.to_string() } else { format!("entry-{}", number + 1) };
            let judged = match is_named {
                true => shape::judge(&members, &Zones::Read)
                    .and_then(|schedule| fits(&members).map(|()| schedule)),
                false => Err(Error::invalid("invalid cron job: id is missing or another job's")),
            };
            match judged {
                Ok(schedule) => {
                    if job::state(&members, "runningAtMs").is_some_and(|at| at > 0) {
                        interrupted.push(number);
                    }
                    let due = due_at_start(&members, &schedule, now);
                    book.put(number, members, due);
                }
                Err(e) => {
                    // It may be mended, by who cannot wait for its zone then.
                    let _ = members
                        .get("schedule")
                        .and_then(Value::as_object)
                        .map(|it| Schedule::of(it, &Zones::Read));
                    let (id, wrong) = (handle.into(), Some(e.message().into()));
                    book.jobs.insert(
                        number,
                        Kept { id, text: value.to_string().into(), due: None, is_enabled: false, wrong },
                    );
                }
            }
        }
        drop(ids);
        book.settle();
        (book, interrupted)
    }

    /// Lays everything anew, side by side: what was made while a file was read stands between what was freed since, and
    /// holds on to eight times the memory.
    fn settle(&mut self) {
        let (mut texts, mut rows) = (String::new(), Vec::with_capacity(self.jobs.len()));
        for (number, kept) in std::mem::take(&mut self.jobs) {
            texts += &kept.id;
            texts += &kept.text;
            rows.push((number, kept.id.len(), kept.text.len(), kept.due, kept.is_enabled, kept.wrong));
        }
        self.dues.clear();
        let mut rest = texts.as_str();
        for (number, id, text, due, is_enabled, wrong) in rows {
            let (of_id, behind) = rest.split_at(id);
            let (of_text, behind) = behind.split_at(text);
            rest = behind;
            self.dues.extend(due.map(|due| (due, number)));
            self.jobs.insert(number, Kept { id: of_id.into(), text: of_text.into(), due, is_enabled, wrong });
        }
    }

    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Jobs that cannot run, with the reasons; one without an id of its own is called by its place.
    pub fn wrong(&self) -> impl Iterator<Item = (&str, &str)> {
        self.jobs.values().filter_map(|kept| Some((&*kept.id, kept.wrong.as_deref()?)))
    }

    pub fn number(&self, id: &str) -> Option<u32> {
        self.jobs.iter().find(|(_, kept)| *kept.id == *id).map(|(number, _)| *number)
    }

    pub fn get(&self, number: u32) -> Option<&Kept> {
        self.jobs.get(&number)
    }

    pub fn members(&self, number: u32) -> Option<Members> {
        let kept = self.jobs.get(&number).filter(|kept| kept.wrong.is_none())?;
        json::read_object(&*kept.text, MAX_VALUES, json::DEEPEST).ok()
    }

    /// What there is of a job that cannot run, for who mends it.
    pub fn broken(&self, number: u32) -> Option<Members> {
        let kept = self.jobs.get(&number).filter(|kept| kept.wrong.is_some())?;
        let found = json::read_object(&*kept.text, MAX_VALUES, json::DEEPEST).ok()?;
        let mut members = super::legacy::normalise(found);
        members.insert("id".into(), (*kept.id).into());
        Some(members)
    }

    /// Takes a new job in; gives its number.
    pub fn add(&mut self, job: Members, now: u64) -> Result<u32> {
        if self.jobs.len() >= MOST {
            return Err(Error::invalid(format!("there are {MOST} jobs already; remove some")));
        }
        fits(&job)?;
        let number = self.jobs.last_key_value().map_or(0, |(last, _)| last + 1);
        let due = next(&job, now);
        self.put(number, job, due);
        Ok(number)
    }

    /// Puts a job in its place, due at this moment.
    pub fn put(&mut self, number: u32, mut job: Members, due: Option<u64>) {
        self.take_due(number);
        let is_enabled = job::is_enabled(&job);
        let due = due.filter(|_| is_enabled);
        job::change_state(&mut job, |state| match due {
            Some(due) => drop(state.insert("nextRunAtMs".into(), due.into())),
            None => drop(state.remove("nextRunAtMs")),
        });
        if let Some(due) = due {
            self.dues.insert((due, number));
        }
        let id = job::text(&job, "id").unwrap_or_default().into();
        let text = Value::Object(job).to_string().into();
        self.jobs.insert(number, Kept { id, text, due, is_enabled, wrong: None });
    }

    pub fn remove(&mut self, number: u32) -> Option<Kept> {
        self.take_due(number);
        self.jobs.remove(&number)
    }

    /// As it was before, wherever it is now.
    pub fn restore(&mut self, id: &str, kept: Option<Kept>) {
        let next = || self.jobs.last_key_value().map_or(0, |(last, _)| last + 1);
        let number = self.number(id).unwrap_or_else(next);
        self.remove(number);
        if let Some(kept) = kept {
            self.dues.extend(kept.due.map(|due| (due, number)));
            self.jobs.insert(number, kept);
        }
    }

    fn take_due(&mut self, number: u32) {
        if let Some(due) = self.jobs.get(&number).and_then(|kept| kept.due) {
            self.dues.remove(&(due, number));
        }
    }

    /// The job is under way: it is not due meanwhile.
    pub fn hold(&mut self, number: u32) {
        self.take_due(number);
        if let Some(kept) = self.jobs.get_mut(&number) {
            kept.due = None;
        }
    }

    /// The job that is due first, and when.
    pub fn first(&self) -> Option<(u64, u32)> {
        self.dues.first().copied()
    }

    /// The texts of the jobs in the order in which they are due, those that never are behind.
    pub fn sorted(&self, fits: impl Fn(&Kept) -> bool) -> Vec<&Kept> {
        let mut all: Vec<&Kept> =
            self.jobs.values().filter(|kept| kept.wrong.is_none() && fits(kept)).collect();
        all.sort_by_key(|kept| kept.due.unwrap_or(u64::MAX));
        all
    }

    /// What the file is to hold.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            head: self.head.clone(),
            texts: self.jobs.values().map(|kept| kept.text.clone()).collect(),
        }
    }
}

/// A job that holds more could not be read any more when it is due.
pub fn fits(job: &Members) -> Result<()> {
    match json::count(&Value::Object(job.clone()).to_string()) > MAX_VALUES {
        true => Err(Error::invalid(format!("invalid cron job: it holds more than {MAX_VALUES} values"))),
        false => Ok(()),
    }
}

/// The next moment of a job, epoch milliseconds. What is done once and has been done has none.
pub fn next(job: &Members, now: u64) -> Option<u64> {
    let schedule = job.get("schedule")?.as_object()?;
    let schedule = Schedule::of(schedule, &Zones::Known).ok()?;
    match schedule {
        Schedule::At(at) if job::state(job, "lastRunAtMs").is_some_and(|last| last >= at) => None,
        // An expression that is one past moment never comes; a job for one moment that was missed does.
        Schedule::At(at) if !job::is_once(job) => Some(at).filter(|at| *at > now),
        schedule => schedule.next(now),
    }
}

/// The same after a failure: not before a pause that grows with each.
pub fn next_after_failure(job: &Members, failures: u64, now: u64) -> Option<u64> {
    let step = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX).min(BACKOFF.len() - 1);
    let pause = BACKOFF.get(step).copied().unwrap_or_default();
    next(job, now).map(|next| next.max(now + pause))
}

/// What was missed while nothing ran is due now, once.
fn due_at_start(job: &Members, schedule: &Schedule, now: u64) -> Option<u64> {
    if matches!(schedule, Schedule::At(_)) {
        return next(job, now);
    }
    let planned = job::state(job, "nextRunAtMs").filter(|at| *at > 0);
    let waits = job::state(job, "consecutiveErrors").is_some_and(|failures| failures > 0);
    match planned {
        Some(planned) if planned <= now || waits => Some(planned),
        _ => schedule.next(now),
    }
}
