//! An answer that says no: a status, a sentence, and the headers that tell what would help. Pure data.
use crate::error::{Error, Kind};
use crate::json::{Put, json};
use serde_json::Value;

#[derive(Debug, Clone)]
pub struct Refusal {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    message: String,
    /// For clients of OpenAI's API: which member of the request is meant, and its word for what is wrong.
    api: Option<(Option<String>, Option<&'static str>)>,
    shape: Shape,
}

/// How refusals look to clients of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Bare,
    /// As in OpenAI's API.
    Api,
    /// `ok` is false.
    NotOk,
    /// The same, and the error is its words.
    Flat,
}

impl Refusal {
    pub fn new(status: u16, message: impl Into<String>) -> Refusal {
        // What is a line of its own for people at a terminal is a part of the sentence here.
        let message = message.into().replace("\nFix: ", "; fix: ");
        Refusal { status, headers: Vec::new(), message, api: None, shape: Shape::Bare }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Refusal {
        self.headers.push((name, value.into()));
        self
    }

    /// In the shape of OpenAI's API.
    pub fn of_api(mut self) -> Refusal {
        self.api.get_or_insert_default();
        self
    }

    /// The member of the request that it is about; none when empty.
    pub fn about(mut self, param: &str) -> Refusal {
        self.api.get_or_insert_default().0 = Some(param.to_string()).filter(|param| !param.is_empty());
        self
    }

    pub fn coded(mut self, code: &'static str) -> Refusal {
        self.api.get_or_insert_default().1 = Some(code);
        self
    }

    /// In the shape that clients of a route know, whoever refuses.
    pub fn shaped(self, shape: Shape) -> Refusal {
        match shape {
            Shape::Bare => self,
            Shape::Api => self.of_api(),
            Shape::NotOk | Shape::Flat => Refusal { shape, api: None, ..self },
        }
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    /// The body, in the shape that clients of model servers know.
    pub fn body(&self) -> Value {
        if self.shape == Shape::Flat {
            return json!({"ok": false, "error": self.message.as_str()});
        }
        let mut error = json!({"type": self.name(), "message": self.message});
        if let (Some(map), Some((param, code))) = (error.as_object_mut(), &self.api) {
            map.put("param", param.clone());
            map.put("code", code.or((self.status == 401).then_some("invalid_api_key")));
        }
        match self.shape {
            Shape::NotOk => json!({"ok": false, "error": error}),
            _ => json!({"error": error}),
        }
    }

    fn name(&self) -> &'static str {
        match self.status {
            401 => "unauthorized",
            429 if self.api.is_some() => "rate_limit_error",
            500.. => "api_error",
            _ if self.api.is_some() => "invalid_request_error",
            403 => "forbidden",
            404 => "not_found",
            405 => "method_not_allowed",
            429 => "rate_limited",
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

/// The status that says an error of this kind.
pub fn status(kind: Kind) -> u16 {
    use Kind::*;
    match kind {
        Invalid | BadFrame | Protocol | Usage | Profile => 400,
        Unauthorized => 401,
        Forbidden | NotPaired => 403,
        NotFound | Unset | UnknownMethod => 404,
        Conflict => 409,
        RateLimited => 429,
        Io | Config | OutcomeUnknown => 500,
        Model | Unreachable => 502,
        Unavailable | NotLinked | Aborted | Interrupted => 503,
        AgentTimeout => 504,
    }
}
