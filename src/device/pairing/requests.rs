//! Decisions on requests and devices: list, approve, reject, remove, clear.
use super::admit::answer_covered;
use super::records::{Record, check_caller, check_over};
use super::request::Request;
use super::{Change, Closing, Pairing};
use crate::clean::is_unfit;
use crate::device::scopes;
use crate::error::{Error, Result};
use crate::json::json;
use serde_json::Value;
use std::cmp::Reverse;

/// Requests and devices as clients may see them, newest first; no token values.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    pub pending: Vec<Value>,
    pub paired: Vec<Value>,
}

impl Pairing {
    /// Everything there is.
    pub fn list(&self, now: u64) -> Result<Listing> {
        let store = self.open(now)?;
        let mut pending = store.pending().to_vec();
        crate::order::by_key(&mut pending, |request| Reverse(request.ts));
        let mut paired = store.records();
        crate::order::by_key(&mut paired, |record| Reverse(record.approved_at_ms));
        let listing = Listing {
            pending: pending.iter().map(|request| json!(request)).collect(),
            paired: paired.iter().map(Record::redacted).collect(),
        };
        store.save()?;
        Ok(listing)
    }

    /// Approves a request: `{requestId, device}`. The caller must hold every scope the request asks for.
    #[cfg(test)]
    pub fn approve(&self, request_id: &str, caller: Option<&[String]>, now: u64) -> Result<Change<Value>> {
        self.approve_only(request_id, None, caller, now)
    }

    /// The same, with no other than these of the scopes asked for.
    pub fn approve_only(
        &self,
        request_id: &str,
        only: Option<&[String]>,
        caller: Option<&[String]>,
        now: u64,
    ) -> Result<Change<Value>> {
        let mut store = self.open(now)?;
        let mut request = find(store.pending(), request_id)?;
        let asked = request.grants();
        if let Some(only) = only {
            request = request.narrowed(only)?;
        }
        check_caller(caller, &request.grants())?;
        let mut record = Record::merged(store.record(&request.device_id)?, &request, now);
        record.decline(&asked);
        for role in request.all_roles() {
            // A revoked token stays revoked: an approval of other scopes must not bring it back (SEC-08).
            if !record.tokens.contains_key(&role) {
                record.issue(&role, scopes::grantable(&role, &request.grants()), now)?;
            }
        }
        store.put(&record)?;
        store.take_requests(|r| r.request_id == request_id);
        let mut events = vec![request.resolved("approved", now)];
        events.extend(answer_covered(&mut store, &record, now));
        store.save()?;
        let result = json!({"requestId": request_id, "device": record.redacted()});
        Ok(Change { events, ..Change::of(result) })
    }

    /// Refuses a request: `{requestId, deviceId}`.
    pub fn reject(&self, request_id: &str, caller: Option<&[String]>, now: u64) -> Result<Change<Value>> {
        check_caller(caller, &[])?;
        let mut store = self.open(now)?;
        let request = find(store.pending(), request_id)?;
        store.take_requests(|r| r.request_id == request_id);
        store.save()?;
        let result = json!({"requestId": request_id, "deviceId": request.device_id});
        Ok(Change { events: vec![request.resolved("rejected", now)], ..Change::of(result) })
    }

    /// Gives a device another name: `{deviceId, displayName}`.
    pub fn rename(
        &self,
        device_id: &str,
        name: &str,
        caller: Option<&[String]>,
        now: u64,
    ) -> Result<Change<Value>> {
        if name.chars().any(is_unfit) {
            return Err(Error::invalid(
                "the name holds a line break or another character that steers a terminal: leave it out",
            ));
        }
        check_caller(caller, &[])?;
        let mut store = self.open(now)?;
        let unknown = || Error::not_found("unknown deviceId");
        let mut record = store.record(device_id)?.ok_or_else(unknown)?;
        check_over(caller, &record)?;
        record.client.display_name = Some(name.to_string());
        store.put(&record)?;
        store.save()?;
        Ok(Change::of(json!({"deviceId": device_id, "displayName": name})))
    }

    /// Forgets a device: record, tokens and requests. `{deviceId}`
    pub fn remove(&self, device_id: &str, caller: Option<&[String]>, now: u64) -> Result<Change<Value>> {
        check_caller(caller, &[])?;
        let mut store = self.open(now)?;
        match store.record(device_id) {
            Ok(record) => record.map_or(Ok(()), |record| check_over(caller, &record))?,
            // Nobody can say what it holds.
            Err(_) => check_caller(caller, &["operator.admin".to_string()])?,
        }
        if !store.remove(device_id) {
            return Err(Error::not_found("unknown deviceId"));
        }
        let dropped = store.take_requests(|r| r.device_id == device_id);
        store.save()?;
        Ok(Change {
            result: json!({"deviceId": device_id}),
            events: dropped.iter().map(|r| r.resolved("rejected", now)).collect(),
            close: all_roles(device_id),
        })
    }

    /// Takes a role from a device, with its token; a device without roles is forgotten. Gives whether it had it.
    pub fn remove_role(
        &self,
        device_id: &str,
        role: &str,
        caller: Option<&[String]>,
        now: u64,
    ) -> Result<Change<bool>> {
        check_caller(caller, &[])?;
        let mut store = self.open(now)?;
        let record = store.record(device_id)?.filter(|record| record.has_role(role));
        let Some(mut record) = record else { return Ok(Change::of(false)) };
        check_over(caller, &record)?;
        let left: Vec<String> = record.all_roles().into_iter().filter(|other| other != role).collect();
        record.tokens.remove(role);
        record.role = left.first().cloned();
        record.roles = left;
        match record.roles.is_empty() {
            true => drop(store.remove(device_id)),
            false => store.put(&record)?,
        }
        let is_meant = |r: &Request| r.device_id == device_id && r.all_roles().iter().any(|r| r == role);
        let dropped = store.take_requests(is_meant);
        store.save()?;
        Ok(Change {
            result: true,
            events: dropped.iter().map(|r| r.resolved("rejected", now)).collect(),
            close: vec![Closing { device_id: device_id.to_string(), role: role.to_string() }],
        })
    }

    /// Forgets all devices, and with `pending_too` refuses all requests. Gives the ids of the devices.
    pub fn clear(
        &self,
        pending_too: bool,
        caller: Option<&[String]>,
        now: u64,
    ) -> Result<Change<Vec<String>>> {
        check_caller(caller, &["operator.admin".to_string()])?;
        let mut store = self.open(now)?;
        let ids = store.device_ids();
        for id in &ids {
            store.remove(id);
        }
        let dropped = store.take_requests(|r| pending_too || ids.contains(&r.device_id));
        store.save()?;
        Ok(Change {
            events: dropped.iter().map(|r| r.resolved("rejected", now)).collect(),
            close: ids.iter().flat_map(|id| all_roles(id)).collect(),
            result: ids,
        })
    }
}

fn find(pending: &[Request], request_id: &str) -> Result<Request> {
    let found = pending.iter().find(|r| r.request_id == request_id);
    found.cloned().ok_or_else(|| Error::not_found("unknown requestId"))
}

fn all_roles(device_id: &str) -> Vec<Closing> {
    let closing = |role: &&str| Closing { device_id: device_id.to_string(), role: role.to_string() };
    scopes::ROLES.iter().map(closing).collect()
}
