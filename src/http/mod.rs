//! HTTP on the gateway's port: the ROUTES table and the worker that serves it.
//!
//! A route is one row: methods, path, who may ask, handler. Handlers are functions over a request head and
//! body; they give a status and a JSON value and know nothing of sockets. Everything else is a JSON 404.
pub mod connection;
pub mod path;
pub mod probes;

use crate::state::shared::Shared;
use serde_json::Value;

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Anybody; the answer tells nothing but that the gateway lives. `is_authorized` says whether a valid
    /// secret was sent, for those that tell more then.
    Open,
}

pub struct Request {
    pub is_authorized: bool,
}

pub struct Answer {
    pub status: u16,
    pub body: Value,
    /// In how many seconds it may be otherwise.
    pub retry_after: Option<u64>,
}

pub struct Route {
    pub methods: &'static [&'static str],
    pub path: &'static str,
    pub auth: Auth,
    /// Largest body taken, bytes.
    pub max_body: usize,
    pub handler: fn(&Shared, &Request) -> Answer,
}

const PROBE: &[&str] = &["GET", "HEAD"];

pub static ROUTES: &[Route] = &[
    Route { methods: PROBE, path: "/health", auth: Auth::Open, max_body: 0, handler: probes::live },
    Route { methods: PROBE, path: "/healthz", auth: Auth::Open, max_body: 0, handler: probes::live },
    Route { methods: PROBE, path: "/ready", auth: Auth::Open, max_body: 0, handler: probes::ready },
    Route { methods: PROBE, path: "/readyz", auth: Auth::Open, max_body: 0, handler: probes::ready },
    Route { methods: PROBE, path: "/startup", auth: Auth::Open, max_body: 0, handler: probes::startup },
    Route { methods: PROBE, path: "/startupz", auth: Auth::Open, max_body: 0, handler: probes::startup },
];
