//! Calls from inside the process: an agent's tools and the watchdog ask the gateway by the same methods, checks and
//! scopes as clients on the wire do, so that there is one way to list sessions or to start a turn.
//!
//! Runs on the thread that calls, which waits; never on the state thread. Opens no socket and makes no JSON text.
//! Rooms below are given `ask` as a function (`Shared::ask`).
use super::{approvals, subagents, turns};
use crate::calls::outbox::Work;
use crate::calls::{Call, Caller, EXEC_TOLD, Provenance, Reply, SUBAGENT_SPAWN, Said, TURN_MAY, Whom};
use crate::cancel::{Cancel, SLICE};
use crate::counter::AtomicU64;
use crate::error::{Error, Result};
use crate::json;
use crate::methods::{self, Run};
use crate::protocol::frame::{Payload, Scopes};
use crate::state::event::{Event, Handler};
use crate::state::shared::Shared;
use crate::state::succession::Now;
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Most values in an answer: transcripts of models' making are told here too.
const MAX_VALUES: usize = 200_000;
/// Connection numbers of callers in the process count down from the top, where no connection gets.
/// Not among the methods, so that nobody on the wire may.
const INSIDE: [(&str, Handler); 2] = [(SUBAGENT_SPAWN, subagents::spawn), (TURN_MAY, turns::may)];
/// How long, and how often, a next generation is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOKS: u32 = 100;
static NEXT: AtomicU64 = AtomicU64::new(u64::MAX);

/// The first answer to a method call. `Kind::Aborted` when `cancel` came first; other failures are the method's own.
pub fn ask(shared: &Arc<Shared>, whom: &Whom, method: &str, params: Value, cancel: &Cancel) -> Result<Value> {
    let provenance = if whom.run.is_some() { Provenance::Agent } else { Provenance::Operator };
    let caller = Arc::new(Caller {
        scopes: Scopes::new(whom.scopes.iter().map(|s| s.to_string()).collect()),
        run: whom.run.map(str::to_string),
        ..inside(whom.name, provenance)
    });
    let stopped = || cancel.reason().map(|_| cancel.error());
    let waits = Waits { shared, caller, stopped: &stopped };
    if method == EXEC_TOLD {
        let told = waits.ask(EXEC_TOLD, approvals::end, params.clone(), to_value);
        // Commands outlive the generation that started them: the one that serves by then is told their end.
        let next = told.as_ref().err().and_then(|_| serving(shared));
        return next.map_or(told, |next| ask(&next, whom, method, params, cancel));
    }
    match INSIDE.iter().find(|(name, _)| *name == method) {
        Some((name, handler)) => waits.ask(name, *handler, params, to_value),
        None => waits.call(method, params, to_value),
    }
}

/// The generation after this one, if this one is over; waits a while for it, and not for one that will not be.
fn serving(shared: &Arc<Shared>) -> Option<Arc<Shared>> {
    for _ in 0..LOOKS {
        if !shared.published.is_over() {
            return None;
        }
        match shared.succession.within(PATIENCE) {
            Now::Serving(next) if !next.published.is_over() => return Some(next),
            Now::Serving(_) => std::thread::sleep(SLICE),
            Now::Between | Now::Over => return None,
        }
    }
    None
}

/// A part of the gateway that asks, without any scopes.
pub fn inside(name: &str, provenance: Provenance) -> Caller {
    Caller {
        conn: next_conn(),
        id: name.to_string(),
        protocol: 4,
        client_id: name.to_string(),
        mode: "backend".to_string(),
        method: "local",
        provenance,
        ..Caller::default()
    }
}

/// A number for a caller who is no connection.
pub fn next_conn() -> u64 {
    NEXT.fetch_sub(1, Ordering::Relaxed)
}

/// A thread that asks and waits for the first answer, of one thing at a time.
pub struct Waits<'a> {
    pub shared: &'a Arc<Shared>,
    pub caller: Arc<Caller>,
    /// Why nobody waits for the answer any more.
    pub stopped: &'a dyn Fn() -> Option<Error>,
}

impl Waits<'_> {
    /// Calls a method. `take` makes of the answer what is wanted, in the turn of who has one made out of files.
    pub fn call<T>(&self, method: &str, params: Value, take: fn(Payload) -> Result<T>) -> Result<T> {
        let (method, params) = methods::check(&self.caller, method, || Ok(params))?;
        method.look(self.shared);
        match method.run {
            Run::Here(handler) => take(handler(self.shared, &self.caller, params)?),
            Run::State(handler) | Run::Prepared(_, handler) => self.ask(method.name, handler, params, take),
        }
    }

    /// Has the state thread do what is no method, or was found to be one.
    pub fn ask<T>(
        &self,
        what: &'static str,
        handler: Handler,
        params: Value,
        take: fn(Payload) -> Result<T>,
    ) -> Result<T> {
        let (waiting, said) = bounded(1);
        send(self.shared, self.caller.clone(), what, Reply::Thread(waiting), handler, params)?;
        self.hear(&said, take)
    }

    /// Waits for the answer to a call whose reply is a thread's. Who gives up is forgotten: what he asked waits for nothing.
    pub fn hear<T>(&self, said: &Receiver<Said>, take: fn(Payload) -> Result<T>) -> Result<T> {
        loop {
            // Looked at before the queue: whoever let go had its chance to answer.
            let is_over = self.shared.published.is_over();
            match said.recv_timeout(SLICE) {
                Ok(Said::Answer(answer)) => return take(answer?),
                Ok(Said::Work(work)) => return self.make(work, take),
                Err(RecvTimeoutError::Timeout) if !is_over => {}
                Err(_) => return Err(Error::unavailable("the gateway is restarting; try again")),
            }
            if let Some(why) = (self.stopped)() {
                // The state thread is gone only when the process ends.
                let _ = self.shared.state.send(Event::GaveUp { conn: self.caller.conn });
                return Err(why);
            }
        }
    }

    /// Makes an answer out of files, and what is wanted of it, when it is this caller's turn.
    fn make<T>(&self, work: Work, take: fn(Payload) -> Result<T>) -> Result<T> {
        let is_wanted = || (self.stopped)().is_none();
        let _turn = self.shared.budget.making.turn(self.caller.owner().into(), is_wanted);
        (self.stopped)().map_or_else(|| take(work()?), Err)
    }
}

/// A call for who does not wait for the answer.
pub fn tell(shared: &Arc<Shared>, caller: Arc<Caller>, method: &str, params: Value) -> Result<()> {
    let (method, params) = methods::check(&caller, method, || Ok(params))?;
    method.look(shared);
    match method.run {
        Run::Here(handler) => handler(shared, &caller, params).map(drop),
        Run::State(handler) | Run::Prepared(_, handler) => {
            send(shared, caller, method.name, Reply::Nobody, handler, params)
        }
    }
}

fn send(
    shared: &Shared,
    caller: Arc<Caller>,
    method: &'static str,
    reply: Reply,
    handler: Handler,
    params: Value,
) -> Result<()> {
    let call = Call { caller, id: "local".to_string(), method, reply };
    let gone = |_| Error::unavailable("the gateway is shutting down");
    shared.state.send(Event::Local { call, handler, params }).map_err(gone)
}

/// A payload as a value; texts are parsed.
pub fn to_value(payload: Payload) -> Result<Value> {
    match payload {
        Payload::Value(value) => Ok(value),
        Payload::Text(text) => json::read(&*text, MAX_VALUES, json::DEEPEST)
            .map_err(|e| Error::unavailable(format!("read the gateway's own answer: {e}"))),
    }
}
