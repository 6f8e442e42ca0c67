//! What a failed model call means: the sentence for people, whether to try again, and the trying itself.
//!
//! Runs on the run's thread. Sentences name the server without credentials, what failed, and the fix. Each
//! failure carries provider, model and the reason another model would be tried for. What a server itself
//! says is judged in `verdict`.
use crate::cancel::Cancel;
use crate::error::{Cause, Error, Kind, Result};
use crate::fetch::dial::Phase;
use crate::fetch::http::Fault;
use crate::models::adapt::Part;
use crate::models::provider::Provider;
pub use crate::models::verdict::{from_report, from_status, quote};
use std::time::{Duration, Instant};

/// A failing model is reported within this time, retries included (architecture.md).
const BUDGET: Duration = Duration::from_secs(15);
/// How long a server nearby that takes no connection, drops it at once, or says that it is loading, is asked again, and
/// how often.
const STARTING: Duration = Duration::from_secs(10);
const STARTING_PAUSE: Duration = Duration::from_millis(500);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// When a later try may help and the server names no time.
pub const LATER: Duration = Duration::from_secs(5);

/// A failed attempt.
pub struct Failure {
    pub error: Error,
    /// Whether the same request may be sent again at once, after a short pause.
    pub again: bool,
    /// The pause the server asked for.
    pub wait: Option<Duration>,
    /// The part of the request that the server does not take.
    pub refused: Option<Part>,
    /// The server may be starting, so that it takes requests soon.
    pub is_starting: bool,
}

impl Failure {
    /// A failure that stays: another try without a change would end the same.
    pub fn lasting(p: &Provider, what: &str) -> Failure {
        let error = Error::new(Kind::Model, format!("model server {} {what}", p.shown_url()))
            .with("provider", p.id.as_str())
            .with("model", p.model.as_str())
            .failing_over("unknown");
        Failure { error, again: false, wait: None, refused: None, is_starting: false }
    }

    /// A failure that may be gone later.
    pub fn passing(p: &Provider, what: &str) -> Failure {
        let failure = Failure::lasting(p, what);
        Failure { error: failure.error.retry_in(LATER), ..failure }
    }

    /// The same with the reason another model may be tried for.
    pub fn because(self, reason: &'static str) -> Failure {
        Failure { error: self.error.failing_over(reason), ..self }
    }

    /// The failure of an answer that has no end.
    pub fn too_long(p: &Provider) -> Failure {
        Failure::lasting(p, "sent an answer longer than is accepted: lower maxTokens of the model")
    }

    fn again(self) -> Failure {
        Failure { again: true, ..self }
    }
}

/// Why the call failed, in the words of failover: `auth`, `billing`, `rate_limit`, `timeout`, `overloaded`,
/// `format`, `context_length`, `model_not_found`, `network`, `aborted` or `unknown`.
pub fn reason(error: &Error) -> &'static str {
    match (error.kind, error.cause()) {
        (Kind::Aborted, _) => "aborted",
        (Kind::AgentTimeout, _) => "timeout",
        (_, Some(Cause::Failover(reason))) => reason,
        _ => "unknown",
    }
}

/// Whether the conversation was too long for the model: a shorter one may pass.
pub fn is_context_overflow(error: &Error) -> bool {
    reason(error) == "context_length"
}

/// Makes attempts until one succeeds, fails for good, or time or the provider's retries are used up.
/// Each is told how long connecting may take.
pub fn with_retries<T>(
    p: &Provider,
    cancel: &Cancel,
    attempt: &mut dyn FnMut(Duration) -> std::result::Result<T, Failure>,
) -> Result<T> {
    let started = Instant::now();
    let (mut pause, mut left) = (FIRST_PAUSE, p.retries);
    loop {
        let failure = match attempt(p.timeouts.connect.min(BUDGET.saturating_sub(started.elapsed()))) {
            Ok(value) => return Ok(value),
            Err(failure) => failure,
        };
        // A server on this machine or network that starts is waited for, however often it has to be asked.
        let is_awaited = failure.is_starting && p.patient && p.retries > 0 && started.elapsed() < STARTING;
        let wait = match is_awaited {
            true => pause.min(STARTING_PAUSE),
            false => failure.wait.unwrap_or(pause).max(pause),
        };
        let may_go_on = is_awaited || (failure.again && left > 0);
        if !may_go_on || started.elapsed() + wait > BUDGET {
            return Err(failure.error);
        }
        left -= u32::from(!is_awaited);
        let soon = wait.as_millis();
        crate::logging::debug!(target: module_path!(), "agent: {}; trying again in {soon} ms", failure.error);
        if !cancel.sleep(wait) {
            return Err(cancel.error());
        }
        pause = pause.saturating_mul(2).min(Duration::from_secs(4));
    }
}

