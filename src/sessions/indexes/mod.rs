//! The index of an agent's sessions and its entries.
pub mod entry;
pub mod index;
pub(in crate::sessions) mod index_text;
pub(in crate::sessions) mod kept;
pub mod others;
pub mod patch;
