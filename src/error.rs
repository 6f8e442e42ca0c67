//! The one error type of the crate: what went wrong for the caller, in one sentence that names the fix.
//!
//! Pure data. `Kind` is mapped to wire code, detail code, retry hint and exit status in one exhaustive
//! `match` each, so a new kind cannot be forgotten in any of them. No I/O, no logging here.
mod kind;
mod tls;
use crate::json::{Put, json};
pub use kind::KINDS;
pub use kind::Kind;
use serde_json::{Map, Value};
use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;
pub use tls::TlsFault;

/// An error with its sentence and, for the wire, structured details. All but the kind lies behind one pointer:
/// every result of the crate carries an error's place, and is moved often.
#[derive(Debug, Clone)]
pub struct Error {
    pub kind: Kind,
    told: Box<Told>,
}

#[derive(Debug, Clone)]
struct Told {
    message: String,
    details: Option<Box<Map<String, Value>>>,
    cause: Option<Cause>,
    retry_after: Option<Duration>,
}

/// What happened, for whoever inside the program decides by it. Never sent and never read from what was sent: members of
/// the wire's `details` may come from another gateway and mean anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The other end closed the connection with this code.
    Closed(u16),
    /// The other end said nothing for so many milliseconds.
    Silent(u64),
    /// Refused for its consequences; whoever means it may force it.
    NeedsForce,
    /// A variable that is not set here would do.
    Unset,
    /// Another model may be tried, for this reason, as the wire names it.
    Failover(&'static str),
    /// The model has answered, and said nothing.
    Empty,
    /// The other end's certificate, or that it has none.
    Tls(TlsFault),
    /// The port is another account's.
    Held,
    /// Of one account only: everything else works.
    Account,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Error {
        Error {
            kind,
            told: Box::new(Told { message: message.into(), details: None, cause: None, retry_after: None }),
        }
    }

    pub fn invalid(message: impl Into<String>) -> Error {
        Error::new(Kind::Invalid, message)
    }

    pub fn unavailable(message: impl Into<String>) -> Error {
        Error::new(Kind::Unavailable, message)
    }

    pub fn not_found(message: impl Into<String>) -> Error {
        Error::new(Kind::NotFound, message)
    }

    pub fn config(message: impl Into<String>) -> Error {
        Error::new(Kind::Config, message)
    }

    pub fn usage(message: impl Into<String>) -> Error {
        Error::new(Kind::Usage, message)
    }

    /// An I/O failure: `doing` says what was being done to which file.
    pub fn io(doing: impl fmt::Display, e: std::io::Error) -> Error {
        let fix = match e.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; free some space",
            _ => "",
        };
        Error::new(Kind::Io, format!("{doing}: {e}{fix}"))
    }

    /// Adds one member of the wire's `details`.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Error {
        self.told.details.get_or_insert_with(Default::default).insert(key.to_string(), value.into());
        self
    }

    /// The same for which another model may be tried.
    pub fn failing_over(self, reason: &'static str) -> Error {
        self.with("failoverReason", reason).because(Cause::Failover(reason))
    }

    /// Says what happened, for `cause`.
    pub fn because(mut self, cause: Cause) -> Error {
        self.told.cause = Some(cause);
        self
    }

    pub fn cause(&self) -> Option<Cause> {
        self.told.cause
    }

    /// Says when a retry may succeed; makes the error retryable.
    pub fn retry_in(mut self, after: Duration) -> Error {
        self.told.retry_after = Some(after);
        self
    }

    /// The same error with text in front of its message: `context: message`.
    pub fn context(mut self, context: impl fmt::Display) -> Error {
        self.told.message = format!("{context}: {}", self.told.message);
        self
    }

    /// The same with what failed before it.
    pub fn context_after(mut self, before: &str) -> Error {
        self.told.message = format!("{} (before that, {before})", self.told.message);
        self
    }

    /// The same with the one thing that helps, in a line of its own.
    pub fn advising(mut self, fix: &str) -> Error {
        self.told.message = format!("{}\nFix: {fix}", self.told.message);
        self
    }

    /// The same with something behind its message.
    pub fn ending(mut self, end: &str) -> Error {
        self.told.message.push_str(end);
        self
    }

    /// The same with other words for some of it.
    pub fn reworded(mut self, from: &str, to: &str) -> Error {
        self.told.message = self.told.message.replace(from, to);
        self
    }

    /// An error that was written for the wire, read back.
    pub fn from_wire(wire: &Value) -> Error {
        let details = wire.get("details").and_then(Value::as_object);
        let code = details.and_then(|details| details.get("code")).and_then(Value::as_str);
        let kind = KINDS.into_iter().find(|kind| Some(Error::new(*kind, "").detail_code()) == code);
        let kind = kind.unwrap_or(match wire.get("code").and_then(Value::as_str) {
            Some("UNAVAILABLE") => Kind::Unavailable,
            _ => Kind::Invalid,
        });
        let mut error = Error::new(kind, wire.get("message").and_then(Value::as_str).unwrap_or("refused"));
        let own = Value::from(error.detail_code());
        for (name, value) in
            details.into_iter().flatten().filter(|(name, value)| *name != "code" || **value != own)
        {
            error = error.with(name, value.clone());
        }
        match wire.get("retryAfterMs").and_then(Value::as_u64) {
            Some(ms) => error.retry_in(Duration::from_millis(ms)),
            None => error,
        }
    }

    pub fn message(&self) -> &str {
        &self.told.message
    }

    pub fn details(&self) -> Option<&Map<String, Value>> {
        self.told.details.as_deref()
    }

    /// The wire's `error.code`.
    pub fn code(&self) -> &'static str {
        use Kind::*;
        match self.kind {
            Invalid | BadFrame | UnknownMethod | Unauthorized | RateLimited | Protocol | NotFound | Unset
            | Conflict | Usage | Profile | Config => "INVALID_REQUEST",
            Forbidden => "FORBIDDEN",
            NotPaired => "NOT_PAIRED",
            NotLinked => "NOT_LINKED",
            AgentTimeout => "AGENT_TIMEOUT",
            Aborted | Interrupted | Model | Unavailable | Io | Unreachable | OutcomeUnknown => "UNAVAILABLE",
        }
    }

    /// The wire's `error.details.code` where the error itself names none.
    pub fn detail_code(&self) -> &'static str {
        use Kind::*;
        match self.kind {
            Invalid => "INVALID_PARAMS",
            BadFrame => "INVALID_FRAME",
            UnknownMethod => "UNKNOWN_METHOD",
            Forbidden => "MISSING_SCOPE",
            Unauthorized => "AUTH_UNAUTHORIZED",
            RateLimited => "AUTH_RATE_LIMITED",
            NotPaired => "PAIRING_REQUIRED",
            Protocol => "PROTOCOL_MISMATCH",
            NotFound => "NOT_FOUND",
            Unset => "NOT_SET",
            Conflict => "CONFLICT",
            NotLinked => "NOT_LINKED",
            AgentTimeout => "AGENT_TIMEOUT",
            Aborted | Interrupted => "ABORTED",
            Model => "MODEL_FAILED",
            Unavailable => "UNAVAILABLE",
            Io => "IO_FAILED",
            Unreachable => "GATEWAY_UNREACHABLE",
            OutcomeUnknown => "OUTCOME_UNKNOWN",
            Usage | Profile => "USAGE",
            Config => "CONFIG_INVALID",
        }
    }

    /// Whether the same request may succeed later without any change.
    pub fn retryable(&self) -> bool {
        self.told.retry_after.is_some() || matches!(self.kind, Kind::RateLimited | Kind::Unreachable)
    }

    pub fn retry_after(&self) -> Option<Duration> {
        self.told.retry_after
    }

    /// The CLI's exit status; the list stands in the README.
    pub fn exit_code(&self) -> u8 {
        use Kind::*;
        match self.kind {
            Invalid | BadFrame | UnknownMethod | Forbidden | Unauthorized | RateLimited | NotPaired
            | Protocol | NotFound | Conflict | NotLinked | AgentTimeout | Aborted | Model | Unavailable
            | Io | Unreachable | Usage => 1,
            Profile => 2,
            Unset => 3,
            OutcomeUnknown => 75,
            Config => 78,
            Interrupted => 130,
        }
    }

    /// The wire's `error` object. `code` differs by protocol only for scope failures, which protocol 3
    /// clients know as `INVALID_REQUEST`.
    pub fn to_wire(&self, protocol: u32) -> Value {
        let code = match self.code() {
            "FORBIDDEN" if protocol < 4 => "INVALID_REQUEST",
            code => code,
        };
        let mut details = Map::new();
        details.put("code", self.detail_code());
        for (key, value) in self.told.details.iter().flat_map(|d| d.iter()) {
            details.insert(key.clone(), value.clone());
        }
        let mut wire = json!({"code": code, "message": self.told.message, "details": details});
        if let Some(map) = wire.as_object_mut() {
            if self.retryable() {
                map.put("retryable", true);
            }
            if let Some(after) = self.told.retry_after {
                map.put("retryAfterMs", after.as_millis() as u64);
            }
        }
        wire
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told.message)
    }
}

impl std::error::Error for Error {}
