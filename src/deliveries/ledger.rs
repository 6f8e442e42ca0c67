//! The messages of the journal in memory: which came in already, and how far those have come that go out.
//!
//! The state thread owns it. It decides what is to be written; who asked is told when the store thread has written it.
//! After a stop nothing is guessed: what was promised and not begun is sent, what was begun and not confirmed is told as
//! uncertain, what was confirmed is never sent again.
use super::dedupe::MAX_KEYS;
use super::line::{Delivery, Inbound, Line, Login, Name, Stage};
use crate::error::{Error, Result};
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

#[derive(Debug, Default)]
pub struct Ledger {
    /// `Inbound` and `Delivery` ones.
    lines: HashMap<Name, Line>,
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
        let lines = lines.map(|line| (line.name(), line)).collect();
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
        self.lines.insert(name, line.clone());
        Ok(Taken::New(Box::new(line)))
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
        match self.lines.get_mut(name)? {
            Line::Inbound(inbound) => inbound.message.take().map(drop)?,
            _ => return None,
        }
        self.lines.get(name).cloned()
    }

    /// A delivery has come further, or back to where nothing has left this machine, which only who had it in his hands can
    /// know. `None` when it is unknown or has come that far already: what is over stays so.
    pub fn advance(&mut self, name: &Name, stage: Stage, platform_id: Option<&str>) -> Option<Line> {
        let Line::Delivery(delivery) = self.lines.get_mut(name)? else { return None };
        let is_back = (delivery.stage, stage) == (Stage::Handed, Stage::Accepted);
        if delivery.is_over() || (delivery.stage >= stage && !is_back) {
            return None;
        }
        if stage > Stage::Handed {
            self.going.retain(|going| going != name);
        }
        delivery.stage = stage;
        delivery.platform_id = platform_id.map(str::to_string);
        if delivery.is_over() {
            delivery.message = None;
        }
        Some(Line::Delivery(delivery.clone()))
    }

    /// The next delivery to hand over for this login: the oldest to a peer for whom none is in somebody's hands.
    pub fn next(&self, login: &Login) -> Option<Delivery> {
        let mut busy = HashSet::new();
        let going = self.going.iter().filter(|name| !self.writing.contains(*name));
        let mut deliveries = going.filter_map(|name| match self.lines.get(name) {
            Some(Line::Delivery(delivery)) => Some(delivery),
            _ => None,
        });
        // The first to each peer decides.
        let next = deliveries.find(|d| d.is_of(login) && busy.insert(&d.to) && d.stage == Stage::Accepted);
        next.cloned()
    }

    /// Whether a delivery is in somebody's hands.
    pub fn is_handing(&self) -> bool {
        let lines = self.going.iter().filter_map(|name| self.lines.get(name));
        lines.into_iter().any(|line| matches!(line, Line::Delivery(d) if d.stage == Stage::Handed))
    }

    /// Who had deliveries of this login in his hands is gone: they are uncertain.
    pub fn abandon(&mut self, login: &Login) -> Vec<Line> {
        let handed = self.deliveries(Stage::Handed).into_iter().filter(|d| d.is_of(login));
        let handed: Vec<Name> = handed.map(Delivery::name).collect();
        handed.iter().filter_map(|name| self.advance(name, Stage::Uncertain, None)).collect()
    }

    pub fn line(&self, name: &Name) -> Option<&Line> {
        self.lines.get(name)
    }

    /// The messages that came and were not handled yet, oldest first.
    pub fn unhandled(&self) -> Vec<&Inbound> {
        let open = self.lines.values().filter_map(|line| match line {
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
        let found = self.lines.values().filter_map(|line| match line {
            Line::Delivery(delivery) if delivery.stage == stage => Some(delivery),
            _ => None,
        });
        let mut found: Vec<&Delivery> = found.collect();
        crate::order::by(&mut found, |a, b| (a.ts, &a.id).cmp(&(b.ts, &b.id)));
        found
    }

    /// How many have come as far as `stage`.
    pub fn count(&self, stage: Stage) -> usize {
        let is_there = |line: &&Line| matches!(line, Line::Delivery(delivery) if delivery.stage == stage);
        self.lines.values().filter(is_there).count()
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

    /// When too many are known, the oldest are forgotten of which nothing is to be done.
    fn shrink(&mut self) {
        if self.lines.len() < 2 * MAX_KEYS {
            return;
        }
        let over = self.lines.iter().filter(|(_, line)| !line.is_open());
        let mut over: Vec<(u64, Name)> = over.map(|(name, line)| (line.ts(), name.clone())).collect();
        crate::order::sort(&mut over);
        for (_, name) in over.into_iter().take(MAX_KEYS) {
            self.lines.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn inbound(id: &str, ts: u64) -> Line {
        let message = Some(json!({"text": id}));
        Line::Inbound(Inbound {
            platform: "telegram".into(),
            account: "a".into(),
            id: id.into(),
            ts,
            message,
        })
    }

    fn delivery(id: &str, ts: u64) -> Line {
        Line::Delivery(Delivery {
            id: id.into(),
            ts,
            message: Some(json!({"text": id})),
            ..Delivery::default()
        })
    }

    #[test]
    fn a_message_is_taken_once_and_acknowledged_when_it_is_on_disk() {
        let mut ledger = Ledger::default();
        let name = inbound("1", 5).name();
        assert_eq!(ledger.take(inbound("1", 5)).unwrap(), Taken::New(Box::new(inbound("1", 5))));
        assert_eq!(ledger.take(inbound("1", 6)).unwrap(), Taken::Writing);
        ledger.written(&name, false);
        assert!(
            matches!(ledger.take(inbound("1", 7)).unwrap(), Taken::New(_)),
            "what was not written never came"
        );
        ledger.written(&name, true);
        assert_eq!(ledger.take(inbound("1", 8)).unwrap(), Taken::Known);
        assert_eq!(ledger.unhandled().len(), 1);
        assert!(ledger.handled(&name).is_some_and(|line| !line.is_open()));
        assert_eq!((ledger.handled(&name), ledger.unhandled().len()), (None, 0));
        assert_eq!(ledger.take(inbound("1", 9)).unwrap(), Taken::Known);
    }

    #[test]
    fn a_delivery_only_goes_on_and_what_is_over_is_over() {
        let mut ledger = Ledger::default();
        let name = delivery("d", 1).name();
        ledger.take(delivery("d", 1)).unwrap();
        assert!(ledger.advance(&name, Stage::Handed, None).is_some());
        assert!(ledger.advance(&name, Stage::Handed, None).is_none(), "not handed over twice");
        let line = ledger.advance(&name, Stage::Confirmed, Some("p7")).unwrap();
        let Line::Delivery(told) = &line else { panic!("{line:?}") };
        assert_eq!((told.platform_id.as_deref(), &told.message), (Some("p7"), &None));
        for stage in [Stage::Handed, Stage::Uncertain, Stage::Failed] {
            assert!(ledger.advance(&name, stage, None).is_none(), "{stage:?}");
        }
    }

    #[test]
    fn deliveries_are_given_out_one_at_a_time_for_each_peer_and_come_back_when_they_were_not_taken() {
        let mut ledger = Ledger::default();
        let login = Login::default();
        for (n, (id, to)) in [("a1", "a"), ("a2", "a"), ("b1", "b")].into_iter().enumerate() {
            let delivery = Delivery { id: id.into(), to: to.into(), ts: n as u64, ..Delivery::default() };
            let name = delivery.name();
            ledger.take(Line::Delivery(delivery)).unwrap();
            assert!(ledger.next(&login).is_none_or(|next| next.id != id), "it is not on disk yet");
            ledger.written(&name, true);
        }
        let next = |ledger: &mut Ledger| {
            let id = ledger.next(&Login::default())?.id;
            ledger.advance(&Delivery::named(&id), Stage::Handed, None).unwrap();
            Some(id)
        };
        assert_eq!(next(&mut ledger).as_deref(), Some("a1"));
        assert_eq!(next(&mut ledger).as_deref(), Some("b1"));
        assert_eq!(next(&mut ledger), None);
        assert!(ledger.next(&Login { account: "other".into(), ..Login::default() }).is_none());
        assert!(ledger.advance(&Delivery::named("a1"), Stage::Accepted, None).is_some(), "it was not taken");
        assert_eq!(next(&mut ledger).as_deref(), Some("a1"), "in its order");
        ledger.advance(&Delivery::named("a1"), Stage::Confirmed, Some("p")).unwrap();
        assert!(
            ledger.advance(&Delivery::named("a1"), Stage::Accepted, None).is_none(),
            "what is over stays so"
        );
        assert_eq!(next(&mut ledger).as_deref(), Some("a2"));
        assert!(ledger.is_handing());
        assert_eq!(ledger.abandon(&login).len(), 2);
        assert!(!ledger.is_handing() && ledger.count(Stage::Uncertain) == 2);
    }

    #[test]
    fn after_a_stop_what_was_handed_over_is_uncertain_and_the_rest_as_it_was() {
        let at = |id: &str, stage: Stage| Delivery { id: id.into(), stage, ..Delivery::default() };
        let all =
            [("a", Stage::Accepted), ("h", Stage::Handed), ("u", Stage::Uncertain), ("c", Stage::Confirmed)];
        let Line::Inbound(waiting) = inbound("1", 5) else { panic!() };
        let (ledger, changed) =
            Ledger::resume(vec![waiting], all.iter().map(|(id, stage)| at(id, *stage)).collect());
        let ids = |stage| ledger.deliveries(stage).iter().map(|d| d.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(Stage::Accepted), ["a"]);
        assert_eq!(ids(Stage::Uncertain), ["h", "u"]);
        assert_eq!(ids(Stage::Confirmed), ["c"]);
        assert_eq!(changed, [Line::Delivery(at("h", Stage::Uncertain))]);
        assert!(ledger.told().unwrap().contains("1 messages to answer, 1 to deliver, 2 that may"));
        assert!(Ledger::default().told().is_none());
    }

    #[test]
    fn it_is_bounded_and_forgets_only_what_nothing_is_to_be_done_about() {
        let mut ledger = Ledger::default();
        for n in 0..2 * MAX_KEYS as u64 {
            let line = inbound(&n.to_string(), n);
            let name = line.name();
            ledger.take(line).unwrap();
            ledger.written(&name, true);
            if n > 0 {
                ledger.handled(&name).unwrap();
            }
        }
        ledger.take(inbound("new", 1 << 40)).unwrap();
        assert_eq!((ledger.lines.len(), ledger.unhandled().len()), (MAX_KEYS + 1, 2));
        ledger.expire(1 << 41);
        assert!(ledger.lines.is_empty());
        let open = (0..2 * MAX_KEYS).map(|n| inbound(&n.to_string(), 1));
        open.for_each(|line| drop(ledger.take(line).unwrap()));
        assert!(ledger.take(inbound("one too many", 1)).is_err());
    }
}
