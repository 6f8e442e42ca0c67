//! What goes wrong on purpose, a call at a time or until it is taken back.
use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// 429 with this `retry_after`.
    Flood(u64),
    /// Refused with this code and text, as the API refuses; nothing was done.
    Refuse(u16, &'static str),
    /// This status with a page in HTML, as a proxy in front answers; nothing was done.
    Html(u16),
    /// Done, and answered with this body and status 200.
    Body(&'static str),
    /// Closed after the request was read; nothing was done.
    DropBefore,
    /// Done, then closed without an answer.
    DropAfter,
    /// Done, then closed in the middle of the answer.
    Cut,
    /// Nothing done, nothing answered, not closed.
    HalfOpen,
    /// Done, answered after this time.
    Slow(Duration),
    /// `getUpdates`: each update twice.
    Twice,
    /// `getUpdates`: the last comes first.
    Backwards,
}
