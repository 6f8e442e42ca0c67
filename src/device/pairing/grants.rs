//! Device tokens on the server's side: rotate, revoke. They are checked where they are used, in `admit.rs`.
use super::records::{Record, check_caller, check_over};
use super::{Change, Closing, Pairing};
use crate::device::tokens::{self, HERE, StoredToken};
use crate::device::{scopes, secret_eq};
use crate::error::{Error, Result};
use serde::Serialize;

/// A new token, in clear: the result of `device.token.rotate`. No `Debug`.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotated {
    pub device_id: String,
    pub role: String,
    pub token: String,
    pub scopes: Vec<String>,
    pub rotated_at_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    pub device_id: String,
    pub role: String,
    pub revoked_at_ms: u64,
}

impl Pairing {
    /// Whether this is an operator's token that some device holds.
    pub fn holds(&self, token: &str, now: u64) -> bool {
        let devices = self.open(now).map(|store| store.records()).unwrap_or_default();
        let held = devices.iter().filter_map(|device| device.live_token("operator"));
        held.filter(|held| secret_eq(&held.token, token)).count() > 0
    }

    /// Replaces a token by a new one. With `scopes` the device holds no more than those from now on. A client
    /// that shares this state directory has the new token before the old one dies (R-05c).
    pub fn rotate(
        &self,
        device_id: &str,
        role: &str,
        scopes: Option<&[String]>,
        caller: Option<&[String]>,
        now: u64,
    ) -> Result<Change<Rotated>> {
        let mut store = self.open(now)?;
        let record = store.record(device_id)?.filter(|record| record.has_role(role));
        let mut record = record.ok_or_else(unknown)?;
        check_over(caller, &record)?;
        if record.tokens.get(role).is_some_and(|token| token.is_revoked()) {
            // Otherwise a session that was cut off could bring its own authority back (SEC-08).
            return Err(Error::invalid(
                "rotate a device token: it is revoked; connect the device with the gateway token to get a new one",
            ));
        }
        let target = rotation_scopes(&record, role, scopes)?;
        check_caller(caller, &target)?;
        if scopes.is_some() {
            narrow(&mut record, role, &target);
        }
        let issued = record.issue(role, target, now)?.clone();
        if tokens::belongs_here(&self.state_dir, device_id) {
            let (token, scopes, gateway) = (issued.token.clone(), issued.scopes.clone(), HERE.to_string());
            let stored = StoredToken { token, scopes, gateway };
            tokens::store(&self.state_dir, device_id, role, &stored, now)?;
        }
        store.put(&record)?;
        store.save()?;
        let (device_id, role) = (device_id.to_string(), role.to_string());
        let close = vec![Closing { device_id: device_id.clone(), role: role.clone() }];
        let rotated =
            Rotated { device_id, role, token: issued.token, scopes: issued.scopes, rotated_at_ms: now };
        Ok(Change { close, ..Change::of(rotated) })
    }

    /// Makes a token worthless. The device stays paired and gets a new token when it next connects with the
    /// shared secret.
    pub fn revoke(
        &self,
        device_id: &str,
        role: &str,
        caller: Option<&[String]>,
        now: u64,
    ) -> Result<Change<Revoked>> {
        check_caller(caller, &[])?;
        let mut store = self.open(now)?;
        let mut record = store.record(device_id)?.ok_or_else(unknown)?;
        check_over(caller, &record)?;
        let token = record.tokens.get_mut(role).ok_or_else(unknown)?;
        let revoked_at_ms = token.revoked_at_ms.filter(|at| *at > 0).unwrap_or(now);
        token.revoked_at_ms = Some(revoked_at_ms);
        store.put(&record)?;
        store.save()?;
        let (device_id, role) = (device_id.to_string(), role.to_string());
        let close = vec![Closing { device_id: device_id.clone(), role: role.clone() }];
        Ok(Change { close, ..Change::of(Revoked { device_id, role, revoked_at_ms }) })
    }
}

/// The scopes of the new token: those given, else those of the old token, else all that are approved.
fn rotation_scopes(record: &Record, role: &str, given: Option<&[String]>) -> Result<Vec<String>> {
    let approved = record.approved(role);
    let Some(given) = given else {
        let held = record.tokens.get(role).map(|token| scopes::grantable(role, &token.scopes));
        let mut held = held.unwrap_or_else(|| approved.clone());
        held.retain(|scope| scopes::covers(&approved, scope));
        return Ok(held);
    };
    if given.is_empty() && !approved.is_empty() {
        return Err(Error::invalid(
            "rotate a device token: no scopes given; name some, or leave the list out",
        ));
    }
    let target = scopes::grantable(role, given);
    if let Some(scope) = given.iter().find(|scope| !target.contains(scope)) {
        return Err(Error::invalid(format!(
            "rotate a device token: no such scope for role {role}: {scope:.64}"
        )));
    }
    match scopes::first_missing(&approved, &target) {
        Some(scope) => Err(Error::invalid(format!(
            "rotate a device token: the device is not approved for {scope}; let it ask for that scope and approve it"
        ))),
        None => Ok(target),
    }
}

/// Takes from the record every scope of the role that is not in `target`.
fn narrow(record: &mut Record, role: &str, target: &[String]) {
    let prefix = format!("{role}.");
    record.scopes.retain(|scope| !scope.starts_with(&prefix));
    record.scopes = scopes::union(&record.scopes, target);
}

fn unknown() -> Error {
    Error::not_found("unknown deviceId/role")
}
