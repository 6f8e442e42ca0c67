//! What of a conversation fits into a model.
pub mod compacting;
pub mod context;
pub mod estimate;
pub(in crate::sessions) mod shorten;
