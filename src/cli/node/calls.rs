//! What a gateway may invoke on this machine: one row a command. Runs on the node host's thread.
use super::answer::Outcome;
use super::host::Own;
use super::work::Work;
use super::{browser, run, small};
use crate::error::Error;
use crate::json;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Most values in the params of one invocation.
const MAX_VALUES: usize = 50_000;

/// One invocation.
pub struct Call {
    pub id: String,
    pub node: String,
    pub command: String,
    pub params: Value,
    /// After that the gateway waits no longer.
    pub until: Option<Instant>,
    pub key: String,
}

impl Call {
    /// Of the event's payload; `None` where nobody could be answered, or another node is meant.
    pub fn read(payload: &Value, own: &str) -> Option<Result<Call, (Call, Error)>> {
        let text = |name: &str| payload.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default();
        if text("id").is_empty() || text("command").is_empty() || text("nodeId") != own {
            return None;
        }
        let millis = payload.get("timeoutMs").and_then(Value::as_u64);
        let mut call = Call {
            id: text("id").to_string(),
            node: own.to_string(),
            command: text("command").to_string(),
            params: Value::Null,
            until: millis.map(|ms| Instant::now() + Duration::from_millis(ms.min(86_400_000))),
            key: text("idempotencyKey").to_string(),
        };
        let read = match payload.get("paramsJSON") {
            Some(Value::String(text)) => json::read(text, MAX_VALUES, json::DEEPEST)
                .map_err(|e| Error::invalid(format!("INVALID_REQUEST: paramsJSON cannot be read: {e}"))),
            _ => Ok(payload.get("params").cloned().unwrap_or_default()),
        };
        Some(match read {
            Ok(params) => {
                call.params = params;
                Ok(call)
            }
            Err(error) => Err((call, error)),
        })
    }

    /// The same without what it asks for.
    pub fn bare(&self) -> Call {
        let (id, node) = (self.id.clone(), self.node.clone());
        let (command, key) = (self.command.clone(), self.key.clone());
        Call { id, node, command, params: Value::Null, until: self.until, key }
    }

    /// Whether the gateway has given it up.
    pub fn is_late(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() > until)
    }
}

/// Answered now, or later by `Work`.
pub enum Answer {
    Now(Outcome),
    Later,
}

/// What a command needs, to be announced.
type Needs = fn(&Own) -> bool;
type Row = (&'static str, Needs, fn(&Own, &mut Work, &Call) -> Answer);

const ROWS: &[Row] = &[
    ("browser.proxy", |own| own.has_browser, browser::proxy),
    ("system.execApprovals.get", |_| true, |own, _, _| Answer::Now(small::approvals(own))),
    (
        "system.execApprovals.set",
        |_| true,
        |own, _, call| Answer::Now(small::set_approvals(own, &call.params)),
    ),
    ("system.notify", |own| small::notifier(&own.env).is_some(), small::notify),
    ("system.run", |_| true, run::run),
    ("system.which", |_| true, |own, _, call| Answer::Now(small::which(own, &call.params))),
];

/// The commands that this machine announces.
pub fn commands(own: &Own) -> Vec<&'static str> {
    ROWS.iter().filter(|(_, needs, _)| needs(own)).map(|(name, ..)| *name).collect()
}

pub fn take(own: &Own, work: &mut Work, call: &Call) -> Answer {
    match ROWS.iter().find(|(name, ..)| *name == call.command) {
        _ if work.has(&call.key) => {
            Answer::Now(Err(Error::unavailable("a call with this idempotency key is under way")))
        }
        Some((_, _, take)) => take(own, work, call),
        None => Answer::Now(Err(Error::unavailable("command not supported"))),
    }
}
