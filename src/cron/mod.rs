//! Scheduled jobs as data: their shapes, their schedules, the file they lie in and the logs of their runs, as the original
//! program keeps them. Decides nothing about runs; the state thread does (`state/cron`).
//!
//! Pure but for `store` and `runlog`, which read and write files and are for the store thread, the start and commands;
//! `zones` reads files for whoever may wait and only remembers for the state thread.
pub mod book;
mod fields;
pub mod job;
mod legacy;
pub mod merge;
mod moments;
pub mod outcome;
mod packed;
mod ranges;
pub mod runlog;
mod schedule;
#[cfg(test)]
mod schedule_tests;
pub mod shape;
pub mod store;
mod whole;
mod zones;

pub use book::{Book, Kept};
pub use moments::{after_step_back, next};
pub use schedule::parse_at;
