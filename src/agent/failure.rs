//! What a failed model call means: the sentence for people, whether to try again, and the trying itself.
//!
//! Runs on the run's thread. Sentences name the server without credentials, what failed, and the fix.
//! What a server says is shortened, escaped and stripped of our credentials before it is shown.
use super::cancel::Cancel;
use super::dial::Phase;
use super::http::Fault;
use super::provider::Provider;
use crate::error::{Error, Kind, Result};
use serde_json::Value;
use std::time::{Duration, Instant};

/// A failing model is reported within this time, retries included (architecture.md).
const BUDGET: Duration = Duration::from_secs(15);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// When a later try may help and the server names no time.
const LATER: Duration = Duration::from_secs(5);
/// How much of the server's own words is shown.
const QUOTE: usize = 300;

/// A failed attempt.
pub struct Failure {
    pub error: Error,
    /// Whether the same request may be sent again at once, after a short pause.
    pub again: bool,
    /// The pause the server asked for.
    pub wait: Option<Duration>,
}

impl Failure {
    /// A failure that stays: another try without a change would end the same.
    pub fn lasting(p: &Provider, what: &str) -> Failure {
        let error = Error::new(Kind::Model, format!("model server {} {what}", p.shown_url()))
            .with("provider", p.id.as_str());
        Failure { error, again: false, wait: None }
    }

    /// A failure that may be gone later.
    pub fn passing(p: &Provider, what: &str) -> Failure {
        let failure = Failure::lasting(p, what);
        Failure { error: failure.error.retry_in(LATER), ..failure }
    }

    fn again(self) -> Failure {
        Failure { again: true, ..self }
    }
}

/// Makes attempts until one succeeds, fails for good, or time or the provider's retries are used up.
/// Each is told how long connecting may take.
pub fn with_retries<T>(
    p: &Provider,
    cancel: &Cancel,
    attempt: &mut dyn FnMut(Duration) -> std::result::Result<T, Failure>,
) -> Result<T> {
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    for left in (0..=p.retries).rev() {
        let failure = match attempt(p.timeouts.connect.min(BUDGET.saturating_sub(started.elapsed()))) {
            Ok(value) => return Ok(value),
            Err(failure) => failure,
        };
        let wait = failure.wait.unwrap_or(pause).max(pause);
        if !failure.again || left == 0 || started.elapsed() + wait > BUDGET {
            return Err(failure.error);
        }
        log::debug!("agent: {}; trying again in {} ms", failure.error, wait.as_millis());
        if !cancel.sleep(wait) {
            return Err(cancel.error());
        }
        pause = pause.saturating_mul(2).min(Duration::from_secs(4));
    }
    Err(cancel.error())
}

/// The failure behind a fault of the network or of the server's HTTP.
pub fn from_fault(p: &Provider, fault: &Fault, cancel: &Cancel) -> Failure {
    let key = format!("models.providers.{}", p.id);
    let secs = |time: Duration| format!("{} s", time.as_secs_f64());
    match fault {
        Fault::Cancelled => Failure { error: cancel.error(), again: false, wait: None },
        Fault::NoSuchHost => {
            let what = format!(
                "cannot be found: its host name does not resolve; check {key}.baseUrl and this machine's DNS"
            );
            Failure::passing(p, &what)
        }
        Fault::Refused => {
            let what =
                format!("refused the connection: is the server running? start it or fix {key}.baseUrl");
            Failure::passing(p, &what).again()
        }
        Fault::Unreachable(e) => {
            Failure::passing(p, &format!("cannot be reached ({e}): check the network and {key}.baseUrl"))
        }
        Fault::Tls(e) => {
            let e = quote(p, e);
            let what = format!(
                "failed the TLS handshake ({e}): check its certificate, this machine's clock, and that {key}.baseUrl should start with https"
            );
            Failure::lasting(p, &what)
        }
        Fault::Late(Phase::Connect) => {
            let time = secs(p.timeouts.connect);
            let what = format!(
                "took no connection within {time}: check that it is up, fix {key}.baseUrl or raise {key}.timeouts.connectMs"
            );
            Failure::passing(p, &what)
        }
        Fault::Late(Phase::FirstToken) => {
            let time = secs(p.timeouts.first_token);
            let what = format!(
                "sent no token within {time}: look at its load, or raise {key}.timeouts.firstTokenMs"
            );
            Failure::passing(p, &what)
        }
        Fault::Late(Phase::Idle) => {
            let time = secs(p.timeouts.idle);
            let what = format!(
                "went silent for {time} within an answer: look at its load, or raise {key}.timeouts.idleMs"
            );
            Failure::passing(p, &what)
        }
        Fault::Dropped => Failure::passing(
            p,
            "closed the connection before it answered: look at the server's log, then try again",
        )
        .again(),
        Fault::Protocol(e) => {
            let what = format!("does not speak HTTP as expected ({}): check {key}.baseUrl", quote(p, e));
            Failure::lasting(p, &what)
        }
        Fault::TooLong => {
            Failure::lasting(p, "sent an answer longer than is accepted: lower maxTokens of the model")
        }
    }
}

