//! Who asks, and the way back to him.
//!
//! Types that travel between threads: a caller, his outbox, what is sent to him. Owned by nobody in particular.
pub mod budget;
pub mod outbox;
