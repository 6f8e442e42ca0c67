//! Agent runs: the worker that takes a turn, and the model clients it speaks with.
//!
//! A run has a thread of its own (`run.rs`); everything else here is called from that thread.
pub mod builtin;
pub mod cancel;
pub mod dial;
pub mod failure;
pub mod http;
pub mod openai;
mod openai_body;
mod openai_reply;
pub mod prompt;
pub mod provider;
pub mod run;
pub mod scan;
pub mod sse;
