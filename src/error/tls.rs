//! What is wrong with the certificate of the other end. Pure data.

/// Why there is no TLS with the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFault {
    /// Its certificate is another one than was pinned.
    Mismatch,
    /// Nobody whom this machine trusts has signed its certificate.
    Untrusted,
    /// It speaks plain.
    Plain,
    /// Something else.
    Failed,
}

impl TlsFault {
    /// As the details name it.
    pub fn name(self) -> &'static str {
        match self {
            TlsFault::Mismatch => "mismatch",
            TlsFault::Untrusted => "untrusted",
            TlsFault::Plain => "plain",
            TlsFault::Failed => "failed",
        }
    }
}
