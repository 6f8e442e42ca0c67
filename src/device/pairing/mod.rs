//! The pairing store: which devices may connect, for which roles and scopes, with which tokens.
//!
//! The truth is in `<STATE>/devices/{pending,paired}.json`. Every operation locks, reads, changes, writes and
//! unlocks, so connection threads and the CLI on the host (with the gateway up or down) use these same
//! functions. `admit.rs` decides on a connect, `requests.rs` on requests, `grants.rs` on tokens; each says
//! what must be broadcast and which connections must be closed, and does neither.
mod admit;
mod grants;
mod records;
mod request;
mod requests;
mod store;
#[cfg(test)]
mod tests;

pub use admit::{Admission, Applicant, Credential, Paired};

use serde_json::Value;
use std::path::{Path, PathBuf};

/// How long a request waits for approval, in milliseconds.
pub const REQUEST_TTL_MS: u64 = 5 * 60 * 1000;
/// How many requests wait at most.
pub const MAX_PENDING: usize = 50;

/// The pairing store of a state directory. Cheap to make; it keeps nothing in memory.
///
/// `now` is epoch milliseconds everywhere. `caller` holds the scopes of the connection that asks; `None` is
/// the owner of the host, who may do everything.
#[derive(Debug, Clone)]
pub struct Pairing {
    state_dir: PathBuf,
}

impl Pairing {
    pub fn new(state_dir: &Path) -> Pairing {
        Pairing { state_dir: state_dir.to_path_buf() }
    }
}

/// What an operation gave, and what the gateway has to do about it.
#[derive(Default)]
pub struct Change<T> {
    pub result: T,
    /// Events for connections with `operator.pairing`.
    pub events: Vec<Notice>,
    /// Connections to close: whoever is connected as that device in that role.
    pub close: Vec<Closing>,
}

impl<T> Change<T> {
    fn of(result: T) -> Change<T> {
        Change { result, events: Vec::new(), close: Vec::new() }
    }
}

/// An event to broadcast.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    pub event: &'static str,
    pub payload: Value,
}

/// Connections that have lost their authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    pub device_id: String,
    pub role: String,
}
