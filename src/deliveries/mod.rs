//! What must survive, whatever happens to the process: requests that were accepted, messages that came in from a platform
//! and messages that are to go out. One append-only [`Journal`] holds them all; nothing is acknowledged, to a client or to
//! a platform, before it stands there.
//!
//! The store thread owns the journal, the state thread what of it is looked for in memory: [`Dedupe`] for requests,
//! [`Ledger`] for messages. Who carries messages (the workers of channels) only reports; nothing here opens a socket.
#[cfg(test)]
mod crash_tests;
pub mod dedupe;
mod journal;
mod kept;
mod ledger;
mod line;
mod spool;

pub use dedupe::{Dedupe, Known, Seen};
pub use journal::Journal;
pub use ledger::{Ledger, Taken};
pub use line::{Delivery, Inbound, Line, Login, Name, Outcome, Record, Stage, Step};
pub use spool::Spool;
