//! The version of this program, in one place for the wire, the command line, services and outgoing requests.
/// As in Cargo.toml, such as `0.1.0`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
