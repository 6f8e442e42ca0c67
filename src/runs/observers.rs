//! Who follows a run on its way: all readers by events, connections that want to see tools, and threads that pass
//! its words on. Bounded in number, and each in memory; none of them holds the run.
use super::beating::Beating;
use super::delivering::Deliver;
use super::origin::Address;
use crate::calls::Caller;
use crate::calls::stream::Stream;
use std::sync::Arc;

/// Most that follow one run.
const MAX: usize = 16;

pub enum Observer {
    /// Clients that may read hear `agent` and `chat` events.
    Readers,
    /// This connection sees the tools, `shows_all` even of sessions that are quiet.
    Tools { conn: u64, shows_all: bool },
    /// A thread that passes the words on.
    Stream(Arc<Stream>),
    /// Its words go to a platform, as messages that survive.
    Deliver(Box<Deliver>),
    /// Another session is told how it went.
    After(Box<After>),
    /// A part of the gateway whose work it is, and its name for it.
    Part(Part, String),
    /// It is a heartbeat: its words are judged, and told where they are to be.
    Beat(Box<Beating>),
}

/// Who has runs that are more than an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A scheduled job.
    Job,
    /// A subagent at its task.
    Child,
    /// Whoever asked for a subagent is told of its end.
    Told,
}

/// Who is told how a run went, and as what.
pub struct After {
    /// The owner's name for it.
    pub name: String,
    /// What a stranger called it.
    pub called: String,
    /// Canonical key of the session.
    pub key: String,
    /// Whether it looks at that at once.
    pub wakes: bool,
}

#[derive(Default)]
pub struct Observers(Vec<Observer>);

impl Observers {
    /// Those of a client's request.
    pub fn of(caller: &Caller) -> Observers {
        let mut observers = Observers::readers();
        observers.add_tools(caller);
        observers
    }

    /// Clients that may read.
    pub fn readers() -> Observers {
        Observers(vec![Observer::Readers])
    }

    /// Its words go to this place too, if it is one; nothing is answered there.
    pub fn deliver(&mut self, to: Option<Address>) {
        if let Some(to) = to {
            self.add(Observer::Deliver(Box::new(Deliver::new(&to.channel.clone(), to, Vec::new()))));
        }
    }

    /// One more; `false` when there are too many.
    pub fn add(&mut self, observer: Observer) -> bool {
        let has_room = self.0.len() < MAX;
        if has_room {
            self.0.push(observer);
        }
        has_room
    }

    /// The caller, if it wants to see tools and does not yet.
    pub(super) fn add_tools(&mut self, caller: &Caller) {
        let is_known = self.tools().any(|(conn, _)| conn == caller.conn);
        if !is_known && caller.caps.iter().any(|cap| cap == "tool-events") {
            // Quiet sessions are; only the command line shows at its waiting line what is at work.
            self.add(Observer::Tools { conn: caller.conn, shows_all: caller.mode == "cli" });
        }
    }

    /// A connection is gone.
    pub(super) fn forget(&mut self, gone: u64) {
        self.0.retain(|observer| !matches!(observer, Observer::Tools { conn, .. } if *conn == gone));
    }

    pub(super) fn has_readers(&self) -> bool {
        self.0.iter().any(|observer| matches!(observer, Observer::Readers))
    }

    /// Connections that see tools, with whether they do in quiet sessions.
    pub(super) fn tools(&self) -> impl Iterator<Item = (u64, bool)> {
        self.0.iter().filter_map(|observer| match observer {
            Observer::Tools { conn, shows_all } => Some((*conn, *shows_all)),
            _ => None,
        })
    }

    pub(super) fn deliveries(&self) -> impl Iterator<Item = &Deliver> {
        self.0.iter().filter_map(|observer| match observer {
            Observer::Deliver(deliver) => Some(&**deliver),
            _ => None,
        })
    }

    pub(super) fn deliveries_mut(&mut self) -> impl Iterator<Item = &mut Deliver> {
        self.0.iter_mut().filter_map(|observer| match observer {
            Observer::Deliver(deliver) => Some(&mut **deliver),
            _ => None,
        })
    }

    /// Whether anybody is told the words of its end besides who reads along and who asked.
    pub(super) fn want_words(&self) -> bool {
        let wants = |observer: &Observer| {
            matches!(
                observer,
                Observer::Deliver(_) | Observer::After(_) | Observer::Beat(_) | Observer::Part(..)
            )
        };
        self.0.iter().any(wants)
    }

    pub(super) fn afters(&self) -> impl Iterator<Item = &After> {
        self.0.iter().filter_map(|observer| match observer {
            Observer::After(after) => Some(&**after),
            _ => None,
        })
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = (Part, &str)> {
        self.0.iter().filter_map(|observer| match observer {
            Observer::Part(part, id) => Some((*part, id.as_str())),
            _ => None,
        })
    }

    pub(super) fn beat(&mut self) -> Option<&mut Beating> {
        self.0.iter_mut().find_map(|observer| match observer {
            Observer::Beat(beating) => Some(&mut **beating),
            _ => None,
        })
    }

    pub(super) fn streams(&self) -> impl Iterator<Item = &Arc<Stream>> {
        self.0.iter().filter_map(|observer| match observer {
            Observer::Stream(stream) => Some(stream),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i10_2_observers_are_bounded_counted_once_and_forgotten() {
        let caller = |conn| Caller { conn, caps: vec!["tool-events".into()], ..Caller::default() };
        let mut observers = Observers::of(&caller(0));
        observers.add_tools(&caller(0));
        (1..100).for_each(|conn| observers.add_tools(&caller(conn)));
        assert_eq!(observers.tools().count(), MAX - 1);
        assert!(!observers.add(Observer::Stream(Stream::bounded(1))));
        observers.forget(0);
        assert!(observers.has_readers() && observers.tools().all(|(conn, _)| conn != 0));
        assert!(observers.add(Observer::Stream(Stream::bounded(1))));
        assert_eq!(observers.streams().count(), 1);
    }
}
