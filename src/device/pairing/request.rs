//! A request to be paired, as it is kept.
use super::records::Client;
use crate::device::pairing::Notice;
use crate::device::scopes;
use crate::error::{Error, Result};
use crate::json::json;
use crate::params::{Params, Source};
use serde::Serialize;
use serde_json::{Map, Value};

/// A request that waits for approval. It is never changed once made (SEC-08).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    pub request_id: String,
    pub device_id: String,
    pub public_key: String,
    #[serde(flatten)]
    pub client: Client,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    pub roles: Vec<String>,
    pub scopes: Vec<String>,
    pub silent: bool,
    pub is_repair: bool,
    pub ts: u64,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Params for Request {
    fn take(from: &mut Source) -> Request {
        Request {
            request_id: from.take("request_id"),
            device_id: from.take("device_id"),
            public_key: from.take("public_key"),
            client: Client::take(from),
            role: from.take("role"),
            roles: from.take("roles"),
            scopes: from.take("scopes"),
            silent: from.take("silent"),
            is_repair: from.take("is_repair"),
            ts: from.take("ts"),
            rest: from.rest(),
        }
    }
}

impl Request {
    /// Whether it has what none is made without.
    pub fn is_whole(&self) -> bool {
        ![&self.request_id, &self.device_id, &self.public_key].iter().any(|text| text.is_empty())
            && self.ts > 0
    }

    /// The roles asked for, as far as they exist.
    pub fn all_roles(&self) -> Vec<String> {
        known_roles(&self.role, &self.roles)
    }

    /// The scopes its approval would grant.
    pub fn grants(&self) -> Vec<String> {
        let of_role = |role: &String| scopes::grantable(role, &self.scopes);
        scopes::union(&[], &self.all_roles().iter().flat_map(of_role).collect::<Vec<_>>())
    }

    /// The same request for no other than these scopes, each of which is asked for or part of what is.
    pub fn narrowed(mut self, only: &[String]) -> Result<Request> {
        let asked = self.grants();
        if let Some(other) = scopes::first_missing(&asked, only) {
            let text = format!("the request does not ask for {other}, only for {}", asked.join(", "));
            return Err(Error::invalid(text));
        }
        if only.is_empty() {
            return Err(Error::invalid("no scope is left: name one, or reject the request"));
        }
        self.scopes = only.to_vec();
        Ok(self)
    }

    pub fn resolved(&self, decision: &str, now: u64) -> Notice {
        let Request { request_id, device_id, .. } = self;
        Notice {
            event: "device.pair.resolved",
            payload: json!({"requestId": request_id, "deviceId": device_id, "decision": decision, "ts": now}),
        }
    }
}

pub(super) fn known_roles(role: &Option<String>, roles: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for role in role.iter().chain(roles) {
        if scopes::ROLES.contains(&role.as_str()) && !all.contains(role) {
            all.push(role.clone());
        }
    }
    all
}
