//! Everything that goes out by HTTP: connections, TLS, requests, event streams, and which addresses are allowed.
//!
//! Called on the threads of those who ask: model calls, tools, commands. Knows no model and no tool.
pub mod buffers;
pub mod dial;
pub mod guard;
pub mod html;
pub mod http;
pub mod inflate;
pub mod kept;
pub mod outbound;
pub mod port;
#[cfg(target_os = "linux")]
mod route;
pub mod sse;
pub mod tls;
pub mod trust;
pub mod upgrade;
