//! What a failed model call means: the sentence for people, whether to try again, and the trying itself.
//!
//! Runs on the run's thread. Sentences name the server without credentials, what failed, and the fix. Each
//! failure carries provider, model and the reason another model would be tried for. What a server itself
//! says is judged in `verdict`.
use crate::cancel::Cancel;
use crate::error::{Error, Kind, Result};
use crate::fetch::dial::Phase;
use crate::fetch::http::Fault;
use crate::models::adapt::Part;
use crate::models::provider::Provider;
pub use crate::models::verdict::{from_report, from_status, quote};
use std::time::{Duration, Instant};

/// A failing model is reported within this time, retries included (architecture.md).
const BUDGET: Duration = Duration::from_secs(15);
/// How long a server nearby that takes no connection, or says that it is loading, is asked again, and how often.
const STARTING: Duration = Duration::from_secs(10);
const STARTING_PAUSE: Duration = Duration::from_millis(500);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// When a later try may help and the server names no time.
pub const LATER: Duration = Duration::from_secs(5);
/// Why another model may be tried, as `error.details.failoverReason` says it.
const REASONS: [&str; 9] = [
    "auth",
    "billing",
    "rate_limit",
    "timeout",
    "overloaded",
    "format",
    "context_length",
    "model_not_found",
    "network",
];

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
            .with("failoverReason", "unknown");
        Failure { error, again: false, wait: None, refused: None, is_starting: false }
    }

    /// A failure that may be gone later.
    pub fn passing(p: &Provider, what: &str) -> Failure {
        let failure = Failure::lasting(p, what);
        Failure { error: failure.error.retry_in(LATER), ..failure }
    }

    /// The same with the reason another model may be tried for.
    pub fn because(self, reason: &'static str) -> Failure {
        Failure { error: self.error.with("failoverReason", reason), ..self }
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
    let told = error.details().and_then(|d| d.get("failoverReason")).and_then(|r| r.as_str());
    match error.kind {
        Kind::Aborted => "aborted",
        Kind::AgentTimeout => "timeout",
        _ => REASONS.into_iter().find(|reason| Some(*reason) == told).unwrap_or("unknown"),
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

/// The failure behind a fault of the network or of the server's HTTP.
pub fn from_fault(p: &Provider, fault: &Fault, cancel: &Cancel) -> Failure {
    let key = format!("models.providers.{}", p.id);
    let secs = |time: Duration| format!("{} s", time.as_secs_f64());
    let failure = match fault {
        Fault::Cancelled => Failure { error: cancel.error(), ..Failure::lasting(p, "") },
        Fault::NoSuchHost => {
            let what = format!(
                "cannot be found: its host name does not resolve; check {key}.baseUrl and this machine's DNS"
            );
            Failure::passing(p, &what)
        }
        Fault::Refused => {
            let what =
                format!("refused the connection: is the server running? start it or fix {key}.baseUrl");
            Failure { is_starting: true, ..Failure::passing(p, &what).again() }
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
        Fault::Coded(coding) => {
            let what = format!(
                "compresses its answers as {:?}, which nobody asked for and which is not read: turn compression off in it, or in the proxy before it",
                quote(p, coding)
            );
            Failure::lasting(p, &what)
        }
        Fault::TooLong => Failure::too_long(p),
    };
    match fault {
        Fault::Late(_) => failure.because("timeout"),
        Fault::NoSuchHost | Fault::Refused | Fault::Unreachable(_) | Fault::Tls(_) | Fault::Dropped => {
            failure.because("network")
        }
        Fault::Cancelled | Fault::Protocol(_) | Fault::Coded(_) | Fault::TooLong => failure,
    }
}
