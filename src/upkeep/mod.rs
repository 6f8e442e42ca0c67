//! What is looked after from time to time: left-over files and their bounds.
pub mod edits;
pub mod litter;
