//! What the state thread is told: one closed enum, one arm each in `run.rs`.
use crate::agent::run::RunEvent;
use crate::calls::outbox::{Frame, Outbox, Work};
use crate::calls::{Call, Caller};
use crate::config::Stamp;
use crate::device::pairing::Change;
use crate::error::Result;
use crate::protocol::events::Event as EventRow;
use crate::protocol::frame::Payload;
use crate::runs::Taken;
use crate::sessions::others::Theirs;
use crate::sessions::{Index, Snapshot};
use crate::state::State;
use crate::state::admitted::Admitted;
use crate::state::carrying::{Carry, Then};
use crate::state::heartbeat::Seen;
use crossbeam_channel::Sender;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs on the state thread with typed, validated params; does not log, lock, spawn or block.
pub type Handler = fn(&mut State, Call, Value) -> Result<Answer>;

/// What a handler gives back.
pub enum Answer {
    Now(Payload),
    /// Reading files or large listings: done by the connection's own thread.
    Work(Work),
    /// Done by the store thread, when the index of the session `key` is on disk if one is named: what must
    /// happen even if the client hangs up.
    Stored {
        key: Option<String>,
        work: Work,
    },
    /// The handler kept the `Call` and answers it itself.
    Later,
}

impl From<Taken> for Answer {
    fn from(taken: Taken) -> Answer {
        match taken {
            Taken::Now(payload) => Answer::Now(payload),
            Taken::Later => Answer::Later,
        }
    }
}

/// A client that passed `connect`.
pub struct Join {
    pub caller: Arc<Caller>,
    pub admitted: Admitted,
    pub request_id: String,
    pub place: Place,
}

/// The outbox of a client that waits to be let in. When nobody takes it, because the generation ended first, its
/// connection is told to ask the next one: no client is lost between two. It is settled once, by whoever is first.
pub struct Place {
    outbox: Arc<Outbox>,
    settled: Arc<AtomicBool>,
}

impl Place {
    pub fn of(outbox: Arc<Outbox>) -> Place {
        Place { outbox, settled: Arc::default() }
    }

    /// For the connection: swapped to `true` it has taken its request back.
    pub fn settled(&self) -> Arc<AtomicBool> {
        self.settled.clone()
    }

    /// The state thread lets the client in; `None` when it is too late.
    pub fn take(self) -> Option<Arc<Outbox>> {
        (!self.settled.swap(true, Ordering::SeqCst)).then(|| self.outbox.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.settled.swap(true, Ordering::SeqCst) {
            self.outbox.push(Frame::Moved);
        }
    }
}

pub enum Event {
    Join(Box<Join>),
    Left {
        conn: u64,
    },
    /// A worker of the gateway failed, by a panic too; its supervisor starts it again.
    WorkerFailed {
        name: String,
        what: String,
    },
    /// A connection's thread panicked; its guard has said `Left` already if it had joined.
    ConnectionDied {
        conn: u64,
        what: String,
    },
    Request {
        conn: u64,
        id: String,
        method: &'static str,
        handler: Handler,
        params: Value,
        /// Counted until the handler has come back.
        work: crate::calls::budget::Work,
    },
    /// A request from inside the process.
    Local {
        call: Call,
        handler: Handler,
        params: Value,
    },
    /// A caller inside the process who waited for an answer waits no more.
    GaveUp {
        conn: u64,
    },
    /// The pairing store changed.
    Pairing {
        change: Change<()>,
    },
    /// The store thread has (or has not) written the acceptance of a run to disk.
    Accepted {
        run: String,
        result: Result<()>,
    },
    Run {
        run: String,
        event: RunEvent,
    },
    /// Another thread has put a message into a session's transcript.
    Wrote {
        key: String,
        message: Value,
        id: String,
    },
    /// Send an event that another thread made.
    Tell {
        event: &'static EventRow,
        payload: Value,
    },
    /// Somebody who carries messages for a platform asks.
    Carry(Box<Carry>),
    /// The store thread has (or has not) written messages to the journal.
    Noted {
        result: Result<()>,
        then: Then,
    },
    /// The store thread has saved a session index, or could not.
    Saved {
        agent: String,
        /// What another program had written there.
        result: Result<Theirs>,
    },
    /// A thread that sees a changed index file asks for the index, to compare.
    Lend {
        agent: String,
        to: Sender<Snapshot>,
    },
    /// What another program did to the index of an agent.
    Others {
        agent: String,
        theirs: Theirs,
        /// How its file was known when it was compared.
        known: Stamp,
    },
    /// These are the agents now; `added` has the session indexes of those that are new.
    Agents {
        ids: Vec<String>,
        added: Vec<(String, crate::error::Result<Index>)>,
    },
    /// What heartbeats that are due have to do.
    Beats(Vec<Seen>),
    /// The shared secret in force is a new one.
    SecretChanged,
    /// Restart in process after `delay_ms`. The note for the session that asked is on disk already.
    Restart {
        cause: String,
        delay_ms: u64,
        note: Option<Value>,
    },
    /// Changed keys of the configuration want an in-process restart; one that is pending is soon enough.
    ConfigRestart {
        cause: String,
    },
    /// The main thread has judged the configuration for the restart that is pending.
    Judged(Result<()>),
    /// What is wrong with the configuration file, or that nothing is any more.
    ConfigInvalid(Option<Value>),
}
