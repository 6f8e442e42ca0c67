//! How a `connect` is refused: in the words and codes that clients know, with what helps. Pure.
use super::connect::Connect;
use crate::device::pairing::Change;
use crate::door::{Failed, PAUSE};
use crate::error::{Error, Kind};
use crate::settings::AuthMode;
use crate::state::admitted::Client;

/// A refusal, and what the pairing store changed meanwhile (a new pending request).
pub struct Refusal {
    pub error: Error,
    pub change: Change<()>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal { error, change: Change::default() }
    }
}

/// What is said to who lost his place while he waited to be compared, or to be told. It says nothing about the secret.
pub fn unheard() -> Error {
    Error::new(Kind::Unavailable, "too many failed authentication attempts, and others wait: try again")
        .retry_in(PAUSE)
}

/// What is said instead of the reason for a refusal where there were too many.
pub fn rate_limited(failed: Failed) -> Error {
    let Failed::TooMany { wait, last } = failed else {
        return Error::new(Kind::Unauthorized, "unauthorized");
    };
    let secs = wait.as_secs() + 1;
    let text = format!(
        "unauthorized: too many failed authentication attempts (retry with the right secret, or in {secs} s; last failed: {last})"
    );
    Error::new(Kind::RateLimited, text)
        .with("recommendedNextStep", "wait_then_retry")
        .with("lastFailed", last)
        .retry_in(wait)
}

pub fn unauthorized(mode: AuthMode, configured: bool, request: &Connect) -> Error {
    let (offered, fix_key) = match mode {
        AuthMode::Token => (&request.auth.token, "token"),
        AuthMode::Password => (&request.auth.password, "password"),
    };
    let (state, upper) = match (configured, offered.as_deref().unwrap_or_default().is_empty()) {
        (false, _) => ("not configured on gateway", "NOT_CONFIGURED"),
        (true, true) => ("missing", "MISSING"),
        (true, false) => ("mismatch", "MISMATCH"),
    };
    let hint = if configured { hint(mode, &request.client) } else { format!("set gateway.auth.{fix_key}") };
    let name = mode.name();
    Error::new(Kind::Unauthorized, format!("unauthorized: gateway {name} {state} ({hint})"))
        .with("code", format!("AUTH_{}_{upper}", name.to_ascii_uppercase()))
        .with("authReason", format!("{name}_{}", upper.to_ascii_lowercase()))
        .with("canRetryWithDeviceToken", false)
        .with(
            "recommendedNextStep",
            if configured { "update_auth_credentials" } else { "update_auth_configuration" },
        )
}

/// A code is good once.
pub fn spent() -> Error {
    of_code("unauthorized: the code was used already or is too old (run openclaw dashboard for a new one)")
}

/// A code that comes from where none is taken.
pub fn not_for() -> Error {
    of_code(
        "unauthorized: a code lets in the control page in a browser, nobody else (show the token or password, or pair a device)",
    )
}

fn of_code(text: &str) -> Error {
    Error::new(Kind::Unauthorized, text)
        .with("code", "AUTH_BOOTSTRAP_TOKEN_INVALID")
        .with("authReason", "bootstrap_token_invalid")
        .with("canRetryWithDeviceToken", false)
        .with("recommendedNextStep", "update_auth_credentials")
}

fn hint(mode: AuthMode, client: &Client) -> String {
    let name = mode.name();
    match (client.mode.as_str(), client.id.as_str()) {
        ("cli" | "probe", _) => format!("set gateway.remote.{name} to match gateway.auth.{name}"),
        ("webchat", _) | (_, "openclaw-control-ui") => match mode {
            AuthMode::Token => {
                "open the dashboard URL and paste the token in Control UI settings".to_string()
            }
            AuthMode::Password => "enter the password in Control UI settings".to_string(),
        },
        _ => format!("provide gateway auth {name}"),
    }
}
