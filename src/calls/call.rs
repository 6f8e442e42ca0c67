//! One call of a method, and the way back for its answer.
//!
//! Answered from the state thread, the store thread or a connection's own; answering never blocks.
use super::Caller;
use super::outbox::{Frame, Outbox, Work};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::metrics::{self, Metric};
use crate::protocol::frame::{self, Payload};
use crate::protocol::pieces::Shared;
use crossbeam_channel::Sender;
use serde_json::Value;
use std::sync::Arc;

/// How a part of this process calls a method: as whom, method, params. Waits for the first
/// answer, so never for the state thread; `Kind::Aborted` when the flag was set first.
pub type Ask = dyn Fn(&Whom, &str, Value, &Cancel) -> Result<Value> + Send + Sync;

/// As whom a part of this process calls.
pub struct Whom<'a> {
    /// Stands where a client's id does.
    pub name: &'a str,
    /// What it may call.
    pub scopes: &'a [&'a str],
    /// The turn on whose behalf it calls.
    pub run: Option<&'a str>,
}

/// What only a part of this process may call: a session is told of a command's end.
pub const EXEC_TOLD: &str = "exec.told";
/// The same: a subagent is started, and whether a turn is one of somebody whom a tool serves.
pub const SUBAGENT_SPAWN: &str = "subagents.spawn";
pub const TURN_MAY: &str = "turn.may";

/// Where an answer goes.
#[derive(Clone)]
pub enum Reply {
    /// To a client, as a frame of its protocol.
    Socket(Arc<Outbox>),
    /// To a thread of this process that waits for it. The first answer counts; room for one is enough.
    Thread(Sender<Said>),
    /// Nobody waits.
    Nobody,
}

/// What a waiting thread is told.
pub enum Said {
    Answer(Result<Payload>),
    /// To be done by the thread itself; its result is the answer.
    Work(Work),
}

/// Who asked what, and where the answer goes.
#[derive(Clone)]
pub struct Call {
    pub caller: Arc<Caller>,
    pub id: String,
    pub method: &'static str,
    pub reply: Reply,
}

impl Call {
    pub fn answer(&self, result: Result<Payload>) {
        self.log(result.as_ref().err());
        match &self.reply {
            // A client that is gone or over its limit is dealt with by its outbox.
            Reply::Socket(outbox) => {
                let text = frame::answer(&self.id, result.as_ref(), self.caller.protocol);
                outbox.push(Frame::Answer(text.into()));
            }
            Reply::Thread(waiting) => say(waiting, Said::Answer(result)),
            Reply::Nobody => {}
        }
    }

    /// With how a run ended, which others get too: `text` is the same as `outcome`. It is there where the run failed too.
    pub fn answer_end(&self, outcome: &Value, text: &Shared, error: Option<&Error>) {
        self.log(error);
        match &self.reply {
            Reply::Socket(outbox) => {
                let text = frame::answer_around(&self.id, text, error, self.caller.protocol);
                outbox.push(Frame::Answer(text));
            }
            Reply::Thread(waiting) => {
                let told = error.map_or_else(|| Ok(Payload::Value(outcome.clone())), |e| Err(e.clone()));
                say(waiting, Said::Answer(told));
            }
            Reply::Nobody => {}
        }
    }

    fn log(&self, error: Option<&Error>) {
        match error {
            None => {
                crate::logging::debug!(target: "gateway/ws", "res ✓ {} conn={}", self.method, shown(self.caller.conn))
            }
            Some(error) => log_failure(self.method, self.caller.conn, error),
        }
    }

    /// Leaves work to whoever asked: reading files, large listings.
    pub fn leave(self, work: Work) {
        match self.reply {
            Reply::Socket(outbox) => {
                outbox.push(Frame::Work { id: self.id, work });
            }
            Reply::Thread(waiting) => say(&waiting, Said::Work(work)),
            Reply::Nobody => {}
        }
    }

