//! Calls from inside the process: an agent's tools and the watchdog ask the gateway by the same methods, checks and
//! scopes as clients on the wire do, so that there is one way to list sessions or to start a turn.
//!
//! Runs on the thread that calls, which waits; never on the state thread. Opens no socket and makes no JSON text.
//! Rooms below are given `ask` as a function (`Shared::ask`).
use super::{approvals, subagents, turns};
use crate::calls::{Call, Caller, EXEC_TOLD, Provenance, Reply, SUBAGENT_SPAWN, Said, TURN_MAY, Whom};
use crate::cancel::{Cancel, SLICE};
use crate::error::{Error, Result};
use crate::json;
use crate::methods::{self, Run};
use crate::protocol::frame::{Payload, Scopes};
use crate::state::event::{Event, Handler};
use crate::state::shared::Shared;
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Most values in an answer: transcripts of models' making are told here too.
const MAX_VALUES: usize = 200_000;
/// Connection numbers of callers in the process count down from the top, where no connection gets.
/// Not among the methods, so that nobody on the wire may.
const INSIDE: [(&str, Handler); 3] =
    [(EXEC_TOLD, approvals::end), (SUBAGENT_SPAWN, subagents::spawn), (TURN_MAY, turns::may)];
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
    if let Some((name, handler)) = INSIDE.iter().find(|(name, _)| *name == method) {
        let (waiting, said) = bounded(1);
        send(shared, caller, name, Reply::Thread(waiting), *handler, params)?;
        return wait(shared, &said, &stopped);
    }
    call(shared, caller, method, params, &stopped)
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

/// The same for a caller that is known. `stopped` says why nobody waits for the answer any more.
pub fn call(
    shared: &Arc<Shared>,
    caller: Arc<Caller>,
    method: &str,
    params: Value,
    stopped: &dyn Fn() -> Option<Error>,
) -> Result<Value> {
    let (method, params) = methods::check(&caller, method, || Ok(params))?;
    method.look(shared);
    let handler = match method.run {
        Run::Here(handler) => return to_value(handler(shared, &caller, params)?),
        Run::State(handler) | Run::Prepared(_, handler) => handler,
    };
    let (waiting, said) = bounded(1);
    send(shared, caller, method.name, Reply::Thread(waiting), handler, params)?;
    wait(shared, &said, stopped)
}

/// The same for who does not wait for the answer.
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

/// Waits for the answer to a call whose reply is a thread's.
pub fn wait(shared: &Shared, said: &Receiver<Said>, stopped: &dyn Fn() -> Option<Error>) -> Result<Value> {
    loop {
        // Looked at before the queue: whoever let go had its chance to answer.
        let is_over = shared.published.is_over();
        match said.recv_timeout(SLICE) {
            Ok(Said::Answer(answer)) => return to_value(answer?),
            Ok(Said::Work(work)) => return to_value(work()?),
            Err(RecvTimeoutError::Timeout) if !is_over => {}
            Err(_) => return Err(Error::unavailable("the gateway is restarting; try again")),
        }
        if let Some(why) = stopped() {
            return Err(why);
        }
    }
}

/// A payload as a value; texts are parsed.
pub fn to_value(payload: Payload) -> Result<Value> {
    match payload {
        Payload::Value(value) => Ok(value),
        Payload::Text(text) => json::read(&*text, MAX_VALUES, json::DEEPEST)
            .map_err(|e| Error::unavailable(format!("read the gateway's own answer: {e}"))),
    }
}
