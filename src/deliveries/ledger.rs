//! The messages of the journal in memory: which came in already, and how far those have come that go out.
//!
//! The state thread owns it. It decides what is to be written; who asked is told when the store thread has written it.
//! After a stop nothing is guessed: what was promised and not begun is sent, what was begun and not confirmed is told as
//! uncertain, what was confirmed is never sent again.
use super::dedupe::MAX_KEYS;
use super::line::{Delivery, Inbound, Line, Login, Name, Stage, Step};
use crate::error::{Error, Result};
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

#[derive(Debug, Default)]
pub struct Ledger {
    /// `Inbound` and `Delivery` ones; boxed, as a table has room for twice as many as are in it.
    lines: HashMap<Name, Box<Line>>,
    /// The deliveries that are to be handed over or are in somebody's hands, in the order of their promises.
    going: VecDeque<Name>,
    /// What is on its way to the disk.
    writing: HashSet<Name>,
}

/// What a message is that somebody brings.
#[derive(Debug, PartialEq)]
pub enum Taken {
    /// To be written; to be acknowledged when that is done.
    New(Box<Line>),
    /// It is being written: not to be acknowledged yet.
    Writing,
    /// To be acknowledged, and nothing more.
    Known,
}

impl Taken {
    /// What is to be written, if it is new. What is being written is not known yet.
    pub fn fresh(self) -> Result<Option<Line>> {
        match self {
            Taken::New(line) => Ok(Some(*line)),
            Taken::Known => Ok(None),
            Taken::Writing => {
                Err(Error::unavailable("it is being written; ask again").retry_in(Duration::from_secs(1)))
            }
        }
    }
}

impl Ledger {
    /// As the journal has it at a start; also the lines that say what the stop left uncertain.
    pub fn resume(inbound: Vec<Inbound>, deliveries: Vec<Delivery>) -> (Ledger, Vec<Line>) {
        let mut changed = Vec::new();
        let deliveries = deliveries.into_iter().map(|mut delivery| {
            if delivery.stage == Stage::Handed {
                delivery.stage = Stage::Uncertain;
                changed.push(Line::Delivery(delivery.clone()));
            }
            Line::Delivery(delivery)
        });
        let lines = inbound.into_iter().map(Line::Inbound).chain(deliveries);
        let lines = lines.map(|line| (line.name(), Box::new(line))).collect();
        let mut ledger = Ledger { lines, ..Ledger::default() };
        ledger.going = ledger.deliveries(Stage::Accepted).iter().map(|delivery| delivery.name()).collect();
        (ledger, changed)
    }

    /// Takes in what came from a platform, or is to go to one.
    pub fn take(&mut self, line: Line) -> Result<Taken> {
        let name = line.name();
        if self.lines.contains_key(&name) {
            return Ok(if self.writing.contains(&name) { Taken::Writing } else { Taken::Known });
        }
        self.shrink();
        if self.lines.len() >= 2 * MAX_KEYS {
            let text = "too many messages wait to be answered or delivered";
            return Err(Error::unavailable(text).retry_in(Duration::from_secs(30)));
        }
        self.writing.insert(name.clone());
        if matches!(line, Line::Delivery(_)) {
            self.going.push_back(name.clone());
        }
        let line = Box::new(line);
        self.lines.insert(name, line.clone());
        Ok(Taken::New(line))
    }

    pub fn is_writing(&self, name: &Name) -> bool {
        self.writing.contains(name)
    }

    /// What `take` gave out is on disk, or could not be written: then it was never here.
    pub fn written(&mut self, name: &Name, is_written: bool) {
        self.writing.remove(name);
        if !is_written {
            self.lines.remove(name);
            self.going.retain(|going| going != name);
        }
    }

    /// A message has become a run or an answer, or was passed over. Written after what it became, so that a stop in between
    /// repeats it and loses nothing. `None` when that is known.
    pub fn handled(&mut self, name: &Name) -> Option<Line> {
        match self.lines.get_mut(name)?.as_mut() {
            Line::Inbound(inbound) => inbound.message.take().map(drop)?,
            _ => return None,
        }
        self.line(name).cloned()
    }

    /// A delivery has come further, or back to where nothing has left this machine, which only who had it in his hands can
    /// know. `None` when it is unknown or has come that far already: what is over stays so.
    pub fn go(&mut self, name: &Name, step: Step) -> Option<Line> {
        let stage = step.stage;
        let Line::Delivery(delivery) = self.lines.get_mut(name)?.as_mut() else { return None };
        let is_back = (delivery.stage, stage) == (Stage::Handed, Stage::Accepted);
        let is_told = (delivery.stage, stage) == (Stage::Uncertain, Stage::Uncertain)
            && step.rest.is_some()
            && step.rest != delivery.message;
        if delivery.is_over() || (delivery.stage >= stage && !is_back && !is_told) {
            return None;
        }
        if stage > Stage::Handed {
            self.going.retain(|going| going != name);
        }
        delivery.stage = stage;
        (delivery.platform_id, delivery.moved_to) = (step.platform_id, step.moved_to);
        delivery.error = step.error;
        delivery.message = step.rest.or(delivery.message.take());
        if delivery.is_over() {
            delivery.message = None;
        }
        Some(Line::Delivery(delivery.clone()))
    }

