//! An answer that says no: a status, a sentence, and the headers that tell what would help. Pure data.
use crate::error::{Error, Kind};
use crate::json::json;
use serde_json::Value;

#[derive(Debug)]
pub struct Refusal {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    message: String,
}

impl Refusal {
    pub fn new(status: u16, message: impl Into<String>) -> Refusal {
        Refusal { status, headers: Vec::new(), message: message.into() }
    }

    pub fn unknown() -> Refusal {
        let text = "no such path; this port serves the control page at /, /health, /ready, /startup and the WebSocket protocol";
        Refusal::new(404, text)
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Refusal {
        self.headers.push((name, value.into()));
        self
    }

    /// The body, in the shape that clients of model servers know.
    pub fn body(&self) -> Value {
        json!({"error": {"type": self.name(), "message": self.message}})
    }

    fn name(&self) -> &'static str {
        match self.status {
            401 => "unauthorized",
            403 => "forbidden",
            404 => "not_found",
            405 => "method_not_allowed",
            429 => "rate_limited",
            500.. => "api_error",
            _ => "invalid_request_error",
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        let refusal = Refusal::new(status(error.kind), error.message());
        match error.retry_after() {
            Some(after) => refusal.with("Retry-After", after.as_secs().max(1).to_string()),
            None => refusal,
        }
    }
}

fn status(kind: Kind) -> u16 {
    use Kind::*;
    match kind {
        Invalid | BadFrame | UnknownMethod | Protocol | Usage | Profile => 400,
        Unauthorized => 401,
        Forbidden | NotPaired => 403,
        NotFound | Unset => 404,
        Conflict => 409,
        RateLimited => 429,
        Io | Config | OutcomeUnknown => 500,
        Model | Unreachable => 502,
        Unavailable | NotLinked | Aborted | Interrupted => 503,
        AgentTimeout => 504,
    }
}
