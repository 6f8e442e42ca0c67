//! The entries of the two files, and the rules about what an entry grants. Pure data; members this program
//! does not know are kept.
//!
//! INVARIANT: a device holds for a role what `Record::approved` says. A token may hold less, never more.
use super::request::{Request, known_roles};
use crate::device::{keys, scopes};
use crate::error::{Error, Kind, Result};
use crate::ids;
use crate::json::{Put, json};
use crate::params::{Params, Source};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A paired device. No `Debug`: it holds tokens.
#[derive(Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub device_id: String,
    pub public_key: String,
    #[serde(flatten)]
    pub client: Client,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    pub roles: Vec<String>,
    pub scopes: Vec<String>,
    /// Asked for and not granted (`devices approve --scopes`): a device that asks for these too gets the rest, and
    /// raises no request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub declined_scopes: Vec<String>,
    pub tokens: BTreeMap<String, Token>,
    pub created_at_ms: u64,
    pub approved_at_ms: u64,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Params for Record {
    fn take(from: &mut Source) -> Record {
        Record {
            device_id: from.take("device_id"),
            public_key: from.take("public_key"),
            client: Client::take(from),
            role: from.take("role"),
            roles: from.take("roles"),
            scopes: from.take("scopes"),
            declined_scopes: from.take("declined_scopes"),
            tokens: from.take("tokens"),
            created_at_ms: from.take("created_at_ms"),
            approved_at_ms: from.take("approved_at_ms"),
            rest: from.rest(),
        }
    }
}

/// What a client says about itself when it asks to be paired.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Client {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<String>,
}

impl Params for Client {
    fn take(from: &mut Source) -> Client {
        Client {
            display_name: from.take("display_name"),
            platform: from.take("platform"),
            device_family: from.take("device_family"),
            client_id: from.take("client_id"),
            client_mode: from.take("client_mode"),
            remote_ip: from.take("remote_ip"),
        }
    }
}

#[derive(Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Token {
    pub token: String,
    pub role: String,
    pub scopes: Vec<String>,
    pub created_at_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotated_at_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at_ms: Option<u64>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Params for Token {
    fn take(from: &mut Source) -> Token {
        Token {
            token: from.take("token"),
            role: from.take("role"),
            scopes: from.take("scopes"),
            created_at_ms: from.take("created_at_ms"),
            rotated_at_ms: from.take("rotated_at_ms"),
            revoked_at_ms: from.take("revoked_at_ms"),
            last_used_at_ms: from.take("last_used_at_ms"),
            rest: from.rest(),
        }
    }
}

impl Record {
    pub fn all_roles(&self) -> Vec<String> {
        known_roles(&self.role, &self.roles)
    }

    pub fn has_role(&self, role: &str) -> bool {
        self.all_roles().iter().any(|r| r == role)
    }

    /// The scopes the device was approved for in `role`.
    pub fn approved(&self, role: &str) -> Vec<String> {
        if self.has_role(role) { scopes::grantable(role, &self.scopes) } else { Vec::new() }
    }

    pub fn live_token(&self, role: &str) -> Option<&Token> {
        self.tokens.get(role).filter(|token| !token.is_revoked() && !token.token.is_empty())
    }

    /// The record after `request` is approved: roles and scopes are added to; a live token of a role asked
    /// for gains the scopes, so that a client which has only the token is not locked out by its upgrade.
    pub fn merged(old: Option<Record>, request: &Request, now: u64) -> Record {
        let mut record = match old {
            Some(record) if same_key(&record.public_key, &request.public_key) => record,
            // Another key is another device: nothing granted before is inherited.
            Some(record) => Record { created_at_ms: record.created_at_ms, ..Record::default() },
            None => Record { created_at_ms: now, ..Record::default() },
        };
        let grants = request.grants();
        record.device_id.clone_from(&request.device_id);
        record.public_key.clone_from(&request.public_key);
        record.client.update(&request.client);
        record.role = request.all_roles().first().cloned().or(record.role);
        record.roles = scopes::union(&record.roles, &request.all_roles());
        record.scopes = scopes::union(&record.scopes, &grants);
        record.decline(&[]);
        record.approved_at_ms = now;
        for role in request.all_roles() {
            let gained = scopes::grantable(&role, &grants);
            if let Some(token) = record.tokens.get_mut(&role).filter(|token| !token.is_revoked()) {
                token.scopes = scopes::union(&token.scopes, &gained);
            }
        }
        record
    }

    /// What was asked for and is not held is declined, beside what was before.
    pub fn decline(&mut self, asked: &[String]) {
        self.declined_scopes = scopes::union(&self.declined_scopes, asked);
        self.declined_scopes.retain(|scope| !scopes::covers(&self.scopes, scope));
    }