    /// The same when there is nothing to tell but how far.
    pub fn advance(&mut self, name: &Name, stage: Stage) -> Option<Line> {
        self.go(name, Step { stage, ..Step::default() })
    }

    /// The next delivery to hand over for this login: the oldest to a peer for whom none is in somebody's hands, and who is
    /// not among `held`.
    pub fn next(&self, login: &Login, held: &[String]) -> Option<Delivery> {
        let mut busy: HashSet<&String> = held.iter().collect();
        let going = self.going.iter().filter(|name| !self.writing.contains(*name));
        let mut deliveries = going.filter_map(|name| match self.line(name) {
            Some(Line::Delivery(delivery)) => Some(delivery),
            _ => None,
        });
        // The first to each peer decides.
        let next = deliveries.find(|d| d.is_of(login) && busy.insert(&d.to) && d.stage == Stage::Accepted);
        next.cloned()
    }

    /// Whether anything is to be handed over or in somebody's hands.
    pub fn is_going(&self) -> bool {
        !self.going.is_empty()
    }

    /// Those, in the order of their promises.
    pub fn going(&self) -> impl Iterator<Item = &Delivery> {
        self.going.iter().filter_map(|name| match self.line(name) {
            Some(Line::Delivery(delivery)) => Some(delivery),
            _ => None,
        })
    }

    /// Whether a delivery is in somebody's hands.
    pub fn is_handing(&self) -> bool {
        self.going().any(|delivery| delivery.stage == Stage::Handed)
    }

    /// Who had deliveries of this login in his hands is gone: they are uncertain.
    pub fn abandon(&mut self, login: &Login) -> Vec<Line> {
        let handed = self.deliveries(Stage::Handed).into_iter().filter(|d| d.is_of(login));
        let handed: Vec<Name> = handed.map(Delivery::name).collect();
        let error =
            || Some("its account, or the program that had it, ended after it was handed over".to_string());
        let step = || Step { stage: Stage::Uncertain, error: error(), ..Step::default() };
        handed.iter().filter_map(|name| self.go(name, step())).collect()
    }

    pub fn line(&self, name: &Name) -> Option<&Line> {
        self.lines.get(name).map(Box::as_ref)
    }

    /// The messages that came and were not handled yet, oldest first.
    pub fn unhandled(&self) -> Vec<&Inbound> {
        let open = self.lines.values().filter_map(|line| match line.as_ref() {
            Line::Inbound(inbound) if line.is_open() => Some(inbound),
            _ => None,
        });
        let mut open: Vec<&Inbound> = open.collect();
        crate::order::by(&mut open, |a, b| (a.ts, &a.id).cmp(&(b.ts, &b.id)));
        open
    }

    /// The deliveries that have come as far as `stage`, oldest first: `Accepted` ones are to be sent, `Uncertain` ones may
    /// have arrived.
    pub fn deliveries(&self, stage: Stage) -> Vec<&Delivery> {
        let found = self.lines.values().filter_map(|line| match line.as_ref() {
            Line::Delivery(delivery) if delivery.stage == stage => Some(delivery),
            _ => None,
        });
        let mut found: Vec<&Delivery> = found.collect();
        crate::order::by(&mut found, |a, b| (a.ts, &a.id).cmp(&(b.ts, &b.id)));
        found
    }

    /// The deliveries whose id begins so.
    pub fn named<'a>(&'a self, begin: &'a str) -> impl Iterator<Item = &'a Delivery> + 'a {
        self.lines.values().filter_map(move |line| match line.as_ref() {
            Line::Delivery(delivery) if delivery.id.starts_with(begin) => Some(delivery),
            _ => None,
        })
    }

    /// How many have come as far as `stage`.
    pub fn count(&self, stage: Stage) -> usize {
        let is_there = |line: &Line| matches!(line, Line::Delivery(delivery) if delivery.stage == stage);
        self.lines.values().filter(|line| is_there(line)).count()
    }

    /// Since when the oldest waits that is to be sent.
    pub fn oldest(&self) -> Option<u64> {
        self.going().filter(|delivery| delivery.stage == Stage::Accepted).map(|delivery| delivery.ts).min()
    }

    /// What is open, in words for the log; `None` when nothing is.
    pub fn told(&self) -> Option<String> {
        let waiting = self.unhandled().len();
        let [unsent, uncertain] = [Stage::Accepted, Stage::Uncertain].map(|stage| self.count(stage));
        (waiting + unsent + uncertain > 0).then(|| {
            format!("from before the start: {waiting} messages to answer, {unsent} to deliver, {uncertain} that may have arrived")
        })
    }

    /// Forgets what is old enough. Cheap when nothing is known.
    pub fn expire(&mut self, now: u64) {
        self.lines.retain(|_, line| !line.is_expired(now));
        self.going.retain(|name| self.lines.contains_key(name));
    }

    /// When too many are known, the oldest are forgotten of which nothing is to be done: some at once, for they are looked
    /// for among all, and not many, so that memory stays even.
    fn shrink(&mut self) {
        if self.lines.len() < 2 * MAX_KEYS {
            return;
        }
        let over = self.lines.iter().filter(|(_, line)| !line.is_open());
        let mut over: Vec<(u64, Name)> = over.map(|(name, line)| (line.ts(), name.clone())).collect();
        crate::order::sort(&mut over);
        for (_, name) in over.into_iter().take(MAX_KEYS / 10) {
            self.lines.remove(&name);
        }
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
