//! What becomes of a connecting device that has proved its key: in, or waiting for approval.
use super::records::{Client, Record, Request, same_key};
use super::store::Store;
use super::{Change, Notice, Pairing};
use crate::device::proof::Verified;
use crate::device::scopes;
use crate::error::{Error, Kind, Result};
use crate::ids;
use crate::json::json;
use serde_json::{Map, Value};

/// Client strings are cut to this many bytes before they are stored.
const MAX_TEXT: usize = 200;

/// A connecting device whose proof was verified and whose credentials were right.
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
    /// The client is on this host, used the shared secret, and config allows approval without asking.
    pub local_silent_ok: bool,
}

pub enum Admission {
    Paired(Paired),
    Pending(Waiting),
}

/// What the device may do, and the token that lets it come back. No `Debug`: it holds the token.
pub struct Paired {
    pub device_token: String,
    /// The scopes of this connection: those asked for.
    pub scopes: Vec<String>,
    /// Epoch milliseconds.
    pub issued_at: u64,
    /// As approved, not as claimed now (SEC-09).
    #[cfg_attr(not(test), expect(dead_code, reason = "for the commands that a node may be given"))]
    pub platform: Option<String>,
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
    pub fn admit(&self, applicant: &Applicant, now: u64) -> Result<Change<Admission>> {
        if !scopes::ROLES.contains(&applicant.role) {
            return Err(Error::invalid("invalid role"));
        }
        let mut store = self.open(now)?;
        let record = store.record(&applicant.device.device_id)?;
        let wanted = scopes::grantable(applicant.role, applicant.scopes);
        let mut events = Vec::new();
        let record = match (approval_needed(record.as_ref(), applicant, &wanted), record) {
            (None, Some(record)) => record,
            (_, record) if applicant.local_silent_ok => {
                let request = applicant.request(wanted.clone(), record.is_some(), now)?;
                events.push(request.resolved("approved", now));
                let record = Record::merged(record, &request, now);
                events.extend(answer_covered(&mut store, &record, now));
                record
            }
            (reason, record) => {
                let reason = reason.unwrap_or("not-paired");
                return wait(store, applicant, wanted, record.as_ref(), reason, now);
            }
        };
        let paired = enter(&mut store, record, applicant.role, wanted, now)?;
        store.save()?;
        Ok(Change { events, ..Change::of(Admission::Paired(paired)) })
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
            silent: self.local_silent_ok,
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

/// Lets the device in. Its token stays as it is unless there is none that lives; one that holds less than the
/// device was approved for is filled up where the connect needs it, never replaced under other clients.
fn enter(store: &mut Store, mut record: Record, role: &str, wanted: Vec<String>, now: u64) -> Result<Paired> {
    let approved = record.approved(role);
    if record.live_token(role).is_none() {
        record.issue(role, approved.clone(), now)?;
    }
    let token =
        record.tokens.get_mut(role).ok_or_else(|| Error::unavailable("issue a device token: none made"))?;
    if scopes::first_missing(&token.scopes, &wanted).is_some() {
        token.scopes = scopes::union(&token.scopes, &approved);
    }
    let (device_token, issued_at) = (token.token.clone(), token.issued_at());
    store.put(&record)?;
    Ok(Paired { device_token, scopes: wanted, issued_at, platform: record.client.platform })
}

/// Makes a request, or finds the one that already asks for as much.
fn wait(
    mut store: Store,
    applicant: &Applicant,
    wanted: Vec<String>,
    record: Option<&Record>,
    reason: &'static str,
    now: u64,
) -> Result<Change<Admission>> {
    let new = applicant.request(wanted, record.is_some(), now)?;
    let asks_as_much = |r: &&Request| {
        r.device_id == new.device_id
            && same_key(&r.public_key, &new.public_key)
            && r.all_roles() == new.all_roles()
            && scopes::first_missing(&r.grants(), &new.scopes).is_none()
            && !differs(&r.client.platform, &new.client.platform)
            && !differs(&r.client.device_family, &new.client.device_family)
    };
    let found = store.pending().iter().find(asks_as_much).cloned();
    let is_new = found.is_none();
    let request = found.unwrap_or(new);
    let shown = json!(request);
    let mut events = Vec::new();
    if is_new {
        events.push(Notice { event: "device.pair.requested", payload: shown.clone() });
        store.add_request(request.clone());
    }
    store.save()?;
    let waiting = Waiting {
        request: shown,
        request_id: request.request_id,
        reason,
        approved_roles: record.map(Record::all_roles).unwrap_or_default(),
        approved_scopes: record.map(|r| r.approved(applicant.role)).unwrap_or_default(),
    };
    Ok(Change { events, ..Change::of(Admission::Pending(waiting)) })
}

/// Takes out the requests of a device that its record now answers; nobody has to decide on them any more.
pub(super) fn answer_covered(store: &mut Store, record: &Record, now: u64) -> Vec<Notice> {
    let is_answered = |r: &Request| {
        r.device_id == record.device_id
            && same_key(&r.public_key, &record.public_key)
            && r.all_roles().iter().all(|role| record.has_role(role))
            && scopes::first_missing(&record.scopes, &r.grants()).is_none()
            && !differs(&record.client.platform, &r.client.platform)
            && !differs(&record.client.device_family, &r.client.device_family)
    };
    store.take_requests(is_answered).iter().map(|r| r.resolved("approved", now)).collect()
}

/// A client's string as it may be stored: no control characters, at most `MAX_TEXT` bytes, not blank.
fn clean(text: &str) -> Option<String> {
    let mut kept = String::new();
    for c in text.trim().chars().filter(|c| !c.is_control()) {
        if kept.len() + c.len_utf8() > MAX_TEXT {
            break;
        }
        kept.push(c);
    }
    let kept = kept.trim_end();
    (!kept.is_empty()).then(|| kept.to_string())
}
