//! Editing the file in place, and what is told and taken back of it with its secrets hidden.
pub mod edit;
pub mod fingerprint;
pub mod good;
pub(in crate::config) mod members;
pub(in crate::config) mod merging;
pub(in crate::config) mod patch;
pub(in crate::config) mod programs;
pub(in crate::config) mod raw;
pub(in crate::config) mod redact;
pub(in crate::config) mod restore;
mod secret_names;
pub(in crate::config) mod snapshot;
pub(in crate::config) mod splices;
pub(in crate::config) mod tokens;
pub mod write;
