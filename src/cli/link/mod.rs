//! The way to a gateway: which one, over what, proven how, and one call after another.
pub mod client;
pub mod connect;
pub mod explain;
pub mod named;
pub mod rpc;
pub mod socket;
pub mod ssh;
pub mod ssh_destination;
pub mod talk;
pub mod target;
pub mod tls;
pub mod websocket;
