//! All jobs in memory: each as the text it has in the file, packed, with the little that is looked for in all of them, and the
//! moments at which they are due, in order. Owned by the state thread; reads and writes nothing.
use super::job::{self, Members};
use super::moments::{due_at_start, next};
use super::packed::Packed;
use super::schedule::{Schedule, Zones};
use super::shape;
use super::store::{Found, Snapshot};
use super::whole;
use crate::error::{Error, Result};
use crate::json;
use crate::parts::Parts;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::num::NonZeroU64;

/// More jobs than this are not taken in.
const MOST: usize = 20_000;
/// Values and depth of one job.
const MAX_VALUES: usize = 5000;

/// One job as it is kept. Its number is its place in the file.
pub struct Kept {
    pub text: Packed,
    /// Epoch milliseconds.
    due: Option<NonZeroU64>,
    /// Of its id, by which it is found: the id itself is in the text.
    mark: u32,
    pub is_enabled: bool,
    is_made: bool,
    /// Then its text is as it was found.
    wrong: Option<Box<Wrong>>,
}

/// A job that cannot run: what it is called and why not.
struct Wrong {
    id: String,
    why: String,
}

impl Kept {
    pub fn due(&self) -> Option<u64> {
        self.due.map(NonZeroU64::get)
    }

    pub fn wrong(&self) -> Option<&str> {
        self.wrong.as_ref().map(|wrong| &*wrong.why)
    }
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
            // What this program or the original wrote is not copied.
            let (members, found) = match value {
                Value::Object(members) if whole::is_whole(&members) => (members, None),
                value => {
                    let mut members =
                        super::legacy::normalise(value.as_object().cloned().unwrap_or_default());
                    shape::complete(&mut members, now);
                    (members, Some(value))
                }
            };
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
                    let found = found.unwrap_or(Value::Object(members));
                    let (text, mark) = (Packed::of(&found.to_string()), mark(&handle));
                    let wrong = Some(Box::new(Wrong { id: handle, why: e.message().to_string() }));
                    book.jobs.insert(
                        number,
                        Kept { text, due: None, mark, is_enabled: false, is_made: false, wrong },
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
        let (mut texts, mut rows) = (Vec::new(), Vec::with_capacity(self.jobs.len()));
        let none = Packed::of("");
        for (number, mut kept) in std::mem::take(&mut self.jobs) {
            let text = std::mem::replace(&mut kept.text, none.clone());
            texts.extend_from_slice(text.bytes());
            rows.push((number, text.bytes().len(), kept));
        }
        self.dues.clear();
        let mut rest = texts.as_slice();
        let kept = rows.into_iter().map(|(number, length, mut kept)| {
            kept.text = Packed::again(rest.head(length));
            rest = rest.tail(length);
            (number, kept)
        });
        // Made whole they have no places that are free.
        self.jobs = kept.collect();
        self.dues = self.jobs.iter().filter_map(|(number, kept)| Some((kept.due()?, *number))).collect();
    }

    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Jobs that cannot run, with the reasons; one without an id of its own is called by its place.
    pub fn wrong(&self) -> impl Iterator<Item = (&str, &str)> {
        self.jobs.values().filter_map(|kept| kept.wrong.as_deref()).map(|wrong| (&*wrong.id, &*wrong.why))
    }

    pub fn number(&self, id: &str) -> Option<u32> {
        let mark = mark(id);
        let is_it = |number: u32, kept: &Kept| match &kept.wrong {
            Some(wrong) => wrong.id == id,
            None => self.members(number).is_some_and(|job| job::text(&job, "id") == Some(id)),
        };
        self.jobs
            .iter()
            .find(|(number, kept)| kept.mark == mark && is_it(**number, kept))
            .map(|(number, _)| *number)
    }

    pub fn get(&self, number: u32) -> Option<&Kept> {
        self.jobs.get(&number)
    }

    pub fn members(&self, number: u32) -> Option<Members> {
        let kept = self.jobs.get(&number).filter(|kept| kept.wrong.is_none())?;
        json::read_object(&*kept.text.text(), MAX_VALUES, json::DEEPEST).ok()
    }

    /// What there is of a job that cannot run, for who mends it.
    pub fn broken(&self, number: u32) -> Option<Members> {
        let kept = self.jobs.get(&number)?;
        let id = kept.wrong.as_ref()?.id.as_str();
        let found = json::read_object(&*kept.text.text(), MAX_VALUES, json::DEEPEST).ok()?;
        let mut members = super::legacy::normalise(found);
        members.insert("id".into(), id.into());
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
        let (mark, is_made) = (mark(job::text(&job, "id").unwrap_or_default()), job::is_made(&job));
        // Texts and numbers can always be written.
        let text = Packed::of(&serde_json::to_string(&job).unwrap_or_default());
        let due = due.and_then(NonZeroU64::new);
        self.jobs.insert(number, Kept { text, due, mark, is_enabled, is_made, wrong: None });
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
            self.dues.extend(kept.due().map(|due| (due, number)));
            self.jobs.insert(number, kept);
        }
    }

    fn take_due(&mut self, number: u32) {
        if let Some(due) = self.jobs.get(&number).and_then(Kept::due) {
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

    /// All that are due, and when.
    pub fn dues(&self) -> Vec<(u64, u32)> {
        self.dues.iter().copied().collect()
    }

    /// The texts of the jobs in the order in which they are due, those that never are behind.
    pub fn sorted(&self, fits: impl Fn(&Kept) -> bool) -> Vec<&Kept> {
        let mut all: Vec<&Kept> =
            self.jobs.values().filter(|kept| kept.wrong.is_none() && fits(kept)).collect();
        all.sort_by_key(|kept| kept.due().unwrap_or(u64::MAX));
        all
    }

    /// How many jobs agents have made that are switched on, beside this one.
    pub fn made(&self, but: Option<&str>) -> usize {
        let but = but.and_then(|id| self.number(id));
        self.jobs.iter().filter(|(n, kept)| kept.is_made && kept.is_enabled && Some(**n) != but).count()
    }

    /// What the file is to hold.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            head: self.head.clone(),
            texts: self.jobs.values().map(|kept| kept.text.clone()).collect(),
        }
    }
}

/// Few have the same.
fn mark(id: &str) -> u32 {
    id.bytes().fold(0x811C_9DC5, |mark, byte| (mark ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// As many as `json::count` counts in its text.
fn values(value: &Value) -> usize {
    match value {
        Value::Array(all) => 1 + all.iter().map(values).sum::<usize>().max(1),
        Value::Object(all) => 1 + all.values().map(values).sum::<usize>().max(1),
        _ => 1,
    }
}

/// A job that holds more could not be read any more when it is due.
pub fn fits(job: &Members) -> Result<()> {
    match job.values().fold(1, |sum, value| sum + values(value)) > MAX_VALUES {
        true => Err(Error::invalid(format!("invalid cron job: it holds more than {MAX_VALUES} values"))),
        false => Ok(()),
    }
}