    /// The stored answer `{ok, payload, error?}` of an earlier call with the same key.
    pub fn replay(&self, stored: &Value) {
        match &self.reply {
            Reply::Socket(outbox) => {
                outbox.push(Frame::Answer(frame::replay(&self.id, stored).into()));
            }
            Reply::Thread(waiting) => say(waiting, Said::Answer(read(stored))),
            Reply::Nobody => {}
        }
    }
}

fn say(waiting: &Sender<Said>, said: Said) {
    // Full: the first answer was given. Gone: nobody waits any more.
    let _ = waiting.try_send(said);
}

/// A stored answer as a result. Of its error, which was written as text, the kind, the details and the time to wait
/// survive.
fn read(stored: &Value) -> Result<Payload> {
    if stored.get("ok") == Some(&Value::Bool(true)) {
        return Ok(Payload::Value(stored.get("payload").cloned().unwrap_or_default()));
    }
    Err(Error::from_wire(stored.get("error").unwrap_or(&Value::Null)))
}

/// A connection as the log names it. Callers that are none, such as tools, count down from the top.
pub(super) fn shown(conn: u64) -> String {
    let inside = u64::MAX - conn;
    if inside < conn { format!("none-{inside}") } else { conn.to_string() }
}

/// The log's line about a call that was refused or failed, which is counted.
pub fn log_failure(method: &str, conn: u64, error: &Error) {
    metrics::count(Metric::RequestsFailed);
    log::info!(target: "gateway/ws", "res ✗ {} errorCode={} errorMessage={} conn={}",
        crate::logging::quoted(method), error.code(), crate::logging::quoted(error.message()), shown(conn));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{KINDS, Kind};
    use crate::json::json;
    use crossbeam_channel::bounded;
    use std::time::Duration;

    fn waiting() -> (Call, crossbeam_channel::Receiver<Said>) {
        let (tx, rx) = bounded(1);
        let reply = Reply::Thread(tx);
        (Call { caller: Arc::default(), id: "1".into(), method: "m", reply }, rx)
    }

    #[test]
    fn i10_1_a_thread_gets_the_payload_itself_and_the_kind_of_an_error() {
        let (call, said) = waiting();
        call.answer(Err(Error::new(Kind::Forbidden, "no")));
        call.answer(Ok(Payload::Value(json!(2))));
        match said.try_recv() {
            Ok(Said::Answer(Err(error))) => assert_eq!(error.kind, Kind::Forbidden),
            _ => panic!("the first answer counts"),
        }
        assert!(said.try_recv().is_err(), "there is one answer only");
        let (call, said) = waiting();
        call.answer(Ok(Payload::Value(json!({"large": [1, "a\"b"]}))));
        let Ok(Said::Answer(Ok(Payload::Value(value)))) = said.try_recv() else { panic!("no text of it") };
        assert_eq!(value, json!({"large": [1, "a\"b"]}));
    }

    #[test]
    fn work_and_stored_answers_reach_a_thread() {
        let (call, said) = waiting();
        call.clone().leave(Box::new(|| Ok(Payload::Value(json!(7)))));
        match said.try_recv() {
            Ok(Said::Work(work)) => assert!(matches!(work(), Ok(Payload::Value(v)) if v == 7)),
            _ => panic!("work was left"),
        }
        call.replay(
            &json!({"ok": false, "error": {"code": "UNAVAILABLE", "message": "later", "retryAfterMs": 5}}),
        );
        match said.try_recv() {
            Ok(Said::Answer(Err(error))) => {
                assert_eq!((error.kind, error.message()), (Kind::Unavailable, "later"))
            }
            _ => panic!("an error was stored"),
        }
    }

    #[test]
    fn i10_1_a_stored_error_reaches_a_thread_with_its_kind() {
        for kind in KINDS {
            let error = Error::new(kind, "why").with("about", "this").retry_in(Duration::from_millis(7));
            let (call, said) = waiting();
            call.replay(&json!({"ok": false, "error": (error.to_wire(4))}));
            let Ok(Said::Answer(Err(read))) = said.try_recv() else { panic!("{kind:?}") };
            assert_eq!((read.kind, read.message(), read.retry_after()), (kind, "why", error.retry_after()));
            assert_eq!(read.to_wire(4), error.to_wire(4));
        }
    }
}
