//! How the store changes when a device comes in or has to wait.
use super::{Applicant, LAST_USED_STEP_MS, MAX_TEXT, Paired, Waiting, differs};
use crate::device::pairing::Notice;
use crate::device::pairing::records::{Client, Record, same_key};
use crate::device::pairing::request::Request;
use crate::device::pairing::store::Store;
use crate::device::scopes;
use crate::error::{Error, Result};
use crate::json::json;

/// Lets the device in. Its token stays as it is unless there is none that lives; one that holds less than the
/// device was approved for is filled up where the connect needs it, never replaced under other clients.
pub(super) fn enter(
    store: &mut Store,
    mut record: Record,
    role: &str,
    wanted: Vec<String>,
    now: u64,
) -> Result<Paired> {
    if record.live_token(role).is_none() {
        let approved = record.approved(role);
        record.issue(role, approved, now)?;
    }
    go_on(store, record, role, wanted)
}

/// The same for who has shown the living token.
pub(super) fn enter_by_token(
    store: &mut Store,
    mut record: Record,
    role: &str,
    wanted: Vec<String>,
    now: u64,
) -> Result<Paired> {
    if let Some(token) = record.tokens.get_mut(role)
        && token.last_used_at_ms.is_none_or(|at| now.abs_diff(at) >= LAST_USED_STEP_MS)
    {
        token.last_used_at_ms = Some(now);
    }
    go_on(store, record, role, wanted)
}

pub(super) fn go_on(
    store: &mut Store,
    mut record: Record,
    role: &str,
    wanted: Vec<String>,
) -> Result<Paired> {
    let approved = record.approved(role);
    let token = record.tokens.get_mut(role).filter(|token| !token.is_revoked());
    let token = token.ok_or_else(|| Error::unavailable("admit a device: it has no living token"))?;
    if scopes::first_missing(&token.scopes, &wanted).is_some() {
        token.scopes = scopes::union(&token.scopes, &approved);
    }
    let (device_token, issued_at) = (token.token.clone(), token.issued_at());
    store.put(&record)?;
    let Client { platform, device_family, display_name, .. } = record.client;
    Ok(Paired { device_token, scopes: wanted, issued_at, platform, device_family, display_name })
}

/// Makes a request, or finds the one that already asks for as much.
pub(super) fn wait(
    mut store: Store,
    applicant: &Applicant,
    wanted: Vec<String>,
    record: Option<&Record>,
    reason: &'static str,
    now: u64,
) -> Result<(Waiting, Vec<Notice>)> {
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
    Ok((waiting, events))
}

/// Takes out the requests of a device that its record now answers; nobody has to decide on them any more.
pub(in crate::device::pairing) fn answer_covered(
    store: &mut Store,
    record: &Record,
    now: u64,
) -> Vec<Notice> {
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
pub(super) fn clean(text: &str) -> Option<String> {
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
