//! Which model is meant and what is known of it: from the configuration, lists, local servers and the original's keys.
pub mod catalogue;
pub mod compat;
pub mod key_file;
pub mod keyed;
pub mod known;
pub mod resolve;
pub mod scan;
pub mod section;
pub mod window;
