//! Sockets: listening, the first bytes of a connection, authentication, and the WebSocket worker.
//!
//! Listener threads accept; each connection has one thread that becomes a WebSocket worker (`ws`) or an HTTP
//! worker (`crate::http`). Nothing here owns gateway state: it travels to the state thread as events.
pub mod auth;
pub mod connect;
pub mod connection;
pub mod descriptors;
pub mod evict;
#[cfg(test)]
pub mod fuzz;
pub mod listener;
pub mod origin;
pub mod pace;
pub mod peer;
pub mod print;
mod refusal;
pub mod tailscale;
mod tls;
pub mod ws;
