//! A transcript: its lines and entries, read from either end, and what a crash or a newer release left.
mod again;
pub mod branch;
pub mod envelope;
pub(in crate::sessions) mod line;
pub mod lines;
pub mod message;
pub mod newer;
pub(in crate::sessions) mod reading;
pub(in crate::sessions) mod rebuild;
pub mod repair;
pub mod transcript;