/// The failure behind a fault before anything was answered. A server that takes connections and closes them, as what
/// stands before a container does, may be starting like one that takes none.
pub fn unanswered(p: &Provider, fault: &Fault, cancel: &Cancel) -> Failure {
    let failure = from_fault(p, fault, cancel);
    Failure { is_starting: failure.is_starting || *fault == Fault::Dropped, ..failure }
}

/// The failure behind a fault of the network or of the server's HTTP.
pub fn from_fault(p: &Provider, fault: &Fault, cancel: &Cancel) -> Failure {
    let failure = match fault {
        Fault::Cancelled => return Failure { error: cancel.error(), ..Failure::lasting(p, "") },
        Fault::TooLong => return Failure::too_long(p),
        Fault::Tls(_) | Fault::Protocol(_) | Fault::Coded(_) => Failure::lasting(p, &words(p, fault)),
        Fault::Refused | Fault::Dropped => Failure::passing(p, &words(p, fault)).again(),
        Fault::NoSuchHost | Fault::Unreachable(_) | Fault::Late(_) => Failure::passing(p, &words(p, fault)),
    };
    match fault {
        Fault::Late(_) => failure.because("timeout"),
        Fault::Protocol(_) | Fault::Coded(_) => failure,
        _ => Failure { is_starting: *fault == Fault::Refused, ..failure.because("network") },
    }
}

/// What went wrong, and the fix.
fn words(p: &Provider, fault: &Fault) -> String {
    let key = format!("models.providers.{}", p.id);
    let secs = |time: Duration| format!("{} s", time.as_secs_f64());
    match fault {
        Fault::NoSuchHost => format!(
            "cannot be found: its host name does not resolve; check {key}.baseUrl and this machine's DNS"
        ),
        Fault::Refused => {
            format!("refused the connection: is the server running? start it or fix {key}.baseUrl")
        }
        Fault::Unreachable(e) => format!("cannot be reached ({e}): check the network and {key}.baseUrl"),
        Fault::Tls(e) => format!(
            "failed the TLS handshake ({}): check its certificate, this machine's clock, and that {key}.baseUrl should start with https",
            quote(p, e)
        ),
        Fault::Late(Phase::Connect) => format!(
            "took no connection within {}: check that it is up, fix {key}.baseUrl or raise {key}.timeouts.connectMs",
            secs(p.timeouts.connect)
        ),
        Fault::Late(Phase::FirstToken) => format!(
            "sent no token within {}: look at its load, or raise {key}.timeouts.firstTokenMs",
            secs(p.timeouts.first_token)
        ),
        Fault::Late(Phase::Idle) => format!(
            "went silent for {} within an answer: look at its load, or raise {key}.timeouts.idleMs",
            secs(p.timeouts.idle)
        ),
        Fault::Dropped => {
            "closed the connection before it answered: look at the server's log, then try again".to_string()
        }
        Fault::Protocol(e) => {
            format!("does not speak HTTP as expected ({}): check {key}.baseUrl", quote(p, e))
        }
        Fault::Coded(coding) => format!(
            "compresses its answers as {:?}, which nobody asked for and which is not read: turn compression off in it, or in the proxy before it",
            quote(p, coding)
        ),
        // Said elsewhere.
        Fault::Cancelled | Fault::TooLong => String::new(),
    }
}
