//! The supervisor of all workers of a generation: starts those that the configuration asks for, stops the others, starts
//! one anew whose mark has changed, or that failed, after a pause that grows.
//!
//! Runs on the main thread, between waiting for the state thread's words: it has no thread and no timer of its own, and
//! never waits, but for the end of the workers at the end of a generation. A worker that does not end in time is left
//! behind with its stop flag set. A panic ends one worker; it is told to the state thread and counted as a failure.
use super::judge::Judge;
use super::workers::{Handle, House, Row};
use crate::cancel::{Cancel, Reason};
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::metrics::{self, Metric};
use crate::state::event::Event;
use crate::{clock, ids, threads};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A worker that has not ended by then is left behind.
const LET_GO: Duration = Duration::from_secs(2);
/// Pauses before a failed worker is started again. One that ran for longer than the pause that is due, and for this long
/// at least, begins anew; one that did its work while it ran has failed so often at most.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);
const STEADY: Duration = Duration::from_secs(30);
const AT_WORK: u32 = 2;

pub struct Supervisor {
    rows: &'static [Row],
    house: Arc<House>,
    workers: Vec<Worker>,
    /// Numbers the threads, so that a late word of one left behind is known as such.
    next: u64,
    end: Sender<(u64, Result<()>)>,
    pub ended: Receiver<(u64, Result<()>)>,
}

struct Worker {
    row: &'static Row,
    part: String,
    /// What it runs with, or ran.
    config: Config,
    failures: u32,
    now: Now,
}

enum Now {
    Runs {
        number: u64,
        since: Instant,
        _stop: Stop,
    },
    /// Told to end.
    Ends {
        number: u64,
        until: Instant,
    },
    Rests {
        until: Instant,
    },
    /// Has nothing to do any more, until its mark changes.
    Done,
}

/// Tells a worker to end when dropped.
struct Stop {
    cancel: Cancel,
    _wake: UnixStream,
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.cancel.cancel(Reason::Shutdown);
    }
}

impl Supervisor {
    /// Starts what the configuration in force asks for.
    pub fn start(rows: &'static [Row], house: House) -> Supervisor {
        let (end, ended) = bounded(16);
        let mut supervisor =
            Supervisor { rows, house: Arc::new(house), workers: Vec::new(), next: 0, end, ended };
        supervisor.compare();
        supervisor.turn();
        supervisor
    }

    /// Another configuration is in force: workers come, go, or are started anew. `turn` follows. Gives what is done, a
    /// line a worker.
    pub fn compare(&mut self) -> Vec<String> {
        let (house, mut done) = (self.house.clone(), Vec::new());
        let config = house.shared.config();
        for worker in &mut self.workers {
            let is_wanted = worker.is_wanted(&config, &house.judge);
            if is_wanted && !worker.is_changed(&config) {
                continue;
            }
            let what = match (&worker.now, is_wanted) {
                (Now::Runs { .. }, true) => Some("is started anew"),
                (Now::Runs { .. } | Now::Ends { .. }, false) => Some("is ended"),
                (Now::Done, true) => Some("is tried again"),
                (Now::Rests { .. }, true) if worker.failures > 0 => Some("is tried again"),
                (_, true) => Some("is started"),
                (_, false) => None,
            };
            done.extend(what.map(|what| format!("{} {what}", worker.name())));
            worker.end();
        }
        for row in self.rows {
            for part in (row.parts)(&config, &self.house.judge) {
                let is_it = |w: &Worker| std::ptr::eq(w.row, row) && w.part == part;
                if !self.workers.iter().any(is_it) {
                    let now = Now::Rests { until: Instant::now() };
                    let worker = Worker { row, part, config: config.clone(), failures: 0, now };
                    done.push(format!("{} is started", worker.name()));
                    self.workers.push(worker);
                }
            }
        }
        done
    }

    /// A thread has ended, as it was told to or not. `turn` follows.
    pub fn has_ended(&mut self, number: u64, result: Result<()>) {
        let Some(worker) = self.workers.iter_mut().find(|w| w.number() == Some(number)) else { return };
        match (&worker.now, result) {
            (Now::Runs { .. }, Ok(())) => worker.now = Now::Done,
            (Now::Runs { .. }, Err(e)) => worker.fail(&e, &self.house),
            _ => worker.now = Now::Rests { until: Instant::now() },
        }
    }

    /// Does what is due: gives up who does not end in time, starts who has rested long enough. Gives the moment at
    /// which it is to be called again.
    pub fn turn(&mut self) -> Option<Instant> {
        let (now, config) = (Instant::now(), self.house.shared.config());
        for worker in self.workers.iter_mut().filter(|w| w.due().is_some_and(|due| due <= now)) {
            if matches!(worker.now, Now::Ends { .. }) {
                log::warn!(target: "gateway", "the worker {} did not end in time and is left behind", worker.name());
                worker.now = Now::Rests { until: now };
            }
            if worker.is_wanted(&config, &self.house.judge) {
                self.next += 1;
                worker.begin(self.next, &config, &self.house, &self.end);
            }
        }
        let judge = &self.house.judge;
        self.workers.retain(|w| !matches!(w.now, Now::Rests { .. }) || w.is_wanted(&config, judge));
        self.workers.iter().filter_map(Worker::due).min()
    }

