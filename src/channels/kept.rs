//! Messages that cannot be answered while something is wrong here: a mistake in the configuration, a file that cannot be
//! read. Whoever wrote one is told; it stays in the journal, and its turn is asked for again until it is old. Pure.
use crate::clock;
use crate::deliveries::Inbound;
use crate::error::{Error, Kind};
use std::time::Duration;

/// How long one waits before it is tried again, and how many of a chat do.
pub const PAUSE: Duration = Duration::from_secs(5);
pub const MOST: usize = 16;
/// An answer to what is older, in milliseconds, would be a surprise.
pub const RECENT: u64 = 60 * 60 * 1000;

/// What its sender is told.
pub const TOLD: &str = "⚠️ There is no answer at the moment: something is wrong with this gateway's settings or files, its log says what. If that is mended within an hour, your message is answered then.";

/// Whether the turn of a message that failed so is asked for again.
pub fn waits(e: &Error, of: Option<&Inbound>) -> bool {
    let is_ours = matches!(e.kind, Kind::Config | Kind::Io | Kind::Unavailable);
    is_ours && of.is_some_and(|inbound| clock::now_ms().saturating_sub(inbound.ts) < RECENT)
}
