//! The keys, and what follows from their table.
pub mod action;
pub mod defaults;
pub mod keys;
pub mod lookup;
pub(in crate::config) mod schema;