    /// What a connect that wants all this is for: where the owner has declined a part, what is left of it.
    pub fn left_of(&self, role: &str, wanted: Vec<String>) -> Vec<String> {
        let is_declined = |scope: &String| self.declined_scopes.contains(scope);
        if !wanted.iter().any(is_declined) {
            return wanted;
        }
        let mut held = self.approved(role);
        held.retain(|scope| scopes::covers(&wanted, scope));
        let rest: Vec<String> = wanted.iter().filter(|scope| !is_declined(scope)).cloned().collect();
        let left = scopes::union(&held, &rest);
        if left.is_empty() { wanted } else { left }
    }

    /// Replaces the token of a role by a new one.
    pub fn issue(&mut self, role: &str, scopes: Vec<String>, now: u64) -> Result<&Token> {
        let old = self.tokens.remove(role);
        let (created_at_ms, rotated_at_ms) = old.map_or((now, None), |old| (old.created_at_ms, Some(now)));
        let (token, role) = (ids::hex(16)?, role.to_string());
        let token =
            Token { token, role: role.clone(), scopes, created_at_ms, rotated_at_ms, ..Token::default() };
        Ok(self.tokens.entry(role).or_insert(token))
    }

    /// The record as clients may see it: token values and members of unknown meaning left out.
    pub fn redacted(&self) -> Value {
        let shown = Record { tokens: BTreeMap::new(), rest: Map::new(), ..self.clone() };
        let tokens: Vec<Value> = self.tokens.iter().map(|(role, token)| token.summary(role)).collect();
        let mut value = json!(shown);
        if let Some(map) = value.as_object_mut() {
            map.put("tokens", tokens);
        }
        value
    }
}

impl Token {
    pub fn is_revoked(&self) -> bool {
        self.revoked_at_ms.is_some_and(|at| at > 0)
    }

    pub fn issued_at(&self) -> u64 {
        self.rotated_at_ms.filter(|at| *at > 0).unwrap_or(self.created_at_ms)
    }

    fn summary(&self, role: &str) -> Value {
        let mut summary = json!({"role": role, "scopes": self.scopes, "createdAtMs": self.created_at_ms});
        let stamps = [
            ("rotatedAtMs", self.rotated_at_ms),
            ("revokedAtMs", self.revoked_at_ms),
            ("lastUsedAtMs", self.last_used_at_ms),
        ];
        for (name, at) in stamps {
            if let (Some(at), Some(map)) = (at.filter(|at| *at > 0), summary.as_object_mut()) {
                map.insert(name.into(), at.into());
            }
        }
        summary
    }
}

impl Client {
    /// Takes over what `new` names.
    fn update(&mut self, new: &Client) {
        let Client { display_name, platform, device_family, client_id, client_mode, remote_ip } = new;
        let set = |old: &mut Option<String>, new: &Option<String>| {
            if new.is_some() {
                old.clone_from(new);
            }
        };
        set(&mut self.display_name, display_name);
        set(&mut self.platform, platform);
        set(&mut self.device_family, device_family);
        set(&mut self.client_id, client_id);
        set(&mut self.client_mode, client_mode);
        set(&mut self.remote_ip, remote_ip);
    }
}

/// Whether two public keys are the same, whatever form each is written in.
pub(super) fn same_key(a: &str, b: &str) -> bool {
    let (a, b) = (keys::public_key_bytes(a), keys::public_key_bytes(b));
    a.is_some() && a == b
}

/// The answer to a caller whose scopes do not cover what is asked for.
pub(super) fn missing_scope(scope: &str) -> Error {
    Error::new(Kind::Forbidden, format!("missing scope: {scope}"))
        .with("missingScope", scope)
        .with("requiredScopes", vec![scope])
}

/// Refuses a caller that could hand out more than it holds (SEC-07).
pub(super) fn check_caller(caller: Option<&[String]>, granted: &[String]) -> Result<()> {
    let Some(held) = caller else { return Ok(()) };
    let pairing = ["operator.pairing".to_string()];
    match scopes::first_missing(held, &pairing).or_else(|| scopes::first_missing(held, granted)) {
        Some(scope) => Err(missing_scope(scope)),
        None => Ok(()),
    }
}

/// Refuses a caller that holds less than the device: neither its end nor its new token are for him, whoever he is
/// himself. An administrator's device is therefore an administrator's matter.
pub(super) fn check_over(caller: Option<&[String]>, device: &Record) -> Result<()> {
    let tokens = device.tokens.values().flat_map(|token| token.scopes.iter().cloned());
    let held: Vec<String> = device.scopes.iter().cloned().chain(tokens).collect();
    check_caller(caller, &scopes::grantable("operator", &held))
}