    /// At the end of the generation: tells all to end and waits for them, but not for a disk that does not answer.
    pub fn stop(mut self) {
        self.workers.iter_mut().for_each(Worker::end);
        let until = Instant::now() + LET_GO;
        while self.workers.iter().any(|w| w.number().is_some()) {
            let Ok((number, _)) = self.ended.recv_deadline(until) else { return };
            self.workers.retain(|w| w.number() != Some(number));
        }
    }
}

impl Worker {
    fn name(&self) -> String {
        match self.part.as_str() {
            "" => self.row.name.to_string(),
            part => format!("{} {}", self.row.name, crate::logging::quoted(part)),
        }
    }

    /// The number of its thread, while it has one.
    fn number(&self) -> Option<u64> {
        match self.now {
            Now::Runs { number, .. } | Now::Ends { number, .. } => Some(number),
            Now::Rests { .. } | Now::Done => None,
        }
    }

    fn due(&self) -> Option<Instant> {
        match self.now {
            Now::Ends { until, .. } | Now::Rests { until } => Some(until),
            Now::Runs { .. } | Now::Done => None,
        }
    }

    fn is_wanted(&self, config: &Config, judge: &Judge) -> bool {
        (self.row.parts)(config, judge).contains(&self.part)
    }

    /// Whether what it runs with, or ended with, is no longer so.
    fn is_changed(&self, config: &Config) -> bool {
        (self.row.mark)(&self.config, &self.part) != (self.row.mark)(config, &self.part)
    }

    /// Tells it to end; who has no thread may be started anew at once.
    fn end(&mut self) {
        self.failures = 0;
        let now = Instant::now();
        self.now = match self.now {
            Now::Runs { number, .. } => Now::Ends { number, until: now + LET_GO },
            Now::Ends { number, until } => Now::Ends { number, until },
            Now::Rests { .. } | Now::Done => Now::Rests { until: now },
        };
    }

    fn begin(&mut self, number: u64, config: &Config, house: &Arc<House>, end: &Sender<(u64, Result<()>)>) {
        self.config = config.clone();
        match self.spawn(number, house.clone(), end.clone()) {
            Ok(stop) => self.now = Now::Runs { number, since: Instant::now(), _stop: stop },
            Err(e) => self.fail(&e, house),
        }
    }

    fn spawn(&self, number: u64, house: Arc<House>, end: Sender<(u64, Result<()>)>) -> Result<Stop> {
        let (wake, stop) = UnixStream::pair().map_err(|e| Error::io("start a worker", e))?;
        let cancel = Cancel::new();
        let (config, part) = (self.config.clone(), self.part.clone());
        let handle = Handle { house, config, part, stop, cancel: cancel.clone() };
        let (work, died) = (self.row.start, end.clone());
        // Nobody listens any more when the generation has ended; then it does not matter how the worker did.
        let run = move || drop(end.send((number, work(handle))));
        let name = format!("gw-{}", self.row.name);
        threads::spawn(&name, self.row.stack, run, move |what| {
            let defect = Error::new(Kind::Unavailable, format!("it ended by a defect: {what}"));
            drop(died.send((number, Err(defect))));
        })?;
        Ok(Stop { cancel, _wake: wake })
    }

    /// Rests, the longer the more often it has failed.
    fn fail(&mut self, e: &Error, house: &House) {
        if let Now::Runs { since, .. } = self.now {
            let has_worked = (self.row.worked)(house, &self.part);
            self.failures = counted(self.failures, since.elapsed(), has_worked);
        }
        metrics::count(Metric::WorkersFailed);
        let pause = pause(self.failures, ids::random::<1>().map_or(128, |[chance]| chance));
        self.failures = self.failures.saturating_add(1);
        self.now = Now::Rests { until: Instant::now() + pause };
        (self.row.rests)(house, &self.part, clock::now_ms() + pause.as_millis() as u64);
        let what = format!("{e}; started again in {:.1} s", pause.as_secs_f64());
        // The state thread is gone only when this generation ends.
        let _ = house.shared.state.send(Event::WorkerFailed { name: self.name(), what });
    }
}

/// What of its failures still counts when a worker fails once more, after a life so long.
fn counted(failures: u32, ran: Duration, has_worked: bool) -> u32 {
    match ran > whole(failures).max(STEADY) {
        true => 0,
        false if has_worked => failures.min(AT_WORK),
        false => failures,
    }
}

fn whole(failures: u32) -> Duration {
    FIRST.saturating_mul(1 << failures.min(16)).min(LONGEST)
}

/// How long a worker rests that has failed so often before: twice as long each time, and a fifth more or less, so that
/// workers that fail together do not try together for ever.
fn pause(failures: u32, chance: u8) -> Duration {
    whole(failures).mul_f64(0.8 + f64::from(chance) / 255.0 * 0.4)
}

#[cfg(test)]
#[path = "supervisor_tests.rs"]
mod tests;
