//! Agent runs: the worker that takes a turn, and the model clients it speaks with.
//!
//! A run has a thread of its own (`run.rs`); everything else here is called from that thread.
pub mod brought;
pub mod budget;
pub mod candidates;
pub mod compact;
pub mod finished;
pub mod mailbox;
mod oversize;
pub mod prompt;
pub mod repeats;
pub mod room;
pub mod run;
pub mod skills;
mod summary;
pub mod turn;
