//! Why a connection is closed: one enum, each reason mapped to its WebSocket code and text.
//!
//! Every path that ends a connection names one of these, so no client is left with a bare 1006 (R-20a).
use crate::parts::within;
use std::borrow::Cow;

/// Close reasons are cut to this many bytes of UTF-8 on the wire.
const MAX_REASON: usize = 120;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Close {
    /// The client closed; its code and reason are echoed.
    ByClient(u16, String),
    /// The gateway stops or restarts.
    ServiceRestart,
    /// The client does not read what it is sent.
    SlowConsumer,
    /// No successful `connect` within the deadline.
    HandshakeTimeout,
    /// The place before authentication was given to another connection.
    Evicted,
    /// `connect` was refused; the text equals the error message.
    Refused(String),
    /// The protocol ranges do not meet.
    ProtocolMismatch,
    /// The text is not JSON.
    Malformed,
    /// A violation of the WebSocket framing rules.
    Framing(&'static str),
    /// A message above the size in force.
    TooBig,
    /// Too much is arriving from all clients together, and this one has the largest part of it.
    Crowded,
    /// A message that began comes too slowly, or not at all.
    Unfinished,
    /// The credential this connection was made with is no longer valid.
    Revoked,
    /// A defect on our side ended the connection's work.
    Internal,
}

impl Close {
    pub fn code(&self) -> u16 {
        match self {
            Close::ByClient(code, _) => *code,
            Close::ServiceRestart => 1012,
            Close::ProtocolMismatch | Close::Framing(_) => 1002,
            Close::TooBig => 1009,
            Close::Crowded => 1013,
            Close::Internal => 1011,
            Close::SlowConsumer
            | Close::HandshakeTimeout
            | Close::Evicted
            | Close::Refused(_)
            | Close::Malformed
            | Close::Unfinished
            | Close::Revoked => 1008,
        }
    }

    /// The reason text, at most 120 bytes.
    pub fn reason(&self) -> Cow<'_, str> {
        let text: &str = match self {
            Close::ByClient(_, reason) => reason,
            Close::ServiceRestart => "service restart",
            Close::SlowConsumer => "slow consumer",
            Close::HandshakeTimeout => "handshake timeout: send connect as the first request",
            Close::Evicted => "too many unauthenticated connections: send connect at once",
            Close::Refused(message) => message,
            Close::ProtocolMismatch => "protocol mismatch",
            Close::Malformed => "malformed JSON: send one JSON request frame per message",
            Close::Framing(what) => what,
            Close::TooBig => "message too big: see policy.maxPayload",
            Close::Crowded => "too many large messages at a time: send this one again",
            Close::Unfinished => "message not finished in time: send it again over a faster line",
            Close::Revoked => "credentials revoked: connect again with valid ones",
            Close::Internal => "internal error: see the gateway log",
        };
        Cow::Borrowed(within(text, MAX_REASON))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_cut_between_characters() {
        assert_eq!(Close::Refused("é".repeat(100)).reason().len(), 120);
    }
}
