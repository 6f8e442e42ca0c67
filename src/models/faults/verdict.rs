//! What a server says went wrong: status and words in, a failure with its fix out.
//!
//! Pure. Words count where the status says little: a conversation that is too long, an account without
//! credit and a wrong model all come as 400 from one server or another. What is shown of the words is
//! shortened, escaped and stripped of our credentials.
use crate::json;
use crate::models::adapt;
use crate::models::failure::{Failure, LATER};
use crate::models::halves::joined;
use crate::models::page;
use crate::models::provider::{Provider, key_variable};
use crate::models::report;
use serde_json::Value;
use std::time::Duration;

/// The most values of an error body that are read; its bytes are bounded before.
const MAX_VALUES: usize = 10_000;
/// How much of the server's own words is shown.
const QUOTE: usize = 300;

/// What went wrong, whatever the server calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fix {
    Redirect,
    Request,
    Key,
    Billing,
    Permission,
    Model,
    Waited,
    Context,
    Rate,
    Overloaded,
    Server,
    Foreign,
}

/// Words for a conversation that does not fit, in lower case.
const TOO_LONG: &[&str] = &[
    "context length",
    "context_length",
    "context window",
    "context_window",
    "context size",
    "context_size",
    "maximum context",
    "prompt is too long",
    "prompt too long",
    "input is too long",
    "input too long",
    "maximum prompt length",
    "too many tokens",
    "input token count",
    "reduce the length of the messages",
    "request_too_large",
];
const NO_CREDIT: &[&str] = &[
    "insufficient_quota",
    "credit balance",
    "insufficient balance",
    "insufficient credit",
    "billing_error",
    "billing_not_active",
    "billing hard limit",
    "余额不足",
];
const BAD_KEY: &[&str] =
    &["invalid api key", "invalid_api_key", "incorrect api key", "login fail", "unauthorized"];
const TOO_MANY: &[&str] = &["rate limit", "rate_limit", "too many requests"];
const NO_MODEL: &[&str] = &["model_not_found", "model not found", "no such model", "unknown model"];

/// The names servers give errors inside a stream.
const NAMES: &[(&str, u16)] = &[
    ("api_error", 500),
    ("authentication_error", 401),
    ("billing_error", 402),
    ("context_length_exceeded", 413),
    ("insufficient_quota", 402),
    ("invalid_api_key", 401),
    ("invalid_request_error", 400),
    ("model_not_found", 404),
    ("not_found_error", 404),
    ("overloaded_error", 529),
    ("permission_error", 403),
    ("rate_limit_error", 429),
    ("rate_limit_exceeded", 429),
    ("request_too_large", 413),
    ("resource_exhausted", 429),
    ("server_error", 500),
    ("server_is_overloaded", 529),
    ("timeout_error", 504),
];

/// The failure behind an HTTP status; `body` is the beginning of what the server says about it.
pub fn from_status(p: &Provider, status: u16, body: &[u8], wait: Option<Duration>) -> Failure {
    let words = String::from_utf8_lossy(body);
    let failure =
        judge(p, &format!("answered HTTP {status}"), &said(&words), judgement(status, &words), wait);
    let refused = adapt::refused(status, &words);
    // A server of one's own that says 503 loads its model.
    let is_starting = status == 503;
    let error = failure.error.with("httpStatus", status);
    Failure { error, refused, is_starting, ..failure }
}

/// An error inside a good answer; its code may be an HTTP status, or a name that stands for one.
pub fn from_report(p: &Provider, json: &Value) -> Failure {
    let error = report::error(json);
    let all = json.to_string();
    let status = report::code(json).and_then(|c| u16::try_from(c).ok()).filter(|s| (400..600).contains(s));
    if let Some(status) = status {
        return from_status(p, status, all.as_bytes(), None);
    }
    let said = report::words(json).unwrap_or_else(|| error.to_string());
    let named = ["code", "type", "status"].iter().filter_map(|key| error.get(*key).and_then(Value::as_str));
    let named = named.map(str::to_lowercase);
    let status = named.filter_map(|name| NAMES.iter().find(|row| row.0 == name)).map(|row| row.1).next();
    match judgement(status.or_else(|| status_of_words(&all)).unwrap_or(500), &all) {
        Fix::Server if status.is_none() => {
            let said = quote(p, &said);
            Failure::passing(
                p,
                &format!("reported an error (\"{said}\"): look at the server's log, then try again"),
            )
        }
        fix => judge(p, "reported an error", &said, fix, None),
    }
}

/// Whether a text without any form is the words of an error.
pub fn is_error(words: &str) -> bool {
    let start: String = words.chars().take(60).flat_map(char::to_lowercase).collect();
    status_of_words(words).is_some()
        || ["error", "fail", "unavailable", "overloaded"].iter().any(|w| start.contains(w))
}

/// The status that an error without a known code or name would have had, by its words.
fn status_of_words(words: &str) -> Option<u16> {
    let words = words.to_lowercase();
    let says = |list: &[&str]| list.iter().any(|part| words.contains(part));
    let rows: [(&[&str], u16); 4] = [(TOO_LONG, 400), (NO_CREDIT, 402), (BAD_KEY, 401), (TOO_MANY, 429)];
    rows.into_iter().find(|(list, _)| says(list)).map(|(_, status)| status)
}

