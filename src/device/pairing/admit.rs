//! What becomes of a connecting device that has proved its key: in, waiting for approval, or out.
//!
//! INVARIANT: a device token is checked and used under one lock. Who came by one leaves with the one he showed:
//! it is never replaced on his way in, so a token that is revoked or rotated meanwhile buys no successor (SEC-08).
mod entering;
use super::records::{Client, Record, same_key};
use super::request::Request;
use super::{Change, Pairing};
use crate::device::proof::Verified;
use crate::device::{scopes, secret_eq};
use crate::error::{Error, Kind, Result};
use crate::ids;
pub(super) use entering::answer_covered;
use entering::{clean, enter, enter_by_token, wait};
use serde_json::{Map, Value};

/// Client strings are cut to this many bytes before they are stored.
const MAX_TEXT: usize = 200;
/// How old `lastUsedAtMs` may get before it is written anew: a write for every connect would wear out a card.
const LAST_USED_STEP_MS: u64 = 5 * 60 * 1000;

/// A connecting device whose proof was verified.
pub struct Applicant<'a> {
    pub device: &'a Verified,
    pub role: &'a str,
    /// The scopes asked for, after defaulting. Those that do not exist are left out of what is granted.
    pub scopes: &'a [String],
    pub client_id: &'a str,
    pub client_mode: &'a str,
    pub display_name: Option<&'a str>,
    pub platform: &'a str,
    pub device_family: Option<&'a str>,
    /// For a client that is not on this host.
    pub remote_ip: Option<&'a str>,
}

/// What it showed beside its proof.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// The shared secret, or an identity in its place: verified. `is_silent` is asked when the device would have to
    /// wait: whether it may be approved without asking, one that nobody knows (`true`) or one that wants more.
    Shared { is_silent: &'a dyn Fn(bool) -> bool },
    /// Texts of which one may be this device's token; whether one is, is found out here.
    Tokens(&'a [&'a str]),
}

pub enum Admission {
    Paired(Paired),
    Pending(Waiting),
    /// None of the texts is the device's living token.
    Refused,
}

pub struct Decision {
    pub admission: Admission,
    /// One of the texts was not the device's token: a guess, even beside one that was.
    pub has_guessed: bool,
}

/// What the device may do, and the token that lets it come back. No `Debug`: it holds the token.
pub struct Paired {
    pub device_token: String,
    /// The scopes of this connection: those asked for, without those that the owner declined.
    pub scopes: Vec<String>,
    /// Epoch milliseconds.
    pub issued_at: u64,
    /// As approved, not as claimed now (SEC-09).
    pub platform: Option<String>,
    pub device_family: Option<String>,
    pub display_name: Option<String>,
}

/// A request that somebody has to approve first.
#[derive(Debug)]
pub struct Waiting {
    /// The pending request as clients see it.
    pub request: Value,
    pub request_id: String,
    /// `not-paired`, `role-upgrade`, `scope-upgrade` or `metadata-upgrade`.
    pub reason: &'static str,
    pub approved_roles: Vec<String>,
    pub approved_scopes: Vec<String>,
}

impl Waiting {
    /// The answer to the connect. `approve_command` is the command line that approves the request.
    pub fn to_error(&self, approve_command: &str) -> Error {
        let from_request = |key: &str| self.request.get(key).cloned().unwrap_or_default();
        Error::new(Kind::NotPaired, "pairing required")
            .with("reason", self.reason)
            .with("requestId", self.request_id.as_str())
            .with("remediationHint", format!("approve this device on the gateway host: {approve_command}"))
            .with("recommendedNextStep", "wait_then_retry")
            .with("retryable", true)
            .with("pauseReconnect", false)
            .with("deviceId", from_request("deviceId"))
            .with("requestedRole", from_request("role"))
            .with("requestedScopes", from_request("scopes"))
            .with("approvedRoles", self.approved_roles.clone())
            .with("approvedScopes", self.approved_scopes.clone())
    }
}

