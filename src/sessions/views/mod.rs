//! Sessions and conversations as clients see them.
pub mod history;
pub mod list;
pub mod preview;
pub mod search;