fn judge(p: &Provider, head: &str, said: &str, fix: Fix, wait: Option<Duration>) -> Failure {
    let said = quote(p, said);
    let colon = if said.is_empty() { String::new() } else { format!(" (\"{said}\")") };
    let (later, again) = match fix {
        Fix::Waited | Fix::Overloaded | Fix::Server => (Some(LATER), true),
        Fix::Rate => (Some(Duration::from_secs(30)), true),
        _ => (None, false),
    };
    let failure = Failure::lasting(p, &format!("{head}{colon}: {}", advice(p, fix))).because(reason(fix));
    let Failure { error, .. } = failure;
    let error = match later {
        Some(later) => error.retry_in(wait.unwrap_or(later)),
        None => error,
    };
    Failure { error, again, wait, refused: None, is_starting: false }
}

fn judgement(status: u16, words: &str) -> Fix {
    let words = words.to_lowercase();
    let says = |list: &[&str]| list.iter().any(|part| words.contains(part));
    match status {
        300..=399 => Fix::Redirect,
        413 => Fix::Context,
        // Some local servers call a conversation that does not fit their own failure.
        400 | 422 | 500 if says(TOO_LONG) => Fix::Context,
        400 | 401 | 403 | 422 | 429 if says(NO_CREDIT) => Fix::Billing,
        400 | 422 if says(NO_MODEL) => Fix::Model,
        400 | 422 => Fix::Request,
        401 => Fix::Key,
        402 => Fix::Billing,
        403 => Fix::Permission,
        404 => Fix::Model,
        408 | 504 => Fix::Waited,
        429 => Fix::Rate,
        529 => Fix::Overloaded,
        500..=599 if says(&["overloaded"]) => Fix::Overloaded,
        500..=599 => Fix::Server,
        _ => Fix::Foreign,
    }
}

fn reason(fix: Fix) -> &'static str {
    match fix {
        Fix::Redirect | Fix::Foreign => "unknown",
        Fix::Request => "format",
        Fix::Key | Fix::Permission => "auth",
        Fix::Billing => "billing",
        Fix::Model => "model_not_found",
        Fix::Waited => "timeout",
        Fix::Context => "context_length",
        Fix::Rate => "rate_limit",
        Fix::Overloaded | Fix::Server => "overloaded",
    }
}

fn advice(p: &Provider, fix: Fix) -> String {
    let (key, model) = (format!("models.providers.{}", p.id), quote(p, &p.model));
    match fix {
        Fix::Redirect => format!(
            "redirects are not followed, to keep credentials at one origin; set {key}.baseUrl to the final address"
        ),
        Fix::Request => {
            format!("it did not accept the request; check that the model {model} takes such input")
        }
        Fix::Key if p.api_key.is_none() => {
            format!("it wants an API key; set {key}.apiKey or {}", key_variable(&p.id))
        }
        Fix::Key => format!("it does not accept the API key; fix {}", where_key(p, &key)),
        Fix::Billing => {
            "the account has no credit; top it up or choose another model with openclaw models set".into()
        }
        Fix::Permission => {
            format!("the API key may not use the model {model}; fix {} or choose another model", where_key(p, &key))
        }
        Fix::Model => format!(
            "it has no model {model} at this address; {key}.baseUrl usually ends in /v1, and openclaw models scan lists local models"
        ),
        Fix::Waited => "it gave up waiting; try again".into(),
        Fix::Context => {
            "the conversation is too long for it; compact or reset the session, or choose a model with a larger context"
                .into()
        }
        Fix::Rate => "too many requests; wait, or choose another model".into(),
        Fix::Overloaded => "it is overloaded; try again later, or choose another model".into(),
        Fix::Server => "the server failed; look at its log or status page, then try again".into(),
        Fix::Foreign => format!("this is not an answer to a model call; check {key}.baseUrl"),
    }
}

/// What an error body says: the usual JSON shapes, else its text; a web page says nothing.
fn said(text: &str) -> String {
    if let Ok(json) = json::read(text, MAX_VALUES, MAX_VALUES) {
        return report::words(&json).unwrap_or_else(|| json.to_string());
    }
    if page::is_one(text) { page::title(text) } else { text.trim().to_string() }
}

/// Foreign text made fit to show: without our credentials, one line, no control characters, short.
pub fn quote(p: &Provider, text: &str) -> String {
    let clean = p.redact(&joined(text));
    let mut shown: String = clean.trim().chars().take(QUOTE).flat_map(escape).collect();
    if clean.trim().chars().count() > QUOTE {
        shown.push('…');
    }
    shown
}

fn escape(c: char) -> Vec<char> {
    // Beside control characters, those that turn or hide text.
    let hides =
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    if c.is_control() || hides { c.escape_default().collect() } else { vec![c] }
}

/// Where the key that was sent stands.
fn where_key(p: &Provider, key: &str) -> String {
    match (&p.key_file, &p.profile) {
        (Some(path), _) => format!("the key in {}", path.display()),
        (None, Some(profile)) => format!("the profile {} in {}", profile.id, profile.file.display()),
        (None, None) => format!("{key}.apiKey"),
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