impl Pairing {
    /// Decides on a connect. Nothing is granted that was not approved before, or is approved now because the
    /// client is on this host.
    pub fn admit(&self, applicant: &Applicant, credential: Credential, now: u64) -> Result<Change<Decision>> {
        if !scopes::ROLES.contains(&applicant.role) {
            return Err(Error::invalid("invalid role"));
        }
        let mut store = self.open(now)?;
        let record = store.record(&applicant.device.device_id)?;
        let (is_right, has_guessed) = credential.judge(record.as_ref(), applicant.role);
        let decided = |admission| Change::of(Decision { admission, has_guessed });
        if !is_right {
            return Ok(decided(Admission::Refused));
        }
        let wanted = scopes::grantable(applicant.role, applicant.scopes);
        let wanted = match record.as_ref().filter(|r| same_key(&r.public_key, &applicant.device.public_key)) {
            Some(record) => record.left_of(applicant.role, wanted),
            None => wanted,
        };
        let mut events = Vec::new();
        let record = match (approval_needed(record.as_ref(), applicant, &wanted), record) {
            (None, Some(record)) => record,
            (_, record) if credential.is_silent(record.is_none()) => {
                let request =
                    Request { silent: true, ..applicant.request(wanted.clone(), record.is_some(), now)? };
                events.push(request.resolved("approved", now));
                let record = Record::merged(record, &request, now);
                events.extend(answer_covered(&mut store, &record, now));
                record
            }
            (reason, record) => {
                let reason = reason.unwrap_or("not-paired");
                let (waiting, events) = wait(store, applicant, wanted, record.as_ref(), reason, now)?;
                return Ok(Change { events, ..decided(Admission::Pending(waiting)) });
            }
        };
        let paired = match credential {
            Credential::Shared { .. } => enter(&mut store, record, applicant.role, wanted, now)?,
            Credential::Tokens(_) => enter_by_token(&mut store, record, applicant.role, wanted, now)?,
        };
        match (store.save(), credential) {
            // All that it can have changed is a stamp for people to read; a full disk must not keep a device out.
            (Err(e), Credential::Tokens(_)) => {
                log::warn!(target: "gateway/ws", "the pairing store cannot be written: {e}");
            }
            (saved, _) => saved?,
        }
        Ok(Change { events, ..decided(Admission::Paired(paired)) })
    }
}

impl Credential<'_> {
    /// Whether it is right, and whether anything of it is wrong. All texts are compared.
    fn judge(&self, record: Option<&Record>, role: &str) -> (bool, bool) {
        let Credential::Tokens(shown) = self else { return (true, false) };
        let held = record.filter(|record| record.has_role(role)).and_then(|record| record.live_token(role));
        let fits = |text: &&str| held.is_some_and(|held| secret_eq(&held.token, text));
        let right = shown.iter().filter(|text| fits(text)).count();
        (right > 0, right < shown.len())
    }

    fn is_silent(&self, is_new: bool) -> bool {
        matches!(self, Credential::Shared { is_silent } if is_silent(is_new))
    }
}

impl Applicant<'_> {
    fn client(&self) -> Client {
        Client {
            display_name: self.display_name.and_then(clean),
            platform: clean(self.platform),
            device_family: self.device_family.and_then(clean),
            client_id: clean(self.client_id),
            client_mode: clean(self.client_mode),
            remote_ip: self.remote_ip.and_then(clean),
        }
    }

    fn request(&self, scopes: Vec<String>, is_repair: bool, now: u64) -> Result<Request> {
        Ok(Request {
            request_id: ids::uuid()?,
            device_id: self.device.device_id.clone(),
            public_key: self.device.public_key.clone(),
            client: self.client(),
            role: Some(self.role.to_string()),
            roles: vec![self.role.to_string()],
            scopes,
            silent: false,
            is_repair,
            ts: now,
            rest: Map::new(),
        })
    }
}

/// Why the device may not enter as things are, if so.
fn approval_needed(
    record: Option<&Record>,
    applicant: &Applicant,
    wanted: &[String],
) -> Option<&'static str> {
    let Some(record) = record.filter(|r| same_key(&r.public_key, &applicant.device.public_key)) else {
        return Some("not-paired");
    };
    if !record.has_role(applicant.role) {
        return Some("role-upgrade");
    }
    if scopes::first_missing(&record.approved(applicant.role), wanted).is_some() {
        return Some("scope-upgrade");
    }
    let client = applicant.client();
    let is_changed = differs(&record.client.platform, &client.platform)
        || differs(&record.client.device_family, &client.device_family);
    is_changed.then_some("metadata-upgrade")
}

/// Whether a platform or family is another one than was approved. A new version of the same system is not,
/// and neither is one that was not recorded: it counts for nothing until it is approved.
fn differs(approved: &Option<String>, claimed: &Option<String>) -> bool {
    let name = |text: &str| -> String {
        text.trim().chars().take_while(|c| c.is_alphabetic()).collect::<String>().to_lowercase()
    };
    approved.as_ref().zip(claimed.as_ref()).is_some_and(|(approved, claimed)| name(approved) != name(claimed))
}
