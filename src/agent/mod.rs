//! Agent runs: the worker that takes a turn, and the model clients it speaks with.
//!
//! A run has a thread of its own (`run.rs`); everything else here is called from that thread.
mod adapt;
mod anthropic;
mod anthropic_body;
mod ask;
pub mod builtin;
mod call_ids;
pub mod cancel;
pub mod candidates;
pub mod catalogue;
pub mod chat;
pub mod compact;
mod compat;
mod content;
pub mod dial;
mod draft;
pub mod failure;
mod format;
#[cfg(test)]
mod fuzz;
pub mod guard;
mod halves;
pub mod http;
mod key_file;
mod known;
pub mod mailbox;
mod messages;
mod openai;
mod openai_body;
pub mod outbound;
pub mod profiles;
pub mod prompt;
pub mod provider;
pub mod repeats;
mod reply;
mod report;
pub mod resolve;
mod responses;
mod responses_body;
pub mod run;
pub mod scan;
pub mod skills;
pub mod sse;
mod summary;
mod think;
pub mod turn;
mod verdict;
