//! Sessions as files: the index `sessions.json` and the transcripts beside it, in
//! the shapes the Node gateway (2026.2.9) reads and writes, so that either program can go on with the other's.
//!
//! Plain functions and values, no threads. The state thread owns an [`Index`] in memory and
//! does no I/O with it; the store thread saves snapshots; run and connection threads call [`Transcript`].
pub mod attachments;
mod fitting;
pub mod freshness;
mod indexes;
pub mod passing;
pub mod retention;
pub mod send_policy;
mod spending;
pub mod sweep;
pub mod tags;
mod transcripts;
mod views;

pub use crate::session_key::KeyRules;
pub use entry::Entry;
use fitting::shorten;
pub use fitting::{compacting, context, estimate};
pub use index::{Index, Snapshot};
pub use indexes::others;
pub use indexes::{entry, index, patch};
use indexes::{index_text, kept};
pub use kept::Kept;
pub use spending::{remembered, usage, usage_report, usage_scan, usage_series};
pub use transcript::Transcript;
pub use transcripts::{branch, envelope, lines, message, newer, repair, transcript};
use transcripts::{line, rebuild};
pub use views::{history, list, preview, search};

use std::path::{Path, PathBuf};

/// Where the sessions of an agent lie. `agent` is normalised, so it cannot leave the state directory.
pub fn sessions_dir(state_dir: &Path, agent: &str) -> PathBuf {
    state_dir.join("agents").join(crate::session_key::normalise_agent_id(agent)).join("sessions")
}

/// What a session id may be, for messages.
pub const SESSION_ID: &str =
    "1 to 128 letters, digits, \"_\", \"-\" or \".\", without a \".\" in front or \".jsonl\" in it";

/// Whether `id` may name a session, and with it a file (SEC-12): [`SESSION_ID`]. Clients choose ids, such as
/// `nightly-1`; one with `.jsonl` in it would look like an archive of another session.
pub fn is_session_id(id: &str) -> bool {
    (1..=128).contains(&id.len())
        && !id.starts_with('.')
        && !id.contains(".jsonl")
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// A directory for one test, removed when dropped.
#[cfg(test)]
pub(crate) struct TestDir(pub PathBuf);

#[cfg(test)]
impl TestDir {
    pub(crate) fn new() -> TestDir {
        let dir = std::env::temp_dir().join(format!("sessions-{}", crate::ids::uuid().unwrap()));
        std::fs::create_dir_all(&dir).unwrap();
        TestDir(dir)
    }
}

#[cfg(test)]
impl Drop for TestDir {
    fn drop(&mut self) {
        // A directory that stays behind in the system's temp directory fails no test.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
