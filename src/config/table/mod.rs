//! The keys, and what follows from their table.
pub mod action;
pub mod apis;
pub mod defaults;
pub mod keys;
pub mod list;
pub mod lookup;
#[cfg(test)]
mod made;
pub(in crate::config) mod schema;