/// The failure behind an HTTP status; `body` is the beginning of what the server says about it.
pub fn from_status(p: &Provider, status: u16, body: &[u8], wait: Option<Duration>) -> Failure {
    let key = format!("models.providers.{}", p.id);
    let said = quote(p, &said(body));
    let colon = if said.is_empty() { String::new() } else { format!(" (\"{said}\")") };
    let (fix, later, again) = advice(p, &key, status);
    let failure = Failure::lasting(p, &format!("answered HTTP {status}{colon}: {fix}"));
    let mut error = failure.error.with("httpStatus", status);
    if let Some(later) = later {
        error = error.retry_in(wait.unwrap_or(later));
    }
    Failure { error, again, wait }
}

/// The fix, when a later try may help, and whether to try again by ourselves.
fn advice(p: &Provider, key: &str, status: u16) -> (String, Option<Duration>, bool) {
    let model = quote(p, &p.model);
    match status {
        300..=399 => (
            format!(
                "redirects are not followed, to keep credentials at one origin; set {key}.baseUrl to the final address"
            ),
            None,
            false,
        ),
        400 | 422 => (
            format!("it did not accept the request; check that the model {model} takes such input"),
            None,
            false,
        ),
        401 if p.api_key.is_none() => (
            format!("it wants an API key; set {key}.apiKey or {}", super::provider::key_variable(&p.id)),
            None,
            false,
        ),
        401 => (format!("it does not accept the API key; fix {key}.apiKey"), None, false),
        402 => (
            "the account has no credit; top it up or choose another model with openclaw models set".into(),
            None,
            false,
        ),
        403 => (
            format!("the API key may not use the model {model}; fix {key}.apiKey or choose another model"),
            None,
            false,
        ),
        404 => (
            format!(
                "it has no model {model} at this address; {key}.baseUrl usually ends in /v1, and openclaw models scan lists local models"
            ),
            None,
            false,
        ),
        408 => ("it gave up waiting; try again".into(), Some(LATER), true),
        413 => (
            "the conversation is too long for it; reset the session or choose a model with a larger context"
                .into(),
            None,
            false,
        ),
        429 => {
            ("too many requests; wait, or choose another model".into(), Some(Duration::from_secs(30)), true)
        }
        500..=599 => {
            ("the server failed; look at its log or status page, then try again".into(), Some(LATER), true)
        }
        _ => (format!("this is not an answer to a model call; check {key}.baseUrl"), None, false),
    }
}

/// What an error body says: the usual JSON shapes, else its text; a web page says nothing.
fn said(body: &[u8]) -> String {
    if let Ok(json) = serde_json::from_slice::<Value>(body) {
        return error_text(&json).unwrap_or_else(|| json.to_string());
    }
    let text = String::from_utf8_lossy(body);
    if text.trim_start().starts_with('<') { String::new() } else { text.trim().to_string() }
}

/// The message of an error object in the shapes servers use.
pub fn error_text(json: &Value) -> Option<String> {
    let error = json.get("error").unwrap_or(json);
    let message = [
        error,
        error.get("message").unwrap_or(&Value::Null),
        json.get("message").unwrap_or(&Value::Null),
        json.get("detail").unwrap_or(&Value::Null),
    ];
    message.iter().find_map(|m| m.as_str()).map(str::to_string)
}

/// Foreign text made fit to show: without our credentials, one line, no control characters, short.
pub fn quote(p: &Provider, text: &str) -> String {
    let clean = p.redact(text);
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
