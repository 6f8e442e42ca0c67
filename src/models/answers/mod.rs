//! An answer as it comes in, in pieces: words, reasoning and calls told apart and put together.
pub mod aside;
pub mod called;
pub mod content;
pub mod draft;
pub mod ending;
pub mod fences;
pub mod habit;
pub mod halves;
pub mod pace;
pub mod reply;
pub mod tags;
pub mod think;
