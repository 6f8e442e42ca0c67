//! DNS-SD on the local network (RFC 6762, 6763), IPv4: gateways are found (`browse`), and this one is announced where the
//! owner asks for it (`announce`).
//!
//! What comes from the network is anybody's claim: it is read bounded (`wire`), shown, and never followed by itself
//! (SEC-38). Wide-area DNS-SD is a name server's task (docs/remote.md).
pub mod announce;
pub mod browse;
mod socket;
pub mod wire;

/// What gateways announce themselves as.
pub const SERVICE: &str = "_openclaw-gw._tcp.local";
